//! Two runs side by side.
//! Knows two records; judges neither.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::grid::Grid;
use super::of_this_format;
use super::summary::{self, Verdict};
use super::table::availability;
use super::units::{duration, grouped, rate, seconds, shortened, significant};
use crate::record::{OperationFigures, Report};

const VALUE_CHARS_MAX: usize = 44;

/// Rates, latencies and failures of two runs with their ratios; refuses a report of another format.
pub(crate) fn compare(a: &Report, b: &Report) -> Result<String, String> {
    of_this_format(a.format_version).map_err(|why| format!("the first report {why}"))?;
    of_this_format(b.format_version).map_err(|why| format!("the second report {why}"))?;
    let mut text = String::new();
    for (name, report) in [("a", a), ("b", b)] {
        let against = shortened(&summary::against(report), 64);
        let _ = writeln!(
            text,
            "{name}: {against}, {}, begun {}",
            seconds(report.seconds),
            shortened(&report.started_at, 26)
        );
    }
    text.push('\n');
    text += &figures(a, b);
    text += &differences(a, b);
    text += &warnings(a, b);
    Ok(text)
}

fn figures(a: &Report, b: &Report) -> String {
    let mut grid = Grid::new(&["operation", "", "a", "b", "b/a"]);
    let mut alone = String::new();
    // The totals too, as soon as one of the runs has several operations.
    let several = a.operations.len().max(b.operations.len()) > 1;
    let (all_a, all_b) = (all(a, several), all(b, several));
    for of_a in &all_a {
        match all_b.iter().find(|of_b| of_b.name == of_a.name) {
            Some(of_b) => rows(&mut grid, (of_a, a.seconds), (of_b, b.seconds)),
            None => alone += &format!("{} is only in a\n", shortened(&of_a.name, 64)),
        }
    }
    for of_b in all_b.iter().filter(|of_b| all_a.iter().all(|of_a| of_a.name != of_b.name)) {
        alone += &format!("{} is only in b\n", shortened(&of_b.name, 64));
    }
    format!("{}\n{alone}", grid.text())
}

fn all(report: &Report, and_total: bool) -> Vec<&OperationFigures> {
    report.operations.iter().chain(and_total.then_some(&report.total)).collect()
}

fn rows(grid: &mut Grid, (a, a_seconds): (&OperationFigures, f64), (b, b_seconds): (&OperationFigures, f64)) {
    let rates = (rate(a.succeeded, a_seconds), rate(b.succeeded, b_seconds));
    let mut name = shortened(&a.name, 36);
    let mut row = |figure: &str, a: String, b: String, ratio: String| {
        grid.row([std::mem::take(&mut name), figure.to_owned(), a, b, ratio]);
    };
    row("calls/s", significant(rates.0), significant(rates.1), ratio(rates.0, rates.1));
    for (figure, a, b) in [
        ("p50", a.latency.p50_us, b.latency.p50_us),
        ("p99", a.latency.p99_us, b.latency.p99_us),
        ("p99.9", a.latency.p99_9_us, b.latency.p99_9_us),
    ] {
        row(figure, duration(a), duration(b), ratio(a as f64, b as f64));
    }
    for (figure, a, b) in [
        ("failed at first", a.failed_at_first, b.failed_at_first),
        ("failed", a.failed_after_retries, b.failed_after_retries),
    ] {
        row(figure, grouped(a), grouped(b), ratio(a as f64, b as f64));
    }
    let at_least = |of| availability(of).at_least().unwrap_or_else(|| "-".to_owned());
    row("available, at least", at_least(a), at_least(b), String::new());
}

/// `b` as a multiple of `a`; nothing is a multiple of nothing.
fn ratio(a: f64, b: f64) -> String {
    if a > 0.0 { significant_ratio(b / a) } else { "-".to_owned() }
}

fn significant_ratio(ratio: f64) -> String {
    if ratio < 0.1 { format!("{ratio:.3}") } else { significant(ratio) }
}

/// Options that the runs do not have alike: a ratio may come from them.
fn differences(a: &Report, b: &Report) -> String {
    let mut grid = Grid::new(&["option", "a", "b"]);
    let value = |report: &Report, name: &str| {
        report.options.get(name).map_or_else(|| "-".to_owned(), |value| shortened(value, VALUE_CHARS_MAX))
    };
    let names: BTreeSet<_> = a.options.keys().chain(b.options.keys()).collect();
    let mut differ: Vec<_> = names.into_iter().filter(|name| a.options.get(*name) != b.options.get(*name)).collect();
    differ.dedup();
    for name in &differ {
        grid.row([shortened(name, 24), value(a, name), value(b, name)]);
    }
    if differ.is_empty() {
        return "The options are the same.\n".to_owned();
    }
    format!("The options differ, and with them perhaps what was measured:\n{}", grid.text())
}

fn warnings(a: &Report, b: &Report) -> String {
    let mut text = String::new();
    for (name, report) in [("a", a), ("b", b)] {
        if matches!(Verdict::of(report), Verdict::Violation | Verdict::NoCalls | Verdict::NothingSucceeded) {
            let _ = writeln!(text, "{name}: {}", Verdict::of(report).sentence());
        }
        if summary::is_bottleneck(report) {
            let _ = writeln!(text, "{name}: {}", summary::BOTTLENECK);
        }
    }
    text
}
