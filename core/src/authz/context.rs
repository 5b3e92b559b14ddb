//! The facts of one request, as condition keys ask for them, and the record of which ones were asked for.
//! Knows how keys are compared; must not know which keys exist or where their values come from.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::BTreeMap;

/// Most keys that one `Recorded` remembers.
pub const RECORD_KEYS_MAX: usize = 64;
/// Most bytes of names and values that one `Recorded` remembers.
pub const RECORD_BYTES_MAX: usize = 8 * 1024;

/// Resolves condition keys, on demand.
pub trait Facts {
    /// What the request says under this key; `None` when the key is not in the request.
    fn value(&self, key: &FactKey) -> Option<Value<'_>>;
}

/// What a request says under one condition key.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum Value<'a> {
    One(Cow<'a, str>),
    /// A multivalued key. An empty list counts as an absent key.
    Many(Vec<Cow<'a, str>>),
    /// Several request keys differ only by case. Using it is an error of the statement: no guess is made.
    Ambiguous,
}

impl<'a> Value<'a> {
    pub fn one(text: &'a str) -> Self {
        Self::One(Cow::Borrowed(text))
    }

    pub fn bool(value: bool) -> Self {
        Self::One(Cow::Borrowed(if value { "true" } else { "false" }))
    }

    pub fn many(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Many(texts.into_iter().map(Cow::Borrowed).collect())
    }

    /// The value of the pair whose name equals `tail` when case is ignored; two such names are `Ambiguous`.
    pub fn among(pairs: impl IntoIterator<Item = (&'a str, &'a str)>, tail: &str) -> Option<Self> {
        let mut found = pairs.into_iter().filter(|(name, _)| same_name(name, tail));
        let (_, value) = found.next()?;
        Some(if found.next().is_some() { Self::Ambiguous } else { Self::one(value) })
    }

    pub fn into_owned(self) -> Value<'static> {
        match self {
            Self::One(text) => Value::One(Cow::Owned(text.into_owned())),
            Self::Many(texts) => Value::Many(texts.into_iter().map(|text| Cow::Owned(text.into_owned())).collect()),
            Self::Ambiguous => Value::Ambiguous,
        }
    }

    pub fn borrowed(&self) -> Value<'_> {
        match self {
            Self::One(text) => Value::one(text),
            Self::Many(texts) => Value::many(texts.iter().map(AsRef::as_ref)),
            Self::Ambiguous => Value::Ambiguous,
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::One(text) => text.len(),
            Self::Many(texts) => texts.iter().map(|text| text.len()).sum(),
            Self::Ambiguous => 0,
        }
    }
}

/// A condition key's name, lower-cased once. Names ignore case, the part after `/` (`aws:ResourceTag/Team`) too.
#[derive(Clone, Debug)]
pub struct FactKey {
    written: Box<str>,
    lower: Box<str>,
    head: usize,
}

impl FactKey {
    pub fn new(written: &str) -> Self {
        let lower = written.to_lowercase();
        let after_service = lower.find(':').map_or(lower.len(), |at| at + 1);
        let rest = lower.get(after_service..).unwrap_or_default();
        let head = rest.find(['/', ':']).map_or(lower.len(), |at| after_service + at);
        Self { written: written.into(), lower: lower.into(), head }
    }

    /// The name as the policy writes it.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// The whole name in lower case.
    pub fn name(&self) -> &str {
        &self.lower
    }

    /// The lower-case name up to the variable tail: `aws:resourcetag`, `kms:encryptioncontext`, `aws:sourcevpc`.
    pub fn head(&self) -> &str {
        self.lower.get(..self.head).unwrap_or_default()
    }

    /// The lower-case variable tail: `team` of `aws:ResourceTag/Team`, `app` of `kms:EncryptionContext:App`.
    pub fn tail(&self) -> Option<&str> {
        self.lower.get(self.head + 1..)
    }
}

impl PartialEq for FactKey {
    fn eq(&self, other: &Self) -> bool {
        self.lower == other.lower
    }
}

impl Eq for FactKey {}

/// Facts held in a map: for tools, tests, and replayed audit records.
#[derive(Clone, Debug, Default)]
pub struct FactMap(BTreeMap<String, (String, Value<'static>)>);

impl FactMap {
    /// Sets a key. A second spelling of a key that is there already makes it ambiguous.
    pub fn insert(&mut self, name: &str, value: Value<'_>) {
        let value = value.into_owned();
        let entry = self.0.entry(name.to_lowercase()).or_insert_with(|| (name.to_owned(), value.clone()));
        entry.1 = if entry.0 == name { value } else { Value::Ambiguous };
    }
}

impl Facts for FactMap {
    fn value(&self, key: &FactKey) -> Option<Value<'_>> {
        self.0.get(key.name()).map(|(_, value)| value.borrowed())
    }
}

/// Passes questions on and remembers each key and its value, for the audit record.
pub struct Recorded<'a> {
    facts: &'a dyn Facts,
    seen: RefCell<Seen>,
}

/// One key that an evaluation asked for.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Looked {
    /// As the policy spells it.
    pub key: Box<str>,
    /// `None` when the request has no such key.
    pub value: Option<Value<'static>>,
}

#[derive(Debug, Default)]
struct Seen {
    entries: Vec<Looked>,
    bytes: usize,
    left_out: usize,
}

impl<'a> Recorded<'a> {
    pub fn new(facts: &'a dyn Facts) -> Self {
        Self { facts, seen: RefCell::default() }
    }

    /// The keys in the order they were first asked for, and how many lookups of others the bounds left out.
    pub fn finish(self) -> (Vec<Looked>, usize) {
        let seen = self.seen.into_inner();
        (seen.entries, seen.left_out)
    }
}

impl std::fmt::Debug for Recorded<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorded").field("seen", &self.seen).finish_non_exhaustive()
    }
}

impl Facts for Recorded<'_> {
    fn value(&self, key: &FactKey) -> Option<Value<'_>> {
        let value = self.facts.value(key);
        self.seen.borrow_mut().note(key, value.as_ref());
        value
    }
}

impl Seen {
    fn note(&mut self, key: &FactKey, value: Option<&Value<'_>>) {
        if self.entries.iter().any(|entry| same_name(&entry.key, key.name())) {
            return;
        }
        let size = key.name().len() + value.map_or(0, Value::size);
        // INVARIANT: entries.len() <= RECORD_KEYS_MAX and bytes <= RECORD_BYTES_MAX.
        if self.entries.len() >= RECORD_KEYS_MAX || self.bytes + size > RECORD_BYTES_MAX {
            self.left_out += 1;
            return;
        }
        self.bytes += size;
        self.entries.push(Looked { key: key.written().into(), value: value.cloned().map(Value::into_owned) });
    }
}

fn same_name(name: &str, lower: &str) -> bool {
    if name.is_ascii() { name.eq_ignore_ascii_case(lower) } else { name.to_lowercase() == lower }
}
