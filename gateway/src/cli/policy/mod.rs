//! `kannuki policy ...`: policies tried offline.
//! Knows words, files and exit codes; what a policy means, and what is tried, is `kms_core::trial`'s.

mod decide;
mod junit;
mod lint;
mod replay;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(clap::Args, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(clap::Subcommand, Debug, PartialEq, Eq)]
enum Command {
    /// Decide cases from standard input, one JSON object a line; exit code 1 when one of them cannot be decided
    Decide,
    /// Hold fixture files against what they expect
    Test(test::Arguments),
    /// Say what AWS would refuse in policy documents, and what is surely not meant
    Lint(lint::Arguments),
    /// Say which past requests changed documents would decide otherwise
    Replay(replay::Arguments),
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match &arguments.command {
        Command::Decide => decide::run(),
        Command::Test(arguments) => test::run(arguments),
        Command::Lint(arguments) => lint::run(arguments),
        Command::Replay(arguments) => replay::run(arguments),
    }
}

/// A file as it is named, or all files with that extension in a folder, in the order of their names.
fn files_under(path: &Path, extension: &str, depth_max: usize) -> Result<Vec<PathBuf>, String> {
    let unreadable = |cause: std::io::Error| format!("{}: {cause}", path.display());
    if !std::fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut entries: Vec<_> =
        std::fs::read_dir(path).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.path();
        if path.is_dir() && depth_max > 0 {
            files.extend(files_under(&path, extension, depth_max - 1)?);
        } else if path.extension().is_some_and(|found| found == extension) {
            files.push(path);
        }
    }
    Ok(files)
}

/// The longest document or listing that is read, in bytes.
const TEXT_BYTES_MAX: u64 = 256 << 20;

/// The text of a file, which may be a pipe.
fn text_of(path: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let unreadable = |cause: std::io::Error| format!("{}: {cause}", path.display());
    let mut text = String::new();
    let mut file = std::fs::File::open(path).map_err(unreadable)?.take(TEXT_BYTES_MAX + 1);
    file.read_to_string(&mut text).map_err(unreadable)?;
    let fits = u64::try_from(text.len()).is_ok_and(|length| length <= TEXT_BYTES_MAX);
    if fits { Ok(text) } else { Err(format!("{}: longer than {TEXT_BYTES_MAX} bytes", path.display())) }
}
