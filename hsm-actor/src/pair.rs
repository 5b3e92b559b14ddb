//! Key pairs: made, kept as PKCS#8 (RFC 5208) beside SubjectPublicKeyInfo (RFC 5280), and read back.
//! Knows specs and encodings; what a pair is used for is decided elsewhere.

use aws_lc_rs::{
    encoding::AsDer,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256K1_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING,
        ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RsaKeyPair,
    },
};
use zeroize::Zeroizing;

use crate::{error::HsmError, label::Spec, secret::Plaintext};

/// The seed of an Ed25519 key, in bytes.
pub(crate) const ED25519_SEED_BYTES: usize = 32;
/// What precedes the seed in the PKCS#8 v1 form of an Ed25519 key (RFC 8410 section 7).
const ED25519_PKCS8_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// A key pair as it is kept: both halves in DER.
pub(crate) struct Pair {
    /// PKCS#8 version 1.
    pub(crate) private: Plaintext,
    /// SubjectPublicKeyInfo.
    pub(crate) public: Vec<u8>,
}

/// A private key that is ready for use.
pub(crate) enum Loaded {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl Pair {
    /// A new pair, which reads back as itself. [`HsmError::Refused`] for a spec that is not of pairs.
    ///
    /// An RSA key takes a tenth of a second to some seconds.
    pub(crate) fn generate(spec: Spec) -> Result<Self, HsmError> {
        let loaded = match Kind::of(spec).ok_or(HsmError::Refused)? {
            Kind::Rsa(size) => Loaded::Rsa(RsaKeyPair::generate(size).map_err(|_| HsmError::Fault)?),
            Kind::Ecdsa(algorithm) => Loaded::Ecdsa(EcdsaKeyPair::generate(algorithm).map_err(|_| HsmError::Fault)?),
            Kind::Ed25519 => Loaded::Ed25519(Ed25519KeyPair::generate().map_err(|_| HsmError::Fault)?),
        };
        let pair = Self { private: loaded.pkcs8()?, public: loaded.public_key()? };
        let again = Loaded::from_pkcs8(spec, &pair.private).map_err(|_| HsmError::SelfTest)?;
        if again.public_key()? == pair.public { Ok(pair) } else { Err(HsmError::SelfTest) }
    }
}

impl Loaded {
    /// The private key of a pair of this spec. Stored bytes that are none are [`HsmError::MaterialMismatch`].
    pub(crate) fn from_pkcs8(spec: Spec, private: &Plaintext) -> Result<Self, HsmError> {
        let der = private.expose();
        let mismatch = |_| HsmError::MaterialMismatch;
        match Kind::of(spec).ok_or(HsmError::Refused)? {
            Kind::Rsa(size) => {
                let pair = RsaKeyPair::from_pkcs8(der).map_err(mismatch)?;
                let fits = pair.public_modulus_len() == size.len();
                if fits { Ok(Self::Rsa(pair)) } else { Err(HsmError::MaterialMismatch) }
            }
            Kind::Ecdsa(algorithm) => EcdsaKeyPair::from_pkcs8(algorithm, der).map(Self::Ecdsa).map_err(mismatch),
            Kind::Ed25519 => Ed25519KeyPair::from_pkcs8(der).map(Self::Ed25519).map_err(mismatch),
        }
    }

    fn pkcs8(&self) -> Result<Plaintext, HsmError> {
        // What the library returns wipes itself; so does the copy.
        let copy = |der: &[u8]| Plaintext::from_wiped(Zeroizing::new(der.to_vec()));
        match self {
            Self::Rsa(pair) => pair.as_der().map(|der| copy(der.as_ref())),
            Self::Ecdsa(pair) => pair.to_pkcs8v1().map(|der| copy(der.as_ref())),
            Self::Ed25519(pair) => pair.to_pkcs8v1().map(|der| copy(der.as_ref())),
        }
        .map_err(|_| HsmError::Fault)
    }

    fn public_key(&self) -> Result<Vec<u8>, HsmError> {
        match self {
            Self::Rsa(pair) => pair.public_key().as_der(),
            Self::Ecdsa(pair) => pair.public_key().as_der(),
            Self::Ed25519(pair) => pair.public_key().as_der(),
        }
        .map(|der| der.as_ref().to_vec())
        .map_err(|_| HsmError::Fault)
    }
}

/// How the library calls a spec's pairs.
enum Kind {
    Rsa(KeySize),
    Ecdsa(&'static EcdsaSigningAlgorithm),
    Ed25519,
}

impl Kind {
    fn of(spec: Spec) -> Option<Self> {
        Some(match spec {
            Spec::Rsa2048 => Self::Rsa(KeySize::Rsa2048),
            Spec::Rsa3072 => Self::Rsa(KeySize::Rsa3072),
            Spec::Rsa4096 => Self::Rsa(KeySize::Rsa4096),
            Spec::EccNistP256 => Self::Ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING),
            Spec::EccNistP384 => Self::Ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING),
            Spec::EccNistP521 => Self::Ecdsa(&ECDSA_P521_SHA512_ASN1_SIGNING),
            Spec::EccSecgP256k1 => Self::Ecdsa(&ECDSA_P256K1_SHA256_ASN1_SIGNING),
            Spec::EccNistEdwards25519 => Self::Ed25519,
            Spec::SymmetricDefault | Spec::Hmac224 | Spec::Hmac256 | Spec::Hmac384 | Spec::Hmac512 => return None,
        })
    }
}

/// The seed within the PKCS#8 form of an Ed25519 key.
pub(crate) fn ed25519_seed(private: &Plaintext) -> Result<&[u8; ED25519_SEED_BYTES], HsmError> {
    let seed = private.expose().strip_prefix(&ED25519_PKCS8_PREFIX).ok_or(HsmError::MaterialMismatch)?;
    seed.try_into().map_err(|_| HsmError::MaterialMismatch)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const QUICK: [Spec; 5] =
        [Spec::EccNistP256, Spec::EccNistP384, Spec::EccNistP521, Spec::EccSecgP256k1, Spec::EccNistEdwards25519];

    #[test]
    fn a_pair_reads_back_as_its_own_spec_only() {
        for spec in QUICK.into_iter().chain([Spec::Rsa2048]) {
            let pair = Pair::generate(spec).unwrap();
            for other in QUICK.into_iter().chain([Spec::Rsa2048, Spec::Rsa3072]) {
                let loaded = Loaded::from_pkcs8(other, &pair.private);
                let expected = if other == spec { None } else { Some(HsmError::MaterialMismatch) };
                assert_eq!(loaded.err(), expected, "{spec:?} as {other:?}");
            }
            assert_ne!(pair.public, Pair::generate(spec).unwrap().public);
        }
        for spec in [Spec::SymmetricDefault, Spec::Hmac256] {
            assert_eq!(Pair::generate(spec).err(), Some(HsmError::Refused));
        }
    }

    #[test]
    fn the_seed_is_in_the_pkcs8() {
        let pair = Pair::generate(Spec::EccNistEdwards25519).unwrap();
        let again = Ed25519KeyPair::from_seed_unchecked(ed25519_seed(&pair.private).unwrap()).unwrap();
        assert_eq!(again.public_key().as_der().unwrap().as_ref(), pair.public);
        assert_eq!(ed25519_seed(&Plaintext::new(vec![0; 48])).err(), Some(HsmError::MaterialMismatch));
    }
}
