//! Requests that encrypt, decrypt and draw randomness with symmetric keys.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rand::RngExt as _;

use super::Asked;
use crate::checks::Check;
use crate::checks::answer::Expect;
use crate::scene::{Key, Random, Scene};

/// The size of an AES-256 data key, in bytes.
const DATA_KEY_BYTES: usize = 32;
const RANDOM_BYTES: usize = 32;
/// One in so many Decrypts is asked with an encryption context that must not open the ciphertext.
const WRONG_CONTEXT_IN: u32 = 50;

pub(super) fn encrypt(scene: &Scene, random: &mut Random, key: Option<&Key>) -> Asked {
    let id = &key?.id;
    let plaintext: Arc<str> = BASE64.encode(scene.payload(random)).into();
    let context: Arc<str> = scene.context(random).into();
    let body = format!(r#"{{"KeyId":"{id}","Plaintext":"{plaintext}","EncryptionContext":{context}}}"#);
    Some((body, Expect::Ciphertext { plaintext, context }))
}

pub(super) fn decrypt(scene: &Scene, random: &mut Random, key: Option<&Key>) -> Asked {
    let key = key?;
    let sample = key.pool.draw(random)?;
    let wrong = key.watch.is_none() && random.random_ratio(1, WRONG_CONTEXT_IN);
    let context: Arc<str> = match wrong {
        true if scene.context_pairs == 0 => r#"{"wrong":"context"}"#.into(),
        true => scene.context(random).into(),
        false => Arc::clone(&sample.context),
    };
    let body = format!(r#"{{"CiphertextBlob":"{}","EncryptionContext":{context}}}"#, sample.made);
    let refusal = Expect::Refusal { code: "InvalidCiphertextException", check: Check::WrongContext };
    Some((body, if wrong { refusal } else { Expect::Plaintext(sample) }))
}

pub(super) fn data_key(scene: &Scene, random: &mut Random, key: Option<&Key>) -> Asked {
    let id = &key?.id;
    let context: Arc<str> = scene.context(random).into();
    let body = format!(r#"{{"KeyId":"{id}","KeySpec":"AES_256","EncryptionContext":{context}}}"#);
    Some((body, Expect::DataKey { bytes: DATA_KEY_BYTES, context }))
}

pub(super) fn data_key_without_plaintext(scene: &Scene, random: &mut Random, key: Option<&Key>) -> Asked {
    let (body, _) = data_key(scene, random, key)?;
    Some((body, Expect::Success))
}

/// From one of the key's ciphertexts to a fresh context under the same key: what comes is decrypted by later calls.
pub(super) fn re_encrypt(scene: &Scene, random: &mut Random, key: Option<&Key>) -> Asked {
    let key = key?;
    let sample = key.pool.draw(random)?;
    let context: Arc<str> = scene.context(random).into();
    let (id, blob, from) = (&key.id, &sample.made, &sample.context);
    let body = format!(
        r#"{{"CiphertextBlob":"{blob}","SourceEncryptionContext":{from},"DestinationKeyId":"{id}","DestinationEncryptionContext":{context}}}"#
    );
    Some((body, Expect::Ciphertext { plaintext: Arc::clone(&sample.input), context }))
}

pub(super) fn random(_: &Scene, _: &mut Random, _: Option<&Key>) -> Asked {
    Some((format!(r#"{{"NumberOfBytes":{RANDOM_BYTES}}}"#), Expect::RandomBytes(RANDOM_BYTES)))
}
