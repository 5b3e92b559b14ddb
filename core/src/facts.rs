//! What a live request says under each condition key: the caller, the source, the key, the parameters, the time.
//! Answers on demand and only what AWS documents for the key at hand; decides nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::authz::{FactKey, Facts, Value};
use crate::id::AccountId;
use crate::key::record::KeyRecord;
use crate::model::Field;
use crate::request::{Asked, KeyTarget, Parameters, Source, Target};
use crate::standing::{Standing, pairs};
use crate::view::{Endpoint, Membership, RegionView, Vpc};

/// The facts of one permission on one resource of a request.
pub(crate) struct RequestFacts<'a> {
    pub(crate) asked: &'a Asked,
    pub(crate) view: &'a RegionView,
    /// `None` when the caller has gone since.
    pub(crate) standing: Option<Standing<'a>>,
    pub(crate) target: &'a Target,
    /// `kms:Encrypt`
    pub(crate) action: &'a str,
    pub(crate) input: &'a dyn Parameters,
    /// ReEncrypt's two keys are one.
    pub(crate) same_key: Option<bool>,
}

/// Condition keys whose value is a parameter of the request: key, the actions that have it, member, and the value of an
/// absent member.
/// BypassPolicyLockoutSafetyCheck has no default: the key is absent when the member was not sent (developer guide).
const PARAMETERS: &[(&str, &[&str], &str, Option<&str>)] = &[
    ("kms:bypasspolicylockoutsafetycheck", MAKES_POLICY, "BypassPolicyLockoutSafetyCheck", None),
    ("kms:datakeypairspec", DATA_KEY_PAIR, "KeyPairSpec", None),
    ("kms:granteeprincipal", CREATE_GRANT, "GranteePrincipal", None),
    ("kms:granteeserviceprincipal", CREATE_GRANT, "GranteeServicePrincipal", None),
    ("kms:grantoperations", CREATE_GRANT, "Operations", None),
    ("kms:keyagreementalgorithm", &["kms:DeriveSharedSecret"], "KeyAgreementAlgorithm", None),
    ("kms:macalgorithm", &["kms:GenerateMac", "kms:VerifyMac"], "MacAlgorithm", None),
    ("kms:messagetype", SIGNING, "MessageType", Some("RAW")),
    ("kms:retiringprincipal", CREATE_GRANT, "RetiringPrincipal", None),
    ("kms:retiringserviceprincipal", CREATE_GRANT, "RetiringServicePrincipal", None),
    ("kms:schedulekeydeletionpendingwindowindays", &["kms:ScheduleKeyDeletion"], "PendingWindowInDays", Some("30")),
    ("kms:signingalgorithm", SIGNING, "SigningAlgorithm", None),
];
/// Tags that come with CreateKey are judged as TagResource.
const MAKES_POLICY: &[&str] = &["kms:CreateKey", "kms:TagResource", "kms:PutKeyPolicy"];
const CREATE_GRANT: &[&str] = &["kms:CreateGrant"];
const DATA_KEY_PAIR: &[&str] = &["kms:GenerateDataKeyPair", "kms:GenerateDataKeyPairWithoutPlaintext"];
const SIGNING: &[&str] = &["kms:Sign", "kms:Verify"];

impl Facts for RequestFacts<'_> {
    fn value(&self, key: &FactKey) -> Option<Value<'_>> {
        match key.head() {
            "aws:resourcetag" => self.resource_tag(key.tail()?),
            "aws:requesttag" => self.request_tag(key.tail()?),
            "aws:principaltag" => self.standing?.tag(key.tail()?),
            "kannuki:sourcevpctag" => Value::among(pairs(&self.vpc()?.record.tags), key.tail()?),
            "kannuki:sourcevpcetag" => Value::among(pairs(&self.endpoint()?.record.tags), key.tail()?),
            "kms:encryptioncontext" => Value::among(pairs(self.encryption_context()?), key.tail()?),
            "aws:principalarn" => {
                let arn = self.asked.caller.principal.principal_arn()?;
                Some(owned(self.view.place.own_arns(&arn)))
            }
            name if name.starts_with("kms:") => self.of_kms(name),
            name => {
                let caller = self.asked.caller.principal.fact(key);
                caller
                    .or_else(|| self.of_source(name))
                    .or_else(|| self.of_session(name))
                    .or_else(|| self.of_organizations(name))
                    .or_else(|| self.of_request(name))
            }
        }
    }
}

