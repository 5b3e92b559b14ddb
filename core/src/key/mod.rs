//! A KMS key: its record, its state and what its spec can do.

pub mod metadata;
pub mod record;
pub mod spec;
pub mod state;
