//! A typical request: Encrypt of 32 bytes with a context of two pairs, as an SDK sends and signs it.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

use std::time::{Duration, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use kms_core::clock::Timestamp;

pub(crate) const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
/// 2015-08-30T12:36:00Z.
pub(crate) const SIGNED_AT: Timestamp = Timestamp(1_440_938_160_000);
pub(crate) const BODY: &[u8] = br#"{"KeyId":"alias/demo","Plaintext":"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=","EncryptionContext":{"department":"10103.0","purpose":"payroll"}}"#;

pub(crate) fn borrowed(headers: &[(String, Vec<u8>)]) -> impl Iterator<Item = (&str, &[u8])> + Clone {
    headers.iter().map(|(name, value)| (name.as_str(), value.as_slice()))
}

/// All headers, with those that the signature adds.
pub(crate) fn headers() -> Vec<(String, Vec<u8>)> {
    let length = BODY.len().to_string();
    let sent = [
        ("host", "kms.us-east-1.amazonaws.com"),
        ("content-type", "application/x-amz-json-1.1"),
        ("content-length", length.as_str()),
        ("x-amz-target", "TrentService.Encrypt"),
        ("user-agent", "aws-sdk-rust/1.3.10 os/linux lang/rust/1.95.0"),
        ("amz-sdk-request", "attempt=1; max=3"),
        ("amz-sdk-invocation-id", "0f8a2a3e-5b1c-4a6e-9d55-0a1b2c3d4e5f"),
    ];
    let identity = Credentials::new("AKIDEXAMPLE", SECRET, None, None, "bench").into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("kms")
        .time(UNIX_EPOCH + Duration::from_millis(SIGNED_AT.0))
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let uri = "https://kms.us-east-1.amazonaws.com/";
    let signable = SignableRequest::new("POST", uri, sent.into_iter(), SignableBody::Bytes(BODY)).unwrap();
    let (instructions, _) = sign(signable, &parameters).unwrap().into_parts();
    let (added, _) = instructions.into_parts();
    let added = added.iter().map(|header| (header.name(), header.value()));
    sent.into_iter().chain(added).map(|(name, value)| (name.to_ascii_lowercase(), value.as_bytes().to_vec())).collect()
}
