//! Reads what is stored as a text without making a `String` of it first: a start reads millions of them.
//! Knows neither the texts nor what they stand for.

use std::fmt;

use serde::Deserializer;
use serde::de::{Error, Visitor};

/// What `parse` makes of the text that comes next; without an answer it is "not a" `what`.
pub(crate) fn parsed<'de, T, D: Deserializer<'de>>(
    from: D,
    what: &'static str,
    parse: fn(&str) -> Option<T>,
) -> Result<T, D::Error> {
    from.deserialize_str(Parsed { what, parse })
}

struct Parsed<T> {
    what: &'static str,
    parse: fn(&str) -> Option<T>,
}

impl<T> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        (self.parse)(text).ok_or_else(|| E::custom(format_args!("not a {}", self.what)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use serde::Deserialize;

    #[derive(Debug, PartialEq)]
    struct Digit(u32);

    impl<'de> Deserialize<'de> for Digit {
        fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
            super::parsed(from, "digit", |text| text.parse().ok().map(Digit))
        }
    }

    #[test]
    fn a_text_is_parsed_however_it_comes() {
        assert_eq!(serde_json::from_str::<Digit>(r#""7""#).unwrap(), Digit(7));
        assert_eq!(serde_json::from_str::<Digit>(r#""\u0037""#).unwrap(), Digit(7), "not borrowed");
        assert_eq!(postcard::from_bytes::<Digit>(&[1, b'7']).unwrap(), Digit(7));
        assert!(serde_json::from_str::<Digit>(r#""x""#).unwrap_err().to_string().starts_with("not a digit"));
        assert!(serde_json::from_str::<Digit>("7").unwrap_err().to_string().contains("expected digit"));
        assert!(postcard::from_bytes::<Digit>(&[2, b'7']).is_err());
    }
}
