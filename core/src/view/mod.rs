//! Everything a request is judged by, at one revision: keys, aliases, grants, identities, endpoints.
//! Immutable once published; persistent maps share what did not change. Knows no store and no request.

mod build;
mod entry;
mod gather;
pub(crate) mod identity;
mod intern;
mod load;

use std::net::IpAddr;
use std::ops::Bound;
use std::sync::Arc;

use imbl::{HashMap, OrdMap, OrdSet};
use kms_hsm::MaterialId;

pub(crate) use self::build::DECLARED;
pub use self::build::{BadRow, Builder};
pub use self::entry::{
    Credential, Endpoint, GrantEntry, Grants, GrantsOf, KeyEntry, KeyUse, MaterialEntry, Policy, Vpc,
};
pub use self::identity::{Attached, Identity, Issuer, IssuerKeys, Membership, Registered, Role};
use crate::clock::Timestamp;
use crate::id::{AccountId, AliasName, KeyId, KeyRef, Place};
use crate::key::record::{AliasRecord, IdentityRecord};
use crate::store::{Revision, Row};

/// The state of the region at one revision.
#[derive(Clone, Debug)]
pub struct RegionView {
    pub revision: Revision,
    pub place: Place,
    /// Ordered, as the other large maps are: a hash trie of a hundred thousand small entries takes three times the memory.
    keys: OrdMap<KeyId, Arc<KeyEntry>>,
    /// In the order in which ListKeys shows them.
    listing: OrdSet<(AccountId, KeyId)>,
    deletions: OrdSet<(Timestamp, KeyId)>,
    materials: OrdMap<MaterialId, KeyId>,
    aliases: OrdMap<(AccountId, AliasName), Arc<AliasEntry>>,
    /// Retiring principal, grant id, key.
    retirable: OrdSet<(Arc<str>, Arc<str>, KeyId)>,
    /// Rows of the identity table, access keys excepted, by their keys.
    registered: OrdMap<Arc<str>, Arc<Registered>>,
    accounts: HashMap<AccountId, Arc<str>>,
    /// Users, by ARN.
    identities: HashMap<Arc<str>, Arc<Identity>>,
    /// By ARN.
    roles: HashMap<Arc<str>, Arc<Role>>,
    /// The ARNs of users and roles, by their unique ids.
    unique_ids: HashMap<Arc<str>, Arc<str>>,
    memberships: HashMap<AccountId, Arc<Membership>>,
    /// By ARN.
    issuers: HashMap<Arc<str>, Arc<Issuer>>,
    /// By the URL that was asked.
    issuer_keys: HashMap<Arc<str>, Arc<IssuerKeys>>,
    /// By access key id.
    credentials: HashMap<Arc<str>, Arc<Credential>>,
    vpcs: HashMap<Arc<str>, Arc<Vpc>>,
    endpoints: HashMap<Arc<str>, Arc<Endpoint>>,
    /// What the region was last declared to be, in the pieces in which it is stored, by row key.
    declared: OrdMap<Arc<str>, Row>,
    /// What stands in for the policy of an endpoint that is not here: it allows nothing.
    pub shut_endpoint: Arc<Policy>,
}

/// An alias and the version of its row.
#[derive(Clone, Debug)]
pub struct AliasEntry {
    pub record: AliasRecord,
    pub version: Revision,
}

impl RegionView {
    /// The view of a region that holds nothing.
    pub fn empty(place: Place, shut_endpoint: Arc<Policy>) -> Self {
        Self {
            revision: Revision(0),
            place,
            keys: OrdMap::new(),
            listing: OrdSet::new(),
            deletions: OrdSet::new(),
            materials: OrdMap::new(),
            aliases: OrdMap::new(),
            retirable: OrdSet::new(),
            registered: OrdMap::new(),
            accounts: HashMap::new(),
            identities: HashMap::new(),
            roles: HashMap::new(),
            unique_ids: HashMap::new(),
            memberships: HashMap::new(),
            issuers: HashMap::new(),
            issuer_keys: HashMap::new(),
            credentials: HashMap::new(),
            vpcs: HashMap::new(),
            endpoints: HashMap::new(),
            declared: OrdMap::new(),
            shut_endpoint,
        }
    }

