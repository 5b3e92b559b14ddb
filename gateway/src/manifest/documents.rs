//! The policy documents of a manifest: read from where they stand, and checked as AWS checks one that is put.
//! Knows sizes, places and which principals are declared; what a document means is `authz`'s.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use kms_core::authz::{Document, Kind, Malformed, PrincipalName};

use super::{Reading, beside};
use crate::toml_file::{self, Located, Roots, Section};

/// The longest policy, in bytes; AWS KMS's limit for the text of a key policy in a request.
const POLICY_BYTES_MAX: u64 = 131_072;
/// The longest key set of an issuer, in bytes.
const JWKS_BYTES_MAX: u64 = 65_536;
const NO_KEY_SET: &str = "not a JSON Web Key Set: it has no list `keys`";
/// IAM and STS quotas: characters of a managed policy, white space not counted.
const MANAGED_CHARACTERS_MAX: usize = 6_144;

/// What a document is to be.
#[derive(Clone, Copy)]
pub(super) enum Wanted {
    Inline,
    Managed,
    Trust,
    Key,
    Endpoint,
    ServiceControl,
    ResourceControl,
}

impl Wanted {
    fn kind(self) -> Kind {
        match self {
            Self::Inline | Self::Managed => Kind::Identity,
            Self::Trust => Kind::Trust,
            Self::Key => Kind::Key,
            Self::Endpoint => Kind::Endpoint,
            Self::ServiceControl => Kind::ServiceControl,
            Self::ResourceControl => Kind::ResourceControl,
        }
    }

    fn characters_max(self) -> usize {
        match self {
            Self::Managed => MANAGED_CHARACTERS_MAX,
            other => other.kind().size_max(),
        }
    }
}

/// Where a document stands: a place in the manifest, or a file of its own, as a whole.
#[derive(Clone)]
struct Place {
    path: PathBuf,
    line: usize,
    column: usize,
}

/// Everyone whom a policy may name, and whom policies name.
#[derive(Default)]
pub(super) struct Principals {
    pub(super) declared: BTreeSet<PrincipalName>,
    /// ARNs of issuers without `arn:` and the partition.
    pub(super) issuers: BTreeSet<String>,
    named: Vec<(Place, PrincipalName)>,
}

impl Principals {
    /// Reports whom policies name and nobody declares. A session's role must be there, and a federated user's account.
    pub(super) fn check(&self, root: &Roots<'_>) {
        let role_names: BTreeSet<(&str, &str)> = self.declared.iter().filter_map(role_name).collect();
        for (place, name) in &self.named {
            let is_there = match name {
                PrincipalName::Session { account, role, .. } => role_names.contains(&(&**account, &**role)),
                PrincipalName::FederatedUser { account, .. } => {
                    self.declared.contains(&PrincipalName::Account(account.clone()))
                }
                // Ids are drawn when their owners are first declared; the region knows them, a manifest does not.
                PrincipalName::Id(_) | PrincipalName::Service(_) | PrincipalName::CanonicalUser(_) => true,
                PrincipalName::Federated(provider) => {
                    let bare = provider.splitn(3, ':').nth(2).unwrap_or_default();
                    !provider.starts_with("arn:") || self.issuers.contains(bare)
                }
                name => self.declared.contains(name),
            };
            if !is_there {
                let message = format!("a statement names {name}, which is not declared");
                root.fault_in(&place.path, place.line, place.column, message);
            }
        }
    }
}

impl Place {
    fn of(section: &Section<'_>, at: usize) -> Self {
        let (line, column) = section.spot(at);
        Self { path: section.path().to_owned(), line, column }
    }

    fn whole(path: PathBuf) -> Self {
        Self { path, line: 0, column: 0 }
    }

    fn fault(&self, section: &Section<'_>, message: String) {
        section.fault_in(&self.path, self.line, self.column, message);
    }
}

