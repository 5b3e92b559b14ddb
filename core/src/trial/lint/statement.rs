//! One statement as text with lines, read generously: what AWS would refuse is found elsewhere.
//! Knows the elements of a statement; must not know what they mean.

use serde_json::value::RawValue;

use super::Quoted;
use crate::trial::quote::{Members, Quote};

#[derive(Debug)]
pub(super) struct Statement<'t> {
    pub(super) index: usize,
    pub(super) line: usize,
    pub(super) denies: bool,
    /// The names under `Principal`, as `AWS:...`; `*` is `*`.
    pub(super) principal: Option<Vec<String>>,
    pub(super) principal_line: usize,
    pub(super) not_principal: bool,
    pub(super) actions: Vec<Quoted<'t>>,
    pub(super) not_action: bool,
    pub(super) has_action: bool,
    pub(super) resources: Vec<Quoted<'t>>,
    pub(super) not_resource: bool,
    pub(super) has_resource: bool,
    pub(super) conditions: Vec<Condition<'t>>,
}

/// One key under one operator.
#[derive(Debug)]
pub(super) struct Condition<'t> {
    pub(super) line: usize,
    /// `ForAllValues`, `ForAnyValue` or nothing.
    pub(super) set: &'static str,
    /// Without set operator and IfExists.
    pub(super) operator: String,
    pub(super) if_exists: bool,
    pub(super) key: String,
    pub(super) values: Vec<Quoted<'t>>,
}

impl Condition<'_> {
    /// Whether it holds while the key is absent.
    pub(super) fn holds_without_key(&self) -> bool {
        let negated = self.operator.contains("Not");
        match self.set {
            "ForAllValues" => true,
            "ForAnyValue" => self.if_exists,
            _ => self.if_exists || negated,
        }
    }

    pub(super) fn is_key(&self, name: &str) -> bool {
        self.key.eq_ignore_ascii_case(name)
    }
}

impl<'t> Statement<'t> {
    /// `None` when it is no object.
    pub(super) fn read(document: &'t str, index: usize, quote: Quote<'t>) -> Option<Self> {
        let members = Members::of(document, quote.text)?;
        let mut statement = Self {
            index,
            line: quote.line,
            denies: false,
            principal: None,
            principal_line: quote.line,
            not_principal: false,
            actions: Vec::new(),
            not_action: false,
            has_action: false,
            resources: Vec::new(),
            not_resource: false,
            has_resource: false,
            conditions: Vec::new(),
        };
        for (name, value) in members.0 {
            match name.as_str() {
                "Effect" => statement.denies = value.text == "\"Deny\"",
                "Principal" | "NotPrincipal" => {
                    statement.not_principal |= name == "NotPrincipal";
                    statement.principal_line = value.line;
                    let names = principals(document, value);
                    statement.principal = if name == "Principal" { Some(names) } else { statement.principal };
                }
                "Action" | "NotAction" => {
                    statement.has_action = true;
                    statement.not_action |= name == "NotAction";
                    statement.actions.extend(texts(document, value));
                }
                "Resource" | "NotResource" => {
                    statement.has_resource = true;
                    statement.not_resource |= name == "NotResource";
                    statement.resources.extend(texts(document, value));
                }
                "Condition" => statement.conditions = conditions(document, value),
                _ => {}
            }
        }
        Some(statement)
    }
}

/// The texts of a list, or the one that stands for a list; booleans and numbers as they are written.
fn texts<'t>(document: &str, value: Quote<'t>) -> Vec<Quoted<'t>> {
    if value.text.starts_with('[') {
        let items: Vec<&'t RawValue> = serde_json::from_str(value.text).unwrap_or_default();
        return items.into_iter().map(|item| quoted(Quote::within(document, item.get()))).collect();
    }
    vec![quoted(value)]
}

fn quoted(value: Quote<'_>) -> Quoted<'_> {
    let text: Option<String> = value.text.starts_with('"').then(|| serde_json::from_str(value.text).ok()).flatten();
    Quoted { text: text.map_or(value.text.into(), Into::into), line: value.line }
}

fn principals(document: &str, value: Quote<'_>) -> Vec<String> {
    match Members::of(document, value.text) {
        None => texts(document, value).into_iter().map(|one| one.text.into_owned()).collect(),
        Some(members) => {
            let of = |(kind, value): (String, Quote<'_>)| {
                let names = texts(document, value).into_iter();
                let named = move |one: Quoted<'_>| {
                    if one.text == "*" { "*".to_owned() } else { format!("{kind}:{}", one.text) }
                };
                names.map(named).collect::<Vec<_>>()
            };
            members.0.into_iter().flat_map(of).collect()
        }
    }
}

fn conditions<'t>(document: &str, value: Quote<'t>) -> Vec<Condition<'t>> {
    let mut conditions = Vec::new();
    let Some(operators) = Members::of(document, value.text) else { return conditions };
    for (name, block) in operators.0 {
        let (set, rest) = match (name.strip_prefix("ForAllValues:"), name.strip_prefix("ForAnyValue:")) {
            (Some(rest), _) => ("ForAllValues", rest),
            (_, Some(rest)) => ("ForAnyValue", rest),
            _ => ("", name.as_str()),
        };
        let (operator, if_exists) = rest.strip_suffix("IfExists").map_or((rest, false), |bare| (bare, true));
        for (key, values) in Members::of(document, block.text).map(|members| members.0).unwrap_or_default() {
            let (operator, line) = (operator.to_owned(), values.line);
            conditions.push(Condition { line, set, operator, if_exists, key, values: texts(document, values) });
        }
    }
    conditions
}
