//! What every layer says, each asked on its own with the context values that it looked at: the long form of a decision.
//! For tools and people. Knows layers; decides nothing (`decide` does), and no request waits for it.

use super::call::Call;
use super::context::{Looked, Recorded};
use super::decide::{Layer, Policies, Question, Reason, Scan};
use super::document::{Document, Kind};
use super::permit::{self, RETIRE_GRANT};
use super::principal::{Principal, Reach};
use super::statement::{Effect, Miss};

/// One layer's word, or that of one level of an organization's policies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hearing {
    pub layer: Layer,
    /// The level of SCPs and RCPs, root first.
    pub level: Option<usize>,
    pub said: Said,
    /// The Allow statements for this action that do not apply, when nothing else speaks.
    pub missed: Vec<Missed>,
    pub looked: Vec<Looked>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// It has no say on this request, for the reason given.
    NotAsked(&'static str),
    Denies(Reason),
    /// And how closely what allows fits the caller.
    Allows(Reason, Reach),
    Silent,
}

/// A statement that would have allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missed {
    pub statement: Reason,
    pub miss: Miss,
}

/// Asks every layer, in the order in which denials are named.
pub fn hear(question: &Question<'_>, policies: &Policies<'_>) -> Vec<Hearing> {
    let hearer = Hearer { question, has_boundary: policies.boundary.is_some() };
    let action = question.action.to_ascii_lowercase();
    let retire = action == RETIRE_GRANT;
    let mut all = Vec::new();
    match question.principal {
        Principal::Service { .. } if !policies.scps.is_empty() => {
            all.push(not_asked(Layer::ServiceControl, "they do not bind services"));
        }
        _ => all.extend(hearer.levels(Layer::ServiceControl, policies.scps)),
    }
    if retire && !policies.rcps.is_empty() {
        all.push(not_asked(Layer::ResourceControl, "they do not reach kms:RetireGrant"));
    } else {
        all.extend(hearer.levels(Layer::ResourceControl, policies.rcps));
    }
    all.push(match policies.endpoint {
        Some(document) => hearer.hear(Layer::Endpoint, None, &[document]),
        None => not_asked(Layer::Endpoint, "the request came through no endpoint"),
    });
    let on_key = permit::has_own_policy(&super::arn::Arn::split(question.resource));
    all.push(match policies.key.filter(|key| key.kind() == Kind::Key) {
        _ if !on_key => not_asked(Layer::Key, "the resource is no key"),
        _ if retire => not_asked(Layer::Key, "key policies have no say on kms:RetireGrant"),
        Some(document) => hearer.hear(Layer::Key, None, &[document]),
        None => not_asked(Layer::Key, "there is no key policy"),
    });
    all.push(match question.principal {
        Principal::Root { .. } if policies.identity.is_empty() => {
            let reason = Reason::Root { layer: Layer::Identity };
            heard(Layer::Identity, Said::Allows(reason, Reach::Account))
        }
        _ => hearer.hear(Layer::Identity, None, policies.identity),
    });
    for (layer, document) in [(Layer::Boundary, policies.boundary), (Layer::Session, policies.session)] {
        all.push(match document {
            Some(document) => hearer.hear(layer, None, &[document]),
            None => not_asked(layer, "there is none"),
        });
    }
    all.push(hearer.grants(policies));
    all
}

struct Hearer<'a> {
    question: &'a Question<'a>,
    has_boundary: bool,
}

impl Hearer<'_> {
    fn levels(&self, layer: Layer, levels: &[Vec<&Document>]) -> Vec<Hearing> {
        if levels.is_empty() {
            return vec![not_asked(layer, "there are none")];
        }
        levels.iter().enumerate().map(|(level, documents)| self.hear(layer, Some(level), documents)).collect()
    }

    fn hear(&self, layer: Layer, level: Option<usize>, documents: &[&Document]) -> Hearing {
        let seen = Recorded::new(self.question.facts);
        let question = Question { facts: &seen, ..*self.question };
        let call = Call::new(&question, self.has_boundary);
        let scan = Scan::of_all(&call, documents);
        let allowed = [(scan.direct, Reach::Direct), (scan.behind, Reach::Behind), (scan.account, Reach::Account)]
            .into_iter()
            .find_map(|(hit, reach)| hit.map(|hit| (hit, reach)));
        let said = match (scan.denied, allowed) {
            (Some(hit), _) => Said::Denies(hit.reason(layer)),
            (None, Some((hit, reach))) => Said::Allows(hit.reason(layer), reach),
            (None, None) => Said::Silent,
        };
        let missed = if said == Said::Silent { missed(&call, layer, documents) } else { Vec::new() };
        let (looked, _) = seen.finish();
        Hearing { layer, level, said, missed, looked }
    }

    fn grants(&self, policies: &Policies<'_>) -> Hearing {
        let seen = Recorded::new(self.question.facts);
        let question = Question { facts: &seen, ..*self.question };
        let said = match permit::granting(&question, policies) {
            Some((grant, reach)) => Said::Allows(Reason::Grant { layer: Layer::Grant, grant }, reach),
            None => Said::Silent,
        };
        let (looked, _) = seen.finish();
        Hearing { layer: Layer::Grant, level: None, said, missed: Vec::new(), looked }
    }
}

fn missed(call: &Call<'_>, layer: Layer, documents: &[&Document]) -> Vec<Missed> {
    let mut missed = Vec::new();
    for document in documents {
        for (index, statement) in document.statements().iter().enumerate() {
            let miss = statement.miss(call).filter(|miss| statement.effect == Effect::Allow && *miss != Miss::Action);
            let reason = |sid| Reason::Statement { layer, document: document.name().clone(), sid, index };
            missed.extend(miss.map(|miss| Missed { statement: reason(statement.sid.clone()), miss }));
        }
    }
    missed
}

fn not_asked(layer: Layer, why: &'static str) -> Hearing {
    heard(layer, Said::NotAsked(why))
}

fn heard(layer: Layer, said: Said) -> Hearing {
    Hearing { layer, level: None, said, missed: Vec::new(), looked: Vec::new() }
}
