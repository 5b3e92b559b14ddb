//! What the page lists: operations, errors, endpoints, checks, what was left out, options.
//! Knows the record.

use maud::{Markup, html as markup};

use super::colour;
use crate::record::{OperationFigures, Report};
use crate::report::table::{availability, by_count, rows};
use crate::report::units::{duration, grouped, megabytes, rate, significant};

pub(super) fn operations(report: &Report) -> Markup {
    let groups = [("Calls", 4), ("Latency", 6), ("Availability", 3), ("Megabytes", 2)];
    let columns = [
        "all",
        "per second",
        "failed at first",
        "failed",
        "p50",
        "p90",
        "p99",
        "p99.9",
        "p99.99",
        "max",
        "seen",
        "at least",
        "nines",
        "out",
        "in",
    ];
    let begins = |at: usize| matches!(at, 0 | 4 | 10 | 13).then_some("begins");
    markup! {
        section {
            h2 { "Operations" }
            div.scroll {
                table.operations {
                    thead {
                        tr.groups { td {} @for (name, span) in groups { th.begins colspan=(span) { (name) } } }
                        tr {
                            th.name { "Operation" }
                            @for (at, name) in columns.into_iter().enumerate() { th class=[begins(at)] { (name) } }
                        }
                    }
                    tbody {
                        @for (at, of) in rows(report).enumerate() {
                            @let is_total = at == report.operations.len();
                            tr.total[is_total] {
                                th.name {
                                    @if !is_total { (swatch(at)) }
                                    (of.name)
                                }
                                @for (at, cell) in cells(of, report.seconds).into_iter().enumerate() {
                                    td.begins[begins(at).is_some()].failed[at == 2 && of.failed_at_first > 0 || at == 3 && of.failed_after_retries > 0] {
                                        (cell)
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// A piece of the operation's line in the chart above.
fn swatch(at: usize) -> Markup {
    markup! {
        svg.swatch viewBox="0 0 16 8" aria-hidden="true" { g class=(colour(at)) { path.line d="M0 4L16 4" {} } }
    }
}

fn cells(of: &OperationFigures, seconds: f64) -> [String; 15] {
    let none = || "\u{2013}".to_owned();
    let latency = |us| if of.succeeded == 0 { none() } else { duration(us) };
    let available = availability(of);
    let nines = available.nines();
    let at = &of.latency;
    [
        grouped(of.calls),
        significant(rate(of.succeeded, seconds)),
        grouped(of.failed_at_first),
        grouped(of.failed_after_retries),
        latency(at.p50_us),
        latency(at.p90_us),
        latency(at.p99_us),
        latency(at.p99_9_us),
        latency(at.p99_99_us),
        latency(at.max_us),
        available.observed().unwrap_or_else(none),
        available.at_least().unwrap_or_else(none),
        nines.split(' ').next().unwrap_or_default().to_owned(),
        megabytes(of.bytes_sent),
        megabytes(of.bytes_received),
    ]
}

pub(super) fn errors(report: &Report) -> Markup {
    let errors = by_count(report);
    let most = errors.first().map_or(1, |(_, attempts)| (*attempts).max(1));
    let width = |attempts: u64| format!("{:.1}%", 100.0 * attempts as f64 / most as f64);
    markup! {
        section {
            h2 { "Errors" }
            @if errors.is_empty() {
                p.none { "No attempt failed." }
            } @else {
                table {
                    thead { tr { th.name { "Code" } th { "attempts" } th.of { "of" } } }
                    tbody {
                        @for (code, attempts) in errors {
                            tr {
                                th.name { (code) div.bar style={ "width:" (width(attempts)) } {} }
                                td { (grouped(attempts)) }
                                td.of { (who_had(report, code)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `Encrypt 12, Decrypt 3`
fn who_had(report: &Report, code: &str) -> String {
    let had = report.operations.iter().filter_map(|of| Some((of.name.as_str(), *of.errors.get(code)?)));
    had.map(|(name, attempts)| format!("{name} {}", grouped(attempts))).collect::<Vec<_>>().join(", ")
}

pub(super) fn endpoints(report: &Report) -> Markup {
    markup! {
        section {
            h2 { "Endpoints" }
            table {
                thead {
                    tr { th.name { "Address" } th { "attempts" } th { "failed" } th { "failed over to" } th { "connections" } }
                }
                tbody {
                    @for of in &report.endpoints {
                        tr {
                            th.name { (of.url) }
                            td { (grouped(of.attempts)) }
                            td.failed[of.failed > 0] { (grouped(of.failed)) }
                            td { (grouped(of.failed_over_to)) }
                            td { (grouped(of.connections_opened)) }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn checks(report: &Report) -> Markup {
    markup! {
        section {
            h2 { "Checks" }
            @if report.checks.is_empty() {
                p.none { "None." }
            } @else {
                table {
                    tbody {
                        @for (what, count) in &report.checks { tr { th.name { (what) } td { (grouped(*count)) } } }
                    }
                }
            }
        }
    }
}

pub(super) fn left_out(report: &Report) -> Markup {
    markup! {
        @if !report.left_out.is_empty() {
            section {
                h2 { "Left out, since the service lacks it" }
                table {
                    tbody {
                        @for (name, answer) in &report.left_out { tr { th.name { (name) } td.of { (answer) } } }
                    }
                }
            }
        }
    }
}

pub(super) fn options(report: &Report) -> Markup {
    markup! {
        @if !report.options.is_empty() {
            section {
                h2 { "Options" }
                dl.options {
                    @for (name, value) in &report.options {
                        div { dt { (name) } dd { (value) } }
                    }
                }
            }
        }
    }
}
