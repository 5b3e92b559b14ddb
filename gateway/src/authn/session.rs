//! The session token: a JWT (RFC 7519) that names its access key id and holds the session's claims, encrypted.
//! Knows the token's form and what makes it valid; the HSM signs it, and its claims are opaque here.

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use kms_core::clock::Timestamp;
use kms_core::id::Place;
use serde::{Deserialize, Serialize};

use super::AuthnError;

/// Tokens of other kinds have another type, and another key.
const HEADER: &str = r#"{"typ":"kannuki-session+jwt","alg":"EdDSA"}"#;
const TYPE: &str = "kannuki-session+jwt";
const ISSUER: &str = "kannuki:sts";
/// Longer ones are not looked at; a header's worth.
const TOKEN_BYTES_MAX: usize = 12 * 1024;
/// How far the clock of the host that issued a token may be ahead of ours.
const LEEWAY: Duration = Duration::from_secs(5);

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    /// The access key id that belongs to the token.
    sub: String,
    /// The token's id.
    jti: String,
    /// Seconds since the Unix epoch.
    iat: u64,
    exp: u64,
    /// The session's claims, encrypted by the HSM.
    enc: String,
}

/// What is to be said in a new token.
#[derive(Clone, Copy, Debug)]
pub struct Draft<'a> {
    pub token: &'a str,
    pub access_key_id: &'a str,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub sealed_claims: &'a [u8],
}

/// A token that this region issued and that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    pub token: String,
    pub access_key_id: String,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub sealed_claims: Vec<u8>,
}

impl Draft<'_> {
    /// What the HSM is to sign. `None` cannot be.
    pub fn message(&self, place: &Place) -> Option<String> {
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: audience(place),
            sub: self.access_key_id.to_owned(),
            jti: self.token.to_owned(),
            iat: self.issued_at.seconds(),
            exp: self.expires_at.seconds(),
            enc: URL_SAFE_NO_PAD.encode(self.sealed_claims),
        };
        let claims = serde_json::to_vec(&claims).ok()?;
        Some(format!("{}.{}", URL_SAFE_NO_PAD.encode(HEADER), URL_SAFE_NO_PAD.encode(claims)))
    }
}

/// The token: its message and the signature over that.
pub fn token(message: &str, signature: &[u8]) -> String {
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// Verifies the tokens of one region.
pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl Verifier {
    /// `public_key` is the region's Ed25519 key.
    pub fn new(public_key: &[u8; 32], place: &Place) -> Self {
        // INVARIANT: one algorithm, whatever a token's header says.
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[ISSUER]);
        validation.set_audience(&[audience(place)]);
        validation.set_required_spec_claims(&["exp", "aud", "iss"]);
        // The library reads the machine's clock; times are compared below, by the clock that is handed in.
        validation.validate_exp = false;
        Self { key: DecodingKey::from_ed_der(public_key), validation }
    }

    /// # Errors
    /// `ExpiredToken` for a token of ours that is over; `UnknownToken` for everything else.
    pub fn verify(&self, text: &str, now: Timestamp) -> Result<Verified, AuthnError> {
        if text.len() > TOKEN_BYTES_MAX {
            return Err(AuthnError::UnknownToken);
        }
        let decoded = jsonwebtoken::decode::<Claims>(text, &self.key, &self.validation);
        let decoded = decoded.map_err(|_| AuthnError::UnknownToken)?;
        let (header, claims) = (decoded.header, decoded.claims);
        if header.typ.as_deref() != Some(TYPE) || header.crit.is_some() {
            return Err(AuthnError::UnknownToken);
        }
        let time = |seconds: u64| Timestamp(seconds.saturating_mul(1000));
        let (issued_at, expires_at) = (time(claims.iat), time(claims.exp));
        if issued_at > now.plus(LEEWAY) {
            return Err(AuthnError::UnknownToken);
        }
        if now >= expires_at {
            return Err(AuthnError::ExpiredToken);
        }
        let sealed_claims = URL_SAFE_NO_PAD.decode(&claims.enc).map_err(|_| AuthnError::UnknownToken)?;
        Ok(Verified { token: claims.jti, access_key_id: claims.sub, issued_at, expires_at, sealed_claims })
    }
}

