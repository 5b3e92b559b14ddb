//! The line that says how a run goes while it runs, on a terminal and nowhere else.
//! Knows what there is to say, and how wide the terminal is.

use std::io::{self, IsTerminal as _, Write as _};

use super::units::{counted, duration, grouped, significant};

/// What a run has come to so far; latencies are those of late.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// Since the run began, warm-up included.
    pub(crate) elapsed_seconds: f64,
    /// `warm-up`, `measuring` and the like.
    pub(crate) phase: &'static str,
    pub(crate) succeeded_total: u64,
    pub(crate) per_second: f64,
    pub(crate) failed_attempts_total: u64,
    pub(crate) failed_calls_total: u64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    /// Operations of the mix that the service lacks.
    pub(crate) left_out: usize,
}

/// The one line at the bottom of a terminal, written again and again; it goes when this is dropped.
#[derive(Debug)]
pub(crate) struct Live {
    total_seconds: Option<f64>,
}

impl Live {
    /// `None` where standard error is no terminal that can move its cursor: then a run is quiet. There is no bar
    /// without `total_seconds`, which counts as `Progress::elapsed_seconds` does.
    pub(crate) fn new(total_seconds: Option<f64>) -> Option<Self> {
        let moves = std::env::var_os("TERM").is_some_and(|kind| !kind.is_empty() && kind != "dumb");
        // Not `then_some`: even one that is dropped at once would write.
        (moves && io::stderr().is_terminal()).then(|| Self { total_seconds })
    }

    /// Writes the line over the one before.
    pub(crate) fn show(&self, progress: &Progress) {
        let columns = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(columns, _)| usize::from(columns.0));
        let line = line(progress, self.total_seconds, columns);
        // Without wrapping, so that a terminal which just became narrower cuts the line off and does not scroll.
        // A terminal that went away takes nothing from the run.
        let _ = write!(io::stderr().lock(), "\r\x1b[?7l{line}\x1b[K\x1b[?7h");
    }

    /// Takes the line away.
    pub(crate) fn end(self) {}
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = write!(io::stderr().lock(), "\r\x1b[K");
    }
}

const BAR_MIN: usize = 10;
const BAR_MAX: usize = 30;
const BAR_WEIGHT: u8 = 7;

/// The line in fewer columns than the terminal has: what matters least goes first, and the bar takes what is left.
fn line(progress: &Progress, total_seconds: Option<f64>, columns: usize) -> String {
    let columns = columns.saturating_sub(1);
    let mut parts = parts(progress, total_seconds);
    let width = |parts: &[Part]| parts.iter().map(|part| part.text.chars().count() + 2).sum::<usize>();
    while parts.len() > 1 && width(&parts) > columns + 2 {
        let least = parts.iter().enumerate().min_by_key(|(_, part)| part.weight).map_or(0, |(at, _)| at);
        parts.remove(least);
    }
    let room = (columns + 2).saturating_sub(width(&parts));
    if let (Some(total), Some(part)) = (total_seconds, parts.iter_mut().find(|part| part.weight == BAR_WEIGHT)) {
        part.text = bar(progress.elapsed_seconds / total, (BAR_MIN + room).min(BAR_MAX));
    }
    let texts: Vec<String> = parts.into_iter().map(|part| part.text).collect();
    texts.join("  ").chars().take(columns).collect()
}

/// Something to say, and how much it matters.
struct Part {
    weight: u8,
    text: String,
}

