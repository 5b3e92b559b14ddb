//! Commands that hurt: for tests of what survives them. Absent from the default build.

use std::{thread, time::Duration};

use super::{Class, Command};
use crate::{error::HsmError, vault::Vault};

/// Panics.
#[derive(Debug)]
pub struct Panic;

impl Command for Panic {
    type Reply = ();
    const NAME: &'static str = "Panic";
    const CLASS: Class = Class::Quick;

    #[allow(clippy::panic)]
    fn run(&self, _vault: &Vault) -> Result<(), HsmError> {
        panic!("the command Panic was asked for")
    }
}

/// Holds its slot for so long.
#[derive(Debug)]
pub struct Hang {
    pub duration: Duration,
}

impl Command for Hang {
    type Reply = ();
    const NAME: &'static str = "Hang";
    const CLASS: Class = Class::Quick;

    fn run(&self, _vault: &Vault) -> Result<(), HsmError> {
        thread::sleep(self.duration);
        Ok(())
    }
}
