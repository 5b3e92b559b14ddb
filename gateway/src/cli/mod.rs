//! The command line: what can be asked of the binary, and how its answers become exit codes.
//! Knows words and exit codes; what a command does, its own file knows.

mod apply;
mod audit;
mod check_config;
mod key;
mod policy;
mod region;
mod serve;

use std::fmt::Display;
use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use kms_gateway::config::{Log, LogFormat};
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// A key management service that speaks the AWS KMS API.
#[derive(Parser)]
#[command(name = "kannuki", version, args_conflicts_with_subcommands = true)]
struct CommandLine {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::Arguments,
}

#[derive(Subcommand)]
enum Command {
    /// Serve a region (this is also what happens without a command)
    Serve(serve::Arguments),
    /// Say what is wrong with a configuration file, and with the manifest that it names
    CheckConfig(check_config::Arguments),
    /// Make a running region as manifests declare it
    Apply(apply::Files),
    /// Say what `apply` would change; exit code 1 when that is anything
    Diff(apply::Files),
    /// Show as a manifest what a running region was declared to be
    Get(apply::Wanted),
    /// Look after a key of a running region, past its policy
    Key(key::Arguments),
    /// Look after the audit log
    Audit(audit::Arguments),
    /// Try policies offline, before they are put anywhere
    Policy(policy::Arguments),
}

/// Does what the process's arguments ask for. Wrong arguments end the process with code 2.
pub(crate) fn run() -> ExitCode {
    let arguments = CommandLine::parse();
    match arguments.command {
        Some(Command::CheckConfig(arguments)) => check_config::run(&arguments),
        Some(Command::Apply(arguments)) => apply::apply(&arguments),
        Some(Command::Diff(arguments)) => apply::diff(&arguments),
        Some(Command::Get(arguments)) => apply::get(&arguments),
        Some(Command::Key(arguments)) => key::run(&arguments),
        Some(Command::Audit(arguments)) => audit::run(&arguments),
        Some(Command::Policy(arguments)) => policy::run(&arguments),
        Some(Command::Serve(arguments)) => serve(arguments),
        None => serve(arguments.serve),
    }
}

fn serve(arguments: serve::Arguments) -> ExitCode {
    let plan = match serve::plan(arguments) {
        Ok(plan) => plan,
        Err(wrong) => return fail(&wrong, 1),
    };
    start_log(&plan.config.log);
    serve::run(plan)
}

/// Says on standard error why the process ends with `code`.
fn fail(why: &dyn Display, code: u8) -> ExitCode {
    // When standard error is gone, the exit code still tells.
    let _ = writeln!(io::stderr(), "kannuki: {why}");
    ExitCode::from(code)
}

fn start_log(log: &Log) {
    // actix says at length what is none of an operator's business, and one line for every malformed request, with which
    // anybody could fill the log; those are counted instead.
    let quiet = Targets::new()
        .with_default(log.level)
        .with_target("actix_http", LevelFilter::OFF)
        .with_target("actix_server", log.level.min(LevelFilter::WARN));
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(true);
    let lines = match log.format {
        LogFormat::Text => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // Fails only where a subscriber is set already, which then stays.
    let _ = tracing_subscriber::registry().with(lines.with_filter(quiet)).try_init();
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use super::*;

    #[test]
    fn options_work_with_and_without_the_command() {
        for line in [&["kannuki", "--port", "9000"][..], &["kannuki", "serve", "--port", "9000"]] {
            let arguments = CommandLine::try_parse_from(line).unwrap();
            let served = match arguments.command {
                Some(Command::Serve(served)) => served,
                None => arguments.serve,
                Some(_) => panic!("not asked for"),
            };
            assert_eq!(served.port, Some("9000".parse().unwrap()));
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let refused: &[&[&str]] = &[
            &["kannuki", "--port", "65535"],
            &["kannuki", "--port", "0"],
            &["kannuki", "--region", "Us-East-1"],
            &["kannuki", "--config", "a.toml", "--port", "9000"],
            &["kannuki", "serve", "--config", "a.toml", "--manifest", "m.toml"],
            &["kannuki", "serve", "--config", "a.toml", "--data", "d"],
            &["kannuki", "check-config"],
            &["kannuki", "unknown"],
        ];
        for line in refused {
            assert!(CommandLine::try_parse_from(*line).is_err(), "{line:?}");
        }
    }
}
