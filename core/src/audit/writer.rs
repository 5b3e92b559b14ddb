//! One writer's chain: appends lines to its newest file, and begins the next when that is full.
//! A record is handed to the kernel before `append` returns, or with others that were staged; the syncer makes it
//! durable.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::Arc;

use super::chain::{Link, next_line};
use super::file::{FileName, is_writer_name, tail};
use super::note::{Note, NoteRecord};
use super::record::Record;
use super::sync::Slot;
use super::{AuditError, Inner, Position, io_error, lock};

/// More room than this for staged lines is given back.
const STAGED_BYTES_KEPT: usize = 1 << 20;

/// Appends to one chain of the log. One per thread; dropping it frees the name.
#[derive(Debug)]
pub struct AuditWriter {
    log: Arc<Inner>,
    name: String,
    slot: Arc<Slot>,
    slot_number: usize,
    /// `None` until there is a first line to write.
    file: Option<Arc<File>>,
    bytes: u64,
    /// The end of the chain, what is staged included.
    last: Link,
    /// Lines that are not written yet.
    staged: Vec<u8>,
    /// The last line that is.
    written: u64,
}

impl AuditWriter {
    /// Writes one record and answers where it is. When this returns, the record survives the end of this process;
    /// after `AuditLog::synced`, that of the machine.
    ///
    /// # Errors
    /// `OutOfOrder` when it could not be written, and from then on always: the host must leave service.
    pub fn append(&mut self, record: &Record<'_>) -> Result<Position, AuditError> {
        let position = self.stage(record)?;
        self.write_to(position)?;
        Ok(position)
    }

    /// Gives a record its place in the chain, to be written with others. It is lost with this process until it is.
    pub(super) fn stage(&mut self, record: &Record<'_>) -> Result<Position, AuditError> {
        if !self.log.syncer.healthy() {
            return Err(AuditError::OutOfOrder);
        }
        let start = self.staged.len();
        let link = next_line(&mut self.staged, &self.name, &self.last, |to| record.write(to)).map_err(json_error)?;
        if self.file.is_some() && self.bytes + self.staged.len() as u64 <= self.log.config.file_bytes_max {
            self.last = link;
            return Ok(self.position());
        }
        let line = self.staged.split_off(start);
        self.write_staged()?;
        let position = self.write_first(&line, link)?;
        self.trim()?;
        Ok(position)
    }

    /// Writes all that is staged, unless this record is written already.
    ///
    /// # Errors
    /// `OutOfOrder` when it could not be written, also when it was lost along with one that was asked for before.
    pub(super) fn write_to(&mut self, position: Position) -> Result<(), AuditError> {
        if position.sequence > self.written {
            self.write_staged()?;
        }
        if position.sequence <= self.written { Ok(()) } else { Err(AuditError::OutOfOrder) }
    }

    /// Resolves once all that this writer wrote is synced; `AuditLog::synced` of its last position.
    pub fn sync(&self) -> impl Future<Output = Result<(), AuditError>> + Send + use<> {
        self.log.syncer.synced(self.position())
    }

    pub(super) fn open(log: Arc<Inner>, name: &str) -> Result<Self, AuditError> {
        if !is_writer_name(name) {
            return Err(AuditError::Writer(name.to_owned()));
        }
        let firsts = lock(&log.inventory).activate(name)?;
        let opened = Opened::read(&log.folder, name, &firsts).inspect_err(|_| {
            lock(&log.inventory).deactivate(name, 0);
        })?;
        let (slot_number, slot) = log.syncer.slot(opened.last.sequence);
        let Opened { file, bytes, last, torn } = opened;
        file.iter().for_each(|file| slot.begin(Arc::clone(file)));
        let written = last.sequence;
        let staged = Vec::new();
        let mut writer = Self { log, name: name.to_owned(), slot, slot_number, file, bytes, last, staged, written };
        if let Some(note) = torn {
            writer.note(note)?;
        }
        writer.trim()?;
        Ok(writer)
    }

    fn write_staged(&mut self) -> Result<(), AuditError> {
        if self.staged.is_empty() {
            return Ok(());
        }
        let mut lines = std::mem::take(&mut self.staged);
        self.write(&lines, self.last)?;
        lines.clear();
        if lines.capacity() <= STAGED_BYTES_KEPT {
            self.staged = lines;
        }
        Ok(())
    }

    fn write(&mut self, lines: &[u8], last: Link) -> Result<Position, AuditError> {
        // The end of the file is unknown after a failed write, so nothing may follow it until the next start looks.
        if !self.log.syncer.healthy() {
            return Err(AuditError::OutOfOrder);
        }
        let file = self.file.as_deref().ok_or(AuditError::OutOfOrder)?;
        write_all(file, lines).map_err(|error| self.out_of_order(&error))?;
        self.bytes += lines.len() as u64;
        self.last = last;
        self.written = last.sequence;
        self.slot.wrote(last.sequence);
        Ok(self.position())
    }

