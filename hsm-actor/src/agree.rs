//! Elliptic curve Diffie-Hellman on the NIST curves (SP 800-56A section 5.7.1.2): the raw shared secret.
//! Holds no key, and judges no label.

use aws_lc_rs::agreement::{
    self, Algorithm, ECDH_P256, ECDH_P384, ECDH_P521, ParsedPublicKey, ParsedPublicKeyFormat, PrivateKey,
    UnparsedPublicKey,
};

use crate::{error::HsmError, label::Spec, secret::Plaintext};

/// How the library calls a spec's curve, and the curve's AlgorithmIdentifier.
fn curve(spec: Spec) -> Result<(&'static Algorithm, &'static [u8]), HsmError> {
    match spec {
        Spec::EccNistP256 => {
            Ok((&ECDH_P256, b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07"))
        }
        Spec::EccNistP384 => {
            Ok((&ECDH_P384, b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22"))
        }
        Spec::EccNistP521 => {
            Ok((&ECDH_P521, b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23"))
        }
        _ => Err(HsmError::Refused),
    }
}

/// Whether a SubjectPublicKeyInfo names its curve so. The library also takes one that spells out the curve's parameters
/// and does not look at all of them; RFC 5480 section 2.1.1 allows named curves only.
fn names_curve(peer: &[u8], identifier: &[u8]) -> bool {
    // The outer SEQUENCE's length takes one byte, or two for P-521.
    let content = match peer {
        [0x30, 0x81, _, content @ ..] | [0x30, 0..=0x7f, content @ ..] => content,
        _ => return false,
    };
    content.starts_with(identifier)
}

/// The x coordinate of what both sides compute, as long as the curve's field. `peer` is a SubjectPublicKeyInfo of the
/// same curve; everything else is [`HsmError::InvalidPublicKey`].
pub(crate) fn shared_secret(spec: Spec, private: &Plaintext, peer: &[u8]) -> Result<Plaintext, HsmError> {
    let (algorithm, identifier) = curve(spec)?;
    let own = PrivateKey::from_private_key_der(algorithm, private.expose());
    let own = own.map_err(|_| HsmError::MaterialMismatch)?;
    if !names_curve(peer, identifier) {
        return Err(HsmError::InvalidPublicKey);
    }
    let peer = ParsedPublicKey::try_from(UnparsedPublicKey::new(algorithm, peer));
    let peer = peer.ok().filter(|peer| peer.format() == ParsedPublicKeyFormat::X509);
    let peer = peer.ok_or(HsmError::InvalidPublicKey)?;
    agreement::agree(&own, peer, HsmError::InvalidPublicKey, |secret| Ok(Plaintext::new(secret.to_vec())))
}
