//! Listeners behind a balancer: real sockets, and PROXY headers as the specification has them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::version::TLS13;

use super::harness::{Client, Live, balancer, handshakes_failed, limits};
use crate::listener::Stranger;
use crate::serve::Ranges;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn header(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[0x20 | command, family], &length, payload].concat()
}

/// On behalf of 10.1.2.`host`, through the endpoint if one is named.
fn client(host: u8, endpoint: Option<&str>) -> Vec<u8> {
    let mut payload = vec![10, 1, 2, host, 10, 9, 9, 9, 0x9c, 0x40, 0x01, 0xbb];
    if let Some(id) = endpoint {
        let length = u8::try_from(id.len() + 1).unwrap();
        payload.extend([0xea, 0, length, 0x01]);
        payload.extend(id.as_bytes());
    }
    header(1, 0x11, &payload)
}

/// Two endpoints exist: `vpce-0a` for clients of 10.1.2.0 to 10.1.2.99, and `vpce-0b` for all.
fn ranges() -> Ranges {
    Arc::new(|source| match (source.endpoint(), source.address()) {
        (None | Some("vpce-0b"), _) => Ok(()),
        (Some("vpce-0a"), std::net::IpAddr::V4(address)) if address.octets()[3] < 100 => Ok(()),
        (Some("vpce-0a"), _) => Err(Stranger::OutsideRanges),
        _ => Err(Stranger::UnknownEndpoint),
    })
}

/// Listeners: public, endpoint, a balancer with a list of endpoints, one with a fixed endpoint, one from elsewhere.
fn live() -> Live {
    Live::behind(
        limits(),
        ranges(),
        vec![
            balancer("front", "127.0.0.0/8", &["vpce-0a", "vpce-0b", "vpce-0gone"], None),
            balancer("fixed", "127.0.0.0/8", &[], Some("vpce-0a")),
            balancer("elsewhere", "10.0.0.0/8", &[], Some("vpce-0a")),
        ],
    )
}

fn connected(live: &Live, address: SocketAddr, header: &[u8]) -> std::io::Result<Client> {
    let mut tcp = TcpStream::connect(address)?;
    tcp.write_all(header)?;
    Client::over(tcp, &live.certificate, &[&TLS13])
}

/// Whether the service closes the connection after these bytes and without a word.
fn closes(address: SocketAddr, bytes: &[u8]) {
    let mut tcp = TcpStream::connect(address).unwrap();
    tcp.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    tcp.write_all(bytes).unwrap();
    let mut heard = Vec::new();
    match tcp.read_to_end(&mut heard) {
        Ok(_) => assert_eq!(heard, b"", "{bytes:x?}"),
        Err(cause) => assert_eq!(cause.kind(), std::io::ErrorKind::ConnectionReset, "{bytes:x?}"),
    }
}

fn refused(live: &Live, reason: &str) -> u64 {
    let name = format!("kannuki_proxy_headers_refused_total{{reason=\"{reason}\"}} ");
    let page = live.metrics.text();
    page.lines().find_map(|line| line.strip_prefix(&name)).map_or(0, |count| count.parse().unwrap())
}

#[test]
fn the_header_says_the_source() {
    let live = live();
    let (front, fixed) = (live.addresses[2], live.addresses[3]);
    for (address, header, endpoint, host, by) in [
        (front, client(3, Some("vpce-0a")), "vpce-0a", 3, "front"),
        (front, client(200, Some("vpce-0b")), "vpce-0b", 200, "front"),
        (fixed, client(4, None), "vpce-0a", 4, "fixed"),
        (fixed, client(5, Some("vpce-0a")), "vpce-0a", 5, "fixed"),
    ] {
        let mut connection = connected(&live, address, &header).unwrap();
        let expected = format!(
            "source=Endpoint {{ id: \"{endpoint}\", address: 10.1.2.{host}, proof: Proxy {{ balancer: \"{by}\" }} }}"
        );
        for _ in 0..2 {
            let heard = connection.ask("/").unwrap();
            assert!(heard.body.contains(&expected), "{heard:?}");
        }
    }
    assert_eq!(live.metrics.connections_accepted.value(), 4);
}

