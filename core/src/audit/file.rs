//! The files of the log: their names, and what their first and last lines say.
//! A file is `<writer>.<sequence of its first line, 20 digits>.jsonl`. Reads; changes nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::chain::{LINE_BYTES_MAX, Link, Linked};
use super::{AuditError, io_error};

pub(super) const EXTENSION: &str = ".jsonl";

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileName {
    pub(super) writer: String,
    /// The sequence of the first line.
    pub(super) first: u64,
}

impl fmt::Display for FileName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{:020}{EXTENSION}", self.writer, self.first)
    }
}

impl FileName {
    pub(super) fn parse(name: &str) -> Option<Self> {
        let (writer, first) = name.strip_suffix(EXTENSION)?.split_once('.')?;
        let parsed = Self { writer: writer.to_owned(), first: first.parse().ok()? };
        // Only the one spelling, so that no two files can claim the same place.
        (is_writer_name(writer) && parsed.to_string() == name).then_some(parsed)
    }
}

pub(super) fn is_writer_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=32).contains(&name.len()) && name.bytes().all(allowed)
}

/// The names in a folder: the log's files by writer, in order, and what only looks like one of them.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) files: BTreeMap<String, Vec<u64>>,
    pub(super) strangers: Vec<String>,
}

pub(super) fn list(folder: &Path) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        match FileName::parse(&name) {
            Some(file) => listing.files.entry(file.writer).or_default().push(file.first),
            None if name.ends_with(EXTENSION) => listing.strangers.push(name),
            None => {}
        }
    }
    listing.files.values_mut().for_each(|firsts| firsts.sort_unstable());
    listing.strangers.sort_unstable();
    Ok(listing)
}

/// What the first line says of its place, if there is a whole first line as it was written.
pub(super) fn previous_of_first(path: &Path) -> io::Result<Option<[u8; 32]>> {
    let mut line = Vec::new();
    BufReader::new(File::open(path)?).take(LINE_BYTES_MAX as u64).read_until(b'\n', &mut line)?;
    Ok(line.strip_suffix(b"\n").and_then(Linked::parse).map(|linked| linked.previous))
}

/// How a file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// The length of the file's whole lines.
    pub(super) whole_bytes: u64,
    /// What follows them: the part of a line that a crash left.
    pub(super) torn_bytes: u64,
    /// The last whole line; `None` when there is none.
    pub(super) last: Option<Link>,
}

/// Reads how a file ends. The error is `Damaged` when its last whole line is not as it was written.
pub(super) fn tail(path: &Path) -> Result<Tail, AuditError> {
    let mut file = File::open(path).map_err(io_error)?;
    let length = file.metadata().map_err(io_error)?.len();
    let start = length.saturating_sub(2 * LINE_BYTES_MAX as u64);
    file.seek(SeekFrom::Start(start)).map_err(io_error)?;
    let mut window = Vec::new();
    file.take(2 * LINE_BYTES_MAX as u64).read_to_end(&mut window).map_err(io_error)?;
    let damaged = |why: &str| {
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        AuditError::Damaged { file, why: why.to_owned() }
    };
    let mut parts = window.rsplitn(3, |byte| *byte == b'\n');
    let torn_bytes = parts.next().map_or(0, |torn| torn.len() as u64);
    let whole_bytes = length - torn_bytes;
    let (line, before) = (parts.next(), parts.next());
    if start > 0 && before.is_none() {
        return Err(damaged("its last line is too long"));
    }
    let last = match line {
        None => None,
        Some(line) => Some(Linked::parse(line).ok_or_else(|| damaged("its last line is not what was written"))?.link),
    };
    Ok(Tail { whole_bytes, torn_bytes, last })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_has_one_spelling() {
        let name = FileName { writer: "worker-0".to_owned(), first: 12 };
        assert_eq!(name.to_string(), "worker-0.00000000000000000012.jsonl");
        assert_eq!(FileName::parse(&name.to_string()), Some(name));
        for bad in ["worker-0.12.jsonl", "a.b.00000000000000000012.jsonl", ".00000000000000000012.jsonl", "lock"] {
            assert_eq!(FileName::parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_name_is_read_back_or_refused(name in "[a-z.0-9+]{0,12}\\.[0-9+]{18,21}\\.jsonl") {
            if let Some(parsed) = FileName::parse(&name) {
                prop_assert_eq!(parsed.to_string(), name);
            }
        }
    }
}
