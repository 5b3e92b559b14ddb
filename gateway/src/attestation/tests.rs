//! Attestations as an edge makes them, each claim bent in turn.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::path::Path;

use jsonwebtoken::{EncodingKey, Header, encode};
use proptest::prelude::*;
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PublicKeyData as _};
use serde_json::{Value, json};

use super::*;

const REGION: &str = "eu-west-9";
const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/eu-west-9/kms/aws4_request, \
                             SignedHeaders=host;x-amz-date, Signature=00";
const ENDPOINT: &str = "vpce-0a1b2c3d4e5f60001";
const NOW: u64 = 1_790_000_000;

/// An edge with an ES256 key, and one with an Ed25519 key that comes to another listener.
struct Edges {
    folder: tempfile::TempDir,
    es256: KeyPair,
    ed25519: KeyPair,
    attestations: Attestations,
}

fn trusted(name: &str, key: &Path, algorithm: Algorithm, listener: &str) -> Trusted {
    Trusted {
        name: name.into(),
        key: key.to_owned(),
        algorithm,
        endpoints: vec![ENDPOINT.into(), "vpce-0a1b2c3d4e5f60002".into()],
        from: vec!["10.0.0.0/24".parse().unwrap()],
        listeners: vec![listener.to_owned()],
    }
}

impl Edges {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let es256 = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let ed25519 = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let written = |name: &str, pair: &KeyPair| {
            let path = folder.path().join(name);
            std::fs::write(&path, pair.public_key_pem()).unwrap();
            path
        };
        let keys = [
            trusted("edge", &written("edge.pem", &es256), Algorithm::Es256, "public"),
            trusted("other", &written("other.pem", &ed25519), Algorithm::EdDsa, "front"),
        ];
        let attestations = Attestations::load(&keys, REGION, Timestamp((NOW - 100) * 1000)).unwrap();
        Self { folder, es256, ed25519, attestations }
    }

    fn token(&self, bend: impl FnOnce(&mut Header, &mut Value)) -> String {
        let mut header = Header::new(jsonwebtoken::Algorithm::ES256);
        let mut claims = claims();
        header.typ = Some(TOKEN_TYPE.to_owned());
        header.kid = Some("edge".to_owned());
        bend(&mut header, &mut claims);
        let key = match header.alg {
            jsonwebtoken::Algorithm::ES256 => EncodingKey::from_ec_pem(self.es256.serialize_pem().as_bytes()).unwrap(),
            jsonwebtoken::Algorithm::EdDSA => {
                EncodingKey::from_ed_pem(self.ed25519.serialize_pem().as_bytes()).unwrap()
            }
            _ => EncodingKey::from_secret(self.es256.der_bytes()),
        };
        encode(&header, &claims, &key).unwrap()
    }

    fn verify(&self, token: &str) -> Result<Attested<'_>, Unproved> {
        self.attestations.verify(&presented(token))
    }
}

fn claims() -> Value {
    json!({
        "iss": "edge", "aud": REGION, "iat": NOW, "exp": NOW + 60, "jti": "one", "endpoint": ENDPOINT,
        "client": "10.1.2.3",
        "authorization": BASE64_URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, AUTHORIZATION.as_bytes())),
    })
}

fn presented(token: &str) -> Presented<'_> {
    Presented {
        token: token.as_bytes(),
        listener: "public",
        from: "10.0.0.7".parse().unwrap(),
        authorization: Some(AUTHORIZATION),
        now: Timestamp(NOW * 1000),
    }
}

