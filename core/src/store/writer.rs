//! The embedded store's writer thread: gathers waiting batches into one durable transaction, then tells the follower,
//! then answers. Alone in changing the file; fails for good rather than go on from a state that it is not sure of.

use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::thread;

use redb::{Database, WriteTransaction};
use tokio::sync::oneshot;

use super::embedded::Shared;
use super::integrity::{Integrity, SetHash, StoredRow, Verified, redb_error, same, tampered_row};
use super::tables::{ROOT, ROOT_KEY, Root, SealedRow, Tag, definition, row_message};
use super::{Batch, Change, Event, Follower, Revision, Row, RowKey, StoreError, TagPurpose};

const GROUP_BATCHES_MAX: usize = 256;
const GROUP_BYTES_MAX: usize = 4 << 20;

/// A batch that waits for its commit.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) batch: Batch,
    /// The batch's size as `Shared::waiting_bytes` counts it.
    pub(super) bytes: usize,
    pub(super) reply: oneshot::Sender<Result<Revision, StoreError>>,
}

/// The writer's state; it moves to the writer thread at the start.
#[derive(Debug)]
pub(super) struct Writer {
    pub(super) database: Arc<Database>,
    pub(super) integrity: Arc<Integrity>,
    pub(super) shared: Arc<Shared>,
    /// INVARIANT: what the last durable transaction left, never what one in progress will.
    pub(super) state: Verified,
}

impl Writer {
    /// Serves the queue until every sender is gone, or until the file can no longer be trusted.
    pub(super) fn run(mut self, queue: &Receiver<Job>, mut follower: Box<dyn Follower>) {
        // However this ends, by a panic too, nobody may believe that the store still takes writes.
        let _mark = MarkStopped(Arc::clone(&self.shared));
        while let Ok(first) = queue.recv() {
            let jobs = self.gather(first, queue);
            if !self.serve(jobs, follower.as_mut()) {
                return;
            }
        }
    }

    /// What waits, and what those bring who are about to: a transaction costs the same for one as for many, so this
    /// thread lets the others of its core go first, for as long as they have more for it.
    fn gather(&self, first: Job, queue: &Receiver<Job>) -> Vec<Job> {
        let mut bytes = first.bytes;
        let mut jobs = vec![first];
        loop {
            thread::yield_now();
            let before = jobs.len();
            while jobs.len() < GROUP_BATCHES_MAX && bytes < GROUP_BYTES_MAX {
                let Ok(job) = queue.try_recv() else { break };
                bytes += job.bytes;
                jobs.push(job);
            }
            if jobs.len() == before {
                break;
            }
        }
        self.shared.waiting_bytes.fetch_sub(bytes, Ordering::Relaxed);
        jobs
    }

