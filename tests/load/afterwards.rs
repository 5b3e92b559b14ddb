//! What is done when a run is over: what was never decrypted is decrypted, and what was made is taken away.
//! Knows the ledger and the pools; measures nothing.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use serde_json::{Value, json};

use crate::Outcome;
use crate::call::{Called, Caller, Request};
use crate::checks::Check;
use crate::checks::answer::Expect;
use crate::conclude::{Ask, Conclusion, Judge};
use crate::operations::Operation;
use crate::record::Violation;
use crate::scene::pool::Sample;
use crate::scene::{Account, Kind, Ledger, Owned, Scene, TAG};

const DECRYPTED_MAX: usize = 2000;
/// In days; the shortest that KMS has.
const DELETION_WINDOW: u32 = 7;
/// For everything to be taken away.
const CLEANING_MAX: Duration = Duration::from_secs(300);
/// A caller that fails so often in a row does not go on: the service is not there.
const FAILURES_MAX: u32 = 3;

/// Decrypts a bounded number of ciphertexts that no call of the run was seen to decrypt.
pub(crate) async fn decrypt_the_rest(judge: Judge<'_>, callers: &mut [Caller]) -> Outcome<Option<Violation>> {
    let asks: Vec<_> = undecrypted(judge.scene).into_iter().take(DECRYPTED_MAX).collect();
    let mut shares: Vec<Vec<Ask>> = callers.iter().map(|_| Vec::new()).collect();
    for (share, ask) in (0..shares.len()).cycle().zip(asks) {
        shares.get_mut(share).ok_or("there is no caller")?.push(ask);
    }
    let each = shares.into_iter().zip(callers).map(|(share, caller)| decrypt(judge, share, caller));
    Ok(try_join_all(each).await?.into_iter().flatten().next())
}

async fn decrypt(judge: Judge<'_>, asks: Vec<Ask>, caller: &mut Caller) -> Outcome<Option<Violation>> {
    let mut failures = 0;
    let all = asks.len();
    for (done, ask) in asks.into_iter().enumerate() {
        if failures == FAILURES_MAX {
            let left = u64::try_from(all - done).unwrap_or(u64::MAX);
            judge.scene.counts.add(Check::NotDecryptedAtEnd, left);
            break;
        }
        let called = call(&judge.scene.accounts, ask.account, ask.operation, &ask.body, caller).await?;
        let check = match judge.conclude(&ask, &called, true) {
            Conclusion::Broken(violation) => return Ok(Some(*violation)),
            Conclusion::Succeeded { .. } => Check::DecryptedAtEnd,
            Conclusion::Failed | Conclusion::Refused => Check::NotDecryptedAtEnd,
        };
        failures = if check == Check::NotDecryptedAtEnd { failures + 1 } else { 0 };
        judge.scene.counts.add(check, 1);
    }
    Ok(None)
}

