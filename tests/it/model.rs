//! The API model and what is generated from it: `core/src/model/generated.rs` must be what the fixtures give.
//! `UPDATE=1 cargo test -p kms-tests --test it model` writes it anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

mod limits;

/// Outputs leave these lists out where they do not apply, instead of showing them empty.
const LEFT_OUT: &[&str] = &["Algorithms", "ReplicaTags"];

#[test]
fn generated_is_what_the_model_gives() {
    let path = clone().join("core/src/model/generated.rs");
    let generated = Model::load().generated();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &generated).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap_or_default();
    let differs = committed.lines().zip(generated.lines()).position(|(a, b)| a != b);
    assert!(
        committed == generated,
        "{} is not what the model gives, first at line {differs:?}; UPDATE=1 writes it",
        path.display()
    );
}

#[test]
fn model_carries_no_documentation() {
    let text = fs::read_to_string(fixture("kms.json")).unwrap();
    assert!(!text.contains("\"documentation\""));
    assert!(!text.contains("<p>"));
}

#[test]
fn facts_cover_every_operation() {
    let model = Model::load();
    let named: BTreeSet<&String> = model.operations().keys().collect();
    let known: BTreeSet<&String> = model.facts["operations"].as_object().unwrap().keys().collect();
    assert_eq!(named, known);
    for (name, facts) in model.facts["operations"].as_object().unwrap() {
        let input = &model.shape(model.operations()[name]["input"]["shape"].as_str().unwrap())["members"];
        assert_eq!(facts.get("page").is_some(), input.get("Limit").is_some(), "{name}");
        assert!(!facts["permissions"].as_array().unwrap().is_empty(), "{name}");
        for member in facts["accepts_alias"].as_array().unwrap() {
            assert!(input.get(member.as_str().unwrap()).is_some(), "{name} {member}");
        }
    }
}

#[test]
fn names_are_split_into_words() {
    assert_eq!(snake("AWSAccountId"), "aws_account_id");
    assert_eq!(snake("CloudHsmClusterId"), "cloud_hsm_cluster_id");
    assert_eq!(variant("ECC_SECG_P256K1"), "EccSecgP256k1");
    assert_eq!(variant("GenerateDataKeyWithoutPlaintext"), "GenerateDataKeyWithoutPlaintext");
}

fn clone() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/model").join(name)
}

struct Model {
    model: Value,
    facts: Value,
}

/// Where a structure is used.
#[derive(Clone, Copy, Default)]
struct Uses {
    input: bool,
    output: bool,
}

impl Model {
    fn load() -> Self {
        let read = |name| serde_json::from_str(&fs::read_to_string(fixture(name)).unwrap()).unwrap();
        Self { model: read("kms.json"), facts: read("facts.json") }
    }

    fn operations(&self) -> &serde_json::Map<String, Value> {
        self.model["operations"].as_object().unwrap()
    }

    fn shapes(&self) -> &serde_json::Map<String, Value> {
        self.model["shapes"].as_object().unwrap()
    }

    fn shape(&self, name: &str) -> &Value {
        &self.model["shapes"][name]
    }

    fn generated(&self) -> String {
        let uses = self.uses();
        let mut out = String::from(HEADER);
        self.rules(&uses, &mut out);
        for (name, shape) in self.shapes() {
            if let Some(names) = shape["enum"].as_array() {
                out.push_str(&enumeration(name, names));
            }
        }
        for (name, uses) in &uses {
            self.structure(name, *uses, &mut out);
        }
        self.error_codes(&mut out);
        self.operation_rows(&mut out);
        out
    }

    /// The structures that inputs and outputs reach.
    fn uses(&self) -> BTreeMap<String, Uses> {
        let mut uses = BTreeMap::new();
        for operation in self.operations().values() {
            self.mark(operation["input"]["shape"].as_str(), &mut uses, |uses| &mut uses.input);
            self.mark(operation["output"]["shape"].as_str(), &mut uses, |uses| &mut uses.output);
        }
        uses
    }

