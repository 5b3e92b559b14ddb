//! Puts a request before the policies: for each permission that its row names, then the key's state.
//! The one place that gathers what has a say; the decision itself is `authz::decide`.

use std::sync::Arc;

use crate::authz::{
    self, Decision, Document, Grant, GrantSource, Looked, Policies, Principal, Question, Reason, Recorded,
};
use crate::error::KmsError;
use crate::facts::RequestFacts;
use crate::id::AccountId;
use crate::operation::{Check, On, Reach, Spec};
use crate::request::{Asked, KeyTarget, Parameters, Source, Target, Targets};
use crate::standing::{self, Standing};
use crate::store::{Compare, Revision, RowKey, Table};
use crate::view::{KeyEntry, Membership, RegionView};

/// What decided, for the audit record: the denial, or else the last permission's allowance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Trace {
    pub(crate) decision: Option<Decision>,
    /// The condition keys that were looked at, by name, each once with its last values.
    pub(crate) context: Vec<Looked>,
}

impl Trace {
    pub(crate) fn looked_at(&mut self, looked: Vec<Looked>) {
        for one in looked {
            match self.context.binary_search_by(|known| known.key.cmp(&one.key)) {
                Ok(at) => self.context.splice(at..=at, [one]).for_each(drop),
                Err(at) => self.context.insert(at, one),
            }
        }
    }
}

/// The request may be done.
#[derive(Debug)]
pub(crate) struct Judged {
    pub(crate) trace: Trace,
    /// The grants that allowed it, when no policy did: for CreateGrant all that do, for others the one that decided.
    pub(crate) granted_by: Option<Vec<Arc<Grant>>>,
}

/// The request may not be done.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) error: KmsError,
    pub(crate) trace: Trace,
}

/// Asks the endpoint's policy alone, as the gateway does before it hands a request on. A refusal is worded by the
/// whole decision, so that a caller cannot tell the two apart.
pub(crate) fn endpoint(
    spec: &Spec,
    view: &RegionView,
    asked: &Asked,
    input: &dyn Parameters,
    targets: &Targets,
) -> Result<(), Box<Refusal>> {
    if matches!(asked.source, Source::Public { .. }) {
        return Ok(());
    }
    let standing = Standing::presumed(view, &asked.caller);
    let case = Case { spec, view, asked, input, targets, standing };
    let has_boundary = case.standing.is_some_and(|standing| standing.attached.boundary.is_some());
    for (check, target) in case.permissions() {
        let facts = case.facts(check.action, target);
        let question = case.question(check, target, &facts);
        let policy = case.endpoint_policy();
        let allowed = policy.is_some_and(|policy| authz::endpoint_allows(&question, policy, has_boundary).is_ok());
        if !allowed {
            return match all(spec, view, asked, input, targets) {
                Err(refusal) => Err(refusal),
                // The endpoint is gone from the view: nothing allows anything through it any more.
                Ok(judged) => Err(Box::new(Refusal { error: silent(spec, asked, targets), trace: judged.trace })),
            };
        }
    }
    Ok(())
}

/// Decides every permission of the row and then asks the state of each key.
pub(crate) fn all(
    spec: &Spec,
    view: &RegionView,
    asked: &Asked,
    input: &dyn Parameters,
    targets: &Targets,
) -> Result<Judged, Box<Refusal>> {
    let case = Case { spec, view, asked, input, targets, standing: Standing::of(view, &asked.caller) };
    let mut trace = Trace::default();
    // INVARIANT: who has gone from the view since it was authenticated may do nothing, whatever names it.
    let Some(standing) = case.standing else {
        return Err(Box::new(Refusal { error: silent(spec, asked, targets), trace }));
    };
    let scps = standing.service_control();
    let mut granted_by = None;
    for (check, target) in case.permissions() {
        let (decision, grants) = case.decide(&standing, &scps, check, target, &mut trace);
        let absent = matches!(target, Target::Absent { .. });
        if absent || !decision.is_allowed() {
            let error = case.denial(&standing, &scps, check, target, &decision);
            trace.decision = Some(decision);
            return Err(Box::new(Refusal { error, trace }));
        }
        trace.decision = Some(decision);
        granted_by = grants;
    }
    for (check, target) in case.checks() {
        // The key that an alias is about to leave may be in any state ("Key states", row UpdateAlias).
        let Target::Key(key) = target else { continue };
        if check.on == On::AliasTarget {
            continue;
        }
        if let Err(error) = spec.states.require(key.entry.record.state, &key.arn) {
            return Err(Box::new(Refusal { error, trace }));
        }
    }
    Ok(Judged { trace, granted_by })
}

