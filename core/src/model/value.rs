//! The values that members hold beside Rust's own: blobs and sensitive strings, and base64, their form on the wire.
//! Sensitive blobs are `kms_hsm::Plaintext`; nothing here keeps an unwiped copy of one.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kms_hsm::Plaintext;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// Bytes that are no secret: ciphertext, signatures, public keys. Printed as a length, serialised as base64.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct Blob(pub Vec<u8>);

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[BLOB {} bytes]", self.0.len())
    }
}

impl From<Vec<u8>> for Blob {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl AsRef<[u8]> for Blob {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Serialize for Blob {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        STANDARD.decode(text).map(Self).map_err(|_| D::Error::custom("invalid base64"))
    }
}

/// A sensitive string, such as a password: wiped when dropped, never printed.
pub struct SecretText(Plaintext);

impl SecretText {
    pub fn new(text: String) -> Self {
        Self(Plaintext::new(text.into_bytes()))
    }

    pub fn expose(&self) -> &str {
        // INVARIANT: the bytes came from a string.
        std::str::from_utf8(self.0.expose()).unwrap_or_default()
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[SECRET TEXT]")
    }
}

/// A name that is no member of the enum or the set of codes that it was read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown name")]
pub struct UnknownName;

/// The bytes of a base64 text (RFC 4648 section 4, padded and canonical), or `None`.
pub(super) fn from_base64(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; base64::decoded_len_estimate(text.len())]);
    let length = STANDARD.decode_slice(text, &mut bytes).ok()?;
    bytes.truncate(length);
    Some(bytes)
}

/// Appends the base64 of some bytes; grows the text by exactly `base64_length`.
pub(super) fn push_base64(text: &mut Vec<u8>, bytes: &[u8]) {
    let start = text.len();
    text.resize(start.saturating_add(base64_length(bytes)), b'=');
    if let Some(tail) = text.get_mut(start..) {
        // INVARIANT: the tail has room for all of it, so this cannot fail.
        STANDARD.encode_slice(bytes, tail).unwrap_or_default();
    }
}

pub(super) fn base64_length(bytes: &[u8]) -> usize {
    bytes.len().div_ceil(3).saturating_mul(4)
}