    /// Commits the jobs and answers them; `false` when the store must stop.
    fn serve(&mut self, jobs: Vec<Job>, follower: &mut dyn Follower) -> bool {
        let (batches, replies): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.batch, job.reply)).unzip();
        match self.commit(batches) {
            Ok(verdicts) => {
                self.shared.generation.store(self.state.root.generation, Ordering::Release);
                for (verdict, reply) in verdicts.into_iter().zip(replies) {
                    let answer = verdict.map(|judged| self.publish(judged, follower));
                    let _ = reply.send(answer);
                }
                true
            }
            Err(failure) => {
                tracing::error!(error = %failure.error, stops = failure.stops, "a store transaction failed");
                // The cause is for the log: a committer learns only that the outcome is open.
                let answer = if failure.stops { StoreError::Unavailable } else { failure.error };
                if failure.stops {
                    self.shared.stopped.store(true, Ordering::Release);
                }
                for reply in replies {
                    let _ = reply.send(Err(answer.clone()));
                }
                !failure.stops
            }
        }
    }

    fn publish(&self, judged: Judged, follower: &mut dyn Follower) -> Revision {
        match judged {
            Judged::Held(revision) => revision,
            Judged::Changed(event) => {
                follower.apply(&event);
                let revision = event.revision;
                self.shared.remember(event);
                revision
            }
        }
    }

    fn commit(&mut self, batches: Vec<Batch>) -> Result<Vec<Verdict>, Failure> {
        let mut transaction = self.database.begin_write().map_err(|error| Failure::stop(redb_error(error)))?;
        transaction.set_two_phase_commit(true);
        let mut group = Group { transaction: &transaction, rows: BTreeMap::new(), last: self.state.root.revision };
        let mut verdicts = Vec::with_capacity(batches.len());
        for batch in batches {
            verdicts.push(group.judge(batch)?);
        }
        let (rows, last) = (group.rows, group.last);
        let sealed = self.seal(&rows)?;
        if last == self.state.root.revision {
            transaction.abort().map_err(|error| Failure::stop(redb_error(error)))?;
            return Ok(verdicts);
        }
        let next = self.next_state(last, &sealed)?;
        store(&transaction, &rows, &sealed, &next.root, self.integrity.epoch).map_err(Failure::stop)?;
        transaction.commit().map_err(|error| Failure::stop(redb_error(error)))?;
        self.state = next;
        Ok(verdicts)
    }

    /// Tags for the rows that will be written, and a check of those that were read: a row edited under a running
    /// store is refused at its first touch.
    fn seal(&self, rows: &BTreeMap<RowKey, Slot>) -> Result<Sealed, Failure> {
        let mut messages = Vec::new();
        for (key, slot) in rows {
            if let Some(before) = &slot.before {
                messages.push(self.integrity.stored_message(key, before));
            }
            if let Some(after) = slot.fresh() {
                let epoch = self.integrity.epoch;
                messages.push(row_message(&self.integrity.region, key, after.version, epoch, &after.body));
            }
        }
        let mut tags = self.integrity.tags(TagPurpose::Row, messages).map_err(Failure::pass)?.into_iter();
        let mut sealed = Sealed::default();
        for (key, slot) in rows {
            if let Some(before) = &slot.before {
                let genuine = tags.next().is_some_and(|tag| same(&tag, &before.tag));
                if !genuine {
                    return Err(Failure::stop(tampered_row(key)));
                }
                if slot.written {
                    sealed.removed.push(before.tag);
                }
            }
            if slot.fresh().is_some() {
                sealed.added.extend(tags.next());
            }
        }
        Ok(sealed)
    }

    fn next_state(&self, revision: Revision, sealed: &Sealed) -> Result<Verified, Failure> {
        let elements = self.integrity.elements(sealed.removed.iter().chain(&sealed.added)).map_err(Failure::pass)?;
        let (removed, added) = elements.split_at_checked(sealed.removed.len()).unwrap_or_default();
        let mut set: SetHash = self.state.set;
        removed.iter().for_each(|element| set.remove(element));
        added.iter().for_each(|element| set.add(element));
        let root = Root {
            generation: self.state.root.generation + 1,
            revision,
            epoch: self.integrity.epoch,
            rows: self.state.root.rows + added.len() as u64 - removed.len() as u64,
            tag: Tag::default(),
            region: self.integrity.region.clone(),
        };
        let root = self.integrity.seal_root(root, &set).map_err(Failure::pass)?;
        Ok(Verified { root, set })
    }
}

/// What became of one batch, known before the group is durable.
type Verdict = Result<Judged, StoreError>;

enum Judged {
    /// Its compares held, and it changes nothing.
    Held(Revision),
    Changed(Event),
}

/// Why a group failed. A failure that leaves the file's state in doubt stops the store.
struct Failure {
    error: StoreError,
    stops: bool,
}

impl Failure {
    fn stop(error: StoreError) -> Self {
        Self { error, stops: true }
    }

    fn pass(error: StoreError) -> Self {
        Self { error, stops: false }
    }
}

