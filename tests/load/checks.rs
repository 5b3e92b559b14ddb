//! What the service promises, and how often it was seen to keep it. What it answered is judged in `answer`, and when
//! it answered in `revocation`; both are pure.

pub(crate) mod answer;
pub(crate) mod revocation;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! checks {
    ($($check:ident $name:literal;)+) => {
        /// Each kind of thing that is checked or counted beside the calls.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Check { $($check),+ }

        impl Check {
            const ALL: &[(Self, &str)] = &[$((Self::$check, $name)),+];
        }
    };
}

checks! {
    Decrypted            "ciphertexts that decrypted to what went in";
    DecryptedAtEnd       "ciphertexts decrypted after the run";
    NotDecryptedAtEnd    "ciphertexts not decrypted after the run";
    WrongContext         "wrong encryption contexts refused";
    Shape                "answers that are what was asked for";
    SignatureHere        "signatures verified by the load generator";
    SignatureThere       "signatures verified by the service";
    WrongSignature       "wrong signatures refused";
    Mac                  "MACs made again and found equal";
    MacThere             "MACs verified by the service";
    WrongMac             "wrong MACs refused";
    Revocation           "revocations answered";
    RevocationNotJudged  "revocations not judged, after an unanswered call";
    RevocationFailed     "revocations that failed";
    RefusedWhileRevoked  "calls refused under a revoked key";
    SucceededInBetween   "successes under these keys while not revoked";
}

/// How often each was.
#[derive(Debug)]
pub(crate) struct Counts([AtomicU64; Check::ALL.len()]);

impl Default for Counts {
    fn default() -> Self {
        Self(std::array::from_fn(|_| AtomicU64::new(0)))
    }
}

impl Counts {
    pub(crate) fn add(&self, check: Check, times: u64) {
        if let Some(count) = self.0.get(check as usize) {
            count.fetch_add(times, Ordering::Relaxed);
        }
    }

    /// By name, those that were.
    pub(crate) fn shown(&self) -> BTreeMap<String, u64> {
        let each = Check::ALL.iter().zip(&self.0).map(|((_, name), count)| (*name, count.load(Ordering::Relaxed)));
        each.filter(|(_, count)| *count > 0).map(|(name, count)| (name.to_owned(), count)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_check_counts_under_its_own_name() {
        let counts = Counts::default();
        for (times, (check, _)) in (1..).zip(Check::ALL) {
            counts.add(*check, times);
        }
        let shown = counts.shown();
        assert_eq!(shown.len(), Check::ALL.len());
        for (times, (_, name)) in (1..).zip(Check::ALL) {
            assert_eq!(shown.get(*name), Some(&times));
        }
    }
}
