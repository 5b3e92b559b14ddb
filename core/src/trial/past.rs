//! A request out of the audit log: who asked what of which key, and what is still known of its condition keys.
//! Knows the shape of a record and what follows from it; a key that neither holds nor implies is unknown, not absent.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::lint;
use crate::authz::{FactKey, Facts, Layer, Principal, PrincipalName, Value, Verdict};
use crate::clock::Timestamp;
use crate::operation::{self, On, Spec};

/// A record, as far as a decision can be made again from it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Record {
    event_time: String,
    #[serde(default)]
    event_source: String,
    #[serde(default)]
    event_type: String,
    #[serde(default)]
    event_name: String,
    #[serde(default)]
    aws_region: String,
    #[serde(default, rename = "sourceIPAddress")]
    source_ip_address: String,
    #[serde(default)]
    user_agent: Option<String>,
    #[serde(default)]
    user_identity: UserIdentity,
    #[serde(default)]
    request_parameters: Option<RequestParameters>,
    #[serde(default, rename = "requestID")]
    request_id: String,
    #[serde(default)]
    resources: Vec<Resource>,
    #[serde(default)]
    vpc_endpoint_id: Option<String>,
    #[serde(default)]
    vpc_endpoint_account_id: Option<String>,
    #[serde(default)]
    tls_details: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    kannuki: Kannuki,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UserIdentity {
    #[serde(default)]
    principal_id: Option<String>,
    #[serde(default)]
    arn: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct RequestParameters {
    #[serde(default)]
    encryption_context: Option<BTreeMap<String, String>>,
    #[serde(default)]
    tags: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Resource {
    #[serde(rename = "ARN")]
    arn: String,
}

#[derive(Debug, Default, Deserialize)]
struct Kannuki {
    #[serde(default)]
    vpc: Option<String>,
    #[serde(default)]
    decision: Option<Decided>,
    #[serde(default)]
    context: BTreeMap<String, Vec<String>>,
}

#[derive(Debug, Deserialize)]
struct Decided {
    verdict: String,
    #[serde(default)]
    layer: Option<String>,
}

/// One permission that was decided on.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) request_id: String,
    pub(super) time: String,
    pub(super) principal: Principal,
    /// `kms:Encrypt`
    pub(super) action: String,
    /// A key's ARN, or `*`.
    pub(super) resource: String,
    pub(super) across_accounts: bool,
    pub(super) endpoint: Option<String>,
    pub(super) verdict: Verdict,
    pub(super) layer: Layer,
    /// The operation needs several permissions, of which the record tells one decision.
    pub(super) one_of_many: bool,
    record: Record,
    /// By the key's lower-case name.
    context: BTreeMap<String, Vec<String>>,
}

impl Past {
    /// `None` for a line that records no decision: notes of the log, other services, requests that were not well formed.
    ///
    /// # Errors
    /// When the line is no record at all.
    pub(super) fn read(line: &str) -> Result<Option<Self>, String> {
        let record: Record = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let of_kms = record.event_source == "kms.amazonaws.com" && record.event_type == "AwsApiCall";
        let spec = operation::find(&record.event_name).filter(|_| of_kms);
        Ok(spec.and_then(|spec| Self::of(record, spec)))
    }

    fn of(record: Record, spec: &Spec) -> Option<Self> {
        let decided = record.kannuki.decision.as_ref()?;
        let verdict = match decided.verdict.as_str() {
            "allow" => Verdict::Allowed,
            "implicitDeny" => Verdict::ImplicitDeny,
            "explicitDeny" => Verdict::ExplicitDeny,
            _ => return None,
        };
        let layer = Layer::ALL.into_iter().find(|layer| Some(layer.as_str()) == decided.layer.as_deref())?;
        let check = spec.checks.first()?;
        let resource = match check.on {
            On::Nothing => "*".to_owned(),
            _ => record.resources.first()?.arn.clone(),
        };
        let arn = record.user_identity.arn.as_deref()?;
        let partition = arn.split(':').nth(1)?;
        let principal = Principal::parse_arn(arn, partition)?;
        let tagged = record.request_parameters.as_ref().is_some_and(|parameters| parameters.tags.is_some());
        let context: BTreeMap<_, _> =
            record.kannuki.context.iter().map(|(name, values)| (name.to_lowercase(), values.clone())).collect();
        Some(Self {
            request_id: record.request_id.clone(),
            time: record.event_time.clone(),
            principal: known(principal, &record, &context),
            action: check.action.to_owned(),
            resource,
            across_accounts: check.reach == operation::Reach::AnyAccount,
            endpoint: record.vpc_endpoint_id.clone(),
            verdict,
            layer,
            one_of_many: spec.checks.len() > 1 || (record.event_name == "CreateKey" && tagged),
            record,
            context,
        })
    }

    /// The account of the key; `None` where there is no resource.
    pub(super) fn owner(&self) -> Option<&str> {
        self.resource.split(':').nth(4)
    }

    /// What follows `key/` in the resource's ARN.
    pub(super) fn key_id(&self) -> Option<&str> {
        self.resource.rsplit_once(":key/").map(|(_, id)| id)
    }

    /// The facts, each known or not.
    pub(super) fn facts(&self) -> Remembered<'_> {
        Remembered { past: self, unknown: RefCell::default() }
    }

    /// What the record implies of a key that it does not hold; the outer `None` for what it does not imply.
    fn implied(&self, key: &FactKey) -> Option<Option<Value<'_>>> {
        let record = &self.record;
        let behind = record.vpc_endpoint_id.is_some();
        let text = |text: &'_ Option<String>| text.clone().map(|text| Value::One(text.into()));
        let of_key = self.key_id().is_some();
        Some(match key.name() {
            "aws:sourcevpce" => text(&record.vpc_endpoint_id),
            "aws:sourcevpc" => text(&record.kannuki.vpc),
            "aws:vpceaccount" => text(&record.vpc_endpoint_account_id),
            "aws:vpcsourceip" => behind.then(|| Value::one(&record.source_ip_address)),
            "aws:sourceip" => (!behind).then(|| Value::one(&record.source_ip_address)),
            "aws:currenttime" => Some(Value::one(&record.event_time)),
            "aws:epochtime" => {
                let seconds = Timestamp::from_iso(&record.event_time)?.seconds();
                Some(Value::One(seconds.to_string().into()))
            }
            "aws:requestedregion" => Some(Value::one(&record.aws_region)),
            "aws:securetransport" => Some(Value::bool(record.tls_details.is_some())),
            "aws:useragent" => text(&record.user_agent),
            // No live request is made by a service (policies of those are tried with `decide` and `test`).
            "aws:viaawsservice" => Some(Value::bool(false)),
            "aws:calledvia" | "aws:calledviafirst" | "aws:calledvialast" | "kms:viaservice" => None,
            "aws:resourceaccount" => self.owner().map(Value::one),
            "aws:userid" => text(&record.user_identity.principal_id),
            "aws:principalarn" if matches!(self.principal, Principal::AssumedRole { role_id: None, .. }) => {
                return None;
            }
            "kms:calleraccount" if !of_key => return None,
            name if name.starts_with("kms:encryptioncontext") => return self.encryption_context(key),
            "aws:principalarn"
            | "aws:principalaccount"
            | "aws:principaltype"
            | "aws:username"
            | "aws:principalisawsservice"
            | "aws:principalservicename"
            | "aws:principalservicenameslist"
            | "kms:calleraccount" => self.principal.fact(key),
            _ => return None,
        })
    }

    fn encryption_context(&self, key: &FactKey) -> Option<Option<Value<'_>>> {
        let told = matches!(
            self.action.as_str(),
            "kms:Encrypt" | "kms:Decrypt" | "kms:GenerateDataKey" | "kms:GenerateDataKeyWithoutPlaintext"
        );
        let parameters = self.record.request_parameters.as_ref().filter(|_| told)?;
        let Some(pairs) = &parameters.encryption_context else { return Some(None) };
        Some(match key.tail() {
            Some(tail) => Value::among(pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())), tail),
            None if pairs.is_empty() => None,
            None => Some(Value::many(pairs.keys().map(String::as_str))),
        })
    }
}

