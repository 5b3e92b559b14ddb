//! Writes a declaration as a manifest: the TOML that declares the same, without secrets.
//! Knows tables with an id or a name, not which kinds of them there are.

use kms_core::registry::Manifest;
use serde_json::{Map, Value};

/// Why there is nothing to be shown.
#[derive(Debug, thiserror::Error)]
pub enum NotShown {
    #[error("no {0} is declared")]
    Absent(String),
    #[error("the declaration cannot be written down: {0}")]
    Unwritable(String),
}

/// The manifest's text: all of it, the things of one kind with what they stand in, or one of them.
pub fn written(manifest: &Manifest, kind: Option<&str>, name: Option<&str>) -> Result<String, NotShown> {
    let unwritable = |error: &dyn std::fmt::Display| NotShown::Unwritable(error.to_string());
    let mut all = serde_json::to_value(manifest).map_err(|error| unwritable(&error))?;
    drop_nulls(&mut all);
    if let (Some(kind), Value::Object(root)) = (kind, &mut all) {
        let is_there = keep(root, kind, name);
        if !is_there {
            return Err(NotShown::Absent([kind].into_iter().chain(name).collect::<Vec<_>>().join(" ")));
        }
    }
    toml::to_string_pretty(&all).map_err(|error| unwritable(&error))
}

/// Keeps what is wanted, and of what it stands in all but its other things. Tells whether anything is left.
fn keep(members: &mut Map<String, Value>, kind: &str, name: Option<&str>) -> bool {
    let mut found = false;
    members.retain(|key, value| {
        let Value::Array(values) = value else { return true };
        if !values.iter().all(Value::is_object) || values.is_empty() {
            return true;
        }
        values.retain_mut(|value| match value {
            Value::Object(inner) if key == kind => name.is_none_or(|name| is_named(inner, name)),
            Value::Object(inner) => keep(inner, kind, name),
            _ => false,
        });
        found |= !values.is_empty();
        !values.is_empty()
    });
    found
}

/// TOML has no word for what is not set.
fn drop_nulls(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|_, value| !value.is_null());
            members.values_mut().for_each(drop_nulls);
        }
        Value::Array(values) => values.iter_mut().for_each(drop_nulls),
        _ => {}
    }
}

fn is_named(members: &Map<String, Value>, name: &str) -> bool {
    ["id", "name", "url"].iter().any(|key| members.get(*key).and_then(Value::as_str) == Some(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use std::path::Path;

    use super::*;
    use crate::manifest::{demo, load, parse};

    fn organization() -> Manifest {
        load(Path::new("../tests/fixtures/manifests/organization.toml")).unwrap()
    }

    #[test]
    fn what_is_written_reads_back_as_the_same_without_secrets() {
        let demo = parse(Path::new("m.toml"), &demo::text("eu-west-2", "aws").unwrap()).unwrap();
        for manifest in [demo, organization()] {
            let text = written(&manifest, None, None).unwrap();
            let read = parse(Path::new("m.toml"), &text).unwrap_or_else(|faults| panic!("{faults}\n{text}"));
            assert_eq!(read.canonical(), manifest.canonical());
            let secrets = manifest.access_keys().filter_map(|(_, _, key)| key.secret.as_ref());
            for secret in secrets {
                assert!(!text.contains(std::str::from_utf8(secret.expose()).unwrap()));
            }
        }
    }

    #[test]
    fn one_kind_or_one_thing_comes_with_what_it_stands_in_and_no_more() {
        let part = |kind, name| written(&organization(), Some(kind), name).unwrap();
        let users = part("user", None);
        assert!(users.contains("name = \"ana\"") && users.contains("name = \"administrator\""), "{users}");
        assert!(!users.contains("[[account.group]]") && !users.contains("[[organization"), "{users}");
        let ana = part("user", Some("ana"));
        assert_eq!((ana.matches("[[account]]").count(), ana.matches("[[account.user]]").count()), (1, 1), "{ana}");
        assert!(ana.contains("permissions_boundary = \"limit\"") && ana.contains("access_keys"), "{ana}");
        let absent = written(&organization(), Some("user"), Some("nobody")).unwrap_err();
        assert_eq!(absent.to_string(), "no user nobody is declared");
        assert!(written(&organization(), Some("moon"), None).is_err());
    }
}
