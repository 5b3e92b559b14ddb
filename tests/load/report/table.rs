//! The table in the terminal when a run is over.
//! Knows the record, and 120 columns.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::availability::Availability;
use super::grid::{COLUMNS, Grid};
use super::summary::{self, Verdict};
use super::units::{duration, grouped, megabytes, plain, rate, shortened, significant};
use crate::record::{OperationFigures, Report, Violation};

/// Room for the longest name of an operation, `GenerateDataKeyPairWithoutPlaintext`.
const NAME_CHARS_MAX: usize = 36;
const TEXT_CHARS_MAX: usize = 64;

/// The whole report as text, at most 120 columns wide; a violation comes last, where it is seen.
pub(crate) fn table(report: &Report) -> String {
    let mut text = String::new();
    let against = shortened(&summary::against(report), TEXT_CHARS_MAX);
    let _ = writeln!(text, "{against}, begun {}", shortened(&report.started_at, 32));
    let _ = writeln!(text, "{}\n", summary::how_long(report));
    if report.total.calls > 0 {
        text += &counts(report);
        text.push('\n');
        text += &latencies(report);
        text.push('\n');
    }
    text += &errors(report);
    text += &endpoints(report);
    text += &list("left out, since the service lacks it", &report.left_out, |why| shortened(why, TEXT_CHARS_MAX));
    text += &list("checked", &report.checks, |count| grouped(*count));
    let all = availability(&report.total);
    let _ = writeln!(text, "availability        {all}");
    let _ = writeln!(text, "without retries     {}", at_first(&report.total));
    let _ = writeln!(text, "longest gap         {} without a call that succeeded", duration(report.longest_gap_us));
    let _ = writeln!(text, "load generator      {}", summary::own_cost(report));
    if summary::is_bottleneck(report) {
        let _ = writeln!(text, "WARNING             {}", summary::BOTTLENECK);
    }
    let _ = writeln!(text, "\n{}", Verdict::of(report).sentence());
    if let Some(violation) = &report.violation {
        text += &evidence(violation);
    }
    text
}

/// Of calls with their retries, as a caller sees them.
pub(super) fn availability(of: &OperationFigures) -> Availability {
    Availability::new(of.calls, of.failed_after_retries)
}

/// Of calls as they would have been without retries.
pub(super) fn at_first(of: &OperationFigures) -> Availability {
    Availability::new(of.calls, of.failed_at_first)
}

/// Each operation, and all of them where there are several.
pub(super) fn rows(report: &Report) -> impl Iterator<Item = &OperationFigures> {
    let total = (report.operations.len() != 1).then_some(&report.total);
    report.operations.iter().chain(total)
}

fn counts(report: &Report) -> String {
    let mut grid = Grid::new(&[
        "operation",
        "calls",
        "calls/s",
        "failed 1st",
        "failed",
        "MB out",
        "MB in",
        "available",
        "at least",
        "nines",
    ]);
    for of in rows(report) {
        let available = availability(of);
        grid.row([
            shortened(&of.name, NAME_CHARS_MAX),
            grouped(of.calls),
            significant(rate(of.succeeded, report.seconds)),
            grouped(of.failed_at_first),
            grouped(of.failed_after_retries),
            megabytes(of.bytes_sent),
            megabytes(of.bytes_received),
            available.observed().unwrap_or_default(),
            available.at_least().unwrap_or_default(),
            available.nines().trim_end_matches(" nines").trim_end_matches(" nine").to_owned(),
        ]);
    }
    grid.text() + "calls/s: that succeeded. at least: with 95 % confidence, nines from that.\n"
}

fn latencies(report: &Report) -> String {
    let mut grid = Grid::new(&["latency", "mean", "p50", "p90", "p99", "p99.9", "p99.99", "max"]);
    for of in rows(report) {
        let at = &of.latency;
        let times = [at.mean_us.round() as u64, at.p50_us, at.p90_us, at.p99_us, at.p99_9_us, at.p99_99_us, at.max_us];
        let time = |us| if of.succeeded == 0 { "-".to_owned() } else { duration(us) };
        grid.row([shortened(&of.name, NAME_CHARS_MAX)].into_iter().chain(times.map(time)));
    }
    grid.text()
}

fn errors(report: &Report) -> String {
    if report.total.errors.is_empty() {
        return String::new();
    }
    let mut grid = Grid::new(&["error", "attempts"]);
    for (code, attempts) in by_count(report) {
        grid.row([shortened(code, TEXT_CHARS_MAX), grouped(attempts)]);
    }
    grid.text() + "\n"
}

/// The errors of all operations, most frequent first.
pub(super) fn by_count(report: &Report) -> Vec<(&str, u64)> {
    let mut errors: Vec<_> = report.total.errors.iter().map(|(code, attempts)| (code.as_str(), *attempts)).collect();
    errors.sort_by_key(|(_, attempts)| std::cmp::Reverse(*attempts));
    errors
}

fn endpoints(report: &Report) -> String {
    let mut grid = Grid::new(&["endpoint", "attempts", "failed", "failed over to", "connections"]);
    for of in &report.endpoints {
        let counts = [of.attempts, of.failed, of.failed_over_to, of.connections_opened];
        grid.row([shortened(&of.url, TEXT_CHARS_MAX)].into_iter().chain(counts.map(grouped)));
    }
    if report.endpoints.is_empty() { String::new() } else { grid.text() + "\n" }
}

fn list<T>(title: &str, of: &BTreeMap<String, T>, show: impl Fn(&T) -> String) -> String {
    let mut grid = Grid::new(&[title]);
    for (name, what) in of {
        grid.row([format!("  {}", shortened(name, 50)), show(what)]);
    }
    if of.is_empty() { String::new() } else { grid.text() + "\n" }
}

/// The whole evidence, however long, within the columns.
fn evidence(violation: &Violation) -> String {
    let name_width = violation.evidence.keys().map(|name| name.chars().count().min(30)).max().unwrap_or_default();
    let mut text = wrapped(&violation.what, 2);
    for (name, value) in &violation.evidence {
        let value = wrapped(value, name_width + 4);
        let _ = write!(text, "  {:<name_width$}  {}", shortened(name, 30), value.trim_start_matches(' '));
    }
    text
}

/// A text over as many lines as it takes, and at least one, each after so many blanks.
fn wrapped(text: &str, indent: usize) -> String {
    let mut rest: Vec<char> = plain(text).chars().collect();
    let mut lines = String::new();
    loop {
        let more = rest.split_off(rest.len().min(COLUMNS.saturating_sub(indent)));
        let _ = writeln!(lines, "{:indent$}{}", "", rest.iter().collect::<String>());
        if more.is_empty() {
            return lines;
        }
        rest = more;
    }
}
