//! The encryption context as one canonical string of bytes, which a blob authenticates.
//! Knows nothing of JSON, nor of who may use which context.

use std::fmt;

use crate::{error::HsmError, frame::Frame};

/// The longest canonical form, in bytes, that a command accepts: well over what a request can carry through KMS.
pub const CONTEXT_BYTES_MAX: usize = 64 * 1024;

/// Name and value pairs in canonical form: sorted by name, counted, length-prefixed, domain-separated.
#[derive(Clone, PartialEq, Eq)]
pub struct EncryptionContext(Vec<u8>);

impl EncryptionContext {
    /// The order of the pairs is immaterial. No pairs and no context are the same thing.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut pairs: Vec<_> = pairs.into_iter().collect();
        pairs.sort_unstable();
        let frame = Frame::new("kannuki/context/v1").fixed((pairs.len() as u64).to_be_bytes());
        let framed =
            pairs.into_iter().fold(frame, |frame, (name, value)| frame.field(name.as_bytes()).field(value.as_bytes()));
        Self(framed.into_bytes())
    }

    /// The canonical bytes, or [`HsmError::TooLarge`] above [`CONTEXT_BYTES_MAX`].
    pub(crate) fn canonical(&self) -> Result<&[u8], HsmError> {
        if self.0.len() > CONTEXT_BYTES_MAX { Err(HsmError::TooLarge) } else { Ok(&self.0) }
    }
}

impl Default for EncryptionContext {
    fn default() -> Self {
        Self::from_pairs([])
    }
}

impl fmt::Debug for EncryptionContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[ENCRYPTION CONTEXT {} bytes]", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn context(pairs: &BTreeMap<String, String>) -> EncryptionContext {
        EncryptionContext::from_pairs(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())))
    }

    proptest! {
        #[test]
        fn equal_pairs_and_only_they_are_equal(
            one in prop::collection::btree_map("[ab]{0,2}", "[ab]{0,2}", 0..4),
            other in prop::collection::btree_map("[ab]{0,2}", "[ab]{0,2}", 0..4),
        ) {
            prop_assert_eq!(one == other, context(&one) == context(&other));
            let reversed = EncryptionContext::from_pairs(one.iter().rev().map(|(n, v)| (n.as_str(), v.as_str())));
            prop_assert_eq!(context(&one), reversed);
        }
    }

    #[test]
    fn a_repeated_name_is_no_panic_and_not_the_single_one() {
        let twice = EncryptionContext::from_pairs([("a", "1"), ("a", "1")]);
        assert_ne!(twice, EncryptionContext::from_pairs([("a", "1")]));
    }

    #[test]
    fn the_size_is_bounded() {
        let long = "x".repeat(CONTEXT_BYTES_MAX);
        assert_eq!(EncryptionContext::from_pairs([("a", long.as_str())]).canonical(), Err(HsmError::TooLarge));
        assert!(EncryptionContext::default().canonical().is_ok());
    }
}
