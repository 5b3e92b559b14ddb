//! Figures as people read them: durations, counts, rates, bytes, shares; and texts that came from elsewhere.
//! Knows no report.

/// A time in the unit that leaves one to three digits before the point, with three significant ones.
pub(super) fn duration(us: u64) -> String {
    match us {
        0..1_000 => format!("{us} µs"),
        1_000..999_500 => format!("{} ms", significant(us as f64 / 1e3)),
        999_500..59_950_000 => format!("{} s", significant(us as f64 / 1e6)),
        _ => minutes(us / 1_000_000),
    }
}

/// `5 min`, `5 min 3 s`, `2 h`, `2 h 5 min`, and what is longer than any run in powers of ten.
fn minutes(seconds: u64) -> String {
    if seconds >= 10_000 * 3600 {
        return format!("{:.0e} h", (seconds / 3600) as f64);
    }
    let (many, many_unit, few, few_unit) = match seconds {
        0..3600 => (seconds / 60, "min", seconds % 60, "s"),
        _ => (seconds / 3600, "h", seconds / 60 % 60, "min"),
    };
    if few == 0 { format!("{many} {many_unit}") } else { format!("{many} {many_unit} {few} {few_unit}") }
}

/// How long something ran: as `duration`, and whole seconds without decimals.
pub(super) fn seconds(seconds: f64) -> String {
    let us = (seconds * 1e6).round() as u64;
    let whole = us / 1_000_000;
    if us.is_multiple_of(1_000_000) && whole < 60 { format!("{whole} s") } else { duration(us) }
}

/// Three significant digits, and never fewer than the whole number has.
pub(super) fn significant(value: f64) -> String {
    match value {
        ..=0.0 => "0".to_owned(),
        ..9.995 => format!("{value:.2}"),
        ..99.95 => format!("{value:.1}"),
        _ => grouped(value.round() as u64),
    }
}

/// `1,234,567`; what has more than twelve digits, in powers of ten.
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    if digits.len() > 12 {
        return format!("{:.2e}", count as f64);
    }
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 call`, `1,234 calls`
pub(super) fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(count)) }
}

/// So many a second; none in no time.
pub(super) fn rate(count: u64, seconds: f64) -> f64 {
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

/// Bytes in units of 10^6.
pub(super) fn megabytes(bytes: u64) -> String {
    significant(bytes as f64 / 1e6)
}

/// A text without what a terminal would obey: what a service answers is shown and never done.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

/// A plain text of at most so many characters.
pub(super) fn shortened(text: &str, chars_max: usize) -> String {
    let text = plain(text);
    if text.chars().count() <= chars_max {
        return text;
    }
    text.chars().take(chars_max.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn durations() {
        for (us, text) in [
            (0, "0 µs"),
            (999, "999 µs"),
            (1_000, "1.00 ms"),
            (9_994, "9.99 ms"),
            (9_996, "10.0 ms"),
            (99_960, "100 ms"),
            (999_499, "999 ms"),
            (999_500, "1.00 s"),
            (59_949_999, "59.9 s"),
            (59_950_000, "0 min 59 s"),
            (60_000_000, "1 min"),
            (303_000_000, "5 min 3 s"),
            (7_500_000_000, "2 h 5 min"),
            (u64::MAX, "5e9 h"),
        ] {
            assert_eq!(duration(us), text);
        }
        assert_eq!(seconds(30.0), "30 s");
        assert_eq!(seconds(30.04), "30.0 s");
        assert_eq!(seconds(300.0), "5 min");
        assert_eq!(seconds(f64::NAN), "0 s");
    }

    #[test]
    fn numbers() {
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!(grouped(1_234_567_890_123), "1.23e12");
        assert_eq!([0.0, 0.126, 9.996, 99.96, 1234.5].map(significant), ["0", "0.13", "10.0", "100", "1,235"]);
        assert_eq!(significant(f64::NAN), "0");
        assert_eq!([counted(1, "call"), counted(2_000, "call")], ["1 call", "2,000 calls"]);
        assert_eq!(rate(10, 0.0), 0.0);
    }

    #[test]
    fn foreign_texts() {
        assert_eq!(plain("a\x1b[2Jb\n"), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(shortened("abcdef", 4), "abc…");
        assert_eq!(shortened("abcd", 4), "abcd");
    }

    proptest! {
        #[test]
        fn all_are_short(us: u64, number: f64) {
            prop_assert!(duration(us).chars().count() <= 13);
            prop_assert!(significant(number).chars().count() <= 16);
        }
    }
}
