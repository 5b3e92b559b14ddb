//! May this caller have a session of this role, and what will the session be?
//! Pure: the trust policy, and where it delegates the caller's own policies, decide as for any other permission.
//! IAM User Guide, "Methods to assume a role", "Session tags"; API reference of AWS STS, "AssumeRole".

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::SessionClaims;
use super::error::SessionError;
use super::facts::AssumeFacts;
use super::web_identity::WebIdentity;
use crate::authz::{self, Decision, Document, Kind, Malformed, Policies, Principal, PrincipalName, Question, Recorded};
use crate::entry::Entry;
use crate::id::AccountId;
use crate::judge::{Trace, resource_control};
use crate::key::record::IdentityRecord;
use crate::request::Asked;
use crate::standing::Standing;
use crate::view::identity::row;
use crate::view::{RegionView, Role};

const ASSUME_ROLE: &str = "sts:AssumeRole";
const ASSUME_ROLE_WITH_WEB_IDENTITY: &str = "sts:AssumeRoleWithWebIdentity";
const TAG_SESSION: &str = "sts:TagSession";
const SET_SOURCE_IDENTITY: &str = "sts:SetSourceIdentity";

/// Seconds that a session lasts when nobody says, and that one lasts at most that was made from another session.
const DURATION_SECONDS: u32 = 3600;
/// Characters of all session policies together, white space not counted.
const POLICIES_CHARS_MAX: usize = 2048;
const TAGS_MAX: usize = 50;

/// What is asked for. Each member is of the form that the API reference demands.
#[derive(Clone, Debug, Default)]
pub struct AssumeRole {
    pub role_arn: String,
    pub session_name: String,
    pub external_id: Option<String>,
    /// The JSON text of a session policy.
    pub policy: Option<String>,
    /// Managed policies of the role's account that are to be session policies too.
    pub policy_arns: Vec<String>,
    pub tags: Vec<(String, String)>,
    pub transitive_tag_keys: Vec<String>,
    /// 900 to 43200.
    pub duration_seconds: Option<u32>,
    pub source_identity: Option<String>,
}

/// A session that may be issued.
#[derive(Debug)]
pub struct Granted {
    pub claims: SessionClaims,
    pub duration: Duration,
    /// The ARN of the session.
    pub arn: String,
    /// `AROA...:name`
    pub id: String,
}

/// Decides an AssumeRole; what decided is noted in the entry.
pub fn assume_role(
    view: &RegionView,
    asked: &Asked,
    request: &AssumeRole,
    entry: &mut Entry,
) -> Result<Granted, SessionError> {
    if let Principal::Root { .. } = *asked.caller.principal {
        return Err(SessionError::AccessDenied("Roles may not be assumed by root accounts.".to_owned()));
    }
    let tags = tags_of(asked, &request.tags, &request.transitive_tag_keys)?;
    let inherited = asked.caller.session.as_deref().and_then(|session| session.source_identity.as_deref());
    let source_identity = match (inherited, request.source_identity.as_deref()) {
        (Some(inherited), Some(given)) if inherited != given => {
            let text = "The source identity of the calling session cannot be changed.";
            return Err(SessionError::AccessDenied(text.to_owned()));
        }
        (inherited, given) => inherited.or(given),
    };
    Assumption { view, asked, request, action: ASSUME_ROLE, tags, source_identity, web_identity: None }.decided(entry)
}

/// Decides an AssumeRoleWithWebIdentity of a token that was accepted.
pub fn assume_role_with_web_identity(
    view: &RegionView,
    asked: &Asked,
    request: &AssumeRole,
    identity: &WebIdentity,
    entry: &mut Entry,
) -> Result<Granted, SessionError> {
    let tags: Vec<_> = identity.tags.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
    let transitive: Vec<_> = identity.transitive_tag_keys.iter().cloned().collect();
    let tags = tags_of(asked, &tags, &transitive)?;
    let source_identity = identity.source_identity.as_deref();
    let action = ASSUME_ROLE_WITH_WEB_IDENTITY;
    Assumption { view, asked, request, action, tags, source_identity, web_identity: Some(identity) }.decided(entry)
}

/// The tags that a session is to have.
struct SessionTags {
    all: BTreeMap<String, String>,
    transitive: BTreeSet<String>,
}

