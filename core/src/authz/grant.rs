//! Grants: permission for one principal on one key, without any policy.
//! Knows what a grant allows and who may retire it; must not know where grants are kept or how tokens look.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::context::{FactKey, Facts, Value};
use super::permit::RETIRE_GRANT;
use super::principal::{Principal, PrincipalName, Reach};
use crate::clock::Timestamp;

/// The name to index grants by: that of their grantee. [`PrincipalName::all_of`] lists the names to look a caller up
/// under.
pub type Grantee = PrincipalName;

/// One grant on one key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Grant {
    /// 64 hexadecimal digits.
    pub id: Arc<str>,
    pub name: Option<String>,
    pub grantee: PrincipalName,
    pub retiring: Option<PrincipalName>,
    pub operations: Operations,
    pub constraints: Constraints,
    /// The account that created it, twelve digits.
    pub issuing_account: String,
    pub created: Timestamp,
    /// Whether it counts without its token.
    pub consistent: bool,
}

/// Where a decision finds grants. It is asked only when the policies leave something open, as a key may have tens of
/// thousands of grants and most requests need none.
pub trait GrantSource: fmt::Debug {
    /// The grants that may concern the caller and allow `operation` (`Encrypt`), in the order in which they are named.
    /// It may give more than those: each is looked at in full.
    fn grants<'a>(&'a self, operation: &'a str) -> Box<dyn Iterator<Item = &'a Grant> + 'a>;
}

impl GrantSource for Vec<&Grant> {
    fn grants<'a>(&'a self, _: &'a str) -> Box<dyn Iterator<Item = &'a Grant> + 'a> {
        Box::new(self.iter().copied())
    }
}

impl<const COUNT: usize> GrantSource for [&Grant; COUNT] {
    fn grants<'a>(&'a self, _: &'a str) -> Box<dyn Iterator<Item = &'a Grant> + 'a> {
        Box::new(self.iter().copied())
    }
}

/// No grant at all.
impl Default for &dyn GrantSource {
    fn default() -> Self {
        const NONE: &[&Grant; 0] = &[];
        NONE
    }
}

/// What a request must satisfy beyond its operation.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Constraints {
    pub encryption_context: Option<ContextConstraint>,
    /// Compared with `aws:SourceArn` when a service calls.
    pub source_arn: Option<String>,
}

/// A constraint on the encryption context; names and values are case-sensitive.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum ContextConstraint {
    /// Exactly these pairs.
    Equals(BTreeMap<String, String>),
    /// At least these pairs.
    Subset(BTreeMap<String, String>),
}

/// The operations that a grant can allow (shape `GrantOperation` of the API); the bit is the index.
const NAMES: [&str; 19] = [
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "Sign",
    "Verify",
    "GetPublicKey",
    "CreateGrant",
    "RetireGrant",
    "DescribeKey",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
    "GenerateMac",
    "VerifyMac",
    "DeriveSharedSecret",
    "Encapsulate",
    "Decapsulate",
];

/// Encryption-context constraints apply to these: the symmetric cryptographic operations (KMS Developer Guide, "Grants").
const TAKES_CONTEXT: [&str; 8] = [
    "Decrypt",
    "Encrypt",
    "GenerateDataKey",
    "GenerateDataKeyWithoutPlaintext",
    "ReEncryptFrom",
    "ReEncryptTo",
    "GenerateDataKeyPair",
    "GenerateDataKeyPairWithoutPlaintext",
];

/// A set of grant operations.
// INVARIANT: bits are stored in the state; new names go to the end of `NAMES`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Operations(u32);

impl Operations {
    /// `None` when one of the names is no grant operation.
    pub fn from_names<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<Self> {
        names.into_iter().try_fold(Self::default(), |set, name| Some(Self(set.0 | bit(name)?)))
    }

    pub fn contains(self, name: &str) -> bool {
        bit(name).is_some_and(|bit| self.0 & bit != 0)
    }

