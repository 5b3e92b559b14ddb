//! What an operator may set, and the value of everything that is not set.
//! Knows the file `region.toml` and its limits; who acts on a setting is elsewhere. A setting of no effect has no
//! place here.

mod sources;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tracing::level_filters::LevelFilter;

use crate::attestation::Trusted;
use crate::listener::Listener;
use crate::toml_file::{self, Faults, Located, Section};

/// The longest configuration, in bytes.
pub const BYTES_MAX: u64 = 1 << 20;
/// The name of the data folder where none is given.
pub const DATA: &str = "kannuki-data";
pub const REGION: &str = "us-east-1";
/// Operations take the port after it.
pub const PORT: u16 = 8443;
/// The last port that leaves one after it.
pub const PORT_MAX: u16 = u16::MAX - 1;

/// All settings of one region on this host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    pub region: Region,
    /// What declares accounts, endpoints and keys; `None` declares nothing.
    pub manifest: Option<PathBuf>,
    pub listen: Listen,
    /// The server's own certificate; `None` has a private CA in the data folder issue one.
    pub tls: Option<TlsFiles>,
    /// Whose signature under a request's source is believed.
    pub attestations: Vec<Trusted>,
    pub limits: Limits,
    pub hsm: Hsm,
    pub audit: Audit,
    pub log: Log,
    pub seal: Seal,
    pub web_identity: WebIdentity,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// For example `us-east-1`; a DNS label.
    pub name: String,
    /// `aws`, `aws-cn`, ...: the second part of every ARN.
    pub partition: String,
    pub data: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// For clients that come through no endpoint; `None` serves none of them.
    pub public: Option<SocketAddr>,
    /// Plain HTTP for health and metrics; always a loopback address.
    pub operations: SocketAddr,
    /// Where endpoint interfaces listen that name no port.
    pub port: u16,
    /// For load balancers that say in the PROXY protocol where each connection comes from.
    pub balancers: Vec<Listener>,
}

/// A certificate chain and its private key, both PEM. Read at start and again on SIGHUP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    pub body_bytes_max: usize,
    /// From a request's first byte to its answer.
    pub deadline: Duration,
    pub connections_max: usize,
    /// Requests at work at a time, of the class that takes microseconds.
    pub in_flight_quick_max: usize,
    /// Requests at work at a time, of the class that takes milliseconds (making RSA keys, say).
    pub in_flight_slow_max: usize,
    /// For each account; unlimited when `None`.
    pub account: Option<Rate>,
    /// For each key; unlimited when `None`.
    pub key: Option<Rate>,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    pub requests_per_second: NonZeroU32,
    /// How many requests may come at once after a pause; at least one second's worth when not set.
    pub burst: NonZeroU32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hsm {
    /// HSM actors, each on a thread of its own; at least two, so that one may fail.
    pub slots: usize,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audit {
    /// At this size a file is closed and the next begun.
    pub file_bytes_max: u64,
    /// What all files together may take; the oldest go first.
    pub keep_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    pub format: LogFormat,
    pub level: LevelFilter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebIdentity {
    /// CAs, in PEM, that the certificates of issuers must come from; the system's roots when `None`.
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seal {
    /// What wraps the root key at rest; made at the first start.
    pub key_file: PathBuf,
}

impl Config {
    /// What holds without a file: `region` on `port`, its data in `data`.
    pub fn new(region: &RegionName, data: &Path, port: Port) -> Self {
        let port = port.0;
        Self {
            region: Region {
                name: region.0.clone(),
                partition: partition_of(&region.0).to_owned(),
                data: data.to_owned(),
            },
            manifest: None,
            listen: Listen {
                public: Some(loopback(port)),
                operations: loopback(port.saturating_add(1)),
                port,
                balancers: Vec::new(),
            },
            tls: None,
            attestations: Vec::new(),
            limits: Limits::default(),
            hsm: Hsm { slots: 2 },
            audit: Audit { file_bytes_max: 64 << 20, keep_bytes: 4 << 30 },
            log: Log { format: LogFormat::Text, level: LevelFilter::INFO },
            seal: Seal { key_file: data.join("seal.key") },
            web_identity: WebIdentity { ca_file: None },
        }
    }

    /// Reads the configuration in `path`. Relative paths in it are relative to its folder.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        let text = toml_file::text_of(path, BYTES_MAX).map_err(|cause| Faults::unreadable(path, &cause))?;
        Self::parse(path, &text)
    }

    /// Reads a configuration's text; `path` is what faults name, and its folder is what relative paths start from.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Faults> {
        let folder = path.parent().unwrap_or(Path::new(""));
        toml_file::read(path, text, |root| config(root, folder))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes_max: 512 << 10,
            deadline: Duration::from_secs(8),
            connections_max: 10_000,
            in_flight_quick_max: 1024,
            in_flight_slow_max: 128,
            account: None,
            key: None,
        }
    }
}

