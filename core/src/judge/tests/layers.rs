//! Groups, managed policies, boundaries, session policies and an organization's policies, on live requests.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::told;
use crate::authz::{Document, Kind};
use crate::clock::Timestamp;
use crate::error::KmsError;
use crate::id::AccountId;
use crate::registry::{
    ControlPolicies, ControlPolicy, ControlPolicyKind, FULL_ACCESS, Group, ManagedPolicy, Manifest, MemberAccount,
    NamedPolicy, Organization, OrganizationalUnit, Role,
};
use crate::request::{Caller, SessionFacts};
use crate::scene::{ELSEWHERE, HERE, OPEN, Scene, manifest, play};

pub(crate) fn document(effect: &str, action: &str, condition: Value) -> String {
    json!({ "Version": "2012-10-17",
        "Statement": { "Effect": effect, "Action": action, "Resource": "*", "Condition": condition } })
    .to_string()
}

fn managed(name: &str, effect: &str, action: &str) -> ManagedPolicy {
    ManagedPolicy { name: name.to_owned(), path: "/".to_owned(), document: document(effect, action, json!({})) }
}

pub(crate) fn role(name: &str) -> Role {
    Role {
        name: name.to_owned(),
        path: "/team/".to_owned(),
        tags: BTreeMap::from([("team".to_owned(), "role's".to_owned()), ("env".to_owned(), "prod".to_owned())]),
        policies: vec![NamedPolicy { name: "own".to_owned(), document: document("Allow", "kms:*", json!({})) }],
        trust_policy: json!({ "Statement": { "Effect": "Allow", "Principal": { "AWS": HERE },
            "Action": "sts:AssumeRole" } })
        .to_string(),
        max_session_duration_seconds: 3600,
        ..Role::default()
    }
}

/// An organization whose management account is the first, with the second in a unit of a unit.
pub(crate) fn organization() -> Organization {
    let unit = |id: &str, parent: &str| OrganizationalUnit {
        id: id.to_owned(),
        parent: parent.to_owned(),
        attached: ControlPolicies::default(),
    };
    let member = |id: &str, parent: &str| MemberAccount {
        id: id.to_owned(),
        parent: parent.to_owned(),
        attached: ControlPolicies::default(),
    };
    Organization {
        id: "o-1".to_owned(),
        management_account: HERE.to_owned(),
        root: "r-1".to_owned(),
        units: vec![unit("ou-2", "ou-1"), unit("ou-1", "r-1")],
        accounts: vec![member(HERE, "r-1"), member(ELSEWHERE, "ou-2")],
        ..Organization::default()
    }
}

fn control(name: &str, kind: ControlPolicyKind, text: String) -> ControlPolicy {
    ControlPolicy { name: name.to_owned(), kind, document: text }
}

async fn declare(scene: &Scene, change: impl FnOnce(&mut Manifest)) {
    let mut manifest = manifest();
    change(&mut manifest);
    scene.region.declare(&manifest).await.unwrap();
}

/// A session of a role of the first account.
pub(crate) fn session(scene: &Scene, name: &str, policy: Option<String>) -> Caller {
    let view = scene.region.view();
    let role = view.role_named(AccountId::parse(HERE).unwrap(), name).unwrap();
    let principal = role.principal("s1");
    Caller {
        arn: principal.arn().into(),
        principal: Arc::new(principal),
        account: role.account,
        access_key: "ASIATEST".into(),
        session: Some(Arc::new(SessionFacts {
            role: role.arn.clone(),
            name: "s1".into(),
            policy: policy.map(|text| Arc::new(Document::parse(&text, Kind::Session).unwrap())),
            tags: BTreeMap::from([("Team".to_owned(), "session's".to_owned())]),
            transitive_tag_keys: Default::default(),
            issued_at: Timestamp(1_789_999_000_000),
            expires_at: Timestamp(1_790_003_000_000),
            source_identity: Some("ana".into()),
            federated_provider: None,
        })),
    }
}

fn says(error: &KmsError, reason: &str) {
    assert!(error.message().contains(reason), "{}", error.message());
}

#[test]
fn a_group_s_and_a_managed_policy_count_until_they_change() {
    play(async |scene| {
        let list = async || scene.ask("nobody", "ListKeys", json!({})).await;
        says(&list().await.unwrap_err(), "because no identity-based policy allows the kms:ListKeys action");
        let with = async |policy: ManagedPolicy, of_group: bool| {
            declare(&scene, |manifest| {
                let account = &mut manifest.accounts[0];
                let name = policy.name.clone();
                account.policies = vec![policy];
                if of_group {
                    account.groups = vec![Group {
                        name: "readers".to_owned(),
                        path: "/".to_owned(),
                        managed_policies: vec![name],
                        ..Group::default()
                    }];
                    account.users[1].groups = vec!["readers".to_owned()];
                } else {
                    account.users[1].managed_policies = vec![name];
                }
            })
            .await;
        };
        for of_group in [true, false] {
            with(managed("list", "Allow", "kms:ListKeys"), of_group).await;
            list().await.unwrap();
            with(managed("list", "Deny", "kms:*"), of_group).await;
            says(&list().await.unwrap_err(), "with an explicit deny in an identity-based policy");
            with(managed("list", "Allow", "kms:ListAliases"), of_group).await;
            says(&list().await.unwrap_err(), "because no identity-based policy allows the kms:ListKeys action");
        }
        declare(&scene, |_| {}).await;
        assert!(scene.region.view().all_registered().all(|(key, _)| !key.starts_with("group/")));
    });
}

