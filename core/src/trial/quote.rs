//! Statements as they stand in a document's text, with their lines.
//! Knows JSON and places; must not know what a statement means.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

/// A piece of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quote<'t> {
    pub text: &'t str,
    /// Counted from 1.
    pub line: usize,
}

/// The members of one JSON object, in the order in which they stand.
pub(super) struct Members<'t>(pub(super) Vec<(String, Quote<'t>)>);

/// The statement at `index`, counted from 0.
pub fn statement(document: &str, index: usize) -> Option<Quote<'_>> {
    statements(document).into_iter().nth(index)
}

/// Every statement; none where the text is no policy document.
pub(super) fn statements(document: &str) -> Vec<Quote<'_>> {
    let members = Members::of(document, document);
    let held = members.iter().flat_map(|members| &members.0).find(|(name, _)| name == "Statement");
    let Some((_, held)) = held else { return Vec::new() };
    if held.text.starts_with('[') {
        let items: Vec<&RawValue> = serde_json::from_str(held.text).unwrap_or_default();
        return items.into_iter().map(|item| Quote::within(document, item.get())).collect();
    }
    vec![*held]
}

impl<'t> Quote<'t> {
    /// `part` must be a piece of `whole`'s own memory.
    pub(super) fn within(whole: &str, part: &'t str) -> Self {
        let at = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
        let before = whole.as_bytes().get(..at).unwrap_or_default();
        Self { text: part, line: 1 + before.iter().filter(|byte| **byte == b'\n').count() }
    }

    /// The text with the indentation of its first line taken from the others.
    pub fn unindented(&self) -> String {
        let depth = |line: &str| line.len() - line.trim_start().len();
        let least = self.text.lines().skip(1).filter(|line| !line.trim().is_empty()).map(depth).min().unwrap_or(0);
        let cut =
            |(at, line): (usize, &'t str)| if at == 0 { line } else { line.get(least..).unwrap_or(line.trim_start()) };
        self.text.lines().enumerate().map(cut).collect::<Vec<_>>().join("\n")
    }
}

impl<'t> Members<'t> {
    /// `None` when `text`, a piece of `whole`, is no JSON object.
    pub(super) fn of(whole: &str, text: &'t str) -> Option<Self> {
        let raw: RawMembers<'t> = serde_json::from_str(text).ok()?;
        Some(Self(raw.0.into_iter().map(|(name, value)| (name, Quote::within(whole, value.get()))).collect()))
    }
}

struct RawMembers<'t>(Vec<(String, &'t RawValue)>);

impl<'de: 't, 't> Deserialize<'de> for RawMembers<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(name) = members.next_key::<String>()? {
                    all.push((name, members.next_value()?));
                }
                Ok(all)
            }
        }
        deserializer.deserialize_map(Reader).map(Self)
    }
}

/// The line and column at which a text stops being JSON; `None` when it is.
pub(super) fn broken_at(text: &str) -> Option<(usize, usize)> {
    serde_json::from_str::<IgnoredAny>(text).err().map(|error| (error.line(), error.column()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;

    #[test]
    fn statements_are_found_with_their_lines() {
        let text = "{\n  \"Statement\": [\n    {\"a\": 1},\n    {\n      \"b\": [\n        2 ]\n    }\n  ]\n}";
        let found = statements(text);
        assert_eq!(found.iter().map(|quote| quote.line).collect::<Vec<_>>(), [3, 4]);
        assert_eq!(found[1].unindented(), "{\n  \"b\": [\n    2 ]\n}");
        let members = Members::of(text, found[1].text).unwrap();
        assert_eq!((members.0[0].0.as_str(), members.0[0].1.line), ("b", 5));
        assert_eq!(statement("{\"Statement\":{\"c\":1}}", 0).unwrap().text, "{\"c\":1}");
        assert_eq!(statement("{\"Statement\":{\"c\":1}}", 1), None);
        assert!(
            statements("[]").is_empty() && statements("{").is_empty() && statements("{\"Statement\": 3}").len() == 1
        );
    }
}
