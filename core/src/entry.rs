//! One request's audit entry: opened once the caller is known, carried with the request, closed on every outcome.
//! An entry that is dropped while open records an internal failure, so that a panic is audited too.

mod owner;

use std::borrow::Cow;
use std::sync::Arc;

use kms_hsm::MaterialId;
use serde_json::value::RawValue;

use crate::audit::{
    self, AuditError, Desk, HandedIn, Kannuki, Record, Resource, SourceProof, Tallied, Tally, Text, TlsDetails,
    UserIdentity,
};
use crate::authz::{Decision, Looked, Principal, Reason, Value, Verdict};
use crate::clock::Timestamp;
use crate::error::KmsError;
use crate::id::{AccountId, Place};
use crate::judge::Trace;
use crate::operation::{Effect, Spec};
use crate::request::{Asked, Proof, Source, Target, Targets};
use crate::view::{Endpoint, RegionView};

/// Callers whose throttled calls are counted apart in one second.
const CALLERS_MAX: usize = 1000;

/// Which service was called, as CloudTrail names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    Kms,
    Sts,
}

/// The record of a request that is under way.
#[derive(Debug)]
pub struct Entry {
    desk: Desk,
    noted: Box<Noted>,
    open: bool,
}

/// What is known of the request so far; the record is made of it at its end.
#[derive(Debug)]
struct Noted {
    asked: Arc<Asked>,
    place: Place,
    service: Service,
    event_name: Cow<'static, str>,
    read_only: bool,
    endpoint: Option<Arc<Endpoint>>,
    parameters: Option<Box<RawValue>>,
    resources: Vec<(AccountId, Arc<str>)>,
    materials: Vec<MaterialId>,
    trace: Trace,
}

/// How a request ended.
enum Ending<'a> {
    /// With the response elements of a write.
    Answered(Option<&'a RawValue>),
    Refused {
        code: &'a str,
        message: &'a str,
    },
}

impl Entry {
    /// Opens the entry of an authenticated request.
    pub fn open(
        desk: Desk,
        view: &RegionView,
        asked: &Arc<Asked>,
        service: Service,
        event_name: impl Into<Cow<'static, str>>,
    ) -> Self {
        let noted = Noted {
            asked: asked.clone(),
            place: view.place.clone(),
            service,
            event_name: event_name.into(),
            read_only: true,
            endpoint: asked.source.endpoint().and_then(|id| view.endpoint(id)).cloned(),
            parameters: None,
            resources: Vec::new(),
            materials: Vec::new(),
            trace: Trace::default(),
        };
        Self { desk, noted: Box::new(noted), open: true }
    }

    /// Notes what was asked for. `parameters` hold no secret (`Request::audit_parameters`).
    pub(crate) fn asked(&mut self, spec: &Spec, parameters: Option<Box<RawValue>>) {
        self.noted.read_only = spec.effect == Effect::Read;
        self.noted.parameters = parameters;
    }

    /// Notes what STS was asked for. `parameters` hold no secret.
    pub fn asked_sts(&mut self, parameters: Box<RawValue>) {
        self.noted.parameters = Some(parameters);
    }

    /// Notes the keys that the request is about.
    pub(crate) fn targets(&mut self, targets: &Targets) {
        self.noted.resources.clear();
        for target in targets.iter() {
            match target {
                Target::Key(key) => self.touched(key.entry.record.account, key.arn.clone()),
                Target::Absent { account, arn } => self.touched(*account, arn.as_str().into()),
                Target::Alias(_) | Target::Anything => {}
            }
        }
    }

    /// Notes a key that the request made or touched.
    pub(crate) fn touched(&mut self, account: AccountId, arn: Arc<str>) {
        if !self.noted.resources.iter().any(|(_, known)| *known == arn) {
            self.noted.resources.push((account, arn));
        }
    }

    /// Notes which materials the HSM used.
    pub(crate) fn used(&mut self, materials: Vec<MaterialId>) {
        self.noted.materials = materials;
    }

    /// Notes what decided, and the context values that it looked at.
    pub(crate) fn decided(&mut self, trace: Trace) {
        self.noted.trace = trace;
    }

    /// Ends the entry without writing it; what it would have said goes to whoever writes it in another way.
    fn withdraw(mut self, error: &KmsError) -> Withdrawn {
        self.open = false;
        Withdrawn { code: error.code().as_str(), message: error.message(), entry: self }
    }

    /// Hands the record in; the answer may leave once it is written. `answered` holds the response elements of a write,
    /// or the error.
    pub fn close(mut self, answered: Result<Option<&RawValue>, &KmsError>) -> Result<HandedIn, AuditError> {
        self.finish(answered)
    }

