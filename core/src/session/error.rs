//! The errors of STS: code, HTTP status and text of each, as the query protocol spells them (no suffix `Exception`
//! but where the API reference of AWS STS has it). Knows nothing of XML.

/// Why there is no session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionError {
    /// A parameter is missing or not of its form.
    Validation(String),
    /// Tags that do not go together.
    InvalidParameterValue(String),
    AccessDenied(String),
    MalformedPolicyDocument(String),
    PackedPolicyTooLarge(String),
    InvalidIdentityToken(String),
    /// The web identity token is over.
    ExpiredToken(String),
    /// The issuer's keys are not known.
    IdpCommunication(String),
    Throttling,
    /// There is too much to do now.
    Unavailable,
    Internal,
}

impl SessionError {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Validation(_) => "ValidationError",
            Self::InvalidParameterValue(_) => "InvalidParameterValue",
            Self::AccessDenied(_) => "AccessDenied",
            Self::MalformedPolicyDocument(_) => "MalformedPolicyDocument",
            Self::PackedPolicyTooLarge(_) => "PackedPolicyTooLarge",
            Self::InvalidIdentityToken(_) => "InvalidIdentityToken",
            Self::ExpiredToken(_) => "ExpiredTokenException",
            Self::IdpCommunication(_) => "IDPCommunicationError",
            Self::Throttling => "Throttling",
            Self::Unavailable => "ServiceUnavailable",
            Self::Internal => "InternalFailure",
        }
    }

    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::AccessDenied(_) => 403,
            Self::Unavailable => 503,
            Self::Internal => 500,
            _ => 400,
        }
    }

    /// What the caller is told.
    pub fn message(&self) -> &str {
        match self {
            Self::Validation(text)
            | Self::InvalidParameterValue(text)
            | Self::AccessDenied(text)
            | Self::MalformedPolicyDocument(text)
            | Self::PackedPolicyTooLarge(text)
            | Self::InvalidIdentityToken(text)
            | Self::ExpiredToken(text)
            | Self::IdpCommunication(text) => text,
            Self::Throttling => "Rate exceeded",
            Self::Unavailable => "The service is busy; try again.",
            Self::Internal => "The request processing has failed because of an unknown error.",
        }
    }

    pub(super) fn packed_too_large(size: usize, size_max: usize) -> Self {
        let percent = size.saturating_mul(100).div_ceil(size_max);
        Self::PackedPolicyTooLarge(format!(
            "Packed size of session policy and tags consumes {percent}% of allotted space."
        ))
    }
}
