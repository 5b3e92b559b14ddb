//! `kannuki-bench`: the whole service against a bare server and a floor, in one run on the same cores.
//! Prints requests per second, the server's CPU time per request, and their ratios. Judges nothing.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

mod drive;
mod plan;
mod process;
mod servers;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["server", kind, address, certificate, key] => servers::run(kind, address, certificate, key),
        [service] => plan::run(service, plan::Rounds::default()),
        [service, "--rounds", rounds, "--seconds", seconds] => match (rounds.parse(), seconds.parse()) {
            (Ok(rounds), Ok(seconds)) => plan::run(service, plan::Rounds { rounds, seconds }),
            _ => Err("rounds and seconds are numbers".into()),
        },
        _ => Err("usage: kannuki-bench PATH-OF-KANNUKI [--rounds N --seconds N]".into()),
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
