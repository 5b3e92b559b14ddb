//! A TLS stream with a clock: idle too long, too slow a request, a client that takes no answer, the drain's end.
//! Knows in which phase its connection is, and nothing of what the bytes say, except that bytes which the HTTP library
//! writes while no request is with the service can only be its own bare refusal, and are replaced by a proper one.
//!
//! The library's timers are off: its head timer watches a connection's first request only, and its keep-alive timer
//! stops at the first byte of the next one, so a client that stops there would hold its connection for ever.

use std::cell::Cell;
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, UNIX_EPOCH};

use actix_web::http::StatusCode;
use actix_web::http::header::HttpDate;
use futures_util::FutureExt as _;
use futures_util::future::FusedFuture;
use kms_core::clock::{Clock as _, SystemClock};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep_until};
use tokio_rustls::server::TlsStream;
use uuid::Uuid;

use super::drain::Drain;
use super::limits::Limits;
use super::{Answer, Connection};
use crate::metrics::Metrics;
use crate::wire;

/// Where a connection is between two requests. Shared by the stream and the requests on it.
#[derive(Debug)]
pub(super) struct Pulse(Cell<Phase>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has come since the last answer, or since the handshake.
    Idle { since: Instant },
    /// Bytes have come that are not a whole head yet.
    Head { since: Instant },
    /// The service has a request.
    Serving,
    /// The service has answered; the answer is not flushed yet.
    Answered { close: bool },
    /// The last answer is out; the client may finish sending what nobody reads.
    Lingering { since: Instant },
}

impl Pulse {
    fn new() -> Self {
        Self(Cell::new(Phase::Idle { since: Instant::now() }))
    }

    /// A request's head is here: tells when its first byte was.
    pub(super) fn begin(&self) -> Instant {
        match self.0.replace(Phase::Serving) {
            Phase::Head { since } => since,
            // It came together with the one before it.
            _ => Instant::now(),
        }
    }

    pub(super) fn answered(&self, close: bool) {
        self.0.set(Phase::Answered { close });
    }

    fn heard(&self) {
        if let Phase::Idle { .. } = self.0.get() {
            self.0.set(Phase::Head { since: Instant::now() });
        }
    }

    /// All that was written is on its way; tells whether an answer thereby ended.
    fn flushed(&self) -> bool {
        let Phase::Answered { close } = self.0.get() else { return false };
        let since = Instant::now();
        self.0.set(if close { Phase::Lingering { since } } else { Phase::Idle { since } });
        true
    }

    fn is_lingering(&self) -> bool {
        matches!(self.0.get(), Phase::Lingering { .. })
    }

    fn has_no_request(&self) -> bool {
        matches!(self.0.get(), Phase::Idle { .. } | Phase::Head { .. })
    }
}

/// The stream that the HTTP library reads and writes.
pub(super) struct Stream {
    tls: TlsStream<TcpStream>,
    connection: Arc<Connection>,
    pulse: Rc<Pulse>,
    limits: Limits,
    metrics: Arc<Metrics>,
    closing: Pin<Box<dyn FusedFuture<Output = ()>>>,
    patience: Alarm,
    stall: Alarm,
    /// The library is told that the client is done.
    is_ended: bool,
    is_refused: bool,
    /// What is still to be written in place of the library's own words.
    farewell: Vec<u8>,
}

