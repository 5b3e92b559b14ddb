//! One line of `policy decide`: a request and everything that has a say, borrowed from the line's text.
//! Knows the shape of a case; must not know how documents are parsed or what is decided.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::authz::{FactKey, Facts, Value};

#[derive(Debug, Deserialize)]
pub(super) struct Case<'a> {
    #[serde(borrow)]
    pub(super) request: Request<'a>,
    #[serde(borrow, default)]
    pub(super) identity_policies: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    pub(super) resource_policy: Option<&'a RawValue>,
    /// `None` when the request came through no endpoint.
    #[serde(borrow, default)]
    pub(super) vpc_endpoint_policy: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) session_policy: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) permissions_boundary: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) scps: Option<Vec<Vec<&'a RawValue>>>,
    #[serde(borrow, default)]
    pub(super) rcps: Option<Vec<Vec<&'a RawValue>>>,
    #[serde(borrow, default)]
    pub(super) grants: Option<Vec<GrantEntry<'a>>>,
    #[serde(borrow, default)]
    pub(super) grant_tokens: Option<Vec<Text<'a>>>,
}

/// The one member that an answer repeats, whatever it is.
#[derive(Debug, Deserialize)]
pub(super) struct Identified<'a> {
    #[serde(borrow, default)]
    pub(super) id: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Request<'a> {
    #[serde(borrow)]
    pub(super) principal: Text<'a>,
    #[serde(borrow)]
    pub(super) action: Text<'a>,
    #[serde(borrow)]
    pub(super) resource: Text<'a>,
    #[serde(borrow, default)]
    pub(super) resource_account: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) context: Option<Context<'a>>,
    #[serde(default)]
    pub(super) encryption_context: Option<BTreeMap<String, String>>,
}

/// A grant as ListGrants shows it (members that no decision looks at are passed over), and our two beside it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GrantEntry<'a> {
    #[serde(borrow, default)]
    pub(super) grant_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) key_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) grantee_principal: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) grantee_service_principal: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) retiring_principal: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) retiring_service_principal: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) issuing_account: Option<Text<'a>>,
    #[serde(borrow)]
    pub(super) operations: Vec<Text<'a>>,
    #[serde(default)]
    pub(super) constraints: Option<Constraints>,
    #[serde(borrow, default)]
    pub(super) grant_token: Option<Text<'a>>,
    /// `false` for a grant that is not yet known everywhere.
    #[serde(default, rename = "consistent")]
    pub(super) consistent: Option<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Constraints {
    #[serde(default)]
    pub(super) encryption_context_equals: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) encryption_context_subset: Option<BTreeMap<String, String>>,
    #[serde(default)]
    pub(super) source_arn: Option<String>,
}

/// A string, borrowed where it holds no escapes.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl std::ops::Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// The condition keys of the request. It is complete: a key that is not in it is absent.
#[derive(Debug, Default)]
pub(super) struct Context<'a>(Vec<(Text<'a>, Value<'a>)>);

impl Context<'_> {
    /// The value of a key that holds one text.
    pub(super) fn one(&self, lower: &str) -> Option<&str> {
        let (_, value) = self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(lower))?;
        match value {
            Value::One(text) => Some(text),
            Value::Many(_) | Value::Ambiguous => None,
        }
    }

    /// The encryption context as its condition keys tell it, for a case that does not tell it apart from them.
    pub(super) fn encryption_context(&self) -> BTreeMap<String, String> {
        const HEAD: &str = "kms:encryptioncontext:";
        let pair = |(name, value): &(Text<'_>, Value<'_>)| {
            let (head, tail) = name.split_at_checked(HEAD.len())?;
            match value {
                Value::One(text) if head.eq_ignore_ascii_case(HEAD) => Some((tail.to_owned(), text.to_string())),
                _ => None,
            }
        };
        self.0.iter().filter_map(pair).collect()
    }
}

impl Facts for Context<'_> {
    fn value(&self, key: &FactKey) -> Option<Value<'_>> {
        let lower = key.name();
        let same = |name: &str| {
            if name.is_ascii() { name.eq_ignore_ascii_case(lower) } else { name.to_lowercase() == lower }
        };
        let mut found = self.0.iter().filter(|(name, _)| same(name));
        let (_, value) = found.next()?;
        Some(if found.next().is_some() { Value::Ambiguous } else { value.borrowed() })
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Context<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ContextReader).map(Self)
    }
}

struct ContextReader;

impl<'de> Visitor<'de> for ContextReader {
    type Value = Vec<(Text<'de>, Value<'de>)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of condition keys")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut context: Self::Value = Vec::new();
        while let Some(name) = members.next_key::<Text<'de>>()? {
            if context.iter().any(|(known, _)| **known == *name) {
                return Err(A::Error::custom(format_args!("condition key `{}` is repeated", &*name)));
            }
            if let Some(value) = members.next_value::<ContextValue<'de>>()?.0 {
                context.push((name, value));
            }
        }
        Ok(context)
    }
}

/// A condition key's value; `None` for null, which says that the key is absent.
struct ContextValue<'a>(Option<Value<'a>>);

impl<'de: 'a, 'a> Deserialize<'de> for ContextValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueReader).map(Self)
    }
}

struct ValueReader;

impl<'de> Visitor<'de> for ValueReader {
    type Value = Option<Value<'de>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string or a list of strings")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(Some(Value::one(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
        Ok(Some(Value::One(Cow::Owned(text.to_owned()))))
    }

    // Policies compare booleans and numbers as text.
    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Some(Value::bool(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Some(Value::One(value.to_string().into())))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Some(Value::One(value.to_string().into())))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Self::Value, E> {
        Ok(Some(Value::One(value.to_string().into())))
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let mut many = Vec::new();
        while let Some(item) = items.next_element::<ContextValue<'de>>()? {
            match item.0 {
                Some(Value::One(text)) => many.push(text),
                _ => return Err(A::Error::custom("a list in a list, or null in one")),
            }
        }
        Ok(Some(Value::Many(many)))
    }
}
