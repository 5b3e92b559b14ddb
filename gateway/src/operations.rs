//! The operations port: health, readiness and metrics, in plain HTTP on loopback only.
//! Knows no request of KMS; what is healthy, others say.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::http::StatusCode;
use actix_web::{App, HttpResponse, HttpServer, web};
use serde_json::Value;

use crate::metrics::Metrics;

/// What a probe finds.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// 200 if so, 503 if not.
    pub is_well: bool,
    /// Shown as it is.
    pub detail: Value,
}

/// What is asked of the service when somebody asks for its health. Must be quick.
#[derive(Clone)]
pub struct Probes {
    /// Whether this process works as it should.
    pub health: Arc<dyn Fn() -> Finding + Send + Sync>,
    /// Whether requests should be sent here.
    pub ready: Arc<dyn Fn() -> Finding + Send + Sync>,
}

impl fmt::Debug for Probes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Probes")
    }
}

/// The port at work, until `handle` stops it.
#[derive(Debug)]
pub struct Operations {
    pub address: SocketAddr,
    pub handle: ServerHandle,
}

/// Serves `/health`, `/ready` and `/metrics`. Must be called within an actix `System`. Refuses an address that is not
/// loopback, as nothing here is authenticated.
pub fn start(address: SocketAddr, probes: Probes, metrics: Arc<Metrics>) -> io::Result<Operations> {
    if !address.ip().is_loopback() {
        let message = format!("operations are served on loopback only, not on {address}");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    let server = HttpServer::new(move || {
        let (health, ready, metrics) = (probes.health.clone(), probes.ready.clone(), metrics.clone());
        App::new()
            .route("/health", web::get().to(move || found(health())))
            .route("/ready", web::get().to(move || found(ready())))
            .route("/metrics", web::get().to(move || page(metrics.text())))
    })
    .workers(1)
    .disable_signals()
    .bind(address)
    .map_err(|cause| io::Error::new(cause.kind(), format!("cannot serve operations on {address}: {cause}")))?;
    let address = server.addrs().first().copied().unwrap_or(address);
    let server = server.run();
    let handle = server.handle();
    actix_rt::spawn(server);
    Ok(Operations { address, handle })
}

async fn found(finding: Finding) -> HttpResponse {
    let status = if finding.is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    HttpResponse::build(status).json(finding.detail)
}

async fn page(text: String) -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use std::io::{Read, Write};
    use std::net::TcpStream;
    use std::sync::atomic::{AtomicBool, Ordering};

    use serde_json::json;

    use super::*;

    async fn ask(address: SocketAddr, path: &'static str) -> String {
        let asked = tokio::task::spawn_blocking(move || {
            let mut tcp = TcpStream::connect(address).unwrap();
            write!(tcp, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
            let mut answer = String::new();
            tcp.read_to_string(&mut answer).unwrap();
            answer
        });
        asked.await.unwrap()
    }

    #[test]
    fn pages() {
        actix_rt::System::new().block_on(async {
            let is_well = Arc::new(AtomicBool::new(true));
            let probed = is_well.clone();
            let probe: Arc<dyn Fn() -> Finding + Send + Sync> =
                Arc::new(move || Finding { is_well: probed.load(Ordering::SeqCst), detail: json!({ "slots": 2 }) });
            let metrics = Arc::new(Metrics::default());
            metrics.throttled.add(3);
            let probes = Probes { health: probe.clone(), ready: probe };
            let operations = start("127.0.0.1:0".parse().unwrap(), probes, metrics).unwrap();
            for path in ["/health", "/ready"] {
                let answer = ask(operations.address, path).await;
                assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
                assert!(answer.ends_with("{\"slots\":2}"), "{answer}");
            }
            assert!(ask(operations.address, "/metrics").await.contains("kannuki_throttled_total 3\n"));
            assert!(ask(operations.address, "/").await.starts_with("HTTP/1.1 404"));
            is_well.store(false, Ordering::SeqCst);
            assert!(ask(operations.address, "/health").await.starts_with("HTTP/1.1 503"));
            operations.handle.stop(false).await;
        });
    }

    #[test]
    fn loopback_only() {
        let finding = || Finding { is_well: true, detail: Value::Null };
        let probes = Probes { health: Arc::new(finding), ready: Arc::new(finding) };
        let refused = start("192.0.2.1:0".parse().unwrap(), probes, Arc::new(Metrics::default())).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    }
}
