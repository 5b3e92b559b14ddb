//! When calls are due, and when a run begins, is measured and ends.
//! Pure arithmetic on times since the start; never waits.

use std::time::Duration;

/// The part of the load at which the warm-up goes before a ramp.
const WARM_UP_BEFORE_RAMP: f64 = 0.1;

/// The times of a run, from its start: warm-up, then what is measured, of which the ramp is the first part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) warm_up: Duration,
    pub(crate) ramp: Duration,
    /// What is measured, ramp included.
    pub(crate) duration: Duration,
    /// Calls per second of all connections together; without it each connection calls again when it was answered.
    pub(crate) rate: Option<f64>,
}

impl Plan {
    pub(crate) fn end(&self) -> Duration {
        self.warm_up + self.duration
    }

    /// Whether a call that was due then is in the figures.
    pub(crate) fn is_measured(&self, due: Duration) -> bool {
        due >= self.warm_up
    }

    pub(crate) fn phase(&self, at: Duration) -> &'static str {
        match at {
            at if at < self.warm_up => "warm-up",
            at if at < self.warm_up + self.ramp => "ramp",
            at if at < self.end() => "measuring",
            _ => "draining",
        }
    }

    /// Open loop: when call number `index` is due, counted from 0. Calls are due at a rate that never waits for
    /// answers, so that a service that stalls is charged for every call that it kept waiting.
    pub(crate) fn due(&self, index: u64, rate: f64) -> Duration {
        let index = index as f64;
        let before = if self.ramp.is_zero() { rate } else { rate * WARM_UP_BEFORE_RAMP };
        let warm_up = self.warm_up.as_secs_f64();
        let warm_up_calls = (warm_up * before).ceil();
        if index < warm_up_calls {
            return seconds(index / before);
        }
        let measured = index - warm_up_calls;
        let ramp = self.ramp.as_secs_f64();
        // In a ramp the rate rises from nothing in a straight line, so that n calls are due in the square root of n.
        let ramp_calls = rate * ramp / 2.0;
        let since = if measured < ramp_calls {
            (2.0 * measured * ramp / rate).sqrt()
        } else {
            ramp + (measured - ramp_calls) / rate
        };
        seconds(warm_up + since)
    }

    /// Open loop: how many calls are due in the whole run.
    pub(crate) fn due_in_all(&self, rate: f64) -> u64 {
        let (mut least, mut most) = (0, (self.end().as_secs_f64() * rate).ceil() as u64 + 2);
        while least < most {
            let middle = least + (most - least) / 2;
            if self.due(middle, rate) < self.end() {
                least = middle + 1;
            } else {
                most = middle;
            }
        }
        least
    }

    /// Closed loop: when connection `index` of `connections` makes its first call.
    pub(crate) fn joins(&self, index: usize, connections: usize) -> Duration {
        let share = index as f64 / connections.max(1) as f64;
        if self.ramp.is_zero() || (share < WARM_UP_BEFORE_RAMP && !self.warm_up.is_zero()) {
            return Duration::ZERO;
        }
        self.warm_up + self.ramp.mul_f64(share)
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(warm_up: u64, ramp: u64, duration: u64) -> Plan {
        Plan {
            warm_up: Duration::from_secs(warm_up),
            ramp: Duration::from_secs(ramp),
            duration: Duration::from_secs(duration),
            rate: None,
        }
    }

    /// How many of the first calls are due in each second.
    fn per_second(plan: Plan, rate: f64, seconds: usize) -> Vec<u64> {
        let mut counts = vec![0; seconds];
        for index in 0.. {
            let due = plan.due(index, rate);
            match counts.get_mut(usize::try_from(due.as_secs()).unwrap_or(usize::MAX)) {
                Some(count) => *count += 1,
                None => break,
            }
        }
        counts
    }

    #[test]
    fn an_open_loop_is_even() {
        assert_eq!(per_second(plan(0, 0, 3), 100.0, 3), [100, 100, 100]);
        assert_eq!(plan(0, 0, 3).due(1, 100.0), Duration::from_millis(10));
    }

    #[test]
    fn what_is_due_never_depends_on_answers() {
        let plan = plan(1, 0, 3);
        assert_eq!(plan.due(150, 100.0), Duration::from_millis(1500));
        assert_eq!(plan.due(150, 100.0), plan.due(150, 100.0));
    }

    #[test]
    fn a_ramp_rises_in_a_straight_line_to_the_rate() {
        let counts = per_second(plan(0, 4, 6), 400.0, 6);
        assert_eq!(counts.iter().take(4).sum::<u64>(), 800);
        for (count, expected) in counts.iter().zip([50_u64, 150, 250, 350, 400, 400]) {
            assert!(count.abs_diff(expected) <= 1, "{counts:?}");
        }
    }

    #[test]
    fn before_a_ramp_the_warm_up_is_gentle() {
        assert_eq!(per_second(plan(2, 2, 4), 100.0, 2), [10, 10]);
        assert_eq!(per_second(plan(2, 0, 4), 100.0, 2), [100, 100]);
    }

    #[test]
    fn the_whole_run_has_as_many_as_are_due_before_its_end() {
        assert_eq!(plan(1, 0, 3).due_in_all(100.0), 400);
        assert_eq!(plan(0, 4, 6).due_in_all(400.0), 1600);
        let counts: u64 = per_second(plan(2, 3, 7), 77.0, 9).iter().sum();
        assert_eq!(plan(2, 3, 7).due_in_all(77.0), counts);
    }

    #[test]
    fn dues_only_rise() {
        let plan = plan(1, 2, 5);
        let dues: Vec<_> = (0..2000).map(|index| plan.due(index, 333.0)).collect();
        assert!(dues.is_sorted());
    }

    #[test]
    fn connections_join_over_the_ramp() {
        let joins: Vec<_> = (0..4).map(|index| plan(0, 4, 9).joins(index, 4).as_secs()).collect();
        assert_eq!(joins, [0, 1, 2, 3]);
        assert_eq!(plan(1, 0, 9).joins(3, 4), Duration::ZERO);
        assert_eq!(plan(1, 4, 9).joins(0, 4), Duration::ZERO);
        assert_eq!(plan(1, 4, 9).joins(2, 4), Duration::from_secs(3));
    }

    #[test]
    fn phases_follow_one_another() {
        let plan = plan(1, 2, 5);
        let phases = [0, 1, 2, 3, 5, 6].map(|second| plan.phase(Duration::from_secs(second)));
        assert_eq!(phases, ["warm-up", "ramp", "ramp", "measuring", "measuring", "draining"]);
        assert!(!plan.is_measured(Duration::from_millis(999)));
        assert!(plan.is_measured(Duration::from_secs(1)));
    }
}