    fn mark(&self, name: Option<&str>, uses: &mut BTreeMap<String, Uses>, on: fn(&mut Uses) -> &mut bool) {
        let Some(name) = name else { return };
        let shape = self.shape(name);
        match shape["type"].as_str() {
            Some("list") => self.mark(shape["member"]["shape"].as_str(), uses, on),
            Some("structure") if !std::mem::replace(on(uses.entry(name.to_owned()).or_default()), true) => {
                for member in shape["members"].as_object().unwrap().values() {
                    self.mark(member["shape"].as_str(), uses, on);
                }
            }
            _ => {}
        }
    }

    /// The rules of the shapes that inputs hold.
    fn rules(&self, uses: &BTreeMap<String, Uses>, out: &mut String) {
        let mut needed = BTreeSet::new();
        for (name, _) in uses.iter().filter(|(_, uses)| uses.input) {
            for member in self.shape(name)["members"].as_object().unwrap().values() {
                let shape = member["shape"].as_str().unwrap();
                needed.insert(shape);
                needed.extend(self.shape(shape)["member"]["shape"].as_str());
            }
        }
        let mut patterns = Vec::new();
        for name in needed {
            let constraints = self.constraints(name);
            if constraints.is_empty() {
                continue;
            }
            let shape = self.shape(name);
            if let Some(pattern) = shape["pattern"].as_str() {
                out.push_str(&format!("static {}_PATTERN: Pattern = Pattern::new({pattern:?});\n", screaming(name)));
                patterns.push(format!("&{}_PATTERN", screaming(name)));
            }
            out.push_str(&format!("static {}: Rule = &[{}];\n", screaming(name), constraints.join(", ")));
        }
        let patterns = patterns.join(", ");
        out.push_str(&format!("#[cfg(test)]\npub(super) static PATTERNS: &[&Pattern] = &[{patterns}];\n"));
    }

    fn constraints(&self, name: &str) -> Vec<String> {
        let shape = self.shape(name);
        let kind = if shape["type"] == "integer" { "Value" } else { "Length" };
        let mut constraints = Vec::new();
        constraints.extend(shape["max"].as_i64().map(|max| format!("{kind}Max({max})")));
        constraints.extend(shape["min"].as_i64().map(|min| format!("{kind}Min({min})")));
        constraints.extend(shape["pattern"].as_str().map(|_| format!("Matches(&{}_PATTERN)", screaming(name))));
        if let Some(names) = shape["enum"].as_array() {
            constraints.push(format!("OneOf({:?})", self.set(name, names).join(", ")));
        }
        if let Some(member) = shape["member"]["shape"].as_str().filter(|member| !self.constraints(member).is_empty()) {
            constraints.push(format!("Each({})", screaming(member)));
        }
        constraints
    }

    /// The names of an enum in the order in which AWS was seen to print them, newer ones after.
    fn set<'a>(&'a self, enumeration: &str, names: &'a [Value]) -> Vec<&'a str> {
        let text = |value: &'a Value| value.as_str().unwrap();
        let seen = self.facts["enum_set_order"][enumeration].as_array();
        let mut set: Vec<&str> = seen.map(|seen| seen.iter().map(text).collect()).unwrap_or_default();
        assert!(set.iter().all(|seen| names.iter().any(|name| name == seen)), "{enumeration}");
        set.extend(names.iter().map(text).filter(|name| !set.contains(name)).collect::<Vec<_>>());
        set
    }

