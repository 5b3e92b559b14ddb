//! What charts are drawn with: scales, ticks, and coordinates that are always numbers.
//! Knows pixels and values; no report.

use std::fmt::Write as _;

/// The width of each chart; the browser scales it.
pub(super) const WIDTH: f64 = 1080.0;
/// Room at the left for the values of the axis.
pub(super) const LEFT: f64 = 76.0;

/// From values to pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    values: (f64, f64),
    pixels: (f64, f64),
    logarithmic: bool,
}

impl Scale {
    pub(super) fn linear(values: (f64, f64), pixels: (f64, f64)) -> Self {
        Self { values, pixels, logarithmic: false }
    }

    /// For values above 0 only.
    pub(super) fn logarithmic(values: (f64, f64), pixels: (f64, f64)) -> Self {
        Self { values: (values.0.ln(), values.1.ln()), pixels, logarithmic: true }
    }

    /// Where a value is; what is off the scale is at its end.
    pub(super) fn at(&self, value: f64) -> f64 {
        let value = if self.logarithmic { value.max(f64::MIN_POSITIVE).ln() } else { value };
        let share = (value - self.values.0) / (self.values.1 - self.values.0);
        // INVARIANT: the values are not equal; a share that is no number is one of a value that is none.
        let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
        self.pixels.0 + share * (self.pixels.1 - self.pixels.0)
    }
}

/// A coordinate, to a tenth of a pixel.
pub(super) fn px(at: f64) -> String {
    let text = format!("{:.1}", if at.is_finite() { at } else { 0.0 });
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

/// Steps of 1, 2 or 5 times a power of ten from 0 to the first that is not below `max`; never without a step.
pub(super) fn linear_ticks(max: f64, steps: u32) -> Vec<f64> {
    // INVARIANT: a step has a power of ten that is a number and not 0.
    let max = if max > 0.0 { max.clamp(1e-9, 1e300) } else { 1.0 };
    let least = max / f64::from(steps);
    let power = 10_f64.powi(least.log10().floor() as i32);
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power).into_iter().find(|step| *step >= least);
    let step = step.unwrap_or(10.0 * power);
    (0..=(max / step - 1e-9).ceil() as u32).map(|at| f64::from(at) * step).collect()
}

/// The least range of 1, 2 or 5 times powers of ten that holds two values above 0, and the ticks in it.
pub(super) fn logarithmic_ticks(low: f64, high: f64) -> Vec<f64> {
    let (low, high) = (low.clamp(1.0, 1e18), high.clamp(low.clamp(1.0, 1e18), 1e19));
    let powers = (low.log10().floor() as i32..=high.log10().ceil() as i32 + 1).map(|power| 10_f64.powi(power));
    let all: Vec<f64> = powers.flat_map(|power| [power, 2.0 * power, 5.0 * power]).collect();
    let first = all.iter().rposition(|tick| *tick <= low).unwrap_or_default();
    let last = all.iter().position(|tick| *tick >= high && *tick > low).unwrap_or(all.len());
    all.into_iter().take(last + 1).skip(first).collect()
}

/// Steps of time, in seconds, so that there are at most `steps`.
pub(super) fn time_ticks(seconds: f64, steps: f64) -> Vec<f64> {
    const NICE: [f64; 17] = [
        1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14400.0, 21600.0,
        43200.0,
    ];
    let few = |step: &f64| seconds / step <= steps;
    let days = || std::iter::successors(Some(86400.0), |step| Some(step * 2.0)).find(few).unwrap_or(f64::MAX);
    let step = NICE.into_iter().find(few).unwrap_or_else(days);
    (0..=(seconds / step) as u32).map(|at| f64::from(at) * step).collect()
}

/// A time of `time_ticks` on an axis that is so long, and what the digits are.
pub(super) fn time_label(seconds: f64, axis_seconds: f64) -> String {
    let seconds = seconds as u64;
    match axis_seconds {
        ..180.0 => seconds.to_string(),
        ..7200.0 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}", seconds / 3600, seconds / 60 % 60),
    }
}

