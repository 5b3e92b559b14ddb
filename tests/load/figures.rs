//! Makes the report of a run from what was counted. Knows figures; measures nothing.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kms_core::clock::{Clock as _, SystemClock, Timestamp};
use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;
use crate::measure::Tally;
use crate::operations::Operation;
use crate::record::{EndedBy, EndpointFigures, FORMAT_VERSION, Report, Second, Violation};
use crate::setup::Mix;
use crate::worker::Load;

const TOOL: &str = concat!("kannuki-load ", env!("CARGO_PKG_VERSION"));

/// What was measured beside the calls.
pub(crate) struct Measured {
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) started_at: Timestamp,
    pub(crate) seconds: Duration,
    pub(crate) longest_gap: Duration,
    pub(crate) own_cpu: Duration,
    /// Of each endpoint: attempts, those that failed, those that failed over to it, and connections that were opened.
    pub(crate) places: Vec<[u64; 4]>,
    pub(crate) timeline: Vec<Second>,
    pub(crate) left_out: BTreeMap<String, String>,
}

/// `tallies` are by operation, in the order of `Operation::ALL`.
pub(crate) fn report(load: &Load, wanted: &Mix, tallies: &[Tally], measured: Measured) -> Outcome<Report> {
    let mut total = Tally::new()?;
    tallies.iter().try_for_each(|tally| total.merge(tally))?;
    let rows = rows(wanted).filter(|operation| !measured.left_out.contains_key(operation.name()));
    let operations = rows.filter_map(|operation| Some(tallies.get(operation as usize)?.figures(operation.name())));
    let endpoints = load.network.places.iter().zip(&measured.places).map(|(place, counts)| {
        let [attempts, failed, failed_over_to, connections_opened] = *counts;
        EndpointFigures { url: place.url.clone(), attempts, failed, failed_over_to, connections_opened }
    });
    Ok(Report {
        format_version: FORMAT_VERSION,
        tool: TOOL.to_owned(),
        started_at: measured.started_at.iso(),
        options: measured.options,
        warm_up_seconds: load.plan.warm_up.as_secs_f64(),
        seconds: measured.seconds.as_secs_f64(),
        ended_by: load.stop.why(),
        operations: operations.collect(),
        total: total.figures("total"),
        endpoints: endpoints.collect(),
        left_out: measured.left_out,
        timeline: measured.timeline,
        longest_gap_us: u64::try_from(measured.longest_gap.as_micros()).unwrap_or(u64::MAX),
        calls_not_made: not_made(load),
        checks: load.scene.counts.shown(),
        violation: load.stop.violation().cloned(),
        own_cpu_seconds: measured.own_cpu.as_secs_f64(),
    })
}

/// The report of a run that came to nothing, because a promise was broken before anything was measured.
pub(crate) fn broken_early(options: BTreeMap<String, String>, violation: Violation) -> Report {
    Report {
        format_version: FORMAT_VERSION,
        tool: TOOL.to_owned(),
        started_at: SystemClock.now().iso(),
        options,
        ended_by: EndedBy::Violation,
        violation: Some(violation),
        ..Report::default()
    }
}

/// Of a run that was not ended before its time.
fn not_made(load: &Load) -> u64 {
    match load.plan.rate {
        Some(rate) if load.stop.why() == EndedBy::Duration => {
            load.plan.due_in_all(rate).saturating_sub(load.made.load(Ordering::Relaxed))
        }
        _ => 0,
    }
}

/// The mix, each operation with the one that comes behind it.
fn rows(mix: &Mix) -> impl Iterator<Item = Operation> {
    mix.iter().flat_map(|(operation, _)| [Some(*operation), operation.behind()]).flatten()
}

/// The CPU time that this process has used.
pub(crate) fn own_cpu() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let nanos = u32::try_from(used.tv_nsec).unwrap_or_default();
    Duration::new(u64::try_from(used.tv_sec).unwrap_or_default(), nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_the_mix_with_what_comes_behind() {
        let mix = vec![(Operation::CreateGrant, 1.0), (Operation::Encrypt, 2.0)];
        let names: Vec<_> = rows(&mix).map(Operation::name).collect();
        assert_eq!(names, ["CreateGrant", "RevokeGrant", "Encrypt"]);
    }

    #[test]
    fn cpu_time_only_grows() {
        let before = own_cpu();
        let sum = (0..3_000_000_u64).fold(0_u64, |sum, each| sum.wrapping_mul(31).wrapping_add(each));
        assert!(own_cpu() > before, "{sum}");
    }
}
