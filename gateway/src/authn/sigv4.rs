//! AWS Signature Version 4 in the `Authorization` header: what a request claims, and whether the claim holds.
//! Pure: knows no clock, and of the secret only the signing key of one day, region and service.

use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use kms_core::clock::Timestamp;
use subtle::ConstantTimeEq;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use time::macros::format_description;

use super::AuthnError;
use super::canonical::canonical_head;
use super::credential::{ALGORITHM, Authorization, Credential, shown};

/// How far a request's time may be from ours.
pub const SKEW: Duration = Duration::from_secs(5 * 60);

/// What of a request is signed, apart from its body; all of it as it came over the wire.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    pub method: &'a str,
    /// Neither decoded nor normalised.
    pub path: &'a str,
    /// Without the question mark; empty when there is none.
    pub query: &'a str,
    /// Names in lower case; repeats in the order in which they came.
    pub headers: &'a [(String, Vec<u8>)],
}

/// A request's claim to be signed, not yet verified.
#[derive(Clone, Debug)]
pub struct Signed {
    pub credential: Credential,
    pub signed_at: Timestamp,
    /// `X-Amz-Security-Token`: the caller uses a session.
    pub session_token: Option<String>,
    signature: [u8; 32],
    /// `YYYYMMDDTHHMMSSZ`, as it is signed.
    date: String,
    /// The canonical request without its last line, the payload's hash.
    canonical_head: String,
    /// `X-Amz-Content-Sha256`.
    content_sha256: Option<String>,
}

impl Signed {
    /// Reads the claim. Refuses what could not be trusted even with a right signature: a date that is not the scope's,
    /// an unsigned `Host` or `X-Amz-*` header, a header repeated that has one value.
    pub fn parse(head: &Head<'_>) -> Result<Self, AuthnError> {
        let authorization = sole(head, "authorization")?.ok_or(AuthnError::MissingToken)?;
        let Authorization { credential, signed_headers, signature } = Authorization::parse(authorization)?;
        let (date, signed_at) = date(head)?;
        let day = date.get(..8).unwrap_or_default();
        if credential.date != day {
            return Err(AuthnError::Invalid(format!(
                "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != \
                 '{day}', from '{date}'.",
                shown(&credential.date)
            )));
        }
        check_coverage(head, &signed_headers)?;
        Ok(Self {
            credential,
            signed_at,
            session_token: sole(head, "x-amz-security-token")?.map(str::to_owned),
            signature,
            date,
            canonical_head: canonical(head, &signed_headers)?,
            content_sha256: sole(head, "x-amz-content-sha256")?.map(str::to_owned),
        })
    }

    /// The signing key must be for this region and service. All that is wrong is said at once, as AWS does.
    pub fn check_scope(&self, region: &str, service: &str) -> Result<(), AuthnError> {
        let mut wrong = Vec::new();
        if self.credential.region != region {
            wrong.push("Credential should be scoped to a valid region.".to_owned());
        }
        if self.credential.service != service {
            wrong.push(format!("Credential should be scoped to correct service: '{service}'."));
        }
        if wrong.is_empty() { Ok(()) } else { Err(AuthnError::Invalid(wrong.join(" "))) }
    }

    /// The request must have been signed within `skew` of `now`.
    pub fn check_time(&self, now: Timestamp, skew: Duration) -> Result<(), AuthnError> {
        let (shown_now, minutes) = (basic(now), skew.as_secs() / 60);
        if now > self.signed_at.plus(skew) {
            let earliest = basic(Timestamp(now.0.saturating_sub(u64::try_from(skew.as_millis()).unwrap_or(u64::MAX))));
            return Err(AuthnError::Invalid(format!(
                "Signature expired: {} is now earlier than {earliest} ({shown_now} - {minutes} min.)",
                self.date
            )));
        }
        if self.signed_at > now.plus(skew) {
            let latest = basic(now.plus(skew));
            return Err(AuthnError::Invalid(format!(
                "Signature not yet current: {} is still later than {latest} ({shown_now} + {minutes} min.)",
                self.date
            )));
        }
        Ok(())
    }

