//! Which operation is next and with which key: operations by weight, keys alike or by Zipf's law.
//! Pure but for the chance that it is given; knows what keys are there, not what is done with them.

use rand::RngExt as _;
use rand::distr::Distribution as _;
use rand_distr::Zipf;
use rand_distr::weighted::WeightedAliasIndex;

use crate::Outcome;
use crate::operations::{Needs, Operation};
use crate::scene::{Key, Kind, Random};

/// One in so many calls that may go to a watched key does.
const WATCHED_IN: u32 = 20;

/// Chooses operations and keys.
#[derive(Debug)]
pub(crate) struct Chooser {
    operations: Vec<Operation>,
    weights: WeightedAliasIndex<f64>,
    kinds: Vec<(Kind, Keys)>,
    watched: Vec<usize>,
    accounts: usize,
}

/// Places of keys of one kind, the most popular first.
#[derive(Debug)]
struct Keys {
    places: Vec<usize>,
    zipf: Option<Zipf<f64>>,
}

/// What is called next: the account that calls, and the place of its key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Drawn {
    pub(crate) operation: Operation,
    pub(crate) account: usize,
    pub(crate) key: Option<usize>,
}

impl Chooser {
    /// The mix must not be empty, nor name an operation whose kind of key is not there.
    pub(crate) fn new(mix: &[(Operation, f64)], keys: &[Key], accounts: usize, exponent: Option<f64>) -> Outcome<Self> {
        let weights = WeightedAliasIndex::new(mix.iter().map(|(_, weight)| *weight).collect())?;
        let ordinary = |kind: Kind| {
            let of = keys.iter().enumerate().filter(move |(_, key)| key.kind == kind && key.watch.is_none());
            of.map(|(place, _)| place).collect::<Vec<_>>()
        };
        let mut kinds = Vec::new();
        for kind in Kind::ALL {
            let places = ordinary(kind);
            let zipf = exponent.map(|exponent| Zipf::new(places.len().max(1) as f64, exponent)).transpose()?;
            kinds.push((kind, Keys { places, zipf }));
        }
        let watched = keys.iter().enumerate().filter(|(_, key)| key.watch.is_some()).map(|(place, _)| place).collect();
        let operations = mix.iter().map(|(operation, _)| *operation).collect();
        Ok(Self { operations, weights, kinds, watched, accounts })
    }

    /// `None` when there is no key to call with.
    pub(crate) fn draw(&self, random: &mut Random, keys: &[Key]) -> Option<Drawn> {
        let operation = *self.operations.get(self.weights.sample(random))?;
        let needs = operation.row().needs;
        let Some(kind) = needs.kind() else {
            let account = random.random_range(0..self.accounts.max(1));
            return Some(Drawn { operation, account, key: None });
        };
        let watched = needs == Needs::Watched && !self.watched.is_empty() && random.random_ratio(1, WATCHED_IN);
        let place = if watched {
            self.watched.get(random.random_range(0..self.watched.len()))
        } else {
            self.kinds.iter().find(|(known, _)| *known == kind)?.1.draw(random)
        };
        let place = *place?;
        Some(Drawn { operation, account: keys.get(place)?.account, key: Some(place) })
    }
}

impl Keys {
    fn draw(&self, random: &mut Random) -> Option<&usize> {
        if self.places.is_empty() {
            return None;
        }
        let rank = match &self.zipf {
            // Zipf counts from 1.
            Some(zipf) => (zipf.sample(random) as usize).saturating_sub(1),
            None => random.random_range(0..self.places.len()),
        };
        self.places.get(rank.min(self.places.len() - 1))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use std::collections::BTreeMap;

    use rand::SeedableRng as _;

    use super::*;
    use crate::checks::revocation::{How, Watch};
    use crate::scene::pool::Pool;

    fn key(place: usize, kind: Kind, watched: bool) -> Key {
        Key {
            id: place.to_string(),
            arn: place.to_string(),
            account: place % 2,
            kind,
            pool: Pool::default(),
            public: None,
            policy: String::new(),
            watch: watched.then(|| Watch::new(How::Disable)),
        }
    }

    fn scene() -> Vec<Key> {
        let mut keys: Vec<_> = (0..10).map(|place| key(place, Kind::Symmetric, false)).collect();
        keys.push(key(10, Kind::Symmetric, true));
        keys.push(key(11, Kind::Mac, false));
        keys
    }

    fn drawn(mix: &[(Operation, f64)], exponent: Option<f64>) -> Vec<Drawn> {
        let keys = scene();
        let chooser = Chooser::new(mix, &keys, 2, exponent).unwrap();
        let mut random = Random::seed_from_u64(7);
        (0..20_000).map(|_| chooser.draw(&mut random, &keys).unwrap()).collect()
    }

    fn counted<T: Ord>(of: impl Iterator<Item = T>) -> BTreeMap<T, f64> {
        let mut counts = BTreeMap::new();
        of.for_each(|each| *counts.entry(each).or_insert(0.0) += 1.0);
        counts
    }

    #[test]
    fn operations_come_by_weight() {
        let all = drawn(&[(Operation::Encrypt, 3.0), (Operation::GenerateMac, 1.0)], None);
        let counts = counted(all.iter().map(|drawn| drawn.operation.name()));
        assert!((counts["Encrypt"] / 20_000.0 - 0.75).abs() < 0.02, "{counts:?}");
        assert!(
            all.iter().filter(|drawn| drawn.operation == Operation::GenerateMac).all(|drawn| drawn.key == Some(11))
        );
    }

    #[test]
    fn keys_are_alike_and_watched_ones_come_now_and_then() {
        let all = drawn(&[(Operation::Encrypt, 1.0)], None);
        let counts = counted(all.iter().map(|drawn| drawn.key));
        assert_eq!(counts.len(), 11);
        assert!((counts[&Some(10)] / 20_000.0 - 0.05).abs() < 0.01, "{counts:?}");
        assert!((counts[&Some(3)] / 20_000.0 - 0.095).abs() < 0.01, "{counts:?}");
        assert!(all.iter().all(|drawn| drawn.account == drawn.key.unwrap() % 2));
    }

    #[test]
    fn zipf_makes_hot_keys() {
        let all = drawn(&[(Operation::DescribeKey, 1.0)], Some(1.0));
        let counts = counted(all.iter().map(|drawn| drawn.key));
        assert!((counts[&Some(0)] / counts[&Some(1)] - 2.0).abs() < 0.2, "{counts:?}");
        assert_eq!(counts.len(), 10);
    }

    #[test]
    fn what_needs_no_key_is_called_by_every_account() {
        let all = drawn(&[(Operation::GenerateRandom, 1.0)], None);
        assert_eq!(counted(all.iter().map(|drawn| drawn.account)).len(), 2);
        assert!(all.iter().all(|drawn| drawn.key.is_none()));
    }
}
