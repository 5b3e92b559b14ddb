//! The ciphertext blob, version 1: `version | format | material id 32 | nonce 16 | iv 12 | ciphertext | tag 16`.
//! What was once written here decrypts for ever, so this file changes only by a new version beside it.

use zeroize::Zeroizing;

use crate::{
    aead::{self, IV_BYTES, TAG_BYTES},
    context::EncryptionContext,
    error::HsmError,
    frame::Frame,
    kdf, random,
    secret::{Call, Plaintext, SecretKey},
    token::{Material, MaterialId},
};

/// The longest plaintext that a command encrypts, in bytes (AWS's limit for symmetric keys).
pub const PLAINTEXT_BYTES_MAX: usize = 4096;
/// The longest blob that a command takes, in bytes (AWS's limit).
pub const BLOB_BYTES_MAX: usize = 6144;
/// How much longer than its plaintext a blob is, in bytes.
pub const OVERHEAD_BYTES: usize = HEADER_BYTES + IV_BYTES + TAG_BYTES;

const VERSION: u8 = 1;
/// AES-256-GCM under a key derived per blob.
const FORMAT_DERIVED_AES_256_GCM: u8 = 1;
const NONCE_BYTES: usize = 16;
const HEADER_BYTES: usize = 2 + 32 + NONCE_BYTES;
const DOMAIN: &str = "kannuki/blob/v1";

/// What a blob says of itself, unproven until it is decrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The material that decrypts the blob, if the blob is genuine.
    pub material: MaterialId,
}

/// The bytes are not a blob that this build can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    #[error("a ciphertext blob has {OVERHEAD_BYTES} to {BLOB_BYTES_MAX} bytes")]
    Length,
    #[error("unknown version or format of a ciphertext blob")]
    Format,
}

impl Header {
    /// Reads the header of a blob. Pure; decides nothing about whether the blob is genuine.
    pub fn parse(blob: &[u8]) -> Result<Self, BlobError> {
        Parts::parse(blob).map(|parts| Self { material: parts.material })
    }
}

/// The two random inputs of one blob.
pub(crate) struct Fresh {
    pub(crate) nonce: [u8; NONCE_BYTES],
    pub(crate) iv: [u8; IV_BYTES],
}

impl Fresh {
    fn random() -> Result<Self, HsmError> {
        let drawn: [u8; NONCE_BYTES + IV_BYTES] = random::nonce()?;
        let (nonce, iv) = drawn.split_first_chunk().ok_or(HsmError::Fault)?;
        Ok(Self { nonce: *nonce, iv: iv.try_into().map_err(|_| HsmError::Fault)? })
    }
}

/// Encrypts `plaintext` under a key derived from `material` for this blob alone, and proves that it decrypts.
pub(crate) fn seal(
    material: &SecretKey<Material>,
    id: MaterialId,
    plaintext: &Plaintext,
    context: &EncryptionContext,
) -> Result<Vec<u8>, HsmError> {
    let fresh = Fresh::random()?;
    let blob = seal_with(&fresh, material, id, plaintext, context)?;
    let again = open(material, id, &blob, context).map_err(|_| HsmError::SelfTest)?;
    if !bool::from(subtle::ConstantTimeEq::ct_eq(again.expose(), plaintext.expose())) {
        return Err(HsmError::SelfTest);
    }
    Ok(blob)
}

/// [`seal`] with chosen randomness and without its check, for known answers.
pub(crate) fn seal_with(
    fresh: &Fresh,
    material: &SecretKey<Material>,
    id: MaterialId,
    plaintext: &Plaintext,
    context: &EncryptionContext,
) -> Result<Vec<u8>, HsmError> {
    if plaintext.len() > PLAINTEXT_BYTES_MAX {
        return Err(HsmError::TooLarge);
    }
    let mut blob = Vec::with_capacity(plaintext.len() + OVERHEAD_BYTES);
    blob.extend_from_slice(&[VERSION, FORMAT_DERIVED_AES_256_GCM]);
    blob.extend_from_slice(&id.0);
    blob.extend_from_slice(&fresh.nonce);
    let aad = associated_data(&blob, context)?;
    let key = call_key(material, &fresh.nonce)?;
    blob.extend_from_slice(&fresh.iv);
    blob.extend_from_slice(plaintext.expose());
    let (_, body) = blob.split_at_mut(HEADER_BYTES + IV_BYTES);
    let tag = aead::seal(key.expose(), fresh.iv, aad.bytes(), body)?;
    blob.extend_from_slice(&tag);
    Ok(blob)
}

/// Decrypts a blob of the material `id`. Every way to fail is [`HsmError::InvalidCiphertext`], but for sizes.
pub(crate) fn open(
    material: &SecretKey<Material>,
    id: MaterialId,
    blob: &[u8],
    context: &EncryptionContext,
) -> Result<Plaintext, HsmError> {
    if blob.len() > BLOB_BYTES_MAX {
        return Err(HsmError::TooLarge);
    }
    let parts = Parts::parse(blob).map_err(|_| HsmError::InvalidCiphertext)?;
    if parts.material != id {
        return Err(HsmError::InvalidCiphertext);
    }
    let aad = associated_data(parts.header, context)?;
    let key = call_key(material, &parts.nonce)?;
    let mut buffer = Zeroizing::new(parts.ciphertext.to_vec());
    aead::open(key.expose(), parts.iv, aad.bytes(), &mut buffer, parts.tag).map_err(|_| HsmError::InvalidCiphertext)?;
    Ok(Plaintext::from_wiped(buffer))
}

/// A blob cut at its boundaries.
struct Parts<'a> {
    header: &'a [u8],
    material: MaterialId,
    nonce: [u8; NONCE_BYTES],
    iv: [u8; IV_BYTES],
    ciphertext: &'a [u8],
    tag: [u8; TAG_BYTES],
}

impl<'a> Parts<'a> {
    fn parse(blob: &'a [u8]) -> Result<Self, BlobError> {
        if blob.len() > BLOB_BYTES_MAX {
            return Err(BlobError::Length);
        }
        let header = blob.get(..HEADER_BYTES).ok_or(BlobError::Length)?;
        let ([version, format], rest) = blob.split_first_chunk().ok_or(BlobError::Length)?;
        let (material, rest) = rest.split_first_chunk().ok_or(BlobError::Length)?;
        let (nonce, rest) = rest.split_first_chunk().ok_or(BlobError::Length)?;
        let (iv, rest) = rest.split_first_chunk().ok_or(BlobError::Length)?;
        let (ciphertext, tag) = rest.split_last_chunk().ok_or(BlobError::Length)?;
        if (*version, *format) != (VERSION, FORMAT_DERIVED_AES_256_GCM) {
            return Err(BlobError::Format);
        }
        Ok(Self { header, material: MaterialId(*material), nonce: *nonce, iv: *iv, ciphertext, tag: *tag })
    }
}

fn associated_data(header: &[u8], context: &EncryptionContext) -> Result<Frame, HsmError> {
    Ok(Frame::new(DOMAIN).field(header).field(context.canonical()?))
}

fn call_key(material: &SecretKey<Material>, nonce: &[u8; NONCE_BYTES]) -> Result<SecretKey<Call>, HsmError> {
    kdf::derive(material, DOMAIN, nonce)
}

#[cfg(test)]
mod tests;
