//! Applies a manifest: identities and networks become as declared; keys are created if absent and never deleted.
//! One batch, so that a request sees all of a manifest or none of it; applying it again changes nothing.

mod identities;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use kms_hsm::command::GenerateMaterial;

use super::Region;
use crate::authz::{Document, Kind};
use crate::error::KmsError;
use crate::id::{AccountId, AliasName, KeyId};
use crate::key::record::{
    AliasRecord, EndpointRecord, KeyRecord, MaterialRecord, NetworkRecord, RoleRecord, Stored, Tag, VpcRecord,
};
use crate::key::state::KeyState;
use crate::model::{KeySpec, KeyUsageType, OriginType};
use crate::registry::{DeclaredKey, Endpoint, Manifest, Vpc};
use crate::store::{Batch, RowKey, Table};
use crate::view::RegionView;

pub(super) const WAIT: Duration = Duration::from_secs(8);

/// Why a manifest was not applied. Nothing of it was.
#[derive(Debug, thiserror::Error)]
pub enum DeclareError {
    /// All that is wrong with it, a line each.
    #[error("{}", lines(.0))]
    Malformed(Vec<Wrong>),
    #[error("the manifest could not be applied: {}", .0.code().as_str())]
    Failed(KmsError),
}

/// What is wrong with a part of a manifest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Wrong {
    pub what: String,
    pub why: String,
}

impl DeclareError {
    pub(super) fn wrong(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Malformed(vec![Wrong { what: what.into(), why: why.into() }])
    }
}

impl From<KmsError> for DeclareError {
    fn from(error: KmsError) -> Self {
        Self::Failed(error)
    }
}

fn lines(wrong: &[Wrong]) -> String {
    wrong.iter().map(Wrong::to_string).collect::<Vec<_>>().join("\n")
}

/// What makes a region as a manifest declares it.
pub(super) struct Drafted {
    pub(super) batch: Batch,
    /// The ids of the access keys that are there with another secret.
    pub(super) secrets: Vec<String>,
}

impl Region {
    /// The changes that make the region as the manifest declares it, or all that is wrong with it.
    pub(super) async fn draft(&self, view: &RegionView, manifest: &Manifest) -> Result<Drafted, DeclareError> {
        let declaration = Declaration {
            region: self,
            view,
            batch: Batch::default(),
            declared: BTreeSet::new(),
            unique_ids: BTreeMap::new(),
            members: BTreeSet::new(),
            trusting: Vec::new(),
            secrets: Vec::new(),
            wrong: Vec::new(),
        };
        declaration.of(manifest).await
    }
}

struct Declaration<'a> {
    region: &'a Region,
    view: &'a RegionView,
    batch: Batch,
    /// The rows of identities and networks that the manifest has.
    declared: BTreeSet<RowKey>,
    /// Of the users and roles that the manifest has, by ARN.
    unique_ids: BTreeMap<String, String>,
    /// Roles whose trust policies are still to be read: ARN, row, record.
    trusting: Vec<(String, String, RoleRecord)>,
    /// Accounts that are in an organization.
    members: BTreeSet<AccountId>,
    secrets: Vec<String>,
    wrong: Vec<Wrong>,
}

