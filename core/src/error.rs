//! Every way in which an operation fails, and how AWS spells it.
//! The only place where an error becomes an AWS code and text; the private cause never joins the public message.

use std::time::Duration;

use kms_hsm::HsmError;

use crate::model::{ErrorCode, Invalid};
use crate::store::StoreError;

/// What an operation answers when it does not succeed.
#[derive(Clone, Debug, PartialEq)]
pub enum KmsError {
    /// The request broke the API model; found before any key was looked up.
    Invalid(Invalid),
    /// A check of the service itself, in its free text.
    Validation(String),
    /// AWS KMS has no such operation either.
    UnknownOperation,
    AliasPrefix,
    AliasCharacters {
        alias: String,
    },
    /// The decision's own words (`authz::Decision::message`).
    AccessDenied(String),
    /// A ciphertext whose key the caller may not know of.
    HiddenCiphertext,
    /// `alias/aws/...` belongs to AWS.
    ReservedAlias,

    InvalidKeyId {
        given: String,
    },
    ForeignRegion {
        region: String,
    },
    KeyNotFound {
        arn: String,
    },
    AliasNotFound {
        arn: String,
    },
    GrantNotFound {
        grant: String,
    },
    PolicyNotFound,
    AliasExists {
        arn: String,
    },

    Disabled {
        arn: String,
    },
    InvalidState {
        arn: String,
        is: &'static str,
    },
    KeyUsage {
        arn: String,
        usage: &'static str,
        operation: &'static str,
    },
    Algorithm {
        algorithm: &'static str,
        spec: &'static str,
    },
    Unsupported(String),
    InvalidCiphertext,
    InvalidSignature,
    InvalidMac,
    IncorrectKey,
    DryRun,

    InvalidArn(String),
    InvalidMarker,
    InvalidGrantToken,
    InvalidGrantId,
    Tag(&'static str),
    MalformedPolicy(String),
    LimitExceeded(String),

    /// A rate was exceeded; `after` is when the next call would pass.
    Throttled {
        after: Duration,
    },
    /// The service has more work than it takes on; nothing was done.
    Overloaded,
    /// The deadline passed; a mutation may or may not stand.
    TimedOut,
    /// A fault of ours. The cause is for the log, never for the caller.
    Internal {
        cause: String,
    },
    /// The decision was made on state that has changed since; the pipeline decides again, callers never see it.
    Conflict,
}

impl KmsError {
    pub fn internal(cause: impl std::fmt::Display) -> Self {
        Self::Internal { cause: cause.to_string() }
    }

    /// AWS's name of the error.
    pub fn code(&self) -> ErrorCode {
        use ErrorCode as Code;
        match self {
            Self::Invalid(invalid) => invalid.code(),
            Self::Validation(_) | Self::AliasPrefix | Self::AliasCharacters { .. } => Code::ValidationException,
            Self::UnknownOperation => Code::UnknownOperationException,
            Self::AccessDenied(_) | Self::HiddenCiphertext => Code::AccessDeniedException,
            Self::ReservedAlias => Code::NotAuthorizedException,
            Self::InvalidKeyId { .. }
            | Self::ForeignRegion { .. }
            | Self::KeyNotFound { .. }
            | Self::AliasNotFound { .. }
            | Self::GrantNotFound { .. }
            | Self::PolicyNotFound => Code::NotFoundException,
            Self::AliasExists { .. } => Code::AlreadyExistsException,
            Self::Disabled { .. } => Code::DisabledException,
            Self::InvalidState { .. } => Code::KMSInvalidStateException,
            Self::KeyUsage { .. } | Self::Algorithm { .. } => Code::InvalidKeyUsageException,
            Self::Unsupported(_) => Code::UnsupportedOperationException,
            Self::InvalidCiphertext => Code::InvalidCiphertextException,
            Self::InvalidSignature => Code::KMSInvalidSignatureException,
            Self::InvalidMac => Code::KMSInvalidMacException,
            Self::IncorrectKey => Code::IncorrectKeyException,
            Self::DryRun => Code::DryRunOperationException,
            Self::InvalidArn(_) => Code::InvalidArnException,
            Self::InvalidMarker => Code::InvalidMarkerException,
            Self::InvalidGrantToken => Code::InvalidGrantTokenException,
            Self::InvalidGrantId => Code::InvalidGrantIdException,
            Self::Tag(_) => Code::TagException,
            Self::MalformedPolicy(_) => Code::MalformedPolicyDocumentException,
            Self::LimitExceeded(_) => Code::LimitExceededException,
            Self::Throttled { .. } => Code::ThrottlingException,
            Self::Overloaded => Code::KeyUnavailableException,
            Self::TimedOut => Code::DependencyTimeoutException,
            Self::Internal { .. } | Self::Conflict => Code::KMSInternalException,
        }
    }

