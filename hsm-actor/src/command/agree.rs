//! DeriveSharedSecret.

use std::sync::Arc;

use super::{Class, Command};
use crate::{
    agree,
    error::HsmError,
    label::{Held, Usage},
    secret::Plaintext,
    token::{Material, Wrapped},
    vault::Vault,
};

/// Agrees on a secret with the owner of another key on the same curve.
#[derive(Debug)]
pub struct DeriveSharedSecret {
    pub key: Arc<Held>,
    /// The other side's SubjectPublicKeyInfo.
    pub peer: Vec<u8>,
}

/// The reply to [`DeriveSharedSecret`].
#[derive(Debug)]
pub struct Derived {
    pub secret: Plaintext,
    /// The material under the active domain key, when it was held under an older one.
    pub rewrapped: Option<Wrapped<Material>>,
}

impl Command for DeriveSharedSecret {
    type Reply = Derived;
    const NAME: &'static str = "DeriveSharedSecret";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<Derived, HsmError> {
        let private = vault.open_bytes(&self.key)?;
        self.key.label.permits(Usage::KeyAgreement)?;
        let secret = agree::shared_secret(self.key.label.spec, &private, &self.peer)?;
        Ok(Derived { secret, rewrapped: vault.rewrapped(&self.key, private.expose())? })
    }
}
