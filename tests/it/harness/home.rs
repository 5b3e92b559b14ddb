//! The folder of a region, which lives there more than once, and the clock that all its lives share.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};
use std::thread;
use std::time::{Duration, Instant};

use kms_core::clock::{FakeClock, Timestamp};
use kms_core::id::Place;
use kms_core::limits::Rate;
use kms_core::region::{Region, RegionError, RegionOptions};
use serde_json::Value;
use tempfile::TempDir;

use super::{Live, cast};

const BEGINNING: Timestamp = Timestamp(1_780_000_000_000);

pub(crate) struct Home {
    folder: TempDir,
    pub(crate) clock: FakeClock,
    pub(crate) account_rate: Option<Rate>,
    pub(crate) key_rate: Option<Rate>,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            clock: FakeClock::at(BEGINNING),
            account_rate: None,
            key_rate: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn store(&self) -> PathBuf {
        self.path().join("store.redb")
    }

    pub(crate) fn ring(&self) -> PathBuf {
        self.path().join("domain-keys")
    }

    pub(crate) fn seal(&self) -> PathBuf {
        self.path().join("seal.key")
    }

    pub(crate) fn audit(&self) -> PathBuf {
        self.path().join("audit")
    }

    pub(crate) fn open(&self) -> Result<Arc<Region>, RegionError> {
        let options = RegionOptions {
            place: Place::new("aws", "us-east-1"),
            data: self.path().to_owned(),
            seal_key_file: self.seal(),
            hsm_slots: 2,
            audit_file_bytes_max: 64 << 20,
            audit_keep_bytes: 1 << 30,
            account_rate: self.account_rate,
            key_rate: self.key_rate,
            writers: 2,
        };
        Region::open(&options, Arc::new(self.clock.clone()))
    }

    /// The sentence with which the region refuses to open.
    pub(crate) fn refusal(&self) -> String {
        match self.open() {
            Err(error) => error.to_string(),
            Ok(_) => panic!("the region opened"),
        }
    }

    /// The audit log's text, and the records of calls in it.
    pub(crate) fn records(&self) -> (String, Vec<Value>) {
        let mut text = String::new();
        for file in fs::read_dir(self.audit()).unwrap() {
            let path = file.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "jsonl") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
        let records = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let calls = records.filter(|record| record["eventType"] == "AwsApiCall").collect();
        (text, calls)
    }

    /// One life of the region, from its opening until it is closed.
    pub(crate) fn live<T>(&self, story: impl AsyncFnOnce(&Live) -> T) -> T {
        self.life(true, story)
    }

    /// One life without housekeeping, in which only requests that read are answered.
    pub(crate) fn live_unattended<T>(&self, story: impl AsyncFnOnce(&Live) -> T) -> T {
        self.life(false, story)
    }

    fn life<T>(&self, attended: bool, story: impl AsyncFnOnce(&Live) -> T) -> T {
        let system = actix_rt::System::new();
        let region = self.open().unwrap_or_else(|error| panic!("{error}"));
        let closing = Arc::downgrade(&region);
        let told = system.block_on(async {
            if attended {
                region.start();
                region.declare(&cast()).await.unwrap();
            }
            let live = Live::new(region, self.clock.clone(), "test");
            let told = story(&live).await;
            drop(live);
            actix_rt::System::current().stop();
            told
        });
        system.run().unwrap();
        self.wait_until_closed(&closing);
        told
    }

    /// The threads of a region end one after the other; the audit log lets go of its folder last.
    fn wait_until_closed(&self, region: &Weak<Region>) {
        let give_up = Instant::now() + Duration::from_secs(10);
        let lock = File::open(self.audit().join("lock")).unwrap();
        while region.strong_count() > 0 || lock.try_lock().is_err() {
            assert!(Instant::now() < give_up, "the region is still open");
            thread::sleep(Duration::from_millis(2));
        }
    }
}
