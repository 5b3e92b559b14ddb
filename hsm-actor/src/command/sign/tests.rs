#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;
use crate::{
    command::{Decrypt, DeriveSharedSecret, Encrypt, GenerateMac, GenerateMaterial, Rewrap, VerifyMac},
    context::EncryptionContext,
    label::{Label, Spec},
    mac::MacAlgorithm,
    oaep::OaepHash,
    secret::Plaintext,
    testing,
};

const PAIRS: [(Spec, SigningAlgorithm); 6] = [
    (Spec::EccNistP256, SigningAlgorithm::EcdsaSha256),
    (Spec::EccNistP384, SigningAlgorithm::EcdsaSha384),
    (Spec::EccNistP521, SigningAlgorithm::EcdsaSha512),
    (Spec::EccSecgP256k1, SigningAlgorithm::EcdsaSha256),
    (Spec::EccNistEdwards25519, SigningAlgorithm::Ed25519),
    (Spec::Rsa2048, SigningAlgorithm::RsaPssSha256),
];

fn held(vault: &Vault, spec: Spec, usage: Usage) -> Arc<Held> {
    let label = Label { spec, usage, ..testing::label("key") };
    Arc::new(GenerateMaterial { label }.run(vault).unwrap())
}

fn raw(message: &[u8]) -> Message {
    Message::Raw(Plaintext::new(message.to_vec()))
}

fn sign(vault: &Vault, key: &Arc<Held>, algorithm: SigningAlgorithm) -> Result<Signed, HsmError> {
    Sign { key: Arc::clone(key), algorithm, message: raw(b"message") }.run(vault)
}

fn verify(vault: &Vault, key: &Arc<Held>, algorithm: SigningAlgorithm, signature: &[u8]) -> Result<(), HsmError> {
    let signature = signature.to_vec();
    Verify { key: Arc::clone(key), algorithm, message: raw(b"message"), signature }.run(vault)
}

#[test]
fn every_pair_signs_and_verifies_before_and_after_rotation() {
    let (old, new) = testing::vault_and_rotated();
    for (spec, algorithm) in PAIRS {
        let key = held(&old, spec, Usage::SignVerify);
        let signed = sign(&old, &key, algorithm).unwrap();
        assert_eq!(signed.rewrapped, None);
        assert_eq!(verify(&new, &key, algorithm, &signed.signature), Ok(()), "{spec:?}");
        let rewrapped = sign(&new, &key, algorithm).unwrap().rewrapped.unwrap();
        assert_eq!(rewrapped.domain(), 2);
        let moved = Arc::new(Held { wrapped: rewrapped, ..Held::clone(&key) });
        assert_eq!(verify(&new, &moved, algorithm, &signed.signature), Ok(()), "{spec:?}");
        let public = |vault, key: &Arc<Held>| PublicKey { key: Arc::clone(key) }.run(vault);
        assert_eq!(public(&new, &moved).unwrap(), public(&old, &key).unwrap());
        assert_eq!(public(&old, &moved), Err(HsmError::Unopenable), "the old ring lacks the key");
        assert!(Rewrap { key }.run(&new).unwrap().is_some_and(|wrapped| wrapped.domain() == 2));
    }
}

/// Edits of a held pair, with another pair of the same spec under the same ring.
type Edit = fn(&mut Held, &Held);
const EDITS: &[(&str, Edit)] = &[
    ("key", |held, _| held.label.key = "other".into()),
    ("spec", |held, _| held.label.spec = Spec::EccSecgP256k1),
    ("usage", |held, _| held.label.usage = Usage::KeyAgreement),
    ("multi-Region", |held, _| held.label.multi_region = true),
    ("id", |held, other| held.id = other.id),
    ("wrapped", |held, other| held.wrapped = other.wrapped.clone()),
    ("domain", |held, _| held.wrapped = Wrapped::new(2, held.wrapped.bytes().to_vec())),
];

#[test]
fn a_pair_moved_or_edited_opens_neither_half() {
    let vault = testing::vault();
    let key = held(&vault, Spec::EccNistP256, Usage::SignVerify);
    let other = held(&vault, Spec::EccNistP256, Usage::SignVerify);
    let signature = sign(&vault, &key, SigningAlgorithm::EcdsaSha256).unwrap().signature;
    for (name, edit) in EDITS {
        let mut edited = Held::clone(&key);
        edit(&mut edited, &other);
        let edited = Arc::new(edited);
        let signed = sign(&vault, &edited, SigningAlgorithm::EcdsaSha256);
        assert_eq!(signed.err(), Some(HsmError::Unopenable), "{name}");
        let verified = verify(&vault, &edited, SigningAlgorithm::EcdsaSha256, &signature);
        assert_eq!(verified, Err(HsmError::Unopenable), "{name}");
        assert_eq!(PublicKey { key: edited }.run(&vault), Err(HsmError::Unopenable), "{name}");
    }
}

