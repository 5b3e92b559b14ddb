//! The endpoint owner's own record of a call that its endpoint's policy refused, beside the caller's record.
//! Knows what the owner may be told: of a caller of another account no more than account and id, and of other accounts'
//! keys nothing.

use super::{Noted, decision, source_proof};
use crate::audit::{Kannuki, Record, Resource, Text, UserIdentity};
use crate::authz::Layer;

impl Noted {
    /// CloudTrail's network activity event; `None` unless it was the endpoint's policy that refused.
    pub(super) fn owners_record(&self) -> Option<Record<'_>> {
        let decided = self.trace.decision.as_ref()?;
        if decided.is_allowed() || decided.decided_by.layer() != Layer::Endpoint {
            return None;
        }
        let owner = self.endpoint.as_ref()?.record.account;
        let caller = &self.asked.caller;
        let owned = self.resources.iter().filter(|(account, _)| *account == owner);
        let (vpc, zone) = (self.vpc(), self.zone());
        Some(Record {
            user_identity: UserIdentity {
                kind: "AWSAccount".into(),
                principal_id: caller.principal.unique_id(),
                account_id: Some(caller.account.as_str().into()),
                ..UserIdentity::default()
            },
            error_code: Some("VpceAccessDenied".into()),
            error_message: Some("The request was denied due to a VPC endpoint policy".into()),
            request_parameters: self.parameters.as_deref().filter(|_| caller.account == owner),
            resources: owned.map(|(account, arn)| Resource::key(account.as_str(), &**arn)).collect(),
            event_type: "AwsVpceEvent".into(),
            management_event: false,
            recipient_account_id: Text::from(owner.as_str().to_owned()),
            event_category: "NetworkActivity".into(),
            // Not what the policies looked at: the caller's and the key's tags are their accounts' business.
            kannuki: Kannuki {
                vpc,
                zone,
                source: Some(source_proof(&self.asked.source)),
                decision: Some(decision(decided)),
                ..Kannuki::default()
            },
            ..self.called()
        })
    }
}
