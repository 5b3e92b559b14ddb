//! Who grants, once nothing denies and the limits allow: the key policy, an identity policy, a grant.
//! Knows how the ways to a permission combine; must not know how a statement is evaluated.
//! KMS Developer Guide: "Key policies", "Allowing users in other accounts", "Grants"; IAM User Guide: "Evaluation logic".

use std::sync::Arc;

use super::arn::Arn;
use super::decide::{Heard, Layer, Policies, Question, Reason};
use super::grant::{Grant, may_retire};
use super::principal::{Principal, Reach};

/// Lower-cased, as in `Call`.
pub(super) const RETIRE_GRANT: &str = "kms:retiregrant";
const CREATE_GRANT: &str = "kms:CreateGrant";

/// Why it is allowed.
pub(super) struct Permit {
    pub(super) decided_by: Reason,
    pub(super) together_with: Option<Reason>,
    pub(super) grants: Vec<Arc<str>>,
}

/// What a way to the permission still needs; the least first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Need {
    Nothing,
    /// Boundary and session policy, where there are any, must allow.
    Limits,
    /// An identity policy must allow too.
    Identity,
}

/// `Err` names the layer whose silence is to be blamed.
pub(super) fn permit(
    question: &Question<'_>,
    policies: &Policies<'_>,
    heard: &Heard<'_>,
    foreign: bool,
) -> Result<Permit, Layer> {
    let caller = Caller { principal: question.principal, heard };
    if !has_own_policy(&Arn::split(question.resource)) {
        // Alias ARNs and `*`: identity policies alone. No such operation works across accounts.
        let identity = if foreign { Err(Layer::Key) } else { caller.identity() };
        return identity.map(|decided_by| Permit { decided_by, together_with: None, grants: Vec::new() });
    }
    if foreign && !policies.cross_account_allowed {
        return Err(Layer::Key);
    }
    let mut blame = Blame::default();
    by_key_policy(&caller, foreign, &mut blame)
        .or_else(|| by_grant(question, policies, &caller, &mut blame))
        .ok_or(blame.0.map_or(Layer::Key, |(_, layer)| layer))
}

/// Whether the key's own account lets a caller of another account in, by its key policy or by a grant, so that only the
/// caller's side is left to ask.
pub(super) fn is_invited(question: &Question<'_>, policies: &Policies<'_>, heard: &Heard<'_>) -> bool {
    let operation = operation(question);
    let by_grant =
        || policies.grants.grants(operation).any(|grant| reach_of(grant, operation, question, policies).is_some());
    policies.cross_account_allowed && (heard.key.allowed().is_some() || by_grant())
}

/// Keys have key policies, and roles trust policies. A trust policy's word counts as a key policy's does: naming the
/// caller is enough in its own account, naming the account delegates (IAM User Guide, "Resource-based policies").
pub(super) fn has_own_policy(resource: &Arn<'_>) -> bool {
    match resource.parts {
        Some([_, _, "kms", _, _, name]) => name.starts_with("key/"),
        Some([_, _, "iam", _, _, name]) => name.starts_with("role/"),
        _ => false,
    }
}

/// Of the ways that were open but not complete, the one that lacked least is to be blamed.
#[derive(Default)]
struct Blame(Option<(Need, Layer)>);

impl Blame {
    fn note(&mut self, need: Need, layer: Layer) {
        if self.0.is_none_or(|(known, _)| need < known) {
            self.0 = Some((need, layer));
        }
    }
}

fn by_key_policy(caller: &Caller<'_>, foreign: bool, blame: &mut Blame) -> Option<Permit> {
    let key = &caller.heard.key;
    let ways = [(key.direct, Reach::Direct), (key.behind, Reach::Behind), (key.account, Reach::Account)];
    for (hit, reach) in ways.into_iter().filter_map(|(hit, reach)| hit.map(|hit| (hit, reach))) {
        let need = if foreign { Need::Identity } else { need(reach) };
        match caller.meets(need) {
            Ok(Some(decided_by)) => {
                let together_with = Some(hit.reason(Layer::Key));
                return Some(Permit { decided_by, together_with, grants: Vec::new() });
            }
            Ok(None) => {
                let decided_by = hit.reason(Layer::Key);
                return Some(Permit { decided_by, together_with: None, grants: Vec::new() });
            }
            Err(layer) => blame.note(need, layer),
        }
    }
    None
}

