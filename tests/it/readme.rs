//! What the README says of settings and operations, held against the code. (The `py` suite runs its tour.)
//! Knows how the README marks its parts; knows nothing of what a setting or an operation does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::path::Path;

use kms_core::operation;
use kms_gateway::config::{Config, DATA, Port, RegionName};
use regex::Regex;

const README: &str = include_str!("../../README.md");
const CONFIG: &str =
    concat!(include_str!("../../gateway/src/config.rs"), include_str!("../../gateway/src/config/sources.rs"));
const UNSUPPORTED: &str = include_str!("../fixtures/unsupported_operations.txt");

/// What lies between `start` and the next `end`.
fn between<'t>(text: &'t str, start: &str, end: &str) -> &'t str {
    let (_, after) = text.split_once(start).unwrap_or_else(|| panic!("the README has no {start:?}"));
    after.split_once(end).map_or(after, |(before, _)| before)
}

fn settings() -> &'static str {
    between(between(README, "\n### region.toml\n", "\n### "), "```toml\n", "```")
}

fn names<'t>(pattern: &str, text: &'t str) -> BTreeSet<&'t str> {
    Regex::new(pattern).unwrap().captures_iter(text).map(|found| found.get(1).unwrap().as_str()).collect()
}

#[test]
fn the_settings_shown_are_the_defaults() {
    let shown = Config::parse(Path::new("region.toml"), settings()).unwrap();
    assert_eq!(shown, Config::new(&RegionName::default(), Path::new(DATA), Port::default()));
}

#[test]
fn the_settings_without_a_default_exist() {
    let uncommented = format!("\n{}", settings()).replace("\n# ", "\n");
    let shown = Config::parse(Path::new("region.toml"), &uncommented).unwrap();
    assert!(shown.manifest.is_some() && shown.tls.is_some());
    assert!(shown.limits.account.is_some() && shown.limits.key.is_some());
    assert!(shown.listen.balancers.len() == 1 && shown.attestations.len() == 1);
}

#[test]
fn every_setting_is_shown() {
    let read = names(r#"\b(?:texts?|required|integer|sections?|count|some_of)\((?:&?section, )?"(\w+)""#, CONFIG);
    assert!(read.len() >= 37, "the settings that the code reads are no longer found: {read:?}");
    // `endpoint` is told of in the remark on its plural.
    let shown = names(r"(?m)(?:^|[\[{,] ?|^# \[*(?:\w+\.)?|or `)(\w+)(?: =|\]|`)", settings());
    assert_eq!(read.difference(&shown).collect::<Vec<_>>(), Vec::<&&str>::new());
}

#[test]
fn the_operations_are_those_of_the_table() {
    let name = r"`([A-Z]\w+[a-z])`";
    let table = operation::TABLE.iter().map(|spec| spec.name).collect();
    let rows = between(README, "\n## Operations\n", "\n\nKeys are of these specs");
    assert_eq!(names(name, rows), table);
    let lacking =
        between(between(README, "\n## What is not there yet\n", "\n## "), "`UnsupportedOperationException`", "\n- ");
    assert_eq!(names(name, lacking), UNSUPPORTED.split_whitespace().collect());
}