    /// What the caller is told; empty where AWS says nothing.
    pub fn message(&self) -> String {
        match self {
            Self::Invalid(invalid) => invalid.to_string(),
            Self::Validation(text)
            | Self::AccessDenied(text)
            | Self::Unsupported(text)
            | Self::InvalidArn(text)
            | Self::MalformedPolicy(text)
            | Self::LimitExceeded(text) => text.clone(),
            Self::AliasPrefix => "Alias must start with the prefix \"alias/\". Please see \
                 https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html"
                .to_owned(),
            Self::AliasCharacters { alias } => format!("{alias} contains invalid characters for an alias"),
            Self::HiddenCiphertext => "The ciphertext refers to a customer master key that does not exist, does not \
                 exist in this region, or you are not allowed to access."
                .to_owned(),
            Self::InvalidKeyId { given } => format!("Invalid keyId '{given}'"),
            Self::ForeignRegion { region } => format!("Invalid arn {region}"),
            Self::KeyNotFound { arn } => format!("Key '{arn}' does not exist"),
            Self::AliasNotFound { arn } => format!("Alias {arn} is not found."),
            Self::GrantNotFound { grant } => format!("Grant ID {grant} not found"),
            Self::PolicyNotFound => "No such policy exists".to_owned(),
            Self::AliasExists { arn } => format!("An alias with the name {arn} already exists"),
            Self::Disabled { arn } => format!("{arn} is disabled."),
            Self::InvalidState { arn, is } => format!("{arn} is {is}."),
            Self::KeyUsage { arn, usage, operation } => {
                format!("{arn} key usage is {usage} which is not valid for {operation}.")
            }
            Self::Algorithm { algorithm, spec } => {
                format!("Algorithm {algorithm} is incompatible with key spec {spec}.")
            }
            Self::IncorrectKey => {
                "The key ID in the request does not identify a CMK that can perform this operation.".to_owned()
            }
            Self::DryRun => "The request would have succeeded, but the DryRun option is set.".to_owned(),
            Self::Tag(text) => (*text).to_owned(),
            Self::InvalidMarker => "Could not deserialize marker".to_owned(),
            Self::Throttled { .. } => "Rate exceeded".to_owned(),
            Self::Overloaded => "The service is busy; please retry.".to_owned(),
            Self::TimedOut => "The request could not be completed in time; please retry.".to_owned(),
            Self::UnknownOperation
            | Self::ReservedAlias
            | Self::InvalidCiphertext
            | Self::InvalidSignature
            | Self::InvalidMac
            | Self::InvalidGrantToken
            | Self::InvalidGrantId
            | Self::Internal { .. }
            | Self::Conflict => String::new(),
        }
    }

    /// When a retry may help, how long the caller should wait before it.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Throttled { after } => Some(*after),
            Self::Overloaded => Some(Duration::from_millis(50)),
            _ => None,
        }
    }

    /// The private cause of a fault, for the log.
    pub fn cause(&self) -> Option<&str> {
        match self {
            Self::Internal { cause } => Some(cause),
            _ => None,
        }
    }
}

impl From<Invalid> for KmsError {
    fn from(invalid: Invalid) -> Self {
        Self::Invalid(invalid)
    }
}

impl From<HsmError> for KmsError {
    fn from(error: HsmError) -> Self {
        match error {
            HsmError::InvalidCiphertext => Self::InvalidCiphertext,
            HsmError::InvalidSignature => Self::InvalidSignature,
            HsmError::InvalidMac => Self::InvalidMac,
            // AWS does not say what is wrong with it.
            HsmError::InvalidPublicKey => Self::Validation(String::new()),
            HsmError::Busy | HsmError::Unavailable => Self::Overloaded,
            HsmError::Expired => Self::TimedOut,
            other => Self::internal(other),
        }
    }
}

impl From<StoreError> for KmsError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Conflict(_) => Self::Conflict,
            StoreError::Busy => Self::Overloaded,
            other => Self::internal(other),
        }
    }
}
