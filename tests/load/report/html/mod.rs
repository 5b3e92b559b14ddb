//! The report as one page that needs nothing beside itself: no script, no font, no picture from elsewhere.
//! Knows the record. All that comes from it goes through the markup, which escapes it.

mod chart;
mod distribution;
mod tables;
mod timeline;

use maud::{DOCTYPE, Markup, PreEscaped, html as markup};

use super::summary::{self, Verdict};
use super::table::{at_first, availability};
use super::units::{counted, duration, rate, significant};
use crate::record::{Report, Violation};

const STYLE: &str = include_str!("style.css");
/// How many operations have a colour of their own; further ones are dashed in the same colours.
const COLOURS: usize = 7;
/// How many operations a title names.
const NAMED_MAX: usize = 4;

/// One self-contained HTML file, for a screen, light or dark, and for paper.
pub(crate) fn html(report: &Report) -> String {
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (operations(report)) " on " (summary::against(report)) " \u{2013} kannuki-load" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    (head(report))
                    (verdict(report))
                    (tiles(report))
                    (figure("Timeline", &timeline::timeline(report)))
                    (figure("Latency distribution", &distribution::distribution(report)))
                    (tables::operations(report))
                    div.pair { (tables::errors(report)) (tables::endpoints(report)) }
                    div.pair { (tables::checks(report)) (tables::left_out(report)) }
                    (tables::options(report))
                    (notes())
                }
            }
        }
    };
    page.into_string()
}

/// The class that colours an operation, by its place in the mix.
fn colour(at: usize) -> String {
    let dash = if at < COLOURS { "" } else { " dashed" };
    format!("c{}{dash}", at % COLOURS)
}

/// The mix in words: `Encrypt, Decrypt and 3 more operations`.
fn operations(report: &Report) -> String {
    let names: Vec<&str> = report.operations.iter().map(|of| of.name.as_str()).collect();
    match names.as_slice() {
        [] => "No operation".to_owned(),
        [one] => (*one).to_owned(),
        [firsts @ .., last] if names.len() <= NAMED_MAX => format!("{} and {last}", firsts.join(", ")),
        _ => {
            let named = names.iter().take(NAMED_MAX - 1).copied().collect::<Vec<_>>().join(", ");
            format!("{named} and {}", counted((names.len() + 1 - NAMED_MAX) as u64, "more operation"))
        }
    }
}

fn head(report: &Report) -> Markup {
    let began = report.started_at.replace('T', " ").replace('Z', " UTC");
    markup! {
        header {
            p.tool { (report.tool) " \u{b7} " (began) }
            h1 { (operations(report)) }
            p.against { "on " b { (summary::against(report)) } " for " (summary::how_long(report)) }
        }
    }
}

fn verdict(report: &Report) -> Markup {
    let verdict = Verdict::of(report);
    let (class, sign) = match verdict {
        Verdict::Violation | Verdict::NothingSucceeded => ("bad", "M5 5L15 15M15 5L5 15"),
        Verdict::Held(_) => ("good", "M4 10.5L8.5 15L16 5.5"),
        Verdict::Unchecked | Verdict::NoCalls => ("warn", "M10 4V11.5M10 15V16"),
    };
    markup! {
        section.verdict.(class) {
            p.sentence {
                svg.sign viewBox="0 0 20 20" aria-hidden="true" { path d=(sign) {} }
                (verdict.sentence())
            }
            @if let Some(violation) = &report.violation { (evidence(violation)) }
        }
        @if summary::is_bottleneck(report) {
            section.verdict.warn {
                p.sentence {
                    svg.sign viewBox="0 0 20 20" aria-hidden="true" { path d="M10 4V11.5M10 15V16" {} }
                    (summary::BOTTLENECK)
                }
                p { "It took " (summary::own_cost(report)) "." }
            }
        }
    }
}

fn evidence(violation: &Violation) -> Markup {
    markup! {
        p.what { (violation.what) }
        dl {
            @for (name, value) in &violation.evidence {
                dt { (name) }
                dd { code { (value) } }
            }
        }
    }
}

fn tiles(report: &Report) -> Markup {
    let total = &report.total;
    let available = availability(total);
    let per_second = significant(rate(total.succeeded, report.seconds));
    let latency = |us| if total.succeeded == 0 { "\u{2013}".to_owned() } else { duration(us) };
    let of = &total.latency;
    let none = "\u{2013}".to_owned();
    let gap = if total.calls == 0 { none.clone() } else { duration(report.longest_gap_us) };
    markup! {
        section.tiles {
            (tile("Rate", &markup! { (per_second) small { " calls/s" } }, &[
                format!("{} in all", counted(total.calls, "call")),
                format!("{} failed after retries", counted(total.failed_after_retries, "call")),
            ]))
            (tile("Availability", &markup! { (available.observed().unwrap_or(none)) }, &[
                available.at_least().map_or_else(|| "no calls".to_owned(), |bound| format!("95 % bound: at least {bound}, {}", available.nines())),
                at_first(total).observed().map_or_else(String::new, |share| format!("{share} without retries")),
            ]))
            (tile("Latency, median", &markup! { (latency(of.p50_us)) }, &[
                format!("p99 {}, p99.9 {}", latency(of.p99_us), latency(of.p99_9_us)),
                format!("p99.99 {}, max {}", latency(of.p99_99_us), latency(of.max_us)),
            ]))
            (tile("Longest gap", &markup! { (gap) }, &[
                "without a call that succeeded".to_owned(),
                format!("load generator: {}", summary::own_share(report)),
            ]))
        }
    }
}

fn tile(name: &str, value: &Markup, lines: &[String]) -> Markup {
    markup! {
        div.tile {
            h2 { (name) }
            p.big { (value) }
            @for line in lines { p { (line) } }
        }
    }
}

fn figure(title: &str, chart: &Markup) -> Markup {
    markup! {
        section.figure {
            h2 { (title) }
            div.scroll { (chart) }
        }
    }
}

fn notes() -> Markup {
    markup! {
        footer {
            p {
                "A call is what the caller sees, retries included; an attempt is one HTTP request. Latencies are those of calls that \
                 succeeded, with their retries; in an open loop they count from when the call was due. The warm-up is in no figure. \
                 The bound of the availability is one-sided: 3/N without a failure, Clopper and Pearson's with some. It takes failures \
                 as independent of each other, which those of an outage are not. Bytes are those of HTTP, without TLS."
            }
        }
    }
}

#[cfg(test)]
mod tests;
