#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use std::{collections::BTreeMap, fs, path::PathBuf};

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::{
    blob::Header,
    command::{Authenticate, GenerateDataKey, Purpose, SigningKey},
    testing,
    token::Secret,
};

fn context(pairs: &[(&str, &str)]) -> EncryptionContext {
    EncryptionContext::from_pairs(pairs.iter().copied())
}

fn encrypt(vault: &Vault, key: &Arc<Held>, plaintext: &[u8], context: &EncryptionContext) -> Encrypted {
    let command =
        Encrypt { key: Arc::clone(key), plaintext: Plaintext::new(plaintext.to_vec()), cipher: context.clone().into() };
    command.run(vault).unwrap()
}

fn decrypt(vault: &Vault, key: &Arc<Held>, blob: &[u8], context: &EncryptionContext) -> Result<Decrypted, HsmError> {
    Decrypt { key: Arc::clone(key), blob: blob.to_vec(), cipher: context.clone().into() }.run(vault)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn encrypted_and_decrypted(plaintext in prop::collection::vec(any::<u8>(), 1..=4096)) {
        let vault = testing::vault();
        let key = Arc::new(testing::held(&vault, "key"));
        let context = context(&[("a", "b")]);
        let encrypted = encrypt(&vault, &key, &plaintext, &context);
        prop_assert_eq!(encrypted.rewrapped, None);
        prop_assert_eq!(Header::parse(&encrypted.blob).unwrap().material, key.id);
        let decrypted = decrypt(&vault, &key, &encrypted.blob, &context).unwrap();
        prop_assert_eq!(decrypted.plaintext.expose(), plaintext.as_slice());
    }
}

#[test]
fn any_flipped_bit_is_invalid() {
    let vault = testing::vault();
    let key = Arc::new(testing::held(&vault, "key"));
    let context = context(&[("a", "b")]);
    let blob = encrypt(&vault, &key, b"x", &context).blob;
    for bit in 0..blob.len() * 8 {
        let mut forged = blob.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(decrypt(&vault, &key, &forged, &context).err(), Some(HsmError::InvalidCiphertext), "bit {bit}");
    }
}

#[test]
fn another_key_or_context_does_not_decrypt() {
    let vault = testing::vault();
    let (key, other) = (Arc::new(testing::held(&vault, "key")), Arc::new(testing::held(&vault, "other")));
    let right = context(&[("a", "b")]);
    let blob = encrypt(&vault, &key, b"x", &right).blob;
    assert_eq!(decrypt(&vault, &other, &blob, &right).err(), Some(HsmError::InvalidCiphertext));
    for wrong in [context(&[]), context(&[("a", "c")]), context(&[("b", "a")]), context(&[("a", "b"), ("c", "")])] {
        assert_eq!(decrypt(&vault, &key, &blob, &wrong).err(), Some(HsmError::InvalidCiphertext));
    }
}

#[test]
fn a_swapped_material_is_refused_before_the_blob_is_looked_at() {
    let vault = testing::vault();
    let (key, other) = (testing::held(&vault, "key"), testing::held(&vault, "other"));
    let swapped = Arc::new(Held { wrapped: other.wrapped, ..key });
    assert_eq!(decrypt(&vault, &swapped, &[0; 100], &context(&[])).err(), Some(HsmError::Unopenable));
}

#[test]
fn re_encryption_moves_a_plaintext_between_keys_and_contexts() {
    let vault = testing::vault();
    let (source, destination) = (Arc::new(testing::held(&vault, "one")), Arc::new(testing::held(&vault, "two")));
    let (before, after) = (context(&[("a", "b")]), context(&[("c", "d")]));
    let command = |source_context: &EncryptionContext| ReEncrypt {
        source: Arc::clone(&source),
        destination: Arc::clone(&destination),
        blob: encrypt(&vault, &source, b"moved", &before).blob,
        source_cipher: source_context.clone().into(),
        destination_cipher: after.clone().into(),
    };
    let reply = command(&before).run(&vault).unwrap();
    assert_eq!((&reply.source_rewrapped, &reply.destination_rewrapped), (&None, &None));
    assert_eq!(decrypt(&vault, &destination, &reply.blob, &after).unwrap().plaintext.expose(), b"moved");
    assert_eq!(decrypt(&vault, &source, &reply.blob, &after).err(), Some(HsmError::InvalidCiphertext));
    assert_eq!(command(&after).run(&vault).err(), Some(HsmError::InvalidCiphertext));
}

#[test]
fn a_data_key_is_what_its_blob_holds() {
    let vault = testing::vault();
    let key = Arc::new(testing::held(&vault, "key"));
    let generate = |length, with_plaintext| {
        GenerateDataKey { key: Arc::clone(&key), length, context: context(&[]), with_plaintext }.run(&vault)
    };
    for length in [1, 32, 1024] {
        let reply = generate(length, true).unwrap();
        let opened = decrypt(&vault, &key, &reply.blob, &context(&[])).unwrap();
        assert_eq!(opened.plaintext.expose(), reply.plaintext.unwrap().expose());
        assert_eq!(opened.plaintext.len(), length);
    }
    assert!(generate(32, false).unwrap().plaintext.is_none());
    for length in [0, 1025, usize::MAX] {
        assert_eq!(generate(length, true).err(), Some(HsmError::TooLarge));
    }
}

