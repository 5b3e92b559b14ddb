//! Who may have a session of a role, what it then is, and what others are told.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::authz::Layer;
use crate::registry::{ManagedPolicy, NamedPolicy, Role as DeclaredRole};
use crate::request::Caller;
use crate::scene::{ELSEWHERE, HERE, SHUT, Scene, manifest, play};
use crate::session::Session;

const ROLE: &str = "arn:aws:iam::111122223333:role/team/reader";

/// The scene with a role of the first account that has this trust policy, and users' policies for STS.
async fn with_trust(scene: &Scene, trust: Value) {
    let mut manifest = manifest();
    let here = &mut manifest.accounts[0];
    here.roles = vec![DeclaredRole {
        name: "reader".to_owned(),
        path: "/team/".to_owned(),
        tags: BTreeMap::from([("team".to_owned(), "blue".to_owned())]),
        policies: vec![NamedPolicy {
            name: "own".to_owned(),
            document: json!({ "Statement": { "Effect": "Allow", "Action": ["kms:*", "sts:*"], "Resource": "*" } })
                .to_string(),
        }],
        trust_policy: json!({ "Version": "2012-10-17", "Statement": trust }).to_string(),
        max_session_duration_seconds: 7200,
        ..DeclaredRole::default()
    }];
    here.policies = vec![ManagedPolicy {
        name: "narrow".to_owned(),
        path: "/p/".to_owned(),
        document: json!({ "Statement": { "Effect": "Allow", "Action": "kms:Encrypt", "Resource": "*" } }).to_string(),
    }];
    let sts = |effect: &str| NamedPolicy {
        name: "sts".to_owned(),
        document: json!({ "Statement": { "Effect": effect, "Action": "sts:*", "Resource": "*" } }).to_string(),
    };
    here.users.iter_mut().filter(|user| user.name == "admin").for_each(|user| user.policies.push(sts("Allow")));
    here.users.iter_mut().filter(|user| user.name == "someone").for_each(|user| user.policies.push(sts("Deny")));
    manifest.accounts[1].users[0].policies.push(sts("Allow"));
    scene.region.declare(&manifest).await.unwrap();
}

fn allow(principal: Value, action: &str, condition: Value) -> Value {
    json!({ "Effect": "Allow", "Principal": principal, "Action": action, "Condition": condition })
}

fn request() -> AssumeRole {
    AssumeRole { role_arn: ROLE.to_owned(), session_name: "one".to_owned(), ..AssumeRole::default() }
}

fn asks(scene: &Scene, caller: Caller, request: &AssumeRole) -> Result<Granted, SessionError> {
    // STS is not subject to an endpoint's policy: all of these come through one that allows nothing.
    let asked = scene.asked(caller, Some(SHUT));
    let mut entry = scene.sts_entry(&asked, "AssumeRole");
    let granted = assume_role(&scene.region.view(), &asked, request, &mut entry);
    drop(entry.close(Ok(None)).unwrap());
    granted
}

fn code(scene: &Scene, who: &str, request: &AssumeRole) -> &'static str {
    asks(scene, scene.caller(who), request).map_or_else(|error| error.code(), |_| "OK")
}

/// A session, as the gateway knows it once its token was verified.
fn caller(scene: &Scene, granted: &Granted) -> Option<Caller> {
    let (now, packed) = (scene.region.clock().now(), granted.claims.packed().unwrap());
    let view = scene.region.view();
    Session::opened(&view, "token", &packed, now, now.plus(granted.duration)).unwrap().caller(&view)
}

#[test]
fn a_trust_policy_names_or_delegates_as_a_key_policy_does() {
    play(async |scene| {
        let named = json!({ "AWS": format!("arn:aws:iam::{HERE}:user/nobody") });
        with_trust(&scene, json!([allow(named, "sts:AssumeRole", json!({}))])).await;
        // Named is enough in its own account; a silent trust policy is not made up for by an identity policy.
        assert_eq!(code(&scene, "nobody", &request()), "OK");
        assert_eq!(code(&scene, "admin", &request()), "AccessDenied");
        let accounts = json!({ "AWS": [HERE, ELSEWHERE] });
        with_trust(&scene, json!([allow(accounts, "sts:AssumeRole", json!({}))])).await;
        assert_eq!(code(&scene, "admin", &request()), "OK");
        assert_eq!(code(&scene, "stranger", &request()), "OK");
        assert_eq!(code(&scene, "nobody", &request()), "AccessDenied");
        assert_eq!(code(&scene, "someone", &request()), "AccessDenied");
    });
}

