//! The HTTP shell: connections in, whole requests to a `Service`, its answers out.
//! Knows listeners, TLS, sizes and deadlines; nothing of what a request means. It never reads an HTTP header to learn
//! where a request comes from: the listener says that, or the balancer for which it is.

mod connection;
mod drain;
mod headers;
mod health;
mod http;
mod limits;
mod origin;
mod stream;
mod tls;

use std::any::Any;
use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use actix_web::dev::{Server, fn_factory, fn_service};
use futures_util::future::LocalBoxFuture;
use kms_core::clock::Timestamp;
use kms_core::request::{Source, Tls};
use tokio::net::{TcpSocket, TcpStream};
use zeroize::Zeroizing;

use crate::listener::{Listener, Role, Stranger};
use crate::metrics::Metrics;

pub use drain::Running;
pub use headers::Headers;
pub use limits::Limits;
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

/// Serves on all `listeners` until the result is drained or dropped. Must be called within an actix `System`, on whose
/// thread the accepting is supervised. `service_for_worker` is called once on each worker's thread; a worker that
/// replaces one that died counts on.
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
    F: Fn(usize) -> S + Clone + Send + 'static,
{
    let drain = drain::Drain::default();
    let expiring = tls.clone();
    metrics.gauge("kannuki_certificate_expiry_timestamp_seconds", "When the certificate expires.", move || {
        expiring.expires_at().epoch_seconds()
    });
    let worker_count = Arc::new(AtomicUsize::new(0));
    let mut builder = Server::build()
        .workers(limits.workers.clamp(1, 512))
        .max_concurrent_connections(limits.connections_max.div_ceil(limits.workers.max(1)).max(1))
        .shutdown_timeout(limits.drain_deadline.as_secs().max(1))
        .disable_signals();
    let mut addresses = Vec::with_capacity(listeners.len());
    for Listener { address, role } in listeners {
        let socket = listening(address)?;
        addresses.push(socket.local_addr()?);
        let shell = connection::Shell {
            role: Arc::new(role),
            tls: tls.clone(),
            limits: limits.clone(),
            ranges: ranges.clone(),
            metrics: metrics.clone(),
            drain: drain.clone(),
        };
        let (worker_count, service_for_worker) = (worker_count.clone(), service_for_worker.clone());
        builder = builder.listen(format!("kms {address}"), socket, move || {
            let (shell, worker_count, service_for_worker) =
                (shell.clone(), worker_count.clone(), service_for_worker.clone());
            fn_factory(move || {
                let service = of_this_worker(&worker_count, &service_for_worker);
                let connections = connection::Connections::new(shell.clone(), service);
                async move {
                    let connections = connections.await?;
                    Ok::<_, ()>(fn_service(move |tcp: TcpStream| connections.clone().serve(tcp)))
                }
            })
        })?;
    }
    Ok(Running::new(builder.run(), addresses, drain, limits))
}

/// Binds and listens; the queue of connections not yet accepted is long enough for a burst of new clients.
fn listening(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    let named = |cause: io::Error| io::Error::new(cause.kind(), format!("cannot listen on {address}: {cause}"));
    socket.bind(address).map_err(named)?;
    socket.listen(1024).map_err(named)?.into_std()
}

/// A worker serves all listeners with one service; actix asks for each listener anew.
fn of_this_worker<S: Service>(worker_count: &AtomicUsize, service_for_worker: &impl Fn(usize) -> S) -> S {
    thread_local! {
        static SERVICES: RefCell<Vec<Box<dyn Any>>> = const { RefCell::new(Vec::new()) };
    }
    SERVICES.with_borrow_mut(|services| {
        if let Some(known) = services.iter().find_map(|service| service.downcast_ref::<S>()) {
            return known.clone();
        }
        let service = service_for_worker(worker_count.fetch_add(1, Ordering::Relaxed));
        services.push(Box::new(service.clone()));
        service
    })
}

#[cfg(test)]
mod tests;
