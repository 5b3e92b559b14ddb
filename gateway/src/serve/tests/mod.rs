//! The shell from outside: a live server, and a client that speaks bytes over TLS.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod drain;
mod harness;
mod listeners;
mod proxy;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use harness::{Client, Heard, Live, certificate, handshakes_failed, limits, post};
use rustls::version::{TLS12, TLS13};
use uuid::Uuid;

use super::*;

fn is_refusal(heard: &Heard, status: u16, code: &str) {
    assert_eq!(heard.status, status, "{heard:?}");
    assert!(heard.body.starts_with(&format!("{{\"__type\":\"{code}\"")), "{heard:?}");
    assert_eq!(heard.header("content-type"), Some("application/x-amz-json-1.1"));
    assert_eq!(heard.header("connection"), Some("close"));
    Uuid::parse_str(heard.header("x-amzn-requestid").unwrap()).unwrap();
}

#[test]
fn a_good_answer() {
    let live = Live::open();
    let mut client = live.connect();
    let local = client.stream.sock.local_addr().unwrap();
    client
        .send(
            "PUT /a%20b/..?x=1&y HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\nx-forwarded-for: 203.0.113.7\r\n\
             forwarded: for=203.0.113.7\r\nx-real-ip: 203.0.113.7\r\n\r\nabc",
        )
        .unwrap();
    let heard = client.hear().unwrap();
    assert_eq!(heard.status, 200);
    let expected = format!(
        "PUT /a%20b/.. x=1&y body=3 peer={local} role=Public source=Public {{ address: 127.0.0.1 }} tls=Some(\"TLSv1.3\") Some(\"X25519MLKEM768\") \
         Some(\"localhost\") worker="
    );
    assert!(heard.body.starts_with(&expected), "{heard:?}");
    let mut ids = vec![heard.header("x-amzn-requestid").unwrap().to_owned()];
    Uuid::parse_str(&ids[0]).unwrap();
    assert!(heard.header("date").unwrap().ends_with(" GMT"));
    assert_eq!(heard.header("connection"), None);
    assert_eq!(heard.header("server"), None);
    for _ in 0..50 {
        ids.push(client.ask("/").unwrap().header("x-amzn-requestid").unwrap().to_owned());
    }
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 51);
    assert_eq!(live.metrics.connections_accepted.value(), 1);
}

#[test]
fn the_listener_gives_the_role_and_the_worker_one_service() {
    let live = Live::open();
    let mut workers = Vec::new();
    for _ in 0..4 {
        for (address, role) in
            live.addresses.iter().zip(["role=Public", "role=Endpoint { id: \"vpce-0a\", zone: \"us-"])
        {
            let heard = Client::connect(*address, &live.certificate, &[&TLS13]).unwrap().ask("/").unwrap();
            assert!(heard.body.contains(role), "{heard:?}");
            workers.push(heard.body.rsplit('=').next().unwrap().to_owned());
        }
    }
    workers.sort_unstable();
    workers.dedup();
    assert_eq!(workers, ["0", "1"]);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let live = Live::open();
    let mut client = live.connect();
    client.send(&[post("/slow", "{}"), post("/b", ""), post("/c", "123")].concat()).unwrap();
    for (path, length) in [("/slow", 2), ("/b", 0), ("/c", 3)] {
        assert!(client.hear().unwrap().body.starts_with(&format!("POST {path}  body={length} ")));
    }
    client.ask("/d").unwrap();
}

#[test]
fn too_large_a_body_is_refused_at_once() {
    let live = Live::open();
    let mut client = live.connect();
    client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 65537\r\n\r\n").unwrap();
    is_refusal(&client.hear().unwrap(), 413, "RequestEntityTooLargeException");
    assert!(client.until_closed() < Duration::from_secs(2));

    let mut client = live.connect();
    client.send("POST / HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n").unwrap();
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    for _ in 0..5 {
        client.send(&chunk).unwrap();
    }
    is_refusal(&client.hear().unwrap(), 413, "RequestEntityTooLargeException");
    // A client that never stops sending is not listened to for ever.
    let began = Instant::now();
    while client.send(&chunk).is_ok() {
        assert!(began.elapsed() < Duration::from_secs(5), "still reading");
        std::thread::sleep(Duration::from_millis(20));
    }

    let mut client = live.connect();
    assert_eq!(client.ask(&format!("/{}", "x".repeat(9000))).unwrap().status, 200);
    client.send(&post("/", &"x".repeat(65536))).unwrap();
    assert_eq!(client.hear().unwrap().status, 200);
    assert_eq!(live.metrics.http_refusals.value(), 2);
}

