//! The audit log: one JSON line per request, chained by hash per writer, in files that rotate and are bounded in size.
//! Each writer has its own files and its own chain, so that a thread that records crosses to no other. Knows what a
//! record looks like, and nothing of when one is due.

mod chain;
mod desk;
mod file;
mod inventory;
mod note;
mod record;
mod sync;
mod tally;
mod verify;
mod writer;

use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

pub use chain::LINE_BYTES_MAX;
pub use desk::{Desk, HandedIn};
pub use record::{Decision, Kannuki, Record, Resource, SourceProof, Text, TlsDetails, UserIdentity};
pub use tally::{Tallied, Tally};
pub use verify::{Broken, Chain, Report, verify};
pub use writer::AuditWriter;

use inventory::Inventory;
use sync::Syncer;

/// The greatest number of writers that one folder's log can have, past ones included.
pub const WRITERS_MAX: usize = 128;

const LOCK_FILE: &str = "lock";

/// How the log is kept.
#[derive(Clone, Debug)]
pub struct AuditConfig {
    /// A file is closed before it grows past this many bytes.
    pub file_bytes_max: u64,
    /// The oldest files are removed so that all together stay within this many bytes. Each writer's newest file is
    /// kept whatever this says.
    pub keep_bytes: u64,
    /// A record is synced at most this long after it was written, if nobody asked for it sooner.
    pub sync_every: Duration,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self { file_bytes_max: 64 << 20, keep_bytes: 4 << 30, sync_every: Duration::from_millis(100) }
    }
}

/// Where a record is: in which writer's chain, and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    slot: usize,
    sequence: u64,
}

impl Position {
    /// The record's place in its chain, counted from 1.
    pub fn sequence(self) -> u64 {
        self.sequence
    }
}

/// Why the log did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuditError {
    #[error("the audit log can no longer be written")]
    OutOfOrder,
    #[error("the audit log cannot be used: {0}")]
    Io(String),
    #[error("the audit log's file {file} is damaged: {why}")]
    Damaged { file: String, why: String },
    #[error("the audit log is in use by another process")]
    Locked,
    #[error("the audit log's writer {0} is in use")]
    InUse(String),
    #[error("the audit log has too many writers, or one with a bad name: {0}")]
    Writer(String),
}

/// The log in one folder. Clones are the same log; the last one to go, writers included, syncs and closes it.
#[derive(Clone, Debug)]
pub struct AuditLog(Arc<Inner>);

impl AuditLog {
    /// Opens the log in this folder, making the folder if there is none, and starts the thread that syncs.
    ///
    /// # Errors
    /// `Locked` while another process writes there; `Io`.
    pub fn open(folder: &Path, config: AuditConfig, clock: Arc<dyn Clock>) -> Result<Self, AuditError> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io_error)?;
        let lock = fs::OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(folder.join(LOCK_FILE))
            .map_err(io_error)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => AuditError::Locked,
            TryLockError::Error(error) => io_error(error),
        })?;
        let inventory = Inventory::read(folder, &config)?;
        let syncer = Syncer::start(folder, config.sync_every)?;
        let folder = folder.to_owned();
        Ok(Self(Arc::new(Inner { folder, config, clock, inventory: Mutex::new(inventory), syncer, _lock: lock })))
    }

    /// The writer of this name, which goes on where the last one of that name left off. Names are of 1 to 32 lower-case
    /// letters, digits and hyphens. A line that a crash cut off is dropped, and a record says how long it was.
    ///
    /// # Errors
    /// `InUse` while there is one; `Writer` for a bad name or one too many; `Damaged` when the last whole line is not
    /// what was written, so that nothing can follow it.
    pub fn writer(&self, name: &str) -> Result<AuditWriter, AuditError> {
        AuditWriter::open(Arc::clone(&self.0), name)
    }

    /// Resolves once the record at this position is synced.
    ///
    /// # Errors
    /// `OutOfOrder` when it may never be: the host must leave service.
    pub fn synced(&self, position: Position) -> impl Future<Output = Result<(), AuditError>> + Send + use<> {
        self.0.syncer.synced(position)
    }

    /// Whether every record so far was written, and synced when it was due. Once `false` it stays so.
    pub fn healthy(&self) -> bool {
        self.0.syncer.healthy()
    }
}

/// What the log and its writers share. Fields drop in this order: the syncer ends before the folder is let go of.
#[derive(Debug)]
struct Inner {
    syncer: Syncer,
    folder: PathBuf,
    config: AuditConfig,
    clock: Arc<dyn Clock>,
    inventory: Mutex<Inventory>,
    _lock: File,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn io_error(error: io::Error) -> AuditError {
    AuditError::Io(error.to_string())
}

#[cfg(test)]
mod tests;