    fn structure(&self, name: &str, uses: Uses, out: &mut String) {
        let shape = self.shape(name);
        let is = |end| self.operations().values().any(|operation| operation[end]["shape"] == *name);
        let row = match (is("input"), is("output"), uses.input, uses.output) {
            (true, false, true, false) => "request",
            (false, true, false, true) => "response",
            (false, false, true, false) => "input",
            (false, false, false, true) => "output",
            (false, false, true, true) => "shared",
            _ => panic!("{name} is used in a way that no row describes"),
        };
        let mut derives = vec!["Debug"];
        if uses.output || row == "input" && !self.required(name) {
            derives.push("Default");
        }
        if !self.secret(name) {
            derives.extend(["Clone", "PartialEq", "Eq"]);
        }
        let answers = if row == "request" { format!(" [{}]", self.answers(name)) } else { String::new() };
        out.push_str(&format!("\n{row}! {{ #[derive({})] {name}{answers} {{\n", derives.join(", ")));
        for (member, target) in shape["members"].as_object().unwrap() {
            let target = target["shape"].as_str().unwrap();
            let kind = self.kind(shape, member, target, uses);
            let rule = if self.constraints(target).is_empty() { "FREE".to_owned() } else { screaming(target) };
            let rule = if uses.input { format!(" = {rule}") } else { String::new() };
            out.push_str(&format!("    {member:?} {}: {kind} {}{rule};\n", snake(member), self.rust_type(target)));
        }
        out.push_str("} }\n");
    }

    fn required(&self, name: &str) -> bool {
        self.shape(name)["required"].as_array().is_some_and(|required| !required.is_empty())
    }

    fn kind(&self, structure: &Value, member: &str, target: &str, uses: Uses) -> &'static str {
        let list = self.shape(target)["type"] == "list";
        let left_out = LEFT_OUT.iter().any(|end| member.ends_with(end));
        if structure["required"].as_array().is_some_and(|required| required.iter().any(|name| name == member)) {
            "must"
        } else if target == "BooleanType" || list && !(uses.output && left_out) {
            "or_default"
        } else {
            "may"
        }
    }

    fn rust_type(&self, name: &str) -> String {
        let shape = self.shape(name);
        let sensitive = shape["sensitive"] == true;
        match shape["type"].as_str().unwrap() {
            "string" if shape.get("enum").is_some() => name.to_owned(),
            "string" if sensitive => "SecretText".to_owned(),
            "string" => "String".to_owned(),
            "blob" if sensitive => "Plaintext".to_owned(),
            "blob" => "Blob".to_owned(),
            "boolean" => "bool".to_owned(),
            "integer" => "i32".to_owned(),
            "timestamp" => "Timestamp".to_owned(),
            "map" => "BTreeMap<String, String>".to_owned(),
            "list" => format!("Vec<{}>", self.rust_type(shape["member"]["shape"].as_str().unwrap())),
            "structure" => name.to_owned(),
            other => panic!("{name} is a {other}, which no type is given for"),
        }
    }

    fn secret(&self, name: &str) -> bool {
        let shape = self.shape(name);
        shape["sensitive"] == true
            || shape["member"]["shape"].as_str().is_some_and(|member| self.secret(member))
            || shape["members"]
                .as_object()
                .is_some_and(|members| members.values().any(|member| self.secret(member["shape"].as_str().unwrap())))
    }

    /// The accessors of `Request` that this input has members for.
    fn answers(&self, name: &str) -> String {
        let shape = self.shape(name);
        let required = |member| self.kind(shape, member, "", Uses::default()) == "must";
        let answers = [
            ("KeyId", if required("KeyId") { "key_id" } else { "optional_key_id" }),
            ("DryRun", "dry_run"),
            ("GrantTokens", "grant_tokens"),
            ("EncryptionContext", "encryption_context"),
            ("Recipient", "recipient"),
            ("Limit", "limit"),
            ("Marker", "marker"),
        ];
        let has = |member| shape["members"].get(member).is_some();
        let answers: Vec<&str> = answers.into_iter().filter(|(member, _)| has(*member)).map(|(_, row)| row).collect();
        answers.join(" ")
    }

    fn error_codes(&self, out: &mut String) {
        let mut codes: BTreeMap<String, u64> = BTreeMap::new();
        for (name, shape) in self.shapes().iter().filter(|(_, shape)| shape["exception"] == true) {
            codes.insert(name.clone(), if shape["fault"] == true { 500 } else { 400 });
        }
        for (name, status) in self.facts["framework_errors"].as_object().unwrap() {
            assert!(codes.insert(name.clone(), status.as_u64().unwrap()).is_none(), "{name} is in the model");
        }
        let rows: Vec<String> = codes.iter().map(|(name, status)| format!("    {name} {status},\n")).collect();
        out.push_str(&format!("\nerror_codes! {{\n{}}}\n", rows.concat()));
    }

    fn operation_rows(&self, out: &mut String) {
        out.push_str("\noperations! {\n");
        for (name, operation) in self.operations() {
            let input = operation["input"]["shape"].as_str().unwrap();
            let output = operation["output"]["shape"].as_str().unwrap_or("Empty");
            let page = &self.facts["operations"][name]["page"];
            let page =
                page.as_object().map(|page| format!(" ({}, {})", page["default"], page["max"])).unwrap_or_default();
            let errors = operation["errors"].as_array().unwrap();
            let errors: Vec<&str> = errors.iter().map(|error| error["shape"].as_str().unwrap()).collect();
            let grants = self.grants(name).join(" ");
            // GenerateRandom, which uses no account's resource, says neither yes nor no.
            let across = self.facts["operations"][name]["cross_account"].as_bool().unwrap_or(false);
            out.push_str(&format!(
                "    {name}({input} => {output}) [{grants}] {across}{page} {{\n        {}\n    }}\n",
                errors.join(" ")
            ));
        }
        out.push_str("}\n");
    }

    /// What a grant must allow for an operation: its own name, but for ReEncrypt, which is two.
    fn grants(&self, operation: &str) -> Vec<&str> {
        let names = self.shape("GrantOperation")["enum"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
        names.filter(|name| *name == operation || operation == "ReEncrypt" && name.starts_with("ReEncrypt")).collect()
    }
}

