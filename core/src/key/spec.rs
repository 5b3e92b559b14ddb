//! What each key spec can do: its usages, its algorithms, and how the HSM calls them.
//! Data about key types; knows no key and no state.

use kms_hsm::{MacAlgorithm, OaepHash, SigningAlgorithm};

use crate::model::{
    DataKeyPairSpec, EncryptionAlgorithmSpec, KeyAgreementAlgorithmSpec, KeySpec, KeyUsageType, MacAlgorithmSpec,
    SigningAlgorithmSpec,
};

/// The algorithms with which a key of this spec and usage encrypts, in AWS's order.
pub fn encryption_algorithms(spec: KeySpec, usage: KeyUsageType) -> &'static [EncryptionAlgorithmSpec] {
    use EncryptionAlgorithmSpec::{RsaesOaepSha1, RsaesOaepSha256, SymmetricDefault};
    match (spec, usage) {
        (KeySpec::SymmetricDefault, KeyUsageType::EncryptDecrypt) => &[SymmetricDefault],
        (KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096, KeyUsageType::EncryptDecrypt) => {
            &[RsaesOaepSha1, RsaesOaepSha256]
        }
        _ => &[],
    }
}

/// The algorithms with which a key of this spec and usage signs, in AWS's order.
pub fn signing_algorithms(spec: KeySpec, usage: KeyUsageType) -> &'static [SigningAlgorithmSpec] {
    use SigningAlgorithmSpec as Algorithm;
    if usage != KeyUsageType::SignVerify {
        return &[];
    }
    match spec {
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => &[
            Algorithm::RsassaPkcs1V15Sha256,
            Algorithm::RsassaPkcs1V15Sha384,
            Algorithm::RsassaPkcs1V15Sha512,
            Algorithm::RsassaPssSha256,
            Algorithm::RsassaPssSha384,
            Algorithm::RsassaPssSha512,
        ],
        KeySpec::EccNistP256 | KeySpec::EccSecgP256k1 => &[Algorithm::EcdsaSha256],
        KeySpec::EccNistP384 => &[Algorithm::EcdsaSha384],
        KeySpec::EccNistP521 => &[Algorithm::EcdsaSha512],
        KeySpec::EccNistEdwards25519 => &[Algorithm::Ed25519Sha512, Algorithm::Ed25519PhSha512],
        _ => &[],
    }
}

/// The algorithms with which a key of this spec makes codes.
pub fn mac_algorithms(spec: KeySpec) -> &'static [MacAlgorithmSpec] {
    match spec {
        KeySpec::Hmac224 => &[MacAlgorithmSpec::HmacSha224],
        KeySpec::Hmac256 => &[MacAlgorithmSpec::HmacSha256],
        KeySpec::Hmac384 => &[MacAlgorithmSpec::HmacSha384],
        KeySpec::Hmac512 => &[MacAlgorithmSpec::HmacSha512],
        _ => &[],
    }
}

/// The algorithms with which a key of this spec and usage agrees on secrets.
pub fn key_agreement_algorithms(spec: KeySpec, usage: KeyUsageType) -> &'static [KeyAgreementAlgorithmSpec] {
    match (spec, usage) {
        (KeySpec::EccNistP256 | KeySpec::EccNistP384 | KeySpec::EccNistP521, KeyUsageType::KeyAgreement) => {
            &[KeyAgreementAlgorithmSpec::Ecdh]
        }
        _ => &[],
    }
}

/// The length of what an algorithm's hash function gives, in bytes.
pub fn digest_bytes(algorithm: SigningAlgorithmSpec) -> usize {
    use SigningAlgorithmSpec as Algorithm;
    match algorithm {
        Algorithm::RsassaPssSha256
        | Algorithm::RsassaPkcs1V15Sha256
        | Algorithm::EcdsaSha256
        // SM3, which is as long.
        | Algorithm::Sm2dsa => 32,
        Algorithm::RsassaPssSha384 | Algorithm::RsassaPkcs1V15Sha384 | Algorithm::EcdsaSha384 => 48,
        Algorithm::RsassaPssSha512
        | Algorithm::RsassaPkcs1V15Sha512
        | Algorithm::EcdsaSha512
        | Algorithm::Ed25519Sha512
        | Algorithm::Ed25519PhSha512
        | Algorithm::MlDsaShake256 => 64,
    }
}