#[test]
fn what_is_denied_is_said_as_aws_says_it() {
    play(async |scene| {
        let here = json!({ "AWS": HERE });
        with_trust(&scene, json!([allow(here, "sts:AssumeRole", json!({}))])).await;
        let said = |who: &str, request: &AssumeRole| match asks(&scene, scene.caller(who), request) {
            Err(SessionError::AccessDenied(text)) => text,
            other => panic!("{other:?}"),
        };
        let denied = |account: &str, who: &str, role: &str, reason: &str| {
            format!(
                "User: arn:aws:iam::{account}:user/{who} is not authorized to perform: sts:AssumeRole on resource: \
                 {role}{reason}"
            )
        };
        let silent = " because no identity-based policy allows the sts:AssumeRole action";
        assert_eq!(said("nobody", &request()), denied(HERE, "nobody", ROLE, silent));
        let explicit = " with an explicit deny in an identity-based policy";
        assert_eq!(said("someone", &request()), denied(HERE, "someone", ROLE, explicit));
        // Of another account's role a stranger learns no more than of one that is not there.
        let missing = format!("{ROLE}s");
        let absent = AssumeRole { role_arn: missing.clone(), ..request() };
        assert_eq!(said("stranger", &request()), denied(ELSEWHERE, "stranger", ROLE, ""));
        assert_eq!(said("stranger", &absent), denied(ELSEWHERE, "stranger", &missing, ""));
        for wrong in ["arn:aws:iam::111122223333:user/nobody", "arn:aws-cn:iam::111122223333:role/reader", "reader"] {
            let request = AssumeRole { role_arn: wrong.to_owned(), ..request() };
            let error = asks(&scene, scene.caller("admin"), &request).unwrap_err();
            assert_eq!(error, SessionError::Validation(format!("{wrong} is invalid")));
        }
    });
}

#[test]
fn the_parameters_are_condition_keys() {
    play(async |scene| {
        let anyone = json!({ "AWS": HERE });
        for (key, value, with) in [
            ("sts:ExternalId", "x-1", AssumeRole { external_id: Some("x-1".to_owned()), ..request() }),
            ("sts:RoleSessionName", "two", AssumeRole { session_name: "two".to_owned(), ..request() }),
            ("aws:SourceVpce", SHUT, request()),
            ("aws:ResourceTag/team", "blue", request()),
            ("aws:PrincipalArn", "arn:aws:iam::111122223333:user/admin", request()),
            ("aws:ResourceAccount", HERE, request()),
        ] {
            let trust = |value: &str| {
                json!([allow(anyone.clone(), "sts:AssumeRole", json!({ "StringEquals": { key: value } }))])
            };
            with_trust(&scene, trust(value)).await;
            assert_eq!(code(&scene, "admin", &with), "OK", "{key}");
            with_trust(&scene, trust("other")).await;
            assert_eq!(code(&scene, "admin", &with), "AccessDenied", "{key}");
        }
    });
}

#[test]
fn tags_take_a_permission_of_their_own_and_are_the_session_s() {
    play(async |scene| {
        let here = json!({ "AWS": HERE });
        let tagged = AssumeRole {
            tags: vec![("env".to_owned(), "prod".to_owned())],
            transitive_tag_keys: vec!["env".to_owned()],
            source_identity: Some("ana".to_owned()),
            ..request()
        };
        with_trust(&scene, json!([allow(here.clone(), "sts:AssumeRole", json!({}))])).await;
        assert_eq!(code(&scene, "admin", &tagged), "AccessDenied");
        let wanted = json!({ "StringEquals": { "aws:RequestTag/env": "prod", "sts:SourceIdentity": "ana" },
            "ForAllValues:StringEquals": { "aws:TagKeys": "env", "sts:TransitiveTagKeys": "env" } });
        with_trust(
            &scene,
            json!([
                allow(here.clone(), "sts:AssumeRole", json!({})),
                allow(here.clone(), "sts:TagSession", wanted.clone()),
                allow(here.clone(), "sts:SetSourceIdentity", wanted),
            ]),
        )
        .await;
        let granted = asks(&scene, scene.caller("admin"), &tagged).unwrap();
        assert_eq!(granted.claims.tags, BTreeMap::from([("env".to_owned(), "prod".to_owned())]));
        assert_eq!(granted.claims.source_identity.as_deref(), Some("ana"));
        // The next session in the chain inherits what is transitive, and cannot change it.
        let first = caller(&scene, &granted).unwrap();
        let second = asks(&scene, first.clone(), &request()).unwrap();
        assert_eq!(second.claims.tags, granted.claims.tags);
        assert_eq!(second.claims.source_identity.as_deref(), Some("ana"));
        let other = AssumeRole { tags: vec![("Env".to_owned(), "dev".to_owned())], ..request() };
        assert_eq!(asks(&scene, first.clone(), &other).unwrap_err().code(), "InvalidParameterValue");
        let other = AssumeRole { source_identity: Some("eve".to_owned()), ..request() };
        assert_eq!(asks(&scene, first, &other).unwrap_err().code(), "AccessDenied");
        let twice = AssumeRole { tags: vec![("a".into(), "1".into()), ("A".into(), "2".into())], ..request() };
        let loose = AssumeRole { transitive_tag_keys: vec!["b".into()], ..request() };
        let reserved = AssumeRole { tags: vec![("AWS:x".into(), "1".into())], ..request() };
        for wrong in [twice, loose, reserved] {
            assert_eq!(code(&scene, "admin", &wrong), "InvalidParameterValue");
        }
    });
}