#[test]
fn a_good_one_counts_once() {
    let edges = Edges::new();
    let token = edges.token(|_, _| ());
    let attested = edges.verify(&token).unwrap();
    assert_eq!((&**attested.key(), &*attested.endpoint), ("edge", ENDPOINT));
    assert_eq!(attested.address, "10.1.2.3".parse::<IpAddr>().unwrap());
    assert_eq!(attested.accept(Timestamp(NOW * 1000)), Ok(()));
    assert_eq!(edges.verify(&token).unwrap().accept(Timestamp(NOW * 1000)), Err(Unproved::Replayed));
    // Another token of the same id is no better.
    let again = edges.token(|_, claims| claims["endpoint"] = json!("vpce-0a1b2c3d4e5f60002"));
    assert_eq!(edges.verify(&again).unwrap().accept(Timestamp(NOW * 1000)), Err(Unproved::Replayed));
    let next = edges.token(|_, claims| claims["jti"] = json!("two"));
    assert_eq!(edges.verify(&next).unwrap().accept(Timestamp(NOW * 1000)), Ok(()));
    // The other edge's ids are its own.
    let other = edges.token(|header, claims| {
        (header.alg, header.kid) = (jsonwebtoken::Algorithm::EdDSA, Some("other".to_owned()));
        claims["iss"] = json!("other");
    });
    let attested = edges.attestations.verify(&Presented { listener: "front", ..presented(&other) }).unwrap();
    assert_eq!(attested.accept(Timestamp(NOW * 1000)), Ok(()));
}

#[test]
fn whatever_is_bent_is_refused() {
    type Bend = fn(&mut Header, &mut Value);
    let edges = Edges::new();
    let bends: [(Unproved, Bend); 24] = [
        (Unproved::Malformed, |header, _| header.typ = Some("JWT".to_owned())),
        (Unproved::Malformed, |header, _| header.typ = None),
        (Unproved::Malformed, |header, _| header.crit = Some(vec!["b64".to_owned()])),
        (Unproved::Malformed, |_, claims| claims["jti"] = json!("")),
        (Unproved::Malformed, |_, claims| claims["jti"] = json!("j".repeat(129))),
        (Unproved::Malformed, |_, claims| claims["filler"] = json!("f".repeat(4096))),
        (Unproved::UnknownKey, |header, _| header.kid = Some("nobody".to_owned())),
        (Unproved::UnknownKey, |header, _| header.kid = None),
        // A key that may not come to this listener.
        (Unproved::UnknownKey, |header, _| header.kid = Some("other".to_owned())),
        // The public key taken for a secret, and another key under this one's name.
        (Unproved::Signature, |header, _| header.alg = jsonwebtoken::Algorithm::HS256),
        (Unproved::Signature, |header, _| header.alg = jsonwebtoken::Algorithm::EdDSA),
        (Unproved::Signature, |_, claims| claims["iss"] = json!("other")),
        (Unproved::Signature, |_, claims| claims["iss"] = json!(["edge"])),
        (Unproved::Signature, |_, claims| claims["aud"] = json!("us-east-1")),
        (Unproved::Signature, |_, claims| claims["aud"] = json!([REGION, "us-east-1"])),
        (Unproved::Signature, |_, claims| claims["client"] = json!("10.1.2.3/32")),
        (Unproved::Lifetime, |_, claims| claims["exp"] = json!(NOW + 61)),
        (Unproved::Lifetime, |_, claims| claims["exp"] = json!(NOW - 1)),
        (Unproved::Time, |_, claims| (claims["iat"], claims["exp"]) = (json!(NOW - 60), json!(NOW - 6))),
        (Unproved::Time, |_, claims| (claims["iat"], claims["exp"]) = (json!(NOW + 6), json!(NOW + 7))),
        // Before this process began.
        (Unproved::Time, |_, claims| (claims["iat"], claims["exp"]) = (json!(NOW - 101), json!(NOW - 41))),
        (Unproved::Unbound, |_, claims| claims["authorization"] = json!("other")),
        (Unproved::EndpointNotAsserted, |_, claims| claims["endpoint"] = json!("vpce-0a1b2c3d4e5f60003")),
        (Unproved::EndpointNotAsserted, |_, claims| claims["endpoint"] = json!("")),
    ];
    for (index, (expected, bend)) in bends.into_iter().enumerate() {
        assert_eq!(edges.verify(&edges.token(bend)).map(drop), Err(expected), "{index}");
    }
    for claim in ["iss", "aud", "iat", "exp", "jti", "endpoint", "client", "authorization"] {
        let without = edges.token(|_, claims| drop(claims.as_object_mut().unwrap().remove(claim)));
        assert_eq!(edges.verify(&without).map(drop), Err(Unproved::Signature), "without {claim}");
    }
    // Within the leeway, either way.
    for (iat, exp) in [(NOW - 60, NOW - 5), (NOW + 5, NOW + 65)] {
        let near = edges.token(|_, claims| (claims["iat"], claims["exp"]) = (json!(iat), json!(exp)));
        assert!(edges.verify(&near).is_ok());
    }
}

