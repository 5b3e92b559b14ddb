//! `kannuki serve`: from options to a plan, and from a plan to a running region.
//! Knows which options there are; setting up is `setup`'s, serving the region's.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use kms_core::clock::{Clock as _, SystemClock};
use kms_gateway::config::{self, Config, Port, RegionName};
use kms_gateway::setup::{self, Origin, Plan, SetupError};

#[derive(clap::Args, Debug, Default, PartialEq, Eq)]
pub(super) struct Arguments {
    /// Name of the region [default: us-east-1]
    #[arg(long)]
    region: Option<RegionName>,
    /// Folder for everything that is kept [default: kannuki-data]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Accounts, endpoints and keys to declare; without it a demo is set up
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Port to serve on; the one after it serves health and metrics [default: 8443]
    #[arg(long)]
    pub(super) port: Option<Port>,
    /// Settings of a real set-up; nothing is taken from other options then
    #[arg(long, value_name = "FILE", conflicts_with_all = ["region", "data", "manifest", "port"])]
    config: Option<PathBuf>,
}

/// Reads the settings and sets up what is not there yet.
pub(super) fn plan(arguments: Arguments) -> Result<Plan, SetupError> {
    let (config, origin) = match arguments.config {
        Some(path) => (Config::load(&path)?, Origin::File),
        None => (from_options(arguments), Origin::CommandLine),
    };
    setup::plan(config, origin, SystemClock.now())
}

fn from_options(arguments: Arguments) -> Config {
    let data = arguments.data.as_deref().unwrap_or(Path::new(config::DATA));
    let region = arguments.region.unwrap_or_default();
    let mut config = Config::new(&region, data, arguments.port.unwrap_or_default());
    config.manifest = arguments.manifest;
    config
}

/// Serves until it is told to stop. The greeting appears once requests are answered.
pub(super) fn run(plan: Plan) -> ExitCode {
    let greet = |plan: &Plan| {
        let mut out = io::stdout();
        // Who closed standard output does not want to be greeted.
        let _ = out.write_all(plan.greeting().as_bytes()).and_then(|()| out.flush());
    };
    match kms_gateway::run::run(plan, greet) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => super::fail(&error, 1),
    }
}
