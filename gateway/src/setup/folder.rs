//! The data folder: made once, for its owner only, and used by one process at a time.
//! Knows files, modes and crashes; knows nothing of what a file means.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::SetupError;
use crate::toml_file;

/// For the owner alone.
pub(super) const SECRET: u32 = 0o600;
pub(super) const PUBLIC: u32 = 0o644;

const LOCK: &str = ".lock";
const FILE_BYTES_MAX: u64 = crate::manifest::BYTES_MAX;

/// A data folder that this process alone uses, until this is dropped (or the process ends, however it ends).
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    _lock: File,
}

impl DataFolder {
    /// Opens the folder, and makes it (mode 0700, with a `.gitignore` of `*`) if it is absent or empty.
    ///
    /// A folder with something else in it is refused, and so is one that another process uses.
    pub fn open(path: &Path) -> Result<Self, SetupError> {
        make(path)?;
        let path = fs::canonicalize(path).map_err(SetupError::file(path))?;
        let lock = lock(&path)?;
        let folder = Self { path, _lock: lock };
        if folder.read(".gitignore")?.is_none() {
            folder.create(".gitignore", PUBLIC, b"*\n")?;
        }
        Ok(folder)
    }

    /// Absolute, without links.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file's text; `None` when there is none.
    pub(super) fn read(&self, name: &str) -> Result<Option<Zeroizing<String>>, SetupError> {
        let path = self.path.join(name);
        match toml_file::text_of(&path, FILE_BYTES_MAX) {
            Ok(text) => Ok(Some(text)),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(SetupError::file(&path)(cause)),
        }
    }

    /// Writes a file that is not there; one that is there is an error and stays as it is.
    pub(super) fn create(&self, name: &str, mode: u32, bytes: &[u8]) -> Result<(), SetupError> {
        let path = self.path.join(name);
        // Nobody else writes here: this process holds the lock.
        if fs::symlink_metadata(&path).is_ok() {
            return Err(SetupError::file(&path)(io::ErrorKind::AlreadyExists.into()));
        }
        self.put(name, mode, bytes).map_err(SetupError::file(&path))
    }

    /// Writes a file, or leaves it alone when it holds just that.
    pub(super) fn replace(&self, name: &str, mode: u32, bytes: &[u8]) -> Result<(), SetupError> {
        if self.read(name)?.is_some_and(|present| present.as_bytes() == bytes) {
            return Ok(());
        }
        self.put(name, mode, bytes).map_err(SetupError::file(&self.path.join(name)))
    }

    /// Whether others than the owner may read or write a file.
    pub(super) fn is_shared(&self, name: &str) -> bool {
        fs::metadata(self.path.join(name)).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
    }

    /// Writes beside, then renames: after a crash the file is there as a whole or not at all.
    fn put(&self, name: &str, mode: u32, bytes: &[u8]) -> io::Result<()> {
        let beside = self.path.join(format!(".{}.new", name.trim_start_matches('.')));
        match fs::remove_file(&beside) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, self.path.join(name))?;
        File::open(&self.path)?.sync_all()
    }
}

fn make(path: &Path) -> Result<(), SetupError> {
    if let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        fs::create_dir_all(parent).map_err(SetupError::file(parent))?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => take(path),
        Err(cause) => Err(SetupError::file(path)(cause)),
    }
}

/// Takes a folder that is there: one of ours, or an empty one, which becomes the owner's alone.
fn take(path: &Path) -> Result<(), SetupError> {
    let failed = SetupError::file(path);
    if path.join(LOCK).exists() {
        return Ok(());
    }
    match fs::read_dir(path).map(|mut entries| entries.next().is_none()) {
        Ok(true) => fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed),
        // Our `.gitignore` in somebody's working copy would hide their work.
        Ok(false) => Err(SetupError::NotDataFolder(path.to_owned())),
        Err(cause) => Err(failed(cause)),
    }
}

fn lock(folder: &Path) -> Result<File, SetupError> {
    let path = folder.join(LOCK);
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(SECRET).open(&path);
    let file = options.map_err(SetupError::file(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(SetupError::InUse(folder.to_owned())),
        Err(TryLockError::Error(cause)) => Err(SetupError::file(&path)(cause)),
    }
}