#[test]
fn a_body_that_drips_is_cut_at_the_deadline() {
    let live = Live::open();
    let mut client = live.connect();
    let began = Instant::now();
    client.send("POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n").unwrap();
    client.stream.sock.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let heard = loop {
        client.send("x").unwrap();
        match client.hear() {
            Ok(heard) => break heard,
            Err(cause) => assert_eq!(cause.kind(), std::io::ErrorKind::WouldBlock),
        }
        assert!(began.elapsed() < Duration::from_secs(3), "not cut");
    };
    is_refusal(&heard, 408, "RequestTimeoutException");
    assert!(began.elapsed() >= Duration::from_millis(600));
}

/// On a fresh connection and, what the HTTP library does not watch, on one that has served a request.
#[test]
fn a_head_that_drips_is_cut_at_the_deadline() {
    let live = Live::open();
    for first_requests in [0, 1] {
        let mut client = live.connect();
        for _ in 0..first_requests {
            client.ask("/").unwrap();
        }
        let began = Instant::now();
        client.stream.sock.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        client.send("POST / HTTP/1.1\r\nhost: x\r\nx-filler: ").unwrap();
        let heard = loop {
            match client.send("x").and_then(|()| client.hear()) {
                Ok(heard) => break heard,
                Err(cause) => assert_eq!(cause.kind(), std::io::ErrorKind::WouldBlock),
            }
            assert!(began.elapsed() < Duration::from_secs(3), "not cut");
        };
        is_refusal(&heard, 408, "RequestTimeoutException");
        assert!(began.elapsed() >= Duration::from_millis(600));
    }
}

#[test]
fn what_is_not_http_is_told_so() {
    let live = Live::open();
    for nonsense in
        ["nonsense\r\n\r\n", "POST / HTTP/1.1\r\nbad header\r\n\r\n", "POST / HTTP/1.1\r\ncontent-length: x\r\n\r\n"]
    {
        let mut client = live.connect();
        client.send(nonsense).unwrap();
        is_refusal(&client.hear().unwrap(), 400, "MalformedHttpRequestException");
        client.until_closed();
        let mut client = live.connect();
        client.ask("/").unwrap();
        client.send(nonsense).unwrap();
        is_refusal(&client.hear().unwrap(), 400, "MalformedHttpRequestException");
    }
    // More than we take, and more than the HTTP library does.
    for length in [17_000, 200_000] {
        let mut client = live.connect();
        let filler = "f".repeat(length);
        client.send(&format!("POST / HTTP/1.1\r\nhost: x\r\nx-filler: {filler}\r\ncontent-length: 0\r\n\r\n")).unwrap();
        is_refusal(&client.hear().unwrap(), 431, "MalformedHttpRequestException");
        assert!(client.until_closed() < Duration::from_secs(2));
    }
    assert_eq!(live.metrics.http_refusals.value(), 8);
}

