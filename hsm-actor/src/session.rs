//! The region's session keys: one signs session tokens, one makes each session's secret, one hides its claims.
//! All are derived from the region key, so that every host of a region has the same. Knows no token's form: tokens are
//! bytes here, told apart by the token's id.

use std::fmt;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use crate::{
    aead,
    error::HsmError,
    frame::Frame,
    kdf,
    secret::{Plaintext, Region, SecretKey},
};

/// The longest id of a token, in bytes.
const TOKEN_ID_BYTES_MAX: usize = 128;
/// 240 bits, which are 40 characters in base 64: as long as AWS's secrets.
const SECRET_BYTES: usize = 30;

/// Signs session tokens; its seed is derived from the region key.
#[derive(Debug)]
pub(crate) enum TokenSeed {}
/// Makes the secret of each session.
#[derive(Debug)]
pub(crate) enum SecretSource {}
/// Makes the key that hides each session's claims.
#[derive(Debug)]
pub(crate) enum ClaimsSource {}
/// One session's share of either source.
#[derive(Debug)]
pub(crate) enum OfOneSession {}

/// The session keys of a region.
pub(crate) struct SessionKeys {
    signing: Ed25519KeyPair,
    secrets: SecretKey<SecretSource>,
    claims: SecretKey<ClaimsSource>,
}

impl SessionKeys {
    pub(crate) fn derived(region: &SecretKey<Region>) -> Result<Self, HsmError> {
        let seed: SecretKey<TokenSeed> = kdf::derive(region, "kannuki/session/v1", b"token signature")?;
        Ok(Self {
            signing: Ed25519KeyPair::from_seed_unchecked(seed.expose()).map_err(|_| HsmError::Fault)?,
            secrets: kdf::derive(region, "kannuki/session/v1", b"secret")?,
            claims: kdf::derive(region, "kannuki/session/v1", b"claims")?,
        })
    }

    /// The public key, which verifies what `sign` signs.
    pub(crate) fn public(&self) -> Result<[u8; 32], HsmError> {
        self.signing.public_key().as_ref().try_into().map_err(|_| HsmError::Fault)
    }

    /// The Ed25519 signature (RFC 8032) of a token, which verified before it leaves.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<[u8; 64], HsmError> {
        let signature = self.signing.sign(message);
        let public =
            aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, self.signing.public_key());
        public.verify(message, signature.as_ref()).map_err(|_| HsmError::SelfTest)?;
        signature.as_ref().try_into().map_err(|_| HsmError::Fault)
    }

    /// The session's secret, as the caller gets it: 40 characters.
    pub(crate) fn secret(&self, token: &str) -> Result<Plaintext, HsmError> {
        let derived: SecretKey<OfOneSession> = kdf::derive(&self.secrets, "kannuki/session-secret/v1", id_of(token)?)?;
        let share = derived.expose().get(..SECRET_BYTES).ok_or(HsmError::Fault)?;
        let mut text = Zeroizing::new(vec![0; SECRET_BYTES.div_ceil(3) * 4]);
        STANDARD.encode_slice(share, &mut text).map_err(|_| HsmError::Fault)?;
        Ok(Plaintext::from_wiped(text))
    }

    /// Hides a session's claims (at most 8192 bytes). Each session has a key of its own, so that the random IVs of all
    /// sessions of all time do not meet under one key.
    pub(crate) fn hide(&self, token: &str, claims: &[u8]) -> Result<Vec<u8>, HsmError> {
        let sealed = aead::boxed(&self.claims_key(token)?, bound(token).bytes(), claims)?;
        let again = self.show(token, &sealed).map_err(|_| HsmError::SelfTest)?;
        if bool::from(again.expose().ct_eq(claims)) { Ok(sealed) } else { Err(HsmError::SelfTest) }
    }

    /// What `hide` hid for this token.
    pub(crate) fn show(&self, token: &str, sealed: &[u8]) -> Result<Plaintext, HsmError> {
        let opened = aead::unboxed(&self.claims_key(token)?, bound(token).bytes(), sealed);
        opened.map(Plaintext::from_wiped).map_err(|_| HsmError::Unopenable)
    }

    fn claims_key(&self, token: &str) -> Result<SecretKey<OfOneSession>, HsmError> {
        kdf::derive(&self.claims, "kannuki/session-claims/v1", id_of(token)?)
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[SESSION KEYS]")
    }
}

fn id_of(token: &str) -> Result<&[u8], HsmError> {
    if token.is_empty() || token.len() > TOKEN_ID_BYTES_MAX {
        return Err(HsmError::TooLarge);
    }
    Ok(token.as_bytes())
}

fn bound(token: &str) -> Frame {
    Frame::new("kannuki/session-claims/v1").field(token.as_bytes())
}
