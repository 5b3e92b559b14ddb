//! Bytes that can be read in one way only: a domain, then length-prefixed or fixed-size fields.
//! What is authenticated or hashed is framed here, so that no two meanings share their bytes.

/// Framed bytes under construction. Lengths are 8 bytes, big-endian, as all numbers are.
pub(crate) struct Frame(Vec<u8>);

impl Frame {
    /// `domain` names the purpose and version; no two purposes share one.
    pub(crate) fn new(domain: &str) -> Self {
        Self(Vec::with_capacity(192)).field(domain.as_bytes())
    }

    /// A field of any length, its length before it.
    pub(crate) fn field(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
        self.0.extend_from_slice(bytes);
        self
    }

    /// A field whose length the domain fixes.
    pub(crate) fn fixed<const N: usize>(mut self, bytes: [u8; N]) -> Self {
        self.0.extend_from_slice(&bytes);
        self
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use proptest::prelude::*;

    use super::*;

    fn framed(fields: &[Vec<u8>]) -> Vec<u8> {
        fields.iter().fold(Frame::new("test"), |frame, field| frame.field(field)).into_bytes()
    }

    proptest! {
        #[test]
        fn different_fields_give_different_bytes(
            one in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..4),
            other in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 0..4),
        ) {
            prop_assert_eq!(one == other, framed(&one) == framed(&other));
        }
    }

    #[test]
    fn a_moved_boundary_shows() {
        assert_ne!(framed(&[b"ab".to_vec(), b"c".to_vec()]), framed(&[b"a".to_vec(), b"bc".to_vec()]));
        assert_eq!(&framed(&[])[..8], 4_u64.to_be_bytes());
    }
}
