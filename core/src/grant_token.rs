//! Grant tokens: proof that a grant was created, for callers whose host may not know of it yet.
//! A token is never trusted for what it says; it only names a grant and the revision from which the view has it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;

use crate::id::KeyId;
use crate::store::Revision;

const FORMAT_V1: u8 = 1;
const TAG_BYTES: usize = 32;
/// format, key id, grant id, revision, tag
const TOKEN_BYTES: usize = 1 + 36 + 32 + 8 + TAG_BYTES;

/// What a grant token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GrantToken {
    pub(crate) key: KeyId,
    pub(crate) grant: [u8; 32],
    pub(crate) revision: Revision,
}

impl GrantToken {
    /// `None` when `grant` is not 64 hex digits.
    pub(crate) fn new(key: KeyId, grant: &str, revision: Revision) -> Option<Self> {
        let mut id = [0; 32];
        hex::decode_to_slice(grant, &mut id).ok()?;
        Some(Self { key, grant: id, revision })
    }

    pub(crate) fn grant_id(&self) -> String {
        hex::encode(self.grant)
    }

    /// The bytes that the HSM authenticates.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut message = Vec::with_capacity(TOKEN_BYTES);
        message.push(FORMAT_V1);
        message.extend_from_slice(self.key.as_str().as_bytes());
        message.extend_from_slice(&self.grant);
        message.extend_from_slice(&self.revision.0.to_be_bytes());
        message
    }

    pub(crate) fn encode(&self, tag: &[u8; TAG_BYTES]) -> String {
        let mut bytes = self.message();
        bytes.extend_from_slice(tag);
        STANDARD.encode(bytes)
    }

    /// What a token claims, with the tag that it claims it by. Nothing is known to be true before `is_proved`.
    pub(crate) fn decode(text: &str) -> Option<(Self, [u8; TAG_BYTES])> {
        let bytes = STANDARD.decode(text).ok()?;
        let bytes: &[u8; TOKEN_BYTES] = bytes.as_slice().try_into().ok()?;
        let (format, rest) = bytes.split_first()?;
        let (key, rest) = rest.split_at_checked(36)?;
        let (grant, rest) = rest.split_first_chunk::<32>()?;
        let (revision, tag) = rest.split_first_chunk::<8>()?;
        let key = KeyId::parse(std::str::from_utf8(key).ok()?)?;
        let token = Self { key, grant: *grant, revision: Revision(u64::from_be_bytes(*revision)) };
        (*format == FORMAT_V1).then_some((token, tag.try_into().ok()?))
    }
}

/// Compares the tag that a token carries with the one that the HSM made, in constant time.
pub(crate) fn is_proved(claimed: &[u8; TAG_BYTES], made: &[u8; TAG_BYTES]) -> bool {
    claimed.ct_eq(made).into()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_token_reads_as_it_was_written(grant: [u8; 32], revision: u64, tag: [u8; 32]) {
            let token = GrantToken::new(KeyId::random(), &hex::encode(grant), Revision(revision)).unwrap();
            prop_assert_eq!(GrantToken::decode(&token.encode(&tag)), Some((token, tag)));
        }

        #[test]
        fn decoding_never_panics(text in "\\PC{0,300}") {
            let _ = GrantToken::decode(&text);
        }
    }
}
