//! Policies tried offline: decided over cases, fixtures and past records, and looked over for mistakes.
//! Knows how people write down requests and documents; must not know a running region, a clock or a terminal. What a
//! policy means is `authz`'s.

mod case;
mod decider;
mod derive;
mod explain;
mod gather;
pub mod lint;
mod past;
mod quote;
mod replay;
mod shelf;
mod stage;
pub mod suite;
mod verdict;
mod worlds;

pub use decider::Decider;
pub use explain::Explanation;
pub use gather::Papers;
pub use quote::{Quote, statement};
pub use replay::{Replay, Replayed, Turn};
pub use stage::{Outcome, Stage};
pub use verdict::{Flip, differences, flips};

#[cfg(test)]
mod tests;
