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
/// The median of at least so many rounds.
const ROUNDS_MIN: usize = 9;

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
    let ratio = |case: &Case<'_>| median(case.figures.iter().map(ratio_of));
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
    let paired = paired(&cases);
    let ratios = median(paired.iter().copied());
    let (least, most) =
        paired.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), one| (least.min(*one), most.max(*one)));
    let figure = format!("{ratios:.2} (each round's: {least:.2} to {most:.2})");
    let row = Row::new(SECTION, "Encrypt's over the floor's", figure)
        .number("ratio", ratios)
        .number("ratio_least", least)
        .number("ratio_most", most);
    stage.row(row.target(format!("at most {RATIO_MAX}"), ratios <= RATIO_MAX));
    Ok(())
}

/// p99 over p50.
fn ratio_of(&[p50, p99, ..]: &[f64; 4]) -> f64 {
    p99 / p50
}

/// Each round's ratios against each other. What disturbs the machine for longer than a round then disturbs both sides of
/// a quotient, where in two medians it can be on one side alone.
fn paired(cases: &[Case<'_>]) -> Vec<f64> {
    let [floor, .., measured] = cases else { return Vec::new() };
    measured.figures.iter().zip(&floor.figures).map(|(ours, floors)| ratio_of(ours) / ratio_of(floors)).collect()
}
