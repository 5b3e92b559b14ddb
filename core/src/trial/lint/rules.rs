//! Suspicious statements, and documents that as a whole cannot be meant.
//! Knows actions by name, kinds of document and what each is for; conditions are looked at in `conditions`.

use super::conditions::{mixed_account, variable};
use super::statement::Statement;
use super::{Finding, Severity, Whole, warning};
use crate::authz::{Kind, action_matches};
use crate::model::OPERATIONS;

/// As far as a misspelt name may be from the one that is meant.
const NEAR: f64 = 0.82;

pub(super) fn findings(document: &Whole<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for statement in &document.statements {
        actions(document, statement, &mut findings);
        resources(document, statement, &mut findings);
        principals(document, statement, &mut findings);
    }
    covered(document, &mut findings);
    findings.extend(whole(document));
    findings
}

/// The one of `names` that is spelled most like `written`, if any is much like it.
pub(super) fn nearest<'n>(written: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let lower = written.to_ascii_lowercase();
    let scored = names.map(|name| (strsim::jaro_winkler(&lower, &name.to_ascii_lowercase()), name));
    let best = scored.filter(|(score, _)| *score > NEAR).max_by(|a, b| a.0.total_cmp(&b.0));
    best.map(|(_, name)| name)
}

fn known_actions() -> impl Iterator<Item = String> {
    OPERATIONS.iter().flat_map(|operation| operation.actions()).map(|name| format!("kms:{name}"))
}

fn actions(document: &Whole<'_>, statement: &Statement<'_>, findings: &mut Vec<Finding>) {
    for action in &statement.actions {
        let mut say = |rule, message: String| findings.push(warning(action.line, statement.index, rule, message));
        let text = action.text.as_ref();
        let lower = text.to_ascii_lowercase();
        let of_kms = lower.starts_with("kms:");
        if of_kms && !known_actions().any(|known| action_matches(text, &known)) {
            let names: Vec<String> = known_actions().collect();
            let meant = nearest(text, names.iter().map(String::as_str));
            let meant = match meant {
                _ if lower == "kms:reencrypt" => "; ReEncrypt takes kms:ReEncryptFrom and kms:ReEncryptTo".to_owned(),
                Some(meant) => format!("; is `{meant}` meant?"),
                None => String::new(),
            };
            say("unknown-action", format!("KMS has no action `{text}`{meant}"));
        }
        if document.kind == Kind::Key && !of_kms && text != "*" {
            say("other-service", format!("a key policy decides on KMS alone: `{text}` has no effect"));
        }
        if matches!(document.kind, Kind::Key | Kind::ResourceControl) && lower == "kms:retiregrant" {
            say("retire-grant", "kms:RetireGrant has effect in IAM policies only".to_owned());
        }
    }
    if statement.not_action && !statement.denies {
        let message = "Allow with NotAction allows everything else, also actions that AWS adds later";
        findings.push(warning(statement.line, statement.index, "allow-not-action", message));
    }
}

fn resources(document: &Whole<'_>, statement: &Statement<'_>, findings: &mut Vec<Finding>) {
    if document.kind == Kind::Key && !(statement.has_action && statement.has_resource) {
        let lacking = if statement.has_action { "Resource" } else { "Action" };
        let message = format!("the statement lacks {lacking}: it is accepted and has no effect");
        findings.push(warning(statement.line, statement.index, "no-effect", message));
    }
    if statement.not_resource && !statement.denies {
        let message = "Allow with NotResource allows every other resource, also those made later";
        findings.push(warning(statement.line, statement.index, "allow-not-resource", message));
    }
    // A key's operations are decided on the key's ARN, whatever named it.
    let on_alias = |action: &str| {
        ["kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias"].iter().any(|name| action_matches(action, name))
    };
    let about_aliases = statement.not_action || statement.actions.iter().any(|action| on_alias(&action.text));
    for resource in &statement.resources {
        let mut say = |rule, message: String| findings.push(warning(resource.line, statement.index, rule, message));
        let text = resource.text.as_ref();
        if !document.variables && text.contains("${") {
            say("variable-without-version", variable(text));
        }
        if text.contains(":alias/") && !about_aliases {
            say(
                "alias-as-resource",
                format!(
                    "requests on keys are decided on the key's ARN, so that `{text}` matches none of them; kms:RequestAlias or kms:ResourceAliases tell aliases"
                ),
            );
        }
        if document.kind == Kind::Key && text != "*" {
            say(
                "key-policy-resource",
                format!(
                    "a key policy speaks of its own key, which `*` means: `{text}` has effect only if it is that key's ARN"
                ),
            );
        }
        if mixed_account(text) {
            say("account-with-wildcard", format!("the account in `{text}` is neither an id nor a wildcard alone"));
        }
    }
}

