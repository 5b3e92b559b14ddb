//! The end of service, in an order that loses no request.
//! Knows the server's handle and two moments (draining, closing); what a connection does at each, `stream` says.
//!
//! The HTTP library's own graceful stop closes idle connections at once, and with them a request that is already on
//! its way. So it is not used: while draining, each answer says `Connection: close`, and only after a grace period are
//! connections closed on which nothing came.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::limits::Limits;

/// Long enough for the workers to take up connections that were accepted when accepting stopped.
const HAND_OVER: Duration = Duration::from_millis(50);

/// How far the end has come; shared by all connections.
#[derive(Clone, Debug)]
pub(super) struct Drain(watch::Sender<Moment>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Moment {
    Serving,
    /// Each answer is its connection's last.
    Draining,
    /// Idle connections close.
    Closing,
}

impl Default for Drain {
    fn default() -> Self {
        Self(watch::Sender::new(Moment::Serving))
    }
}

impl Drain {
    pub(super) fn is_draining(&self) -> bool {
        *self.0.borrow() >= Moment::Draining
    }

    /// Ends when idle connections are to close.
    pub(super) fn closing(&self) -> impl Future<Output = ()> + use<> {
        let mut moments = self.0.subscribe();
        async move {
            // An error means that the sender is gone, and the server with it.
            let _ = moments.wait_for(|moment| *moment >= Moment::Closing).await;
        }
    }

    fn reach(&self, moment: Moment) {
        self.0.send_modify(|known| *known = moment.max(*known));
    }
}

/// A server at work. Dropping it stops accepting and cuts what is open.
#[derive(Debug)]
pub struct Running {
    server: JoinHandle<io::Result<()>>,
    handle: ServerHandle,
    addresses: Vec<SocketAddr>,
    drain: Drain,
    limits: Limits,
}

impl Running {
    pub(super) fn new(server: Server, addresses: Vec<SocketAddr>, drain: Drain, limits: Limits) -> Self {
        let handle = server.handle();
        Self { server: actix_rt::spawn(server), handle, addresses, drain, limits }
    }

    /// What is listened on, in the order of the listeners; ports that the system chose are filled in.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Actix's own handle.
    pub fn handle(&self) -> ServerHandle {
        self.handle.clone()
    }

    /// Ends only when serving fails, for example as a worker could not start.
    pub async fn failed(&mut self) -> io::Error {
        match (&mut self.server).await {
            Ok(Ok(())) => io::Error::other("the server stopped"),
            Ok(Err(cause)) => cause,
            Err(cause) => io::Error::other(cause),
        }
    }

    /// Stops: no new connections, all requests answered that were sent, idle connections closed after the grace period
    /// and everything after the deadline.
    pub async fn drain(mut self) -> io::Result<()> {
        self.drain.reach(Moment::Draining);
        self.handle.pause().await;
        tokio::time::sleep(HAND_OVER).await;
        let stopped = self.handle.stop(true);
        tokio::pin!(stopped);
        if tokio::time::timeout(self.limits.drain_grace, &mut stopped).await.is_err() {
            self.drain.reach(Moment::Closing);
            stopped.await;
        }
        (&mut self.server).await.map_err(io::Error::other)?
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.server.abort();
    }
}