/// The most that an RSA key encrypts, in bytes: its modulus without two digests and two bytes (RFC 8017 section 7.1.1).
/// `None` for what is no RSA encryption.
pub fn plaintext_bytes_max(spec: KeySpec, algorithm: EncryptionAlgorithmSpec) -> Option<usize> {
    let modulus = match spec {
        KeySpec::Rsa2048 => 256,
        KeySpec::Rsa3072 => 384,
        KeySpec::Rsa4096 => 512,
        _ => return None,
    };
    match algorithm {
        EncryptionAlgorithmSpec::RsaesOaepSha1 => Some(modulus - 2 * 20 - 2),
        EncryptionAlgorithmSpec::RsaesOaepSha256 => Some(modulus - 2 * 32 - 2),
        _ => None,
    }
}

/// Whether a key of this spec has a public half.
pub fn is_key_pair(spec: KeySpec) -> bool {
    match spec {
        KeySpec::SymmetricDefault | KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512 => false,
        KeySpec::Rsa2048
        | KeySpec::Rsa3072
        | KeySpec::Rsa4096
        | KeySpec::EccNistP256
        | KeySpec::EccNistP384
        | KeySpec::EccNistP521
        | KeySpec::EccSecgP256k1
        | KeySpec::EccNistEdwards25519
        | KeySpec::MlDsa44
        | KeySpec::MlDsa65
        | KeySpec::MlDsa87
        | KeySpec::MlKem512
        | KeySpec::MlKem768
        | KeySpec::MlKem1024
        | KeySpec::Sm2 => true,
    }
}

/// The HSM's name of a spec that the HSM can hold.
pub fn hsm_spec(spec: KeySpec) -> Option<kms_hsm::Spec> {
    use kms_hsm::Spec;
    Some(match spec {
        KeySpec::SymmetricDefault => Spec::SymmetricDefault,
        KeySpec::Rsa2048 => Spec::Rsa2048,
        KeySpec::Rsa3072 => Spec::Rsa3072,
        KeySpec::Rsa4096 => Spec::Rsa4096,
        KeySpec::EccNistP256 => Spec::EccNistP256,
        KeySpec::EccNistP384 => Spec::EccNistP384,
        KeySpec::EccNistP521 => Spec::EccNistP521,
        KeySpec::EccSecgP256k1 => Spec::EccSecgP256k1,
        KeySpec::EccNistEdwards25519 => Spec::EccNistEdwards25519,
        KeySpec::Hmac224 => Spec::Hmac224,
        KeySpec::Hmac256 => Spec::Hmac256,
        KeySpec::Hmac384 => Spec::Hmac384,
        KeySpec::Hmac512 => Spec::Hmac512,
        KeySpec::MlDsa44
        | KeySpec::MlDsa65
        | KeySpec::MlDsa87
        | KeySpec::MlKem512
        | KeySpec::MlKem768
        | KeySpec::MlKem1024
        | KeySpec::Sm2 => return None,
    })
}

/// The HSM's name of a usage.
pub fn hsm_usage(usage: KeyUsageType) -> Option<kms_hsm::Usage> {
    use kms_hsm::Usage;
    match usage {
        KeyUsageType::EncryptDecrypt => Some(Usage::EncryptDecrypt),
        KeyUsageType::SignVerify => Some(Usage::SignVerify),
        KeyUsageType::GenerateVerifyMac => Some(Usage::GenerateVerifyMac),
        KeyUsageType::KeyAgreement => Some(Usage::KeyAgreement),
        KeyUsageType::EncapsulateDecapsulate => None,
    }
}

/// The HSM's name of the spec of a data key pair that the HSM can make.
pub fn hsm_pair_spec(spec: DataKeyPairSpec) -> Option<kms_hsm::Spec> {
    // A pair's spec has the name of the key spec of the same pairs.
    spec.as_str().parse().ok().and_then(hsm_spec)
}