/// The denial of a caller whom nothing allows to do what this row's first key permission says.
pub(crate) fn silent(spec: &Spec, asked: &Asked, targets: &Targets) -> KmsError {
    let (action, target) = spec
        .checks
        .iter()
        .zip(targets.iter())
        .find(|(_, target)| matches!(target, Target::Key(_)))
        .map_or(("kms:*", "*"), |(check, target)| (check.action, resource(target)));
    let place = if target == "*" { String::new() } else { format!(" on resource: {target}") };
    KmsError::AccessDenied(format!(
        "User: {} is not authorized to perform: {action}{place} because no resource-based policy allows the {action} action",
        asked.caller.arn
    ))
}

/// Whether the caller could do `action` on a key that were like this: the lockout safety check. Neither an endpoint's
/// policy nor a session's has a say, as the next request may come through another one and in another one.
pub(crate) fn would_allow(view: &RegionView, asked: &Asked, key: KeyEntry, action: &str) -> bool {
    struct Nothing;
    impl Parameters for Nothing {
        fn member(&self, _: &str) -> Option<crate::model::Field<'_>> {
            None
        }
        fn has_member(&self, _: &str) -> bool {
            false
        }
    }
    let (policy, account) = (key.policy.clone(), key.record.account);
    let target = Target::Key(KeyTarget::of(Arc::new(key)));
    let standing = Standing::of(view, &asked.caller);
    // The root user has no policies of its own, and need not be known.
    if standing.is_none() && !matches!(*asked.caller.principal, Principal::Root { .. }) {
        return false;
    }
    let facts = RequestFacts { asked, view, standing, target: &target, action, input: &Nothing, same_key: None };
    let question = Question {
        principal: &asked.caller.principal,
        action,
        resource: resource(&target),
        resource_account: Some(account.as_str()),
        encryption_context: None,
        facts: &facts,
    };
    let identity: Vec<_> = standing.iter().flat_map(|standing| standing.attached.documents()).collect();
    let scps = standing.map(|standing| standing.service_control()).unwrap_or_default();
    let rcps = resource_control(view, Some(account));
    let policies = Policies {
        key: Some(&policy.document),
        identity: &identity,
        boundary: standing.and_then(|standing| standing.boundary()),
        scps: &scps,
        rcps: &rcps,
        ..Policies::default()
    };
    authz::decide(&question, &policies).is_allowed()
}

