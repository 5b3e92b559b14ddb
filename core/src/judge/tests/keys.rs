//! What the condition keys of sessions and organizations say, and which rows a judgement was made on.

use std::sync::Arc;

use serde_json::{Value, json};

use super::layers::{organization, role, session};
use crate::authz::{FactKey, Facts as _};
use crate::facts::RequestFacts;
use crate::judge::relied_on;
use crate::model::Request as _;
use crate::operation::{DescribeKey, Operation};
use crate::registry::{Group, ManagedPolicy};
use crate::request::{Caller, resolve_targets};
use crate::scene::{ELSEWHERE, HERE, OPEN, Scene, manifest, play};
use crate::standing::Standing;

type Describe = <DescribeKey as Operation>::Input;

/// What each key says in a DescribeKey; null where it is absent.
fn said(scene: &Scene, caller: Caller, through: Option<&str>, key_arn: &str, keys: &[&str]) -> Vec<Value> {
    let asked = scene.asked(caller, through);
    let input = Describe::parse(json!({ "KeyId": key_arn }).to_string().as_bytes()).unwrap();
    let view = scene.region.view();
    let targets = resolve_targets(DescribeKey::SPEC, &view, &asked, &input).unwrap();
    let facts = RequestFacts {
        asked: &asked,
        view: &view,
        standing: Standing::of(&view, &asked.caller),
        target: targets.at(0).unwrap(),
        action: "kms:DescribeKey",
        input: &input,
        same_key: None,
    };
    keys.iter().map(|key| serde_json::to_value(facts.value(&FactKey::new(key))).unwrap()).collect()
}

#[test]
fn sessions_and_organizations_have_their_keys() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let of_organizations = [
            "aws:PrincipalOrgID",
            "aws:PrincipalOrgPaths",
            "aws:ResourceOrgID",
            "aws:ResourceOrgPaths",
            "aws:VpceOrgID",
            "aws:VpceOrgPaths",
        ];
        let absent = vec![Value::Null; 6];
        assert_eq!(said(&scene, scene.caller("admin"), Some(OPEN), &key, &of_organizations), absent);
        let mut manifest = manifest();
        manifest.organizations = vec![organization()];
        manifest.accounts[0].roles = vec![role("App")];
        manifest.accounts[0].users[0].tags.insert("team".to_owned(), "user's".to_owned());
        scene.region.declare(&manifest).await.unwrap();
        let (here, there) = (json!(["o-1/r-1/"]), json!(["o-1/r-1/ou-1/ou-2/"]));
        let says = said(&scene, scene.caller("stranger"), Some(OPEN), &key, &of_organizations);
        assert_eq!(says, [json!("o-1"), there, json!("o-1"), here.clone(), json!("o-1"), here.clone()]);
        let says = said(&scene, scene.caller("admin"), None, &key, &of_organizations);
        assert_eq!(says, [json!("o-1"), here.clone(), json!("o-1"), here, Value::Null, Value::Null]);

        let of_sessions = [
            "aws:PrincipalArn",
            "aws:userid",
            "aws:PrincipalType",
            "aws:username",
            "aws:PrincipalTag/TEAM",
            "aws:PrincipalTag/env",
            "aws:TokenIssueTime",
            "aws:SourceIdentity",
            "aws:FederatedProvider",
            "aws:MultiFactorAuthPresent",
        ];
        let app = session(&scene, "App", None);
        let id = scene.region.view().roles().next().unwrap().id.clone();
        assert!(id.starts_with("AROA") && id.len() == 21, "{id}");
        let expected = [
            json!(format!("arn:aws:iam::{HERE}:role/team/App")),
            json!(format!("{id}:s1")),
            json!("AssumedRole"),
            Value::Null,
            json!("session's"),
            json!("prod"),
            json!("2026-09-21T13:56:40Z"),
            json!("ana"),
            Value::Null,
            Value::Null,
        ];
        assert_eq!(said(&scene, app, None, &key, &of_sessions), expected);
        let user = said(&scene, scene.caller("admin"), None, &key, &of_sessions);
        assert_eq!((&user[3], &user[4]), (&json!("admin"), &json!("user's")));
        assert_eq!(user[5..], vec![Value::Null; 5]);
    });
}

#[test]
fn a_judgement_relies_on_all_rows_that_were_gathered() {
    play(async |scene| {
        let mut manifest = manifest();
        let account = &mut manifest.accounts[0];
        let policy = |name: &str| ManagedPolicy {
            name: name.to_owned(),
            path: "/".to_owned(),
            document: super::layers::document("Allow", "kms:*", json!({})),
        };
        account.policies = vec![policy("a"), policy("b"), policy("limit")];
        let group = |name: &str, policy: &str| Group {
            name: name.to_owned(),
            path: "/".to_owned(),
            managed_policies: vec![policy.to_owned()],
            ..Group::default()
        };
        account.groups = vec![group("one", "a"), group("two", "b")];
        account.users[0].groups = vec!["one".to_owned()];
        account.users[0].permissions_boundary = Some("limit".to_owned());
        manifest.organizations = vec![organization()];
        scene.region.declare(&manifest).await.unwrap();
        let key = scene.key(json!({})).await;
        let asked = scene.asked(scene.caller("admin"), Some(OPEN));
        let input = Describe::parse(json!({ "KeyId": key }).to_string().as_bytes()).unwrap();
        let view = scene.region.view();
        let targets = resolve_targets(DescribeKey::SPEC, &view, &asked, &input).unwrap();
        let rows = relied_on(&view, &asked, &targets, None);
        let mut rows: Vec<String> = rows.into_iter().map(|compare| compare.key.key).collect();
        rows.sort();
        rows.dedup();
        let id = key.rsplit('/').next().unwrap();
        let mut expected = [
            id.to_owned(),
            format!("access-key/AKIA{HERE}admin"),
            format!("endpoint/{OPEN}"),
            format!("group/{HERE}/one"),
            "organization/o-1".to_owned(),
            format!("policy/{HERE}/a"),
            format!("policy/{HERE}/limit"),
            format!("user/{HERE}/admin"),
            "vpc/vpc-1".to_owned(),
        ];
        // Where the key's id stands among them is chance.
        expected.sort();
        assert_eq!(rows, expected);
        // A change of any of them changes what the caller relies on; of the others, nothing.
        let attached =
            |view: &crate::view::RegionView| view.identity(&crate::scene::arn("admin")).unwrap().attached.rows.clone();
        let before = attached(&view);
        manifest.accounts[0].policies[1].path = "/b/".to_owned();
        scene.region.declare(&manifest).await.unwrap();
        assert_eq!(attached(&scene.region.view()), before);
        manifest.accounts[0].policies[0].path = "/a/".to_owned();
        scene.region.declare(&manifest).await.unwrap();
        let after = Arc::clone(&scene.region.view());
        let changed: Vec<_> = attached(&after).into_iter().zip(before).filter(|(one, other)| one != other).collect();
        assert!(matches!(changed.as_slice(), [((row, _), _)] if row.key == format!("policy/{HERE}/a")), "{changed:?}");
        assert!(view.membership(crate::id::AccountId::parse(ELSEWHERE).unwrap()).is_some());
    });
}
