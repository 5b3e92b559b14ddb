//! AWS Signature Version 4 in the `Authorization` header or in the query: what a request claims, and whether the claim holds.
//! Pure: knows no clock, and of the secret only the signing key of one day, region and service.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use aws_lc_rs::{digest, hmac};
use kms_core::clock::Timestamp;
use subtle::ConstantTimeEq;
use time::format_description::well_known::Rfc2822;
use time::{Date, Month, OffsetDateTime};

use super::AuthnError;
use super::canonical::canonical_head;
use super::credential::{ALGORITHM, Authorization, Credential, header_names, shown, signature_bytes};
use super::presigned::Presigned;

/// How far a request's time may be from ours.
pub const SKEW: Duration = Duration::from_secs(5 * 60);

/// What of a request is signed, apart from its body; all of it as it came over the wire.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    pub method: &'a str,
    /// Neither decoded nor normalised.
    pub path: &'a str,
    /// Without the question mark; empty when there is none.
    pub query: &'a str,
    /// Names in lower case; repeats in the order in which they came.
    pub headers: Vec<(&'a str, &'a [u8])>,
}

/// The key that signs for one access key on one day, in one region, for one service. Wiped when it is dropped.
pub struct SigningKey(hmac::Key);

impl SigningKey {
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

/// A request's claim to be signed, not yet verified.
#[derive(Clone, Debug)]
pub struct Signed<'a> {
    pub credential: Credential<'a>,
    pub signed_at: Timestamp,
    /// `X-Amz-Security-Token`: the caller uses a session.
    pub session_token: Option<&'a str>,
    signature: [u8; 32],
    /// `YYYYMMDDTHHMMSSZ`, as it is signed.
    date: Cow<'a, str>,
    /// The canonical request without its last line, the payload's hash.
    canonical_head: String,
    /// `X-Amz-Content-Sha256`.
    content_sha256: Option<&'a str>,
    /// How long a signature in the query is good for; one in a header is good within the clocks' skew.
    lifetime: Option<Duration>,
}

impl<'a> Signed<'a> {
    /// Reads the claim. Refuses what could not be trusted even with a right signature: a date that is not the scope's,
    /// an unsigned `Host` or `X-Amz-*` header, a header repeated that has one value.
    pub fn parse(head: &Head<'a>) -> Result<Self, AuthnError> {
        let authorization = sole(head, "authorization")?.ok_or(AuthnError::MissingToken)?;
        let Authorization { credential, signed_headers, signature } = Authorization::parse(authorization)?;
        let (date, signed_at) = date(head)?;
        check_day(&credential, &date)?;
        let covered = covered(head, &signed_headers)?;
        Ok(Self {
            credential,
            signed_at,
            session_token: sole(head, "x-amz-security-token")?,
            signature,
            date,
            canonical_head: canonical(head, &covered, &signed_headers)?,
            content_sha256: sole(head, "x-amz-content-sha256")?,
            lifetime: None,
        })
    }

