//! Reads a fixture file of `policy test`: TOML in, `kms_core::trial::suite::Suite` out, or everything that is wrong with it.
//! Knows the format and which settings it has; must not know what a policy or a condition key means.

use std::collections::BTreeMap;
use std::path::Path;

use kms_core::trial::suite::{
    Answer, Caller, Context, Endpoint, Expected, Grant, Key, Node, Organization, Request, Source, Suite, Tags, Target,
    Texts, Vpc,
};

use crate::toml_file::{self, Faults, Given, Located, Section};

/// The longest fixture file, in bytes, and the longest document that it names.
const BYTES_MAX: u64 = 8 << 20;
/// Requests that one row may stand for.
const ROW_REQUESTS_MAX: usize = 10_000;

/// Reads the fixture in `path` and the documents that it names (relative to its folder).
///
/// # Errors
/// Everything that is wrong, each with file, line and column.
pub fn load(path: &Path) -> Result<Suite, Faults> {
    let text = toml_file::text_of(path, BYTES_MAX).map_err(|cause| Faults::unreadable(path, &cause))?;
    parse(path, &text)
}

/// As `load`, from a text that came from `path`.
///
/// # Errors
/// As `load`.
pub fn parse(path: &Path, text: &str) -> Result<Suite, Faults> {
    toml_file::read(path, text, |root| {
        let _ = root.text("about");
        let reading = Reading { path };
        Suite {
            region: string(root, "region").unwrap_or_default(),
            now: string(root, "now").unwrap_or_default(),
            documents: root.sections("document").iter().map(|section| reading.document(section)).collect(),
            organizations: root.sections("organization").iter().map(organization).collect(),
            vpcs: root.sections("vpc").iter().map(vpc).collect(),
            endpoints: root.sections("endpoint").iter().map(endpoint).collect(),
            keys: root.sections("key").iter().map(key).collect(),
            callers: root.sections("caller").iter().map(caller).collect(),
            requests: root.sections("request").iter().flat_map(|section| reading.requests(section)).collect(),
        }
    })
}

struct Reading<'p> {
    path: &'p Path,
}

impl Reading<'_> {
    fn document(&self, section: &Section<'_>) -> Source {
        let name = required(section, "name");
        let file = self.path.display().to_string();
        match (section.text("json"), section.text("file")) {
            (Some(inline), None) => {
                let line = section.line(inline.at) + usize::from(section.starts_below(inline.at));
                Source { name, text: inline.value.to_owned(), file, line }
            }
            (None, Some(named)) => {
                let path = self.path.parent().unwrap_or(Path::new("")).join(named.value);
                let text = toml_file::text_of(&path, BYTES_MAX).map_err(|cause| {
                    section.fault(named.at, format!("`{}` cannot be read: {cause}", named.value));
                });
                let text = text.map(|text| text.as_str().to_owned()).unwrap_or_default();
                Source { name, text, file: path.display().to_string(), line: 1 }
            }
            (_, other) => {
                let at = other.map_or(section.at(), |file| file.at);
                section.fault(at, "a document needs either `json` (its text) or `file`");
                Source { name, ..Source::default() }
            }
        }
    }

    /// A row stands for every combination of the callers, actions, targets and endpoints that it lists.
    fn requests(&self, section: &Section<'_>) -> Vec<Request> {
        let place = format!("{}:{}", self.path.display(), section.line(section.at()));
        let callers = several(section, "caller");
        let actions = several(section, "action");
        if callers.is_empty() || actions.is_empty() {
            section.require("caller");
            section.require("action");
        }
        let targets = targets(section);
        let endpoints = several(section, "endpoint");
        let endpoints: Vec<_> =
            if endpoints.is_empty() { vec![None] } else { endpoints.into_iter().map(Some).collect() };
        let row = Request {
            name: string(section, "name").unwrap_or_default(),
            place,
            source_ip: string(section, "source_ip"),
            encryption_context: pairs(section, "encryption_context"),
            grant_tokens: strings(section, "grant_tokens").unwrap_or_default(),
            context: context(section),
            expect: expected(section),
            ..Request::default()
        };
        let combinations = callers.len() * actions.len() * targets.len() * endpoints.len();
        if combinations > ROW_REQUESTS_MAX {
            section.fault(section.at(), format!("the row stands for more than {ROW_REQUESTS_MAX} requests"));
            return Vec::new();
        }
        let mut requests = Vec::with_capacity(combinations);
        for caller in &callers {
            for action in &actions {
                for target in &targets {
                    for endpoint in &endpoints {
                        let mut one = Request {
                            caller: caller.clone(),
                            action: action.clone(),
                            target: target.clone(),
                            endpoint: endpoint.clone(),
                            ..row.clone()
                        };
                        one.name = title(&one, combinations > 1);
                        requests.push(one);
                    }
                }
            }
        }
        requests
    }
}

