//! What happens without a request: keys are deleted on their day, domain keys rotate and are retired, and what lies
//! under an older one is re-wrapped. One task on a thread of its own; what fails is tried again at a later turn.

use std::collections::{BTreeSet, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use kms_hsm::HsmError;
use kms_hsm::command::{Rewrap, RewrapSecret};

use super::Region;
use crate::clock::Timestamp;
use crate::error::KmsError;
use crate::key::record::{CredentialRecord, IdentityRecord, MaterialRecord, Stored};
use crate::store::{Batch, Revision, RowKey, StoreError, Table};
use crate::view::{Credential, KeyEntry, MaterialEntry, RegionView};

const TURN: Duration = Duration::from_secs(1);
/// How long a domain key is the active one.
const DOMAIN_KEY_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// How long a domain key is kept after another became active, so that a backup of the store of that age still opens.
const DOMAIN_KEY_KEPT: Duration = Duration::from_secs(35 * 24 * 60 * 60);
/// Rows re-wrapped in one turn, so that requests are not held up.
const REWRAPS_PER_TURN: usize = 200;
/// Once nothing was found to re-wrap, the next look; what was wrapped while a domain key rotated is found then.
const LOOK_AGAIN: Duration = Duration::from_secs(60 * 60);
const COMMAND_WAIT: Duration = Duration::from_secs(8);

pub(super) fn start(region: &Arc<Region>) {
    let weak = Arc::downgrade(region);
    actix::Arbiter::new().spawn(async move {
        let mut turns = tokio::time::interval(TURN);
        let mut rewrapping = Rewrapping::default();
        loop {
            turns.tick().await;
            let Some(region) = weak.upgrade() else { return };
            // A panic must not be the end of deletions and rotations: the next turn begins afresh.
            if AssertUnwindSafe(turn(&region, &mut rewrapping)).catch_unwind().await.is_err() {
                tracing::error!("a turn of the housekeeping panicked");
                rewrapping = Rewrapping::default();
            }
        }
    });
}

pub(super) async fn turn(region: &Region, rewrapping: &mut Rewrapping) {
    delete_due(region).await;
    if let Err(error) = rotate_domain_key(region) {
        tracing::error!(%error, "the domain key could not be rotated");
    }
    save_usage(region);
    if let Err(error) = rewrapping.go_on(region).await {
        tracing::warn!(code = error.code().as_str(), "what lies under older domain keys could not be re-wrapped yet");
    }
}

fn save_usage(region: &Region) {
    let mut usage = region.usage.lock().unwrap_or_else(PoisonError::into_inner);
    if let Err(error) = usage.save_when_due(&region.view(), region.clock().now()) {
        tracing::warn!(%error, "when keys were last used could not be written yet");
    }
}

/// Destroys the keys whose day has come, with everything that belongs to them.
async fn delete_due(region: &Region) {
    let view = region.view();
    for id in view.due_for_deletion(region.clock().now()) {
        let Some(key) = view.key(id) else { continue };
        let (batch, is_whole) = destruction(&view, key);
        match region.store().commit(batch).await {
            Ok(_) if is_whole => tracing::info!(key = %key.arn, "the key was deleted, as scheduled"),
            // Cancelled or changed meanwhile, or not all of it yet: the next turn looks again.
            Ok(_) | Err(StoreError::Conflict(_)) => {}
            Err(error) => tracing::warn!(%error, key = %key.arn, "the key is due and could not be deleted yet"),
        }
    }
}

/// A batch is bounded, so that a key with very many grants loses these first, a batch a turn.
const GRANTS_PER_BATCH: usize = 2000;

/// One batch on the way to a key's removal, and whether it is the whole of it, as it nearly always is.
/// INVARIANT: material goes in the same batch as its key; no row outlives the key that it belongs to, and none goes that
/// has come to belong to another key.
pub(super) fn destruction(view: &RegionView, key: &KeyEntry) -> (Batch, bool) {
    let id = key.record.id;
    let mut batch = Batch::default();
    for grant in key.grants_after("").take(GRANTS_PER_BATCH) {
        batch = batch.delete(RowKey::new(Table::Grant, format!("{id}/{}", grant.record.id)));
    }
    if key.grant_count() > GRANTS_PER_BATCH {
        return (batch.expect(Table::Key, id, key.version), false);
    }
    batch = batch.remove(Table::Key, id, key.version);
    for material in &key.materials {
        batch = batch.remove(Table::Material, format!("{id}/{}", material.held.id), material.version);
    }
    let account = key.record.account;
    for (name, alias) in key.aliases.iter().filter_map(|name| view.alias(account, name).map(|alias| (name, alias))) {
        batch = batch.remove(Table::Alias, format!("{account}/{name}"), alias.version);
    }
    (batch, true)
}

fn rotate_domain_key(region: &Region) -> Result<(), super::KeysError> {
    let now = region.clock().now();
    let (_, since_ms) = region.hsm().active_domain();
    if Timestamp(since_ms).plus(DOMAIN_KEY_LIFE) > now {
        return Ok(());
    }
    let in_use = domains_in_use(&region.view());
    let kept_since = now.minus(DOMAIN_KEY_KEPT);
    let mut keys = region.keys.lock().unwrap_or_else(PoisonError::into_inner);
    let retired = keys.rotate(region.hsm(), now, kept_since, &in_use)?;
    let (active, _) = region.hsm().active_domain();
    tracing::info!(domain_key = active, ?retired, "a new domain key is active");
    Ok(())
}

/// The domain keys under which something lies that must be opened again.
fn domains_in_use(view: &RegionView) -> BTreeSet<u32> {
    let materials = view.keys().flat_map(|key| &key.materials).map(|material| material.held.wrapped.domain());
    materials.chain(view.credentials().map(|credential| credential.wrapped.domain())).collect()
}

/// The work of bringing under the active domain key what no operation has re-wrapped in passing.
#[derive(Debug, Default)]
pub(super) struct Rewrapping {
    /// The domain key under which everything was found to lie, and when.
    done: Option<(u32, Timestamp)>,
    /// What the HSM does not open. It must not keep the rest from its turn; while it lies there, its domain key is kept.
    unopenable: HashSet<RowKey>,
}

/// A row that lies under an older domain key.
enum Idle {
    Material(MaterialEntry),
    Secret(Arc<Credential>),
}

impl Rewrapping {
    async fn go_on(&mut self, region: &Region) -> Result<(), KmsError> {
        let (active, _) = region.hsm().active_domain();
        let now = region.clock().now();
        if active <= 1 || self.done.is_some_and(|(domain, at)| domain == active && now < at.plus(LOOK_AGAIN)) {
            return Ok(());
        }
        let idle = self.idle(&region.view(), active);
        if idle.is_empty() {
            self.done = Some((active, now));
        }
        for (row, version, idle) in idle {
            let body = match rewrapped(region, idle).await {
                Ok(Some(body)) => body,
                Ok(None) => continue,
                Err(error @ (HsmError::Busy | HsmError::Unavailable | HsmError::Expired)) => return Err(error.into()),
                Err(error) => {
                    tracing::error!(%error, %row, "what lies under an older domain key does not open");
                    self.unopenable.insert(row);
                    continue;
                }
            };
            match region.store().commit(Batch::default().compare(row.clone(), version).put(row, body)).await {
                Ok(_) | Err(StoreError::Conflict(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Some of the rows that do not lie under the active domain key, each with its version.
    fn idle(&self, view: &RegionView, active: u32) -> Vec<(RowKey, Revision, Idle)> {
        let materials = view.keys().flat_map(|key| key.materials.iter().map(move |material| (key, material)));
        let materials = materials.filter(|(_, material)| material.held.wrapped.domain() != active);
        let materials = materials.map(|(key, material)| {
            let row = RowKey::new(Table::Material, format!("{}/{}", key.record.id, material.held.id));
            (row, material.version, Idle::Material(material.clone()))
        });
        let secrets = view.credentials().filter(|credential| credential.wrapped.domain() != active);
        let secrets =
            secrets.map(|credential| (credential.row(), credential.version, Idle::Secret(credential.clone())));
        let all = materials.chain(secrets).filter(|(row, ..)| !self.unopenable.contains(row));
        all.take(REWRAPS_PER_TURN).collect()
    }
}

/// The row's body with what it holds under the active domain key; `None` when it already lies there.
async fn rewrapped(region: &Region, idle: Idle) -> Result<Option<Vec<u8>>, HsmError> {
    let deadline = Instant::now() + COMMAND_WAIT;
    match idle {
        Idle::Material(material) => {
            let wrapped = region.hsm().run(Rewrap { key: material.held.clone() }, deadline).await?;
            let (id, created) = (material.held.id, material.created);
            Ok(wrapped.map(|wrapped| MaterialRecord { id, wrapped, created }.encode()))
        }
        Idle::Secret(credential) => {
            let command = RewrapSecret { owner: credential.id.to_string(), wrapped: credential.wrapped.clone() };
            let wrapped = region.hsm().run(command, deadline).await?;
            let record = wrapped.map(|wrapped| CredentialRecord {
                id: credential.id.to_string(),
                account: credential.account,
                identity: credential.identity.to_string(),
                wrapped,
            });
            Ok(record.map(|record| IdentityRecord::Credential(record).encode()))
        }
    }
}
