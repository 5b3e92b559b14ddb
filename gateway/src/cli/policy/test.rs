//! `kannuki policy test`: fixture files, each request of them decided and held against what is expected.
//! Knows files, the report and exit codes: 0 all as expected, 1 something is not, 2 a fixture cannot be read.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kms_core::authz::Reason;
use kms_core::trial::suite::{Request, Suite};
use kms_core::trial::{Explanation, Outcome, Stage, differences, flips, statement};
use kms_gateway::policy_suite;

use super::junit;

/// Folders within folders that are looked into.
const DEPTH_MAX: usize = 16;

#[derive(clap::Args, Debug, PartialEq, Eq)]
pub(super) struct Arguments {
    /// Fixture files, or folders of them (*.toml)
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Show for every request what each layer said, and what it looked at
    #[arg(short, long)]
    verbose: bool,
    /// Write the results as JUnit XML
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Show which requests the documents of another version of the fixtures would decide differently
    #[arg(long, value_name = "OLD_PATH")]
    against: Option<PathBuf>,
}

/// What one fixture file came to.
pub(super) struct Tested {
    pub(super) file: PathBuf,
    pub(super) cases: Vec<Case>,
}

pub(super) struct Case {
    pub(super) name: String,
    /// What is wrong, laid out to be read; `None` when all is as expected.
    pub(super) failure: Option<String>,
}

pub(super) fn run(arguments: &Arguments) -> ExitCode {
    match test(arguments, &mut io::stdout().lock()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(wrong) => super::super::fail(&wrong, 2),
    }
}

fn test(arguments: &Arguments, out: &mut impl io::Write) -> Result<bool, String> {
    let mut files = Vec::new();
    for path in &arguments.paths {
        let found = super::files_under(path, "toml", DEPTH_MAX)?;
        files.extend(found.into_iter().map(|file| (path.clone(), file)));
    }
    if files.is_empty() {
        return Err("there is no fixture file (*.toml)".to_owned());
    }
    let (mut tested, mut wrong) = (Vec::new(), Vec::new());
    for (root, file) in &files {
        match stage(file) {
            Ok((suite, stage)) => {
                let report = one(arguments, file, &stage)?;
                say(out, &report.1)?;
                if let Some(old) = &arguments.against {
                    say(out, &compare(&suite, &stage, &counterpart(old, root, file))?)?;
                }
                tested.push(report.0);
            }
            Err(trouble) => wrong.push(trouble),
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n"));
    }
    if let Some(path) = &arguments.junit {
        std::fs::write(path, junit::report(&tested)).map_err(|cause| format!("{}: {cause}", path.display()))?;
    }
    let count = |of: fn(&Case) -> bool| tested.iter().flat_map(|tested| &tested.cases).filter(|case| of(case)).count();
    let (failed, all) = (count(|case| case.failure.is_some()), count(|_| true));
    say(out, &format!("{all} requests in {} files: {} as expected, {failed} not\n", tested.len(), all - failed))?;
    Ok(failed == 0)
}

fn stage(file: &Path) -> Result<(Suite, Stage), String> {
    let suite = policy_suite::load(file).map_err(|faults| faults.to_string())?;
    let stage = Stage::set(suite.clone())
        .map_err(|wrong| wrong.iter().map(|one| format!("{}: {one}", file.display())).collect::<Vec<_>>().join("\n"))?;
    Ok((suite, stage))
}

/// Tests one file; what there is to say of it is a text.
fn one(arguments: &Arguments, file: &Path, stage: &Stage) -> Result<(Tested, String), String> {
    let (mut text, mut cases) = (String::new(), Vec::new());
    for (request, outcome) in stage.played() {
        let differences = differences(request, outcome);
        let failed = !differences.is_empty();
        let mut said = String::new();
        if failed || arguments.verbose {
            let word = if failed { "FAIL" } else { "ok" };
            // Writing to a string cannot fail.
            let _ = writeln!(said, "{word} {}: {}", request.place, request.name);
            differences.iter().for_each(|difference| _ = writeln!(said, "  {difference}"));
            said.push_str(&account(stage, outcome));
            text.push_str(&said);
        }
        cases.push(Case { name: request.name.clone(), failure: failed.then_some(said) });
    }
    let failed = cases.iter().filter(|case| case.failure.is_some()).count();
    let word = if failed == 0 { "ok" } else { "FAIL" };
    let _ = writeln!(text, "{word} {}: {} requests, {failed} failed", file.display(), cases.len());
    Ok((Tested { file: file.to_owned(), cases }, text))
}

/// How a decision came about, with the statement that decided.
fn account(stage: &Stage, outcome: &Outcome) -> String {
    let Outcome { decision, message, hearings } = outcome;
    let explanation = Explanation { decision, hearings, message }.to_string();
    let mut text: String = explanation.lines().map(|line| format!("  {line}\n")).collect();
    for reason in std::iter::once(&decision.decided_by).chain(&decision.together_with) {
        text.push_str(&quoted(stage, reason));
    }
    text
}

fn quoted(stage: &Stage, reason: &Reason) -> String {
    let Reason::Statement { document, index, .. } = reason else { return String::new() };
    let Some(source) = stage.source(document) else { return String::new() };
    let Some(quote) = statement(&source.text, *index) else { return String::new() };
    let lines: String = quote.unindented().lines().map(|line| format!("    {line}\n")).collect();
    format!("  {}:{}:\n{lines}", source.file, source.line + quote.line - 1)
}

fn compare(suite: &Suite, new: &Stage, old_file: &Path) -> Result<String, String> {
    let theirs = policy_suite::load(old_file).map_err(|faults| faults.to_string())?;
    let old = Stage::set(suite.with_documents_of(&theirs))
        .map_err(|wrong| format!("{}: {}", old_file.display(), wrong.join("\n")))?;
    let mut text = String::new();
    let found = flips(&old, new);
    for flip in &found {
        let verdict = |outcome: &Outcome| outcome.decision.verdict.as_str();
        let Request { place, name, .. } = flip.request;
        let _ = writeln!(text, "FLIP {place}: {name}: {} -> {}", verdict(flip.old), verdict(flip.new));
        for (word, stage, outcome) in [("old", &old, flip.old), ("new", new, flip.new)] {
            let _ = writeln!(text, "  {word}:");
            account(stage, outcome).lines().for_each(|line| _ = writeln!(text, "  {line}"));
        }
    }
    let _ = writeln!(text, "{} requests flip against {}", found.len(), old_file.display());
    Ok(text)
}

/// The other version of a file: the file that is given, or the one at the same place in the folder that is given.
fn counterpart(old: &Path, root: &Path, file: &Path) -> PathBuf {
    if !old.is_dir() {
        return old.to_owned();
    }
    match file.strip_prefix(root) {
        Ok(relative) if relative.components().next().is_some() => old.join(relative),
        _ => old.join(file.file_name().unwrap_or_default()),
    }
}

fn say(out: &mut impl io::Write, text: &str) -> Result<(), String> {
    out.write_all(text.as_bytes()).map_err(|cause| format!("cannot write: {cause}"))
}
