//! Signatures: RSASSA-PSS and PKCS#1 v1.5 (RFC 8017), ECDSA (FIPS 186-5, in DER), Ed25519 and Ed25519ph (RFC 8032).
//! Knows which spec has which algorithm; holds no key, and judges no label.

use aws_lc_rs::{
    digest::{self, Digest, SHA256, SHA384, SHA512},
    signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256K1_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, ECDSA_P521_SHA512_ASN1, ED25519,
        RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512, RSA_PKCS1_SHA256,
        RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_2048_8192_SHA256, RSA_PSS_2048_8192_SHA384,
        RSA_PSS_2048_8192_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, UnparsedPublicKey,
        VerificationAlgorithm,
    },
};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha512};

use crate::{
    error::HsmError,
    label::Spec,
    pair::{self, Loaded},
    secret::Plaintext,
};

/// What precedes the point in the SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 section 4).
const ED25519_SPKI_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// How a message is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SigningAlgorithm {
    RsaPssSha256,
    RsaPssSha384,
    RsaPssSha512,
    RsaPkcs1Sha256,
    RsaPkcs1Sha384,
    RsaPkcs1Sha512,
    EcdsaSha256,
    EcdsaSha384,
    EcdsaSha512,
    /// Takes the message itself.
    Ed25519,
    /// Takes a digest and hashes it once more (FIPS 186-5 section 7.8.1).
    Ed25519Ph,
}

/// What is signed.
#[derive(Debug)]
pub enum Message {
    Raw(Plaintext),
    /// What the algorithm's hash function made of the message.
    Digest(Plaintext),
}

/// A signature by the private key of a pair of this spec. [`HsmError::Refused`] where the spec has no such algorithm, or
/// the algorithm takes no such message.
pub(crate) fn sign(
    spec: Spec,
    private: &Plaintext,
    algorithm: SigningAlgorithm,
    message: &Message,
) -> Result<Vec<u8>, HsmError> {
    match (Scheme::of(spec, algorithm)?, Loaded::from_pkcs8(spec, private)?) {
        (Scheme::Rsa { encoding, hash, .. }, Loaded::Rsa(pair)) => {
            let mut signature = vec![0; pair.public_modulus_len()];
            let digest = digest_of(message, hash)?;
            pair.sign_digest(encoding, &digest, &mut signature).map_err(|_| HsmError::Fault)?;
            Ok(signature)
        }
        (Scheme::Ecdsa { hash, .. }, Loaded::Ecdsa(pair)) => {
            let digest = digest_of(message, hash)?;
            pair.sign_digest(&digest).map(|signature| signature.as_ref().to_vec()).map_err(|_| HsmError::Fault)
        }
        (Scheme::Ed25519, Loaded::Ed25519(pair)) => {
            let signature = pair.try_sign(raw(message)?).map_err(|_| HsmError::Fault)?;
            Ok(signature.as_ref().to_vec())
        }
        (Scheme::Ed25519Ph, Loaded::Ed25519(_)) => {
            let key = SigningKey::from_bytes(pair::ed25519_seed(private)?);
            let signature = key.sign_prehashed(prehash(message)?, None).map_err(|_| HsmError::Fault)?;
            Ok(signature.to_bytes().to_vec())
        }
        _ => Err(HsmError::Refused),
    }
}

/// Whether the signature is the one of this public key. Every way in which it is not is [`HsmError::InvalidSignature`].
pub(crate) fn verify(
    spec: Spec,
    public: &[u8],
    algorithm: SigningAlgorithm,
    message: &Message,
    signature: &[u8],
) -> Result<(), HsmError> {
    let by_digest = |verification, hash| -> Result<(), HsmError> {
        let digest = digest_of(message, hash)?;
        let public = UnparsedPublicKey::new(verification, public);
        public.verify_digest(&digest, signature).map_err(|_| HsmError::InvalidSignature)
    };
    match Scheme::of(spec, algorithm)? {
        Scheme::Rsa { verification, hash, .. } | Scheme::Ecdsa { verification, hash } => by_digest(verification, hash),
        Scheme::Ed25519 => UnparsedPublicKey::new(&ED25519, public)
            .verify(raw(message)?, signature)
            .map_err(|_| HsmError::InvalidSignature),
        Scheme::Ed25519Ph => {
            let prehash = prehash(message)?;
            let point = public.strip_prefix(&ED25519_SPKI_PREFIX).and_then(|point| point.try_into().ok());
            let key = VerifyingKey::from_bytes(point.ok_or(HsmError::MaterialMismatch)?);
            let key = key.map_err(|_| HsmError::MaterialMismatch)?;
            let signature = Signature::from_slice(signature).map_err(|_| HsmError::InvalidSignature)?;
            key.verify_prehashed_strict(prehash, None, &signature).map_err(|_| HsmError::InvalidSignature)
        }
    }
}

