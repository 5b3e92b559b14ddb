//! Whether a key may do what an operation wants of it: its usage first, and then the algorithm.
//! Words AWS's two refusals; what a spec can do is `key/spec.rs`'s.

use crate::error::KmsError;
use crate::model::KeyUsageType;
use crate::request::KeyTarget;

/// Refuses a key of another usage. `operation` is the name that AWS's text has.
pub(super) fn require_usage(key: &KeyTarget, usage: KeyUsageType, operation: &'static str) -> Result<(), KmsError> {
    let of_key = key.entry.record.usage;
    if of_key == usage {
        return Ok(());
    }
    Err(KmsError::KeyUsage { arn: key.arn.to_string(), usage: of_key.as_str(), operation })
}

/// Refuses an algorithm that the key's spec does not have.
pub(super) fn require_algorithm<A: PartialEq>(
    key: &KeyTarget,
    asked: A,
    of_key: &[A],
    name: fn(A) -> &'static str,
) -> Result<(), KmsError> {
    if of_key.contains(&asked) {
        return Ok(());
    }
    Err(KmsError::Algorithm { algorithm: name(asked), spec: key.entry.record.spec.as_str() })
}