    /// As `close`, for an error that another service spells.
    pub fn refuse(mut self, code: &str, message: &str) -> Result<HandedIn, AuditError> {
        self.open = false;
        self.desk.hand_in(&self.noted.record(Ending::Refused { code, message }))
    }

    fn finish(&mut self, answered: Result<Option<&RawValue>, &KmsError>) -> Result<HandedIn, AuditError> {
        self.open = false;
        match answered {
            Ok(elements) => self.desk.hand_in(&self.noted.record(Ending::Answered(elements))),
            Err(error) => {
                let message = error.message();
                let record = self.noted.record(Ending::Refused { code: error.code().as_str(), message: &message });
                match self.noted.owners_record() {
                    None => self.desk.hand_in(&record),
                    Some(owners) => self.desk.hand_in_both(&record, &owners),
                }
            }
        }
    }
}

impl Noted {
    fn record<'a>(&'a self, ending: Ending<'a>) -> Record<'a> {
        let mut record = self.called();
        record.recipient_account_id = self.asked.caller.account.as_str().into();
        record.user_identity = identity(&self.asked);
        record.request_parameters = self.parameters.as_deref();
        record.resources =
            self.resources.iter().map(|(account, arn)| Resource::key(account.as_str(), &**arn)).collect();
        record.kannuki = self.beyond_cloudtrail();
        match ending {
            Ending::Answered(elements) => record.response_elements = elements,
            Ending::Refused { code, message } => {
                record.error_code = Some(code.into());
                record.error_message = Some(message).filter(|message| !message.is_empty()).map(Text::from);
            }
        }
        record
    }

    /// What is the same in every record of the call, whoever reads it.
    fn called(&self) -> Record<'_> {
        let meta = &self.asked.meta;
        let mut record = Record::new();
        record.event_source = match self.service {
            Service::Kms => "kms.amazonaws.com".into(),
            Service::Sts => "sts.amazonaws.com".into(),
        };
        record.event_name = (&*self.event_name).into();
        record.event_time = meta.received_at.iso().into();
        record.aws_region = (&*self.place.region).into();
        record.source_ip_address = self.asked.source.address().to_string().into();
        record.user_agent = meta.user_agent.as_deref().map(Text::from);
        record.request_id = (&*meta.request_id).into();
        record.read_only = self.read_only;
        record.tls_details = meta.tls.as_ref().map(|tls| TlsDetails {
            tls_version: tls.version.into(),
            cipher_suite: tls.cipher_suite.as_str().into(),
            client_provided_host_header: meta.host.as_deref().map(Text::from),
            key_exchange: tls.key_exchange.as_deref().map(Text::from),
        });
        record.vpc_endpoint_id = self.asked.source.endpoint().map(Text::from);
        record.vpc_endpoint_account_id = self.endpoint.as_ref().map(|endpoint| endpoint.record.account.as_str().into());
        record
    }

    fn vpc(&self) -> Option<Text<'_>> {
        self.endpoint.as_ref().map(|endpoint| endpoint.record.vpc.as_str().into())
    }

    fn zone(&self) -> Option<Text<'_>> {
        match &self.asked.source {
            Source::Endpoint { proof: Proof::Listener { zone }, .. } => Some((&**zone).into()),
            Source::Endpoint { .. } | Source::Public { .. } => None,
        }
    }

    fn beyond_cloudtrail(&self) -> Kannuki<'_> {
        Kannuki {
            vpc: self.vpc(),
            zone: self.zone(),
            source: Some(source_proof(&self.asked.source)),
            material_ids: self.materials.iter().map(|id| id.to_string().into()).collect(),
            decision: self.trace.decision.as_ref().map(decision),
            context: self.trace.context.iter().map(looked).collect(),
            count: None,
        }
    }
}

/// A public source is proved by the listener, too: no endpoint has this address.
fn source_proof(source: &Source) -> SourceProof<'_> {
    let (proof, by) = match source {
        Source::Public { .. } | Source::Endpoint { proof: Proof::Listener { .. }, .. } => ("listener", None),
        Source::Endpoint { proof: Proof::Proxy { balancer }, .. } => ("proxy", Some(&**balancer)),
        Source::Endpoint { proof: Proof::Attestation { key }, .. } => ("attestation", Some(&**key)),
    };
    SourceProof { proof: proof.into(), by: by.map(Text::from) }
}

