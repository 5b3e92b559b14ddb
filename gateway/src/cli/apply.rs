//! `kannuki apply`, `kannuki diff` and `kannuki get`: the region's declaration changed, compared and shown.
//! Knows exit codes and how answers read; files are read here, so that faults name them. What is declared goes over
//! the admin socket.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use kms_gateway::admin::protocol::{Answer, Declaration, Made, Request};
use kms_gateway::manifest;
use zeroize::Zeroizing;

use super::region::Which;

#[derive(clap::Args, Debug, PartialEq, Eq)]
pub(super) struct Files {
    /// Manifests, which together declare all of the region
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    which: Which,
}

#[derive(clap::Args, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    /// The manifest's name for what is wanted: account, user, vpc, endpoint, key, ...
    kind: Option<String>,
    /// The id or name of one thing of this kind
    name: Option<String>,
    #[command(flatten)]
    which: Which,
}

/// Exit codes: 0 in force, 1 nothing was changed as something is wrong, 2 no region answers.
pub(super) fn apply(arguments: &Files) -> ExitCode {
    let manifest = match manifest::load_all(&arguments.files) {
        Ok(manifest) => manifest,
        Err(faults) => return faulty(&faults, 1),
    };
    match arguments.which.ask(&Request::Apply(Declaration::new(manifest))) {
        Ok(Answer::Applied { changes, made, .. }) => say(&applied(&changes, &made), 0),
        Ok(other) => refused(&other, 1),
        Err(error) => super::fail(&error, 2),
    }
}

/// Exit codes, as those of diff(1): 0 no change, 1 changes, 2 trouble.
pub(super) fn diff(arguments: &Files) -> ExitCode {
    let manifest = match manifest::load_all(&arguments.files) {
        Ok(manifest) => manifest,
        Err(faults) => return faulty(&faults, 2),
    };
    match arguments.which.ask(&Request::Diff(Declaration::new(manifest))) {
        Ok(Answer::Differs { changes }) => say(&lines(&changes), u8::from(!changes.is_empty())),
        Ok(other) => refused(&other, 2),
        Err(error) => super::fail(&error, 2),
    }
}

/// Exit codes: 0 shown, 1 there is no such thing, 2 no region answers.
pub(super) fn get(arguments: &Wanted) -> ExitCode {
    match arguments.which.ask(&Request::Get) {
        Ok(Answer::Declared { manifest }) => {
            match manifest::written(&manifest, arguments.kind.as_deref(), arguments.name.as_deref()) {
                Ok(text) => say(&text, 0),
                Err(error) => super::fail(&error, 1),
            }
        }
        Ok(other) => refused(&other, 2),
        Err(error) => super::fail(&error, 2),
    }
}

fn applied(changes: &[String], made: &[Made]) -> Zeroizing<String> {
    let mut text = Zeroizing::new(lines(changes));
    if changes.is_empty() {
        text.push_str("no change\n");
    }
    for Made { user, id, secret } in made {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "access key {id} of {user}, whose secret is shown this once: {}", secret.expose());
    }
    text
}

fn lines(changes: &[String]) -> String {
    changes.iter().map(|change| format!("{change}\n")).collect()
}

fn say(text: &str, code: u8) -> ExitCode {
    // When standard output is gone, the exit code still tells.
    let _ = io::stdout().write_all(text.as_bytes());
    ExitCode::from(code)
}

/// Faults stand alone, as `check-config` has them, so that an editor can jump to each.
fn faulty(faults: &dyn std::fmt::Display, code: u8) -> ExitCode {
    let _ = writeln!(io::stderr(), "{faults}");
    ExitCode::from(code)
}

fn refused(answer: &Answer, code: u8) -> ExitCode {
    match answer {
        Answer::Refused { reason } => faulty(reason, code),
        _ => super::fail(&"the region answered something else", 2),
    }
}
