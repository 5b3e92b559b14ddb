//! `kannuki-scale BINARY [KEYS [FOLDER [--keep]]]`: what a region costs with ten keys, and what with many.
//! Seeds two regions, starts the binary on each, and prints start, memory and speed side by side. With `--keep` the
//! regions stay in FOLDER, and those that are there already are measured as they are. Knows the order of the
//! measurement; how each thing is done is its module's.

mod client;
mod figures;
mod seed;
mod service;

use std::error::Error;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use client::Encrypts;
use figures::Figures;
use seed::Seeded;
use service::Service;

/// Whatever goes wrong ends the measurement, in its own words.
type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const FEW_KEYS: usize = 10;
const MANY_KEYS: usize = 2000;
const STARTS: usize = 3;
const ROUNDS: usize = 9;
const ROUND: Duration = Duration::from_secs(1);

struct Options {
    binary: PathBuf,
    keys: usize,
    folder: PathBuf,
    keep: bool,
}

fn main() -> ExitCode {
    let (mut out, mut err) = (io::stdout(), io::stderr());
    match options().and_then(|options| measure(&options)) {
        Ok((table, broken)) => {
            let _ = out.write_all(table.as_bytes());
            for line in &broken {
                let _ = writeln!(err, "kannuki-scale: {line}");
            }
            if broken.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            let _ = writeln!(err, "kannuki-scale: {error}");
            ExitCode::FAILURE
        }
    }
}

fn options() -> Outcome<Options> {
    const USAGE: &str = "usage: kannuki-scale BINARY [KEYS [FOLDER [--keep]]]";
    let mut given = std::env::args_os().skip(1);
    let binary = given.next().ok_or(USAGE)?;
    let keys = given.next().map(|keys| keys.to_string_lossy().parse()).transpose().map_err(|_| USAGE)?;
    let folder = given.next().map_or_else(std::env::temp_dir, PathBuf::from);
    let keep = given.next().map(|option| if option == "--keep" { Ok(true) } else { Err(USAGE) }).transpose()?;
    let keep = keep.unwrap_or_default();
    Ok(Options { binary: std::fs::canonicalize(binary)?, keys: keys.unwrap_or(MANY_KEYS), folder, keep })
}

/// The table of figures, and which promises they break.
fn measure(options: &Options) -> Outcome<(String, Vec<String>)> {
    let folder = tempfile::Builder::new().prefix("scale-").tempdir_in(&options.folder)?;
    let folder = if options.keep { options.folder.as_path() } else { folder.path() };
    let mut few = Subject::new(&options.binary, &folder.join(FEW_KEYS.to_string()), FEW_KEYS)?;
    let mut many = Subject::new(&options.binary, &folder.join(options.keys.to_string()), options.keys)?;
    // Whatever else the machine does, it does to both: the rounds take turns.
    for _ in 0..ROUNDS {
        few.round()?;
        many.round()?;
    }
    let (few, many) = (few.end()?, many.end()?);
    Ok((figures::table(&few, &many), figures::broken(&few, &many)))
}

/// A region that is measured.
struct Subject {
    service: Service,
    encrypts: Encrypts,
    figures: Figures,
}

impl Subject {
    fn new(binary: &Path, data: &Path, keys: usize) -> Outcome<Self> {
        let seeded: Seeded = seed::region(data, keys)?;
        let mut starts = Vec::with_capacity(STARTS);
        for _ in 1..STARTS {
            let (took, mut service) = Service::start(binary, &seeded)?;
            starts.push(took);
            service.stop()?;
        }
        let (took, service) = Service::start(binary, &seeded)?;
        starts.push(took);
        let counted = service.metric("kannuki_keys")?;
        if counted != keys as f64 {
            return Err(format!("{counted} keys are in a region that was seeded with {keys}").into());
        }
        let figures = Figures::new(keys, starts, service.resident_bytes()?, seeded.store_bytes()?);
        let encrypts = Encrypts::new(&seeded, service.address()?)?;
        Ok(Self { service, encrypts, figures })
    }

    fn round(&mut self) -> Outcome<()> {
        self.figures.rounds.push(self.encrypts.round(ROUND)?);
        Ok(())
    }

    fn end(mut self) -> Outcome<Figures> {
        self.figures.resident_after_bytes = self.service.resident_bytes()?;
        self.service.stop()?;
        Ok(self.figures)
    }
}
