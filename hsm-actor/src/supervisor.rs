//! The supervisor: sees that an incarnation is over or silent, and starts the next, within bounds.
//! actix's own `Supervisor` does not restart an actor that panicked, and none can end a thread that hangs.

use std::{
    collections::VecDeque,
    sync::{
        Weak,
        mpsc::{Receiver, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    command::Class,
    error::HsmError,
    pool::{Pool, PoolConfig},
    slot::Slot,
};

/// Starts the supervisor's thread, which ends soon after the pool does.
pub(crate) fn start(pool: Weak<Pool>, config: &PoolConfig, alarm: Receiver<()>) -> Result<(), HsmError> {
    let tick = (config.silence_max / 8).clamp(Duration::from_millis(2), Duration::from_millis(100));
    let mut watches: Vec<Watch> = (0..config.slots).map(|_| Watch::default()).collect();
    let body = move || {
        loop {
            let waited = match alarm.recv_timeout(tick) {
                Err(RecvTimeoutError::Timeout) => tick,
                Ok(()) => Duration::ZERO,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let Some(pool) = pool.upgrade() else { return };
            for (index, (slot, watch)) in pool.slots.iter().zip(&mut watches).enumerate() {
                watch.inspect(&pool, index, slot, waited);
            }
        }
    };
    thread::Builder::new().name("hsm-supervisor".into()).spawn(body).map(drop).map_err(|_| HsmError::Unavailable)
}

/// What the supervisor remembers of one slot.
#[derive(Default)]
struct Watch {
    incarnation: u64,
    completions: u64,
    silence: Duration,
    restarts: VecDeque<Instant>,
}

impl Watch {
    fn inspect(&mut self, pool: &Pool, index: usize, slot: &Slot, waited: Duration) {
        if slot.is_failed() {
            return;
        }
        if self.is_silent(pool, slot, waited) {
            tracing::error!(slot = index, "an HSM is silent with work in flight; it is replaced");
            slot.evict();
        }
        if slot.healthy().is_none() {
            self.restart(pool, index, slot);
        }
    }

    /// Whether work waits and nothing was answered for longer than allowed.
    ///
    /// Silence is counted in ticks of this thread, not by the clock: a machine that was stopped for a while has
    /// stopped its HSMs too, and that is not their death.
    fn is_silent(&mut self, pool: &Pool, slot: &Slot, waited: Duration) -> bool {
        let current = slot.current();
        let Some(life) = current.as_ref().map(|current| &current.life) else {
            return false;
        };
        let seen = (life.incarnation, life.completions());
        if life.in_flight() == 0 || seen != (self.incarnation, self.completions) {
            (self.incarnation, self.completions) = seen;
            self.silence = Duration::ZERO;
        } else {
            self.silence += waited;
        }
        let is_slow = life.held(Class::Slow) > 0;
        self.silence > if is_slow { pool.config.slow_silence_max } else { pool.config.silence_max }
    }

    fn restart(&mut self, pool: &Pool, index: usize, slot: &Slot) {
        slot.evict();
        let now = Instant::now();
        self.restarts.retain(|then| now.saturating_duration_since(*then) <= pool.config.restarts_window);
        if self.restarts.len() >= pool.config.restarts_max {
            tracing::error!(slot = index, "an HSM slot restarted too often and is given up");
            return slot.fail();
        }
        self.restarts.push_back(now);
        slot.count_restart();
        // Numbers count from 1, so the first restart makes the second incarnation.
        match pool.workshop.start(index, slot.restarts() + 1) {
            Ok(incarnation) => {
                tracing::warn!(slot = index, incarnation = incarnation.life.incarnation, "an HSM slot restarted");
                slot.install(incarnation);
            }
            Err(error) => tracing::error!(slot = index, %error, "an HSM did not start"),
        }
    }
}
