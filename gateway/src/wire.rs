//! The two protocols that KMS and STS speak over HTTP: AWS JSON 1.1 and the query protocol. Which of them a request
//! speaks, and how answers and errors look in bytes.
//! Knows no operation's meaning and no connection.

use std::time::Duration;

use serde::Serialize;

use crate::serve::Answer;

pub const CONTENT_TYPE_JSON: &str = "application/x-amz-json-1.1";
const CONTENT_TYPE_FORM: &str = "application/x-www-form-urlencoded";
const TARGET_PREFIX: &str = "TrentService.";
/// The longest name of an operation is half as long.
const OPERATION_LENGTH_MAX: usize = 64;
const FORM_PARAMETERS_MAX: usize = 256;

/// How errors are spelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// AWS JSON 1.1: KMS.
    Json,
    /// Form in, XML out: STS.
    Query,
}

/// Which service a request is for.
#[derive(Clone, Debug, PartialEq)]
pub enum Route<'a> {
    /// A KMS operation's name, letters and digits only; whether there is such an operation is not known here.
    Kms {
        operation: &'a str,
    },
    Sts {
        form: Form,
    },
    /// Neither; this says so.
    Other(Answer),
}

/// The parameters of a query request, decoded, in the order in which they came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Parses `application/x-www-form-urlencoded`; `None` when there are too many parameters.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let parameters: Vec<_> = form_urlencoded::parse(body).into_owned().take(FORM_PARAMETERS_MAX + 1).collect();
        (parameters.len() <= FORM_PARAMETERS_MAX).then_some(Self(parameters))
    }

    /// Names and values, in the order in which they came.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A parameter's value; the first, when it is repeated.
    pub fn value(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

impl<'a> Route<'a> {
    /// Decides by method, path, query, `X-Amz-Target` and content type. Header names are in lower case.
    pub fn of(
        method: &str,
        path: &str,
        query: &str,
        headers: impl Iterator<Item = (&'a str, &'a [u8])> + Clone,
        body: &[u8],
    ) -> Self {
        // A signed URL of STS holds everything in its query, whatever the method it is used with.
        if path == "/" && body.is_empty() && query.contains("Action=") && matches!(method, "GET" | "POST") {
            let form = Form::parse(query.as_bytes());
            return form.map_or_else(|| Self::Other(too_many_parameters()), |form| Self::Sts { form });
        }
        if method != "POST" {
            let mut answer = error(405, "UnknownOperationException", "Only the method POST is supported.");
            answer.headers.push(("allow", "POST".into()));
            return Self::Other(answer);
        }
        if path != "/" {
            return Self::Other(error(404, "UnknownOperationException", "Only the path / is supported."));
        }
        let media_type = sole(headers.clone(), "content-type").and_then(|text| text.split(';').next()).map(str::trim);
        let is = |wanted: &str| media_type.is_some_and(|media_type| media_type.eq_ignore_ascii_case(wanted));
        if is(CONTENT_TYPE_JSON) {
            return operation(headers)
                .map_or_else(|| Self::Other(unknown_operation()), |operation| Self::Kms { operation });
        }
        if is(CONTENT_TYPE_FORM) {
            return Form::parse(body).map_or_else(|| Self::Other(too_many_parameters()), |form| Self::Sts { form });
        }
        Self::Other(error(
            400,
            "UnknownOperationException",
            &format!("The content type must be {CONTENT_TYPE_JSON} for KMS or {CONTENT_TYPE_FORM} for STS."),
        ))
    }
}

/// A JSON body of an answer that is no error.
pub fn json(body: Vec<u8>) -> Answer {
    Answer { status: 200, headers: vec![("content-type", CONTENT_TYPE_JSON.into())], body, close: false }
}

/// An error of the JSON protocol. An empty message has no member; `AccessDeniedException` spells its own `Message`.
pub fn error(status: u16, code: &str, message: &str) -> Answer {
    #[derive(Serialize)]
    struct Body<'a> {
        __type: &'a str,
        #[serde(skip_serializing_if = "str::is_empty")]
        message: &'a str,
        #[serde(rename = "Message", skip_serializing_if = "str::is_empty")]
        capital_message: &'a str,
    }
    let (message, capital_message) = if code == "AccessDeniedException" { ("", message) } else { (message, "") };
    // Serialising three strings cannot fail; without a body the status still tells the truth.
    let body = serde_json::to_vec(&Body { __type: code, message, capital_message }).unwrap_or_default();
    Answer { status, ..json(body) }
}

