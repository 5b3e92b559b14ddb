//! Calls as they are counted: by operation and by second, with latencies in HDR histograms.
//! Knows when calls were due and how they ended; knows no connection.

pub(crate) mod gap;
pub(crate) mod recorder;
pub(crate) mod timeline;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use crate::Outcome;
use crate::record::{Latency, OperationFigures};

/// Significant digits of latencies: an error of at most 0.1 %.
const DIGITS: u8 = 3;
/// Points of the curve for each halving of what is left to 100 %.
const CURVE_TICKS: u32 = 5;

/// A call as it ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// From when it was due until its last answer.
    pub(crate) latency: Duration,
    pub(crate) error: Option<Cow<'static, str>>,
    pub(crate) failed_before: Vec<Cow<'static, str>>,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
}

/// What was counted of one operation, or of all.
#[derive(Debug)]
pub(crate) struct Tally {
    calls: u64,
    attempts: u64,
    succeeded: u64,
    failed_at_first: u64,
    failed_after_retries: u64,
    errors: BTreeMap<Cow<'static, str>, u64>,
    bytes_sent: u64,
    bytes_received: u64,
    latency: Histogram<u64>,
}

impl Tally {
    pub(crate) fn new() -> Outcome<Self> {
        Ok(Self {
            calls: 0,
            attempts: 0,
            succeeded: 0,
            failed_at_first: 0,
            failed_after_retries: 0,
            errors: BTreeMap::new(),
            bytes_sent: 0,
            bytes_received: 0,
            latency: Histogram::new(DIGITS)?,
        })
    }

    pub(crate) fn add(&mut self, call: &Ended) {
        let before = u64::try_from(call.failed_before.len()).unwrap_or(u64::MAX);
        self.calls += 1;
        self.attempts += before + 1;
        self.failed_at_first += u64::from(before > 0 || call.error.is_some());
        self.bytes_sent += call.bytes_sent;
        self.bytes_received += call.bytes_received;
        for code in call.failed_before.iter().chain(&call.error) {
            match self.errors.get_mut(code) {
                Some(count) => *count += 1,
                None => drop(self.errors.insert(code.clone(), 1)),
            }
        }
        if call.error.is_some() {
            self.failed_after_retries += 1;
        } else {
            self.succeeded += 1;
            record(&mut self.latency, call.latency);
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) -> Outcome<()> {
        self.calls += other.calls;
        self.attempts += other.attempts;
        self.succeeded += other.succeeded;
        self.failed_at_first += other.failed_at_first;
        self.failed_after_retries += other.failed_after_retries;
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        for (code, count) in &other.errors {
            *self.errors.entry(code.clone()).or_insert(0) += count;
        }
        Ok(self.latency.add(&other.latency)?)
    }

    pub(crate) fn figures(&self, name: &str) -> OperationFigures {
        OperationFigures {
            name: name.to_owned(),
            calls: self.calls,
            attempts: self.attempts,
            succeeded: self.succeeded,
            failed_at_first: self.failed_at_first,
            failed_after_retries: self.failed_after_retries,
            errors: self.errors.iter().map(|(code, count)| (code.to_string(), *count)).collect(),
            bytes_sent: self.bytes_sent,
            bytes_received: self.bytes_received,
            latency: latency(&self.latency),
        }
    }
}

/// Adds a latency, in whole microseconds rounded up: what took any time is not shown as having taken none.
fn record(histogram: &mut Histogram<u64>, latency: Duration) {
    let us = u64::try_from(latency.as_nanos().div_ceil(1000)).unwrap_or(u64::MAX);
    // The histogram grows as needed. It cannot grow only past what 64 bits hold, and no latency is there.
    let _ = histogram.record(us);
}

fn latency(histogram: &Histogram<u64>) -> Latency {
    if histogram.is_empty() {
        return Latency::default();
    }
    let at = |quantile| histogram.value_at_quantile(quantile);
    let points = histogram.iter_quantiles(CURVE_TICKS);
    Latency {
        mean_us: histogram.mean(),
        p50_us: at(0.5),
        p90_us: at(0.9),
        p99_us: at(0.99),
        p99_9_us: at(0.999),
        p99_99_us: at(0.9999),
        max_us: histogram.max(),
        curve: points.map(|point| (point.quantile_iterated_to() * 100.0, point.value_iterated_to())).collect(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use super::*;

    fn ended(us: u64, failed_before: &[&'static str], error: Option<&'static str>) -> Ended {
        Ended {
            latency: Duration::from_micros(us),
            error: error.map(Cow::from),
            failed_before: failed_before.iter().map(|code| Cow::from(*code)).collect(),
            bytes_sent: 100,
            bytes_received: 50,
        }
    }

    #[test]
    fn calls_and_their_attempts_are_counted_apart() {
        let mut tally = Tally::new().unwrap();
        tally.add(&ended(10, &[], None));
        tally.add(&ended(20, &["closed", "connect"], None));
        tally.add(&ended(30, &["connect"], Some("connect")));
        tally.add(&ended(40, &[], Some("DisabledException")));
        let figures = tally.figures("Encrypt");
        assert_eq!((figures.calls, figures.attempts, figures.succeeded), (4, 7, 2));
        assert_eq!((figures.failed_at_first, figures.failed_after_retries), (3, 2));
        assert_eq!((figures.bytes_sent, figures.bytes_received), (400, 200));
        assert_eq!(
            (figures.errors["connect"], figures.errors["closed"], figures.errors["DisabledException"]),
            (3, 1, 1)
        );
        assert_eq!(figures.latency.max_us, 20);
    }

    #[test]
    fn latencies_keep_three_digits_and_the_curve_rises() {
        let mut tally = Tally::new().unwrap();
        (1..=10_000).for_each(|us| tally.add(&ended(us, &[], None)));
        let latency = tally.figures("x").latency;
        for (found, expected) in [(latency.p50_us, 5000_u64), (latency.p99_us, 9900), (latency.p99_99_us, 9999)] {
            assert!(found.abs_diff(expected) * 1000 <= expected, "{found} {expected}");
        }
        assert!(latency.curve.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1));
        assert_eq!(latency.curve.last().unwrap().0, 100.0);
    }

    #[test]
    fn threads_are_added_up() {
        let (mut one, mut other) = (Tally::new().unwrap(), Tally::new().unwrap());
        one.add(&ended(10, &[], None));
        other.add(&ended(90, &["closed"], None));
        one.merge(&other).unwrap();
        let figures = one.figures("x");
        assert_eq!((figures.calls, figures.attempts, figures.latency.max_us), (2, 3, 90));
        assert_eq!(figures.errors["closed"], 1);
    }

    #[test]
    fn nothing_is_no_latency() {
        assert_eq!(Tally::new().unwrap().figures("x").latency, Latency::default());
    }
}
