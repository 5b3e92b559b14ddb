//! The calls of STS: who calls, what was asked, what came of it, and the record of all that.
//! Issues sessions; whether there is one to issue, `kms_core::session` decides.

use std::sync::Arc;
use std::time::Instant;

use kms_core::KmsError;
use kms_core::entry::{Entry, Service as Called};
use kms_core::operation::Effect;
use kms_core::request::Asked;
use kms_core::session::{self, AssumeRole, Granted, SessionError};
use kms_core::view::RegionView;
use serde_json::json;
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Worker, written};
use crate::authn::session::{Draft, token};
use crate::serve::{Answer, Arrived};
use crate::sts::{self, AssumedRole, query};
use crate::wire::{Form, Protocol};

/// How much of a policy that somebody sent is recorded, in characters; more than any that is taken.
const POLICY_RECORDED_MAX: usize = 2500;

/// The actions that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Action {
    GetCallerIdentity,
    AssumeRole,
    AssumeRoleWithWebIdentity,
}

impl Action {
    fn of(form: &Form) -> Option<Self> {
        if form.value("Version").is_some_and(|version| version != sts::VERSION) {
            return None;
        }
        match form.value("Action")? {
            "GetCallerIdentity" => Some(Self::GetCallerIdentity),
            "AssumeRole" => Some(Self::AssumeRole),
            "AssumeRoleWithWebIdentity" => Some(Self::AssumeRoleWithWebIdentity),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::GetCallerIdentity => "GetCallerIdentity",
            Self::AssumeRole => "AssumeRole",
            Self::AssumeRoleWithWebIdentity => "AssumeRoleWithWebIdentity",
        }
    }
}

/// How a call ended: the answer, its error code or `OK`, and the action's name.
pub(super) type Ended = (Answer, &'static str, &'static str);

impl Worker {
    pub(super) async fn sts(&self, form: &Form, arrived: &Arrived) -> Ended {
        let action = Action::of(form);
        // What is no action's name is the caller's free text, and does not belong into the record's own members.
        let name = action.map_or("Unknown", Action::name);
        if action == Some(Action::AssumeRoleWithWebIdentity) {
            let (answer, code) = self.web_identity(form, arrived).await;
            return (answer, code, name);
        }
        let asked = match self.authenticated(arrived, "sts", Effect::Read).await {
            Ok(asked) => Arc::new(asked),
            Err(failure) => {
                let claimed = form.value("Action").unwrap_or_default();
                let (answer, code) = self.unauthenticated(&failure, Protocol::Query, claimed, arrived);
                return (answer, code, name);
            }
        };
        let view = self.shared.region.view();
        let entry = Entry::open(self.desk.clone(), &view, &asked, Called::Sts, name);
        let (answer, code) = match action {
            None | Some(Action::AssumeRoleWithWebIdentity) => self.no_such_action(form, entry, arrived).await,
            Some(Action::GetCallerIdentity) => self.caller_identity(&asked, entry, arrived).await,
            Some(Action::AssumeRole) => self.assume_role(form, &asked, entry, arrived).await,
        };
        (answer, code, name)
    }

    async fn no_such_action(&self, form: &Form, entry: Entry, arrived: &Arrived) -> (Answer, &'static str) {
        if let Err(cause) = written(entry.refuse("InvalidAction", "")).await {
            return unrecorded(&cause, arrived);
        }
        let (action, version) = (form.value("Action").unwrap_or_default(), form.value("Version").unwrap_or_default());
        (sts::invalid_action(action, version, &arrived.request_id), "InvalidAction")
    }

    async fn caller_identity(&self, asked: &Asked, entry: Entry, arrived: &Arrived) -> (Answer, &'static str) {
        if let Err(cause) = written(entry.close(Ok(None))).await {
            return unrecorded(&cause, arrived);
        }
        let identity = sts::CallerIdentity {
            user_id: asked.caller.principal.unique_id().unwrap_or_default().into_owned(),
            account: asked.caller.account.to_string(),
            arn: asked.caller.arn.to_string(),
        };
        (sts::caller_identity(&identity, &arrived.request_id), "OK")
    }

    async fn assume_role(
        &self,
        form: &Form,
        asked: &Asked,
        mut entry: Entry,
        arrived: &Arrived,
    ) -> (Answer, &'static str) {
        if let Err(error) = self.shared.region.admit_account(asked.caller.account) {
            return self.too_many(entry, &error, arrived);
        }
        let Some(_permit) = self.shared.admission.admit(Effect::Read) else {
            return self.too_many(entry, &KmsError::Overloaded, arrived);
        };
        let issued = match query::assume_role(form) {
            Ok(request) => {
                entry.asked_sts(recorded(&request));
                let decide = |view: &RegionView| session::assume_role(view, asked, &request, &mut entry);
                self.decided_and_issued(decide, arrived).await
            }
            Err(error) => Err(error),
        };
        self.ended("AssumeRole", issued, entry, arrived).await
    }

    /// Issues the session that `decide` grants; when the region has moved on meanwhile, what it grants must be the same
    /// still, so that nothing is handed out by a trust policy that was revoked before the answer.
    pub(super) async fn decided_and_issued(
        &self,
        mut decide: impl FnMut(&RegionView) -> Result<Granted, SessionError>,
        arrived: &Arrived,
    ) -> Result<AssumedRole, SessionError> {
        let view = || self.shared.region.coherent_view().map_err(|_| SessionError::Internal);
        let before = view()?;
        let granted = decide(&before)?;
        let claims = granted.claims.clone();
        let issued = self.issued(granted, self.deadline(arrived, Effect::Read)).await?;
        let now = view()?;
        if now.revision == before.revision || decide(&now)?.claims == claims {
            Ok(issued)
        } else {
            Err(SessionError::Unavailable)
        }
    }

