//! Makes keys, and what a key that is revoked and restored needs. Several callers make them side by side.
//! Knows which calls it takes; writes each key down in the ledger the moment that it is there.

use bytes::Bytes;
use futures_util::future::try_join_all;
use serde_json::{Value, json};

use super::{lacks, once};
use crate::Outcome;
use crate::call::{Called, Caller, Request};
use crate::checks::revocation::{How, Watch};
use crate::conclude::Ask;
use crate::operations::MAC_SPEC;
use crate::operations::Operation;
use crate::revoker;
use crate::scene::pool::Pool;
use crate::scene::{Key, Kind, Scene, TAG};

pub(super) struct Maker<'a> {
    pub(super) scene: &'a Scene,
}

impl Maker<'_> {
    /// Keys of a kind, in turn for each account. The second value says why the service has no such keys.
    pub(super) async fn keys(
        &self,
        kind: Kind,
        number: usize,
        callers: &mut [Caller],
    ) -> Outcome<(Vec<Key>, Option<String>)> {
        let accounts = self.scene.accounts.len();
        let caller = callers.first_mut().ok_or("there is no caller")?;
        let mut keys = match self.key(kind, 0, None, caller).await? {
            Ok(first) => vec![first],
            Err(why) => return Ok((Vec::new(), Some(why))),
        };
        let all = callers.len();
        let shares = callers.iter_mut().enumerate().map(|(share, caller)| async move {
            let mut made = Vec::new();
            for index in (1..number).filter(|index| index % all == share) {
                let key = self.key(kind, index % accounts, None, caller).await?;
                made.push((index, key.map_err(|why| format!("CreateKey: {why}"))?));
            }
            Outcome::Ok(made)
        });
        let mut rest: Vec<_> = try_join_all(shares).await?.into_iter().flatten().collect();
        rest.sort_by_key(|(index, _)| *index);
        keys.extend(rest.into_iter().map(|(_, key)| key));
        if kind == Kind::Symmetric {
            self.learn_policies(&mut keys, caller_of(callers)?).await?;
        }
        Ok((keys, None))
    }

    /// A key that will be revoked and restored, of the first account; with its grant if it is used by one only.
    /// `None` if the service has no way to say who the caller is.
    pub(super) async fn watched(&self, how: How, caller: &mut Caller) -> Outcome<Option<(Key, Option<String>)>> {
        let policy = match how {
            How::Grant => match self.caller_arn(caller).await? {
                Some(arn) => Some((revoker::granting_only(&arn), arn)),
                None => return Ok(None),
            },
            How::Disable | How::Policy => None,
        };
        let document = policy.as_ref().map(|(document, _)| document.clone());
        let mut key = self.key(Kind::Symmetric, 0, document, caller).await??;
        if key.policy.is_empty() {
            key.policy = self.scene.keys.first().map(|first| first.policy.clone()).unwrap_or_default();
        }
        if how == How::Policy && key.policy.is_empty() {
            return Ok(None);
        }
        key.watch = Some(Watch::new(how));
        let Some((_, arn)) = policy else { return Ok(Some((key, None))) };
        let called = self.call(0, Operation::CreateGrant, &revoker::grant(&key, &arn), caller).await?;
        match revoker::grant_id(&called) {
            Some(grant) => Ok(Some((key, Some(grant)))),
            None if lacks(&called) => Ok(None),
            None => Err(format!("CreateGrant: {}", called.message()).into()),
        }
    }

    /// `Err` inside says why the service has no such keys.
    async fn key(
        &self,
        kind: Kind,
        account: usize,
        policy: Option<String>,
        caller: &mut Caller,
    ) -> Outcome<Result<Key, String>> {
        let (spec, usage) = match kind {
            Kind::Symmetric | Kind::Scratch => ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
            Kind::Signing => (self.scene.signing.spec(), "SIGN_VERIFY"),
            Kind::Mac => (MAC_SPEC, "GENERATE_VERIFY_MAC"),
        };
        let mut body = json!({
            "Description": "made by kannuki-load",
            "KeySpec": spec,
            "KeyUsage": usage,
            "Tags": [{ "TagKey": TAG, "TagValue": self.scene.run }],
        });
        if let (Some(policy), Some(members)) = (&policy, body.as_object_mut()) {
            members.insert("Policy".to_owned(), policy.clone().into());
        }
        let called = self.call(account, Operation::CreateKey, &body, caller).await?;
        if called.unanswered {
            self.scene.ledger.fate_unknown();
        }
        let Some(answer) = called.answer.as_ref().filter(|_| called.is_success()) else {
            // Another kind of key than the plain one may be what the service does not have.
            let plain = matches!(kind, Kind::Symmetric | Kind::Scratch);
            let refused = called.answer.as_ref().is_some_and(|answer| answer.status < 500);
            if lacks(&called) || (!plain && refused) {
                return Ok(Err(format!("CreateKey of {spec}: {}", called.message())));
            }
            return Err(format!("CreateKey of {spec}: {}", called.message()).into());
        };
        let metadata: Value = serde_json::from_slice(&answer.body)?;
        let text = |name: &str| metadata.pointer(&format!("/KeyMetadata/{name}")).and_then(Value::as_str);
        let id = text("KeyId").ok_or("CreateKey answered no key id")?.to_owned();
        self.scene.ledger.key_made(account, &id);
        let arn = text("Arn").unwrap_or(&id).to_owned();
        let public = if kind == Kind::Signing { self.public(account, &id, caller).await? } else { None };
        let policy = policy.unwrap_or_default();
        Ok(Ok(Key { id, arn, account, kind, pool: Pool::default(), public, policy, watch: None }))
    }

    /// The public key; without it, signatures are verified by the service only.
    async fn public(&self, account: usize, id: &str, caller: &mut Caller) -> Outcome<Option<Vec<u8>>> {
        use base64::Engine as _;
        let called = self.call(account, Operation::GetPublicKey, &json!({ "KeyId": id }), caller).await?;
        let Some(answer) = called.answer.filter(|answer| answer.is_success()) else { return Ok(None) };
        let answer: Value = serde_json::from_slice(&answer.body)?;
        let public = answer.get("PublicKey").and_then(Value::as_str).unwrap_or_default();
        Ok(base64::engine::general_purpose::STANDARD.decode(public).ok().filter(|der| !der.is_empty()))
    }

    /// The keys of one account were made alike, and have the same policy.
    async fn learn_policies(&self, keys: &mut [Key], caller: &mut Caller) -> Outcome<()> {
        for account in 0..self.scene.accounts.len() {
            let Some(key) = keys.iter().find(|key| key.account == account) else { continue };
            let body = json!({ "KeyId": key.id, "PolicyName": "default" });
            let called = self.call(account, Operation::GetKeyPolicy, &body, caller).await?;
            let Some(answer) = called.answer.filter(|answer| answer.is_success()) else { continue };
            let answer: Value = serde_json::from_slice(&answer.body)?;
            let policy = answer.get("Policy").and_then(Value::as_str).unwrap_or_default();
            keys.iter_mut().filter(|key| key.account == account).for_each(|key| key.policy = policy.to_owned());
        }
        Ok(())
    }

    /// Who the first account is, as STS says.
    async fn caller_arn(&self, caller: &mut Caller) -> Outcome<Option<String>> {
        let Some(sts) = self.scene.accounts.first().map(|account| &account.sts) else { return Ok(None) };
        let body = Bytes::from_static(b"Action=GetCallerIdentity&Version=2011-06-15");
        let called = caller.call(Request { signer: sts, operation: None, body: &body, signed: &[] }).await?;
        let Some(answer) = called.answer.filter(|answer| answer.is_success()) else { return Ok(None) };
        let text = String::from_utf8_lossy(&answer.body);
        let arn = text.split_once("<Arn>").and_then(|(_, rest)| rest.split_once("</Arn>"));
        Ok(arn.map(|(arn, _)| arn.to_owned()))
    }

    async fn call(&self, account: usize, operation: Operation, body: &Value, caller: &mut Caller) -> Outcome<Called> {
        let signer = &self.scene.accounts.get(account).ok_or("no such account")?.kms;
        let body = Bytes::from(body.to_string());
        caller.call(Request { signer, operation: Some(operation.name()), body: &body, signed: &[] }).await
    }
}

fn caller_of(callers: &mut [Caller]) -> Outcome<&mut Caller> {
    Ok(callers.first_mut().ok_or("there is no caller")?)
}

/// Makes these calls, by all callers side by side. `Some` says why the service is taken to lack them.
pub(super) async fn all(scene: &Scene, asks: Vec<Ask>, callers: &mut [Caller]) -> Outcome<Option<String>> {
    let mut shares: Vec<Vec<Ask>> = callers.iter().map(|_| Vec::new()).collect();
    for (share, ask) in (0..shares.len()).cycle().zip(asks) {
        shares.get_mut(share).ok_or("there is no caller")?.push(ask);
    }
    let each = shares.into_iter().zip(callers).map(|(share, caller)| async move {
        for ask in share {
            if let Some(why) = once(scene, ask, caller).await? {
                return Ok(Some(why));
            }
        }
        Outcome::Ok(None)
    });
    Ok(try_join_all(each).await?.into_iter().flatten().next())
}
