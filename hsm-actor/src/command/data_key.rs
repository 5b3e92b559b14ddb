//! GenerateDataKey and GenerateDataKeyPair: keys for use outside, encrypted under a symmetric material.
//! Nothing of them is kept.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::{Class, Command, crypto};
use crate::{
    blob,
    context::EncryptionContext,
    error::HsmError,
    label::{Held, Spec},
    pair::Pair,
    random,
    secret::Plaintext,
    token::{Material, Wrapped},
    vault::Vault,
};

/// The longest data key, in bytes.
const DATA_KEY_BYTES_MAX: usize = 1024;

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
        let (material, rewrapped) = crypto::open(vault, &self.key)?;
        let mut bytes = Zeroizing::new(vec![0; self.length]);
        random::fill(&mut bytes)?;
        let plaintext = Plaintext::from_wiped(bytes);
        let blob = blob::seal(&material, self.key.id, &plaintext, &self.context)?;
        Ok(DataKey { plaintext: self.with_plaintext.then_some(plaintext), blob, rewrapped })
    }
}

/// Makes a key pair of any spec that has pairs, and encrypts its private key.
#[derive(Debug)]
pub struct GenerateDataKeyPair {
    pub key: Arc<Held>,
    /// Of the new pair.
    pub spec: Spec,
    pub context: EncryptionContext,
    /// Whether the private key itself is in the reply too.
    pub with_plaintext: bool,
}

/// The reply to [`GenerateDataKeyPair`].
#[derive(Debug)]
pub struct DataKeyPair {
    /// PKCS#8.
    pub private: Option<Plaintext>,
    /// SubjectPublicKeyInfo.
    pub public: Vec<u8>,
    /// The encrypted PKCS#8.
    pub blob: Vec<u8>,
    /// The material under the active domain key, when it was held under an older one.
    pub rewrapped: Option<Wrapped<Material>>,
}

impl Command for GenerateDataKeyPair {
    type Reply = DataKeyPair;
    const NAME: &'static str = "GenerateDataKeyPair";
    const CLASS: Class = Class::Quick;

    fn class(&self) -> Class {
        self.spec.class()
    }

    fn run(&self, vault: &Vault) -> Result<DataKeyPair, HsmError> {
        // First, so that a key that may not be used costs no search for primes.
        let (material, rewrapped) = crypto::open(vault, &self.key)?;
        let Pair { private, public } = Pair::generate(self.spec)?;
        let blob = blob::seal(&material, self.key.id, &private, &self.context)?;
        Ok(DataKeyPair { private: self.with_plaintext.then_some(private), public, blob, rewrapped })
    }
}