#[test]
fn any_flipped_bit_of_a_wrapped_pair_is_noticed_by_one_half_or_the_other() {
    let vault = testing::vault();
    let key = held(&vault, Spec::EccNistP256, Usage::SignVerify);
    let bytes = key.wrapped.bytes();
    for at in 0..bytes.len() {
        let mut forged = bytes.to_vec();
        forged[at] ^= 1;
        let forged = Arc::new(Held { wrapped: Wrapped::new(1, forged), ..Held::clone(&key) });
        let signed = sign(&vault, &forged, SigningAlgorithm::EcdsaSha256);
        assert_eq!(signed.err(), Some(HsmError::Unopenable), "byte {at}");
    }
}

#[test]
fn a_label_permits_its_own_command_only() {
    let vault = testing::vault();
    let mac = |key: &Arc<Held>| {
        let (key, algorithm) = (Arc::clone(key), MacAlgorithm::HmacSha256);
        GenerateMac { key, algorithm, message: Plaintext::new(vec![1]) }.run(&vault).map(|made| made.mac)
    };
    let derive = |key: &Arc<Held>| {
        let peer = PublicKey { key: Arc::clone(key) }.run(&vault).unwrap_or_default();
        DeriveSharedSecret { key: Arc::clone(key), peer }.run(&vault)
    };
    let encrypt = |key: &Arc<Held>, cipher| {
        Encrypt { key: Arc::clone(key), plaintext: Plaintext::new(vec![1]), cipher }.run(&vault)
    };
    let symmetric = || EncryptionContext::default().into();
    let oaep = || crate::command::Cipher::Oaep(OaepHash::Sha256);
    let refused = Some(HsmError::Refused);

    let signs = held(&vault, Spec::EccNistP256, Usage::SignVerify);
    assert_eq!(derive(&signs).err(), refused);
    assert_eq!(mac(&signs).err(), refused);
    assert_eq!(encrypt(&signs, oaep()).err(), refused);
    assert_eq!(sign(&vault, &signs, SigningAlgorithm::EcdsaSha384).err(), refused);
    let agrees = held(&vault, Spec::EccNistP256, Usage::KeyAgreement);
    assert!(derive(&agrees).is_ok());
    assert_eq!(sign(&vault, &agrees, SigningAlgorithm::EcdsaSha256).err(), refused);
    assert_eq!(verify(&vault, &agrees, SigningAlgorithm::EcdsaSha256, b"x").err(), refused);
    let macs = held(&vault, Spec::Hmac256, Usage::GenerateVerifyMac);
    assert_eq!(mac(&macs).unwrap().len(), 32);
    assert_eq!(sign(&vault, &macs, SigningAlgorithm::EcdsaSha256).err(), Some(HsmError::Refused));
    assert_eq!(encrypt(&macs, symmetric()).err(), refused, "as long as a symmetric key, and still none");
    let encrypts = held(&vault, Spec::Rsa2048, Usage::EncryptDecrypt);
    assert!(encrypt(&encrypts, oaep()).is_ok());
    assert_eq!(sign(&vault, &encrypts, SigningAlgorithm::RsaPssSha256).err(), refused);
    assert!(encrypt(&encrypts, symmetric()).is_err());
    let plain = Arc::new(testing::held(&vault, "key"));
    assert_eq!(sign(&vault, &plain, SigningAlgorithm::EcdsaSha256).err(), refused);
    assert_eq!(mac(&plain).err(), refused);
    for (spec, usage) in [(Spec::Rsa2048, Usage::KeyAgreement), (Spec::Hmac224, Usage::SignVerify)] {
        let label = Label { spec, usage, ..testing::label("key") };
        assert_eq!(GenerateMaterial { label }.run(&vault).err(), refused);
    }
}

#[test]
fn a_code_is_of_its_key_and_message() {
    let (vault, rotated) = testing::vault_and_rotated();
    for (spec, algorithm, length) in [
        (Spec::Hmac224, MacAlgorithm::HmacSha224, 28),
        (Spec::Hmac256, MacAlgorithm::HmacSha256, 32),
        (Spec::Hmac384, MacAlgorithm::HmacSha384, 48),
        (Spec::Hmac512, MacAlgorithm::HmacSha512, 64),
    ] {
        let key = held(&vault, spec, Usage::GenerateVerifyMac);
        let message = || Plaintext::new(b"message".to_vec());
        let made = GenerateMac { key: Arc::clone(&key), algorithm, message: message() }.run(&vault).unwrap();
        assert_eq!(made.mac.len(), length);
        assert_eq!(vault.open_bytes(&key).unwrap().len(), length);
        let verify = |mac: &[u8]| {
            let command = VerifyMac { key: Arc::clone(&key), algorithm, message: message(), mac: mac.to_vec() };
            command.run(&rotated).map(|rewrapped| rewrapped.unwrap().domain())
        };
        assert_eq!(verify(&made.mac), Ok(2));
        assert_eq!(verify(&made.mac[..length - 1]), Err(HsmError::InvalidMac));
        assert_eq!(verify(&[]), Err(HsmError::InvalidMac));
        for bit in 0..8 * length {
            let mut forged = made.mac.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(verify(&forged), Err(HsmError::InvalidMac));
        }
    }
}

