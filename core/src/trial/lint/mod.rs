//! What AWS would refuse in a policy document, and what is legal but surely not meant.
//! Knows documents as text, with their lines; whether one can be put is `authz`'s word, what is suspicious is in `rules`.

mod conditions;
mod keys;
mod rules;
mod statement;

use std::fmt;

use super::quote::{self, Members, Quote};
use crate::authz::{Document, Kind, Malformed, action_matches};
use statement::Statement;

/// One thing that is wrong, or looks so.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Counted from 1.
    pub line: usize,
    /// The statement, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<usize>,
    pub severity: Severity,
    /// A word for the rule: `locks-out`.
    pub rule: &'static str,
    pub message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// AWS would refuse the document.
    Error,
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

/// Everything that is to be said of a document of this kind, by line.
pub fn lint(text: &str, kind: Kind) -> Vec<Finding> {
    let mut findings = refused(text, kind);
    let statements: Vec<_> = quote::statements(text)
        .into_iter()
        .enumerate()
        .filter_map(|(index, quote)| Statement::read(text, index, quote))
        .collect();
    let document = Whole { kind, variables: version(text) == Some("2012-10-17"), statements };
    findings.extend(rules::findings(&document));
    findings.extend(conditions::findings(&document));
    findings.sort_by_key(|finding| (finding.line, finding.statement, finding.severity == Severity::Warning));
    findings
}

/// Whether the condition key of that name holds many values.
pub(super) fn is_multivalued(key: &str) -> bool {
    keys::find(key).is_some_and(|key| key.many)
}

/// What a document most likely is, by who and what it names.
pub fn guess(text: &str) -> Kind {
    let statements: Vec<_> = quote::statements(text)
        .into_iter()
        .enumerate()
        .filter_map(|(index, quote)| Statement::read(text, index, quote))
        .collect();
    let any = |holds: fn(&Statement<'_>) -> bool| statements.iter().any(holds);
    let assumes = |one: &Statement<'_>| {
        one.actions.iter().any(|action| action.text.to_ascii_lowercase().starts_with("sts:assume"))
    };
    if !any(|one| one.principal.is_some() || one.not_principal) {
        return Kind::Identity;
    }
    if any(assumes) && !any(|one| one.has_resource) {
        return Kind::Trust;
    }
    // A key policy speaks of its own key, and lets somebody change it; an endpoint's policy of any service's resources.
    let elsewhere = |one: &Statement<'_>| {
        let other = |action: &Quoted<'_>| action.text == "*" || !action.text.to_ascii_lowercase().starts_with("kms:");
        one.resources.iter().any(|resource| resource.text != "*") || one.actions.iter().any(other)
    };
    let puts = |one: &Statement<'_>| one.actions.iter().any(|action| action_matches(&action.text, "kms:PutKeyPolicy"));
    let is_key = !any(elsewhere) && any(puts) || member(text, "Id").is_some_and(|id| id.starts_with("key"));
    if is_key { Kind::Key } else { Kind::Endpoint }
}

/// A document as the rules see it.
struct Whole<'t> {
    kind: Kind,
    /// Whether `${...}` is expanded.
    variables: bool,
    statements: Vec<Statement<'t>>,
}

/// A text out of the document, with its escapes resolved, and its line.
#[derive(Clone, Debug)]
struct Quoted<'t> {
    text: std::borrow::Cow<'t, str>,
    line: usize,
}

fn warning(line: usize, statement: usize, rule: &'static str, message: impl Into<String>) -> Finding {
    Finding { line, statement: Some(statement), severity: Severity::Warning, rule, message: message.into() }
}

fn version(text: &str) -> Option<&str> {
    member(text, "Version")
}

/// A text at the top of the document.
fn member<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let members = Members::of(text, text)?;
    let (_, quote) = members.0.into_iter().find(|(found, _)| found == name)?;
    Some(quote.text.trim_matches('"'))
}

/// What makes AWS refuse it: of the whole, or of each statement on its own.
fn refused(text: &str, kind: Kind) -> Vec<Finding> {
    let Err(malformed) = Document::parse(text, kind) else { return Vec::new() };
    let error = |line, statement, malformed: &Malformed| Finding {
        line,
        statement,
        severity: Severity::Error,
        rule: "malformed",
        message: malformed.to_string(),
    };
    if let Some((line, _)) = quote::broken_at(text) {
        return vec![error(line, None, &malformed)];
    }
    if matches!(malformed, Malformed::TooLarge { .. }) {
        return vec![Finding { rule: "too-large", ..error(1, None, &malformed) }];
    }
    let version =
        version(text).filter(|version| matches!(*version, "2012-10-17" | "2008-10-17")).unwrap_or("2008-10-17");
    let alone = |(index, statement): (usize, Quote<'_>)| {
        let one = format!("{{\"Version\":\"{version}\",\"Statement\":[{}]}}", statement.text);
        Document::parse(&one, kind).err().map(|malformed| error(statement.line, Some(index), &malformed))
    };
    let found: Vec<_> = quote::statements(text).into_iter().enumerate().filter_map(alone).collect();
    if found.is_empty() { vec![error(1, None, &malformed)] } else { found }
}
