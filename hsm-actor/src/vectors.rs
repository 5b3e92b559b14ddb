//! Project Wycheproof's vectors: signatures, ciphertexts, codes and public keys that broken code takes or refuses.
//! Each runs against the function that a command uses. Never built outside tests.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use aws_lc_rs::{
    agreement::{self, ECDH_P256, ECDH_P384, ECDH_P521},
    encoding::{AsDer as _, Pkcs8V1Der},
};
use wycheproof::{TestResult, ecdh, ecdsa, eddsa, mac, rsa_oaep, rsa_pkcs1_verify, rsa_pss_verify};

use crate::{
    agree,
    error::HsmError,
    label::Spec,
    mac::{MacAlgorithm, code, key_bytes, verify as verify_code},
    oaep::{self, OaepHash},
    secret::Plaintext,
    signing::{Message, SigningAlgorithm, verify},
};

/// Holds one verdict against the vector's. What is merely acceptable may go either way.
fn judge<T>(tally: &mut [usize; 2], expected: TestResult, seen: Result<T, HsmError>, refusal: HsmError, what: &str) {
    match (expected, seen) {
        (TestResult::Acceptable, _) => {}
        (TestResult::Valid, Ok(_)) => tally[0] += 1,
        (TestResult::Invalid, Err(error)) if error == refusal => tally[1] += 1,
        (expected, seen) => panic!("{what}: {expected:?}, and it was {:?}", seen.err()),
    }
}

fn raw(message: &[u8]) -> Message {
    Message::Raw(Plaintext::new(message.to_vec()))
}

/// Checks signatures of one set: public key in DER, message, signature, result and comment of each.
macro_rules! signatures {
    ($module:ident, $name:ident, $spec:expr, $algorithm:expr) => {{
        let mut tally = [0; 2];
        for group in $module::TestSet::load($module::TestName::$name).unwrap().test_groups {
            for test in group.tests {
                let seen = verify($spec, &group.der, $algorithm, &raw(&test.msg), &test.sig);
                let what = format!("{} {}: {}", stringify!($name), test.tc_id, test.comment);
                judge(&mut tally, test.result, seen, HsmError::InvalidSignature, &what);
            }
        }
        assert!(tally[0] > 5 && tally[1] > 5, "{} has hardly any: {tally:?}", stringify!($name));
    }};
}

#[test]
fn ecdsa() {
    signatures!(ecdsa, EcdsaSecp256r1Sha256, Spec::EccNistP256, SigningAlgorithm::EcdsaSha256);
    signatures!(ecdsa, EcdsaSecp384r1Sha384, Spec::EccNistP384, SigningAlgorithm::EcdsaSha384);
    signatures!(ecdsa, EcdsaSecp521r1Sha512, Spec::EccNistP521, SigningAlgorithm::EcdsaSha512);
    signatures!(ecdsa, EcdsaSecp256k1Sha256, Spec::EccSecgP256k1, SigningAlgorithm::EcdsaSha256);
}

#[test]
fn ed25519() {
    signatures!(eddsa, Ed25519, Spec::EccNistEdwards25519, SigningAlgorithm::Ed25519);
}

#[test]
fn rsa_pkcs1() {
    use SigningAlgorithm::{RsaPkcs1Sha256, RsaPkcs1Sha384, RsaPkcs1Sha512};
    signatures!(rsa_pkcs1_verify, Rsa2048Sha256, Spec::Rsa2048, RsaPkcs1Sha256);
    signatures!(rsa_pkcs1_verify, Rsa2048Sha384, Spec::Rsa2048, RsaPkcs1Sha384);
    signatures!(rsa_pkcs1_verify, Rsa2048Sha512, Spec::Rsa2048, RsaPkcs1Sha512);
    signatures!(rsa_pkcs1_verify, Rsa3072Sha256, Spec::Rsa3072, RsaPkcs1Sha256);
    signatures!(rsa_pkcs1_verify, Rsa3072Sha384, Spec::Rsa3072, RsaPkcs1Sha384);
    signatures!(rsa_pkcs1_verify, Rsa3072Sha512, Spec::Rsa3072, RsaPkcs1Sha512);
    signatures!(rsa_pkcs1_verify, Rsa4096Sha256, Spec::Rsa4096, RsaPkcs1Sha256);
    signatures!(rsa_pkcs1_verify, Rsa4096Sha384, Spec::Rsa4096, RsaPkcs1Sha384);
    signatures!(rsa_pkcs1_verify, Rsa4096Sha512, Spec::Rsa4096, RsaPkcs1Sha512);
}

#[test]
fn rsa_pss() {
    use SigningAlgorithm::{RsaPssSha256, RsaPssSha384, RsaPssSha512};
    signatures!(rsa_pss_verify, RsaPss2048Sha256Mgf1SaltLen32, Spec::Rsa2048, RsaPssSha256);
    signatures!(rsa_pss_verify, RsaPss2048Sha384Mgf1SaltLen48, Spec::Rsa2048, RsaPssSha384);
    signatures!(rsa_pss_verify, RsaPss3072Sha256Mgf1SaltLen32, Spec::Rsa3072, RsaPssSha256);
    signatures!(rsa_pss_verify, RsaPss4096Sha256Mgf1SaltLen32, Spec::Rsa4096, RsaPssSha256);
    signatures!(rsa_pss_verify, RsaPss4096Sha384Mgf1SaltLen48, Spec::Rsa4096, RsaPssSha384);
    signatures!(rsa_pss_verify, RsaPss4096Sha512Mgf1SaltLen64, Spec::Rsa4096, RsaPssSha512);
}