/// The tags asked for, and those that a calling session hands on. Keys that differ by case only are the same key.
fn tags_of(asked: &Asked, given: &[(String, String)], transitive: &[String]) -> Result<SessionTags, SessionError> {
    let invalid = |text: &str| Err(SessionError::InvalidParameterValue(text.to_owned()));
    let mut seen = BTreeSet::new();
    if !given.iter().all(|(key, _)| seen.insert(key.to_lowercase())) {
        return invalid("Duplicate tag keys found. Please note that Tag keys are case insensitive.");
    }
    if given.iter().any(|(key, _)| key.to_lowercase().starts_with("aws:")) {
        return invalid("Tag keys must not begin with aws:.");
    }
    if !transitive.iter().all(|key| given.iter().any(|(known, _)| known == key)) {
        return invalid("The specified transitive tag key must be included in the requested tags.");
    }
    let mut tags =
        SessionTags { all: given.iter().cloned().collect(), transitive: transitive.iter().cloned().collect() };
    let session = asked.caller.session.iter();
    for (key, value) in
        session.flat_map(|session| session.tags.iter().filter(|(key, _)| session.transitive_tag_keys.contains(*key)))
    {
        if seen.contains(&key.to_lowercase()) {
            return invalid(
                "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key \
                 from the calling session.",
            );
        }
        tags.all.insert(key.clone(), value.clone());
        tags.transitive.insert(key.clone());
    }
    if tags.all.len() > TAGS_MAX {
        return invalid("The session would have more than 50 tags.");
    }
    Ok(tags)
}

struct Assumption<'a> {
    view: &'a RegionView,
    asked: &'a Asked,
    request: &'a AssumeRole,
    action: &'static str,
    tags: SessionTags,
    source_identity: Option<&'a str>,
    web_identity: Option<&'a WebIdentity>,
}