/// How the libraries call an algorithm with a spec that has it.
enum Scheme {
    Rsa {
        encoding: &'static dyn RsaEncoding,
        verification: &'static dyn VerificationAlgorithm,
        hash: &'static digest::Algorithm,
    },
    Ecdsa {
        verification: &'static dyn VerificationAlgorithm,
        hash: &'static digest::Algorithm,
    },
    Ed25519,
    Ed25519Ph,
}

impl Scheme {
    fn of(spec: Spec, algorithm: SigningAlgorithm) -> Result<Self, HsmError> {
        use SigningAlgorithm as Algorithm;
        let ecdsa = |verification, hash| Self::Ecdsa { verification, hash };
        Ok(match (spec, algorithm) {
            (Spec::Rsa2048 | Spec::Rsa3072 | Spec::Rsa4096, _) => return Self::rsa(algorithm),
            (Spec::EccNistP256, Algorithm::EcdsaSha256) => ecdsa(&ECDSA_P256_SHA256_ASN1, &SHA256),
            (Spec::EccSecgP256k1, Algorithm::EcdsaSha256) => ecdsa(&ECDSA_P256K1_SHA256_ASN1, &SHA256),
            (Spec::EccNistP384, Algorithm::EcdsaSha384) => ecdsa(&ECDSA_P384_SHA384_ASN1, &SHA384),
            (Spec::EccNistP521, Algorithm::EcdsaSha512) => ecdsa(&ECDSA_P521_SHA512_ASN1, &SHA512),
            (Spec::EccNistEdwards25519, Algorithm::Ed25519) => Self::Ed25519,
            (Spec::EccNistEdwards25519, Algorithm::Ed25519Ph) => Self::Ed25519Ph,
            _ => return Err(HsmError::Refused),
        })
    }

    /// Salts of RSASSA-PSS are as long as the digest.
    fn rsa(algorithm: SigningAlgorithm) -> Result<Self, HsmError> {
        use SigningAlgorithm as Algorithm;
        let (encoding, verification, hash): (&dyn RsaEncoding, &dyn VerificationAlgorithm, _) = match algorithm {
            Algorithm::RsaPssSha256 => (&RSA_PSS_SHA256, &RSA_PSS_2048_8192_SHA256, &SHA256),
            Algorithm::RsaPssSha384 => (&RSA_PSS_SHA384, &RSA_PSS_2048_8192_SHA384, &SHA384),
            Algorithm::RsaPssSha512 => (&RSA_PSS_SHA512, &RSA_PSS_2048_8192_SHA512, &SHA512),
            Algorithm::RsaPkcs1Sha256 => (&RSA_PKCS1_SHA256, &RSA_PKCS1_2048_8192_SHA256, &SHA256),
            Algorithm::RsaPkcs1Sha384 => (&RSA_PKCS1_SHA384, &RSA_PKCS1_2048_8192_SHA384, &SHA384),
            Algorithm::RsaPkcs1Sha512 => (&RSA_PKCS1_SHA512, &RSA_PKCS1_2048_8192_SHA512, &SHA512),
            _ => return Err(HsmError::Refused),
        };
        Ok(Self::Rsa { encoding, verification, hash })
    }
}

/// A digest of the wrong length is [`HsmError::TooLarge`].
fn digest_of(message: &Message, hash: &'static digest::Algorithm) -> Result<Digest, HsmError> {
    match message {
        Message::Raw(message) => Ok(digest::digest(hash, message.expose())),
        Message::Digest(digest) => Digest::import_less_safe(digest.expose(), hash).map_err(|_| HsmError::TooLarge),
    }
}

fn raw(message: &Message) -> Result<&[u8], HsmError> {
    match message {
        Message::Raw(message) => Ok(message.expose()),
        Message::Digest(_) => Err(HsmError::Refused),
    }
}

/// The caller's digest, which is hashed again as if it were the message.
fn prehash(message: &Message) -> Result<Sha512, HsmError> {
    match message {
        Message::Digest(digest) if digest.len() == SHA512.output_len() => {
            Ok(Sha512::new().chain_update(digest.expose()))
        }
        Message::Digest(_) => Err(HsmError::TooLarge),
        Message::Raw(_) => Err(HsmError::Refused),
    }
}

#[cfg(test)]
mod tests;
