//! What the figures were measured on: machine, versions, date.
//! Asks the system; what cannot be found out is left unsaid.

use std::fs;
use std::path::Path;
use std::process::Command;

use kms_core::clock::{Clock as _, SystemClock};
use serde::Serialize;

/// Where and with what a run was made.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    date: String,
    service: String,
    commit: String,
    rust: String,
    kernel: String,
    processor: String,
    pub(crate) cores: usize,
    memory_gib: u64,
    /// The file system of the data folders.
    file_system: String,
}

impl Machine {
    pub(crate) fn here(service: &Path, data: &Path) -> Self {
        let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let value = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name))?;
            line.split_once(':').map(|(_, value)| value.trim().to_owned())
        };
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kibibytes = value(&memory, "MemTotal").and_then(|total| total.split(' ').next()?.parse::<u64>().ok());
        Self {
            date: SystemClock.now().iso(),
            service: said(Command::new(service).arg("--version")),
            commit: said(Command::new("git").args(["describe", "--always", "--dirty"])),
            rust: said(Command::new("rustc").arg("--version")),
            kernel: said(Command::new("uname").args(["-sr"])),
            processor: value(&cpus, "model name").unwrap_or_default(),
            cores: cpus.lines().filter(|line| line.starts_with("processor")).count(),
            memory_gib: kibibytes.unwrap_or_default() >> 20,
            file_system: file_system(data),
        }
    }

    pub(crate) fn lines(&self) -> String {
        let Self { date, service, commit, rust, kernel, processor, cores, memory_gib, file_system } = self;
        let commit = if commit.is_empty() { String::new() } else { format!(" at {commit}") };
        format!(
            "{service}{commit}, {date}\n{processor}, {cores} cores, {memory_gib} GiB, {kernel}; data on {file_system}; \
             {rust}\n"
        )
    }
}

/// The type of the file system that a folder is on.
pub(crate) fn file_system(folder: &Path) -> String {
    said(Command::new("stat").args(["-f", "-c", "%T"]).arg(folder))
}

fn said(command: &mut Command) -> String {
    let output = command.output().ok().filter(|output| output.status.success());
    output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default()
}
