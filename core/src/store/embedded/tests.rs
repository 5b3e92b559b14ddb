//! The embedded store beyond the suite: opening again, groups, followers, failures. Damage, tampering and crashes have
//! files of their own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod crash;
mod tamper;

use std::collections::BTreeMap;
use std::sync::Condvar;

use aws_lc_rs::hmac;
use tempfile::TempDir;

use super::*;
use crate::store::conformance::{self, key, put, rows, wait};
use crate::store::{Table, TagPurpose};

/// Tags under keys that stand in the test; can be held up and made to fail.
#[derive(Default)]
struct LocalSealer {
    gate: Mutex<Gate>,
    opened: Condvar,
}

#[derive(Default)]
struct Gate {
    shut: bool,
    fails: bool,
}

impl LocalSealer {
    fn set(&self, shut: bool, fails: bool) {
        *lock(&self.gate) = Gate { shut, fails };
        self.opened.notify_all();
    }
}

impl RowSealer for LocalSealer {
    fn tags(&self, purpose: TagPurpose, messages: Vec<Vec<u8>>) -> Result<Vec<[u8; 32]>, StoreError> {
        let gate = self.opened.wait_while(lock(&self.gate), |gate| gate.shut).unwrap();
        if gate.fails {
            return Err(StoreError::Busy);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, format!("{purpose:?}").as_bytes());
        Ok(messages.iter().map(|message| hmac::sign(&key, message).as_ref().try_into().unwrap()).collect())
    }
}

struct Idle;

impl Follower for Idle {
    fn apply(&mut self, _: &Event) {}
}

type Rows = BTreeMap<RowKey, Row>;

fn open_at(path: &Path, sealer: Arc<LocalSealer>) -> Result<(Embedded, Rows), StoreError> {
    let mut rows = Rows::new();
    let options = OpenOptions { history_max: 64, ..OpenOptions::default() };
    let store = Embedded::open(path, "us-east-1", 1, sealer, options, &mut |key, row| {
        rows.insert(key, row);
    })?;
    Ok((store, rows))
}

fn started(path: &Path) -> Embedded {
    let (store, _) = open_at(path, Arc::default()).unwrap();
    store.start(Box::new(Idle)).unwrap();
    store
}

fn folder() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    (folder, path)
}

/// A store that takes its folder with it.
struct Temporary(Embedded, #[expect(dead_code, reason = "removed when the store is dropped")] TempDir);

impl Store for Temporary {
    fn healthy(&self) -> bool {
        self.0.healthy()
    }

    fn commit(&self, batch: Batch) -> BoxFuture<'static, Result<Revision, StoreError>> {
        self.0.commit(batch)
    }

    fn snapshot(&self, visit: &mut dyn FnMut(&RowKey, Row) -> ControlFlow<()>) -> Result<Revision, StoreError> {
        self.0.snapshot(visit)
    }

    fn changes_since(&self, revision: Revision) -> Result<Vec<Arc<Event>>, StoreError> {
        self.0.changes_since(revision)
    }

    fn revision(&self) -> Revision {
        self.0.revision()
    }
}

#[test]
fn it_conforms() {
    conformance::all(|| {
        let (folder, path) = folder();
        Temporary(started(&path), folder)
    });
}

#[test]
fn opened_again_it_is_as_it_was() {
    let (_folder, path) = folder();
    let store = started(&path);
    put(&store, "a", b"1");
    put(&store, "b", b"2");
    wait(store.commit(Batch::default().delete(key("a")))).unwrap();
    let (before, revision, generation) = (rows(&store), store.revision(), store.generation());
    drop(store);
    let (store, loaded) = open_at(&path, Arc::default()).unwrap();
    assert_eq!(loaded, before);
    assert_eq!((store.revision(), store.generation()), (revision, generation));
    assert_eq!(store.changes_since(revision).unwrap(), vec![]);
    assert_eq!(store.changes_since(Revision(1)), Err(StoreError::Compacted(revision)));
}

