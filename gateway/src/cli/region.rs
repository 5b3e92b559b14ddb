//! The running region that a command speaks to: which one, and one request and its answer.
//! Knows the options that name a region; what is asked, the commands know.

use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use kms_gateway::admin;
use kms_gateway::admin::protocol::{self, Answer, Malformed, Request};
use kms_gateway::config::{self, Config};
use kms_gateway::toml_file::Faults;
use zeroize::Zeroizing;

/// A change waits for the store and its rows for the HSM; more than that is a service that hangs.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(clap::Args, Debug, Default, PartialEq, Eq)]
pub(super) struct Which {
    /// The running region's data folder [default: kannuki-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The running region's settings, which name its data folder
    #[arg(long, value_name = "FILE", conflicts_with = "data")]
    config: Option<PathBuf>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    #[error("{0}")]
    Settings(#[from] Faults),
    #[error("no region answers in {}: {cause}", data.display())]
    Absent { data: PathBuf, cause: io::Error },
    #[error("the region did not answer: {0}")]
    Broken(#[from] io::Error),
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

impl Which {
    /// Asks the region.
    pub(super) fn ask(&self, request: &Request) -> Result<Answer, Unanswered> {
        let data = match &self.config {
            Some(path) => Config::load(path)?.region.data,
            None => self.data.clone().unwrap_or_else(|| Path::new(config::DATA).to_owned()),
        };
        let mut stream = admin::connect(&data).map_err(|cause| Unanswered::Absent { data, cause })?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        let line = protocol::written(request)?;
        if line.len() > protocol::REQUEST_BYTES_MAX {
            return Err(Malformed::TooLong.into());
        }
        // A region that refuses at once does not read to the end; its answer says why.
        let sent = stream.write_all(&line);
        let mut heard = Zeroizing::new(Vec::new());
        BufReader::new(stream).read_until(b'\n', &mut heard)?;
        match heard.strip_suffix(b"\n") {
            Some(line) => Ok(protocol::answer(line)?),
            None => Err(sent.err().unwrap_or_else(|| io::ErrorKind::UnexpectedEof.into()).into()),
        }
    }
}
