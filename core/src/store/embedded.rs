//! The store on this machine: one redb file, one writer thread, all rows checked at opening.
//! A file rolled back as a whole, or removed, cannot be told from here; the generation, which the audit digests
//! carry, shows it. Whoever opens a store that must exist already has to see to it that the file does.

use std::collections::VecDeque;
use std::fmt;
use std::fs;
use std::io;
use std::ops::ControlFlow;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::{self, JoinHandle};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, ready};
use redb::{Database, ReadableDatabase};
use tokio::sync::oneshot;

use super::integrity::{Integrity, SetHash, Verified, redb_error, shielded};
use super::tables::{Root, Tag};
use super::writer::{Job, Writer, store_root};
use super::{
    BATCH_BYTES_MAX, BATCH_ROWS_MAX, BODY_BYTES_MAX, Batch, Event, Follower, KEY_BYTES_MAX, Revision, Row, RowKey,
    RowSealer, Store, StoreError, Write,
};

const WAITING_BATCHES_MAX: usize = 4096;
const WAITING_BYTES_MAX: usize = 64 << 20;
const HISTORY_BYTES_MAX: usize = 32 << 20;

/// What can be chosen when a store is opened.
#[derive(Clone, Debug)]
pub struct OpenOptions {
    /// redb's page cache, in bytes.
    pub cache_bytes: usize,
    /// The greatest number of past events that are kept in memory for `changes_since`.
    pub history_max: usize,
}

impl Default for OpenOptions {
    fn default() -> Self {
        // Requests read the view, never the file: what is cached serves the writer's own look at the rows it changes,
        // and the upper pages of the trees of a million keys are more than half of this.
        Self { cache_bytes: 64 << 20, history_max: 4096 }
    }
}

/// The embedded store. Dropping it commits what waits and then lets go of the file.
pub struct Embedded {
    database: Arc<Database>,
    integrity: Arc<Integrity>,
    shared: Arc<Shared>,
    /// Until the start.
    writer: Mutex<Option<Writer>>,
    /// From the start on.
    queue: OnceLock<SyncSender<Job>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl fmt::Debug for Embedded {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Embedded").field("integrity", &self.integrity).finish_non_exhaustive()
    }
}

impl Embedded {
    /// Opens the store at `path`, creating it if there is no such file, checks every row and the root, and hands the
    /// rows to `loaded` as it goes. What `loaded` got is worthless unless this answers `Ok`.
    ///
    /// # Errors
    /// `Damaged` for a file that redb cannot read, `Tampered` for one in which a row or the root is not what was last
    /// committed, `Foreign` for another region's or a later epoch's, `Locked` while another process has it open.
    pub fn open(
        path: &Path,
        region: &str,
        epoch: u64,
        sealer: Arc<dyn RowSealer>,
        options: OpenOptions,
        loaded: &mut dyn FnMut(RowKey, Row),
    ) -> Result<Self, StoreError> {
        let integrity = Integrity::new(region, epoch, sealer);
        if !path.try_exists().map_err(io_error)? {
            create(path, &integrity)?;
        }
        let mut builder = Database::builder();
        // Without redb's own check of all its pages, a damaged one can go unnoticed until something writes near it.
        builder.set_cache_size(options.cache_bytes).set_check_integrity_on_open(true);
        let database = shielded(|| builder.open(path).map_err(redb_error))?;
        Self::over(database, integrity, &options, loaded)
    }

    /// The store in a database that has a root.
    pub(super) fn over(
        database: Database,
        integrity: Integrity,
        options: &OpenOptions,
        loaded: &mut dyn FnMut(RowKey, Row),
    ) -> Result<Self, StoreError> {
        let transaction = shielded(|| database.begin_read().map_err(redb_error))?;
        let mut each = |key, row| {
            loaded(key, row);
            ControlFlow::Continue(())
        };
        let ControlFlow::Continue(state) = integrity.read_all(&transaction, &mut each)? else {
            return Err(StoreError::Unavailable);
        };
        drop(transaction);
        let shared = Arc::new(Shared::new(&state.root, options.history_max));
        let (database, integrity) = (Arc::new(database), Arc::new(integrity));
        let writer = Writer {
            database: Arc::clone(&database),
            integrity: Arc::clone(&integrity),
            shared: Arc::clone(&shared),
            state,
        };
        Ok(Self {
            database,
            integrity,
            shared,
            writer: Mutex::new(Some(writer)),
            queue: OnceLock::new(),
            thread: Mutex::new(None),
        })
    }

