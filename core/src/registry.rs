//! What a manifest declares: accounts, users, VPCs, endpoints and keys.
//! Plain data, checked where it is applied; knows neither TOML nor where it is stored.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
pub use kms_hsm::Plaintext;

/// Everything that one manifest declares.
#[derive(Debug, Default)]
pub struct Manifest {
    pub accounts: Vec<Account>,
    pub vpcs: Vec<Vpc>,
    pub endpoints: Vec<Endpoint>,
    pub keys: Vec<DeclaredKey>,
}

#[derive(Debug)]
pub struct Account {
    /// Twelve digits.
    pub id: String,
    pub name: String,
    pub users: Vec<User>,
}

#[derive(Debug)]
pub struct User {
    pub name: String,
    /// Begins and ends with a slash; `/` when not given.
    pub path: String,
    pub tags: BTreeMap<String, String>,
    pub policies: Vec<NamedPolicy>,
    pub access_keys: Vec<AccessKey>,
}

/// An identity policy: its name and its JSON text.
#[derive(Debug)]
pub struct NamedPolicy {
    pub name: String,
    pub document: String,
}

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
