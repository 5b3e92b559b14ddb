//! The gateway actor: one per HTTP worker. Who is calling, from where, is it too much, and whose is the request now.
//! Turns requests away before any key manager hears of them; knows no key record and no policy's meaning.

mod admission;
mod authenticate;
mod record;
mod session;
mod source;
mod sts;
mod web_identity;

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor, Addr, AsyncContext as _, Context, Handler, Message, ResponseFuture};
use futures_util::FutureExt as _;
use futures_util::future::{LocalBoxFuture, ready};
use kms_core::audit::{AuditError, Desk, HandedIn, Position};
use kms_core::entry::{Counted, Entry, Service as Called};
use kms_core::error::KmsError;
use kms_core::key_manager::{Answered, KeyManager, MAILBOX_MAX, Reply};
use kms_core::operation::{self, Effect, Spec};
use kms_core::region::Region;
use kms_core::request::{Asked, Meta, Prepared, Turned};

pub use self::admission::Admission;
use self::admission::Permit;
use self::authenticate::DayKeys;
use self::session::Sessions;
use self::web_identity::KeySets;
use crate::access_log::AccessLog;
use crate::attestation::{Attestations, Unproved};
use crate::authn::AuthnError;
use crate::issuers::Issuers;
use crate::metrics::Metrics;
use crate::serve::{Answer, Arrived, Service};
use crate::wire::{self, Protocol, Route};

/// What all gateway actors of a process share.
#[derive(Clone, Debug)]
pub struct Shared {
    pub region: Arc<Region>,
    pub admission: Arc<Admission>,
    pub metrics: Arc<Metrics>,
    pub access_log: Arc<AccessLog>,
    pub issuers: Arc<Issuers>,
    pub attestations: Arc<Attestations>,
    /// How long after its arrival a request that reads is still worth answering.
    pub deadline_read: Duration,
    /// The same for a request that writes: a mutation waits for the store, within an SDK's read timeout.
    pub deadline_write: Duration,
}

/// One worker's gateway.
pub struct Gateway(Rc<Worker>);

impl std::fmt::Debug for Gateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gateway").finish_non_exhaustive()
    }
}

/// The way into a worker's gateway.
#[derive(Clone)]
pub struct Door {
    open: Option<Open>,
}

#[derive(Clone)]
struct Open {
    worker: Rc<Worker>,
    gateway: Addr<Gateway>,
}

impl std::fmt::Debug for Door {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Door").field("is_open", &self.open.is_some()).finish_non_exhaustive()
    }
}

impl Door {
    /// Starts the actors of HTTP worker number `worker` on this thread. Without an audit log the door stays shut.
    pub fn open(worker: usize, shared: &Shared) -> Self {
        let open = match Gateway::new(worker, shared) {
            Ok(gateway) => Some(Open { worker: gateway.0.clone(), gateway: gateway.start() }),
            Err(error) => {
                tracing::error!(%error, worker, "the worker has no audit log and answers nothing");
                None
            }
        };
        Self { open }
    }
}

impl Service for Door {
    /// What is too much is turned away here; all else is the gateway actor's, which sees a request to its end and its
    /// record even when the client has gone.
    fn answer(&self, arrived: Arrived) -> LocalBoxFuture<'static, Answer> {
        let Some(Open { worker, gateway }) = self.open.clone() else { return ready(wire::internal()).boxed_local() };
        if let Some(answer) = worker.shed(&arrived) {
            return ready(answer).boxed_local();
        }
        let reply = gateway.send(Ask(arrived));
        async move { reply.await.unwrap_or_else(|_| wire::internal()) }.boxed_local()
    }

    fn is_well(&self) -> bool {
        self.open.as_ref().is_some_and(|open| open.worker.shared.region.ailment().is_none())
    }
}

/// A request for the gateway actor.
struct Ask(Arrived);

impl Message for Ask {
    type Result = Answer;
}

