//! How much may be in flight at once, by class of work, so that one class cannot starve another.
//! Counts; knows no request.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kms_core::operation::Effect;

/// The permits of a process. Requests that read never wait for those that write, nor the other way round.
#[derive(Debug)]
pub struct Admission {
    quick: Arc<Class>,
    slow: Arc<Class>,
}

#[derive(Debug)]
struct Class {
    in_flight: AtomicUsize,
    in_flight_max: usize,
}

/// The right to be in flight, until it is dropped.
#[derive(Debug)]
pub struct Permit(Arc<Class>);

impl Admission {
    /// `quick_max` requests that read and `slow_max` that write.
    pub fn new(quick_max: usize, slow_max: usize) -> Self {
        let class = |in_flight_max| Arc::new(Class { in_flight: AtomicUsize::new(0), in_flight_max });
        Self { quick: class(quick_max), slow: class(slow_max) }
    }

    fn class(&self, effect: Effect) -> &Arc<Class> {
        match effect {
            Effect::Read => &self.quick,
            Effect::Write => &self.slow,
        }
    }

    /// Whether the class has as much as it takes now.
    pub fn is_full(&self, effect: Effect) -> bool {
        let class = self.class(effect);
        class.in_flight.load(Ordering::Relaxed) >= class.in_flight_max
    }

    /// `None` when the class has as much as it takes.
    pub fn admit(&self, effect: Effect) -> Option<Permit> {
        let class = self.class(effect);
        let admitted = class.in_flight.fetch_update(Ordering::AcqRel, Ordering::Acquire, |in_flight| {
            (in_flight < class.in_flight_max).then_some(in_flight.saturating_add(1))
        });
        admitted.ok().map(|_| Permit(class.clone()))
    }

    /// Requests in flight now.
    pub fn in_flight(&self) -> usize {
        self.quick.in_flight.load(Ordering::Relaxed).saturating_add(self.slow.in_flight.load(Ordering::Relaxed))
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_bounded_apart() {
        let admission = Admission::new(2, 1);
        let held: Vec<_> = (0..3).map(|_| admission.admit(Effect::Read)).collect();
        assert_eq!(held.iter().filter(|permit| permit.is_some()).count(), 2);
        let write = admission.admit(Effect::Write);
        assert!(write.is_some() && admission.admit(Effect::Write).is_none());
        assert_eq!(admission.in_flight(), 3);
        assert!(admission.is_full(Effect::Read) && admission.is_full(Effect::Write));
        drop(held);
        assert!(!admission.is_full(Effect::Read));
        assert!(admission.admit(Effect::Read).is_some());
    }
}
