//! Encrypt, Decrypt and ReEncrypt, with symmetric materials and with RSA key pairs.
//! A ciphertext's plaintext leaves the HSM only in a reply that the command's name promises.

use std::sync::Arc;

use super::{Class, Command};
use crate::{
    blob,
    context::EncryptionContext,
    error::HsmError,
    label::{Held, Usage},
    oaep::{self, OaepHash},
    secret::{Plaintext, SecretKey},
    token::{Material, Wrapped},
    vault::Vault,
};

/// How a key encrypts; its label must permit it.
#[derive(Clone, Debug)]
pub enum Cipher {
    /// AES-256-GCM in a blob that names its material, bound to this context.
    Symmetric(EncryptionContext),
    /// RSAES-OAEP: the ciphertext alone, which says nothing of its key.
    Oaep(OaepHash),
}

impl From<EncryptionContext> for Cipher {
    fn from(context: EncryptionContext) -> Self {
        Self::Symmetric(context)
    }
}

impl Cipher {
    /// With a public key the private one stays closed, so nothing is re-wrapped, and what was encrypted is not decrypted
    /// again.
    fn seal(&self, vault: &Vault, key: &Held, plaintext: &Plaintext) -> Result<Encrypted, HsmError> {
        match self {
            Self::Symmetric(context) => {
                let (material, rewrapped) = open(vault, key)?;
                let blob = blob::seal(&material, key.id, plaintext, context)?;
                Ok(Encrypted { blob, rewrapped })
            }
            Self::Oaep(hash) => {
                let public = vault.open_public(key)?;
                key.label.permits(Usage::EncryptDecrypt)?;
                let blob = oaep::encrypt(key.label.spec, &public, *hash, plaintext)?;
                Ok(Encrypted { blob, rewrapped: None })
            }
        }
    }

    fn open(&self, vault: &Vault, key: &Held, blob: &[u8]) -> Result<Decrypted, HsmError> {
        match self {
            Self::Symmetric(context) => {
                let (material, rewrapped) = open(vault, key)?;
                let plaintext = blob::open(&material, key.id, blob, context)?;
                Ok(Decrypted { plaintext, rewrapped })
            }
            Self::Oaep(hash) => {
                let private = vault.open_bytes(key)?;
                key.label.permits(Usage::EncryptDecrypt)?;
                let plaintext = oaep::decrypt(key.label.spec, &private, *hash, blob)?;
                Ok(Decrypted { plaintext, rewrapped: vault.rewrapped(key, private.expose())? })
            }
        }
    }
}

/// Encrypts at most [`blob::PLAINTEXT_BYTES_MAX`] bytes, or what an RSA key has room for.
#[derive(Debug)]
pub struct Encrypt {
    pub key: Arc<Held>,
    pub plaintext: Plaintext,
    pub cipher: Cipher,
}

/// The reply to [`Encrypt`].
#[derive(Debug)]
pub struct Encrypted {
    pub blob: Vec<u8>,
    /// The material under the active domain key, when it was held under an older one.
    pub rewrapped: Option<Wrapped<Material>>,
}

impl Command for Encrypt {
    type Reply = Encrypted;
    const NAME: &'static str = "Encrypt";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<Encrypted, HsmError> {
        self.cipher.seal(vault, &self.key, &self.plaintext)
    }
}

/// Decrypts a ciphertext of this material.
#[derive(Debug)]
pub struct Decrypt {
    pub key: Arc<Held>,
    pub blob: Vec<u8>,
    pub cipher: Cipher,
}

/// The reply to [`Decrypt`].
#[derive(Debug)]
pub struct Decrypted {
    pub plaintext: Plaintext,
    /// The material under the active domain key, when it was held under an older one.
    pub rewrapped: Option<Wrapped<Material>>,
}

impl Command for Decrypt {
    type Reply = Decrypted;
    const NAME: &'static str = "Decrypt";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<Decrypted, HsmError> {
        self.cipher.open(vault, &self.key, &self.blob)
    }
}

/// Decrypts a ciphertext of one material and encrypts its plaintext with another; the plaintext never leaves.
#[derive(Debug)]
pub struct ReEncrypt {
    pub source: Arc<Held>,
    pub destination: Arc<Held>,
    pub blob: Vec<u8>,
    pub source_cipher: Cipher,
    pub destination_cipher: Cipher,
}

/// The reply to [`ReEncrypt`].
#[derive(Debug)]
pub struct ReEncrypted {
    pub blob: Vec<u8>,
    /// As in [`Encrypted`], of the source.
    pub source_rewrapped: Option<Wrapped<Material>>,
    /// As in [`Encrypted`], of the destination.
    pub destination_rewrapped: Option<Wrapped<Material>>,
}

impl Command for ReEncrypt {
    type Reply = ReEncrypted;
    const NAME: &'static str = "ReEncrypt";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<ReEncrypted, HsmError> {
        let opened = self.source_cipher.open(vault, &self.source, &self.blob)?;
        let sealed = self.destination_cipher.seal(vault, &self.destination, &opened.plaintext)?;
        Ok(ReEncrypted {
            blob: sealed.blob,
            source_rewrapped: opened.rewrapped,
            destination_rewrapped: sealed.rewrapped,
        })
    }
}

/// The material, if its label permits symmetric encryption, and its new wrapping if one is due.
///
/// The label is judged after the material opened: only then is it proven to be the material's own.
pub(super) fn open(vault: &Vault, key: &Held) -> Result<(SecretKey<Material>, Option<Wrapped<Material>>), HsmError> {
    let material = vault.open_material(key)?;
    key.label.permits_symmetric_encryption()?;
    let rewrapped = vault.rewrapped(key, material.expose())?;
    Ok((material, rewrapped))
}

#[cfg(test)]
mod tests;