/// The rows that a judgement was made on, at the versions that were looked at. A write is committed only while all of
/// them hold, so that what was revoked before it is committed holds for it.
pub(crate) fn relied_on(
    view: &RegionView,
    asked: &Asked,
    targets: &Targets,
    granted_by: Option<&[Arc<Grant>]>,
) -> Vec<Compare> {
    let mut rows = Vec::new();
    let mut row = |key, version| rows.push(Compare { key, version });
    for target in targets.iter() {
        match target {
            Target::Key(key) => {
                let id = key.entry.record.id;
                row(RowKey::new(Table::Key, id.to_string()), key.entry.version);
                let granted = granted_by.into_iter().flatten().filter_map(|grant| key.entry.grant(&grant.id));
                for grant in granted.chain(&key.grant) {
                    row(RowKey::new(Table::Grant, format!("{id}/{}", grant.record.id)), grant.version);
                }
            }
            Target::Alias(alias) => {
                let version = alias.entry.as_ref().map_or(Revision::NONE, |entry| entry.version);
                row(RowKey::new(Table::Alias, alias.row()), version);
            }
            Target::Absent { .. } | Target::Anything => {}
        }
    }
    if let Some(endpoint) = asked.source.endpoint().and_then(|id| view.endpoint(id)) {
        row(endpoint.row(), endpoint.version);
        if let Some(vpc) = view.vpc(&endpoint.record.vpc) {
            row(vpc.row(), vpc.version);
        }
    }
    let endpoint = asked.source.endpoint().and_then(|id| view.endpoint(id)).map(|endpoint| endpoint.record.account);
    let owners = targets.iter().filter_map(account_of).chain(endpoint);
    for membership in owners.filter_map(|account| view.membership(account)) {
        let (key, version) = membership.row.clone();
        row(key, version);
    }
    rows.extend(Standing::of(view, &asked.caller).iter().flat_map(Standing::rows));
    rows
}

/// One request with everything that judging it needs.
struct Case<'a> {
    spec: &'a Spec,
    view: &'a RegionView,
    asked: &'a Asked,
    input: &'a dyn Parameters,
    targets: &'a Targets,
    standing: Option<Standing<'a>>,
}

impl<'a> Case<'a> {
    fn checks(&self) -> impl Iterator<Item = (&'a Check, &'a Target)> {
        self.spec.checks.iter().zip(self.targets.iter())
    }

    /// What must be allowed: the row's checks, and what the input adds to them.
    fn permissions(&self) -> impl Iterator<Item = (&'a Check, &'a Target)> {
        /// A key that is made with tags takes the permission to tag, too (API reference of CreateKey).
        const WITH_TAGS: &Check = &Check { action: "kms:TagResource", on: On::Nothing, reach: Reach::OwnAccount };
        const ANYTHING: &Target = &Target::Anything;
        let tagged = self.spec.name == "CreateKey" && self.input.member("Tags").is_some();
        self.checks().chain(tagged.then_some((WITH_TAGS, ANYTHING)))
    }

