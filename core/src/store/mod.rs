//! The store port: rows in tables, changed by batches that are compared, durable and ordered.
//! Knows no row's meaning and no key byte; what a body says is its owner's business, and the tags that
//! protect it are made behind `RowSealer`. Written so that etcd can stand behind it as well as a local file.

mod embedded;
mod integrity;
mod tables;
mod writer;

#[cfg(test)]
mod conformance;

use std::fmt;
use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::future::BoxFuture;

pub use embedded::{Embedded, OpenOptions};

/// A row key's greatest length in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// A row body's greatest length in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// The greatest number of compares and of writes in one batch, each.
pub const BATCH_ROWS_MAX: usize = 4096;
/// The greatest sum of key and body lengths in one batch, in bytes.
pub const BATCH_BYTES_MAX: usize = 8 << 20;

/// What a row is about; each is a table of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    Meta,
    Key,
    Material,
    Grant,
    Alias,
    Identity,
    Endpoint,
    Request,
}

impl Table {
    /// Every table, in the order in which a snapshot visits them.
    pub const ALL: [Self; 8] = [
        Self::Meta,
        Self::Key,
        Self::Material,
        Self::Grant,
        Self::Alias,
        Self::Identity,
        Self::Endpoint,
        Self::Request,
    ];

    /// The table's name in the file, in tags and in messages; part of the stored format.
    pub fn name(self) -> &'static str {
        match self {
            Self::Meta => "meta",
            Self::Key => "key",
            Self::Material => "material",
            Self::Grant => "grant",
            Self::Alias => "alias",
            Self::Identity => "identity",
            Self::Endpoint => "endpoint",
            Self::Request => "request",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

/// Where a row is: its table and a path within it, for example `<key>/<grant>` for a grant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RowKey {
    pub table: Table,
    /// At most `KEY_BYTES_MAX` bytes, not empty.
    pub key: String,
}

impl RowKey {
    pub fn new(table: Table, key: impl Into<String>) -> Self {
        Self { table, key: key.into() }
    }
}

impl fmt::Display for RowKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.table, self.key)
    }
}

/// A point in the store's history: each committed batch that writes has its own, and they have no gaps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(pub u64);

impl Revision {
    /// Before the first batch; as the version in a compare, "must not exist".
    pub const NONE: Self = Self(0);
}

impl fmt::Display for Revision {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// What is stored at a row key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The revision of its last change.
    pub version: Revision,
    pub body: Arc<[u8]>,
}

/// A condition of a batch: the row is at this version, or absent when it is `Revision::NONE`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compare {
    pub key: RowKey,
    pub version: Revision,
}

/// A change in a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    pub key: RowKey,
    /// At most `BODY_BYTES_MAX` bytes; `None` deletes the row, and deleting an absent row is no error.
    pub body: Option<Vec<u8>>,
}

/// Changes that happen together, at one revision, if every compare holds; else not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    pub compares: Vec<Compare>,
    /// At most one per row key.
    pub writes: Vec<Write>,
}

impl Batch {
    /// Requires that the row be at `version`; `Revision::NONE` requires that it be absent.
    pub fn compare(mut self, key: RowKey, version: Revision) -> Self {
        self.compares.push(Compare { key, version });
        self
    }

    /// Puts the row, whether or not it exists.
    pub fn put(mut self, key: RowKey, body: Vec<u8>) -> Self {
        self.writes.push(Write { key, body: Some(body) });
        self
    }

    /// Deletes the row if it exists.
    pub fn delete(mut self, key: RowKey) -> Self {
        self.writes.push(Write { key, body: None });
        self
    }

    /// Requires that the row be at `version`, and writes nothing to it.
    pub fn expect(self, table: Table, key: impl ToString, version: Revision) -> Self {
        self.compare(RowKey::new(table, key.to_string()), version)
    }

    /// Puts a row that must not exist yet.
    pub fn create(self, table: Table, key: impl ToString, body: Vec<u8>) -> Self {
        self.change(table, key, Revision::NONE, body)
    }