/// KMS makes salts as long as the digest, and takes no other.
#[test]
fn rsa_pss_with_salts_of_another_length() {
    let mut seen = 0;
    for group in
        rsa_pss_verify::TestSet::load(rsa_pss_verify::TestName::RsaPss2048Sha256Mgf1SaltLen0).unwrap().test_groups
    {
        for test in group.tests.iter().filter(|test| test.result == TestResult::Valid) {
            let verdict = verify(Spec::Rsa2048, &group.der, SigningAlgorithm::RsaPssSha256, &raw(&test.msg), &test.sig);
            assert_eq!(verdict, Err(HsmError::InvalidSignature), "{}", test.tc_id);
            seen += 1;
        }
    }
    assert!(seen > 5);
}

#[test]
fn rsa_oaep() {
    use rsa_oaep::TestName;
    for (name, spec, hash) in [
        (TestName::Rsa2048Sha1Mgf1Sha1, Spec::Rsa2048, OaepHash::Sha1),
        (TestName::Rsa2048Sha256Mgf1Sha256, Spec::Rsa2048, OaepHash::Sha256),
        (TestName::Rsa3072Sha256Mgf1Sha256, Spec::Rsa3072, OaepHash::Sha256),
        (TestName::Rsa4096Sha256Mgf1Sha256, Spec::Rsa4096, OaepHash::Sha256),
    ] {
        let mut tally = [0; 2];
        for group in rsa_oaep::TestSet::load(name).unwrap().test_groups {
            let private = Plaintext::new(group.pkcs8.to_vec());
            for test in group.tests {
                let what = format!("{name:?} {}: {}", test.tc_id, test.comment);
                let seen = oaep::decrypt(spec, &private, hash, &test.ct);
                if let Ok(plaintext) = &seen {
                    assert_eq!(plaintext.expose(), test.pt.as_slice(), "{what}");
                }
                // KMS has no labels, so a ciphertext with one is none of its.
                let expected = if test.label.is_empty() { test.result } else { TestResult::Invalid };
                judge(&mut tally, expected, seen, HsmError::InvalidCiphertext, &what);
            }
        }
        assert!(tally[0] > 5 && tally[1] > 5, "{name:?} has hardly any: {tally:?}");
    }
}

#[test]
fn hmac() {
    use mac::TestName;
    for (name, spec, algorithm) in [
        (TestName::HmacSha224, Spec::Hmac224, MacAlgorithm::HmacSha224),
        (TestName::HmacSha256, Spec::Hmac256, MacAlgorithm::HmacSha256),
        (TestName::HmacSha384, Spec::Hmac384, MacAlgorithm::HmacSha384),
        (TestName::HmacSha512, Spec::Hmac512, MacAlgorithm::HmacSha512),
    ] {
        let mut tally = [0; 2];
        for group in mac::TestSet::load(name).unwrap().test_groups {
            // Keys are as long as their spec says; a tag that was cut short is none.
            let is_whole = group.tag_size == 8 * key_bytes(spec).unwrap();
            for test in group.tests.iter().filter(|test| Some(test.key.len()) == key_bytes(spec)) {
                let (key, message) = (Plaintext::new(test.key.to_vec()), Plaintext::new(test.msg.to_vec()));
                let seen = verify_code(spec, &key, algorithm, &message, &test.tag);
                let what = format!("{name:?} {}: {}", test.tc_id, test.comment);
                let expected = if is_whole { test.result } else { TestResult::Invalid };
                if expected == TestResult::Valid {
                    assert_eq!(code(spec, &key, algorithm, &message).unwrap(), test.tag.as_slice(), "{what}");
                }
                judge(&mut tally, expected, seen, HsmError::InvalidMac, &what);
            }
        }
        assert!(tally[0] > 5 && tally[1] > 5, "{name:?} has hardly any: {tally:?}");
    }
}

#[test]
fn ecdh() {
    use ecdh::TestName;
    for (name, spec, algorithm, bytes) in [
        (TestName::EcdhSecp256r1, Spec::EccNistP256, &ECDH_P256, 32),
        (TestName::EcdhSecp384r1, Spec::EccNistP384, &ECDH_P384, 48),
        (TestName::EcdhSecp521r1, Spec::EccNistP521, &ECDH_P521, 66),
    ] {
        let mut tally = [0; 2];
        for group in ecdh::TestSet::load(name).unwrap().test_groups {
            for test in group.tests {
                // The vectors write scalars as signed integers; the library wants the field's length.
                let digits: Vec<u8> = test.private_key.iter().copied().skip_while(|byte| *byte == 0).collect();
                let scalar = [vec![0; bytes - digits.len()], digits].concat();
                let own = agreement::PrivateKey::from_private_key(algorithm, &scalar).unwrap();
                let pkcs8: Pkcs8V1Der<'_> = own.as_der().unwrap();
                let seen = agree::shared_secret(spec, &Plaintext::new(pkcs8.as_ref().to_vec()), &test.public_key);
                let what = format!("{name:?} {}: {}", test.tc_id, test.comment);
                if let Ok(secret) = &seen {
                    assert_eq!(secret.expose(), test.shared_secret.as_slice(), "{what}");
                }
                judge(&mut tally, test.result, seen, HsmError::InvalidPublicKey, &what);
            }
        }
        assert!(tally[0] > 5 && tally[1] > 5, "{name:?} has hardly any: {tally:?}");
    }
}
