//! The region: its ports (view, store, HSM, clock, audit log) and the key managers that use them.
//! Holds and starts; decides nothing. Knows the data folder's files that are core's own.

mod apply;
mod declare;
mod declared;
mod housekeeping;
mod keys;
mod operator;
mod recover;
mod sessions;
mod usage;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use actix::{Actor as _, Addr};
use arc_swap::ArcSwap;
use kms_hsm::command::{Authenticate, Purpose, SigningKey};
use kms_hsm::{HsmPool, Plaintext, PoolConfig};

use crate::audit::{AuditConfig, AuditError, AuditLog, Desk, Position};
use crate::clock::Clock;
use crate::error::KmsError;
use crate::id::{AccountId, Place};
use crate::key_manager::KeyManager;
use crate::limits::Rate;
use crate::store::{Embedded, Event, Follower, OpenOptions, Revision, RowSealer, Store, StoreError, TagPurpose};
use crate::view::{BadRow, Builder, Credential, KeyEntry, RegionView};

pub use kms_hsm::{SlotState, SlotStatus};

pub use self::apply::{Applied, MadeKey, Making};
pub use self::declare::{DeclareError, Wrong};
pub use self::keys::KeysError;
pub use self::operator::{Act, Operator};
pub use self::recover::Recovered;
pub use self::sessions::IssuedSession;

const STORE_FILE: &str = "store.redb";
const AUDIT_FOLDER: &str = "audit";
const VIEW_BROKEN: &str = "a committed change could not be applied to the view";
/// How long the store may wait for tags from the HSM.
const TAGS_WAIT: Duration = Duration::from_secs(30);

/// What can be chosen when a region is opened.
#[derive(Clone, Debug)]
pub struct RegionOptions {
    pub place: Place,
    /// The folder for everything that is kept.
    pub data: PathBuf,
    /// The key file of the seal.
    pub seal_key_file: PathBuf,
    pub hsm_slots: usize,
    pub audit_file_bytes_max: u64,
    pub audit_keep_bytes: u64,
    /// `None` is unlimited.
    pub account_rate: Option<Rate>,
    pub key_rate: Option<Rate>,
    /// Key managers that order the writes.
    pub writers: usize,
}

/// Why a region did not open. Each says what to do about it, or what was found.
#[derive(Debug, thiserror::Error)]
pub enum RegionError {
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error("the HSM did not start: {0}")]
    Hsm(#[from] kms_hsm::HsmError),
    #[error("{}: {cause}", path.display())]
    Store { path: PathBuf, cause: StoreError },
    #[error("{}: {cause}", path.display())]
    Row { path: PathBuf, cause: BadRow },
    #[error("{}: {cause}", path.display())]
    Audit { path: PathBuf, cause: AuditError },
    #[error(
        "{} is missing, but the region's keys are there: restore the store, or remove {} to begin a new region",
        store.display(),
        keys.display()
    )]
    StoreMissing { store: PathBuf, keys: PathBuf },
}

/// A region that is open.
pub struct Region {
    place: Place,
    view: Published,
    store: Arc<dyn Store>,
    hsm: HsmPool,
    clock: Arc<dyn Clock>,
    audit: AuditLog,
    rates: Rates,
    started: Instant,
    owners: OnceLock<Vec<Addr<KeyManager>>>,
    keys: Mutex<keys::Keys>,
    usage: Mutex<usage::UsageFile>,
    health: Arc<Health>,
    writers: usize,
}

#[derive(Debug)]
struct Rates {
    account: Option<Rate>,
    key: Option<Rate>,
    accounts: RwLock<HashMap<AccountId, Arc<AtomicU64>>>,
}

/// What takes the region out of service.
#[derive(Debug, Default)]
struct Health {
    view_broken: std::sync::atomic::AtomicBool,
}

