//! What a text search and cargo can check of the design's invariants and of the project's style.
//! Knows where the files are; the rules are in the modules, and each is shown to fail on a planted violation.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod planted;
mod rooms;
mod source;
mod style;
mod workspace;

use std::fs;
use std::path::{Path, PathBuf};

use source::Source;

const FOLDERS: &[&str] = &["gateway", "core", "hsm-actor", "tests"];
/// Deadlines and measured times need a clock that never jumps; these files have it, each for a reason that it states.
const MONOTONIC: (&str, &str) = ("only listed files read the monotonic clock", r"\bInstant::now\b");
/// Nonces and made-up credentials; what becomes a key is drawn in the HSM.
const RANDOM: (&str, &str) = (
    "only the HSM and listed files draw randomness",
    r"\b(rand::fill|SystemRandom|SecureRandom|OsRng|thread_rng|getrandom|rand::random)\b",
);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn all() -> Vec<Source> {
    let found = source::sources(&root(), FOLDERS);
    assert!(found.len() > 20, "the sources were not found: {}", found.len());
    found
}

fn list(name: &str) -> String {
    fs::read_to_string(root().join("tests/fixtures/tidy").join(name)).unwrap()
}

fn none(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

#[test]
fn each_file_has_a_header() {
    none(style::headers(&all()));
}

#[test]
fn files_are_short() {
    none(style::file_sizes(&all()));
}

#[test]
fn functions_are_short() {
    none(style::function_sizes(&all(), &list("long_functions.txt")));
}

#[test]
fn nothing_is_left_over_or_set_aside() {
    none(style::words(&all()));
}

#[test]
fn files_have_names_that_say_something() {
    none(style::names(&all()));
}

#[test]
fn rooms_keep_to_themselves() {
    none(rooms::reserved(&all()));
}

#[test]
fn secrets_are_not_copied_or_printed() {
    none(rooms::secrets(&all()));
}

#[test]
fn the_monotonic_clock_is_read_in_listed_files() {
    none(rooms::listed(&all(), MONOTONIC.0, MONOTONIC.1, &list("monotonic_clock.txt")));
}

#[test]
fn randomness_is_drawn_in_the_hsm() {
    let outside: Vec<_> = all().into_iter().filter(|source| !source.path.starts_with("hsm-actor/src/")).collect();
    none(rooms::listed(&outside, RANDOM.0, RANDOM.1, &list("randomness.txt")));
}

#[test]
fn the_top_level_is_the_agreed_one() {
    none(workspace::layout(&workspace::tracked(&root())));
}

#[test]
fn no_path_of_a_machine_is_in_the_tree() {
    none(workspace::machine_paths_in(&root(), &workspace::tracked(&root())));
}

#[test]
fn dependencies_point_one_way() {
    none(workspace::dependencies(&workspace::metadata(&root())));
}

#[test]
fn faults_are_never_on_by_themselves() {
    none(workspace::faults_are_off(&workspace::metadata(&root())));
}

#[test]
fn panics_unwind() {
    none(workspace::panics_unwind(&fs::read_to_string(root().join("Cargo.toml")).unwrap()));
}