/// The HSM's name of a signing algorithm that the HSM has.
pub fn hsm_signing_algorithm(algorithm: SigningAlgorithmSpec) -> Option<SigningAlgorithm> {
    Some(match algorithm {
        SigningAlgorithmSpec::RsassaPssSha256 => SigningAlgorithm::RsaPssSha256,
        SigningAlgorithmSpec::RsassaPssSha384 => SigningAlgorithm::RsaPssSha384,
        SigningAlgorithmSpec::RsassaPssSha512 => SigningAlgorithm::RsaPssSha512,
        SigningAlgorithmSpec::RsassaPkcs1V15Sha256 => SigningAlgorithm::RsaPkcs1Sha256,
        SigningAlgorithmSpec::RsassaPkcs1V15Sha384 => SigningAlgorithm::RsaPkcs1Sha384,
        SigningAlgorithmSpec::RsassaPkcs1V15Sha512 => SigningAlgorithm::RsaPkcs1Sha512,
        SigningAlgorithmSpec::EcdsaSha256 => SigningAlgorithm::EcdsaSha256,
        SigningAlgorithmSpec::EcdsaSha384 => SigningAlgorithm::EcdsaSha384,
        SigningAlgorithmSpec::EcdsaSha512 => SigningAlgorithm::EcdsaSha512,
        SigningAlgorithmSpec::Ed25519Sha512 => SigningAlgorithm::Ed25519,
        SigningAlgorithmSpec::Ed25519PhSha512 => SigningAlgorithm::Ed25519Ph,
        SigningAlgorithmSpec::Sm2dsa | SigningAlgorithmSpec::MlDsaShake256 => return None,
    })
}

/// The HSM's name of a MAC algorithm.
pub fn hsm_mac_algorithm(algorithm: MacAlgorithmSpec) -> MacAlgorithm {
    match algorithm {
        MacAlgorithmSpec::HmacSha224 => MacAlgorithm::HmacSha224,
        MacAlgorithmSpec::HmacSha256 => MacAlgorithm::HmacSha256,
        MacAlgorithmSpec::HmacSha384 => MacAlgorithm::HmacSha384,
        MacAlgorithmSpec::HmacSha512 => MacAlgorithm::HmacSha512,
    }
}

/// The hash function of an RSA encryption; `None` for what is none.
pub fn hsm_oaep_hash(algorithm: EncryptionAlgorithmSpec) -> Option<OaepHash> {
    match algorithm {
        EncryptionAlgorithmSpec::RsaesOaepSha1 => Some(OaepHash::Sha1),
        EncryptionAlgorithmSpec::RsaesOaepSha256 => Some(OaepHash::Sha256),
        EncryptionAlgorithmSpec::SymmetricDefault | EncryptionAlgorithmSpec::Sm2pke => None,
    }
}

/// The usages that a spec allows (API reference of CreateKey).
pub fn usages(spec: KeySpec) -> &'static [KeyUsageType] {
    use KeyUsageType::{EncapsulateDecapsulate, EncryptDecrypt, GenerateVerifyMac, KeyAgreement, SignVerify};
    match spec {
        KeySpec::SymmetricDefault => &[EncryptDecrypt],
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => &[EncryptDecrypt, SignVerify],
        KeySpec::EccNistP256 | KeySpec::EccNistP384 | KeySpec::EccNistP521 => &[SignVerify, KeyAgreement],
        KeySpec::EccSecgP256k1 | KeySpec::EccNistEdwards25519 => &[SignVerify],
        KeySpec::MlDsa44 | KeySpec::MlDsa65 | KeySpec::MlDsa87 => &[SignVerify],
        KeySpec::MlKem512 | KeySpec::MlKem768 | KeySpec::MlKem1024 => &[EncapsulateDecapsulate],
        KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512 => &[GenerateVerifyMac],
        KeySpec::Sm2 => &[EncryptDecrypt, SignVerify, KeyAgreement],
    }
}