/// As a header may come in pieces, and the first bytes of TLS together with it.
#[test]
fn a_header_in_pieces() {
    let live = live();
    let mut tcp = TcpStream::connect(live.addresses[2]).unwrap();
    tcp.set_nodelay(true).unwrap();
    for piece in client(3, Some("vpce-0a")).chunks(5) {
        tcp.write_all(piece).unwrap();
        tcp.flush().unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    let heard = Client::over(tcp, &live.certificate, &[&TLS13]).unwrap().ask("/").unwrap();
    assert!(heard.body.contains("address: 10.1.2.3,"), "{heard:?}");
}

#[test]
fn whoever_names_no_client_may_ask_for_health_only() {
    let live = live();
    let (front, fixed) = (live.addresses[2], live.addresses[3]);
    let local = header(0, 0, &[]);
    for (address, header) in
        [(front, local.clone()), (fixed, local), (front, client(3, None)), (fixed, header(1, 0, &[]))]
    {
        let mut connection = connected(&live, address, &header).unwrap();
        for path in ["/health", "/ready"] {
            connection.send(&format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n")).unwrap();
            let heard = connection.hear().unwrap();
            assert_eq!((heard.status, heard.body.as_str()), (200, r#"{"status":"ok"}"#));
        }
        let heard = connection.ask("/").unwrap();
        assert_eq!((heard.status, heard.header("connection")), (403, Some("close")), "{heard:?}");
        assert!(heard.body.starts_with(r#"{"__type":"AccessDeniedException""#), "{heard:?}");
        connection.until_closed();
        let mut connection = connected(&live, address, &header).unwrap();
        connection.send("GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        assert_eq!(connection.hear().unwrap().status, 403);
    }
}

#[test]
fn what_is_not_believed_is_closed_and_counted() {
    let live = live();
    let (front, fixed) = (live.addresses[2], live.addresses[3]);
    closes(front, &client(3, Some("vpce-0gone")));
    assert_eq!(refused(&live, "unknown endpoint"), 1);
    closes(front, &client(3, Some("vpce-0c")));
    closes(fixed, &client(3, Some("vpce-0b")));
    assert_eq!(refused(&live, "endpoint not allowed"), 2);
    closes(front, &client(100, Some("vpce-0a")));
    closes(fixed, &client(100, None));
    assert_eq!(live.metrics.connections_refused.value(), 2);
    let twice = client(3, Some("vpce-0a"));
    let mut bent = twice.clone();
    bent[12] = 0x11;
    closes(front, &bent);
    closes(front, &header(1, 0x12, &[0; 12]));
    closes(front, &header(0, 0, &[0; 521]));
    closes(front, b"PROXY TCP4 10.1.2.3 10.9.9.9 40000 443\r\n");
    closes(front, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a client's hello");
    assert_eq!(refused(&live, "malformed"), 5);
    assert_eq!(live.metrics.connections_accepted.value(), 0);
    // A second header is not TLS.
    assert!(connected(&live, front, &[twice.clone(), twice].concat()).and_then(|mut client| client.ask("/")).is_err());
    handshakes_failed(&live.metrics, 1);
    // Nobody else's header is read.
    closes(live.addresses[4], &client(3, None));
    assert_eq!(live.metrics.connections_refused.value(), 3);
}

#[test]
fn a_header_has_a_deadline() {
    let live = live();
    let began = Instant::now();
    closes(live.addresses[2], &client(3, Some("vpce-0a"))[..20]);
    assert!(began.elapsed() >= Duration::from_millis(600), "{:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(refused(&live, "late"), 1);
    drop(TcpStream::connect(live.addresses[2]).unwrap());
    let until = Instant::now() + Duration::from_secs(5);
    while refused(&live, "broken off") == 0 {
        assert!(Instant::now() < until, "not counted");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn elsewhere_a_header_is_not_tls() {
    let live = live();
    for address in &live.addresses[..2] {
        assert!(
            connected(&live, *address, &client(3, Some("vpce-0a"))).and_then(|mut client| client.ask("/")).is_err()
        );
    }
    handshakes_failed(&live.metrics, 2);
}
