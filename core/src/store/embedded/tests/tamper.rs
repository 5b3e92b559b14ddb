//! What is done to the file behind the store's back, through redb's own API and below it.

use proptest::prelude::*;
use redb::{ReadableTable, WriteTransaction};

use super::*;
use crate::store::tables::{ROOT, ROOT_KEY, definition};

/// A store with rows `a` (changed once), `b`, `c` and an alias, closed; and what `a` and the root were before.
struct Scene {
    _folder: TempDir,
    path: std::path::PathBuf,
    older_a: Vec<u8>,
    older_root: Vec<u8>,
}

fn scene() -> Scene {
    let (folder, path) = folder();
    let store = started(&path);
    for name in ["a", "b", "c"] {
        put(&store, name, name.as_bytes());
    }
    wait(store.commit(Batch::default().put(RowKey::new(Table::Alias, "1/alias/x"), b"a".to_vec()))).unwrap();
    drop(store);
    let (mut older_a, mut older_root) = (Vec::new(), Vec::new());
    edit(&path, |transaction| {
        older_a = transaction.open_table(definition(Table::Key)).unwrap().get("a").unwrap().unwrap().value().to_vec();
        older_root = transaction.open_table(ROOT).unwrap().get(ROOT_KEY).unwrap().unwrap().value().to_vec();
    });
    let store = started(&path);
    put(&store, "a", b"revoked");
    drop(store);
    Scene { _folder: folder, path, older_a, older_root }
}

fn edit(path: &Path, change: impl FnOnce(&WriteTransaction)) {
    let database = Database::open(path).unwrap();
    let transaction = database.begin_write().unwrap();
    change(&transaction);
    transaction.commit().unwrap();
}

fn set(path: &Path, name: &str, value: &[u8]) {
    edit(path, |transaction| {
        transaction.open_table(definition(Table::Key)).unwrap().insert(name, value).unwrap();
    });
}

fn value(path: &Path, name: &str) -> Vec<u8> {
    let mut value = Vec::new();
    edit(path, |transaction| {
        value = transaction.open_table(definition(Table::Key)).unwrap().get(name).unwrap().unwrap().value().to_vec();
    });
    value
}

