//! Signature Version 4 in the query: the parameters that stand there in place of headers. For STS alone.
//! Knows the text only; whether its claims hold is for `sigv4`.
//! https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html

use std::time::Duration;

use super::AuthnError;
use super::credential::{ALGORITHM, shown};

/// A week: the most that a signature may ask for.
const EXPIRES_SECONDS_MAX: u64 = 7 * 24 * 60 * 60;
/// What AWS STS makes of it all the same.
const LIFETIME_MAX: Duration = Duration::from_secs(15 * 60);

/// The parameters of a signed query, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Presigned {
    pub(super) credential: String,
    pub(super) date: String,
    pub(super) lifetime: Duration,
    pub(super) signed_headers: String,
    pub(super) signature: String,
    pub(super) session_token: Option<String>,
    /// The query as it came, without the signature: what was signed.
    pub(super) signed_query: String,
}

impl Presigned {
    /// Reads a query; `None` when it claims no signature.
    ///
    /// # Errors
    /// A parameter that is missing, repeated, or not of its form.
    pub fn of(query: &str) -> Result<Option<Self>, AuthnError> {
        if !query.contains("X-Amz-") {
            return Ok(None);
        }
        let is_signature = |pair: &&str| pair.split('=').next() == Some("X-Amz-Signature");
        let signed_query: Vec<&str> = query.split('&').filter(|pair| !is_signature(pair)).collect();
        let all: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
        let sole = |name: &str| {
            let mut values = all.iter().filter(|(known, _)| known == name).map(|(_, value)| value.to_string());
            let first = values.next();
            match values.next() {
                None => Ok(first),
                Some(_) => Err(AuthnError::Incomplete(format!("The parameter '{name}' must not be repeated."))),
            }
        };
        let required = |name: &str| sole(name)?.ok_or_else(|| missing(name));
        let algorithm = required("X-Amz-Algorithm")?;
        if algorithm != ALGORITHM {
            return Err(AuthnError::Incomplete(format!("Unsupported AWS 'algorithm': '{}'.", shown(&algorithm))));
        }
        Ok(Some(Self {
            credential: required("X-Amz-Credential")?,
            date: required("X-Amz-Date")?,
            lifetime: lifetime(sole("X-Amz-Expires")?.as_deref())?,
            signed_headers: required("X-Amz-SignedHeaders")?,
            signature: required("X-Amz-Signature")?,
            session_token: sole("X-Amz-Security-Token")?,
            signed_query: signed_query.join("&"),
        }))
    }
}

fn missing(name: &str) -> AuthnError {
    AuthnError::Incomplete(format!(
        "AWS query-string parameters must include '{name}'. Re-examine the query-string parameters."
    ))
}

fn lifetime(expires: Option<&str>) -> Result<Duration, AuthnError> {
    let Some(text) = expires else { return Ok(LIFETIME_MAX) };
    let seconds = text.parse().ok().filter(|seconds| (1..=EXPIRES_SECONDS_MAX).contains(seconds));
    let seconds = seconds.ok_or_else(|| {
        AuthnError::Incomplete(format!("X-Amz-Expires must be a number from 1 to {EXPIRES_SECONDS_MAX}."))
    })?;
    Ok(Duration::from_secs(seconds).min(LIFETIME_MAX))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const QUERY: &str = "Action=GetCallerIdentity&Version=2011-06-15&X-Amz-Algorithm=AWS4-HMAC-SHA256\
        &X-Amz-Credential=AKID%2F20261125%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=20261125T010203Z\
        &X-Amz-Expires=60&X-Amz-SignedHeaders=host&X-Amz-Signature=00";

    #[test]
    fn all_of_it_is_read() {
        let read = Presigned::of(QUERY).unwrap().unwrap();
        assert_eq!(read.credential, "AKID/20261125/us-east-1/sts/aws4_request");
        assert_eq!((read.lifetime, &*read.signed_headers), (Duration::from_secs(60), "host"));
        assert_eq!(read.signed_query, QUERY.replace("&X-Amz-Signature=00", ""));
        assert_eq!(Presigned::of("Action=GetCallerIdentity"), Ok(None));
    }

    #[test]
    fn what_is_missing_or_repeated_is_named() {
        for name in ["Algorithm", "Credential", "Date", "SignedHeaders", "Signature"] {
            let bent = QUERY.replace(&format!("X-Amz-{name}="), "x=");
            let said = Presigned::of(&bent).unwrap_err().to_string();
            assert!(said.contains(&format!("must include 'X-Amz-{name}'")), "{said}");
            let twice = format!("{QUERY}&X-Amz-{name}=1");
            let said = Presigned::of(&twice).unwrap_err().to_string();
            assert!(said.contains("must not be repeated"), "{said}");
        }
    }

    #[test]
    fn a_lifetime_is_at_most_a_week_and_counts_for_a_quarter_of_an_hour() {
        let of = |seconds: &str| Presigned::of(&QUERY.replace("Expires=60", &format!("Expires={seconds}")));
        for wrong in ["0", "604801", "-1", "x", ""] {
            assert!(of(wrong).is_err(), "{wrong}");
        }
        assert_eq!(of("604800").unwrap().unwrap().lifetime, LIFETIME_MAX);
    }

    proptest! {
        #[test]
        fn no_query_panics(query in "(X-Amz-(Signature|Date|Expires|Credential)=|[&=%a-zA-Z0-9]|\\PC){0,40}") {
            let _ = Presigned::of(&query);
        }
    }
}
