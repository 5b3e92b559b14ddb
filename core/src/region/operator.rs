//! What the operator does to the region past the API, and its record in the audit log.
//! Knows the record's shape; that the operator is who the record says, the gateway has made sure of.

use serde_json::json;
use serde_json::value::to_raw_value;

use super::Region;
use crate::audit::{Desk, Record, Resource, Text, UserIdentity};
use crate::error::KmsError;
use crate::id::AccountId;

/// No service of AWS's has this name, so that nobody takes these records for calls of its API.
const EVENT_SOURCE: &str = "admin.kannuki";
/// Neither a call of the API nor a note of the log's own.
const EVENT_TYPE: &str = "KannukiAdminAction";
/// There is no address.
const SOURCE: &str = "admin socket";

/// Who acts: a process of this machine, as the kernel knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    pub uid: u32,
    pub gid: u32,
    /// `None` where the kernel does not say.
    pub pid: Option<i32>,
    /// By the machine's own list of users.
    pub user_name: Option<String>,
}

/// What was done. Nothing in it is secret.
#[derive(Clone, Debug)]
pub struct Act {
    /// `ApplyManifest`, `RecoverKeyPolicy`.
    pub name: &'static str,
    pub parameters: serde_json::Value,
    /// The key, with its account.
    pub key: Option<(AccountId, String)>,
    /// Why it was not done.
    pub error: Option<(&'static str, String)>,
}

impl Region {
    /// Records an act, and answers once the record is on disk.
    pub async fn record(&self, desk: &Desk, operator: &Operator, act: &Act) -> Result<(), KmsError> {
        let mut parameters = json!({ "uid": operator.uid, "gid": operator.gid, "pid": operator.pid });
        if let (Some(all), Some(more)) = (parameters.as_object_mut(), act.parameters.as_object()) {
            all.extend(more.clone());
        }
        let parameters = to_raw_value(&parameters).map_err(|error| KmsError::internal(error.to_string()))?;
        let mut record = Record::new();
        record.event_source = EVENT_SOURCE.into();
        record.event_type = EVENT_TYPE.into();
        record.event_name = act.name.into();
        record.event_time = self.clock().now().iso().into();
        record.aws_region = (&*self.place().region).into();
        record.source_ip_address = SOURCE.into();
        record.request_id = uuid::Uuid::new_v4().to_string().into();
        record.user_identity = UserIdentity {
            kind: "OperatingSystemUser".into(),
            principal_id: Some(format!("uid:{}", operator.uid).into()),
            user_name: operator.user_name.as_deref().map(Text::from),
            ..UserIdentity::default()
        };
        record.request_parameters = Some(&parameters);
        if let Some((account, arn)) = &act.key {
            record.recipient_account_id = account.as_str().into();
            record.resources = vec![Resource::key(account.as_str(), arn.as_str())];
        }
        if let Some((code, message)) = &act.error {
            record.error_code = Some((*code).into());
            record.error_message = Some(message.as_str().into());
        }
        let handed_in = desk.hand_in(&record).map_err(KmsError::internal)?;
        let position = handed_in.written().await.map_err(KmsError::internal)?;
        self.synced(position).await
    }
}
