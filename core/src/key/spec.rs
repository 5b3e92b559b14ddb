//! What each key spec can do: its usage, its algorithms, and how the HSM calls it.
//! Data about key types; knows no key and no state.

use crate::model::{EncryptionAlgorithmSpec, KeySpec, KeyUsageType};

/// The algorithms with which a key of this spec and usage encrypts, in AWS's order.
pub fn encryption_algorithms(spec: KeySpec, usage: KeyUsageType) -> &'static [EncryptionAlgorithmSpec] {
    match (spec, usage) {
        (KeySpec::SymmetricDefault, KeyUsageType::EncryptDecrypt) => &[EncryptionAlgorithmSpec::SymmetricDefault],
        _ => &[],
    }
}

/// The HSM's name of a spec that the HSM can hold.
pub fn hsm_spec(spec: KeySpec) -> Option<kms_hsm::Spec> {
    match spec {
        KeySpec::SymmetricDefault => Some(kms_hsm::Spec::SymmetricDefault),
        _ => None,
    }
}

/// The usages that a spec allows (API reference of CreateKey).
pub fn usages(spec: KeySpec) -> &'static [KeyUsageType] {
    use KeyUsageType::{EncryptDecrypt, GenerateVerifyMac, KeyAgreement, SignVerify};
    match spec {
        KeySpec::SymmetricDefault => &[EncryptDecrypt],
        KeySpec::Rsa2048 | KeySpec::Rsa3072 | KeySpec::Rsa4096 => &[EncryptDecrypt, SignVerify],
        KeySpec::EccNistP256 | KeySpec::EccNistP384 | KeySpec::EccNistP521 => &[SignVerify, KeyAgreement],
        KeySpec::EccSecgP256k1 | KeySpec::EccNistEdwards25519 => &[SignVerify],
        KeySpec::MlDsa44 | KeySpec::MlDsa65 | KeySpec::MlDsa87 => &[SignVerify],
        KeySpec::MlKem512 | KeySpec::MlKem768 | KeySpec::MlKem1024 => &[KeyAgreement],
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
        _ => &["CreateGrant", "RetireGrant", "DescribeKey"],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::authz::grant::Operations;

    const USAGES: [KeyUsageType; 4] = [
        KeyUsageType::EncryptDecrypt,
        KeyUsageType::SignVerify,
        KeyUsageType::GenerateVerifyMac,
        KeyUsageType::KeyAgreement,
    ];

    #[test]
    fn what_the_hsm_can_hold_can_be_used() {
        for name in ["SYMMETRIC_DEFAULT", "RSA_2048", "ECC_NIST_P256", "HMAC_256", "SM2", "ML_DSA_44"] {
            let spec: KeySpec = name.parse().unwrap();
            assert!(!usages(spec).is_empty(), "{name}");
            for usage in USAGES {
                let algorithms = encryption_algorithms(spec, usage);
                assert!(algorithms.is_empty() || usages(spec).contains(&usage), "{name} {usage:?}");
                assert!(Operations::from_names(grant_operations(spec, usage).iter().copied()).is_some(), "{name}");
            }
            let encrypts = USAGES.iter().any(|usage| !encryption_algorithms(spec, *usage).is_empty());
            assert_eq!(hsm_spec(spec).is_some(), encrypts, "{name}");
        }
    }
}