fn undecrypted(scene: &Scene) -> Vec<Ask> {
    let usable = scene.keys.iter().enumerate().filter(|(_, key)| {
        key.kind == Kind::Symmetric && key.watch.as_ref().is_none_or(crate::checks::revocation::Watch::is_restored)
    });
    let of = |sample: Arc<Sample>, account, key| Ask {
        operation: Operation::Decrypt,
        account,
        key: Some(key),
        body: format!(r#"{{"CiphertextBlob":"{}","EncryptionContext":{}}}"#, sample.made, sample.context).into(),
        expect: Expect::Plaintext(sample),
    };
    let each = usable
        .flat_map(|(place, key)| key.pool.unchecked().into_iter().map(move |sample| of(sample, key.account, place)));
    each.collect()
}

/// Deletes the aliases that are left and schedules all keys of the run for deletion. `Err` says what is left.
pub(crate) async fn clean_up(
    accounts: &[Account],
    ledger: &Ledger,
    run: &str,
    callers: &mut [Caller],
) -> Result<usize, String> {
    let (mut keys, aliases) = ledger.take();
    let mut left = Vec::new();
    if ledger.unknown() > 0
        && let Some(caller) = callers.first_mut()
    {
        match strays(accounts, &keys, run, caller).await {
            Ok(strays) => keys.extend(strays),
            Err(why) => left.push(format!("keys that a CreateKey without an answer may have made ({why})")),
        }
    }
    let alias = |(account, name): Owned| {
        (account, Operation::DeleteAlias.name(), json!({ "AliasName": name }).to_string(), name)
    };
    let key = |(account, id): Owned| {
        let body = json!({ "KeyId": id, "PendingWindowInDays": DELETION_WINDOW });
        (account, "ScheduleKeyDeletion", body.to_string(), id)
    };
    let number = keys.len();
    let all: Vec<_> = aliases.into_iter().map(alias).chain(keys.into_iter().map(key)).collect();
    let mut shares: Vec<Vec<_>> = callers.iter().map(|_| Vec::new()).collect();
    for (share, each) in (0..shares.len()).cycle().zip(all) {
        if let Some(share) = shares.get_mut(share) {
            share.push(each);
        }
    }
    let each = shares.into_iter().zip(callers).map(|(share, caller)| remove(accounts, share, caller));
    let Ok(others) = tokio::time::timeout(CLEANING_MAX, join_all(each)).await else {
        return Err(format!("not all keys could be scheduled for deletion within {} s", CLEANING_MAX.as_secs()));
    };
    left.extend(others.into_iter().flatten());
    match left.first() {
        Some(first) => Err(format!("{} keys or aliases could not be removed; the first: {first}", left.len())),
        None => Ok(number),
    }
}

/// Keys of this run that are not known: calls made them that were never answered. They are found by their tag.
async fn strays(accounts: &[Account], known: &[Owned], run: &str, caller: &mut Caller) -> Outcome<Vec<Owned>> {
    let known: BTreeSet<&str> = known.iter().map(|(_, id)| id.as_str()).collect();
    let mut strays = Vec::new();
    for account in 0..accounts.len() {
        let mut marker: Option<String> = None;
        loop {
            let mut body = json!({ "Limit": 1000 });
            if let (Some(marker), Some(members)) = (marker, body.as_object_mut()) {
                members.insert("Marker".to_owned(), Value::String(marker));
            }
            let page = answered(accounts, account, Operation::ListKeys, &body, caller).await?;
            let ids = page.get("Keys").and_then(Value::as_array).into_iter().flatten();
            for id in ids.filter_map(|key| key.get("KeyId")?.as_str()).filter(|id| !known.contains(id)) {
                let body = json!({ "KeyId": id });
                let tags = answered(accounts, account, Operation::ListResourceTags, &body, caller).await?;
                let mut tags = tags.get("Tags").and_then(Value::as_array).into_iter().flatten();
                if tags.any(|tag| *tag == json!({ "TagKey": TAG, "TagValue": run })) {
                    strays.push((account, id.to_owned()));
                }
            }
            marker = page.get("NextMarker").and_then(Value::as_str).map(str::to_owned);
            if marker.is_none() {
                break;
            }
        }
    }
    Ok(strays)
}

async fn answered(
    accounts: &[Account],
    account: usize,
    operation: Operation,
    body: &Value,
    caller: &mut Caller,
) -> Outcome<Value> {
    let called = call(accounts, account, operation, &body.to_string().into(), caller).await?;
    match called.answer.as_ref().filter(|_| called.is_success()) {
        Some(answer) => Ok(serde_json::from_slice(&answer.body)?),
        None => Err(format!("{}: {}", operation.name(), called.message()).into()),
    }
}

type Removal = (usize, &'static str, String, String);

/// What could not be removed, and why.
async fn remove(accounts: &[Account], share: Vec<Removal>, caller: &mut Caller) -> Vec<String> {
    let mut left = Vec::new();
    let mut failures = 0;
    for (account, operation, body, name) in share {
        if failures == FAILURES_MAX {
            left.push(name);
            continue;
        }
        let Some(signer) = accounts.get(account).map(|account| &account.kms) else { continue };
        let body = Bytes::from(body);
        let request = Request { signer, operation: Some(operation), body: &body, signed: &[] };
        let said = match caller.call(request).await {
            Ok(called) if called.is_success() || is_gone(&called) => None,
            Ok(called) => Some(called.message()),
            Err(why) => Some(why.to_string()),
        };
        failures = if said.is_some() { failures + 1 } else { 0 };
        left.extend(said.map(|said| format!("{name} ({said})")));
    }
    left
}

/// An alias that is not there, or a key that is scheduled for deletion already, by an attempt that was not answered.
fn is_gone(called: &Called) -> bool {
    matches!(called.error.as_deref(), Some("NotFoundException" | "KMSInvalidStateException"))
}

async fn call(
    accounts: &[Account],
    account: usize,
    operation: Operation,
    body: &Bytes,
    caller: &mut Caller,
) -> Outcome<Called> {
    let signer = &accounts.get(account).ok_or("a key without an account")?.kms;
    caller.call(Request { signer, operation: Some(operation.name()), body, signed: &[] }).await
}
