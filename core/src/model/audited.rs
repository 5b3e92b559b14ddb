//! What an audit record shows of an input or output: CloudTrail's camel case, no secret, no blob, no token.
//! Each type says for itself what may be shown; what says nothing is left out.

use std::collections::BTreeMap;

use kms_hsm::Plaintext;
use serde_json::{Map, Value};

use super::constraint::camel;
use super::value::{Blob, SecretText};
use crate::clock::Timestamp;

pub(super) trait Audited {
    /// `None` for what is absent or must not be shown.
    fn audited(&self) -> Option<Value>;
}

/// Adds one member of a structure, if it may be shown. Grant tokens and import tokens carry rights, so no token is.
pub(super) fn show<T: Audited>(name: &str, value: &T, shown: &mut Map<String, Value>) {
    if name.contains("Token") {
        return;
    }
    if let Some(value) = value.audited() {
        shown.insert(camel(name), value);
    }
}

impl<T: Audited> Audited for Option<T> {
    fn audited(&self) -> Option<Value> {
        self.as_ref().and_then(T::audited)
    }
}

impl<T: Audited> Audited for Vec<T> {
    fn audited(&self) -> Option<Value> {
        if self.is_empty() { None } else { Some(self.iter().filter_map(T::audited).collect()) }
    }
}

impl Audited for BTreeMap<String, String> {
    fn audited(&self) -> Option<Value> {
        Some(self.iter().map(|(key, value)| (key.clone(), Value::from(value.as_str()))).collect())
    }
}

impl Audited for String {
    fn audited(&self) -> Option<Value> {
        Some(Value::from(self.as_str()))
    }
}

impl Audited for bool {
    fn audited(&self) -> Option<Value> {
        Some(Value::from(*self))
    }
}

impl Audited for i32 {
    fn audited(&self) -> Option<Value> {
        Some(Value::from(*self))
    }
}

/// ISO 8601, as everywhere in an audit record.
impl Audited for Timestamp {
    fn audited(&self) -> Option<Value> {
        Some(Value::from(self.iso()))
    }
}

impl Audited for Blob {
    fn audited(&self) -> Option<Value> {
        None
    }
}

impl Audited for Plaintext {
    fn audited(&self) -> Option<Value> {
        None
    }
}

impl Audited for SecretText {
    fn audited(&self) -> Option<Value> {
        None
    }
}
