//! What an HSM can be asked: plain data in, plain data out, so that a command can cross to another process.
//! One file for each kind of command; what they may do to keys is the vault's and the blob's to say.

mod agree;
mod authenticate;
mod crypto;
mod data_key;
#[cfg(any(test, feature = "faults"))]
mod faults;
mod mac;
mod material;
mod random;
mod secret;
mod self_test;
mod session;
mod sign;

#[cfg(any(test, feature = "faults"))]
pub use faults::{Hang, Panic};
pub use {
    agree::{DeriveSharedSecret, Derived},
    authenticate::{Authenticate, Purpose},
    crypto::{Cipher, Decrypt, Decrypted, Encrypt, Encrypted, ReEncrypt, ReEncrypted},
    data_key::{DataKey, DataKeyPair, GenerateDataKey, GenerateDataKeyPair},
    mac::{GenerateMac, Made, VerifyMac},
    material::{GenerateMaterial, Rewrap},
    random::GenerateRandom,
    secret::{DayKey, RewrapSecret, SigningKey, WrapSecret},
    self_test::SelfTest,
    session::{HideClaims, IssueSession, IssuedSession, SessionDayKey, SessionPublicKey, ShowClaims},
    sign::{PublicKey, Sign, Signed, Verify},
};

use crate::{error::HsmError, vault::Vault};

/// How long a command can take, which decides whose permits it uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Microseconds.
    Quick,
    /// Up to seconds, as generating an RSA key does.
    Slow,
}

/// A command to an HSM. It may run a second time on another slot when the first one died, so it changes nothing.
pub trait Command: Send + Sync + 'static {
    type Reply: Send + 'static;
    /// For logs and metrics.
    const NAME: &'static str;
    const CLASS: Class;

    /// [`Self::CLASS`], where it does not depend on what is asked.
    fn class(&self) -> Class {
        Self::CLASS
    }

    /// Runs in the HSM's thread.
    fn run(&self, vault: &Vault) -> Result<Self::Reply, HsmError>;
}
