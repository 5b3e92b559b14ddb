//! The table: each thing that was measured, its target where it has one, and whether that is met.
//! Knows rows; how a figure came about is its section's.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::machine::Machine;

/// One line of the table.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Row {
    pub(crate) section: &'static str,
    pub(crate) what: String,
    /// As it is shown.
    pub(crate) figure: String,
    /// Empty for what is there as information.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) target: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) met: Option<bool>,
    /// The same as numbers; seconds, bytes and ratios as their names say.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) numbers: BTreeMap<&'static str, f64>,
}

impl Row {
    /// A line without a target.
    pub(crate) fn new(section: &'static str, what: impl Into<String>, figure: impl Into<String>) -> Self {
        let (what, figure) = (what.into(), figure.into());
        Self { section, what, figure, target: String::new(), met: None, numbers: BTreeMap::new() }
    }

    /// Gives the line a target.
    pub(crate) fn target(self, target: impl Into<String>, met: bool) -> Self {
        Self { target: target.into(), met: Some(met), ..self }
    }

    /// Gives the line a target of which nothing can be said yet.
    pub(crate) fn unknown(self, target: impl Into<String>) -> Self {
        Self { target: target.into(), ..self }
    }

    /// Keeps a number for the file. What is not finite has no form in JSON.
    pub(crate) fn number(mut self, name: &'static str, value: f64) -> Self {
        if value.is_finite() {
            self.numbers.insert(name, value);
        }
        self
    }

    fn verdict(&self) -> &'static str {
        match (self.met, self.target.is_empty()) {
            (Some(true), _) => "met",
            (Some(false), _) => "not met",
            (None, false) => "not known",
            (None, true) => "",
        }
    }
}

/// All of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) machine: Machine,
    /// What must be known to repeat it.
    pub(crate) notes: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

impl Report {
    /// The table as text.
    pub(crate) fn table(&self) -> String {
        let mut text = self.machine.lines();
        for note in &self.notes {
            text.push_str(&format!("{note}\n"));
        }
        let width = |of: fn(&Row) -> &str| self.rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0);
        let (what, figure, target) = (width(|row| &row.what), width(|row| &row.figure), width(|row| &row.target));
        let mut section = "";
        for row in &self.rows {
            if section != row.section {
                section = row.section;
                text.push_str(&format!("\n{section}\n"));
            }
            let line =
                format!("  {:<what$}  {:<figure$}  {:<target$}  {}", row.what, row.figure, row.target, row.verdict(),);
            text.push_str(line.trim_end());
            text.push('\n');
        }
        let of = |met| self.rows.iter().filter(|row| row.met == Some(met)).count();
        let open = self.rows.iter().filter(|row| row.met.is_none() && !row.target.is_empty()).count();
        text.push_str(&format!("\n{} targets met, {} not met, {open} not known\n", of(true), of(false)));
        text
    }
}
