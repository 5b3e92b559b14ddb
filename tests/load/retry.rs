//! When an AWS SDK tries again, how long it waits before, and the quota that each retry is paid from.
//! Pure but for the quota's counter; knows no connection and no clock.
//!
//! Taken from AWS's "SDKs and Tools Reference Guide", page "Retry behavior", and the announcement of 2026 of its new
//! defaults: standard mode before it (2025) and after it (2026). Service-specific rules of other services are left out.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clap::ValueEnum;

/// Both generations of standard mode.
const BACKOFF_MAX: Duration = Duration::from_secs(20);
const QUOTA: u32 = 500;
/// What a call that needed no retry gives back.
const NO_RETRY_INCREMENT: u32 = 1;
/// How far above the computed delay `x-amz-retry-after` may move it; it never moves it below.
const RETRY_AFTER_ABOVE_MAX: Duration = Duration::from_secs(5);

const THROTTLING: &[&str] = &[
    "Throttling",
    "ThrottlingException",
    "ThrottledException",
    "RequestThrottledException",
    "RequestThrottled",
    "RequestLimitExceeded",
    "TooManyRequestsException",
    "BandwidthLimitExceeded",
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "PriorRequestNotComplete",
    "TransactionInProgressException",
    "SlowDown",
    "EC2ThrottledException",
];
const TIMEOUTS: &[&str] = &["RequestTimeout", "RequestTimeoutException"];
const TRANSIENT_STATUS: &[u16] = &[500, 502, 503, 504];

/// Which SDKs' behaviour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Generation {
    /// One attempt.
    None,
    /// Three attempts; up to 1 s and then 2 s between them.
    #[value(name = "2025")]
    Before2026,
    /// Three attempts; up to 50 ms and then 100 ms between them, longer where the service throttles.
    #[value(name = "2026")]
    Since2026,
}

/// Why an attempt may be made again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    Throttling,
    /// No answer in time.
    Timeout,
    /// A failure of the service or of the way to it.
    Transient,
}

impl Reason {
    /// What an answer with an error allows; `None` is final.
    pub(crate) fn of_answer(status: u16, code: &str) -> Option<Self> {
        if THROTTLING.contains(&code) || status == 429 {
            return Some(Self::Throttling);
        }
        if TIMEOUTS.contains(&code) {
            return Some(Self::Timeout);
        }
        // KMSInternalException, DependencyTimeoutException and KeyUnavailableException are among these.
        TRANSIENT_STATUS.contains(&status).then_some(Self::Transient)
    }
}

/// How a client tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Policy {
    pub(crate) generation: Generation,
    pub(crate) attempts_max: u32,
}

impl Policy {
    pub(crate) fn of(generation: Generation) -> Self {
        Self { generation, attempts_max: if generation == Generation::None { 1 } else { 3 } }
    }

    /// For what must be done once and may take its time: making keys, and taking them away.
    pub(crate) fn patient() -> Self {
        Self { generation: Generation::Before2026, attempts_max: 6 }
    }

    /// The wait after `failed` attempts (1 or more); `jitter` is drawn from 0 to 1.
    pub(crate) fn backoff(self, reason: Reason, failed: u32, jitter: f64, retry_after: Option<Duration>) -> Duration {
        let new = self.generation == Generation::Since2026;
        let base = if new && reason != Reason::Throttling { 0.05 } else { 1.0 };
        let doubled = base * 2_f64.powi(i32::try_from(failed.saturating_sub(1)).unwrap_or(i32::MAX).min(30));
        let most = BACKOFF_MAX.as_secs_f64();
        // The new SDKs apply the maximum before the jitter, the older ones after it.
        let seconds = if new { jitter * doubled.min(most) } else { (jitter * doubled).min(most) };
        let computed = Duration::from_secs_f64(seconds);
        match retry_after {
            Some(asked) if new => asked.clamp(computed, computed + RETRY_AFTER_ABOVE_MAX),
            _ => computed,
        }
    }

    /// What a retry takes from the quota.
    pub(crate) fn cost(self, reason: Reason) -> u32 {
        match (self.generation, reason) {
            (Generation::Since2026, Reason::Throttling) => 5,
            (Generation::Since2026, _) => 14,
            (_, Reason::Timeout) => 10,
            (_, _) => 5,
        }
    }
}