#[test]
fn a_boundary_limits_what_identity_policies_allow_and_not_what_names_the_user() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let describe = async || scene.ask("admin", "DescribeKey", json!({ "KeyId": key })).await;
        let bounded = async |policy: ManagedPolicy| {
            declare(&scene, |manifest| {
                manifest.accounts[0].users[0].permissions_boundary = Some(policy.name.clone());
                manifest.accounts[0].policies = vec![policy];
            })
            .await;
        };
        bounded(managed("limit", "Allow", "kms:Describe*")).await;
        describe().await.unwrap();
        bounded(managed("limit", "Allow", "kms:List*")).await;
        says(&describe().await.unwrap_err(), "because no permissions boundary allows the kms:DescribeKey action");
        declare(&scene, |_| {}).await;
        scene.grant(&key, "admin", &["DescribeKey"]).await;
        bounded(managed("limit", "Allow", "kms:List*")).await;
        describe().await.unwrap();
        bounded(managed("limit", "Deny", "kms:DescribeKey")).await;
        says(&describe().await.unwrap_err(), "with an explicit deny in a permissions boundary");
    });
}

#[test]
fn a_session_has_its_role_s_policies_and_its_own_limit() {
    play(async |scene| {
        declare(&scene, |manifest| manifest.accounts[0].roles = vec![role("App")]).await;
        let key = scene.key(json!({})).await;
        let ask = async |policy: Option<String>, name: &str| {
            scene.ask_as(Some(OPEN), session(&scene, "App", policy), name, json!({ "KeyId": key })).await
        };
        ask(None, "DescribeKey").await.unwrap();
        let only = document("Allow", "kms:DescribeKey", json!({}));
        ask(Some(only.clone()), "DescribeKey").await.unwrap();
        let refused = ask(Some(only), "GetKeyPolicy").await.unwrap_err();
        says(
            &refused,
            "User: arn:aws:sts::111122223333:assumed-role/App/s1 is not authorized to perform: kms:GetKeyPolicy",
        );
        says(&refused, "because no session policy allows the kms:GetKeyPolicy action");
        let earlier = json!({ "DateLessThan": { "aws:TokenIssueTime": "2030-01-01T00:00:00Z" } });
        let revoked = document("Deny", "*", earlier);
        let before = session(&scene, "App", None);
        declare(&scene, |manifest| {
            let mut role = role("App");
            role.policies.push(NamedPolicy { name: "AWSRevokeOlderSessions".to_owned(), document: revoked });
            manifest.accounts[0].roles = vec![role];
        })
        .await;
        let describe = json!({ "KeyId": key });
        let refused = scene.ask_as(None, before.clone(), "DescribeKey", describe.clone()).await.unwrap_err();
        says(&refused, "with an explicit deny in an identity-based policy");
        // The lockout check asks what the role may, not what this session may.
        let put = json!({ "KeyId": key, "Policy": crate::authz::default_key_policy(HERE) });
        declare(&scene, |manifest| manifest.accounts[0].roles = vec![role("App")]).await;
        let narrow = Some(json!({ "Statement": { "Effect": "Allow", "Action": "kms:PutKeyPolicy", "Resource": key } }));
        let narrow = session(&scene, "App", narrow.map(|policy| policy.to_string()));
        scene.ask_as(None, narrow, "PutKeyPolicy", put).await.unwrap();
    });
}

#[test]
fn whoever_has_gone_or_was_declared_again_is_not_who_called() {
    play(async |scene| {
        let everyone =
            json!({ "Statement": { "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*" } });
        declare(&scene, |manifest| manifest.accounts[0].roles = vec![role("App")]).await;
        let key = scene.key(json!({ "Policy": everyone.to_string() })).await;
        let describe = json!({ "KeyId": key });
        let (app, nobody) = (session(&scene, "App", None), scene.caller("nobody"));
        let ask = async |caller: &Caller| scene.ask_as(None, caller.clone(), "DescribeKey", describe.clone()).await;
        ask(&app).await.unwrap();
        ask(&nobody).await.unwrap();
        // Once the role and the user's access key are gone, they are denied; and so they are once there are new ones.
        declare(&scene, |manifest| {
            manifest.accounts[0].users[1].access_keys.clear();
        })
        .await;
        assert!(matches!(ask(&app).await, Err(KmsError::AccessDenied(_))));
        assert!(matches!(ask(&nobody).await, Err(KmsError::AccessDenied(_))));
        declare(&scene, |manifest| {
            manifest.accounts[0].users.remove(1);
        })
        .await;
        declare(&scene, |manifest| manifest.accounts[0].roles = vec![role("App")]).await;
        assert!(matches!(ask(&app).await, Err(KmsError::AccessDenied(_))));
        assert!(matches!(ask(&nobody).await, Err(KmsError::AccessDenied(_))));
        ask(&session(&scene, "App", None)).await.unwrap();
        ask(&scene.caller("nobody")).await.unwrap();
    });
}

