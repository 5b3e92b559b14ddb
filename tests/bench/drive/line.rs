//! One TLS connection with one request under way on it.
//! Reads as much of HTTP as the answers need.

use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::aim::Aim;
use crate::Outcome;

/// A connection, its server kept in mind for when it must be opened anew.
pub(super) struct Line {
    aim: Aim,
    stream: TlsStream<TcpStream>,
    buffer: Vec<u8>,
    body_at: usize,
    /// The server ends the connection after the last answer.
    ended: bool,
}

/// What a request came to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// Of head and body.
    pub(crate) bytes: usize,
    pub(crate) body_bytes: usize,
}

impl Answer {
    pub(crate) fn is_success(self) -> bool {
        self.status == 200
    }
}

/// What both sides of a connection agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Spoken {
    pub(crate) version: String,
    pub(crate) suite: String,
}

impl Line {
    pub(super) async fn open(aim: &Aim) -> Outcome<Self> {
        let stream = connect(aim).await?;
        Ok(Self { aim: aim.clone(), stream, buffer: Vec::with_capacity(4096), body_at: 0, ended: false })
    }

    /// Sends a request and reads the whole of its answer.
    pub(super) async fn ask(&mut self, request: &[u8]) -> Outcome<Answer> {
        if self.ended {
            (self.stream, self.ended) = (connect(&self.aim).await?, false);
        }
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                self.ended = true;
                return Err("a connection was closed in place of an answer".into());
            }
            let Some(head_bytes) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") else { continue };
            let head = self.buffer.get(..head_bytes).unwrap_or_default();
            let length: usize = header(head, b"content-length").map_or(Ok(0), |text| text.trim().parse())?;
            self.body_at = head_bytes + 4;
            if self.buffer.len() >= self.body_at + length {
                self.ended =
                    header(head, b"connection").is_some_and(|value| value.trim().eq_ignore_ascii_case("close"));
                let status = head.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()).unwrap_or_default();
                return Ok(Answer { status: status.parse()?, bytes: self.buffer.len(), body_bytes: length });
            }
        }
    }

    /// The body of the last answer.
    pub(super) fn body(&self) -> &str {
        self.buffer.get(self.body_at..).and_then(|body| std::str::from_utf8(body).ok()).unwrap_or_default()
    }

    /// The error code of the last answer.
    pub(super) fn error_code(&self) -> String {
        let body: Option<serde_json::Value> = serde_json::from_str(self.body()).ok();
        let code = body.as_ref().and_then(|body| body.get("__type")?.as_str()).unwrap_or("without a code");
        code.rsplit('#').next().unwrap_or(code).to_owned()
    }

    pub(super) fn spoken(&self) -> Outcome<Spoken> {
        let (_, session) = self.stream.get_ref();
        let version = session.protocol_version().ok_or("a handshake without a version")?;
        let suite = session.negotiated_cipher_suite().ok_or("a handshake without a suite")?.suite();
        Ok(Spoken { version: format!("{version:?}"), suite: format!("{suite:?}") })
    }
}

/// A header's value, its name in lower case.
fn header<'h>(head: &'h [u8], name: &[u8]) -> Option<&'h str> {
    let value = |line: &'h [u8]| {
        let (found, value) = line.split_at_checked(name.len())?;
        found.eq_ignore_ascii_case(name).then(|| value.strip_prefix(b":")).flatten()
    };
    let value = head.split(|byte| *byte == b'\n').find_map(value)?;
    std::str::from_utf8(value).ok()
}

async fn connect(aim: &Aim) -> Outcome<TlsStream<TcpStream>> {
    let tcp = TcpStream::connect(&aim.address).await?;
    tcp.set_nodelay(true)?;
    let host = aim.address.split(':').next().unwrap_or_default().to_owned();
    Ok(aim.trust.0.connect(ServerName::try_from(host)?, tcp).await?)
}
