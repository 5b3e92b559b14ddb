//! What a token's claims must say, and what they are worth as condition keys.

#![allow(clippy::unwrap_used)]

use serde_json::{Value, json};

use super::*;
use crate::authz::{FactKey, Value as Fact};
use crate::registry::JwksSource;
use crate::store::Revision;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const SECONDS: u64 = 1_790_000_000;

fn issuer() -> Issuer {
    Issuer {
        arn: "arn:aws:iam::111122223333:oidc-provider/idp.example/Tenant".into(),
        account: AccountId::parse("111122223333").unwrap(),
        url: "https://idp.example/Tenant".to_owned(),
        client_ids: vec!["kms".to_owned(), "other".to_owned()],
        jwks: JwksSource::Given(String::new()),
        version: Revision(1),
    }
}

fn accepted(change: impl FnOnce(&mut Value)) -> Result<WebIdentity, SessionError> {
    let mut claims = json!({ "iss": "https://idp.example/Tenant", "sub": "ana", "aud": "kms", "exp": SECONDS + 60,
        "iat": SECONDS - 60 });
    change(&mut claims);
    let claims: Claims = serde_json::from_value(claims).unwrap();
    Issued { issuer: &issuer(), claims }.accepted(NOW)
}

#[test]
fn times_hold_within_five_seconds() {
    let code =
        |claim: &str, seconds: u64| accepted(|claims| claims[claim] = json!(seconds)).err().map(|error| error.code());
    assert_eq!(code("exp", SECONDS - 5), None);
    assert_eq!(code("exp", SECONDS - 6), Some("ExpiredTokenException"));
    assert_eq!(code("iat", SECONDS + 5), None);
    assert_eq!(code("iat", SECONDS + 6), Some("InvalidIdentityToken"));
    assert_eq!(code("nbf", SECONDS + 5), None);
    assert_eq!(code("nbf", SECONDS + 6), Some("InvalidIdentityToken"));
    let said = accepted(|claims| claims["exp"] = json!(SECONDS - 60)).unwrap_err();
    let text = "Token expired: current date/time 1790000000 must be before the expiration date/time 1789999940";
    assert_eq!(said.message(), text);
}

#[test]
fn the_audience_is_one_of_the_issuer_s_clients() {
    for (aud, azp, audience) in [
        (json!("kms"), None, Some("kms")),
        (json!(["x", "other"]), None, Some("other")),
        (json!("x"), None, None),
        (json!([]), None, None),
        (json!("x"), Some("kms"), Some("kms")),
        (json!("kms"), Some("x"), None),
    ] {
        let identity = accepted(|claims| {
            claims["aud"] = aud.clone();
            claims["azp"] = json!(azp);
        });
        match (identity, audience) {
            (Ok(identity), Some(audience)) => assert_eq!(identity.audience, audience),
            (Err(error), None) => assert_eq!(error.message(), "Incorrect token audience"),
            (other, _) => assert!(other.is_err() && other.is_ok(), "{aud} {azp:?}: {other:?}"),
        }
    }
}

#[test]
fn another_issuer_s_claims_and_strange_subjects_are_refused() {
    assert!(accepted(|claims| claims["iss"] = json!("https://idp.example/other")).is_err());
    assert!(accepted(|claims| claims["sub"] = json!("")).is_err());
    assert!(accepted(|claims| claims["sub"] = json!("x".repeat(256))).is_err());
}

#[test]
fn claims_are_condition_keys_under_the_issuer_s_name() {
    let identity = accepted(|claims| {
        claims["amr"] = json!(["mfa", "pwd"]);
        claims["azp"] = json!("kms");
        claims["aud"] = json!("https://app.example");
    })
    .unwrap();
    let fact = |name: &str| identity.fact(FactKey::new(name).name());
    assert_eq!(fact("idp.example/Tenant:sub"), Some(Fact::one("ana")));
    assert_eq!(fact("IDP.example/tenant:AUD"), Some(Fact::one("kms")));
    assert_eq!(fact("idp.example/Tenant:oaud"), Some(Fact::one("https://app.example")));
    assert_eq!(fact("idp.example/Tenant:amr"), Some(Fact::many(["mfa", "pwd"])));
    assert_eq!(fact("idp.example:sub"), None);
    assert_eq!(fact("aws:FederatedProvider"), Some(Fact::one(&identity.provider)));
}

#[test]
fn a_token_can_bring_tags_with_one_value_each() {
    let with = |tags: Value| accepted(|claims| claims["https://aws.amazon.com/tags"] = tags);
    let identity = with(json!({ "principal_tags": { "team": ["blue"] }, "transitive_tag_keys": ["team"] })).unwrap();
    assert_eq!(identity.tags, BTreeMap::from([("team".to_owned(), "blue".to_owned())]));
    assert!(identity.transitive_tag_keys.contains("team"));
    assert!(with(json!({ "principal_tags": { "team": ["blue", "red"] } })).is_err());
    assert!(with(json!({ "principal_tags": { "team": [] } })).is_err());
}