    /// Starts the writer thread; until then every commit answers `Unavailable`.
    ///
    /// # Errors
    /// `Unavailable` when it was started before, or when there is no thread to be had.
    pub fn start(&self, follower: Box<dyn Follower>) -> Result<(), StoreError> {
        let writer = lock(&self.writer).take().ok_or(StoreError::Unavailable)?;
        let (sender, receiver) = sync_channel(WAITING_BATCHES_MAX);
        let thread = thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(&receiver, follower))
            .map_err(|_| StoreError::Unavailable)?;
        *lock(&self.thread) = Some(thread);
        self.queue.set(sender).map_err(|_| StoreError::Unavailable)
    }

    /// How many transactions this file has seen; it only grows, so an older copy of the file shows.
    pub fn generation(&self) -> u64 {
        self.shared.generation.load(Ordering::Acquire)
    }

    fn enqueue(&self, batch: Batch) -> Result<oneshot::Receiver<Result<Revision, StoreError>>, StoreError> {
        let bytes = checked_size(&batch)?;
        let queue = self.queue.get().ok_or(StoreError::Unavailable)?;
        let waiting = &self.shared.waiting_bytes;
        if waiting.fetch_add(bytes, Ordering::Relaxed) > WAITING_BYTES_MAX {
            waiting.fetch_sub(bytes, Ordering::Relaxed);
            return Err(StoreError::Busy);
        }
        let (reply, answer) = oneshot::channel();
        queue.try_send(Job { batch, bytes, reply }).map_err(|error| {
            waiting.fetch_sub(bytes, Ordering::Relaxed);
            match error {
                TrySendError::Full(_) => StoreError::Busy,
                TrySendError::Disconnected(_) => StoreError::Unavailable,
            }
        })?;
        Ok(answer)
    }
}

impl Store for Embedded {
    fn healthy(&self) -> bool {
        !self.shared.stopped.load(Ordering::Acquire)
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Revision, StoreError>> {
        match self.enqueue(batch) {
            Ok(answer) => answer.map(|answer| answer.unwrap_or(Err(StoreError::Unavailable))).boxed(),
            Err(error) => ready(Err(error)).boxed(),
        }
    }

    fn snapshot(&self, visit: &mut dyn FnMut(&RowKey, Row) -> ControlFlow<()>) -> Result<Revision, StoreError> {
        let transaction = shielded(|| self.database.begin_read().map_err(redb_error))?;
        match self.integrity.read_all(&transaction, &mut |key, row| visit(&key, row))? {
            ControlFlow::Continue(Verified { root, .. }) => Ok(root.revision),
            ControlFlow::Break(revision) => Ok(revision),
        }
    }

    fn changes_since(&self, revision: Revision) -> Result<Vec<Arc<Event>>, StoreError> {
        lock(&self.shared.history).since(revision)
    }

    fn revision(&self) -> Revision {
        Revision(self.shared.revision.load(Ordering::Acquire))
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.queue.take());
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // A follower may hold the last reference: its thread cannot wait for itself.
        if let Some(thread) = thread.filter(|thread| thread.thread().id() != thread::current().id()) {
            let _ = thread.join();
        }
    }
}

/// What the writer thread shows to the others.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) generation: AtomicU64,
    pub(super) stopped: AtomicBool,
    pub(super) waiting_bytes: AtomicUsize,
    revision: AtomicU64,
    history: Mutex<History>,
}

impl Shared {
    fn new(root: &Root, history_max: usize) -> Self {
        Self {
            generation: AtomicU64::new(root.generation),
            stopped: AtomicBool::new(false),
            waiting_bytes: AtomicUsize::new(0),
            revision: AtomicU64::new(root.revision.0),
            history: Mutex::new(History {
                events: VecDeque::new(),
                events_max: history_max,
                bytes: 0,
                newest: root.revision,
            }),
        }
    }

    pub(super) fn remember(&self, event: Event) {
        let revision = event.revision.0;
        lock(&self.history).push(event);
        self.revision.store(revision, Ordering::Release);
    }
}

