//! Checks a log's folder without the process that writes it: finds records that were changed, removed, reordered or cut
//! off in the middle. Lines cut off at the end of a chain, a chain removed whole, and a log forged from some point on
//! with all its hashes do not show from the files alone: that takes digests signed elsewhere.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::thread;
use std::time::Duration;

use serde::Deserialize;

use super::chain::{LINE_BYTES_MAX, Link, Linked};
use super::file::{FileName, list};
use super::note::{NOTE_EVENT_TYPE, Note, NoteRecord, Start};

/// What was checked, when everything holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    pub files: u64,
    /// Lines, the log's own notes included.
    pub records: u64,
    pub bytes: u64,
    pub chains: Vec<Chain>,
    /// Bytes of torn lines that crashes left, from the notes that are still there.
    pub torn_bytes: u64,
    /// Records dropped to stay within the bound, from the notes that are still there.
    pub dropped_records: u64,
}

/// One writer's chain, from its first line that is still there to its last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    pub writer: String,
    pub first: u64,
    pub last: u64,
    /// SHA-256 of the last line, in hexadecimal.
    pub last_hash: String,
}

/// The first thing that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}, line {line}: {why}")]
pub struct Broken {
    pub file: String,
    /// Counted from 1; 0 when it is about the whole file.
    pub line: u64,
    pub why: String,
}

/// Checks every file of the log in this folder. The log may be in use.
///
/// # Errors
/// The first thing that does not hold, or that cannot be read.
pub fn verify(folder: &Path) -> Result<Report, Broken> {
    // A log in use drops files; one that goes between the listing and its turn is no damage.
    for _ in 0..8 {
        match Check::default().run(folder) {
            Err(Stop::Vanished) => {}
            Err(Stop::Broken(broken)) => return Err(broken),
            Ok(report) => return Ok(report),
        }
    }
    Err(whole_file("", "files of the log keep vanishing"))
}

enum Stop {
    Vanished,
    Broken(Broken),
}

impl From<Broken> for Stop {
    fn from(broken: Broken) -> Self {
        Self::Broken(broken)
    }
}

#[derive(Default)]
struct Check {
    report: Report,
    /// Chain starts that a note explains.
    explained: BTreeSet<Start>,
    /// Chain starts that need one, with their files.
    found: Vec<(Start, String)>,
}

impl Check {
    fn run(mut self, folder: &Path) -> Result<Report, Stop> {
        let unreadable = |error: io::Error| whole_file("", &format!("the folder cannot be read: {error}"));
        let listing = list(folder).map_err(unreadable)?;
        if let Some(stranger) = listing.strangers.first() {
            return Err(whole_file(stranger, "no file of the log has such a name").into());
        }
        for (writer, firsts) in &listing.files {
            self.chain(folder, writer, firsts)?;
        }
        match self.found.iter().find(|(start, _)| !self.explained.contains(start)) {
            Some((start, file)) => {
                let why = format!("records of {} before {} are missing", start.writer, start.sequence);
                Err(Broken { file: file.clone(), line: 1, why }.into())
            }
            None => Ok(self.report),
        }
    }

    fn chain(&mut self, folder: &Path, writer: &str, firsts: &[u64]) -> Result<(), Stop> {
        let mut last: Option<Link> = None;
        for (number, first) in firsts.iter().enumerate() {
            let name = FileName { writer: writer.to_owned(), first: *first };
            let newest = number + 1 == firsts.len();
            let end = self.file(folder, &name, last, newest)?;
            last = end.or(last);
            self.report.files += 1;
        }
        if let (Some(first), Some(last)) = (firsts.first(), last) {
            let last_hash = hex::encode(last.hash);
            self.report.chains.push(Chain { writer: writer.to_owned(), first: *first, last: last.sequence, last_hash });
        }
        Ok(())
    }