/// What there is to say, in its order.
fn parts(progress: &Progress, total_seconds: Option<f64>) -> Vec<Part> {
    let total = total_seconds.filter(|total| *total > 0.0);
    let elapsed = clock(progress.elapsed_seconds);
    let failures = match (progress.failed_calls_total, progress.failed_attempts_total) {
        (0, 0) => "no failure".to_owned(),
        (calls, _) => format!("{} failed", counted(calls, "call")),
    };
    let attempts = progress.failed_attempts_total;
    let left_out = progress.left_out as u64;
    // In a second in which nothing succeeded there is no latency.
    let latency = |us| if us == 0 { "-".to_owned() } else { duration(us) };
    let all = [
        (5, Some(progress.phase.to_owned())),
        (BAR_WEIGHT, total.map(|_| bar(0.0, BAR_MIN))),
        (10, Some(total.map_or(elapsed.clone(), |total| format!("{elapsed} of {}", clock(total))))),
        (9, Some(format!("{:>6}/s", significant(progress.per_second)))),
        (3, Some(format!("p50 {:>7}", latency(progress.p50_us)))),
        (6, Some(format!("p99 {:>7}", latency(progress.p99_us)))),
        (8, Some(failures)),
        (4, (attempts > 0).then(|| counted(attempts, "failed attempt"))),
        (2, Some(format!("{} done", grouped(progress.succeeded_total)))),
        (1, (left_out > 0).then(|| format!("{} left out", counted(left_out, "operation")))),
    ];
    all.into_iter().filter_map(|(weight, text)| Some(Part { weight, text: text? })).collect()
}

/// `1:05`, `2:00:00`
fn clock(seconds: f64) -> String {
    let seconds = seconds as u64;
    match seconds {
        0..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

/// `[####....]`, so many columns wide.
fn bar(share: f64, columns: usize) -> String {
    let inner = columns.saturating_sub(2);
    let full = ((share.clamp(0.0, 1.0) * inner as f64) as usize).min(inner);
    format!("[{}{}]", "#".repeat(full), ".".repeat(inner - full))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn progress() -> Progress {
        Progress {
            elapsed_seconds: 83.4,
            phase: "measuring",
            succeeded_total: 1_024_123,
            per_second: 12_345.6,
            failed_attempts_total: 17,
            failed_calls_total: 1,
            p50_us: 812,
            p99_us: 4_512,
            left_out: 2,
        }
    }

    #[test]
    fn what_matters_least_goes_first() {
        let line = |columns| line(&progress(), Some(300.0), columns);
        assert_eq!(
            line(160),
            "measuring  [######................]  1:23 of 5:00  12,346/s  p50  812 µs  p99 4.51 ms  1 call failed  \
             17 failed attempts  1,024,123 done  2 operations left out"
        );
        assert_eq!(
            line(120),
            "measuring  [#####................]  1:23 of 5:00  12,346/s  p50  812 µs  p99 4.51 ms  1 call failed  17 failed attempts"
        );
        assert_eq!(line(80), "measuring  [###...........]  1:23 of 5:00  12,346/s  p99 4.51 ms  1 call failed");
        assert_eq!(line(26), "1:23 of 5:00  12,346/s");
        assert_eq!(line(9), "1:23 of ");
        assert_eq!(line(0), "");
    }

    #[test]
    fn without_an_end_there_is_no_bar() {
        let calm = Progress { failed_attempts_total: 0, failed_calls_total: 0, left_out: 0, ..progress() };
        assert_eq!(
            line(&calm, None, 120),
            "measuring  1:23  12,346/s  p50  812 µs  p99 4.51 ms  no failure  1,024,123 done"
        );
    }

    #[test]
    fn times_and_bars() {
        assert_eq!([0.0, 59.9, 61.0, 7200.0, f64::NAN].map(clock), ["0:00", "0:59", "1:01", "2:00:00", "0:00"]);
        assert_eq!(
            [0.0, 0.5, 1.0, 7.0, -1.0, f64::NAN].map(|share| bar(share, 6)),
            ["[....]", "[##..]", "[####]", "[####]", "[....]", "[....]"]
        );
    }

    proptest! {
        #[test]
        fn the_line_never_wraps(
            (elapsed_seconds, per_second) in any::<(f64, f64)>(),
            total in any::<Option<f64>>(),
            columns in 0..300_usize,
            (succeeded_total, failed_attempts_total, failed_calls_total) in any::<(u64, u64, u64)>(),
            (p50_us, p99_us, left_out) in any::<(u64, u64, usize)>(),
        ) {
            let progress = Progress {
                elapsed_seconds, phase: "warm-up", succeeded_total, per_second, failed_attempts_total,
                failed_calls_total, p50_us, p99_us, left_out,
            };
            let line = line(&progress, total, columns);
            prop_assert!(line.chars().count() < columns.max(1));
            prop_assert!(!line.contains(char::is_control));
        }
    }
}
