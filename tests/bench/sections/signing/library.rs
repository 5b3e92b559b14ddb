//! What the cryptographic library takes for a key that it has not seen: to load it, to sign a digest's worth, to verify.
//! In this process, on the load's core.

use std::time::Instant;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256,
    RSA_PKCS1_SHA256, RsaKeyPair, UnparsedPublicKey,
};
use aws_lc_rs::{encoding::AsDer as _, rsa::KeySize};

use crate::Outcome;
use crate::figures::median;

const MESSAGE: [u8; 32] = [7; 32];
/// Fresh keys of one round; an RSA key takes a tenth of a second to make.
const KEYS: usize = 10;

#[derive(Clone, Copy, Debug)]
pub(super) enum Library {
    P256,
    Rsa2048,
}

/// Microseconds, medians of some keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub(super) load_us: f64,
    pub(super) sign_us: f64,
    pub(super) verify_us: f64,
}

impl Library {
    pub(super) fn work(self) -> Outcome<Work> {
        let works = (0..KEYS)
            .map(|_| match self {
                Self::P256 => p256(),
                Self::Rsa2048 => rsa_2048(),
            })
            .collect::<Outcome<Vec<[f64; 3]>>>()?;
        let of = |at: usize| median(works.iter().filter_map(|work| work.get(at).copied()));
        Ok(Work { load_us: of(0), sign_us: of(1), verify_us: of(2) })
    }
}

fn p256() -> Outcome<[f64; 3]> {
    let stored = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?.to_pkcs8v1()?;
    let (pair, load) = timed(|| EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, stored.as_ref()))?;
    let (signature, sign) = timed(|| pair.sign(&SystemRandom::new(), &MESSAGE))?;
    let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key().as_ref());
    let ((), verify) = timed(|| public.verify(&MESSAGE, signature.as_ref()))?;
    Ok([load, sign, verify])
}

fn rsa_2048() -> Outcome<[f64; 3]> {
    let stored = RsaKeyPair::generate(KeySize::Rsa2048)?.as_der()?;
    let (pair, load) = timed(|| RsaKeyPair::from_pkcs8(stored.as_ref()))?;
    let mut signature = vec![0; pair.public_modulus_len()];
    let ((), sign) = timed(|| pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), &MESSAGE, &mut signature))?;
    let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, pair.public_key().as_ref());
    let ((), verify) = timed(|| public.verify(&MESSAGE, &signature))?;
    Ok([load, sign, verify])
}

/// What came of it, and the microseconds that it took.
fn timed<T, E: Into<Box<dyn std::error::Error + Send + Sync>>>(
    work: impl FnOnce() -> Result<T, E>,
) -> Outcome<(T, f64)> {
    let began = Instant::now();
    let done = work().map_err(Into::into)?;
    Ok((done, began.elapsed().as_secs_f64() * 1e6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_sign_and_verify() {
        for library in [Library::P256, Library::Rsa2048] {
            assert!(library.work().is_ok_and(|work| work.sign_us > 0.0), "{library:?}");
        }
    }
}
