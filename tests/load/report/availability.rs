//! How available something was, said no better than what was counted shows.
//! Knows calls and failures. Takes calls as independent of each other, which an outage makes them not.

use std::fmt;

/// The bound that is given is on the good side of the truth in 95 of 100 runs.
const CONFIDENCE_LEFT: f64 = 0.05;
/// The normal distribution's quantile for it, one-sided.
const Z: f64 = 1.644_853_626_951_472_2;
/// Up to this many failures the bound is exact.
const EXACT_FAILURES_MAX: u64 = 10_000;
const NINES_MAX: u32 = 9;

/// What calls and their failures show.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Availability {
    calls: u64,
    failures: u64,
}

impl Availability {
    pub(super) fn new(calls: u64, failures: u64) -> Self {
        Self { calls, failures: failures.min(calls) }
    }

    /// The share of calls that succeeded, never rounded up: `99.97 %`. `None` without calls.
    pub(super) fn observed(self) -> Option<String> {
        (self.calls > 0).then(|| success_percent(self.failures as f64 / self.calls as f64))
    }

    /// What the share is at least, with 95 % confidence, never rounded up. `None` without calls.
    pub(super) fn at_least(self) -> Option<String> {
        (self.calls > 0).then(|| success_percent(self.failure_rate_max()))
    }

    /// `3 nines`: those of the bound and not of what was observed, so that five take more than 300,000 calls.
    pub(super) fn nines(self) -> String {
        // INVARIANT: strictly below, since 300,000 calls without failure bound the rate at one in 100,000 exactly.
        let bound = self.failure_rate_max();
        let nines = (1..=NINES_MAX).take_while(|nines| bound * 10_f64.powi(*nines as i32) < 1.0).count();
        if nines == 1 { "1 nine".to_owned() } else { format!("{nines} nines") }
    }

    /// The upper bound of the failure rate with 95 % confidence, one-sided.
    /// Without a failure the rule of three, 3/N (Hanley and Lippman-Hand, JAMA 249, 1983); with some, the exact bound
    /// (Clopper and Pearson, Biometrika 26, 1934); with very many, Wilson's with continuity correction (Newcombe,
    /// Statistics in Medicine 17, 1998), which by then agrees with the exact one in four digits.
    pub(super) fn failure_rate_max(self) -> f64 {
        match self.failures {
            _ if self.failures >= self.calls => 1.0,
            0 => (3.0 / self.calls as f64).min(1.0),
            1..=EXACT_FAILURES_MAX => exact(self.failures, self.calls),
            _ => wilson(self.failures, self.calls),
        }
    }
}

/// `99.97 % (95 % bound: at least 99.93 %, 3 nines)`
impl fmt::Display for Availability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.observed(), self.at_least()) {
            (Some(observed), Some(at_least)) => {
                write!(f, "{observed} (95 % bound: at least {at_least}, {})", self.nines())
            }
            _ => f.write_str("no calls"),
        }
    }
}

/// The failure rate at which so few failures, or fewer, are seen in 5 of 100 runs.
fn exact(failures: u64, calls: u64) -> f64 {
    let others = (calls - failures) as f64;
    let ln_choose: f64 = (1..=failures).map(|at| ((others + at as f64) / at as f64).ln()).sum();
    let so_few = |rate: f64| {
        let most = (ln_choose + failures as f64 * rate.ln() + others * (-rate).ln_1p()).exp();
        // Each number of failures from the next higher one; what is too little to count ends it.
        let (mut term, mut sum) = (1.0, 1.0);
        for at in (1..=failures).rev() {
            term *= at as f64 * (1.0 - rate) / ((others + (failures - at) as f64 + 1.0) * rate);
            sum += term;
            if term < sum * 1e-16 {
                break;
            }
        }
        most * sum
    };
    let (mut low, mut high) = (failures as f64 / calls as f64, 1.0);
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if so_few(middle) > CONFIDENCE_LEFT { low = middle } else { high = middle }
    }
    high
}

fn wilson(failures: u64, calls: u64) -> f64 {
    let n = calls as f64;
    let rate = failures as f64 / n;
    let spread = (Z * Z - 1.0 / n + 4.0 * n * rate * (1.0 - rate) - (4.0 * rate - 2.0)).max(0.0).sqrt();
    ((2.0 * n * rate + Z * Z + Z * spread + 1.0) / (2.0 * (n + Z * Z))).min(1.0)
}

