//! A closed region's store and keys in the hands of somebody who has the seal: what is written here is as valid as
//! what the service writes, so that the checks behind the store's own are what is tested.

use std::collections::BTreeMap;
use std::fs;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use kms_core::store::{
    Batch, Embedded, Event, Follower, OpenOptions, Row, RowKey, RowSealer, Store as _, StoreError, Table, TagPurpose,
};
use kms_hsm::command::{Authenticate, Purpose};
use kms_hsm::{HsmPool, KeyFileSeal, KeyRing, PoolConfig, SealedRing};

use super::Home;

const RING_FORMAT: u8 = 1;

/// The rows of a closed region.
pub(crate) struct Offline {
    store: Embedded,
    pub(crate) rows: BTreeMap<RowKey, Row>,
}

impl Offline {
    pub(crate) fn open(home: &Home) -> Self {
        let hsm = HsmPool::start(PoolConfig::default(), ring(home).0).unwrap();
        let rows = Mutex::new(BTreeMap::new());
        let mut loaded = |key, row| drop(rows.lock().unwrap().insert(key, row));
        let options = OpenOptions::default();
        let store = Embedded::open(&home.store(), "us-east-1", 0, Arc::new(Sealer(hsm)), options, &mut loaded).unwrap();
        store.start(Box::new(Blind)).unwrap();
        Self { store, rows: rows.into_inner().unwrap() }
    }

    /// The row's body.
    pub(crate) fn body(&self, table: Table, key: &str) -> Vec<u8> {
        self.rows[&RowKey::new(table, key)].body.to_vec()
    }

    /// The keys of a table's rows that begin so.
    pub(crate) fn keys(&self, table: Table, prefix: &str) -> Vec<String> {
        let of_table = self.rows.keys().filter(|key| key.table == table);
        of_table.map(|key| key.key.clone()).filter(|key| key.starts_with(prefix)).collect()
    }

    pub(crate) fn commit(&self, batch: Batch) {
        actix_rt::Runtime::new().unwrap().block_on(self.store.commit(batch)).unwrap();
    }
}

/// Gives the closed region's ring a new domain key, as housekeeping does once a day.
pub(crate) fn rotate(home: &Home, now_ms: u64) {
    let (ring, sealed) = ring(home);
    let (_, sealed) = ring.rotated(&sealed, now_ms).unwrap();
    fs::write(home.ring(), postcard::to_extend(&sealed, vec![RING_FORMAT]).unwrap()).unwrap();
}

fn ring(home: &Home) -> (KeyRing, SealedRing) {
    let bytes = fs::read(home.ring()).unwrap();
    assert_eq!(bytes[0], RING_FORMAT);
    let sealed: SealedRing = postcard::from_bytes(&bytes[1..]).unwrap();
    (KeyRing::open(&KeyFileSeal::open(&home.seal()).unwrap(), &sealed).unwrap(), sealed)
}

struct Blind;

impl Follower for Blind {
    fn apply(&mut self, _: &Event) {}
}

struct Sealer(HsmPool);

impl RowSealer for Sealer {
    fn tags(&self, purpose: TagPurpose, messages: Vec<Vec<u8>>) -> Result<Vec<[u8; 32]>, StoreError> {
        let purpose = match purpose {
            TagPurpose::Row => Purpose::Row,
            TagPurpose::Element => Purpose::SetElement,
            TagPurpose::Root => Purpose::Root,
        };
        let deadline = Instant::now() + Duration::from_secs(30);
        Ok(self.0.run_blocking(Authenticate { purpose, messages }, deadline).unwrap())
    }
}
