//! What the API model says: the inputs, outputs, enums and error codes of all operations, and their JSON 1.1 form.
//! `generated` is written by a test from the model; the rest is the machinery that its rows expand into.
//! Knows nothing of keys, policies or HTTP, and decides nothing that the model leaves to the service.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use zeroize::Zeroizing;

mod audited;
mod constraint;
mod field;
mod read;
mod scalar;
mod value;
mod write;
#[macro_use]
mod shape;
#[rustfmt::skip] // one row per shape reads better than what rustfmt makes of it
mod generated;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub use self::field::Field;
pub use self::generated::*;
pub use self::value::{Blob, SecretText, UnknownName};

/// An operation's input.
///
/// The accessors answer for the member of that name; an input without such a member answers as one that left it out.
pub trait Request: Sized + Send + Sync + 'static {
    /// The name of the input in the model.
    const SHAPE: &'static str;
    /// The wire names of its members.
    const MEMBERS: &'static [&'static str];

    /// Reads an AWS JSON 1.1 body. Members that are null count as absent, unknown ones are ignored, an empty body is `{}`.
    ///
    /// # Errors
    /// `Invalid::Serialization` for what is not a JSON object with members of the right types, each named once;
    /// otherwise `Invalid::Validation` with all violations of the model, in the model's order.
    fn parse(body: &[u8]) -> Result<Self, Invalid>;

    /// The input as CloudTrail shows it: camel case, without sensitive, blob and token members.
    fn audit_parameters(&self) -> Option<Box<RawValue>>;

    /// The member of that wire name, when it is present and no secret.
    fn member(&self, name: &str) -> Option<Field<'_>>;

    /// `KeyId`, as sent.
    fn key_id(&self) -> Option<&str> {
        None
    }

    fn dry_run(&self) -> bool {
        false
    }

    fn grant_tokens(&self) -> &[String] {
        &[]
    }

    /// `EncryptionContext`; the two contexts of ReEncrypt are members of its own.
    fn encryption_context(&self) -> Option<&BTreeMap<String, String>> {
        None
    }

    fn has_recipient(&self) -> bool {
        false
    }

    fn limit(&self) -> Option<i32> {
        None
    }

    fn marker(&self) -> Option<&str> {
        None
    }
}

/// An operation's output.
pub trait Response: Send + 'static {
    /// The name of the output in the model; empty where the operation has none.
    const SHAPE: &'static str;

    /// The output as AWS JSON 1.1, absent members left out. Written in one allocation, which is wiped when dropped.
    fn encode(&self) -> Zeroizing<Vec<u8>>;

    /// The output as CloudTrail shows it: camel case, without sensitive, blob and token members.
    fn audit_elements(&self) -> Option<Box<RawValue>>;
}

/// The output of an operation that has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Empty;

impl Response for Empty {
    const SHAPE: &'static str = "";

    fn encode(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(b"{}".to_vec())
    }

    fn audit_elements(&self) -> Option<Box<RawValue>> {
        RawValue::from_string("{}".to_owned()).ok()
    }
}

/// Why a body is not an operation's input. The texts are for the caller.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Not JSON (no text), or JSON of another form than the input's.
    #[error("{}", .0.as_deref().unwrap_or_default())]
    Serialization(Option<String>),
    /// Well formed, but outside of what the model allows.
    #[error("{0}")]
    Validation(String),
}

impl Invalid {
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Serialization(_) => ErrorCode::SerializationException,
            Self::Validation(_) => ErrorCode::ValidationException,
        }
    }
}

/// What the model says of one operation.
#[derive(Clone, Copy, Debug)]
pub struct OperationModel {
    pub name: &'static str,
    /// The names of the shapes, as in `Request::SHAPE` and `Response::SHAPE`.
    pub input: &'static str,
    pub output: &'static str,
    /// The errors of its own, beside those that every operation has.
    pub errors: &'static [ErrorCode],
    /// What a grant must allow for this operation; ReEncrypt has two, an operation that no grant can allow has none.
    pub grants: &'static [GrantOperation],
    /// Whether it works on another account's key at all.
    pub across_accounts: bool,
    /// How many items a page holds, where the operation pages.
    pub page: Option<Page>,
    /// Parses a body as this operation's input and drops it.
    pub validate: fn(&[u8]) -> Result<(), Invalid>,
}

impl OperationModel {
    /// The row of the operation with this name.
    pub fn find(name: &str) -> Option<&'static Self> {
        OPERATIONS.iter().find(|operation| operation.name == name)
    }

    /// The names of the permissions on keys that are the operation's own: its name, but for ReEncrypt, which has two.
    pub fn actions(&self) -> impl Iterator<Item = &'static str> {
        let twofold = self.grants.len() > 1;
        let own = (!twofold).then_some(self.name);
        own.into_iter().chain(self.grants.iter().filter(move |_| twofold).map(|grant| grant.as_str()))
    }

    /// The operation that a permission (`ReEncryptFrom`, case ignored) is for, and the permission as AWS spells it.
    pub fn of_action(action: &str) -> Option<(&'static Self, &'static str)> {
        let named = |operation: &'static Self| {
            let spelled = operation.actions().find(|name| name.eq_ignore_ascii_case(action));
            spelled.map(|name| (operation, name))
        };
        OPERATIONS.iter().find_map(named)
    }
}

/// Items in a page: without `Limit`, and at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub items_default: i32,
    pub items_max: i32,
}
