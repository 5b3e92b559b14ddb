//! What happened when: the rate, the failures and the latency, one below the other on one axis of time.
//! Knows the seconds of a record, and takes several together where there are more than pixels.

use maud::{Markup, html as markup};

use super::chart::{self, LEFT, Scale, WIDTH, line, px};
use super::distribution::round_duration;
use crate::record::{Report, Second};
use crate::report::units::{counted, duration, grouped, seconds, significant};

const RIGHT: f64 = WIDTH - 48.0;
/// Each chart's top and bottom; its title is above.
const RATE: (f64, f64) = (28.0, 148.0);
const FAILURES: (f64, f64) = (190.0, 270.0);
const LATENCY: (f64, f64) = (312.0, 432.0);
const HEIGHT: f64 = 478.0;
/// Room for a chart's title, and for what is said of a gap beside it.
const TITLE_WIDTH: f64 = 300.0;
const GAP_LABEL_WIDTH: f64 = 116.0;
const SPANS_MAX: usize = 600;
/// A last piece of a second that is shorter says nothing of a rate.
const PIECE_MIN: f64 = 0.2;
/// Latencies that differ by more are drawn on a logarithmic scale.
const LINEAR_RATIO_MAX: f64 = 12.0;

/// One or more seconds that are drawn as one.
#[derive(Clone, Debug)]
struct Span {
    from: f64,
    to: f64,
    succeeded: f64,
    failed_attempts: f64,
    failed_calls: f64,
    /// The worst of its seconds.
    p50_us: f64,
    p99_us: f64,
}

impl Span {
    fn per_second(&self, count: f64) -> f64 {
        count / (self.to - self.from)
    }

    fn words(&self) -> String {
        let count = |count: f64| significant(self.per_second(count));
        let latency = if self.succeeded > 0.0 { duration(self.p99_us as u64) } else { "-".to_owned() };
        format!(
            "{} to {}: {} calls/s, failed attempts {}/s, failed calls {}/s, p99 {latency}",
            seconds(self.from),
            seconds(self.to),
            count(self.succeeded),
            count(self.failed_attempts),
            count(self.failed_calls),
        )
    }
}

pub(super) fn timeline(report: &Report) -> Markup {
    let each = report.timeline.len().div_ceil(SPANS_MAX).max(1);
    let spans = spans(&report.timeline, report.seconds, each);
    let tried = |span: &Span| span.succeeded + span.failed_attempts + span.failed_calls > 0.0;
    let Some(end) = spans.last().map(|span| span.to).filter(|_| spans.iter().any(tried)) else {
        return markup! { p.none { "No call was made." } };
    };
    let x = Scale::linear((0.0, end), (LEFT, RIGHT));
    markup! {
        svg.chart viewBox={ "0 0 " (px(WIDTH)) " " (px(HEIGHT)) } role="img" aria-label="Rate, failures and latency over time" {
            (gaps(&spans, &x))
            (time_axis(&x, end))
            (rate(&spans, &x))
            (failures(&spans, &x))
            (latency(&spans, &x))
            @for span in &spans {
                rect.touch x=(px(x.at(span.from))) width=(px(x.at(span.to) - x.at(span.from))) y=(px(RATE.0)) height=(px(LATENCY.1 - RATE.0)) {
                    title { (span.words()) }
                }
            }
        }
        @if each > 1 {
            p.note { "Each step is " (counted(each as u64, "second")) ": the mean of counts, the worst second's latency." }
        }
    }
}

/// The seconds as they are drawn: so many in each step, the last one as long as it was.
fn spans(timeline: &[Second], measured_seconds: f64, each: usize) -> Vec<Span> {
    let sum = |of: &[Second], count: fn(&Second) -> u64| of.iter().map(|second| count(second) as f64).sum();
    let most = |of: &[Second], time: fn(&Second) -> u64| of.iter().map(time).max().unwrap_or_default() as f64;
    let span = |(at, of): (usize, &[Second])| Span {
        from: (at * each) as f64,
        to: (at * each + of.len()) as f64,
        succeeded: sum(of, |second| second.succeeded),
        failed_attempts: sum(of, |second| second.failed_attempts),
        failed_calls: sum(of, |second| second.failed_calls),
        p50_us: most(of, |second| second.p50_us),
        p99_us: most(of, |second| second.p99_us),
    };
    let mut spans: Vec<Span> = timeline.chunks(each).enumerate().map(span).collect();
    let Some(last) = spans.pop() else { return spans };
    let piece = measured_seconds - (timeline.len() as f64 - 1.0);
    match spans.last_mut() {
        Some(before) if piece > 0.0 && piece < PIECE_MIN && each == 1 => {
            before.to += piece;
            before.succeeded += last.succeeded;
            before.failed_attempts += last.failed_attempts;
            before.failed_calls += last.failed_calls;
            before.p99_us = before.p99_us.max(last.p99_us);
        }
        _ if piece > 0.0 && piece < 1.0 => spans.push(Span { to: last.to - 1.0 + piece.max(0.01), ..last }),
        _ => spans.push(last),
    }
    spans
}

