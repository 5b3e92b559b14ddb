//! Sign, Verify, and the public key of a pair.
//! What needs only the public key opens only that; the private key stays wrapped.

use std::sync::Arc;

use super::{Class, Command};
use crate::{
    error::HsmError,
    label::{Held, Usage},
    signing::{self, Message, SigningAlgorithm},
    token::{Material, Wrapped},
    vault::Vault,
};

/// Signs a message, and verifies the signature with the stored public key before it leaves.
#[derive(Debug)]
pub struct Sign {
    pub key: Arc<Held>,
    pub algorithm: SigningAlgorithm,
    pub message: Message,
}

/// The reply to [`Sign`].
#[derive(Debug)]
pub struct Signed {
    pub signature: Vec<u8>,
    /// The material under the active domain key, when it was held under an older one.
    pub rewrapped: Option<Wrapped<Material>>,
}

impl Command for Sign {
    type Reply = Signed;
    const NAME: &'static str = "Sign";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<Signed, HsmError> {
        let private = vault.open_bytes(&self.key)?;
        self.key.label.permits(Usage::SignVerify)?;
        let public = vault.open_public(&self.key)?;
        let spec = self.key.label.spec;
        let signature = signing::sign(spec, &private, self.algorithm, &self.message)?;
        // A fault while signing with RSA's Chinese remainders gives the key away; it must not leave.
        let again = signing::verify(spec, &public, self.algorithm, &self.message, &signature);
        again.map_err(|_| HsmError::SelfTest)?;
        Ok(Signed { signature, rewrapped: vault.rewrapped(&self.key, private.expose())? })
    }
}

/// Answers [`HsmError::InvalidSignature`] unless the signature is this key's of this message.
#[derive(Debug)]
pub struct Verify {
    pub key: Arc<Held>,
    pub algorithm: SigningAlgorithm,
    pub message: Message,
    pub signature: Vec<u8>,
}

impl Command for Verify {
    type Reply = ();
    const NAME: &'static str = "Verify";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<(), HsmError> {
        let public = vault.open_public(&self.key)?;
        self.key.label.permits(Usage::SignVerify)?;
        signing::verify(self.key.label.spec, &public, self.algorithm, &self.message, &self.signature)
    }
}

/// The public key of a pair as SubjectPublicKeyInfo, whatever the pair is for.
#[derive(Debug)]
pub struct PublicKey {
    pub key: Arc<Held>,
}

impl Command for PublicKey {
    type Reply = Vec<u8>;
    const NAME: &'static str = "PublicKey";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<Vec<u8>, HsmError> {
        vault.open_public(&self.key)
    }
}

#[cfg(test)]
mod tests;