#[test]
fn of_another_request_or_from_elsewhere() {
    let edges = Edges::new();
    let token = edges.token(|_, _| ());
    let good = presented(&token);
    let other = format!("{AUTHORIZATION}0");
    for (expected, presented) in [
        (Unproved::Unbound, Presented { authorization: Some(&other), ..good }),
        (Unproved::Unbound, Presented { authorization: None, ..good }),
        (Unproved::Unexpected, Presented { from: "10.0.1.7".parse().unwrap(), ..good }),
        (Unproved::Unexpected, Presented { listener: ENDPOINT, ..good }),
        // Whatever it is: it is not even read.
        (Unproved::Unexpected, Presented { listener: ENDPOINT, token: b"", ..good }),
        (Unproved::UnknownKey, Presented { listener: "front", ..good }),
    ] {
        assert_eq!(edges.attestations.verify(&presented).map(drop), Err(expected), "{presented:?}");
    }
    let nobody = Attestations::load(&[], REGION, Timestamp(0)).unwrap();
    assert_eq!(nobody.verify(&good).map(drop), Err(Unproved::Unexpected));
}

#[test]
fn keys_that_are_none() {
    let edges = Edges::new();
    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let files = [
        ("p384.pem", p384.public_key_pem(), Algorithm::Es256),
        ("ed.pem", edges.ed25519.public_key_pem(), Algorithm::Es256),
        ("ec.pem", edges.es256.public_key_pem(), Algorithm::EdDsa),
        ("private.pem", edges.es256.serialize_pem(), Algorithm::Es256),
        ("text.pem", "text".to_owned(), Algorithm::EdDsa),
    ];
    for (name, text, algorithm) in files {
        let path = edges.folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let wrong = Attestations::load(&[trusted("edge", &path, algorithm, "public")], REGION, Timestamp(0));
        let (named, error) = wrong.unwrap_err();
        assert_eq!((named, error.to_string()), (path, format!("is not a public key for {} in PEM", algorithm.name())));
    }
    let absent = edges.folder.path().join("absent.pem");
    let wrong = Attestations::load(&[trusted("edge", &absent, Algorithm::Es256, "public")], REGION, Timestamp(0));
    assert!(matches!(wrong, Err((_, KeyError::Io(_)))));
}

proptest! {
    /// Any bytes, and a good token with a character changed, are refused without a panic.
    #[test]
    fn nothing_else_is_believed(bytes: Vec<u8>, at in any::<prop::sample::Index>(), put in "[A-Za-z0-9._-]") {
        static EDGES: std::sync::LazyLock<(Edges, String)> = std::sync::LazyLock::new(|| {
            let edges = Edges::new();
            let token = edges.token(|_, _| ());
            (edges, token)
        });
        let (edges, good) = &*EDGES;
        let refused = edges.attestations.verify(&Presented { token: &bytes, ..presented("") }).is_err();
        prop_assert!(refused);
        let at = at.index(good.len());
        let bent = format!("{}{put}{}", &good[..at], &good[at + 1..]);
        prop_assert_eq!(edges.verify(&bent).is_ok(), bent == *good);
    }
}
