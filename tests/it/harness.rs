//! A region in this process, driven through the pipeline by an operation's wire name: no sockets, a clock that stands
//! still, a folder that outlives it. Knows what the gateway does for a request; the suites know what to expect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod cast;
mod client;
mod home;
mod offline;
mod scene;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

pub(crate) use cast::{ACCOUNT, CLOSED, DENYING, FORBIDDING, OPEN, PARTNER, allow, arn, cast, deny, document};
pub(crate) use client::{Answer, Client, Live};
pub(crate) use home::Home;
pub(crate) use offline::{Offline, rotate};
pub(crate) use scene::{PLAINTEXT, Scene, encrypt, re_encrypt};

/// The rows of a tab-separated fixture; `#` begins a remark, and the first row names the columns.
pub(crate) struct Rows {
    columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Rows {
    pub(crate) fn read(name: &str) -> Self {
        let text = fs::read_to_string(fixture(name)).unwrap();
        let mut lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let split = |line: &str| line.split('\t').map(str::to_owned).collect::<Vec<_>>();
        let columns = split(lines.next().unwrap());
        let rows: Vec<_> = lines.map(split).collect();
        assert!(rows.iter().all(|row| row.len() == columns.len()), "{name} has a row of another length");
        Self { columns, rows }
    }

    pub(crate) fn value<'a>(&self, row: &'a [String], column: &str) -> &'a str {
        &row[self.columns.iter().position(|name| name == column).unwrap()]
    }

    /// The row whose first column is `name`.
    pub(crate) fn find(&self, name: &str) -> Option<&[String]> {
        self.rows.iter().find(|row| row[0] == name).map(Vec::as_slice)
    }
}

pub(crate) fn fixture(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

pub(crate) fn json_fixture(name: &str) -> Value {
    serde_json::from_str(&fs::read_to_string(fixture(name)).unwrap()).unwrap()
}

/// Waits until it is so; for what the service does by itself.
pub(crate) async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let give_up = Instant::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(Instant::now() < give_up, "it never came to be that {what}");
        actix_rt::time::sleep(Duration::from_millis(5)).await;
    }
}
