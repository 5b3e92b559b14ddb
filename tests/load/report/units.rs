//! Figures as people read them: durations, counts, rates, bytes.
//! Knows no report.

/// A duration in the unit that gives it one to three digits before the point, with three significant ones.
pub(super) fn duration(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..999_500 => format!("{} ms", significant(us as f64 / 1e3)),
        999_500..59_950_000 => format!("{} s", significant(us as f64 / 1e6)),
        _ => long_duration(us as f64 / 1e6),
    }
}

/// A duration of more than a minute: `5 min 3 s`, `2 h 0 min`.
fn long_duration(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds {
        0..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// Seconds as a duration; what is no time at all is none.
pub(super) fn seconds(seconds: f64) -> String {
    duration((seconds * 1e6) as u64)
}

/// Three significant digits, and never fewer than the whole number.
pub(super) fn significant(value: f64) -> String {
    match value {
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => grouped(value as u64),
    }
}

/// `1,234,567`
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Calls a second.
pub(super) fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// Bytes in units of 10^6.
pub(super) fn megabytes(bytes: u64) -> String {
    significant(bytes as f64 / 1e6)
}
