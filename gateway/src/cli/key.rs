//! `kannuki key recover-policy`: break-glass for a key whose policy locks everyone out.
//! Knows the options and exit codes; the policy is checked and put where the key is.

use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use kms_gateway::admin::protocol::{Answer, Request};

use super::region::Which;

/// The longest policy that is read, in bytes; the service's own limit is below.
const POLICY_BYTES_MAX: u64 = 131_072;

#[derive(clap::Args, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug, PartialEq, Eq)]
enum Command {
    /// Put the default key policy, or another, on a key whose policy locks everyone out
    RecoverPolicy {
        /// The key's ARN
        key: String,
        /// The policy to put in place of the default key policy
        #[arg(long, value_name = "FILE")]
        policy: Option<PathBuf>,
        #[command(flatten)]
        which: Which,
    },
}

/// Exit codes: 0 in force, 1 refused, 2 no region answers.
pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let Command::RecoverPolicy { key, policy, which } = &arguments.command;
    let policy = match policy.as_deref().map(|path| (path, text_of(path))) {
        None => None,
        Some((_, Ok(text))) => Some(text),
        Some((path, Err(cause))) => return super::fail(&format_args!("{}: {cause}", path.display()), 1),
    };
    match which.ask(&Request::RecoverPolicy { key: key.clone(), policy }) {
        Ok(Answer::Recovered { key, before, after }) => {
            let said = format!("{key}\npolicy before: SHA-256 {before}\npolicy now:    SHA-256 {after}\n");
            // When standard output is gone, the exit code still tells.
            let _ = io::stdout().write_all(said.as_bytes());
            ExitCode::SUCCESS
        }
        Ok(Answer::Refused { reason }) => super::fail(&reason, 1),
        Ok(_) => super::fail(&"the region answered something else", 2),
        Err(error) => super::fail(&error, 2),
    }
}

fn text_of(path: &std::path::Path) -> io::Result<String> {
    kms_gateway::toml_file::text_of(path, POLICY_BYTES_MAX).map(|text| text.to_string())
}
