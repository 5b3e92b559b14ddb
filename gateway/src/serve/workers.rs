//! The threads that serve HTTP: each has one service, and serves the connections that it is handed.
//! Knows threads and how busy they are; what a connection is, `connection` knows.

use std::collections::HashMap;
use std::io;
use std::net::TcpStream;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use actix_rt::Arbiter;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::Service;
use super::connection::{Connections, Shell};

/// The workers of one server.
pub(super) struct Workers {
    all: Mutex<Vec<Worker>>,
    /// Starts the worker of this number; a worker that replaces one that died counts on.
    start: Box<dyn Fn(usize) -> Worker + Send + Sync>,
    next: AtomicUsize,
    /// Whose turn it is among those that are equally busy.
    turn: AtomicUsize,
}

struct Worker {
    arrivals: UnboundedSender<Arrival>,
    arbiter: Arbiter,
    /// Connections that it serves or was handed.
    load: Arc<()>,
}

/// A connection on its way to a worker. The seat is free again when the connection has ended.
struct Arrival {
    tcp: TcpStream,
    shell: Arc<Shell>,
    _load: Arc<()>,
    _seat: OwnedSemaphorePermit,
}

impl Workers {
    /// Must be called within an actix `System`. `service_for_worker` is called on each worker's own thread.
    pub(super) fn start<S, F>(count: usize, service_for_worker: F) -> Self
    where
        S: Service,
        F: Fn(usize) -> S + Clone + Send + Sync + 'static,
    {
        let start = move |number| {
            let (arrivals, arriving) = unbounded_channel();
            let arbiter = Arbiter::new();
            let service_for_worker = service_for_worker.clone();
            arbiter.spawn_fn(move || {
                actix_rt::spawn(work(arriving, service_for_worker(number)));
            });
            Worker { arrivals, arbiter, load: Arc::default() }
        };
        let all = (0..count).map(&start).collect();
        Self { all: Mutex::new(all), start: Box::new(start), next: AtomicUsize::new(count), turn: AtomicUsize::new(0) }
    }

    /// Hands a connection to the worker that has the fewest; to each in turn where several have.
    pub(super) fn hand(&self, tcp: TcpStream, shell: Arc<Shell>, seat: OwnedSemaphorePermit) {
        let mut all = self.lock();
        let (count, turn) = (all.len(), self.turn.fetch_add(1, Ordering::Relaxed));
        let busy = |(index, worker): &(usize, &mut Worker)| {
            (Arc::strong_count(&worker.load), (index + count - turn % count) % count)
        };
        let Some((_, worker)) = all.iter_mut().enumerate().min_by_key(busy) else { return };
        let arrival = Arrival { tcp, shell, _load: worker.load.clone(), _seat: seat };
        if let Err(back) = worker.arrivals.send(arrival) {
            tracing::error!("a worker has died; another takes its place");
            *worker = (self.start)(self.next.fetch_add(1, Ordering::Relaxed));
            // What the new one cannot be told either is closed.
            let _ = worker.arrivals.send(Arrival { _load: worker.load.clone(), ..back.0 });
        }
    }

    /// Cuts what is open.
    pub(super) fn stop(&self) {
        for worker in self.lock().iter() {
            // Tells only whether it was still there.
            let _ = worker.arbiter.stop();
        }
    }

    /// Cuts what is open, and answers once the threads have ended.
    pub(super) async fn end(&self) -> io::Result<()> {
        self.stop();
        let all = std::mem::take(&mut *self.lock());
        let joined = actix_rt::task::spawn_blocking(|| {
            all.into_iter().map(|worker| worker.arbiter.join()).filter(Result::is_err).count()
        });
        match joined.await.map_err(io::Error::other)? {
            0 => Ok(()),
            panicked => Err(io::Error::other(format!("{panicked} workers had panicked"))),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Worker>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A worker's life. Handlers are made once for each listener.
async fn work<S: Service>(mut arriving: UnboundedReceiver<Arrival>, service: S) {
    let mut known: HashMap<*const Shell, (Weak<Shell>, Rc<Connections>)> = HashMap::new();
    while let Some(arrival) = arriving.recv().await {
        let shell = &arrival.shell;
        // INVARIANT: an entry's pointer is that of its own listener, as the listener is there for as long as the entry's
        // `Weak` keeps its memory, so that no other listener is taken for it.
        let connections = match known.get(&Arc::as_ptr(shell)) {
            Some((_, connections)) => connections.clone(),
            None => {
                known.retain(|_, (shell, _)| shell.strong_count() > 0);
                let Ok(connections) = Connections::new(Shell::clone(shell), service.clone()).await else { continue };
                known.insert(Arc::as_ptr(shell), (Arc::downgrade(shell), connections.clone()));
                connections
            }
        };
        actix_rt::spawn(serve(connections, arrival));
    }
}

async fn serve(connections: Rc<Connections>, arrival: Arrival) {
    match tokio::net::TcpStream::from_std(arrival.tcp) {
        Ok(tcp) => {
            let Ok(()) = connections.serve(tcp).await;
        }
        Err(error) => tracing::debug!(%error, "a connection was lost before it was served"),
    }
}
