//! Cases in, answers out.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
mod decider;
mod lint;
mod replay;
