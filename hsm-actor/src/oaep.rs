//! RSAES-OAEP (RFC 8017 section 7.1), with one hash function for the label and the mask, and no label.
//! Holds no key, and judges no label of ours.

use aws_lc_rs::rsa::{
    OAEP_SHA1_MGF1SHA1, OAEP_SHA256_MGF1SHA256, OaepAlgorithm, OaepPrivateDecryptingKey, OaepPublicEncryptingKey,
    PrivateDecryptingKey, PublicEncryptingKey,
};
use zeroize::Zeroizing;

use crate::{error::HsmError, label::Spec, secret::Plaintext};

/// The hash function of the padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OaepHash {
    Sha1,
    Sha256,
}

impl OaepHash {
    fn algorithm(self) -> &'static OaepAlgorithm {
        match self {
            Self::Sha1 => &OAEP_SHA1_MGF1SHA1,
            Self::Sha256 => &OAEP_SHA256_MGF1SHA256,
        }
    }
}

/// The modulus of a spec, in bytes; what is no RSA key does not encrypt so.
fn modulus_bytes(spec: Spec) -> Result<usize, HsmError> {
    match spec {
        Spec::Rsa2048 => Ok(256),
        Spec::Rsa3072 => Ok(384),
        Spec::Rsa4096 => Ok(512),
        _ => Err(HsmError::Refused),
    }
}

/// Encrypts to a public key. A plaintext that the key has no room for is [`HsmError::TooLarge`].
pub(crate) fn encrypt(spec: Spec, public: &[u8], hash: OaepHash, plaintext: &Plaintext) -> Result<Vec<u8>, HsmError> {
    let mut ciphertext = vec![0; modulus_bytes(spec)?];
    let key = PublicEncryptingKey::from_der(public).map_err(|_| HsmError::MaterialMismatch)?;
    let key = OaepPublicEncryptingKey::new(key).map_err(|_| HsmError::Fault)?;
    if key.ciphertext_size() != ciphertext.len() {
        return Err(HsmError::MaterialMismatch);
    }
    if plaintext.len() > key.max_plaintext_size(hash.algorithm()) {
        return Err(HsmError::TooLarge);
    }
    key.encrypt(hash.algorithm(), plaintext.expose(), &mut ciphertext, None).map_err(|_| HsmError::Fault)?;
    Ok(ciphertext)
}

/// Decrypts with a private key. Every way to fail is [`HsmError::InvalidCiphertext`], and takes alike: the library
/// unpads in constant time.
pub(crate) fn decrypt(
    spec: Spec,
    private: &Plaintext,
    hash: OaepHash,
    ciphertext: &[u8],
) -> Result<Plaintext, HsmError> {
    let mut plaintext = Zeroizing::new(vec![0; modulus_bytes(spec)?]);
    let key = PrivateDecryptingKey::from_pkcs8(private.expose()).map_err(|_| HsmError::MaterialMismatch)?;
    let key = OaepPrivateDecryptingKey::new(key).map_err(|_| HsmError::Fault)?;
    if key.key_size_bytes() != plaintext.len() {
        return Err(HsmError::MaterialMismatch);
    }
    if ciphertext.len() != plaintext.len() {
        return Err(HsmError::InvalidCiphertext);
    }
    let opened = key.decrypt(hash.algorithm(), ciphertext, &mut plaintext, None);
    let length = opened.map(|opened| opened.len()).map_err(|_| HsmError::InvalidCiphertext)?;
    // The rest is wiped with the buffer.
    plaintext.truncate(length);
    Ok(Plaintext::from_wiped(plaintext))
}
