//! Source attestations: a trusted edge signs where one request comes from, in a short-lived JWT.
//! Knows keys, claims and what was accepted before; knows no connection and no registry, and reads no clock.

mod replay;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ipnet::IpNet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use kms_core::clock::Timestamp;
use serde::Deserialize;

use self::replay::{Id, Refusal, Replays};
use crate::listener::Stranger;
use crate::toml_file;

/// The request header that holds an attestation.
pub const HEADER: &str = "x-kms-source-attestation";
/// The `typ` of an attestation, which no other token has (RFC 8725, section 3.11).
pub const TOKEN_TYPE: &str = "source-attestation+jwt";
/// From `iat` to `exp`.
pub const LIFETIME_SECONDS_MAX: u64 = 60;
/// How far the edge's clock may be from ours.
const LEEWAY_SECONDS: u64 = 5;
const TOKEN_BYTES_MAX: usize = 4096;
const TOKEN_ID_BYTES_MAX: usize = 128;
/// Accepted attestations that are remembered for each key: 8,000 a second for as long as one may be valid.
const REMEMBERED_MAX: usize = 1 << 19;
const KEY_BYTES_MAX: u64 = 16 << 10;

/// The only signature algorithm of a key, whatever a token says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    Es256,
    EdDsa,
}

impl Algorithm {
    /// As settings and tokens have it (RFC 7518, RFC 8037).
    pub fn name(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
        }
    }
}

/// A key that may attest, as settings have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trusted {
    /// What a token's `kid` and `iss` must be.
    pub name: Arc<str>,
    /// The public key, PEM.
    pub key: PathBuf,
    pub algorithm: Algorithm,
    /// The endpoints that it may speak for.
    pub endpoints: Vec<Arc<str>>,
    /// Where the edge connects from.
    pub from: Vec<IpNet>,
    /// The names of the listeners that it may come to.
    pub listeners: Vec<String>,
}

/// Why a key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("cannot be read: {0}")]
    Io(#[from] io::Error),
    #[error("is not a public key for {} in PEM", .0.name())]
    Format(Algorithm),
}

/// All that a request presents.
#[derive(Clone, Copy, Debug)]
pub struct Presented<'a> {
    pub token: &'a [u8],
    /// The name of the listener that the request came to.
    pub listener: &'a str,
    /// Who sent it there.
    pub from: IpAddr,
    /// The whole value of the `Authorization` header.
    pub authorization: Option<&'a str>,
    pub now: Timestamp,
}

/// What a key that may say so said of a request. It counts once it was accepted.
#[derive(Debug)]
pub struct Attested<'a> {
    trusted: &'a Key,
    pub endpoint: Arc<str>,
    /// The client's.
    pub address: IpAddr,
    id: Id,
    expires_second: u64,
}

/// Why an attestation is not believed. The text is for the access log: a caller is told nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unproved {
    #[error("nobody who comes from there may attest a source")]
    Unexpected,
    #[error("there is more than one source attestation")]
    Repeated,
    #[error("the source attestation is not a token of that type")]
    Malformed,
    #[error("the source attestation names a key that may not attest here")]
    UnknownKey,
    #[error("the source attestation is not signed by its key, or not for this region")]
    Signature,
    #[error("the source attestation is valid for too long")]
    Lifetime,
    #[error("the source attestation is of another time")]
    Time,
    #[error("the source attestation is for another request")]
    Unbound,
    #[error("the source attestation's key may not speak for that endpoint")]
    EndpointNotAsserted,
    #[error("the source attestation contradicts the listener")]
    Contradiction,
    #[error("the source attestation was presented before")]
    Replayed,
    #[error("the source attestation's endpoint is unknown")]
    UnknownEndpoint,
    #[error("the attested client is outside the endpoint's client ranges")]
    OutsideRanges,
    /// As many were accepted as can be remembered.
    #[error("there are too many source attestations")]
    TooMany,
}

impl Unproved {
    /// Under which it is counted.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Unexpected => "unexpected",
            Self::Repeated => "repeated",
            Self::Malformed => "malformed",
            Self::UnknownKey => "unknown key",
            Self::Signature => "signature",
            Self::Lifetime => "lifetime",
            Self::Time => "time",
            Self::Unbound => "other request",
            Self::EndpointNotAsserted => "endpoint not allowed",
            Self::Contradiction => "contradiction",
            Self::Replayed => "replayed",
            Self::UnknownEndpoint => "unknown endpoint",
            Self::OutsideRanges => "outside client ranges",
            Self::TooMany => "too many",
        }
    }
}

impl From<Stranger> for Unproved {
    fn from(stranger: Stranger) -> Self {
        match stranger {
            Stranger::UnknownEndpoint => Self::UnknownEndpoint,
            Stranger::OutsideRanges => Self::OutsideRanges,
        }
    }
}

/// Everyone who may attest, with what they have attested in the last minute.
pub struct Attestations {
    keys: Vec<Key>,
    /// INVARIANT: what was attested before this is refused, as it may have been accepted by the process before this one.
    since_second: u64,
}

struct Key {
    name: Arc<str>,
    key: DecodingKey,
    validation: Validation,
    endpoints: Vec<Arc<str>>,
    from: Vec<IpNet>,
    listeners: Vec<String>,
    replays: Mutex<Replays>,
}

#[derive(Deserialize)]
struct Claims {
    iat: u64,
    exp: u64,
    jti: String,
    endpoint: String,
    client: IpAddr,
    /// SHA-256 of the `Authorization` header's value, base64url without padding.
    authorization: String,
    // Compared by the library, which would take a list, too.
    #[serde(rename = "iss")]
    _iss: String,
    #[serde(rename = "aud")]
    _aud: String,
}