impl Actor for Gateway {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // What is in flight is bounded by `admission`; the mailbox on the way there must not lose what came in.
        ctx.set_mailbox_capacity(MAILBOX_MAX);
        ctx.run_interval(Duration::from_secs(1), |gateway, _| {
            let now = gateway.0.shared.region.clock().now();
            if let Err(error) = gateway.0.throttled.borrow_mut().flush(now) {
                tracing::error!(%error, "throttled calls could not be recorded");
            }
        });
    }
}

impl Handler<Ask> for Gateway {
    type Result = ResponseFuture<Answer>;

    fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> Self::Result {
        let worker = self.0.clone();
        Box::pin(async move { worker.answer(&ask.0).await })
    }
}

impl Gateway {
    fn new(worker: usize, shared: &Shared) -> Result<Self, AuditError> {
        let desk = shared.region.desk(&format!("worker-{worker}"))?;
        Ok(Self(Rc::new(Worker {
            local: KeyManager::new(shared.region.clone()).start(),
            throttled: RefCell::default(),
            day_keys: RefCell::default(),
            sessions: RefCell::default(),
            key_sets: RefCell::default(),
            shared: shared.clone(),
            desk,
        })))
    }
}

/// What the requests of one worker share.
struct Worker {
    shared: Shared,
    /// This worker's key manager, for requests that read.
    local: Addr<KeyManager>,
    desk: Desk,
    day_keys: RefCell<DayKeys>,
    sessions: RefCell<Sessions>,
    key_sets: RefCell<KeySets>,
    throttled: RefCell<Counted>,
}

impl Worker {
    async fn answer(&self, arrived: &Arrived) -> Answer {
        let Arrived { method, path, query, body, .. } = arrived;
        let route = Route::of(method, path, query, arrived.headers.iter(), body);
        let (name, answer, code) = match &route {
            Route::Other(answer) => ("unknown", answer.clone(), "UnknownOperationException"),
            Route::Kms { operation } => {
                let (answer, code) = self.kms(operation, arrived).await;
                (if operation::is_known(operation) { operation } else { "unknown" }, answer, code)
            }
            Route::Sts { form } => {
                let (answer, code, name) = self.sts(form, arrived).await;
                (name, answer, code)
            }
        };
        self.shared.metrics.answered(name, code, arrived.received.elapsed());
        answer
    }

    /// Turns a request away when its class has as much as it takes, before its signature is checked: under overload each
    /// refusal takes from what was let in. It takes no permit, so it cannot keep anybody out; as its caller is not known
    /// it is counted and has no record.
    fn shed(&self, arrived: &Arrived) -> Option<Answer> {
        let admission = &self.shared.admission;
        // Only then is it worth a look at what is asked for, which is looked at again by whoever answers.
        if !admission.is_full(Effect::Read) && !admission.is_full(Effect::Write) {
            return None;
        }
        let spec = wire::operation(arrived.headers.iter()).and_then(operation::find)?;
        if !admission.is_full(spec.effect) {
            return None;
        }
        let (answer, code) = spelled(&KmsError::Overloaded);
        self.shared.metrics.shed.increment();
        self.shared.metrics.answered(spec.name, code, arrived.received.elapsed());
        Some(answer)
    }

    async fn kms(&self, name: &str, arrived: &Arrived) -> (Answer, &'static str) {
        let spec = operation::find(name);
        let effect = spec.map_or(Effect::Read, |spec| spec.effect);
        let asked = match self.authenticated(arrived, "kms", effect).await {
            Ok(asked) => asked,
            Err(failure) => return self.unauthenticated(&failure, Protocol::Json, name, arrived),
        };
        let Some(spec) = spec else {
            let (asked, view) = (Arc::new(asked), self.shared.region.view());
            let entry = Entry::open(self.desk.clone(), &view, &asked, Called::Kms, name.to_owned());
            let is_known = operation::is_known(name);
            let error = if is_known { operation::unsupported(name) } else { KmsError::UnknownOperation };
            return self.refused(entry, &error).await;
        };
        let permit = match self.admitted(spec, &asked) {
            Ok(permit) => permit,
            Err(error) => return self.too_much(spec, asked, &error),
        };
        let asked = Arc::new(asked);
        let entry = self.opened(spec, &asked);
        match self.prepared(spec, asked, entry, arrived) {
            Ok(prepared) => self.run(prepared, permit, arrived).await,
            Err(turned) => {
                drop(permit);
                self.turned(*turned).await
            }
        }
    }