/// The row's name, with what tells the request from the row's others; without a name, the request itself.
fn title(request: &Request, one_of_many: bool) -> String {
    if !request.name.is_empty() && !one_of_many {
        return request.name.clone();
    }
    let target = match &request.target {
        Target::Nothing => String::new(),
        Target::Key(name) | Target::Alias(name) | Target::Arn(name) => format!(" on {name}"),
    };
    let through = request.endpoint.as_ref().map(|name| format!(" through {name}")).unwrap_or_default();
    let said = format!("{}: {}{target}{through}", request.caller, request.action);
    if request.name.is_empty() { said } else { format!("{} ({said})", request.name) }
}

fn targets(section: &Section<'_>) -> Vec<Target> {
    let keys = several(section, "key").into_iter().map(Target::Key);
    let aliases = several(section, "alias").into_iter().map(Target::Alias);
    let resource = |text: String| if text == "*" { Target::Nothing } else { Target::Arn(text) };
    let resources = several(section, "resource").into_iter().map(resource);
    let all: Vec<_> = keys.chain(aliases).chain(resources).collect();
    if all.is_empty() { vec![Target::Nothing] } else { all }
}

fn expected(section: &Section<'_>) -> Expected {
    let decision = section.required("expect").and_then(|text| {
        let answer = Answer::parse(text.value);
        if answer.is_none() {
            section.fault(text.at, "`expect` must be Allowed, ImplicitlyDenied, ExplicitlyDenied or Denied");
        }
        answer
    });
    let layer = section.text("by").map(|text| {
        if !kms_core::authz::Layer::ALL.iter().any(|layer| layer.as_str() == text.value) {
            let all = kms_core::authz::Layer::ALL.map(kms_core::authz::Layer::as_str).join(", ");
            section.fault(text.at, format!("`by` must be one of {all}"));
        }
        text.value.to_owned()
    });
    Expected {
        decision: decision.unwrap_or_default(),
        layer,
        document: string(section, "document"),
        statement: string(section, "statement"),
        message: string(section, "message"),
    }
}

fn organization(section: &Section<'_>) -> Organization {
    let root = section.section("root");
    section.require("root");
    let mut nodes: Vec<Node> = root.iter().map(|root| node(root, None)).collect();
    let above = nodes.first().map(|root| root.id.clone());
    nodes.extend(section.sections("unit").iter().map(|unit| node(unit, above.clone())));
    nodes.extend(section.sections("account").iter().map(|account| node(account, above.clone())));
    Organization { id: required(section, "id"), management_account: string(section, "management_account"), nodes }
}

fn node(section: &Section<'_>, parent: Option<String>) -> Node {
    let parent = if parent.is_some() { string(section, "parent").or(parent) } else { None };
    Node { id: required(section, "id"), parent, scps: strings(section, "scps"), rcps: strings(section, "rcps") }
}

fn vpc(section: &Section<'_>) -> Vpc {
    Vpc { id: required(section, "id"), account: required(section, "account"), tags: tags(section) }
}

fn endpoint(section: &Section<'_>) -> Endpoint {
    let id = required(section, "id");
    Endpoint {
        name: string(section, "name").unwrap_or_else(|| id.clone()),
        vpc: required(section, "vpc"),
        account: string(section, "account"),
        policy: string(section, "policy"),
        tags: tags(section),
        id,
    }
}

fn key(section: &Section<'_>) -> Key {
    let arn = required(section, "arn");
    Key {
        name: string(section, "name").unwrap_or_else(|| arn.clone()),
        policy: string(section, "policy"),
        aliases: strings(section, "aliases").unwrap_or_default(),
        tags: tags(section),
        spec: string(section, "spec"),
        usage: string(section, "usage"),
        origin: string(section, "origin"),
        multi_region: string(section, "multi_region"),
        grants: section.sections("grant").iter().map(grant).collect(),
        arn,
    }
}

fn grant(section: &Section<'_>) -> Grant {
    Grant {
        id: required(section, "id"),
        grantee: required(section, "grantee"),
        retiring: string(section, "retiring"),
        operations: strings(section, "operations").unwrap_or_default(),
        context_equals: pairs(section, "encryption_context_equals"),
        context_subset: pairs(section, "encryption_context_subset"),
        source_arn: string(section, "source_arn"),
        issuing_account: string(section, "issuing_account"),
        token: string(section, "token"),
        fresh: section.flag("consistent") == Some(false),
    }
}

