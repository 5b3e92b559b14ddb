//! The part of each operation that is its own. A handler plans (pure: usage, algorithm, sizes) and then runs;
//! it is handed `Authorized<Op>` and so never authorises, audits, validates or checks a key state itself.

pub(crate) mod alias;
pub(crate) mod crypto;
pub(crate) mod data_key;
pub(crate) mod grant;
pub(crate) mod lifecycle;
pub(crate) mod listing;
mod paging;
pub(crate) mod policy;
pub(crate) mod public_key;
pub(crate) mod signing;
pub(crate) mod tag;
mod usage;

#[cfg(test)]
mod tests;
