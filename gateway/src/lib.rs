//! The gateway: HTTP, TLS, who is calling and from where.
//! Knows nothing of key records, policies' meaning or key bytes; all of that is asked of `kms_core`.

pub mod access_log;
pub mod admin;
pub mod attestation;
pub mod authn;
pub mod certificate;
pub mod config;
pub mod gateway;
pub mod issuers;
pub mod listener;
pub mod manifest;
pub mod metrics;
pub mod operations;
pub mod policy_suite;
pub mod proxy_header;
pub mod run;
pub mod serve;
pub mod setup;
pub mod sts;
pub mod toml_file;
pub mod wire;
