//! A live server on 127.0.0.1 with a certificate of its own, and a client that speaks bytes over TLS.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::listener::{Asserts, Balancer, Listener, Role};
use crate::metrics::Metrics;
use crate::serve::{Answer, Arrived, Limits, Ranges, Service, TlsConfigHandle, start};
use crate::wire;

/// A self-signed certificate for `localhost`, with its key.
pub(super) struct Certificate {
    pub(super) certificate_pem: String,
    pub(super) key_pem: String,
    pub(super) der: CertificateDer<'static>,
}

pub(super) fn certificate() -> Certificate {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    Certificate {
        certificate_pem: made.cert.pem(),
        key_pem: made.signing_key.serialize_pem(),
        der: made.cert.der().clone(),
    }
}

/// Waits until that many handshakes are counted as failed: they are counted after the client has seen the end.
pub(super) fn handshakes_failed(metrics: &Metrics, count: u64) {
    let give_up = Instant::now() + Duration::from_secs(5);
    while metrics.tls_handshakes_failed.value() < count && Instant::now() < give_up {
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(metrics.tls_handshakes_failed.value(), count);
}

/// Answers by path.
#[derive(Clone)]
pub(super) struct Echo {
    pub(super) worker: usize,
}

impl Service for Echo {
    fn answer(&self, arrived: Arrived) -> LocalBoxFuture<'static, Answer> {
        let worker = self.worker;
        async move {
            match arrived.path.as_str() {
                "/slow" => tokio::time::sleep(Duration::from_millis(300)).await,
                "/panic" => panic!("planted"),
                "/large" => return wire::json(vec![b'x'; 32 << 20]),
                _ => {}
            }
            let connection = arrived.connection.as_ref();
            wire::json(
                format!(
                    "{} {} {} body={} peer={} role={:?} source={:?} tls={:?} {:?} {:?} worker={worker}",
                    arrived.method,
                    arrived.path,
                    arrived.query,
                    arrived.body.len(),
                    connection.peer,
                    connection.role,
                    arrived.source,
                    connection.tls.as_ref().map(|tls| tls.version),
                    connection.tls.as_ref().and_then(|tls| tls.key_exchange.clone()),
                    connection.server_name,
                )
                .into_bytes(),
            )
        }
        .boxed_local()
    }

    fn is_well(&self) -> bool {
        true
    }
}

/// Limits short enough for tests.
pub(super) fn limits() -> Limits {
    Limits {
        workers: 2,
        body_bytes_max: 64 << 10,
        deadline: Duration::from_millis(700),
        handshake_timeout: Duration::from_millis(700),
        keep_alive: Duration::from_millis(1500),
        stall_timeout: Duration::from_millis(700),
        linger: Duration::from_millis(300),
        drain_grace: Duration::from_millis(1200),
        drain_deadline: Duration::from_secs(5),
        ..Limits::default()
    }
}

pub(super) struct Live {
    pub(super) addresses: Vec<SocketAddr>,
    pub(super) tls: TlsConfigHandle,
    pub(super) metrics: Arc<Metrics>,
    pub(super) certificate: Certificate,
    drain: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

pub(super) fn endpoint() -> Role {
    Role::Endpoint { id: "vpce-0a".into(), zone: "us-east-1a".into() }
}

pub(super) fn balancer(name: &str, from: &str, listed: &[&str], fixed: Option<&str>) -> Role {
    let listed = || Asserts::Listed(listed.iter().map(|id| (*id).into()).collect());
    let asserts = fixed.map_or_else(listed, |id| Asserts::Fixed(id.into()));
    Role::Balancer(Arc::new(Balancer { name: name.into(), from: vec![from.parse().unwrap()], asserts }))
}

impl Live {
    /// Two listeners: a public one and an endpoint's.
    pub(super) fn start(limits: Limits, ranges: Ranges) -> Self {
        Self::behind(limits, ranges, Vec::new())
    }

