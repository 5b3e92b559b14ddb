//! Tests of the whole decision: fixture files, properties, the grant rules that no request shows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod documents;
mod fixtures;
mod grants;
mod operators;
mod properties;
mod records;
mod speed;

use std::path::PathBuf;

use serde_json::Value as Json;

use super::{FactMap, Kind, Value};

fn fixture(name: &str) -> Json {
    let text = std::fs::read_to_string(folder().join(name)).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/authz")
}

fn facts(json: &Json) -> FactMap {
    let mut facts = FactMap::default();
    for (name, value) in json.as_object().into_iter().flatten() {
        insert(&mut facts, name, value);
    }
    facts
}

fn insert(facts: &mut FactMap, name: &str, value: &Json) {
    match value {
        Json::Null => {}
        Json::Array(items) => facts.insert(name, Value::many(items.iter().map(|item| item.as_str().unwrap()))),
        text => facts.insert(name, Value::one(text.as_str().unwrap())),
    }
}

fn kind(name: &str) -> Kind {
    match name {
        "Identity" => Kind::Identity,
        "Key" => Kind::Key,
        "Endpoint" => Kind::Endpoint,
        "Session" => Kind::Session,
        "Boundary" => Kind::Boundary,
        "ServiceControl" => Kind::ServiceControl,
        "ResourceControl" => Kind::ResourceControl,
        "Trust" => Kind::Trust,
        other => panic!("unknown kind {other}"),
    }
}
