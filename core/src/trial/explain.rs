//! A decision laid out to be read: every layer, what it said, the statement, and the context values that it looked at.
//! Knows words and columns; what was said is `authz`'s.

use std::fmt;

use crate::authz::{Decision, Hearing, Layer, Looked, Miss, Reach, Reason, Said, Value, Verdict};

/// Prints as lines of text.
#[derive(Clone, Copy, Debug)]
pub struct Explanation<'e> {
    pub decision: &'e Decision,
    pub hearings: &'e [Hearing],
    /// What the caller is told.
    pub message: &'e str,
}

impl fmt::Display for Explanation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, decided by {}", self.decision.verdict.as_str(), Of(&self.decision.decided_by))?;
        if let Some(other) = &self.decision.together_with {
            write!(f, ", together with {}", Of(other))?;
        }
        writeln!(f)?;
        if self.decision.verdict != Verdict::Allowed {
            writeln!(f, "the caller is told: {}", self.message)?;
        }
        self.hearings.iter().try_for_each(|hearing| hear(f, hearing))
    }
}

fn hear(f: &mut fmt::Formatter<'_>, hearing: &Hearing) -> fmt::Result {
    let layer = match hearing.level {
        Some(level) => format!("{} {level}", hearing.layer.as_str()),
        None => hearing.layer.as_str().to_owned(),
    };
    match &hearing.said {
        Said::NotAsked(why) => return writeln!(f, "  {layer:<9} -        {why}"),
        Said::Denies(reason) => writeln!(f, "  {layer:<9} denies   {}", Of(reason))?,
        Said::Allows(reason, reach) => {
            writeln!(f, "  {layer:<9} allows   {}{}", Of(reason), how(hearing.layer, reason, *reach))?
        }
        Said::Silent if hearing.layer == Layer::Grant => writeln!(f, "  {layer:<9} silent   no grant allows it")?,
        Said::Silent if hearing.missed.is_empty() => {
            writeln!(f, "  {layer:<9} silent   no statement allows this action")?
        }
        Said::Silent => writeln!(f, "  {layer:<9} silent")?,
    }
    for missed in &hearing.missed {
        writeln!(f, "            not {}: {}", Of(&missed.statement), why(&missed.miss))?;
    }
    for looked in &hearing.looked {
        writeln!(f, "            {}", Shown(looked))?;
    }
    Ok(())
}

/// Whom a key policy's or a grant's Allow names makes a difference (KMS Developer Guide, "Key policies").
fn how(layer: Layer, reason: &Reason, reach: Reach) -> &'static str {
    match (layer, reach) {
        (Layer::Key | Layer::Grant, Reach::Direct) => " (to the caller itself)",
        (Layer::Key | Layer::Grant, Reach::Behind) => " (to the role or user behind the caller)",
        (Layer::Key | Layer::Grant, Reach::Account) => " (to the account: identity policies must allow too)",
        _ if matches!(reason, Reason::Root { .. }) => " (the root user needs no identity policy)",
        _ => "",
    }
}

fn why(miss: &Miss) -> String {
    match miss {
        Miss::NoEffect => "it lacks Action or Resource and has no effect".to_owned(),
        Miss::Action => "another action".to_owned(),
        Miss::Principal => "it does not name the caller".to_owned(),
        Miss::Resource => "another resource".to_owned(),
        Miss::Conditions(keys) => format!("its condition on {} does not hold", keys.join(", ")),
    }
}

/// A reason in words.
pub(super) struct Of<'r>(pub(super) &'r Reason);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layer = self.0.layer().as_str();
        match self.0 {
            Reason::Statement { document, sid: Some(sid), index, .. } => {
                write!(f, "{layer}: `{document}`, statement {index} \"{sid}\"")
            }
            Reason::Statement { document, index, .. } => write!(f, "{layer}: `{document}`, statement {index}"),
            Reason::Grant { grant, .. } => write!(f, "grant `{grant}`"),
            Reason::Root { .. } => write!(f, "{layer}: root user"),
            Reason::Silence { .. } => write!(f, "{layer}: silence"),
        }
    }
}

/// A condition key with its value.
struct Shown<'l>(&'l Looked);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.0.key)?;
        match &self.0.value {
            None => f.write_str("is absent"),
            Some(Value::One(text)) => write!(f, "= {text}"),
            Some(Value::Many(texts)) => write!(f, "= [{}]", texts.join(", ")),
            Some(Value::Ambiguous) => f.write_str("is there in several spellings"),
        }
    }
}
