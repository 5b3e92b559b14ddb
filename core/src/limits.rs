//! Token buckets: how often an account or a key may be used.
//! A pure step machine over one atomic; the caller says what time it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A rate: `per_second` on average, `burst` at once. Unlimited rates have no `Rate`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    pub per_second: f64,
    pub burst: f64,
}

impl Rate {
    /// Takes one call from the bucket whose state is `bucket`, at `now` nanoseconds of any monotonic clock.
    /// Err says when the next call would pass. This is the generic cell rate algorithm (ITU-T I.371): the state is the
    /// theoretical arrival time of the next conforming call.
    pub fn take(&self, bucket: &AtomicU64, now_ns: u64) -> Result<(), Duration> {
        let step_ns = (1e9 / self.per_second.max(1e-9)) as u64;
        let slack_ns = (step_ns as f64 * (self.burst.max(1.0) - 1.0)) as u64;
        let mut refused_for = 0;
        let taken = bucket.fetch_update(Ordering::AcqRel, Ordering::Acquire, |arrival| {
            let arrival = arrival.max(now_ns);
            refused_for = arrival.saturating_sub(now_ns).saturating_sub(slack_ns);
            (refused_for == 0).then(|| arrival.saturating_add(step_ns))
        });
        taken.map(drop).map_err(|_| Duration::from_nanos(refused_for))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_burst_passes_and_then_the_rate_holds() {
        let rate = Rate { per_second: 10.0, burst: 5.0 };
        let bucket = AtomicU64::new(0);
        let passed = (0..20).filter(|_| rate.take(&bucket, SECOND).is_ok()).count();
        assert_eq!(passed, 5);
        assert_eq!(rate.take(&bucket, SECOND), Err(Duration::from_millis(100)));
        assert_eq!(rate.take(&bucket, SECOND + SECOND / 10), Ok(()));
        assert!(rate.take(&bucket, SECOND + SECOND / 10).is_err());
    }

    #[test]
    fn the_average_is_the_rate() {
        let rate = Rate { per_second: 100.0, burst: 1.0 };
        let bucket = AtomicU64::new(0);
        let passed = (0..10_000).filter(|tick| rate.take(&bucket, SECOND + tick * SECOND / 1000).is_ok()).count();
        assert_eq!(passed, 1000);
    }
}
