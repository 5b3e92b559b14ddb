//! From a JSON 1.1 body to an input: first read what is there, then judge it as a whole by the model's rules.
//! Wrong JSON types end the reading; broken rules are collected, so that the caller sees all of them at once.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{DeserializeOwned, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use zeroize::Zeroizing;

use super::Invalid;
use super::constraint::{At, Constraint, Rule, Violations};
use super::scalar::Scalar;

const WRONG_TYPE: &str = "Unexpected field type";

/// What a member can be: read as `Raw`, judged by a rule, and then built.
pub(super) trait Member: Sized {
    type Raw: DeserializeOwned;

    fn breaks(_raw: &Self::Raw, _constraint: &Constraint) -> bool {
        false
    }

    /// The value as a validation text repeats it; `None` for blobs and what is sensitive.
    fn shown(_raw: &Self::Raw) -> Option<String> {
        None
    }

    /// Adds a violation whenever it answers `None`, unless a constraint of the member itself was broken.
    fn build(raw: Self::Raw, at: &At<'_>, found: &mut Violations) -> Option<Self>;
}

/// The members of a structure as they arrive.
pub(super) trait Members: Default {
    /// Reads the value of the member with this name, or skips it.
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, from: &mut A) -> Result<(), A::Error>;
}

/// Reads a whole body.
pub(super) fn body<T: Member>(body: &[u8]) -> Result<T, Invalid> {
    read(body, plain_slashes)
}

/// `body` with the way in which slashes are unescaped, so that a test can plant a bug there.
pub(super) fn read<T: Member>(
    body: &[u8],
    plain: impl FnOnce(&[u8]) -> Option<Zeroizing<Vec<u8>>>,
) -> Result<T, Invalid> {
    let raw = match plain(body) {
        Some(plain) => parse::<T::Raw>(&plain)?,
        None => parse::<T::Raw>(body)?,
    };
    let mut found = Violations::default();
    let built = T::build(raw, &At::Input, &mut found);
    match built {
        Some(input) if found.is_empty() => Ok(input),
        _ => Err(Invalid::Validation(found.message())),
    }
}

/// The same JSON without the escape `\/`, which some clients write inside base64: a string without escapes is read in
/// place, one with escapes through a buffer of the parser's that is never wiped. `None` where nothing is escaped.
pub(super) fn plain_slashes(body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    if !body.contains(&b'\\') {
        return None;
    }
    let mut plain = Zeroizing::new(Vec::with_capacity(body.len()));
    let mut rest = body.iter().copied();
    while let Some(byte) = rest.next() {
        let escaped = if byte == b'\\' { rest.next() } else { None };
        match escaped {
            Some(b'/') => plain.push(b'/'),
            Some(escaped) => plain.extend([byte, escaped]),
            None => plain.push(byte),
        }
    }
    Some(plain)
}

/// A required member.
pub(super) fn must<T: Member>(
    raw: Option<T::Raw>,
    at: &At<'_>,
    name: &'static str,
    rule: Rule,
    found: &mut Violations,
) -> Option<T> {
    if raw.is_none() {
        found.missing(&At::Member(at, name));
        return None;
    }
    may(raw, at, name, rule, found)?
}

/// An optional member: `Some(None)` when it is absent, `None` when it is wrong.
#[expect(clippy::option_option, reason = "the outer says whether it is right, the inner whether it is there")]
pub(super) fn may<T: Member>(
    raw: Option<T::Raw>,
    at: &At<'_>,
    name: &'static str,
    rule: Rule,
    found: &mut Violations,
) -> Option<Option<T>> {
    let Some(raw) = raw else { return Some(None) };
    let at = At::Member(at, name);
    for constraint in rule.iter().filter(|constraint| T::breaks(&raw, constraint)) {
        found.broken(&at, || T::shown(&raw), constraint);
    }
    T::build(raw, &at, found).map(Some)
}

/// An optional member whose absence means the type's default: an empty list, false.
pub(super) fn or_default<T: Member + Default>(
    raw: Option<T::Raw>,
    at: &At<'_>,
    name: &'static str,
    rule: Rule,
    found: &mut Violations,
) -> Option<T> {
    may(raw, at, name, rule, found).map(Option::unwrap_or_default)
}

