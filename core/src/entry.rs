//! One request's audit entry: opened once the caller is known, carried with the request, closed on every outcome.
//! An entry that is dropped while open records an internal failure, so that a panic is audited too.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::audit::{AuditError, AuditWriter, Position, Record, Resource, Tallied, Tally, TlsDetails, UserIdentity};
use crate::authz::Principal;
use crate::clock::Timestamp;
use crate::error::KmsError;
use crate::judge::Trace;
use crate::operation::{Effect, Spec};
use crate::request::{Asked, Source, Target, Targets};
use crate::view::RegionView;

/// Callers whose throttled calls are counted apart in one second.
const CALLERS_MAX: usize = 1000;

/// The audit log as one worker writes it.
pub type Desk = Arc<Mutex<AuditWriter>>;

/// The record of a request that is under way.
#[derive(Debug)]
pub struct Entry {
    record: Box<Record>,
    desk: Desk,
    received_at: Timestamp,
    open: bool,
}

impl Entry {
    /// Opens the entry of an authenticated request. `service` is `kms` or `sts`.
    pub fn open(desk: Desk, view: &RegionView, asked: &Asked, service: &str, event_name: &str) -> Self {
        let mut record = Record::new();
        record.event_source = format!("{service}.amazonaws.com");
        record.event_name = event_name.to_owned();
        record.event_time = asked.meta.received_at.iso();
        record.aws_region = view.place.region.to_string();
        record.source_ip_address = asked.source.address().to_string();
        record.user_agent = asked.meta.user_agent.as_deref().map(str::to_owned);
        record.request_id = asked.meta.request_id.to_string();
        record.read_only = true;
        record.recipient_account_id = asked.caller.account.to_string();
        record.user_identity = identity(asked);
        record.tls_details = asked.meta.tls_version.map(|version| TlsDetails {
            tls_version: version.to_owned(),
            cipher_suite: asked.meta.cipher_suite.clone().unwrap_or_default(),
            client_provided_host_header: asked.meta.host.as_deref().map(str::to_owned),
            key_exchange: asked.meta.key_exchange.clone(),
        });
        if let Source::Endpoint { id, zone, .. } = &asked.source {
            record.vpc_endpoint_id = Some(id.to_string());
            record.kannuki.zone = Some(zone.to_string());
            if let Some(endpoint) = view.endpoint(id) {
                record.vpc_endpoint_account_id = Some(endpoint.record.account.to_string());
                record.kannuki.vpc = Some(endpoint.record.vpc.clone());
            }
        }
        Self { record: Box::new(record), desk, received_at: asked.meta.received_at, open: true }
    }

    /// Notes what was asked for. `parameters` hold no secret (`Request::audit_parameters`).
    pub(crate) fn asked(&mut self, spec: &Spec, parameters: Value) {
        self.record.read_only = spec.effect == Effect::Read;
        self.record.request_parameters = parameters;
    }

    /// Notes the keys that the request is about.
    pub(crate) fn targets(&mut self, targets: &Targets) {
        self.record.resources.clear();
        for target in targets.iter() {
            let (account, arn) = match target {
                Target::Key(key) => (key.entry.record.account.to_string(), key.arn.to_string()),
                Target::Absent { account, arn } => (account.to_string(), arn.clone()),
                Target::Alias(_) | Target::Anything => continue,
            };
            self.touched(&account, &arn);
        }
    }

    /// Notes a key that the request made or touched.
    pub(crate) fn touched(&mut self, account: &str, arn: &str) {
        if !self.record.resources.iter().any(|resource| resource.arn == arn) {
            self.record.resources.push(Resource::key(account, arn));
        }
    }

    /// Notes which materials the HSM used.
    pub(crate) fn used(&mut self, material_ids: Vec<String>) {
        self.record.kannuki.material_ids = material_ids;
    }

