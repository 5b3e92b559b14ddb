//! The thread that makes records durable: one fsync per file for all who wait, and one now and then for the rest.
//! Also removes dropped files, once the note that says so is durable. Knows no line's content.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::oneshot;

use super::{AuditError, Position, io_error, lock};

/// How far one writer's chain is written and synced, and the files that may hold what is between.
#[derive(Debug, Default)]
pub(super) struct Slot {
    written: AtomicU64,
    synced: AtomicU64,
    files: Mutex<Vec<Arc<File>>>,
}

impl Slot {
    /// From here on the writer writes to this file. Call it before the first write.
    pub(super) fn begin(&self, file: Arc<File>) {
        lock(&self.files).push(file);
    }

    pub(super) fn wrote(&self, sequence: u64) {
        self.written.store(sequence, Ordering::Release);
    }

    fn sync(&self) -> std::io::Result<()> {
        let written = self.written.load(Ordering::Acquire);
        if written <= self.synced.load(Ordering::Acquire) {
            return Ok(());
        }
        // A file is in the list before the first record is in the file, so what was written is in these.
        let files = lock(&self.files).clone();
        for file in &files {
            file.sync_data()?;
        }
        // All but the newest are written no more.
        lock(&self.files).drain(..files.len().saturating_sub(1));
        self.synced.store(written, Ordering::Release);
        Ok(())
    }
}

#[derive(Debug)]
pub(super) struct Syncer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    folder: File,
    healthy: AtomicBool,
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    slots: Vec<Arc<Slot>>,
    waiting: Vec<(Position, oneshot::Sender<Result<(), AuditError>>)>,
    dropped: Vec<PathBuf>,
    folder_changed: bool,
    stop: bool,
}

impl Syncer {
    pub(super) fn start(folder: &Path, every: Duration) -> Result<Self, AuditError> {
        let shared = Arc::new(Shared {
            folder: File::open(folder).map_err(io_error)?,
            healthy: AtomicBool::new(true),
            queue: Mutex::default(),
            wake: Condvar::new(),
        });
        let run = Arc::clone(&shared);
        let thread = thread::Builder::new()
            .name("audit-syncer".to_owned())
            .spawn(move || while run.round(every) {})
            .map_err(io_error)?;
        Ok(Self { shared, thread: Some(thread) })
    }

    pub(super) fn healthy(&self) -> bool {
        self.shared.healthy.load(Ordering::Acquire)
    }

    pub(super) fn fail(&self) {
        self.shared.healthy.store(false, Ordering::Release);
    }

    /// A slot for a writer's chain, whose records up to `sequence` are durable.
    pub(super) fn slot(&self, sequence: u64) -> (usize, Arc<Slot>) {
        let slot = Arc::new(Slot::default());
        slot.written.store(sequence, Ordering::Release);
        slot.synced.store(sequence, Ordering::Release);
        let mut queue = lock(&self.shared.queue);
        queue.slots.push(Arc::clone(&slot));
        (queue.slots.len() - 1, slot)
    }

    /// A file was made: its name must become durable too.
    pub(super) fn folder_changed(&self) {
        lock(&self.shared.queue).folder_changed = true;
    }

    /// Removes these files once everything written so far is durable.
    pub(super) fn remove(&self, paths: impl Iterator<Item = PathBuf>) {
        lock(&self.shared.queue).dropped.extend(paths);
    }

    pub(super) fn synced(&self, position: Position) -> impl Future<Output = Result<(), AuditError>> + Send + use<> {
        let (sender, receiver) = oneshot::channel();
        lock(&self.shared.queue).waiting.push((position, sender));
        self.shared.wake.notify_one();
        receiver.map(|answer| answer.unwrap_or(Err(AuditError::OutOfOrder)))
    }
}

impl Drop for Syncer {
    fn drop(&mut self) {
        lock(&self.shared.queue).stop = true;
        self.shared.wake.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Waits until someone does, or for `every`; then syncs and answers. `false` after the last round.
    fn round(&self, every: Duration) -> bool {
        let idle = |queue: &mut Queue| queue.waiting.is_empty() && !queue.stop;
        let (queue, _) =
            self.wake.wait_timeout_while(lock(&self.queue), every, idle).unwrap_or_else(PoisonError::into_inner);
        let mut queue = self.gather(queue);
        let waiting = std::mem::take(&mut queue.waiting);
        let dropped = std::mem::take(&mut queue.dropped);
        let folder_changed = std::mem::take(&mut queue.folder_changed);
        let (slots, stop) = (queue.slots.clone(), queue.stop);
        drop(queue);
        match self.sync(&slots, folder_changed) {
            Ok(()) => self.remove(&dropped),
            Err(error) => {
                tracing::error!(%error, "the audit log cannot be synced");
                self.healthy.store(false, Ordering::Release);
            }
        }
        let healthy = self.healthy.load(Ordering::Acquire);
        for (position, sender) in waiting {
            let synced = slots
                .get(position.slot)
                .is_some_and(|slot| healthy && slot.synced.load(Ordering::Acquire) >= position.sequence);
            let _ = sender.send(if synced { Ok(()) } else { Err(AuditError::OutOfOrder) });
        }
        !stop
    }

    /// Lets the other threads of this core go first, for as long as more of them come to wait: an fsync costs the same
    /// for one as for many. Who waits sends nothing more, so this ends.
    fn gather<'a>(&'a self, mut queue: MutexGuard<'a, Queue>) -> MutexGuard<'a, Queue> {
        let mut waiting = 0;
        while queue.waiting.len() > waiting {
            waiting = queue.waiting.len();
            drop(queue);
            thread::yield_now();
            queue = lock(&self.queue);
        }
        queue
    }

    fn sync(&self, slots: &[Arc<Slot>], folder_changed: bool) -> std::io::Result<()> {
        // After a failed fsync the kernel forgets what it could not write: a later one that succeeds proves nothing.
        if !self.healthy.load(Ordering::Acquire) {
            return Err(std::io::Error::other("it failed before"));
        }
        if folder_changed {
            self.folder.sync_all()?;
        }
        slots.iter().try_for_each(|slot| slot.sync())
    }

    fn remove(&self, paths: &[PathBuf]) {
        for path in paths {
            if let Err(error) = fs::remove_file(path) {
                tracing::error!(%error, path = %path.display(), "a dropped audit file cannot be removed");
            }
        }
    }
}
