//! The latency distribution: a line for each operation over percentiles, where each nine takes as much room as the one
//! before it. Knows the curves of a record.

use maud::{Markup, html as markup};

use super::chart::{self, LEFT, Scale, WIDTH, line, px};
use super::colour;
use crate::record::{OperationFigures, Report};
use crate::report::units::{duration, shortened};

const TOP: f64 = 12.0;
const BOTTOM: f64 = 372.0;
const HEIGHT: f64 = 420.0;
const LABEL_APART: f64 = 16.0;
/// The width of a digit or letter of a label, about.
const CHAR: f64 = 6.7;
/// One in 10^9 calls is as rare as is drawn.
const NINES_MAX: f64 = 9.0;

/// A line: where its operation is in the mix, and its points as nines and microseconds.
struct Curve<'a> {
    at: usize,
    of: &'a OperationFigures,
    points: Vec<(f64, f64)>,
}

pub(super) fn distribution(report: &Report) -> Markup {
    let curves: Vec<Curve<'_>> = report.operations.iter().enumerate().filter_map(|(at, of)| curve(at, of)).collect();
    let points = || curves.iter().flat_map(|curve| &curve.points);
    if curves.is_empty() {
        return markup! { p.none { "No call succeeded, so there is no latency to show." } };
    }
    let low = points().map(|(_, us)| *us).fold(f64::MAX, f64::min);
    let high = points().map(|(_, us)| *us).fold(0.0, f64::max);
    let nines = points().map(|(nines, _)| *nines).fold(2.0, f64::max);
    let ticks = chart::logarithmic_ticks(low, high);
    let range = (ticks.first().copied().unwrap_or(1.0), ticks.last().copied().unwrap_or(10.0));
    let label_chars = curves.iter().map(|curve| label(curve.of).chars().count()).max().unwrap_or_default();
    let right = WIDTH - 44.0 - CHAR * label_chars as f64;
    let (x, y) = (Scale::linear((0.0, nines), (LEFT, right)), Scale::logarithmic(range, (BOTTOM, TOP)));
    markup! {
        svg.chart viewBox={ "0 0 " (px(WIDTH)) " " (px(HEIGHT)) } role="img" aria-label="Latency by percentile, one line for each operation" {
            (axes(&x, &y, &ticks, nines, right))
            (lines(&curves, &x, &y, right))
        }
    }
}

fn curve(at: usize, of: &OperationFigures) -> Option<Curve<'_>> {
    // No percentile is finer than one call of so many.
    let finest = (of.succeeded.max(1) as f64).log10().min(NINES_MAX);
    let nines = |percentile: f64| (-(1.0 - percentile.clamp(0.0, 100.0) / 100.0).log10()).clamp(0.0, finest);
    let points: Vec<_> = of.latency.curve.iter().map(|(percentile, us)| (nines(*percentile), *us as f64)).collect();
    (!points.is_empty()).then_some(Curve { at, of, points })
}

fn label(of: &OperationFigures) -> String {
    shortened(&of.name, 36)
}

/// The percentiles that are marked, as nines and in words.
fn percentiles(nines_max: f64) -> Vec<(f64, String)> {
    let mut marked = vec![(0.0, "0".to_owned()), (0.5_f64.log10().abs(), "50".to_owned())];
    for nines in (1..=NINES_MAX as usize).take_while(|nines| *nines as f64 <= nines_max + 1e-9) {
        let percentile = match nines {
            1 => "90".to_owned(),
            2 => "99".to_owned(),
            _ => format!("99.{}", "9".repeat(nines - 2)),
        };
        marked.push((nines as f64, percentile));
    }
    marked
}

fn axes(x: &Scale, y: &Scale, ticks: &[f64], nines: f64, right: f64) -> Markup {
    markup! {
        @for tick in ticks {
            line.grid x1=(px(LEFT)) x2=(px(right)) y1=(px(y.at(*tick))) y2=(px(y.at(*tick))) {}
            text.value x=(px(LEFT - 8.0)) y=(px(y.at(*tick) + 4.0)) text-anchor="end" { (round_duration(*tick)) }
        }
        @for (nines, percentile) in percentiles(nines) {
            line.grid x1=(px(x.at(nines))) x2=(px(x.at(nines))) y1=(px(TOP)) y2=(px(BOTTOM)) {}
            text.value x=(px(x.at(nines))) y=(px(BOTTOM + 18.0)) text-anchor="middle" { (percentile) }
        }
        line.axis x1=(px(LEFT)) x2=(px(right)) y1=(px(BOTTOM)) y2=(px(BOTTOM)) {}
        text.unit x=(px(f64::midpoint(LEFT, right))) y=(px(HEIGHT - 8.0)) text-anchor="middle" {
            "percentile of the calls that succeeded, %"
        }
        text.unit transform={ "translate(12 " (px(f64::midpoint(TOP, BOTTOM))) ") rotate(-90)" } text-anchor="middle" {
            "latency, logarithmic"
        }
    }
}

/// `500 µs`, `2 ms`: a tick needs no decimals.
pub(super) fn round_duration(us: f64) -> String {
    let text = duration(us as u64);
    match text.split_once(' ') {
        Some((number, unit)) if number.contains('.') => {
            format!("{} {unit}", number.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

fn lines(curves: &[Curve<'_>], x: &Scale, y: &Scale, right: f64) -> Markup {
    let end = |curve: &Curve<'_>| curve.points.last().map_or((LEFT, BOTTOM), |(nines, us)| (x.at(*nines), y.at(*us)));
    let wanted: Vec<f64> = curves.iter().map(|curve| end(curve).1).collect();
    let heights = chart::spread(&wanted, LABEL_APART, (TOP, BOTTOM));
    let label_x = right + 22.0;
    markup! {
        @for (curve, height) in curves.iter().zip(heights) {
            @let (end_x, end_y) = end(curve);
            g class=(colour(curve.at)) {
                title { (label(curve.of)) ": p50 " (duration(curve.of.latency.p50_us)) ", p99 " (duration(curve.of.latency.p99_us)) ", max " (duration(curve.of.latency.max_us)) }
                path.line d=(line(curve.points.iter().map(|(nines, us)| (x.at(*nines), y.at(*us))))) {}
                path.leader d=(line([(end_x, end_y), (right, end_y), (label_x, height)])) {}
                circle.dot cx=(px(end_x)) cy=(px(end_y)) r="2.5" {}
                path.line d=(line([(label_x, height), (label_x + 12.0, height)])) {}
                text.label x=(px(label_x + 17.0)) y=(px(height + 4.0)) { (label(curve.of)) }
            }
        }
    }
}
