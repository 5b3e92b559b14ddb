//! What every store must do, as functions over the port; each implementation's tests call `all` with fresh stores.
//! Knows only the port.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::thread;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;

/// Runs the whole suite, each part on a fresh and empty store.
pub(super) fn all<S: Store>(fresh: impl Fn() -> S) {
    rows_come_back_with_the_revision_of_their_change(&fresh());
    a_compare_that_fails_names_its_row_and_changes_nothing(&fresh());
    a_deleted_row_is_absent_and_can_come_again(&fresh());
    a_batch_without_writes_only_checks(&fresh());
    changes_are_told_in_order_from_any_point(&fresh());
    a_snapshot_can_be_left_early(&fresh());
    what_breaks_a_bound_is_refused(&fresh());
    concurrent_increments_are_not_lost(&fresh());
    any_history_ends_as_a_map_would(fresh);
}

pub(super) fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

pub(super) fn key(name: &str) -> RowKey {
    RowKey::new(Table::Key, name)
}

pub(super) fn put(store: &dyn Store, name: &str, body: &[u8]) -> Revision {
    wait(store.commit(Batch::default().put(key(name), body.to_vec()))).unwrap()
}

/// Every row of a store that nobody is writing to.
pub(super) fn rows(store: &dyn Store) -> BTreeMap<RowKey, Row> {
    let (rows, revision) = snapshot(store);
    assert_eq!(revision, store.revision());
    rows
}

fn snapshot(store: &dyn Store) -> (BTreeMap<RowKey, Row>, Revision) {
    let mut rows = BTreeMap::new();
    let revision = store.snapshot(&mut |key, row| {
        assert!(rows.insert(key.clone(), row).is_none(), "{key} came twice");
        ControlFlow::Continue(())
    });
    (rows, revision.unwrap())
}

fn rows_come_back_with_the_revision_of_their_change(store: &dyn Store) {
    assert_eq!(store.revision(), Revision::NONE);
    let batch = Table::ALL.iter().fold(Batch::default(), |batch, table| {
        batch.put(RowKey::new(*table, "same/name"), table.name().as_bytes().to_vec())
    });
    let first = wait(store.commit(batch)).unwrap();
    let second = put(store, "same/name", b"");
    assert_eq!((first, second), (Revision(1), Revision(2)));
    let rows = rows(store);
    assert_eq!(rows.len(), Table::ALL.len());
    for (key, row) in rows {
        let (version, body) = if key.table == Table::Key { (second, "") } else { (first, key.table.name()) };
        assert_eq!((row.version, &row.body[..]), (version, body.as_bytes()), "{key}");
    }
}

fn a_compare_that_fails_names_its_row_and_changes_nothing(store: &dyn Store) {
    let here = put(store, "here", b"1");
    let commit = |batch: Batch| wait(store.commit(batch));
    let cases = [
        (key("here"), Revision::NONE),
        (key("here"), Revision(here.0 + 1)),
        (key("absent"), here),
        (RowKey::new(Table::Alias, "here"), here),
    ];
    for (row, version) in cases {
        let batch = Batch::default()
            .compare(key("here"), here)
            .compare(row.clone(), version)
            .put(key("here"), b"2".to_vec())
            .put(key("new"), b"2".to_vec());
        assert_eq!(commit(batch), Err(StoreError::Conflict(row)));
    }
    assert_eq!(rows(store).into_values().map(|row| row.body.to_vec()).collect::<Vec<_>>(), [b"1".to_vec()]);
    let both = Batch::default().compare(key("here"), here).compare(key("new"), Revision::NONE).delete(key("here"));
    assert_eq!(commit(both), Ok(Revision(here.0 + 1)));
}

fn a_deleted_row_is_absent_and_can_come_again(store: &dyn Store) {
    put(store, "row", b"1");
    let gone = wait(store.commit(Batch::default().delete(key("row")).delete(key("never")))).unwrap();
    assert_eq!(rows(store), BTreeMap::new());
    let again = wait(store.commit(Batch::default().compare(key("row"), Revision::NONE).put(key("row"), vec![2])));
    assert_eq!(again, Ok(Revision(gone.0 + 1)));
    assert_eq!(rows(store)[&key("row")].version, again.unwrap());
}

fn a_batch_without_writes_only_checks(store: &dyn Store) {
    let row = put(store, "row", b"1");
    assert_eq!(wait(store.commit(Batch::default().compare(key("row"), row))), Ok(row));
    let stale = wait(store.commit(Batch::default().compare(key("row"), Revision::NONE)));
    assert_eq!(stale, Err(StoreError::Conflict(key("row"))));
    assert_eq!(store.revision(), row);
}