    /// Those two, and then one for each balancer.
    pub(super) fn behind(limits: Limits, ranges: Ranges, balancers: Vec<Role>) -> Self {
        let certificate = certificate();
        let tls = TlsConfigHandle::new(certificate.certificate_pem.as_bytes(), certificate.key_pem.as_bytes()).unwrap();
        let metrics = Arc::new(Metrics::default());
        let (drain, drained) = channel();
        let (started, addresses) = channel();
        let (used_tls, used_metrics) = (tls.clone(), metrics.clone());
        let thread = std::thread::spawn(move || {
            actix_rt::System::new().block_on(async move {
                let address = "127.0.0.1:0".parse().unwrap();
                let roles = [Role::Public, endpoint()].into_iter().chain(balancers);
                let listeners = roles.map(|role| Listener { address, role }).collect();
                let service = |worker| Echo { worker };
                let running = start(listeners, used_tls, limits, ranges, used_metrics, service).unwrap();
                started.send(running.addresses()).unwrap();
                tokio::task::spawn_blocking(move || drained.recv()).await.unwrap().unwrap();
                running.drain().await.unwrap();
            });
        });
        let addresses = addresses.recv().unwrap();
        Self { addresses, tls, metrics, certificate, drain, thread: Some(thread) }
    }

    pub(super) fn open() -> Self {
        Self::start(limits(), Arc::new(|_| Ok(())))
    }

    pub(super) fn ask_to_drain(&self) {
        self.drain.send(()).unwrap();
    }

    /// Waits until the server is gone.
    pub(super) fn end(&mut self) {
        // It may have been asked before, and be gone already.
        self.drain.send(()).unwrap_or_default();
        self.thread.take().unwrap().join().unwrap();
    }

    pub(super) fn connect(&self) -> Client {
        Client::connect(self.addresses[0], &self.certificate, &[&TLS13, &TLS12]).unwrap()
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if self.thread.is_some() && !std::thread::panicking() {
            self.end();
        }
    }
}

/// One answer, as it came.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Heard {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value).next()
    }
}

pub(super) struct Client {
    pub(super) stream: StreamOwned<ClientConnection, TcpStream>,
    seen: Vec<u8>,
}

impl Client {
    pub(super) fn connect(
        address: SocketAddr,
        certificate: &Certificate,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> std::io::Result<Self> {
        Self::over(TcpStream::connect(address)?, certificate, versions)
    }

    /// On a connection on which something else may have been said before.
    pub(super) fn over(
        tcp: TcpStream,
        certificate: &Certificate,
        versions: &[&'static rustls::SupportedProtocolVersion],
    ) -> std::io::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(certificate.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let session = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost").unwrap()).unwrap();
        tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
        tcp.set_write_timeout(Some(Duration::from_secs(10)))?;
        tcp.set_nodelay(true)?;
        let mut stream = StreamOwned::new(session, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Self { stream, seen: Vec::new() })
    }

    pub(super) fn send(&mut self, text: &str) -> std::io::Result<()> {
        self.stream.write_all(text.as_bytes())?;
        self.stream.flush()
    }

    /// Reads one answer with a stated length.
    pub(super) fn hear(&mut self) -> std::io::Result<Heard> {
        loop {
            if let Some(heard) = self.whole() {
                return Ok(heard);
            }
            let mut piece = [0; 16 << 10];
            let count = self.stream.read(&mut piece)?;
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            self.seen.extend_from_slice(&piece[..count]);
        }
    }

    fn whole(&mut self) -> Option<Heard> {
        let end = self.seen.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(self.seen[..end].to_vec()).unwrap();
        let mut heard = Heard { status: head[9..12].parse().unwrap(), head, body: String::new() };
        let length: usize = heard.header("content-length").unwrap().parse().unwrap();
        if self.seen.len() < end + length {
            return None;
        }
        heard.body = String::from_utf8(self.seen[end..end + length].to_vec()).unwrap();
        self.seen.drain(..end + length);
        Some(heard)
    }

    pub(super) fn ask(&mut self, path: &str) -> std::io::Result<Heard> {
        self.send(&post(path, "{}"))?;
        self.hear()
    }

    /// How long until the server ends the connection, which it must.
    pub(super) fn until_closed(&mut self) -> Duration {
        let began = Instant::now();
        let mut piece = [0; 16 << 10];
        loop {
            match self.stream.read(&mut piece) {
                Ok(0) => return began.elapsed(),
                Ok(_) => {}
                Err(cause) => {
                    assert_ne!(cause.kind(), std::io::ErrorKind::WouldBlock, "the connection was kept open");
                    return began.elapsed();
                }
            }
        }
    }
}

pub(super) fn post(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}