/// A grant needs no other account's consent: it counts as the caller's side too.
fn by_grant(
    question: &Question<'_>,
    policies: &Policies<'_>,
    caller: &Caller<'_>,
    blame: &mut Blame,
) -> Option<Permit> {
    let operation = operation(question);
    // Each may be a parent of the grant that is to be made; for anything else the first that allows is enough, of however
    // many. Those before it that do not allow, for their constraints, are all looked at.
    let wants_all = question.action.eq_ignore_ascii_case(CREATE_GRANT);
    let mut permit: Option<Permit> = None;
    for grant in policies.grants.grants(operation) {
        let Some(reach) = reach_of(grant, operation, question, policies) else { continue };
        match caller.meets(need(reach)) {
            Ok(together_with) => {
                let decided_by = Reason::Grant { layer: Layer::Grant, grant: grant.id.clone() };
                let permit = permit.get_or_insert(Permit { decided_by, together_with, grants: Vec::new() });
                permit.grants.push(grant.id.clone());
                if !wants_all {
                    break;
                }
            }
            Err(layer) => blame.note(need(reach), layer),
        }
    }
    permit
}

/// The grant that fits the caller best, and how closely; of those, the first.
pub(super) fn granting(question: &Question<'_>, policies: &Policies<'_>) -> Option<(Arc<str>, Reach)> {
    let operation = operation(question);
    let fitting = policies
        .grants
        .grants(operation)
        .filter_map(|grant| reach_of(grant, operation, question, policies).map(|reach| (grant.id.clone(), reach)));
    fitting.min_by_key(|(_, reach)| *reach)
}

fn operation<'a>(question: &Question<'a>) -> &'a str {
    question.action.split_once(':').map_or(question.action, |(_, name)| name)
}

fn reach_of(grant: &Grant, operation: &str, question: &Question<'_>, policies: &Policies<'_>) -> Option<Reach> {
    if question.action.eq_ignore_ascii_case(RETIRE_GRANT) {
        return may_retire(grant, question.principal);
    }
    if !grant.consistent && !policies.presented.contains(&&*grant.id) {
        return None;
    }
    grant.allows(operation, question.principal, question.encryption_context, question.facts)
}

/// A statement or grant for the caller itself is enough; one for its role or user is limited by boundary and session
/// policy; one for its account is a delegation to identity policies.
fn need(reach: Reach) -> Need {
    match reach {
        Reach::Direct => Need::Nothing,
        Reach::Behind => Need::Limits,
        Reach::Account => Need::Identity,
    }
}

struct Caller<'a> {
    principal: &'a Principal,
    heard: &'a Heard<'a>,
}

impl Caller<'_> {
    /// The identity statement that was needed, if any; or the layer that is silent.
    fn meets(&self, need: Need) -> Result<Option<Reason>, Layer> {
        match need {
            Need::Nothing => Ok(None),
            Need::Limits => self.limits().map(|()| None),
            Need::Identity => self.identity().map(Some),
        }
    }

    fn identity(&self) -> Result<Reason, Layer> {
        let allowed = match self.principal {
            Principal::Root { .. } => Some(Reason::Root { layer: Layer::Identity }),
            _ => self.heard.identity.allowed().map(|hit| hit.reason(Layer::Identity)),
        };
        let reason = allowed.ok_or(Layer::Identity)?;
        self.limits().map(|()| reason)
    }

    fn limits(&self) -> Result<(), Layer> {
        let silent = |scan: &Option<super::decide::Scan<'_>>| scan.is_some_and(|scan| scan.allowed().is_none());
        match (silent(&self.heard.boundary), silent(&self.heard.session)) {
            (true, _) => Err(Layer::Boundary),
            (false, true) => Err(Layer::Session),
            (false, false) => Ok(()),
        }
    }
}