    /// Notes what decided, and the context values that it looked at.
    pub(crate) fn decided(&mut self, trace: &Trace) {
        self.record.kannuki.decision = trace.decision.clone();
        self.record.kannuki.context = trace.context.clone();
    }

    /// Ends the entry without writing it; what it would have said goes to whoever writes it in another way.
    fn withdraw(mut self, error: &KmsError) -> Record {
        self.fill(Err(error));
        self.open = false;
        std::mem::take(&mut *self.record)
    }

    /// Writes the record. `answered` holds the response elements of a write, or the error.
    pub fn close(mut self, answered: Result<Value, &KmsError>) -> Result<Position, AuditError> {
        self.finish(answered)
    }

    /// As `close`, for an error that another service spells.
    pub fn refuse(mut self, code: &str, message: &str) -> Result<Position, AuditError> {
        self.open = false;
        self.record.error_code = Some(code.to_owned());
        self.record.error_message = Some(message.to_owned()).filter(|message| !message.is_empty());
        append(&self.desk, &self.record)
    }

    fn fill(&mut self, answered: Result<Value, &KmsError>) {
        match answered {
            Ok(elements) => self.record.response_elements = elements,
            Err(error) => {
                self.record.error_code = Some(error.code().as_str().to_owned());
                let message = error.message();
                self.record.error_message = (!message.is_empty()).then_some(message);
            }
        }
    }

    fn finish(&mut self, answered: Result<Value, &KmsError>) -> Result<Position, AuditError> {
        self.open = false;
        self.fill(answered);
        append(&self.desk, &self.record)
    }
}

fn append(desk: &Desk, record: &Record) -> Result<Position, AuditError> {
    // A panic while the lock was held can only have been between two appends: the writer itself is sound.
    let mut writer = desk.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    writer.append(record)
}

/// Calls that are too much: one record a second for each caller and error, with their number.
#[derive(Debug)]
pub struct Counted {
    tally: Tally<Record>,
    desk: Desk,
}

impl Counted {
    pub fn new(desk: Desk) -> Self {
        Self { tally: Tally::new(CALLERS_MAX), desk }
    }

    /// Counts a call in place of recording it.
    pub fn add(&mut self, entry: Entry, error: &KmsError) -> Result<(), AuditError> {
        let now = entry.received_at;
        let arn = entry.record.user_identity.arn.as_deref().unwrap_or_default();
        let caller = format!("{} {arn}", error.code().as_str());
        let record = entry.withdraw(error);
        match self.tally.add(&caller, now, || record) {
            Some(tallied) => self.write(tallied),
            None => Ok(()),
        }
    }

    /// Records every second that is over.
    pub fn flush(&mut self, now: Timestamp) -> Result<(), AuditError> {
        let over = self.tally.flush(now);
        over.into_iter().try_for_each(|tallied| self.write(tallied))
    }

    fn write(&self, tallied: Tallied<Record>) -> Result<(), AuditError> {
        let mut record = tallied.sample;
        record.kannuki.count = Some(tallied.count);
        append(&self.desk, &record).map(drop)
    }
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
                tracing::error!(request = %self.record.request_id, "an abandoned request could not be recorded");
            }
        }
    }
}

fn identity(asked: &Asked) -> UserIdentity {
    let caller = &asked.caller;
    let (kind, user_name) = match &caller.principal {
        Principal::Root { .. } => ("Root", None),
        Principal::User { path_and_name, .. } => ("IAMUser", path_and_name.rsplit('/').next()),
        Principal::AssumedRole { .. } => ("AssumedRole", None),
        Principal::FederatedUser { .. } => ("FederatedUser", None),
        Principal::Service { .. } => ("AWSService", None),
    };
    UserIdentity {
        kind: kind.to_owned(),
        principal_id: caller.principal.unique_id(),
        arn: Some(caller.arn.to_string()),
        account_id: Some(caller.account.to_string()),
        access_key_id: Some(caller.access_key.to_string()),
        user_name: user_name.map(str::to_owned),
        ..UserIdentity::default()
    }
}