/// The caller with the unique id, and the role's path, where the record tells them.
fn known(principal: Principal, record: &Record, context: &BTreeMap<String, Vec<String>>) -> Principal {
    let id = record.user_identity.principal_id.as_deref();
    let id = id.map(|id| id.split(':').next().unwrap_or(id).to_owned());
    let arn = context.get("aws:principalarn").and_then(|values| values.first());
    match (principal, arn.map(|arn| PrincipalName::from_arn(arn))) {
        (Principal::User { account, path_and_name, .. }, _) => Principal::User { account, path_and_name, id },
        (Principal::AssumedRole { account, session, .. }, Some(Some(PrincipalName::Role { path_and_name, .. }))) => {
            Principal::AssumedRole { account, role_path_and_name: path_and_name, role_id: id, session }
        }
        (principal, _) => principal,
    }
}

/// Answers from the record, and remembers which keys it could not answer for.
pub(super) struct Remembered<'p> {
    past: &'p Past,
    unknown: RefCell<BTreeSet<String>>,
}

impl Remembered<'_> {
    /// The keys that were asked for and are not known.
    pub(super) fn unknown(self) -> BTreeSet<String> {
        self.unknown.into_inner()
    }
}

impl Facts for Remembered<'_> {
    fn value(&self, key: &FactKey) -> Option<Value<'_>> {
        // What several permissions looked at is recorded once, with the last one's values.
        let recorded = self.past.context.get(key.name()).filter(|_| !self.past.one_of_many);
        if let Some(values) = recorded {
            return match values.as_slice() {
                [] => None,
                [one] if one == "(ambiguous)" => Some(Value::Ambiguous),
                [one] if !lint::is_multivalued(key.name()) => Some(Value::one(one)),
                many => Some(Value::many(many.iter().map(String::as_str))),
            };
        }
        self.past.implied(key).unwrap_or_else(|| {
            self.unknown.borrow_mut().insert(key.written().to_owned());
            None
        })
    }
}
