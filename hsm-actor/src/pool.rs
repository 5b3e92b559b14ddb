//! The pool of HSM actors: which slot a command goes to, how long one waits, and the one retry when a slot dies.
//! Knows nothing of what commands do.

mod call;
mod outbox;

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, mpsc},
    time::{Duration, Instant},
};

use self::{
    call::{Call, Dispatch, RECOVERY_POLL},
    outbox::Outbox,
};
use crate::{
    command::{Class, Command, SelfTest},
    errand::Answer,
    error::HsmError,
    life::Ticket,
    ring::{KeyRing, RingError, SealedRing},
    slot::{Incarnation, Slot, Workshop},
    supervisor,
    vault::Vault,
};
use arc_swap::ArcSwap;

/// The bounds of a pool.
#[derive(Clone, Debug)]
pub struct PoolConfig {
    /// HSM actors, each on a thread of its own; at least 1, and 2 to survive the loss of one.
    pub slots: usize,
    /// Quick commands that one slot holds at most, the running one included.
    pub queue_max: usize,
    /// Slow commands that the whole pool holds at most.
    pub slow_max: usize,
    /// How long a slot with work may go without an answer before it is taken for dead; more than any quick command takes.
    pub silence_max: Duration,
    /// The same for a slot that has slow work: more than an RSA key takes on a machine that has much else to do.
    pub slow_silence_max: Duration,
    /// Restarts of one slot within `restarts_window`; one more and the slot has failed for good.
    pub restarts_max: usize,
    pub restarts_window: Duration,
}

