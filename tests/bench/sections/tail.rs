//! How much longer the slowest hundredth waits than the middle, at half of the maximum rate: Encrypt against the floor.
//! An open loop at an even rate; latencies count from when a request was due.

use std::time::Duration;

use super::trio::{CONNECTIONS, Trio};
use crate::Outcome;
use crate::drive::{Lines, Offer};
use crate::figures::{grouped, median, time};
use crate::plan::Stage;
use crate::process::Server;
use crate::report::Row;

const SECTION: &str = "p99 over p50 at half of the maximum rate";
/// Of the floor's own.
const RATIO_MAX: f64 = 1.5;
/// Where the median of five is asked for.
const ROUNDS_MIN: usize = 5;

struct Case<'t> {
    name: &'static str,
    server: &'t Server,
    lines: Lines,
    per_second: f64,
    /// p50, p99, the pacer's p99, and p90, in nanoseconds; of each round.
    figures: Vec<[f64; 4]>,
}

pub(super) fn measure(stage: &mut Stage) -> Outcome<()> {
    let trio = Trio::start(stage, "tail")?;
    let mut cases = Vec::new();
    for (name, server, aim) in
        [("floor", &trio.floor, &trio.encrypt_floor), ("Encrypt", &trio.kannuki.server, &trio.encrypt)]
    {
        let mut lines = stage.driver.lines(aim, CONNECTIONS)?;
        stage.driver.closed(&mut lines, server, Duration::from_millis(500))?;
        let most = stage.driver.closed(&mut lines, server, stage.length)?.all_accepted()?.per_second();
        cases.push(Case { name, server, lines, per_second: most / 2.0, figures: Vec::new() });
    }
    let rounds = if stage.rounds > 1 { stage.rounds.max(ROUNDS_MIN) } else { 1 };
    for _ in 0..rounds {
        for Case { server, lines, per_second, figures, .. } in &mut cases {
            let offer = Offer { lines, per_second: *per_second };
            for shot in stage.driver.offered(&mut [offer], server, stage.length)? {
                let shot = shot.all_accepted()?;
                let of = |share| shot.accepted.value_at_quantile(share) as f64;
                figures.push([of(0.5), of(0.99), shot.lateness.value_at_quantile(0.99) as f64, of(0.9)]);
            }
        }
    }
    let ratio = |case: &Case<'_>| median(case.figures.iter().map(|[p50, p99, ..]| p99 / p50));
    let floor = cases.first().map_or(f64::NAN, ratio);
    for case in &cases {
        let of = |at: usize| median(case.figures.iter().filter_map(|figures| figures.get(at).copied()));
        let [p50, p90, p99] = [0, 3, 1].map(|at| time(of(at)));
        let figure = format!("p50 {p50}, p90 {p90}, p99 {p99}: {:.2} at {}/s", ratio(case), grouped(case.per_second));
        let row = Row::new(SECTION, case.name, figure)
            .number("p50_ns", of(0))
            .number("p90_ns", of(3))
            .number("p99_ns", of(1))
            .number("p99_over_p50", ratio(case))
            .number("per_second", case.per_second)
            .number("pacer_late_p99_ns", of(2));
        stage.row(row);
    }
    let ratios = cases.last().map_or(f64::NAN, ratio) / floor;
    let row = Row::new(SECTION, "Encrypt's over the floor's", format!("{ratios:.2}")).number("ratio", ratios);
    stage.row(row.target(format!("at most {RATIO_MAX}"), ratios <= RATIO_MAX));
    Ok(())
}
