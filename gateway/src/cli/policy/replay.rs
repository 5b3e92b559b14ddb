//! `kannuki policy replay`: which past requests changed documents would decide otherwise.
//! Knows files, the report and exit codes: 0 nothing changes, 1 something does or cannot be told, 2 a file cannot be read.

use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kms_core::trial::{Papers, Replay, Turn};

#[derive(clap::Args, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    /// An audit log: a file, or the folder with its files (*.jsonl)
    audit: PathBuf,
    /// The documents as they would be: what `aws iam get-account-authorization-details` or `aws ec2
    /// describe-vpc-endpoints` print, or NAME=FILE with one document of an endpoint (its id), a key (id or ARN), a user or
    /// a role (ARN)
    #[arg(long = "with", value_name = "[NAME=]FILE", required = true, num_args = 1..)]
    with: Vec<String>,
    /// Show also what stays as it was
    #[arg(long)]
    all: bool,
}

#[derive(Default)]
struct Counts {
    untouched: usize,
    same: usize,
    flips: usize,
    cannot_tell: usize,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match replay(arguments, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(wrong) => super::super::fail(&wrong, 2),
    }
}

fn replay(arguments: &Arguments, out: &mut impl Write) -> Result<bool, String> {
    let mut papers = Papers::default();
    for given in &arguments.with {
        let (name, file) = named(given);
        papers.add(&super::text_of(file)?, name).map_err(|wrong| format!("{}: {wrong}", file.display()))?;
    }
    let mut replay = Replay::new(papers);
    let mut counts = Counts::default();
    for file in super::files_under(&arguments.audit, "jsonl", 0)? {
        let unreadable = |cause: io::Error| format!("{}: {cause}", file.display());
        let lines = BufReader::new(std::fs::File::open(&file).map_err(unreadable)?).lines();
        for (index, line) in lines.enumerate() {
            let line = line.map_err(unreadable)?;
            let replayed = replay.line(&line).map_err(|wrong| format!("{}:{}: {wrong}", file.display(), index + 1))?;
            let Some(replayed) = replayed else { continue };
            let shown = match replayed.turn {
                Turn::Untouched => (&mut counts.untouched, false),
                Turn::Same => (&mut counts.same, false),
                Turn::Flips(_) => (&mut counts.flips, true),
                Turn::CannotTell(_) => (&mut counts.cannot_tell, true),
            };
            *shown.0 += 1;
            if shown.1 || arguments.all {
                writeln!(out, "{replayed}").map_err(|cause| format!("cannot write: {cause}"))?;
            }
        }
    }
    let Counts { untouched, same, flips, cannot_tell } = counts;
    let all = untouched + same + flips + cannot_tell;
    writeln!(
        out,
        "{all} decisions: {flips} flip, {same} stay, {cannot_tell} cannot be told, {untouched} are not touched by the documents"
    )
    .map_err(|cause| format!("cannot write: {cause}"))?;
    Ok(flips + cannot_tell == 0)
}

/// `NAME=FILE`, where NAME is of something that a document can be attached to; else all of it is a file's path.
fn named(given: &str) -> (Option<&str>, &Path) {
    match given.split_once('=') {
        Some((name, file)) if !Path::new(given).exists() => (Some(name), Path::new(file)),
        _ => (None, Path::new(given)),
    }
}
