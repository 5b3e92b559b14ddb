//! `kannuki-bench`: the service's speed against a bare server and a floor, in one run on the same cores, and what it
//! does when it is asked for too much. Prints one table with each target and whether it is met; fails by none of them.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

mod drive;
mod figures;
mod machine;
mod plan;
mod process;
mod region;
mod report;
mod sections;
mod servers;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

use sections::Section;

/// Measures a kannuki binary. The service runs on core 0 and the load on core 1; nothing else should run meanwhile.
#[derive(Parser, Debug)]
#[command(name = "kannuki-bench")]
pub(crate) struct Options {
    /// The binary to measure
    #[arg(value_name = "PATH-OF-KANNUKI")]
    pub(crate) service: PathBuf,
    /// Rounds whose median counts
    #[arg(long, default_value_t = 9)]
    pub(crate) rounds: usize,
    /// Seconds of each measurement in a round
    #[arg(long, default_value_t = 1.0)]
    pub(crate) seconds: f64,
    /// One round of one second each: shows that everything runs, and no figure to go by
    #[arg(long, conflicts_with_all = ["rounds", "seconds"])]
    quick: bool,
    /// Measure these only
    #[arg(long, value_enum, value_name = "SECTION", num_args = 1..)]
    pub(crate) only: Vec<Section>,
    /// Compare ten keys with this many, by kannuki-scale; takes minutes for a million
    #[arg(long, value_name = "KEYS")]
    pub(crate) scale: Option<usize>,
    /// Keep its regions in this folder, and measure those that are there already
    #[arg(long, value_name = "FOLDER", requires = "scale")]
    pub(crate) scale_folder: Option<PathBuf>,
    /// Write the figures to this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

fn main() -> ExitCode {
    // This program starts itself as the servers that the service is compared with.
    let is_reference = std::env::args().nth(1).as_deref() == Some(servers::WORD);
    let outcome = if is_reference {
        servers::run(&servers::Arguments::parse_from(std::env::args().skip(1)))
    } else {
        let mut options = Options::parse();
        if options.quick {
            (options.rounds, options.seconds) = (1, 1.0);
        }
        plan::run(&options)
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("kannuki-bench: {why}");
            ExitCode::FAILURE
        }
    }
}

/// What goes wrong in a benchmark ends it, with a sentence.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;
