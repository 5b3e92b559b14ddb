//! Reads a manifest: TOML in, `kms_core::registry::Manifest` out, or everything that is wrong with it at once.
//! Knows the format, the grammar of names and what refers to what; knows neither what a policy means nor where a manifest
//! is stored.

pub mod demo;
mod documents;
pub(crate) mod grammar;
mod identities;
mod organization;
mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use kms_core::registry::{DeclaredKey, Endpoint, Interface, Manifest, Vpc};

use self::documents::{Principals, Wanted};
use self::grammar::Rule;
pub use self::text::{NotShown, written};
use crate::toml_file::{self, Faults, Located, Section};

/// The longest manifest, in bytes.
pub const BYTES_MAX: u64 = 8 << 20;
/// AWS: at most 50 tags on a resource.
const TAGS_MAX: usize = 50;

/// Reads the manifest in `path` and the files that it names (relative to its folder).
pub fn load(path: &Path) -> Result<Manifest, Faults> {
    load_all(&[path])
}

/// Reads the manifest that several files make together, each with the files that it names.
pub fn load_all(paths: &[impl AsRef<Path>]) -> Result<Manifest, Faults> {
    let (mut texts, mut unreadable) = (Vec::with_capacity(paths.len()), Vec::new());
    for path in paths.iter().map(AsRef::as_ref) {
        match toml_file::text_of(path, BYTES_MAX) {
            Ok(text) => texts.push((path, text)),
            Err(cause) => unreadable.extend(Faults::unreadable(path, &cause).faults),
        }
    }
    if !unreadable.is_empty() {
        return Err(Faults { faults: unreadable, left_off: 0 });
    }
    parse_all(&texts.iter().map(|(path, text)| (*path, text.as_str())).collect::<Vec<_>>())
}

/// Reads a manifest's text; `path` is what faults name, and its folder is where other files are looked for.
pub fn parse(path: &Path, text: &str) -> Result<Manifest, Faults> {
    parse_all(&[(path, text)])
}

fn parse_all(files: &[(&Path, &str)]) -> Result<Manifest, Faults> {
    toml_file::read_all(files, |root| {
        let principals = Principals::default();
        let mut reading = Reading { claimed: HashMap::new(), named: HashSet::new(), principals };
        let accounts: Vec<_> = root.sections("account").iter().map(|section| reading.account(section)).collect();
        let organizations = root.sections("organization").iter().map(|section| reading.organization(section)).collect();
        let vpcs: Vec<_> = root.sections("vpc").iter().map(|section| reading.vpc(section)).collect();
        let endpoints: Vec<_> =
            root.sections("endpoint").iter().map(|section| reading.endpoint(section, &vpcs)).collect();
        let keys = root.sections("key").iter().map(|section| reading.key(section)).collect();
        reading.principals.check(root);
        Manifest { accounts, organizations, vpcs, endpoints, keys }
    })
}

