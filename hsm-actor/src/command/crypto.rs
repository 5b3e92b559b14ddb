//! The commands that use a symmetric material: Encrypt, Decrypt, ReEncrypt, GenerateDataKey.
//! A blob's plaintext leaves the HSM only in a reply that the command's name promises.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Class, Command};
use crate::{
    blob,
    context::EncryptionContext,
    error::HsmError,
    label::Held,
    random,
    secret::{Plaintext, SecretKey},
    token::{Material, Wrapped},
    vault::Vault,
};

/// The longest data key, in bytes.
const DATA_KEY_BYTES_MAX: usize = 1024;

/// Encrypts at most [`blob::PLAINTEXT_BYTES_MAX`] bytes.
#[derive(Debug)]
pub struct Encrypt {
    pub key: Arc<Held>,
    pub plaintext: Plaintext,
    pub context: EncryptionContext,
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
        let (material, rewrapped) = open(vault, &self.key)?;
        let blob = blob::seal(&material, self.key.id, &self.plaintext, &self.context)?;
        Ok(Encrypted { blob, rewrapped })
    }
}

/// Decrypts a blob of this material.
#[derive(Debug)]
pub struct Decrypt {
    pub key: Arc<Held>,
    pub blob: Vec<u8>,
    pub context: EncryptionContext,
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
        let (material, rewrapped) = open(vault, &self.key)?;
        let plaintext = blob::open(&material, self.key.id, &self.blob, &self.context)?;
        Ok(Decrypted { plaintext, rewrapped })
    }
}

/// Decrypts a blob of one material and encrypts its plaintext with another; the plaintext never leaves.
#[derive(Debug)]
pub struct ReEncrypt {
    pub source: Arc<Held>,
    pub destination: Arc<Held>,
    pub blob: Vec<u8>,
    pub source_context: EncryptionContext,
    pub destination_context: EncryptionContext,
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
        let (source, source_rewrapped) = open(vault, &self.source)?;
        let (destination, destination_rewrapped) = open(vault, &self.destination)?;
        let plaintext = blob::open(&source, self.source.id, &self.blob, &self.source_context)?;
        let blob = blob::seal(&destination, self.destination.id, &plaintext, &self.destination_context)?;
        Ok(ReEncrypted { blob, source_rewrapped, destination_rewrapped })
    }
}

/// Makes a data key of 1 to 1024 bytes and encrypts it.
#[derive(Debug)]
pub struct GenerateDataKey {
    pub key: Arc<Held>,
    /// In bytes.
    pub length: usize,
    pub context: EncryptionContext,
    /// Whether the data key itself is in the reply too.
    pub with_plaintext: bool,
}

/// The reply to [`GenerateDataKey`].
#[derive(Debug)]
pub struct DataKey {
    pub plaintext: Option<Plaintext>,
    pub blob: Vec<u8>,
    /// The material under the active domain key, when it was held under an older one.
    pub rewrapped: Option<Wrapped<Material>>,
}

impl Command for GenerateDataKey {
    type Reply = DataKey;
    const NAME: &'static str = "GenerateDataKey";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<DataKey, HsmError> {
        if !(1..=DATA_KEY_BYTES_MAX).contains(&self.length) {
            return Err(HsmError::TooLarge);
        }
        let (material, rewrapped) = open(vault, &self.key)?;
        let mut bytes = Zeroizing::new(vec![0; self.length]);
        random::fill(&mut bytes)?;
        let plaintext = Plaintext::from_wiped(bytes);
        let blob = blob::seal(&material, self.key.id, &plaintext, &self.context)?;
        Ok(DataKey { plaintext: self.with_plaintext.then_some(plaintext), blob, rewrapped })
    }
}

/// The material, if its label permits symmetric encryption, and its new wrapping if one is due.
///
/// The label is judged after the material opened: only then is it proven to be the material's own.
fn open(vault: &Vault, key: &Held) -> Result<(SecretKey<Material>, Option<Wrapped<Material>>), HsmError> {
    let material = vault.open_material(key)?;
    key.label.permits_symmetric_encryption()?;
    let rewrapped = vault.rewrapped(key, &material)?;
    Ok((material, rewrapped))
}

#[cfg(test)]
mod tests;
