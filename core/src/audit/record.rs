//! The audit record: AWS CloudTrail's event for a management call, and our own member beside it.
//! Plain data in CloudTrail's spelling, borrowed from the request that it is about; knows neither the chain nor the
//! file that it ends in.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::json::Write as _;

/// The text of a member.
pub type Text<'a> = Cow<'a, str>;

/// One API call as CloudTrail records it (CloudTrail user guide, "record contents", event version 1.11).
/// What is `None` is left out. No field may hold a secret; the caller sees to that.
#[derive(Clone, Debug, Default)]
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
    pub source_ip_address: Text<'a>,
    pub user_agent: Option<Text<'a>>,
    pub error_code: Option<Text<'a>>,
    pub error_message: Option<Text<'a>>,
    /// JSON null when there are none, as CloudTrail writes it.
    pub request_parameters: Option<&'a RawValue>,
    /// JSON null for operations that only read.
    pub response_elements: Option<&'a RawValue>,
    pub request_id: Text<'a>,
    pub event_id: Text<'a>,
    pub read_only: bool,
    pub resources: Vec<Resource<'a>>,
    /// `AwsApiCall` from `Record::new`.
    pub event_type: Text<'a>,
    pub management_event: bool,
    pub recipient_account_id: Text<'a>,
    pub vpc_endpoint_id: Option<Text<'a>>,
    pub vpc_endpoint_account_id: Option<Text<'a>>,
    /// `Management` from `Record::new`.
    pub event_category: Text<'a>,
    pub tls_details: Option<TlsDetails<'a>>,
    /// What CloudTrail has no member for.
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
#[derive(Clone, Debug, Default)]
pub struct UserIdentity<'a> {
    /// `IAMUser`, `AssumedRole`, `Root`, `AWSService`, ...
    pub kind: Text<'a>,
    pub principal_id: Option<Text<'a>>,
    pub arn: Option<Text<'a>>,
    pub account_id: Option<Text<'a>>,
    pub access_key_id: Option<Text<'a>>,
    pub user_name: Option<Text<'a>>,
    pub invoked_by: Option<Text<'a>>,
}

/// A resource that the call touched.
#[derive(Clone, Debug, Default)]
pub struct Resource<'a> {
    pub account_id: Text<'a>,
    /// `AWS::KMS::Key`.
    pub kind: Text<'a>,
    pub arn: Text<'a>,
}

impl<'a> Resource<'a> {
    /// A KMS key of this account.
    pub fn key(account_id: impl Into<Text<'a>>, arn: impl Into<Text<'a>>) -> Self {
        Self { account_id: account_id.into(), kind: "AWS::KMS::Key".into(), arn: arn.into() }
    }
}

/// How the connection was encrypted.
#[derive(Clone, Debug, Default)]
pub struct TlsDetails<'a> {
    /// `TLSv1.2` or `TLSv1.3`.
    pub tls_version: Text<'a>,
    pub cipher_suite: Text<'a>,
    pub client_provided_host_header: Option<Text<'a>>,
    /// The key exchange's group, for example `X25519MLKEM768`.
    pub key_exchange: Option<Text<'a>>,
}

/// What this service records beyond CloudTrail's members.
#[derive(Clone, Debug, Default)]
pub struct Kannuki<'a> {
    /// The endpoint's VPC.
    pub vpc: Option<Text<'a>>,
    /// The availability zone of the endpoint's interface.
    pub zone: Option<Text<'a>>,
    /// How it is known where the call came from.
    pub source: Option<SourceProof<'a>>,
    /// The key materials that were used.
    pub material_ids: Vec<Text<'a>>,
    pub decision: Option<Decision<'a>>,
    /// The condition keys that were looked at, each with its values.
    pub context: Vec<(Text<'a>, Vec<Text<'a>>)>,
    /// How many calls this record stands for, when it is more than the one.
    pub count: Option<u64>,
}

/// What proved the source of a call.
#[derive(Clone, Debug, Default)]
pub struct SourceProof<'a> {
    /// `listener`, `proxy` or `attestation`.
    pub proof: Text<'a>,
    /// The balancer's or the attestation key's name.
    pub by: Option<Text<'a>>,
}

/// What decided, and how.
#[derive(Clone, Debug, Default)]
pub struct Decision<'a> {
    /// `allow`, `explicitDeny` or `implicitDeny`.
    pub verdict: Text<'a>,
    /// The kind of policy, as `authz::Layer` names it: `vpce`, `resource`, `identity`, `grant`.
    pub layer: Option<Text<'a>>,
    /// The policy's name or ARN.
    pub document: Option<Text<'a>>,
    /// The statement's Sid, or its place counted from 0.
    pub statement: Option<Text<'a>>,
    /// The grant that allowed it.
    pub grant: Option<Text<'a>>,
}

