//! What KMS means: operations, keys, policies, grants and the store.
//! Knows no socket, no HTTP type and no key byte; the gateway calls in, the HSM is called out to.

pub mod audit;
mod authorized;
pub mod authz;
pub mod clock;
pub mod entry;
pub mod error;
mod facts;
mod grant_token;
pub mod id;
mod json;
mod judge;
pub mod key;
pub mod key_manager;
pub mod limits;
pub mod model;
pub mod operation;
mod operations;
pub mod principals;
pub mod region;
pub mod registry;
pub mod request;
#[cfg(test)]
mod scene;
pub mod session;
mod standing;
pub mod store;
mod text;
pub mod trial;
mod turn;
pub mod view;

pub use error::KmsError;