    fn position(&self) -> Position {
        Position { slot: self.slot_number, sequence: self.last.sequence }
    }

    /// Begins the next file with this line.
    fn write_first(&mut self, line: &[u8], link: Link) -> Result<Position, AuditError> {
        let name = FileName { writer: self.name.clone(), first: link.sequence };
        let path = self.log.folder.join(name.to_string());
        let file = Arc::new(append_to(&path, true).map_err(|error| self.out_of_order(&error))?);
        self.slot.begin(Arc::clone(&file));
        self.log.syncer.folder_changed();
        self.file = Some(file);
        let closed_bytes = std::mem::take(&mut self.bytes);
        let position = self.write(line, link)?;
        // Only now may the file before this one be dropped: the chain's new start is this line.
        lock(&self.log.inventory).begin(&name, closed_bytes);
        Ok(position)
    }

    /// Gives up the oldest files when the log is over its bound: says so first, then has them removed.
    fn trim(&mut self) -> Result<(), AuditError> {
        loop {
            let (files, starts) = {
                let mut inventory = lock(&self.log.inventory);
                (inventory.trim(&self.log.folder), inventory.starts())
            };
            if files.is_empty() {
                return Ok(());
            }
            let paths: Vec<_> = files.iter().map(|dropped| self.log.folder.join(&dropped.file)).collect();
            self.note(Note::Dropped { files, starts })?;
            self.log.syncer.remove(paths.into_iter());
        }
    }

    /// Writes a note, past the file's bound if need be: beginning a file for it could drop further files before this
    /// note has said which are gone already.
    fn note(&mut self, note: Note) -> Result<(), AuditError> {
        self.write_staged()?;
        let mut line = Vec::new();
        let record = NoteRecord::new(note, self.log.clock.now());
        let json = serde_json::to_vec(&record).map_err(json_error)?;
        let link = next_line(&mut line, &self.name, &self.last, |to| to.extend(json)).map_err(json_error)?;
        let written = if self.file.is_some() { self.write(&line, link) } else { self.write_first(&line, link) };
        written.map(|_| ())
    }

    fn out_of_order(&self, error: &std::io::Error) -> AuditError {
        tracing::error!(%error, writer = self.name, "the audit log cannot be written");
        self.log.syncer.fail();
        AuditError::OutOfOrder
    }
}

impl Drop for AuditWriter {
    fn drop(&mut self) {
        if self.write_staged().is_err() {
            tracing::error!(writer = self.name, "audit records were lost");
        }
        lock(&self.log.inventory).deactivate(&self.name, self.bytes);
    }
}

/// Where a writer goes on.
struct Opened {
    file: Option<Arc<File>>,
    bytes: u64,
    last: Link,
    torn: Option<Note>,
}

impl Opened {
    fn read(folder: &Path, writer: &str, firsts: &[u64]) -> Result<Self, AuditError> {
        let Some((newest, earlier)) = firsts.split_last() else {
            return Ok(Self { file: None, bytes: 0, last: Link::default(), torn: None });
        };
        let name = FileName { writer: writer.to_owned(), first: *newest }.to_string();
        let path = folder.join(&name);
        let end = tail(&path)?;
        let last = match (end.last, earlier.last()) {
            (Some(last), _) => last,
            // A crash came after the file was begun and before its first line was whole.
            (None, Some(before)) => last_of(folder, writer, *before)?,
            (None, None) => Link::default(),
        };
        if end.last.is_none() && last.sequence + 1 != *newest {
            let why = "it is empty, and the lines before it are gone".to_owned();
            return Err(AuditError::Damaged { file: name, why });
        }
        let file = append_to(&path, false).map_err(io_error)?;
        let torn = (end.torn_bytes > 0).then_some(Note::TornLine { file: name, bytes: end.torn_bytes });
        if torn.is_some() {
            file.set_len(end.whole_bytes).map_err(io_error)?;
        }
        // What the last process wrote and did not sync becomes durable before anything is built on it.
        file.sync_all().map_err(io_error)?;
        Ok(Self { file: Some(Arc::new(file)), bytes: end.whole_bytes, last, torn })
    }
}

fn last_of(folder: &Path, writer: &str, first: u64) -> Result<Link, AuditError> {
    let name = FileName { writer: writer.to_owned(), first }.to_string();
    let end = tail(&folder.join(&name))?;
    let whole = end.last.filter(|_| end.torn_bytes == 0);
    whole.ok_or_else(|| AuditError::Damaged { file: name, why: "its last line is missing".to_owned() })
}

fn append_to(path: &Path, new: bool) -> std::io::Result<File> {
    fs::OpenOptions::new().append(true).create_new(new).mode(0o600).open(path)
}

fn write_all(mut file: &File, lines: &[u8]) -> std::io::Result<()> {
    file.write_all(lines)
}

fn json_error(error: serde_json::Error) -> AuditError {
    AuditError::Io(error.to_string())
}