impl Default for PoolConfig {
    fn default() -> Self {
        Self {
            slots: 2,
            queue_max: 256,
            slow_max: 16,
            silence_max: Duration::from_secs(5),
            slow_silence_max: Duration::from_secs(60),
            restarts_max: 10,
            restarts_window: Duration::from_secs(60),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotState {
    /// Takes work.
    Healthy,
    /// Between two incarnations.
    Restarting,
    /// Restarted too often; takes no work until the process starts anew.
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlotStatus {
    pub state: SlotState,
    /// Counts from 1; 0 while there is none.
    pub incarnation: u64,
    pub restarts: u64,
    /// Commands sent and not answered.
    pub in_flight: usize,
}

/// The HSM actors of this process. Clones are handles to the same pool; the last one to go ends it.
#[derive(Clone)]
pub struct HsmPool(Arc<Pool>);

pub(crate) struct Pool {
    pub(crate) config: PoolConfig,
    pub(crate) workshop: Workshop,
    pub(crate) slots: Vec<Slot>,
    /// Held while a slow command picks its slot, so that two of them cannot both take the last quick slot.
    slow_gate: Mutex<()>,
}

impl HsmPool {
    /// Starts every slot and its self-tests. Fails when one does not start.
    pub fn start(config: PoolConfig, ring: KeyRing) -> Result<Self, HsmError> {
        if config.slots == 0 || config.queue_max == 0 {
            return Err(HsmError::Unavailable);
        }
        let (alarm, alarmed) = mpsc::channel();
        let vault = Arc::new(ArcSwap::from_pointee(Vault::new(ring)?));
        // The mailbox never fills: permits bound what is sent, and one more leaves room for a self-test.
        let mailbox_max = config.queue_max.saturating_add(config.slow_max).saturating_add(1);
        let pool = Arc::new(Pool {
            workshop: Workshop { vault, alarm, mailbox_max },
            slots: (0..config.slots).map(|_| Slot::default()).collect(),
            slow_gate: Mutex::new(()),
            config,
        });
        for (index, slot) in pool.slots.iter().enumerate() {
            slot.install(pool.workshop.start(index, 1)?);
        }
        supervisor::start(Arc::downgrade(&pool), &pool.config, alarmed)?;
        Ok(Self(pool))
    }

    /// Runs `command` on the slot with the least work. Answers no later than `deadline`, up to some milliseconds.
    /// Quick commands that one thread has in one turn of its event loop go to a slot together.
    ///
    /// From any task of a tokio or actix runtime with a timer. A command whose slot died runs once more on another.
    pub async fn run<C: Command>(&self, command: C, deadline: Instant) -> Result<C::Reply, HsmError> {
        let mut call = Call::new(&self.0, command, deadline);
        loop {
            let outbox = Outbox::of_this_thread();
            let outcome = match call.dispatch(Some(&outbox)) {
                Dispatch::Sent(sent) => {
                    if sent.leads {
                        outbox.send_after_turn().await;
                    }
                    call.answer(sent).await
                }
                Dispatch::Later => {
                    tokio::time::sleep(RECOVERY_POLL).await;
                    continue;
                }
                Dispatch::Refused(error) => return Err(error),
            };
            if let Some(result) = call.judge(outcome) {
                return result;
            }
        }
    }

    /// [`HsmPool::run`] for a thread that may block, such as the store's writer. Never call it from a task.
    pub fn run_blocking<C: Command>(&self, command: C, deadline: Instant) -> Result<C::Reply, HsmError> {
        let mut call = Call::new(&self.0, command, deadline);
        loop {
            let outcome = match call.dispatch(None) {
                Dispatch::Sent(sent) => call.answer_blocking(sent),
                Dispatch::Later => {
                    std::thread::sleep(RECOVERY_POLL);
                    continue;
                }
                Dispatch::Refused(error) => return Err(error),
            };
            if let Some(result) = call.judge(outcome) {
                return result;
            }
        }
    }

    /// The number of the domain key that wraps what is wrapped now, and when it was made (milliseconds since the epoch).
    pub fn active_domain(&self) -> (u32, u64) {
        let vault = self.0.workshop.vault.load();
        (vault.ring().active_domain(), vault.ring().active_since())
    }

    /// The slots' ring with a new active domain key; see [`KeyRing::rotated`]. Nothing changes before `install`.
    pub fn rotated(&self, sealed: &SealedRing, now_ms: u64) -> Result<(KeyRing, SealedRing), RingError> {
        self.0.workshop.vault.load().ring().rotated(sealed, now_ms)
    }

    /// Gives every slot a new ring, such as after a rotation. Commands that already run finish with the old one.
    pub fn install(&self, ring: KeyRing) -> Result<(), HsmError> {
        self.0.workshop.vault.store(Arc::new(Vault::new(ring)?));
        Ok(())
    }

    /// The state of every slot, in order.
    pub fn slots(&self) -> Vec<SlotStatus> {
        self.0.slots.iter().map(status).collect()
    }

    /// Runs the self-tests on every slot that has not failed. `Unavailable` when one of them is restarting.
    pub async fn self_test(&self, deadline: Instant) -> Result<(), HsmError> {
        for slot in self.0.slots.iter().filter(|slot| !slot.is_failed()) {
            let incarnation = slot.healthy().ok_or(HsmError::Unavailable)?;
            let ticket = incarnation.life.admit(SelfTest::CLASS, self.0.config.queue_max).ok_or(HsmError::Busy)?;
            let awaited = incarnation.send_alone(Arc::new(SelfTest), deadline, ticket);
            match tokio::time::timeout_at(deadline.into(), awaited).await {
                Ok(Some(Answer::Done(result))) => result?,
                Ok(Some(Answer::Killed)) => return Err(HsmError::SelfTest),
                Ok(None) => return Err(HsmError::Unavailable),
                Err(_) => return Err(HsmError::Expired),
            }
        }
        if self.0.slots.iter().all(Slot::is_failed) { Err(HsmError::Unavailable) } else { Ok(()) }
    }
}

impl fmt::Debug for HsmPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("HsmPool").field(&self.slots()).finish()
    }
}

fn status(slot: &Slot) -> SlotStatus {
    let healthy = slot.healthy();
    let state = match healthy {
        _ if slot.is_failed() => SlotState::Failed,
        Some(_) => SlotState::Healthy,
        None => SlotState::Restarting,
    };
    SlotStatus {
        state,
        incarnation: healthy.as_ref().map_or(0, |current| current.life.incarnation),
        restarts: slot.restarts(),
        in_flight: healthy.as_ref().map_or(0, |current| current.life.in_flight()),
    }
}

/// Why no slot was picked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NoSlot {
    /// Every slot that may take the command is full.
    Full,
    /// No slot is healthy, but one is coming back.
    Restarting,
    /// Every slot has failed.
    Failed,
}

impl Pool {
    /// A healthy slot other than `avoid` and a permit on it.
    fn pick(&self, class: Class, avoid: Option<usize>) -> Result<(Arc<Incarnation>, Ticket), NoSlot> {
        match class {
            Class::Quick => self.pick_quick(avoid),
            Class::Slow => self.pick_slow(avoid),
        }
    }

