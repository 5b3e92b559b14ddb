//! Requests that sign, make MACs, and verify; and the specs of keys that sign, with their algorithms.

use std::sync::Arc;

use aws_lc_rs::signature::{self, VerificationAlgorithm};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use clap::ValueEnum;
use rand::RngExt as _;

use super::Asked;
use crate::checks::Check;
use crate::checks::answer::Expect;
use crate::scene::pool::Sample;
use crate::scene::{Key, Random, Scene};

pub(crate) const MAC_SPEC: &str = "HMAC_256";
const MAC_ALGORITHM: &str = "HMAC_SHA_256";
/// One in so many calls that verify is asked with something else than what was signed.
const WRONG_IN: u32 = 50;
/// One in so many MACs is one that was made before.
const AGAIN_IN: u32 = 4;

/// The spec of keys that sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Signing {
    #[value(name = "ECC_NIST_P256")]
    P256,
    #[value(name = "ECC_NIST_P384")]
    P384,
    #[value(name = "RSA_2048")]
    Rsa2048,
    #[value(name = "RSA_3072")]
    Rsa3072,
    #[value(name = "RSA_4096")]
    Rsa4096,
}

impl Signing {
    pub(crate) fn spec(self) -> &'static str {
        self.facts().0
    }

    fn algorithm(self) -> &'static str {
        self.facts().1
    }

    pub(crate) fn verification(self) -> &'static dyn VerificationAlgorithm {
        self.facts().2
    }

    fn facts(self) -> (&'static str, &'static str, &'static dyn VerificationAlgorithm) {
        match self {
            Self::P256 => ("ECC_NIST_P256", "ECDSA_SHA_256", &signature::ECDSA_P256_SHA256_ASN1),
            Self::P384 => ("ECC_NIST_P384", "ECDSA_SHA_384", &signature::ECDSA_P384_SHA384_ASN1),
            Self::Rsa2048 => ("RSA_2048", "RSASSA_PSS_SHA_256", &signature::RSA_PSS_2048_8192_SHA256),
            Self::Rsa3072 => ("RSA_3072", "RSASSA_PSS_SHA_256", &signature::RSA_PSS_2048_8192_SHA256),
            Self::Rsa4096 => ("RSA_4096", "RSASSA_PSS_SHA_256", &signature::RSA_PSS_2048_8192_SHA256),
        }
    }
}

pub(super) fn sign(scene: &Scene, random: &mut Random, key: Option<&Key>) -> Asked {
    let message: Arc<str> = BASE64.encode(scene.payload(random)).into();
    let (id, algorithm) = (&key?.id, scene.signing.algorithm());
    let body =
        format!(r#"{{"KeyId":"{id}","Message":"{message}","MessageType":"RAW","SigningAlgorithm":"{algorithm}"}}"#);
    Some((body, Expect::Signature(message)))
}

pub(super) fn verify(scene: &Scene, random: &mut Random, key: Option<&Key>) -> Asked {
    let (key, algorithm) = (key?, scene.signing.algorithm());
    let sample = key.pool.draw(random)?;
    let (message, expect) = message(sample, random, "KMSInvalidSignatureException", Check::WrongSignature);
    let (id, made) = (&key.id, &message.1);
    let body = format!(
        r#"{{"KeyId":"{id}","Message":"{}","MessageType":"RAW","Signature":"{made}","SigningAlgorithm":"{algorithm}"}}"#,
        message.0
    );
    Some((body, expect))
}

pub(super) fn generate_mac(scene: &Scene, random: &mut Random, key: Option<&Key>) -> Asked {
    let key = key?;
    let before = if random.random_ratio(1, AGAIN_IN) { key.pool.draw(random) } else { None };
    let message = match &before {
        Some(before) => Arc::clone(&before.input),
        None => BASE64.encode(scene.payload(random)).into(),
    };
    let body = format!(r#"{{"KeyId":"{}","Message":"{message}","MacAlgorithm":"{MAC_ALGORITHM}"}}"#, key.id);
    Some((body, Expect::Mac { message, before }))
}

pub(super) fn verify_mac(_: &Scene, random: &mut Random, key: Option<&Key>) -> Asked {
    let key = key?;
    let sample = key.pool.draw(random)?;
    let ((message, made), expect) = message(sample, random, "KMSInvalidMacException", Check::WrongMac);
    let id = &key.id;
    let body = format!(r#"{{"KeyId":"{id}","Message":"{message}","Mac":"{made}","MacAlgorithm":"{MAC_ALGORITHM}"}}"#);
    Some((body, expect))
}

/// The message of a sample and what was made of it; now and then another message, and then it must not be valid.
fn message(
    sample: Arc<Sample>,
    random: &mut Random,
    refusal: &'static str,
    check: Check,
) -> ((Arc<str>, String), Expect) {
    let made = sample.made.clone();
    if random.random_ratio(1, WRONG_IN) {
        let other: Arc<str> = BASE64.encode(random.random::<[u8; 24]>()).into();
        return ((other, made), Expect::Refusal { code: refusal, check });
    }
    ((Arc::clone(&sample.input), made), Expect::Valid(sample))
}