#[test]
fn a_session_lasts_as_long_as_its_role_lets_it_and_a_chained_one_an_hour() {
    play(async |scene| {
        with_trust(&scene, json!([allow(json!({ "AWS": HERE }), "sts:AssumeRole", json!({}))])).await;
        let for_seconds = |seconds| AssumeRole { duration_seconds: Some(seconds), ..request() };
        let granted = asks(&scene, scene.caller("admin"), &request()).unwrap();
        assert_eq!(granted.duration, Duration::from_secs(3600));
        let longest = asks(&scene, scene.caller("admin"), &for_seconds(7200)).unwrap();
        assert_eq!(longest.duration, Duration::from_secs(7200));
        let error = asks(&scene, scene.caller("admin"), &for_seconds(7201)).unwrap_err();
        assert!(error.message().contains("MaxSessionDuration set for this role"), "{error:?}");
        let session = caller(&scene, &granted).unwrap();
        assert!(asks(&scene, session.clone(), &for_seconds(3600)).is_ok());
        let error = asks(&scene, session, &for_seconds(3601)).unwrap_err();
        assert!(error.message().contains("1 hour session limit"), "{error:?}");
    });
}

#[test]
fn session_policies_are_read_when_the_session_is_made() {
    play(async |scene| {
        with_trust(&scene, json!([allow(json!({ "AWS": HERE }), "sts:AssumeRole", json!({}))])).await;
        let with = |policy: &str| AssumeRole { policy: Some(policy.to_owned()), ..request() };
        assert_eq!(code(&scene, "admin", &with("{")), "MalformedPolicyDocument");
        let principal = r#"{"Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}"#;
        assert_eq!(code(&scene, "admin", &with(principal)), "MalformedPolicyDocument");
        let policy =
            |action: &str| format!(r#"{{"Statement": {{"Effect":"Allow","Action":"{action}","Resource":"*"}}}}"#);
        assert_eq!(code(&scene, "admin", &with(&policy(&format!("kms:{}", "x".repeat(2048))))), "PackedPolicyTooLarge");
        let arn = "arn:aws:iam::111122223333:policy/p/narrow";
        let both = AssumeRole { policy_arns: vec![arn.to_owned()], ..with(&policy("kms:Decrypt")) };
        let granted = asks(&scene, scene.caller("admin"), &both).unwrap();
        assert_eq!(granted.claims.policies.len(), 2);
        assert!(!granted.claims.policies[0].contains(' '), "white space is left out");
        let missing = AssumeRole { policy_arns: vec![arn.replace("/p/", "/")], ..request() };
        assert_eq!(code(&scene, "admin", &missing), "ValidationError");
        // The session may do what its policies allow, of what its role may.
        let ask = async |action: &str| {
            scene.ask_as(None, caller(&scene, &granted).unwrap(), action, json!({ "NumberOfBytes": 8 })).await
        };
        let denied = ask("GenerateRandom").await.unwrap_err();
        assert!(denied.message().contains("because no session policy allows"), "{}", denied.message());
    });
}

#[test]
fn a_session_ends_with_its_role_also_when_another_takes_its_name() {
    play(async |scene| {
        let trust = json!([allow(json!({ "AWS": HERE }), "sts:AssumeRole", json!({}))]);
        with_trust(&scene, trust.clone()).await;
        let granted = asks(&scene, scene.caller("admin"), &request()).unwrap();
        let before = caller(&scene, &granted).unwrap();
        assert_eq!(&*before.arn, "arn:aws:sts::111122223333:assumed-role/reader/one");
        assert_eq!(granted.id, before.principal.unique_id().unwrap());
        scene.region.declare(&manifest()).await.unwrap();
        assert!(caller(&scene, &granted).is_none());
        with_trust(&scene, trust).await;
        assert!(caller(&scene, &granted).is_none(), "the new role is another one");
    });
}

#[test]
fn the_record_says_what_decided() {
    play(async |scene| {
        with_trust(&scene, json!([allow(json!({ "AWS": HERE }), "sts:AssumeRole", json!({}))])).await;
        let asked = scene.asked(scene.caller("nobody"), None);
        let request = request();
        let tags = tags_of(&asked, &[], &[]).unwrap();
        let view = scene.region.view();
        let assumption = Assumption {
            view: &view,
            asked: &asked,
            request: &request,
            action: ASSUME_ROLE,
            tags,
            source_identity: None,
            web_identity: None,
        };
        let mut trace = Trace::default();
        let account = AccountId::parse(HERE).unwrap();
        let role = view.role(ROLE);
        assert!(assumption.allow(ASSUME_ROLE, account, role, &mut trace).is_err());
        assert_eq!(trace.decision.unwrap().decided_by.layer(), Layer::Identity);
    });
}

#[test]
fn the_root_user_assumes_no_role() {
    play(async |scene| {
        with_trust(&scene, json!([allow(json!("*"), "sts:AssumeRole", json!({}))])).await;
        let root = Caller {
            principal: Arc::new(Principal::Root { account: HERE.to_owned() }),
            arn: format!("arn:aws:iam::{HERE}:root").into(),
            ..scene.caller("admin")
        };
        assert_eq!(asks(&scene, root, &request()).unwrap_err().code(), "AccessDenied");
    });
}
