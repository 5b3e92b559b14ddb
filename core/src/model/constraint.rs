//! The constraints of the model, and the text that AWS gives for each violation of one.
//! Knows nothing of JSON or of the shapes that carry the constraints.

use std::fmt;
use std::sync::OnceLock;

use regex::Regex;

/// How many violations are spelled out; all are counted. Bounds the answer to a body full of them.
const SPELLED_MAX: usize = 100;

/// What the model asks of one shape, in the order in which AWS names them.
pub(super) type Rule = &'static [Constraint];

/// One demand on a value.
#[derive(Clone, Copy, Debug)]
pub(super) enum Constraint {
    LengthMax(usize),
    LengthMin(usize),
    ValueMax(i32),
    ValueMin(i32),
    Matches(&'static Pattern),
    /// The names of an enum, as AWS prints the set.
    OneOf(&'static str),
    /// What each scalar of a list must satisfy.
    Each(Rule),
}

impl fmt::Display for Constraint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LengthMax(max) => write!(f, "Member must have length less than or equal to {max}"),
            Self::LengthMin(min) => write!(f, "Member must have length greater than or equal to {min}"),
            Self::ValueMax(max) => write!(f, "Member must have value less than or equal to {max}"),
            Self::ValueMin(min) => write!(f, "Member must have value greater than or equal to {min}"),
            Self::Matches(pattern) => write!(f, "Member must satisfy regular expression pattern: {}", pattern.text),
            Self::OneOf(set) => write!(f, "Member must satisfy enum value set: [{set}]"),
            Self::Each(rule) => {
                let each: Vec<String> = rule.iter().map(Self::to_string).collect();
                write!(f, "Member must satisfy constraint: [{}]", each.join(", "))
            }
        }
    }
}

/// A regular expression of the model. The model writes Java's; a value must match as a whole.
#[derive(Debug)]
pub(super) struct Pattern {
    text: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    pub(super) const fn new(text: &'static str) -> Self {
        Self { text, compiled: OnceLock::new() }
    }

    /// False also for a pattern that does not compile, so that a mistake refuses instead of letting pass.
    pub(super) fn matches(&self, value: &str) -> bool {
        let compiled = self.compiled.get_or_init(|| Regex::new(&translated(self.text)).ok());
        compiled.as_ref().is_some_and(|regex| regex.is_match(value))
    }

    #[cfg(test)]
    pub(super) fn compiles(&self) -> bool {
        Regex::new(&translated(self.text)).is_ok()
    }
}

/// Java's classes are ASCII where this crate's are Unicode (java.util.regex.Pattern, "Predefined character classes").
fn translated(java: &str) -> String {
    let mut out = String::with_capacity(java.len() + 32);
    let mut in_class = false;
    let mut rest = java.chars();
    while let Some(c) = rest.next() {
        if c != '\\' {
            in_class = (in_class || c == '[') && c != ']';
            out.push(c);
            continue;
        }
        let escaped = rest.next().unwrap_or('\\');
        let class = match escaped {
            'w' => "0-9A-Za-z_",
            'd' => "0-9",
            's' => r" \t\n\x0B\f\r",
            _ => {
                out.extend(['\\', escaped]);
                continue;
            }
        };
        let (open, close) = if in_class { ("", "") } else { ("[", "]") };
        out.extend([open, class, close]);
    }
    format!(r"\A(?:{out})\z")
}

/// A length as Java counts it: UTF-16 code units.
pub(super) fn java_length(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.encode_utf16().count() }
}

/// Where a value is in the input: `tags.1.member.tagKey`.
#[derive(Clone, Copy, Debug)]
pub(super) enum At<'a> {
    Input,
    Member(&'a At<'a>, &'static str),
    /// An item of a list, counted from zero here and from one in the text.
    Item(&'a At<'a>, usize),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input => Ok(()),
            Self::Member(Self::Input, name) => f.write_str(&camel(name)),
            Self::Member(parent, name) => write!(f, "{parent}.{}", camel(name)),
            Self::Item(parent, index) => write!(f, "{parent}.{}.member", index + 1),
        }
    }
}

/// A member's name as validation texts and CloudTrail spell it: only its first letter changes (`AWSAccountId` is `aWSAccountId`).
pub(super) fn camel(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_ascii_lowercase()).into_iter().chain(letters).collect()
}

/// The violations found so far, in the order of the model.
#[derive(Debug, Default)]
pub(super) struct Violations {
    texts: Vec<String>,
    count: usize,
}

impl Violations {
    /// A value breaks a constraint; `shown` is `None` where the value must not be repeated.
    pub(super) fn broken(&mut self, at: &At<'_>, shown: impl FnOnce() -> Option<String>, constraint: &Constraint) {
        self.add(|| {
            let value = shown().map(|value| format!(" '{value}'")).unwrap_or_default();
            format!("Value{value} at '{at}' failed to satisfy constraint: {constraint}")
        });
    }

    /// A required value is missing.
    pub(super) fn missing(&mut self, at: &At<'_>) {
        self.add(|| format!("Value null at '{at}' failed to satisfy constraint: Member must not be null"));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The message of the ValidationException.
    pub(super) fn message(&self) -> String {
        let plural = if self.count == 1 { "" } else { "s" };
        format!("{} validation error{plural} detected: {}", self.count, self.texts.join("; "))
    }

    fn add(&mut self, text: impl FnOnce() -> String) {
        self.count += 1;
        if self.texts.len() < SPELLED_MAX {
            self.texts.push(text());
        }
    }
}
