//! Turns rows into the view: all of them at start, and each committed event after.
//! The only place where a stored record becomes an entry. Knows the view's insides; judges nothing.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use imbl::Vector;
use kms_hsm::{Held, MaterialId};

use super::entry::{Endpoint, GrantEntry, Grants, KeyEntry, MaterialEntry, Policy, Vpc};
use super::intern::{Policies, Texts};
use super::load::Loading;
use super::{AliasEntry, RegionView};
use crate::authz::{Kind, default_endpoint_policy, default_key_policy};
use crate::id::{AccountId, AliasName, KeyId, Place};
use crate::key::record::{
    AliasRecord, GrantRecord, IdentityRecord, KeyRecord, MaterialRecord, NetworkRecord, Stored, Unreadable,
};
use crate::store::{Event, Revision, Row, RowKey, Table};

/// The policy of an endpoint that is not in the view: one of only Denies allows nothing.
const SHUT_ENDPOINT: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Principal":"*","Action":"*","Resource":"*"}}"#;

/// How the keys of the rows begin that hold the region's declaration.
pub(crate) const DECLARED: &str = "declared/";

/// A row that cannot be part of a view.
#[derive(Debug, thiserror::Error)]
pub enum BadRow {
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error("row {0} refers to something that is not there")]
    Dangling(String),
    #[error("row {0} holds a policy that does not parse: {1}")]
    Policy(String, String),
}

/// Builds views and keeps what outlives them: interned policies.
#[derive(Debug)]
pub struct Builder {
    pub(super) view: RegionView,
    policies: Policies,
    /// Of tags and of what materials are bound to.
    texts: Texts,
    /// The default key policy of each account, made once.
    defaults: HashMap<AccountId, Arc<Policy>>,
    /// Rows that came before the key they belong to; only while loading.
    waiting: HashMap<KeyId, Vec<(RowKey, Row)>>,
    /// The view's keys, while loading.
    loading: Option<Loading>,
    /// Rows of identities that have changed, while nothing has been gathered from them yet.
    pub(super) unsettled: BTreeSet<String>,
}

impl Builder {
    pub fn new(place: Place) -> Result<Self, BadRow> {
        let mut policies = Policies::default();
        let shut = policies
            .intern(Kind::Endpoint, "", SHUT_ENDPOINT)
            .map_err(|error| BadRow::Policy("of a shut endpoint".to_owned(), error.to_string()))?;
        let view = RegionView::empty(place, shut);
        Ok(Self {
            view,
            policies,
            texts: Texts::default(),
            defaults: HashMap::new(),
            waiting: HashMap::new(),
            loading: Some(Loading::default()),
            unsettled: BTreeSet::new(),
        })
    }

    /// Takes in one row at start. Rows may come in any order; in the order of their keys they come in fastest.
    pub fn load(&mut self, key: RowKey, row: Row) -> Result<(), BadRow> {
        match self.put(&key, &row) {
            Err(BadRow::Dangling(_)) if matches!(key.table, Table::Material | Table::Grant | Table::Alias) => {
                self.waiting.entry(owner_of(&key, &row)?).or_default().push((key, row));
                return Ok(());
            }
            other => other?,
        }
        if self.waiting.is_empty() || key.table != Table::Key {
            return Ok(());
        }
        for (key, row) in KeyId::parse(&key.key).and_then(|id| self.waiting.remove(&id)).unwrap_or_default() {
            self.put(&key, &row)?;
        }
        Ok(())
    }

    /// Ends the loading; the view stands at `revision`.
    pub fn loaded(&mut self, revision: Revision) -> Result<Arc<RegionView>, BadRow> {
        if let Some((key, _)) = self.waiting.values().flatten().next() {
            return Err(BadRow::Dangling(key.to_string()));
        }
        if let Some(loading) = self.loading.take() {
            loading.finish(&mut self.view);
        }
        self.settle()?;
        self.view.revision = revision;
        Ok(Arc::new(self.view.clone()))
    }