fn audience(place: &Place) -> String {
    format!("{}:{}", place.partition, place.region)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);

    fn place() -> Place {
        Place::new("aws", "us-east-1")
    }

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn verifier() -> Verifier {
        Verifier::new(pair(1).public_key().as_ref().try_into().unwrap(), &place())
    }

    fn draft() -> Draft<'static> {
        let (issued_at, expires_at) = (NOW, NOW.plus(Duration::from_secs(900)));
        Draft { token: "t-1", access_key_id: "ASIAEXAMPLE", issued_at, expires_at, sealed_claims: b"\0sealed" }
    }

    fn signed(message: &str, seed: u8) -> String {
        token(message, pair(seed).sign(message.as_bytes()).as_ref())
    }

    fn issued() -> String {
        signed(&draft().message(&place()).unwrap(), 1)
    }

    /// A token of ours with header and claims changed before it was signed.
    fn bent(change: impl Fn(&mut Value, &mut Value)) -> String {
        let message = draft().message(&place()).unwrap();
        let parts: Vec<Value> = message
            .split('.')
            .map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
            .collect();
        let (mut header, mut claims) = (parts[0].clone(), parts[1].clone());
        change(&mut header, &mut claims);
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        signed(&format!("{}.{}", part(&header), part(&claims)), 1)
    }

    #[test]
    fn what_was_issued_verifies_until_it_is_over() {
        let verified = verifier().verify(&issued(), NOW).unwrap();
        assert_eq!((&*verified.token, &*verified.access_key_id), ("t-1", "ASIAEXAMPLE"));
        assert_eq!(verified.sealed_claims, b"\0sealed");
        let at = |seconds| verifier().verify(&issued(), NOW.plus(Duration::from_secs(seconds)));
        assert!(at(899).is_ok());
        assert_eq!(at(900), Err(AuthnError::ExpiredToken));
        assert!(verifier().verify(&issued(), NOW.minus(LEEWAY)).is_ok());
        assert_eq!(verifier().verify(&issued(), NOW.minus(LEEWAY + LEEWAY)), Err(AuthnError::UnknownToken));
    }

    #[test]
    fn another_key_s_or_region_s_token_is_unknown() {
        let message = draft().message(&place()).unwrap();
        assert_eq!(verifier().verify(&signed(&message, 2), NOW), Err(AuthnError::UnknownToken));
        let elsewhere = draft().message(&Place::new("aws", "us-west-2")).unwrap();
        assert_eq!(verifier().verify(&signed(&elsewhere, 1), NOW), Err(AuthnError::UnknownToken));
    }

    #[test]
    fn each_claim_is_required_and_pinned() {
        assert!(verifier().verify(&bent(|_, _| {}), NOW).is_ok());
        for claim in ["iss", "aud", "sub", "jti", "iat", "exp", "enc"] {
            let without = bent(|_, claims| drop(claims.as_object_mut().unwrap().remove(claim)));
            assert_eq!(verifier().verify(&without, NOW), Err(AuthnError::UnknownToken), "without {claim}");
            let wrong = bent(|_, claims| claims[claim] = json!({"no": "such"}));
            assert_eq!(verifier().verify(&wrong, NOW), Err(AuthnError::UnknownToken), "wrong {claim}");
        }
        for (name, value) in
            [("typ", json!("JWT")), ("alg", json!("none")), ("alg", json!("HS256")), ("crit", json!(["x"]))]
        {
            let wrong = bent(|header, _| header[name] = value.clone());
            assert_eq!(verifier().verify(&wrong, NOW), Err(AuthnError::UnknownToken), "{name} {value}");
        }
        let untyped = bent(|header, _| drop(header.as_object_mut().unwrap().remove("typ")));
        assert_eq!(verifier().verify(&untyped, NOW), Err(AuthnError::UnknownToken));
    }

    /// HS256 with the public key as its secret must not pass for a signature.
    #[test]
    fn the_public_key_is_no_secret() {
        let header = URL_SAFE_NO_PAD.encode(r#"{"typ":"kannuki-session+jwt","alg":"HS256"}"#);
        let message = draft().message(&place()).unwrap();
        let message = format!("{header}.{}", message.split_once('.').unwrap().1);
        let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, pair(1).public_key().as_ref());
        let forged = token(&message, aws_lc_rs::hmac::sign(&secret, message.as_bytes()).as_ref());
        assert_eq!(verifier().verify(&forged, NOW), Err(AuthnError::UnknownToken));
    }

    proptest! {
        #[test]
        fn a_changed_character_is_noticed(at in 0_usize..1000, to in "[A-Za-z0-9_.-]") {
            let token = issued();
            let at = at % token.len();
            let mut changed = token.clone();
            changed.replace_range(at..=at, &to);
            prop_assume!(changed != token);
            // The last character of a part may hold bits that mean nothing; such a text is another spelling at most.
            match verifier().verify(&changed, NOW) {
                Ok(verified) => prop_assert_eq!(verified, verifier().verify(&token, NOW).unwrap()),
                Err(error) => prop_assert_eq!(error, AuthnError::UnknownToken),
            }
        }

        #[test]
        fn no_text_panics(text in "([A-Za-z0-9_-]{0,40}\\.){0,3}\\PC{0,20}") {
            prop_assert_eq!(verifier().verify(&text, NOW), Err(AuthnError::UnknownToken));
        }
    }
}
