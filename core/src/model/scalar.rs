//! The scalars of a body: which JSON tokens each type takes, and how each is measured against the model's rules.
//! A refused token is never repeated in the text, as it may be a secret in the wrong place.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use kms_hsm::Plaintext;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};

use super::constraint::{At, Constraint, Violations, java_length};
use super::read::Member;
use super::value::{Blob, SecretText, from_base64};
use crate::clock::Timestamp;

/// The first second of the year 10000: no date that a client can mean is later.
const SECONDS_END: f64 = 253_402_300_800.0;

/// A scalar as it arrives.
pub(super) struct Scalar<T>(pub(super) T);

/// What one JSON token can be read as; the texts of refusals are those of AWS's reader.
trait Token: Sized {
    const KIND: &'static str;

    fn text<E: Error>(_: &str) -> Result<Self, E> {
        Err(cannot::<Self, E>("STRING_VALUE"))
    }

    fn whole<E: Error>(_: i64) -> Result<Self, E> {
        Err(cannot::<Self, E>("NUMBER_VALUE"))
    }

    fn decimal<E: Error>(_: f64) -> Result<Self, E> {
        Err(cannot::<Self, E>("DECIMAL_VALUE"))
    }

    fn truth<E: Error>(truth: bool) -> Result<Self, E> {
        Err(cannot::<Self, E>(if truth { "TRUE_VALUE" } else { "FALSE_VALUE" }))
    }
}

fn cannot<T: Token, E: Error>(token: &str) -> E {
    E::custom(format_args!("{token} cannot be converted to {}", T::KIND))
}

impl<'de, T: Token> Deserialize<'de> for Scalar<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct One<T>(PhantomData<T>);
        impl<'de, T: Token> Visitor<'de> for One<T> {
            type Value = Scalar<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(T::KIND)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<T>, E> {
                T::text(text).map(Scalar)
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Scalar<T>, E> {
                T::whole(number).map(Scalar)
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Scalar<T>, E> {
                i64::try_from(number).map_err(|_| cannot::<T, E>("NUMBER_VALUE")).and_then(T::whole).map(Scalar)
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Scalar<T>, E> {
                T::decimal(number).map(Scalar)
            }

            fn visit_bool<E: Error>(self, truth: bool) -> Result<Scalar<T>, E> {
                T::truth(truth).map(Scalar)
            }

            fn visit_unit<E: Error>(self) -> Result<Scalar<T>, E> {
                Err(cannot::<T, E>("NULL_VALUE"))
            }
        }
        from.deserialize_any(One(PhantomData))
    }
}

impl Token for String {
    const KIND: &'static str = "String";

    fn text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(text.to_owned())
    }
}

impl Member for String {
    type Raw = Scalar<Self>;

    fn breaks(raw: &Scalar<Self>, constraint: &Constraint) -> bool {
        text_breaks(&raw.0, constraint)
    }

    fn shown(raw: &Scalar<Self>) -> Option<String> {
        Some(raw.0.clone())
    }

    fn build(raw: Scalar<Self>, _: &At<'_>, _: &mut Violations) -> Option<Self> {
        Some(raw.0)
    }
}

impl Token for SecretText {
    const KIND: &'static str = "String";

    fn text<E: Error>(text: &str) -> Result<Self, E> {
        Ok(Self::new(text.to_owned()))
    }
}

impl Member for SecretText {
    type Raw = Scalar<Self>;

    fn breaks(raw: &Scalar<Self>, constraint: &Constraint) -> bool {
        text_breaks(raw.0.expose(), constraint)
    }

    fn build(raw: Scalar<Self>, _: &At<'_>, _: &mut Violations) -> Option<Self> {
        Some(raw.0)
    }
}

fn text_breaks(text: &str, constraint: &Constraint) -> bool {
    match constraint {
        Constraint::LengthMax(max) => java_length(text) > *max,
        Constraint::LengthMin(min) => java_length(text) < *min,
        Constraint::Matches(pattern) => !pattern.matches(text),
        _ => false,
    }
}

