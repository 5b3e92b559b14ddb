//! Encrypt over TLS connections that stay open, one request at a time on each.
//! Requests are signed beforehand, so that what is timed is the service; knows nothing of what the figures mean.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, UNIX_EPOCH};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use kms_core::clock::{Clock as _, SystemClock};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::Outcome;
use crate::seed::{ACCESS_KEY_ID, REGION, SECRET, Seeded, alias};

const CONNECTIONS: usize = 4;
/// Spread over all keys; a signature is good for five minutes.
const REQUESTS: usize = 1000;
const ANSWER_BYTES_MAX: usize = 64 << 10;

/// Signed requests for one region, and the way to it.
pub(crate) struct Encrypts {
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    requests: Arc<Vec<Vec<u8>>>,
}

/// What one round showed.
#[derive(Clone, Debug)]
pub(crate) struct Round {
    pub(crate) per_second: f64,
    /// In ascending order.
    pub(crate) latencies: Vec<Duration>,
}

impl Encrypts {
    pub(crate) fn new(seeded: &Seeded, address: SocketAddr) -> Outcome<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(&seeded.ca)?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let step = (seeded.keys.len() / REQUESTS).max(1);
        let named = seeded.keys.iter().step_by(step).cycle().take(REQUESTS).enumerate();
        // By id and by alias in turn.
        let names = named.map(|(at, id)| if at % 2 == 0 { id.to_string() } else { alias(id) });
        let requests = names.map(|name| signed(address, &name)).collect::<Outcome<_>>()?;
        Ok(Self { address, tls: Arc::new(tls), requests: Arc::new(requests) })
    }

    /// Encrypts on every connection for as long as `length`. Any other answer than 200 is an error.
    pub(crate) fn round(&self, length: Duration) -> Outcome<Round> {
        let mut connections = Vec::with_capacity(CONNECTIONS);
        for number in 0..CONNECTIONS {
            let mut connection = Connection::open(&self.tls, self.address)?;
            // The handshake and the first signature of a connection are not what is measured.
            let first = number * REQUESTS / CONNECTIONS;
            connection.ask(self.requests.get(first).ok_or("no request")?)?;
            connections.push((connection, first));
        }
        let until = Instant::now() + length;
        let threads: Vec<_> = connections
            .into_iter()
            .map(|(connection, first)| {
                let requests = self.requests.clone();
                thread::spawn(move || timed(connection, requests.iter().cycle().skip(first), until))
            })
            .collect();
        let mut latencies = Vec::new();
        for thread in threads {
            latencies.extend(thread.join().map_err(|_| "a client panicked")??);
        }
        latencies.sort_unstable();
        Ok(Round { per_second: latencies.len() as f64 / length.as_secs_f64(), latencies })
    }
}

fn timed<'a>(
    mut connection: Connection,
    requests: impl Iterator<Item = &'a Vec<u8>>,
    until: Instant,
) -> Outcome<Vec<Duration>> {
    let mut latencies = Vec::new();
    for request in requests {
        let began = Instant::now();
        if began >= until {
            break;
        }
        connection.ask(request)?;
        latencies.push(began.elapsed());
    }
    Ok(latencies)
}

struct Connection {
    stream: StreamOwned<ClientConnection, TcpStream>,
    answer: Vec<u8>,
}

impl Connection {
    fn open(tls: &Arc<ClientConfig>, address: SocketAddr) -> Outcome<Self> {
        let socket = TcpStream::connect(address)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(Duration::from_secs(20)))?;
        let session = ClientConnection::new(tls.clone(), ServerName::from(address.ip()))?;
        Ok(Self { stream: StreamOwned::new(session, socket), answer: Vec::with_capacity(4096) })
    }

    /// Sends a request and waits for the whole of its answer.
    fn ask(&mut self, request: &[u8]) -> Outcome<()> {
        self.stream.write_all(request)?;
        self.stream.flush()?;
        self.answer.clear();
        let mut piece = [0; 4096];
        while !is_whole(&self.answer)? {
            let length = self.stream.read(&mut piece)?;
            if length == 0 || self.answer.len() > ANSWER_BYTES_MAX {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            self.answer.extend_from_slice(piece.get(..length).unwrap_or_default());
        }
        if self.answer.starts_with(b"HTTP/1.1 200 ") {
            return Ok(());
        }
        Err(format!("Encrypt was answered with {}", String::from_utf8_lossy(&self.answer)).into())
    }
}

/// Whether a head and as much body as it announces are there.
fn is_whole(answer: &[u8]) -> Outcome<bool> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else { return Ok(false) };
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default()).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:"));
    let length: usize = length.ok_or("an answer without a length")?.trim().parse()?;
    Ok(answer.len() >= end + 4 + length)
}

/// An Encrypt with this key, as bytes on the wire.
fn signed(address: SocketAddr, key: &str) -> Outcome<Vec<u8>> {
    let body = format!(r#"{{"KeyId":"{key}","Plaintext":"c2l4dGVlbiBieXRlcyEh"}}"#);
    let host = address.to_string();
    let plain = [
        ("host", host.as_str()),
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", "TrentService.Encrypt"),
    ];
    let identity = Credentials::new(ACCESS_KEY_ID, SECRET, None, None, "scale").into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(REGION)
        .name("kms")
        .time(UNIX_EPOCH + Duration::from_millis(SystemClock.now().0))
        .settings(SigningSettings::default())
        .build()?
        .into();
    let uri = format!("https://{host}/");
    let signable = SignableRequest::new("POST", uri, plain.into_iter(), SignableBody::Bytes(body.as_bytes()))?;
    let (instructions, _) = sign(signable, &parameters)?.into_parts();
    let (added, _) = instructions.into_parts();
    let mut request = "POST / HTTP/1.1\r\n".to_owned();
    for (name, value) in plain.into_iter().chain(added.iter().map(|header| (header.name(), header.value()))) {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    Ok(request.into_bytes())
}