    /// Puts a row that must be at `version`.
    pub fn change(self, table: Table, key: impl ToString, version: Revision, body: Vec<u8>) -> Self {
        let key = RowKey::new(table, key.to_string());
        self.compare(key.clone(), version).put(key, body)
    }

    /// Deletes a row that must be at `version`.
    pub fn remove(self, table: Table, key: impl ToString, version: Revision) -> Self {
        let key = RowKey::new(table, key.to_string());
        self.compare(key.clone(), version).delete(key)
    }
}

/// What one batch changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    pub revision: Revision,
    pub changes: Vec<Change>,
}

/// A row as a batch left it; `None` when it was deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub key: RowKey,
    pub row: Option<Row>,
}

/// Durable rows with one order of changes.
pub trait Store: Send + Sync {
    /// Commits the batch and answers its revision once it is durable and every follower has applied it.
    /// The batch is under way when this returns: dropping the future does not recall it. A batch without writes
    /// only checks its compares, and answers the revision at which they held.
    ///
    /// # Errors
    /// `Conflict` names the first compare that did not hold; `Busy` when too many commits wait; `TooLarge` and
    /// `Malformed` for a batch that breaks a bound. After `Unavailable` the outcome can be either: read before retrying.
    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Revision, StoreError>>;

    /// Visits every row as of one revision, by table and then key, and answers that revision. A visitor that breaks
    /// off ends it early.
    ///
    /// # Errors
    /// `Tampered` or `Damaged` when what is stored is not what was written; rows already visited are then worthless.
    fn snapshot(&self, visit: &mut dyn FnMut(&RowKey, Row) -> ControlFlow<()>) -> Result<Revision, StoreError>;

    /// Every event after `revision`, oldest first.
    ///
    /// # Errors
    /// `Compacted` when the history no longer reaches back that far: take a snapshot.
    fn changes_since(&self, revision: Revision) -> Result<Vec<Arc<Event>>, StoreError>;

    /// The newest revision that the follower has applied.
    fn revision(&self) -> Revision;

    /// Whether commits can still succeed. Once `false` it stays so until the store is opened again.
    fn healthy(&self) -> bool;
}

/// Follows the changes from where the rows handed out at opening leave off.
pub trait Follower: Send {
    /// Called in revision order, without gaps, once the change is durable and before its committer is answered, so
    /// that an answered change is visible to all. Runs on the store's writer thread: it must be brief.
    fn apply(&mut self, event: &Event);
}

/// What a tag is for; tags for different purposes are unrelated, even of equal messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TagPurpose {
    /// Protects one row; stored with it.
    Row,
    /// A row's element in the set-hash of all rows; never stored.
    Element,
    /// Protects the root; stored with it.
    Root,
}

/// Makes keyed tags (HMAC-SHA256 under the integrity key) where the key is: in the HSM.
pub trait RowSealer: Send + Sync {
    /// One tag per message, in order. Called with up to thousands of messages, on the store's writer thread or the
    /// thread that opens the store or takes a snapshot; it may block.
    fn tags(&self, purpose: TagPurpose, messages: Vec<Vec<u8>>) -> Result<Vec<[u8; 32]>, StoreError>;
}

/// Why the store did not do it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    #[error("{0} changed since it was read")]
    Conflict(RowKey),
    #[error("too many writes are waiting")]
    Busy,
    #[error("the store is not available")]
    Unavailable,
    #[error("the store cannot be read or written: {0}")]
    Io(String),
    #[error("the store is damaged: {0}")]
    Damaged(String),
    #[error("the store was tampered with: {0}")]
    Tampered(String),
    #[error("the store belongs elsewhere: {0}")]
    Foreign(String),
    #[error("the store is in use by another process")]
    Locked,
    #[error("too large: {0}")]
    TooLarge(&'static str),
    #[error("malformed: {0}")]
    Malformed(&'static str),
    #[error("the history before revision {0} is gone")]
    Compacted(Revision),
}