impl Declaration<'_> {
    async fn of(mut self, manifest: &Manifest) -> Result<Drafted, DeclareError> {
        for vpc in &manifest.vpcs {
            let done = self.vpc(vpc);
            self.noted(done)?;
        }
        for endpoint in &manifest.endpoints {
            let done = self.endpoint(endpoint);
            self.noted(done)?;
        }
        for account in &manifest.accounts {
            let done = self.account(account).await;
            self.noted(done)?;
        }
        let done = self.trust();
        self.noted(done)?;
        for organization in &manifest.organizations {
            let done = self.organization(organization);
            self.noted(done)?;
        }
        for key in &manifest.keys {
            let done = self.key(key).await;
            self.noted(done)?;
        }
        if !self.wrong.is_empty() {
            return Err(DeclareError::Malformed(self.wrong));
        }
        self.remove_the_rest();
        Ok(Drafted { batch: self.batch, secrets: self.secrets })
    }

    /// Goes on after what is wrong, so that all of it is found at once; not after a failure.
    fn noted(&mut self, done: Result<(), DeclareError>) -> Result<(), DeclareError> {
        match done {
            Err(DeclareError::Malformed(wrong)) => {
                self.wrong.extend(wrong);
                Ok(())
            }
            other => other,
        }
    }

    fn vpc(&mut self, vpc: &Vpc) -> Result<(), DeclareError> {
        let record = VpcRecord {
            id: vpc.id.clone(),
            account: account_id(&vpc.account)?,
            cidrs: vpc.cidrs.clone(),
            tags: vpc.tags.clone(),
        };
        let known = self.view.vpc(&vpc.id).is_some_and(|present| present.record == record);
        self.put(Table::Endpoint, format!("vpc/{}", vpc.id), known, || NetworkRecord::Vpc(record).encode());
        Ok(())
    }

    fn endpoint(&mut self, endpoint: &Endpoint) -> Result<(), DeclareError> {
        if let Some(policy) = &endpoint.policy {
            parse(policy, Kind::Endpoint, &format!("the policy of {}", endpoint.id))?;
        }
        let record = EndpointRecord {
            id: endpoint.id.clone(),
            vpc: endpoint.vpc.clone(),
            account: account_id(&endpoint.account)?,
            policy: endpoint.policy.clone(),
            tags: endpoint.tags.clone(),
            client_ranges: endpoint.client_ranges.clone(),
        };
        let known = self.view.endpoint(&endpoint.id).is_some_and(|present| present.record == record);
        self.put(Table::Endpoint, format!("endpoint/{}", endpoint.id), known, || {
            NetworkRecord::Endpoint(record).encode()
        });
        Ok(())
    }

    async fn key(&mut self, key: &DeclaredKey) -> Result<(), DeclareError> {
        let malformed = |why: &str| DeclareError::wrong(format!("key {}", key.id), why);
        let id = KeyId::parse(&key.id).ok_or_else(|| malformed("its id is not one of a key"))?;
        match self.view.key(id) {
            Some(present) if present.record.account.as_str() == key.account => return Ok(()),
            Some(_) => return Err(malformed("it is there, in another account")),
            None => {}
        }
        let policy = key.policy.as_deref();
        let policy =
            policy.map(|policy| self.bound(policy, Kind::Key, &format!("the policy of key {id}"))).transpose()?;
        let record = KeyRecord {
            id,
            account: account_id(&key.account)?,
            created: self.region.clock.now(),
            description: key.description.clone(),
            spec: KeySpec::SymmetricDefault,
            usage: KeyUsageType::EncryptDecrypt,
            origin: OriginType::AwsKms,
            multi_region: false,
            state: KeyState::new(),
            policy,
            tags: key
                .tags
                .iter()
                .map(|(key, value)| Tag { key: key.as_str().into(), value: value.as_str().into() })
                .collect(),
            current: None,
        };
        let label = record.label(&self.view.place).ok_or_else(|| malformed("it has no label"))?;
        let deadline = Instant::now() + WAIT;
        let held = self.region.hsm.run(GenerateMaterial { label }, deadline).await.map_err(KmsError::from)?;
        let material = MaterialRecord { id: held.id, wrapped: held.wrapped, created: record.created };
        let record = KeyRecord { current: Some(held.id), ..record };
        let mut batch = std::mem::take(&mut self.batch).create(Table::Key, id, record.encode()).create(
            Table::Material,
            format!("{id}/{}", held.id),
            material.encode(),
        );
        for alias in &key.aliases {
            let name = AliasName::parse(alias).map_err(|error| malformed(&error.message()))?;
            // An alias that is there already stays where it is.
            if self.view.alias(record.account, &name).is_none() {
                let row = format!("{}/{name}", record.account);
                let (created, updated) = (record.created, record.created);
                let alias = AliasRecord { account: record.account, name, key: id, created, updated };
                batch = batch.create(Table::Alias, row, alias.encode());
            }
        }
        self.batch = batch;
        Ok(())
    }

    fn put(&mut self, table: Table, key: String, known: bool, body: impl FnOnce() -> Vec<u8>) {
        let key = RowKey::new(table, key);
        if !known {
            self.batch = std::mem::take(&mut self.batch).put(key.clone(), body());
        }
        self.declared.insert(key);
    }

    /// What is there and not in the manifest goes, keys excepted.
    fn remove_the_rest(&mut self) {
        let view = self.view;
        let people = view.all_registered().map(|(key, _)| RowKey::new(Table::Identity, &**key));
        let people = people.chain(view.credentials().map(|credential| credential.row()));
        let networks = view.vpcs().map(|vpc| vpc.row()).chain(view.endpoints().map(|endpoint| endpoint.row()));
        let present = people.chain(networks);
        let gone: Vec<RowKey> = present.filter(|key| !self.declared.contains(key)).collect();
        self.batch = gone.into_iter().fold(std::mem::take(&mut self.batch), Batch::delete);
    }
}

fn account_id(text: &str) -> Result<AccountId, DeclareError> {
    AccountId::parse(text).ok_or_else(|| DeclareError::wrong(format!("account {text}"), "not twelve digits"))
}

fn parse(text: &str, kind: Kind, what: &str) -> Result<(), DeclareError> {
    Document::parse(text, kind).map(drop).map_err(|error| DeclareError::wrong(what, error.to_string()))
}
