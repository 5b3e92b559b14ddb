//! The operator's way into a running region: a Unix socket that only the service's own user and root may speak on.
//! Knows sockets, peers and bounds; what is asked for is done by `run`, one thing after the other.

mod peer;
pub mod protocol;
mod socket;

use std::io;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use kms_core::region::Operator;
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

use self::peer::Peers;
use self::protocol::{Answer, Malformed, REQUEST_BYTES_MAX, Request};
pub use self::socket::{FOLDER, connect};

/// More connections at a time are closed at once.
const CONNECTIONS_MAX: usize = 8;
/// For the whole request to come, and for the whole answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);
const PIECE_BYTES: usize = 64 << 10;
/// After the socket refused to accept.
const PAUSE: Duration = Duration::from_millis(200);

/// Something to be done for the operator.
#[derive(Debug)]
pub struct Errand {
    pub request: Request,
    pub operator: Operator,
    pub answer: oneshot::Sender<Answer>,
}

/// The socket at work; dropping it ends it.
#[derive(Debug)]
pub struct Admin {
    errands: mpsc::Receiver<Errand>,
    accepting: JoinHandle<()>,
}

/// Listens in the data folder, which this process must have to itself. Must be called within an actix `System`.
pub fn start(data: &Path) -> io::Result<Admin> {
    let listener = socket::listen(data)?;
    let peers = Peers::new()?;
    let (sender, errands) = mpsc::channel(CONNECTIONS_MAX);
    let accepting = actix_rt::spawn(accept(listener, Rc::new(peers), sender));
    Ok(Admin { errands, accepting })
}

impl Admin {
    /// The next errand.
    pub async fn next(&mut self) -> Option<Errand> {
        self.errands.recv().await
    }
}

impl Drop for Admin {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: UnixListener, peers: Rc<Peers>, errands: mpsc::Sender<Errand>) {
    let seats = std::sync::Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "the admin socket does not accept");
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        let Ok(seat) = seats.clone().try_acquire_owned() else { continue };
        let (peers, errands) = (peers.clone(), errands.clone());
        actix_rt::spawn(async move {
            if let Err(error) = serve(&stream, &peers, &errands).await {
                tracing::debug!(%error, "a connection to the admin socket broke");
            }
            drop(seat);
        });
    }
}

/// One request, one answer.
async fn serve(stream: &UnixStream, peers: &Peers, errands: &mpsc::Sender<Errand>) -> io::Result<()> {
    let answer = match peers.operator(&stream.peer_cred()?) {
        Ok(operator) => match tokio::time::timeout(PATIENCE, line(stream)).await {
            Ok(Ok(line)) => asked(&line, operator, errands).await,
            Ok(Err(error)) => Answer::refused(error),
            Err(_) => Answer::refused("the request took too long"),
        },
        Err(stranger) => {
            tracing::warn!(uid = stranger.0, "somebody else spoke to the admin socket");
            Answer::refused("only the service's own user and root may ask")
        }
    };
    let text = protocol::written(&answer).map_err(io::Error::other)?;
    tokio::time::timeout(PATIENCE, send(stream, &text)).await?
}

async fn asked(line: &[u8], operator: Operator, errands: &mpsc::Sender<Errand>) -> Answer {
    let request = match protocol::request(line) {
        Ok(request) => request,
        Err(error) => return Answer::refused(error),
    };
    let (answer, answered) = oneshot::channel();
    let gone = || Answer::refused("the service is stopping");
    if errands.send(Errand { request, operator, answer }).await.is_err() {
        return gone();
    }
    answered.await.unwrap_or_else(|_| gone())
}

/// Everything up to the first line feed. Wiped when dropped, as it may hold secrets.
async fn line(stream: &UnixStream) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut line = Zeroizing::new(Vec::new());
    let mut piece = Zeroizing::new(vec![0; PIECE_BYTES]);
    loop {
        stream.readable().await?;
        let count = match stream.try_read(&mut piece) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        let read = piece.get(..count).unwrap_or_default();
        let end = read.iter().position(|byte| *byte == b'\n');
        append(&mut line, read.get(..end.unwrap_or(count)).unwrap_or_default());
        if end.is_some() {
            return Ok(line);
        }
        if line.len() > REQUEST_BYTES_MAX {
            return Err(io::Error::other(Malformed::TooLong));
        }
    }
}

/// Grows by moving to a larger buffer and wiping the old one; `Vec` itself would leave a copy behind.
fn append(line: &mut Zeroizing<Vec<u8>>, read: &[u8]) {
    let length = line.len() + read.len();
    if length > line.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity(length.max(2 * line.capacity())));
        larger.extend_from_slice(line);
        *line = larger;
    }
    line.extend_from_slice(read);
}

async fn send(stream: &UnixStream, mut text: &[u8]) -> io::Result<()> {
    while !text.is_empty() {
        stream.writable().await?;
        match stream.try_write(text) {
            Ok(count) => text = text.get(count..).unwrap_or_default(),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
