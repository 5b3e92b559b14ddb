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
use crate::registry::{ControlPolicies, ControlPolicy, ControlPolicyKind, FULL_ACCESS, JwksSource};

/// The first byte of every stored record: which codec the rest is in.
const FORMAT_V1: u8 = 1;

/// How many units may lie between an account and the root (AWS Organizations quotas).
const UNIT_LEVELS_MAX: usize = 5;

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
    /// Users and roles by their unique ids, as is `retiring`; others by ARN or, services, by name.
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
            let known = PrincipalName::from_aws(name).or_else(|| PrincipalName::from_service(name));
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
// INVARIANT: variants are stored by their order; new ones go to the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum IdentityRecord {
    Account {
        id: AccountId,
        name: String,
    },
    /// A user from before there were groups, managed policies and boundaries. Read, and no longer written.
    FormerUser(FormerUserRecord),
    Credential(CredentialRecord),
    User(UserRecord),
    Group(GroupRecord),
    Role(RoleRecord),
    ManagedPolicy(ManagedPolicyRecord),
    Issuer(IssuerRecord),
    /// What an issuer answered when its keys were last asked for. No manifest declares it.
    IssuerKeys(IssuerKeysRecord),
    Organization(OrganizationRecord),
}

impl Stored for IdentityRecord {
    const WHAT: &'static str = "identity";
}

impl IdentityRecord {
    /// Takes a record of a former shape for what is written today.
    pub(crate) fn modern(self) -> Self {
        let Self::FormerUser(former) = self else { return self };
        let FormerUserRecord { account, name, path, id, tags, policies } = former;
        let (managed_policies, permissions_boundary, groups) = Default::default();
        Self::User(UserRecord {
            account,
            name,
            path,
            id,
            tags,
            policies,
            managed_policies,
            permissions_boundary,
            groups,
        })
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FormerUserRecord {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    pub id: String,
    pub tags: BTreeMap<String, String>,
    pub policies: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserRecord {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    /// `AIDA...`, drawn when the user was first declared.
    pub id: String,
    pub tags: BTreeMap<String, String>,
    /// Name and JSON text of each inline policy.
    pub policies: Vec<(String, String)>,
    /// Names of managed policies of the account.
    pub managed_policies: Vec<String>,
    /// The name of a managed policy of the account.
    pub permissions_boundary: Option<String>,
    /// Names of groups of the account.
    pub groups: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupRecord {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    pub policies: Vec<(String, String)>,
    pub managed_policies: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoleRecord {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    /// `AROA...`, drawn when the role was first declared.
    pub id: String,
    pub tags: BTreeMap<String, String>,
    pub policies: Vec<(String, String)>,
    pub managed_policies: Vec<String>,
    pub permissions_boundary: Option<String>,
    pub trust_policy: String,
    pub max_session_duration_seconds: u32,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ManagedPolicyRecord {
    pub account: AccountId,
    pub name: String,
    pub path: String,
    pub document: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IssuerRecord {
    pub account: AccountId,
    pub url: String,
    pub client_ids: Vec<String>,
    pub jwks: JwksSource,
}

/// Accounts that declare the same issuer share its keys.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IssuerKeysRecord {
    /// The `https:` URL that was asked.
    pub jwks_url: String,
    /// The JSON text of the key set.
    pub jwks: String,
    pub fetched: Timestamp,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OrganizationRecord {
    pub id: String,
    pub management_account: AccountId,
    pub policies: Vec<ControlPolicy>,
    pub root: String,
    pub attached: ControlPolicies,
    /// Id, parent's id, policies.
    pub units: Vec<(String, String, ControlPolicies)>,
    /// Account, parent's id, policies.
    pub accounts: Vec<(AccountId, String, ControlPolicies)>,
}

impl OrganizationRecord {
    /// Whether every place and policy that it refers to is in it, and every way leads to the root. Err says what is not.
    pub(crate) fn check(&self) -> Result<(), String> {
        let units: BTreeMap<&str, &str> = self.units.iter().map(|(id, parent, _)| (&**id, &**parent)).collect();
        if units.len() < self.units.len() || units.contains_key(&*self.root) {
            return Err("two of its units have the same id".to_owned());
        }
        let starts = units.keys().copied().chain(self.accounts.iter().map(|(_, parent, _)| &**parent));
        for start in starts {
            let way = std::iter::successors(Some(start), |at| units.get(at).copied());
            match way.take(UNIT_LEVELS_MAX + 1).last() {
                Some(end) if end == self.root => {}
                Some(end) if units.contains_key(end) => {
                    return Err(format!("{start} is more than {UNIT_LEVELS_MAX} levels below the root"));
                }
                end => return Err(format!("{} is not declared", end.unwrap_or(start))),
            }
        }
        let attached = self.units.iter().map(|(.., attached)| attached);
        let attached = attached.chain(self.accounts.iter().map(|(.., attached)| attached)).chain([&self.attached]);
        for ControlPolicies { service, resource } in attached {
            let service = service.iter().flatten().filter(|name| *name != FULL_ACCESS);
            let service = service.map(|name| (ControlPolicyKind::Service, name));
            let resource = resource.iter().map(|name| (ControlPolicyKind::Resource, name));
            let is_there =
                |kind, name: &str| self.policies.iter().any(|known| known.kind == kind && known.name == name);
            if let Some((_, name)) = service.chain(resource).find(|(kind, name)| !is_there(*kind, name)) {
                return Err(format!("its policy {name} is not declared"));
            }
        }
        Ok(())
    }
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use super::*;

    #[test]
    fn a_user_of_a_former_shape_reads_as_one_without_what_there_was_not() {
        // As it was written: the variant's number, account, name, path, id, no tags, one policy.
        let mut bytes = vec![FORMAT_V1, 1];
        for text in ["111122223333", "ana", "/", "AIDAAAAAAAAAAAAAAAAAA"] {
            bytes.push(u8::try_from(text.len()).unwrap());
            bytes.extend_from_slice(text.as_bytes());
        }
        bytes.extend_from_slice(&[0, 1, 1, b'p', 2, b'{', b'}']);
        let IdentityRecord::User(user) = IdentityRecord::decode(&bytes).unwrap().modern() else { panic!() };
        assert_eq!((user.account.as_str(), &*user.name, &*user.id), ("111122223333", "ana", "AIDAAAAAAAAAAAAAAAAAA"));
        assert_eq!(user.policies, [("p".to_owned(), "{}".to_owned())]);
        assert_eq!((user.managed_policies.len(), user.permissions_boundary, user.groups.len()), (0, None, 0));
    }
}
