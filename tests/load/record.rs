//! What a finished run says: plain data, written as JSON and read again by `--compare`.
//! Knows nothing of how it was measured, nor of how it is shown.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The version of this format; a report of another one is refused by `--compare`.
pub(crate) const FORMAT_VERSION: u32 = 1;

/// A whole run. Times are in microseconds where a name ends in `_us`, and the warm-up is in none of the figures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Report {
    pub(crate) format_version: u32,
    /// `kannuki-load 0.1.0`
    pub(crate) tool: String,
    /// ISO 8601 in UTC.
    pub(crate) started_at: String,
    /// What was asked for, option by option, as it may be shown; holds no secret.
    pub(crate) options: BTreeMap<String, String>,
    pub(crate) warm_up_seconds: f64,
    /// How long was measured.
    pub(crate) seconds: f64,
    pub(crate) ended_by: EndedBy,
    /// One for each operation of the mix, in its order.
    pub(crate) operations: Vec<OperationFigures>,
    /// All operations together.
    pub(crate) total: OperationFigures,
    pub(crate) endpoints: Vec<EndpointFigures>,
    /// Operations of the mix that the service lacks, each with what it answered.
    pub(crate) left_out: BTreeMap<String, String>,
    /// One for each second that was measured, from 0, without gaps.
    pub(crate) timeline: Vec<Second>,
    /// The longest time without any call that succeeded, while calls were under way.
    pub(crate) longest_gap_us: u64,
    /// Calls of an open loop that were due, and for which no connection was free before the end. They are in no other
    /// figure; were there any, the latencies would be longer still.
    #[serde(default)]
    pub(crate) calls_not_made: u64,
    /// What was checked, and how often.
    pub(crate) checks: BTreeMap<String, u64>,
    /// What the service did that it must not.
    pub(crate) violation: Option<Violation>,
    /// CPU seconds of the load generator itself: near `seconds`, it was the bottleneck.
    pub(crate) own_cpu_seconds: f64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum EndedBy {
    #[default]
    Duration,
    Count,
    /// Ctrl-C or SIGTERM.
    Interrupt,
    Violation,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct OperationFigures {
    pub(crate) name: String,
    /// Calls as the caller sees them: with their retries, one call.
    pub(crate) calls: u64,
    /// HTTP requests, retries included.
    pub(crate) attempts: u64,
    pub(crate) succeeded: u64,
    /// Calls whose first attempt failed.
    pub(crate) failed_at_first: u64,
    /// Calls that failed for good.
    pub(crate) failed_after_retries: u64,
    /// Attempts that failed, by AWS's error code; `connect`, `timeout`, `closed` and the like for those without one.
    pub(crate) errors: BTreeMap<String, u64>,
    /// HTTP bytes, without TLS.
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
    /// Of calls that succeeded, retries included; in an open loop counted from when the call was due.
    pub(crate) latency: Latency,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Latency {
    pub(crate) mean_us: f64,
    pub(crate) p50_us: u64,
    pub(crate) p90_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) p99_9_us: u64,
    pub(crate) p99_99_us: u64,
    pub(crate) max_us: u64,
    /// The distribution: percentile (0 to 100) and the latency that it is within, rising in both; as many points as a
    /// picture needs (HDR percentile ticks).
    pub(crate) curve: Vec<(f64, u64)>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct EndpointFigures {
    /// `https://127.0.10.1:8443`
    pub(crate) url: String,
    pub(crate) attempts: u64,
    pub(crate) failed: u64,
    /// Attempts that came here because another endpoint had failed.
    pub(crate) failed_over_to: u64,
    pub(crate) connections_opened: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Second {
    pub(crate) succeeded: u64,
    pub(crate) failed_attempts: u64,
    pub(crate) failed_calls: u64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) max_us: u64,
}

/// A broken promise, with what shows it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Violation {
    /// One sentence.
    pub(crate) what: String,
    /// Operation, key, request ids, times, endpoint and the like, by name.
    pub(crate) evidence: BTreeMap<String, String>,
}
