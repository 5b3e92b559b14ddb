//! Who is calling: AWS Signature Version 4, checked to the letter, and the tokens of sessions.
//! Pure: knows no clock, no socket and never a long-term secret; the day's signing key is handed in, and whose
//! access key it is, others say.

pub mod canonical;
pub mod credential;
pub mod presigned;
pub mod session;
pub mod sigv4;
pub mod web_identity;

use crate::wire::Protocol;

/// Why a caller is not believed. The text is what the caller is told, in AWS's words where those are known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthnError {
    /// The request has no `Authorization` header.
    #[error("Missing Authentication Token")]
    MissingToken,
    /// The `Authorization` header cannot be read.
    #[error("{0}")]
    Incomplete(String),
    /// Well formed, but out of scope, out of time or with a header unsigned that must be signed.
    #[error("{0}")]
    Invalid(String),
    /// The signature is of another key or of another request.
    #[error(
        "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access \
         Key and signing method. Consult the service documentation for details."
    )]
    Mismatch,
    /// Nobody has this access key id, or its session token does not belong to it.
    #[error("The security token included in the request is invalid.")]
    UnknownToken,
    /// The session is over.
    #[error("The security token included in the request is expired")]
    ExpiredToken,
}

impl AuthnError {
    /// The error code: KMS appends `Exception`, and STS (the query protocol) has names of its own.
    pub fn code(&self, protocol: Protocol) -> &'static str {
        match (protocol, self) {
            (Protocol::Json, Self::MissingToken) => "MissingAuthenticationTokenException",
            (Protocol::Json, Self::Incomplete(_)) => "IncompleteSignatureException",
            (Protocol::Json, Self::Invalid(_) | Self::Mismatch) => "InvalidSignatureException",
            (Protocol::Json, Self::UnknownToken) => "UnrecognizedClientException",
            (Protocol::Json, Self::ExpiredToken) => "ExpiredTokenException",
            (Protocol::Query, Self::MissingToken) => "MissingAuthenticationToken",
            (Protocol::Query, Self::Incomplete(_)) => "IncompleteSignature",
            (Protocol::Query, Self::Invalid(_) | Self::Mismatch) => "SignatureDoesNotMatch",
            (Protocol::Query, Self::UnknownToken) => "InvalidClientTokenId",
            (Protocol::Query, Self::ExpiredToken) => "ExpiredToken",
        }
    }

    /// The HTTP status: KMS answers 400 to all of them, STS 403 to what it could read.
    pub fn status(&self, protocol: Protocol) -> u16 {
        match (protocol, self) {
            (Protocol::Json, _) | (Protocol::Query, Self::Incomplete(_)) => 400,
            (Protocol::Query, _) => 403,
        }
    }
}
