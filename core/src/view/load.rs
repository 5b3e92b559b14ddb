//! The keys of a view while its rows come in at start: plain lists, which become persistent maps in one go.
//! A map that grows row by row is searched and changed at every step, which a million keys make too slow.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use kms_hsm::MaterialId;

use super::entry::KeyEntry;
use super::{AliasEntry, RegionView};
use crate::id::{AccountId, AliasName, KeyId};

/// More than a node of a map has room for.
const LATE_MAX: usize = 32;

/// What is loaded so far of that which grows with the number of keys.
#[derive(Debug, Default)]
pub(super) struct Loading {
    keys: Vec<(KeyId, Arc<KeyEntry>)>,
    /// Where each key is.
    index: HashMap<KeyId, usize>,
    /// Where the last one was found.
    at: usize,
    materials: Vec<(MaterialId, KeyId)>,
    aliases: Vec<((AccountId, AliasName), Arc<AliasEntry>)>,
}

impl Loading {
    pub(super) fn key(&mut self, id: KeyId) -> Option<&mut Arc<KeyEntry>> {
        let at = self.position(id)?;
        self.keys.get_mut(at).map(|(_, entry)| entry)
    }

    pub(super) fn put_key(&mut self, id: KeyId, entry: Arc<KeyEntry>) {
        if let Some(known) = self.key(id) {
            *known = entry;
            return;
        }
        self.index.insert(id, self.keys.len());
        self.keys.push((id, entry));
    }

    pub(super) fn put_material(&mut self, id: MaterialId, key: KeyId) {
        self.materials.push((id, key));
    }

    pub(super) fn put_alias(&mut self, at: (AccountId, AliasName), entry: Arc<AliasEntry>) {
        self.aliases.push((at, entry));
    }

    /// Puts it all into a view.
    pub(super) fn finish(mut self, view: &mut RegionView) {
        // All of it comes from sorted tables, materials excepted, so that sorting is quick.
        drop(self.index);
        self.keys.sort_unstable_by_key(|(id, _)| *id);
        let mut listing: Vec<_> = self.keys.iter().map(|(id, entry)| (entry.record.account, *id)).collect();
        listing.sort_unstable();
        spread(listing, |key| {
            view.listing.insert(key);
        });
        spread(self.keys, |(id, entry)| {
            view.keys.insert(id, entry);
        });
        self.materials.sort_unstable();
        spread(self.materials, |(id, key)| {
            view.materials.insert(id, key);
        });
        self.aliases.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        spread(self.aliases, |(at, entry)| {
            view.aliases.insert(at, entry);
        });
    }

    /// Where a key is. Most rows are of the same key as the one before, or of the next one.
    fn position(&mut self, id: KeyId) -> Option<usize> {
        let near = self.keys.get(self.at..).unwrap_or_default().iter().take(2).position(|(known, _)| *known == id);
        let found = match near {
            Some(steps) => Some(self.at + steps),
            None => self.index.get(&id).copied(),
        };
        self.at = found.unwrap_or(self.at);
        found
    }
}

/// Has entries inserted that are in ascending order. A map's node that is full when the next entry comes leaves half of
/// its entries behind, and in ascending order nothing comes back to it; so every third entry comes later, and finds its
/// node half full.
fn spread<T>(ascending: Vec<T>, mut insert: impl FnMut(T)) {
    let mut late = VecDeque::with_capacity(LATE_MAX + 1);
    for (number, entry) in ascending.into_iter().enumerate() {
        if number % 3 == 2 {
            late.push_back(entry);
        } else {
            insert(entry);
        }
        if late.len() > LATE_MAX {
            late.pop_front().into_iter().for_each(&mut insert);
        }
    }
    late.into_iter().for_each(insert);
}

#[cfg(test)]
mod tests {
    use imbl::OrdMap;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn spreading_loses_and_doubles_nothing(length in 0_usize..300) {
            let mut map = OrdMap::new();
            let mut doubled = 0;
            spread((0..length).collect(), |number| doubled += usize::from(map.insert(number, ()).is_some()));
            prop_assert_eq!(doubled, 0);
            prop_assert!(map.keys().copied().eq(0..length));
        }
    }
}
