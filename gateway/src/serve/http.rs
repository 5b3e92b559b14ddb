//! One HTTP request: read whole within its limits, handed to the service, answered.
//! Knows HTTP messages; what a request means, only the service does.

use std::borrow::Cow;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_http::body::BoxBody;
use actix_http::header::{CONTENT_LENGTH, HeaderName, HeaderValue};
use actix_http::{ConnectionType, HttpMessage, Request, Response, StatusCode};
use actix_web::web::Bytes;
use futures_util::{FutureExt, StreamExt};
use kms_core::clock::{Clock, SystemClock};
use kms_core::request::Source;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::connection::{Shell, Tie};
use super::{Answer, Arrived, Connection, Headers, Origin, Service, health};
use crate::listener::Role;
use crate::wire;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
/// How much room a body of unknown length gets first.
const BODY_BYTES_FIRST: usize = 8 << 10;

pub(super) struct Http<S> {
    shell: Rc<Shell>,
    service: S,
}

impl<S: Service> Http<S> {
    pub(super) fn new(shell: Rc<Shell>, service: S) -> Self {
        Self { shell, service }
    }

    /// Answers a request in every case.
    pub(super) async fn answer(&self, mut request: Request) -> Response<BoxBody> {
        let tie = request.conn_data::<Tie>().map(|tie| (tie.connection.clone(), tie.pulse.clone()));
        let Some((connection, pulse)) = tie else {
            // Each connection is made with its data.
            return response(wire::internal(), &request_id(), true);
        };
        let asserted = self.asserted(&connection);
        let received = pulse.begin();
        let request_id = request_id();
        let answer = match (self.body(&mut request, received).await, &connection.origin) {
            (Ok(body), Origin::Client(source)) => {
                let arrived = Arrived {
                    source: source.clone(),
                    connection,
                    request_id: request_id.clone(),
                    received,
                    received_at: SystemClock.now(),
                    method: request.method().as_str().to_owned(),
                    path: request.uri().path().to_owned(),
                    query: request.uri().query().unwrap_or_default().to_owned(),
                    headers: Headers::taken(request.headers_mut()),
                    body,
                };
                self.served(arrived).await
            }
            (Ok(_), Origin::Balancer) => {
                let is_well = self.service.is_well();
                let (name, code, answer) = health::answer(request.method().as_str(), request.uri().path(), is_well);
                self.shell.metrics.answered(name, code, received.elapsed());
                answer
            }
            (Err(refusal), _) => {
                self.shell.metrics.http_refusals.increment();
                refusal
            }
        };
        let is_gone = asserted.is_some_and(|source| (self.shell.ranges)(&source).is_err());
        let close = answer.close || is_gone || self.shell.drain.is_draining();
        pulse.answered(close);
        response(answer, &request_id, close)
    }

    /// Where a connection comes from that only a balancer says: its listener stays when an endpoint goes.
    fn asserted(&self, connection: &Connection) -> Option<Source> {
        match (&*self.shell.role, &connection.origin) {
            (Role::Balancer(_), Origin::Client(source)) => Some(source.clone()),
            _ => None,
        }
    }

    /// A panic in the service ends the request, not the connection or the worker.
    async fn served(&self, arrived: Arrived) -> Answer {
        let answer = AssertUnwindSafe(async { self.service.answer(arrived).await }).catch_unwind().await;
        answer.unwrap_or_else(|_| {
            self.shell.metrics.panics.increment();
            wire::internal()
        })
    }

    async fn body(&self, request: &mut Request, received: Instant) -> Result<Zeroizing<Vec<u8>>, Answer> {
        let limits = &self.shell.limits;
        let head_bytes: usize =
            request.headers().iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
        let line_bytes = request.uri().path().len() + request.uri().query().map_or(0, str::len);
        if head_bytes + line_bytes > limits.head_bytes_max {
            return Err(wire::head_too_large());
        }
        let announced = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: usize| length > limits.body_bytes_max) {
            return Err(wire::entity_too_large());
        }
        let mut body = Zeroizing::new(Vec::with_capacity(announced.unwrap_or(BODY_BYTES_FIRST)));
        let mut payload = request.take_payload();
        let deadline = tokio::time::Instant::from_std(received + limits.deadline);
        loop {
            match tokio::time::timeout_at(deadline, payload.next()).await {
                Err(_) => return Err(wire::request_timeout()),
                Ok(None) => return Ok(body),
                Ok(Some(Err(_))) => return Err(wire::malformed()),
                Ok(Some(Ok(piece))) if body.len() + piece.len() > limits.body_bytes_max => {
                    return Err(wire::entity_too_large());
                }
                Ok(Some(Ok(piece))) => append(&mut body, &piece),
            }
        }
    }
}

/// Grows by moving to a larger buffer and wiping the old one; `Vec` itself would leave a copy behind.
fn append(body: &mut Zeroizing<Vec<u8>>, piece: &[u8]) {
    let length = body.len() + piece.len();
    if length > body.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(length.max(2 * body.capacity())));
        larger.extend_from_slice(body);
        *body = larger;
    }
    body.extend_from_slice(piece);
}

fn request_id() -> Arc<str> {
    Uuid::new_v4().hyphenated().encode_lower(&mut Uuid::encode_buffer()).into()
}

fn response(answer: Answer, request_id: &str, close: bool) -> Response<BoxBody> {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = Bytes::from_owner(Zeroizing::new(answer.body));
    let mut response = Response::with_body(status, BoxBody::new(body));
    for (name, value) in answer.headers {
        let value = match value {
            Cow::Borrowed(value) => HeaderValue::try_from(value),
            Cow::Owned(value) => HeaderValue::try_from(value),
        };
        // What cannot stand in a header is left out rather than sent bent.
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), value) {
            response.headers_mut().append(name, value);
        }
    }
    if let Ok(id) = HeaderValue::try_from(request_id) {
        response.headers_mut().append(REQUEST_ID, id);
    }
    if close {
        response.head_mut().set_connection_type(ConnectionType::Close);
    }
    response
}
