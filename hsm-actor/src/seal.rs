//! Seals: what keeps the region's root key while nothing runs.
//! Knows the root key's bytes and no other key of the ring.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::{
    aead,
    error::HsmError,
    secret::{KEY_BYTES, RootKey, Sealing, SecretKey},
};

/// Wraps the root key at rest.
pub trait Seal: Send + Sync {
    /// The root key, sealed. `binding` says which ring it belongs to.
    fn wrap(&self, root: &RootKey, binding: &[u8]) -> Result<Vec<u8>, SealError>;

    /// The root key again, or [`SealError::Wrong`] under another seal, another binding, or altered bytes.
    fn unwrap(&self, sealed: &[u8], binding: &[u8]) -> Result<RootKey, SealError>;
}

/// Why a seal cannot be made, read or used.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    #[error("cannot {action} the seal's key file {}", path.display())]
    File { action: &'static str, path: PathBuf, source: io::Error },
    #[error("the seal's key file {} is open to others (mode {mode:04o}); make it 0600", path.display())]
    Exposed { path: PathBuf, mode: u32 },
    #[error("{} is not a seal's key file", path.display())]
    Malformed { path: PathBuf },
    #[error("this seal does not open the key ring: it is another ring's, or the ring was altered")]
    Wrong,
    #[error("the seal's cipher or random source failed")]
    Fault,
}

/// A seal that is a key in a file of mode 0600. For one machine: whoever reads the file and the ring has the keys.
#[derive(Debug)]
pub struct KeyFileSeal {
    key: SecretKey<Sealing>,
}

/// The first line of a key file; the second holds the key in hex.
const MAGIC: &str = "kannuki-seal-key-v1";
const FILE_BYTES_MAX: u64 = 256;

impl KeyFileSeal {
    /// Makes a new key file, which must not exist. Returns once the file and its folder are on disk.
    pub fn create(path: &Path) -> Result<Self, SealError> {
        let key = SecretKey::random().map_err(|_| SealError::Fault)?;
        let failed = |action| move |source| SealError::File { action, path: path.to_owned(), source };
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(failed("create"))?;
        if let Err(source) = write_key(&mut file, &key).and_then(|()| sync_folder(path)) {
            // A half-written key file would block the next attempt; the first error is the one to tell.
            let _ = std::fs::remove_file(path);
            return Err(failed("write")(source));
        }
        Ok(Self { key })
    }

    /// Reads a key file. Refuses one that group or others may read, write or execute.
    pub fn open(path: &Path) -> Result<Self, SealError> {
        let failed = |action| move |source| SealError::File { action, path: path.to_owned(), source };
        let file = File::open(path).map_err(failed("open"))?;
        let metadata = file.metadata().map_err(failed("inspect"))?;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(SealError::Exposed { path: path.to_owned(), mode });
        }
        let mut text = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX as usize + 1));
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut text).map_err(failed("read"))?;
        let key = parse_key(&text).ok_or_else(|| SealError::Malformed { path: path.to_owned() })?;
        Ok(Self { key })
    }
}

impl Seal for KeyFileSeal {
    fn wrap(&self, root: &RootKey, binding: &[u8]) -> Result<Vec<u8>, SealError> {
        aead::boxed(&self.key, binding, root.expose()).map_err(|_: HsmError| SealError::Fault)
    }

    fn unwrap(&self, sealed: &[u8], binding: &[u8]) -> Result<RootKey, SealError> {
        aead::unboxed_key(&self.key, binding, sealed).map_err(|_| SealError::Wrong)
    }
}

fn write_key(file: &mut File, key: &SecretKey<Sealing>) -> io::Result<()> {
    let mut digits = Zeroizing::new([0_u8; KEY_BYTES * 2]);
    hex::encode_to_slice(key.expose(), digits.as_mut_slice()).map_err(io::Error::other)?;
    file.write_all(MAGIC.as_bytes())?;
    file.write_all(b"\n")?;
    file.write_all(digits.as_slice())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

/// A new file is only there after a crash when its folder is on disk too.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn parse_key(text: &[u8]) -> Option<SecretKey<Sealing>> {
    let rest = text.strip_prefix(MAGIC.as_bytes())?.strip_prefix(b"\n")?;
    let digits = rest.strip_suffix(b"\n").unwrap_or(rest);
    SecretKey::filled(|bytes| hex::decode_to_slice(digits, bytes)).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_key_file_panics(text in prop::collection::vec(any::<u8>(), 0..100), magic in any::<bool>()) {
            let file = if magic { [MAGIC.as_bytes(), b"\n", text.as_slice()].concat() } else { text };
            prop_assert!(parse_key(&file).is_none());
        }
    }

    #[test]
    fn a_created_seal_opens_what_it_wrapped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal.key");
        let made = KeyFileSeal::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let root = RootKey::random().unwrap();
        let sealed = made.wrap(&root, b"ring").unwrap();
        let opened = KeyFileSeal::open(&path).unwrap();
        assert_eq!(opened.unwrap(&sealed, b"ring").unwrap().expose(), root.expose());
        assert!(matches!(opened.unwrap(&sealed, b"other"), Err(SealError::Wrong)));
    }

    #[test]
    fn an_existing_file_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal.key");
        fs::write(&path, "precious").unwrap();
        assert!(matches!(KeyFileSeal::create(&path), Err(SealError::File { action: "create", .. })));
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }

    #[test]
    fn a_file_that_others_may_touch_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal.key");
        KeyFileSeal::create(&path).unwrap();
        for mode in [0o640, 0o604, 0o620, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = KeyFileSeal::open(&path).unwrap_err();
            assert!(matches!(error, SealError::Exposed { mode: seen, .. } if seen == mode), "{error}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
        assert!(KeyFileSeal::open(&path).is_ok());
    }

    #[test]
    fn another_file_is_no_key_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("seal.key");
        for text in ["".to_owned(), format!("{MAGIC}\n{}\n", "a".repeat(63)), "x".repeat(5000)] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            assert!(matches!(KeyFileSeal::open(&path), Err(SealError::Malformed { .. })));
        }
    }
}
