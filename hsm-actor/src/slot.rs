//! A slot of the pool: a place for one HSM actor on a thread of its own, one incarnation after the other.
//! Starts and self-tests an incarnation; when to do so is the supervisor's to say.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use actix::{Actor, Addr};
use arc_swap::{ArcSwap, ArcSwapOption, Guard};

use crate::{
    actor::Hsm,
    command::{Command, SelfTest},
    errand::{Answer, Awaited, Parcel},
    error::HsmError,
    life::{Life, Ticket},
    vault::Vault,
};

/// How long a new thread may take until its actor answers.
const START_MAX: Duration = Duration::from_secs(10);

/// One actor on one thread. Dropping it closes the mailbox, and the thread ends.
pub(crate) struct Incarnation {
    pub(crate) life: Arc<Life>,
    address: Addr<Hsm>,
}

impl Incarnation {
    /// Hands a parcel over. When the actor is gone, its callers are told that it is lost.
    pub(crate) fn send(&self, parcel: Parcel) {
        if let Err(returned) = self.address.try_send(parcel.into_batch(Arc::clone(&self.life))) {
            self.life.end();
            drop(returned);
        }
    }

    /// Hands one command over.
    pub(crate) fn send_alone<C: Command>(&self, command: Arc<C>, deadline: Instant, ticket: Ticket) -> Awaited<C> {
        let mut parcel = Parcel::default();
        let awaited = parcel.add(command, deadline, ticket);
        self.send(parcel);
        awaited
    }

    fn self_test(&self) -> Result<(), HsmError> {
        let ticket = self.life.admit(SelfTest::CLASS, usize::MAX).ok_or(HsmError::Busy)?;
        let deadline = Instant::now() + START_MAX;
        match self.send_alone(Arc::new(SelfTest), deadline, ticket).wait(deadline) {
            Some(Some(Answer::Done(result))) => result,
            Some(Some(Answer::Killed)) => Err(HsmError::SelfTest),
            Some(None) | None => Err(HsmError::Unavailable),
        }
    }
}

/// What every incarnation is started with.
pub(crate) struct Workshop {
    pub(crate) vault: Arc<ArcSwap<Vault>>,
    pub(crate) alarm: mpsc::Sender<()>,
    pub(crate) mailbox_max: usize,
}

impl Workshop {
    /// A new actor on a new thread, which passed its self-tests.
    pub(crate) fn start(&self, slot: usize, incarnation: u64) -> Result<Incarnation, HsmError> {
        let life = Arc::new(Life::new(slot, incarnation));
        let hsm = Hsm {
            vault: Arc::clone(&self.vault),
            life: Arc::clone(&life),
            alarm: self.alarm.clone(),
            mailbox_max: self.mailbox_max,
        };
        let (ready, started) = mpsc::sync_channel(1);
        // The thread is not joined: one that hangs would hang whoever waits for it.
        thread::Builder::new()
            .name(format!("hsm-{slot}.{incarnation}"))
            .spawn(move || live(hsm, &ready))
            .map_err(|_| HsmError::Unavailable)?;
        let address = started.recv_timeout(START_MAX).map_err(|_| HsmError::Unavailable)?;
        let incarnation = Incarnation { life, address };
        incarnation.self_test().inspect_err(|_| incarnation.life.end())?;
        Ok(incarnation)
    }
}

/// The whole life of an HSM's thread.
fn live(hsm: Hsm, ready: &mpsc::SyncSender<Addr<Hsm>>) {
    let system = actix::System::new();
    let address = system.block_on(async { hsm.start() });
    // Without anyone to take it the address is dropped, and the actor stops the system.
    drop(ready.send(address));
    if let Err(error) = system.run() {
        tracing::error!(%error, "an HSM thread ended badly");
    }
}

/// A place for one incarnation at a time.
#[derive(Default)]
pub(crate) struct Slot {
    current: ArcSwapOption<Incarnation>,
    restarts: AtomicU64,
    failed: AtomicBool,
}

impl Slot {
    /// The incarnation that takes work, if there is one.
    pub(crate) fn healthy(&self) -> Option<Arc<Incarnation>> {
        self.current.load_full().filter(|current| !current.life.is_over())
    }

    /// The last incarnation, be it over or not.
    pub(crate) fn current(&self) -> Guard<Option<Arc<Incarnation>>> {
        self.current.load()
    }

    pub(crate) fn install(&self, incarnation: Incarnation) {
        self.current.store(Some(Arc::new(incarnation)));
    }

    /// Forgets the incarnation; nothing that it still answers counts.
    pub(crate) fn evict(&self) {
        if let Some(old) = self.current.swap(None) {
            old.life.end();
        }
    }

    pub(crate) fn count_restart(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn restarts(&self) -> u64 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(crate) fn fail(&self) {
        self.failed.store(true, Ordering::Release);
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }
}
