//! Each row of the operation table x {endpoint policy, key policy, identity policy, grant only, another account, wrong
//! state}. A row without its case fails; what a row cannot have stands in a list that only shrinks.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;

use kms_core::operation::{On, Spec, TABLE};
use serde_json::{Value, json};

use crate::harness::{
    ACCOUNT, Answer, CLOSED, Client, DENYING, FORBIDDING, Home, Live, PARTNER, Rows, Scene, allow, arn, deny, document,
};

const CASES: &[&str] = &["endpoint-policy", "key-policy", "identity-policy", "grant", "cross-account", "wrong-state"];
/// Lower it when an exemption goes; never raise it.
const EXEMPT_MAX: usize = 20;
const ABSENT: &str = "00000000-1111-4222-8333-444444444444";

/// What an operation of the table is expected to do, from `authorization.tsv`.
struct Row {
    spec: &'static Spec,
    /// What a refusal names.
    action: String,
    resource: String,
    key_policy: String,
    grant: bool,
    cross_account: bool,
}

impl Row {
    fn of(spec: &'static Spec) -> Self {
        let rows = Rows::read("authorization.tsv");
        let row = rows.find(spec.name).unwrap_or_else(|| panic!("{} has no row in authorization.tsv", spec.name));
        let value = |column: &str| rows.value(row, column).to_owned();
        Self {
            spec,
            action: value("action"),
            resource: value("resource"),
            key_policy: value("key_policy"),
            grant: value("grant") == "yes",
            cross_account: value("cross_account") == "yes",
        }
    }

    fn name(&self) -> &'static str {
        self.spec.name
    }

    /// A key in the state that the operation wants, and a request for it.
    async fn scene(&self, owner: &Client, policy: Option<String>) -> (Scene, Value) {
        let scene = Scene::about(self.name(), owner, policy).await;
        let request = scene.request(self.name()).await;
        if self.name() == "CancelKeyDeletion" {
            scene.put("PendingDeletion").await;
        }
        (scene, request)
    }

    /// The answer must be this refusal, of one of the resources that the request names.
    fn assert_refused(&self, answer: &Answer, caller: &Client, scene: &Scene, request: &Value, reason: &str) {
        assert_eq!(answer.code, "AccessDeniedException", "{}: {}", self.name(), answer.message);
        let who = format!("User: {} is not authorized to perform: {}", caller.arn, self.action);
        let reason = reason.replace("{action}", &self.action);
        let alias = request["AliasName"].as_str().map(|name| scene.alias_arn(name));
        let texts: Vec<String> = match self.resource.as_str() {
            "none" => vec![format!("{who} {reason}")],
            _ => {
                let resources = [scene.arn.clone()].into_iter().chain(alias);
                resources.map(|resource| format!("{who} on resource: {resource} {reason}")).collect()
            }
        };
        assert!(texts.contains(&answer.message), "{}: {}", self.name(), answer.message);
    }
}

/// Runs a case for each operation that has it.
fn each(case: &str, test: impl AsyncFn(&Live, &Row)) {
    let exempt = Rows::read("authorization_exempt.tsv");
    let is_exempt = |spec: &Spec| exempt.rows.iter().any(|row| row[0] == spec.name && row[1] == case);
    Home::new().live(async |live| {
        for spec in TABLE.iter().filter(|spec| !is_exempt(spec)) {
            test(live, &Row::of(spec)).await;
        }
    });
}

/// The policy of a key that only the keeper may use.
fn locked() -> String {
    document([allow(&arn("keeper"), "kms:*")])
}

#[test]
fn exemptions_are_of_operations_without_a_key() {
    let exempt = Rows::read("authorization_exempt.tsv");
    assert!(exempt.rows.len() <= EXEMPT_MAX, "the list of exemptions only shrinks");
    let mut seen = BTreeSet::new();
    for row in &exempt.rows {
        let spec = kms_core::operation::find(&row[0]).unwrap_or_else(|| panic!("{} has no row", row[0]));
        assert!(spec.checks.iter().all(|check| check.on == On::Nothing), "{} works on a key", spec.name);
        assert!(CASES.contains(&row[1].as_str()) && seen.insert((&row[0], &row[1])), "{row:?}");
        assert!(!exempt.value(row, "reason").is_empty());
    }
}

#[test]
fn the_endpoint_policy_is_silent() {
    each("endpoint-policy", async |live, row| {
        let admin = live.administrator();
        let (scene, request) = row.scene(&admin, None).await;
        let answer = admin.through(CLOSED).ask(row.name(), &request).await;
        let reason = "because no VPC endpoint policy allows the {action} action";
        row.assert_refused(&answer, &admin, &scene, &request, reason);
        assert!(answer.by_endpoint, "{} reached a key manager", row.name());
        admin.ok(row.name(), request).await;
    });
}

