//! AES-256-GCM (NIST SP 800-38D) with 96-bit IVs and 128-bit tags, and the box that holds a wrapped key.
//! Knows no keys of its own and nothing of what it protects.

use aes_gcm::{
    Aes256Gcm,
    aead::{AeadInOut, KeyInit},
};
use zeroize::Zeroizing;

use crate::{
    error::HsmError,
    random,
    secret::{KEY_BYTES, SecretKey},
};

pub(crate) const IV_BYTES: usize = 12;
pub(crate) const TAG_BYTES: usize = 16;

/// The first byte of a box: `format | iv | ciphertext | tag`.
const BOX_FORMAT: u8 = 1;
/// The longest content of a box; room for an RSA-4096 private key.
pub(crate) const BOX_CONTENT_MAX: usize = 8192;

/// The ciphertext, its key, its IV or its associated data is not what was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forged;

/// Encrypts `buffer` in place and returns the tag. The caller never repeats an IV under one key.
pub(crate) fn seal(
    key: &[u8; KEY_BYTES],
    iv: [u8; IV_BYTES],
    aad: &[u8],
    buffer: &mut [u8],
) -> Result<[u8; TAG_BYTES], HsmError> {
    let tag = Aes256Gcm::new(key.into()).encrypt_inout_detached(&iv.into(), aad, buffer.into());
    tag.map(Into::into).map_err(|_| HsmError::Fault)
}

/// Decrypts `buffer` in place, after its tag verified; on failure `buffer` still holds the ciphertext.
pub(crate) fn open(
    key: &[u8; KEY_BYTES],
    iv: [u8; IV_BYTES],
    aad: &[u8],
    buffer: &mut [u8],
    tag: [u8; TAG_BYTES],
) -> Result<(), Forged> {
    let cipher = Aes256Gcm::new(key.into());
    cipher.decrypt_inout_detached(&iv.into(), aad, buffer.into(), &tag.into()).map_err(|_| Forged)
}

/// `content` boxed under `key` with a fresh IV.
///
/// A random 96-bit IV allows 2^32 boxes under one key (SP 800-38D section 8.3); domain keys rotate long before.
pub(crate) fn boxed<K>(key: &SecretKey<K>, aad: &[u8], content: &[u8]) -> Result<Vec<u8>, HsmError> {
    if content.len() > BOX_CONTENT_MAX {
        return Err(HsmError::TooLarge);
    }
    let iv: [u8; IV_BYTES] = random::nonce()?;
    let mut sealed = Vec::with_capacity(1 + IV_BYTES + content.len() + TAG_BYTES);
    sealed.push(BOX_FORMAT);
    sealed.extend_from_slice(&iv);
    sealed.extend_from_slice(content);
    let (_, body) = sealed.split_at_mut(1 + IV_BYTES);
    let tag = seal(key.expose(), iv, aad, body)?;
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// The content of a box.
pub(crate) fn unboxed<K>(key: &SecretKey<K>, aad: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Forged> {
    let Parts { iv, body, tag } = Parts::of(sealed)?;
    let mut content = Zeroizing::new(body.to_vec());
    open(key.expose(), iv, aad, &mut content, tag)?;
    Ok(content)
}

/// The content of a box that holds a key, written nowhere but into that key.
pub(crate) fn unboxed_key<K, L>(key: &SecretKey<K>, aad: &[u8], sealed: &[u8]) -> Result<SecretKey<L>, Forged> {
    let Parts { iv, body, tag } = Parts::of(sealed)?;
    if body.len() != KEY_BYTES {
        return Err(Forged);
    }
    SecretKey::filled(|bytes| {
        bytes.copy_from_slice(body);
        open(key.expose(), iv, aad, bytes, tag)
    })
}

/// A box cut at its boundaries.
struct Parts<'a> {
    iv: [u8; IV_BYTES],
    body: &'a [u8],
    tag: [u8; TAG_BYTES],
}

impl<'a> Parts<'a> {
    fn of(sealed: &'a [u8]) -> Result<Self, Forged> {
        let (format, rest) = sealed.split_first().ok_or(Forged)?;
        let (iv, rest) = rest.split_first_chunk().ok_or(Forged)?;
        let (body, tag) = rest.split_last_chunk().ok_or(Forged)?;
        if *format != BOX_FORMAT || body.len() > BOX_CONTENT_MAX {
            return Err(Forged);
        }
        Ok(Self { iv: *iv, body, tag: *tag })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::secret::{Domain, Sealing};

    fn key() -> SecretKey<Domain> {
        SecretKey::from_slice(&[9; 32]).unwrap()
    }

    #[test]
    fn a_box_gives_back_its_content_and_hides_it() {
        for length in [0, 1, 32, BOX_CONTENT_MAX] {
            let content = vec![0xA5; length];
            let sealed = boxed(&key(), b"aad", &content).unwrap();
            assert_eq!(sealed.len(), length + 29);
            assert_eq!(*unboxed(&key(), b"aad", &sealed).unwrap(), content);
            assert_ne!(sealed, boxed(&key(), b"aad", &content).unwrap(), "the IV is fresh");
        }
        assert_eq!(boxed(&key(), b"", &[0; BOX_CONTENT_MAX + 1]), Err(HsmError::TooLarge));
    }

    #[test]
    fn any_flipped_bit_of_a_box_is_noticed() {
        let sealed = boxed(&key(), b"aad", b"content").unwrap();
        for bit in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(unboxed(&key(), b"aad", &forged), Err(Forged), "bit {bit}");
        }
        for cut in 0..sealed.len() {
            assert_eq!(unboxed(&key(), b"aad", &sealed[..cut]), Err(Forged), "cut to {cut}");
        }
        assert_eq!(unboxed(&key(), b"other", &sealed), Err(Forged));
    }

    #[test]
    fn a_key_comes_only_from_a_box_of_32_bytes() {
        let sealed = boxed(&key(), b"", &[3; 32]).unwrap();
        assert_eq!(unboxed_key::<_, Sealing>(&key(), b"", &sealed).unwrap().expose(), &[3; 32]);
        let short = boxed(&key(), b"", &[3; 31]).unwrap();
        assert_eq!(unboxed_key::<_, Sealing>(&key(), b"", &short).err(), Some(Forged));
    }
}