#[test]
fn the_answer_to_head_has_no_body() {
    let live = Live::open();
    let mut client = live.connect();
    client.send("HEAD / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    client.stream.read_to_string(&mut text).unwrap();
    assert!(text.contains("x-amzn-requestid: "), "{text}");
    assert!(text.ends_with("\r\n\r\n"), "{text}");
}

#[test]
fn a_client_may_ask_whether_to_go_on() {
    let live = Live::open();
    let mut client = live.connect();
    client.send("POST / HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n").unwrap();
    let mut word = [0; 25];
    client.stream.read_exact(&mut word).unwrap();
    assert_eq!(&word, b"HTTP/1.1 100 Continue\r\n\r\n");
    client.send("{}").unwrap();
    assert_eq!(client.hear().unwrap().status, 200);
}

#[test]
fn idle_and_silent_connections_are_ended() {
    let live = Live::open();
    let began = Instant::now();
    let mut silent = TcpStream::connect(live.addresses[0]).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut unused = live.connect();
    let mut used = live.connect();
    used.ask("/").unwrap();
    let mut none = Vec::new();
    silent.read_to_end(&mut none).unwrap();
    assert_eq!(none, b"");
    assert!(began.elapsed() < Duration::from_millis(1400), "{:?}", began.elapsed());
    unused.until_closed();
    used.until_closed();
    assert!(began.elapsed() >= Duration::from_millis(1400), "{:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    handshakes_failed(&live.metrics, 1);
}

#[test]
fn a_client_that_takes_no_answer_is_let_go() {
    let live = Live::open();
    let mut client = live.connect();
    client.send(&post("/large", "")).unwrap();
    let until = Instant::now() + Duration::from_secs(5);
    while live.metrics.connections_closed.value() == 0 {
        assert!(Instant::now() < until, "still waiting");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_large_answer_arrives_whole() {
    let live = Live::open();
    assert_eq!(live.connect().ask("/large").unwrap().body.len(), 32 << 20);
}

#[test]
fn broken_tls_disturbs_nobody() {
    let live = Live::open();
    let mut client = live.connect();
    let mut plain = TcpStream::connect(live.addresses[0]).unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut seen = Vec::new();
    // An alert, and the end.
    plain.read_to_end(&mut seen).unwrap_or_default();
    assert!(!seen.starts_with(b"HTTP"));
    client.ask("/").unwrap();
    handshakes_failed(&live.metrics, 1);
}

#[test]
fn tls_1_2_and_1_3() {
    let live = Live::open();
    for (version, name) in [(&TLS12, "TLSv1.2"), (&TLS13, "TLSv1.3")] {
        let heard = Client::connect(live.addresses[0], &live.certificate, &[version]).unwrap().ask("/").unwrap();
        assert!(heard.body.contains(name), "{heard:?}");
    }
}

#[test]
fn a_stranger_is_closed_before_tls() {
    let live =
        Live::start(limits(), Arc::new(|source| source.endpoint().map_or(Ok(()), |_| Err(Stranger::OutsideRanges))));
    assert!(Client::connect(live.addresses[1], &live.certificate, &[&TLS13]).is_err());
    assert_eq!(live.metrics.connections_refused.value(), 1);
    assert_eq!(live.metrics.connections_accepted.value(), 0);
    live.connect().ask("/").unwrap();
}

#[test]
fn a_panic_ends_one_request() {
    let live = Live::open();
    let mut client = live.connect();
    let heard = client.ask("/panic").unwrap();
    assert_eq!(heard.status, 500);
    assert!(heard.body.starts_with("{\"__type\":\"KMSInternalException\""), "{heard:?}");
    assert_eq!(client.ask("/").unwrap().status, 200);
    assert_eq!(live.metrics.panics.value(), 1);
}

#[test]
fn a_certificate_is_replaced_while_serving() {
    let live = Live::open();
    let mut before = live.connect();
    let other = certificate();
    live.tls.reload(other.certificate_pem.as_bytes(), live.certificate.key_pem.as_bytes()).unwrap_err();
    live.tls.reload(b"", b"").unwrap_err();
    live.connect().ask("/").unwrap();
    live.tls.reload(other.certificate_pem.as_bytes(), other.key_pem.as_bytes()).unwrap();
    assert!(Client::connect(live.addresses[0], &live.certificate, &[&TLS13]).is_err());
    Client::connect(live.addresses[0], &other, &[&TLS13]).unwrap().ask("/").unwrap();
    before.ask("/").unwrap();
    // rcgen's certificates end with the year 4095 when nothing else is asked for.
    assert_eq!(live.tls.expires_at().iso(), "4096-01-01T00:00:00Z");
    let line = "kannuki_certificate_expiry_timestamp_seconds 67090118400\n";
    assert!(live.metrics.text().contains(line), "{}", live.metrics.text());
}
