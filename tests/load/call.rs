//! One call as a caller of an SDK sees it: attempts, waits between them, and moves to another endpoint.
//! Knows connections, retries and endpoints; knows no operation, and judges nothing.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use kms_core::clock::{Clock as _, SystemClock};
use rand::RngExt as _;

use crate::Outcome;
use crate::endpoint::{Choice, Failover};
use crate::retry::{Policy, Quota, Reason};
use crate::scene::Random;
use crate::sign::Signer;
use crate::wire::{Answer, Connection, Exchange, Place, Trust};

/// What calls are made over: endpoints, and how long to wait for them.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) places: Vec<Place>,
    pub(crate) figures: Vec<PlaceFigures>,
    pub(crate) trust: Trust,
    pub(crate) failover: Failover,
    pub(crate) connect_timeout: Duration,
    pub(crate) timeout: Duration,
}

/// What came to an endpoint, counted from the start of the run.
#[derive(Debug, Default)]
pub(crate) struct PlaceFigures {
    pub(crate) attempts: AtomicU64,
    pub(crate) failed: AtomicU64,
    pub(crate) failed_over_to: AtomicU64,
    pub(crate) connections_opened: AtomicU64,
}

impl PlaceFigures {
    /// Attempts, those that failed, those that failed over to it, and connections that were opened.
    pub(crate) fn counted(&self) -> [u64; 4] {
        [&self.attempts, &self.failed, &self.failed_over_to, &self.connections_opened]
            .map(|count| count.load(Ordering::Relaxed))
    }
}

/// What is called.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) signer: &'a Signer,
    /// `None` for a form, as STS takes it.
    pub(crate) operation: Option<&'a str>,
    pub(crate) body: &'a Bytes,
    /// Signed headers for each endpoint, if they were made ahead of time; nothing else is signed then.
    pub(crate) signed: &'a [HeaderMap],
}

/// What came of a call.
#[derive(Debug)]
pub(crate) struct Called {
    /// The last attempt's: an answer, also one that is an error; `None` if there was none.
    pub(crate) answer: Option<Answer>,
    /// The last attempt's error code; `None` if it succeeded.
    pub(crate) error: Option<Cow<'static, str>>,
    /// The codes of the attempts that failed before the last one.
    pub(crate) failed_before: Vec<Cow<'static, str>>,
    /// Of the last attempt.
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    pub(crate) endpoint: usize,
    /// Whether some attempt was sent and never answered, so that it may yet be carried out.
    pub(crate) unanswered: bool,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
}

impl Called {
    pub(crate) fn is_success(&self) -> bool {
        self.error.is_none()
    }

    /// The error's text, shortened for a line.
    pub(crate) fn message(&self) -> String {
        let code = self.error.as_deref().unwrap_or("success");
        let body = self.answer.as_ref().map(|answer| &answer.body[..]).unwrap_or_default();
        let json: serde_json::Value = serde_json::from_slice(body).unwrap_or_default();
        let text = json.get("message").or_else(|| json.get("Message")).and_then(serde_json::Value::as_str);
        match text {
            Some(text) => format!("{code}: {}", text.chars().take(200).collect::<String>()),
            None => code.to_owned(),
        }
    }
}

/// One connection of a client, and its spare ones to other endpoints.
#[derive(Debug)]
pub(crate) struct Caller {
    network: Arc<Network>,
    policy: Policy,
    quota: Arc<Quota>,
    choice: Choice,
    connections: Vec<Option<Connection>>,
    random: Random,
}

impl Caller {
    pub(crate) fn new(network: &Arc<Network>, policy: Policy, quota: &Arc<Quota>, home: usize, random: Random) -> Self {
        let places = network.places.len();
        Self {
            network: Arc::clone(network),
            policy,
            quota: Arc::clone(quota),
            choice: Choice::new(network.failover, places, home),
            connections: (0..places).map(|_| None).collect(),
            random,
        }
    }

    pub(crate) fn places(&self) -> &[Place] {
        &self.network.places
    }