    /// Takes in one committed event, once all is loaded, and answers the view after it.
    pub fn apply(&mut self, event: &Event) -> Result<Arc<RegionView>, BadRow> {
        // Within one event a key comes before what belongs to it, and goes after it.
        let (puts, deletes): (Vec<_>, Vec<_>) = event.changes.iter().partition(|change| change.row.is_some());
        let by_table = |table: Table| matches!(table, Table::Material | Table::Grant | Table::Alias);
        for belongings in [false, true] {
            for change in puts.iter().filter(|change| by_table(change.key.table) == belongings) {
                if let Some(row) = &change.row {
                    self.put(&change.key, row)?;
                }
            }
        }
        for belongings in [true, false] {
            for change in deletes.iter().filter(|change| by_table(change.key.table) == belongings) {
                self.delete(&change.key);
            }
        }
        self.settle()?;
        self.view.revision = event.revision;
        Ok(Arc::new(self.view.clone()))
    }

    fn put(&mut self, key: &RowKey, row: &Row) -> Result<(), BadRow> {
        match key.table {
            Table::Key => self.put_key(KeyRecord::decode(&row.body)?, row.version, key),
            Table::Material => self.put_material(MaterialRecord::decode(&row.body)?, row.version, key),
            Table::Alias => self.put_alias(AliasRecord::decode(&row.body)?, row.version),
            Table::Grant => self.put_grant(GrantRecord::decode(&row.body)?, row.version, key),
            Table::Identity => {
                self.put_identity(IdentityRecord::decode(&row.body)?, row.version, key);
                Ok(())
            }
            Table::Endpoint => self.put_network(NetworkRecord::decode(&row.body)?, row.version, key),
            Table::Meta => {
                if key.key.starts_with(DECLARED) {
                    self.view.declared.insert(key.key.as_str().into(), row.clone());
                }
                Ok(())
            }
            Table::Request => Ok(()),
        }
    }

    fn delete(&mut self, key: &RowKey) {
        match key.table {
            Table::Key => self.delete_key(key),
            Table::Material => self.delete_material(key),
            Table::Alias => self.delete_alias(key),
            Table::Grant => self.delete_grant(key),
            Table::Identity => self.delete_identity(key),
            Table::Endpoint => self.delete_network(key),
            Table::Meta => drop(self.view.declared.remove(key.key.as_str())),
            Table::Request => {}
        }
    }

    fn put_key(&mut self, mut record: KeyRecord, version: Revision, row: &RowKey) -> Result<(), BadRow> {
        for tag in &mut record.tags {
            self.texts.intern(&mut tag.key);
            self.texts.intern(&mut tag.value);
        }
        let (id, account) = (record.id, record.account);
        let policy = match &record.policy {
            Some(text) => self.intern(Kind::Key, "", text, row)?,
            None => self.default_policy(account, row)?,
        };
        let before = self.key(id).cloned();
        if let Some(due) = before.as_ref().and_then(|entry| entry.record.state.deletion_due()) {
            self.view.deletions.remove(&(due, id));
        }
        if let Some(due) = record.state.deletion_due() {
            self.view.deletions.insert((due, id));
        }
        let entry = match before {
            Some(before) => {
                let KeyEntry { record, policy, policy_is_default, .. } =
                    KeyEntry::new(record, version, before.arn.clone(), policy);
                KeyEntry { record, version, policy, policy_is_default, ..(*before).clone() }
            }
            None => KeyEntry::new(record, version, self.view.place.key_arn(account, id).into(), policy),
        };
        let entry = Arc::new(entry);
        if let Some(loading) = &mut self.loading {
            loading.put_key(id, entry);
        } else {
            self.view.listing.insert((account, id));
            self.view.keys.insert(id, entry);
        }
        Ok(())
    }

    fn delete_key(&mut self, key: &RowKey) {
        let Some(entry) = KeyId::parse(&key.key).and_then(|id| self.view.keys.remove(&id)) else { return };
        let record = &entry.record;
        self.view.listing.remove(&(record.account, record.id));
        if let Some(due) = record.state.deletion_due() {
            self.view.deletions.remove(&(due, record.id));
        }
    }

