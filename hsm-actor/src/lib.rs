//! The HSM actors: the only place where key bytes exist, and only while an operation runs.
//! Knows no ARN, no policy, no JSON, and no other crate of the workspace.

pub mod secret;

pub use secret::Plaintext;
