//! `kannuki-load` as far as it shows runs: reads the JSON of finished ones. Knows what may be asked for.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]
#![allow(
    dead_code,
    unused_imports,
    reason = "the engine that uses the rest has its own main.rs, which replaces this one"
)]

mod record;
mod report;

use std::error::Error;
use std::fs;
use std::process::ExitCode;

/// Whatever goes wrong ends the run, in its own words.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("kannuki-load: {why}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[&str]) -> Outcome<()> {
    match words {
        ["--compare", a, b] => print!("{}", report::compare(&read(a)?, &read(b)?)?),
        ["--table", file] => print!("{}", report::table(&read(file)?)),
        ["--html", file, out] => fs::write(out, report::html(&read(file)?))?,
        _ => return Err("usage: kannuki-load --compare A B | --table FILE | --html FILE OUT".into()),
    }
    Ok(())
}

fn read(file: &str) -> Outcome<record::Report> {
    Ok(report::read(&fs::read_to_string(file)?).map_err(|why| format!("{file}: {why}"))?)
}
