//! Bytes that must not be seen: wiped when dropped, never printed, never cloned.
//! Knows nothing of what the bytes mean.

use std::fmt;

use zeroize::Zeroizing;

/// Secret bytes on their way in or out of an operation.
pub struct Plaintext(Zeroizing<Vec<u8>>);

impl Plaintext {
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The one way to see the bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[PLAINTEXT {} bytes]", self.0.len())
    }
}