    /// Whether a grant of these can allow `operation` at all. RetireGrant needs not be among them: the retiring principal
    /// and the issuing account may retire any grant.
    pub fn may_allow(self, operation: &str) -> bool {
        self.contains(operation) || operation.eq_ignore_ascii_case(RETIRE_GRANT.trim_start_matches("kms:"))
    }

    pub fn is_subset_of(self, other: Self) -> bool {
        self.0 & !other.0 == 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn names(self) -> impl Iterator<Item = &'static str> {
        NAMES.into_iter().filter(move |name| self.contains(name))
    }
}

impl Grant {
    /// Whether it allows `operation` (`Encrypt`, `ReEncryptFrom`), and how closely its grantee fits the caller.
    pub(super) fn allows(
        &self,
        operation: &str,
        caller: &Principal,
        encryption_context: Option<&BTreeMap<String, String>>,
        facts: &dyn Facts,
    ) -> Option<Reach> {
        let reach = self.operations.contains(operation).then(|| self.grantee.reach(caller)).flatten()?;
        self.constraints.admit(operation, caller, encryption_context, facts).then_some(reach)
    }
}

impl Constraints {
    fn admit(
        &self,
        operation: &str,
        caller: &Principal,
        encryption_context: Option<&BTreeMap<String, String>>,
        facts: &dyn Facts,
    ) -> bool {
        let context = self.encryption_context.as_ref().filter(|_| TAKES_CONTEXT.contains(&operation));
        let context_fits = context.is_none_or(|constraint| constraint.admits(encryption_context));
        let source = self.source_arn.as_deref().filter(|_| matches!(caller, Principal::Service { .. }));
        let source_fits =
            source.is_none_or(|source| facts.value(&FactKey::new("aws:SourceArn")) == Some(Value::one(source)));
        context_fits && source_fits
    }
}

impl ContextConstraint {
    fn admits(&self, encryption_context: Option<&BTreeMap<String, String>>) -> bool {
        let none = BTreeMap::new();
        let given = encryption_context.unwrap_or(&none);
        match self {
            Self::Equals(pairs) => pairs == given,
            Self::Subset(pairs) => includes(given, pairs),
        }
    }

    /// At least as strict: whatever this admits, the other does.
    fn narrows(&self, parent: &Self) -> bool {
        match (parent, self) {
            (Self::Equals(parent), Self::Equals(child)) => parent == child,
            (Self::Equals(_), Self::Subset(_)) => false,
            (Self::Subset(parent), Self::Subset(child) | Self::Equals(child)) => includes(child, parent),
        }
    }
}

/// Whether someone whose right to CreateGrant comes from `parent` may create a grant with these operations and
/// constraints: no more operations, and constraints at least as strict.
pub fn permits_child(parent: &Grant, operations: Operations, constraints: &Constraints) -> bool {
    let context = match (&parent.constraints.encryption_context, &constraints.encryption_context) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(parent), Some(child)) => child.narrows(parent),
    };
    let source = parent.constraints.source_arn.is_none() || parent.constraints.source_arn == constraints.source_arn;
    operations.is_subset_of(parent.operations) && context && source
}

/// How the caller may retire a grant: as its retiring principal, as its grantee when RetireGrant is among its
/// operations, or (`Reach::Account`, which needs an identity policy) through an account.
pub fn may_retire(grant: &Grant, caller: &Principal) -> Option<Reach> {
    let retiring = grant.retiring.as_ref().and_then(|name| name.reach(caller));
    let grantee = grant.operations.contains("RetireGrant").then(|| grant.grantee.reach(caller)).flatten();
    let issuer = (caller.account() == Some(&grant.issuing_account)).then_some(Reach::Account);
    [retiring, grantee, issuer].into_iter().flatten().min()
}

fn bit(name: &str) -> Option<u32> {
    NAMES.iter().position(|known| *known == name).map(|index| 1 << index)
}

fn includes(all: &BTreeMap<String, String>, some: &BTreeMap<String, String>) -> bool {
    some.iter().all(|(name, value)| all.get(name) == Some(value))
}
