//! GenerateRandom.

use zeroize::Zeroizing;

use super::{Class, Command};
use crate::{error::HsmError, random, secret::Plaintext, vault::Vault};

/// The longest random string, in bytes.
const RANDOM_BYTES_MAX: usize = 1024;

/// Random bytes, 1 to 1024 of them.
#[derive(Debug)]
pub struct GenerateRandom {
    /// In bytes.
    pub length: usize,
}

impl Command for GenerateRandom {
    type Reply = Plaintext;
    const NAME: &'static str = "GenerateRandom";
    const CLASS: Class = Class::Quick;

    fn run(&self, _vault: &Vault) -> Result<Plaintext, HsmError> {
        if !(1..=RANDOM_BYTES_MAX).contains(&self.length) {
            return Err(HsmError::TooLarge);
        }
        let mut bytes = Zeroizing::new(vec![0; self.length]);
        random::fill(&mut bytes)?;
        Ok(Plaintext::from_wiped(bytes))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing;

    #[test]
    fn the_length_is_bounded_and_no_two_are_alike() {
        let vault = testing::vault();
        let random = |length| GenerateRandom { length }.run(&vault);
        assert_eq!(random(0).err(), Some(HsmError::TooLarge));
        assert_eq!(random(1025).err(), Some(HsmError::TooLarge));
        assert_eq!((random(1).unwrap().len(), random(1024).unwrap().len()), (1, 1024));
        assert_ne!(random(32).unwrap().expose(), random(32).unwrap().expose());
    }
}
