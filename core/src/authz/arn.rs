//! ARNs and patterns of ARNs, compared part by part.
//! Knows the six colon-separated parts; must not know what any of them means.

use super::context::Facts;
use super::pattern::{Pattern, Syntax, braced};
use super::variable::Trouble;

const PARTS: usize = 6;

/// A text split at its first five colons.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arn<'a> {
    pub(super) whole: &'a str,
    /// `None` when the text is no ARN.
    pub(super) parts: Option<[&'a str; PARTS]>,
}

impl<'a> Arn<'a> {
    pub(super) fn split(whole: &'a str) -> Self {
        let mut pieces = whole.splitn(PARTS, ':');
        let mut parts = [""; PARTS];
        let complete = parts.iter_mut().all(|part| pieces.next().map(|piece| *part = piece).is_some());
        Self { whole, parts: (complete && whole.starts_with("arn:")).then_some(parts) }
    }
}

#[derive(Debug)]
pub(super) enum ArnPattern {
    Any,
    Exact(Box<str>),
    /// Five literal parts with their colons, then a pattern for the last one.
    Tail(Box<str>, Pattern),
    Parts(Box<[Pattern; PARTS]>),
    /// Variables that stand for a whole ARN.
    Whole(Pattern),
    Never,
}

/// Where variables are expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Variables {
    Nowhere,
    /// In `Resource`: only after the fifth colon; elsewhere they match nothing.
    LastPart,
    Everywhere,
}

impl ArnPattern {
    pub(super) fn compile(text: &str, variables: Variables) -> Self {
        if text == "*" {
            return Self::Any;
        }
        let syntax = Syntax { wildcards: true, variables: variables != Variables::Nowhere };
        let Ok(parts) = <[&str; PARTS]>::try_from(split_outside_braces(text, syntax.variables)) else {
            let whole = Pattern::compile(text, syntax);
            let stands_for_arn = variables == Variables::Everywhere && whole.has_variables() && !whole.has_wildcards();
            return if stands_for_arn { Self::Whole(whole) } else { Self::Never };
        };
        let patterns = parts.map(|part| Pattern::compile(part, syntax));
        let (head, last) = patterns.split_at(PARTS - 1);
        if variables == Variables::LastPart && head.iter().any(Pattern::has_variables) {
            return Self::Never;
        }
        let literal = head.iter().map(|part| exact(part).map(|text| format!("{text}:"))).collect::<Option<String>>();
        match (literal, last.first().and_then(exact)) {
            (Some(head), Some(last)) => Self::Exact((head + last).into()),
            (Some(head), None) => {
                let [.., last] = patterns;
                Self::Tail(head.into(), last)
            }
            (None, _) => Self::Parts(Box::new(patterns)),
        }
    }

    pub(super) fn matches(&self, arn: &Arn<'_>, facts: &dyn Facts) -> Result<bool, Trouble> {
        match self {
            Self::Any => Ok(true),
            Self::Exact(exact) => Ok(**exact == *arn.whole),
            Self::Tail(head, last) => {
                arn.whole.strip_prefix(&**head).map_or(Ok(false), |rest| last.matches(rest, facts))
            }
            Self::Parts(patterns) => {
                let Some(parts) = arn.parts else { return Ok(false) };
                for (pattern, part) in patterns.iter().zip(parts) {
                    if !pattern.matches(part, facts)? {
                        return Ok(false);
                    }
                }
                Ok(true)
            }
            Self::Whole(pattern) => pattern.matches(arn.whole, facts),
            Self::Never => Err(Trouble::Unresolved),
        }
    }
}

fn exact(pattern: &Pattern) -> Option<&str> {
    match pattern {
        Pattern::Exact(text) => Some(text),
        Pattern::Any | Pattern::Prefix(_) | Pattern::Pieces(_) => None,
    }
}

/// At most six parts; the colon inside `${aws:PrincipalTag/team}` separates nothing.
fn split_outside_braces(text: &str, variables: bool) -> Vec<&str> {
    let (mut parts, mut start, mut at) = (Vec::with_capacity(PARTS), 0, 0);
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty() && parts.len() < PARTS - 1) {
        if let Some((_, after)) = variables.then(|| braced(rest)).flatten() {
            at = text.len() - after.len();
            continue;
        }
        if rest.starts_with(':') {
            parts.push(text.get(start..at).unwrap_or_default());
            start = at + 1;
        }
        at += rest.chars().next().map_or(1, char::len_utf8);
    }
    parts.push(text.get(start..).unwrap_or_default());
    parts
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::super::context::{FactMap, Value};
    use super::*;

    #[test]
    fn compares_part_by_part() {
        let key = "arn:aws:kms:us-east-1:111122223333:key/1234";
        for (pattern, text, expected) in [
            ("*", key, true),
            ("*", "not an arn", true),
            (key, key, true),
            ("arn:aws:kms:us-east-1:111122223333:key/*", key, true),
            ("arn:aws:kms:*:111122223333:key/*", key, true),
            ("arn:aws:kms:*:1111????3333:*", key, true),
            ("arn:aws:kms:*:*", key, false),
            ("arn:aws:kms:*:key/*", key, false),
            ("arn:aws:KMS:us-east-1:111122223333:key/*", key, false),
            ("arn:aws:kms:us-east-1:111122223333:alias/*", key, false),
            ("arn:aws:sns:us-east-1:1:a*", "arn:aws:sns:us-east-1:1:a:b:c", true),
            ("arn:aws:s*:us-east-1:1:a", "arn:aws:sns:us-east-1:1:a", true),
            ("arn:aws:s*:1:a", "arn:aws:sns:us-east-1:1:a", false),
        ] {
            let compiled = ArnPattern::compile(pattern, Variables::Everywhere);
            let outcome = compiled.matches(&Arn::split(text), &FactMap::default());
            assert_eq!(outcome == Ok(true), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn expands_variables_where_they_belong() {
        let mut facts = FactMap::default();
        facts.insert("aws:PrincipalTag/key", Value::one("1234"));
        facts.insert("aws:PrincipalArn", Value::one("arn:aws:iam::1:role/r"));
        let says = |pattern: &str, variables, text: &str| {
            ArnPattern::compile(pattern, variables).matches(&Arn::split(text), &facts)
        };
        let key = "arn:aws:kms:r:1:key/1234";
        assert_eq!(says("arn:aws:kms:*:1:key/${aws:PrincipalTag/key}", Variables::LastPart, key), Ok(true));
        assert_eq!(says("arn:aws:kms:r:1:key/${aws:PrincipalTag/key}", Variables::Nowhere, key), Ok(false));
        let early = "arn:aws:kms:${aws:PrincipalTag/key}:1:key/*";
        assert_eq!(says(early, Variables::LastPart, key), Err(Trouble::Unresolved));
        assert_eq!(says(early, Variables::Everywhere, "arn:aws:kms:1234:1:key/x"), Ok(true));
        assert_eq!(says("${aws:PrincipalArn}", Variables::Everywhere, "arn:aws:iam::1:role/r"), Ok(true));
        assert_eq!(says("${aws:PrincipalArn}", Variables::Everywhere, "arn:aws:iam::1:role/x"), Ok(false));
    }
}