    /// Reads the claim of a request that is signed in its query, which holds everything that a header would hold.
    pub fn presigned(head: &Head<'a>, query: &'a Presigned) -> Result<Self, AuthnError> {
        if sole(head, "authorization")?.is_some() {
            let text = "The request is signed in its Authorization header and in its query; only one may be.";
            return Err(AuthnError::Incomplete(text.to_owned()));
        }
        let credential = Credential::parse(&query.credential)?;
        let signed_headers = header_names(&query.signed_headers)?;
        let signed_at = iso_basic(&query.date).and_then(timestamp).ok_or_else(|| not_a_date(&query.date))?;
        check_day(&credential, &query.date)?;
        let covered = covered(head, &signed_headers)?;
        let head = Head { query: &query.signed_query, headers: Vec::new(), ..*head };
        Ok(Self {
            credential,
            signed_at,
            session_token: query.session_token.as_deref(),
            signature: signature_bytes(&query.signature)?,
            date: query.date.as_str().into(),
            canonical_head: canonical(&head, &covered, &signed_headers)?,
            content_sha256: None,
            lifetime: Some(query.lifetime),
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

    /// The request must have been signed within `skew` of `now`; one that is signed in its query, not longer ago than it
    /// may live.
    pub fn check_time(&self, now: Timestamp, skew: Duration) -> Result<(), AuthnError> {
        let past = self.lifetime.unwrap_or(skew);
        if now > self.signed_at.plus(past) {
            let (earliest, shown_now, minutes) = (basic(now.minus(past)), basic(now), past.as_secs() / 60);
            return Err(AuthnError::Invalid(format!(
                "Signature expired: {} is now earlier than {earliest} ({shown_now} - {minutes} min.)",
                self.date
            )));
        }
        if self.signed_at > now.plus(skew) {
            let (latest, shown_now, minutes) = (basic(now.plus(skew)), basic(now), skew.as_secs() / 60);
            return Err(AuthnError::Invalid(format!(
                "Signature not yet current: {} is still later than {latest} ({shown_now} + {minutes} min.)",
                self.date
            )));
        }
        Ok(())
    }

    /// Whether the holder of `signing_key` signed exactly this head with exactly this body.
    pub fn verify(&self, signing_key: &SigningKey, body: &[u8]) -> Result<(), AuthnError> {
        let payload = sha256_hex(body)?;
        // A hash that is stated must be the body's. KMS bodies are always signed: UNSIGNED-PAYLOAD is no hash either.
        if self.content_sha256.is_some_and(|stated| stated.as_bytes() != payload) {
            return Err(AuthnError::Mismatch);
        }
        // Each text as a whole: the library's hash of pieces costs more than putting them together.
        let canonical = [self.canonical_head.as_bytes(), &payload].concat();
        let hash = sha256_hex(&canonical)?;
        let lines = [ALGORITHM, "\n", &self.date, "\n", self.credential.scope, "\n"];
        let to_sign = [lines.concat().as_bytes(), &hash].concat();
        let expected = hmac::sign(&signing_key.0, &to_sign);
        if bool::from(expected.as_ref().ct_eq(&self.signature)) { Ok(()) } else { Err(AuthnError::Mismatch) }
    }
}

/// The credential's day must be that of the date.
fn check_day(credential: &Credential<'_>, date: &str) -> Result<(), AuthnError> {
    let day = date.get(..8).unwrap_or_default();
    if credential.date == day {
        return Ok(());
    }
    Err(AuthnError::Invalid(format!(
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{}' != '{day}', from \
         '{date}'.",
        shown(credential.date)
    )))
}

/// In lower-case digits.
fn sha256_hex(bytes: &[u8]) -> Result<[u8; 64], AuthnError> {
    let mut digits = [0; 64];
    // The digits of 32 bytes are always 64; could they not be written, then nothing would match them.
    hex::encode_to_slice(digest::digest(&digest::SHA256, bytes), &mut digits).map_err(|_| AuthnError::Mismatch)?;
    Ok(digits)
}

/// The value of a header that may come once only; refused when it comes twice, since then two readers could differ.
fn sole<'a>(head: &Head<'a>, name: &str) -> Result<Option<&'a str>, AuthnError> {
    let mut values = head.headers.iter().filter(|(known, _)| *known == name).map(|(_, value)| *value);
    let first = values.next();
    if values.next().is_some() {
        return Err(AuthnError::Incomplete(format!("The header '{name}' must not be repeated.")));
    }
    let text = first.map(|value| std::str::from_utf8(value).map(str::trim)).transpose();
    text.map_err(|_| AuthnError::Incomplete(format!("The header '{name}' is not text.")))
}

/// `X-Amz-Date`, or else `Date`: in basic ISO 8601, and as a time. `Date` may also be an HTTP date.
fn date<'a>(head: &Head<'a>) -> Result<(Cow<'a, str>, Timestamp), AuthnError> {
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
    if let Some(at) = iso_basic(text).and_then(timestamp) {
        return Ok((text.into(), at));
    }
    let http = || OffsetDateTime::parse(text, &Rfc2822).ok().and_then(timestamp);
    let at = may_be_http.then(http).flatten().ok_or_else(|| not_a_date(text))?;
    Ok((basic(at).into(), at))
}