    pub fn key(&self, id: KeyId) -> Option<&Arc<KeyEntry>> {
        self.keys.get(&id)
    }

    pub fn key_count(&self) -> usize {
        self.keys.len()
    }

    pub fn keys(&self) -> impl Iterator<Item = &Arc<KeyEntry>> {
        self.keys.values()
    }

    /// The key that holds this material.
    pub fn key_of_material(&self, material: &MaterialId) -> Option<&Arc<KeyEntry>> {
        self.materials.get(material).and_then(|key| self.keys.get(key))
    }

    pub fn alias(&self, account: AccountId, name: &AliasName) -> Option<&Arc<AliasEntry>> {
        self.aliases.get(&(account, name.clone()))
    }

    /// The account and the key id that a reference means, if there is such a key in that account.
    pub fn find(&self, reference: &KeyRef, caller: AccountId) -> Option<&Arc<KeyEntry>> {
        let (account, key) = match reference {
            KeyRef::Id(key) => (caller, *key),
            KeyRef::Arn { account, key } => (*account, *key),
            KeyRef::Alias(name) => (caller, self.alias(caller, name)?.record.key),
            KeyRef::AliasArn { account, alias } => (*account, self.alias(*account, alias)?.record.key),
        };
        self.keys.get(&key).filter(|entry| entry.record.account == account)
    }

    /// The account's keys after `after`, in order.
    pub fn keys_of(&self, account: AccountId, after: Option<KeyId>) -> impl Iterator<Item = KeyId> {
        let start = match after {
            Some(key) => Bound::Excluded((account, key)),
            None => Bound::Included((account, KeyId::LEAST)),
        };
        self.listing
            .range((start, Bound::Unbounded))
            .take_while(move |(owner, _)| *owner == account)
            .map(|(_, key)| *key)
    }

    /// The account's aliases after `after`, in order of their names.
    pub fn aliases_of(&self, account: AccountId, after: Option<AliasName>) -> impl Iterator<Item = &Arc<AliasEntry>> {
        let start = match after {
            Some(name) => Bound::Excluded((account, name)),
            None => Bound::Included((account, AliasName::least())),
        };
        self.aliases
            .range((start, Bound::Unbounded))
            .take_while(move |((owner, _), _)| *owner == account)
            .map(|(_, entry)| entry)
    }

    /// Grants that `principal` may retire: grant id and key, in order, after grant `after`.
    pub fn retirable_by(&self, principal: &str, after: &str) -> impl Iterator<Item = (Arc<str>, KeyId)> {
        let principal: Arc<str> = principal.into();
        let start = (principal.clone(), Arc::<str>::from(after), KeyId::LEAST);
        self.retirable
            .range((Bound::Included(start), Bound::Unbounded))
            .take_while(move |(retiring, ..)| *retiring == principal)
            .map(|(_, grant, key)| (grant.clone(), *key))
    }

    /// Keys whose deletion is due at `now`, the longest due first.
    pub fn due_for_deletion(&self, now: Timestamp) -> impl Iterator<Item = KeyId> {
        self.deletions.iter().take_while(move |(due, _)| *due <= now).map(|(_, key)| *key)
    }

    pub fn account_exists(&self, account: AccountId) -> bool {
        self.accounts.contains_key(&account)
    }

    /// The user of this ARN.
    pub fn identity(&self, arn: &str) -> Option<&Arc<Identity>> {
        self.identities.get(arn)
    }

    /// All users.
    pub fn identities(&self) -> impl Iterator<Item = &Arc<Identity>> {
        self.identities.values()
    }

