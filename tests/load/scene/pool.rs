//! What a key has encrypted or signed, with what went in: calls draw from it, and check what they get against it.
//! Bounded: keeps the newest that nobody has checked yet, and some of the checked ones.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::RngExt as _;

use super::Random;

/// Beyond this many that wait to be checked, a key's answers are only sampled.
const FRESH_MAX: usize = 16;
const KEPT_MAX: usize = 32;

/// One answer of the service and what it was made from, both in base64.
#[derive(Debug)]
pub(crate) struct Sample {
    /// A ciphertext, a signature or a MAC.
    pub(crate) made: String,
    /// A plaintext or a message.
    pub(crate) input: Arc<str>,
    /// The encryption context as JSON.
    pub(crate) context: Arc<str>,
    checked: AtomicBool,
}

impl Sample {
    pub(crate) fn new(made: String, input: Arc<str>, context: Arc<str>) -> Self {
        Self { made, input, context, checked: AtomicBool::new(false) }
    }

    pub(crate) fn set_checked(&self) {
        self.checked.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_checked(&self) -> bool {
        self.checked.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Pool(Mutex<Samples>);

#[derive(Debug, Default)]
struct Samples {
    fresh: VecDeque<Arc<Sample>>,
    kept: Vec<Arc<Sample>>,
}

impl Pool {
    /// Whether a new sample would be one more that is checked; if not, `lucky` decides who is looked at.
    pub(crate) fn wants(&self, lucky: bool) -> bool {
        lucky || self.samples().fresh.len() < FRESH_MAX
    }

    pub(crate) fn add(&self, sample: Sample) {
        let mut samples = self.samples();
        if samples.fresh.len() >= FRESH_MAX {
            samples.fresh.pop_front();
        }
        samples.fresh.push_back(Arc::new(sample));
    }

    /// One that nobody has drawn yet, or else any.
    pub(crate) fn draw(&self, random: &mut Random) -> Option<Arc<Sample>> {
        let mut samples = self.samples();
        if let Some(fresh) = samples.fresh.pop_front() {
            if samples.kept.len() < KEPT_MAX {
                samples.kept.push(Arc::clone(&fresh));
            } else if let Some(old) = samples.kept.get_mut(random.random_range(0..KEPT_MAX)) {
                *old = Arc::clone(&fresh);
            }
            return Some(fresh);
        }
        let kept = samples.kept.len();
        if kept == 0 { None } else { samples.kept.get(random.random_range(0..kept)).cloned() }
    }

    /// Those that were never found to be right.
    pub(crate) fn unchecked(&self) -> Vec<Arc<Sample>> {
        let samples = self.samples();
        samples.fresh.iter().chain(&samples.kept).filter(|sample| !sample.is_checked()).cloned().collect()
    }

    fn samples(&self) -> MutexGuard<'_, Samples> {
        // Every change leaves it whole, so that it is good whatever became of a thread that held it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use rand::SeedableRng as _;

    use super::*;

    fn sample(name: usize) -> Sample {
        Sample::new(name.to_string(), "in".into(), "{}".into())
    }

    #[test]
    fn what_is_fresh_is_drawn_once_before_anything_is_drawn_again() {
        let (pool, mut random) = (Pool::default(), Random::seed_from_u64(1));
        assert!(pool.draw(&mut random).is_none());
        (0..5).for_each(|name| pool.add(sample(name)));
        let drawn: Vec<_> = (0..5).map(|_| pool.draw(&mut random).unwrap().made.clone()).collect();
        assert_eq!(drawn, ["0", "1", "2", "3", "4"]);
        assert!(pool.draw(&mut random).is_some());
    }

    #[test]
    fn it_is_bounded_and_keeps_the_newest() {
        let (pool, mut random) = (Pool::default(), Random::seed_from_u64(1));
        (0..FRESH_MAX).for_each(|name| pool.add(sample(name)));
        assert!(!pool.wants(false));
        assert!(pool.wants(true));
        pool.add(sample(99));
        assert_eq!(pool.unchecked().len(), FRESH_MAX);
        assert_eq!(pool.unchecked().last().unwrap().made, "99");
        for name in 0..1000 {
            pool.add(sample(name));
            pool.draw(&mut random).unwrap();
        }
        assert!(pool.unchecked().len() <= FRESH_MAX + KEPT_MAX);
    }

    #[test]
    fn what_was_checked_is_not_checked_at_the_end() {
        let (pool, mut random) = (Pool::default(), Random::seed_from_u64(1));
        pool.add(sample(1));
        pool.add(sample(2));
        pool.draw(&mut random).unwrap().set_checked();
        assert_eq!(pool.unchecked().iter().map(|sample| sample.made.as_str()).collect::<Vec<_>>(), ["2"]);
    }
}