impl Attestations {
    /// Reads the keys of all who may attest for `region`, from `now` on.
    ///
    /// # Errors
    /// The first key file that cannot be used.
    pub fn load(trusted: &[Trusted], region: &str, now: Timestamp) -> Result<Self, (PathBuf, KeyError)> {
        let load = |one: &Trusted| Key::load(one, region).map_err(|error| (one.key.clone(), error));
        Ok(Self { keys: trusted.iter().map(load).collect::<Result<_, _>>()?, since_second: now.seconds() })
    }

    /// Checks everything about a token but whether it was seen before and what the registry says of its endpoint.
    pub fn verify(&self, presented: &Presented<'_>) -> Result<Attested<'_>, Unproved> {
        let may_come = |key: &&Key| {
            key.listeners.iter().any(|name| name == presented.listener)
                && key.from.iter().any(|range| range.contains(&presented.from))
        };
        // Before anything is parsed: from anyone else the header is an error, and nothing more.
        if !self.keys.iter().any(|key| may_come(&key)) {
            return Err(Unproved::Unexpected);
        }
        if presented.token.len() > TOKEN_BYTES_MAX {
            return Err(Unproved::Malformed);
        }
        let header = decode_header(presented.token).map_err(|_| Unproved::Malformed)?;
        // No extension is understood, so none may be critical (RFC 7515, section 4.1.11).
        if header.typ.as_deref() != Some(TOKEN_TYPE) || header.crit.is_some() {
            return Err(Unproved::Malformed);
        }
        let named = |key: &&Key| header.kid.as_deref() == Some(&*key.name);
        let key = self.keys.iter().filter(may_come).find(named).ok_or(Unproved::UnknownKey)?;
        let claims = decode::<Claims>(presented.token, &key.key, &key.validation).map_err(|_| Unproved::Signature)?;
        self.attested(key, &claims.claims, presented)
    }

    fn attested<'k>(&self, key: &'k Key, claims: &Claims, presented: &Presented<'_>) -> Result<Attested<'k>, Unproved> {
        let lifetime = claims.exp.checked_sub(claims.iat).ok_or(Unproved::Lifetime)?;
        if lifetime > LIFETIME_SECONDS_MAX {
            return Err(Unproved::Lifetime);
        }
        let now = presented.now.seconds();
        let last_second = claims.exp.saturating_add(LEEWAY_SECONDS);
        if claims.iat > now.saturating_add(LEEWAY_SECONDS) || now > last_second || claims.iat < self.since_second {
            return Err(Unproved::Time);
        }
        let authorization = presented.authorization.ok_or(Unproved::Unbound)?;
        let hash = digest::digest(&digest::SHA256, authorization.as_bytes());
        if claims.authorization != BASE64_URL_SAFE_NO_PAD.encode(hash) {
            return Err(Unproved::Unbound);
        }
        let endpoint = key.endpoints.iter().find(|id| ***id == *claims.endpoint);
        let endpoint = endpoint.ok_or(Unproved::EndpointNotAsserted)?.clone();
        if !(1..=TOKEN_ID_BYTES_MAX).contains(&claims.jti.len()) {
            return Err(Unproved::Malformed);
        }
        let (address, id) = (claims.client.to_canonical(), Id::of(&claims.jti));
        Ok(Attested { trusted: key, endpoint, address, id, expires_second: last_second })
    }
}

impl Attested<'_> {
    /// The name of the key that signed it.
    pub fn key(&self) -> &Arc<str> {
        &self.trusted.name
    }

    /// Takes it, which happens once for each `jti` of a key. The last thing to be asked.
    pub fn accept(&self, now: Timestamp) -> Result<(), Unproved> {
        let mut replays = self.trusted.replays.lock().unwrap_or_else(PoisonError::into_inner);
        replays.accept(self.id, self.expires_second, now.seconds()).map_err(|refusal| match refusal {
            Refusal::Seen => Unproved::Replayed,
            Refusal::Over => Unproved::Time,
            Refusal::Full => Unproved::TooMany,
        })
    }
}

impl Key {
    fn load(trusted: &Trusted, region: &str) -> Result<Self, KeyError> {
        let Trusted { name, key, algorithm, endpoints, from, listeners } = trusted.clone();
        let key = public_key(&key, algorithm)?;
        let mut validation = Validation::new(algorithm.of_library());
        validation.set_issuer(&[&*name]);
        validation.set_audience(&[region]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        // By the clock port, in `attested`; the library would read the system's clock.
        validation.validate_exp = false;
        let replays = Mutex::new(Replays::new(REMEMBERED_MAX));
        Ok(Self { name, key, validation, endpoints, from, listeners, replays })
    }
}

impl Algorithm {
    fn of_library(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
        }
    }
}

fn public_key(path: &Path, algorithm: Algorithm) -> Result<DecodingKey, KeyError> {
    let pem = toml_file::text_of(path, KEY_BYTES_MAX)?;
    let (key, key_bytes) = match algorithm {
        // An uncompressed point of P-256; the library does not look at the curve before it verifies.
        Algorithm::Es256 => (DecodingKey::from_ec_pem(pem.as_bytes()), 65),
        Algorithm::EdDsa => (DecodingKey::from_ed_pem(pem.as_bytes()), 32),
    };
    let fits = |key: &DecodingKey| key.try_get_as_bytes().is_ok_and(|bytes| bytes.len() == key_bytes);
    key.ok().filter(fits).filter(|_| pem.contains("PUBLIC KEY")).ok_or(KeyError::Format(algorithm))
}

impl fmt::Debug for Attestations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.keys).finish()
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

#[cfg(test)]
mod tests;
