//! What a suite's requests came to against what was expected, and against another version of its documents.
//! Knows expectations; how a request is decided is `stage`'s.

use super::explain::Of;
use super::stage::{Outcome, Stage};
use super::suite::Request;
use crate::authz::Reason;

/// A request that two versions of the documents decide in two ways.
#[derive(Clone, Copy, Debug)]
pub struct Flip<'s> {
    pub request: &'s Request,
    pub old: &'s Outcome,
    pub new: &'s Outcome,
}

/// Each thing in which an outcome is not what was expected of the request, in words.
pub fn differences(request: &Request, outcome: &Outcome) -> Vec<String> {
    let expect = &request.expect;
    let decision = &outcome.decision;
    let mut differences = Vec::new();
    if !expect.decision.includes(decision.verdict) {
        differences.push(format!("expected {}, got {}", expect.decision.as_str(), decision.verdict.as_str()));
    }
    let reason = &decision.decided_by;
    let layer = reason.layer().as_str();
    if let Some(expected) = expect.layer.as_deref().filter(|expected| *expected != layer) {
        differences.push(format!("expected that {expected} decides, not {layer}"));
    }
    let (document, statements) = match reason {
        Reason::Statement { document, sid, index, .. } => {
            (Some(document.as_ref()), vec![sid.as_deref().unwrap_or_default().to_owned(), index.to_string()])
        }
        Reason::Grant { grant, .. } => (Some(grant.as_ref()), Vec::new()),
        Reason::Root { .. } | Reason::Silence { .. } => (None, Vec::new()),
    };
    if let Some(expected) = expect.document.as_deref().filter(|expected| Some(*expected) != document) {
        differences.push(format!("expected document `{expected}` to decide, not {}", Of(reason)));
    }
    if let Some(expected) = expect.statement.as_ref().filter(|expected| !statements.contains(expected)) {
        differences.push(format!("expected statement `{expected}` to decide, not {}", Of(reason)));
    }
    if let Some(expected) = expect.message.as_ref().filter(|expected| **expected != outcome.message) {
        differences.push(format!("expected the message\n    {expected}\n  not\n    {}", outcome.message));
    }
    differences
}

/// The requests of `new` that `old`, the same requests with other documents, decides in another way.
pub fn flips<'s>(old: &'s Stage, new: &'s Stage) -> Vec<Flip<'s>> {
    let pairs = old.played().zip(new.played());
    let pairs = pairs.map(|((_, old), (request, new))| Flip { request, old, new });
    pairs.filter(|flip| flip.old.decision.verdict != flip.new.decision.verdict).collect()
}
