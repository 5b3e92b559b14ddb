//! A view that followed the events is the view that is loaded from the rows, in whatever order they come.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

use serde_json::json;

use super::*;
use crate::scene::{Scene, arn, play};
use crate::store::{Row, RowKey};

/// Everything that is in a view, in an order of its own.
fn described(view: &RegionView) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for entry in view.keys.values() {
        let aliases: BTreeSet<_> = entry.aliases.iter().map(|alias| alias.as_str()).collect();
        let materials: Vec<_> = entry.materials.iter().map(|material| (material.held.id, material.version)).collect();
        let grants: Vec<_> = entry.grants_after("").map(|grant| (&grant.record, grant.version)).collect();
        let by_grantee: BTreeMap<_, BTreeSet<_>> = entry
            .grants
            .iter()
            .flat_map(|grants| &grants.by_grantee)
            .map(|(name, entries)| {
                let granted = entries.iter().map(|(operations, entry)| (format!("{operations:?}"), &entry.record.id));
                (name.to_string(), granted.collect())
            })
            .collect();
        all.insert(
            format!("key {}", entry.arn),
            format!(
                "{:?} {:?} {} {} {aliases:?} {materials:?} {grants:?} {by_grantee:?}",
                entry.stored(),
                entry.version,
                entry.policy.text,
                entry.policy_is_default,
            ),
        );
    }
    let materials: BTreeMap<_, _> = view.materials.iter().map(|(id, key)| (id.to_string(), key)).collect();
    let identities: BTreeMap<_, _> =
        view.identities.iter().map(|(arn, it)| (arn, described_attached(&it.attached))).collect();
    let roles: BTreeMap<_, _> =
        view.roles.iter().map(|(arn, it)| (arn, (&it.trust.text, described_attached(&it.attached)))).collect();
    let registered: Vec<_> = view.registered.iter().map(|(key, it)| (key, &it.record, it.version)).collect();
    let memberships: BTreeMap<_, _> =
        view.memberships.iter().map(|(account, it)| (account, described_membership(it))).collect();
    let issuers: BTreeMap<_, _> = view.issuers.iter().collect();
    let issuer_keys: BTreeMap<_, _> = view.issuer_keys.iter().collect();
    let unique_ids: BTreeMap<_, _> = view.unique_ids.iter().collect();
    let credentials: BTreeMap<_, _> =
        view.credentials.iter().map(|(id, it)| (id, (&it.identity, it.version))).collect();
    let vpcs: BTreeMap<_, _> = view.vpcs.iter().map(|(id, it)| (id, (&it.record, it.version))).collect();
    let endpoints: BTreeMap<_, _> = view.endpoints.iter().map(|(id, it)| (id, (&it.record, it.version))).collect();
    let accounts: BTreeMap<_, _> = view.accounts.iter().collect();
    for (name, text) in [
        ("listing", format!("{:?}", view.listing)),
        ("deletions", format!("{:?}", view.deletions)),
        ("materials", format!("{materials:?}")),
        ("aliases", format!("{:?}", view.aliases)),
        ("retirable", format!("{:?}", view.retirable)),
        ("accounts", format!("{accounts:?}")),
        ("identities", format!("{identities:?}")),
        ("roles", format!("{roles:?}")),
        ("registered", format!("{registered:?}")),
        ("memberships", format!("{memberships:?}")),
        ("issuers", format!("{issuers:?} {issuer_keys:?}")),
        ("unique ids", format!("{unique_ids:?}")),
        ("credentials", format!("{credentials:?}")),
        ("vpcs", format!("{vpcs:?}")),
        ("endpoints", format!("{endpoints:?}")),
        ("revision", format!("{:?}", view.revision)),
    ] {
        all.insert(name.to_owned(), text);
    }
    all
}

