//! How large, how slow and how many, for HTTP.
//! Plain numbers with defaults; who enforces each is elsewhere in `serve`.

use std::time::Duration;

/// Bounds on what clients may do to the HTTP layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Threads that serve HTTP.
    pub workers: usize,
    pub body_bytes_max: usize,
    /// Of a request's line and all its headers. (The HTTP library reads at most 96 headers and 128 KiB.)
    pub head_bytes_max: usize,
    /// From a request's first byte until it must have arrived whole.
    pub deadline: Duration,
    pub handshake_timeout: Duration,
    /// How long a connection may be idle; above the 60 s after which SDKs' connection pools let go themselves.
    pub keep_alive: Duration,
    /// How long a client may not take anything of an answer.
    pub stall_timeout: Duration,
    /// How long a refused client may go on sending what nobody reads, so that it can see its answer.
    pub linger: Duration,
    /// Of all workers together; more wait to be accepted.
    pub connections_max: usize,
    /// When draining: how long idle connections stay open, so that a request that is under way on one is answered.
    pub drain_grace: Duration,
    /// When draining: after this, what is still at work is cut.
    pub drain_deadline: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(2, usize::from),
            body_bytes_max: 512 << 10,
            head_bytes_max: 16 << 10,
            deadline: Duration::from_secs(8),
            handshake_timeout: Duration::from_secs(5),
            keep_alive: Duration::from_secs(75),
            stall_timeout: Duration::from_secs(10),
            linger: Duration::from_secs(1),
            connections_max: 10_000,
            drain_grace: Duration::from_secs(5),
            drain_deadline: Duration::from_secs(30),
        }
    }
}