    fn opened(&self, spec: &Spec, asked: &Arc<Asked>) -> Entry {
        Entry::open(self.desk.clone(), &self.shared.region.view(), asked, Called::Kms, spec.name)
    }

    /// Asks for room before anything is made of the request: what is too much must cost little, or those who were let in
    /// pay for it.
    fn admitted(&self, spec: &Spec, asked: &Asked) -> Result<Permit, KmsError> {
        self.shared.region.admit_account(asked.caller.account)?;
        self.shared.admission.admit(spec.effect).ok_or(KmsError::Overloaded)
    }

    /// Turns away a request that was not admitted. It is counted; only the first of a caller's second has an entry.
    fn too_much(&self, spec: &Spec, asked: Asked, error: &KmsError) -> (Answer, &'static str) {
        let asked = Arc::new(asked);
        let counted = self.throttled.borrow_mut().count(&asked, error, || self.opened(spec, &asked));
        self.counted(counted, error)
    }

    /// Answers a call that was counted.
    fn counted(&self, counted: Result<(), AuditError>, error: &KmsError) -> (Answer, &'static str) {
        if let KmsError::Throttled { .. } = error {
            self.shared.metrics.throttled.increment();
        }
        if let Err(cause) = counted {
            tracing::error!(%cause, "a throttled call could not be recorded");
        }
        spelled(error)
    }

    /// Has `core` parse a request, resolve it and ask the endpoint policy, and asks for its key's rate.
    fn prepared(
        &self,
        spec: &Spec,
        asked: Arc<Asked>,
        entry: Entry,
        arrived: &Arrived,
    ) -> Result<Prepared, Box<Turned>> {
        let region = &self.shared.region;
        let prepared = (spec.prepare)(region, asked, entry, &arrived.body)?;
        match prepared.key.as_ref().map_or(Ok(()), |key| region.admit_key(key)) {
            Ok(()) => Ok(prepared),
            Err(error) => Err(Box::new(prepared.turn(error))),
        }
    }

    /// The permit is held until the answer is ready to go.
    async fn run(&self, prepared: Prepared, _permit: Permit, arrived: &Arrived) -> (Answer, &'static str) {
        let effect = prepared.effect;
        let to = match effect {
            Effect::Read => Some(&self.local),
            Effect::Write => self.shared.region.owner(prepared.owner),
        };
        let Some(to) = to else { return self.turned(prepared.turn(KmsError::Overloaded)).await };
        self.shared.metrics.key_manager_requests.increment();
        let answered = match effect {
            // On this thread, so it answers for as long as anybody is here to hear it.
            Effect::Read => prepared.send(to).await,
            // A key manager that is late has its deadline too: this one is only for one that does not answer at all.
            Effect::Write => {
                let patience = self.deadline(arrived, effect) + Duration::from_secs(1);
                tokio::time::timeout_at(patience.into(), prepared.send(to)).await.ok().flatten()
            }
        };
        match answered {
            Some(answered) => self.answered(answered, effect).await,
            None => (wire::internal(), "KMSInternalException"),
        }
    }

    /// Closes the audit entry and only then lets the answer go.
    async fn answered(&self, answered: Answered, effect: Effect) -> (Answer, &'static str) {
        let Answered { outcome, entry } = answered;
        let reply = match outcome {
            Ok(reply) => reply,
            Err(error) => return self.refused(entry, &error).await,
        };
        let Reply { mut body, elements } = reply;
        let recorded = match written(entry.close(Ok(elements.as_deref()))).await {
            Ok(position) if effect == Effect::Write => self.shared.region.synced(position).await,
            Ok(_) => Ok(()),
            Err(error) => Err(KmsError::internal(error)),
        };
        match recorded {
            // Taken, not copied: it may hold a plaintext, and is wiped once it is sent.
            Ok(()) => (wire::json(std::mem::take(&mut *body)), "OK"),
            Err(error) => {
                tracing::error!(cause = error.cause(), "an answer was withheld, as it could not be recorded");
                (wire::internal(), "KMSInternalException")
            }
        }
    }