#[test]
fn service_control_policies_bind_all_but_the_management_account() {
    play(async |scene| {
        let deny = document("Deny", "kms:ListAliases", json!({}));
        let allow = document("Allow", "kms:List*", json!({}));
        let under = async |unit: Option<Vec<&str>>, root: Option<Vec<&str>>| {
            let names = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
            declare(&scene, |manifest| {
                let mut organization = organization();
                organization.policies = vec![
                    control("deny", ControlPolicyKind::Service, deny.clone()),
                    control("allow", ControlPolicyKind::Service, allow.clone()),
                ];
                organization.units[1].attached.service = unit.map(names);
                organization.attached.service = root.map(names);
                manifest.organizations = vec![organization];
            })
            .await;
        };
        let told = async |who: &str, name: &str| {
            scene.ask(who, name, json!({})).await.map_or_else(|error| error.message(), |_| String::new())
        };
        let random = async |who: &str| {
            scene
                .ask(who, "GenerateRandom", json!({ "NumberOfBytes": 1 }))
                .await
                .map_or_else(|error| error.message(), |_| String::new())
        };
        under(None, None).await;
        assert_eq!((told("stranger", "ListAliases").await, random("stranger").await), Default::default());
        under(Some(vec![FULL_ACCESS, "deny"]), None).await;
        assert!(told("stranger", "ListAliases").await.contains("with an explicit deny in a service control policy"));
        assert_eq!((told("stranger", "ListKeys").await, random("stranger").await), Default::default());
        under(None, Some(vec!["allow"])).await;
        assert_eq!(told("stranger", "ListKeys").await, "");
        let silent = "because no service control policy allows the kms:GenerateRandom action";
        assert!(random("stranger").await.contains(silent));
        assert_eq!((told("admin", "ListAliases").await, random("admin").await), Default::default());
        under(Some(vec![]), None).await;
        assert!(random("stranger").await.contains(silent));
    });
}

#[test]
fn resource_control_policies_bind_the_resources_of_members() {
    play(async |scene| {
        let outsiders = json!({ "Version": "2012-10-17", "Statement": { "Effect": "Deny", "Principal": "*",
            "Action": "kms:*", "Resource": "*", "Condition": { "StringNotEquals": { "aws:PrincipalOrgID": "o-1" } } } });
        let perimeter = async |members: &[&str], management: &str| {
            declare(&scene, |manifest| {
                let mut organization = organization();
                organization.management_account = management.to_owned();
                organization.accounts.retain(|member| members.contains(&&*member.id));
                organization.policies = vec![control("perimeter", ControlPolicyKind::Resource, outsiders.to_string())];
                organization.attached.resource = vec!["perimeter".to_owned()];
                manifest.organizations = vec![organization];
            })
            .await;
        };
        let key = scene.key(json!({})).await;
        let granted = scene.grant(&key, "stranger", &["DescribeKey", "RetireGrant"]).await;
        let describe = async || scene.ask("stranger", "DescribeKey", json!({ "KeyId": key })).await;
        describe().await.unwrap();
        perimeter(&[HERE, ELSEWHERE], ELSEWHERE).await;
        describe().await.unwrap();
        // The key's account is a member, and the caller's is not: it has no aws:PrincipalOrgID.
        let third = "777788889999";
        declare(&scene, |manifest| {
            let mut organization = organization();
            organization.management_account = third.to_owned();
            organization.accounts[1].id = third.to_owned();
            organization.policies = vec![control("perimeter", ControlPolicyKind::Resource, outsiders.to_string())];
            organization.attached.resource = vec!["perimeter".to_owned()];
            manifest.organizations = vec![organization];
            manifest.accounts.push(crate::registry::Account { id: third.to_owned(), ..Default::default() });
        })
        .await;
        let refused = told(&scene, None, "stranger", "DescribeKey", json!({ "KeyId": key })).await;
        says(&refused, "because no resource-based policy allows the kms:DescribeKey action");
        scene.ask("admin", "DescribeKey", json!({ "KeyId": key })).await.unwrap();
        // RetireGrant is out of their reach.
        let retire = json!({ "KeyId": key, "GrantId": granted["GrantId"] });
        scene.ask("stranger", "RetireGrant", retire).await.unwrap();
        perimeter(&[HERE], HERE).await;
        scene.grant(&key, "stranger", &["DescribeKey"]).await;
        describe().await.unwrap();
    });
}