impl RequestFacts<'_> {
    fn of_kms(&self, name: &str) -> Option<Value<'_>> {
        match name {
            "kms:calleraccount" => self.on_key().then(|| Value::one(self.asked.caller.account.as_str())),
            "kms:encryptioncontextkeys" => {
                // No pairs and no context are the same thing, to the HSM as well.
                let pairs = self.encryption_context().filter(|pairs| !pairs.is_empty())?;
                Some(Value::many(pairs.keys().map(String::as_str)))
            }
            "kms:encryptionalgorithm" => self.encryption_algorithm(),
            "kms:grantconstrainttype" => self.constraint_type(),
            "kms:grantconstraintsourcearn" => {
                self.input.member("Constraints")?.constraints()?.source_arn.as_deref().map(Value::one)
            }
            "kms:grantisforawsresource" => {
                matches!(self.action, "kms:CreateGrant" | "kms:ListGrants" | "kms:RevokeGrant")
                    .then(|| Value::bool(false))
            }
            "kms:trailingdayswithoutkeyusage" => self.days_unused(),
            "kms:reencryptonsamekey" => self.same_key.map(Value::bool),
            _ => self.of_key(name).or_else(|| self.parameter(name)),
        }
    }

    fn parameter(&self, name: &str) -> Option<Value<'_>> {
        let (_, actions, member, default) = PARAMETERS.iter().find(|(key, ..)| *key == name)?;
        if !actions.contains(&self.action) {
            return None;
        }
        match self.input.member(member) {
            Some(field) => shown(field),
            None if self.input.has_member(member) => default.map(Value::one),
            None => None,
        }
    }

    /// The key's own properties; for CreateKey, those that are asked for, with defaults filled in.
    fn of_key(&self, name: &str) -> Option<Value<'_>> {
        if matches!(self.target, Target::Anything) && self.on_key() {
            let (member, default) = match name {
                "kms:keyspec" | "kms:customermasterkeyspec" => ("KeySpec", "SYMMETRIC_DEFAULT"),
                "kms:keyusage" | "kms:customermasterkeyusage" => ("KeyUsage", "ENCRYPT_DECRYPT"),
                "kms:keyorigin" => ("Origin", "AWS_KMS"),
                "kms:multiregion" => ("MultiRegion", "false"),
                "kms:multiregionkeytype" => {
                    let asked_for = matches!(self.input.member("MultiRegion"), Some(Field::Flag(true)));
                    return asked_for.then(|| Value::one("PRIMARY"));
                }
                _ => return None,
            };
            let sent = self
                .input
                .member(member)
                .or_else(|| self.input.member("CustomerMasterKeySpec").filter(|_| member == "KeySpec"));
            return sent.map_or(Some(Value::one(default)), shown);
        }
        let key = self.key()?;
        let record: &KeyRecord = &key.entry.record;
        match name {
            "kms:keyspec" | "kms:customermasterkeyspec" => Some(Value::one(record.spec.as_str())),
            "kms:keyusage" | "kms:customermasterkeyusage" => Some(Value::one(record.usage.as_str())),
            "kms:keyorigin" => Some(Value::one(record.origin.as_str())),
            "kms:multiregion" => Some(Value::bool(record.multi_region)),
            "kms:requestalias" => key.alias.as_ref().map(|alias| Value::one(alias.as_str())),
            "kms:resourcealiases" => Some(Value::many(key.entry.aliases.iter().map(|alias| alias.as_str()))),
            _ => None,
        }
    }

    /// Network facts come from the connection and the registry, never from a header. Behind an endpoint aws:SourceIp is
    /// absent; off one, the VPC keys are (AWS PrivateLink guide).
    fn of_source(&self, name: &str) -> Option<Value<'_>> {
        match (&self.asked.source, name) {
            (Source::Public { address }, "aws:sourceip") => Some(owned(address.to_string())),
            (Source::Endpoint { id, .. }, "aws:sourcevpce") => Some(Value::one(id)),
            (Source::Endpoint { address, .. }, "aws:vpcsourceip") => Some(owned(address.to_string())),
            (Source::Endpoint { .. }, "aws:sourcevpc") => Some(Value::one(&self.endpoint()?.record.vpc)),
            (Source::Endpoint { .. }, "aws:vpceaccount") => Some(Value::one(self.endpoint()?.record.account.as_str())),
            (Source::Endpoint { .. }, "aws:sourcevpcarn") => {
                let (vpc, place) = (self.vpc()?, &self.view.place);
                let (account, id) = (vpc.record.account, &vpc.record.id);
                Some(owned(format!("arn:{}:ec2:{}:{account}:vpc/{id}", place.partition, place.region)))
            }
            _ => None,
        }
    }

    /// What a role's session says of itself; a user's own access key has none of these.
    fn of_session(&self, name: &str) -> Option<Value<'_>> {
        let session = self.asked.caller.session.as_ref()?;
        match name {
            "aws:tokenissuetime" => Some(owned(session.issued_at.iso())),
            "aws:sourceidentity" => session.source_identity.as_deref().map(Value::one),
            "aws:federatedprovider" => session.federated_provider.as_deref().map(Value::one),
            _ => None,
        }
    }

    /// Where the accounts of the caller, the resource and the endpoint stand; absent for accounts in no organization.
    fn of_organizations(&self, name: &str) -> Option<Value<'_>> {
        let of = |account| self.view.membership(account).map(AsRef::as_ref);
        let membership: &Membership = match name {
            "aws:principalorgid" | "aws:principalorgpaths" => of(self.asked.caller.account)?,
            "aws:resourceorgid" | "aws:resourceorgpaths" => of(self.resource_account()?)?,
            "aws:vpceorgid" | "aws:vpceorgpaths" => of(self.endpoint()?.record.account)?,
            _ => return None,
        };
        Some(match name.ends_with("orgid") {
            true => Value::one(&membership.organization),
            false => Value::many([membership.path.as_str()]),
        })
    }

    /// Whether this is about a particular key, or one that is to be made.
    fn on_key(&self) -> bool {
        match self.target {
            Target::Key(_) | Target::Absent { .. } => true,
            Target::Alias(_) => false,
            // Tags that come with CreateKey are tags of the key.
            Target::Anything => matches!(self.action, "kms:CreateKey" | "kms:TagResource"),
        }
    }

    fn of_request(&self, name: &str) -> Option<Value<'_>> {
        let meta = &self.asked.meta;
        match name {
            "aws:currenttime" => Some(owned(meta.received_at.iso())),
            "aws:epochtime" => Some(owned(meta.received_at.seconds().to_string())),
            "aws:securetransport" => Some(Value::bool(meta.tls.is_some())),
            "aws:requestedregion" => Some(Value::one(&self.view.place.region)),
            "aws:referer" => meta.referer.as_deref().map(Value::one),
            "aws:useragent" => meta.user_agent.as_deref().map(Value::one),
            "aws:resourceaccount" => self.resource_account().map(|account| owned(account.to_string())),
            "aws:viaawsservice" => Some(Value::bool(false)),
            "aws:tagkeys" => match self.input.member("Tags") {
                Some(field) => Some(Value::many(field.tags()?.iter().map(|tag| tag.tag_key.as_str()))),
                None => shown(self.input.member("TagKeys")?),
            },
            _ => None,
        }
    }

    fn encryption_algorithm(&self) -> Option<Value<'_>> {
        let member = match self.action {
            "kms:Encrypt" | "kms:Decrypt" => "EncryptionAlgorithm",
            "kms:ReEncryptFrom" => "SourceEncryptionAlgorithm",
            "kms:ReEncryptTo" => "DestinationEncryptionAlgorithm",
            "kms:GenerateDataKey"
            | "kms:GenerateDataKeyWithoutPlaintext"
            | "kms:GenerateDataKeyPair"
            | "kms:GenerateDataKeyPairWithoutPlaintext" => {
                return Some(Value::one("SYMMETRIC_DEFAULT"));
            }
            _ => return None,
        };
        self.input.member(member).map_or(Some(Value::one("SYMMETRIC_DEFAULT")), shown)
    }

    /// The encryption context that this permission is about. CreateGrant's and RetireGrant's is the grant's constraint.
    pub(crate) fn encryption_context(&self) -> Option<&BTreeMap<String, String>> {
        let member = match self.action {
            "kms:ReEncryptFrom" => "SourceEncryptionContext",
            "kms:ReEncryptTo" => "DestinationEncryptionContext",
            "kms:RetireGrant" => {
                let grant = self.key()?.grant.as_ref()?;
                let constraints = grant.record.constraints.as_ref()?;
                return constraints.equals.as_ref().or(constraints.subset.as_ref());
            }
            "kms:CreateGrant" => "Constraints",
            _ => "EncryptionContext",
        };
        match self.input.member(member)? {
            Field::Pairs(pairs) => Some(pairs),
            field => {
                let constraints = field.constraints()?;
                constraints.encryption_context_equals.as_ref().or(constraints.encryption_context_subset.as_ref())
            }
        }
    }

    fn constraint_type(&self) -> Option<Value<'_>> {
        let (equals, subset) = match self.action {
            "kms:RetireGrant" => {
                let constraints = self.key()?.grant.as_ref()?.record.constraints.as_ref()?;
                (constraints.equals.is_some(), constraints.subset.is_some())
            }
            _ => {
                let given = self.input.member("Constraints")?.constraints()?;
                (given.encryption_context_equals.is_some(), given.encryption_context_subset.is_some())
            }
        };
        match (equals, subset) {
            (true, _) => Some(Value::one("EncryptionContextEquals")),
            (_, true) => Some(Value::one("EncryptionContextSubset")),
            _ => None,
        }
    }

    /// Whole days since the key was last used for cryptography, or since it was made if it never was.
    fn days_unused(&self) -> Option<Value<'_>> {
        const DAY_SECONDS: u64 = 24 * 60 * 60;
        if !matches!(self.action, "kms:DisableKey" | "kms:ScheduleKeyDeletion") {
            return None;
        }
        let entry = &self.key()?.entry;
        let since = entry.usage.last_used().unwrap_or(entry.record.created);
        let unused = self.asked.meta.received_at.seconds().saturating_sub(since.seconds());
        Some(owned((unused / DAY_SECONDS).to_string()))
    }

    fn resource_tag(&self, tail: &str) -> Option<Value<'_>> {
        let tags = &self.key()?.entry.record.tags;
        Value::among(tags.iter().map(|tag| (&*tag.key, &*tag.value)), tail)
    }

    fn request_tag(&self, tail: &str) -> Option<Value<'_>> {
        let tags = self.input.member("Tags")?.tags()?;
        Value::among(tags.iter().map(|tag| (tag.tag_key.as_str(), tag.tag_value.as_str())), tail)
    }

    fn resource_account(&self) -> Option<AccountId> {
        match self.target {
            Target::Key(key) => Some(key.entry.record.account),
            Target::Absent { account, .. } => Some(*account),
            Target::Alias(alias) => Some(alias.account),
            Target::Anything => None,
        }
    }

    fn key(&self) -> Option<&KeyTarget> {
        match self.target {
            Target::Key(key) => Some(key),
            _ => None,
        }
    }

    fn endpoint(&self) -> Option<&Endpoint> {
        match &self.asked.source {
            Source::Endpoint { id, .. } => self.view.endpoint(id).map(AsRef::as_ref),
            Source::Public { .. } => None,
        }
    }

    fn vpc(&self) -> Option<&Vpc> {
        self.view.vpc(&self.endpoint()?.record.vpc).map(AsRef::as_ref)
    }
}

fn shown(field: Field<'_>) -> Option<Value<'_>> {
    match field {
        Field::Text(text) => Some(Value::one(text)),
        Field::Integer(number) => Some(owned(number.to_string())),
        Field::Flag(flag) => Some(Value::bool(flag)),
        Field::Texts(texts) if texts.is_empty() => None,
        Field::Texts(texts) => Some(Value::many(texts)),
        _ => None,
    }
}

fn owned(text: String) -> Value<'static> {
    Value::One(Cow::Owned(text))
}
