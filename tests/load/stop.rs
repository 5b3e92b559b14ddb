//! The end of a run, as everyone in it learns of it: first no new calls, then none at all, and for which reason.
//! Knows no signal and no clock.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

use tokio::sync::watch;

use crate::record::{EndedBy, Violation};

const RUNNING: u8 = 0;
const DRAINING: u8 = 1;
const CUT: u8 = 2;

/// Shared by everyone in a run.
#[derive(Debug)]
pub(crate) struct Stop {
    level: AtomicU8,
    changed: watch::Sender<u8>,
    why: OnceLock<EndedBy>,
    violation: OnceLock<Violation>,
}

impl Default for Stop {
    fn default() -> Self {
        Self {
            level: AtomicU8::new(RUNNING),
            changed: watch::Sender::new(RUNNING),
            why: OnceLock::new(),
            violation: OnceLock::new(),
        }
    }
}

impl Stop {
    /// No new calls; those under way are waited for. The first reason is the one that is kept.
    pub(crate) fn drain(&self, why: EndedBy) {
        let _ = self.why.set(why);
        self.raise(DRAINING);
    }

    /// Calls under way are given up.
    pub(crate) fn cut(&self) {
        self.raise(CUT);
    }

    /// The first violation ends the run.
    pub(crate) fn broken(&self, violation: Violation) {
        let _ = self.violation.set(violation);
        self.drain(EndedBy::Violation);
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.level.load(Ordering::Relaxed) >= DRAINING
    }

    pub(crate) fn violation(&self) -> Option<&Violation> {
        self.violation.get()
    }

    /// Why the run ended; by its duration if nobody said otherwise.
    pub(crate) fn why(&self) -> EndedBy {
        if self.violation.get().is_some() {
            return EndedBy::Violation;
        }
        self.why.get().copied().unwrap_or_default()
    }

    /// Waits until there are no new calls.
    pub(crate) async fn drained(&self) {
        self.reached(DRAINING).await;
    }

    /// Waits until calls under way are given up.
    pub(crate) async fn was_cut(&self) {
        self.reached(CUT).await;
    }

    async fn reached(&self, level: u8) {
        // The sender lives as long as this, so that the channel cannot close.
        let _ = self.changed.subscribe().wait_for(|now| *now >= level).await;
    }

    fn raise(&self, level: u8) {
        self.level.fetch_max(level, Ordering::Relaxed);
        self.changed.send_modify(|now| *now = level.max(*now));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stays_and_a_violation_outranks_it() {
        let stop = Stop::default();
        assert!(!stop.is_draining());
        stop.drain(EndedBy::Count);
        stop.drain(EndedBy::Interrupt);
        assert!(stop.is_draining());
        assert_eq!(stop.why(), EndedBy::Count);
        stop.broken(Violation { what: "first".to_owned(), ..Violation::default() });
        stop.broken(Violation { what: "second".to_owned(), ..Violation::default() });
        assert_eq!(stop.why(), EndedBy::Violation);
        assert_eq!(stop.violation().map(|violation| violation.what.as_str()), Some("first"));
    }
}
