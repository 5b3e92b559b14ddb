//! The machine loses power: whatever was not synced may be on the disk, in part or not at all.

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use redb::StorageBackend;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Write(u64, Vec<u8>),
    SetLength(u64),
    Sync,
    /// The store answered a commit with this revision.
    Answered(Revision),
}

/// A disk that remembers everything that was done to it.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    steps: Vec<Step>,
}

fn apply(bytes: &mut Vec<u8>, step: &Step) {
    match step {
        Step::Write(offset, data) => {
            let (start, end) = (*offset as usize, *offset as usize + data.len());
            if bytes.len() < end {
                bytes.resize(end, 0);
            }
            bytes[start..end].copy_from_slice(data);
        }
        Step::SetLength(length) => bytes.resize(*length as usize, 0),
        Step::Sync | Step::Answered(_) => {}
    }
}

impl Disk {
    fn of(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Mutex::new(State { bytes, steps: Vec::new() })))
    }

    fn take(&self, step: Step) {
        let mut state = lock(&self.0);
        apply(&mut state.bytes, &step);
        state.steps.push(step);
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> Result<u64, io::Error> {
        Ok(lock(&self.0).bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let state = lock(&self.0);
        let from = state.bytes.get(offset as usize..offset as usize + out.len());
        out.copy_from_slice(from.ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?);
        Ok(())
    }

    fn set_len(&self, length: u64) -> Result<(), io::Error> {
        self.take(Step::SetLength(length));
        Ok(())
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.take(Step::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.take(Step::Write(offset, data.to_vec()));
        Ok(())
    }
}

fn open_on(disk: Disk, new: bool) -> Result<(Embedded, Rows), StoreError> {
    let integrity = Integrity::new("us-east-1", 1, Arc::<LocalSealer>::default());
    let database = shielded(|| Database::builder().create_with_backend(disk).map_err(redb_error))?;
    if new {
        initialize(&database, &integrity)?;
    }
    let mut rows = Rows::new();
    let store = Embedded::over(database, integrity, &OpenOptions::default(), &mut |key, row| {
        rows.insert(key, row);
    })?;
    Ok((store, rows))
}

/// A store's life on one disk: what the disk held once the store was made, and every step from there.
fn life(commits: u64) -> (Vec<u8>, Vec<Step>) {
    let disk = Disk::default();
    let (store, _) = open_on(disk.clone(), true).unwrap();
    let made = {
        let mut state = lock(&disk.0);
        state.steps.clear();
        state.bytes.clone()
    };
    store.start(Box::new(Idle)).unwrap();
    for number in 1..=commits {
        // Row `n` is written at revision n; `last` says how far it came. Now and then a large row moves many pages.
        let bytes = if number % 5 == 0 { 20_000 } else { 50 };
        let batch = Batch::default()
            .put(key(&number.to_string()), vec![7; bytes])
            .put(key("last"), number.to_be_bytes().to_vec());
        let revision = wait(store.commit(batch)).unwrap();
        disk.take(Step::Answered(revision));
    }
    let steps = lock(&disk.0).steps.clone();
    drop(store);
    (made, steps)
}

/// What the disk may hold when power goes before step `cut`: everything up to the last sync, and of the rest what
/// `kept` says, each write whole, in half or not at all.
fn after_power_loss(made: &[u8], steps: &[Step], cut: usize, kept: &mut dyn FnMut() -> u8) -> Vec<u8> {
    let synced = steps[..cut].iter().rposition(|step| matches!(step, Step::Sync)).map_or(0, |at| at + 1);
    let mut bytes = made.to_vec();
    steps[..synced].iter().for_each(|step| apply(&mut bytes, step));
    for step in &steps[synced..cut] {
        match (kept() % 3, step) {
            (0, Step::Write(offset, data)) => {
                apply(&mut bytes, &Step::Write(*offset, data[..data.len() / 2].to_vec()));
            }
            (1, step) => apply(&mut bytes, step),
            // The length is the file system's own, journalled business: it is kept.
            (_, Step::SetLength(_)) => apply(&mut bytes, step),
            _ => {}
        }
    }
    bytes
}

#[test]
fn power_can_go_at_any_step() {
    let (made, steps) = life(12);
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    for cut in 0..=steps.len() {
        let mut kept = || (0_u8..3).new_tree(&mut runner).unwrap().current();
        let bytes = after_power_loss(&made, &steps, cut, &mut kept);
        let (store, rows) = open_on(Disk::of(bytes), false).unwrap_or_else(|error| panic!("step {cut}: {error}"));
        let answered = steps[..cut].iter().rev().find_map(|step| match step {
            Step::Answered(revision) => Some(*revision),
            _ => None,
        });
        assert!(store.revision() >= answered.unwrap_or_default(), "step {cut} lost an answered commit");
        let expected = if store.revision().0 == 0 { 0 } else { store.revision().0 + 1 };
        assert_eq!(rows.len() as u64, expected, "step {cut}");
        if let Some(last) = rows.get(&key("last")) {
            assert_eq!(last.body[..], store.revision().0.to_be_bytes(), "step {cut}");
        }
    }
}

#[test]
fn an_answer_comes_after_the_sync() {
    let (_, steps) = life(5);
    let mut synced = false;
    for step in steps {
        match step {
            Step::Write(..) | Step::SetLength(_) => synced = false,
            Step::Sync => synced = true,
            Step::Answered(revision) => {
                assert!(synced, "revision {revision} was answered before it was synced");
                synced = false;
            }
        }
    }
}