    fn put_material(&mut self, record: MaterialRecord, version: Revision, row: &RowKey) -> Result<(), BadRow> {
        let key = owner_of_path(row)?;
        let owner = self.key(key).ok_or_else(|| BadRow::Dangling(row.to_string()))?.record.clone();
        match &mut self.loading {
            Some(loading) => loading.put_material(record.id, key),
            None => drop(self.view.materials.insert(record.id, key)),
        }
        let Some(mut label) = owner.label(&self.view.place) else { return Ok(()) };
        self.texts.intern(&mut label.account);
        self.change_key(key, row, |entry| {
            let held = Arc::new(Held { label, id: record.id, wrapped: record.wrapped });
            let material = MaterialEntry { held, created: record.created, version };
            match entry.materials.iter_mut().find(|present| present.held.id == record.id) {
                Some(present) => *present = material,
                None => {
                    // Most keys have one of each for ever, and a vector would make room for four.
                    entry.materials.reserve_exact(1);
                    entry.materials.push(material);
                }
            }
        })
    }

    fn delete_material(&mut self, row: &RowKey) {
        let Ok(key) = owner_of_path(row) else { return };
        let Some(id) = row.key.split('/').nth(1).and_then(|hex| hex.parse::<MaterialId>().ok()) else { return };
        self.view.materials.remove(&id);
        let _ = self.change_key(key, row, |entry| entry.materials.retain(|material| material.held.id != id));
    }

    fn put_alias(&mut self, record: AliasRecord, version: Revision) -> Result<(), BadRow> {
        let at = (record.account, record.name.clone());
        let name = record.name.clone();
        let row = RowKey::new(Table::Alias, format!("{}/{}", record.account, record.name));
        // While loading there is none: no two rows are of one alias.
        if let Some(before) = self.view.aliases.get(&at).cloned() {
            let _ = self.change_key(before.record.key, &row, |entry| entry.aliases.retain(|alias| *alias != name));
        }
        self.change_key(record.key, &row, |entry| {
            entry.aliases.reserve_exact(1);
            entry.aliases.push(name);
        })?;
        let entry = Arc::new(AliasEntry { record, version });
        match &mut self.loading {
            Some(loading) => loading.put_alias(at, entry),
            None => drop(self.view.aliases.insert(at, entry)),
        }
        Ok(())
    }

    fn delete_alias(&mut self, row: &RowKey) {
        let Some((account, name)) = row.key.split_once('/') else { return };
        let (Some(account), Ok(name)) = (AccountId::parse(account), AliasName::parse(name)) else { return };
        if let Some(before) = self.view.aliases.remove(&(account, name.clone())) {
            let _ = self.change_key(before.record.key, row, |entry| entry.aliases.retain(|alias| *alias != name));
        }
    }

    fn put_grant(&mut self, record: GrantRecord, version: Revision, row: &RowKey) -> Result<(), BadRow> {
        let grant = record.as_grant().map_err(|why| BadRow::Policy(row.to_string(), why))?;
        let (id, grantee): (Arc<str>, _) = (record.id.as_str().into(), grant.grantee.clone());
        let operations = grant.operations;
        let key = record.key;
        self.delete_grant(row);
        if let Some(retiring) = &record.retiring {
            self.view.retirable.insert((retiring.as_str().into(), id.clone(), key));
        }
        self.change_key(key, row, |entry| {
            let mut grants: Grants = entry.grants.as_deref().cloned().unwrap_or_default();
            let granted = Arc::new(GrantEntry { record, grant: Arc::new(grant), version });
            grants.by_grantee.entry(grantee).or_default().push_back((operations, granted.clone()));
            grants.by_id.insert(id, granted);
            entry.grants = Some(Arc::new(grants));
        })
    }

