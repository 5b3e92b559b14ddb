//! Suspicious conditions: keys that are not there, operators that do not fit, values that cannot match.
//! Knows operators and keys by name; what a condition evaluates to is `authz`'s.

use super::keys;
use super::rules::nearest;
use super::statement::{Condition, Statement};
use super::{Finding, Whole, warning};
use crate::authz::Kind;

/// Characters that must stand beside a wildcard for it to say something (VPC endpoint policies are linted so).
const BESIDE_WILDCARD_CHARS_MIN: usize = 6;

pub(super) fn findings(document: &Whole<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for statement in &document.statements {
        for condition in &statement.conditions {
            let mut say =
                |rule, message: String| findings.push(warning(condition.line, statement.index, rule, message));
            known(condition, &mut say);
            set_operator(statement, condition, &mut say);
            values(document, condition, &mut say);
            present(document, statement, condition, &mut say);
        }
    }
    findings
}

type Say<'s> = dyn FnMut(&'static str, String) + 's;

fn known(condition: &Condition<'_>, say: &mut Say<'_>) {
    let name = &condition.key;
    if keys::find(name).is_some() || !keys::is_ours(name) {
        return;
    }
    let meant = nearest(name, keys::names()).map_or_else(String::new, |meant| format!("; is `{meant}` meant?"));
    say("unknown-key", format!("no request has a condition key `{name}`{meant}"));
}

fn set_operator(statement: &Statement<'_>, condition: &Condition<'_>, say: &mut Say<'_>) {
    let Some(key) = keys::find(&condition.key) else { return };
    let name = &condition.key;
    match condition.set {
        "" if key.many && condition.operator != "Null" => say(
            "needs-set-operator",
            format!(
                "`{name}` holds many values: without ForAnyValue or ForAllValues the condition never holds while it is there"
            ),
        ),
        "ForAllValues" if !key.many => {
            say("for-all-values", format!("`{name}` holds one value, and ForAllValues also holds where it is absent"));
        }
        "ForAllValues" if !statement.denies && !guarded(statement, name) => say(
            "for-all-values-absent",
            format!(
                "ForAllValues also holds where `{name}` is absent or empty; add `\"Null\": {{\"{name}\": \"false\"}}`"
            ),
        ),
        _ => {}
    }
}

/// Whether the same statement asks that the key be there.
fn guarded(statement: &Statement<'_>, name: &str) -> bool {
    let there = |one: &Condition<'_>| {
        one.operator == "Null" && one.is_key(name) && one.values.iter().any(|value| value.text == "false")
    };
    statement.conditions.iter().any(there)
}

fn values(document: &Whole<'_>, condition: &Condition<'_>, say: &mut Say<'_>) {
    let (operator, name) = (condition.operator.as_str(), &condition.key);
    let is_id = keys::find(name).is_some_and(|key| key.id);
    if is_id && operator.starts_with("Numeric") {
        say("numeric-on-id", format!("`{name}` is an id, not a number: use a string operator"));
    }
    for value in &condition.values {
        let text = value.text.as_ref();
        let plain = if document.variables { without_variables(text) } else { text.to_owned() };
        let wild = plain.contains(['*', '?']);
        if !document.variables && text.contains("${") {
            say("variable-without-version", variable(text));
        }
        if wild
            && matches!(
                operator,
                "StringEquals" | "StringNotEquals" | "StringEqualsIgnoreCase" | "StringNotEqualsIgnoreCase"
            )
        {
            say(
                "wildcard-is-literal",
                format!("{operator} takes the wildcard in `{text}` literally; StringLike would not"),
            );
        }
        if wild && is_id && operator.starts_with("String") {
            say(
                "wildcard-in-id",
                format!("`{name}` is an id made by AWS: a wildcard in `{text}` matches ids of others, too"),
            );
        } else if document.kind == Kind::Endpoint && operator.starts_with("String") && too_wild(&plain) {
            say(
                "short-wildcard",
                format!("fewer than {BESIDE_WILDCARD_CHARS_MIN} characters stand beside a wildcard in `{text}`"),
            );
        }
        if operator.starts_with("Arn") && mixed_account(text) {
            say("account-with-wildcard", format!("the account in `{text}` is neither an id nor a wildcard alone"));
        }
        if !readable(operator, text) {
            say(
                "unreadable-value",
                format!("{operator} cannot read `{text}`: the statement never allows and always denies"),
            );
        }
    }
}

/// What the kind of document, or another condition, makes of the key's being there.
fn present(document: &Whole<'_>, statement: &Statement<'_>, condition: &Condition<'_>, say: &mut Say<'_>) {
    let outcome = if condition.holds_without_key() { "always holds" } else { "never holds" };
    if condition.operator == "Null" {
        return;
    }
    if condition.is_key("aws:SourceIp") {
        if document.kind == Kind::Endpoint {
            say(
                "source-ip-behind-endpoint",
                format!("behind an endpoint aws:SourceIp is absent, so that this {outcome}; aws:VpcSourceIp is there"),
            );
        } else if statement.denies && condition.holds_without_key() && !condition.if_exists {
            say(
                "source-ip-behind-endpoint",
                "behind an endpoint, and for calls that a service makes, aws:SourceIp is absent, and this Deny applies"
                    .to_owned(),
            );
        }
    }
    if condition.is_key("kms:ResourceAliases") && document.kind == Kind::Key {
        say(
            "aliases-in-key-policy",
            format!("kms:ResourceAliases is for IAM policies: in a key policy this {outcome}"),
        );
    }
    let account = document.kind == Kind::Key && condition.is_key("kms:RequestAlias");
    if account && statement.denies && condition.holds_without_key() && !condition.if_exists {
        say(
            "alias-not-used",
            "a request that names the key by its ARN has no kms:RequestAlias, and this Deny applies".to_owned(),
        );
    }
}

pub(super) fn variable(text: &str) -> String {
    format!("`{text}` is taken literally: variables are expanded only with \"Version\": \"2012-10-17\"")
}

fn without_variables(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        plain.push_str(before);
        // A variable stands for text of some length.
        plain.push_str("variable");
        rest = after.split_once('}').map_or("", |(_, after)| after);
    }
    plain + rest
}

fn too_wild(text: &str) -> bool {
    let pieces: Vec<&str> = text.split(['*', '?']).collect();
    text != "*"
        && pieces.windows(2).any(|pair| pair.iter().all(|piece| piece.chars().count() < BESIDE_WILDCARD_CHARS_MIN))
}

pub(super) fn mixed_account(arn: &str) -> bool {
    let account = arn.split(':').nth(4).unwrap_or_default();
    account.contains(['*', '?']) && !matches!(account, "*" | "?") && !account.contains("${")
}

fn readable(operator: &str, text: &str) -> bool {
    if operator.starts_with("Numeric") {
        return text.parse::<f64>().is_ok();
    }
    match operator {
        "Bool" | "Null" => {
            text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false") || text.contains("${")
        }
        "IpAddress" | "NotIpAddress" => {
            text.parse::<ipnet::IpNet>().is_ok() || text.parse::<std::net::IpAddr>().is_ok()
        }
        _ => true,
    }
}