    /// Issues a session: its claims hidden, its token signed, its secret made, each in the HSM.
    async fn issued(&self, granted: Granted, deadline: Instant) -> Result<AssumedRole, SessionError> {
        let Granted { claims, duration, arn, id } = granted;
        let region = &self.shared.region;
        let token_id = Uuid::new_v4().simple().to_string();
        let access_key_id = session::access_key_id(&token_id);
        let issued_at = region.clock().now();
        let expires_at = issued_at.plus(duration);
        let failed = |error: KmsError| {
            tracing::error!(cause = error.cause(), "a session could not be issued");
            if matches!(error, KmsError::Overloaded) { SessionError::Unavailable } else { SessionError::Internal }
        };
        let sealed = region.hide_claims(&token_id, claims.packed()?, deadline).await.map_err(failed)?;
        let draft =
            Draft { token: &token_id, access_key_id: &access_key_id, issued_at, expires_at, sealed_claims: &sealed };
        let message = draft.message(region.place()).ok_or(SessionError::Internal)?;
        let issued = region.issue_session(&token_id, message.clone().into_bytes(), deadline).await.map_err(failed)?;
        let secret = std::str::from_utf8(issued.secret.expose()).map_err(|_| SessionError::Internal)?;
        let limited = !claims.policies.is_empty() || !claims.tags.is_empty();
        Ok(AssumedRole {
            id,
            arn,
            access_key_id,
            secret_access_key: Zeroizing::new(secret.to_owned()),
            session_token: token(&message, &issued.signature),
            expiration: expires_at.iso(),
            packed_policy_size: limited.then(|| claims.packed_percent()),
            source_identity: claims.source_identity,
            web_identity: None,
        })
    }

    /// Records which session was handed out, never its secret or its token, and then lets the answer go.
    pub(super) async fn ended(
        &self,
        action: &'static str,
        issued: Result<AssumedRole, SessionError>,
        entry: Entry,
        arrived: &Arrived,
    ) -> (Answer, &'static str) {
        let request_id = &arrived.request_id;
        let closed = match &issued {
            Ok(role) => entry.close(Ok(Some(&elements(role)))),
            Err(error) => entry.refuse(error.code(), error.message()),
        };
        if let Err(cause) = written(closed).await {
            return unrecorded(&cause, arrived);
        }
        match issued {
            Ok(role) => (role.answer(action, request_id), "OK"),
            Err(error) => refused(&error, arrived),
        }
    }

    /// Turns away what is too much. It is counted in place of being recorded.
    pub(super) fn too_many(&self, entry: Entry, error: &KmsError, arrived: &Arrived) -> (Answer, &'static str) {
        let counted = self.throttled.borrow_mut().add(entry, error);
        if let KmsError::Throttled { .. } = error {
            self.shared.metrics.throttled.increment();
        }
        if let Err(cause) = counted {
            tracing::error!(%cause, "a throttled call could not be recorded");
        }
        let error = match error {
            KmsError::Throttled { .. } => SessionError::Throttling,
            _ => SessionError::Unavailable,
        };
        refused(&error, arrived)
    }
}

pub(super) fn refused(error: &SessionError, arrived: &Arrived) -> (Answer, &'static str) {
    (sts::error(error.status(), error.code(), error.message(), &arrived.request_id), error.code())
}

fn unrecorded(cause: &kms_core::audit::AuditError, arrived: &Arrived) -> (Answer, &'static str) {
    tracing::error!(%cause, "a call of STS could not be recorded");
    refused(&SessionError::Internal, arrived)
}

/// The parameters as CloudTrail has them. None of them is a secret.
pub(super) fn recorded(request: &AssumeRole) -> Box<RawValue> {
    let tags: Vec<_> = request.tags.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect();
    let arns: Vec<_> = request.policy_arns.iter().map(|arn| json!({ "arn": arn })).collect();
    let policy = request.policy.as_ref().map(|text| text.chars().take(POLICY_RECORDED_MAX).collect::<String>());
    let all = json!({
        "roleArn": request.role_arn,
        "roleSessionName": request.session_name,
        "externalId": request.external_id,
        "durationSeconds": request.duration_seconds,
        "policy": policy,
        "policyArns": (!arns.is_empty()).then_some(arns),
        "tags": (!tags.is_empty()).then_some(tags),
        "transitiveTagKeys": (!request.transitive_tag_keys.is_empty()).then_some(&request.transitive_tag_keys),
        "sourceIdentity": request.source_identity,
    });
    raw(&present(all))
}

fn elements(role: &AssumedRole) -> Box<RawValue> {
    raw(&present(json!({
        "credentials": { "accessKeyId": role.access_key_id, "expiration": role.expiration },
        "assumedRoleUser": { "assumedRoleId": role.id, "arn": role.arn },
        "packedPolicySize": role.packed_policy_size,
        "sourceIdentity": role.source_identity,
        "subjectFromWebIdentityToken": role.web_identity.as_ref().map(|web| &web.subject),
        "provider": role.web_identity.as_ref().map(|web| &web.provider),
        "audience": role.web_identity.as_ref().map(|web| &web.audience),
    })))
}

/// Without the members that are null.
fn present(value: serde_json::Value) -> serde_json::Value {
    match value {
        serde_json::Value::Object(members) => members.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        other => other,
    }
}

fn raw(value: &serde_json::Value) -> Box<RawValue> {
    // Text that was serialised is JSON.
    to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