impl std::fmt::Debug for Region {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Region").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Region {
    /// Opens the region in `options.data`, making its keys and store on the first start. Every row is checked.
    pub fn open(options: &RegionOptions, clock: Arc<dyn Clock>) -> Result<Arc<Self>, RegionError> {
        let store_path = options.data.join(STORE_FILE);
        let (mut keys, ring) = keys::Keys::open(options, clock.now())?;
        if !keys.is_new() && !store_path.exists() {
            return Err(RegionError::StoreMissing { store: store_path, keys: keys.path().to_owned() });
        }
        let hsm = HsmPool::start(pool_config(options), ring)?;
        let health = Arc::new(Health::default());
        let (store, view) = open_store(&store_path, options, &hsm, &health)?;
        keys.finish()?;
        let usage = usage::UsageFile::open(&options.data, &view.load(), clock.now());
        let audit_path = options.data.join(AUDIT_FOLDER);
        let config = AuditConfig {
            file_bytes_max: options.audit_file_bytes_max,
            keep_bytes: options.audit_keep_bytes,
            ..AuditConfig::default()
        };
        let audit = AuditLog::open(&audit_path, config, clock.clone())
            .map_err(|cause| RegionError::Audit { path: audit_path, cause })?;
        Ok(Arc::new(Self {
            place: options.place.clone(),
            view,
            store,
            hsm,
            clock,
            audit,
            rates: Rates { account: options.account_rate, key: options.key_rate, accounts: RwLock::default() },
            started: Instant::now(),
            owners: OnceLock::new(),
            keys: Mutex::new(keys),
            usage: Mutex::new(usage),
            health,
            writers: options.writers.max(1),
        }))
    }

    /// Starts the key managers that order writes, each on a thread of its own, and the region's housekeeping.
    pub fn start(self: &Arc<Self>) {
        let owners = (0..self.writers).map(|_| {
            let region = self.clone();
            KeyManager::start_in_arbiter(&actix::Arbiter::new().handle(), move |_| KeyManager::new(region))
        });
        if self.owners.set(owners.collect()).is_ok() {
            housekeeping::start(self);
        }
    }

    /// Puts on disk what is only written now and then; for a clean stop, once no request is under way.
    pub fn settle(&self) {
        let mut usage = self.usage.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = usage.save(&self.view(), self.clock.now()) {
            tracing::error!(%error, "when keys were last used could not be written");
        }
    }

    /// The newest view. A request loads it once.
    pub fn view(&self) -> Arc<RegionView> {
        self.view.load_full()
    }

    /// The newest view, for a request to be judged by.
    ///
    /// # Errors
    /// When a committed change could not be applied: the view may then allow what was revoked, so nothing is judged.
    pub fn coherent_view(&self) -> Result<Arc<RegionView>, KmsError> {
        if self.health.view_broken.load(Ordering::Acquire) {
            return Err(KmsError::internal(VIEW_BROKEN));
        }
        Ok(self.view())
    }

    /// Whether an answer that was due then is of no use any more.
    pub(crate) fn is_over(&self, deadline: Instant) -> bool {
        Instant::now() >= deadline
    }

