//! What happened in each second that was measured. Threads hand in their part of a second when it is over.
//! Pure: knows numbers of seconds, not the time.

use std::collections::BTreeMap;
use std::time::Duration;

use hdrhistogram::Histogram;

use super::record;
use crate::Outcome;
use crate::record::Second;

/// Significant digits of a second's latencies: an error of at most 1 %, since a day has many seconds.
const DIGITS: u8 = 2;
/// How many seconds are kept open for threads that hand in late.
const OPEN_MAX: u64 = 3;

/// One thread's part of a second, or all threads'.
#[derive(Debug)]
pub(crate) struct Part {
    succeeded: u64,
    failed_attempts: u64,
    failed_calls: u64,
    latency: Histogram<u64>,
}

impl Part {
    pub(crate) fn new() -> Outcome<Self> {
        Ok(Self { succeeded: 0, failed_attempts: 0, failed_calls: 0, latency: Histogram::new(DIGITS)? })
    }

    pub(crate) fn add(&mut self, latency: Duration, failed_attempts: u64, failed: bool) {
        self.failed_attempts += failed_attempts;
        if failed {
            self.failed_calls += 1;
        } else {
            self.succeeded += 1;
            record(&mut self.latency, latency);
        }
    }

    fn merge(&mut self, other: &Self) -> Outcome<()> {
        self.succeeded += other.succeeded;
        self.failed_attempts += other.failed_attempts;
        self.failed_calls += other.failed_calls;
        Ok(self.latency.add(&other.latency)?)
    }

    fn second(&self) -> Second {
        Second {
            succeeded: self.succeeded,
            failed_attempts: self.failed_attempts,
            failed_calls: self.failed_calls,
            p50_us: self.latency.value_at_quantile(0.5),
            p99_us: self.latency.value_at_quantile(0.99),
            max_us: self.latency.max(),
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Timeline {
    seconds: Vec<Second>,
    open: BTreeMap<u64, Part>,
}

impl Timeline {
    /// Takes a thread's part of second number `index`.
    pub(crate) fn hand_in(&mut self, index: u64, part: Part) -> Outcome<()> {
        let closed = u64::try_from(self.seconds.len()).unwrap_or(u64::MAX);
        if index < closed {
            // Too late for its percentiles; the counts are right still.
            let late = usize::try_from(index).ok().and_then(|index| self.seconds.get_mut(index));
            if let Some(second) = late {
                second.succeeded += part.succeeded;
                second.failed_attempts += part.failed_attempts;
                second.failed_calls += part.failed_calls;
                second.max_us = second.max_us.max(part.latency.max());
            }
            return Ok(());
        }
        match self.open.get_mut(&index) {
            Some(known) => known.merge(&part)?,
            None => drop(self.open.insert(index, part)),
        }
        self.close_before(index.saturating_sub(OPEN_MAX));
        Ok(())
    }

    /// The newest second that is over for all threads.
    pub(crate) fn latest(&self) -> Option<&Second> {
        self.seconds.last()
    }

    /// All seconds up to number `end`, those in which nothing happened included.
    pub(crate) fn finish(mut self, end: u64) -> Vec<Second> {
        let last = self.open.keys().next_back().map_or(0, |last| last + 1);
        self.close_before(end.max(last));
        self.seconds
    }

    fn close_before(&mut self, index: u64) {
        while u64::try_from(self.seconds.len()).unwrap_or(u64::MAX) < index {
            let next = u64::try_from(self.seconds.len()).unwrap_or(u64::MAX);
            let part = self.open.remove(&next);
            self.seconds.push(part.map_or_else(Second::default, |part| part.second()));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use super::*;

    fn part(latencies_ms: &[u64], failed: u64) -> Part {
        let mut part = Part::new().unwrap();
        latencies_ms.iter().for_each(|ms| part.add(Duration::from_millis(*ms), 0, false));
        (0..failed).for_each(|_| part.add(Duration::ZERO, 2, true));
        part
    }

    #[test]
    fn parts_of_a_second_are_one_second() {
        let mut timeline = Timeline::default();
        timeline.hand_in(0, part(&[1, 2], 0)).unwrap();
        timeline.hand_in(0, part(&[30], 1)).unwrap();
        let seconds = timeline.finish(1);
        assert_eq!(seconds.len(), 1);
        assert_eq!((seconds[0].succeeded, seconds[0].failed_calls, seconds[0].failed_attempts), (3, 1, 2));
        assert!(seconds[0].max_us.abs_diff(30_000) < 300, "{seconds:?}");
    }

    #[test]
    fn seconds_have_no_gaps() {
        let mut timeline = Timeline::default();
        timeline.hand_in(7, part(&[1], 0)).unwrap();
        timeline.hand_in(2, part(&[1], 0)).unwrap();
        let counts: Vec<_> = timeline.finish(9).iter().map(|second| second.succeeded).collect();
        assert_eq!(counts, [0, 0, 1, 0, 0, 0, 0, 1, 0]);
    }

    #[test]
    fn what_comes_late_is_counted_still() {
        let mut timeline = Timeline::default();
        (0..10).for_each(|index| timeline.hand_in(index, part(&[1], 0)).unwrap());
        timeline.hand_in(0, part(&[1, 1], 1)).unwrap();
        assert_eq!((timeline.seconds[0].succeeded, timeline.seconds[0].failed_calls), (3, 1));
        assert_eq!(timeline.finish(0).len(), 10);
    }
}
