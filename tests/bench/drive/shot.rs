//! What a measurement counted.
//! Histograms of nanoseconds, counts by error code, and the server's CPU time.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;

use super::line::{Answer, Line};
use crate::Outcome;

/// Latencies above are counted as this long.
const LATENCY_MAX: Duration = Duration::from_secs(60);

/// One measurement.
#[derive(Clone, Debug)]
pub(crate) struct Shot {
    /// Latencies of successes, in nanoseconds; of all requests that were due in the measurement, however late.
    pub(crate) accepted: Histogram<u64>,
    /// Of answers that were refusals.
    pub(crate) refused: Histogram<u64>,
    /// Answers within the measurement, whenever they were due.
    pub(super) answers: Answers,
    /// Refusals that an SDK tries again.
    pub(crate) retryable: u64,
    /// Refusals by their code.
    pub(crate) codes: BTreeMap<String, u64>,
    /// Requests that never left, as every connection was busy until the end.
    pub(crate) unsent: u64,
    /// How late the pacer was, in nanoseconds; empty in a closed loop.
    pub(crate) lateness: Histogram<u64>,
    pub(crate) seconds: f64,
    /// What the server used meanwhile.
    pub(crate) server_cpu_seconds: f64,
}

/// How many answers there were.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Answers {
    accepted: u64,
    refused: u64,
}

impl Answers {
    pub(super) fn since(self, before: Self) -> Self {
        Self { accepted: self.accepted - before.accepted, refused: self.refused - before.refused }
    }
}

impl Shot {
    pub(super) fn new() -> Outcome<Self> {
        let empty = || Histogram::new_with_max(nanoseconds(LATENCY_MAX), 3);
        Ok(Self {
            accepted: empty()?,
            refused: empty()?,
            answers: Answers::default(),
            retryable: 0,
            codes: BTreeMap::new(),
            unsent: 0,
            lateness: empty()?,
            seconds: 0.0,
            server_cpu_seconds: 0.0,
        })
    }

    /// Successes a second.
    pub(crate) fn per_second(&self) -> f64 {
        self.answers.accepted as f64 / self.seconds
    }

    /// Refusals a second.
    pub(crate) fn refused_per_second(&self) -> f64 {
        self.answers.refused as f64 / self.seconds
    }

    /// Microseconds of the server's CPU for each answer.
    pub(crate) fn cpu_us(&self) -> f64 {
        self.server_cpu_seconds * 1e6 / (self.answers.accepted + self.answers.refused).max(1) as f64
    }

    /// The share of its core that the server used.
    pub(crate) fn server_share(&self) -> f64 {
        self.server_cpu_seconds / self.seconds
    }

    /// The same, when there was nothing but successes.
    pub(crate) fn all_accepted(self) -> Outcome<Self> {
        if self.refused.is_empty() { Ok(self) } else { Err(format!("there were refusals: {:?}", self.codes).into()) }
    }
}

/// A shot that connections count into.
#[derive(Clone)]
pub(super) struct Tally(Arc<Mutex<Shot>>);

impl Tally {
    pub(super) fn new() -> Outcome<Self> {
        Ok(Self(Arc::new(Mutex::new(Shot::new()?))))
    }

    /// Counts an answer; `latency` is of a request that was due in the measurement.
    pub(super) fn count(&self, latency: Option<Duration>, answer: Answer, line: &Line) {
        let mut shot = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let shot = &mut *shot;
        let (answers, latencies) = match answer.is_success() {
            true => (&mut shot.answers.accepted, &mut shot.accepted),
            false => (&mut shot.answers.refused, &mut shot.refused),
        };
        *answers += 1;
        let Some(latency) = latency else { return };
        latencies.saturating_record(nanoseconds(latency));
        if answer.is_success() {
            return;
        }
        let code = line.error_code();
        shot.retryable += u64::from(answer.status >= 500 || code == "ThrottlingException");
        *shot.codes.entry(code).or_default() += 1;
    }

    pub(super) fn late(&self, by: Duration) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).lateness.saturating_record(nanoseconds(by));
    }

    pub(super) fn answers(&self) -> Answers {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).answers
    }

    pub(super) fn take(&self) -> Shot {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
