//! The HTTP shell: connections in, whole requests to a `Service`, its answers out.
//! Knows listeners, TLS, sizes and deadlines; nothing of what a request means. It never reads an HTTP header to learn
//! where a request comes from: the listener says that, or the balancer for which it is.

mod connection;
mod drain;
mod headers;
mod health;
mod http;
mod limits;
mod listeners;
mod origin;
mod stream;
mod tls;
mod workers;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use futures_util::future::LocalBoxFuture;
use kms_core::clock::Timestamp;
use kms_core::request::{Source, Tls};
use zeroize::Zeroizing;

use self::connection::Shell;
use self::drain::Drain;
use self::workers::Workers;
use crate::listener::{Listener, Role, Stranger};
use crate::metrics::Metrics;

pub use headers::Headers;
pub use limits::Limits;
pub use listeners::{Bound, Running, Unbound};
pub use origin::Origin;
pub use tls::{TlsConfigHandle, TlsError};

/// Answers requests. Each HTTP worker has one, made on the worker's own thread.
pub trait Service: Clone + 'static {
    fn answer(&self, arrived: Arrived) -> LocalBoxFuture<'static, Answer>;

    /// Whether requests should be sent here. Must be quick.
    fn is_well(&self) -> bool;
}

/// A request, whole and within limits. Nothing of it is proved but `connection` and `source`.
pub struct Arrived {
    pub connection: Arc<Connection>,
    /// Where the connection comes from.
    pub source: Source,
    /// A fresh UUID, which the answer carries as `x-amzn-RequestId`.
    pub request_id: Arc<str>,
    /// When the request's first byte was read; its deadline counts from here.
    pub received: Instant,
    pub received_at: Timestamp,
    pub method: String,
    /// As it came: neither decoded nor normalised.
    pub path: String,
    /// Without the question mark; empty when there is none.
    pub query: String,
    pub headers: Headers,
    /// Wiped when dropped, as it may hold a plaintext.
    pub body: Zeroizing<Vec<u8>>,
}

impl Arrived {
    /// A header's value when it comes exactly once and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.iter().filter(|(known, _)| *known == name);
        let (_, value) = values.next()?;
        if values.next().is_some() { None } else { std::str::from_utf8(value).ok() }
    }
}

impl fmt::Debug for Arrived {
    /// Neither headers nor body: they hold signatures, tokens and plaintexts.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request_id, method, path, connection, .. } = self;
        write!(out, "Arrived({request_id} {method} {path} from {} by {:?})", connection.peer, connection.role)
    }
}

/// What a connection has proved, once for all of its requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// What arriving at this listener means.
    pub role: Arc<Role>,
    pub origin: Origin,
    pub local: SocketAddr,
    /// Who connected to `local`: a client, or the balancer in front of it.
    pub peer: SocketAddr,
    pub tls: Option<Arc<Tls>>,
    /// The host name that the client asked for in TLS; it proves nothing.
    pub server_name: Option<String>,
}

/// What is sent back. Request id, date and length are added by the shell; the body is wiped once it is sent.
#[derive(Clone, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, Cow<'static, str>)>,
    pub body: Vec<u8>,
    /// Ends the connection after this answer.
    pub close: bool,
}

impl fmt::Debug for Answer {
    /// Without the body, which may hold a plaintext.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Answer({} {:?}, {} bytes, close: {})", self.status, self.headers, self.body.len(), self.close)
    }
}

/// Whether a client may come from there. Asked for each connection, on an HTTP worker's thread, so it must be quick; it
/// may answer differently when the registry has changed.
pub type Ranges = Arc<dyn Fn(&Source) -> Result<(), Stranger> + Send + Sync>;

/// Serves on all `listeners` until the result is drained or dropped. Must be called within an actix `System`.
/// `service_for_worker` is called once on each worker's thread; a worker that replaces one that died counts on.
pub fn start<S, F>(
    listeners: Vec<Listener>,
    tls: TlsConfigHandle,
    limits: Limits,
    ranges: Ranges,
    metrics: Arc<Metrics>,
    service_for_worker: F,
) -> io::Result<Running>
where
    S: Service,
    F: Fn(usize) -> S + Clone + Send + Sync + 'static,
{
    let expiring = tls.clone();
    metrics.gauge("kannuki_certificate_expiry_timestamp_seconds", "When the certificate expires.", move || {
        expiring.expires_at().epoch_seconds()
    });
    let workers = Workers::start(limits.workers.clamp(1, 512), service_for_worker);
    let seats_max = u32::try_from(limits.connections_max.max(1)).unwrap_or(u32::MAX);
    let patience = (limits.drain_grace, limits.drain_deadline);
    let mut running = Running::new(workers, seats_max, patience, move |listener| Shell {
        role: Arc::new(listener.role.clone()),
        tls: tls.clone(),
        limits: limits.clone(),
        ranges: ranges.clone(),
        metrics: metrics.clone(),
        drain: Drain::default(),
    });
    let bound = running.bind(listeners).map_err(|unbound| {
        let all: Vec<_> = unbound.iter().map(Unbound::to_string).collect();
        io::Error::other(all.join("; "))
    })?;
    running.take_up(bound)?;
    Ok(running)
}

#[cfg(test)]
mod tests;