/// A region's name: a DNS label in lower case that begins with a letter, at most 32 long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegionName(String);

impl Default for RegionName {
    fn default() -> Self {
        Self(REGION.to_owned())
    }
}

impl std::str::FromStr for RegionName {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let starts = text.starts_with(|c: char| c.is_ascii_lowercase());
        if plain && starts && !text.ends_with('-') && text.len() <= 32 {
            Ok(Self(text.to_owned()))
        } else {
            Err("must be up to 32 lower-case letters, digits and dashes, such as us-east-1")
        }
    }
}

/// A port with one free after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port(u16);

impl Default for Port {
    fn default() -> Self {
        Self(PORT)
    }
}

impl std::str::FromStr for Port {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let port = text.parse().ok().filter(|port| (1..=PORT_MAX).contains(port));
        port.map(Self).ok_or("must be a port from 1 to 65534; the one after it serves operations")
    }
}

/// AWS: which partition a region of this name is in.
fn partition_of(region: &str) -> &'static str {
    match region.split_once('-').map_or("", |(first, _)| first) {
        "cn" => "aws-cn",
        "us" if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

fn config(root: &Section<'_>, folder: &Path) -> Config {
    let mut config = region(root, folder);
    if let Some(file) = root.text("manifest") {
        config.manifest = Some(folder.join(file.value));
    }
    if let Some(section) = root.section("listen") {
        listen(&section, &mut config.listen);
    }
    config.attestations = sources::attestations(root, folder, &config.listen.balancers);
    config.tls = root.section("tls").and_then(|section| tls(&section, folder));
    if let Some(section) = root.section("limits") {
        limits(&section, &mut config.limits);
    }
    if let Some(slots) = root.section("hsm").and_then(|section| section.integer("slots", 2..=64)) {
        config.hsm.slots = usize::try_from(slots).unwrap_or(2);
    }
    if let Some(section) = root.section("audit") {
        audit(&section, &mut config.audit);
    }
    if let Some(section) = root.section("log") {
        log(&section, &mut config.log);
    }
    if let Some(file) = root.section("seal").and_then(|section| section.text("key_file")) {
        config.seal.key_file = folder.join(file.value);
    }
    if let Some(file) = root.section("web_identity").and_then(|section| section.text("ca_file")) {
        config.web_identity.ca_file = Some(folder.join(file.value));
    }
    config
}

/// The defaults of the region that the file names.
fn region(root: &Section<'_>, folder: &Path) -> Config {
    let section = root.section("region");
    let name = section.as_ref().and_then(|section| parsed::<RegionName>(section, section.text("name")?, "name"));
    let data = section.as_ref().and_then(|section| section.text("data")).map_or(DATA, |data| data.value);
    let mut config = Config::new(&name.unwrap_or_default(), &folder.join(data), Port::default());
    if let Some((section, partition)) = section.as_ref().and_then(|section| Some((section, section.text("partition")?)))
    {
        let known = ["aws", "aws-cn", "aws-us-gov"];
        if !known.contains(&partition.value) {
            section.fault(partition.at, format!("`partition` must be one of {}", known.join(", ")));
        }
        config.region.partition = partition.value.to_owned();
    }
    config
}

fn listen(section: &Section<'_>, listen: &mut Listen) {
    if let Some(port) = section.integer("port", 1..=u64::from(PORT_MAX)).and_then(|port| u16::try_from(port).ok()) {
        listen.port = port;
        listen.public = Some(loopback(port));
        listen.operations = loopback(port.saturating_add(1));
    }
    if let Some(public) = section.text("public") {
        let off = public.value == "off";
        listen.public = if off { None } else { parsed(section, public, "public") };
    }
    listen.balancers = sources::balancers(section);
    if let Some(text) = section.text("operations") {
        let at = text.at;
        if let Some(address) = parsed::<SocketAddr>(section, text, "operations") {
            // Health and metrics are plain HTTP and ask nobody who they are.
            if !address.ip().is_loopback() {
                section.fault(at, "`operations` must be a loopback address");
            }
            listen.operations = address;
        }
    }
}

fn tls(section: &Section<'_>, folder: &Path) -> Option<TlsFiles> {
    let (certificate, key) = (section.text("certificate"), section.text("key"));
    if certificate.is_some() != key.is_some() {
        section.fault(section.at(), "`certificate` and `key` in [tls] need each other");
    }
    Some(TlsFiles { certificate: folder.join(certificate?.value), key: folder.join(key?.value) })
}

fn limits(section: &Section<'_>, limits: &mut Limits) {
    count(section, "body_bytes_max", 4096..=64 << 20, &mut limits.body_bytes_max);
    if let Some(milliseconds) = section.integer("deadline_ms", 100..=600_000) {
        limits.deadline = Duration::from_millis(milliseconds);
    }
    count(section, "connections_max", 1..=1_000_000, &mut limits.connections_max);
    count(section, "in_flight_quick_max", 1..=1_000_000, &mut limits.in_flight_quick_max);
    count(section, "in_flight_slow_max", 1..=1_000_000, &mut limits.in_flight_slow_max);
    limits.account = section.section("account").and_then(|rates| rate(&rates));
    limits.key = section.section("key").and_then(|rates| rate(&rates));
}

fn rate(section: &Section<'_>) -> Option<Rate> {
    section.require("requests_per_second");
    let burst = some_of(section, "burst");
    let requests_per_second = some_of(section, "requests_per_second")?;
    Some(Rate { requests_per_second, burst: burst.unwrap_or(requests_per_second) })
}

fn audit(section: &Section<'_>, audit: &mut Audit) {
    const MEBIBYTE: u64 = 1 << 20;
    if let Some(bytes) = section.integer("file_bytes_max", MEBIBYTE..=1 << 40) {
        audit.file_bytes_max = bytes;
    }
    if let Some(bytes) = section.integer("keep_bytes", 2 * MEBIBYTE..=1 << 50) {
        audit.keep_bytes = bytes;
    }
    // The file being written and a full one before it must fit.
    if audit.keep_bytes < audit.file_bytes_max.saturating_mul(2) {
        section.fault(section.at(), "`keep_bytes` must be at least twice `file_bytes_max` in [audit]");
    }
}

fn log(section: &Section<'_>, log: &mut Log) {
    if let Some(format) = section.text("format") {
        match format.value {
            "text" => log.format = LogFormat::Text,
            "json" => log.format = LogFormat::Json,
            _ => section.fault(format.at, "`format` must be \"text\" or \"json\""),
        }
    }
    if let Some(level) = section.text("level") {
        match level.value {
            "error" => log.level = LevelFilter::ERROR,
            "warn" => log.level = LevelFilter::WARN,
            "info" => log.level = LevelFilter::INFO,
            "debug" => log.level = LevelFilter::DEBUG,
            "trace" => log.level = LevelFilter::TRACE,
            _ => section.fault(level.at, "`level` must be error, warn, info, debug or trace"),
        }
    }
}

fn count(section: &Section<'_>, key: &'static str, range: std::ops::RangeInclusive<u64>, setting: &mut usize) {
    if let Some(number) = section.integer(key, range).and_then(|number| usize::try_from(number).ok()) {
        *setting = number;
    }
}

fn some_of(section: &Section<'_>, key: &'static str) -> Option<NonZeroU32> {
    section
        .integer(key, 1..=u64::from(u32::MAX))
        .and_then(|number| u32::try_from(number).ok())
        .and_then(NonZeroU32::new)
}

fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(
    section: &Section<'_>,
    text: Located<&str>,
    key: &str,
) -> Option<T> {
    text.value.parse().map_err(|wrong| section.fault(text.at, format!("`{key}`: {wrong}"))).ok()
}

#[cfg(test)]
mod tests;
