//! The project's Rust files as text, and the same text with what is no code blanked out.
//! Knows how Rust spells comments, literals and test modules; knows no rule.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// One Rust file. The three texts have the same lines at the same places.
#[derive(Debug)]
pub(super) struct Source {
    /// Relative to the root of the clone, with slashes.
    pub(super) path: String,
    pub(super) text: String,
    /// Without comments and the insides of literals.
    pub(super) code: String,
    /// `code` without test modules; empty when the whole file is for tests.
    pub(super) shipped: String,
}

impl Source {
    pub(super) fn new(path: &str, text: &str) -> Self {
        let code = code_of(text);
        let shipped = if is_test_path(path) { String::new() } else { without_test_modules(&code) };
        Self { path: path.to_owned(), text: text.to_owned(), code, shipped }
    }

    pub(super) fn is_generated(&self) -> bool {
        self.path.ends_with("/generated.rs")
    }
}

/// Each Rust file below these folders of the root, in order of path.
pub(super) fn sources(root: &Path, folders: &[&str]) -> Vec<Source> {
    let mut paths = Vec::new();
    for folder in folders {
        collect(&root.join(folder), &mut paths);
    }
    paths.sort();
    let relative = |path: &Path| path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
    let mut found: Vec<_> =
        paths.iter().map(|path| Source::new(&relative(path), &fs::read_to_string(path).unwrap())).collect();
    let tests = modules_for_tests(&found);
    for source in &mut found {
        let stem = source.path.trim_end_matches(".rs").trim_end_matches("/mod");
        if tests.iter().any(|module| stem == module || stem.starts_with(&format!("{module}/"))) {
            source.shipped.clear();
        }
    }
    found
}

fn collect(folder: &Path, paths: &mut Vec<std::path::PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn is_test_path(path: &str) -> bool {
    path.starts_with("tests/")
        || path.ends_with("/tests.rs")
        || ["/tests/", "/benches/"].iter().any(|folder| path.contains(folder))
}

/// Paths, without `.rs`, of the files that are declared as `#[cfg(test)] mod name;` (or for tests and faults).
fn modules_for_tests(sources: &[Source]) -> BTreeSet<String> {
    let declaration =
        regex::Regex::new(r"#\[cfg\((?:any\()?test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([a-z]+\))? )?mod (\w+);")
            .unwrap();
    let mut found = BTreeSet::new();
    for source in sources {
        let folder = source.path.trim_end_matches(".rs");
        let folder = ["/mod", "/lib", "/main"].iter().find_map(|end| folder.strip_suffix(end)).unwrap_or(folder);
        found.extend(declaration.captures_iter(&source.code).map(|found| format!("{folder}/{}", &found[1])));
    }
    found
}

/// The text with comments and the insides of literals replaced by blanks; newlines stay.
pub(super) fn code_of(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let (skip, keep) = token(bytes, at);
        if !keep {
            code[at..at + skip].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
        }
        at += skip;
    }
    // Only whole comments and literals were blanked, byte by byte with ASCII: what is left is UTF-8 still.
    String::from_utf8(code).unwrap()
}

/// The length of what begins here, and whether it is code.
fn token(bytes: &[u8], at: usize) -> (usize, bool) {
    let rest = &bytes[at..];
    let in_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match rest {
        [b'/', b'/', ..] => (rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()), false),
        [b'/', b'*', ..] => (block_comment(rest), false),
        [b'"', ..] => (quoted(rest, 0), false),
        [b'b' | b'c', b'"', ..] if !in_word => (quoted(rest, 1), false),
        [b'r', b'"' | b'#', ..] if !in_word => raw(rest, 1),
        [b'b' | b'c', b'r', b'"' | b'#', ..] if !in_word => raw(rest, 2),
        [b'\'', ..] => character(rest),
        _ => (1, true),
    }
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at + 1 < rest.len() {
        match (rest[at], rest[at + 1]) {
            (b'/', b'*') => (depth, at) = (depth + 1, at + 2),
            (b'*', b'/') if depth == 1 => return at + 2,
            (b'*', b'/') => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &[u8], prefix: usize) -> usize {
    let mut at = prefix + 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// A raw string, or a raw identifier such as `r#type`.
fn raw(rest: &[u8], prefix: usize) -> (usize, bool) {
    let hashes = rest[prefix..].iter().take_while(|byte| **byte == b'#').count();
    if rest.get(prefix + hashes) != Some(&b'"') {
        return (1, true);
    }
    let end = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let body = &rest[prefix + hashes + 1..];
    let length = body.windows(end.len()).position(|window| window == end).map_or(rest.len(), |at| at + end.len());
    ((prefix + hashes + 1 + length).min(rest.len()), false)
}

/// A character literal, or the tick of a lifetime.
fn character(rest: &[u8]) -> (usize, bool) {
    if rest.get(1) == Some(&b'\\') {
        let end = rest.iter().skip(3).position(|byte| *byte == b'\'').map_or(rest.len(), |at| at + 4);
        return (end, false);
    }
    // One character of up to four bytes and a tick; a lifetime has no second tick so close, save as in `'a'`.
    let width = match rest.get(1) {
        Some(byte) if *byte < 0x80 => 1,
        Some(byte) if *byte < 0xE0 => 2,
        Some(byte) if *byte < 0xF0 => 3,
        _ => 4,
    };
    if rest.get(1 + width) == Some(&b'\'') { (2 + width, false) } else { (1, true) }
}

fn without_test_modules(code: &str) -> String {
    let module =
        regex::Regex::new(r"#\[cfg\((?:any\()?test\b[^\]]*\]\s*(?:#\[[^\]]*\]\s*)*(?:pub(?:\([a-z]+\))? )?mod \w+ \{")
            .unwrap();
    let mut shipped = code.as_bytes().to_vec();
    for found in module.find_iter(code) {
        let end = closing_brace(code, found.end() - 1);
        shipped[found.start()..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = b' ');
    }
    String::from_utf8(shipped).unwrap()
}

/// The place after the brace that closes the one at `open`.
pub(super) fn closing_brace(code: &str, open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth == 1 => return at + 1,
            b'}' => depth -= 1,
            _ => {}
        }
    }
    code.len()
}

/// The line, counted from one, of a place in a text.
pub(super) fn line(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}