impl Assumption<'_> {
    fn decided(&self, entry: &mut Entry) -> Result<Granted, SessionError> {
        let account = self.account()?;
        let inline = self.request.policy.as_deref().map(session_policy).transpose()?;
        let role = self.view.role(&self.request.role_arn);
        let mut trace = Trace::default();
        let allowed = self.permissions().try_for_each(|action| self.allow(action, account, role, &mut trace));
        entry.decided(trace);
        allowed?;
        // Nothing allows a session of a role that is not there.
        let role = role.ok_or(SessionError::Internal)?;
        let duration = self.duration(role)?;
        let policies = inline.into_iter().chain(self.managed(account)?).collect();
        let claims = self.claims(role, policies)?;
        let principal = role.principal(&self.request.session_name);
        Ok(Granted {
            claims,
            duration,
            arn: self.view.place.own_arns(&principal.arn()),
            id: principal.unique_id().unwrap_or_default().into_owned(),
        })
    }

    /// The account of the role that is asked for.
    fn account(&self) -> Result<AccountId, SessionError> {
        let arn = &self.request.role_arn;
        let own = arn.split(':').nth(1) == Some(&*self.view.place.partition);
        let account = match PrincipalName::from_arn(arn) {
            Some(PrincipalName::Role { account, .. }) if own => AccountId::parse(&account),
            _ => None,
        };
        account.ok_or_else(|| SessionError::Validation(format!("{arn} is invalid")))
    }

    /// All of what the session takes.
    fn permissions(&self) -> impl Iterator<Item = &'static str> {
        let tagged = (!self.tags.all.is_empty()).then_some(TAG_SESSION);
        let sourced = self.source_identity.map(|_| SET_SOURCE_IDENTITY);
        [self.action].into_iter().chain(tagged).chain(sourced)
    }

    fn allow(
        &self,
        action: &'static str,
        account: AccountId,
        role: Option<&Arc<Role>>,
        trace: &mut Trace,
    ) -> Result<(), SessionError> {
        let decision = self.decide(action, account, role.map(|role| &**role), trace);
        let allowed = decision.is_allowed() && role.is_some();
        // A stranger learns no more of a role than of one that is not there.
        let told = match role {
            Some(_) if decision.is_strangers() => self.decide(action, account, None, &mut Trace::default()),
            _ => decision.clone(),
        };
        trace.decision = Some(decision);
        if allowed { Ok(()) } else { Err(SessionError::AccessDenied(self.denial(action, &told))) }
    }

    fn decide(&self, action: &'static str, account: AccountId, role: Option<&Role>, trace: &mut Trace) -> Decision {
        // A web identity has no account's policies, and a caller who has gone since has nothing.
        let standing = Standing::of(self.view, &self.asked.caller);
        let facts = AssumeFacts {
            general: AssumeFacts::general(self.view, self.asked, standing, action),
            request: self.request,
            tags: &self.tags.all,
            source_identity: self.source_identity,
            account,
            role,
            web_identity: self.web_identity,
        };
        let seen = Recorded::new(&facts);
        let question = Question {
            principal: &self.asked.caller.principal,
            action,
            resource: &self.request.role_arn,
            resource_account: Some(account.as_str()),
            encryption_context: None,
            facts: &seen,
        };
        let identity: Vec<_> = standing.iter().flat_map(|standing| standing.attached.documents()).collect();
        let scps = standing.map(|standing| standing.service_control()).unwrap_or_default();
        let rcps = resource_control(self.view, Some(account));
        let known = standing.is_some() || self.web_identity.is_some();
        let policies = Policies {
            key: role.filter(|_| known).map(|role| &role.trust.document),
            identity: &identity,
            boundary: standing.and_then(|standing| standing.boundary()),
            session: standing.and_then(|standing| standing.session_policy()),
            scps: &scps,
            rcps: &rcps,
            cross_account_allowed: true,
            ..Policies::default()
        };
        let decision = authz::decide(&question, &policies);
        trace.looked_at(seen.finish().0);
        decision
    }

    fn denial(&self, action: &str, decision: &Decision) -> String {
        if self.web_identity.is_some() {
            return format!("Not authorized to perform {action}");
        }
        decision.message(&self.asked.caller.arn, action, &self.request.role_arn)
    }

    fn duration(&self, role: &Role) -> Result<Duration, SessionError> {
        let chained = self.asked.caller.session.is_some();
        let seconds = self.request.duration_seconds.unwrap_or(DURATION_SECONDS);
        let refused = |text: &str| Err(SessionError::Validation(text.to_owned()));
        if chained && seconds > DURATION_SECONDS {
            return refused(
                "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
            );
        }
        if seconds > role.max_session_duration_seconds {
            return refused("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.");
        }
        Ok(Duration::from_secs(u64::from(seconds)))
    }

    /// The texts of the managed policies that the session is to be limited by, as they are now.
    fn managed(&self, account: AccountId) -> Result<Vec<String>, SessionError> {
        let texts = self.request.policy_arns.iter().map(|arn| {
            let missing = || SessionError::Validation(format!("Policy {arn} does not exist or is not attachable."));
            managed_policy(self.view, account, arn).ok_or_else(missing).and_then(session_policy)
        });
        texts.collect()
    }

    fn claims(&self, role: &Role, policies: Vec<String>) -> Result<SessionClaims, SessionError> {
        let characters = |text: &String| text.chars().filter(|character| !character.is_whitespace()).count();
        let size = policies.iter().map(characters).sum();
        if size > POLICIES_CHARS_MAX {
            return Err(SessionError::packed_too_large(size, POLICIES_CHARS_MAX));
        }
        let claims = SessionClaims {
            role: role.arn.to_string(),
            role_id: role.id.clone(),
            name: self.request.session_name.clone(),
            policies,
            tags: self.tags.all.clone(),
            transitive_tag_keys: self.tags.transitive.clone(),
            source_identity: self.source_identity.map(str::to_owned),
            federated_provider: self.web_identity.map(|identity| identity.provider.to_string()),
        };
        claims.packed().map(|_| claims)
    }
}

/// The text of an account's own managed policy.
fn managed_policy<'v>(view: &'v RegionView, account: AccountId, arn: &str) -> Option<&'v str> {
    let name = arn.rsplit('/').next()?;
    let IdentityRecord::ManagedPolicy(policy) = &view.registered(&row::policy(account, name))?.record else {
        return None;
    };
    (view.place.iam_arn(account, "policy", &policy.path, name) == arn).then_some(&*policy.document)
}

/// The text of a session policy without the white space between its tokens, once it was read as one.
fn session_policy(text: &str) -> Result<String, SessionError> {
    Document::parse(text, Kind::Session).map_err(|error| match error {
        Malformed::TooLarge { size, size_max } => SessionError::packed_too_large(size, size_max),
        malformed => SessionError::MalformedPolicyDocument(malformed.message().into_owned()),
    })?;
    let json: serde_json::Value = serde_json::from_str(text).map_err(|_| SessionError::Internal)?;
    Ok(json.to_string())
}

#[cfg(test)]
mod tests;