/// The latest events, bounded in number and in bytes.
#[derive(Debug)]
struct History {
    events: VecDeque<Arc<Event>>,
    events_max: usize,
    bytes: usize,
    newest: Revision,
}

impl History {
    fn push(&mut self, event: Event) {
        self.newest = event.revision;
        self.bytes += event_bytes(&event);
        self.events.push_back(Arc::new(event));
        while self.events.len() > self.events_max || self.bytes > HISTORY_BYTES_MAX {
            let Some(oldest) = self.events.pop_front() else { break };
            self.bytes -= event_bytes(&oldest);
        }
    }

    fn since(&self, revision: Revision) -> Result<Vec<Arc<Event>>, StoreError> {
        let wanted = self.newest.0.saturating_sub(revision.0);
        let held = self.events.len() as u64;
        if wanted > held {
            return Err(StoreError::Compacted(Revision(self.newest.0 - held)));
        }
        // INVARIANT: revisions have no gaps, so the events wanted are the last ones.
        let skipped = usize::try_from(held - wanted).unwrap_or(usize::MAX);
        Ok(self.events.iter().skip(skipped).cloned().collect())
    }
}

fn event_bytes(event: &Event) -> usize {
    let row = |row: &Row| row.body.len();
    event.changes.iter().map(|change| change.key.key.len() + change.row.as_ref().map_or(0, row)).sum()
}

/// A new file with an empty store's root. It gets its name only when it is whole, so that a file without a root was
/// robbed of it.
fn create(path: &Path, integrity: &Integrity) -> Result<(), StoreError> {
    let unfinished = path.with_extension("new");
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io_error(error)),
        _ => {}
    }
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).map_err(io_error)?;
    let database = Database::create(&unfinished).map_err(redb_error)?;
    initialize(&database, integrity)?;
    drop(database);
    // A link, unlike a rename, never replaces a store that another process made in the meantime.
    fs::hard_link(&unfinished, path).map_err(io_error)?;
    fs::remove_file(&unfinished).map_err(io_error)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(io_error)
}

/// Writes the root of an empty store.
pub(super) fn initialize(database: &Database, integrity: &Integrity) -> Result<(), StoreError> {
    let root = Root {
        generation: 1,
        revision: Revision::NONE,
        epoch: integrity.epoch,
        rows: 0,
        tag: Tag::default(),
        region: integrity.region.clone(),
    };
    let root = integrity.seal_root(root, &SetHash::default())?;
    let mut transaction = database.begin_write().map_err(redb_error)?;
    transaction.set_two_phase_commit(true);
    store_root(&transaction, &root)?;
    transaction.commit().map_err(redb_error)
}

/// The batch's size in bytes, once its bounds hold.
fn checked_size(batch: &Batch) -> Result<usize, StoreError> {
    if batch.compares.len().max(batch.writes.len()) > BATCH_ROWS_MAX {
        return Err(StoreError::TooLarge("a batch of too many rows"));
    }
    let keys = batch.compares.iter().map(|compare| &compare.key).chain(batch.writes.iter().map(|write| &write.key));
    let mut bytes = 0;
    for key in keys {
        if key.key.is_empty() {
            return Err(StoreError::Malformed("a row key without a name"));
        }
        if key.key.len() > KEY_BYTES_MAX {
            return Err(StoreError::TooLarge("a row key"));
        }
        bytes += key.key.len();
    }
    for body in batch.writes.iter().filter_map(|write| write.body.as_ref()) {
        if body.len() > BODY_BYTES_MAX {
            return Err(StoreError::TooLarge("a row"));
        }
        bytes += body.len();
    }
    if bytes > BATCH_BYTES_MAX {
        return Err(StoreError::TooLarge("a batch"));
    }
    if has_duplicates(&batch.writes) {
        return Err(StoreError::Malformed("two writes of one row"));
    }
    Ok(bytes)
}

fn has_duplicates(writes: &[Write]) -> bool {
    let mut keys: Vec<_> = writes.iter().map(|write| &write.key).collect();
    keys.sort_unstable();
    keys.windows(2).any(|pair| matches!(pair, [left, right] if left == right))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn io_error(error: io::Error) -> StoreError {
    StoreError::Io(error.to_string())
}

#[cfg(test)]
mod tests;
