//! What the view holds of each thing: the record, parsed once, with what requests need beside it.
//! Knows how things refer to each other; how rows become entries is `build.rs`'s.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use imbl::{HashMap, OrdMap, Vector};
use kms_hsm::{Held, MaterialId, Secret, Wrapped};

use crate::authz::{Document, Grant, GrantSource, Operations, Principal, PrincipalName};
use crate::clock::Timestamp;
use crate::id::{AccountId, AliasName};
use crate::key::record::{EndpointRecord, GrantRecord, KeyRecord, VpcRecord};
use crate::store::{Revision, RowKey, Table};

/// A policy document: its text as it was put, and parsed. Equal documents are held once.
#[derive(Debug)]
pub struct Policy {
    pub text: Arc<str>,
    pub document: Document,
}

/// A KMS key with everything a request for it needs.
#[derive(Clone, Debug)]
pub struct KeyEntry {
    pub record: Arc<KeyRecord>,
    /// The version of the key's row.
    pub version: Revision,
    pub arn: Arc<str>,
    pub policy: Arc<Policy>,
    pub policy_is_default: bool,
    /// Oldest first.
    pub materials: Vec<MaterialEntry>,
    pub aliases: Vec<AliasName>,
    pub grants: Option<Arc<Grants>>,
    pub usage: Arc<KeyUse>,
}

#[derive(Clone, Debug)]
pub struct MaterialEntry {
    pub held: Arc<Held>,
    pub created: Timestamp,
    pub version: Revision,
}

impl KeyEntry {
    /// A key with nothing that belongs to it yet. `policy` is the parsed form of the record's, or the default one.
    pub fn new(record: KeyRecord, version: Revision, arn: Arc<str>, policy: Arc<Policy>) -> Self {
        // The text lives in the shared policy; the record in memory does not hold it a second time.
        let policy_is_default = record.policy.is_none();
        Self {
            record: Arc::new(KeyRecord { policy: None, ..record }),
            version,
            arn,
            policy,
            policy_is_default,
            materials: Vec::new(),
            aliases: Vec::new(),
            grants: None,
            usage: Arc::new(KeyUse::default()),
        }
    }

    /// The record as it is stored, with the policy's text.
    pub fn stored(&self) -> KeyRecord {
        let policy = (!self.policy_is_default).then(|| self.policy.text.to_string());
        KeyRecord { policy, ..(*self.record).clone() }
    }

    /// The material that encrypts.
    pub fn current(&self) -> Option<&MaterialEntry> {
        self.record.current.as_ref().and_then(|id| self.material(id))
    }

    pub fn material(&self, id: &MaterialId) -> Option<&MaterialEntry> {
        self.materials.iter().find(|material| material.held.id == *id)
    }

    pub fn grant(&self, id: &str) -> Option<&Arc<GrantEntry>> {
        self.grants.as_ref().and_then(|grants| grants.by_id.get(id))
    }

    /// The grants that may concern this caller, as a decision asks for them.
    pub fn grants_of<'a>(&'a self, caller: &'a Principal) -> GrantsOf<'a> {
        GrantsOf { key: self, caller }
    }

    /// The key's grants in order of their ids, after `after`.
    pub fn grants_after<'a>(&'a self, after: &str) -> impl Iterator<Item = &'a Arc<GrantEntry>> {
        let start: Bound<Arc<str>> = Bound::Excluded(after.into());
        self.grants
            .iter()
            .flat_map(move |grants| grants.by_id.range((start.clone(), Bound::Unbounded)))
            .map(|(_, entry)| entry)
    }

    pub fn grant_count(&self) -> usize {
        self.grants.as_ref().map_or(0, |grants| grants.by_id.len())
    }
}

/// The grants of one key.
#[derive(Clone, Debug, Default)]
pub struct Grants {
    pub(super) by_id: OrdMap<Arc<str>, Arc<GrantEntry>>,
    /// With what each allows, so that those that do not allow what is asked are passed over without being read.
    pub(super) by_grantee: HashMap<PrincipalName, Vector<(Operations, Arc<GrantEntry>)>>,
}

/// The grants of a key to any of a caller's names. Nothing is gathered before a decision asks.
#[derive(Debug)]
pub struct GrantsOf<'a> {
    key: &'a KeyEntry,
    caller: &'a Principal,
}

impl GrantSource for GrantsOf<'_> {
    fn grants<'a>(&'a self, operation: &'a str) -> Box<dyn Iterator<Item = &'a Grant> + 'a> {
        let Some(grants) = &self.key.grants else { return Box::new(std::iter::empty()) };
        let names = PrincipalName::all_of(self.caller);
        let entries = names.into_iter().filter_map(|name| grants.by_grantee.get(&name)).flatten();
        let concerned = entries.filter(move |(operations, _)| operations.may_allow(operation));
        Box::new(concerned.map(|(_, entry)| &*entry.grant))
    }
}

#[derive(Debug)]
pub struct GrantEntry {
    pub record: GrantRecord,
    /// As the decision reads it.
    pub grant: Arc<Grant>,
    pub version: Revision,
}

/// What requests share about a key without a key manager between them; outlives changes of the record.
#[derive(Debug, Default)]
pub struct KeyUse {
    /// State of the key's rate bucket; see `limits.rs`.
    pub rate: AtomicU64,
    /// Milliseconds since the epoch; 0 when no use is known.
    last_used: AtomicU64,
}

impl KeyUse {
    /// Notes a successful cryptographic operation. An earlier time than the one that is known changes nothing.
    pub fn used_at(&self, now: Timestamp) {
        self.last_used.fetch_max(now.0, Ordering::Relaxed);
    }

    /// When the key was last used for a cryptographic operation, if it is known to have been.
    pub fn last_used(&self) -> Option<Timestamp> {
        Some(Timestamp(self.last_used.load(Ordering::Relaxed))).filter(|at| at.0 > 0)
    }
}

/// An access key; its secret opens in the HSM only.
#[derive(Debug)]
pub struct Credential {
    pub id: Arc<str>,
    /// The ARN of the identity whose key it is.
    pub identity: Arc<str>,
    pub account: AccountId,
    pub wrapped: Arc<Wrapped<Secret>>,
    pub version: Revision,
}

impl Credential {
    pub fn row(&self) -> RowKey {
        Self::row_of(&self.id)
    }

    pub(crate) fn row_of(id: &str) -> RowKey {
        RowKey::new(Table::Identity, format!("access-key/{id}"))
    }
}

#[derive(Debug)]
pub struct Vpc {
    pub record: VpcRecord,
    pub version: Revision,
}

impl Vpc {
    pub fn row(&self) -> RowKey {
        RowKey::new(Table::Endpoint, format!("vpc/{}", self.record.id))
    }
}

#[derive(Debug)]
pub struct Endpoint {
    pub record: EndpointRecord,
    /// Its own, or the default endpoint policy, which allows everything.
    pub policy: Arc<Policy>,
    pub version: Revision,
}

impl Endpoint {
    pub fn row(&self) -> RowKey {
        RowKey::new(Table::Endpoint, format!("endpoint/{}", self.record.id))
    }
}
