//! Sessions of roles: what a session token holds, who may have one, and who calls with it.
//! Knows roles and policies; neither how a token is spelled and signed nor the secret that belongs to it.

mod assume;
mod error;
mod facts;
mod web_identity;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

pub use self::assume::{AssumeRole, Granted, assume_role, assume_role_with_web_identity};
pub use self::error::SessionError;
pub use self::web_identity::{Claims, Issued, WebIdentity, issuer_of};
use crate::authz::{Document, Kind, Principal, PrincipalName};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::request::{Caller, SessionFacts};
use crate::view::RegionView;

/// The longest packed claims, in bytes: what a token can hold and still travel in a header.
pub const PACKED_BYTES_MAX: usize = 4096;

/// What a session is, as its token holds it: the role, and what limits and describes the session beside the role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClaims {
    /// The role's ARN, with its path.
    pub role: String,
    /// `AROA...`: a role that is made anew under the same name is another one.
    pub role_id: String,
    /// The session's name.
    pub name: String,
    /// The JSON texts of the session policies.
    pub policies: Vec<String>,
    pub tags: BTreeMap<String, String>,
    pub transitive_tag_keys: BTreeSet<String>,
    pub source_identity: Option<String>,
    /// The ARN of the issuer whose token was traded for the session.
    pub federated_provider: Option<String>,
}

/// What follows from who has the token, and is not for everybody's eyes.
const FORMAT_V1: u8 = 1;

impl SessionClaims {
    /// As bytes, which are to be encrypted before they leave the region.
    ///
    /// # Errors
    /// `PackedPolicyTooLarge` beyond [`PACKED_BYTES_MAX`].
    pub fn packed(&self) -> Result<Vec<u8>, SessionError> {
        let bytes = postcard::to_extend(self, vec![FORMAT_V1]).map_err(|_| SessionError::Internal)?;
        if bytes.len() > PACKED_BYTES_MAX {
            return Err(SessionError::packed_too_large(bytes.len(), PACKED_BYTES_MAX));
        }
        Ok(bytes)
    }

    /// How much of what a token can hold this takes, in percent, rounded up.
    pub fn packed_percent(&self) -> u32 {
        let bytes = postcard::to_allocvec(self).map_or(PACKED_BYTES_MAX, |bytes| bytes.len());
        u32::try_from((bytes * 100).div_ceil(PACKED_BYTES_MAX)).unwrap_or(100)
    }

    fn unpacked(bytes: &[u8]) -> Option<Self> {
        match bytes.split_first() {
            Some((&FORMAT_V1, rest)) => postcard::from_bytes(rest).ok(),
            _ => None,
        }
    }
}

/// The access key id of the session whose token has this id: `ASIA` and 16 characters.
pub fn access_key_id(token: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let hash = digest(&SHA256, token.as_bytes());
    let letters = hash.as_ref().iter().take(16).filter_map(|byte| LETTERS.get(usize::from(byte % 32)));
    std::iter::once("ASIA".to_owned()).chain(letters.map(|letter| char::from(*letter).to_string())).collect()
}

/// A session whose token was verified.
#[derive(Debug)]
pub struct Session {
    /// The token's id.
    pub token: Arc<str>,
    pub expires_at: Timestamp,
    principal: Arc<Principal>,
    arn: Arc<str>,
    account: AccountId,
    access_key: Arc<str>,
    role_id: String,
    facts: Arc<SessionFacts>,
}

impl Session {
    /// The session that `packed` claims say, which came with a verified token. `None` for what this build cannot read.
    pub fn opened(
        view: &RegionView,
        token: &str,
        packed: &[u8],
        issued_at: Timestamp,
        expires_at: Timestamp,
    ) -> Option<Self> {
        let claims = SessionClaims::unpacked(packed)?;
        let Some(PrincipalName::Role { account, path_and_name }) = PrincipalName::from_arn(&claims.role) else {
            return None;
        };
        let principal = Principal::AssumedRole {
            account: account.clone(),
            role_path_and_name: path_and_name,
            role_id: Some(claims.role_id.clone()),
            session: claims.name.clone(),
        };
        let policies = claims.policies.iter().map(|text| Document::parse(text, Kind::Session));
        let policies = policies.collect::<Result<Vec<_>, _>>().ok()?;
        let facts = SessionFacts {
            role: claims.role.into(),
            name: claims.name.into(),
            policy: Document::joined(policies).map(Arc::new),
            tags: claims.tags,
            transitive_tag_keys: claims.transitive_tag_keys,
            issued_at,
            expires_at,
            source_identity: claims.source_identity.map(Into::into),
            federated_provider: claims.federated_provider.map(Into::into),
        };
        Some(Self {
            token: token.into(),
            expires_at,
            arn: view.place.own_arns(&principal.arn()).into(),
            principal: Arc::new(principal),
            account: AccountId::parse(&account)?,
            access_key: access_key_id(token).into(),
            role_id: claims.role_id,
            facts: Arc::new(facts),
        })
    }

    /// `ASIA...`
    pub fn access_key(&self) -> &str {
        &self.access_key
    }

    /// Who calls with this session; `None` when the role is gone, or is another one by now.
    pub fn caller(&self, view: &RegionView) -> Option<Caller> {
        view.role(&self.facts.role).filter(|role| role.id == self.role_id)?;
        Some(Caller {
            principal: self.principal.clone(),
            arn: self.arn.clone(),
            account: self.account,
            access_key: self.access_key.clone(),
            session: Some(self.facts.clone()),
        })
    }
}

#[cfg(test)]
mod tests;
