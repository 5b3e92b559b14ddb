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

    use std::time::UNIX_EPOCH;

    use aws_credential_types::Credentials;
    use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
    use aws_sigv4::sign::v4;
    use kms_core::clock::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::authn::sigv4::{Head, SKEW, Signed, SigningKey};

    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
    /// 2015-08-30T12:36:00Z.
    const SIGNED_AT: Timestamp = Timestamp(1_440_938_160_000);
    const HOST: &str = "sts.us-east-1.amazonaws.com";

    /// The query that AWS's own signer makes of another one.
    fn signed(method: &str, query: &str, token: Option<&str>) -> String {
        let identity = Credentials::new("AKIDEXAMPLE", SECRET, token.map(str::to_owned), None, "test").into();
        let mut settings = SigningSettings::default();
        settings.signature_location = SignatureLocation::QueryParams;
        settings.expires_in = Some(Duration::from_secs(60));
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("sts")
            .time(UNIX_EPOCH + Duration::from_millis(SIGNED_AT.0))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let url = format!("https://{HOST}/?{query}");
        let signable = SignableRequest::new(method, url.clone(), std::iter::empty(), SignableBody::Bytes(b"")).unwrap();
        let (instructions, _) = sign(signable, &params).unwrap().into_parts();
        let mut request = http::Request::builder().method(method).uri(url).body(()).unwrap();
        instructions.apply_to_request_http1x(&mut request);
        request.uri().query().unwrap().to_owned()
    }

    /// Whether the query is believed at a time, so long after it was signed.
    fn believed(method: &str, query: &str, seconds: u64) -> Result<Option<String>, AuthnError> {
        let presigned = Presigned::of(query)?.ok_or(AuthnError::MissingToken)?;
        let head = Head { method, path: "/", query, headers: vec![("host", HOST.as_bytes())] };
        let claim = Signed::presigned(&head, &presigned)?;
        claim.check_scope("us-east-1", "sts")?;
        claim.check_time(SIGNED_AT.plus(Duration::from_secs(seconds)), SKEW)?;
        let time = UNIX_EPOCH + Duration::from_millis(SIGNED_AT.0);
        let key = v4::generate_signing_key(SECRET, time, "us-east-1", "sts");
        claim.verify(&SigningKey::new(key.as_ref().try_into().unwrap()), b"")?;
        Ok(claim.session_token.map(str::to_owned))
    }

    #[test]
    fn aws_s_signer_is_believed_for_as_long_as_it_says() {
        for method in ["GET", "POST"] {
            let query = signed(method, "Action=GetCallerIdentity&Version=2011-06-15", Some("a/b+c="));
            assert_eq!(believed(method, &query, 60), Ok(Some("a/b+c=".to_owned())));
            assert!(believed(method, &query, 61).unwrap_err().to_string().starts_with("Signature expired"));
        }
    }

    proptest! {
        #[test]
        fn what_was_changed_in_a_query_is_not_believed(at: prop::sample::Index, to in "[A-Za-z0-9=&%.-]") {
            let query = signed("GET", "Action=AssumeRole&RoleSessionName=one", None);
            let at = at.index(query.len());
            let mut changed = query.clone();
            changed.replace_range(at..=at, &to);
            // Upper and lower case of an escape, and an empty parameter, are other spellings of the same query.
            let same = form_urlencoded::parse(changed.as_bytes()).eq(form_urlencoded::parse(query.as_bytes()));
            prop_assume!(!same);
            prop_assert!(believed("GET", &changed, 0).is_err());
        }
    }

    #[test]
    fn a_query_and_a_header_together_are_refused() {
        let query = signed("GET", "Action=GetCallerIdentity", None);
        let presigned = Presigned::of(&query).unwrap().unwrap();
        let headers = vec![("host", HOST.as_bytes()), ("authorization", b"AWS4-HMAC-SHA256 x".as_slice())];
        let head = Head { method: "GET", path: "/", query: &query, headers };
        assert!(matches!(Signed::presigned(&head, &presigned), Err(AuthnError::Incomplete(_))));
    }

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
