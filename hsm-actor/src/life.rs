//! What is shared about one incarnation of a slot: how much it holds, how far it is, whether it is over.
//! Atomics only; knows neither the actor nor the pool.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
};

use crate::{command::Class, errand::Bell};

/// One incarnation's counters. When it is over it stays over; the slot then gets another.
pub(crate) struct Life {
    pub(crate) slot: usize,
    pub(crate) incarnation: u64,
    quick: AtomicUsize,
    slow: AtomicUsize,
    completions: AtomicU64,
    /// The address of the command that runs now, 0 for none. Its owner keeps it alive, so no other command has it.
    running: AtomicUsize,
    over: AtomicBool,
    /// Of the batches that are on their way or at work.
    bells: Mutex<Vec<Arc<Bell>>>,
}

impl Life {
    pub(crate) fn new(slot: usize, incarnation: u64) -> Self {
        Self {
            slot,
            incarnation,
            quick: AtomicUsize::new(0),
            slow: AtomicUsize::new(0),
            completions: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            over: AtomicBool::new(false),
            bells: Mutex::default(),
        }
    }

    /// A permit for one more command of `class`, unless there are `max` already.
    pub(crate) fn admit(self: &Arc<Self>, class: Class, max: usize) -> Option<Ticket> {
        let one_more = |held| (held < max).then_some(held + 1);
        // In one order for all, here and in `held`: of a quick and a slow command that are admitted at once, at least one
        // sees the other.
        self.counter(class).fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).ok()?;
        Some(Ticket { life: Arc::clone(self), class })
    }

    pub(crate) fn held(&self, class: Class) -> usize {
        self.counter(class).load(Ordering::SeqCst)
    }

    /// Commands that were sent and are not answered, the running one included.
    pub(crate) fn in_flight(&self) -> usize {
        self.held(Class::Quick).saturating_add(self.held(Class::Slow))
    }

    /// Commands answered so far.
    pub(crate) fn completions(&self) -> u64 {
        self.completions.load(Ordering::Acquire)
    }

    pub(crate) fn begin(&self, command: usize) {
        self.running.store(command, Ordering::Release);
    }

    pub(crate) fn complete(&self) {
        self.running.store(0, Ordering::Release);
        self.completions.fetch_add(1, Ordering::AcqRel);
    }

    pub(crate) fn is_running(&self, command: usize) -> bool {
        self.running.load(Ordering::Acquire) == command
    }

    /// It is over; whoever waits for a batch hears of it, also when the thread hangs and will not say so.
    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
        let bells = std::mem::take(&mut *self.bells());
        bells.iter().for_each(|bell| bell.ring());
    }

    /// A batch with this bell is on its way.
    pub(crate) fn sent(&self, bell: &Arc<Bell>) {
        self.bells().push(Arc::clone(bell));
        // The end may have come just before: then nobody else rings this one.
        if self.is_over() {
            bell.ring();
        }
    }

    /// The batch with this bell is done or dropped.
    pub(crate) fn returned(&self, bell: &Arc<Bell>) {
        let mut bells = self.bells();
        if let Some(at) = bells.iter().position(|known| Arc::ptr_eq(known, bell)) {
            bells.swap_remove(at);
        }
    }

    fn bells(&self) -> MutexGuard<'_, Vec<Arc<Bell>>> {
        self.bells.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.over.load(Ordering::Acquire)
    }

    fn counter(&self, class: Class) -> &AtomicUsize {
        match class {
            Class::Quick => &self.quick,
            Class::Slow => &self.slow,
        }
    }
}

/// The permit of one command in one incarnation; dropping it gives the permit back.
pub(crate) struct Ticket {
    life: Arc<Life>,
    class: Class,
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.life.counter(self.class).fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_are_bounded_per_class_and_come_back() {
        let life = Arc::new(Life::new(0, 1));
        let first = life.admit(Class::Quick, 1);
        assert!(first.is_some() && life.admit(Class::Quick, 1).is_none());
        let slow = life.admit(Class::Slow, 1);
        assert!(slow.is_some());
        assert_eq!(life.in_flight(), 2);
        drop(first);
        assert_eq!((life.held(Class::Quick), life.held(Class::Slow)), (0, 1));
        assert!(life.admit(Class::Quick, 1).is_some());
    }
}
