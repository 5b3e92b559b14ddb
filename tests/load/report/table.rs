//! The table in the terminal when a run is over.
//! Knows the record, and 120 columns.

use std::fmt::Write as _;

use super::units::{duration, grouped, rate, significant};
use crate::record::Report;

/// The whole report as text, at most 120 columns wide.
pub(crate) fn table(report: &Report) -> String {
    let mut table = String::new();
    let _ = writeln!(
        table,
        "{:<20} {:>12} {:>10} {:>8} {:>8} {:>8}",
        "operation", "calls", "calls/s", "failed", "p50", "p99"
    );
    for of in report.operations.iter().chain([&report.total]) {
        let (calls, per_second) = (grouped(of.calls), significant(rate(of.succeeded, report.seconds)));
        let (p50, p99) = (duration(of.latency.p50_us), duration(of.latency.p99_us));
        let failed = of.failed_after_retries;
        let _ = writeln!(table, "{:<20} {calls:>12} {per_second:>10} {failed:>8} {p50:>8} {p99:>8}", of.name);
    }
    table
}
