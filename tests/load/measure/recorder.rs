//! Where one thread writes down its calls, and what all threads share while they run.
//! Is told of calls that are in the figures and of no others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedSender;

use super::gap::Gap;
use super::timeline::Part;
use super::{Ended, Tally};
use crate::Outcome;
use crate::operations::Operation;

/// What everyone may look at while a run goes on.
#[derive(Debug)]
pub(crate) struct Totals {
    pub(crate) start: Instant,
    pub(crate) succeeded: AtomicU64,
    pub(crate) failed_attempts: AtomicU64,
    pub(crate) failed_calls: AtomicU64,
    gap: Mutex<Gap>,
}

impl Totals {
    pub(crate) fn new(start: Instant) -> Self {
        Self {
            start,
            succeeded: AtomicU64::new(0),
            failed_attempts: AtomicU64::new(0),
            failed_calls: AtomicU64::new(0),
            gap: Mutex::new(Gap::default()),
        }
    }

    /// Since the start of the run.
    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }

    /// A call begins that is in the figures.
    pub(crate) fn begun(&self, due: Duration) {
        self.gap(|gap| gap.begun(due));
    }

    pub(crate) fn ended(&self, at: Duration, succeeded: bool) {
        self.gap(|gap| gap.ended(at, succeeded));
    }

    pub(crate) fn longest_gap(&self) -> Duration {
        let now = self.elapsed();
        let mut gap = self.gap.lock().unwrap_or_else(PoisonError::into_inner);
        gap.longest(now)
    }

    fn gap(&self, change: impl FnOnce(&mut Gap)) {
        change(&mut self.gap.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A part of a second, with the second's number.
pub(crate) type HandedIn = (u64, Part);

/// One thread's figures.
#[derive(Debug)]
pub(crate) struct Recorder {
    tallies: Vec<Tally>,
    second: u64,
    part: Part,
    /// Whether there is anything in `part`.
    used: bool,
    out: UnboundedSender<HandedIn>,
}

impl Recorder {
    pub(crate) fn new(out: UnboundedSender<HandedIn>) -> Outcome<Self> {
        let tallies = Operation::ALL.iter().map(|_| Tally::new()).collect::<Outcome<_>>()?;
        Ok(Self { tallies, second: 0, part: Part::new()?, used: false, out })
    }

    /// Writes down a call that is in the figures and ended at this time since the start of what is measured.
    pub(crate) fn add(&mut self, operation: Operation, call: &Ended, at: Duration, totals: &Totals) -> Outcome<()> {
        self.pass(at)?;
        let failed = call.error.is_some();
        let failed_attempts = u64::try_from(call.failed_before.len()).unwrap_or(u64::MAX) + u64::from(failed);
        if let Some(tally) = self.tallies.get_mut(operation as usize) {
            tally.add(call);
        }
        self.part.add(call.latency, failed_attempts, failed);
        self.used = true;
        let count = if failed { &totals.failed_calls } else { &totals.succeeded };
        count.fetch_add(1, Ordering::Relaxed);
        if failed_attempts > 0 {
            totals.failed_attempts.fetch_add(failed_attempts, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Hands in the second that is over by this time since the start of what is measured.
    pub(crate) fn pass(&mut self, at: Duration) -> Outcome<()> {
        // A call that ended before another one did may be written down after it: it counts for the later second.
        if at.as_secs() > self.second {
            self.hand_in()?;
            self.second = at.as_secs();
        }
        Ok(())
    }

    /// Hands in what is left; the tallies are by operation, in the order of `Operation::ALL`.
    pub(crate) fn finish(mut self) -> Outcome<Vec<Tally>> {
        self.hand_in()?;
        Ok(self.tallies)
    }

    fn hand_in(&mut self) -> Outcome<()> {
        if self.used {
            let part = std::mem::replace(&mut self.part, Part::new()?);
            // Whoever collects is there until all threads have ended.
            let _ = self.out.send((self.second, part));
            self.used = false;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use super::*;

    #[test]
    fn each_second_is_handed_in_once_and_only_if_something_happened() {
        let (out, mut collected) = tokio::sync::mpsc::unbounded_channel();
        let mut recorder = Recorder::new(out).unwrap();
        let totals = Totals::new(Instant::now());
        let call = Ended {
            latency: Duration::from_millis(1),
            error: None,
            failed_before: vec!["closed".into()],
            bytes_sent: 1,
            bytes_received: 1,
        };
        for ms in [10, 20, 1500, 5100] {
            recorder.add(Operation::Encrypt, &call, Duration::from_millis(ms), &totals).unwrap();
        }
        let tallies = recorder.finish().unwrap();
        let mut seconds = Vec::new();
        while let Ok((second, _)) = collected.try_recv() {
            seconds.push(second);
        }
        assert_eq!(seconds, [0, 1, 5]);
        assert_eq!(tallies[Operation::Encrypt as usize].figures("Encrypt").calls, 4);
        assert_eq!((totals.succeeded.into_inner(), totals.failed_attempts.into_inner()), (4, 4));
    }
}