impl Stream {
    pub(super) fn new(
        tls: TlsStream<TcpStream>,
        connection: Arc<Connection>,
        limits: Limits,
        drain: &Drain,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            tls,
            connection,
            pulse: Rc::new(Pulse::new()),
            limits,
            metrics,
            closing: Box::pin(drain.closing().fuse()),
            patience: Alarm::default(),
            stall: Alarm::default(),
            is_ended: false,
            is_refused: false,
            farewell: Vec::new(),
        }
    }

    pub(super) fn connection(&self) -> Arc<Connection> {
        self.connection.clone()
    }

    pub(super) fn pulse(&self) -> Rc<Pulse> {
        self.pulse.clone()
    }

    /// Whether the client has had its time. Sees to it that this is asked again when it may be so.
    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        let phase = self.pulse.0.get();
        let until = match phase {
            Phase::Idle { since } => since + self.limits.keep_alive,
            Phase::Head { since } => since + self.limits.deadline,
            Phase::Lingering { since } => since + self.limits.linger,
            // The request's own deadline and the stall alarm have these.
            Phase::Serving | Phase::Answered { .. } => return false,
        };
        let is_idle = matches!(phase, Phase::Idle { .. });
        let is_over = self.patience.rings(until, cx) || (is_idle && self.is_closing(cx));
        if is_over && matches!(phase, Phase::Head { .. }) {
            self.refuse(&wire::request_timeout());
        }
        is_over
    }

    fn is_closing(&mut self, cx: &mut Context<'_>) -> bool {
        self.closing.is_terminated() || self.closing.as_mut().poll(cx).is_ready()
    }

    /// Says a last word in place of the HTTP library.
    fn refuse(&mut self, answer: &Answer) {
        self.metrics.http_refusals.increment();
        self.farewell = refusal(answer);
        self.is_refused = true;
        self.pulse.answered(true);
    }

    /// Sends the last word, then lets the client finish: a socket closed with bytes unread is reset, and the client
    /// would not see why it was refused. The library closes as soon as its words are written, so they are not before.
    fn poll_parting(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.pulse.is_lingering() {
            ready!(self.poll_sent(cx))?;
        }
        let mut unread = [0; 4096];
        while !self.is_over(cx) {
            let mut buffer = ReadBuf::new(&mut unread);
            ready!(Pin::new(&mut self.tls).poll_read(cx, &mut buffer))?;
            if buffer.filled().is_empty() {
                break;
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_sent(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = match self.poll_farewell(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut self.tls).poll_flush(cx),
            other => other,
        };
        let poll = self.unless_stalled(poll, cx);
        // The library does not read again before it is woken, so the alarm for the next phase is set here.
        if matches!(poll, Poll::Ready(Ok(()))) && self.pulse.flushed() && self.is_over(cx) {
            cx.waker().wake_by_ref();
        }
        poll
    }

    fn poll_farewell(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.farewell.is_empty() {
            let written = ready!(Pin::new(&mut self.tls).poll_write(cx, &self.farewell))?;
            self.farewell.drain(..written.min(self.farewell.len()));
        }
        Poll::Ready(Ok(()))
    }

    /// Turns waiting for the client to take something into an error once it has taken too long.
    fn unless_stalled<T>(&mut self, poll: Poll<io::Result<T>>, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.stall = Alarm::default();
            return poll;
        }
        let until = self.stall.until.unwrap_or_else(|| Instant::now() + self.limits.stall_timeout);
        if self.stall.rings(until, cx) { Poll::Ready(Err(io::ErrorKind::TimedOut.into())) } else { poll }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_ended {
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        let poll = Pin::new(&mut this.tls).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            this.pulse.heard();
        }
        if poll.is_pending() && this.is_over(cx) {
            this.is_ended = true;
            return Poll::Ready(Ok(()));
        }
        poll
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.pulse.has_no_request() {
            let is_too_large = bytes.starts_with(b"HTTP/1.1 431 ");
            this.refuse(&if is_too_large { wire::head_too_large() } else { wire::malformed() });
        }
        if this.is_refused {
            return this.poll_parting(cx).map_ok(|()| bytes.len());
        }
        let poll = Pin::new(&mut this.tls).poll_write(cx, bytes);
        this.unless_stalled(poll, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_sent(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let poll = match this.poll_farewell(cx) {
            Poll::Ready(Ok(())) => Pin::new(&mut this.tls).poll_shutdown(cx),
            other => other,
        };
        this.unless_stalled(poll, cx)
    }
}

/// Wakes a task at a time that may be moved. Moving it to a later time costs nothing: the timer stays where it is, and is
/// set anew when it has come too early.
#[derive(Default)]
struct Alarm {
    until: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Alarm {
    fn rings(&mut self, until: Instant, cx: &mut Context<'_>) -> bool {
        self.until = Some(until);
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(until.into())));
        if sleep.deadline().into_std() > until {
            sleep.as_mut().reset(until.into());
        }
        while sleep.as_mut().poll(cx).is_ready() {
            if sleep.deadline().into_std() >= until {
                return true;
            }
            sleep.as_mut().reset(until.into());
        }
        false
    }
}

/// A whole answer in HTTP/1.1.
fn refusal(answer: &Answer) -> Vec<u8> {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::BAD_REQUEST);
    let date = httpdate();
    let id = Uuid::new_v4();
    let mut text = format!(
        "HTTP/1.1 {} {}\r\ncontent-type: {}\r\ncontent-length: {}\r\nx-amzn-requestid: {id}\r\ndate: {date}\r\n\
         connection: close\r\n\r\n",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        wire::CONTENT_TYPE_JSON,
        answer.body.len()
    )
    .into_bytes();
    text.extend_from_slice(&answer.body);
    text
}

/// Now, as HTTP writes it.
fn httpdate() -> String {
    HttpDate::from(UNIX_EPOCH + Duration::from_millis(SystemClock.now().0)).to_string()
}