/// The sentence with which the store refuses to open.
fn refusal(path: &Path) -> String {
    match open_at(path, Arc::default()) {
        Err(StoreError::Tampered(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn untouched_it_opens() {
    let scene = scene();
    edit(&scene.path, |_| {});
    assert_eq!(open_at(&scene.path, Arc::default()).unwrap().1.len(), 4);
}

#[test]
fn an_edited_row_is_named() {
    let scene = scene();
    let genuine = value(&scene.path, "b");
    for at in 0..genuine.len() {
        let mut edited = genuine.clone();
        edited[at] ^= 1;
        set(&scene.path, "b", &edited);
        assert!(refusal(&scene.path).contains("row key/b"), "byte {at}");
    }
    for other in [&genuine[..genuine.len() - 1], &genuine[..5], b""] {
        set(&scene.path, "b", other);
        assert!(refusal(&scene.path).contains("row key/b"));
    }
}

#[test]
fn swapped_rows_are_refused() {
    let scene = scene();
    let (b, c) = (value(&scene.path, "b"), value(&scene.path, "c"));
    set(&scene.path, "b", &c);
    set(&scene.path, "c", &b);
    assert!(refusal(&scene.path).contains("row key/b"));
}

#[test]
fn a_row_rolled_back_is_refused() {
    let scene = scene();
    set(&scene.path, "a", &scene.older_a);
    assert!(refusal(&scene.path).contains("root"));
}

#[test]
fn a_removed_row_is_refused() {
    let scene = scene();
    edit(&scene.path, |transaction| {
        transaction.open_table(definition(Table::Key)).unwrap().remove("b").unwrap();
    });
    assert!(refusal(&scene.path).contains("3 rows"));
}

#[test]
fn a_removed_table_is_refused() {
    let scene = scene();
    edit(&scene.path, |transaction| {
        transaction.delete_table(definition(Table::Alias)).unwrap();
    });
    assert!(refusal(&scene.path).contains("3 rows"));
}

#[test]
fn a_row_moved_to_another_name_or_table_is_refused() {
    let scene = scene();
    let b = value(&scene.path, "b");
    edit(&scene.path, |transaction| {
        transaction.open_table(definition(Table::Key)).unwrap().remove("b").unwrap();
        transaction.open_table(definition(Table::Grant)).unwrap().insert("b", b.as_slice()).unwrap();
    });
    assert!(refusal(&scene.path).contains("row grant/b"));
}

#[test]
fn a_removed_or_edited_root_is_refused() {
    let scene = scene();
    let mut genuine = Vec::new();
    edit(&scene.path, |transaction| {
        genuine = transaction.open_table(ROOT).unwrap().remove(ROOT_KEY).unwrap().unwrap().value().to_vec();
    });
    assert!(refusal(&scene.path).contains("root is missing"));
    for at in 0..genuine.len() {
        let mut edited = genuine.clone();
        edited[at] ^= 1;
        edit(&scene.path, |transaction| {
            transaction.open_table(ROOT).unwrap().insert(ROOT_KEY, edited.as_slice()).unwrap();
        });
        // A changed region or epoch reads as another store's; it is refused all the same.
        let refused = open_at(&scene.path, Arc::default()).unwrap_err();
        assert!(matches!(refused, StoreError::Tampered(_) | StoreError::Foreign(_)), "byte {at}: {refused}");
    }
    edit(&scene.path, |transaction| {
        transaction.delete_table(ROOT).unwrap();
    });
    assert!(refusal(&scene.path).contains("root is missing"));
}

#[test]
fn an_older_root_over_newer_rows_is_refused() {
    let scene = scene();
    edit(&scene.path, |transaction| {
        transaction.open_table(ROOT).unwrap().insert(ROOT_KEY, scene.older_root.as_slice()).unwrap();
    });
    assert!(refusal(&scene.path).contains("root does not vouch"));
}

#[test]
fn a_snapshot_checks_as_opening_does() {
    let scene = scene();
    // redb's lock keeps another process out while the store is open, so this opens the store over an open database.
    let sealer: Arc<LocalSealer> = Arc::default();
    let integrity = Integrity::new("us-east-1", 1, sealer);
    let store =
        Embedded::over(Database::open(&scene.path).unwrap(), integrity, &OpenOptions::default(), &mut |_, _| {})
            .unwrap();
    store.start(Box::new(Idle)).unwrap();
    let transaction = store.database.begin_write().unwrap();
    transaction.open_table(definition(Table::Key)).unwrap().insert("a", scene.older_a.as_slice()).unwrap();
    transaction.commit().unwrap();
    let snapshot = store.snapshot(&mut |_, _| ControlFlow::Continue(()));
    assert!(matches!(snapshot, Err(StoreError::Tampered(_))));
    let transaction = store.database.begin_write().unwrap();
    transaction.open_table(definition(Table::Key)).unwrap().insert("b", scene.older_a.as_slice()).unwrap();
    transaction.commit().unwrap();
    // The writer refuses such a row at its first touch, and then everything.
    assert_eq!(wait(store.commit(Batch::default().put(key("b"), vec![1]))), Err(StoreError::Unavailable));
    assert!(!store.healthy());
}

#[test]
fn a_whole_file_rolled_back_shows_in_the_generation_alone() {
    let (_folder, path) = folder();
    let store = started(&path);
    put(&store, "a", b"1");
    drop(store);
    let copy = fs::read(&path).unwrap();
    let store = started(&path);
    put(&store, "a", b"2");
    let generation = store.generation();
    drop(store);
    fs::write(&path, copy).unwrap();
    assert!(open_at(&path, Arc::default()).unwrap().0.generation() < generation);
}

#[test]
fn another_regions_store_or_a_later_epochs_is_foreign() {
    let scene = scene();
    let open = |region, epoch| {
        Embedded::open(
            &scene.path,
            region,
            epoch,
            Arc::<LocalSealer>::default(),
            OpenOptions::default(),
            &mut |_, _| {},
        )
    };
    assert!(matches!(open("eu-west-1", 1), Err(StoreError::Foreign(_))));
    let store = open("us-east-1", 2).unwrap();
    store.start(Box::new(Idle)).unwrap();
    put(&store, "b", b"2");
    drop(store);
    assert!(matches!(open("us-east-1", 1), Err(StoreError::Foreign(_))));
    assert!(open("us-east-1", 3).is_ok());
}

#[test]
fn an_open_store_is_locked() {
    let (_folder, path) = folder();
    let _store = started(&path);
    assert_eq!(open_at(&path, Arc::default()).unwrap_err(), StoreError::Locked);
}

#[test]
fn a_file_that_is_not_a_store_is_damaged() {
    let (_folder, path) = folder();
    for content in [&b""[..], b"x", &[0; 8192], &[b'x'; 100_000]] {
        fs::write(&path, content).unwrap();
        let refused = open_at(&path, Arc::default()).unwrap_err();
        assert!(matches!(refused, StoreError::Damaged(_)), "{} bytes: {refused:?}", content.len());
        assert_eq!(fs::read(&path).unwrap(), content, "what cannot be read is left as it is");
    }
}

#[test]
fn a_truncated_file_is_damaged() {
    let scene = scene();
    let whole = fs::read(&scene.path).unwrap();
    for part in 1..20 {
        fs::write(&scene.path, &whole[..whole.len() * part / 20]).unwrap();
        let refused = open_at(&scene.path, Arc::default()).unwrap_err();
        assert!(matches!(refused, StoreError::Damaged(_)), "{part}/20: {refused:?}");
    }
}

#[test]
fn a_redb_file_of_something_else_is_refused() {
    let (_folder, path) = folder();
    let database = Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let other: redb::TableDefinition<'_, u64, u64> = redb::TableDefinition::new("root");
    transaction.open_table(other).unwrap().insert(1, 1).unwrap();
    transaction.commit().unwrap();
    drop(database);
    assert!(matches!(open_at(&path, Arc::default()), Err(StoreError::Damaged(_))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Wherever bits turn over, the store opens as it was or says why not.
    #[test]
    fn turned_bits_are_harmless_or_refused(
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..8)
    ) {
        let scene = scene();
        let genuine = open_at(&scene.path, Arc::default()).unwrap().1;
        let mut bytes = fs::read(&scene.path).unwrap();
        // Most of a small file is empty; aim at what is not.
        let used: Vec<_> = (0..bytes.len()).filter(|at| bytes[*at] != 0).collect();
        for (index, mask) in flips {
            bytes[*index.get(&used)] ^= mask;
        }
        fs::write(&scene.path, bytes).unwrap();
        match open_at(&scene.path, Arc::default()) {
            Ok((_, rows)) => prop_assert_eq!(rows, genuine),
            Err(error) => prop_assert!(
                matches!(error, StoreError::Damaged(_) | StoreError::Tampered(_) | StoreError::Foreign(_)),
                "{:?}", error
            ),
        }
    }
}
