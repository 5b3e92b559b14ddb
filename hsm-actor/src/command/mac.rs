//! GenerateMac and VerifyMac.

use std::sync::Arc;

use super::{Class, Command};
use crate::{
    error::HsmError,
    label::{Held, Usage},
    mac::{self, MacAlgorithm},
    secret::Plaintext,
    token::{Material, Wrapped},
    vault::Vault,
};

/// Makes the code of a message, and checks it before it leaves.
#[derive(Debug)]
pub struct GenerateMac {
    pub key: Arc<Held>,
    pub algorithm: MacAlgorithm,
    pub message: Plaintext,
}

/// The reply to [`GenerateMac`].
#[derive(Debug)]
pub struct Made {
    pub mac: Vec<u8>,
    /// The material under the active domain key, when it was held under an older one.
    pub rewrapped: Option<Wrapped<Material>>,
}

impl Command for GenerateMac {
    type Reply = Made;
    const NAME: &'static str = "GenerateMac";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<Made, HsmError> {
        let (key, rewrapped) = open(vault, &self.key)?;
        let mac = mac::code(self.key.label.spec, &key, self.algorithm, &self.message)?;
        let again = mac::verify(self.key.label.spec, &key, self.algorithm, &self.message, &mac);
        again.map_err(|_| HsmError::SelfTest)?;
        Ok(Made { mac, rewrapped })
    }
}

/// Answers [`HsmError::InvalidMac`] unless the code is this key's of this message.
#[derive(Debug)]
pub struct VerifyMac {
    pub key: Arc<Held>,
    pub algorithm: MacAlgorithm,
    pub message: Plaintext,
    pub mac: Vec<u8>,
}

impl Command for VerifyMac {
    /// The material under the active domain key, when it was held under an older one.
    type Reply = Option<Wrapped<Material>>;
    const NAME: &'static str = "VerifyMac";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<Self::Reply, HsmError> {
        let (key, rewrapped) = open(vault, &self.key)?;
        mac::verify(self.key.label.spec, &key, self.algorithm, &self.message, &self.mac)?;
        Ok(rewrapped)
    }
}

fn open(vault: &Vault, held: &Held) -> Result<(Plaintext, Option<Wrapped<Material>>), HsmError> {
    let key = vault.open_bytes(held)?;
    held.label.permits(Usage::GenerateVerifyMac)?;
    let rewrapped = vault.rewrapped(held, key.expose())?;
    Ok((key, rewrapped))
}
