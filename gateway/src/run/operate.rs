//! What the operator asks over the admin socket, done: one thing after the other, each recorded.
//! Knows the order in which a declaration takes effect; what it means, `kms_core` knows.

use std::sync::Arc;

use kms_core::region::{Act, Applied, DeclareError, Making, Operator, Recovered, Region};
use kms_core::registry::{Change, Manifest};
use serde_json::json;

use super::{Prepared, RunError, Serving};
use crate::admin::protocol::{Answer, Made, Request, Secret};
use crate::manifest;
use crate::setup::Plan;

/// Lines of a change that the audit record shows; its digest covers all.
const LINES_SHOWN: usize = 100;
const LINE_CHARACTERS_SHOWN: usize = 200;

/// Why an act was not done, as it is recorded and told.
struct Refusal {
    code: &'static str,
    message: String,
}

impl From<RunError> for Refusal {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Declare(error) => error.into(),
            RunError::Addresses(_) => Self { code: "AddressUnavailable", message: error.to_string() },
            RunError::Setup(_) | RunError::Manifest(_) => {
                Self { code: "MalformedManifest", message: error.to_string() }
            }
            _ => Self { code: "Failed", message: error.to_string() },
        }
    }
}

impl From<DeclareError> for Refusal {
    fn from(error: DeclareError) -> Self {
        let code = match &error {
            DeclareError::Malformed(_) => "MalformedManifest",
            DeclareError::Failed(_) => "Failed",
        };
        Self { code, message: error.to_string() }
    }
}

impl Serving {
    /// Does what the operator asks for.
    pub(super) async fn obey(
        &mut self,
        request: Request,
        operator: &Operator,
        plan: &mut Plan,
        region: &Arc<Region>,
    ) -> Answer {
        match request {
            Request::Apply(declaration) => match declaration.into_manifest() {
                Ok(manifest) => self.apply(manifest, operator, plan, region).await,
                Err(error) => Answer::refused(error),
            },
            Request::Diff(declaration) => match declaration.into_manifest() {
                Ok(manifest) => match self.preview(manifest, plan, region).await {
                    Ok((_, changes)) => Answer::Differs { changes: changes.iter().map(ToString::to_string).collect() },
                    Err(refusal) => Answer::refused(refusal.message),
                },
                Err(error) => Answer::refused(error),
            },
            Request::Get => match region.declared() {
                Ok(manifest) => Answer::Declared { manifest },
                Err(error) => Answer::refused(error),
            },
            Request::RecoverPolicy { key, policy } => self.recover(&key, policy.as_deref(), operator, region).await,
        }
    }

    async fn apply(
        &mut self,
        manifest: Manifest,
        operator: &Operator,
        plan: &mut Plan,
        region: &Arc<Region>,
    ) -> Answer {
        let done = self.declare(manifest, plan, region).await;
        if let Ok(applied) = &done
            && applied.changes.is_empty()
        {
            return Answer::Applied { changes: Vec::new(), made: Vec::new(), revision: applied.revision.0 };
        }
        let act = match &done {
            Ok(applied) => Act { name: "ApplyManifest", parameters: told(applied), key: None, error: None },
            Err(refusal) => Act {
                name: "ApplyManifest",
                parameters: json!({}),
                key: None,
                error: Some((refusal.code, shortened(&refusal.message))),
            },
        };
        if let Err(answer) = self.record(operator, &act, region).await {
            return answer;
        }
        match done {
            Ok(applied) => {
                self.metrics.manifests_applied.increment();
                tracing::info!(uid = operator.uid, changes = applied.changes.len(), "a manifest was applied");
                answer(applied)
            }
            Err(refusal) => Answer::refused(refusal.message),
        }
    }

    async fn recover(&self, key: &str, policy: Option<&str>, operator: &Operator, region: &Arc<Region>) -> Answer {
        let name = "RecoverKeyPolicy";
        let done = region.recover_policy(key, policy).await;
        let act = match &done {
            Ok(Recovered { account, arn, before, after }) => Act {
                name,
                parameters: json!({
                    "keyId": arn,
                    "policySha256Before": hex::encode(before),
                    "policySha256": hex::encode(after),
                }),
                key: Some((*account, arn.clone())),
                error: None,
            },
            Err(error) => Act {
                name,
                parameters: json!({ "keyId": shortened(key) }),
                key: None,
                error: Some((error.code().as_str(), error.message())),
            },
        };
        if let Err(answer) = self.record(operator, &act, region).await {
            return answer;
        }
        match done {
            Ok(Recovered { arn, before, after, .. }) => {
                tracing::warn!(uid = operator.uid, key = %arn, "the operator put another policy on a key");
                Answer::Recovered { key: arn, before: hex::encode(before), after: hex::encode(after) }
            }
            Err(error) => Answer::refused(format!("{}: {}", error.code().as_str(), error.message())),
        }
    }

    async fn record(&self, operator: &Operator, act: &Act, region: &Arc<Region>) -> Result<(), Answer> {
        region.record(&self.desk, operator, act).await.map_err(|error| {
            tracing::error!(cause = error.cause(), "what the operator did could not be recorded");
            Answer::refused("the audit log cannot be written, so nobody knows whether it was done")
        })
    }

    async fn declare(&mut self, manifest: Manifest, plan: &mut Plan, region: &Arc<Region>) -> Result<Applied, Refusal> {
        let (prepared, _) = self.preview(manifest.clone(), plan, region).await?;
        plan.certify(&prepared.listeners, region.clock().now()).map_err(RunError::from)?;
        // What the file says now is older than what is applied now. If it cannot be read, it has its say once it can.
        let file = match plan.manifest_path().map(|path| manifest::load(&path)) {
            Some(Ok(file)) => Some(region.mark(&file).await?),
            Some(Err(_)) | None => None,
        };
        let applied = region.apply(manifest, Making::Now, file).await?;
        self.take_up(prepared, plan)?;
        Ok(applied)
    }

    /// All that is wrong, or what would change, with the addresses bound that it needs.
    async fn preview(
        &self,
        manifest: Manifest,
        plan: &Plan,
        region: &Arc<Region>,
    ) -> Result<(Prepared, Vec<Change>), Refusal> {
        let prepared = self.prepare(&manifest, plan).map_err(Refusal::from);
        let changes = region.preview(manifest).await.map_err(Refusal::from);
        match (prepared, changes) {
            (Ok(prepared), Ok(changes)) => Ok((prepared, changes)),
            (Err(one), Err(other)) => {
                Err(Refusal { code: other.code, message: format!("{}\n{}", other.message, one.message) })
            }
            (Err(one), Ok(_)) | (Ok(_), Err(one)) => Err(one),
        }
    }
}

fn answer(applied: Applied) -> Answer {
    let made = applied.made.iter().map(|key| Made {
        user: format!("{}/{}", key.account, key.user),
        id: key.id.clone(),
        secret: Secret::of(&key.secret),
    });
    Answer::Applied {
        made: made.collect(),
        changes: applied.changes.iter().map(ToString::to_string).collect(),
        revision: applied.revision.0,
    }
}

fn told(applied: &Applied) -> serde_json::Value {
    let lines = applied.changes.iter().take(LINES_SHOWN).map(|change| shortened(&change.to_string()));
    json!({
        "changeCount": applied.changes.len(),
        "changeSha256": hex::encode(applied.digest()),
        "declarationSha256Before": hex::encode(applied.before),
        "declarationSha256": hex::encode(applied.after),
        "changes": lines.collect::<Vec<_>>(),
    })
}

fn shortened(text: &str) -> String {
    text.chars().take(LINE_CHARACTERS_SHOWN).collect()
}
