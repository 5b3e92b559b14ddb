//! What makes tampering with the file show: a tag on every row, and one root over the set of all rows.
//! Reads and checks; changes nothing. The tags' key is in the HSM, behind `RowSealer`.

use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use redb::{ReadTransaction, StorageError, TableError};
use subtle::ConstantTimeEq;

use super::tables::{ROOT, ROOT_KEY, Root, SealedRow, Tag, definition, row_message};
use super::{Revision, Row, RowKey, RowSealer, StoreError, Table, TagPurpose};

const CHUNK_ROWS_MAX: usize = 1024;
const CHUNK_BYTES_MAX: usize = 2 << 20;
/// How many pieces a thread that reads or checks may be ahead of the next one.
const PIECES_AHEAD: usize = 2;

/// A hash of a set of rows that changes with each row at the same small cost: the sum of the rows' elements, lane by
/// lane. An element is a keyed tag, so a sum says nothing about which rows are in it.
///
/// The sum is kept in memory and never stored; the file has only a tag over it. Someone who could read elements or
/// sums could look for another set of once genuine rows with the same sum (the generalized birthday attack on additive
/// hashes: Wagner, CRYPTO 2002). Without them, each guess costs an opening of the store and holds with chance 2^-256.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct SetHash([u64; 4]);

impl SetHash {
    pub(super) fn add(&mut self, element: &Tag) {
        self.each_lane(element, u64::wrapping_add);
    }

    pub(super) fn remove(&mut self, element: &Tag) {
        self.each_lane(element, u64::wrapping_sub);
    }

    fn each_lane(&mut self, element: &Tag, combine: fn(u64, u64) -> u64) {
        for (lane, bytes) in self.0.iter_mut().zip(element.as_chunks::<8>().0) {
            *lane = combine(*lane, u64::from_be_bytes(*bytes));
        }
    }

    fn bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        for (to, lane) in bytes.as_chunks_mut::<8>().0.iter_mut().zip(self.0) {
            *to = lane.to_be_bytes();
        }
        bytes
    }
}

/// A row as it is in the file, taken out of redb's pages.
#[derive(Clone, Debug)]
pub(super) struct StoredRow {
    pub(super) version: Revision,
    pub(super) epoch: u64,
    pub(super) tag: Tag,
    pub(super) body: Arc<[u8]>,
}

impl StoredRow {
    pub(super) fn decode(key: &RowKey, value: &[u8]) -> Result<Self, StoreError> {
        let row = SealedRow::decode(value).ok_or_else(|| tampered_row(key))?;
        Ok(Self { version: row.version, epoch: row.epoch, tag: row.tag, body: row.body.into() })
    }
}

/// The state that the root vouches for.
#[derive(Clone, Debug)]
pub(super) struct Verified {
    pub(super) root: Root,
    pub(super) set: SetHash,
}

/// Tags for the rows of one region and epoch.
#[derive(Clone)]
pub(super) struct Integrity {
    pub(super) region: String,
    pub(super) epoch: u64,
    sealer: Arc<dyn RowSealer>,
}

impl fmt::Debug for Integrity {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Integrity").field("region", &self.region).field("epoch", &self.epoch).finish()
    }
}

impl Integrity {
    pub(super) fn new(region: &str, epoch: u64, sealer: Arc<dyn RowSealer>) -> Self {
        Self { region: region.to_owned(), epoch, sealer }
    }

    /// The message that a stored row's tag must be of.
    pub(super) fn stored_message(&self, key: &RowKey, row: &StoredRow) -> Vec<u8> {
        row_message(&self.region, key, row.version, row.epoch, &row.body)
    }

    pub(super) fn tags(&self, purpose: TagPurpose, messages: Vec<Vec<u8>>) -> Result<Vec<Tag>, StoreError> {
        if messages.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = messages.len();
        let tags = self.sealer.tags(purpose, messages)?;
        if tags.len() == wanted { Ok(tags) } else { Err(StoreError::Unavailable) }
    }