#[test]
fn sizes_are_bounded() {
    let vault = testing::vault();
    let key = Arc::new(testing::held(&vault, "key"));
    let long = Encrypt { key: Arc::clone(&key), plaintext: Plaintext::new(vec![0; 4097]), cipher: context(&[]).into() };
    assert_eq!(long.run(&vault).err(), Some(HsmError::TooLarge));
    assert_eq!(decrypt(&vault, &key, &[1; 6145], &context(&[])).err(), Some(HsmError::TooLarge));
    let long = "x".repeat(65 * 1024);
    let command = Encrypt { key, plaintext: Plaintext::new(vec![0]), cipher: context(&[("a", long.as_str())]).into() };
    assert_eq!(command.run(&vault).err(), Some(HsmError::TooLarge));
}

#[test]
fn every_command_re_wraps_material_of_an_older_domain() {
    let (old, new) = testing::vault_and_rotated();
    let (one, two) = (Arc::new(testing::held(&old, "one")), Arc::new(testing::held(&old, "two")));
    let none = context(&[]);
    let blob = encrypt(&old, &one, b"kept", &none).blob;
    let re_encrypt = ReEncrypt {
        source: Arc::clone(&one),
        destination: Arc::clone(&two),
        blob: blob.clone(),
        source_cipher: none.clone().into(),
        destination_cipher: none.clone().into(),
    };
    let moved = re_encrypt.run(&new).unwrap();
    let data_key = GenerateDataKey { key: Arc::clone(&one), length: 32, context: none.clone(), with_plaintext: false };
    let rewrapped = [
        (&one, encrypt(&new, &one, b"x", &none).rewrapped),
        (&one, decrypt(&new, &one, &blob, &none).unwrap().rewrapped),
        (&one, data_key.run(&new).unwrap().rewrapped),
        (&one, moved.source_rewrapped),
        (&two, moved.destination_rewrapped),
    ];
    for (key, wrapped) in rewrapped {
        let current = Held { wrapped: wrapped.unwrap(), ..Held::clone(key) };
        assert_eq!(current.wrapped.domain(), 2);
        assert_eq!(new.open_material(&current).unwrap().expose(), old.open_material(key).unwrap().expose());
        assert_eq!(encrypt(&new, &Arc::new(current), b"x", &none).rewrapped, None);
    }
}

/// Bytes of version 1, made by the script beside them and not by this code. They open for ever.
#[derive(Deserialize)]
struct Golden {
    held: Held,
    blobs: Vec<GoldenBlob>,
    secret: GoldenSecret,
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct GoldenBlob {
    name: String,
    context: BTreeMap<String, String>,
    plaintext: String,
    blob: String,
}

#[derive(Deserialize)]
struct GoldenSecret {
    owner: String,
    date: String,
    region: String,
    service: String,
    wrapped: Wrapped<Secret>,
    day_key: String,
}

fn golden() -> (Golden, Vault) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/blobs/v1/golden.json");
    (serde_json::from_slice(&fs::read(path).unwrap()).unwrap(), testing::golden_vault())
}

#[test]
fn golden_blobs_decrypt() {
    let (golden, vault) = golden();
    let key = Arc::new(golden.held);
    assert_eq!(golden.blobs.len(), 3);
    for blob in golden.blobs {
        let pairs = blob.context.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let bytes = hex::decode(&blob.blob).unwrap();
        let opened = decrypt(&vault, &key, &bytes, &EncryptionContext::from_pairs(pairs)).unwrap();
        assert_eq!(hex::encode(opened.plaintext.expose()), blob.plaintext, "{}", blob.name);
        assert_eq!(opened.rewrapped.unwrap().domain(), 2, "the golden material is under the older domain key");
    }
}

#[test]
fn golden_secret_and_codes_come_out_the_same() {
    let (golden, vault) = golden();
    let GoldenSecret { owner, date, region, service, wrapped, day_key } = golden.secret;
    let reply = SigningKey { owner, wrapped: Arc::new(wrapped), date, region, service }.run(&vault).unwrap();
    assert_eq!(hex::encode(reply.key.expose()), day_key);
    assert_eq!(golden.tags.len(), 4);
    for purpose in [Purpose::Row, Purpose::SetElement, Purpose::Root, Purpose::GrantToken] {
        let name = std::str::from_utf8(purpose.name()).unwrap();
        let tags = Authenticate { purpose, messages: vec![b"message".to_vec()] }.run(&vault).unwrap();
        assert_eq!(hex::encode(tags[0]), golden.tags[name], "{name}");
    }
}
