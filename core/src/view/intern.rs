//! Equal policy documents are parsed and held once, and so are the short texts that many keys share.
//! Knows texts and documents; nothing of whose they are.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};

use super::entry::Policy;
use crate::authz::{Document, Kind, Malformed};

/// The policies in use, by kind, name and text.
#[derive(Debug, Default)]
pub(super) struct Policies {
    known: HashMap<(Kind, Arc<str>, Arc<str>), Weak<Policy>>,
    /// The number of entries at which dead ones are swept.
    sweep_at: usize,
}

impl Policies {
    pub(super) fn intern(&mut self, kind: Kind, name: &str, text: &str) -> Result<Arc<Policy>, Malformed> {
        let text: Arc<str> = text.into();
        let key = (kind, Arc::from(name), text.clone());
        if let Some(policy) = self.known.get(&key).and_then(Weak::upgrade) {
            return Ok(policy);
        }
        let policy = Arc::new(Policy { document: Document::parse(&text, kind)?.named(name), text });
        self.known.insert(key, Arc::downgrade(&policy));
        if self.known.len() > self.sweep_at {
            self.known.retain(|_, policy| policy.strong_count() > 0);
            self.sweep_at = (self.known.len() * 2).max(1024);
        }
        Ok(policy)
    }
}

/// Texts in use.
#[derive(Debug, Default)]
pub(super) struct Texts {
    known: HashSet<Arc<str>>,
    /// The number of entries at which unused ones are swept.
    sweep_at: usize,
}

impl Texts {
    /// The text that is equal to this one and in use already, or else this one.
    pub(super) fn intern(&mut self, text: &mut Arc<str>) {
        if let Some(known) = self.known.get(text) {
            *text = known.clone();
            return;
        }
        self.known.insert(text.clone());
        if self.known.len() > self.sweep_at {
            self.known.retain(|text| Arc::strong_count(text) > 1);
            self.sweep_at = (self.known.len() * 2).max(1024);
        }
    }
}
