//! The self-test: known answers for every primitive, and one round trip under the ring's own keys.
//! A slot runs it before it gets work.

mod pairs;

use aws_lc_rs::hmac;

use self::pairs::KnownPairs;
use super::{Class, Command};
use crate::{
    aead,
    blob::{self, Fresh},
    context::EncryptionContext,
    error::HsmError,
    kdf,
    secret::{Call, Plaintext, SecretKey},
    token::{Material, MaterialId},
    vault::Vault,
};

/// Answers [`HsmError::SelfTest`] when a primitive or the vault does not work.
#[derive(Debug)]
pub struct SelfTest;

impl Command for SelfTest {
    type Reply = ();
    const NAME: &'static str = "SelfTest";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<(), HsmError> {
        KnownAnswers::default().check()?;
        if !KnownPairs::default().are_right().map_err(|_| HsmError::SelfTest)? {
            return Err(HsmError::SelfTest);
        }
        // Wrapping opens what it wrapped, so this proves the active domain key too.
        let secret = Plaintext::new(b"known answer".to_vec());
        vault.wrap_secret("self-test", &secret).map_err(|_| HsmError::SelfTest)?;
        // Signing verifies what it signed, and hiding shows what it hid.
        vault.session().sign(TEXT).map_err(|_| HsmError::SelfTest)?;
        vault.session().hide("self-test", TEXT).map(drop).map_err(|_| HsmError::SelfTest)
    }
}

/// Answers that were computed elsewhere: RFC 4231 test case 2, and Python's `cryptography` for the others.
struct KnownAnswers {
    hmac: [u8; 32],
    kdf: [u8; 32],
    aes_gcm: [u8; 28],
    blob: [u8; 90],
}

const TEXT: &[u8] = b"known answer";

impl Default for KnownAnswers {
    fn default() -> Self {
        Self { hmac: HMAC, kdf: KDF, aes_gcm: AES_GCM, blob: BLOB }
    }
}

impl KnownAnswers {
    fn check(&self) -> Result<(), HsmError> {
        let all = self.hmac_is_right() && self.kdf_is_right()? && self.aes_gcm_is_right()? && self.blob_is_right()?;
        if all { Ok(()) } else { Err(HsmError::SelfTest) }
    }

    fn hmac_is_right(&self) -> bool {
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, b"Jefe"), b"what do ya want for nothing?");
        tag.as_ref() == self.hmac
    }

    fn kdf_is_right(&self) -> Result<bool, HsmError> {
        let derived: SecretKey<Call> = kdf::derive(&counting_key::<Material>()?, "self-test", &counting::<16>())?;
        Ok(*derived.expose() == self.kdf)
    }

    fn aes_gcm_is_right(&self) -> Result<bool, HsmError> {
        let (key, iv, aad) = (counting_key::<Call>()?, counting::<12>(), b"associated data");
        let mut buffer = TEXT.to_vec();
        let tag = aead::seal(key.expose(), iv, aad, &mut buffer)?;
        let sealed_right = [buffer.as_slice(), &tag].concat() == self.aes_gcm;
        let opened = aead::open(key.expose(), iv, aad, &mut buffer, tag).is_ok() && buffer == TEXT;
        let forged = aead::open(key.expose(), iv, b"other", &mut buffer, tag).is_err();
        Ok(sealed_right && opened && forged)
    }

    fn blob_is_right(&self) -> Result<bool, HsmError> {
        let (material, id) = (counting_key()?, MaterialId([0x77; 32]));
        let context = EncryptionContext::from_pairs([("a", "b")]);
        let fresh = Fresh { nonce: [0x88; 16], iv: [0x99; 12] };
        let sealed = blob::seal_with(&fresh, &material, id, &Plaintext::new(TEXT.to_vec()), &context)?;
        let opened = blob::open(&material, id, &self.blob, &context);
        Ok(sealed == self.blob && opened.is_ok_and(|plaintext| plaintext.expose() == TEXT))
    }
}

/// 0, 1, 2 and so on.
fn counting<const N: usize>() -> [u8; N] {
    std::array::from_fn(|position| position as u8)
}

fn counting_key<K>() -> Result<SecretKey<K>, HsmError> {
    SecretKey::from_slice(&counting::<32>()).ok_or(HsmError::SelfTest)
}

#[rustfmt::skip]
const HMAC: [u8; 32] = [
    0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e, 0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
    0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83, 0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43,
];
#[rustfmt::skip]
const KDF: [u8; 32] = [
    0x86, 0xbd, 0xe2, 0xdc, 0x14, 0xc4, 0xe7, 0xa4, 0xed, 0x57, 0x75, 0xf0, 0xe1, 0xfe, 0xc8, 0xcd,
    0x14, 0x47, 0x1e, 0xe1, 0x26, 0x94, 0x44, 0x8a, 0x1c, 0xb0, 0x08, 0x9b, 0x32, 0x07, 0x7e, 0x24,
];
#[rustfmt::skip]
const AES_GCM: [u8; 28] = [
    0x2c, 0x6c, 0xb9, 0x6c, 0xab, 0xc5, 0xa3, 0x75, 0xfe, 0x36, 0xf2, 0xf9, 0x37, 0x84, 0xc2, 0x88,
    0xcf, 0x11, 0x34, 0xcb, 0xb5, 0x18, 0xcc, 0xa2, 0xc9, 0xcf, 0xd2, 0x7a,
];
#[rustfmt::skip]
const BLOB: [u8; 90] = [
    0x01, 0x01, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77,
    0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77, 0x77,
    0x77, 0x77, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88, 0x88,
    0x88, 0x88, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x99, 0x65, 0x17,
    0xf4, 0xff, 0xf2, 0x7d, 0x75, 0xf4, 0x09, 0x8d, 0x0c, 0x5c, 0x7c, 0xc7, 0x81, 0xcd, 0xd7, 0xf3,
    0xd5, 0xef, 0x75, 0xed, 0x14, 0x13, 0x04, 0xc7, 0xdb, 0x2f,
];

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;
    use crate::testing;

    #[test]
    fn it_passes() {
        assert_eq!(SelfTest.run(&testing::vault()), Ok(()));
    }

    #[test]
    fn a_wrong_answer_of_any_primitive_fails_it() {
        let flips: [fn(&mut KnownAnswers); 4] = [
            |answers| answers.hmac[0] ^= 1,
            |answers| answers.kdf[31] ^= 1,
            |answers| answers.aes_gcm[27] ^= 1,
            |answers| answers.blob[62] ^= 1,
        ];
        for flip in flips {
            let mut answers = KnownAnswers::default();
            flip(&mut answers);
            assert_eq!(answers.check(), Err(HsmError::SelfTest));
        }
    }
}