#[test]
fn rsa_ciphertexts_open_with_their_own_key_and_hash_only() {
    let vault = testing::vault();
    let one = held(&vault, Spec::Rsa2048, Usage::EncryptDecrypt);
    let two = held(&vault, Spec::Rsa2048, Usage::EncryptDecrypt);
    let decrypt = |key: &Arc<Held>, hash, blob: &[u8]| {
        let cipher = crate::command::Cipher::Oaep(hash);
        Decrypt { key: Arc::clone(key), blob: blob.to_vec(), cipher }.run(&vault).map(|opened| opened.plaintext)
    };
    for (hash, other, most) in [(OaepHash::Sha1, OaepHash::Sha256, 214), (OaepHash::Sha256, OaepHash::Sha1, 190)] {
        let encrypt = |length| {
            let (plaintext, cipher) = (Plaintext::new(vec![7; length]), crate::command::Cipher::Oaep(hash));
            Encrypt { key: Arc::clone(&one), plaintext, cipher }.run(&vault).map(|sealed| sealed.blob)
        };
        for length in [1, 32, most] {
            let blob = encrypt(length).unwrap();
            assert_eq!(decrypt(&one, hash, &blob).unwrap().expose(), vec![7; length]);
        }
        assert_eq!(encrypt(most + 1).err(), Some(HsmError::TooLarge));
        let blob = encrypt(32).unwrap();
        let invalid = Some(HsmError::InvalidCiphertext);
        assert_eq!(decrypt(&two, hash, &blob).err(), invalid);
        assert_eq!(decrypt(&one, other, &blob).err(), invalid);
        assert_eq!(decrypt(&one, hash, &blob[1..]).err(), invalid);
        assert_eq!(decrypt(&one, hash, &[]).err(), invalid);
        for at in [0, 100, 255] {
            let mut forged = blob.clone();
            forged[at] ^= 1;
            assert_eq!(decrypt(&one, hash, &forged).err(), invalid);
        }
    }
}

/// Keys as they were once stored, made by the script beside them and not by this code. They open for ever.
#[derive(serde::Deserialize)]
struct Golden {
    message: String,
    rsa_pss: GoldenKey,
    rsa_oaep: GoldenKey,
    ecdsa: GoldenKey,
    ed25519: GoldenKey,
    hmac: GoldenKey,
}

#[derive(serde::Deserialize)]
struct GoldenKey {
    held: Held,
    public: String,
    /// The signature, ciphertext or code.
    made: String,
}

#[test]
fn golden_pairs_open_and_verify_what_they_made() {
    let vault = testing::golden_vault();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures/blobs/v1/pairs.json");
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let message = hex::decode(&golden.message).unwrap();
    for (key, algorithm) in [
        (golden.rsa_pss, SigningAlgorithm::RsaPssSha256),
        (golden.ecdsa, SigningAlgorithm::EcdsaSha256),
        (golden.ed25519, SigningAlgorithm::Ed25519),
    ] {
        let (held, signature) = (Arc::new(key.held), hex::decode(&key.made).unwrap());
        assert_eq!(hex::encode(PublicKey { key: Arc::clone(&held) }.run(&vault).unwrap()), key.public);
        let verify = Verify { key: Arc::clone(&held), algorithm, message: raw(&message), signature };
        assert_eq!(verify.run(&vault), Ok(()), "{algorithm:?}");
        let signed = Sign { key: held, algorithm, message: raw(&message) }.run(&vault).unwrap();
        assert_eq!(signed.rewrapped.unwrap().domain(), 2, "the golden keys are under the older domain key");
    }
    let (cipher, blob) = (crate::command::Cipher::Oaep(OaepHash::Sha256), hex::decode(&golden.rsa_oaep.made).unwrap());
    let opened = Decrypt { key: Arc::new(golden.rsa_oaep.held), blob, cipher }.run(&vault).unwrap();
    assert_eq!(opened.plaintext.expose(), message);
    let (key, mac) = (Arc::new(golden.hmac.held), hex::decode(&golden.hmac.made).unwrap());
    let verify = VerifyMac { key, algorithm: MacAlgorithm::HmacSha384, message: Plaintext::new(message), mac };
    assert!(verify.run(&vault).unwrap().is_some());
}
