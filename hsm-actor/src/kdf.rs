//! Keys from keys: the counter-mode KDF of NIST SP 800-108r1 section 4.1 with HMAC-SHA256.
//! Knows nothing of what a label means; each purpose brings its own.

use aws_lc_rs::kdf::{self, KbkdfCtrHmacAlgorithmId};

use crate::{
    error::HsmError,
    secret::{KEY_BYTES, SecretKey},
};

/// A 256-bit key for the purpose `label`, told apart by `context`.
///
/// The fixed input is `label | 0x00 | context | output length in bits, 4 bytes`; a label holds no zero byte.
pub(crate) fn derive<K, L>(secret: &SecretKey<K>, label: &str, context: &[u8]) -> Result<SecretKey<L>, HsmError> {
    const OUTPUT_BITS: u32 = KEY_BYTES as u32 * 8;
    let algorithm = kdf::get_kbkdf_ctr_hmac_algorithm(KbkdfCtrHmacAlgorithmId::Sha256).ok_or(HsmError::Fault)?;
    let mut info = Vec::with_capacity(label.len() + context.len() + 5);
    info.extend_from_slice(label.as_bytes());
    info.push(0);
    info.extend_from_slice(context);
    info.extend_from_slice(&OUTPUT_BITS.to_be_bytes());
    SecretKey::filled(|output| {
        kdf::kbkdf_ctr_hmac(algorithm, secret.expose(), &info, output).map_err(|_| HsmError::Fault)
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::secret::{Call, Domain};

    #[test]
    fn label_context_and_secret_each_change_the_key() {
        let derived = |secret: u8, label: &str, context: &[u8]| {
            let secret = SecretKey::<Domain>::from_slice(&[secret; 32]).unwrap();
            *derive::<_, Call>(&secret, label, context).unwrap().expose()
        };
        let key = derived(1, "label", b"context");
        assert_eq!(key, derived(1, "label", b"context"));
        assert_ne!(key, derived(2, "label", b"context"));
        assert_ne!(key, derived(1, "labem", b"context"));
        assert_ne!(key, derived(1, "label", b"contexu"));
        assert_ne!(key, derived(1, "labe", b"l\0context"));
    }
}