    /// The elements of rows in the set-hash. A row's tag stands for the row: it is a keyed hash of all of it.
    pub(super) fn elements<'a>(&self, row_tags: impl Iterator<Item = &'a Tag>) -> Result<Vec<Tag>, StoreError> {
        self.tags(TagPurpose::Element, row_tags.map(|tag| tag.to_vec()).collect())
    }

    /// The root with its tag made anew for this set.
    pub(super) fn seal_root(&self, mut root: Root, set: &SetHash) -> Result<Root, StoreError> {
        let tags = self.tags(TagPurpose::Root, vec![root.message(&set.bytes())])?;
        root.tag = *tags.first().ok_or(StoreError::Unavailable)?;
        Ok(root)
    }

    /// Reads every row, checks each one's tag as it goes by, and the root in the end. `visit` sees a row whose own tag
    /// holds; only the answer says that all of them together are what was last committed.
    pub(super) fn read_all(
        &self,
        transaction: &ReadTransaction,
        visit: &mut dyn FnMut(RowKey, Row) -> ControlFlow<()>,
    ) -> Result<ControlFlow<Revision, Verified>, StoreError> {
        let root = shielded(|| read_root(transaction))?;
        self.check_belongs(&root)?;
        // Three threads work at once: one reads, one checks, and this one visits.
        let seen = thread::scope(|scope| {
            let (read, unchecked) = sync_channel(PIECES_AHEAD);
            let (check, checked) = sync_channel(PIECES_AHEAD);
            let named = |name: &str| thread::Builder::new().name(name.to_owned());
            let failed = |error: std::io::Error| StoreError::Io(error.to_string());
            named("store-reader").spawn_scoped(scope, move || read_pieces(transaction, &read)).map_err(failed)?;
            let checker = named("store-checker").spawn_scoped(scope, move || self.check_pieces(unchecked, &check));
            let checker = checker.map_err(failed)?;
            for piece in checked {
                for (key, row) in piece? {
                    if visit(key, Row { version: row.version, body: row.body }).is_break() {
                        return Ok(ControlFlow::Break(root.revision));
                    }
                }
            }
            checker.join().map(ControlFlow::Continue).map_err(|_| StoreError::Unavailable)
        })?;
        let (set, rows) = match seen {
            ControlFlow::Continue(all) => all,
            ControlFlow::Break(revision) => return Ok(ControlFlow::Break(revision)),
        };
        self.check_root(&root, rows, &set)?;
        Ok(ControlFlow::Continue(Verified { root, set }))
    }

    /// Passes on what holds, until there is no more, something fails, or nobody wants it. Answers the set-hash and the
    /// number of what it passed on.
    fn check_pieces(&self, unchecked: Receiver<Piece>, checked: &SyncSender<Piece>) -> (SetHash, u64) {
        let (mut set, mut rows) = (SetHash::default(), 0);
        for piece in unchecked {
            let piece = piece.and_then(|piece| self.check_rows(&piece, &mut set).map(|()| piece));
            rows += piece.as_ref().map_or(0, |piece| piece.len() as u64);
            let failed = piece.is_err();
            if checked.send(piece).is_err() || failed {
                break;
            }
        }
        (set, rows)
    }

    fn check_belongs(&self, root: &Root) -> Result<(), StoreError> {
        if root.region != self.region {
            return Err(StoreError::Foreign(format!("it is of region {}, not {}", root.region, self.region)));
        }
        if root.epoch > self.epoch {
            return Err(StoreError::Foreign(format!("it is of epoch {}, past {}", root.epoch, self.epoch)));
        }
        Ok(())
    }

    fn check_rows(&self, rows: &[(RowKey, StoredRow)], set: &mut SetHash) -> Result<(), StoreError> {
        let messages = rows.iter().map(|(key, row)| self.stored_message(key, row)).collect();
        let tags = self.tags(TagPurpose::Row, messages)?;
        for ((key, row), tag) in rows.iter().zip(&tags) {
            if !same(tag, &row.tag) {
                return Err(tampered_row(key));
            }
        }
        for element in self.elements(tags.iter())? {
            set.add(&element);
        }
        Ok(())
    }

    fn check_root(&self, root: &Root, rows: u64, set: &SetHash) -> Result<(), StoreError> {
        if rows != root.rows {
            return Err(StoreError::Tampered(format!("it has {rows} rows, and its root vouches for {}", root.rows)));
        }
        let sealed = self.seal_root(root.clone(), set)?;
        if !same(&sealed.tag, &root.tag) {
            return Err(StoreError::Tampered("its root does not vouch for its rows".to_owned()));
        }
        Ok(())
    }
}