    /// Whether the holder of `signing_key` signed exactly this head with exactly this body.
    pub fn verify(&self, signing_key: &[u8; 32], body: &[u8]) -> Result<(), AuthnError> {
        let payload = hex::encode(digest::digest(&digest::SHA256, body));
        // A hash that is stated must be the body's. KMS bodies are always signed: UNSIGNED-PAYLOAD is no hash either.
        if self.content_sha256.as_ref().is_some_and(|stated| *stated != payload) {
            return Err(AuthnError::Mismatch);
        }
        let mut canonical = digest::Context::new(&digest::SHA256);
        canonical.update(self.canonical_head.as_bytes());
        canonical.update(payload.as_bytes());
        let hash = hex::encode(canonical.finish());
        let to_sign = format!("{ALGORITHM}\n{}\n{}\n{hash}", self.date, self.credential.scope());
        let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, signing_key), to_sign.as_bytes());
        if bool::from(expected.as_ref().ct_eq(&self.signature)) { Ok(()) } else { Err(AuthnError::Mismatch) }
    }
}

/// The value of a header that may come once only; refused when it comes twice, since then two readers could differ.
fn sole<'a>(head: &Head<'a>, name: &str) -> Result<Option<&'a str>, AuthnError> {
    let mut values = head.headers.iter().filter(|(known, _)| known == name).map(|(_, value)| value);
    let first = values.next();
    if values.next().is_some() {
        return Err(AuthnError::Incomplete(format!("The header '{name}' must not be repeated.")));
    }
    let text = first.map(|value| std::str::from_utf8(value).map(str::trim)).transpose();
    text.map_err(|_| AuthnError::Incomplete(format!("The header '{name}' is not text.")))
}

/// `X-Amz-Date`, or else `Date`: in basic ISO 8601, and as a time. `Date` may also be an HTTP date.
fn date(head: &Head<'_>) -> Result<(String, Timestamp), AuthnError> {
    let (text, may_be_http) = match sole(head, "x-amz-date")? {
        Some(text) => (text, false),
        None => {
            let text = sole(head, "date")?.ok_or_else(|| {
                AuthnError::Incomplete(
                    "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.".into(),
                )
            })?;
            (text, true)
        }
    };
    let http = || OffsetDateTime::parse(text, &Rfc2822).ok().filter(|_| may_be_http);
    let seconds = iso_basic(text).or_else(http).and_then(|at| u64::try_from(at.unix_timestamp()).ok());
    let at = seconds.and_then(|seconds| seconds.checked_mul(1000)).map(Timestamp).ok_or_else(|| {
        AuthnError::Incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{}'.", shown(text)))
    })?;
    Ok((basic(at), at))
}

fn iso_basic(text: &str) -> Option<OffsetDateTime> {
    let format = format_description!("[year][month][day]T[hour][minute][second]Z");
    let is_plain = text.len() == 16 && text.is_ascii();
    is_plain.then(|| time::PrimitiveDateTime::parse(text, format).ok()).flatten().map(|at| at.assume_utc())
}

/// `YYYYMMDDTHHMMSSZ`.
fn basic(at: Timestamp) -> String {
    at.iso().replace(['-', ':'], "")
}

/// `Host` and each `X-Amz-*` header must be signed, and what is signed must be there.
fn check_coverage(head: &Head<'_>, signed_headers: &[String]) -> Result<(), AuthnError> {
    let is_signed = |name: &str| signed_headers.binary_search_by(|signed| signed.as_str().cmp(name)).is_ok();
    if !is_signed("host") {
        return Err(AuthnError::Invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.".into()));
    }
    let unsigned = head.headers.iter().find(|(name, _)| name.starts_with("x-amz-") && !is_signed(name));
    if let Some((name, _)) = unsigned {
        return Err(AuthnError::Invalid(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")));
    }
    let is_present = |signed: &String| head.headers.iter().any(|(name, _)| name == signed);
    if signed_headers.iter().all(is_present) { Ok(()) } else { Err(AuthnError::Mismatch) }
}

fn canonical(head: &Head<'_>, signed_headers: &[String]) -> Result<String, AuthnError> {
    let is_signed = |name: &String| signed_headers.binary_search(name).is_ok();
    let mut headers = Vec::with_capacity(signed_headers.len());
    for (name, value) in head.headers.iter().filter(|(name, _)| is_signed(name)) {
        // A value that is not UTF-8 has no canonical form: no signer that exists would have signed it.
        let value = std::str::from_utf8(value).map_err(|_| AuthnError::Mismatch)?;
        headers.push((name.as_str(), value));
    }
    let signed: Vec<&str> = signed_headers.iter().map(String::as_str).collect();
    Ok(canonical_head(head.method, head.path, head.query, &headers, &signed))
}

#[cfg(test)]
mod tests;
