//! When a key was revoked, and whether a call under it may then have succeeded.
//! Pure: compares times of this machine's one monotonic clock; knows no connection.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Calls are far shorter than so many revocations of one key.
const PERIODS_MAX: usize = 64;

/// How a key is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum How {
    Disable,
    Policy,
    Grant,
}

impl How {
    pub(crate) const ALL: [Self; 3] = [Self::Disable, Self::Policy, Self::Grant];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Disable => "DisableKey",
            Self::Policy => "PutKeyPolicy",
            Self::Grant => "RevokeGrant",
        }
    }

    /// What a call under the key is refused with.
    fn code(self) -> &'static str {
        match self {
            Self::Disable => "DisabledException",
            Self::Policy | Self::Grant => "AccessDeniedException",
        }
    }
}

/// One time that a key was revoked. Each time is when the load generator sent or heard something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Period {
    /// The revocation was sent.
    pub(crate) asked: Instant,
    /// It was answered as done.
    pub(crate) revoked: Option<Instant>,
    /// That the key be usable again was sent.
    pub(crate) restoring: Option<Instant>,
    /// That was answered as done.
    restored: Option<Instant>,
    /// Not so while an earlier call that restores the key may still be on its way.
    judged: bool,
}

/// What is known of a key that is revoked and restored.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) how: How,
    periods: Mutex<VecDeque<Period>>,
}

impl Watch {
    pub(crate) fn new(how: How) -> Self {
        Self { how, periods: Mutex::new(VecDeque::new()) }
    }

    /// A revocation is about to be sent.
    pub(crate) fn asked(&self, now: Instant, judged: bool) {
        let mut periods = self.periods();
        if periods.len() == PERIODS_MAX {
            periods.pop_front();
        }
        periods.push_back(Period { asked: now, revoked: None, restoring: None, restored: None, judged });
    }

    /// It was answered as done.
    pub(crate) fn revoked(&self, now: Instant) {
        self.last(|period| period.revoked = Some(now));
    }

    /// That the key be usable again is about to be sent.
    pub(crate) fn restoring(&self, now: Instant) {
        self.last(|period| period.restoring = period.restoring.or(Some(now)));
    }

    /// That was answered as done.
    pub(crate) fn restored(&self, now: Instant) {
        self.last(|period| period.restored = Some(now));
    }

    /// The revocation that a success breaks: one that was answered before the call began, with nothing sent to restore
    /// the key before the call had ended.
    pub(crate) fn broken_by(&self, begun: Instant, ended: Instant) -> Option<Period> {
        let broken = |period: &&Period| {
            period.judged
                && period.revoked.is_some_and(|revoked| revoked < begun)
                && period.restoring.is_none_or(|restoring| ended < restoring)
        };
        self.periods().iter().find(broken).copied()
    }

    /// Whether a refusal is what was asked for: the key was, or may have been, revoked while the call was under way.
    pub(crate) fn excuses(&self, code: &str, begun: Instant, ended: Instant) -> bool {
        let overlaps =
            |period: &Period| period.asked <= ended && period.restored.is_none_or(|restored| begun <= restored);
        code == self.how.code() && self.periods().iter().any(overlaps)
    }

    /// Whether the key is usable, as far as is known.
    pub(crate) fn is_restored(&self) -> bool {
        self.periods().back().is_none_or(|period| period.restored.is_some())
    }

    fn last(&self, change: impl FnOnce(&mut Period)) {
        if let Some(period) = self.periods().back_mut() {
            change(period);
        }
    }

    fn periods(&self) -> MutexGuard<'_, VecDeque<Period>> {
        // Every change is one assignment or push, so that it is whole whatever became of a thread that held it.
        self.periods.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Milliseconds after a fixed time.
    fn at(ms: u64) -> Instant {
        static START: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);
        *START + Duration::from_millis(ms)
    }

    /// Revoked from 100 (sent) and 110 (answered) until 200 (sent) and 210 (answered).
    fn watch() -> Watch {
        let watch = Watch::new(How::Disable);
        watch.asked(at(100), true);
        watch.revoked(at(110));
        watch.restoring(at(200));
        watch.restored(at(210));
        watch
    }

    #[test]
    fn a_success_that_began_after_the_answer_is_a_violation() {
        assert!(watch().broken_by(at(111), at(120)).is_some());
        assert!(watch().broken_by(at(111), at(199)).is_some());
    }

    #[test]
    fn a_success_that_the_revocation_may_have_missed_is_none() {
        let began_before_the_answer = watch().broken_by(at(110), at(120));
        let ended_after_the_key_was_asked_back = watch().broken_by(at(150), at(200));
        let before = watch().broken_by(at(50), at(90));
        let after = watch().broken_by(at(220), at(230));
        assert_eq!([began_before_the_answer, ended_after_the_key_was_asked_back, before, after], [None; 4]);
    }

    #[test]
    fn a_key_that_is_still_revoked_has_no_success() {
        let watch = Watch::new(How::Grant);
        watch.asked(at(0), true);
        assert!(watch.broken_by(at(50), at(60)).is_none(), "nothing was answered yet");
        watch.revoked(at(10));
        assert!(watch.broken_by(at(50), at(60)).is_some());
        assert!(!watch.is_restored());
    }

    #[test]
    fn earlier_revocations_count_still() {
        let watch = watch();
        watch.asked(at(300), true);
        assert!(watch.broken_by(at(111), at(120)).is_some());
        assert!(watch.broken_by(at(301), at(302)).is_none());
    }

    #[test]
    fn what_is_not_judged_is_no_violation() {
        let watch = Watch::new(How::Disable);
        watch.asked(at(0), false);
        watch.revoked(at(10));
        assert!(watch.broken_by(at(50), at(60)).is_none());
        assert!(watch.excuses("DisabledException", at(50), at(60)));
    }

    #[test]
    fn refusals_are_excused_while_the_key_was_or_may_have_been_revoked() {
        let excused = |begun, ended| watch().excuses("DisabledException", at(begun), at(ended));
        assert!(excused(90, 100) && excused(105, 106) && excused(150, 160) && excused(205, 206) && excused(210, 300));
        assert!(!excused(90, 99), "it was not revoked yet");
        assert!(!excused(211, 212), "it was usable again");
        assert!(!watch().excuses("AccessDeniedException", at(150), at(160)), "it is refused for another reason");
    }
}
