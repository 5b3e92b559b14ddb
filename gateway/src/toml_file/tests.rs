#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;

fn faults_of(text: &str, interpret: impl FnOnce(&Section<'_>)) -> Vec<String> {
    match read(Path::new("a.toml"), text, interpret) {
        Ok(()) => Vec::new(),
        Err(faults) => faults.to_string().lines().map(str::to_owned).collect(),
    }
}

#[test]
fn names_line_and_column_of_everything_that_is_wrong() {
    let text = "port = \"x\"\nextra = 1\n\n[a]\nname = 3\n  other = true\n";
    let found = faults_of(text, |root| {
        root.integer("port", 1..=10);
        root.required("absent");
        let a = root.section("a").unwrap();
        a.text("name");
    });
    assert_eq!(
        found,
        [
            "a.toml:1:1: `absent` is missing",
            "a.toml:1:8: `port` must be an integer, not string",
            "a.toml:2:1: unknown setting `extra`",
            "a.toml:5:8: `name` must be a string, not integer",
            "a.toml:6:3: unknown setting `other` in [a]",
        ]
    );
}

#[test]
fn a_section_that_nobody_reads_is_unknown() {
    assert_eq!(faults_of("[b]\nx = 1", |_| ()), ["a.toml:1:2: unknown setting `b`"]);
}

#[test]
fn broken_toml_is_reported_alone() {
    let found = faults_of("a = 1\nb = = 2\n", |root| root.require("never asked"));
    assert!(found[0].starts_with("a.toml:2:"), "{found:?}");
    assert!(found.iter().all(|fault| !fault.contains("never asked")), "{found:?}");
}

#[test]
fn integers_keep_to_their_range() {
    for (text, wanted) in
        [("n = 0", None), ("n = 1", Some(1)), ("n = 0xa", Some(10)), ("n = 11", None), ("n = -1", None)]
    {
        let found = read(Path::new("a.toml"), text, |root| root.integer("n", 1..=10));
        assert_eq!(found.ok().flatten(), wanted, "{text}");
    }
}

#[test]
fn only_so_many_faults_are_listed() {
    let text: String = (0..250).map(|n| format!("k{n} = 1\n")).collect();
    let faults = read(Path::new("a.toml"), &text, |_| ()).unwrap_err();
    assert_eq!((faults.faults.len(), faults.left_off), (FAULTS_MAX, 150));
    assert!(faults.to_string().ends_with("and 150 more"));
}

#[test]
fn files_are_bounded_and_regular() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    std::fs::write(&path, "12345").unwrap();
    assert_eq!(text_of(&path, 5).unwrap().as_str(), "12345");
    assert_eq!(text_of(&path, 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    assert!(text_of(folder.path(), 5).is_err());
}