    /// The role of this ARN, which has the role's path.
    pub fn role(&self, arn: &str) -> Option<&Arc<Role>> {
        self.roles.get(arn)
    }

    /// The role of this name, whatever its path.
    pub fn role_named(&self, account: AccountId, name: &str) -> Option<&Arc<Role>> {
        let registered = self.registered(&identity::row::role(account, name))?;
        let IdentityRecord::Role(role) = &registered.record else { return None };
        self.role(&self.place.iam_arn(account, "role", &role.path, name))
    }

    pub fn roles(&self) -> impl Iterator<Item = &Arc<Role>> {
        self.roles.values()
    }

    /// The ARN of the user or role with this unique id (`AIDA...`, `AROA...`).
    pub fn arn_of(&self, unique_id: &str) -> Option<&Arc<str>> {
        self.unique_ids.get(unique_id)
    }

    /// Where an account stands in an organization, if it is in one.
    pub fn membership(&self, account: AccountId) -> Option<&Arc<Membership>> {
        // Most regions have no organization, and every request asks.
        if self.memberships.is_empty() { None } else { self.memberships.get(&account) }
    }

    /// The issuer of this URL in an account.
    pub fn issuer(&self, account: AccountId, url: &str) -> Option<&Arc<Issuer>> {
        self.issuers.get(&*self.place.issuer_arn(account, url))
    }

    pub fn issuers(&self) -> impl Iterator<Item = &Arc<Issuer>> {
        self.issuers.values()
    }

    /// The keys that were last fetched from this URL.
    pub fn issuer_keys(&self, jwks_url: &str) -> Option<&Arc<IssuerKeys>> {
        self.issuer_keys.get(jwks_url)
    }

    /// An identity's row as it is stored, by its key.
    pub(crate) fn registered(&self, row: &str) -> Option<&Arc<Registered>> {
        self.registered.get(row)
    }

    /// The rows of identities, access keys excepted, by their keys.
    pub fn all_registered(&self) -> impl Iterator<Item = (&Arc<str>, &Arc<Registered>)> {
        self.registered.iter()
    }

    pub fn credentials(&self) -> impl Iterator<Item = &Arc<Credential>> {
        self.credentials.values()
    }

    pub fn vpcs(&self) -> impl Iterator<Item = &Arc<Vpc>> {
        self.vpcs.values()
    }

    /// The pieces of the last declaration in their order, each with its row key.
    pub(crate) fn declared(&self) -> impl Iterator<Item = (&Arc<str>, &Row)> {
        self.declared.iter()
    }

    pub fn endpoints(&self) -> impl Iterator<Item = &Arc<Endpoint>> {
        self.endpoints.values()
    }

    pub fn accounts(&self) -> impl Iterator<Item = (AccountId, &Arc<str>)> {
        self.accounts.iter().map(|(id, name)| (*id, name))
    }

    pub fn credential(&self, access_key_id: &str) -> Option<&Arc<Credential>> {
        self.credentials.get(access_key_id)
    }

    pub fn endpoint(&self, id: &str) -> Option<&Arc<Endpoint>> {
        self.endpoints.get(id)
    }

    /// Whether a client at this address may connect through an endpoint: from its client ranges, or else its VPC's.
    pub fn admits(&self, endpoint: &str, client: IpAddr) -> bool {
        let Some(endpoint) = self.endpoint(endpoint) else { return false };
        match &endpoint.record.client_ranges {
            Some(ranges) => ranges.iter().any(|range| range.contains(&client)),
            None => self
                .vpc(&endpoint.record.vpc)
                .is_some_and(|vpc| vpc.record.cidrs.iter().any(|range| range.contains(&client))),
        }
    }

    pub fn vpc(&self, id: &str) -> Option<&Arc<Vpc>> {
        self.vpcs.get(id)
    }
}

#[cfg(test)]
mod tests;
