//! The region's key ring on disk: the seal's key file, and the wrapped keys in a file apart from the state.
//! Writes files whole or not at all. Sees nothing but wrapped bytes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use kms_hsm::{HsmError, HsmPool, KeyFileSeal, KeyRing, RingError, SealError, SealedRing};

use super::RegionOptions;
use crate::clock::Timestamp;

/// Apart from the state, so that a copy of the state alone opens nothing.
const RING_FILE: &str = "domain-keys";
/// The same file until the first start has made its store, too. While it bears this name nothing has been answered.
const RING_FILE_BEGUN: &str = "domain-keys.begun";
const FORMAT_V1: u8 = 1;

/// Why the region's keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("{}: {cause}", path.display())]
    Seal { path: PathBuf, cause: SealError },
    #[error("{}: {cause}", path.display())]
    Ring { path: PathBuf, cause: RingError },
    #[error("{}: {cause}", path.display())]
    File { path: PathBuf, cause: io::Error },
    #[error("the HSM took no new keys: {0}")]
    Hsm(HsmError),
    #[error("{} cannot be read as wrapped keys", .0.display())]
    Unreadable(PathBuf),
    #[error("{} is missing, but the seal's key file {} is there: restore it", ring.display(), seal.display())]
    RingMissing { ring: PathBuf, seal: PathBuf },
    #[error("{} is missing, but {} needs it to be opened: restore it", seal.display(), ring.display())]
    SealMissing { ring: PathBuf, seal: PathBuf },
}

/// The wrapped keys as they are on disk.
#[derive(Debug)]
pub(super) struct Keys {
    path: PathBuf,
    sealed: SealedRing,
    /// The file that `finish` is to rename.
    begun: Option<PathBuf>,
}

impl Keys {
    /// Opens the ring, or makes one on the first start; `finish` ends that.
    pub(super) fn open(options: &RegionOptions, now: Timestamp) -> Result<(Self, KeyRing), KeysError> {
        let path = options.data.join(RING_FILE);
        let seal_path = &options.seal_key_file;
        let seal_error = |cause| KeysError::Seal { path: seal_path.clone(), cause };
        let ring_error = |cause| KeysError::Ring { path: path.clone(), cause };
        match (path.exists(), seal_path.exists()) {
            (true, true) => {
                let seal = KeyFileSeal::open(seal_path).map_err(seal_error)?;
                let sealed = read(&path)?;
                let ring = KeyRing::open(&seal, &sealed).map_err(ring_error)?;
                Ok((Self { path, sealed, begun: None }, ring))
            }
            (true, false) => Err(KeysError::SealMissing { ring: path, seal: seal_path.clone() }),
            (false, seal_exists) => {
                let begun = options.data.join(RING_FILE_BEGUN);
                let store = options.data.join(super::STORE_FILE);
                // A first start that a crash cut short begins anew: its seal stays, its store holds nothing yet.
                if store.exists() && begun.exists() {
                    fs::remove_file(&store).map_err(|cause| KeysError::File { path: store, cause })?;
                } else if store.exists() && seal_exists {
                    return Err(KeysError::RingMissing { ring: path, seal: seal_path.clone() });
                }
                let seal = if seal_exists { KeyFileSeal::open(seal_path) } else { KeyFileSeal::create(seal_path) };
                let seal = seal.map_err(seal_error)?;
                let (ring, sealed) = KeyRing::create(&seal, &options.place.region, now.0).map_err(ring_error)?;
                let keys = Self { path, sealed, begun: Some(begun.clone()) };
                keys.write(&begun)?;
                Ok((keys, ring))
            }
        }
    }

    /// Whether this is a first start that has not been finished.
    pub(super) fn is_new(&self) -> bool {
        self.begun.is_some()
    }

    /// Ends a first start, once the store is there: from now on the two belong together.
    pub(super) fn finish(&mut self) -> Result<(), KeysError> {
        let Some(begun) = self.begun.take() else { return Ok(()) };
        fs::rename(begun, &self.path)
            .and_then(|()| sync_folder(&self.path))
            .map_err(|cause| KeysError::File { path: self.path.clone(), cause })
    }

    /// The domain keys that are kept and no longer active.
    #[cfg(test)]
    pub(super) fn superseded(&self) -> Vec<u32> {
        self.sealed.superseded_before(u64::MAX)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a domain key and makes it the active one; drops those that stopped being active before `kept_since`, if
    /// nothing lies under any of them, and answers their numbers. The new ring is on disk before anything is wrapped
    /// under it.
    pub(super) fn rotate(
        &mut self,
        hsm: &HsmPool,
        now: Timestamp,
        kept_since: Timestamp,
        in_use: &BTreeSet<u32>,
    ) -> Result<Vec<u32>, KeysError> {
        let ring_error = |cause| KeysError::Ring { path: self.path.clone(), cause };
        let mut kept = self.sealed.clone();
        let all_idle = kept.superseded_before(kept_since.0).iter().all(|domain| !in_use.contains(domain));
        let retired = if all_idle { kept.retire_before(kept_since.0) } else { Vec::new() };
        let (rotated, sealed) = hsm.rotated(&kept, now.0).map_err(ring_error)?;
        let before = std::mem::replace(&mut self.sealed, sealed);
        let done = self.write(&self.path).and_then(|()| hsm.install(rotated).map_err(KeysError::Hsm));
        if let Err(error) = done {
            // The ring that the HSM has is the one to rotate from next time.
            self.sealed = before;
            return Err(error);
        }
        Ok(retired)
    }

    fn write(&self, path: &Path) -> Result<(), KeysError> {
        let error = |cause| KeysError::File { path: path.to_owned(), cause };
        let bytes = postcard::to_extend(&self.sealed, vec![FORMAT_V1])
            .map_err(|cause| error(io::Error::other(cause.to_string())))?;
        replace(path, &bytes).map_err(error)
    }
}

fn read(path: &Path) -> Result<SealedRing, KeysError> {
    let bytes = fs::read(path).map_err(|cause| KeysError::File { path: path.to_owned(), cause })?;
    let body = match bytes.split_first() {
        Some((&FORMAT_V1, body)) => body,
        _ => return Err(KeysError::Unreadable(path.to_owned())),
    };
    postcard::from_bytes(body).map_err(|_| KeysError::Unreadable(path.to_owned()))
}

/// Replaces a file whole: after a crash it holds either what it held or `bytes`.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    sync_folder(path)
}

/// Makes the folder remember the name of the file at `path`.
fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
