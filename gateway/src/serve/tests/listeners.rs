//! Listeners that come and go while the server is at work.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use rustls::version::TLS13;

use super::harness::{Certificate, Client, Echo, certificate, endpoint, limits, post};
use crate::listener::{Listener, Role};
use crate::metrics::Metrics;
use crate::serve::{Running, TlsConfigHandle, start};

struct Scene {
    running: Running,
    certificate: Arc<Certificate>,
}

/// Runs a test beside a server that listens on one port of 127.0.0.1 as the public side.
fn play(test: impl AsyncFnOnce(&mut Scene)) {
    actix_rt::System::new().block_on(async {
        let certificate = certificate();
        let tls = TlsConfigHandle::new(certificate.certificate_pem.as_bytes(), certificate.key_pem.as_bytes()).unwrap();
        let metrics = Arc::new(Metrics::default());
        let public = vec![listener(free(), Role::Public)];
        let service = |worker| Echo { worker };
        let running = start(public, tls, limits(), Arc::new(|_| Ok(())), metrics.clone(), service).unwrap();
        let mut scene = Scene { running, certificate: Arc::new(certificate) };
        test(&mut scene).await;
        scene.running.drain().await.unwrap();
        assert_eq!(metrics.connections_accepted.value(), metrics.connections_closed.value());
    });
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn listener(address: SocketAddr, role: Role) -> Listener {
    Listener { address, role }
}

impl Scene {
    fn address(&self) -> SocketAddr {
        self.running.addresses()[0]
    }

    fn change(&mut self, listeners: Vec<Listener>) {
        let bound = self.running.bind(listeners).unwrap();
        self.running.take_up(bound).unwrap();
    }

    async fn connect(&self, address: SocketAddr) -> std::io::Result<Client> {
        let certificate = self.certificate.clone();
        blocking(move || Client::connect(address, &certificate, &[&TLS13])).await
    }

    /// What a new connection is told about what it proves.
    async fn role_at(&self, address: SocketAddr) -> String {
        let mut client = self.connect(address).await.unwrap();
        blocking(move || client.ask("/").unwrap().body).await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    actix_rt::task::spawn_blocking(work).await.unwrap()
}

#[test]
fn a_listener_serves_once_it_is_taken_up_and_no_longer_than_it_is_wanted() {
    play(async |scene| {
        let (public, added) = (listener(scene.address(), Role::Public), listener(free(), endpoint()));
        let mut held = scene.connect(public.address).await.unwrap();
        scene.change(vec![public.clone(), added.clone()]);
        assert!(scene.role_at(added.address).await.contains("vpce-0a"));
        assert!(scene.role_at(public.address).await.contains("role=Public"));
        let (mut idle, mut busy) =
            (scene.connect(added.address).await.unwrap(), scene.connect(added.address).await.unwrap());
        busy.send(&post("/slow", "{}")).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        scene.change(vec![public.clone()]);
        let (closed_after, heard) = blocking(move || (idle.until_closed(), busy.hear().unwrap())).await;
        assert!(closed_after < Duration::from_millis(500), "{closed_after:?}");
        assert_eq!((heard.status, heard.header("connection")), (200, Some("close")));
        assert!(scene.connect(added.address).await.is_err());
        assert!(TcpListener::bind(added.address).is_ok());
        // What stays was not touched.
        let heard = blocking(move || held.ask("/").unwrap()).await;
        assert_eq!((heard.status, heard.header("connection")), (200, None));
    });
}

#[test]
fn an_address_that_proves_something_else_keeps_its_socket_and_not_its_connections() {
    play(async |scene| {
        let address = scene.address();
        let mut held = scene.connect(address).await.unwrap();
        scene.change(vec![listener(address, endpoint())]);
        assert!(blocking(move || held.until_closed()).await < Duration::from_millis(500));
        assert!(scene.role_at(address).await.contains("vpce-0a"));
        assert_eq!(scene.running.addresses(), [address]);
    });
}

#[test]
fn what_cannot_be_bound_is_told_whole_and_changes_nothing() {
    play(async |scene| {
        let taken = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
        let taken = taken.each_ref().map(|socket| socket.local_addr().unwrap());
        let spare = free();
        let mut wanted = vec![listener(scene.address(), Role::Public), listener(spare, endpoint())];
        wanted.extend(taken.map(|address| listener(address, endpoint())));
        let unbound = scene.running.bind(wanted).unwrap_err();
        assert_eq!(unbound.iter().map(|unbound| unbound.address).collect::<Vec<_>>(), taken);
        assert!(unbound[0].to_string().starts_with("cannot listen on 127.0.0.1:"), "{}", unbound[0]);
        // The one that could be was given back.
        assert!(TcpListener::bind(spare).is_ok());
        assert!(scene.role_at(scene.address()).await.contains("role=Public"));
    });
}
