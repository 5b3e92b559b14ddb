//! How a run is shown: while it goes on, as a table when it is over, as a page, and beside another run.
//! Knows the record of a run and nothing of how it was measured; writes to nothing but a terminal's line.

mod availability;
mod compare;
mod grid;
mod html;
mod live;
mod summary;
mod table;
mod units;

pub(crate) use compare::compare;
pub(crate) use html::html;
pub(crate) use live::{Live, Progress};
pub(crate) use table::table;

use serde::Deserialize;

use crate::record::{FORMAT_VERSION, Report};

/// A report from its JSON. What was written by another version of the format is refused for that, and not for the
/// first field that it lacks.
pub(crate) fn read(json: &str) -> Result<Report, String> {
    #[derive(Deserialize)]
    struct Version {
        format_version: u32,
    }
    let Version { format_version } =
        serde_json::from_str(json).map_err(|why| format!("is no report of this tool: {why}"))?;
    of_this_format(format_version)?;
    serde_json::from_str(json).map_err(|why| format!("is no whole report: {why}"))
}

/// Refuses a report that has another format than this program's.
fn of_this_format(version: u32) -> Result<(), String> {
    if version == FORMAT_VERSION {
        return Ok(());
    }
    Err(format!("has format version {version}; this program reads version {FORMAT_VERSION} only"))
}

#[cfg(test)]
mod tests;
