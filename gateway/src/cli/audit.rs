//! `kannuki audit verify`: whether an audit log is whole.
//! Knows how a report reads; what makes a log whole is `kms_core::audit`'s.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use kms_core::audit::{Report, verify};

#[derive(clap::Args, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug, PartialEq, Eq)]
enum Command {
    /// Find changed, missing, reordered and cut-off records; exit code 1 when there are any
    Verify {
        /// The folder of the audit log, `audit` in the data folder
        folder: PathBuf,
    },
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let Command::Verify { folder } = &arguments.command;
    match verify(folder) {
        Ok(report) => {
            // When standard output is gone, the exit code still tells.
            let _ = io::stdout().write_all(said(&report).as_bytes());
            ExitCode::SUCCESS
        }
        Err(broken) => super::fail(&broken, 1),
    }
}

fn said(report: &Report) -> String {
    let mut text = format!("ok: {} records in {} files, {} bytes\n", report.records, report.files, report.bytes);
    // Writing to a string cannot fail.
    for chain in &report.chains {
        let _ = writeln!(
            text,
            "{}: records {} to {}, last hash {}",
            chain.writer, chain.first, chain.last, chain.last_hash
        );
    }
    if report.torn_bytes > 0 {
        let _ = writeln!(
            text,
            "{} bytes of records that a crash tore off were set aside, as notes in the log say",
            report.torn_bytes
        );
    }
    if report.dropped_records > 0 {
        let _ = writeln!(
            text,
            "{} records were dropped to keep to the size bound, as notes in the log say",
            report.dropped_records
        );
    }
    text
}
