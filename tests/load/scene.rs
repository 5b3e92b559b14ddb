//! What calls are made of: accounts, the keys that the load generator made, and what was encrypted under them.
//! Knows no connection; shared by all threads of a run.

pub(crate) mod pool;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{Rng as _, RngExt as _};

use crate::checks::revocation::Watch;
use crate::checks::{Check, Counts};
use crate::cli::units::Sizes;
use crate::operations::Signing;
use crate::sign::Signer;
use pool::Pool;

/// The source of everything that is drawn by chance. None of it becomes a key.
pub(crate) type Random = Xoshiro256PlusPlus;

/// The tag that says whose keys these are; its value is the run's name.
pub(crate) const TAG: &str = "kannuki-load";

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Symmetric,
    Signing,
    Mac,
    /// Symmetric, to be enabled, disabled and the like; never encrypts.
    Scratch,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Symmetric, Self::Signing, Self::Mac, Self::Scratch];
}

pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) kms: Signer,
    pub(crate) sts: Signer,
}

/// A key of the load generator's own.
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) arn: String,
    /// Which of the accounts calls with it.
    pub(crate) account: usize,
    pub(crate) kind: Kind,
    pub(crate) pool: Pool,
    /// In DER (SubjectPublicKeyInfo); of a key that signs.
    pub(crate) public: Option<Vec<u8>>,
    /// The key policy that it was made with.
    pub(crate) policy: String,
    /// Of a key that is revoked and restored while the run goes on.
    pub(crate) watch: Option<Watch>,
}

impl Key {
    /// Whether a signature by this key is good, judged here and not by the service.
    pub(crate) fn verifies(&self, signing: Signing, message: &[u8], made: &[u8]) -> Option<bool> {
        let public = self.public.as_ref()?;
        let key = signature::UnparsedPublicKey::new(signing.verification(), public);
        Some(key.verify(message, made).is_ok())
    }
}

pub(crate) struct Scene {
    /// The run's name, which is the value of the tag on each key.
    pub(crate) run: String,
    pub(crate) accounts: Arc<Vec<Account>>,
    pub(crate) keys: Vec<Key>,
    pub(crate) payload: Sizes,
    pub(crate) context_pairs: u64,
    pub(crate) signing: Signing,
    pub(crate) counts: Counts,
    pub(crate) ledger: Arc<Ledger>,
}

impl Scene {
    pub(crate) fn key(&self, index: Option<usize>) -> Option<&Key> {
        self.keys.get(index?)
    }

    /// Fresh bytes of one of the sizes asked for.
    pub(crate) fn payload(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = vec![0; self.payload.draw(random)];
        random.fill_bytes(&mut bytes);
        bytes
    }

    /// A fresh encryption context, as JSON; `{}` if there are to be no pairs.
    pub(crate) fn context(&self, random: &mut Random) -> String {
        let pairs = (0..self.context_pairs).map(|pair| format!(r#""pair-{pair}":"{:016x}""#, random.random::<u64>()));
        format!("{{{}}}", pairs.collect::<Vec<_>>().join(","))
    }
}

/// The account that made something, and its id or name.
pub(crate) type Owned = (usize, String);

/// What was made and must be taken away again.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    keys: Mutex<Vec<Owned>>,
    aliases: Mutex<Vec<Owned>>,
    /// Calls that make a key, and whose fate is not known.
    unknown: AtomicU64,
}

impl Ledger {
    pub(crate) fn key_made(&self, account: usize, id: &str) {
        push(&self.keys, account, id);
    }

    pub(crate) fn alias_made(&self, account: usize, name: &str) {
        push(&self.aliases, account, name);
    }

    pub(crate) fn alias_gone(&self, name: &str) {
        if let Ok(mut aliases) = self.aliases.lock() {
            aliases.retain(|(_, known)| known != name);
        }
    }

    pub(crate) fn fate_unknown(&self) {
        self.unknown.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn unknown(&self) -> u64 {
        self.unknown.load(Ordering::Relaxed)
    }

    /// All keys and aliases; they are forgotten here.
    pub(crate) fn take(&self) -> (Vec<Owned>, Vec<Owned>) {
        let taken = |of: &Mutex<Vec<_>>| of.lock().map(|mut all| std::mem::take(&mut *all)).unwrap_or_default();
        (taken(&self.keys), taken(&self.aliases))
    }
}

fn push(to: &Mutex<Vec<Owned>>, account: usize, name: &str) {
    if let Ok(mut all) = to.lock() {
        all.push((account, name.to_owned()));
    }
}

/// Counts a check that was passed.
pub(crate) fn count(scene: &Scene, check: Check) {
    scene.counts.add(check, 1);
}
