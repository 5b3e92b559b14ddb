//! Revokes keys and restores them while the run goes on, and says when: what calls under them are judged by.
//! Knows the three ways of revoking; judges nothing itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde_json::{Value, json};

use crate::Outcome;
use crate::call::{Called, Caller, Request};
use crate::checks::Check;
use crate::checks::revocation::{How, Watch};
use crate::operations::Operation;
use crate::scene::{Key, count};
use crate::worker::Load;

/// A request that was never answered may still be carried out for so long: the service's deadline is far below.
const LATE: Duration = Duration::from_secs(60);
const TRIED_AGAIN_AFTER: Duration = Duration::from_millis(200);

/// What is revoked at a time, and what is needed for it.
#[derive(Debug)]
struct Revocable {
    place: usize,
    /// Of a key that is used by a grant only.
    grant: Option<String>,
    /// Until when an unanswered call that restores the key may still come to effect; `None` in it: for ever.
    doubtful: Option<Option<Instant>>,
}

/// Revokes a watched key each `every`, in turn; the key is revoked for half of that time. Ends with all restored.
pub(crate) async fn run(
    load: Arc<Load>,
    every: Duration,
    mut caller: Caller,
    grants: Vec<(usize, String)>,
) -> Outcome<()> {
    let of = |place: usize| grants.iter().find(|(of, _)| *of == place).map(|(_, grant)| grant.clone());
    let watched = load.scene.keys.iter().enumerate().filter(|(_, key)| key.watch.is_some());
    let mut all: Vec<_> = watched.map(|(place, _)| Revocable { place, grant: of(place), doubtful: None }).collect();
    let mut turn = 0;
    while !all.is_empty() && !load.stop.is_draining() {
        let index = turn % all.len();
        turn += 1;
        let Some(revocable) = all.get_mut(index) else { break };
        let Some(key) = load.scene.keys.get(revocable.place) else { break };
        let Some(watch) = &key.watch else { break };
        let mut revoking = Revoking { load: &load, key, watch, caller: &mut caller };
        let fate_known = revoking.revoke(revocable).await?;
        sleep(&load, every / 2).await;
        revoking.restore(revocable, fate_known).await?;
        sleep(&load, every / 2).await;
    }
    Ok(())
}

/// Until the time is over or the run ends.
async fn sleep(load: &Load, time: Duration) {
    tokio::select! {
        () = tokio::time::sleep(time) => {}
        () = load.stop.drained() => {}
    }
}

struct Revoking<'a> {
    load: &'a Load,
    key: &'a Key,
    watch: &'a Watch,
    caller: &'a mut Caller,
}

impl Revoking<'_> {
    /// Whether its fate is known, so that no attempt of it can come to effect later.
    async fn revoke(&mut self, revocable: &Revocable) -> Outcome<bool> {
        let id = &self.key.id;
        let (operation, body) = match self.watch.how {
            How::Disable => (Operation::DisableKey, json!({ "KeyId": id })),
            How::Policy => (Operation::PutKeyPolicy, policy(id, &denying(&self.key.policy)?)),
            How::Grant => (Operation::RevokeGrant, json!({ "KeyId": id, "GrantId": revocable.grant })),
        };
        let now = Instant::now();
        let judged = match revocable.doubtful {
            None => true,
            Some(until) => until.is_some_and(|until| now > until),
        };
        self.watch.asked(now, judged);
        let called = self.call(operation, &body).await?;
        if !called.is_success() {
            count(&self.load.scene, Check::RevocationFailed);
            let _ = self.load.revocation_failed.set(format!("{}: {}", operation.name(), called.message()));
        } else {
            self.watch.revoked(called.ended);
            count(&self.load.scene, if judged { Check::Revocation } else { Check::RevocationNotJudged });
        }
        Ok(!called.unanswered)
    }

    /// Goes on until the key is usable again or the run is cut.
    async fn restore(&mut self, revocable: &mut Revocable, fate_known: bool) -> Outcome<()> {
        let id = &self.key.id;
        let (operation, body) = match self.watch.how {
            How::Disable => (Operation::EnableKey, json!({ "KeyId": id })),
            How::Policy => (Operation::PutKeyPolicy, policy(id, &self.key.policy)),
            How::Grant => (Operation::CreateGrant, grant(self.key, &grantee(self.key)?)),
        };
        loop {
            self.watch.restoring(Instant::now());
            let called = self.call(operation, &body).await?;
            if called.unanswered {
                // A second grant that nobody knows of would outlive the first one's revocation.
                let for_ever = self.watch.how == How::Grant;
                revocable.doubtful = Some((!for_ever).then(|| called.ended + LATE));
            }
            if called.is_success() {
                if self.watch.how == How::Grant {
                    revocable.grant = grant_id(&called);
                }
                // A revocation that may come to effect yet excuses refusals until the next one.
                if fate_known {
                    self.watch.restored(called.ended);
                }
                return Ok(());
            }
            tokio::select! {
                () = tokio::time::sleep(TRIED_AGAIN_AFTER) => {}
                () = self.load.stop.was_cut() => return Ok(()),
            }
        }
    }

    async fn call(&mut self, operation: Operation, body: &Value) -> Outcome<Called> {
        let signer = &self.load.scene.accounts.get(self.key.account).ok_or("a key without an account")?.kms;
        let body = Bytes::from(body.to_string());
        self.caller.call(Request { signer, operation: Some(operation.name()), body: &body, signed: &[] }).await
    }
}

