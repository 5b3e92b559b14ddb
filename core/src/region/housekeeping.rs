//! What happens without a request: keys are deleted on their day, domain keys rotate, idle material is re-wrapped.
//! One task on a thread of its own; each step may fail and is tried again at the next turn.

use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use kms_hsm::command::Rewrap;

use super::Region;
use crate::error::KmsError;
use crate::id::KeyId;
use crate::key::record::{MaterialRecord, Stored};
use crate::store::{Batch, RowKey, StoreError, Table};
use crate::view::{KeyEntry, MaterialEntry, RegionView};

const TURN: Duration = Duration::from_secs(1);
/// How long a domain key is the active one.
const DOMAIN_KEY_LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// Materials re-wrapped in one turn, so that requests are not held up.
const REWRAPS_PER_TURN: usize = 200;
const COMMAND_WAIT: Duration = Duration::from_secs(8);

pub(super) fn start(region: &Arc<Region>) {
    let weak = Arc::downgrade(region);
    actix::Arbiter::new().spawn(async move {
        let mut turns = tokio::time::interval(TURN);
        loop {
            turns.tick().await;
            let Some(region) = weak.upgrade() else { return };
            turn(&region).await;
        }
    });
}

async fn turn(region: &Arc<Region>) {
    if let Err(error) = delete_due(region).await {
        tracing::warn!(code = error.code().as_str(), "a key whose deletion is due could not be deleted yet");
    }
    if let Err(error) = rotate_domain_key(region) {
        tracing::error!(%error, "the domain key could not be rotated");
    }
    if let Err(error) = rewrap_idle(region).await {
        tracing::warn!(code = error.code().as_str(), "material could not be re-wrapped yet");
    }
}

/// Destroys the keys whose day has come, with everything that belongs to them.
async fn delete_due(region: &Arc<Region>) -> Result<(), KmsError> {
    let view = region.view();
    let due: Vec<_> = view.due_for_deletion(region.clock().now()).filter_map(|key| view.key(key).cloned()).collect();
    for key in due {
        match region.store().commit(destruction(&key)).await {
            Ok(_) => tracing::info!(key = %key.arn, "the key was deleted, as scheduled"),
            // Cancelled or changed meanwhile: the next turn looks again.
            Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// A batch is bounded, so that a key with very many grants loses these first, a batch a turn.
const GRANTS_PER_BATCH: usize = 2000;

/// One batch on the way to a key's removal, and nearly always the whole of it.
/// INVARIANT: material goes in the same batch as its key; no row outlives the key that it belongs to.
fn destruction(key: &KeyEntry) -> Batch {
    let id = key.record.id;
    let mut batch = Batch::default().expect(Table::Key, id, key.version);
    for grant in key.grants_after("").take(GRANTS_PER_BATCH) {
        batch = batch.delete(RowKey::new(Table::Grant, format!("{id}/{}", grant.record.id)));
    }
    if key.grant_count() > GRANTS_PER_BATCH {
        return batch;
    }
    batch = batch.delete(RowKey::new(Table::Key, id.to_string()));
    for material in &key.materials {
        batch = batch.remove(Table::Material, format!("{id}/{}", material.held.id), material.version);
    }
    for alias in &key.aliases {
        batch = batch.delete(RowKey::new(Table::Alias, format!("{}/{alias}", key.record.account)));
    }
    batch
}

fn rotate_domain_key(region: &Arc<Region>) -> Result<(), super::RegionError> {
    let now = region.clock().now();
    let (_, since_ms) = region.hsm().active_domain();
    if now.0.saturating_sub(since_ms) < u64::try_from(DOMAIN_KEY_LIFE.as_millis()).unwrap_or(u64::MAX) {
        return Ok(());
    }
    let mut keys = region.keys.lock().unwrap_or_else(PoisonError::into_inner);
    let rotated = keys.rotate(region.hsm(), now)?;
    tracing::info!(domain_key = rotated.active_domain(), "a new domain key is active");
    region.hsm().install(rotated).map_err(super::RegionError::Hsm)
}

/// Re-wraps material that lies under an older domain key and that no operation has re-wrapped in passing.
async fn rewrap_idle(region: &Arc<Region>) -> Result<(), KmsError> {
    let (active, _) = region.hsm().active_domain();
    if active <= 1 {
        return Ok(());
    }
    for (key, material) in idle(&region.view(), active) {
        let command = Rewrap { key: material.held.clone() };
        let Some(wrapped) = region.hsm().run(command, Instant::now() + COMMAND_WAIT).await? else { continue };
        let id = material.held.id;
        let record = MaterialRecord { id, wrapped, created: material.created };
        let row = format!("{key}/{id}");
        let batch = Batch::default().change(Table::Material, row, material.version, record.encode());
        match region.store().commit(batch).await {
            Ok(_) | Err(StoreError::Conflict(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Some of the materials that do not lie under the active domain key, each with its key.
fn idle(view: &RegionView, active: u32) -> Vec<(KeyId, MaterialEntry)> {
    let all = view.keys().flat_map(|key| key.materials.iter().map(move |material| (key.record.id, material)));
    let old = all.filter(|(_, material)| material.held.wrapped.domain() != active);
    old.map(|(key, material)| (key, material.clone())).take(REWRAPS_PER_TURN).collect()
}
