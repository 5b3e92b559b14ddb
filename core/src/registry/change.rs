//! What one declaration changes about another, a line for each thing: `+ endpoint vpce-...`, `~ user ... policies`.
//! Knows tables with an id, a name or a URL and what stands in them, not which kinds of tables there are; sees no secret.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde_json::{Map, Value};

use super::Manifest;

/// Lists of tables that belong to what they stand in and are nothing by themselves.
const BELONGINGS: &[&str] = &["policies", "interfaces"];
/// Tables whose kind is not simply their name.
const KINDS: &[(&str, &str)] = &[("access_keys", "access-key")];
/// Shown for what has no id yet.
const NEW: &str = "(new)";

/// What happens to one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub sign: Sign,
    /// The manifest's name for its table: `user`, `endpoint`, ...
    pub kind: String,
    /// Its id or name, after those of what it stands in: `111122223333/alice`.
    pub name: String,
    /// What of it changes, by the manifest's names.
    pub details: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    Added,
    Changed,
    Removed,
}

impl Change {
    /// The change of a secret, which no declaration shows.
    pub fn of_secret(name: String) -> Self {
        Self { sign: Sign::Changed, kind: "access-key".to_owned(), name, details: vec!["secret".to_owned()] }
    }

    /// What else is to be said; keys are created and never changed or deleted.
    fn remark(&self) -> &'static str {
        match (self.sign, self.kind.as_str()) {
            (Sign::Changed, "key") => " (a key that is there stays as it is)",
            (Sign::Removed, "key") => " (the key itself stays)",
            _ => "",
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = match self.sign {
            Sign::Added => '+',
            Sign::Changed => '~',
            Sign::Removed => '-',
        };
        write!(out, "{sign} {}", self.kind)?;
        for part in [&self.name, &self.details.join(", ")].into_iter().filter(|part| !part.is_empty()) {
            write!(out, " {part}")?;
        }
        out.write_str(self.remark())
    }
}

/// What `after` changes about `before`: what is added or changed in the order of `after`, then what goes.
pub fn changes(before: &Manifest, after: &Manifest) -> Vec<Change> {
    let (before, after) = (things(before), things(after));
    let (known, kept) = (index(&before), index(&after));
    let change = |sign, thing: &Thing, details| {
        let (kind, name) = (thing.kind.clone(), thing.name.clone());
        Change { sign, kind, name, details }
    };
    let mut found = Vec::new();
    for thing in &after {
        match thing.names().and_then(|names| known.get(&names)) {
            None => found.push(change(Sign::Added, thing, Vec::new())),
            Some(known) if known.own == thing.own => {}
            Some(known) => found.push(change(Sign::Changed, thing, differing(&known.own, &thing.own))),
        }
    }
    // What was never named was never made.
    let gone = before.iter().filter(|thing| thing.names().is_some_and(|names| !kept.contains_key(&names)));
    found.extend(gone.map(|thing| change(Sign::Removed, thing, Vec::new())));
    found
}

/// A table with what is its own; the tables in it that are things themselves stand beside it.
struct Thing {
    kind: String,
    name: String,
    own: Map<String, Value>,
}

impl Thing {
    /// What tells it from all others; what is still to be named is no other's equal.
    fn names(&self) -> Option<(&str, &str)> {
        (!self.name.ends_with(NEW)).then_some((&self.kind, &self.name))
    }
}

fn index(things: &[Thing]) -> HashMap<(&str, &str), &Thing> {
    things.iter().filter_map(|thing| Some((thing.names()?, thing))).collect()
}

fn things(manifest: &Manifest) -> Vec<Thing> {
    let mut found = Vec::new();
    if let Ok(Value::Object(root)) = serde_json::to_value(manifest) {
        for (kind, value) in root {
            match value {
                // Of such a table there is one.
                Value::Object(members) => gather(&kind, "", members, &mut found),
                other => gather_all(&kind, "", other, &mut found),
            }
        }
    }
    found
}

fn gather_all(kind: &str, within: &str, value: Value, found: &mut Vec<Thing>) {
    let Value::Array(values) = value else { return };
    for value in values {
        if let Value::Object(members) = value {
            gather(kind, within, members, found);
        }
    }
}

fn gather(kind: &str, within: &str, members: Map<String, Value>, found: &mut Vec<Thing>) {
    let own_name = ["id", "name", "url"].iter().find_map(|key| members.get(*key)?.as_str());
    let own_name = own_name.unwrap_or(if kind == "access_keys" { NEW } else { "" });
    let name = [within, own_name].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    let (inner, own): (Map<_, _>, Map<_, _>) = members.into_iter().partition(|(key, value)| is_things(key, value));
    let shown = KINDS
        .iter()
        .find(|(table, _)| *table == kind)
        .map_or_else(|| kind.replace('_', "-"), |(_, kind)| (*kind).to_owned());
    found.push(Thing { kind: shown, name: name.clone(), own });
    for (kind, value) in inner {
        gather_all(&kind, &name, value, found);
    }
}

fn is_things(key: &str, value: &Value) -> bool {
    let tables = value.as_array().is_some_and(|values| values.iter().all(Value::is_object));
    tables && !BELONGINGS.contains(&key)
}

fn differing(before: &Map<String, Value>, after: &Map<String, Value>) -> Vec<String> {
    let mut seen = HashSet::new();
    let keys = after.keys().chain(before.keys()).filter(|key| seen.insert(key.as_str()));
    keys.filter(|key| before.get(*key) != after.get(*key)).cloned().collect()
}

#[cfg(test)]
mod tests;