#[test]
fn the_endpoint_policy_denies() {
    each("endpoint-policy", async |live, row| {
        let admin = live.administrator();
        let (scene, request) = row.scene(&admin, None).await;
        let answer = admin.through(FORBIDDING).ask(row.name(), &request).await;
        row.assert_refused(&answer, &admin, &scene, &request, "with an explicit deny in a VPC endpoint policy");
        assert!(answer.by_endpoint, "{} reached a key manager", row.name());
        // Off any endpoint, no endpoint policy has a say.
        admin.publicly().ok(row.name(), request).await;
    });
}

#[test]
fn the_key_policy_is_silent() {
    each("key-policy", async |live, row| {
        let (admin, keeper) = (live.administrator(), live.user("keeper"));
        let (scene, mut request) = row.scene(&keeper, Some(locked())).await;
        if row.key_policy == "ignored" {
            // The right to retire comes from the grant, whatever the key policy says.
            request["GrantId"] = scene.grant(&admin.arn, &["RetireGrant"]).await["GrantId"].clone();
            admin.ok(row.name(), request).await;
            return;
        }
        let answer = admin.ask(row.name(), &request).await;
        let reason = "because no resource-based policy allows the {action} action";
        row.assert_refused(&answer, &admin, &scene, &json!({}), reason);
        keeper.ok(row.name(), request).await;
    });
}

#[test]
fn the_key_policy_denies() {
    each("key-policy", async |live, row| {
        let (admin, keeper) = (live.administrator(), live.user("keeper"));
        let root = format!("arn:aws:iam::{ACCOUNT}:root");
        let policy = document([allow(&root, "kms:*"), deny(&admin.arn, "kms:*")]);
        let (scene, mut request) = row.scene(&keeper, Some(policy)).await;
        if row.name() == "RetireGrant" {
            // kms:RetireGrant has effect in identity policies only.
            request["GrantId"] = scene.grant(&admin.arn, &["RetireGrant"]).await["GrantId"].clone();
            admin.ok(row.name(), request).await;
            return;
        }
        let answer = admin.ask(row.name(), &request).await;
        let reason = "with an explicit deny in a resource-based policy";
        row.assert_refused(&answer, &admin, &scene, &json!({}), reason);
    });
}

#[test]
fn the_identity_policy_is_silent() {
    each("identity-policy", async |live, row| {
        let (admin, nobody) = (live.administrator(), live.user("nobody"));
        let (scene, request) = row.scene(&admin, None).await;
        let answer = nobody.ask(row.name(), &request).await;
        let reason = "because no identity-based policy allows the {action} action";
        row.assert_refused(&answer, &nobody, &scene, &request, reason);
        assert!(!answer.by_endpoint);
    });
}

#[test]
fn a_grant_alone_allows_what_grants_can() {
    each("grant", async |live, row| {
        let (keeper, nobody) = (live.user("keeper"), live.user("nobody"));
        let scene = Scene::about(row.name(), &keeper, Some(locked())).await;
        let mut request = scene.request(row.name()).await;
        if row.name() == "RetireGrant" {
            request["GrantId"] = scene.grant(&nobody.arn, &["RetireGrant"]).await["GrantId"].clone();
        }
        let before = nobody.ask(row.name(), &request).await;
        if row.name() != "RetireGrant" {
            assert_eq!(before.code, "AccessDeniedException", "{}: {}", row.name(), before.message);
            scene.grant(&nobody.arn, scene.granted()).await;
            if row.name() == "CancelKeyDeletion" {
                scene.put("PendingDeletion").await;
            }
        }
        let answer = if row.name() == "RetireGrant" { before } else { nobody.ask(row.name(), &request).await };
        let expected = if row.grant { "OK" } else { "AccessDeniedException" };
        assert_eq!(answer.code, expected, "{}: {}", row.name(), answer.message);
    });
}

#[test]
fn another_account_when_both_sides_allow() {
    each("cross-account", async |live, row| {
        let (keeper, partner) = (live.user("keeper"), live.user("partner"));
        let (scene, mut request) = row.scene(&keeper, Some(open_to_partner())).await;
        if matches!(row.name(), "UpdateAlias" | "DeleteAlias") {
            request["AliasName"] = json!(scene.alias_arn(request["AliasName"].as_str().unwrap()));
        }
        if request.get("TargetKeyId").is_some() {
            request["TargetKeyId"] = json!(scene.arn);
        }
        let answer = partner.ask(row.name(), &request).await;
        if row.cross_account {
            assert_eq!(answer.code, "OK", "{}: {}", row.name(), answer.message);
            return;
        }
        // An alias ARN is no valid alias name for these, which is said before anything is looked up.
        let is_alias = request.get("AliasName").is_some();
        let may = is_alias && matches!(answer.code, "ValidationException" | "NotFoundException");
        assert!(answer.code == "AccessDeniedException" || may, "{}: {}", row.name(), answer.message);
    });
}