#[test]
fn its_file_is_private() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, path) = folder();
    started(&path);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn a_first_start_cut_short_is_begun_again() {
    let (folder, path) = folder();
    fs::write(path.with_extension("new"), b"half a file").unwrap();
    put(&started(&path), "a", b"1");
    assert_eq!(open_at(&path, Arc::default()).unwrap().1.len(), 1);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
fn history_is_bounded() {
    let (_folder, path) = folder();
    let store = started(&path);
    for _ in 0..70 {
        put(&store, "a", b"1");
    }
    assert_eq!(store.changes_since(Revision(5)), Err(StoreError::Compacted(Revision(6))));
    let held: Vec<_> = store.changes_since(Revision(6)).unwrap().iter().map(|event| event.revision.0).collect();
    assert_eq!(held, (7..=70).collect::<Vec<_>>());
}

#[test]
fn nothing_is_committed_before_the_start() {
    let (_folder, path) = folder();
    let (store, _) = open_at(&path, Arc::default()).unwrap();
    let commit = || wait(store.commit(Batch::default().put(key("a"), vec![1])));
    assert_eq!(commit(), Err(StoreError::Unavailable));
    store.start(Box::new(Idle)).unwrap();
    assert_eq!(commit(), Ok(Revision(1)));
    assert_eq!(store.start(Box::new(Idle)), Err(StoreError::Unavailable));
}

struct Recording(Arc<Mutex<Vec<Event>>>);

impl Follower for Recording {
    fn apply(&mut self, event: &Event) {
        lock(&self.0).push(event.clone());
    }
}

#[test]
fn the_follower_knows_before_the_committer() {
    let (_folder, path) = folder();
    let (store, _) = open_at(&path, Arc::default()).unwrap();
    let applied = Arc::default();
    store.start(Box::new(Recording(Arc::clone(&applied)))).unwrap();
    for number in 1..=20_u8 {
        let revision = put(&store, "a", &[number]);
        let last = lock(&applied).last().cloned().unwrap();
        assert_eq!((last.revision, last.changes[0].row.as_ref().unwrap().body[0]), (revision, number));
        assert_eq!(store.revision(), revision);
    }
}

#[test]
fn waiting_batches_share_a_transaction_and_are_judged_alone() {
    let (_folder, path) = folder();
    let sealer: Arc<LocalSealer> = Arc::default();
    let (store, _) = open_at(&path, Arc::clone(&sealer)).unwrap();
    store.start(Box::new(Idle)).unwrap();
    put(&store, "row", b"0");
    let generation = store.generation();
    sealer.set(true, false);
    let held = store.commit(Batch::default().put(key("first"), vec![]));
    // The writer is at work on the first; these wait, and each sees what the one before it left.
    let waiting: Vec<_> = (0..100_u64)
        .map(|number| {
            let version = if number % 10 == 9 { Revision(999) } else { Revision::NONE };
            let name = format!("row {number}");
            store
                .commit(Batch::default().compare(key(&name), version).put(key(&name), vec![1]).put(key("row"), vec![1]))
        })
        .collect();
    sealer.set(false, false);
    assert_eq!(wait(held), Ok(Revision(2)));
    let mut last = 2;
    for (number, answer) in waiting.into_iter().map(wait).enumerate() {
        if number % 10 == 9 {
            assert_eq!(answer, Err(StoreError::Conflict(key(&format!("row {number}")))));
        } else {
            last += 1;
            assert_eq!(answer, Ok(Revision(last)));
        }
    }
    assert!(store.generation() <= generation + 3, "{} transactions", store.generation() - generation);
    let before = rows(&store);
    assert_eq!((before.len(), before[&key("row")].version), (92, Revision(last)));
    drop(store);
    assert_eq!(open_at(&path, sealer).unwrap().1, before);
}

#[test]
fn too_many_waiting_is_busy_and_passes() {
    let (_folder, path) = folder();
    let sealer: Arc<LocalSealer> = Arc::default();
    let (store, _) = open_at(&path, Arc::clone(&sealer)).unwrap();
    store.start(Box::new(Idle)).unwrap();
    sealer.set(true, false);
    let commit = || store.commit(Batch::default().put(key("a"), vec![1; BODY_BYTES_MAX]));
    let waiting: Vec<_> = (0..100).map(|_| commit()).collect();
    let busy = wait(commit());
    sealer.set(false, false);
    assert_eq!(busy, Err(StoreError::Busy));
    let answers: Vec<_> = waiting.into_iter().map(wait).collect();
    assert!(answers.iter().filter(|answer| answer.is_ok()).count() >= 64);
    assert!(wait(commit()).is_ok());
}

#[test]
fn without_tags_nothing_is_committed_and_the_store_goes_on() {
    let (_folder, path) = folder();
    let sealer: Arc<LocalSealer> = Arc::default();
    let (store, _) = open_at(&path, Arc::clone(&sealer)).unwrap();
    store.start(Box::new(Idle)).unwrap();
    put(&store, "a", b"1");
    sealer.set(false, true);
    assert_eq!(wait(store.commit(Batch::default().put(key("a"), vec![2]))), Err(StoreError::Busy));
    sealer.set(false, false);
    assert!(store.healthy());
    assert_eq!(&rows(&store)[&key("a")].body[..], b"1");
    assert_eq!(put(&store, "a", b"3"), Revision(2));
}

struct Fatal;

impl Follower for Fatal {
    fn apply(&mut self, _: &Event) {
        panic!("a follower's fault");
    }
}

#[test]
fn a_follower_that_dies_stops_the_store() {
    let (_folder, path) = folder();
    let (store, _) = open_at(&path, Arc::default()).unwrap();
    store.start(Box::new(Fatal)).unwrap();
    let commit = || wait(store.commit(Batch::default().put(key("a"), vec![1])));
    assert_eq!(commit(), Err(StoreError::Unavailable));
    assert_eq!(commit(), Err(StoreError::Unavailable));
    assert!(!store.healthy());
    drop(store);
    assert_eq!(open_at(&path, Arc::default()).unwrap().1.len(), 1, "what was durable before it died is there");
}

#[test]
fn dropping_it_commits_what_waits() {
    let (_folder, path) = folder();
    let store = started(&path);
    let waiting: Vec<_> = (0..20).map(|n| store.commit(Batch::default().put(key(&n.to_string()), vec![1]))).collect();
    drop(store);
    assert!(waiting.into_iter().map(wait).all(|answer| answer.is_ok()));
    assert_eq!(open_at(&path, Arc::default()).unwrap().1.len(), 20);
}

#[test]
fn many_rows_open_in_pieces() {
    let (_folder, path) = folder();
    let store = started(&path);
    let waiting: Vec<_> = (0..10_000_usize)
        .collect::<Vec<_>>()
        .chunks(2000)
        .map(|names| {
            let batch = names.iter().fold(Batch::default(), |batch, n| batch.put(key(&n.to_string()), vec![1; 100]));
            store.commit(batch)
        })
        .collect();
    assert!(waiting.into_iter().map(wait).all(|answer| answer.is_ok()));
    drop(store);
    assert_eq!(open_at(&path, Arc::default()).unwrap().1.len(), 10_000);
}
