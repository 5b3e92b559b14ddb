//! The one source of randomness that becomes a key, a nonce or an answer of GenerateRandom.
//! Knows nothing of what the bytes are for.

use aws_lc_rs::rand;

use crate::error::HsmError;

/// Fills `bytes` from AWS-LC's DRBG, which is seeded by the operating system.
///
/// Fails with [`HsmError::Fault`] when the source does.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), HsmError> {
    rand::fill(bytes).map_err(|_| HsmError::Fault)
}

/// `N` random bytes that need no secrecy, such as a nonce.
pub(crate) fn nonce<const N: usize>() -> Result<[u8; N], HsmError> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}
