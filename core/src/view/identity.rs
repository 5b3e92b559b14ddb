//! What the view holds of users, roles, issuers and organizations: names, ids, and the policies that concern each,
//! gathered when a row changes so that no request has to. How rows become these is `gather.rs`'s.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::entry::Policy;
use crate::authz::{Document, Principal};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::key::record::IdentityRecord;
use crate::registry::JwksSource;
use crate::store::{Revision, RowKey, Table};

/// A row of the identity table, access keys excepted, as it is stored.
#[derive(Clone, Debug)]
pub struct Registered {
    pub record: IdentityRecord,
    pub version: Revision,
}

/// A user, and the policies that concern it.
#[derive(Debug)]
pub struct Identity {
    pub principal: Arc<Principal>,
    pub arn: Arc<str>,
    pub account: AccountId,
    pub name: String,
    /// `AIDA...`
    pub id: String,
    pub tags: BTreeMap<String, String>,
    pub attached: Attached,
}

/// A role, and the policies that concern its sessions.
#[derive(Debug)]
pub struct Role {
    pub arn: Arc<str>,
    pub account: AccountId,
    pub name: String,
    /// Begins and ends with a slash.
    pub path: String,
    /// `AROA...`
    pub id: String,
    pub tags: BTreeMap<String, String>,
    pub attached: Attached,
    /// Who may assume it.
    pub trust: Arc<Policy>,
    /// 3600 to 43200.
    pub max_session_duration_seconds: u32,
}

impl Role {
    /// Whether a session was made from this role, and not from a former one of the same name.
    pub(crate) fn is_behind(&self, caller: &Principal) -> bool {
        matches!(caller, Principal::AssumedRole { role_id: Some(id), .. } if *id == self.id)
    }

    /// Who calls in a session of this role.
    pub fn principal(&self, session: &str) -> Principal {
        Principal::AssumedRole {
            account: self.account.to_string(),
            role_path_and_name: format!("{}{}", self.path.trim_start_matches('/'), self.name),
            role_id: Some(self.id.clone()),
            session: session.to_owned(),
        }
    }
}

/// The policies of one user or role.
#[derive(Debug)]
pub struct Attached {
    /// Inline, managed, and those of a user's groups.
    pub policies: Vec<Arc<Policy>>,
    pub boundary: Option<Arc<Policy>>,
    /// The rows that all of this was gathered from, the user's or role's own first.
    pub rows: Vec<(RowKey, Revision)>,
}

impl Attached {
    pub fn documents(&self) -> impl Iterator<Item = &Document> {
        self.policies.iter().map(|policy| &policy.document)
    }
}

/// Where an account stands in its organization, and what that means for it.
#[derive(Debug)]
pub struct Membership {
    /// `o-...`
    pub organization: Arc<str>,
    /// `o-a/r-b/ou-c/ou-d/`, as `aws:PrincipalOrgPaths` has it.
    pub path: String,
    /// The service control policies of each level, root first. Levels with nothing but `FullAWSAccess` are left out, as
    /// they allow everything; for the management account there are none.
    pub service: Vec<Vec<Arc<Policy>>>,
    /// The resource control policies of each level that has some beside `RCPFullAWSAccess`.
    pub resource: Vec<Vec<Arc<Policy>>>,
    pub row: (RowKey, Revision),
}

/// An OpenID Connect identity provider of one account.
#[derive(Debug)]
pub struct Issuer {
    /// `arn:aws:iam::111122223333:oidc-provider/host/path`
    pub arn: Arc<str>,
    pub account: AccountId,
    pub url: String,
    pub client_ids: Vec<String>,
    pub jwks: JwksSource,
    pub version: Revision,
}

/// What the issuer's URL answered when it was last asked.
#[derive(Debug)]
pub struct IssuerKeys {
    pub jwks_url: Arc<str>,
    /// The JSON text of the key set.
    pub jwks: Arc<str>,
    pub fetched: Timestamp,
    pub version: Revision,
}

impl IssuerKeys {
    pub fn row(jwks_url: &str) -> RowKey {
        RowKey::new(Table::Identity, format!("issuer-keys/{jwks_url}"))
    }
}

/// The row keys of identities.
pub(crate) mod row {
    use crate::id::AccountId;

    pub(crate) fn account(id: AccountId) -> String {
        format!("account/{id}")
    }

    pub(crate) fn user(account: AccountId, name: &str) -> String {
        format!("user/{account}/{name}")
    }

    pub(crate) fn group(account: AccountId, name: &str) -> String {
        format!("group/{account}/{name}")
    }

    pub(crate) fn role(account: AccountId, name: &str) -> String {
        format!("role/{account}/{name}")
    }

    pub(crate) fn policy(account: AccountId, name: &str) -> String {
        format!("policy/{account}/{name}")
    }

    pub(crate) fn issuer(account: AccountId, url: &str) -> String {
        format!("issuer/{account}/{url}")
    }

    pub(crate) fn organization(id: &str) -> String {
        format!("organization/{id}")
    }
}
