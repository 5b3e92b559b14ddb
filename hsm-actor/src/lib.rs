//! The HSM actors: the only place where key bytes exist, and only while an operation runs.
//! Knows no ARN, no policy, no JSON, and no other crate of the workspace.

mod actor;
mod aead;
mod agree;
pub mod blob;
pub mod command;
mod context;
mod errand;
mod error;
mod frame;
mod kdf;
mod label;
mod life;
mod mac;
mod oaep;
mod octets;
mod pair;
mod pool;
mod random;
pub mod ring;
pub mod seal;
mod secret;
mod session;
mod signing;
mod slot;
mod supervisor;
mod token;
mod vault;

pub use command::{Class, Command};
pub use context::{CONTEXT_BYTES_MAX, EncryptionContext};
pub use error::HsmError;
pub use label::{Held, Label, Origin, Spec, UnknownCode, Usage};
pub use mac::MacAlgorithm;
pub use oaep::OaepHash;
pub use pool::{HsmPool, PoolConfig, SlotState, SlotStatus};
pub use ring::{KeyRing, RingError, SealedRing};
pub use seal::{KeyFileSeal, Seal, SealError};
pub use secret::{Plaintext, RootKey};
pub use signing::{Message, SigningAlgorithm};
pub use token::{Material, MaterialId, MaterialIdError, Secret, Wrapped};
pub use vault::Vault;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod vectors;
