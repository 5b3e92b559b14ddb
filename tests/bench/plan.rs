//! Which sections are run, in which order, and what they share.
//! Knows the stage; what is measured on it is the sections' own.

use std::fs::{self, File};
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::drive::Driver;
use crate::machine::Machine;
use crate::report::{Report, Row};
use crate::sections::SECTIONS;
use crate::{Options, Outcome, process};

/// What every section has.
pub(crate) struct Stage {
    pub(crate) service: PathBuf,
    /// For what is made on the way; removed at the end.
    pub(crate) folder: PathBuf,
    pub(crate) driver: Driver,
    pub(crate) rounds: usize,
    pub(crate) length: Duration,
    pub(crate) scale: Option<usize>,
    pub(crate) scale_folder: Option<PathBuf>,
    pub(crate) cores: usize,
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Stage {
    pub(crate) fn row(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds what the reader of the table must know; said once, however many sections say it.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        let note = note.into();
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }

    /// A folder of a section's own.
    pub(crate) fn room(&self, name: &str) -> Outcome<PathBuf> {
        let room = self.folder.join(name);
        fs::create_dir_all(&room)?;
        Ok(room)
    }
}

/// Measures, and prints the table.
pub(crate) fn run(options: &Options) -> Outcome<()> {
    let service = fs::canonicalize(&options.service)
        .map_err(|cause| format!("{} cannot be measured: {cause}", options.service.display()))?;
    process::pin_load()?;
    let folder = tempfile::Builder::new().prefix("kannuki-bench-").tempdir()?;
    let machine = Machine::here(&service, folder.path());
    let mut stage = Stage {
        service,
        folder: folder.path().to_owned(),
        driver: Driver::new()?,
        rounds: options.rounds.max(1),
        length: Duration::try_from_secs_f64(options.seconds)?
            .clamp(Duration::from_millis(100), Duration::from_secs(60)),
        scale: options.scale,
        scale_folder: options.scale_folder.clone(),
        cores: machine.cores,
        rows: Vec::new(),
        notes: Vec::new(),
    };
    stage.note(format!(
        "service on core 0, load on core 1; {} rounds of {:.1} s, interleaved, medians",
        stage.rounds,
        stage.length.as_secs_f64()
    ));
    for (section, measure) in SECTIONS {
        if options.only.is_empty() || options.only.contains(section) {
            eprintln!("kannuki-bench: {section:?}");
            measure(&mut stage).map_err(|why| format!("{section:?}: {why}"))?;
        }
    }
    stage.notes.extend(stage.driver.disturbance());
    let report = Report { machine, notes: stage.notes, rows: stage.rows };
    print!("{}", report.table());
    options.json.as_deref().map_or(Ok(()), |path| write(&report, path))
}

fn write(report: &Report, path: &Path) -> Outcome<()> {
    Ok(serde_json::to_writer_pretty(BufWriter::new(File::create(path)?), report)?)
}
