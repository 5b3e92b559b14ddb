//! The audit record: AWS CloudTrail's event for a management call, and our own member beside it.
//! Plain data in CloudTrail's spelling, borrowed from the request that it is about; knows neither the chain nor the
//! file that it ends in.

use std::borrow::Cow;

use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The text of a member.
pub type Text<'a> = Cow<'a, str>;

/// One API call as CloudTrail records it (CloudTrail user guide, "record contents", event version 1.11).
/// What is `None` is left out. No field may hold a secret; the caller sees to that.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Record<'a> {
    /// `1.11` from `Record::new`.
    pub event_version: Text<'a>,
    pub user_identity: UserIdentity<'a>,
    /// ISO 8601 in UTC with whole seconds.
    pub event_time: Text<'a>,
    /// `kms.amazonaws.com` from `Record::new`; `sts.amazonaws.com` for STS.
    pub event_source: Text<'a>,
    /// The operation's name.
    pub event_name: Text<'a>,
    pub aws_region: Text<'a>,
    #[serde(rename = "sourceIPAddress")]
    pub source_ip_address: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_code: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error_message: Option<Text<'a>>,
    /// JSON null when there are none, as CloudTrail writes it.
    pub request_parameters: Option<&'a RawValue>,
    /// JSON null for operations that only read.
    pub response_elements: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub additional_event_data: Option<Value>,
    #[serde(rename = "requestID")]
    pub request_id: Text<'a>,
    #[serde(rename = "eventID")]
    pub event_id: Text<'a>,
    pub read_only: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resources: Vec<Resource<'a>>,
    /// `AwsApiCall` from `Record::new`.
    pub event_type: Text<'a>,
    pub management_event: bool,
    pub recipient_account_id: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_endpoint_id: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc_endpoint_account_id: Option<Text<'a>>,
    /// `Management` from `Record::new`.
    pub event_category: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_details: Option<TlsDetails<'a>>,
    /// What CloudTrail has no member for.
    #[serde(skip_serializing_if = "Kannuki::is_empty")]
    pub kannuki: Kannuki<'a>,
}

impl Record<'_> {
    /// A record with the members that are the same in every KMS call, and a fresh event id.
    pub fn new() -> Self {
        Self {
            event_version: "1.11".into(),
            event_source: "kms.amazonaws.com".into(),
            event_type: "AwsApiCall".into(),
            event_category: "Management".into(),
            management_event: true,
            event_id: uuid::Uuid::new_v4().to_string().into(),
            ..Self::default()
        }
    }
}

/// Who called.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct UserIdentity<'a> {
    /// `IAMUser`, `AssumedRole`, `Root`, `AWSService`, ...
    #[serde(rename = "type")]
    pub kind: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub principal_id: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account_id: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session_context: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invoked_by: Option<Text<'a>>,
}

/// A resource that the call touched.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Resource<'a> {
    pub account_id: Text<'a>,
    /// `AWS::KMS::Key`.
    #[serde(rename = "type")]
    pub kind: Text<'a>,
    #[serde(rename = "ARN")]
    pub arn: Text<'a>,
}

impl<'a> Resource<'a> {
    /// A KMS key of this account.
    pub fn key(account_id: impl Into<Text<'a>>, arn: impl Into<Text<'a>>) -> Self {
        Self { account_id: account_id.into(), kind: "AWS::KMS::Key".into(), arn: arn.into() }
    }
}

/// How the connection was encrypted.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TlsDetails<'a> {
    /// `TLSv1.2` or `TLSv1.3`.
    pub tls_version: Text<'a>,
    pub cipher_suite: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_provided_host_header: Option<Text<'a>>,
    /// The key exchange's group, for example `X25519MLKEM768`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_exchange: Option<Text<'a>>,
}

/// What this service records beyond CloudTrail's members.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Kannuki<'a> {
    /// The endpoint's VPC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vpc: Option<Text<'a>>,
    /// The availability zone of the endpoint's interface.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone: Option<Text<'a>>,
    /// The key materials that were used.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub material_ids: Vec<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub decision: Option<Decision<'a>>,
    /// The condition keys that were looked at, each with its values.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "as_map")]
    pub context: Vec<(Text<'a>, Vec<Text<'a>>)>,
    /// How many calls this record stands for, when it is more than the one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
}

impl Kannuki<'_> {
    fn is_empty(&self) -> bool {
        let Self { vpc, zone, material_ids, decision, context, count } = self;
        vpc.is_none()
            && zone.is_none()
            && material_ids.is_empty()
            && decision.is_none()
            && context.is_empty()
            && count.is_none()
    }
}

/// What decided, and how.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Decision<'a> {
    /// `allow`, `explicitDeny` or `implicitDeny`.
    pub verdict: Text<'a>,
    /// The kind of policy, as `authz::Layer` names it: `vpce`, `resource`, `identity`, `grant`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layer: Option<Text<'a>>,
    /// The policy's name or ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub document: Option<Text<'a>>,
    /// The statement's Sid, or its place counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<Text<'a>>,
    /// The grant that allowed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<Text<'a>>,
}

fn as_map<S: Serializer>(pairs: &[(Text<'_>, Vec<Text<'_>>)], to: S) -> Result<S::Ok, S::Error> {
    to.collect_map(pairs.iter().map(|(name, values)| (name, values)))
}
