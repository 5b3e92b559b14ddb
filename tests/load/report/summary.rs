//! What a run comes to, in words that all ways of showing it share.
//! Knows the record; not where the words go.

use super::units::{counted, grouped, seconds, significant};
use crate::record::{EndedBy, Report};

/// From this share of a core on, the load generator is taken for the bottleneck.
const OWN_CPU_SHARE_MAX: f64 = 0.9;

/// What the checks say of the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Violation,
    /// All that was checked held, so many times.
    Held(u64),
    Unchecked,
    NothingSucceeded,
    NoCalls,
}

impl Verdict {
    pub(super) fn of(report: &Report) -> Self {
        let checked = report.checks.values().fold(0_u64, |sum, count| sum.saturating_add(*count));
        match () {
            () if report.violation.is_some() => Self::Violation,
            () if report.total.calls == 0 => Self::NoCalls,
            () if report.total.succeeded == 0 => Self::NothingSucceeded,
            () if checked == 0 => Self::Unchecked,
            () => Self::Held(checked),
        }
    }

    pub(super) fn sentence(self) -> String {
        match self {
            Self::Violation => "Violation: the service did what it must not.".to_owned(),
            Self::Held(checked) => format!("No violation in {}.", counted(checked, "check")),
            Self::Unchecked => "Nothing was checked.".to_owned(),
            Self::NothingSucceeded => "No call succeeded.".to_owned(),
            Self::NoCalls => "No calls were made.".to_owned(),
        }
    }
}

/// `30 s after 5 s of warm-up, ended by a signal; 7 calls due and not made`; the usual goes without saying.
pub(super) fn how_long(report: &Report) -> String {
    let mut words = seconds(report.seconds);
    if report.warm_up_seconds > 0.0 {
        words += &format!(" after {} of warm-up", seconds(report.warm_up_seconds));
    }
    words += match report.ended_by {
        EndedBy::Duration => "",
        EndedBy::Count => ", ended by the number of calls",
        EndedBy::Interrupt => ", ended by a signal",
        EndedBy::Violation => ", ended by the violation",
    };
    if report.calls_not_made > 0 {
        words += &format!("; {} due and not made", counted(report.calls_not_made, "call"));
    }
    words
}

/// `https://a:1 and 2 more endpoints`
pub(super) fn against(report: &Report) -> String {
    match report.endpoints.as_slice() {
        [] => "no endpoint".to_owned(),
        [one] => one.url.clone(),
        [first, others @ ..] => format!("{} and {}", first.url, counted(others.len() as u64, "more endpoint")),
    }
}

/// Whether the figures say more of the load generator than of the service.
pub(super) fn is_bottleneck(report: &Report) -> bool {
    report.seconds > 0.0 && report.own_cpu_seconds >= OWN_CPU_SHARE_MAX * report.seconds
}

/// The share of a core that the load generator itself took: `40 % of a core`.
pub(super) fn own_share(report: &Report) -> String {
    let share = if report.seconds > 0.0 { report.own_cpu_seconds / report.seconds } else { 0.0 };
    format!("{} % of a core", grouped((100.0 * share).round() as u64))
}

/// What the load generator itself took.
pub(super) fn own_cost(report: &Report) -> String {
    let (took, share) = (significant(report.own_cpu_seconds), own_share(report));
    format!("{took} CPU seconds in {} ({share})", seconds(report.seconds))
}

pub(super) const BOTTLENECK: &str =
    "The load generator itself was the bottleneck: the figures say more of it than of the service.";
