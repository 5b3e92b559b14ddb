//! Known answers of the asymmetric primitives, made by Python's `cryptography` (`known_answers/make.py`) and RFC 8032.
//! What is deterministic must come out the same; what is not must be taken, and refused when a bit of it is changed.

use crate::{
    agree,
    error::HsmError,
    label::Spec,
    oaep::{self, OaepHash},
    secret::Plaintext,
    signing::{self, Message, SigningAlgorithm},
};

const TEXT: &[u8] = b"known answer";

macro_rules! known {
    ($name:literal) => {
        include_bytes!(concat!("../../../known_answers/", $name)).to_vec()
    };
}

/// Answers that can be bent by a test.
pub(super) struct KnownPairs {
    pub(super) rsa_pkcs1: Vec<u8>,
    pub(super) rsa_pss: Vec<u8>,
    pub(super) rsa_oaep: Vec<u8>,
    pub(super) ecdsa: Vec<u8>,
    pub(super) ecdh: Vec<u8>,
    pub(super) ed25519: Vec<u8>,
}

impl Default for KnownPairs {
    fn default() -> Self {
        Self {
            rsa_pkcs1: known!("rsa.pkcs1"),
            rsa_pss: known!("rsa.pss"),
            rsa_oaep: known!("rsa.oaep"),
            ecdsa: known!("ecc.signature"),
            ecdh: known!("ecc.secret"),
            ed25519: known!("ed25519.signature"),
        }
    }
}

impl KnownPairs {
    pub(super) fn are_right(&self) -> Result<bool, HsmError> {
        Ok(self.rsa_is_right()? && self.ecc_is_right()? && self.ed25519_is_right()? && ed25519ph_agrees()?)
    }

    fn rsa_is_right(&self) -> Result<bool, HsmError> {
        let (private, public) = (Plaintext::new(known!("rsa.private")), known!("rsa.public"));
        let made = signing::sign(Spec::Rsa2048, &private, SigningAlgorithm::RsaPkcs1Sha256, &text())?;
        let opened = oaep::decrypt(Spec::Rsa2048, &private, OaepHash::Sha256, &self.rsa_oaep);
        Ok(made == self.rsa_pkcs1
            && is_taken(Spec::Rsa2048, &public, SigningAlgorithm::RsaPkcs1Sha256, &self.rsa_pkcs1)
            && is_taken(Spec::Rsa2048, &public, SigningAlgorithm::RsaPssSha256, &self.rsa_pss)
            && opened.is_ok_and(|opened| opened.expose() == TEXT))
    }

    fn ecc_is_right(&self) -> Result<bool, HsmError> {
        let (private, public) = (Plaintext::new(known!("ecc.private")), known!("ecc.public"));
        let made = signing::sign(Spec::EccNistP256, &private, SigningAlgorithm::EcdsaSha256, &text())?;
        let secret = agree::shared_secret(Spec::EccNistP256, &private, &known!("ecc.peer"))?;
        Ok(secret.expose() == self.ecdh
            && is_taken(Spec::EccNistP256, &public, SigningAlgorithm::EcdsaSha256, &self.ecdsa)
            && is_taken(Spec::EccNistP256, &public, SigningAlgorithm::EcdsaSha256, &made))
    }

    fn ed25519_is_right(&self) -> Result<bool, HsmError> {
        let (private, public) = (Plaintext::new(known!("ed25519.private")), known!("ed25519.public"));
        let made = signing::sign(Spec::EccNistEdwards25519, &private, SigningAlgorithm::Ed25519, &text())?;
        Ok(made == self.ed25519
            && is_taken(Spec::EccNistEdwards25519, &public, SigningAlgorithm::Ed25519, &self.ed25519))
    }
}

/// The two libraries read one key alike: what one makes with the private key, it verifies with the other's public key.
fn ed25519ph_agrees() -> Result<bool, HsmError> {
    let (private, public) = (Plaintext::new(known!("ed25519.private")), known!("ed25519.public"));
    let digest = || Message::Digest(Plaintext::new(vec![0x5a; 64]));
    let (spec, algorithm) = (Spec::EccNistEdwards25519, SigningAlgorithm::Ed25519Ph);
    let made = signing::sign(spec, &private, algorithm, &digest())?;
    Ok(signing::verify(spec, &public, algorithm, &digest(), &made).is_ok())
}

/// Whether the signature verifies, and does not with its last bit flipped.
fn is_taken(spec: Spec, public: &[u8], algorithm: SigningAlgorithm, signature: &[u8]) -> bool {
    let mut bent = signature.to_vec();
    if let Some(last) = bent.last_mut() {
        *last ^= 1;
    }
    let verdict = |signature: &[u8]| signing::verify(spec, public, algorithm, &text(), signature);
    verdict(signature).is_ok() && verdict(&bent) == Err(HsmError::InvalidSignature)
}

fn text() -> Message {
    Message::Raw(Plaintext::new(TEXT.to_vec()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn a_wrong_answer_of_any_primitive_shows() {
        assert_eq!(KnownPairs::default().are_right(), Ok(true));
        let flips: [fn(&mut KnownPairs); 6] = [
            |known| known.rsa_pkcs1[0] ^= 1,
            |known| known.rsa_pss[10] ^= 1,
            |known| known.rsa_oaep[100] ^= 1,
            |known| known.ecdsa[20] ^= 1,
            |known| known.ecdh[31] ^= 1,
            |known| known.ed25519[0] ^= 1,
        ];
        for flip in flips {
            let mut known = KnownPairs::default();
            flip(&mut known);
            assert_eq!(known.are_right(), Ok(false));
        }
    }
}
