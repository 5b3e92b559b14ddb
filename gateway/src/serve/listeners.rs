//! What is listened on, which may change while serving: sockets bound, connections accepted and handed to the workers,
//! and all of it ended in an order that loses no request.
//! Knows addresses, roles and moments; what a connection does at each moment, `stream` says.
//!
//! The HTTP library's own server listens on what it was started with, and its graceful stop closes idle connections at
//! once, and with them a request that is already on its way. So neither is used. While draining, each answer says
//! `Connection: close`, and only after a grace period are connections closed on which nothing came. What came through a
//! listener that is gone may end at once: a request that is still on its way would be refused.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_rt::Arbiter;
use futures_util::FutureExt as _;
use tokio::net::TcpSocket;
use tokio::sync::Semaphore;

use super::connection::Shell;
use super::drain::{Drain, Moment};
use super::workers::Workers;
use crate::listener::Listener;

/// Connections that the system keeps until they are accepted; enough for a burst of new clients.
const BACKLOG: u32 = 1024;
/// Long enough for the workers to take up connections that were accepted when accepting stopped.
const HAND_OVER: Duration = Duration::from_millis(50);
/// After a socket refused to accept, for example as the process has too many files open.
const PAUSE: Duration = Duration::from_millis(100);

/// A server at work. Dropping it stops accepting and cuts what is open.
pub struct Running {
    open: Vec<Open>,
    /// Makes what all connections of a listener share.
    shell_of: Box<dyn Fn(&Listener) -> Shell>,
    acceptor: Arbiter,
    workers: Arc<Workers>,
    /// One for each connection.
    seats: Arc<Semaphore>,
    seats_max: u32,
    grace: Duration,
    deadline: Duration,
}

/// A listener at work.
struct Open {
    /// As it was asked for; its port may be 0.
    listener: Listener,
    /// Where it is.
    address: SocketAddr,
    socket: Arc<TcpListener>,
    drain: Drain,
}

/// Listeners whose addresses are bound, and on which nothing is accepted yet.
#[derive(Debug)]
pub struct Bound {
    /// All that is to be listened on, each with its socket where that is a new one.
    listeners: Vec<(Listener, Option<TcpListener>)>,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {cause}")]
pub struct Unbound {
    pub address: SocketAddr,
    pub cause: io::Error,
}

impl Running {
    pub(super) fn new(
        workers: Workers,
        seats_max: u32,
        (grace, deadline): (Duration, Duration),
        shell_of: impl Fn(&Listener) -> Shell + 'static,
    ) -> Self {
        Self {
            open: Vec::new(),
            shell_of: Box::new(shell_of),
            acceptor: Arbiter::new(),
            workers: Arc::new(workers),
            seats: Arc::new(Semaphore::new(usize::try_from(seats_max).unwrap_or(usize::MAX))),
            seats_max,
            grace,
            deadline,
        }
    }

    /// What is listened on, in the order of the listeners; ports that the system chose are filled in.
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.open.iter().map(|open| open.address).collect()
    }

    /// Binds what is to be listened on and is not yet. Nothing changes before `take_up`; dropping the result gives the
    /// addresses back.
    ///
    /// # Errors
    /// All addresses that cannot be bound.
    pub fn bind(&self, listeners: Vec<Listener>) -> Result<Bound, Vec<Unbound>> {
        let (mut bound, mut unbound) = (Vec::with_capacity(listeners.len()), Vec::new());
        for listener in listeners {
            let address = listener.address;
            // One that changes only what it proves keeps its socket.
            if address.port() != 0 && self.open.iter().any(|open| open.address == address) {
                bound.push((listener, None));
                continue;
            }
            match listening(address) {
                Ok(socket) => bound.push((listener, Some(socket))),
                Err(cause) => unbound.push(Unbound { address, cause }),
            }
        }
        if unbound.is_empty() { Ok(Bound { listeners: bound }) } else { Err(unbound) }
    }

