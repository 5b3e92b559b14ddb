//! The longest time without a success while calls were under way. Pure: is told what begins and ends, and when.

use std::time::Duration;

/// Times are since the start of the run.
#[derive(Debug, Default)]
pub(crate) struct Gap {
    under_way: usize,
    /// Since when there is no success although there are calls; `None` while nobody asks for anything.
    since: Option<Duration>,
    longest: Duration,
}

impl Gap {
    pub(crate) fn begun(&mut self, at: Duration) {
        self.under_way += 1;
        self.since = self.since.or(Some(at));
    }

    pub(crate) fn ended(&mut self, at: Duration, succeeded: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        if succeeded {
            self.see(at);
            // With nothing under way, the time until the next call is the caller's and not the service's.
            self.since = (self.under_way > 0).then_some(at);
        }
    }

    /// The longest until now, also if it goes on.
    pub(crate) fn longest(&mut self, at: Duration) -> Duration {
        self.see(at);
        self.longest
    }

    fn see(&mut self, at: Duration) {
        self.longest = self.longest.max(self.since.map_or(Duration::ZERO, |since| at.saturating_sub(since)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn the_time_between_successes_counts() {
        let mut gap = Gap::default();
        gap.begun(ms(0));
        gap.begun(ms(0));
        gap.ended(ms(10), true);
        gap.ended(ms(50), true);
        assert_eq!(gap.longest(ms(50)), ms(40));
    }

    #[test]
    fn an_outage_counts_across_calls_that_fail() {
        let mut gap = Gap::default();
        for begun in [0, 100, 200] {
            gap.begun(ms(begun));
            gap.ended(ms(begun + 90), false);
        }
        gap.begun(ms(300));
        gap.ended(ms(310), true);
        assert_eq!(gap.longest(ms(310)), ms(310));
    }

    #[test]
    fn idle_times_do_not_count() {
        let mut gap = Gap::default();
        for begun in [0, 1000, 2000] {
            gap.begun(ms(begun));
            gap.ended(ms(begun + 5), true);
        }
        assert_eq!(gap.longest(ms(9000)), ms(5));
    }

    #[test]
    fn an_outage_that_goes_on_counts() {
        let mut gap = Gap::default();
        gap.begun(ms(100));
        assert_eq!(gap.longest(ms(700)), ms(600));
    }
}