/// Where nothing succeeded, through all three charts.
fn gaps(spans: &[Span], x: &Scale) -> Markup {
    let silent = spans.chunk_by(|a, b| (a.succeeded == 0.0) == (b.succeeded == 0.0));
    let silent = silent.filter_map(|run| match run {
        [first, ..] if first.succeeded == 0.0 => Some((first.from, run.last()?.to)),
        _ => None,
    });
    let mut labelled = f64::MIN;
    let drawn = silent.map(|(from, to)| {
        let (left, right) = (x.at(from), x.at(to));
        let middle = f64::midpoint(left, right).clamp(LEFT + TITLE_WIDTH, RIGHT - GAP_LABEL_WIDTH / 2.0);
        let label = middle - labelled > GAP_LABEL_WIDTH;
        labelled = if label { middle } else { labelled };
        markup! {
            rect.gap x=(px(left)) width=(px(right - left)) y=(px(RATE.0)) height=(px(LATENCY.1 - RATE.0)) {}
            @if label {
                text.gap-label x=(px(middle)) y=(px(RATE.0 - 10.0)) text-anchor="middle" { "no call succeeded" }
            }
        }
    });
    markup! { @for gap in drawn { (gap) } }
}

fn time_axis(x: &Scale, end: f64) -> Markup {
    markup! {
        @for tick in chart::time_ticks(end, 12.0) {
            @for (top, bottom) in [RATE, FAILURES, LATENCY] {
                line.grid x1=(px(x.at(tick))) x2=(px(x.at(tick))) y1=(px(top)) y2=(px(bottom)) {}
            }
            text.value x=(px(x.at(tick))) y=(px(LATENCY.1 + 18.0)) text-anchor="middle" { (chart::time_label(tick, end)) }
        }
        text.unit x=(px(f64::midpoint(LEFT, RIGHT))) y=(px(HEIGHT - 6.0)) text-anchor="middle" {
            "time since measuring began, " (chart::time_unit(end))
        }
    }
}

/// A chart's horizontal lines with their values.
fn values(y: &Scale, ticks: &[f64], bottom: f64, show: impl Fn(f64) -> String) -> Markup {
    markup! {
        @for tick in ticks {
            line.grid x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(y.at(*tick))) y2=(px(y.at(*tick))) {}
            text.value x=(px(LEFT - 8.0)) y=(px(y.at(*tick) + 4.0)) text-anchor="end" { (show(*tick)) }
        }
        line.axis x1=(px(LEFT)) x2=(px(RIGHT)) y1=(px(bottom)) y2=(px(bottom)) {}
    }
}

/// Whole numbers as such, others with the digits that they need.
fn number(value: f64) -> String {
    if value.fract() == 0.0 { grouped(value as u64) } else { format!("{value:.1}") }
}

/// A linear scale from 0 to a round number, and its ticks.
fn from_zero(max: f64, steps: u32, (top, bottom): (f64, f64)) -> (Scale, Vec<f64>) {
    let ticks = chart::linear_ticks(max, steps);
    (Scale::linear((0.0, ticks.last().copied().unwrap_or(1.0)), (bottom, top)), ticks)
}

/// Each span's value as a step.
fn steps(spans: &[Span], x: &Scale, y: &Scale, value: impl Fn(&Span) -> f64) -> Vec<(f64, f64)> {
    let step = |span: &Span| [(x.at(span.from), y.at(value(span))), (x.at(span.to), y.at(value(span)))];
    spans.iter().flat_map(step).collect()
}

fn rate(spans: &[Span], x: &Scale) -> Markup {
    let per_second = |span: &Span| span.per_second(span.succeeded);
    let (y, ticks) = from_zero(spans.iter().map(per_second).fold(0.0, f64::max), 4, RATE);
    let steps = steps(spans, x, &y, per_second);
    let ends = |steps: &[(f64, f64)]| (steps.first().map_or(LEFT, |at| at.0), steps.last().map_or(LEFT, |at| at.0));
    let (first, last) = ends(&steps);
    let area = [(first, RATE.1)].into_iter().chain(steps.iter().copied()).chain([(last, RATE.1)]);
    markup! {
        text.title x=(px(LEFT)) y=(px(RATE.0 - 10.0)) { "Calls that succeeded, per second" }
        (values(&y, &ticks, RATE.1, number))
        g.c0 {
            path.area d={ (line(area)) "Z" } {}
            path.line d=(line(steps)) {}
        }
    }
}

