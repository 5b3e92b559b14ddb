//! Medians, and numbers as the table shows them.
//! Arithmetic only.

/// The middle of some figures; not a number when there are none.
pub(crate) fn median(figures: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = (sorted.get(sorted.len().saturating_sub(1) / 2), sorted.get(sorted.len() / 2));
    low.zip(high).map_or(f64::NAN, |(low, high)| f64::midpoint(*low, *high))
}

/// A whole number with commas between its thousands.
pub(crate) fn grouped(number: f64) -> String {
    let digits = format!("{:.0}", number.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    if number < 0.0 && digits != "0" { format!("-{text}") } else { text }
}

/// Nanoseconds, in the unit that suits them.
pub(crate) fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        long if long >= 1e9 => format!("{:.2} s", long / 1e9),
        long if long >= 1e6 => format!("{:.2} ms", long / 1e6),
        long if long >= 1e3 => format!("{:.1} us", long / 1e3),
        short => format!("{short:.0} ns"),
    }
}

/// Bytes as mebibytes.
pub(crate) fn mebibytes(bytes: f64) -> String {
    format!("{:.1} MiB", bytes / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(
            [0.0, 999.0, 1000.0, 1_234_567.4, -20_000.0].map(grouped),
            ["0", "999", "1,000", "1,234,567", "-20,000"]
        );
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!([3e9, 2.5e6, 16_340.0, 12.0].map(time), ["3.00 s", "2.50 ms", "16.3 us", "12 ns"]);
    }
}
