//! Values of the typed condition operators: numbers, dates, booleans, bytes, address ranges.
//! Knows how each is written; must not know operators.

use std::net::IpAddr;

use base64::Engine;
use ipnet::IpNet;

const FRACTION_DIGITS: usize = 18;
const INTEGER_DIGITS_MAX: usize = 19;
const SCALE: i128 = 1_000_000_000_000_000_000;

/// An exact decimal of at most 19 digits before and 18 after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Decimal(i128);

pub(super) fn decimal(text: &str) -> Option<Decimal> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (integer, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let fraction = fraction.trim_end_matches('0');
    let is_number = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if integer.is_empty() || integer.len() > INTEGER_DIGITS_MAX || fraction.len() > FRACTION_DIGITS {
        return None;
    }
    if !is_number(integer) || !is_number(fraction) || digits.ends_with('.') {
        return None;
    }
    let magnitude =
        integer.parse::<i128>().ok()? * SCALE + format!("{fraction:0<FRACTION_DIGITS$}").parse::<i128>().ok()?;
    Some(Decimal(if negative { -magnitude } else { magnitude }))
}

/// Seconds since the epoch, written so or in the forms of <https://www.w3.org/TR/NOTE-datetime>.
pub(super) fn date(text: &str) -> Option<Decimal> {
    let dashed = text.get(4..5) == Some("-");
    if !dashed && text.len() != 4 {
        return decimal(text);
    }
    let (day, clock) = text.split_once('T').map_or((text, None), |(day, clock)| (day, Some(clock)));
    let mut parts = day.split('-');
    let year = digits(parts.next()?, 4)?;
    let month = parts.next().map_or(Some(1), |part| digits(part, 2))?;
    let day_given = parts.next();
    let day = day_given.map_or(Some(1), |part| digits(part, 2))?;
    if parts.next().is_some() || (clock.is_some() && day_given.is_none()) {
        return None;
    }
    let month = time::Month::try_from(u8::try_from(month).ok()?).ok()?;
    let day = time::Date::from_calendar_date(i32::try_from(year).ok()?, month, u8::try_from(day).ok()?).ok()?;
    let midnight = i128::from(day.midnight().assume_utc().unix_timestamp()) * SCALE;
    Some(Decimal(midnight + clock.map_or(Some(0), time_of_day)?))
}

pub(super) fn boolean(text: &str) -> Option<bool> {
    match text {
        _ if text.eq_ignore_ascii_case("true") => Some(true),
        _ if text.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

pub(super) fn bytes(text: &str) -> Option<Box<[u8]>> {
    base64::engine::general_purpose::STANDARD.decode(text).ok().map(Into::into)
}

/// A range of addresses; a bare address is a range of one.
pub(super) fn network(text: &str) -> Option<IpNet> {
    text.parse().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
}

pub(super) fn address(text: &str) -> Option<IpAddr> {
    text.parse().ok()
}

/// `hh:mm[:ss[.fff]]` and a zone, as scaled seconds after midnight UTC.
fn time_of_day(text: &str) -> Option<i128> {
    let zone_at = text.find(['Z', '+', '-'])?;
    let (clock, zone) = (text.get(..zone_at)?, text.get(zone_at..)?);
    let (whole, fraction) = clock.split_once('.').map_or((clock, None), |(whole, rest)| (whole, Some(rest)));
    let mut parts = whole.split(':');
    let hours = digits(parts.next()?, 2).filter(|hours| *hours < 24)?;
    let minutes = digits(parts.next()?, 2).filter(|minutes| *minutes < 60)?;
    let seconds_given = parts.next();
    let seconds = seconds_given.map_or(Some(0), |part| digits(part, 2)).filter(|seconds| *seconds < 60)?;
    if parts.next().is_some() || (fraction.is_some() && seconds_given.is_none()) {
        return None;
    }
    let fraction = fraction.map_or(Some(0), |digits| decimal(&format!("0.{digits}")).map(|part| part.0))?;
    Some(i128::from(hours * 3600 + minutes * 60 + seconds) * SCALE + fraction - zone_offset(zone)?)
}

fn zone_offset(zone: &str) -> Option<i128> {
    if zone == "Z" {
        return Some(0);
    }
    let sign = if zone.starts_with('-') { -1 } else { 1 };
    let (hours, minutes) = zone.get(1..)?.split_once(':')?;
    let hours = digits(hours, 2).filter(|hours| *hours < 24)?;
    let minutes = digits(minutes, 2).filter(|minutes| *minutes < 60)?;
    Some(sign * i128::from(hours * 3600 + minutes * 60) * SCALE)
}

fn digits(text: &str, count: usize) -> Option<u32> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn decimals_compare_by_value() {
        assert_eq!(decimal("1546257599.0"), decimal("1546257599"));
        assert!(decimal("-2") < decimal("-1.5") && decimal("0.1") > decimal("0.01") && decimal("10") > decimal("9"));
        for wrong in ["", "-", ".5", "5.", "1e3", "0x1", "1 ", "12345678901234567890", "١"] {
            assert_eq!(decimal(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn dates_are_read_in_every_form() {
        for (text, seconds) in [
            ("1970", "0"),
            ("1970-02", "2678400"),
            ("1970-01-02", "86400"),
            ("1970-01-01T00:01Z", "60"),
            ("1970-01-01T01:00:01+01:00", "1"),
            ("1969-12-31T23:00:00.5-01:00", "0.5"),
            ("2026-11-23T22:20:00Z", "1795472400"),
            ("1795472400", "1795472400"),
        ] {
            assert_eq!(date(text), decimal(seconds), "{text}");
        }
        for wrong in
            ["", "yesterday", "2026-13", "2026-02-30", "2026-01-01T00:00", "2026-01T00:00Z", "2026-01-01T24:00Z"]
        {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_bare_address_is_a_range_of_one() {
        assert_eq!(network("10.0.0.1"), network("10.0.0.1/32"));
        assert_eq!(network("::1"), network("::1/128"));
        assert_eq!(network("10.0.0.1/33"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[0-9TZ:+.-]{0,30}|\\PC{0,12}") {
            let _ = (decimal(&text), date(&text), boolean(&text), bytes(&text), network(&text), address(&text));
        }
    }
}
