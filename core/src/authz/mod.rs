//! May they: the pure decision over policies and grants.
//! Knows documents, principals and the facts of one request; must not know a clock, a socket, the view or the HSM.
//! Semantics: IAM User Guide "Policy evaluation logic" and KMS Developer Guide "Key policies", "Grants".

mod arn;
mod call;
mod condition;
mod context;
mod decide;
mod document;
mod explain;
pub mod grant;
mod json;
mod literal;
mod message;
mod pattern;
mod permit;
mod principal;
mod statement;
mod variable;

pub use context::{FactKey, FactMap, Facts, Looked, RECORD_BYTES_MAX, RECORD_KEYS_MAX, Recorded, Value};
pub use decide::{Decision, Layer, Layers, Policies, Question, Reason, Verdict, decide, endpoint_allows};
pub use document::{DOCUMENT_BYTES_MAX, Document, Kind, Malformed, default_endpoint_policy, default_key_policy};
pub use explain::{Hearing, Missed, Said, hear};
pub use grant::{Grant, GrantSource, Operations};
pub(crate) use pattern::action_matches;
pub use principal::{NotAPrincipal, PARTITION, Principal, PrincipalName, Reach};
pub use statement::Miss;

#[cfg(test)]
mod tests;
