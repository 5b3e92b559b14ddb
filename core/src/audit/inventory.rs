//! Which files the log has, and which of them must go so that it stays within its bound.
//! Decides; the writer that asks records the decision and the syncer removes the files.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use super::file::{FileName, list, previous_of_first};
use super::note::{Dropped, Start};
use super::{AuditConfig, AuditError, WRITERS_MAX, io_error};

/// The files that one note can say were dropped.
const DROPPED_MAX: usize = 64;

#[derive(Debug)]
pub(super) struct Inventory {
    file_bytes_max: u64,
    keep_bytes: u64,
    /// Files that are written no more and are not their writer's newest, oldest first.
    closed: VecDeque<Closed>,
    /// The newest file of each writer that is not in use, with its length.
    idle: BTreeMap<String, u64>,
    /// The writers in use.
    active: BTreeSet<String>,
    /// The first sequence of each file, by writer.
    firsts: BTreeMap<String, BTreeSet<u64>>,
    /// Where each chain that lost its beginning now starts.
    starts: BTreeMap<String, Start>,
}

#[derive(Debug)]
struct Closed {
    name: FileName,
    bytes: u64,
}

impl Inventory {
    pub(super) fn read(folder: &Path, config: &AuditConfig) -> Result<Self, AuditError> {
        let listing = list(folder).map_err(io_error)?;
        let mut inventory = Self {
            file_bytes_max: config.file_bytes_max,
            keep_bytes: config.keep_bytes,
            closed: VecDeque::new(),
            idle: BTreeMap::new(),
            active: BTreeSet::new(),
            firsts: BTreeMap::new(),
            starts: BTreeMap::new(),
        };
        let mut closed: Vec<(SystemTime, Closed)> = Vec::new();
        for (writer, firsts) in listing.files {
            for first in &firsts {
                let name = FileName { writer: writer.clone(), first: *first };
                let metadata = fs::metadata(folder.join(name.to_string())).map_err(io_error)?;
                let written = metadata.modified().map_err(io_error)?;
                closed.push((written, Closed { name, bytes: metadata.len() }));
            }
            let mut kept = closed.pop().map_or(0, |(_, newest)| newest.bytes);
            // A crash can leave the newest file without a line. Its writer then needs the file before to go on.
            if firsts.len() > 1 && !begins(folder, &writer, firsts.last().copied()) {
                kept += closed.pop().map_or(0, |(_, before)| before.bytes);
            }
            inventory.idle.insert(writer.clone(), kept);
            inventory.firsts.insert(writer.clone(), firsts.into_iter().collect());
            inventory.note_start(folder, &writer);
        }
        closed.sort_by(|(one, left), (other, right)| (one, &left.name).cmp(&(other, &right.name)));
        inventory.closed = closed.into_iter().map(|(_, file)| file).collect();
        Ok(inventory)
    }

    /// Takes a writer into use, and answers the first sequences of its files, in order.
    pub(super) fn activate(&mut self, writer: &str) -> Result<Vec<u64>, AuditError> {
        let known = self.firsts.contains_key(writer);
        if !known && self.firsts.len() >= WRITERS_MAX {
            return Err(AuditError::Writer(writer.to_owned()));
        }
        if !self.active.insert(writer.to_owned()) {
            return Err(AuditError::InUse(writer.to_owned()));
        }
        self.idle.remove(writer);
        Ok(self.firsts.entry(writer.to_owned()).or_default().iter().copied().collect())
    }

    /// Puts a writer out of use; its newest file has this length.
    pub(super) fn deactivate(&mut self, writer: &str, bytes: u64) {
        if self.active.remove(writer) {
            self.idle.insert(writer.to_owned(), bytes);
        }
    }

    /// A file was begun; the writer's one before it, if any, is closed at this length.
    pub(super) fn begin(&mut self, name: &FileName, closed_bytes: u64) {
        let firsts = self.firsts.entry(name.writer.clone()).or_default();
        if let Some(first) = firsts.last().copied() {
            let name = FileName { writer: name.writer.clone(), first };
            self.closed.push_back(Closed { name, bytes: closed_bytes });
        }
        firsts.insert(name.first);
    }

    /// Gives up the oldest files until the rest is within the bound, at most as many as one note can name. Every writer
    /// in use counts as a full file, so the bound holds until the next time.
    pub(super) fn trim(&mut self, folder: &Path) -> Vec<Dropped> {
        let mut dropped = Vec::new();
        let reserved = self.file_bytes_max * self.active.len() as u64 + self.idle.values().sum::<u64>();
        let mut total = reserved + self.closed.iter().map(|file| file.bytes).sum::<u64>();
        while total > self.keep_bytes && dropped.len() < DROPPED_MAX {
            let Some(oldest) = self.closed.pop_front() else { break };
            let firsts = self.firsts.entry(oldest.name.writer.clone()).or_default();
            firsts.remove(&oldest.name.first);
            let next = firsts.first().copied().unwrap_or(oldest.name.first);
            self.note_start(folder, &oldest.name.writer);
            total -= oldest.bytes;
            dropped.push(Dropped {
                file: oldest.name.to_string(),
                first: oldest.name.first,
                last: next.saturating_sub(1),
                count: next.saturating_sub(oldest.name.first),
            });
        }
        dropped
    }

    /// Where the chains that lost their beginning now start.
    pub(super) fn starts(&self) -> Vec<Start> {
        self.starts.values().cloned().collect()
    }

    fn note_start(&mut self, folder: &Path, writer: &str) {
        let Some(first) = self.firsts.get(writer).and_then(|firsts| firsts.first().copied()) else { return };
        if first <= 1 {
            return;
        }
        let name = FileName { writer: writer.to_owned(), first }.to_string();
        match previous_of_first(&folder.join(&name)) {
            Ok(Some(previous)) => {
                let start = Start { writer: writer.to_owned(), sequence: first, previous: hex::encode(previous) };
                self.starts.insert(writer.to_owned(), start);
            }
            // The start stays unexplained, and `verify` says so; that is no reason to stop recording.
            unreadable => tracing::error!(file = name, ?unreadable, "an audit file's first line cannot be read"),
        }
    }
}

fn begins(folder: &Path, writer: &str, first: Option<u64>) -> bool {
    let name = first.map(|first| FileName { writer: writer.to_owned(), first }.to_string());
    name.is_some_and(|name| previous_of_first(&folder.join(name)).is_ok_and(|previous| previous.is_some()))
}