/// The operations that a grant on such a key can allow ("Grant operations" of the developer guide).
pub fn grant_operations(spec: KeySpec, usage: KeyUsageType) -> &'static [&'static str] {
    match (spec, usage) {
        (KeySpec::SymmetricDefault, _) => &[
            "Decrypt",
            "Encrypt",
            "GenerateDataKey",
            "GenerateDataKeyWithoutPlaintext",
            "GenerateDataKeyPair",
            "GenerateDataKeyPairWithoutPlaintext",
            "ReEncryptFrom",
            "ReEncryptTo",
            "CreateGrant",
            "RetireGrant",
            "DescribeKey",
        ],
        (_, KeyUsageType::EncryptDecrypt) => &[
            "Decrypt",
            "Encrypt",
            "ReEncryptFrom",
            "ReEncryptTo",
            "GetPublicKey",
            "CreateGrant",
            "RetireGrant",
            "DescribeKey",
        ],
        (_, KeyUsageType::SignVerify) => {
            &["Sign", "Verify", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey"]
        }
        (_, KeyUsageType::GenerateVerifyMac) => {
            &["GenerateMac", "VerifyMac", "CreateGrant", "RetireGrant", "DescribeKey"]
        }
        (_, KeyUsageType::KeyAgreement) => {
            &["DeriveSharedSecret", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey"]
        }
        (_, KeyUsageType::EncapsulateDecapsulate) => &["CreateGrant", "RetireGrant", "DescribeKey"],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::authz::grant::Operations;

    const USAGES: [KeyUsageType; 5] = [
        KeyUsageType::EncryptDecrypt,
        KeyUsageType::SignVerify,
        KeyUsageType::GenerateVerifyMac,
        KeyUsageType::KeyAgreement,
        KeyUsageType::EncapsulateDecapsulate,
    ];
    const HELD: [&str; 13] = [
        "SYMMETRIC_DEFAULT",
        "RSA_2048",
        "RSA_3072",
        "RSA_4096",
        "ECC_NIST_P256",
        "ECC_NIST_P384",
        "ECC_NIST_P521",
        "ECC_SECG_P256K1",
        "ECC_NIST_EDWARDS25519",
        "HMAC_224",
        "HMAC_256",
        "HMAC_384",
        "HMAC_512",
    ];
    const LACKING: [&str; 7] =
        ["SM2", "ML_DSA_44", "ML_DSA_65", "ML_DSA_87", "ML_KEM_512", "ML_KEM_768", "ML_KEM_1024"];

    fn algorithms(spec: KeySpec, usage: KeyUsageType) -> usize {
        let macs = if usage == KeyUsageType::GenerateVerifyMac { mac_algorithms(spec) } else { &[] };
        encryption_algorithms(spec, usage).len()
            + signing_algorithms(spec, usage).len()
            + key_agreement_algorithms(spec, usage).len()
            + macs.len()
    }

    #[test]
    fn what_the_hsm_can_hold_can_be_used() {
        for (name, held) in HELD.map(|name| (name, true)).into_iter().chain(LACKING.map(|name| (name, false))) {
            let spec: KeySpec = name.parse().unwrap();
            assert!(!usages(spec).is_empty(), "{name}");
            assert_eq!(hsm_spec(spec).is_some(), held, "{name}");
            for usage in USAGES {
                let fits = usages(spec).contains(&usage);
                assert_eq!(algorithms(spec, usage) > 0, fits && held, "{name} {usage:?}");
                assert!(Operations::from_names(grant_operations(spec, usage).iter().copied()).is_some(), "{name}");
            }
        }
    }

    #[test]
    fn algorithms_of_held_keys_are_the_hsms() {
        for name in HELD {
            let spec: KeySpec = name.parse().unwrap();
            for algorithm in signing_algorithms(spec, KeyUsageType::SignVerify) {
                assert!(hsm_signing_algorithm(*algorithm).is_some(), "{name} {algorithm:?}");
                let ends_in = format!("SHA_{}", 8 * digest_bytes(*algorithm));
                assert!(algorithm.as_str().ends_with(&ends_in), "{algorithm:?}");
            }
            for algorithm in encryption_algorithms(spec, KeyUsageType::EncryptDecrypt) {
                assert_eq!(hsm_oaep_hash(*algorithm).is_some(), is_key_pair(spec), "{name} {algorithm:?}");
                assert_eq!(plaintext_bytes_max(spec, *algorithm).is_some(), is_key_pair(spec), "{name}");
            }
        }
    }

    /// The developer guide's table of what RSA keys encrypt at most.
    #[test]
    fn rsa_keys_have_room_for_what_aws_says() {
        let sizes = |name: &str| {
            let spec = name.parse().unwrap();
            encryption_algorithms(spec, KeyUsageType::EncryptDecrypt)
                .iter()
                .map(|algorithm| plaintext_bytes_max(spec, *algorithm).unwrap())
                .collect::<Vec<_>>()
        };
        assert_eq!([sizes("RSA_2048"), sizes("RSA_3072"), sizes("RSA_4096")], [[214, 190], [342, 318], [470, 446]]);
    }
}