/// What is left of 100 % with a failure rate, in as many decimals as show its first digit, and at least two.
fn success_percent(failure_rate: f64) -> String {
    let percent = 100.0 * failure_rate.clamp(0.0, 1.0);
    if percent == 0.0 {
        return "100 %".to_owned();
    }
    let decimals = (-percent.log10()).ceil().clamp(2.0, 9.0) as usize;
    let units = 10_f64.powi(decimals as i32);
    // Failures are rounded up; what binary fractions add to a whole number is no failure.
    let left = (100.0 * units - (percent * units - 1e-6).ceil().max(1.0)) / units;
    format!("{left:.decimals$} %")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// `scipy.stats.beta.ppf(0.95, failures + 1, calls - failures)`.
    const EXACT: &[(u64, u64, f64)] = &[
        (1, 100, 0.046_559_811_453_538_935),
        (5, 100, 0.102_253_377_643_274_5),
        (10, 100, 0.163_717_623_275_814_77),
        (99, 100, 0.999_487_198_583_737_7),
        (1, 1000, 0.004_734_993_575_499_777),
        (3, 10_000, 0.000_775_181_379_010_099_7),
        (12, 1_000_000, 1.944_249_697_846_200_6e-5),
        (500, 100_000, 0.005_382_730_759_818_748),
        (10_000, 20_000, 0.505_840_163_735_673_1),
        (10_000, 1_000_000, 0.010_165_213_982_092_063),
    ];

    #[test]
    fn the_exact_bound_is_that_of_the_tables() {
        for &(failures, calls, expected) in EXACT {
            let bound = Availability::new(calls, failures).failure_rate_max();
            assert!((bound / expected - 1.0).abs() < 1e-9, "{failures} of {calls}: {bound}, not {expected}");
        }
    }

    #[test]
    fn many_failures_have_nearly_the_exact_bound() {
        for (failures, calls, expected) in
            [(20_000, 3_000_000, 0.006_744_466_433_295_596), (10_001, 1_000_000, exact(10_001, 1_000_000))]
        {
            let bound = Availability::new(calls, failures).failure_rate_max();
            assert!((bound / expected - 1.0).abs() < 1e-4, "{failures} of {calls}: {bound}, not {expected}");
        }
    }

    #[test]
    fn no_failure_shows_what_the_rule_of_three_says() {
        assert_eq!(Availability::new(300, 0).failure_rate_max(), 0.01);
        assert_eq!(Availability::new(2, 0).failure_rate_max(), 1.0);
        let text = |calls, failures| Availability::new(calls, failures).to_string();
        assert_eq!(text(1000, 0), "100 % (95 % bound: at least 99.70 %, 2 nines)");
        assert_eq!(text(1, 0), "100 % (95 % bound: at least 0.00 %, 0 nines)");
        assert_eq!(text(0, 0), "no calls");
    }

    #[test]
    fn five_nines_take_more_than_300_000_calls() {
        let nines = |calls, failures| Availability::new(calls, failures).nines();
        assert_eq!(nines(300_000, 0), "4 nines");
        assert_eq!(nines(300_001, 0), "5 nines");
        assert_eq!(nines(300_001, 1), "4 nines");
        assert_eq!(nines(30, 0), "0 nines");
        assert_eq!(nines(31, 0), "1 nine");
        for calls in (0..=300_000).step_by(101) {
            assert!(bound_nines(calls) < 5, "{calls}");
        }
    }

    fn bound_nines(calls: u64) -> u32 {
        Availability::new(calls, 0).nines().split(' ').next().unwrap().parse().unwrap()
    }

    #[test]
    fn shares_are_never_rounded_up() {
        let text = |calls, failures| Availability::new(calls, failures).to_string();
        assert_eq!(text(10_000, 3), "99.97 % (95 % bound: at least 99.92 %, 3 nines)");
        assert_eq!(text(1_000_000, 1), "99.9999 % (95 % bound: at least 99.9995 %, 5 nines)");
        assert_eq!(text(3_000_000, 1), "99.99996 % (95 % bound: at least 99.9998 %, 5 nines)");
        assert_eq!(text(4, 2), "50.00 % (95 % bound: at least 9.76 %, 0 nines)");
        assert_eq!(text(7, 7), "0.00 % (95 % bound: at least 0.00 %, 0 nines)");
    }

    proptest! {
        #[test]
        fn the_bound_is_worse_than_what_was_seen(calls in 1..=u64::MAX, failures: u64) {
            let bound = Availability::new(calls, failures).failure_rate_max();
            prop_assert!(bound >= failures.min(calls) as f64 / calls as f64 && bound <= 1.0);
        }

        #[test]
        fn one_more_failure_is_worse(calls in 1..2_000_000_u64, failures in 0..300_u64) {
            let bound = |failures| Availability::new(calls, failures).failure_rate_max();
            prop_assert!(bound(failures + 1) >= bound(failures));
        }
    }
}
