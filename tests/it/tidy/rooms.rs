//! The invariants that are told as absences: what a part of the house must not know, use or hold.
//! Knows the names by which the forbidden things are spelled, and which files are excepted.

use regex::Regex;

use super::source::{Source, closing_brace};
use super::style::hits;

/// Something that only some places may do.
struct Reserved {
    what: &'static str,
    /// Where the rule holds: a prefix of the path.
    within: &'static str,
    spelled: &'static str,
    /// Prefixes of the paths that may.
    but_for: &'static [&'static str],
}

/// Rules without a list of their own under `tests/fixtures/tidy`.
const RESERVED: &[Reserved] = &[
    Reserved {
        what: "only the clock port reads the time of day",
        within: "",
        spelled: r"\b(SystemTime::now|UtcDateTime::now|OffsetDateTime::now_\w+|Utc::now|Local::now)\b",
        but_for: &["core/src/clock.rs"],
    },
    Reserved {
        what: "only store/ opens a transaction",
        within: "",
        spelled: r"\b(redb::|begin_write\b|begin_read\b)",
        but_for: &["core/src/store/", "core/src/store.rs"],
    },
    Reserved {
        what: "only key/state.rs assigns a key state",
        within: "core/src/",
        spelled: r"\.(key_)?state\s*=[^=>]",
        but_for: &["core/src/key/state.rs", "core/src/store/"],
    },
    Reserved {
        what: "the gateway sees no key record and asks no HSM itself",
        within: "gateway/src/",
        spelled: r"\b(kms_hsm|kms_core::key\b|KeyRecord|Wrapped<)",
        but_for: &[],
    },
    Reserved {
        what: "core never sees an HTTP type",
        within: "core/src/",
        spelled: r"\b(actix_web|actix_http|http::|hyper|rustls|HttpRequest|HttpResponse|HeaderMap|StatusCode)\b",
        but_for: &[],
    },
    Reserved {
        what: "the HSM knows no other crate of the workspace, no ARN and no JSON",
        within: "hsm-actor/src/",
        spelled: r"\b(kms_core|kms_gateway|serde_json|Arn\b)",
        but_for: &[],
    },
    Reserved {
        what: "no handler authorises, audits or checks a state: the pipeline does",
        within: "core/src/operations/",
        spelled: r"\b(authz::decide|decide\(|AuditWriter|audit::|require_state\()",
        but_for: &[],
    },
    Reserved {
        what: "no header of a client is believed about the source",
        within: "gateway/src/",
        spelled: r"(?i)x[-_]forwarded|x[-_]real[-_]ip|realip_remote_addr",
        but_for: &[],
    },
];

/// Rules that no list excepts from.
pub(super) fn reserved(sources: &[Source]) -> Vec<String> {
    RESERVED.iter().flat_map(|rule| broken(rule, sources)).collect()
}

fn broken(rule: &Reserved, sources: &[Source]) -> Vec<String> {
    let spelled = Regex::new(rule.spelled).unwrap();
    let bound = |source: &&Source| {
        source.path.starts_with(rule.within) && !rule.but_for.iter().any(|prefix| source.path.starts_with(prefix))
    };
    let found = sources.iter().filter(bound).flat_map(|source| hits(&spelled, &source.path, &source.shipped));
    found.map(|hit| format!("{hit}: {}", rule.what)).collect()
}

/// Files that use what only listed files may use, and listed files that do not use it any more.
pub(super) fn listed(sources: &[Source], what: &str, spelled: &str, list: &str) -> Vec<String> {
    let spelled = Regex::new(spelled).unwrap();
    let list: Vec<_> = list.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let users = || sources.iter().filter(|source| spelled.is_match(&source.shipped));
    let new = users().filter(|source| !list.contains(&source.path.as_str()));
    let gone = list.iter().filter(|path| users().all(|source| source.path != **path));
    new.map(|source| format!("{}: {what}", source.path))
        .chain(gone.map(|path| format!("{path}: is listed ({what}) and does not use it: take it from the list")))
        .collect()
}

/// Types that hold bytes to be wiped are neither cloned, nor serialised, nor printed by a derived `Debug`.
pub(super) fn secrets(sources: &[Source]) -> Vec<String> {
    sources.iter().filter(|source| source.path.starts_with("hsm-actor/src/")).flat_map(secrets_of).collect()
}

fn secrets_of(source: &Source) -> Vec<String> {
    let item = Regex::new(r"((?:#\[[^\]]*\]\s*)*)(?:pub(?:\([a-z]+\))? )?(?:struct|enum) (\w+)").unwrap();
    let mut found = Vec::new();
    for item in item.captures_iter(&source.shipped) {
        let (attributes, name) = (&item[1], &item[2]);
        let body = body(&source.shipped, item.get(0).unwrap().end());
        if !(body.contains("Zeroizing") || attributes.contains("Zeroize")) {
            continue;
        }
        for copied in ["Clone", "Copy", "Serialize", "Deserialize", "Debug"] {
            let derived = Regex::new(&format!(r"derive\([^)]*\b{copied}\b")).unwrap();
            if derived.is_match(attributes) {
                found.push(format!("{}: {name} holds a secret and derives {copied}", source.path));
            }
        }
        let by_hand = format!(r"impl(?:<[^{{]*>)? (?:\w+::)*(Clone|Copy|Serialize|Display)(?:<[^{{]*>)? for {name}\b");
        if let Some(by_hand) = Regex::new(&by_hand).unwrap().captures(&source.shipped) {
            found.push(format!("{}: {name} holds a secret and implements {}", source.path, &by_hand[1]));
        }
    }
    found
}

/// What an item holds: to its closing brace, or to the semicolon of a tuple or unit.
fn body(code: &str, start: usize) -> &str {
    let end = code[start..].find(['{', ';']).map_or(code.len(), |at| start + at);
    if code[end..].starts_with('{') { &code[start..closing_brace(code, end)] } else { &code[start..end] }
}
