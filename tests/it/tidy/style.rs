//! Limits of style: the size of files and functions, headers, names, and words that mean unfinished work.
//! Knows one file at a time, and the list of functions that were too long when it was made.

use std::collections::BTreeSet;

use regex::Regex;

use super::source::{Source, closing_brace, line};

const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// Each file says first what it knows and what it must not know; a module's `tests.rs` has its module's word for it.
pub(super) fn headers(sources: &[Source]) -> Vec<String> {
    let bare = |source: &&Source| !source.text.starts_with("//! ") && !source.path.ends_with("/tests.rs");
    sources.iter().filter(bare).map(|source| format!("{}: does not begin with `//!`", source.path)).collect()
}

pub(super) fn file_sizes(sources: &[Source]) -> Vec<String> {
    let lines = |source: &Source| source.text.lines().count();
    let long = |source: &&Source| !source.is_generated() && lines(source) > FILE_LINES_MAX;
    sources.iter().filter(long).map(|source| format!("{}: {} lines", source.path, lines(source))).collect()
}

/// Functions over the limit that are not listed, and listed ones that are not over it any more: the list only shrinks.
pub(super) fn function_sizes(sources: &[Source], listed: &str) -> Vec<String> {
    let listed: BTreeSet<_> = listed.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let mut long = BTreeSet::new();
    for source in sources.iter().filter(|source| !source.is_generated()) {
        for (name, lines) in functions(&source.code) {
            if lines > FUNCTION_LINES_MAX {
                long.insert(format!("{} {name}", source.path));
            }
        }
    }
    let new = long.iter().filter(|name| !listed.contains(name.as_str()));
    let gone = listed.iter().filter(|name| !long.contains(**name));
    new.map(|name| format!("{name}: over {FUNCTION_LINES_MAX} lines"))
        .chain(gone.map(|name| format!("{name}: is not too long any more, take it from the list")))
        .collect()
}

/// The name and the number of lines of each function that has a body.
fn functions(code: &str) -> Vec<(String, usize)> {
    let head = Regex::new(r"\bfn (\w+)").unwrap();
    let of = |found: regex::Captures<'_>| {
        let start = found.get(0).unwrap().start();
        let end = body_start(code, start)?;
        Some((found[1].to_owned(), line(code, closing_brace(code, end)) - line(code, start) + 1))
    };
    head.captures_iter(code).filter_map(of).collect()
}

/// Where a function's body opens; `None` for a declaration that ends in a semicolon.
fn body_start(code: &str, start: usize) -> Option<usize> {
    let mut brackets = 0_i32;
    for (at, byte) in code.bytes().enumerate().skip(start) {
        match byte {
            b'(' | b'[' => brackets += 1,
            b')' | b']' => brackets -= 1,
            b'{' if brackets == 0 => return Some(at),
            b';' if brackets == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Words in code that mean work left over or a rule set aside without a reason. `shipped` ones may stand in tests.
pub(super) fn words(sources: &[Source]) -> Vec<String> {
    let anywhere = Regex::new(r"\b(todo!|unimplemented!|dbg!|unsafe\b)|#\[ignore").unwrap();
    let shipped = Regex::new(r"#!?\[allow\([^\]=]*\]|\bdo_send\b").unwrap();
    let notes = Regex::new(r"\b(TODO|FIXME|XXX)\b").unwrap();
    let mut found = Vec::new();
    for source in sources {
        found.extend(hits(&anywhere, &source.path, &source.code));
        if !source.is_generated() {
            found.extend(hits(&shipped, &source.path, &source.shipped));
        }
        if !source.path.starts_with("tests/it/tidy/") {
            found.extend(hits(&notes, &source.path, &source.text));
        }
    }
    found
}

/// Names that say nothing about what is inside.
pub(super) fn names(sources: &[Source]) -> Vec<String> {
    let empty = ["util", "utils", "helper", "helpers", "common", "misc", "manager", "shared", "types"];
    let stem = |source: &Source| source.path.trim_end_matches(".rs").rsplit('/').next().unwrap_or("").to_owned();
    let nameless = |source: &&Source| empty.contains(&stem(source).as_str());
    sources.iter().filter(nameless).map(|source| format!("{}: says nothing of what is inside", source.path)).collect()
}

/// Where a pattern matches, as `path:line: match`.
pub(super) fn hits(pattern: &Regex, path: &str, text: &str) -> Vec<String> {
    pattern.find_iter(text).map(|found| format!("{path}:{}: `{}`", line(text, found.start()), found.as_str())).collect()
}
