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

/// Encrypts `plaintext` under a key derived from `material` for this blob alone, and proves that it decrypts.
pub(crate) fn seal(
    material: &SecretKey<Material>,
    id: MaterialId,
    plaintext: &Plaintext,
    context: &EncryptionContext,
) -> Result<Vec<u8>, HsmError> {
    let fresh = Fresh { nonce: random::nonce()?, iv: random::nonce()? };
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
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    fn material() -> SecretKey<Material> {
        SecretKey::from_slice(&[5; 32]).unwrap()
    }

    const ID: MaterialId = MaterialId([6; 32]);

    fn blob(plaintext: &[u8], context: &EncryptionContext) -> Vec<u8> {
        seal(&material(), ID, &Plaintext::new(plaintext.to_vec()), context).unwrap()
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(plaintext in prop::collection::vec(any::<u8>(), 0..300), name in "\\PC{0,9}", value in "\\PC{0,9}") {
            let context = EncryptionContext::from_pairs([(name.as_str(), value.as_str())]);
            let blob = blob(&plaintext, &context);
            prop_assert_eq!(blob.len(), plaintext.len() + 78);
            prop_assert_eq!(Header::parse(&blob), Ok(Header { material: ID }));
            let opened = open(&material(), ID, &blob, &context).unwrap();
            prop_assert_eq!(opened.expose(), plaintext.as_slice());
        }

        #[test]
        fn a_header_is_the_material_of_any_bytes_that_could_be_a_blob(mut bytes in prop::collection::vec(any::<u8>(), 0..200), known in any::<bool>()) {
            if known && bytes.len() >= 2 {
                bytes[..2].copy_from_slice(&[1, 1]);
            }
            let expected = if bytes.len() < 78 {
                Err(BlobError::Length)
            } else if bytes[..2] != [1, 1] {
                Err(BlobError::Format)
            } else {
                Ok(Header { material: MaterialId(bytes[2..34].try_into().unwrap()) })
            };
            prop_assert_eq!(Header::parse(&bytes), expected);
        }

        #[test]
        fn noise_never_opens(noise in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut forged = vec![1, 1];
            forged.extend_from_slice(&ID.0);
            forged.extend_from_slice(&noise);
            prop_assert_eq!(open(&material(), ID, &forged, &EncryptionContext::default()).err(), Some(HsmError::InvalidCiphertext));
        }
    }

    #[test]
    fn any_flipped_bit_or_cut_makes_it_invalid() {
        let context = EncryptionContext::from_pairs([("a", "b")]);
        let blob = blob(b"four", &context);
        for bit in 0..blob.len() * 8 {
            let mut forged = blob.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(open(&material(), ID, &forged, &context).err(), Some(HsmError::InvalidCiphertext), "bit {bit}");
        }
        for cut in 0..blob.len() {
            assert_eq!(
                open(&material(), ID, &blob[..cut], &context).err(),
                Some(HsmError::InvalidCiphertext),
                "cut to {cut}"
            );
        }
        let longer = [blob.as_slice(), &[0]].concat();
        assert_eq!(open(&material(), ID, &longer, &context).err(), Some(HsmError::InvalidCiphertext));
    }

    #[test]
    fn another_context_or_material_does_not_open_it() {
        let context = EncryptionContext::from_pairs([("a", "b")]);
        let blob = blob(b"x", &context);
        let other = SecretKey::from_slice(&[7; 32]).unwrap();
        assert_eq!(
            open(&material(), ID, &blob, &EncryptionContext::default()).err(),
            Some(HsmError::InvalidCiphertext)
        );
        assert_eq!(open(&other, ID, &blob, &context).err(), Some(HsmError::InvalidCiphertext));
        assert_eq!(open(&material(), MaterialId([8; 32]), &blob, &context).err(), Some(HsmError::InvalidCiphertext));
    }

    #[test]
    fn sizes_are_bounded() {
        let context = EncryptionContext::default();
        assert_eq!(blob(&[1; PLAINTEXT_BYTES_MAX], &context).len(), 4174);
        let long = Plaintext::new(vec![1; PLAINTEXT_BYTES_MAX + 1]);
        assert_eq!(seal(&material(), ID, &long, &context).err(), Some(HsmError::TooLarge));
        let long = vec![1; BLOB_BYTES_MAX + 1];
        assert_eq!(open(&material(), ID, &long, &context).err(), Some(HsmError::TooLarge));
        assert_eq!(Header::parse(&long), Err(BlobError::Length));
    }

    #[test]
    fn no_two_blobs_are_alike() {
        let context = EncryptionContext::default();
        let (one, other) = (blob(b"x", &context), blob(b"x", &context));
        assert_ne!(one[34..50], other[34..50], "the nonce is fresh");
        assert_ne!(one[50..62], other[50..62], "the iv is fresh");
    }
}