pub(super) fn time_unit(axis_seconds: f64) -> &'static str {
    match axis_seconds {
        ..180.0 => "seconds",
        ..7200.0 => "minutes:seconds",
        _ => "hours:minutes",
    }
}

/// A path through points; nothing without any.
pub(super) fn line(points: impl IntoIterator<Item = (f64, f64)>) -> String {
    let mut path = String::new();
    for (x, y) in points {
        let command = if path.is_empty() { 'M' } else { 'L' };
        let _ = write!(path, "{command}{} {}", px(x), px(y));
    }
    path
}

/// Moves labels so far from where they would like to be that they do not cover each other. Takes and gives heights in
/// the same order; `within` is from the top to the bottom.
pub(super) fn spread(wanted: &[f64], apart: f64, within: (f64, f64)) -> Vec<f64> {
    let apart = apart.min((within.1 - within.0) / wanted.len().max(1) as f64);
    let mut order: Vec<(usize, f64)> = wanted.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut above = within.0 - apart;
    for (_, y) in &mut order {
        *y = y.max(above + apart);
        above = *y;
    }
    let mut below = within.1 + apart;
    for (_, y) in order.iter_mut().rev() {
        *y = y.min(below - apart);
        below = *y;
    }
    order.sort_by_key(|(at, _)| *at);
    order.into_iter().map(|(_, y)| y).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(linear_ticks(7000.0, 4), [0.0, 2000.0, 4000.0, 6000.0, 8000.0]);
        assert_eq!(linear_ticks(10.0, 2), [0.0, 5.0, 10.0]);
        assert_eq!(linear_ticks(0.0, 4), [0.0, 0.5, 1.0]);
        assert_eq!(logarithmic_ticks(300.0, 4000.0), [200.0, 500.0, 1000.0, 2000.0, 5000.0]);
        assert_eq!(logarithmic_ticks(500.0, 500.0), [500.0, 1000.0]);
        assert_eq!(time_ticks(90.0, 10.0).len(), 10);
        assert_eq!(time_ticks(0.4, 10.0), [0.0]);
        assert_eq!(time_label(90.0, 300.0), "1:30");
        assert_eq!(time_label(5400.0, 10_000.0), "1:30");
    }

    #[test]
    fn labels_do_not_cover_each_other() {
        assert_eq!(spread(&[50.0, 51.0, 10.0], 14.0, (0.0, 100.0)), [50.0, 64.0, 10.0]);
        assert_eq!(spread(&[99.0, 98.0], 14.0, (0.0, 100.0)), [100.0, 86.0]);
        assert_eq!(spread(&[], 14.0, (0.0, 100.0)), [] as [f64; 0]);
    }

    proptest! {
        #[test]
        fn whatever_is_drawn_is_on_the_scale(value: f64, max: f64, low: f64, high: f64) {
            let ticks = linear_ticks(max, 4);
            let top = ticks.last().copied().unwrap_or_default();
            prop_assert!((2..=11).contains(&ticks.len()) && (top >= max * 0.999 || max > 1e300 || max.is_nan()));
            let at = Scale::linear((0.0, top), (200.0, 100.0)).at(value);
            prop_assert!((100.0..=200.0).contains(&at));
            let ticks = logarithmic_ticks(low, high);
            let (Some(first), Some(last)) = (ticks.first(), ticks.last()) else { return Err(TestCaseError::fail("none")) };
            prop_assert!(first < last);
            let at = Scale::logarithmic((*first, *last), (200.0, 100.0)).at(value);
            prop_assert!((100.0..=200.0).contains(&at));
        }

        #[test]
        fn times_have_few_ticks(seconds in 0.0..1e15_f64) {
            prop_assert!((1..=11).contains(&time_ticks(seconds, 10.0).len()));
        }
    }
}