/// Whether two tags are the same, in constant time.
pub(super) fn same(left: &Tag, right: &Tag) -> bool {
    left.ct_eq(right).into()
}

pub(super) fn tampered_row(key: &RowKey) -> StoreError {
    StoreError::Tampered(format!("row {key} is not what was written there"))
}

/// Runs something that reads redb's file. A file damaged in the right places makes redb panic rather than answer an
/// error, and such a file must stop the start with a sentence.
pub(super) fn shielded<T>(read: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(StoreError::Damaged("its pages contradict each other".to_owned())))
}

/// What a redb error means for the store.
pub(super) fn redb_error(error: impl Into<redb::Error>) -> StoreError {
    match error.into() {
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => StoreError::Locked,
        redb::Error::Io(error) if is_damage(error.kind()) => StoreError::Damaged(error.to_string()),
        redb::Error::Io(error) => StoreError::Io(error.to_string()),
        redb::Error::PreviousIo | redb::Error::DatabaseClosed => StoreError::Unavailable,
        other => StoreError::Damaged(other.to_string()),
    }
}

fn is_damage(kind: std::io::ErrorKind) -> bool {
    matches!(kind, std::io::ErrorKind::InvalidData | std::io::ErrorKind::UnexpectedEof)
}

fn read_root(transaction: &ReadTransaction) -> Result<Root, StoreError> {
    let missing = || StoreError::Tampered("its root is missing".to_owned());
    let table = match transaction.open_table(ROOT) {
        Err(TableError::TableDoesNotExist(_)) => return Err(missing()),
        other => other.map_err(redb_error)?,
    };
    let value = table.get(ROOT_KEY).map_err(redb_error)?.ok_or_else(missing)?;
    Root::decode(value.value())
}

/// Rows on their way from the file to whoever wants them, or why there are no more.
type Piece = Result<Vec<(RowKey, StoredRow)>, StoreError>;

/// Reads all tables, until something fails or nobody wants more.
fn read_pieces(transaction: &ReadTransaction, read: &SyncSender<Piece>) {
    for table in Table::ALL {
        let mut reader = match shielded(|| TableReader::open(transaction, table)) {
            Ok(Some(reader)) => reader,
            Ok(None) => continue,
            Err(error) => return drop(read.send(Err(error))),
        };
        loop {
            let piece = shielded(|| reader.chunk());
            if piece.as_ref().is_ok_and(Vec::is_empty) {
                break;
            }
            let failed = piece.is_err();
            if read.send(piece).is_err() || failed {
                return;
            }
        }
    }
}

/// Takes a table's rows out in pieces of bounded size.
struct TableReader {
    table: Table,
    rows: redb::Range<'static, &'static str, &'static [u8]>,
}

impl TableReader {
    fn open(transaction: &ReadTransaction, table: Table) -> Result<Option<Self>, StoreError> {
        match transaction.open_table(definition(table)) {
            Err(TableError::TableDoesNotExist(_)) => Ok(None),
            other => {
                let opened = other.map_err(redb_error)?;
                let rows = opened.range::<&str>(..).map_err(redb_error)?;
                Ok(Some(Self { table, rows }))
            }
        }
    }

    fn chunk(&mut self) -> Result<Vec<(RowKey, StoredRow)>, StoreError> {
        let mut chunk = Vec::new();
        let mut bytes = 0;
        while chunk.len() < CHUNK_ROWS_MAX && bytes < CHUNK_BYTES_MAX {
            let Some(entry) = self.rows.next() else { break };
            let (key, value) = entry.map_err(|error: StorageError| redb_error(error))?;
            let key = RowKey::new(self.table, key.value());
            let row = StoredRow::decode(&key, value.value())?;
            bytes += key.key.len() + row.body.len();
            chunk.push((key, row));
        }
        Ok(chunk)
    }
}