/// An error that goes away by itself: says when to come back, as SDKs read it, in whole milliseconds. Rounded up, as who
/// comes back at the time that was named must not be too early.
pub fn overloaded(status: u16, code: &str, message: &str, retry_after: Duration) -> Answer {
    let mut answer = error(status, code, message);
    let milliseconds = retry_after.as_nanos().div_ceil(1_000_000);
    answer.headers.push(("x-amz-retry-after", milliseconds.to_string().into()));
    answer
}

/// An `X-Amz-Target` that names no operation of KMS.
pub fn unknown_operation() -> Answer {
    error(400, "UnknownOperationException", "")
}

/// The body is larger than the service reads; the connection is closed, since the rest of it may follow.
pub fn entity_too_large() -> Answer {
    Answer { close: true, ..error(413, "RequestEntityTooLargeException", "The request's body is too large.") }
}

/// The request did not arrive whole within its deadline.
pub fn request_timeout() -> Answer {
    Answer { close: true, ..error(408, "RequestTimeoutException", "Reading the request timed out.") }
}

/// Not HTTP, or HTTP that breaks off.
pub fn malformed() -> Answer {
    Answer { close: true, ..error(400, "MalformedHttpRequestException", "The request is not valid HTTP.") }
}

/// More headers than the service reads.
pub fn head_too_large() -> Answer {
    Answer { close: true, ..error(431, "MalformedHttpRequestException", "The request's headers are too large.") }
}

/// The service failed in a way that it does not explain.
pub fn internal() -> Answer {
    error(500, "KMSInternalException", "The request processing has failed because of an unknown error.")
}

fn too_many_parameters() -> Answer {
    crate::sts::error(400, "MalformedInput", "The request has too many parameters.", "")
}

/// A header that comes once, as text.
fn sole<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>, name: &str) -> Option<&'a str> {
    let mut values = headers.filter(|(known, _)| *known == name);
    let (_, value) = values.next()?;
    if values.next().is_some() { None } else { std::str::from_utf8(value).ok() }
}