    /// Makes one call with its retries. `Err` only if the request cannot be made at all.
    pub(crate) async fn call(&mut self, request: Request<'_>) -> Outcome<Called> {
        let mut failed_before = Vec::new();
        let (mut cost, mut unanswered, mut sent, mut received) = (0, false, 0, 0);
        let mut failed_at = None;
        loop {
            let endpoint = self.choice.next(failed_at, Instant::now());
            let exchange = self.attempt(endpoint, request).await?;
            sent += exchange.bytes_sent;
            received += exchange.bytes_received;
            unanswered |= exchange.outcome.is_err() && exchange.bytes_sent > 0;
            let (error, reason) = verdict(&exchange);
            self.account(endpoint, &exchange, reason);
            let failed = u32::try_from(failed_before.len()).unwrap_or(u32::MAX).saturating_add(1);
            if error.is_none() {
                self.quota.succeeded(cost);
            } else if let Some((wait, paid)) = reason.and_then(|reason| self.again(reason, failed, &exchange)) {
                cost = paid;
                failed_before.extend(error);
                failed_at = Some(endpoint);
                tokio::time::sleep(wait).await;
                continue;
            }
            return Ok(Called {
                answer: exchange.outcome.ok(),
                error,
                failed_before,
                begun: exchange.begun,
                ended: exchange.ended,
                endpoint,
                unanswered,
                bytes_sent: sent,
                bytes_received: received,
            });
        }
    }

    /// How long to wait before another attempt, and what it took from the quota; `None` if this one was the last.
    fn again(&mut self, reason: Reason, failed: u32, exchange: &Exchange) -> Option<(Duration, u32)> {
        let cost = self.policy.cost(reason);
        if failed >= self.policy.attempts_max || !self.quota.take(cost) {
            return None;
        }
        let asked = exchange.outcome.as_ref().ok().and_then(|answer| answer.retry_after);
        Some((self.policy.backoff(reason, failed, self.random.random(), asked), cost))
    }

    async fn attempt(&mut self, endpoint: usize, request: Request<'_>) -> Outcome<Exchange> {
        let place = self.network.places.get(endpoint).ok_or("no such endpoint")?;
        let slot = self.connections.get_mut(endpoint).ok_or("no such endpoint")?;
        if !slot.as_ref().is_some_and(Connection::is_open) {
            let begun = Instant::now();
            match Connection::open(place, &self.network.trust, self.network.connect_timeout).await {
                Ok(opened) => *slot = Some(opened),
                Err(fault) => {
                    *slot = None;
                    let (ended, outcome) = (Instant::now(), Err(fault));
                    return Ok(Exchange { begun, ended, outcome, bytes_sent: 0, bytes_received: 0 });
                }
            }
            add(&self.network.figures, endpoint, |figures| &figures.connections_opened);
        }
        let headers = match (request.signed.get(endpoint), request.operation) {
            (Some(signed), _) => signed.clone(),
            (None, Some(operation)) => {
                request.signer.kms(&place.authority, operation, request.body, SystemClock.now())?
            }
            (None, None) => request.signer.form(&place.authority, request.body, SystemClock.now())?,
        };
        let connection = slot.as_mut().ok_or("no connection")?;
        let exchange = connection.exchange(headers, request.body.clone(), self.network.timeout).await;
        if exchange.outcome.is_err() {
            *slot = None;
        }
        Ok(exchange)
    }

    /// Counts an attempt for its endpoint, which is avoided when it gave no answer. What is wrong with the call
    /// itself is no failure of the endpoint.
    fn account(&mut self, endpoint: usize, exchange: &Exchange, reason: Option<Reason>) {
        add(&self.network.figures, endpoint, |figures| &figures.attempts);
        if self.choice.is_away(endpoint) {
            add(&self.network.figures, endpoint, |figures| &figures.failed_over_to);
        }
        if reason.is_some() {
            add(&self.network.figures, endpoint, |figures| &figures.failed);
        }
        if exchange.outcome.is_err() {
            self.choice.failed(endpoint, exchange.ended);
        }
    }
}

fn add(figures: &[PlaceFigures], endpoint: usize, of: impl Fn(&PlaceFigures) -> &AtomicU64) {
    if let Some(figures) = figures.get(endpoint) {
        of(figures).fetch_add(1, Ordering::Relaxed);
    }
}

/// The error code of an attempt, and why it may be made again.
fn verdict(exchange: &Exchange) -> (Option<Cow<'static, str>>, Option<Reason>) {
    match &exchange.outcome {
        Ok(answer) if answer.is_success() => (None, None),
        Ok(answer) => {
            let code = answer.code();
            let reason = Reason::of_answer(answer.status, &code);
            (Some(code.into()), reason)
        }
        Err(fault) => {
            let reason = if *fault == crate::wire::Fault::Timeout { Reason::Timeout } else { Reason::Transient };
            (Some(fault.name().into()), Some(reason))
        }
    }
}
