//! Fixtures of this crate's unit tests: a ring, a label, materials under it.
//! Never built outside tests.

#![allow(clippy::unwrap_used)]

use crate::{
    command::{Command, GenerateMaterial},
    label::{Held, Label, Origin, Spec, Usage},
    ring::{KeyRing, SealedRing},
    seal::KeyFileSeal,
    vault::Vault,
};

pub(crate) fn label(key: &str) -> Label {
    Label {
        partition: "aws".into(),
        account: "111122223333".into(),
        key: key.into(),
        spec: Spec::SymmetricDefault,
        usage: Usage::EncryptDecrypt,
        origin: Origin::AwsKms,
        multi_region: false,
    }
}

pub(crate) fn ring_and_sealed() -> (KeyRing, SealedRing) {
    let folder = tempfile::tempdir().unwrap();
    let seal = KeyFileSeal::create(&folder.path().join("seal.key")).unwrap();
    KeyRing::create(&seal, "us-east-1", 1000).unwrap()
}

pub(crate) fn ring() -> KeyRing {
    ring_and_sealed().0
}

pub(crate) fn vault() -> Vault {
    Vault::new(ring()).unwrap()
}

/// The vault after one rotation of its domain keys, beside the one before it.
pub(crate) fn vault_and_rotated() -> (Vault, Vault) {
    let (ring, sealed) = ring_and_sealed();
    let rotated = ring.rotated(&sealed, 2000).unwrap().0;
    (Vault::new(ring).unwrap(), Vault::new(rotated).unwrap())
}

/// The vault of the golden fixtures: two domain keys, the second active.
pub(crate) fn golden_vault() -> Vault {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
    #[derive(serde::Deserialize)]
    struct Golden {
        key_file: String,
        ring: SealedRing,
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/blobs/v1/golden.json");
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let key_file = folder.path().join("seal.key");
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&key_file).unwrap();
    file.write_all(golden.key_file.as_bytes()).unwrap();
    Vault::new(KeyRing::open(&KeyFileSeal::open(&key_file).unwrap(), &golden.ring).unwrap()).unwrap()
}

pub(crate) fn held(vault: &Vault, key: &str) -> Held {
    GenerateMaterial { label: label(key) }.run(vault).unwrap()
}
