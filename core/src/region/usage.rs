//! When each key was last used: exact in memory, on disk hourly and at a clean stop.
//! Kept beside the state, not in it: a use writes no row, and what is lost in a crash is less than an hour of knowledge.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::id::KeyId;
use crate::view::RegionView;

const FILE: &str = "last-use";
const FORMAT_V1: u8 = 1;
const SAVE_EVERY: Duration = Duration::from_secs(60 * 60);

/// The file of last uses.
#[derive(Debug)]
pub(super) struct UsageFile {
    path: PathBuf,
    saved_at: Timestamp,
    saved: Vec<(KeyId, Timestamp)>,
}

impl UsageFile {
    /// Reads what is known into the view's keys. A file that cannot be read is begun anew: it only tells how long ago
    /// something happened, and the audit log is what counts (API reference of GetKeyLastUsage).
    pub(super) fn open(data: &Path, view: &RegionView, now: Timestamp) -> Self {
        let path = data.join(FILE);
        let saved = read(&path).unwrap_or_else(|cause| {
            tracing::warn!(%cause, file = %path.display(), "when keys were last used is not known any more");
            Vec::new()
        });
        for (id, at) in &saved {
            if let Some(key) = view.key(*id) {
                key.usage.used_at(*at);
            }
        }
        Self { path, saved_at: now, saved }
    }

    /// Writes the file when an hour has passed since it was written.
    pub(super) fn save_when_due(&mut self, view: &RegionView, now: Timestamp) -> io::Result<()> {
        if now < self.saved_at.plus(SAVE_EVERY) { Ok(()) } else { self.save(view, now) }
    }

    /// Writes the file if a key was used since.
    pub(super) fn save(&mut self, view: &RegionView, now: Timestamp) -> io::Result<()> {
        self.saved_at = now;
        let used = view.keys().filter_map(|key| key.usage.last_used().map(|at| (key.record.id, at)));
        let mut used: Vec<_> = used.collect();
        used.sort_unstable();
        if used == self.saved {
            return Ok(());
        }
        let bytes = postcard::to_extend(&used, vec![FORMAT_V1]).map_err(|cause| io::Error::other(cause.to_string()))?;
        super::keys::replace(&self.path, &bytes)?;
        self.saved = used;
        Ok(())
    }
}

fn read(path: &Path) -> io::Result<Vec<(KeyId, Timestamp)>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(cause),
    };
    match bytes.split_first() {
        Some((&FORMAT_V1, body)) => postcard::from_bytes(body).map_err(|cause| io::Error::other(cause.to_string())),
        _ => Err(io::Error::other("its format is unknown")),
    }
}
