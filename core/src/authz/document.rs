//! Policy documents: parsed strictly, once, into statements that are quick to ask.
//! Knows which elements each kind of document must and must not have; must not know how documents combine.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use super::json::Json;
use super::principal::{PARTITION, PrincipalName};
use super::statement::Statement;

/// Longest text that is looked at, whatever the kind (the KMS API's limit for a key policy).
pub const DOCUMENT_BYTES_MAX: usize = 131_072;

/// What a document is attached to. Sizes: see [`Kind::size_max`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    Identity,
    Key,
    Endpoint,
    Session,
    Boundary,
    ServiceControl,
    ResourceControl,
    Trust,
}

/// Whether an element must be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    Required,
    Optional,
    Forbidden,
}

impl Kind {
    pub const ALL: [Self; 8] = [
        Self::Identity,
        Self::Key,
        Self::Endpoint,
        Self::Session,
        Self::Boundary,
        Self::ServiceControl,
        Self::ResourceControl,
        Self::Trust,
    ];

    /// As people call it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Identity => "identity policy",
            Self::Key => "key policy",
            Self::Endpoint => "VPC endpoint policy",
            Self::Session => "session policy",
            Self::Boundary => "permissions boundary",
            Self::ServiceControl => "service control policy",
            Self::ResourceControl => "resource control policy",
            Self::Trust => "trust policy",
        }
    }

    /// Most characters of a document. White space counts in key and endpoint policies only.
    /// An identity policy's limit depends on what it is attached to; this is the widest, a role's inline policies.
    pub fn size_max(self) -> usize {
        match self {
            Self::Identity => 10_240,
            Self::Key => 32_768,
            Self::Endpoint => 20_480,
            Self::Session | Self::Trust => 2_048,
            Self::Boundary => 6_144,
            Self::ServiceControl | Self::ResourceControl => 5_120,
        }
    }

    pub(super) fn has_principals(self) -> bool {
        matches!(self, Self::Key | Self::Endpoint | Self::ResourceControl | Self::Trust)
    }

    pub(super) fn action(self) -> Presence {
        if self == Self::Key { Presence::Optional } else { Presence::Required }
    }

    pub(super) fn resource(self) -> Presence {
        match self {
            Self::Key => Presence::Optional,
            Self::Trust => Presence::Forbidden,
            _ => Presence::Required,
        }
    }

    /// The characters of a text that count towards [`Kind::size_max`].
    pub fn size(self, text: &str) -> usize {
        match self {
            Self::Key => text.len(),
            Self::Endpoint => text.chars().count(),
            _ => text.chars().filter(|character| !character.is_whitespace()).count(),
        }
    }
}

/// Why a text is no policy document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// `MalformedPolicyDocumentException`. The detail is for the log and the tools, not for the caller.
    #[error("{message} ({detail})")]
    Document { message: Cow<'static, str>, detail: String },
    /// `LimitExceededException` where KMS checks it.
    #[error("the policy has {size} characters, more than {size_max}")]
    TooLarge { size: usize, size_max: usize },
}

impl Malformed {
    pub(super) fn new(message: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self::Document { message: message.into(), detail: detail.into() }
    }

    /// The text that AWS answers with.
    pub fn message(&self) -> Cow<'static, str> {
        match self {
            Self::Document { message, .. } => message.clone(),
            Self::TooLarge { size_max, .. } => {
                format!("Policy size exceeds the limit of {size_max} characters.").into()
            }
        }
    }
}

/// AWS's texts for malformed documents.
pub(super) mod text {
    pub(in super::super) const SYNTAX: &str = "Syntax errors in policy.";
    pub(in super::super) const PRINCIPALS: &str = "Policy contains a statement with one or more invalid principals.";
    pub(in super::super) const NO_PRINCIPAL: &str = "Missing required field Principal";
    pub(in super::super) const PRINCIPAL_FORBIDDEN: &str = "Policy document should not specify a principal.";
    pub(in super::super) const NO_ACTION: &str = "Policy statement must contain actions.";
    pub(in super::super) const NO_RESOURCE: &str = "Policy statement must contain resources.";
    pub(in super::super) const NO_VENDOR: &str =
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
    pub(in super::super) const WILD_VENDOR: &str =
        "Resource vendor must be fully qualified and cannot contain regexes.";
    pub(in super::super) const SID: &str = "Statement IDs (SID) must be alpha-numeric. \
        Check that your input satisfies the regular expression [0-9A-Za-z]*";
    pub(in super::super) const OVERLY_PERMISSIVE: &str = "OverlyPermissiveCondition:EncryptionContext: \
        Using the ForAllValues set operator with a single-valued condition key matches requests without the specified \
        encryption context or with an unspecified encryption context. To fix, remove ForAllValues.";
    pub(super) const SID_REPEATED: &str = "Statement IDs (SID) in a single policy must be unique.";
    pub(super) const VERSION: &str = "The policy must contain a valid version string";
}