fn changes_are_told_in_order_from_any_point(store: &dyn Store) {
    put(store, "a", b"1");
    wait(store.commit(Batch::default().put(key("b"), b"2".to_vec()).delete(key("a")))).unwrap();
    put(store, "c", b"3");
    let event = |revision, changes: Vec<(&str, Option<&[u8]>)>| {
        let change = |(name, body): (&str, Option<&[u8]>)| Change {
            key: key(name),
            row: body.map(|body| Row { version: Revision(revision), body: body.into() }),
        };
        Arc::new(Event { revision: Revision(revision), changes: changes.into_iter().map(change).collect() })
    };
    let all = [
        event(1, vec![("a", Some(b"1"))]),
        event(2, vec![("b", Some(b"2")), ("a", None)]),
        event(3, vec![("c", Some(b"3"))]),
    ];
    for from in 0..=3 {
        assert_eq!(store.changes_since(Revision(from)).unwrap(), all[from as usize..]);
    }
}

fn a_snapshot_can_be_left_early(store: &dyn Store) {
    put(store, "a", b"1");
    let last = put(store, "b", b"2");
    let mut seen = Vec::new();
    let left = store.snapshot(&mut |key, _| {
        seen.push(key.clone());
        ControlFlow::Break(())
    });
    assert_eq!((left, seen), (Ok(last), vec![key("a")]));
}

fn what_breaks_a_bound_is_refused(store: &dyn Store) {
    let commit = |batch: Batch| wait(store.commit(batch));
    let put = |name: String, bytes| Batch::default().put(RowKey::new(Table::Grant, name), vec![7; bytes]);
    let many = |count: usize, bytes: usize| {
        (0..count).fold(Batch::default(), |batch, name| batch.put(key(&name.to_string()), vec![7; bytes]))
    };
    let too_large = [
        put("k".repeat(KEY_BYTES_MAX + 1), 1),
        put("k".to_owned(), BODY_BYTES_MAX + 1),
        many(BATCH_ROWS_MAX + 1, 0),
        many(BATCH_BYTES_MAX / BODY_BYTES_MAX + 1, BODY_BYTES_MAX),
        Batch { compares: vec![Compare { key: key("k"), version: Revision(1) }; BATCH_ROWS_MAX + 1], writes: vec![] },
    ];
    for batch in too_large {
        assert!(matches!(commit(batch), Err(StoreError::TooLarge(_))));
    }
    for batch in [put(String::new(), 1), put("twice".to_owned(), 1).delete(RowKey::new(Table::Grant, "twice"))] {
        assert!(matches!(commit(batch), Err(StoreError::Malformed(_))));
    }
    assert_eq!(store.revision(), Revision::NONE);
    assert_eq!(commit(put("k".repeat(KEY_BYTES_MAX), BODY_BYTES_MAX)), Ok(Revision(1)));
}

fn concurrent_increments_are_not_lost(store: &dyn Store) {
    const THREADS: u64 = 4;
    const TIMES: u64 = 8;
    let zero = put(store, "count", &0_u64.to_be_bytes());
    let increment = || {
        let row = snapshot(store).0[&key("count")].clone();
        let count = u64::from_be_bytes(row.body[..].try_into().unwrap());
        let batch = Batch::default().compare(key("count"), row.version);
        wait(store.commit(batch.put(key("count"), (count + 1).to_be_bytes().to_vec())))
    };
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| (0..TIMES).for_each(|_| while increment().is_err() {}));
        }
    });
    let count = u64::from_be_bytes(rows(store)[&key("count")].body[..].try_into().unwrap());
    assert_eq!(count, THREADS * TIMES);
    assert_eq!(store.changes_since(zero).unwrap().len() as u64, THREADS * TIMES);
}

fn any_history_ends_as_a_map_would<S: Store>(fresh: impl Fn() -> S) {
    let step = (0_u8..4, 0_u8..4, proptest::option::of(any::<u8>()), any::<bool>());
    let history = proptest::collection::vec(step, 1..12);
    let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
    let ran = runner.run(&history, |history| {
        let store = fresh();
        let mut model: BTreeMap<RowKey, Row> = BTreeMap::new();
        for (compared, written, body, stale) in history {
            let (compared, written) = (key(&compared.to_string()), key(&written.to_string()));
            let version = model.get(&compared).map_or(Revision::NONE, |row| row.version);
            let claimed = if stale { Revision(version.0 + 1) } else { version };
            let write = Write { key: written.clone(), body: body.map(|byte| vec![byte]) };
            let batch =
                Batch { compares: vec![Compare { key: compared.clone(), version: claimed }], writes: vec![write] };
            match wait(store.commit(batch)) {
                Ok(revision) => {
                    prop_assert!(!stale);
                    model.remove(&written);
                    model.extend(body.map(|byte| (written, Row { version: revision, body: [byte].into() })));
                }
                Err(error) => prop_assert!(stale && error == StoreError::Conflict(compared)),
            }
        }
        prop_assert_eq!(rows(&store), model);
        Ok(())
    });
    ran.unwrap();
}
