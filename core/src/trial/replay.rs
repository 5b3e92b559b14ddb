//! Which past requests other documents would decide otherwise, from the audit records alone.
//! A record tells the verdict and the layer that spoke, not what every layer said. So every way in which the layers can
//! have spoken is tried: where all of them come to the same with the new documents, that is the answer; where they do not,
//! nothing is guessed.

use std::collections::{BTreeSet, HashMap};
use std::fmt;

use super::gather::{Identity, Papers};
use super::past::Past;
use super::worlds::{self, Layers, World};
use crate::authz::{Document, PrincipalName, Verdict};

/// Replays records against documents that take the place of those of their time.
#[derive(Debug)]
pub struct Replay {
    papers: Papers,
    /// What may have been, by all that it depends on.
    worlds: HashMap<worlds::Signature, Vec<World>>,
}

/// One record, replayed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replayed {
    pub request_id: String,
    pub time: String,
    /// The caller's ARN.
    pub caller: String,
    pub action: String,
    pub resource: String,
    pub was: Verdict,
    pub turn: Turn,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// None of the documents has a say on it.
    Untouched,
    Same,
    Flips(Verdict),
    /// With what would have to be known.
    CannotTell(String),
}

impl Replay {
    pub fn new(papers: Papers) -> Self {
        Self { papers, worlds: HashMap::new() }
    }

    /// Replays one line of an audit log; `None` for a line that records no decision.
    ///
    /// # Errors
    /// When the line is no record.
    pub fn line(&mut self, line: &str) -> Result<Option<Replayed>, String> {
        let Some(past) = Past::read(line)? else { return Ok(None) };
        let turn = self.turn(&past);
        Ok(Some(Replayed {
            caller: past.principal.arn(),
            was: past.verdict,
            request_id: past.request_id,
            time: past.time,
            action: past.action,
            resource: past.resource,
            turn,
        }))
    }

    fn turn(&mut self, past: &Past) -> Turn {
        let new = New::of(&self.papers, past);
        if new.layers == Layers::default() {
            return Turn::Untouched;
        }
        if past.one_of_many {
            return Turn::CannotTell("the operation needs several permissions, and the record tells of one".to_owned());
        }
        let signature = worlds::Signature::of(past);
        let possible = self.worlds.entry(signature).or_insert_with(|| worlds::possible(past));
        let cast = worlds::Cast::of(past);
        let (mut verdicts, mut unknown) = (BTreeSet::new(), BTreeSet::new());
        let mut seen = BTreeSet::new();
        for world in possible.iter().filter(|world| seen.insert(world.without(new.layers))) {
            let facts = past.facts();
            let verdict = worlds::decide(past, &cast, world, Some(&new), &facts).verdict;
            unknown.extend(facts.unknown());
            verdicts.insert(verdict.as_str());
            if !unknown.is_empty() || verdicts.len() > 1 {
                break;
            }
        }
        match verdicts.first() {
            _ if !unknown.is_empty() => {
                let keys = unknown.into_iter().collect::<Vec<_>>().join(", ");
                Turn::CannotTell(format!("the record does not say what {keys} was"))
            }
            Some(only) if verdicts.len() == 1 => {
                match Verdict::ALL.into_iter().find(|verdict| verdict.as_str() == *only) {
                    Some(verdict) if verdict != past.verdict => Turn::Flips(verdict),
                    _ => Turn::Same,
                }
            }
            _ => Turn::CannotTell(format!("it depends on what {} said, which the record does not tell", new.others())),
        }
    }
}

/// The new documents that have a say on one request.
pub(super) struct New<'p> {
    pub(super) endpoint: Option<&'p Document>,
    pub(super) key: Option<&'p Document>,
    pub(super) identity: Option<Vec<&'p Document>>,
    pub(super) boundary: Option<Option<&'p Document>>,
    pub(super) layers: Layers,
}

impl<'p> New<'p> {
    fn of(papers: &'p Papers, past: &Past) -> Self {
        let endpoint = past.endpoint.as_ref().and_then(|id| papers.endpoints.get(id));
        let key = past.key_id().and_then(|id| papers.keys.get(id));
        let identity = identity(papers, past);
        let boundary = identity.and_then(|identity| identity.boundary.as_ref().map(Option::as_ref));
        let layers = Layers {
            endpoint: endpoint.is_some(),
            key: key.is_some(),
            identity: identity.is_some(),
            boundary: boundary.is_some(),
        };
        let identity = identity.map(|identity| identity.policies.iter().collect());
        Self { endpoint, key, identity, boundary, layers }
    }

    /// The layers that are left to guess about.
    fn others(&self) -> String {
        let known = [
            ("the endpoint policy", self.layers.endpoint),
            ("the key policy", self.layers.key),
            ("identity policies", self.layers.identity),
            ("the permissions boundary", self.layers.boundary),
            ("grants", false),
        ];
        known.iter().filter(|(_, known)| !known).map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
    }
}

/// The caller's policies: by its own ARN, or by that of the role behind it, whose path its ARN does not tell.
fn identity<'p>(papers: &'p Papers, past: &Past) -> Option<&'p Identity> {
    let direct = papers.identities.get(&past.principal.arn());
    direct.or_else(|| {
        let reaches = |(arn, _): &(&String, &Identity)| {
            PrincipalName::from_arn(arn)
                .is_some_and(|name| matches!(name, PrincipalName::Role { .. }) && name.reach(&past.principal).is_some())
        };
        papers.identities.iter().find(reaches).map(|(_, identity)| identity)
    })
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request_id, time, caller, action, resource, was, turn } = self;
        let was = was.as_str();
        match turn {
            Turn::Untouched => write!(f, "untouched    ")?,
            Turn::Same => write!(f, "same         {was}")?,
            Turn::Flips(new) => write!(f, "FLIP         {was} -> {}", new.as_str())?,
            Turn::CannotTell(_) => write!(f, "cannot tell  {was}")?,
        }
        write!(f, "  {time}  {request_id}  {caller}: {action} on {resource}")?;
        if let Turn::CannotTell(why) = turn {
            write!(f, " ({why})")?;
        }
        Ok(())
    }
}
