//! What was accepted and could be presented again: token ids until they are over, of a bounded number.
//! Knows seconds and ids; what a token is, `attestation` knows.

use std::collections::{BTreeMap, HashSet};

use aws_lc_rs::digest;

/// A token's id, shortened to a size of its own: half of its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id([u8; 16]);

impl Id {
    pub(super) fn of(text: &str) -> Self {
        let hash = digest::digest(&digest::SHA256, text.as_bytes());
        Self(hash.as_ref().first_chunk().copied().unwrap_or_default())
    }
}

/// Why an id is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Seen,
    /// Its time is over, so whether it was seen is no longer known.
    Over,
    Full,
}

#[derive(Debug)]
pub(super) struct Replays {
    seen: HashSet<Id>,
    by_last_second: BTreeMap<u64, Vec<Id>>,
    count_max: usize,
    /// INVARIANT: ids whose last second is before this are forgotten, and never accepted: also when the clock goes back.
    horizon_second: u64,
}

impl Replays {
    pub(super) fn new(count_max: usize) -> Self {
        Self { seen: HashSet::new(), by_last_second: BTreeMap::new(), count_max, horizon_second: 0 }
    }

    /// Accepts an id that is valid up to and with `last_second`, once.
    pub(super) fn accept(&mut self, id: Id, last_second: u64, now_second: u64) -> Result<(), Refusal> {
        self.horizon_second = self.horizon_second.max(now_second);
        while let Some(oldest) = self.by_last_second.first_entry().filter(|oldest| *oldest.key() < self.horizon_second)
        {
            oldest.remove().iter().for_each(|id| {
                self.seen.remove(id);
            });
        }
        if last_second < self.horizon_second {
            return Err(Refusal::Over);
        }
        if self.seen.contains(&id) {
            return Err(Refusal::Seen);
        }
        if self.seen.len() >= self.count_max {
            return Err(Refusal::Full);
        }
        self.seen.insert(id);
        self.by_last_second.entry(last_second).or_default().push(id);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_and_until_it_is_over() {
        let mut replays = Replays::new(3);
        let [a, b, c, d] = ["a", "b", "c", "d"].map(Id::of);
        assert_eq!(replays.accept(a, 105, 100), Ok(()));
        assert_eq!(replays.accept(a, 105, 105), Err(Refusal::Seen));
        // The same id with a later end is the same id.
        assert_eq!(replays.accept(a, 160, 105), Err(Refusal::Seen));
        assert_eq!(replays.accept(b, 110, 105), Ok(()));
        assert_eq!(replays.accept(c, 110, 105), Ok(()));
        assert_eq!(replays.accept(d, 110, 105), Err(Refusal::Full));
        // `a` is over, which makes room.
        assert_eq!(replays.accept(d, 110, 106), Ok(()));
        assert_eq!(replays.accept(a, 105, 106), Err(Refusal::Over));
        // The clock went back: what was forgotten is not accepted again.
        assert_eq!(replays.accept(a, 105, 100), Err(Refusal::Over));
        assert_eq!(replays.accept(b, 110, 100), Err(Refusal::Seen));
        assert_eq!(replays.accept(a, 170, 111), Ok(()));
        assert_eq!((replays.seen.len(), replays.by_last_second.len()), (1, 1));
    }
}
