//! From settings to a plan of what is to be served: data folder, certificates, manifest, addresses, env files.
//! Knows the order in which a first start makes things and how a later start finds them; serves nothing itself, and
//! leaves the seal and the store to the region.

mod address;
mod authority;
mod environment;
mod folder;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use kms_core::clock::Timestamp;
use kms_core::registry::{Endpoint, Manifest, Plaintext};

pub use self::folder::DataFolder;
use self::folder::SECRET;
use crate::attestation::{Attestations, KeyError};
use crate::certificate::{CertificateError, Names};
use crate::config::{Config, TlsFiles};
use crate::listener::Listener;
use crate::manifest::demo::{self, NoRandomness};
use crate::toml_file::Faults;
use crate::{manifest, toml_file};

const MANIFEST: &str = "manifest.toml";
const ENV: &str = "env";
const ENV_STRICT: &str = "env-strict";

/// Where the settings come from, which decides what may be made up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// The command line. Without a manifest a demo is made; addresses that this machine lacks are replaced.
    CommandLine,
    /// A configuration file, which is taken at its word.
    File,
}

/// All that is needed to serve.
#[derive(Debug)]
pub struct Plan {
    /// Settings, with the data folder's path made absolute. `config.listen.operations` serves health and metrics.
    pub config: Config,
    /// Keep this for as long as the data is used: it is what keeps other processes out.
    pub folder: DataFolder,
    pub listeners: Vec<Listener>,
    pub tls: TlsFiles,
    /// The private CA's certificate, when it is that which issued the server's.
    pub ca: Option<PathBuf>,
    pub manifest: Manifest,
    /// Whether the demo was set up: env files, and a greeting to paste from.
    pub demo: bool,
    /// What the operator should know, a line each.
    pub notices: Vec<String>,
    /// The demo administrator's `export` lines.
    exports: Option<Plaintext>,
    origin: Origin,
}

