//! One HTTP/1.1 connection to an endpoint, over TLS or plain, and one exchange on it at a time.
//! Knows hyper and what an answer of an AWS JSON service carries in its head; knows no operation.

mod stream;
mod tls;

use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use stream::{Counted, Traffic};
pub(crate) use tls::Trust;

/// Answers of KMS are far smaller; GetKeyPolicy's is at most some 130 KiB, escapes included.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Where an endpoint is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// `https://127.0.10.1:8443`
    pub(crate) url: String,
    /// The value of the header `host`: with the port unless it is the scheme's own.
    pub(crate) authority: String,
    host: String,
    port: u16,
    tls: bool,
}

impl Place {
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{url}`: {why}");
        let uri: http::Uri = url.parse().map_err(|_| wrong("is not a URL"))?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(wrong("begins with neither https:// nor http://")),
        };
        let authority = uri.authority().filter(|found| !found.host().is_empty() && !found.as_str().contains('@'));
        let authority = authority.ok_or_else(|| wrong("names no host"))?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("has a path; an endpoint is a scheme, a host and a port"));
        }
        let usual = if tls { 443 } else { 80 };
        let port = authority.port_u16().unwrap_or(usual);
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let shown = if port == usual { authority.host().to_owned() } else { format!("{}:{port}", authority.host()) };
        let scheme = if tls { "https" } else { "http" };
        Ok(Self { url: format!("{scheme}://{shown}"), authority: shown, host, port, tls })
    }
}

/// Why an attempt has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Connect,
    Tls,
    Timeout,
    Closed,
    /// Something else than a whole HTTP answer came.
    Protocol,
}

impl Fault {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Timeout => "timeout",
            Self::Closed => "closed",
            Self::Protocol => "protocol",
        }
    }
}

/// An answer: its body, and what its head says to a client of AWS.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
    pub(crate) request_id: Option<String>,
    /// From `x-amz-retry-after`, in milliseconds there.
    pub(crate) retry_after: Option<Duration>,
}

impl Answer {
    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// AWS's error code: from the body's `__type`, or by status where there is none.
    pub(crate) fn code(&self) -> String {
        #[derive(serde::Deserialize)]
        struct Error<'a> {
            #[serde(rename = "__type", borrow)]
            kind: std::borrow::Cow<'a, str>,
        }
        match serde_json::from_slice::<Error<'_>>(&self.body) {
            Ok(error) => error.kind.rsplit('#').next().unwrap_or_default().to_owned(),
            Err(_) => format!("http {}", self.status),
        }
    }

    async fn read(response: Response<Incoming>) -> Result<Self, Fault> {
        let (head, body) = response.into_parts();
        let text = |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok());
        let request_id = text("x-amzn-requestid").map(str::to_owned);
        let retry_after = text("x-amz-retry-after").and_then(|value| value.trim().parse().ok());
        let whole = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = whole.map_err(|why| why.downcast::<hyper::Error>().map_or(Fault::Protocol, |why| fault(&why)))?;
        Ok(Self {
            status: head.status.as_u16(),
            body: body.to_bytes(),
            request_id,
            retry_after: retry_after.map(Duration::from_millis),
        })
    }
}

fn fault(why: &hyper::Error) -> Fault {
    if why.is_parse() { Fault::Protocol } else { Fault::Closed }
}

/// What happened when a request was sent.
#[derive(Debug)]
pub(crate) struct Exchange {
    /// Just before the request was given to the connection.
    pub(crate) begun: Instant,
    pub(crate) ended: Instant,
    pub(crate) outcome: Result<Answer, Fault>,
    pub(crate) bytes_sent: u64,
    pub(crate) bytes_received: u64,
}

/// A connection that stays open from one exchange to the next.
#[derive(Debug)]
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    traffic: Rc<Traffic>,
}

impl Connection {
    /// Needs a `LocalSet`: the connection is driven by a task of this thread.
    pub(crate) async fn open(place: &Place, trust: &Trust, within: Duration) -> Result<Self, Fault> {
        let opening = async {
            let tcp = TcpStream::connect((place.host.as_str(), place.port)).await.map_err(|_| Fault::Connect)?;
            tcp.set_nodelay(true).map_err(|_| Fault::Connect)?;
            let traffic = Rc::new(Traffic::default());
            let sender = if place.tls {
                let stream = trust.connect(&place.host, tcp).await?;
                handshake(Counted::new(stream, Rc::clone(&traffic))).await?
            } else {
                handshake(Counted::new(tcp, Rc::clone(&traffic))).await?
            };
            Ok(Self { sender, traffic })
        };
        timeout(within, opening).await.unwrap_or(Err(Fault::Timeout))
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Sends one request and waits for the whole of its answer. After a fault the connection is of no use any more.
    pub(crate) async fn exchange(&mut self, headers: HeaderMap, body: Bytes, within: Duration) -> Exchange {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.headers_mut() = headers;
        let (sent, received) = self.traffic.bytes();
        let mut begun = Instant::now();
        let asking = async {
            self.sender.ready().await.map_err(|_| Fault::Closed)?;
            begun = Instant::now();
            let response = self.sender.send_request(request).await.map_err(|why| fault(&why))?;
            Answer::read(response).await
        };
        let outcome = timeout(within, asking).await.unwrap_or(Err(Fault::Timeout));
        let (now_sent, now_received) = self.traffic.bytes();
        Exchange {
            begun,
            ended: Instant::now(),
            outcome,
            bytes_sent: now_sent - sent,
            bytes_received: now_received - received,
        }
    }
}

async fn handshake<S>(stream: Counted<S>) -> Result<SendRequest<Full<Bytes>>, Fault>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|_| Fault::Protocol)?;
    // How the connection ends is seen by whoever sends on it.
    drop(tokio::task::spawn_local(connection));
    Ok(sender)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use super::*;

    #[test]
    fn an_endpoint_is_a_scheme_a_host_and_a_port() {
        let place = Place::parse("https://127.0.10.1:8443/").unwrap();
        assert_eq!((place.url.as_str(), place.authority.as_str()), ("https://127.0.10.1:8443", "127.0.10.1:8443"));
        assert_eq!(Place::parse("https://kms.example:443").unwrap().authority, "kms.example");
        let six = Place::parse("http://[::1]:8080").unwrap();
        assert_eq!((six.host.as_str(), six.authority.as_str(), six.port, six.tls), ("::1", "[::1]:8080", 8080, false));
        for wrong in ["", "127.0.0.1:8443", "ftp://x", "https://", "https://x/kms", "https://x/?a", "https://u@x"] {
            assert!(Place::parse(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_error_is_named_by_its_code_or_by_its_status() {
        let answer = |body: &'static str| Answer { status: 503, body: body.into(), ..Answer::default() };
        assert_eq!(answer(r#"{"message":"x","__type":"com.amazon#DisabledException"}"#).code(), "DisabledException");
        assert_eq!(answer(r#"{"__type":"DisabledException"}"#).code(), "DisabledException");
        assert_eq!(answer("<html>").code(), "http 503");
        assert_eq!(answer("{}").code(), "http 503");
    }
}