    pub fn place(&self) -> &Place {
        &self.place
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn hsm(&self) -> &HsmPool {
        &self.hsm
    }

    /// The HSM, for tests of what survives its faults.
    #[cfg(feature = "faults")]
    pub fn faulty_hsm(&self) -> &HsmPool {
        &self.hsm
    }

    pub(crate) fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The key manager that orders the writes to what hashes to `owner`.
    pub fn owner(&self, owner: u64) -> Option<&Addr<KeyManager>> {
        let owners = self.owners.get()?;
        let count = u64::try_from(owners.len()).ok()?;
        owners.get(usize::try_from(owner.checked_rem(count)?).ok()?)
    }

    /// The audit log as one worker writes it. `name` must be the worker's own.
    pub fn desk(&self, name: &str) -> Result<Desk, AuditError> {
        Ok(Desk::new(self.audit.writer(name)?))
    }

    /// Resolves once the record is on disk.
    pub async fn synced(&self, position: Position) -> Result<(), KmsError> {
        self.audit.synced(position).await.map_err(KmsError::internal)
    }

    /// The day's signing key of an access key, derived in the HSM.
    pub async fn signing_key(
        &self,
        credential: &Credential,
        date: &str,
        region: &str,
        service: &str,
        deadline: Instant,
    ) -> Result<Plaintext, KmsError> {
        let command = SigningKey {
            owner: credential.id.to_string(),
            wrapped: credential.wrapped.clone(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        };
        Ok(self.hsm.run(command, deadline).await?.key)
    }

    /// Takes one call from the account's rate.
    pub fn admit_account(&self, account: AccountId) -> Result<(), KmsError> {
        let Some(rate) = self.rates.account else { return Ok(()) };
        let known = self.rates.accounts.read().unwrap_or_else(PoisonError::into_inner).get(&account).cloned();
        let bucket = known.unwrap_or_else(|| {
            let mut accounts = self.rates.accounts.write().unwrap_or_else(PoisonError::into_inner);
            accounts.entry(account).or_default().clone()
        });
        rate.take(&bucket, self.uptime_ns()).map_err(|after| KmsError::Throttled { after })
    }

    /// Takes one call from the key's rate.
    pub fn admit_key(&self, key: &KeyEntry) -> Result<(), KmsError> {
        let Some(rate) = self.rates.key else { return Ok(()) };
        rate.take(&key.usage.rate, self.uptime_ns()).map_err(|after| KmsError::Throttled { after })
    }

    fn uptime_ns(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// Why the region should not serve now; `None` when it should.
    pub fn ailment(&self) -> Option<&'static str> {
        if self.health.view_broken.load(Ordering::Acquire) {
            return Some(VIEW_BROKEN);
        }
        if !self.store.healthy() {
            return Some("the store has stopped; the log says why");
        }
        if !self.audit.healthy() {
            return Some("the audit log cannot be written");
        }
        let serving = self.hsm.slots().iter().any(|slot| slot.state == SlotState::Healthy);
        if serving { None } else { Some("no HSM slot is in service") }
    }

    pub fn hsm_slots(&self) -> Vec<SlotStatus> {
        self.hsm.slots()
    }

    pub fn revision(&self) -> Revision {
        self.view.load().revision
    }
}

/// Spreads names over key managers.
pub(crate) fn spread(name: &str) -> u64 {
    // FNV-1a: stable, and good enough to spread random ids.
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn pool_config(options: &RegionOptions) -> PoolConfig {
    PoolConfig { slots: options.hsm_slots.max(2), ..PoolConfig::default() }
}

fn open_store(
    path: &Path,
    options: &RegionOptions,
    hsm: &HsmPool,
    health: &Arc<Health>,
) -> Result<(Arc<dyn Store>, Published), RegionError> {
    let store_error = |cause| RegionError::Store { path: path.to_owned(), cause };
    let row_error = |cause| RegionError::Row { path: path.to_owned(), cause };
    let mut builder = Builder::new(options.place.clone()).map_err(row_error)?;
    let mut bad = None;
    let mut loaded = |key, row| {
        if bad.is_none() {
            bad = builder.load(key, row).err();
        }
    };
    let sealer = Arc::new(HsmSealer { hsm: hsm.clone() });
    let region = &options.place.region;
    let embedded = Embedded::open(path, region, 0, sealer, OpenOptions::default(), &mut loaded).map_err(store_error)?;
    if let Some(cause) = bad {
        return Err(row_error(cause));
    }
    let view = Arc::new(ArcSwap::new(builder.loaded(embedded.revision()).map_err(row_error)?));
    let follower = ViewFollower { builder, view: view.clone(), health: health.clone() };
    embedded.start(Box::new(follower)).map_err(store_error)?;
    Ok((Arc::new(embedded), view))
}

/// The newest view, for everyone to load.
type Published = Arc<ArcSwap<RegionView>>;

/// Publishes a view for every committed event.
struct ViewFollower {
    builder: Builder,
    view: Published,
    health: Arc<Health>,
}

impl Follower for ViewFollower {
    fn apply(&mut self, event: &Event) {
        if self.health.view_broken.load(Ordering::Acquire) {
            return;
        }
        match self.builder.apply(event) {
            Ok(view) => self.view.store(view),
            Err(error) => {
                tracing::error!(%error, revision = event.revision.0, "a committed change does not apply");
                self.health.view_broken.store(true, Ordering::Release);
            }
        }
    }
}

/// Row tags are made in the HSM, under the integrity key.
struct HsmSealer {
    hsm: HsmPool,
}

impl RowSealer for HsmSealer {
    fn tags(&self, purpose: TagPurpose, messages: Vec<Vec<u8>>) -> Result<Vec<[u8; 32]>, StoreError> {
        let purpose = match purpose {
            TagPurpose::Row => Purpose::Row,
            TagPurpose::Element => Purpose::SetElement,
            TagPurpose::Root => Purpose::Root,
        };
        let deadline = Instant::now() + TAGS_WAIT;
        self.hsm.run_blocking(Authenticate { purpose, messages }, deadline).map_err(|error| {
            tracing::error!(%error, "the HSM made no tags for the store");
            StoreError::Unavailable
        })
    }
}

#[cfg(test)]
mod tests;