impl Record<'_> {
    /// The record as one JSON object. Members without a value are left out, but for parameters and elements.
    pub(super) fn write(&self, to: &mut Vec<u8>) {
        to.object(|event| {
            event.text("eventVersion", &self.event_version);
            event.member("userIdentity", |to| self.user_identity.write(to));
            event.text("eventTime", &self.event_time);
            event.text("eventSource", &self.event_source);
            event.text("eventName", &self.event_name);
            event.text("awsRegion", &self.aws_region);
            event.text("sourceIPAddress", &self.source_ip_address);
            event.optional_text("userAgent", self.user_agent.as_ref());
            event.optional_text("errorCode", self.error_code.as_ref());
            event.optional_text("errorMessage", self.error_message.as_ref());
            event.json("requestParameters", self.request_parameters.map_or("null", RawValue::get));
            event.json("responseElements", self.response_elements.map_or("null", RawValue::get));
            event.text("requestID", &self.request_id);
            event.text("eventID", &self.event_id);
            event.json("readOnly", if self.read_only { "true" } else { "false" });
            if !self.resources.is_empty() {
                event.member("resources", |to| to.list(&self.resources, |resource, to| resource.write(to)));
            }
            event.text("eventType", &self.event_type);
            event.json("managementEvent", if self.management_event { "true" } else { "false" });
            event.text("recipientAccountId", &self.recipient_account_id);
            event.optional_text("vpcEndpointId", self.vpc_endpoint_id.as_ref());
            event.optional_text("vpcEndpointAccountId", self.vpc_endpoint_account_id.as_ref());
            event.text("eventCategory", &self.event_category);
            if let Some(tls) = &self.tls_details {
                event.member("tlsDetails", |to| tls.write(to));
            }
            if !self.kannuki.is_empty() {
                event.member("kannuki", |to| self.kannuki.write(to));
            }
        });
    }
}

impl UserIdentity<'_> {
    fn write(&self, to: &mut Vec<u8>) {
        to.object(|identity| {
            identity.text("type", &self.kind);
            identity.optional_text("principalId", self.principal_id.as_ref());
            identity.optional_text("arn", self.arn.as_ref());
            identity.optional_text("accountId", self.account_id.as_ref());
            identity.optional_text("accessKeyId", self.access_key_id.as_ref());
            identity.optional_text("userName", self.user_name.as_ref());
            identity.optional_text("invokedBy", self.invoked_by.as_ref());
        });
    }
}

impl Resource<'_> {
    fn write(&self, to: &mut Vec<u8>) {
        to.object(|resource| {
            resource.text("accountId", &self.account_id);
            resource.text("type", &self.kind);
            resource.text("ARN", &self.arn);
        });
    }
}

impl TlsDetails<'_> {
    fn write(&self, to: &mut Vec<u8>) {
        to.object(|tls| {
            tls.text("tlsVersion", &self.tls_version);
            tls.text("cipherSuite", &self.cipher_suite);
            tls.optional_text("clientProvidedHostHeader", self.client_provided_host_header.as_ref());
            tls.optional_text("keyExchange", self.key_exchange.as_ref());
        });
    }
}

impl Kannuki<'_> {
    fn is_empty(&self) -> bool {
        let Self { vpc, zone, source, material_ids, decision, context, count } = self;
        vpc.is_none()
            && zone.is_none()
            && source.is_none()
            && material_ids.is_empty()
            && decision.is_none()
            && context.is_empty()
            && count.is_none()
    }

    fn write(&self, to: &mut Vec<u8>) {
        to.object(|ours| {
            ours.optional_text("vpc", self.vpc.as_ref());
            ours.optional_text("zone", self.zone.as_ref());
            if let Some(source) = &self.source {
                ours.member("source", |to| source.write(to));
            }
            if !self.material_ids.is_empty() {
                ours.member("materialIds", |to| to.list(&self.material_ids, |id, to| to.text(id)));
            }
            if let Some(decision) = &self.decision {
                ours.member("decision", |to| decision.write(to));
            }
            if !self.context.is_empty() {
                ours.member("context", |to| {
                    to.object(|context| {
                        for (key, values) in &self.context {
                            context.named(key, |to| to.list(values, |value, to| to.text(value)));
                        }
                    });
                });
            }
            if let Some(count) = self.count {
                ours.json("count", itoa::Buffer::new().format(count));
            }
        });
    }
}

impl SourceProof<'_> {
    fn write(&self, to: &mut Vec<u8>) {
        to.object(|source| {
            source.text("proof", &self.proof);
            source.optional_text("by", self.by.as_ref());
        });
    }
}

impl Decision<'_> {
    fn write(&self, to: &mut Vec<u8>) {
        to.object(|decision| {
            decision.text("verdict", &self.verdict);
            decision.optional_text("layer", self.layer.as_ref());
            decision.optional_text("document", self.document.as_ref());
            decision.optional_text("statement", self.statement.as_ref());
            decision.optional_text("grant", self.grant.as_ref());
        });
    }
}
