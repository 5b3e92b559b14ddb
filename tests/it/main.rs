//! One integration binary; each module is one suite.

mod audit;
mod authorization;
mod condition_keys;
mod disk;
mod errors;
mod harness;
#[cfg(feature = "faults")]
mod hsm;
mod lifecycle;
mod model;
mod policies;
mod readme;
mod states;
mod strangers;
mod strict;
mod table;
mod tamper;
mod tidy;