    /// Checks one file's lines, the first against `before`, and answers the last.
    fn file(
        &mut self,
        folder: &Path,
        name: &FileName,
        before: Option<Link>,
        newest: bool,
    ) -> Result<Option<Link>, Stop> {
        let file = match File::open(folder.join(name.to_string())) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Stop::Vanished),
            other => other.map_err(|error| whole_file(&name.to_string(), &error.to_string()))?,
        };
        let mut lines = Lines { reader: BufReader::new(file), number: 0 };
        let mut last = None;
        while let Some(line) = lines.next(newest).map_err(|why| lines.broken(name, why))? {
            let link = self.line(name, &line, before, last).map_err(|why| lines.broken(name, why))?;
            self.report.records += 1;
            self.report.bytes += line.len() as u64 + 1;
            last = Some(link);
        }
        let begins = before.map_or(1, |link| link.sequence + 1);
        match last {
            // Only a crash right after it was begun leaves a file empty, and the next start goes on in it.
            None if !newest || name.first != begins => Err(whole_file(&name.to_string(), "it has no records").into()),
            last => Ok(last),
        }
    }

    fn line(&mut self, name: &FileName, line: &[u8], before: Option<Link>, last: Option<Link>) -> Result<Link, String> {
        let linked = Linked::parse(line).ok_or("it is not what was written")?;
        if linked.writer != name.writer {
            return Err(format!("it belongs to the chain of {}", linked.writer));
        }
        let expected = match last.or(before) {
            Some(link) => link,
            None if name.first == 1 => Link::default(),
            None => {
                let (writer, sequence) = (name.writer.clone(), name.first);
                let start = Start { writer, sequence, previous: hex::encode(linked.previous) };
                self.found.push((start, name.to_string()));
                Link { sequence: name.first - 1, hash: linked.previous }
            }
        };
        if last.is_none() && linked.link.sequence != name.first {
            return Err(format!("the file should begin with record {}, not {}", name.first, linked.link.sequence));
        }
        if linked.link.sequence != expected.sequence + 1 {
            return Err(format!("record {} follows record {}", linked.link.sequence, expected.sequence));
        }
        if linked.previous != expected.hash {
            return Err("it does not follow from the record before it".to_owned());
        }
        self.note(line)?;
        Ok(linked.link)
    }

    fn note(&mut self, line: &[u8]) -> Result<(), String> {
        let probe: Probe = serde_json::from_slice(line).map_err(|_| "it is not a record")?;
        if probe.event_type.as_deref() != Some(NOTE_EVENT_TYPE) {
            return Ok(());
        }
        let record: NoteRecord = serde_json::from_slice(line).map_err(|_| "it is not a note of the log")?;
        match record.into_note() {
            Note::TornLine { bytes, .. } => self.report.torn_bytes += bytes,
            Note::Dropped { files, starts } => {
                self.report.dropped_records += files.iter().map(|file| file.count).sum::<u64>();
                self.explained.extend(starts);
            }
        }
        Ok(())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Probe {
    event_type: Option<String>,
}

struct Lines {
    reader: BufReader<File>,
    number: u64,
}

impl Lines {
    /// The next line without its line feed.
    fn next(&mut self, may_grow: bool) -> Result<Option<Vec<u8>>, String> {
        let mut line = Vec::new();
        // A reader can see a line of a log in use half-written. It is whole a moment later.
        for _ in 0..if may_grow { 5 } else { 1 } {
            let room = (LINE_BYTES_MAX + 1 - line.len()) as u64;
            let read = self.reader.by_ref().take(room).read_until(b'\n', &mut line);
            read.map_err(|error| format!("it cannot be read: {error}"))?;
            if line.is_empty() {
                return Ok(None);
            }
            if line.ends_with(b"\n") || line.len() > LINE_BYTES_MAX {
                break;
            }
            thread::sleep(Duration::from_millis(5));
        }
        self.number += 1;
        match line.pop() {
            Some(b'\n') => Ok(Some(line)),
            _ => Err("it is cut off, or too long".to_owned()),
        }
    }

    fn broken(&self, name: &FileName, why: String) -> Broken {
        Broken { file: name.to_string(), line: self.number, why }
    }
}

fn whole_file(file: &str, why: &str) -> Broken {
    Broken { file: file.to_owned(), line: 0, why: why.to_owned() }
}