    fn delete_grant(&mut self, row: &RowKey) {
        let Ok(key) = owner_of_path(row) else { return };
        let id: Arc<str> = row.key.split('/').nth(1).unwrap_or_default().into();
        let Some(before) = self.key(key).and_then(|entry| entry.grant(&id)).cloned() else { return };
        if let Some(retiring) = &before.record.retiring {
            self.view.retirable.remove(&(retiring.as_str().into(), id.clone(), key));
        }
        let grantee = before.grant.grantee.clone();
        let _ = self.change_key(key, row, |entry| {
            let mut grants: Grants = entry.grants.as_deref().cloned().unwrap_or_default();
            grants.by_id.remove(&id);
            if let Some(entries) = grants.by_grantee.get_mut(&grantee) {
                entries.retain(|(_, present)| !Arc::ptr_eq(present, &before));
            }
            if grants.by_grantee.get(&grantee).is_some_and(Vector::is_empty) {
                grants.by_grantee.remove(&grantee);
            }
            entry.grants = (!grants.by_id.is_empty()).then(|| Arc::new(grants));
        });
    }

    fn put_network(&mut self, record: NetworkRecord, version: Revision, row: &RowKey) -> Result<(), BadRow> {
        match record {
            NetworkRecord::Vpc(record) => {
                self.view.vpcs.insert(record.id.as_str().into(), Arc::new(Vpc { record, version }));
            }
            NetworkRecord::Endpoint(record) => {
                let text = record.policy.as_deref().unwrap_or(default_endpoint_policy());
                let policy = self.intern(Kind::Endpoint, &record.id, text, row)?;
                let id: Arc<str> = record.id.as_str().into();
                self.view.endpoints.insert(id, Arc::new(Endpoint { record, policy, version }));
            }
        }
        Ok(())
    }

    fn delete_network(&mut self, row: &RowKey) {
        match row.key.split_once('/') {
            Some(("vpc", id)) => {
                self.view.vpcs.remove(id);
            }
            Some(("endpoint", id)) => {
                self.view.endpoints.remove(id);
            }
            _ => {}
        }
    }

    fn change_key(&mut self, key: KeyId, row: &RowKey, change: impl FnOnce(&mut KeyEntry)) -> Result<(), BadRow> {
        let entry = match &mut self.loading {
            Some(loading) => loading.key(key),
            None => self.view.keys.get_mut(&key),
        };
        change(Arc::make_mut(entry.ok_or_else(|| BadRow::Dangling(row.to_string()))?));
        Ok(())
    }

    fn key(&mut self, id: KeyId) -> Option<&Arc<KeyEntry>> {
        match &mut self.loading {
            Some(loading) => loading.key(id).map(|entry| &*entry),
            None => self.view.keys.get(&id),
        }
    }

    pub(super) fn intern(&mut self, kind: Kind, name: &str, text: &str, row: &RowKey) -> Result<Arc<Policy>, BadRow> {
        self.policies.intern(kind, name, text).map_err(|error| BadRow::Policy(row.to_string(), error.to_string()))
    }

    fn default_policy(&mut self, account: AccountId, row: &RowKey) -> Result<Arc<Policy>, BadRow> {
        if let Some(policy) = self.defaults.get(&account) {
            return Ok(policy.clone());
        }
        let text = self.view.place.own_arns(&default_key_policy(account.as_str()));
        let policy = self.intern(Kind::Key, "", &text, row)?;
        self.defaults.insert(account, policy.clone());
        Ok(policy)
    }
}

/// The key that a material, grant or alias row belongs to.
fn owner_of(key: &RowKey, row: &Row) -> Result<KeyId, BadRow> {
    match key.table {
        Table::Alias => Ok(AliasRecord::decode(&row.body)?.key),
        _ => owner_of_path(key),
    }
}

fn owner_of_path(key: &RowKey) -> Result<KeyId, BadRow> {
    key.key.split('/').next().and_then(KeyId::parse).ok_or_else(|| BadRow::Dangling(key.to_string()))
}
