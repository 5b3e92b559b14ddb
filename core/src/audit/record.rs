//! The audit record: AWS CloudTrail's event for a management call, and our own member beside it.
//! Plain data in CloudTrail's spelling; knows neither the chain nor the file that it ends in.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

/// One API call as CloudTrail records it (CloudTrail user guide, "record contents", event version 1.11).
/// What is `None` is left out. No field may hold a secret; the caller sees to that.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// `1.11` from `Record::new`.
    pub event_version: String,
    pub user_identity: UserIdentity,
    /// ISO 8601 in UTC with whole seconds.
    pub event_time: String,
    /// `kms.amazonaws.com` from `Record::new`; `sts.amazonaws.com` for STS.
    pub event_source: String,
    /// The operation's name.
    pub event_name: String,
    pub aws_region: String,
    #[serde(rename = "sourceIPAddress")]
    pub source_ip_address: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<String>,
    /// JSON null when there are none, as CloudTrail writes it.
    pub request_parameters: Value,
    /// JSON null for operations that only read.
    pub response_elements: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_event_data: Option<Value>,
    #[serde(rename = "requestID")]
    pub request_id: String,
    #[serde(rename = "eventID")]
    pub event_id: String,
    pub read_only: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource>,
    /// `AwsApiCall` from `Record::new`.
    pub event_type: String,
    pub management_event: bool,
    pub recipient_account_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_endpoint_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_endpoint_account_id: Option<String>,
    /// `Management` from `Record::new`.
    pub event_category: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_details: Option<TlsDetails>,
    /// What CloudTrail has no member for.
    #[serde(skip_serializing_if = "Kannuki::is_empty")]
    pub kannuki: Kannuki,
}

impl Record {
    /// A record with the members that are the same in every KMS call, and a fresh event id.
    pub fn new() -> Self {
        Self {
            event_version: "1.11".to_owned(),
            event_source: "kms.amazonaws.com".to_owned(),
            event_type: "AwsApiCall".to_owned(),
            event_category: "Management".to_owned(),
            management_event: true,
            event_id: uuid::Uuid::new_v4().to_string(),
            ..Self::default()
        }
    }
}

/// Who called.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserIdentity {
    /// `IAMUser`, `AssumedRole`, `Root`, `AWSService`, ...
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_context: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoked_by: Option<String>,
}

/// A resource that the call touched.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource {
    pub account_id: String,
    /// `AWS::KMS::Key`.
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(rename = "ARN")]
    pub arn: String,
}

impl Resource {
    /// A KMS key of this account.
    pub fn key(account_id: impl Into<String>, arn: impl Into<String>) -> Self {
        Self { account_id: account_id.into(), kind: "AWS::KMS::Key".to_owned(), arn: arn.into() }
    }
}

/// How the connection was encrypted.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsDetails {
    /// `TLSv1.2` or `TLSv1.3`.
    pub tls_version: String,
    pub cipher_suite: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_provided_host_header: Option<String>,
    /// The key exchange's group, for example `X25519MLKEM768`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_exchange: Option<String>,
}

/// What this service records beyond CloudTrail's members.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kannuki {
    /// The endpoint's VPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc: Option<String>,
    /// The availability zone of the endpoint's interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// The key materials that were used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub material_ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision>,
    /// The condition keys that were looked at, each with its values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, Vec<String>>,
    /// How many calls this record stands for, when it is more than the one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl Kannuki {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What decided, and how.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// `allow`, `explicitDeny` or `implicitDeny`.
    pub verdict: String,
    /// The kind of policy, as `authz::Layer` names it: `vpce`, `resource`, `identity`, `grant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<String>,
    /// The policy's name or ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<String>,
    /// The statement's Sid, or its place counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<String>,
    /// The grant that allowed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<String>,
}
