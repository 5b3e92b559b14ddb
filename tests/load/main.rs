//! `kannuki-load`: drives an endpoint that speaks the AWS KMS API, measures it, and checks what it answers.
//! Wires options, signals, the run and its report together; does nothing of it itself.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it is a program for a terminal")]

mod afterwards;
mod call;
mod checks;
mod cli;
mod conclude;
mod credentials;
mod draw;
mod endpoint;
mod figures;
mod measure;
mod operations;
mod pause;
mod presign;
mod record;
mod report;
mod retry;
mod revoker;
mod run;
mod scene;
mod schedule;
mod setup;
mod sign;
mod stop;
mod wire;
mod worker;

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use cli::Options;
use record::{EndedBy, Report};
use stop::Stop;

/// What goes wrong ends the run, with a sentence.
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

const FAILED: u8 = 1;
const USAGE: u8 = 2;
const VIOLATION: u8 = 3;
const ERRORS: u8 = 4;
/// As a shell says of a program that Ctrl-C ended.
const INTERRUPTED: i32 = 130;

fn main() -> ExitCode {
    // clap ends the process itself for wrong usage, with 2.
    let options = Options::parse();
    let ended = match &options.compare {
        Some(files) => compare(files),
        None => match setup::mix(&options) {
            Ok(mix) => load(&options, mix),
            Err(why) => {
                eprintln!("kannuki-load: --mix: {why}");
                return ExitCode::from(USAGE);
            }
        },
    };
    match ended {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            eprintln!("kannuki-load: {why}");
            ExitCode::from(FAILED)
        }
    }
}

fn compare(files: &[std::path::PathBuf]) -> Outcome<u8> {
    let read = |file: &Path| -> Outcome<Report> {
        let named = |why: &dyn std::fmt::Display| format!("{}: {why}", file.display());
        let text = fs::read_to_string(file).map_err(|why| named(&why))?;
        Ok(report::read(&text).map_err(|why| named(&why))?)
    };
    let [a, b] = files else { return Err("--compare takes two reports".into()) };
    print(&report::compare(&read(a)?, &read(b)?)?)?;
    Ok(0)
}

fn load(options: &Options, mix: setup::Mix) -> Outcome<u8> {
    let stop = Arc::new(Stop::default());
    stop_on_signals(Arc::clone(&stop))?;
    let done = run::run(options, mix, &stop)?;
    done.notes.iter().for_each(|note| eprintln!("kannuki-load: {note}"));
    let Some(report) = done.report? else {
        eprintln!("kannuki-load: interrupted before anything was measured");
        return Ok(FAILED);
    };
    // Files first: a terminal that is gone must not cost them.
    if let Some(file) = &options.json {
        write(file, &(serde_json::to_string_pretty(&report)? + "\n"))?;
    }
    if let Some(file) = &options.html {
        write(file, &report::html(&report))?;
    }
    print(&report::table(&report))?;
    Ok(verdict(options, &report))
}

fn verdict(options: &Options, report: &Report) -> u8 {
    match report {
        Report { violation: Some(_), .. } => VIOLATION,
        Report { total, .. } if options.fail_on_errors && total.failed_after_retries > 0 => ERRORS,
        _ => 0,
    }
}

fn write(file: &Path, text: &str) -> Outcome<()> {
    Ok(fs::write(file, text).map_err(|why| format!("{}: {why}", file.display()))?)
}

fn print(text: &str) -> Outcome<()> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        // Whoever reads no further has what was wanted.
        Err(why) if why.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written?),
    }
}

/// The first signal ends the run with its report, the second one ends the process at once.
fn stop_on_signals(stop: Arc<Stop>) -> Outcome<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let wait = move || {
        for (number, _) in (1..).zip(signals.forever()) {
            if number == 1 {
                stop.drain(EndedBy::Interrupt);
            } else {
                eprintln!("\nkannuki-load: ended at once; its keys are tagged `{}` and were left", scene::TAG);
                std::process::exit(INTERRUPTED);
            }
        }
    };
    std::thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
    Ok(())
}
