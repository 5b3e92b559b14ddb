//! SIGTERM's half of the shell: nothing that was sent is lost.

use std::time::{Duration, Instant};

use rustls::version::TLS13;

use super::harness::{Client, Live, post};

/// Sends one request after the other until nothing listens any more; answers how many were answered.
fn hammer(live: &Live, pause: Duration, path: &'static str) -> usize {
    let mut client = live.connect();
    let mut answered = 0;
    loop {
        let heard = client.ask(path).expect("a request that was sent was not answered");
        assert_eq!(heard.status, 200);
        answered += 1;
        if heard.header("connection") == Some("close") {
            match Client::connect(live.addresses[0], &live.certificate, &[&TLS13]) {
                Ok(fresh) => client = fresh,
                Err(_) => return answered,
            }
        }
        std::thread::sleep(pause);
    }
}

#[test]
fn no_request_is_lost() {
    for _ in 0..3 {
        let mut live = Live::open();
        std::thread::scope(|scope| {
            let live = &live;
            let clients: Vec<_> = [0, 1, 5, 50, 200, 400]
                .into_iter()
                .flat_map(|pause| [(pause, "/"), (pause, "/slow")])
                .map(|(pause, path)| scope.spawn(move || hammer(live, Duration::from_millis(pause), path)))
                .collect();
            std::thread::sleep(Duration::from_millis(300));
            live.ask_to_drain();
            for client in clients {
                assert!(client.join().unwrap() > 0);
            }
        });
        live.end();
        assert!(std::net::TcpStream::connect(live.addresses[0]).is_err());
        assert_eq!(live.metrics.connections_accepted.value(), live.metrics.connections_closed.value());
    }
}

#[test]
fn an_idle_connection_is_answered_within_the_grace_period_and_closed_after_it() {
    let mut live = Live::open();
    let (mut early, mut late, mut unused) = (live.connect(), live.connect(), live.connect());
    early.ask("/").unwrap();
    late.ask("/").unwrap();
    let began = Instant::now();
    live.ask_to_drain();
    std::thread::sleep(Duration::from_millis(300));
    let heard = early.ask("/").unwrap();
    assert_eq!((heard.status, heard.header("connection")), (200, Some("close")));
    assert!(early.until_closed() < Duration::from_millis(500));
    late.until_closed();
    assert!(began.elapsed() >= Duration::from_millis(1100), "{:?}", began.elapsed());
    unused.until_closed();
    assert!(began.elapsed() < Duration::from_millis(2000), "{:?}", began.elapsed());
    live.end();
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
}

#[test]
fn a_request_at_work_is_finished() {
    let mut live = Live::open();
    let mut client = live.connect();
    client.send(&post("/slow", "{}")).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    live.ask_to_drain();
    assert_eq!(client.hear().unwrap().status, 200);
    live.end();
}

#[test]
fn without_connections_the_end_is_quick() {
    let mut live = Live::open();
    drop(live.connect());
    std::thread::sleep(Duration::from_millis(50));
    let began = Instant::now();
    live.end();
    assert!(began.elapsed() < Duration::from_millis(800), "{:?}", began.elapsed());
}
