//! Bytes that must not be seen: wiped when dropped, never printed, never cloned.
//! Knows nothing of what the bytes mean.

use std::{fmt, marker::PhantomData};

use zeroize::Zeroizing;

use crate::{error::HsmError, random};

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

    pub(crate) fn from_wiped(bytes: Zeroizing<Vec<u8>>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Plaintext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[PLAINTEXT {} bytes]", self.0.len())
    }
}

/// Length in bytes of every symmetric key here.
pub(crate) const KEY_BYTES: usize = 32;

/// A 256-bit key of the kind `K`. Boxed, so that moving it leaves no copy behind on a stack.
pub struct SecretKey<K> {
    bytes: Box<Zeroizing<[u8; KEY_BYTES]>>,
    kind: PhantomData<fn() -> K>,
}

/// The region's root key, which a seal wraps at rest. Opaque outside this crate.
pub type RootKey = SecretKey<Root>;

impl<K> SecretKey<K> {
    pub(crate) fn random() -> Result<Self, HsmError> {
        Self::filled(|bytes| random::fill(bytes))
    }

    /// A key whose bytes are written in place by `fill`.
    pub(crate) fn filled<E>(fill: impl FnOnce(&mut [u8; KEY_BYTES]) -> Result<(), E>) -> Result<Self, E> {
        let mut bytes = Box::new(Zeroizing::new([0; KEY_BYTES]));
        fill(&mut bytes)?;
        Ok(Self { bytes, kind: PhantomData })
    }

    /// `None` unless there are exactly 32 bytes.
    pub(crate) fn from_slice(source: &[u8]) -> Option<Self> {
        if source.len() != KEY_BYTES {
            return None;
        }
        Self::filled::<()>(|bytes| {
            bytes.copy_from_slice(source);
            Ok(())
        })
        .ok()
    }

    pub(crate) fn expose(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }
}

impl<K> fmt::Debug for SecretKey<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[SECRET KEY]")
    }
}

/// Wrapped by the seal; wraps the other keys of the ring.
#[derive(Debug)]
pub enum Root {}
/// Wraps materials and secrets.
#[derive(Debug)]
pub(crate) enum Domain {}
/// Authenticates stored rows.
#[derive(Debug)]
pub(crate) enum Integrity {}
/// Seeds the keys of sessions.
#[derive(Debug)]
pub(crate) enum Region {}
/// Encrypts one blob.
#[derive(Debug)]
pub(crate) enum Call {}
/// Kept outside the region's state; wraps the root key.
#[derive(Debug)]
pub(crate) enum Sealing {}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn nothing_prints_its_bytes() {
        let key = SecretKey::<Domain>::from_slice(&[0x41; 32]).unwrap();
        assert_eq!(format!("{key:?}"), "[SECRET KEY]");
        assert_eq!(format!("{:?}", Plaintext::new(vec![0x41; 3])), "[PLAINTEXT 3 bytes]");
    }

    #[test]
    fn a_key_has_exactly_32_bytes() {
        for length in [0, 31, 33] {
            assert!(SecretKey::<Domain>::from_slice(&vec![7; length]).is_none(), "{length}");
        }
        assert_eq!(SecretKey::<Domain>::from_slice(&[7; 32]).unwrap().expose(), &[7; 32]);
    }
}