    fn facts(&self, action: &'a str, target: &'a Target) -> RequestFacts<'a> {
        let same_key = self.targets.same_key().filter(|_| self.spec.name == "ReEncrypt");
        let Self { asked, view, standing, input, .. } = *self;
        RequestFacts { asked, view, standing, target, action, input, same_key }
    }

    fn question<'q>(&self, check: &'q Check, target: &'q Target, facts: &'q RequestFacts<'_>) -> Question<'q>
    where
        'a: 'q,
    {
        let resource_account = match target {
            Target::Key(key) => Some(key.entry.record.account.as_str()),
            Target::Absent { account, .. } => Some(account.as_str()),
            Target::Alias(alias) => Some(alias.account.as_str()),
            Target::Anything => None,
        };
        Question {
            principal: &self.asked.caller.principal,
            action: check.action,
            resource: resource(target),
            resource_account,
            encryption_context: facts.encryption_context(),
            facts,
        }
    }

    fn endpoint_policy(&self) -> Option<&'a Document> {
        let id = self.asked.source.endpoint()?;
        self.view.endpoint(id).map(|endpoint| &endpoint.policy.document)
    }

    fn decide(
        &self,
        standing: &Standing<'_>,
        scps: &[Vec<&Document>],
        check: &Check,
        target: &Target,
        trace: &mut Trace,
    ) -> (Decision, Option<Vec<Arc<Grant>>>) {
        let facts = self.facts(check.action, target);
        let question = self.question(check, target, &facts);
        let seen = Recorded::new(&facts);
        let question = Question { facts: &seen, ..question };
        let (named, of_caller);
        let grants: &dyn GrantSource = match target {
            // A request that names a grant is judged by that one.
            Target::Key(KeyTarget { grant: Some(entry), .. }) => {
                named = [&*entry.grant];
                &named
            }
            Target::Key(key) => {
                of_caller = key.entry.grants_of(&self.asked.caller.principal);
                &of_caller
            }
            _ => Default::default(),
        };
        let identity: Vec<_> = standing.attached.documents().collect();
        let rcps = resource_control(self.view, account_of(target));
        let shut;
        let endpoint = match (&self.asked.source, self.endpoint_policy()) {
            (Source::Public { .. }, _) => None,
            (Source::Endpoint { .. }, Some(policy)) => Some(policy),
            // INVARIANT: an endpoint that is not in the view allows nothing.
            (Source::Endpoint { .. }, None) => {
                shut = self.view.shut_endpoint.clone();
                Some(&shut.document)
            }
        };
        let policies = Policies {
            endpoint,
            key: match target {
                Target::Key(key) => Some(&key.entry.policy.document),
                _ => None,
            },
            identity: &identity,
            boundary: standing.boundary(),
            session: standing.session_policy(),
            scps,
            rcps: &rcps,
            grants,
            cross_account_allowed: check.reach == Reach::AnyAccount,
            ..Policies::default()
        };
        let decision = authz::decide(&question, &policies);
        let (looked, _) = seen.finish();
        trace.looked_at(looked);
        let by_grant = matches!(decision.decided_by, Reason::Grant { .. });
        let granted_by = by_grant.then(|| decision.grants.iter().filter_map(|id| granted(target, id)).collect());
        (decision, granted_by)
    }

    /// What the caller is told. Of another account's key whose owner has not let it in, it learns no more than of one
    /// that does not exist: the key's ARN stays unsaid where an alias was named, and its tags decide no word.
    fn denial(
        &self,
        standing: &Standing<'_>,
        scps: &[Vec<&Document>],
        check: &Check,
        target: &Target,
        decision: &Decision,
    ) -> KmsError {
        let word = |decision: &Decision, target: &Target| {
            KmsError::AccessDenied(decision.message(&self.asked.caller.arn, check.action, resource(target)))
        };
        match target {
            Target::Key(KeyTarget { hidden: true, .. }) => KmsError::HiddenCiphertext,
            Target::Key(key) if decision.is_strangers() => {
                let absent = key.as_absent(&self.view.place);
                let (decision, _) = self.decide(standing, scps, check, &absent, &mut Trace::default());
                word(&decision, &absent)
            }
            _ => word(decision, target),
        }
    }
}

/// The resource control policies that bind what this account has.
pub(crate) fn resource_control(view: &RegionView, account: Option<AccountId>) -> Vec<Vec<&Document>> {
    let membership = account.and_then(|account| view.membership(account));
    membership.map(|membership: &Arc<Membership>| standing::documents(&membership.resource)).unwrap_or_default()
}

fn account_of(target: &Target) -> Option<AccountId> {
    match target {
        Target::Key(key) => Some(key.entry.record.account),
        Target::Absent { account, .. } => Some(*account),
        Target::Alias(alias) => Some(alias.account),
        Target::Anything => None,
    }
}

/// The grant of this id that was before the decision.
fn granted(target: &Target, id: &str) -> Option<Arc<Grant>> {
    let Target::Key(key) = target else { return None };
    let named = key.grant.as_ref().filter(|entry| *entry.grant.id == *id);
    named.or_else(|| key.entry.grant(id)).map(|entry| entry.grant.clone())
}

fn resource(target: &Target) -> &str {
    match target {
        Target::Anything => "*",
        Target::Key(key) => &key.arn,
        Target::Alias(alias) => &alias.arn,
        Target::Absent { arn, .. } => arn,
    }
}

#[cfg(test)]
pub(crate) mod tests;
