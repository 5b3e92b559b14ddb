//! The token of a web identity: an OpenID Connect JWT, verified with the keys of its issuer (RFC 7517, RFC 7519).
//! Pure: knows algorithms and keys; where keys come from and what the claims allow is known elsewhere.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation};
use kms_core::session::{Claims, SessionError};
use serde::Deserialize;

/// The longest key set, in bytes.
pub const KEY_SET_BYTES_MAX: usize = 128 << 10;
const KEYS_MAX: usize = 100;
/// Signatures that only the issuer can make. INVARIANT: none is symmetric, for issuers' keys are public.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// A token as it was sent: what it says of itself, none of it proved.
#[derive(Debug)]
pub struct Unverified<'t> {
    text: &'t str,
    header: Header,
    pub issuer: String,
}

/// The public keys of an issuer. Keys of other kinds than signatures need, or that cannot be read, are left out.
#[derive(Debug)]
pub struct KeySet(Vec<Jwk>);

/// Why a token was not verified.
#[derive(Debug, PartialEq, Eq)]
pub enum Unproved {
    /// The issuer's keys do not have the one that the token names; newer ones may.
    UnknownKey,
    Refused(SessionError),
}

impl<'t> Unverified<'t> {
    /// # Errors
    /// `InvalidIdentityToken` for what is no JWT.
    pub fn read(text: &'t str) -> Result<Self, SessionError> {
        #[derive(Deserialize)]
        struct Named {
            iss: String,
        }
        let header = jsonwebtoken::decode_header(text).ok().filter(|header| header.crit.is_none());
        let named = jsonwebtoken::dangerous::insecure_decode_claims::<Named>(text).ok();
        let (header, named) = header.zip(named).ok_or_else(not_a_jwt)?;
        Ok(Self { text, header, issuer: named.iss })
    }

    /// What the issuer says, once one of its keys has verified it. Times and audience are not looked at here.
    pub fn verified(&self, keys: &KeySet) -> Result<Claims, Unproved> {
        let algorithm = self.header.alg;
        if !ALGORITHMS.contains(&algorithm) {
            let text = "The token is signed with an algorithm that is not supported";
            return Err(Unproved::Refused(SessionError::InvalidIdentityToken(text.to_owned())));
        }
        let jwk = keys.find(self.header.kid.as_deref(), algorithm).ok_or(Unproved::UnknownKey)?;
        let key = DecodingKey::from_jwk(jwk).map_err(|_| Unproved::UnknownKey)?;
        // INVARIANT: the one algorithm that the key is for.
        let mut validation = Validation::new(algorithm);
        // The library reads the machine's clock; `kms_core` compares times and audience, of which all must be there.
        (validation.validate_exp, validation.validate_aud) = (false, false);
        validation.required_spec_claims.clear();
        match jsonwebtoken::decode::<Claims>(self.text, &key, &validation) {
            Ok(decoded) => Ok(decoded.claims),
            Err(error) => Err(Unproved::Refused(match error.kind() {
                jsonwebtoken::errors::ErrorKind::Json(_) => {
                    let text =
                        "The token lacks one of the claims iss, sub, aud, exp and iat, or has one of a wrong form";
                    SessionError::InvalidIdentityToken(text.to_owned())
                }
                _ => SessionError::InvalidIdentityToken("The token's signature does not verify".to_owned()),
            })),
        }
    }
}

impl KeySet {
    /// `None` for a text that is no key set, or has no key that can verify.
    pub fn parse(text: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        if text.len() > KEY_SET_BYTES_MAX {
            return None;
        }
        let set: Set = serde_json::from_str(text).ok()?;
        let keys = set.keys.into_iter().take(KEYS_MAX).filter_map(|key| serde_json::from_value::<Jwk>(key).ok());
        let usable = |key: &Jwk| ALGORITHMS.iter().any(|algorithm| fits(key, *algorithm));
        let keys: Vec<Jwk> = keys.filter(usable).collect();
        (!keys.is_empty()).then_some(Self(keys))
    }

    /// The key of this id; without one, the only key for the algorithm.
    fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Option<&Jwk> {
        let named = |key: &&Jwk| id.is_none() || key.common.key_id.as_deref() == id;
        let mut found = self.0.iter().filter(|key| fits(key, algorithm)).filter(named);
        let key = found.next()?;
        if found.next().is_some() { None } else { Some(key) }
    }
}

/// Whether the key verifies signatures of this algorithm.
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    let common = &key.common;
    let for_signatures = matches!(common.public_key_use, None | Some(PublicKeyUse::Signature));
    let stated = common.key_algorithm.is_none_or(|stated| stated == KeyAlgorithm::from(algorithm));
    let kind = match (&key.algorithm, algorithm) {
        (
            AlgorithmParameters::RSA(_),
            Algorithm::RS256
            | Algorithm::RS384
            | Algorithm::RS512
            | Algorithm::PS256
            | Algorithm::PS384
            | Algorithm::PS512,
        ) => true,
        (AlgorithmParameters::EllipticCurve(curve), Algorithm::ES256) => curve.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(curve), Algorithm::ES384) => curve.curve == EllipticCurve::P384,
        (AlgorithmParameters::OctetKeyPair(curve), Algorithm::EdDSA) => curve.curve == EllipticCurve::Ed25519,
        _ => false,
    };
    for_signatures && stated && kind
}