/// The operation that `X-Amz-Target` names: letters and digits, whether or not there is such an operation.
pub fn operation<'a>(headers: impl Iterator<Item = (&'a str, &'a [u8])>) -> Option<&'a str> {
    let name = sole(headers, "x-amz-target")?.strip_prefix(TARGET_PREFIX)?;
    let is_name = (1..=OPERATION_LENGTH_MAX).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric());
    is_name.then_some(name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    fn headers<'a>(pairs: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = (&'a str, &'a [u8])> + Clone {
        pairs.iter().map(|(name, value)| (*name, value.as_bytes()))
    }

    fn routed<'a>(method: &str, path: &str, content_type: &'a str, target: &'a str) -> Route<'a> {
        let headers = [("content-type", content_type.as_bytes()), ("x-amz-target", target.as_bytes())];
        Route::of(method, path, "", headers.into_iter(), b"Action=GetCallerIdentity&Version=2011-06-15&A=b+c%2F")
    }

    #[test]
    fn kms() {
        for content_type in ["application/x-amz-json-1.1", "Application/X-Amz-Json-1.1 ; charset=utf-8"] {
            let route = routed("POST", "/", content_type, "TrentService.Encrypt");
            assert_eq!(route, Route::Kms { operation: "Encrypt" });
        }
    }

    #[test]
    fn sts() {
        let Route::Sts { form } = routed("POST", "/", "application/x-www-form-urlencoded; charset=utf-8", "") else {
            panic!("not STS");
        };
        assert_eq!(form.value("Action"), Some("GetCallerIdentity"));
        assert_eq!(form.value("A"), Some("b c/"));
        assert_eq!(form.value("B"), None);
    }

    #[test]
    fn a_url_of_sts() {
        for method in ["GET", "POST"] {
            let route = Route::of(method, "/", "Action=GetCallerIdentity&A=b%20c", std::iter::empty(), b"");
            let Route::Sts { form } = route else { panic!("not STS") };
            assert_eq!((form.value("Action"), form.value("A")), (Some("GetCallerIdentity"), Some("b c")));
        }
        for (method, path) in [("PUT", "/"), ("GET", "/a")] {
            let route = Route::of(method, path, "Action=GetCallerIdentity", std::iter::empty(), b"");
            assert!(matches!(route, Route::Other(_)), "{method} {path}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let json = CONTENT_TYPE_JSON;
        for (method, path, content_type, target, status) in [
            ("GET", "/", json, "TrentService.Encrypt", 405),
            ("HEAD", "/", json, "TrentService.Encrypt", 405),
            ("POST", "/a", json, "TrentService.Encrypt", 404),
            ("POST", "//", json, "TrentService.Encrypt", 404),
            ("POST", "/", "text/plain", "TrentService.Encrypt", 400),
            ("POST", "/", "application/json", "TrentService.Encrypt", 400),
            ("POST", "/", "", "TrentService.Encrypt", 400),
            ("POST", "/", json, "", 400),
            ("POST", "/", json, "TrentService.", 400),
            ("POST", "/", json, "TrentService.A/b", 400),
            ("POST", "/", json, "Encrypt", 400),
            ("POST", "/", json, "Other.Encrypt", 400),
        ] {
            let Route::Other(answer) = routed(method, path, content_type, target) else {
                panic!("{method} {path} {content_type} {target}");
            };
            assert_eq!(answer.status, status, "{method} {path} {content_type} {target}");
            assert!(answer.body.starts_with(br#"{"__type":"UnknownOperationException""#));
        }
        assert_eq!(
            Route::of("POST", "/", "", headers(&[("content-type", json)]), b""),
            Route::Other(unknown_operation())
        );
    }

    #[test]
    fn a_repeated_target_is_none() {
        let twice = [
            ("content-type", CONTENT_TYPE_JSON),
            ("x-amz-target", "TrentService.Encrypt"),
            ("x-amz-target", "TrentService.Decrypt"),
        ];
        assert_eq!(Route::of("POST", "/", "", headers(&twice), b""), Route::Other(unknown_operation()));
    }

    #[test]
    fn error_bodies() {
        for (code, message, body) in [
            ("NotFoundException", "No \"x\"", r#"{"__type":"NotFoundException","message":"No \"x\""}"#),
            ("AccessDeniedException", "No", r#"{"__type":"AccessDeniedException","Message":"No"}"#),
            ("InvalidCiphertextException", "", r#"{"__type":"InvalidCiphertextException"}"#),
        ] {
            assert_eq!(error(400, code, message).body, body.as_bytes());
        }
        for (microseconds, shown) in [(120_000, "120"), (119_001, "120"), (1, "1")] {
            let after = Duration::from_micros(microseconds);
            let answer = overloaded(400, "ThrottlingException", "Rate exceeded", after);
            assert!(answer.headers.contains(&("x-amz-retry-after", shown.into())));
        }
    }

    #[test]
    fn a_form_has_a_limit() {
        assert!(Form::parse("a=1&".repeat(FORM_PARAMETERS_MAX).as_bytes()).is_some());
        assert!(Form::parse("a=1&".repeat(FORM_PARAMETERS_MAX + 1).as_bytes()).is_none());
    }

    proptest! {
        #[test]
        fn never_panics(method in ".*", path in ".*", query in ".*", value: Vec<u8>, body: Vec<u8>) {
            for content_type in [CONTENT_TYPE_JSON.as_bytes(), CONTENT_TYPE_FORM.as_bytes(), &value] {
                let headers = [("content-type", content_type), ("x-amz-target", value.as_slice())];
                Route::of(&method, &path, &query, headers.into_iter(), &body);
                Route::of("POST", "/", &query, headers.into_iter(), &body);
            }
        }

        #[test]
        fn a_form_that_was_encoded_decodes(pairs in proptest::collection::vec((".+", ".*"), 0..8)) {
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&pairs).finish();
            prop_assert_eq!(Form::parse(text.as_bytes()), Some(Form(pairs)));
        }
    }
}
