//! Who else than a listener may say where a request comes from: balancers in front, and keys that attest.
//! Knows the tables `listen.balancer` and `attestation` and what they must not say; believes nobody itself.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;

use crate::attestation::{Algorithm, Trusted};
use crate::listener::{Asserts, Balancer, Listener, PUBLIC, Role};
use crate::manifest::grammar;
use crate::toml_file::{Located, Section};

/// The balancers of `[listen]`, each with the address at which it finds the service.
pub(super) fn balancers(listen: &Section<'_>) -> Vec<Listener> {
    let mut names = BTreeSet::new();
    listen.sections("balancer").iter().filter_map(|section| balancer(section, &mut names)).collect()
}

/// The keys that may attest. `balancers` are those of the same file.
pub(super) fn attestations(root: &Section<'_>, folder: &Path, balancers: &[Listener]) -> Vec<Trusted> {
    let mut names = BTreeSet::new();
    let sections = root.sections("attestation");
    sections.iter().filter_map(|section| attestation(section, folder, balancers, &mut names)).collect()
}

fn balancer(section: &Section<'_>, names: &mut BTreeSet<String>) -> Option<Listener> {
    let name = name(section, names);
    let address = section.required("address");
    let address = address.and_then(|text| super::parsed(section, text, "address"));
    let from = networks(section);
    let (listed, fixed) = (endpoints(section), section.text("endpoint"));
    let fixed = fixed.and_then(|text| endpoint(section, &text, "endpoint"));
    let asserts = match (listed, fixed) {
        (Some(listed), None) => Some(Asserts::Listed(listed)),
        (None, Some(fixed)) => Some(Asserts::Fixed(fixed)),
        _ => {
            section.fault(section.at(), "one of `endpoint` and `endpoints` must be set in [listen.balancer]");
            None
        }
    };
    let role = Role::Balancer(Arc::new(Balancer { name: name?, from, asserts: asserts? }));
    Some(Listener { address: address?, role })
}

fn attestation(
    section: &Section<'_>,
    folder: &Path,
    balancers: &[Listener],
    names: &mut BTreeSet<String>,
) -> Option<Trusted> {
    let name = name(section, names);
    let key = section.required("key").map(|key| folder.join(key.value));
    let algorithm = section.required("algorithm").and_then(|text| match text.value {
        "ES256" => Some(Algorithm::Es256),
        "EdDSA" => Some(Algorithm::EdDsa),
        _ => {
            section.fault(text.at, "`algorithm` must be ES256 or EdDSA");
            None
        }
    });
    section.require("endpoints");
    let endpoints = endpoints(section).unwrap_or_default();
    let from = networks(section);
    let listeners = match section.texts("listeners") {
        None => vec![PUBLIC.to_owned()],
        Some(listed) => {
            listed.iter().for_each(|text| listener(section, text, balancers));
            listed.iter().map(|text| text.value.to_owned()).collect()
        }
    };
    Some(Trusted { name: name?, key: key?, algorithm: algorithm?, endpoints, from, listeners })
}

/// An endpoint's id cannot be checked here: endpoints come and go while the service runs.
fn listener(section: &Section<'_>, text: &Located<&str>, balancers: &[Listener]) {
    let is_balancer = || balancers.iter().any(|known| known.role.name() == text.value);
    if text.value != PUBLIC && grammar::endpoint_id(text.value).is_err() && !is_balancer() {
        let message = format!("`listeners` may hold \"{PUBLIC}\", endpoints' ids and balancers' names");
        section.fault(text.at, message);
    }
}

fn name(section: &Section<'_>, names: &mut BTreeSet<String>) -> Option<Arc<str>> {
    let text = section.required("name")?;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_name = (1..=64).contains(&text.value.len()) && text.value.bytes().all(is_plain);
    if !is_name || text.value == PUBLIC || text.value.starts_with("vpce-") {
        let message = "`name` must be of 1 to 64 of a-z, 0-9 and -, neither \"public\" nor like an endpoint's id";
        section.fault(text.at, message);
    } else if !names.insert(text.value.to_owned()) {
        section.fault(text.at, format!("`name`: there is another {}", text.value));
    }
    Some(text.value.into())
}

fn networks(section: &Section<'_>) -> Vec<IpNet> {
    section.require("from");
    let texts = section.texts("from").unwrap_or_default();
    let network = |text: &Located<&str>| {
        grammar::network(text.value).map_err(|wrong| section.fault(text.at, format!("`from` {wrong}"))).ok()
    };
    texts.iter().filter_map(network).collect()
}

fn endpoints(section: &Section<'_>) -> Option<Vec<Arc<str>>> {
    let texts = section.texts("endpoints")?;
    Some(texts.iter().filter_map(|text| endpoint(section, text, "endpoints")).collect())
}

fn endpoint(section: &Section<'_>, text: &Located<&str>, key: &str) -> Option<Arc<str>> {
    let id = grammar::endpoint_id(text.value).map(|()| text.value.into());
    id.map_err(|wrong| section.fault(text.at, format!("`{key}` {wrong}"))).ok()
}
