//! Signature Version 4 for the one kind of request that there is: a POST of a body to `/`.
//! Keeps the day's signing key, since deriving it costs more than the rest; compared with AWS's own signer in a test.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use aws_lc_rs::{digest, hmac};
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderMap, HeaderName, HeaderValue};
use kms_core::clock::Timestamp;

use crate::Outcome;
use crate::credentials::Credentials;

const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const TOKEN: HeaderName = HeaderName::from_static("x-amz-security-token");
pub(crate) const JSON: &str = "application/x-amz-json-1.1";
pub(crate) const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

/// Signs requests of one access key for one service.
pub(crate) struct Signer {
    credentials: Credentials,
    service: &'static str,
    day: ArcSwapOption<Day>,
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.credentials.fmt(out)
    }
}

struct Day {
    /// `20261123`
    date: String,
    key: hmac::Key,
}

impl Signer {
    pub(crate) fn new(credentials: Credentials, service: &'static str) -> Self {
        Self { credentials, service, day: ArcSwapOption::empty() }
    }

    /// The headers of a request to `host` (with its port) of `operation`, with its signature.
    pub(crate) fn kms(&self, host: &str, operation: &str, body: &[u8], now: Timestamp) -> Outcome<HeaderMap> {
        self.headers(host, JSON, Some(&format!("TrentService.{operation}")), body, now)
    }

    /// The headers of a request without a target, as STS takes it.
    pub(crate) fn form(&self, host: &str, body: &[u8], now: Timestamp) -> Outcome<HeaderMap> {
        self.headers(host, FORM, None, body, now)
    }

    fn headers(
        &self,
        host: &str,
        content_type: &str,
        target: Option<&str>,
        body: &[u8],
        now: Timestamp,
    ) -> Outcome<HeaderMap> {
        let stamp: String = now.iso().chars().filter(|letter| !matches!(letter, '-' | ':')).collect();
        let date = stamp.get(..8).ok_or("the clock shows no date")?;
        let token = self.credentials.session_token.as_deref();
        let signed = [
            ("content-type", Some(content_type)),
            ("host", Some(host)),
            ("x-amz-date", Some(stamp.as_str())),
            ("x-amz-security-token", token),
            ("x-amz-target", target),
        ];
        let present = || signed.iter().filter_map(|(name, value)| value.map(|value| (*name, value)));
        let mut canonical = String::with_capacity(512);
        canonical.push_str("POST\n/\n\n");
        for (name, value) in present() {
            canonical.extend([name, ":", value, "\n"]);
        }
        let names: Vec<_> = present().map(|(name, _)| name).collect();
        let names = names.join(";");
        canonical.extend(["\n", &names, "\n", &sha256(body)]);
        let scope = format!("{date}/{}/{}/aws4_request", self.credentials.region, self.service);
        let to_sign = format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{}", sha256(canonical.as_bytes()));
        let signature = hex::encode(hmac::sign(&self.day(date).key, to_sign.as_bytes()));
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}",
            self.credentials.access_key_id
        );
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(HOST, HeaderValue::from_str(host)?);
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type)?);
        headers.insert(DATE, HeaderValue::from_str(&stamp)?);
        if let Some(target) = target {
            headers.insert(TARGET, HeaderValue::from_str(target)?);
        }
        if let Some(token) = token {
            headers.insert(TOKEN, HeaderValue::from_str(token)?);
        }
        headers.insert(AUTHORIZATION, HeaderValue::try_from(authorization)?);
        Ok(headers)
    }

    fn day(&self, date: &str) -> Arc<Day> {
        if let Some(day) = self.day.load_full().filter(|day| day.date == date) {
            return day;
        }
        let first = format!("AWS4{}", self.credentials.secret).into_bytes();
        let steps = [date, &self.credentials.region, self.service, "aws4_request"];
        let key = steps.iter().fold(first, |key, step| {
            hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), step.as_bytes()).as_ref().to_vec()
        });
        let day = Arc::new(Day { date: date.to_owned(), key: hmac::Key::new(hmac::HMAC_SHA256, &key) });
        self.day.store(Some(Arc::clone(&day)));
        day
    }
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest::digest(&digest::SHA256, bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use std::time::{Duration, UNIX_EPOCH};

    use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
    use aws_sigv4::sign::v4;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_472_400_000);

    fn credentials(session_token: Option<&str>) -> Credentials {
        Credentials {
            name: "test".to_owned(),
            access_key_id: "AKIDEXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_owned(),
            session_token: session_token.map(str::to_owned),
            region: "eu-west-9".to_owned(),
        }
    }

    /// What AWS's own signer says of the same request.
    fn reference(of: &Credentials, now: Timestamp, body: &[u8]) -> String {
        let token = of.session_token.clone();
        let identity =
            aws_credential_types::Credentials::new(&of.access_key_id, &of.secret, token, None, "test").into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&of.region)
            .name("kms")
            .time(UNIX_EPOCH + Duration::from_millis(now.0))
            .settings(SigningSettings::default())
            .build()
            .unwrap()
            .into();
        let headers = [("host", "127.0.10.1:8443"), ("content-type", JSON), ("x-amz-target", "TrentService.Encrypt")];
        let url = "https://127.0.10.1:8443/";
        let request = SignableRequest::new("POST", url, headers.into_iter(), SignableBody::Bytes(body)).unwrap();
        let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
        let found = instructions.headers().find(|(name, _)| name.eq_ignore_ascii_case("authorization")).unwrap();
        found.1.to_owned()
    }

    #[test]
    fn it_signs_as_awss_own_signer_does() {
        for token in [None, Some("a+session/token==")] {
            let of = credentials(token);
            let signer = Signer::new(of.clone(), "kms");
            // The day changes in between, and back.
            for now in [NOW, NOW.plus(Duration::from_secs(86_400)), NOW] {
                let headers = signer.kms("127.0.10.1:8443", "Encrypt", b"{\"a\":1}", now).unwrap();
                assert_eq!(headers[AUTHORIZATION], reference(&of, now, b"{\"a\":1}"));
                assert_eq!(headers.get(TOKEN).map(|value| value.to_str().unwrap()), token);
            }
        }
    }
}
