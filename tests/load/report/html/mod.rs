//! The report as one page that needs nothing beside itself.
//! Knows the record, and what a browser can do without scripts.

use maud::{DOCTYPE, html as markup};

use crate::record::Report;

/// One self-contained HTML file.
pub(crate) fn html(report: &Report) -> String {
    let table = super::table(report);
    let page = markup! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "kannuki-load" } }
            body { pre { (table) } }
        }
    };
    page.into_string()
}
