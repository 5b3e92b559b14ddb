//! Policy variables: `${key}` and `${key, 'default'}`.
//! Knows how one is written and resolved; must not know what it is compared with.

use std::borrow::Cow;

use super::context::{FactKey, Facts, Value};

/// Why a part of a statement could not be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// A variable without value and default: what holds it matches nothing. Not an error of the statement.
    Unresolved,
    /// A key that the request holds in several spellings.
    Ambiguous,
    /// A value that is not of the operator's type.
    WrongType,
}

/// One policy variable.
#[derive(Debug)]
pub(super) struct Variable {
    key: FactKey,
    default: Option<Box<str>>,
}

impl Variable {
    /// From the text between `${` and `}`.
    pub(super) fn parse(inner: &str) -> Self {
        let (key, default) = inner.split_once(',').unwrap_or((inner, ""));
        let default = default.trim().strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        Self { key: FactKey::new(key.trim()), default: default.map(Into::into) }
    }

    /// The text to put in. Only single-valued keys have one.
    pub(super) fn resolve<'a>(&'a self, facts: &'a dyn Facts) -> Result<Cow<'a, str>, Trouble> {
        match facts.value(&self.key) {
            Some(Value::One(text)) => Ok(text),
            Some(Value::Ambiguous) => Err(Trouble::Ambiguous),
            Some(Value::Many(texts)) if !texts.is_empty() => Err(Trouble::Unresolved),
            Some(Value::Many(_)) | None => self.default.as_deref().map(Cow::Borrowed).ok_or(Trouble::Unresolved),
        }
    }
}