/// What has been read so far, as far as later parts refer to it.
struct Reading {
    /// Kind and name of everything that must be unique, with the file and the line where it was first seen.
    claimed: HashMap<(&'static str, String), (PathBuf, usize)>,
    /// Kind, account and name of what identities may refer to.
    named: HashSet<(&'static str, String)>,
    principals: Principals,
}

impl Reading {
    fn vpc(&mut self, section: &Section<'_>) -> Vpc {
        let id = self.claimed_text(section, "id", "VPC", grammar::vpc_id);
        section.require("cidrs");
        let cidrs = networks(section, "cidrs").unwrap_or_default();
        Vpc { id, account: self.account_of(section).unwrap_or_default(), cidrs, tags: tags(section) }
    }

    fn endpoint(&mut self, section: &Section<'_>, vpcs: &[Vpc]) -> Endpoint {
        let id = self.claimed_text(section, "id", "endpoint", grammar::endpoint_id);
        let vpc = checked(section, section.required("vpc"), "vpc", grammar::vpc_id);
        let declared = vpc.as_ref().and_then(|name| vpcs.iter().find(|vpc| vpc.id == name.value));
        if let (Some(name), None) = (&vpc, declared) {
            section.fault(name.at, format!("VPC `{}` is not declared", name.value));
        }
        let account = match section.text("account") {
            Some(_) => self.account_of(section),
            None => declared.map(|vpc| vpc.account.clone()),
        };
        section.require("interfaces");
        let mut zones = BTreeSet::new();
        let interfaces = section.sections("interfaces").iter().map(|each| self.interface(each, &mut zones)).collect();
        Endpoint {
            id,
            vpc: vpc.map(|vpc| vpc.value.to_owned()).unwrap_or_default(),
            account: account.unwrap_or_default(),
            policy: self.document(section, ("policy", "policy_file"), Wanted::Endpoint),
            tags: tags(section),
            interfaces,
            client_ranges: networks(section, "client_ranges"),
        }
    }

    fn interface(&mut self, section: &Section<'_>, zones: &mut BTreeSet<String>) -> Interface {
        let zone = checked(section, section.required("zone"), "zone", grammar::zone);
        if let Some(zone) = zone.as_ref().filter(|zone| !zones.insert(zone.value.to_owned())) {
            section.fault(zone.at, format!("zone `{}` has two interfaces of this endpoint", zone.value));
        }
        let port = section.integer("port", 1..=65_535).and_then(|port| u16::try_from(port).ok());
        let address = section.required("address").and_then(|text| {
            let address = grammar::address(text.value).map_err(|must| spelled(section, &text, "address", must)).ok()?;
            let full = port.map_or_else(|| address.to_string(), |port| format!("{address} port {port}"));
            self.claim(section, "interface address", &full, text.at);
            Some(address)
        });
        Interface {
            zone: zone.map(|zone| zone.value.to_owned()).unwrap_or_default(),
            address: address.unwrap_or(IpAddr::from([0, 0, 0, 0])),
            port,
        }
    }

    fn key(&mut self, section: &Section<'_>) -> DeclaredKey {
        let id = self.claimed_text(section, "id", "key", grammar::key_id);
        let account = self.account_of(section).unwrap_or_default();
        let mut aliases = Vec::new();
        for alias in section.texts("aliases").unwrap_or_default() {
            if let Some(alias) = checked(section, Some(alias), "aliases", grammar::alias) {
                // AWS KMS: an alias is unique in its account and region.
                self.claim(section, "alias", &format!("{account}/{}", alias.value), alias.at);
                aliases.push(alias.value.to_owned());
            }
        }
        DeclaredKey {
            id,
            account,
            description: optional(section, "description", grammar::description).unwrap_or_default(),
            aliases,
            tags: tags(section),
            policy: self.document(section, ("policy", "policy_file"), Wanted::Key),
        }
    }

    /// The setting `account`, which must name a declared account.
    fn account_of(&self, section: &Section<'_>) -> Option<String> {
        self.account_at(section, "account")
    }

    fn account_at(&self, section: &Section<'_>, key: &'static str) -> Option<String> {
        let id = checked(section, section.required(key), key, grammar::account_id)?;
        if !self.claimed.contains_key(&("account", id.value.to_owned())) {
            section.fault(id.at, format!("account `{}` is not declared", id.value));
        }
        Some(id.value.to_owned())
    }

    /// A required name that nothing else of its kind may have.
    fn claimed_text(&mut self, section: &Section<'_>, key: &'static str, kind: &'static str, rule: Rule) -> String {
        let Some(text) = checked(section, section.required(key), key, rule) else { return String::new() };
        self.claim(section, kind, text.value, text.at);
        text.value.to_owned()
    }

    fn claim(&mut self, section: &Section<'_>, kind: &'static str, name: &str, at: usize) {
        if let Some((path, line)) = self.claimed.get(&(kind, name.to_owned())) {
            let file = if path == section.path() { String::new() } else { format!(" of {}", path.display()) };
            section.fault(at, format!("{kind} `{name}` is declared twice; first on line {line}{file}"));
            return;
        }
        self.claimed.insert((kind, name.to_owned()), (section.path().to_owned(), section.line(at)));
    }
}

/// Where a file is that a manifest names: its path is relative to the manifest's folder.
fn beside(section: &Section<'_>, file: &str) -> PathBuf {
    section.path().parent().unwrap_or(Path::new("")).join(file)
}

fn optional(section: &Section<'_>, key: &'static str, rule: Rule) -> Option<String> {
    checked(section, section.text(key), key, rule).map(|text| text.value.to_owned())
}

fn checked<'d>(
    section: &Section<'_>,
    text: Option<Located<&'d str>>,
    key: &str,
    rule: Rule,
) -> Option<Located<&'d str>> {
    let text = text?;
    match rule(text.value) {
        Ok(()) => Some(text),
        Err(must) => {
            spelled(section, &text, key, must);
            None
        }
    }
}

fn spelled(section: &Section<'_>, text: &Located<&str>, key: &str, must: &str) {
    let shown: String = text.value.chars().take(80).collect();
    section.fault(text.at, format!("`{key}` {must}: `{}`", shown.escape_debug()));
}

fn networks(section: &Section<'_>, key: &'static str) -> Option<Vec<ipnet::IpNet>> {
    let texts = section.texts(key)?;
    let parsed = texts
        .iter()
        .filter_map(|text| grammar::network(text.value).map_err(|must| spelled(section, text, key, must)).ok());
    Some(parsed.collect())
}

fn tags(section: &Section<'_>) -> BTreeMap<String, String> {
    let entries = section.map("tags");
    if let Some((name, _)) = entries.get(TAGS_MAX) {
        section.fault(name.at, format!("more than {TAGS_MAX} tags"));
    }
    for (name, value) in &entries {
        if let Err(must) = grammar::tag_key(name.value) {
            spelled(section, name, "tags", must);
        }
        if let Err(must) = grammar::tag_value(value) {
            section.fault(name.at, format!("the value of tag `{}` {must}", name.value.escape_debug()));
        }
    }
    entries.into_iter().map(|(name, value)| (name.value.to_owned(), value.to_owned())).collect()
}

#[cfg(test)]
mod tests;