fn caller(section: &Section<'_>) -> Caller {
    let arn = required(section, "arn");
    Caller {
        name: string(section, "name").unwrap_or_else(|| arn.clone()),
        behind: string(section, "behind"),
        id: string(section, "id"),
        tags: tags(section),
        policies: strings(section, "policies").unwrap_or_default(),
        boundary: string(section, "boundary"),
        session_policy: string(section, "session_policy"),
        context: context(section),
        arn,
    }
}

fn tags(section: &Section<'_>) -> Tags {
    pairs(section, "tags").unwrap_or_default()
}

/// Condition keys by hand; `false` under `absent` names those to take away.
fn context(section: &Section<'_>) -> Context {
    let given = section.given("context").into_iter().map(|(name, given)| {
        let value = match given {
            Given::One(text) => Texts::One(text),
            Given::Many(texts) => Texts::Many(texts),
        };
        (name.value.to_owned(), Some(value))
    });
    let absent = strings(section, "absent").unwrap_or_default().into_iter().map(|name| (name, None));
    given.chain(absent).collect()
}

fn pairs(section: &Section<'_>, key: &'static str) -> Option<BTreeMap<String, String>> {
    let given = section.has(key);
    let pairs = section.map(key).into_iter().map(|(name, value)| (name.value.to_owned(), value.to_owned())).collect();
    given.then_some(pairs)
}

fn required(section: &Section<'_>, key: &'static str) -> String {
    section.required(key).map(|text| text.value.to_owned()).unwrap_or_default()
}

fn string(section: &Section<'_>, key: &'static str) -> Option<String> {
    section.text(key).map(|text| text.value.to_owned())
}

fn strings(section: &Section<'_>, key: &'static str) -> Option<Vec<String>> {
    let texts = section.texts(key)?;
    Some(texts.into_iter().map(|text: Located<&str>| text.value.to_owned()).collect())
}

/// One text, or a list of them; none when absent.
fn several(section: &Section<'_>, key: &'static str) -> Vec<String> {
    match section.one_or_more(key) {
        Some(Given::One(text)) => vec![text],
        Some(Given::Many(texts)) => texts,
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Suite, String> {
        parse(Path::new("a.toml"), text).map_err(|faults| faults.to_string())
    }

    #[test]
    fn a_row_stands_for_each_combination() {
        let suite = read("[[request]]\ncaller = [\"a\", \"b\"]\naction = \"kms:Encrypt\"\nkey = [\"k\", \"l\"]\nalias = \"alias/x\"\nexpect = \"Denied\"\n").unwrap();
        let names: Vec<_> = suite.requests.iter().map(|request| request.name.as_str()).collect();
        assert_eq!(names.len(), 6);
        assert_eq!(names[0], "a: kms:Encrypt on k");
        assert_eq!(suite.requests[5].target, Target::Alias("alias/x".into()));
    }

    #[test]
    fn context_values_are_texts_lists_flags_and_numbers() {
        let row = "[[request]]\ncaller = \"a\"\naction = \"kms:X\"\nexpect = \"Allowed\"\nabsent = [\"aws:CurrentTime\"]\ncontext = { \"a:b\" = true, \"a:c\" = 7, \"a:d\" = [\"x\"], \"a:e\" = \"y\" }\n";
        let suite = read(row).unwrap();
        let one = |text: &str| Some(Texts::One(text.to_owned()));
        let mut context = suite.requests[0].context.clone();
        context.sort_by(|a, b| a.0.cmp(&b.0));
        let expected = [
            ("a:b", one("true")),
            ("a:c", one("7")),
            ("a:d", Some(Texts::Many(vec!["x".into()]))),
            ("a:e", one("y")),
            ("aws:CurrentTime", None),
        ];
        assert_eq!(context, expected.map(|(name, value)| (name.to_owned(), value)));
    }

    #[test]
    fn what_is_wrong_has_its_place() {
        let wrong = read(
            "[[document]]\nname = \"d\"\n[[request]]\ncaller = \"a\"\nexpect = \"Maybe\"\nby = \"me\"\ntypo = 1\n",
        )
        .unwrap_err();
        for part in [
            "a.toml:1:1: a document needs",
            "`action` is missing",
            "a.toml:5:10: `expect` must be",
            "`by` must be one of scp",
            "unknown setting `typo`",
        ] {
            assert!(wrong.contains(part), "{part}: {wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(\\[\\[(request|key|caller)\\]\\]\n)?([a-z]{1,8} = [\"{}a-z=,\\[\\]0-9 ]{0,20}\n){0,4}") {
            let _ = read(&text);
        }
    }
}
