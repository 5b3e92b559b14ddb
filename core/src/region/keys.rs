//! The region's key ring on disk: the seal's key file, and the wrapped keys in a file apart from the state.
//! Writes files whole or not at all. Sees nothing but wrapped bytes.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use kms_hsm::{HsmPool, KeyFileSeal, KeyRing, RingError, SealError, SealedRing};

use super::RegionOptions;
use crate::clock::Timestamp;

/// Apart from the state, so that a copy of the state alone opens nothing.
const RING_FILE: &str = "domain-keys";
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
    is_new: bool,
}

impl Keys {
    /// Opens the ring, or makes one on the first start.
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
                Ok((Self { path, sealed, is_new: false }, ring))
            }
            (true, false) => Err(KeysError::SealMissing { ring: path, seal: seal_path.clone() }),
            // A crash between the two files of a first start leaves the seal alone, and nothing is wrapped under it yet.
            (false, seal_exists) => {
                if seal_exists && options.data.join(super::STORE_FILE).exists() {
                    return Err(KeysError::RingMissing { ring: path, seal: seal_path.clone() });
                }
                let seal = if seal_exists { KeyFileSeal::open(seal_path) } else { KeyFileSeal::create(seal_path) };
                let seal = seal.map_err(seal_error)?;
                let (ring, sealed) = KeyRing::create(&seal, &options.place.region, now.0).map_err(ring_error)?;
                let keys = Self { path, sealed, is_new: true };
                keys.write()?;
                Ok((keys, ring))
            }
        }
    }

    pub(super) fn is_new(&self) -> bool {
        self.is_new
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a domain key and makes it the active one. The new ring is on disk before anything is wrapped under it.
    pub(super) fn rotate(&mut self, hsm: &HsmPool, now: Timestamp) -> Result<KeyRing, KeysError> {
        let ring_error = |cause| KeysError::Ring { path: self.path.clone(), cause };
        let (rotated, sealed) = hsm.rotated(&self.sealed, now.0).map_err(ring_error)?;
        let before = std::mem::replace(&mut self.sealed, sealed);
        if let Err(error) = self.write() {
            self.sealed = before;
            return Err(error);
        }
        Ok(rotated)
    }

    fn write(&self) -> Result<(), KeysError> {
        let error = |cause| KeysError::File { path: self.path.clone(), cause };
        let bytes = postcard::to_extend(&self.sealed, vec![FORMAT_V1])
            .map_err(|cause| error(io::Error::other(cause.to_string())))?;
        replace(&self.path, &bytes).map_err(error)
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
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = File::options().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