fn described_attached(attached: &Attached) -> String {
    let policies: Vec<_> = attached.policies.iter().map(|policy| (policy.document.name(), &policy.text)).collect();
    let boundary = attached.boundary.as_ref().map(|policy| &policy.text);
    format!("{policies:?} {boundary:?} {:?}", attached.rows)
}

fn described_membership(membership: &Membership) -> String {
    let texts = |levels: &[Vec<Arc<Policy>>]| -> Vec<Vec<Arc<str>>> {
        levels.iter().map(|level| level.iter().map(|policy| policy.text.clone()).collect()).collect()
    };
    let (service, resource) = (texts(&membership.service), texts(&membership.resource));
    format!("{} {} {service:?} {resource:?} {:?}", membership.organization, membership.path, membership.row)
}

fn rows(scene: &Scene) -> Vec<(RowKey, Row)> {
    let mut rows = Vec::new();
    scene
        .region
        .store()
        .snapshot(&mut |key, row| {
            rows.push((key.clone(), row));
            ControlFlow::Continue(())
        })
        .unwrap();
    rows
}

fn loaded(scene: &Scene, rows: Vec<(RowKey, Row)>) -> Arc<RegionView> {
    let mut builder = Builder::new(scene.region.place().clone()).unwrap();
    for (key, row) in rows {
        builder.load(key, row).unwrap();
    }
    builder.loaded(scene.region.revision()).unwrap()
}

fn agree(scene: &Scene) {
    let followed = described(&scene.region.view());
    let rows = rows(scene);
    assert_eq!(described(&loaded(scene, rows.clone())), followed);
    assert_eq!(described(&loaded(scene, rows.into_iter().rev().collect())), followed);
}

#[test]
fn events_and_rows_make_the_same_view() {
    play(async |scene| {
        let (one, two) = (scene.key(json!({})).await, scene.key(json!({ "Description": "two" })).await);
        let ask = async |name, body| scene.ask("admin", name, body).await.unwrap();
        agree(&scene);
        for alias in ["alias/a", "alias/b"] {
            ask("CreateAlias", json!({ "AliasName": alias, "TargetKeyId": one })).await;
        }
        ask("UpdateAlias", json!({ "AliasName": "alias/a", "TargetKeyId": two })).await;
        ask("TagResource", json!({ "KeyId": one, "Tags": [{ "TagKey": "a", "TagValue": "1" }] })).await;
        ask(
            "PutKeyPolicy",
            json!({ "KeyId": two, "Policy": json!({ "Statement": { "Effect": "Allow",
            "Principal": { "AWS": "111122223333" }, "Action": "kms:*", "Resource": "*" } }).to_string() }),
        )
        .await;
        let mut grants = Vec::new();
        for retiring in ["someone", "nobody", "someone"] {
            let body = json!({ "KeyId": one, "GranteePrincipal": arn("nobody"), "RetiringPrincipal": arn(retiring),
                "Operations": ["Encrypt"] });
            grants.push(ask("CreateGrant", body).await);
        }
        agree(&scene);
        ask("RevokeGrant", json!({ "KeyId": one, "GrantId": grants[0]["GrantId"] })).await;
        ask("DeleteAlias", json!({ "AliasName": "alias/b" })).await;
        ask("ScheduleKeyDeletion", json!({ "KeyId": one, "PendingWindowInDays": 7 })).await;
        ask("ScheduleKeyDeletion", json!({ "KeyId": two, "PendingWindowInDays": 8 })).await;
        ask("CancelKeyDeletion", json!({ "KeyId": two })).await;
        agree(&scene);
        for grant in &grants[1..] {
            ask("RevokeGrant", json!({ "KeyId": one, "GrantId": grant["GrantId"] })).await;
        }
        let view = scene.region.view();
        assert!(view.retirable.is_empty());
        assert!(view.keys.values().all(|key| key.grants.is_none()));
        agree(&scene);
    });
}