const HEADER: &str = "//! Written by the test `model` from the API model, and not by hand: `UPDATE=1 cargo test -p kms-tests --test it model`.
//! What a row means stands in `shape`; what a rule means, in `constraint`.

use std::collections::BTreeMap;

use kms_hsm::Plaintext;
use serde::ser::SerializeMap as _;
use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::audited::{Audited, show, shown};
use super::constraint::Constraint::{Each, LengthMax, LengthMin, Matches, OneOf, ValueMax, ValueMin};
use super::constraint::{At, Constraint, Pattern, Rule, Violations};
use super::field::{AsField, Field, Fields};
use super::read::{Draft, Member, Members, body, may, must, once, or_default, skip};
use super::scalar::{Scalar, name_breaks};
use super::value::{Blob, SecretText, UnknownName};
use super::write::{Encode, Sink, encode, member};
use super::{Empty, Invalid, OperationModel, Page, Request, Response};
use crate::clock::Timestamp;

static FREE: Rule = &[];
";

fn enumeration(name: &str, names: &[Value]) -> String {
    let row = |name: &Value| format!("    {} = {name},\n", variant(name.as_str().unwrap()));
    format!("\nenumeration! {{ {name} {{\n{}}} }}\n", names.iter().map(row).collect::<String>())
}

/// `AWSAccountId` is `aws_account_id`.
fn snake(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut out = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let after_lower = at > 0 && !letters[at - 1].is_uppercase();
        let before_lower = letters.get(at + 1).is_some_and(|next| next.is_lowercase());
        if letter.is_uppercase() && at > 0 && (after_lower || before_lower) {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

fn screaming(name: &str) -> String {
    snake(name).to_uppercase()
}

/// `ECC_NIST_P256` is `EccNistP256`; names in camel case stay; `Self` is a word of Rust's.
fn variant(name: &str) -> String {
    if name.chars().any(char::is_lowercase) {
        return name.to_owned();
    }
    let word = |word: &str| format!("{}{}", &word[..1], word[1..].to_lowercase());
    let joined: String = name.split('_').map(word).collect();
    if joined == "Self" { "SelfAccount".to_owned() } else { joined }
}
