//! Break-glass for a key whose policy locks everyone out: another policy, put on it past the API.
//! Knows what such a policy must be; who may ask, the gateway has made sure of, and records.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Instant;

use super::Region;
use super::declared::sha256;
use crate::authz::Principal;
use crate::clock::Timestamp;
use crate::error::KmsError;
use crate::id::{AccountId, KeyRef};
use crate::judge;
use crate::key::record::{KeyRecord, Stored as _};
use crate::operations::policy;
use crate::principals;
use crate::request::{Asked, Caller, Meta, SessionFacts, Source};
use crate::store::{Batch, Table};
use crate::view::{KeyEntry, RegionView};

const TRIES_MAX: usize = 8;
const CHANGE: &str = "kms:PutKeyPolicy";
const SESSION: &str = "recovery";

/// What was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovered {
    pub account: AccountId,
    pub arn: String,
    /// SHA-256 of the policy before and after, as GetKeyPolicy shows it.
    pub before: [u8; 32],
    pub after: [u8; 32],
}

impl Region {
    /// Puts this policy on the key, or the default key policy. Answers once no request goes by the old one.
    ///
    /// # Errors
    /// For what is no ARN of a key here, and for a policy that PutKeyPolicy would refuse from everybody: one that is
    /// malformed, names principals that do not exist, or lets nobody of the key's account change it again.
    pub async fn recover_policy(&self, arn: &str, policy: Option<&str>) -> Result<Recovered, KmsError> {
        let reference = KeyRef::parse(arn, &self.place)?;
        let KeyRef::Arn { account, key } = reference else { return Err(KmsError::InvalidArn(arn.to_owned())) };
        for _ in 0..TRIES_MAX {
            let view = self.coherent_view()?;
            let known = view.key(key).filter(|entry| entry.record.account == account);
            let entry = known.ok_or_else(|| KmsError::KeyNotFound { arn: arn.to_owned() })?;
            let checked = policy.map(|text| self.recovery(&view, entry, text)).transpose()?;
            let record = KeyRecord { policy: checked, ..entry.stored() };
            let batch = Batch::default().change(Table::Key, key, entry.version, record.encode());
            match self.store.commit(batch).await.map_err(KmsError::from) {
                Ok(_) => {}
                Err(KmsError::Conflict) => continue,
                Err(error) => return Err(error),
            }
            let digest = |view: &RegionView| {
                view.key(key).map(|entry| sha256(principals::shown(&entry.policy.text, view).as_bytes()))
            };
            let gone = || KmsError::KeyNotFound { arn: arn.to_owned() };
            return Ok(Recovered {
                account,
                arn: entry.arn.to_string(),
                before: digest(&view).ok_or_else(gone)?,
                after: digest(&self.view()).ok_or_else(gone)?,
            });
        }
        Err(KmsError::Overloaded)
    }

    /// The policy as it is to be stored. As PutKeyPolicy asks of its caller that they can change the policy again, this
    /// asks it of anybody.
    fn recovery(&self, view: &RegionView, entry: &KeyEntry, text: &str) -> Result<String, KmsError> {
        let policy = Arc::new(policy::known(view, text)?);
        let account = entry.record.account;
        let root = self.caller(Principal::Root { account: account.to_string() }, account, None);
        // A user who has no access key cannot call.
        let keys = view.credentials().filter(|key| key.account == account);
        let users = keys.filter_map(|key| {
            let user = view.identity(&key.identity)?;
            let caller = self.caller((*user.principal).clone(), account, None);
            Some(Caller { access_key: key.id.clone(), ..caller })
        });
        let roles = view.roles().filter(|role| role.account == account);
        let roles = roles.map(|role| self.caller(role.principal(SESSION), account, Some(session(&role.arn))));
        let can_change = |caller: Caller| {
            let key = KeyEntry { policy: policy.clone(), ..entry.clone() };
            judge::would_allow(view, &self.asked_by(caller), key, CHANGE)
        };
        if std::iter::once(root).chain(users).chain(roles).any(can_change) {
            Ok(policy.text.to_string())
        } else {
            Err(policy::locked_out())
        }
    }

    fn caller(&self, principal: Principal, account: AccountId, session: Option<SessionFacts>) -> Caller {
        let arn = self.place.own_arns(&principal.arn()).into();
        let (principal, session) = (Arc::new(principal), session.map(Arc::new));
        Caller { principal, arn, account, access_key: "".into(), session }
    }

    /// A question from nowhere in particular.
    fn asked_by(&self, caller: Caller) -> Asked {
        let meta = Meta {
            request_id: "".into(),
            user_agent: None,
            referer: None,
            tls: None,
            host: None,
            received_at: self.clock.now(),
            deadline: Instant::now(),
        };
        Asked { caller, source: Source::Public { address: IpAddr::V4(Ipv4Addr::LOCALHOST) }, meta }
    }
}

/// A session of a role, with nothing beside the role.
fn session(role: &Arc<str>) -> SessionFacts {
    SessionFacts {
        role: role.clone(),
        name: SESSION.into(),
        policy: None,
        tags: BTreeMap::new(),
        transitive_tag_keys: BTreeSet::new(),
        issued_at: Timestamp(0),
        expires_at: Timestamp(u64::MAX),
        source_identity: None,
        federated_provider: None,
    }
}

#[cfg(test)]
mod tests;