/// A policy document, ready to be asked. Immutable; share it in an `Arc`.
#[derive(Debug)]
pub struct Document {
    name: Arc<str>,
    kind: Kind,
    statements: Box<[Statement]>,
}

impl Document {
    /// # Errors
    /// When AWS would refuse the document as one of this kind; and, by choice, when a member of an object is repeated.
    pub fn parse(text: &str, kind: Kind) -> Result<Self, Malformed> {
        check_text(text, kind)?;
        let json: Json = serde_json::from_str(text).map_err(|error| Malformed::new(text::SYNTAX, error.to_string()))?;
        let Json::Object(members) = json else {
            return Err(Malformed::new(text::SYNTAX, "not an object"));
        };
        let (mut statements, mut variables) = (None, false);
        for (name, value) in &members {
            match (name.as_str(), value) {
                ("Version", Json::Text(version)) => variables = has_variables(version)?,
                ("Id", Json::Text(_)) => {}
                ("Statement", Json::List(_) | Json::Object(_)) => statements = Some(value.items()),
                (name, _) => return Err(Malformed::new(text::SYNTAX, format!("unknown or wrong element `{name}`"))),
            }
        }
        let statements = statements.filter(|statements| !statements.is_empty());
        let statements = statements.ok_or_else(|| Malformed::new(text::SYNTAX, "there is no statement"))?;
        let statements = statements.iter().map(|json| Statement::parse(json, kind, variables));
        let statements = statements.collect::<Result<Box<[_]>, _>>()?;
        check_sids(&statements, kind)?;
        Ok(Self { name: "".into(), kind, statements })
    }

    /// The same document under a name (an endpoint's id, a policy's name or ARN), which reasons repeat.
    #[must_use]
    pub fn named(self, name: &str) -> Self {
        Self { name: name.into(), ..self }
    }

    /// One document with the statements of all: it allows what one of them allows, and denies what one of them denies.
    /// It has the kind of the first. `None` when there is none.
    pub fn joined(documents: impl IntoIterator<Item = Self>) -> Option<Self> {
        documents.into_iter().reduce(|one, other| {
            let statements = one.statements.into_iter().chain(other.statements).collect();
            Self { statements, ..one }
        })
    }

    pub fn name(&self) -> &Arc<str> {
        &self.name
    }

    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Every principal that a statement names, `*` excepted, for checking that they exist.
    pub fn principals(&self) -> impl Iterator<Item = &PrincipalName> {
        self.statements.iter().flat_map(Statement::principals)
    }

    pub(super) fn statements(&self) -> &[Statement] {
        &self.statements
    }
}

/// The text of the key policy that a key gets when none is given.
pub fn default_key_policy(account: &str) -> String {
    format!(
        r#"{{
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {{
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {{
      "AWS" : "arn:{PARTITION}:iam::{account}:root"
    }},
    "Action" : "kms:*",
    "Resource" : "*"
  }} ]
}}"#
    )
}

/// The text of the policy of an endpoint without one of its own: everything is allowed.
pub fn default_endpoint_policy() -> &'static str {
    r#"{"Statement":[{"Action":"*","Effect":"Allow","Principal":"*","Resource":"*"}]}"#
}

fn check_text(text: &str, kind: Kind) -> Result<(), Malformed> {
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(Malformed::TooLarge { size: text.len(), size_max: kind.size_max() });
    }
    let size = kind.size(text);
    if size > kind.size_max() {
        return Err(Malformed::TooLarge { size, size_max: kind.size_max() });
    }
    let allowed = |character: char| matches!(character, '\t' | '\n' | '\r' | ' '..='\u{ff}');
    if kind == Kind::Key && !text.chars().all(allowed) {
        return Err(Malformed::new(text::SYNTAX, "a character that key policies cannot hold"));
    }
    Ok(())
}

/// Whether `${...}` is expanded.
fn has_variables(version: &str) -> Result<bool, Malformed> {
    match version {
        "2012-10-17" => Ok(true),
        "2008-10-17" => Ok(false),
        other => Err(Malformed::new(text::VERSION, format!("version `{other}`"))),
    }
}

fn check_sids(statements: &[Statement], kind: Kind) -> Result<(), Malformed> {
    let mut seen = BTreeSet::new();
    let mut sids = statements.iter().filter_map(|statement| statement.sid.as_deref()).filter(|sid| !sid.is_empty());
    if !kind.has_principals() && !sids.all(|sid| seen.insert(sid)) {
        return Err(Malformed::new(text::SID_REPEATED, "two statements share a Sid"));
    }
    Ok(())
}