fn timestamp(at: OffsetDateTime) -> Option<Timestamp> {
    Some(Timestamp(u64::try_from(at.unix_timestamp()).ok()?.checked_mul(1000)?))
}

fn not_a_date(text: &str) -> AuthnError {
    AuthnError::Incomplete(format!("Date must be in ISO-8601 'basic format'. Got '{}'.", shown(text)))
}

/// Reads what `basic` writes, and nothing else.
fn iso_basic(text: &str) -> Option<OffsetDateTime> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let &[y1, y2, y3, y4, month1, month2, day1, day2] = date.as_bytes() else { return None };
    let &[hour1, hour2, minute1, minute2, second1, second2] = time.as_bytes() else { return None };
    let (century, year) = (two_digits(y1, y2)?, two_digits(y3, y4)?);
    let month = Month::try_from(two_digits(month1, month2)?).ok()?;
    let date = Date::from_calendar_date(i32::from(century) * 100 + i32::from(year), month, two_digits(day1, day2)?);
    let (hour, minute) = (two_digits(hour1, hour2)?, two_digits(minute1, minute2)?);
    let at = date.ok()?.with_hms(hour, minute, two_digits(second1, second2)?).ok()?;
    Some(at.assume_utc())
}

fn two_digits(tens: u8, ones: u8) -> Option<u8> {
    (tens.is_ascii_digit() && ones.is_ascii_digit()).then(|| (tens - b'0') * 10 + (ones - b'0'))
}

/// `YYYYMMDDTHHMMSSZ`.
fn basic(at: Timestamp) -> String {
    at.iso().replace(['-', ':'], "")
}

/// The headers that are signed, by name. `Host` and each `X-Amz-*` header must be, and what is signed must be there.
fn covered<'a>(head: &Head<'a>, signed_headers: &[Cow<'a, str>]) -> Result<Vec<(&'a str, &'a [u8])>, AuthnError> {
    let is_signed = |name: &str| signed_headers.iter().any(|signed| signed == name);
    if !is_signed("host") {
        return Err(AuthnError::Invalid("'Host' must be a 'SignedHeader' in the AWS Authorization.".into()));
    }
    let unsigned = head.headers.iter().find(|(name, _)| name.starts_with("x-amz-") && !is_signed(name));
    if let Some((name, _)) = unsigned {
        return Err(AuthnError::Invalid(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization.")));
    }
    let mut covered = Vec::with_capacity(head.headers.len());
    for signed in signed_headers {
        let before = covered.len();
        covered.extend(head.headers.iter().filter(|(name, _)| signed == name));
        if covered.len() == before {
            return Err(AuthnError::Mismatch);
        }
    }
    Ok(covered)
}

fn canonical(
    head: &Head<'_>,
    covered: &[(&str, &[u8])],
    signed_headers: &[Cow<'_, str>],
) -> Result<String, AuthnError> {
    // A value that is not UTF-8 has no canonical form: no signer that exists would have signed it.
    let text = |&(name, value)| std::str::from_utf8(value).map(|value| (name, value)).map_err(|_| AuthnError::Mismatch);
    let headers = covered.iter().map(text).collect::<Result<Vec<(&str, &str)>, _>>()?;
    let signed: Vec<&str> = signed_headers.iter().map(Cow::as_ref).collect();
    Ok(canonical_head(head.method, head.path, head.query, &headers, &signed))
}

#[cfg(test)]
mod tests;