    async fn turned(&self, turned: Turned) -> (Answer, &'static str) {
        let Turned { error, entry, by_endpoint } = turned;
        if by_endpoint {
            self.shared.metrics.endpoint_refusals.increment();
        }
        // These come when there is too much as it is, so they are counted and not recorded one by one.
        if let KmsError::Throttled { .. } | KmsError::Overloaded = &error {
            let counted = self.throttled.borrow_mut().add(entry, &error);
            return self.counted(counted, &error);
        }
        self.refused(entry, &error).await
    }

    async fn refused(&self, entry: Entry, error: &KmsError) -> (Answer, &'static str) {
        if let Some(cause) = error.cause() {
            tracing::error!(cause, "a request failed");
        }
        match written(entry.close(Err(error))).await {
            Ok(_) => spelled(error),
            Err(cause) => {
                tracing::error!(%cause, "a refusal could not be recorded");
                (wire::internal(), "KMSInternalException")
            }
        }
    }

    fn deadline(&self, arrived: &Arrived, effect: Effect) -> Instant {
        arrived.received
            + match effect {
                Effect::Read => self.shared.deadline_read,
                Effect::Write => self.shared.deadline_write,
            }
    }

    fn meta(&self, arrived: &Arrived, effect: Effect) -> Meta {
        Meta {
            request_id: arrived.request_id.clone(),
            user_agent: arrived.header("user-agent").map(Into::into),
            referer: arrived.header("referer").map(Into::into),
            tls: arrived.connection.tls.clone(),
            host: arrived.header("host").map(Into::into),
            received_at: arrived.received_at,
            deadline: self.deadline(arrived, effect),
        }
    }

    fn unauthenticated(
        &self,
        failure: &Failure,
        protocol: Protocol,
        name: &str,
        arrived: &Arrived,
    ) -> (Answer, &'static str) {
        let (refused, why, claimed) = match failure {
            Failure::Authn { error, claimed } => {
                let (status, code, message) = (error.status(protocol), error.code(protocol), error.to_string());
                self.shared.metrics.authn_failed(code);
                ((status, code, message.clone()), message, claimed.clone())
            }
            Failure::Source(unproved) => (source::refusal(protocol), unproved.to_string(), None),
            Failure::Service(error) => {
                tracing::error!(cause = error.cause(), "a caller could not be authenticated");
                return spelled(error);
            }
        };
        let (status, code, message) = refused;
        self.shared
            .access_log
            .record(arrived.received_at.seconds(), record::access(arrived, name, claimed, code, &why));
        let answer = match protocol {
            Protocol::Json => wire::error(status, code, &message),
            Protocol::Query => crate::sts::error(status, code, &message, &arrived.request_id),
        };
        (answer, code)
    }
}

/// What became of a record that was handed in.
async fn written(record: Result<HandedIn, AuditError>) -> Result<Position, AuditError> {
    record?.written().await
}

/// Why a caller was not authenticated.
enum Failure {
    /// It is not known where the request comes from.
    Source(Unproved),
    /// `claimed` is the access key id that the request names.
    Authn { error: AuthnError, claimed: Option<String> },
    /// The service could not tell.
    Service(KmsError),
}

/// An error on the wire.
fn spelled(error: &KmsError) -> (Answer, &'static str) {
    let code = error.code();
    let (status, name, message) = (code.status(), code.as_str(), error.message());
    let answer = match error.retry_after() {
        Some(after) => wire::overloaded(status, name, &message, after),
        None => wire::error(status, name, &message),
    };
    (answer, name)
}