fn decision(decision: &Decision) -> audit::Decision<'_> {
    let verdict = match decision.verdict {
        Verdict::Allowed => "allow",
        Verdict::ImplicitDeny => "implicitDeny",
        Verdict::ExplicitDeny => "explicitDeny",
    };
    let (mut document, mut statement, mut grant) = (None, None, None);
    match &decision.decided_by {
        Reason::Statement { document: name, sid, index, .. } => {
            document = Some(&**name).filter(|name| !name.is_empty()).map(Text::from);
            statement = Some(sid.as_deref().map_or_else(|| index.to_string().into(), Text::from));
        }
        Reason::Grant { grant: id, .. } => grant = Some((&**id).into()),
        Reason::Root { .. } | Reason::Silence { .. } => {}
    }
    let layer = Some(decision.decided_by.layer().as_str().into());
    audit::Decision { verdict: verdict.into(), layer, document, statement, grant }
}

fn looked(looked: &Looked) -> (Text<'_>, Vec<Text<'_>>) {
    let values = match &looked.value {
        None => Vec::new(),
        Some(Value::One(text)) => vec![(&**text).into()],
        Some(Value::Many(texts)) => texts.iter().map(|text| (&**text).into()).collect(),
        Some(Value::Ambiguous) => vec!["(ambiguous)".into()],
    };
    ((&*looked.key).into(), values)
}

/// An entry that is to be written later, with how it ended.
#[derive(Debug)]
struct Withdrawn {
    entry: Entry,
    code: &'static str,
    message: String,
}

/// Calls that are too much: one record a second for each caller and error, with their number.
#[derive(Debug)]
pub struct Counted {
    tally: Tally<Withdrawn>,
}

impl Default for Counted {
    fn default() -> Self {
        Self { tally: Tally::new(CALLERS_MAX) }
    }
}

impl Counted {
    /// Counts a call whose entry is open already, in place of recording it.
    pub fn add(&mut self, mut entry: Entry, error: &KmsError) -> Result<(), AuditError> {
        // It is counted even where it does not become the sample, so dropping it must not record it once more.
        entry.open = false;
        let asked = entry.noted.asked.clone();
        self.count(&asked, error, || entry)
    }

    /// Counts a call in place of recording it. Only the first of a caller's second is asked for its entry, as what is too
    /// much must cost little.
    pub fn count(&mut self, asked: &Asked, error: &KmsError, entry: impl FnOnce() -> Entry) -> Result<(), AuditError> {
        let caller = format!("{} {}", error.code().as_str(), asked.caller.arn);
        match self.tally.add(&caller, asked.meta.received_at, || entry().withdraw(error)) {
            Some(tallied) => write(&tallied),
            None => Ok(()),
        }
    }

    /// Records every second that is over.
    pub fn flush(&mut self, now: Timestamp) -> Result<(), AuditError> {
        self.tally.flush(now).iter().try_for_each(write)
    }
}

fn write(tallied: &Tallied<Withdrawn>) -> Result<(), AuditError> {
    let Withdrawn { entry, code, message } = &tallied.sample;
    let mut record = entry.noted.record(Ending::Refused { code, message });
    record.kannuki.count = Some(tallied.count);
    entry.desk.hand_in(&record).map(drop)
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.flush(Timestamp(u64::MAX)).is_err() {
            tracing::error!("throttled calls could not be recorded");
        }
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        if self.open {
            let error = KmsError::internal("the request ended without an answer");
            if self.finish(Err(&error)).is_err() {
                tracing::error!(request = %self.noted.asked.meta.request_id, "an abandoned request could not be recorded");
            }
        }
    }
}

fn identity(asked: &Asked) -> UserIdentity<'_> {
    let caller = &asked.caller;
    let (kind, user_name) = match &*caller.principal {
        Principal::Root { .. } => ("Root", None),
        Principal::User { path_and_name, .. } => ("IAMUser", path_and_name.rsplit('/').next()),
        Principal::AssumedRole { .. } => ("AssumedRole", None),
        Principal::FederatedUser { .. } => ("FederatedUser", None),
        Principal::WebIdentity { subject, .. } => ("WebIdentityUser", Some(subject.as_str())),
        Principal::Service { .. } => ("AWSService", None),
    };
    UserIdentity {
        kind: kind.into(),
        principal_id: caller.principal.unique_id(),
        arn: Some((&*caller.arn).into()),
        account_id: Some(caller.account.as_str().into()),
        // A web identity has none.
        access_key_id: Some(&*caller.access_key).filter(|id| !id.is_empty()).map(Text::from),
        user_name: user_name.map(Text::from),
        ..UserIdentity::default()
    }
}
