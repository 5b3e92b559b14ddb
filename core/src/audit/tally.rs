//! Counts what is too frequent to record one by one: for each caller and second, how often, and the first as a sample.
//! Pure; knows no clock and no record.

use std::collections::HashMap;

use crate::clock::Timestamp;

/// Where callers past the bound are counted together.
const OTHERS: &str = "";

/// What one caller did in one second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tallied<T> {
    /// The caller as it was given; empty for all those past the bound on callers.
    pub caller: String,
    /// Seconds since the epoch.
    pub second: u64,
    /// At least 1.
    pub count: u64,
    /// What came with the first of them.
    pub sample: T,
}

/// Counts per caller and second.
#[derive(Debug)]
pub struct Tally<T> {
    open: HashMap<String, Tallied<T>>,
    callers_max: usize,
}

impl<T> Tally<T> {
    /// Counts at most `callers_max` callers apart in a second, and the rest together.
    pub fn new(callers_max: usize) -> Self {
        Self { open: HashMap::new(), callers_max }
    }

    /// Counts one, and answers the caller's earlier second if this begins a new one.
    pub fn add(&mut self, caller: &str, now: Timestamp, sample: impl FnOnce() -> T) -> Option<Tallied<T>> {
        let second = now.seconds();
        let fits = self.open.contains_key(caller) || self.open.len() < self.callers_max;
        let caller = if fits { caller } else { OTHERS };
        if let Some(tallied) = self.open.get_mut(caller).filter(|tallied| tallied.second == second) {
            tallied.count = tallied.count.saturating_add(1);
            return None;
        }
        let begun = Tallied { caller: caller.to_owned(), second, count: 1, sample: sample() };
        self.open.insert(caller.to_owned(), begun)
    }

    /// Takes out every second that is over, earliest first.
    pub fn flush(&mut self, now: Timestamp) -> Vec<Tallied<T>> {
        let second = now.seconds();
        let over = self.open.extract_if(|_, tallied| tallied.second != second);
        let mut over: Vec<_> = over.map(|(_, tallied)| tallied).collect();
        over.sort_by(|left, right| (left.second, &left.caller).cmp(&(right.second, &right.caller)));
        over
    }

    /// Takes out everything, as before a stop.
    pub fn finish(mut self) -> Vec<Tallied<T>> {
        self.flush(Timestamp(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_second_is_one_count_with_its_first_as_the_sample() {
        let mut tally = Tally::new(10);
        assert_eq!(tally.add("a", Timestamp(1_000), || 1), None);
        assert_eq!(tally.add("a", Timestamp(1_999), || 2), None);
        assert_eq!(tally.add("b", Timestamp(1_500), || 3), None);
        assert_eq!(tally.flush(Timestamp(1_999)), vec![]);
        let next = tally.add("a", Timestamp(2_000), || 4);
        assert_eq!(next, Some(Tallied { caller: "a".to_owned(), second: 1, count: 2, sample: 1 }));
        assert_eq!(
            tally.flush(Timestamp(2_000)),
            vec![Tallied { caller: "b".to_owned(), second: 1, count: 1, sample: 3 }]
        );
        assert_eq!(tally.finish(), vec![Tallied { caller: "a".to_owned(), second: 2, count: 1, sample: 4 }]);
    }

    #[test]
    fn callers_past_the_bound_are_counted_together() {
        let mut tally = Tally::new(1);
        tally.add("a", Timestamp(0), || 'a');
        tally.add("b", Timestamp(0), || 'b');
        tally.add("c", Timestamp(0), || 'c');
        tally.add("a", Timestamp(0), || 'd');
        let counts: Vec<_> = tally.finish().into_iter().map(|t| (t.caller, t.count, t.sample)).collect();
        assert_eq!(counts, vec![(String::new(), 2, 'b'), ("a".to_owned(), 2, 'a')]);
    }

    proptest! {
        #[test]
        fn nothing_is_counted_twice_or_lost(calls in proptest::collection::vec(("[a-e]", 0_u64..300), 0..200)) {
            let mut tally = Tally::new(3);
            let mut now = 0;
            let mut counted = 0;
            for (caller, step) in &calls {
                now += step;
                counted += tally.add(caller, Timestamp(now), || ()).map_or(0, |tallied| tallied.count);
            }
            counted += tally.finish().iter().map(|tallied| tallied.count).sum::<u64>();
            prop_assert_eq!(counted, calls.len() as u64);
        }
    }
}
