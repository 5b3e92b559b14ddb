//! Values of options that clap has no type for: sizes of payloads, and mixes of operations by weight.
//! Knows their spelling; knows no operation.

use std::fmt;
use std::str::FromStr;

use rand::{Rng, RngExt as _};

/// The largest plaintext that Encrypt takes, in bytes.
const PAYLOAD_BYTES_MAX: usize = 4096;

/// How many bytes a payload has: `32`, one of `16,256,4096`, or any of `1-4096`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Sizes {
    OneOf(Vec<usize>),
    Between(usize, usize),
}

impl Sizes {
    pub(crate) fn draw(&self, random: &mut impl Rng) -> usize {
        match self {
            Self::OneOf(sizes) => sizes.get(random.random_range(0..sizes.len().max(1))).copied().unwrap_or(1),
            Self::Between(least, most) => random.random_range(*least..=*most),
        }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(sizes) => {
                let sizes: Vec<_> = sizes.iter().map(usize::to_string).collect();
                out.write_str(&sizes.join(","))
            }
            Self::Between(least, most) => write!(out, "{least}-{most}"),
        }
    }
}

impl FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some((least, most)) = text.split_once('-') {
            let (least, most) = (size(least)?, size(most)?);
            return if least <= most { Ok(Self::Between(least, most)) } else { Err("a range rises".to_owned()) };
        }
        Ok(Self::OneOf(text.split(',').map(size).collect::<Result<_, _>>()?))
    }
}

fn size(text: &str) -> Result<usize, String> {
    match text.trim().parse() {
        Ok(size) if (1..=PAYLOAD_BYTES_MAX).contains(&size) => Ok(size),
        _ => Err(format!("`{text}` is not a number of bytes from 1 to {PAYLOAD_BYTES_MAX}")),
    }
}

/// Operations and their weights, as written: `Encrypt=60,Decrypt=30`; a weight left out is 1.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Weights(pub(crate) Vec<(String, f64)>);

impl FromStr for Weights {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut weights: Vec<(String, f64)> = Vec::new();
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let name = name.trim();
            let weight = weight.trim().parse::<f64>().ok().filter(|weight| weight.is_finite() && *weight > 0.0);
            let weight = weight.ok_or_else(|| format!("`{part}`: a weight is a number above 0"))?;
            if name.is_empty() || weights.iter().any(|(known, _)| known == name) {
                return Err(format!("`{part}`: an operation is named once"));
            }
            weights.push((name.to_owned(), weight));
        }
        Ok(Self(weights))
    }
}

/// A time such as `30s`, `5m` or `1h 30m`; one without a unit is refused.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    humantime::parse_duration(text).map_err(|why| why.to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use std::time::Duration;

    use rand::SeedableRng as _;
    use rand::rngs::Xoshiro256PlusPlus;

    use super::*;

    #[test]
    fn sizes_are_one_a_list_or_a_range() {
        assert_eq!("32".parse(), Ok(Sizes::OneOf(vec![32])));
        assert_eq!("1, 4096".parse(), Ok(Sizes::OneOf(vec![1, 4096])));
        assert_eq!("16-64".parse(), Ok(Sizes::Between(16, 64)));
        for wrong in ["", "0", "4097", "64-16", "16-", "x", "1,,2"] {
            assert!(wrong.parse::<Sizes>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn sizes_are_drawn_from_all_that_was_asked_for_and_nothing_else() {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(1);
        let mut drawn = |text: &str| {
            let sizes: Sizes = text.parse().unwrap();
            let mut seen: Vec<_> = (0..200).map(|_| sizes.draw(&mut random)).collect();
            seen.sort_unstable();
            seen.dedup();
            seen
        };
        assert_eq!(drawn("7"), [7]);
        assert_eq!(drawn("7,9"), [7, 9]);
        assert_eq!(drawn("7-9"), [7, 8, 9]);
    }

    #[test]
    fn weights_name_each_operation_once() {
        let expected = Weights(vec![("Encrypt".to_owned(), 60.0), ("Decrypt".to_owned(), 1.0)]);
        assert_eq!("Encrypt=60,Decrypt".parse(), Ok(expected));
        for wrong in ["", "Encrypt=0", "Encrypt=-1", "Encrypt=x", "Encrypt=inf", "Encrypt,Encrypt", "=3"] {
            assert!(wrong.parse::<Weights>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("150ms"), Ok(Duration::from_millis(150)));
        assert_eq!(duration("1h 30m"), Ok(Duration::from_secs(5400)));
        assert!(duration("30").is_err());
    }
}
