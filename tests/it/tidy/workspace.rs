//! The clone as a whole: what lies at its top, whose paths are written in it, and which crate depends on which.
//! Knows git's list of files and cargo's metadata; reads no Rust.

use std::fs;
use std::path::Path;
use std::process::Command;

use regex::Regex;
use serde_json::Value;

const TOP: &[&str] = &["Cargo.toml", "Cargo.lock", "README.md", "LICENSE", "gateway", "core", "hsm-actor", "tests"];

/// The files under version control, relative to the root.
pub(super) fn tracked(root: &Path) -> Vec<String> {
    let listed = Command::new("git").args(["ls-files", "-z"]).current_dir(root).output().unwrap();
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let text = String::from_utf8(listed.stdout).unwrap();
    // A file that was removed and not yet committed is not there to be read.
    text.split('\0').filter(|path| !path.is_empty() && root.join(path).exists()).map(str::to_owned).collect()
}

/// Files and folders at the top of the clone beyond the agreed ones; names with a dot are tools' own.
pub(super) fn layout(tracked: &[String]) -> Vec<String> {
    let top = |path: &String| path.split('/').next().unwrap_or_default().to_owned();
    let mut found: Vec<_> =
        tracked.iter().map(top).filter(|name| !name.starts_with('.') && !TOP.contains(&name.as_str())).collect();
    found.dedup();
    found.iter().map(|name| format!("{name}: does not belong at the top")).collect()
}

/// Absolute paths of one machine in a file. The words are put together here, so that they do not stand in this file.
pub(super) fn machine_paths(path: &str, text: &str) -> Vec<String> {
    let folders = ["root", "home/[a-z]\\w*", "work", "Users/\\w+", "tmp/[a-z]\\w*"].map(|folder| format!("/{folder}/"));
    let pattern = Regex::new(&format!(r#"(?m)(?:^|[\s"'=:(`])({})"#, folders.join("|"))).unwrap();
    let found = pattern.captures_iter(text).map(|found| format!("{path}: `{}`", &found[1]));
    found.collect()
}

pub(super) fn machine_paths_in(root: &Path, tracked: &[String]) -> Vec<String> {
    let text = |path: &String| fs::read_to_string(root.join(path)).unwrap_or_default();
    tracked.iter().flat_map(|path| machine_paths(path, &text(path))).collect()
}

/// What cargo knows of the workspace's own crates.
pub(super) fn metadata(root: &Path) -> Value {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
    let asked = ["metadata", "--format-version", "1", "--no-deps", "--offline"];
    let told = Command::new(cargo).args(asked).current_dir(root).output().unwrap();
    assert!(told.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&told.stderr));
    serde_json::from_slice(&told.stdout).unwrap()
}

/// Dependencies point the way that a request travels, and no library of the outside comes in at the wrong room.
pub(super) fn dependencies(metadata: &Value) -> Vec<String> {
    let allowed = [("kms-hsm", vec![]), ("kms-core", vec!["kms-hsm"]), ("kannuki", vec!["kms-core"])];
    let outside = [
        ("kms-hsm", vec!["serde_json", "redb", "regex", "http", "hyper", "rustls", "actix-web", "actix-http"]),
        ("kms-core", vec!["http", "hyper", "rustls", "actix-web", "actix-http", "reqwest", "toml", "clap"]),
        ("kannuki", vec!["redb", "aes-gcm"]),
    ];
    let own: Vec<_> = packages(metadata).iter().map(name).collect();
    let mut found = Vec::new();
    for ((crate_name, may), (_, must_not)) in allowed.iter().zip(&outside) {
        let Some(package) = packages(metadata).iter().find(|package| name(package) == *crate_name) else {
            found.push(format!("{crate_name}: no such package"));
            continue;
        };
        for dependency in normal_dependencies(package) {
            if own.contains(&dependency) && !may.contains(&dependency) || must_not.contains(&dependency) {
                found.push(format!("{crate_name}: must not depend on {dependency}"));
            }
        }
    }
    found
}

/// Fault injection is a feature that nothing turns on by itself.
pub(super) fn faults_are_off(metadata: &Value) -> Vec<String> {
    let on = |package: &&Value| {
        let default = package["features"]["default"].as_array().cloned().unwrap_or_default();
        default.iter().any(|feature| feature.as_str().is_some_and(|feature| feature.contains("faults")))
    };
    let turned_on_by = |package: &&Value| {
        let normal = package["dependencies"].as_array().into_iter().flatten().filter(|one| one["kind"].is_null());
        normal.flat_map(|one| one["features"].as_array().into_iter().flatten()).any(|feature| feature == "faults")
    };
    let shipped = || packages(metadata).iter().filter(|package| name(package) != "kms-tests");
    let by_default = shipped().filter(on).map(|package| format!("{}: `faults` is on by default", name(package)));
    let by_need = shipped().filter(turned_on_by).map(|package| format!("{}: turns `faults` on", name(package)));
    by_default.chain(by_need).collect()
}

/// A panic must reach the one who catches it.
pub(super) fn panics_unwind(manifest: &str) -> Vec<String> {
    let abort = Regex::new(r#"(?m)^\s*panic\s*=\s*"abort""#).unwrap();
    abort.find_iter(manifest).map(|found| format!("Cargo.toml: {}", found.as_str().trim())).collect()
}

fn packages(metadata: &Value) -> &[Value] {
    metadata["packages"].as_array().map_or(&[], Vec::as_slice)
}

fn name(package: &Value) -> &str {
    package["name"].as_str().unwrap_or_default()
}

fn normal_dependencies(package: &Value) -> impl Iterator<Item = &str> {
    let all = package["dependencies"].as_array().into_iter().flatten();
    all.filter(|dependency| dependency["kind"].is_null()).filter_map(|dependency| dependency["name"].as_str())
}
