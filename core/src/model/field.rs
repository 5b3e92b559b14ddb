//! Members of an input by their wire name, whatever the operation: what condition keys and resolvers ask for.
//! Shows no secret; knows no operation.

use std::any::Any;
use std::collections::BTreeMap;

use kms_hsm::Plaintext;

use super::generated::{GrantConstraints, Tag};
use super::value::{Blob, SecretText};
use crate::clock::Timestamp;

/// The value of one member that is present.
#[derive(Clone, Debug)]
pub enum Field<'a> {
    Text(&'a str),
    Integer(i64),
    Flag(bool),
    Texts(Vec<&'a str>),
    Pairs(&'a BTreeMap<String, String>),
    Blob(&'a [u8]),
    /// A structure, or a list of structures.
    Structure(&'a dyn Any),
}

impl<'a> Field<'a> {
    pub fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn blob(self) -> Option<&'a [u8]> {
        match self {
            Self::Blob(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub fn tags(self) -> Option<&'a [Tag]> {
        match self {
            Self::Structure(structure) => structure.downcast_ref::<Vec<Tag>>().map(Vec::as_slice),
            _ => None,
        }
    }

    pub fn constraints(self) -> Option<&'a GrantConstraints> {
        match self {
            Self::Structure(structure) => structure.downcast_ref(),
            _ => None,
        }
    }
}

/// The members of a structure by name.
pub(super) trait Fields {
    const MEMBERS: &'static [&'static str];

    fn field(&self, name: &str) -> Option<Field<'_>>;
}

/// A type that a member can have.
pub(super) trait AsField: Any {
    /// `None` when absent, and for secrets.
    fn as_field(&self) -> Option<Field<'_>>;

    /// For the elements of lists of names.
    fn as_name(&self) -> Option<&str> {
        None
    }
}

impl<T: AsField> AsField for Option<T> {
    fn as_field(&self) -> Option<Field<'_>> {
        self.as_ref().and_then(T::as_field)
    }
}

impl<T: AsField> AsField for Vec<T> {
    fn as_field(&self) -> Option<Field<'_>> {
        if self.is_empty() {
            return None;
        }
        let names: Option<Vec<&str>> = self.iter().map(T::as_name).collect();
        Some(names.map_or(Field::Structure(self), Field::Texts))
    }
}

impl AsField for String {
    fn as_field(&self) -> Option<Field<'_>> {
        Some(Field::Text(self))
    }

    fn as_name(&self) -> Option<&str> {
        Some(self)
    }
}

impl AsField for bool {
    fn as_field(&self) -> Option<Field<'_>> {
        Some(Field::Flag(*self))
    }
}

impl AsField for i32 {
    fn as_field(&self) -> Option<Field<'_>> {
        Some(Field::Integer(i64::from(*self)))
    }
}

impl AsField for BTreeMap<String, String> {
    fn as_field(&self) -> Option<Field<'_>> {
        Some(Field::Pairs(self))
    }
}

impl AsField for Blob {
    fn as_field(&self) -> Option<Field<'_>> {
        Some(Field::Blob(&self.0))
    }
}

/// Unix time in whole seconds, as `kms:ValidTo` is compared.
impl AsField for Timestamp {
    fn as_field(&self) -> Option<Field<'_>> {
        i64::try_from(self.seconds()).ok().map(Field::Integer)
    }
}

impl AsField for Plaintext {
    fn as_field(&self) -> Option<Field<'_>> {
        None
    }
}

impl AsField for SecretText {
    fn as_field(&self) -> Option<Field<'_>> {
        None
    }
}