/// The enums of the model: read as text, so that an unknown name is a violation like any other.
pub(super) fn name_breaks<T: FromStr>(raw: &Scalar<String>, constraint: &Constraint) -> bool {
    matches!(constraint, Constraint::OneOf(_)) && T::from_str(&raw.0).is_err()
}

impl Token for i32 {
    const KIND: &'static str = "Integer";

    fn whole<E: Error>(number: i64) -> Result<Self, E> {
        Self::try_from(number).map_err(|_| cannot::<Self, E>("NUMBER_VALUE"))
    }
}

impl Member for i32 {
    type Raw = Scalar<Self>;

    fn breaks(raw: &Scalar<Self>, constraint: &Constraint) -> bool {
        match constraint {
            Constraint::ValueMax(max) => raw.0 > *max,
            Constraint::ValueMin(min) => raw.0 < *min,
            _ => false,
        }
    }

    fn shown(raw: &Scalar<Self>) -> Option<String> {
        Some(raw.0.to_string())
    }

    fn build(raw: Scalar<Self>, _: &At<'_>, _: &mut Violations) -> Option<Self> {
        Some(raw.0)
    }
}

impl Token for bool {
    const KIND: &'static str = "Boolean";

    fn truth<E: Error>(truth: bool) -> Result<Self, E> {
        Ok(truth)
    }
}

impl Member for bool {
    type Raw = Scalar<Self>;

    fn build(raw: Scalar<Self>, _: &At<'_>, _: &mut Violations) -> Option<Self> {
        Some(raw.0)
    }
}

impl Token for Timestamp {
    const KIND: &'static str = "Timestamp";

    fn whole<E: Error>(number: i64) -> Result<Self, E> {
        let milliseconds = u64::try_from(number).ok().filter(|seconds| (*seconds as f64) < SECONDS_END);
        milliseconds.map(|seconds| Self(seconds * 1000)).ok_or_else(|| cannot::<Self, E>("NUMBER_VALUE"))
    }

    fn decimal<E: Error>(number: f64) -> Result<Self, E> {
        if (0.0..SECONDS_END).contains(&number) {
            Ok(Self((number * 1000.0).round() as u64))
        } else {
            Err(cannot::<Self, E>("DECIMAL_VALUE"))
        }
    }
}

impl Member for Timestamp {
    type Raw = Scalar<Self>;

    fn build(raw: Scalar<Self>, _: &At<'_>, _: &mut Violations) -> Option<Self> {
        Some(raw.0)
    }
}

impl Token for Blob {
    const KIND: &'static str = "Blob";

    fn text<E: Error>(text: &str) -> Result<Self, E> {
        bytes(text).map(Self)
    }
}

impl Member for Blob {
    type Raw = Scalar<Self>;

    fn breaks(raw: &Scalar<Self>, constraint: &Constraint) -> bool {
        bytes_break(raw.0.0.len(), constraint)
    }

    fn build(raw: Scalar<Self>, _: &At<'_>, _: &mut Violations) -> Option<Self> {
        Some(raw.0)
    }
}

impl Token for Plaintext {
    const KIND: &'static str = "Blob";

    fn text<E: Error>(text: &str) -> Result<Self, E> {
        bytes(text).map(Self::new)
    }
}

impl Member for Plaintext {
    type Raw = Scalar<Self>;

    fn breaks(raw: &Scalar<Self>, constraint: &Constraint) -> bool {
        bytes_break(raw.0.len(), constraint)
    }

    fn build(raw: Scalar<Self>, _: &At<'_>, _: &mut Violations) -> Option<Self> {
        Some(raw.0)
    }
}

fn bytes<E: Error>(text: &str) -> Result<Vec<u8>, E> {
    let mut bytes = from_base64(text).ok_or_else(|| E::custom("A blob is not valid base64"))?;
    Ok(std::mem::take(&mut *bytes))
}

fn bytes_break(length: usize, constraint: &Constraint) -> bool {
    match constraint {
        Constraint::LengthMax(max) => length > *max,
        Constraint::LengthMin(min) => length < *min,
        _ => false,
    }
}
