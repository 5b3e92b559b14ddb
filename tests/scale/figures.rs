//! What was measured of a region, the table of two of them, and the promises that figures can break.
//! Knows numbers only.

use std::fmt::Write as _;
use std::time::Duration;

use crate::client::Round;

/// From this many keys on the promises are judged; with fewer, fixed costs drown what a key costs.
const JUDGED_KEYS_MIN: usize = 100_000;
/// For a million keys.
const START_MAX: Duration = Duration::from_secs(10);
/// The store's cache, 64 MiB of it, is a part of this.
const RESIDENT_BYTES_PER_KEY_MAX: f64 = 2048.0;
/// Of what it is with few keys.
const SPEED_RATIO_MIN: f64 = 0.9;

/// One region's figures.
pub(crate) struct Figures {
    keys: usize,
    start: Duration,
    store_bytes: u64,
    resident_bytes: u64,
    /// After the rounds.
    pub(crate) resident_after_bytes: u64,
    pub(crate) rounds: Vec<Round>,
}

impl Figures {
    /// `starts` took as long from exec to `/ready`; the median counts.
    pub(crate) fn new(keys: usize, starts: Vec<Duration>, resident_bytes: u64, store_bytes: u64) -> Self {
        let start = middle(starts).unwrap_or_default();
        Self { keys, start, store_bytes, resident_bytes, resident_after_bytes: 0, rounds: Vec::new() }
    }

    /// Encrypts a second in the middle round.
    fn per_second(&self) -> f64 {
        let mut rates: Vec<f64> = self.rounds.iter().map(|round| round.per_second).collect();
        rates.sort_by(f64::total_cmp);
        rates.get(rates.len() / 2).copied().unwrap_or_default()
    }

    /// The latency that a share of all Encrypts stayed below, in the middle round.
    fn latency(&self, share: f64) -> Duration {
        let of = |round: &Round| round.latencies.get((round.latencies.len() as f64 * share) as usize).copied();
        middle(self.rounds.iter().filter_map(of).collect()).unwrap_or_default()
    }

    /// What each key beyond those of `few` adds to a size.
    fn per_key(&self, few: &Self, size: impl Fn(&Self) -> u64) -> f64 {
        let keys = self.keys.saturating_sub(few.keys).max(1);
        (size(self) as f64 - size(few) as f64) / keys as f64
    }
}

/// The figures of both, side by side, one below the other.
pub(crate) fn table(few: &Figures, many: &Figures) -> String {
    let mut rows = vec![[String::new(), format!("{} keys", few.keys), format!("{} keys", many.keys), String::new()]];
    let mut row = |name: &str, of: &dyn Fn(&Figures) -> String, last: String| {
        rows.push([name.to_owned(), of(few), of(many), last]);
    };
    let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20));
    let milliseconds = |time: Duration| format!("{:.2} ms", time.as_secs_f64() * 1e3);
    let per_key = |size: &dyn Fn(&Figures) -> u64| format!("{:.0} bytes a key", many.per_key(few, size));
    row("start until ready", &|of| format!("{:.2} s", of.start.as_secs_f64()), String::new());
    row("store file", &|of| mebibytes(of.store_bytes), per_key(&|of| of.store_bytes));
    row("resident after start", &|of| mebibytes(of.resident_bytes), per_key(&|of| of.resident_bytes));
    row("resident after Encrypts", &|of| mebibytes(of.resident_after_bytes), per_key(&|of| of.resident_after_bytes));
    row("Encrypts a second", &|of| format!("{:.0}", of.per_second()), format!("ratio {:.2}", ratio(few, many)));
    row("Encrypt, median", &|of| milliseconds(of.latency(0.5)), String::new());
    row("Encrypt, 99 % within", &|of| milliseconds(of.latency(0.99)), String::new());
    let mut table = String::new();
    for [name, few, many, last] in rows {
        let _ = writeln!(table, "{}", format!("{name:<24} {few:>14} {many:>14}  {last}").trim_end());
    }
    table
}

/// A sentence for each promise that does not hold.
pub(crate) fn broken(few: &Figures, many: &Figures) -> Vec<String> {
    let mut broken = Vec::new();
    if many.keys < JUDGED_KEYS_MIN {
        return broken;
    }
    if many.start > START_MAX {
        broken.push(format!("a start takes longer than {} s", START_MAX.as_secs()));
    }
    if many.per_key(few, |of| of.resident_bytes) > RESIDENT_BYTES_PER_KEY_MAX {
        broken.push(format!("a key takes more than {RESIDENT_BYTES_PER_KEY_MAX} bytes of memory"));
    }
    if ratio(few, many) < SPEED_RATIO_MIN {
        broken.push(format!("with many keys Encrypt is slower than {SPEED_RATIO_MIN} of what it is with few"));
    }
    broken
}

fn ratio(few: &Figures, many: &Figures) -> f64 {
    many.per_second() / few.per_second().max(1.0)
}

fn middle(mut times: Vec<Duration>) -> Option<Duration> {
    times.sort_unstable();
    times.get(times.len() / 2).copied()
}
