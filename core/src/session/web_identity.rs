//! A web identity: what an OpenID Connect token says, once its signature was verified, and what this service asks of it.
//! Knows claims and their rules (OpenID Connect Core 1.0, section 2); neither signatures nor where keys come from.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use super::error::SessionError;
use crate::authz::{PrincipalName, Value};
use crate::clock::Timestamp;
use crate::id::AccountId;
use crate::view::{Issuer, RegionView};

/// How far an issuer's clock may be from ours.
const LEEWAY: Duration = Duration::from_secs(5);
const AUDIENCES_MAX: usize = 100;

/// The claims of a token that are looked at. What is not of its form is an error, never taken for absent.
#[derive(Clone, Debug, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub sub: String,
    #[serde(deserialize_with = "one_or_many")]
    pub aud: Vec<String>,
    /// Seconds since the Unix epoch, as all times here; some issuers write fractions.
    pub exp: f64,
    pub iat: f64,
    pub nbf: Option<f64>,
    pub azp: Option<String>,
    #[serde(default, deserialize_with = "one_or_many")]
    pub amr: Vec<String>,
    /// Session tags, as the IAM User Guide, "Passing session tags", has them in a token.
    #[serde(rename = "https://aws.amazon.com/tags")]
    pub tags: Option<TokenTags>,
    #[serde(rename = "https://aws.amazon.com/source_identity")]
    pub source_identity: Option<String>,
}

#[derive(Clone, Debug, Deserialize)]
pub struct TokenTags {
    #[serde(default)]
    pub principal_tags: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    pub transitive_tag_keys: BTreeSet<String>,
}

fn one_or_many<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }
    Ok(match OneOrMany::deserialize(deserializer)? {
        OneOrMany::One(text) => vec![text],
        OneOrMany::Many(texts) => texts,
    })
}

/// Who an accepted token is about.
#[derive(Clone, Debug)]
pub struct WebIdentity {
    /// The issuer's ARN.
    pub provider: Arc<str>,
    /// The issuer's URL.
    pub issuer: String,
    pub subject: String,
    /// `azp` where the token has it, `aud` where not: what AWS answers as the audience and compares as `:aud`.
    pub audience: String,
    pub azp: Option<String>,
    pub aud: Vec<String>,
    pub amr: Vec<String>,
    pub tags: BTreeMap<String, String>,
    pub transitive_tag_keys: BTreeSet<String>,
    pub source_identity: Option<String>,
    /// `host/path:`, in lower case: what the condition keys of this issuer begin with.
    prefix: String,
}

/// A token that is verified and in time, before it is known for which role it is.
#[derive(Clone, Debug)]
pub struct Issued<'a> {
    pub issuer: &'a Issuer,
    pub claims: Claims,
}

/// The issuer that a token claims to be of, among those of the account whose role is asked for.
///
/// # Errors
/// `ValidationError` when `role_arn` is none of a role; `InvalidIdentityToken` when the account has no such issuer.
pub fn issuer_of<'v>(view: &'v RegionView, role_arn: &str, iss: &str) -> Result<&'v Arc<Issuer>, SessionError> {
    let account = match PrincipalName::from_arn(role_arn) {
        Some(PrincipalName::Role { account, .. }) => AccountId::parse(&account),
        _ => None,
    };
    let account = account.ok_or_else(|| SessionError::Validation(format!("{role_arn} is invalid")))?;
    let issuer =
        view.issuer(account, iss).filter(|issuer| issuer.url.trim_end_matches('/') == iss.trim_end_matches('/'));
    issuer.ok_or_else(|| {
        let shown: String = iss.chars().take(256).collect();
        SessionError::InvalidIdentityToken(format!("No OpenIDConnect provider found in your account for {shown}"))
    })
}

impl Issued<'_> {
    /// Checks what the claims say of time and audience.
    ///
    /// # Errors
    /// `ExpiredTokenException`, or `InvalidIdentityToken` with what is wrong.
    pub fn accepted(self, now: Timestamp) -> Result<WebIdentity, SessionError> {
        let Self { issuer, claims } = self;
        let invalid = |text: &str| SessionError::InvalidIdentityToken(text.to_owned());
        let (now_seconds, leeway) = (now.epoch_seconds(), LEEWAY.as_secs_f64());
        if claims.iss.trim_end_matches('/') != issuer.url.trim_end_matches('/') {
            return Err(invalid("The token's issuer is not the one whose key signed it"));
        }
        if now_seconds > claims.exp + leeway {
            let (now, exp) = (now.seconds(), claims.exp);
            return Err(SessionError::ExpiredToken(format!(
                "Token expired: current date/time {now} must be before the expiration date/time {exp:.0}"
            )));
        }
        if claims.iat > now_seconds + leeway {
            return Err(invalid("The token was issued in the future"));
        }
        if claims.nbf.is_some_and(|not_before| not_before > now_seconds + leeway) {
            return Err(invalid("The token is not valid yet"));
        }
        if claims.sub.is_empty() || claims.sub.len() > 255 {
            return Err(invalid("The token's subject is empty or longer than 255 characters"));
        }
        let known = |audience: &String| issuer.client_ids.contains(audience);
        let is_meant = match &claims.azp {
            Some(azp) => known(azp),
            None => claims.aud.len() <= AUDIENCES_MAX && claims.aud.iter().any(known),
        };
        if !is_meant {
            return Err(invalid("Incorrect token audience"));
        }
        let audience = claims.azp.clone().or_else(|| claims.aud.iter().find(|aud| known(aud)).cloned());
        let tags =
            claims.tags.unwrap_or(TokenTags { principal_tags: BTreeMap::new(), transitive_tag_keys: BTreeSet::new() });
        // AWS gives a tag the first of the values in the token's list, of which there is to be one.
        let principal_tags =
            tags.principal_tags.into_iter().map(|(key, values)| match <[String; 1]>::try_from(values) {
                Ok([value]) => Ok((key, value)),
                Err(_) => Err(invalid("Each principal tag of the token must have exactly one value")),
            });
        let host_and_path = issuer.arn.split_once(":oidc-provider/").map_or("", |(_, rest)| rest);
        Ok(WebIdentity {
            provider: issuer.arn.clone(),
            issuer: claims.iss,
            subject: claims.sub,
            audience: audience.unwrap_or_default(),
            azp: claims.azp,
            aud: claims.aud,
            amr: claims.amr,
            tags: principal_tags.collect::<Result<_, _>>()?,
            transitive_tag_keys: tags.transitive_tag_keys,
            source_identity: claims.source_identity,
            prefix: format!("{}:", host_and_path.to_lowercase()),
        })
    }
}

impl WebIdentity {
    /// What the token says under a condition key, whose name is in lower case (IAM User Guide, "Available keys for AWS
    /// OIDC federation").
    pub(super) fn fact(&self, name: &str) -> Option<Value<'_>> {
        if name == "aws:federatedprovider" {
            return Some(Value::one(&self.provider));
        }
        match name.strip_prefix(&self.prefix)? {
            "sub" => Some(Value::one(&self.subject)),
            "aud" => Some(Value::one(&self.audience)),
            // Where `azp` took its place, this is what the token has under `aud` itself.
            "oaud" => self.azp.as_ref().and(self.aud.first()).map(|aud| Value::one(aud)),
            "azp" => self.azp.as_deref().map(Value::one),
            "amr" if !self.amr.is_empty() => Some(Value::many(self.amr.iter().map(String::as_str))),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