#[test]
fn another_account_needs_both_sides() {
    each("cross-account", async |live, row| {
        if row.resource != "key" {
            return;
        }
        let (keeper, partner, stranger) = (live.user("keeper"), live.user("partner"), live.user("stranger"));
        let (_scene, request) = row.scene(&keeper, Some(open_to_partner())).await;
        let answer = stranger.ask(row.name(), &request).await;
        assert_eq!(answer.code, "AccessDeniedException", "{}", row.name());
        let (scene, request) = row.scene(&keeper, Some(locked())).await;
        let present = partner.ask(row.name(), &request).await;
        // A key that is not there is answered in the same words.
        let absent = request.to_string().replace(&scene.id, ABSENT);
        let absent = partner.ask(row.name(), &serde_json::from_str(&absent).unwrap()).await;
        assert_eq!(present.code, "AccessDeniedException", "{}", row.name());
        assert_eq!(present.message.replace(&scene.id, ABSENT), absent.message, "{}", row.name());
    });
}

#[test]
fn a_wrong_state_is_told_to_those_who_may_know() {
    let states = Rows::read("key_states.tsv");
    each("wrong-state", async |live, row| {
        let (admin, nobody) = (live.administrator(), live.user("nobody"));
        let scene = Scene::about(row.name(), &admin, None).await;
        let request = scene.request(row.name()).await;
        // The state that the operation can stand least; where it stands all, the last of a key's life.
        let state = if row.name() == "CancelKeyDeletion" { "Enabled" } else { "PendingDeletion" };
        scene.put(state).await;
        let answer = nobody.ask(row.name(), &request).await;
        assert_eq!(answer.code, "AccessDeniedException", "{}: {}", row.name(), answer.message);
        let is_of = |line: &&Vec<String>| line[0].split(':').next() == Some(row.name());
        let stands = states.rows.iter().filter(is_of).all(|line| states.value(line, state) == "ok");
        let expected = if stands { "OK" } else { "KMSInvalidStateException" };
        let answer = admin.ask(row.name(), &request).await;
        assert_eq!(answer.code, expected, "{}: {}", row.name(), answer.message);
    });
}

#[test]
fn a_key_made_with_tags_takes_the_permission_to_tag() {
    Home::new().live(async |live| {
        let untagging = live.user("untagging");
        untagging.ok("CreateKey", json!({})).await;
        let before = live.region.view().key_count();
        let tags = json!([{"TagKey": "a", "TagValue": "b"}]);
        let answer = untagging.ask("CreateKey", &json!({"Tags": tags})).await;
        let text = "kms:TagResource with an explicit deny in an identity-based policy";
        assert!(answer.message.ends_with(text), "{}", answer.message);
        assert_eq!(live.region.view().key_count(), before);
    });
}

#[test]
fn one_denied_operation_leaves_the_others() {
    Home::new().live(async |live| {
        let denying = live.administrator().through(DENYING);
        assert_eq!(denying.ask("ListKeys", &json!({})).await.code, "AccessDeniedException");
        denying.ok("ListAliases", json!({})).await;
    });
}

#[test]
fn an_endpoint_that_is_not_there_lets_nothing_through() {
    Home::new().live(async |live| {
        let lost = live.administrator().through("vpce-0fffffffffffffff9");
        for operation in ["ListKeys", "GenerateRandom"] {
            let answer = lost.ask(operation, &json!({"NumberOfBytes": 1})).await;
            assert_eq!(answer.code, "AccessDeniedException");
            assert!(answer.by_endpoint);
        }
    });
}

#[test]
fn a_ciphertext_gives_nothing_away() {
    Home::new().live(async |live| {
        let scene = Scene::with_policy(&live.user("keeper"), Some(locked())).await;
        let mut request = scene.request("Decrypt").await;
        request.as_object_mut().unwrap().remove("KeyId");
        for user in ["administrator", "partner"] {
            let answer = live.user(user).ask("Decrypt", &request).await;
            assert_eq!(answer.code, "AccessDeniedException");
            assert!(answer.message.starts_with("The ciphertext refers to a customer master key that does not exist"));
        }
        live.user("keeper").ok("Decrypt", request).await;
    });
}

fn open_to_partner() -> String {
    document([allow(&arn("keeper"), "kms:*"), allow(&format!("arn:aws:iam::{PARTNER}:root"), "kms:*")])
}