fn policy(id: &str, document: &str) -> Value {
    json!({ "KeyId": id, "PolicyName": "default", "Policy": document })
}

/// A key policy that allows the same, and denies what a watched key is used for to everyone.
pub(crate) fn denying(document: &str) -> Outcome<String> {
    let mut document: Value = serde_json::from_str(document)?;
    let actions: Vec<_> = Operation::watched().map(|operation| format!("kms:{}", operation.name())).collect();
    let deny = json!({ "Effect": "Deny", "Principal": { "AWS": "*" }, "Action": actions, "Resource": "*" });
    let statements =
        document.get_mut("Statement").and_then(Value::as_array_mut).ok_or("a policy without statements")?;
    statements.push(deny);
    Ok(document.to_string())
}

/// A key policy under which `caller` may do everything but use the key: for that it needs a grant.
pub(crate) fn granting_only(caller: &str) -> String {
    let administer = ["Describe*", "Get*", "List*", "Put*", "Enable*", "Disable*", "TagResource", "CreateGrant"];
    let more = ["RevokeGrant", "ScheduleKeyDeletion", "CancelKeyDeletion", "UpdateKeyDescription"];
    let actions: Vec<_> = administer.iter().chain(&more).map(|action| format!("kms:{action}")).collect();
    let allow = json!({ "Effect": "Allow", "Principal": { "AWS": caller }, "Action": actions, "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": [allow] }).to_string()
}

/// A grant that lets `caller` use the key.
pub(crate) fn grant(key: &Key, caller: &str) -> Value {
    let operations: Vec<_> = Operation::watched().map(Operation::name).collect();
    json!({ "KeyId": key.id, "GranteePrincipal": caller, "Operations": operations, "Name": "kannuki-load" })
}

/// Whom the key's policy names.
fn grantee(key: &Key) -> Outcome<String> {
    let document: Value = serde_json::from_str(&key.policy)?;
    let principal = document.pointer("/Statement/0/Principal/AWS").and_then(Value::as_str);
    Ok(principal.ok_or("a watched key's policy names nobody")?.to_owned())
}

pub(crate) fn grant_id(called: &Called) -> Option<String> {
    let answer: Value = serde_json::from_slice(&called.answer.as_ref()?.body).ok()?;
    answer.get("GrantId")?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use super::*;

    #[test]
    fn a_denying_policy_keeps_what_was_allowed_and_denies_the_use_of_the_key() {
        let before = json!({ "Version": "2012-10-17", "Statement": [{ "Sid": "a", "Effect": "Allow" }] }).to_string();
        let after: Value = serde_json::from_str(&denying(&before).unwrap()).unwrap();
        assert_eq!(after["Statement"][0]["Sid"], "a");
        assert_eq!(after["Statement"][1]["Effect"], "Deny");
        assert_eq!(after["Statement"][1]["Action"][1], "kms:Decrypt");
        assert!(denying("{}").is_err());
    }

    #[test]
    fn a_policy_for_grants_only_names_no_use_of_the_key() {
        let policy = granting_only("arn:aws:iam::111122223333:user/x");
        assert!(Operation::watched().all(|operation| !policy.contains(&format!("kms:{}\"", operation.name()))));
        assert!(policy.contains("kms:RevokeGrant"));
    }
}
