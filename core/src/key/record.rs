//! What is stored of a key, an alias, a grant and the identities of the region, and how it is written down.
//! Plain data with one codec; knows no view, no policy's meaning and no transaction.

use std::collections::BTreeMap;
use std::sync::Arc;

use kms_hsm::{Label, Material, MaterialId, Secret, Wrapped};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::authz::grant::{self, ContextConstraint, Operations};
use crate::authz::{Grant, PrincipalName};
use crate::clock::Timestamp;
use crate::id::{AccountId, AliasName, KeyId, Place};
use crate::key::state::KeyState;
use crate::model::{KeySpec, KeyUsageType, OriginType};

/// The first byte of every stored record: which codec the rest is in.
const FORMAT_V1: u8 = 1;

/// A stored record that no longer reads as what was written.
#[derive(Debug, thiserror::Error)]
#[error("a stored {what} cannot be read: {why}")]
pub struct Unreadable {
    what: &'static str,
    why: String,
}

/// A thing that is stored as the body of a row.
pub trait Stored: Serialize + DeserializeOwned {
    const WHAT: &'static str;

    fn encode(&self) -> Vec<u8> {
        // Serialising plain data into memory fails only for types that postcard does not know, which a test would show;
        // the empty body that would result is refused by `decode`.
        postcard::to_extend(self, vec![FORMAT_V1]).unwrap_or_default()
    }

    fn decode(body: &[u8]) -> Result<Self, Unreadable> {
        let unreadable = |why: String| Unreadable { what: Self::WHAT, why };
        match body.split_first() {
            Some((&FORMAT_V1, rest)) => postcard::from_bytes(rest).map_err(|error| unreadable(error.to_string())),
            Some((format, _)) => Err(unreadable(format!("its format {format} is unknown"))),
            None => Err(unreadable("it is empty".to_owned())),
        }
    }
}

/// A KMS key without its materials, grants and aliases, which have rows of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KeyRecord {
    pub id: KeyId,
    pub account: AccountId,
    pub created: Timestamp,
    pub description: String,
    // The model's enums are stored by their AWS names, so that their order in the code means nothing.
    pub spec: KeySpec,
    pub usage: KeyUsageType,
    pub origin: OriginType,
    pub multi_region: bool,
    pub state: KeyState,
    /// The key policy's text; `None` is the default key policy of the account.
    pub policy: Option<String>,
    /// In the order in which they were first set.
    pub tags: Vec<Tag>,
    /// The material that encrypts.
    pub current: Option<MaterialId>,
}

impl Stored for KeyRecord {
    const WHAT: &'static str = "key";
}

impl KeyRecord {
    /// What the HSM binds this key's material to.
    pub fn label(&self, place: &Place) -> Option<Label> {
        Some(Label {
            partition: place.partition.clone(),
            account: self.account.as_str().into(),
            key: self.id.as_str().into(),
            spec: crate::key::spec::hsm_spec(self.spec)?,
            usage: crate::key::spec::hsm_usage(self.usage)?,
            origin: match self.origin {
                OriginType::AwsKms => kms_hsm::Origin::AwsKms,
                OriginType::External => kms_hsm::Origin::External,
                _ => return None,
            },
            multi_region: self.multi_region,
        })
    }
}

/// The view holds equal texts of tags once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    pub key: Arc<str>,
    pub value: Arc<str>,
}

/// One material of a key. What it is bound to is never stored beside it: the HSM is told that by the key's record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MaterialRecord {
    pub id: MaterialId,
    pub wrapped: Wrapped<Material>,
    pub created: Timestamp,
}

impl Stored for MaterialRecord {
    const WHAT: &'static str = "key material";
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AliasRecord {
    pub account: AccountId,
    pub name: AliasName,
    pub key: KeyId,
    pub created: Timestamp,
    pub updated: Timestamp,
}

impl Stored for AliasRecord {
    const WHAT: &'static str = "alias";
}

/// A grant, as it was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GrantRecord {
    /// 64 hex digits.
    pub id: String,
    pub key: KeyId,
    pub name: Option<String>,
    pub grantee: String,
    pub retiring: Option<String>,
    /// GrantOperation names, in the caller's order.
    pub operations: Vec<String>,
    pub constraints: Option<Constraints>,
    pub created: Timestamp,
    /// The account whose principal created the grant.
    pub issuer: AccountId,
}

impl Stored for GrantRecord {
    const WHAT: &'static str = "grant";
}

impl GrantRecord {
    /// The grant as the decision reads it. Err says what in it is no such thing.
    pub fn as_grant(&self) -> Result<Grant, String> {
        let principal = |name: &str| {
            let known = PrincipalName::from_arn(name).or_else(|| PrincipalName::from_service(name));
            known.ok_or_else(|| format!("{name} is not a principal"))
        };
        let operations = Operations::from_names(self.operations.iter().map(String::as_str));
        let given = self.constraints.clone().unwrap_or_default();
        let equals = given.equals.map(ContextConstraint::Equals);
        let encryption_context = equals.or(given.subset.map(ContextConstraint::Subset));
        Ok(Grant {
            id: self.id.as_str().into(),
            name: self.name.clone(),
            grantee: principal(&self.grantee)?,
            retiring: self.retiring.as_deref().map(principal).transpose()?,
            operations: operations.ok_or("an operation that no grant can allow")?,
            constraints: grant::Constraints { encryption_context, source_arn: given.source_arn },
            issuing_account: self.issuer.to_string(),
            created: self.created,
            consistent: true,
        })
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Constraints {
    pub equals: Option<BTreeMap<String, String>>,
    pub subset: Option<BTreeMap<String, String>>,
    pub source_arn: Option<String>,
}

/// A row of the identity table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum IdentityRecord {
    Account { id: AccountId, name: String },
    User(UserRecord),
    Credential(CredentialRecord),
}

impl Stored for IdentityRecord {
    const WHAT: &'static str = "identity";
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserRecord {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    /// `AIDA...`
    pub id: String,
    pub tags: BTreeMap<String, String>,
    /// Name and JSON text of each identity policy.
    pub policies: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CredentialRecord {
    pub id: String,
    pub account: AccountId,
    /// The ARN of the identity whose access key this is.
    pub identity: String,
    pub wrapped: Wrapped<Secret>,
}

/// A row of the endpoint table.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum NetworkRecord {
    Vpc(VpcRecord),
    Endpoint(EndpointRecord),
}

impl Stored for NetworkRecord {
    const WHAT: &'static str = "network";
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VpcRecord {
    pub id: String,
    pub account: AccountId,
    pub cidrs: Vec<ipnet::IpNet>,
    pub tags: BTreeMap<String, String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointRecord {
    pub id: String,
    pub vpc: String,
    pub account: AccountId,
    pub policy: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub client_ranges: Option<Vec<ipnet::IpNet>>,
}
