//! The line that says how a run goes while it runs, on a terminal and nowhere else.
//! Knows what there is to say, and how wide the terminal is.

use std::io::{self, IsTerminal as _, Write as _};

use super::units::{grouped, seconds, significant};

/// What a run has come to so far. Times are since the phase began; latencies are those of late.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
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

/// The one line at the bottom of a terminal, written again and again.
#[derive(Debug)]
pub(crate) struct Live {
    total_seconds: Option<f64>,
}

impl Live {
    /// `None` where standard error is no terminal: then a run is quiet. Without `total_seconds` there is no bar.
    pub(crate) fn new(total_seconds: Option<f64>) -> Option<Self> {
        io::stderr().is_terminal().then_some(Self { total_seconds })
    }

    /// Writes the line over the one before.
    pub(crate) fn show(&self, progress: &Progress) {
        let width = terminal_size::terminal_size_of(io::stderr()).map_or(80, |(width, _)| usize::from(width.0));
        let line = line(progress, self.total_seconds, width);
        // A terminal that went away takes nothing from the run.
        let _ = write!(io::stderr().lock(), "\r{line}\x1b[K");
    }

    /// Takes the line away.
    pub(crate) fn end(self) {
        let _ = write!(io::stderr().lock(), "\r\x1b[K");
    }
}

fn line(progress: &Progress, _total_seconds: Option<f64>, width: usize) -> String {
    let line = format!(
        "{} {}  {}/s  {} done  {} failed",
        progress.phase,
        seconds(progress.elapsed_seconds),
        significant(progress.per_second),
        grouped(progress.succeeded_total),
        grouped(progress.failed_calls_total),
    );
    line.chars().take(width.saturating_sub(1)).collect()
}