    /// Listens on what was bound, and no longer on anything else. Connections that came through a listener which is gone,
    /// or which proves something else now, are closed after the answer that they wait for.
    pub fn take_up(&mut self, bound: Bound) -> io::Result<()> {
        let mut before = std::mem::take(&mut self.open);
        let mut failed = Ok(());
        for (listener, socket) in bound.listeners {
            let known = before.iter().position(|open| open.address == listener.address && socket.is_none());
            let known = known.map(|at| before.swap_remove(at));
            let opened = match (known, socket) {
                (Some(open), _) if open.listener == listener => Ok(open),
                (Some(open), _) => {
                    open.drain.reach(Moment::Closing);
                    self.opened(listener, open.socket)
                }
                (None, Some(socket)) => self.opened(listener, Arc::new(socket)),
                (None, None) => Err(io::ErrorKind::NotConnected.into()),
            };
            match opened {
                Ok(open) => self.open.push(open),
                Err(cause) => failed = Err(cause),
            }
        }
        before.iter().for_each(|gone| gone.drain.reach(Moment::Closing));
        failed
    }

    fn opened(&self, listener: Listener, socket: Arc<TcpListener>) -> io::Result<Open> {
        let (address, drain) = (socket.local_addr()?, Drain::default());
        let shell = Arc::new(Shell { drain: drain.clone(), ..(self.shell_of)(&listener) });
        let accepted = socket.try_clone()?;
        let (workers, seats) = (self.workers.clone(), self.seats.clone());
        self.acceptor.spawn(accept(accepted, shell, workers, seats));
        Ok(Open { listener, address, socket, drain })
    }

    /// Stops: no new connections, all requests answered that were sent, idle connections closed after the grace period
    /// and everything after the deadline.
    pub async fn drain(mut self) -> io::Result<()> {
        let open = std::mem::take(&mut self.open);
        let reach = |moment| open.iter().for_each(|open| open.drain.reach(moment));
        reach(Moment::Draining);
        tokio::time::sleep(HAND_OVER).await;
        let all_gone = self.seats.acquire_many(self.seats_max);
        tokio::pin!(all_gone);
        if tokio::time::timeout(self.grace, &mut all_gone).await.is_err() {
            reach(Moment::Closing);
            if tokio::time::timeout(self.deadline.saturating_sub(self.grace), all_gone).await.is_err() {
                tracing::warn!("connections were still at work when the time to drain was over");
            }
        }
        self.acceptor.stop();
        self.workers.end().await
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.acceptor.stop();
        self.workers.stop();
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "Running({:?})", self.addresses())
    }
}

/// Binds and listens.
fn listening(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)?.into_std()
}

/// Hands connections to the workers until the listener ends; those that the system has accepted by then, too.
async fn accept(socket: TcpListener, shell: Arc<Shell>, workers: Arc<Workers>, seats: Arc<Semaphore>) {
    let listener = match tokio::net::TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(%error, "a socket cannot be accepted on");
            return;
        }
    };
    let mut ending = std::pin::pin!(shell.drain.draining());
    loop {
        let accepted = if shell.drain.is_draining() {
            listener.accept().now_or_never()
        } else {
            tokio::select! {
                accepted = listener.accept() => Some(accepted),
                () = &mut ending => continue,
            }
        };
        match accepted {
            None => return,
            // As many wait to be accepted as the system keeps.
            Some(Ok((tcp, _))) => match (seats.clone().acquire_owned().await, tcp.into_std()) {
                (Ok(seat), Ok(tcp)) => workers.hand(tcp, shell.clone(), seat),
                (Err(_), _) => return,
                (_, Err(error)) => tracing::debug!(%error, "a connection was lost before it was served"),
            },
            Some(Err(error)) if shell.drain.is_draining() => {
                tracing::debug!(%error, "a listener ended");
                return;
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "a listener does not accept");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}