impl Reading {
    /// A policy's JSON text, given here or in a file of its own; `None` when neither is there or it is faulty.
    pub(super) fn document(
        &mut self,
        section: &Section<'_>,
        (text_key, file_key): (&'static str, &'static str),
        wanted: Wanted,
    ) -> Option<String> {
        let (text, place) = match (section.text(text_key), section.text(file_key)) {
            (None, None) => return None,
            (Some(inline), None) => (inline_object(section, &inline, text_key)?, Place::of(section, inline.at)),
            (None, Some(file)) => {
                let path = beside(section, file.value);
                (object_in_file(section, &file, &path, POLICY_BYTES_MAX)?, Place::whole(path))
            }
            (Some(_), Some(file)) => {
                section.fault(file.at, format!("`{text_key}` and `{file_key}` exclude each other"));
                return None;
            }
        };
        let (size, size_max) = (wanted.kind().size(&text), wanted.characters_max());
        if size > size_max {
            place.fault(section, Malformed::TooLarge { size, size_max }.to_string());
            return None;
        }
        match Document::parse(&text, wanted.kind()) {
            Ok(document) => {
                // AWS does not ask whether whom an endpoint's policy names is there.
                let names = document.principals().filter(|_| !matches!(wanted, Wanted::Endpoint));
                self.principals.named.extend(names.map(|name| (place.clone(), name.clone())));
                Some(text)
            }
            Err(malformed) => {
                place.fault(section, malformed.to_string());
                None
            }
        }
    }

    /// As `document`; its absence is a fault.
    pub(super) fn required_document(
        &mut self,
        section: &Section<'_>,
        keys: (&'static str, &'static str),
        wanted: Wanted,
    ) -> String {
        let document = self.document(section, keys, wanted);
        let (text_key, file_key) = keys;
        if document.is_none() && section.text(text_key).is_none() && section.text(file_key).is_none() {
            section
                .fault(section.at(), format!("`{text_key}` (JSON text) or `{file_key}` is missing{}", section.place()));
        }
        document.unwrap_or_default()
    }

    /// An issuer's key set, from a file.
    pub(super) fn key_set(&self, section: &Section<'_>, file: &Located<&str>) -> Option<String> {
        let path = beside(section, file.value);
        let text = object_in_file(section, file, &path, JWKS_BYTES_MAX)?;
        if !is_key_set(&text) {
            section.fault_in(&path, 0, 0, NO_KEY_SET);
            return None;
        }
        Some(text)
    }
}

/// An issuer's key set that stands in the manifest.
pub(super) fn inline_key_set(section: &Section<'_>, inline: &Located<&str>) -> Option<String> {
    let text = inline_object(section, inline, "jwks")?;
    if !is_key_set(&text) {
        section.fault(inline.at, NO_KEY_SET);
        return None;
    }
    Some(text)
}

fn is_key_set(text: &str) -> bool {
    let set: Option<serde_json::Value> = serde_json::from_str(text).ok();
    set.is_some_and(|set| set.get("keys").is_some_and(serde_json::Value::is_array))
}

fn role_name(name: &PrincipalName) -> Option<(&str, &str)> {
    match name {
        PrincipalName::Role { account, path_and_name } => Some((account, path_and_name.rsplit('/').next()?)),
        _ => None,
    }
}

fn object_in_file(section: &Section<'_>, file: &Located<&str>, path: &Path, bytes_max: u64) -> Option<String> {
    let text = match toml_file::text_of(path, bytes_max) {
        Ok(text) => text,
        Err(cause) => {
            section.fault(file.at, format!("`{}` cannot be read: {cause}", file.value));
            return None;
        }
    };
    if let Err(wrong) = json_object(&text) {
        section.fault_in(path, wrong.line(), wrong.column(), format!("not a JSON object: {}", bare(&wrong)));
        return None;
    }
    Some(text.as_str().to_owned())
}

fn inline_object(section: &Section<'_>, inline: &Located<&str>, key: &str) -> Option<String> {
    if !u64::try_from(inline.value.len()).is_ok_and(|length| length <= POLICY_BYTES_MAX) {
        section.fault(inline.at, format!("`{key}` is longer than {POLICY_BYTES_MAX} bytes"));
        return None;
    }
    if let Err(wrong) = json_object(inline.value) {
        let line = section.line(inline.at) + usize::from(section.starts_below(inline.at)) + wrong.line();
        let message = format!("`{key}` is not a JSON object: {} on line {}", bare(&wrong), line.saturating_sub(1));
        section.fault(inline.at, message);
        return None;
    }
    Some(inline.value.to_owned())
}

fn json_object(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(text).map(drop)
}

/// The parser's message without its own count of lines, which starts inside the string.
fn bare(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}
