//! Sends one signed request over and over, on a number of keep-alive connections, and counts the answers.
//! One thread, so that it leaves the other core to what is measured.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4::{self, generate_signing_key};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::Outcome;

/// The credentials with which requests to the floor server are signed.
pub(crate) const FLOOR_KEY: (&str, &str) = ("AKIAAAAAAAAAAAAAAAAA", "an example secret of forty characters 01");

/// What a run counted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shot {
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
}

/// Where requests go and how.
#[derive(Clone, Debug)]
pub(crate) struct Aim {
    /// `127.0.10.1:8443`
    pub(crate) address: String,
    pub(crate) ca: Vec<u8>,
    /// Whole HTTP requests, signed; each connection begins at another of them.
    pub(crate) requests: Vec<Vec<u8>>,
}

/// The day's key that the floor server knows.
pub(crate) fn signing_key() -> [u8; 32] {
    let key = generate_signing_key(FLOOR_KEY.1, SystemTime::now(), "us-east-1", "kms");
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(key.as_ref()).for_each(|(to, from)| *to = *from);
    bytes
}

/// A whole HTTP request for an operation, signed.
pub(crate) fn request(address: &str, (id, secret): (&str, &str), operation: &str, body: &str) -> Outcome<Vec<u8>> {
    let target = format!("TrentService.{operation}");
    let headers = [("host", address), ("content-type", "application/x-amz-json-1.1"), ("x-amz-target", &target)];
    let identity = Credentials::new(id, secret, None, None, "bench").into();
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region("us-east-1")
        .name("kms")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()?
        .into();
    let url = format!("https://{address}/");
    let signable = SignableRequest::new("POST", &url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))?;
    let (instructions, _) = sign(signable, &parameters)?.into_parts();
    let mut text = String::from("POST / HTTP/1.1\r\n");
    for (name, value) in headers.into_iter().chain(instructions.headers()) {
        text.push_str(&format!("{name}: {value}\r\n"));
    }
    text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
    Ok(text.into_bytes())
}

/// Keeps `connections` connections busy for `duration`.
pub(crate) fn drive(aim: &Aim, connections: usize, duration: Duration) -> Outcome<Shot> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let tls = TlsConnector::from(Arc::new(client(&aim.ca)?));
        let until = Instant::now() + duration;
        let began = Instant::now();
        let tasks: Vec<_> = (0..connections)
            .map(|index| tokio::task::spawn(connection(aim.clone(), tls.clone(), index, until)))
            .collect();
        let mut requests = 0;
        for task in tasks {
            requests += task.await??;
        }
        Ok(Shot { requests, seconds: began.elapsed().as_secs_f64() })
    })
}

/// One request and its answer's body, for setting things up.
pub(crate) fn once(aim: &Aim) -> Outcome<String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut stream = connect(aim, &TlsConnector::from(Arc::new(client(&aim.ca)?))).await?;
        stream.write_all(aim.requests.first().ok_or("there is no request")?).await?;
        let mut buffer = Vec::new();
        let end = answer(&mut stream, &mut buffer).await?;
        Ok(String::from_utf8_lossy(buffer.get(end..).unwrap_or_default()).into_owned())
    })
}

fn client(ca: &[u8]) -> Outcome<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(ca) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

type Stream = tokio_rustls::client::TlsStream<TcpStream>;

async fn connect(aim: &Aim, tls: &TlsConnector) -> Outcome<Stream> {
    let tcp = TcpStream::connect(&aim.address).await?;
    tcp.set_nodelay(true)?;
    let host = aim.address.split(':').next().unwrap_or_default().to_owned();
    Ok(tls.connect(ServerName::try_from(host)?, tcp).await?)
}

async fn connection(aim: Aim, tls: TlsConnector, index: usize, until: Instant) -> Outcome<u64> {
    let mut stream = connect(&aim, &tls).await?;
    let mut buffer = Vec::with_capacity(4096);
    let mut requests = 0;
    for request in aim.requests.iter().cycle().skip(index) {
        if Instant::now() >= until {
            break;
        }
        stream.write_all(request).await?;
        answer(&mut stream, &mut buffer).await?;
        if !buffer.starts_with(b"HTTP/1.1 200") {
            return Err(format!("not a success: {}", String::from_utf8_lossy(&buffer)).into());
        }
        requests += 1;
    }
    Ok(requests)
}

/// Reads one whole answer into `buffer`; answers where its body begins.
async fn answer(stream: &mut Stream, buffer: &mut Vec<u8>) -> Outcome<usize> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err("the connection was closed".into());
        }
        let Some(head) = buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
        let text = String::from_utf8_lossy(buffer.get(..head).unwrap_or_default()).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length:")).unwrap_or("0");
        if buffer.len() >= head + 4 + length.trim().parse::<usize>()? {
            return Ok(head + 4);
        }
    }
}
