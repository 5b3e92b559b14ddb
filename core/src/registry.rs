//! What a manifest declares: accounts with their identities and policies, organizations, VPCs, endpoints and keys.
//! Plain data, checked where it is applied, in the manifest's own names when it is written down; knows neither TOML nor
//! where it is stored. A secret is never written down with the rest.

mod change;

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
pub use kms_hsm::Plaintext;
use serde::{Deserialize, Serialize};

pub use self::change::{Change, Sign, changes};

/// Everything that one manifest declares.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    #[serde(rename = "account", default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<Account>,
    #[serde(rename = "organization", default, skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<Organization>,
    #[serde(rename = "vpc", default, skip_serializing_if = "Vec::is_empty")]
    pub vpcs: Vec<Vpc>,
    #[serde(rename = "endpoint", default, skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<Endpoint>,
    #[serde(rename = "key", default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<DeclaredKey>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The account's customer managed policies.
    #[serde(rename = "policy", default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<ManagedPolicy>,
    #[serde(rename = "group", default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<Group>,
    #[serde(rename = "role", default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<Role>,
    #[serde(rename = "issuer", default, skip_serializing_if = "Vec::is_empty")]
    pub issuers: Vec<Issuer>,
    #[serde(rename = "user", default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<User>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    pub name: String,
    /// Begins and ends with a slash; `/` when not given.
    pub path: String,
    /// Names of managed policies of the same account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub managed_policies: Vec<String>,
    /// The name of a managed policy of the same account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
    /// Names of groups of the same account.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_keys: Vec<AccessKey>,
    /// Inline policies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<NamedPolicy>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub name: String,
    pub path: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub managed_policies: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<NamedPolicy>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    pub name: String,
    pub path: String,
    /// The longest session that may be asked for: 3600 to 43200 seconds.
    pub max_session_duration_seconds: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub managed_policies: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permissions_boundary: Option<String>,
    /// The JSON text of the policy that says who may assume the role.
    pub trust_policy: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<NamedPolicy>,
}

/// An inline policy: its name and its JSON text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedPolicy {
    pub name: String,
    pub document: String,
}

/// A customer managed policy, for users, groups and roles of its account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManagedPolicy {
    pub name: String,
    pub path: String,
    pub document: String,
}

/// An OpenID Connect identity provider, whose tokens roles of the account may trust.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Issuer {
    /// `https://...`, as tokens have it under `iss`.
    pub url: String,
    /// What tokens may have under `aud`.
    pub client_ids: Vec<String>,
    #[serde(flatten)]
    pub jwks: JwksSource,
}

/// Where an issuer's public keys come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JwksSource {
    /// The JSON text of a key set.
    #[serde(rename = "jwks")]
    Given(String),
    /// An `https:` URL.
    #[serde(rename = "jwks_url")]
    Url(String),
}

/// An organization of accounts.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Organization {
    /// `o-...`
    pub id: String,
    /// The one account that its SCPs and RCPs do not bind.
    pub management_account: String,
    /// `r-...`
    pub root: String,
    #[serde(flatten)]
    pub attached: ControlPolicies,
    #[serde(rename = "policy", default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<ControlPolicy>,
    #[serde(rename = "organizational_unit", default, skip_serializing_if = "Vec::is_empty")]
    pub units: Vec<OrganizationalUnit>,
    /// Its accounts, the management account among them.
    #[serde(rename = "account", default, skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<MemberAccount>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct OrganizationalUnit {
    /// `ou-...`
    pub id: String,
    /// The root's id, or another unit's.
    pub parent: String,
    #[serde(flatten)]
    pub attached: ControlPolicies,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemberAccount {
    pub id: String,
    /// The root's id, or a unit's.
    pub parent: String,
    #[serde(flatten)]
    pub attached: ControlPolicies,
}

/// What is attached to a root, a unit or an account, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPolicies {
    /// All of the service control policies. `None` is `FullAWSAccess` alone, as AWS attaches it.
    #[serde(rename = "service_control_policies")]
    pub service: Option<Vec<String>>,
    /// Resource control policies beside `RCPFullAWSAccess`, which is always there.
    #[serde(rename = "resource_control_policies")]
    pub resource: Vec<String>,
}

/// A policy that an organization can attach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPolicy {
    pub name: String,
    #[serde(rename = "type")]
    pub kind: ControlPolicyKind,
    pub document: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ControlPolicyKind {
    #[serde(rename = "SERVICE_CONTROL_POLICY")]
    Service,
    #[serde(rename = "RESOURCE_CONTROL_POLICY")]
    Resource,
}

/// The managed policy of AWS's that every root, unit and account starts with; it allows everything.
pub const FULL_ACCESS: &str = "FullAWSAccess";

/// A user's access key. What has an id and no secret keeps the one that it has; what has neither is made by the service.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessKey {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip)]
    pub secret: Option<Plaintext>,
}

impl Clone for AccessKey {
    /// Copies the secret too: what is declared is tried again when the region changed meanwhile.
    fn clone(&self) -> Self {
        let secret = self.secret.as_ref().map(|secret| Plaintext::new(secret.expose().to_vec()));
        Self { id: self.id.clone(), secret }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Vpc {
    /// `vpc-...`
    pub id: String,
    pub account: String,
    pub cidrs: Vec<IpNet>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Endpoint {
    /// `vpce-...`
    pub id: String,
    pub vpc: String,
    pub account: String,
    /// Where clients may connect from; the VPC's CIDRs when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_ranges: Option<Vec<IpNet>>,
    /// The endpoint policy's JSON text; `None` is the default policy, which allows everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    pub interfaces: Vec<Interface>,
}

/// An endpoint's network interface in one availability zone.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    pub zone: String,
    pub address: IpAddr,
    /// The region's port when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
}

/// A key that is created if it is absent, and never deleted.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeclaredKey {
    /// A lower-case UUID.
    pub id: String,
    pub account: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// `alias/...`
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub aliases: Vec<String>,
    /// The key policy's JSON text; the default key policy when `None`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

impl Manifest {
    /// The access keys of all users, each with its account's id and its user's name.
    pub fn access_keys(&self) -> impl Iterator<Item = (&str, &str, &AccessKey)> {
        self.accounts.iter().flat_map(|account| {
            account
                .users
                .iter()
                .flat_map(|user| user.access_keys.iter().map(|key| (account.id.as_str(), user.name.as_str(), key)))
        })
    }

    /// The same, to be changed.
    pub fn access_keys_mut(&mut self) -> impl Iterator<Item = &mut AccessKey> {
        self.accounts.iter_mut().flat_map(|account| account.users.iter_mut()).flat_map(|user| &mut user.access_keys)
    }

    /// The manifest in its one spelling, as JSON and without secrets.
    pub fn canonical(&self) -> String {
        // Plain data with names for keys: writing it into memory does not fail.
        serde_json::to_string(self).unwrap_or_default()
    }
}
