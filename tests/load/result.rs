//! Makes the report of a run from what was counted. Knows figures; measures nothing.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kms_core::clock::Timestamp;
use rustix::time::{ClockId, clock_gettime};

use crate::Outcome;
use crate::call::PlaceFigures;
use crate::measure::Tally;
use crate::operations::Operation;
use crate::record::{EndpointFigures, FORMAT_VERSION, Report, Second};
use crate::setup::Mix;
use crate::worker::Load;

/// What was measured beside the calls.
pub(crate) struct Measured {
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) started_at: Timestamp,
    pub(crate) seconds: Duration,
    pub(crate) longest_gap: Duration,
    pub(crate) own_cpu: Duration,
    /// What had been counted of each endpoint before.
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
    let places = load.network.places.iter().zip(&load.network.figures).zip(&measured.places);
    let endpoints = places.map(|((place, now), before)| {
        let [attempts, failed, failed_over_to, connections_opened] =
            std::array::from_fn(|index| at(&counted(now), index).saturating_sub(at(before, index)));
        EndpointFigures { url: place.url.clone(), attempts, failed, failed_over_to, connections_opened }
    });
    Ok(Report {
        format_version: FORMAT_VERSION,
        tool: concat!("kannuki-load ", env!("CARGO_PKG_VERSION")).to_owned(),
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
        checks: load.scene.counts.shown(),
        violation: load.stop.violation().cloned(),
        own_cpu_seconds: measured.own_cpu.as_secs_f64(),
    })
}

/// The mix, each operation with the one that comes behind it.
fn rows(mix: &Mix) -> impl Iterator<Item = Operation> {
    mix.iter().flat_map(|(operation, _)| [Some(*operation), operation.behind()]).flatten()
}

/// Attempts, failures, attempts that failed over, connections.
pub(crate) fn counted(of: &PlaceFigures) -> [u64; 4] {
    [&of.attempts, &of.failed, &of.failed_over_to, &of.connections_opened].map(|count| count.load(Ordering::Relaxed))
}

fn at(counts: &[u64; 4], index: usize) -> u64 {
    counts.get(index).copied().unwrap_or_default()
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