    /// The least work wins. A slot with slow work is none to pick from, unless they all have some.
    fn pick_quick(&self, avoid: Option<usize>) -> Result<(Arc<Incarnation>, Ticket), NoSlot> {
        let max = self.config.queue_max;
        // Between choosing and admitting another thread may take the permit, or a slow command the slot; each round then
        // chooses anew.
        for _ in 0..=self.slots.len() {
            let (mut any, mut any_free) = (false, false);
            let mut best: Option<((bool, usize), Arc<Incarnation>)> = None;
            for one in self.healthy(avoid) {
                let has_slow = one.life.held(Class::Slow) > 0;
                any = true;
                any_free |= !has_slow;
                let rank = (has_slow, one.life.in_flight());
                let has_room = one.life.held(Class::Quick) < max;
                if has_room && best.as_ref().is_none_or(|(least, _)| rank < *least) {
                    best = Some((rank, one));
                }
            }
            if !any {
                return Err(self.why_none(avoid));
            }
            let ((has_slow, _), best) = best.ok_or(NoSlot::Full)?;
            if has_slow && any_free {
                return Err(NoSlot::Full);
            }
            let ticket = best.life.admit(Class::Quick, max);
            if let Some(ticket) = ticket.filter(|_| !any_free || best.life.held(Class::Slow) == 0) {
                return Ok((best, ticket));
            }
        }
        Err(NoSlot::Full)
    }

    /// The least slow work wins, but one slot always stays free of it (where the pool has more than one).
    fn pick_slow(&self, avoid: Option<usize>) -> Result<(Arc<Incarnation>, Ticket), NoSlot> {
        let _gate = self.slow_gate.lock().unwrap_or_else(PoisonError::into_inner);
        let slow = |one: &Arc<Incarnation>| one.life.held(Class::Slow);
        let all: Vec<_> = self.healthy(None).collect();
        if all.iter().map(slow).sum::<usize>() >= self.config.slow_max {
            return Err(NoSlot::Full);
        }
        let may_spread = self.slots.len() == 1 || all.iter().filter(|one| slow(one) == 0).count() > 1;
        let others: Vec<_> = all.into_iter().filter(|one| Some(one.life.slot) != avoid).collect();
        if others.is_empty() {
            return Err(self.why_none(avoid));
        }
        let allowed = others.into_iter().filter(|one| may_spread || slow(one) > 0);
        let best = allowed.min_by_key(|one| (slow(one), one.life.in_flight())).ok_or(NoSlot::Full)?;
        let ticket = best.life.admit(Class::Slow, self.config.slow_max).ok_or(NoSlot::Full)?;
        Ok((best, ticket))
    }

    /// Whether this is one of this pool's incarnations that take work, and free of slow work.
    fn is_at_work(&self, incarnation: &Arc<Incarnation>) -> bool {
        let life = &incarnation.life;
        let current = self.slots.get(life.slot).and_then(Slot::healthy);
        current.is_some_and(|current| Arc::ptr_eq(&current, incarnation)) && life.held(Class::Slow) == 0
    }

    fn healthy(&self, avoid: Option<usize>) -> impl Iterator<Item = Arc<Incarnation>> {
        self.slots.iter().filter_map(Slot::healthy).filter(move |one| Some(one.life.slot) != avoid)
    }

    fn why_none(&self, avoid: Option<usize>) -> NoSlot {
        let mut others = self.slots.iter().enumerate().filter(|(index, _)| Some(*index) != avoid);
        if others.all(|(_, slot)| slot.is_failed()) { NoSlot::Failed } else { NoSlot::Restarting }
    }
}

#[cfg(test)]
mod tests;
