//! What KMS means: operations, keys, policies, grants and the store.
//! Knows no socket, no HTTP type and no key byte; the gateway calls in, the HSM is called out to.

pub mod audit;
pub mod authz;
pub mod clock;
pub mod id;
pub mod model;
pub mod registry;
pub mod store;