fn not_a_jwt() -> SessionError {
    let text = "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)";
    SessionError::InvalidIdentityToken(text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn pair(seed: u8) -> Ed25519KeyPair {
        Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).unwrap()
    }

    fn jwk(seed: u8, id: &str) -> Value {
        let x = URL_SAFE_NO_PAD.encode(pair(seed).public_key().as_ref());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": id, "use": "sig", "alg": "EdDSA" })
    }

    fn set(keys: Value) -> Option<KeySet> {
        KeySet::parse(&json!({ "keys": keys }).to_string())
    }

    fn claims() -> Value {
        json!({ "iss": "https://idp.example", "sub": "ana", "aud": "kms", "exp": 2000, "iat": 1000 })
    }

    fn token(header: &Value, claims: &Value, seed: u8) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let message = format!("{}.{}", part(header), part(claims));
        let signature = pair(seed).sign(message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }

    fn verified(token: &str, keys: &KeySet) -> Result<Claims, Unproved> {
        Unverified::read(token).map_err(Unproved::Refused)?.verified(keys)
    }

    #[test]
    fn the_issuer_s_key_verifies_and_no_other() {
        let keys = set(json!([jwk(1, "a"), jwk(2, "b")])).unwrap();
        let header = |id: &str| json!({ "alg": "EdDSA", "kid": id });
        let said = verified(&token(&header("a"), &claims(), 1), &keys).unwrap();
        assert_eq!((&*said.iss, &*said.sub, said.aud), ("https://idp.example", "ana", vec!["kms".to_owned()]));
        assert!(matches!(verified(&token(&header("a"), &claims(), 2), &keys), Err(Unproved::Refused(_))));
        assert!(matches!(verified(&token(&header("c"), &claims(), 1), &keys), Err(Unproved::UnknownKey)));
    }

    #[test]
    fn without_an_id_the_only_key_is_meant() {
        let header = json!({ "alg": "EdDSA" });
        let one = set(json!([jwk(1, "a"), { "kty": "RSA", "n": "AQAB", "e": "AQAB" }])).unwrap();
        assert!(verified(&token(&header, &claims(), 1), &one).is_ok());
        let two = set(json!([jwk(1, "a"), jwk(2, "b")])).unwrap();
        assert!(matches!(verified(&token(&header, &claims(), 1), &two), Err(Unproved::UnknownKey)));
    }

    #[test]
    fn a_symmetric_or_absent_algorithm_is_refused() {
        let keys = set(json!([jwk(1, "a")])).unwrap();
        for algorithm in ["HS256", "none", "ES256K"] {
            let bent = token(&json!({ "alg": algorithm, "kid": "a" }), &claims(), 1);
            assert!(matches!(verified(&bent, &keys), Err(Unproved::Refused(_))), "{algorithm}");
        }
        // Neither is a key for another use, or another algorithm, a key for signatures.
        let mut other = jwk(1, "a");
        other["use"] = json!("enc");
        assert!(set(json!([other])).is_none());
        let oct = json!({ "kty": "oct", "k": "AAAA", "kid": "a" });
        assert!(set(json!([oct])).is_none());
    }

    #[test]
    fn each_claim_that_is_needed_must_be_there() {
        let keys = set(json!([jwk(1, "a")])).unwrap();
        let header = json!({ "alg": "EdDSA", "kid": "a" });
        for claim in ["sub", "aud", "exp", "iat"] {
            let mut without = claims();
            without.as_object_mut().unwrap().remove(claim);
            assert!(matches!(verified(&token(&header, &without, 1), &keys), Err(Unproved::Refused(_))), "{claim}");
        }
        let critical = token(&json!({ "alg": "EdDSA", "kid": "a", "crit": ["x"] }), &claims(), 1);
        assert!(matches!(verified(&critical, &keys), Err(Unproved::Refused(_))));
    }

    proptest! {
        #[test]
        fn no_token_and_no_key_set_panics(text in "([A-Za-z0-9_-]{0,60}\\.){0,3}\\PC{0,20}", keys in "\\PC{0,60}") {
            let _ = (Unverified::read(&text).is_ok(), KeySet::parse(&keys).is_some());
        }

        #[test]
        fn no_key_panics(kty in "RSA|EC|OKP|oct|x", curve in "P-256|P-384|Ed25519|x", value in "[A-Za-z0-9_=-]{0,60}") {
            let key = json!({ "kty": kty, "crv": curve, "x": value, "y": value, "n": value, "e": value, "k": value });
            if let Some(keys) = set(json!([key])) {
                for algorithm in ["RS256", "PS512", "ES256", "ES384", "EdDSA"] {
                    let refused = verified(&token(&json!({ "alg": algorithm }), &claims(), 1), &keys).is_err();
                    prop_assert!(refused);
                }
            }
        }
    }
}