fn principals(document: &Whole<'_>, statement: &Statement<'_>, findings: &mut Vec<Finding>) {
    let mut say =
        |rule, message: String| findings.push(warning(statement.principal_line, statement.index, rule, message));
    if statement.not_principal && statement.denies {
        say("not-principal", "a caller escapes only if its account, its role and its session are all listed, and never with a permissions boundary; a condition on aws:PrincipalArn is what is usually meant".to_owned());
    }
    let Some(names) = &statement.principal else { return };
    if statement.denies || document.kind == Kind::ResourceControl {
        return;
    }
    if document.kind == Kind::Key && statement.conditions.is_empty() && names.iter().any(|name| name == "*") {
        say("everyone", "every principal of every AWS account is let in by this key policy".to_owned());
    }
    let guards = ["aws:SourceArn", "aws:SourceAccount", "aws:SourceOrgID", "aws:SourceOrgPaths"];
    let guarded = statement.conditions.iter().any(|one| guards.iter().any(|guard| one.is_key(guard)));
    if document.kind != Kind::Trust && !guarded && names.iter().any(|name| name.starts_with("Service:")) {
        say(
            "confused-deputy",
            "a service may be made to act for a stranger: add aws:SourceArn or aws:SourceAccount".to_owned(),
        );
    }
}

/// Statements that a Deny without conditions leaves nothing to do.
fn covered(document: &Whole<'_>, findings: &mut Vec<Finding>) {
    let everyone = |one: &Statement<'_>| {
        !one.not_principal && one.principal.as_ref().is_none_or(|names| names.iter().any(|name| name == "*"))
    };
    let everywhere =
        |one: &Statement<'_>| !one.not_resource && one.resources.iter().any(|resource| resource.text == "*");
    let total = |one: &&Statement<'_>| {
        one.denies && !one.not_action && one.conditions.is_empty() && everyone(one) && everywhere(one)
    };
    for deny in document.statements.iter().filter(total) {
        for other in document.statements.iter().filter(|other| other.index != deny.index && !other.not_action) {
            let stopped = |action: &str| deny.actions.iter().any(|pattern| covers(&pattern.text, action));
            if other.actions.is_empty() || !other.actions.iter().all(|action| stopped(&action.text)) {
                continue;
            }
            // Of two that cover each other the later one is superfluous.
            if other.denies && total(&other) && other.index < deny.index {
                continue;
            }
            let (rule, message) = if other.denies {
                ("unreachable-deny", format!("statement {} denies all of this already", deny.index))
            } else {
                ("never-allows", format!("statement {} denies all that this allows", deny.index))
            };
            findings.push(warning(other.line, other.index, rule, message));
        }
    }
}

/// Whether every KMS action that `narrow` matches is one of `wide`'s.
fn covers(wide: &str, narrow: &str) -> bool {
    if wide == "*" || wide.eq_ignore_ascii_case(narrow) {
        return true;
    }
    let mut meant = known_actions().filter(|action| action_matches(narrow, action)).peekable();
    narrow != "*" && meant.peek().is_some() && meant.all(|action| action_matches(wide, &action))
}

fn whole(document: &Whole<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if document.statements.is_empty() {
        return findings;
    }
    let mut say = |rule, message: &str| {
        findings.push(Finding {
            line: 1,
            statement: None,
            severity: Severity::Warning,
            rule,
            message: message.to_owned(),
        });
    };
    let only_denies = document.statements.iter().all(|statement| statement.denies);
    match document.kind {
        Kind::Endpoint if only_denies => say(
            "only-denies",
            "an endpoint policy of Denies alone allows nothing: every call through the endpoint is refused",
        ),
        Kind::Boundary | Kind::Session if only_denies => {
            say("only-denies", "without an Allow this leaves nothing of what others allow")
        }
        Kind::Key => {
            let puts =
                |one: &&Statement<'_>| one.has_action && one.has_resource && matches_action(one, "kms:PutKeyPolicy");
            let to_people = |one: &Statement<'_>| {
                one.principal.iter().flatten().any(|name| name == "*" || name.starts_with("AWS:"))
            };
            let lets = document.statements.iter().filter(puts).any(|one| !one.denies && to_people(one));
            let shut = document.statements.iter().filter(puts).any(|one| {
                one.denies && one.conditions.is_empty() && one.principal.iter().flatten().any(|name| name == "*")
            });
            if !lets || shut {
                say(
                    "locks-out",
                    "nobody may change this key policy any more: no statement lets anyone call kms:PutKeyPolicy",
                );
            }
            let delegates =
                |one: &Statement<'_>| !one.denies && one.principal.iter().flatten().any(|name| is_account(name));
            if lets && !document.statements.iter().any(delegates) {
                say(
                    "no-delegation",
                    "no statement names an account: identity policies have no effect on this key, and once the principals that are named are deleted nobody can change it",
                );
            }
        }
        _ => {}
    }
    findings
}

fn matches_action(statement: &Statement<'_>, action: &str) -> bool {
    statement.actions.iter().any(|pattern| action_matches(&pattern.text, action)) != statement.not_action
}

fn is_account(name: &str) -> bool {
    let Some(name) = name.strip_prefix("AWS:") else { return name == "*" };
    name.ends_with(":root") || name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_digit())
}
