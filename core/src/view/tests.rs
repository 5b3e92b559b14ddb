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