#[test]
fn a_manifest_that_changed_leaves_nothing_behind() {
    play(async |scene| {
        let mut manifest = crate::scene::manifest();
        manifest.accounts[0].users[1].path = "/team/".to_owned();
        manifest.accounts[0].users.remove(2);
        manifest.endpoints.remove(0);
        scene.region.declare(&manifest).await.unwrap();
        let view = scene.region.view();
        assert!(view.identity(&arn("nobody")).is_none() && view.identity(&arn("someone")).is_none());
        assert!(view.identity("arn:aws:iam::111122223333:user/team/nobody").is_some());
        assert!(view.endpoint(crate::scene::OPEN).is_none());
        agree(&scene);
        let revision = scene.region.revision();
        scene.region.declare(&manifest).await.unwrap();
        assert_eq!(scene.region.revision(), revision, "what is there already was written again");
    });
}

#[test]
fn identities_are_gathered_alike_from_events_and_rows() {
    use crate::judge::tests::layers::{document, organization, role};
    use crate::registry::{Group, Issuer, JwksSource, ManagedPolicy};
    play(async |scene| {
        let mut manifest = crate::scene::manifest();
        let policy = |name: &str, action: &str| ManagedPolicy {
            name: name.to_owned(),
            path: "/".to_owned(),
            document: document("Allow", action, json!({})),
        };
        let account = &mut manifest.accounts[0];
        account.policies = vec![policy("a", "kms:List*"), policy("limit", "kms:*")];
        account.groups = vec![Group {
            name: "readers".to_owned(),
            path: "/".to_owned(),
            managed_policies: vec!["a".to_owned()],
            ..Group::default()
        }];
        account.users[1].groups = vec!["readers".to_owned()];
        account.users[2].permissions_boundary = Some("limit".to_owned());
        account.roles =
            vec![role("App"), crate::registry::Role { managed_policies: vec!["a".to_owned()], ..role("Web") }];
        account.issuers = vec![Issuer {
            url: "https://idp.example.com".to_owned(),
            client_ids: vec!["c".to_owned()],
            jwks: JwksSource::Given(r#"{"keys":[]}"#.to_owned()),
        }];
        manifest.organizations = vec![organization()];
        scene.region.declare(&manifest).await.unwrap();
        agree(&scene);
        let before = described(&scene.region.view());
        manifest.accounts[0].policies[0] = policy("a", "kms:Describe*");
        scene.region.declare(&manifest).await.unwrap();
        agree(&scene);
        let after = described(&scene.region.view());
        let changed: Vec<_> =
            after.iter().filter(|(name, text)| before[*name] != **text).map(|(name, _)| name).collect();
        assert_eq!(changed, ["identities", "registered", "revision", "roles"]);
        manifest.accounts[0].roles[0].path = "/other/".to_owned();
        manifest.organizations[0].accounts[1].parent = "ou-1".to_owned();
        scene.region.declare(&manifest).await.unwrap();
        agree(&scene);
        let revision = scene.region.revision();
        scene.region.declare(&manifest).await.unwrap();
        assert_eq!(scene.region.revision(), revision, "what is there already was written again");
        scene.region.declare(&crate::scene::manifest()).await.unwrap();
        agree(&scene);
        let view = scene.region.view();
        assert!(view.roles.is_empty() && view.memberships.is_empty() && view.issuers.is_empty());
        assert_eq!(view.unique_ids.len(), view.identities.len());
    });
}

#[test]
fn a_row_without_its_key_is_refused() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        scene.ask("admin", "CreateAlias", json!({ "AliasName": "alias/a", "TargetKeyId": key })).await.unwrap();
        for table in [crate::store::Table::Material, crate::store::Table::Alias] {
            let mut builder = Builder::new(scene.region.place().clone()).unwrap();
            for (key, row) in rows(&scene).into_iter().filter(|(key, _)| key.table == table) {
                builder.load(key, row).unwrap();
            }
            assert!(matches!(builder.loaded(scene.region.revision()), Err(BadRow::Dangling(_))));
        }
    });
}
