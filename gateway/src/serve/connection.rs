//! A connection's beginning: whether it may be here at all, TLS, and what it has proved.
//! Knows sockets and roles; the requests on it are for `http`, its clock and its end for `stream`.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use actix_http::body::BoxBody;
use actix_http::h1::H1ServiceHandler;
use actix_http::{HttpService, KeepAlive, Request, Response};
use actix_web::dev::{Service as _, ServiceFactory as _, fn_service};
use futures_util::future::LocalBoxFuture;
use kms_core::request::Tls;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::drain::Drain;
use super::http::Http;
use super::limits::Limits;
use super::stream::{Pulse, Stream};
use super::tls::TlsConfigHandle;
use super::{Connection, Origin, Ranges, Service};
use crate::listener::Role;
use crate::metrics::Metrics;

/// What all connections of one listener share.
#[derive(Clone)]
pub(super) struct Shell {
    pub(super) role: Arc<Role>,
    pub(super) tls: TlsConfigHandle,
    pub(super) limits: Limits,
    pub(super) ranges: Ranges,
    pub(super) metrics: Arc<Metrics>,
    pub(super) drain: Drain,
}

/// What requests find in their connection's data.
pub(super) struct Tie {
    pub(super) connection: Arc<Connection>,
    pub(super) pulse: Rc<Pulse>,
}

/// Serves the connections of one listener on one worker.
pub(super) struct Connections {
    shell: Rc<Shell>,
    acceptor: TlsAcceptor,
    requests: Requests,
}

type Requests = Rc<dyn Fn(Stream, SocketAddr) -> LocalBoxFuture<'static, ()>>;

impl Connections {
    pub(super) async fn new<S: Service>(shell: Shell, service: S) -> Result<Rc<Self>, ()> {
        let shell = Rc::new(shell);
        let acceptor = TlsAcceptor::from(shell.tls.config());
        let requests = requests(shell.clone(), service).await?;
        Ok(Rc::new(Self { shell, acceptor, requests }))
    }

    /// Serves one connection until its end.
    pub(super) async fn serve(self: Rc<Self>, mut tcp: TcpStream) -> Result<(), Infallible> {
        let (Ok(local), Ok(peer)) = (tcp.local_addr(), tcp.peer_addr()) else {
            return Ok(());
        };
        // Before TLS: a stranger costs nothing and learns nothing.
        let origin = match self.shell.origin(&mut tcp, peer.ip()).await {
            Ok(origin) => origin,
            Err(cause) => {
                cause.count(&self.shell.metrics);
                tracing::debug!(%peer, %local, %cause, "connection refused");
                return Ok(());
            }
        };
        self.shell.metrics.connections_accepted.increment();
        match self.secured(tcp, origin, local, peer).await {
            Ok(stream) => (self.requests)(stream, peer).await,
            Err(cause) => {
                self.shell.metrics.tls_handshakes_failed.increment();
                tracing::debug!(%peer, %local, %cause, "TLS handshake failed");
            }
        }
        self.shell.metrics.connections_closed.increment();
        Ok(())
    }

    async fn secured(&self, tcp: TcpStream, origin: Origin, local: SocketAddr, peer: SocketAddr) -> io::Result<Stream> {
        // Answers are small and written at once; waiting for more of them would only add latency.
        tcp.set_nodelay(true)?;
        let Shell { role, limits, drain, metrics, .. } = self.shell.as_ref();
        let tls = tokio::time::timeout(limits.handshake_timeout, self.acceptor.accept(tcp)).await??;
        let (_, session) = tls.get_ref();
        let connection = Connection {
            role: role.clone(),
            origin,
            local,
            peer,
            tls: encryption(session).map(Arc::new),
            server_name: session.server_name().map(str::to_owned),
        };
        Ok(Stream::new(tls, Arc::new(connection), limits.clone(), drain, metrics.clone()))
    }
}

/// The HTTP library's handler for a stream, with its own timers off: `stream` has the clock.
async fn requests<S: Service>(shell: Rc<Shell>, service: S) -> Result<Requests, ()> {
    let linger = shell.limits.linger;
    let http = Rc::new(Http::new(shell, service));
    let answering = fn_service(move |request: Request| {
        let http = http.clone();
        async move { Ok::<Response<BoxBody>, Infallible>(http.answer(request).await) }
    });
    let handler: H1ServiceHandler<Stream, _, _, _, _> = HttpService::build()
        .keep_alive(KeepAlive::Os)
        .client_request_timeout(std::time::Duration::ZERO)
        .client_disconnect_timeout(linger)
        .on_connect_ext(|stream: &Stream, data| {
            data.insert(Tie { connection: stream.connection(), pulse: stream.pulse() });
        })
        .h1(answering)
        .new_service(())
        .await?;
    Ok(Rc::new(move |stream, peer| {
        let served = handler.call((stream, Some(peer)));
        Box::pin(async move {
            if let Err(cause) = served.await {
                tracing::debug!(%peer, %cause, "connection broke");
            }
        })
    }))
}

fn encryption(session: &rustls::ServerConnection) -> Option<Tls> {
    let group = session.negotiated_key_exchange_group();
    Some(Tls {
        version: session.protocol_version().and_then(version_name)?,
        cipher_suite: session
            .negotiated_cipher_suite()
            .map(|suite| iana_name(suite.suite().as_str()))
            .unwrap_or_default(),
        key_exchange: group.and_then(|group| group.name().as_str().map(str::to_owned)),
    })
}

fn version_name(version: rustls::ProtocolVersion) -> Option<&'static str> {
    match version {
        rustls::ProtocolVersion::TLSv1_2 => Some("TLSv1.2"),
        rustls::ProtocolVersion::TLSv1_3 => Some("TLSv1.3"),
        _ => None,
    }
}

/// rustls calls the suites of TLS 1.3 `TLS13_...`, IANA `TLS_...`.
fn iana_name(suite: Option<&'static str>) -> String {
    suite.unwrap_or_default().replacen("TLS13_", "TLS_", 1)
}