/// Why nothing can be served.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error("{0}")]
    Faults(#[from] Faults),
    #[error("{}: {cause}", path.display())]
    File { path: PathBuf, cause: io::Error },
    #[error("{}: {cause}", path.display())]
    Certificate { path: PathBuf, cause: CertificateError },
    #[error(
        "{name} is missing in {}: restore it; or remove ca.pem, ca-key.pem, server.pem and server-key.pem, \
         so that a new CA is made, which every client must then be told to trust",
        folder.display()
    )]
    Missing { folder: PathBuf, name: &'static str },
    #[error("{} is neither empty nor a data folder of kannuki's; give another with --data", .0.display())]
    NotDataFolder(PathBuf),
    #[error("{} is in use by another kannuki", .0.display())]
    InUse(PathBuf),
    #[error("{} is not UTF-8, which the env files need", .0.display())]
    PathNotText(PathBuf),
    #[error("{0} would be listened on twice")]
    AddressTwice(SocketAddr),
    #[error("there are not enough ports above the region's; give a lower --port")]
    PortsExhausted,
    #[error("{}: {cause}", path.display())]
    AttestationKey { path: PathBuf, cause: KeyError },
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

/// Sets everything up that is not there yet, and says what to serve. A second call finds everything as it was.
pub fn plan(mut config: Config, origin: Origin, now: Timestamp) -> Result<Plan, SetupError> {
    // Before the folder is made: a manifest with faults leaves nothing behind.
    let declared = config.manifest.as_deref().map(manifest::load).transpose()?;
    let folder = DataFolder::open(&config.region.data)?;
    if folder.path().to_str().is_none() {
        return Err(SetupError::PathNotText(folder.path().to_owned()));
    }
    config.region.data = folder.path().to_owned();
    config.seal.key_file = absolute(&config.seal.key_file)?;
    let mut notices = Vec::new();
    let demo = declared.is_none() && origin == Origin::CommandLine;
    let manifest = match declared {
        Some(manifest) => manifest,
        None if demo => demo_manifest(&folder, &config, &mut notices)?,
        None => Manifest::default(),
    };
    let listeners = listeners(&config, &manifest.endpoints, origin, &mut notices)?;
    let (tls, ca) = tls(&config, &folder, &listeners, now, &mut notices)?;
    let mut plan = Plan { config, folder, listeners, tls, ca, manifest, demo, notices, exports: None, origin };
    if demo {
        write_env_files(&mut plan)?;
    }
    Ok(plan)
}

/// Checks settings and the manifest that they name as far as can be without making anything.
pub fn check(config: &Config) -> Result<(), SetupError> {
    let manifest = config.manifest.as_deref().map(manifest::load).transpose()?.unwrap_or_default();
    attestations(config, Timestamp(0))?;
    address::listeners(&config.listen, &manifest.endpoints, None).map(drop)
}

/// Reads the keys of those who may attest a request's source from `now` on.
pub fn attestations(config: &Config, now: Timestamp) -> Result<Attestations, SetupError> {
    let loaded = Attestations::load(&config.attestations, &config.region.name, now);
    loaded.map_err(|(path, cause)| SetupError::AttestationKey { path, cause })
}

/// Issues the server's certificate anew if it has fewer than 30 days left; for a service that runs for months.
///
/// Does nothing when the certificate is the operator's own.
pub fn renew(plan: &Plan, now: Timestamp) -> Result<(), SetupError> {
    plan.certify(&plan.listeners, now)
}

impl Plan {
    /// What is to be listened on with these endpoints: the public listener and their interfaces.
    pub fn listeners_with(&self, endpoints: &[Endpoint]) -> Result<Vec<Listener>, SetupError> {
        listeners(&self.config, endpoints, self.origin, &mut Vec::new())
    }

    /// Sees to it that the server's certificate names what is to be listened on, unless it is the operator's own.
    pub fn certify(&self, listeners: &[Listener], now: Timestamp) -> Result<(), SetupError> {
        if self.ca.is_some() {
            authority::ensure(&self.folder, &names(&self.config, listeners), now)?;
        }
        Ok(())
    }

    /// The manifest's file, when there is one.
    pub fn manifest_path(&self) -> Option<PathBuf> {
        let demo = || self.demo.then(|| self.folder.path().join(MANIFEST));
        self.config.manifest.clone().or_else(demo)
    }
}

impl SetupError {
    fn file(path: &Path) -> impl FnOnce(io::Error) -> Self + use<> {
        let path = path.to_owned();
        move |cause| Self::File { path, cause }
    }

    fn of(folder: &DataFolder, name: &str) -> impl FnOnce(CertificateError) -> Self + use<> {
        let path = folder.path().join(name);
        move |cause| Self::Certificate { path, cause }
    }
}

/// The demo's manifest: written once, read ever after, so that it may be edited.
fn demo_manifest(folder: &DataFolder, config: &Config, notices: &mut Vec<String>) -> Result<Manifest, SetupError> {
    if folder.read(MANIFEST)?.is_none() {
        let text = demo::text(&config.region.name, &config.region.partition)?;
        folder.create(MANIFEST, SECRET, text.as_bytes())?;
    }
    if folder.is_shared(MANIFEST) {
        notices.push(format!("{MANIFEST} holds secrets and can be read by others than its owner"));
    }
    Ok(manifest::load(&folder.path().join(MANIFEST))?)
}

fn listeners(
    config: &Config,
    endpoints: &[Endpoint],
    origin: Origin,
    notices: &mut Vec<String>,
) -> Result<Vec<Listener>, SetupError> {
    let probe: Option<&dyn Fn(IpAddr) -> bool> =
        if origin == Origin::CommandLine { Some(&address::can_bind) } else { None };
    let (listeners, moved) = address::listeners(&config.listen, endpoints, probe)?;
    if moved {
        let text = "this machine lacks some loopback addresses of the endpoints; they have ports on 127.0.0.1 instead";
        notices.push(text.to_owned());
    }
    Ok(listeners)
}

/// The server's certificate: the operator's own, or one of the private CA.
fn tls(
    config: &Config,
    folder: &DataFolder,
    listeners: &[Listener],
    now: Timestamp,
    notices: &mut Vec<String>,
) -> Result<(TlsFiles, Option<PathBuf>), SetupError> {
    if let Some(own) = &config.tls {
        for path in [&own.certificate, &own.key] {
            toml_file::text_of(path, manifest::BYTES_MAX).map_err(SetupError::file(path))?;
        }
        return Ok((own.clone(), None));
    }
    let (tls, more) = authority::ensure(folder, &names(config, listeners), now)?;
    notices.extend(more);
    Ok((tls, Some(folder.path().join(authority::CA))))
}

fn names(config: &Config, listeners: &[Listener]) -> Names {
    let addresses = listeners.iter().map(|listener| listener.address.ip()).filter(|address| !address.is_unspecified());
    Names {
        region: config.region.name.clone(),
        partition: config.region.partition.clone(),
        addresses: addresses.chain([IpAddr::V4(Ipv4Addr::LOCALHOST)]).collect(),
    }
}

/// Derived from the rest, so written anew at each start (the port may be another); same settings, same bytes.
fn write_env_files(plan: &mut Plan) -> Result<(), SetupError> {
    plan.exports = env_file(plan, ENV, demo::ADMINISTRATOR, demo::OPEN_ENDPOINT)?;
    env_file(plan, ENV_STRICT, demo::APPLICATION, demo::STRICT_ENDPOINT)?;
    Ok(())
}

/// Writes one env file and returns its `export` lines; neither when the manifest no longer has user or endpoint.
fn env_file(plan: &mut Plan, name: &str, user: &str, endpoint: &str) -> Result<Option<Plaintext>, SetupError> {
    let address = environment::address_of(&plan.listeners, endpoint);
    let key = environment::access_key(&plan.manifest, demo::ACCOUNT, user);
    let (Some(address), Some(key)) = (address, key) else {
        plan.notices.push(format!("{MANIFEST} lacks user {user} or endpoint {endpoint}, so {name} is not written"));
        return Ok(None);
    };
    let ca = plan.folder.path().join(authority::CA);
    let exports = environment::exports(address, &ca, &plan.config.region.name, key);
    plan.folder.replace(name, SECRET, environment::file(&exports).as_bytes())?;
    Ok(Some(Plaintext::new(exports.as_bytes().to_vec())))
}

fn absolute(path: &Path) -> Result<PathBuf, SetupError> {
    std::path::absolute(path).map_err(SetupError::file(path))
}

#[cfg(test)]
mod tests;
