//! Which of several endpoints an attempt goes to: each connection has one at home, and leaves it while it fails.
//! Pure: knows numbers of endpoints and times; opens nothing.

use std::time::{Duration, Instant};

use clap::ValueEnum;

/// How long a client keeps away from an endpoint that failed it.
const AVOIDED: Duration = Duration::from_secs(5);

/// What a client does about an endpoint that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Failover {
    /// Stays.
    None,
    /// As an SDK with several addresses: a retry goes to another one, and so do calls while the first is avoided.
    Sdk,
}

/// One client's view of the endpoints.
#[derive(Debug)]
pub(crate) struct Choice {
    failover: Failover,
    home: usize,
    /// For each endpoint, until when it is avoided.
    avoided: Vec<Option<Instant>>,
}

impl Choice {
    /// `home` is taken modulo the number of endpoints, which is at least one.
    pub(crate) fn new(failover: Failover, endpoints: usize, home: usize) -> Self {
        let endpoints = endpoints.max(1);
        Self { failover, home: home % endpoints, avoided: vec![None; endpoints] }
    }

    /// Where the next attempt goes: home, or the next one round that is neither avoided nor where the same call just
    /// failed; home if there is none.
    pub(crate) fn next(&self, failed: Option<usize>, now: Instant) -> usize {
        let all = self.avoided.len();
        let failed = failed.filter(|_| self.failover == Failover::Sdk);
        let mut round = (0..all).map(|step| (self.home + step) % all);
        round.find(|index| failed != Some(*index) && !self.is_avoided(*index, now)).unwrap_or(self.home)
    }

    /// An endpoint did not answer.
    pub(crate) fn failed(&mut self, index: usize, now: Instant) {
        if self.failover == Failover::Sdk
            && let Some(until) = self.avoided.get_mut(index)
        {
            *until = Some(now + AVOIDED);
        }
    }

    /// Whether an attempt there is one that another endpoint's failure sent there.
    pub(crate) fn is_away(&self, index: usize) -> bool {
        index != self.home
    }

    fn is_avoided(&self, index: usize, now: Instant) -> bool {
        self.avoided.get(index).copied().flatten().is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_are_spread() {
        let now = Instant::now();
        let homes: Vec<_> = (0..6).map(|home| Choice::new(Failover::Sdk, 3, home).next(None, now)).collect();
        assert_eq!(homes, [0, 1, 2, 0, 1, 2]);
    }

    #[test]
    fn an_sdk_leaves_an_endpoint_that_failed_and_comes_back() {
        let now = Instant::now();
        let mut choice = Choice::new(Failover::Sdk, 3, 1);
        choice.failed(1, now);
        assert_eq!(choice.next(None, now), 2);
        assert!(choice.is_away(2));
        choice.failed(2, now + Duration::from_secs(1));
        assert_eq!(choice.next(None, now + Duration::from_secs(1)), 0);
        assert_eq!(choice.next(None, now + AVOIDED), 1);
        assert!(!choice.is_away(1));
    }

    #[test]
    fn with_all_avoided_it_stays_at_home() {
        let now = Instant::now();
        let mut choice = Choice::new(Failover::Sdk, 2, 1);
        choice.failed(0, now);
        choice.failed(1, now);
        assert_eq!(choice.next(None, now), 1);
    }

    #[test]
    fn a_retry_goes_elsewhere_and_the_next_call_does_not() {
        let now = Instant::now();
        let choice = Choice::new(Failover::Sdk, 2, 0);
        assert_eq!((choice.next(Some(0), now), choice.next(None, now)), (1, 0));
        assert_eq!(Choice::new(Failover::Sdk, 1, 0).next(Some(0), now), 0);
        assert_eq!(Choice::new(Failover::None, 2, 0).next(Some(0), now), 0);
    }

    #[test]
    fn without_failover_nothing_moves() {
        let now = Instant::now();
        let mut choice = Choice::new(Failover::None, 3, 2);
        choice.failed(2, now);
        assert_eq!(choice.next(None, now), 2);
    }
}