fn failures(spans: &[Span], x: &Scale) -> Markup {
    let attempts = |span: &Span| span.per_second(span.failed_attempts);
    let calls = |span: &Span| span.per_second(span.failed_calls);
    let max = spans.iter().map(|span| attempts(span).max(calls(span))).fold(0.0, f64::max);
    let (y, ticks) = from_zero(max, if max > 0.0 { 2 } else { 1 }, FAILURES);
    let bar = |span: &Span, value: f64, class: &str| {
        let (left, top) = (x.at(span.from), y.at(value));
        // However few failed, it is seen.
        let (width, height) = ((x.at(span.to) - left - 0.5).max(1.0), (FAILURES.1 - top).max(1.5));
        markup! {
            rect class=(class) x=(px(left)) width=(px(width)) y=(px(FAILURES.1 - height)) height=(px(height)) {}
        }
    };
    markup! {
        text.title x=(px(LEFT)) y=(px(FAILURES.0 - 10.0)) {
            "Failed, per second: "
            tspan.attempts { "\u{25a0}" } " attempts  "
            tspan.calls { "\u{25a0}" } " calls, after their retries"
        }
        (values(&y, &ticks, FAILURES.1, number))
        @if max == 0.0 {
            text.nothing x=(px(f64::midpoint(LEFT, RIGHT))) y=(px(f64::midpoint(FAILURES.0, FAILURES.1) + 4.0)) text-anchor="middle" {
                "no failure"
            }
        }
        @for span in spans {
            @if span.failed_attempts > 0.0 { (bar(span, attempts(span), "attempts")) }
            @if span.failed_calls > 0.0 { (bar(span, calls(span), "calls")) }
        }
    }
}

fn latency(spans: &[Span], x: &Scale) -> Markup {
    let busy: Vec<&[Span]> = spans
        .chunk_by(|a, b| a.succeeded > 0.0 && b.succeeded > 0.0)
        .filter(|run| run.iter().all(|span| span.succeeded > 0.0))
        .collect();
    let measured = || busy.iter().flat_map(|run| run.iter());
    let high = measured().map(|span| span.p99_us.max(span.p50_us)).fold(0.0, f64::max);
    let low = measured().map(|span| span.p50_us.min(span.p99_us)).fold(f64::MAX, f64::min).max(1.0);
    let logarithmic = high / low > LINEAR_RATIO_MAX;
    let (y, ticks) = if logarithmic {
        let ticks = chart::logarithmic_ticks(low, high);
        let range = (ticks.first().copied().unwrap_or(1.0), ticks.last().copied().unwrap_or(10.0));
        (Scale::logarithmic(range, (LATENCY.1, LATENCY.0)), sparse(ticks))
    } else {
        from_zero(high, 4, LATENCY)
    };
    let last = measured().last();
    let wanted: Vec<f64> = last.iter().flat_map(|span| [y.at(span.p99_us), y.at(span.p50_us)]).collect();
    let labels = chart::spread(&wanted, 14.0, LATENCY);
    let label_x = last.map_or(RIGHT, |span| x.at(span.to)) + 6.0;
    markup! {
        text.title x=(px(LEFT)) y=(px(LATENCY.0 - 10.0)) {
            "Latency, p99 and p50 of each second" @if logarithmic { ", logarithmic" }
        }
        (values(&y, &ticks, LATENCY.1, round_duration))
        @for run in &busy {
            g.c0 { path.line.thin d=(line(steps(run, x, &y, |span| span.p50_us))) {} }
            g.c1 { path.line d=(line(steps(run, x, &y, |span| span.p99_us))) {} }
        }
        @for ((name, class), height) in [("p99", "c1"), ("p50", "c0")].into_iter().zip(labels) {
            text.line-label.(class) x=(px(label_x)) y=(px(height + 4.0)) { (name) }
        }
    }
}

/// Of many logarithmic ticks the powers of ten.
fn sparse(ticks: Vec<f64>) -> Vec<f64> {
    if ticks.len() <= 6 {
        return ticks;
    }
    ticks.into_iter().filter(|tick| (tick.log10() - tick.log10().round()).abs() < 1e-6).collect()
}