/// Reads a member that may be there once; null is as good as absent.
///
/// # Errors
/// A second value for the same member, as two readers of the body could then see two different requests.
pub(super) fn once<'de, T: Deserialize<'de>, A: MapAccess<'de>>(
    slot: &mut Option<T>,
    from: &mut A,
) -> Result<(), A::Error> {
    if slot.is_some() {
        return Err(A::Error::custom("Duplicate member"));
    }
    *slot = from.next_value()?;
    Ok(())
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Invalid> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Invalid::Serialization(public(&error)))
}

/// The text for the caller. Only this file's own texts pass: serde's repeat the value, which may be a secret.
fn public(error: &serde_json::Error) -> Option<String> {
    if !error.is_data() {
        return None;
    }
    let text = error.to_string();
    let own = text.rsplit_once(" at line ").map_or(text.as_str(), |(own, _)| own);
    Some(if own.starts_with("invalid ") { WRONG_TYPE } else { own }.to_owned())
}

/// A member's name, in place where it has no escapes.
pub(super) struct Name<'de>(pub(super) Cow<'de, str>);

impl<'de> Deserialize<'de> for Name<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Name<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E: serde::de::Error>(self, name: &'de str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Borrowed(name)))
            }

            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Name<'de>, E> {
                Ok(Name(Cow::Owned(name.to_owned())))
            }
        }
        from.deserialize_str(Text)
    }
}

/// A structure as it arrives. Only a JSON object is one: serde's derive would also take a list of its members.
#[derive(Default)]
pub(super) struct Draft<M>(pub(super) M);

impl<'de, M: Members> Deserialize<'de> for Draft<M> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object<M>(PhantomData<M>);
        impl<'de, M: Members> Visitor<'de> for Object<M> {
            type Value = Draft<M>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a structure")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Draft<M>, A::Error> {
                let mut members = M::default();
                while let Some(name) = from.next_key::<Name<'de>>()? {
                    members.read(&name.0, &mut from)?;
                }
                Ok(Draft(members))
            }
        }
        from.deserialize_map(Object(PhantomData))
    }
}

/// Skips the value of a member that the model does not have.
pub(super) fn skip<'de, A: MapAccess<'de>>(from: &mut A) -> Result<(), A::Error> {
    from.next_value::<IgnoredAny>().map(drop)
}

/// A list as it arrives.
pub(super) struct Items<R>(Vec<Option<R>>);

impl<'de, R: Deserialize<'de>> Deserialize<'de> for Items<R> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct List<R>(PhantomData<R>);
        impl<'de, R: Deserialize<'de>> Visitor<'de> for List<R> {
            type Value = Items<R>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut from: A) -> Result<Items<R>, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = from.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        from.deserialize_seq(List(PhantomData))
    }
}

impl<T: Member> Member for Vec<T> {
    type Raw = Items<T::Raw>;

    fn breaks(raw: &Self::Raw, constraint: &Constraint) -> bool {
        match constraint {
            Constraint::LengthMax(max) => raw.0.len() > *max,
            Constraint::LengthMin(min) => raw.0.len() < *min,
            Constraint::Each(rule) => {
                raw.0.iter().flatten().any(|item| rule.iter().any(|constraint| T::breaks(item, constraint)))
            }
            _ => false,
        }
    }

    fn shown(raw: &Self::Raw) -> Option<String> {
        let items: Option<Vec<String>> =
            raw.0.iter().map(|item| item.as_ref().map_or_else(|| Some("null".to_owned()), T::shown)).collect();
        items.map(|items| format!("[{}]", items.join(", ")))
    }

    fn build(raw: Self::Raw, at: &At<'_>, found: &mut Violations) -> Option<Self> {
        let mut built = Vec::with_capacity(raw.0.len());
        for (index, item) in raw.0.into_iter().enumerate() {
            let at = At::Item(at, index);
            match item {
                Some(item) => built.push(T::build(item, &at, found)),
                None => found.missing(&at),
            }
        }
        built.into_iter().collect()
    }
}

/// A map of strings as it arrives: each key once, as the encryption context is authenticated data.
pub(super) struct Pairs(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Map;
        impl<'de> Visitor<'de> for Map {
            type Value = Pairs;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Pairs, A::Error> {
                let mut pairs = BTreeMap::new();
                while let Some((key, Scalar(value))) = from.next_entry::<String, Scalar<String>>()? {
                    if pairs.insert(key, value).is_some() {
                        return Err(A::Error::custom("Duplicate map key"));
                    }
                }
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(Map)
    }
}

impl Member for BTreeMap<String, String> {
    type Raw = Pairs;

    fn build(raw: Pairs, _: &At<'_>, _: &mut Violations) -> Option<Self> {
        Some(raw.0)
    }
}
