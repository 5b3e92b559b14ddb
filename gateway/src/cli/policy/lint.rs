//! `kannuki policy lint`: what AWS would refuse in policy documents, and what is legal but surely not meant.
//! Knows files, the report and exit codes: 0 nothing found, 1 something, 2 a file cannot be read.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use kms_core::authz::Kind;
use kms_core::trial::lint::{Finding, guess, lint};

#[derive(clap::Args, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    /// Policy documents (JSON)
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// What the documents are for; guessed from what they say when not given
    #[arg(long, value_enum)]
    kind: Option<KindName>,
    /// One JSON object for each finding
    #[arg(long)]
    json: bool,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum KindName {
    Key,
    Endpoint,
    Identity,
    Scp,
    Rcp,
    Session,
    Boundary,
    Trust,
}

impl KindName {
    fn kind(self) -> Kind {
        match self {
            Self::Key => Kind::Key,
            Self::Endpoint => Kind::Endpoint,
            Self::Identity => Kind::Identity,
            Self::Scp => Kind::ServiceControl,
            Self::Rcp => Kind::ResourceControl,
            Self::Session => Kind::Session,
            Self::Boundary => Kind::Boundary,
            Self::Trust => Kind::Trust,
        }
    }
}

#[derive(serde::Serialize)]
struct Line<'a> {
    file: &'a str,
    kind: &'a str,
    #[serde(flatten)]
    finding: &'a Finding,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    let (mut found, mut unreadable) = (false, false);
    for file in &arguments.files {
        let text = match super::text_of(file) {
            Ok(text) => text,
            Err(wrong) => {
                unreadable = true;
                let _ = super::super::fail(&wrong, 2);
                continue;
            }
        };
        let kind = arguments.kind.map_or_else(|| guess(&text), KindName::kind);
        let findings = lint(&text, kind);
        found |= !findings.is_empty();
        let name = file.display().to_string();
        let report = if arguments.json { json(&name, kind, &findings) } else { plain(&name, kind, &findings) };
        // When standard output is gone, the exit code still tells.
        let _ = io::stdout().write_all(report.as_bytes());
    }
    match (unreadable, found) {
        (true, _) => ExitCode::from(2),
        (false, true) => ExitCode::FAILURE,
        (false, false) => ExitCode::SUCCESS,
    }
}

fn plain(file: &str, kind: Kind, findings: &[Finding]) -> String {
    let mut report = String::new();
    for Finding { line, severity, rule, message, .. } in findings {
        // Writing to a string cannot fail.
        let _ = writeln!(report, "{file}:{line}: {severity}: {message} [{rule}]");
    }
    let count = findings.len();
    let _ = writeln!(report, "{file}: {count} findings, read as a {}", kind.as_str());
    report
}

fn json(file: &str, kind: Kind, findings: &[Finding]) -> String {
    let line = |finding| serde_json::to_string(&Line { file, kind: kind.as_str(), finding }).unwrap_or_default() + "\n";
    findings.iter().map(line).collect()
}