/// What a client may still spend on retries; shared by its connections.
#[derive(Debug)]
pub(crate) struct Quota(AtomicU32);

impl Default for Quota {
    fn default() -> Self {
        Self(AtomicU32::new(QUOTA))
    }
}

impl Quota {
    /// Whether there was enough; takes nothing if not.
    pub(crate) fn take(&self, cost: u32) -> bool {
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(cost)).is_ok()
    }

    /// A call succeeded: gives back what its last retry took, or a little if it needed none.
    pub(crate) fn succeeded(&self, last_cost: u32) {
        if self.0.load(Ordering::Relaxed) >= QUOTA {
            return;
        }
        let back = last_cost.max(NO_RETRY_INCREMENT);
        let more = |left: u32| Some(left.saturating_add(back).min(QUOTA));
        // The closure always answers a value, so that this cannot fail.
        let _ = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: Policy = Policy { generation: Generation::Before2026, attempts_max: 3 };
    const NEW: Policy = Policy { generation: Generation::Since2026, attempts_max: 3 };

    fn ms(of: Duration) -> u128 {
        of.as_millis()
    }

    #[test]
    fn only_what_passes_is_tried_again() {
        assert_eq!(Reason::of_answer(400, "ThrottlingException"), Some(Reason::Throttling));
        assert_eq!(Reason::of_answer(429, ""), Some(Reason::Throttling));
        assert_eq!(Reason::of_answer(500, "KMSInternalException"), Some(Reason::Transient));
        assert_eq!(Reason::of_answer(503, "DependencyTimeoutException"), Some(Reason::Transient));
        assert_eq!(Reason::of_answer(400, "RequestTimeout"), Some(Reason::Timeout));
        for code in ["DisabledException", "AccessDeniedException", "NotFoundException", "InvalidCiphertextException"] {
            assert_eq!(Reason::of_answer(400, code), None, "{code}");
        }
        assert_eq!(Reason::of_answer(501, "UnknownOperationException"), None);
    }

    #[test]
    fn the_old_backoff_counts_in_seconds() {
        let waits = [1, 2, 3, 9].map(|failed| ms(OLD.backoff(Reason::Transient, failed, 1.0, None)));
        assert_eq!(waits, [1000, 2000, 4000, 20_000]);
        assert_eq!(ms(OLD.backoff(Reason::Transient, 1, 0.25, Some(Duration::from_secs(3)))), 250);
    }

    #[test]
    fn the_new_backoff_is_within_150_ms_unless_throttled() {
        let waits = [1, 2].map(|failed| ms(NEW.backoff(Reason::Transient, failed, 1.0, None)));
        assert_eq!(waits, [50, 100]);
        assert_eq!(ms(NEW.backoff(Reason::Timeout, 1, 0.5, None)), 25);
        assert_eq!(ms(NEW.backoff(Reason::Throttling, 2, 1.0, None)), 2000);
        assert_eq!(ms(NEW.backoff(Reason::Throttling, 30, 0.5, None)), 10_000);
    }

    #[test]
    fn the_service_may_move_the_new_backoff_up_by_five_seconds() {
        let wait = |asked| ms(NEW.backoff(Reason::Transient, 1, 1.0, Some(Duration::from_millis(asked))));
        assert_eq!([10, 1500, 60_000].map(wait), [50, 1500, 5050]);
    }

    #[test]
    fn a_quota_that_is_spent_ends_the_retries() {
        let quota = Quota::default();
        let paid = (0..100).filter(|_| quota.take(NEW.cost(Reason::Transient))).count();
        assert_eq!(paid, 500 / 14);
        quota.succeeded(0);
        assert!(!quota.take(14));
        quota.succeeded(14);
        assert!(quota.take(14));
    }

    #[test]
    fn a_quota_is_never_more_than_full() {
        let quota = Quota::default();
        quota.succeeded(14);
        assert!(!quota.take(QUOTA + 1));
        assert!(quota.take(QUOTA));
        assert!(!quota.take(1));
    }

    #[test]
    fn costs_are_those_of_the_generation() {
        let all = [Reason::Throttling, Reason::Timeout, Reason::Transient];
        assert_eq!(all.map(|reason| OLD.cost(reason)), [5, 10, 5]);
        assert_eq!(all.map(|reason| NEW.cost(reason)), [5, 14, 14]);
    }
}
