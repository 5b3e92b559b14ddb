//! A fixture file of `policy test`, as it was written: documents, callers, networks, keys, and what is expected of requests.
//! Plain data under names that refer to each other; knows neither the file's format nor what follows from it.

use std::collections::BTreeMap;

use crate::authz::Verdict;

/// The condition keys that a fixture gives by hand.
pub type Context = Vec<(String, ContextValue)>;

/// `None` takes a key away that would follow from the rest.
pub type ContextValue = Option<Texts>;

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Texts {
    One(String),
    Many(Vec<String>),
}

pub type Tags = BTreeMap<String, String>;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Suite {
    /// `us-east-1` when empty.
    pub region: String,
    /// The time of every request, ISO 8601; the first of January 2026 when empty.
    pub now: String,
    pub documents: Vec<Source>,
    pub organizations: Vec<Organization>,
    pub vpcs: Vec<Vpc>,
    pub endpoints: Vec<Endpoint>,
    pub keys: Vec<Key>,
    pub callers: Vec<Caller>,
    pub requests: Vec<Request>,
}

/// A document's text, and where it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Source {
    pub name: String,
    pub text: String,
    pub file: String,
    /// The line of the file on which the text begins, from 1.
    pub line: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Organization {
    /// `o-a1b2c3d4e5`
    pub id: String,
    pub management_account: Option<String>,
    /// Its root, units and accounts.
    pub nodes: Vec<Node>,
}

/// A root (`r-ab12`), an organizational unit (`ou-ab12-1a2b3c4d`) or an account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    pub id: String,
    /// `None` for the root.
    pub parent: Option<String>,
    /// Names of documents; `None` for AWS's full-access policy alone.
    pub scps: Option<Vec<String>>,
    pub rcps: Option<Vec<String>>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vpc {
    pub id: String,
    pub account: String,
    pub tags: Tags,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    pub name: String,
    pub id: String,
    pub vpc: String,
    /// The VPC's when `None`.
    pub account: Option<String>,
    /// The default policy when `None`.
    pub policy: Option<String>,
    pub tags: Tags,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    pub name: String,
    pub arn: String,
    /// The default key policy when `None`.
    pub policy: Option<String>,
    pub aliases: Vec<String>,
    pub tags: Tags,
    /// `SYMMETRIC_DEFAULT`, `ENCRYPT_DECRYPT` and `AWS_KMS` when `None`.
    pub spec: Option<String>,
    pub usage: Option<String>,
    pub origin: Option<String>,
    /// `PRIMARY` or `REPLICA`.
    pub multi_region: Option<String>,
    pub grants: Vec<Grant>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Grant {
    pub id: String,
    pub grantee: String,
    pub retiring: Option<String>,
    pub operations: Vec<String>,
    pub context_equals: Option<BTreeMap<String, String>>,
    pub context_subset: Option<BTreeMap<String, String>>,
    pub source_arn: Option<String>,
    /// The key's account when `None`.
    pub issuing_account: Option<String>,
    pub token: Option<String>,
    /// Not yet known everywhere: it counts only with its token.
    pub fresh: bool,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    pub name: String,
    /// A user's, session's, federated user's or root user's ARN, or a service's name.
    pub arn: String,
    /// The ARN of the role or user behind a session, with its path.
    pub behind: Option<String>,
    pub id: Option<String>,
    pub tags: Tags,
    pub policies: Vec<String>,
    pub boundary: Option<String>,
    pub session_policy: Option<String>,
    pub context: Context,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    pub name: String,
    /// `file:line`
    pub place: String,
    pub caller: String,
    /// `kms:Decrypt`
    pub action: String,
    pub target: Target,
    pub endpoint: Option<String>,
    pub source_ip: Option<String>,
    pub encryption_context: Option<BTreeMap<String, String>>,
    pub grant_tokens: Vec<String>,
    pub context: Context,
    pub expect: Expected,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// No resource: policies see `*`.
    #[default]
    Nothing,
    /// A declared key by its name.
    Key(String),
    /// A declared key by its alias, or, for the alias's own permission, the alias.
    Alias(String),
    /// Any ARN; a key's that is declared is that key.
    Arn(String),
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    pub decision: Answer,
    /// The layer that decides, as `Layer::as_str` spells it.
    pub layer: Option<String>,
    pub document: Option<String>,
    /// Its Sid, or its place in the document counted from 0.
    pub statement: Option<String>,
    /// What the caller is told.
    pub message: Option<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Answer {
    Is(Verdict),
    /// Either way.
    #[default]
    Denied,
}

impl Answer {
    /// From `Allowed`, `ImplicitlyDenied`, `ExplicitlyDenied` or `Denied`.
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "Allowed" => Self::Is(Verdict::Allowed),
            "ImplicitlyDenied" => Self::Is(Verdict::ImplicitDeny),
            "ExplicitlyDenied" => Self::Is(Verdict::ExplicitDeny),
            "Denied" => Self::Denied,
            _ => return None,
        })
    }

    pub(super) fn includes(self, verdict: Verdict) -> bool {
        match self {
            Self::Is(expected) => expected == verdict,
            Self::Denied => verdict != Verdict::Allowed,
        }
    }

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Is(verdict) => verdict.as_str(),
            Self::Denied => "Denied",
        }
    }
}
