//! How available something was, said no better than what was counted shows.
//! Knows calls and failures.

/// What calls show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Availability {
    pub(super) calls: u64,
    pub(super) failures: u64,
}
