//! HMAC (FIPS 198-1) with keys of the lengths that AWS gives them.
//! Holds no key, and judges no label.

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use crate::{error::HsmError, label::Spec, random, secret::Plaintext};

/// The hash function of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacAlgorithm {
    HmacSha224,
    HmacSha256,
    HmacSha384,
    HmacSha512,
}

/// The length of a key of this spec in bytes; `None` for what is no HMAC key.
pub(crate) fn key_bytes(spec: Spec) -> Option<usize> {
    match spec {
        Spec::Hmac224 => Some(28),
        Spec::Hmac256 => Some(32),
        Spec::Hmac384 => Some(48),
        Spec::Hmac512 => Some(64),
        _ => None,
    }
}

/// A new key of so many bytes.
pub(crate) fn generate(length: usize) -> Result<Plaintext, HsmError> {
    let mut bytes = Zeroizing::new(vec![0; length]);
    random::fill(&mut bytes)?;
    Ok(Plaintext::from_wiped(bytes))
}

/// The code of a message. [`HsmError::Refused`] where the spec has another algorithm.
pub(crate) fn code(
    spec: Spec,
    key: &Plaintext,
    algorithm: MacAlgorithm,
    message: &Plaintext,
) -> Result<Vec<u8>, HsmError> {
    Ok(hmac::sign(&keyed(spec, key, algorithm)?, message.expose()).as_ref().to_vec())
}

/// Compares in constant time. Anything but the whole code is [`HsmError::InvalidMac`].
pub(crate) fn verify(
    spec: Spec,
    key: &Plaintext,
    algorithm: MacAlgorithm,
    message: &Plaintext,
    code: &[u8],
) -> Result<(), HsmError> {
    hmac::verify(&keyed(spec, key, algorithm)?, message.expose(), code).map_err(|_| HsmError::InvalidMac)
}

fn keyed(spec: Spec, key: &Plaintext, algorithm: MacAlgorithm) -> Result<hmac::Key, HsmError> {
    let hash = match (spec, algorithm) {
        (Spec::Hmac224, MacAlgorithm::HmacSha224) => hmac::HMAC_SHA224,
        (Spec::Hmac256, MacAlgorithm::HmacSha256) => hmac::HMAC_SHA256,
        (Spec::Hmac384, MacAlgorithm::HmacSha384) => hmac::HMAC_SHA384,
        (Spec::Hmac512, MacAlgorithm::HmacSha512) => hmac::HMAC_SHA512,
        _ => return Err(HsmError::Refused),
    };
    if key_bytes(spec) != Some(key.len()) {
        return Err(HsmError::MaterialMismatch);
    }
    Ok(hmac::Key::new(hash, key.expose()))
}
