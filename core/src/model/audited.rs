//! What an audit record shows of an input or output: CloudTrail's camel case, no secret, no blob, no token.
//! Each type says for itself what may be shown; what says nothing is left out.

use std::collections::BTreeMap;

use kms_hsm::Plaintext;
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::value::{RawValue, to_raw_value};

use super::constraint::camel;
use super::value::{Blob, SecretText};
use crate::clock::Timestamp;

pub(super) trait Audited {
    /// False for what is absent or must not be shown.
    fn is_shown(&self) -> bool {
        true
    }

    fn show<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error>;
}

/// A whole input or output as JSON.
pub(super) fn shown<T: Audited>(value: &T) -> Option<Box<RawValue>> {
    to_raw_value(&Shown(value)).ok()
}

/// Adds one member of a structure, if it may be shown. Grant tokens and import tokens carry rights, so no token is.
pub(super) fn show<T: Audited, M: SerializeMap>(name: &str, value: &T, to: &mut M) -> Result<(), M::Error> {
    if name.contains("Token") || !value.is_shown() {
        return Ok(());
    }
    to.serialize_entry(&camel(name), &Shown(value))
}

struct Shown<'a, T>(&'a T);

impl<T: Audited> Serialize for Shown<'_, T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.0.show(to)
    }
}

impl<T: Audited> Audited for Option<T> {
    fn is_shown(&self) -> bool {
        self.as_ref().is_some_and(T::is_shown)
    }

    fn show<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Some(value) => value.show(to),
            None => to.serialize_none(),
        }
    }
}

impl<T: Audited> Audited for Vec<T> {
    fn is_shown(&self) -> bool {
        !self.is_empty()
    }

    fn show<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter().filter(|value| value.is_shown()).map(Shown))
    }
}

impl Audited for BTreeMap<String, String> {
    fn show<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self)
    }
}

impl Audited for String {
    fn show<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self)
    }
}

impl Audited for bool {
    fn show<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bool(*self)
    }
}

impl Audited for i32 {
    fn show<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_i32(*self)
    }
}

/// ISO 8601, as everywhere in an audit record.
impl Audited for Timestamp {
    fn show<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.iso())
    }
}

macro_rules! never_shown {
    ($($type:ty),+) => {
        $(impl Audited for $type {
            fn is_shown(&self) -> bool {
                false
            }

            fn show<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_none()
            }
        })+
    };
}

never_shown!(Blob, Plaintext, SecretText);
