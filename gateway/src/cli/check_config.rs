//! `kannuki check-config`: everything that is wrong with a configuration file and the manifest that it names.
//! Knows the exit codes: 0 for none, 1 for faults, 2 when the configuration cannot be read.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use kms_gateway::config::Config;
use kms_gateway::setup::{self, SetupError};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The configuration file
    file: PathBuf,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    if let Err(cause) = std::fs::File::open(&arguments.file) {
        return super::fail(&format_args!("{}: {cause}", arguments.file.display()), 2);
    }
    match Config::load(&arguments.file).map_err(SetupError::from).and_then(|config| setup::check(&config)) {
        Ok(()) => {
            let _ = writeln!(io::stdout(), "{}: ok", arguments.file.display());
            ExitCode::SUCCESS
        }
        Err(wrong) => {
            let _ = writeln!(io::stdout(), "{wrong}");
            ExitCode::FAILURE
        }
    }
}
