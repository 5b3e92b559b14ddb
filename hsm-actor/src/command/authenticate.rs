//! Authenticate: message authentication codes under the integrity key, by the thousand.
//! Knows the purposes, not what the messages are.

use std::fmt;

use super::{Class, Command};
use crate::{error::HsmError, vault::Vault};

/// The most bytes of messages in one command, so that none occupies a slot for long.
const MESSAGES_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What a code is for. Each purpose has a key of its own, so no code serves two.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    Row,
    SetElement,
    Root,
    GrantToken,
    Manifest,
}

impl Purpose {
    pub(crate) fn name(self) -> &'static [u8] {
        match self {
            Self::Row => b"row",
            Self::SetElement => b"set element",
            Self::Root => b"root",
            Self::GrantToken => b"grant token",
            Self::Manifest => b"manifest",
        }
    }
}

/// HMAC-SHA256 of each message, in order. At most 64 MiB of messages.
pub struct Authenticate {
    pub purpose: Purpose,
    pub messages: Vec<Vec<u8>>,
}

impl Command for Authenticate {
    type Reply = Vec<[u8; 32]>;
    const NAME: &'static str = "Authenticate";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<Vec<[u8; 32]>, HsmError> {
        if self.messages.iter().map(Vec::len).fold(0, usize::saturating_add) > MESSAGES_BYTES_MAX {
            return Err(HsmError::TooLarge);
        }
        Ok(self.messages.iter().map(|message| vault.tag(self.purpose, message)).collect())
    }
}

impl fmt::Debug for Authenticate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[AUTHENTICATE {} messages as {:?}]", self.messages.len(), self.purpose)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing;

    const PURPOSES: [Purpose; 5] =
        [Purpose::Row, Purpose::SetElement, Purpose::Root, Purpose::GrantToken, Purpose::Manifest];

    #[test]
    fn purposes_messages_and_rings_differ() {
        let messages = vec![vec![], b"a".to_vec(), b"b".to_vec()];
        let (one, other) = (testing::vault(), testing::vault());
        let tags = |vault: &Vault, purpose| Authenticate { purpose, messages: messages.clone() }.run(vault).unwrap();
        let all: BTreeSet<_> = [&one, &other]
            .into_iter()
            .flat_map(|vault| PURPOSES.into_iter().flat_map(move |purpose| tags(vault, purpose)))
            .collect();
        assert_eq!(all.len(), 2 * 5 * 3);
    }

    #[test]
    fn codes_come_in_order_and_again_the_same_after_rotation() {
        let (old, new) = testing::vault_and_rotated();
        let run = |vault: &Vault, messages: &[&[u8]]| {
            let messages = messages.iter().map(|message| message.to_vec()).collect();
            Authenticate { purpose: Purpose::Row, messages }.run(vault).unwrap()
        };
        let both = run(&old, &[b"a", b"b"]);
        assert_eq!(both, [run(&old, &[b"a"])[0], run(&old, &[b"b"])[0]]);
        assert_eq!(both, run(&new, &[b"a", b"b"]));
        assert!(run(&old, &[]).is_empty());
    }

    #[test]
    fn the_size_is_bounded() {
        let messages = vec![vec![0; MESSAGES_BYTES_MAX / 2], vec![0; MESSAGES_BYTES_MAX / 2 + 1]];
        let error = Authenticate { purpose: Purpose::Row, messages }.run(&testing::vault());
        assert_eq!(error, Err(HsmError::TooLarge));
    }
}
