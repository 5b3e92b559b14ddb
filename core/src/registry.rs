//! What a manifest declares: accounts with their identities and policies, organizations, VPCs, endpoints and keys.
//! Plain data, checked where it is applied; knows neither TOML nor where it is stored.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
pub use kms_hsm::Plaintext;
use serde::{Deserialize, Serialize};

/// Everything that one manifest declares.
#[derive(Debug, Default)]
pub struct Manifest {
    pub accounts: Vec<Account>,
    pub organizations: Vec<Organization>,
    pub vpcs: Vec<Vpc>,
    pub endpoints: Vec<Endpoint>,
    pub keys: Vec<DeclaredKey>,
}

#[derive(Debug, Default)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    pub name: String,
    pub users: Vec<User>,
    pub groups: Vec<Group>,
    pub roles: Vec<Role>,
    /// The account's customer managed policies.
    pub policies: Vec<ManagedPolicy>,
    pub issuers: Vec<Issuer>,
}

#[derive(Debug, Default)]
pub struct User {
    pub name: String,
    /// Begins and ends with a slash; `/` when not given.
    pub path: String,
    pub tags: BTreeMap<String, String>,
    /// Inline policies.
    pub policies: Vec<NamedPolicy>,
    /// Names of managed policies of the same account.
    pub managed_policies: Vec<String>,
    /// The name of a managed policy of the same account.
    pub permissions_boundary: Option<String>,
    /// Names of groups of the same account.
    pub groups: Vec<String>,
    pub access_keys: Vec<AccessKey>,
}

#[derive(Debug, Default)]
pub struct Group {
    pub name: String,
    pub path: String,
    pub policies: Vec<NamedPolicy>,
    pub managed_policies: Vec<String>,
}

#[derive(Debug, Default)]
pub struct Role {
    pub name: String,
    pub path: String,
    pub tags: BTreeMap<String, String>,
    pub policies: Vec<NamedPolicy>,
    pub managed_policies: Vec<String>,
    pub permissions_boundary: Option<String>,
    /// The JSON text of the policy that says who may assume the role.
    pub trust_policy: String,
    /// The longest session that may be asked for: 3600 to 43200 seconds.
    pub max_session_duration_seconds: u32,
}

/// An inline policy: its name and its JSON text.
#[derive(Debug)]
pub struct NamedPolicy {
    pub name: String,
    pub document: String,
}

/// A customer managed policy, for users, groups and roles of its account.
#[derive(Debug)]
pub struct ManagedPolicy {
    pub name: String,
    pub path: String,
    pub document: String,
}

/// An OpenID Connect identity provider, whose tokens roles of the account may trust.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// `https://...`, as tokens have it under `iss`.
    pub url: String,
    /// What tokens may have under `aud`.
    pub client_ids: Vec<String>,
    pub jwks: JwksSource,
}

/// Where an issuer's public keys come from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum JwksSource {
    /// The JSON text of a key set.
    Given(String),
    /// An `https:` URL.
    Url(String),
}

/// An organization of accounts.
#[derive(Clone, Debug, Default)]
pub struct Organization {
    /// `o-...`
    pub id: String,
    /// The one account that its SCPs and RCPs do not bind.
    pub management_account: String,
    pub policies: Vec<ControlPolicy>,
    /// `r-...`
    pub root: String,
    pub attached: ControlPolicies,
    pub units: Vec<OrganizationalUnit>,
    /// Its accounts, the management account among them.
    pub accounts: Vec<MemberAccount>,
}

#[derive(Clone, Debug)]
pub struct OrganizationalUnit {
    /// `ou-...`
    pub id: String,
    /// The root's id, or another unit's.
    pub parent: String,
    pub attached: ControlPolicies,
}

#[derive(Clone, Debug)]
pub struct MemberAccount {
    pub id: String,
    /// The root's id, or a unit's.
    pub parent: String,
    pub attached: ControlPolicies,
}

/// What is attached to a root, a unit or an account, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPolicies {
    /// All of the service control policies. `None` is `FullAWSAccess` alone, as AWS attaches it.
    pub service: Option<Vec<String>>,
    /// Resource control policies beside `RCPFullAWSAccess`, which is always there.
    pub resource: Vec<String>,
}

/// A policy that an organization can attach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlPolicy {
    pub name: String,
    pub kind: ControlPolicyKind,
    pub document: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ControlPolicyKind {
    /// `SERVICE_CONTROL_POLICY`
    Service,
    /// `RESOURCE_CONTROL_POLICY`
    Resource,
}

/// The managed policy of AWS's that every root, unit and account starts with; it allows everything.
pub const FULL_ACCESS: &str = "FullAWSAccess";

#[derive(Debug)]
pub struct AccessKey {
    pub id: String,
    pub secret: Plaintext,
}

#[derive(Clone, Debug)]
pub struct Vpc {
    /// `vpc-...`
    pub id: String,
    pub account: String,
    pub cidrs: Vec<IpNet>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug)]
pub struct Endpoint {
    /// `vpce-...`
    pub id: String,
    pub vpc: String,
    pub account: String,
    /// The endpoint policy's JSON text; `None` is the default policy, which allows everything.
    pub policy: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub interfaces: Vec<Interface>,
    /// Where clients may connect from; the VPC's CIDRs when `None`.
    pub client_ranges: Option<Vec<IpNet>>,
}

/// An endpoint's network interface in one availability zone.
#[derive(Clone, Debug)]
pub struct Interface {
    pub zone: String,
    pub address: IpAddr,
    /// The region's port when `None`.
    pub port: Option<u16>,
}

/// A key that is created if it is absent, and never deleted.
#[derive(Clone, Debug)]
pub struct DeclaredKey {
    /// A lower-case UUID.
    pub id: String,
    pub account: String,
    pub description: String,
    /// `alias/...`
    pub aliases: Vec<String>,
    pub tags: BTreeMap<String, String>,
    /// The key policy's JSON text; the default key policy when `None`.
    pub policy: Option<String>,
}
