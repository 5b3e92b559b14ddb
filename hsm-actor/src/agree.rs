//! Elliptic curve Diffie-Hellman on the NIST curves (SP 800-56A section 5.7.1.2): the raw shared secret.
//! Holds no key, and judges no label.

use aws_lc_rs::agreement::{
    self, Algorithm, ECDH_P256, ECDH_P384, ECDH_P521, ParsedPublicKey, ParsedPublicKeyFormat, PrivateKey,
    UnparsedPublicKey,
};

use crate::{error::HsmError, label::Spec, secret::Plaintext};

/// The AlgorithmIdentifiers of the curves: id-ecPublicKey with the curve's name (RFC 5480 section 2.1.1).
#[rustfmt::skip]
const P256: &[u8] = &[
    0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01,
    0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07,
];
#[rustfmt::skip]
const P384: &[u8] = &[
    0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x22,
];
#[rustfmt::skip]
const P521: &[u8] = &[
    0x30, 0x10, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x05, 0x2b, 0x81, 0x04, 0x00, 0x23,
];

/// How the library calls a spec's curve, and the curve's AlgorithmIdentifier.
fn curve(spec: Spec) -> Result<(&'static Algorithm, &'static [u8]), HsmError> {
    match spec {
        Spec::EccNistP256 => Ok((&ECDH_P256, P256)),
        Spec::EccNistP384 => Ok((&ECDH_P384, P384)),
        Spec::EccNistP521 => Ok((&ECDH_P521, P521)),
        _ => Err(HsmError::Refused),
    }
}

/// Whether these bytes are one SubjectPublicKeyInfo and name its curve so. The library does not look at what comes after
/// one; and it takes one that spells out the curve's parameters, but not all of them count. RFC 5480 section 2.1.1
/// allows named curves only.
fn names_curve(peer: &[u8], identifier: &[u8]) -> bool {
    // The outer SEQUENCE's length takes one byte, or two for P-521.
    let (length, content) = match peer {
        [0x30, 0x81, length, content @ ..] | [0x30, length @ 0..=0x7f, content @ ..] => (*length, content),
        _ => return false,
    };
    content.len() == usize::from(length) && content.starts_with(identifier)
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