/// A row that the group touches: as the file has it, and as the group will leave it.
struct Slot {
    before: Option<StoredRow>,
    after: Option<Row>,
    written: bool,
}

impl Slot {
    fn fresh(&self) -> Option<&Row> {
        self.after.as_ref().filter(|_| self.written)
    }
}

#[derive(Default)]
struct Sealed {
    /// Tags of the rows that leave the set.
    removed: Vec<Tag>,
    /// Tags of the rows that enter it, in the order of their keys.
    added: Vec<Tag>,
}

/// The batches of one transaction, each judged on what the ones before it leave.
struct Group<'a> {
    transaction: &'a WriteTransaction,
    rows: BTreeMap<RowKey, Slot>,
    last: Revision,
}

impl Group<'_> {
    fn judge(&mut self, batch: Batch) -> Result<Verdict, Failure> {
        for compare in batch.compares {
            let version = self.slot(&compare.key)?.after.as_ref().map_or(Revision::NONE, |row| row.version);
            if version != compare.version {
                return Ok(Err(StoreError::Conflict(compare.key)));
            }
        }
        if batch.writes.is_empty() {
            return Ok(Ok(Judged::Held(self.last)));
        }
        let revision = Revision(self.last.0 + 1);
        let mut changes = Vec::with_capacity(batch.writes.len());
        for write in batch.writes {
            let slot = self.slot(&write.key)?;
            slot.after = write.body.map(|body| Row { version: revision, body: body.into() });
            slot.written = true;
            changes.push(Change { row: slot.after.clone(), key: write.key });
        }
        self.last = revision;
        Ok(Ok(Judged::Changed(Event { revision, changes })))
    }

    fn slot(&mut self, key: &RowKey) -> Result<&mut Slot, Failure> {
        match self.rows.entry(key.clone()) {
            Entry::Occupied(slot) => Ok(slot.into_mut()),
            Entry::Vacant(vacant) => {
                let before = read(self.transaction, key).map_err(Failure::stop)?;
                let after = before.as_ref().map(|row| Row { version: row.version, body: Arc::clone(&row.body) });
                Ok(vacant.insert(Slot { before, after, written: false }))
            }
        }
    }
}

fn read(transaction: &WriteTransaction, key: &RowKey) -> Result<Option<StoredRow>, StoreError> {
    use redb::ReadableTable;
    let table = transaction.open_table(definition(key.table)).map_err(redb_error)?;
    let value = table.get(key.key.as_str()).map_err(redb_error)?;
    value.map(|value| StoredRow::decode(key, value.value())).transpose()
}

fn store(
    transaction: &WriteTransaction,
    rows: &BTreeMap<RowKey, Slot>,
    sealed: &Sealed,
    root: &Root,
    epoch: u64,
) -> Result<(), StoreError> {
    let mut tags = sealed.added.iter();
    for (key, slot) in rows.iter().filter(|(_, slot)| slot.written) {
        let mut table = transaction.open_table(definition(key.table)).map_err(redb_error)?;
        match &slot.after {
            Some(row) => {
                let tag = *tags.next().ok_or(StoreError::Unavailable)?;
                let value = SealedRow { version: row.version, epoch, tag, body: &row.body }.encode();
                table.insert(key.key.as_str(), value.as_slice()).map_err(redb_error)?;
            }
            None => {
                table.remove(key.key.as_str()).map_err(redb_error)?;
            }
        }
    }
    store_root(transaction, root)
}

pub(super) fn store_root(transaction: &WriteTransaction, root: &Root) -> Result<(), StoreError> {
    let mut table = transaction.open_table(ROOT).map_err(redb_error)?;
    table.insert(ROOT_KEY, root.encode().as_slice()).map_err(redb_error)?;
    Ok(())
}

struct MarkStopped(Arc<Shared>);

impl Drop for MarkStopped {
    fn drop(&mut self) {
        self.0.stopped.store(true, Ordering::Release);
    }
}
