//! Reads every fixture file with `cases` and decides each of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value as Json, json};

use super::super::grant::{Constraints, ContextConstraint, Operations};
use super::super::{
    Decision, Document, Grant, Kind, Layer, Policies, Principal, Question, Reason, Said, decide, endpoint_allows, hear,
};
use super::{facts, folder};
use crate::clock::Timestamp;

#[test]
fn every_case_is_decided_as_written() {
    let (mut cases, mut failures) = (0, Vec::new());
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let file = super::fixture(&name);
        for case in file["cases"].as_array().into_iter().flatten() {
            let case = with_defaults(&file["defaults"], case);
            cases += 1;
            if let Err(failure) = check(&file["documents"], &case) {
                failures.push(format!("{name}: {}: {failure}", case["name"]));
            }
        }
    }
    assert!(cases > 200, "only {cases} cases were found");
    assert!(failures.is_empty(), "{} of {cases}:\n{}", failures.len(), failures.join("\n"));
}

fn with_defaults(defaults: &Json, case: &Json) -> Json {
    let mut merged = defaults.as_object().unwrap().clone();
    merged.extend(case.as_object().unwrap().clone());
    Json::Object(merged)
}

fn check(documents: &Json, case: &Json) -> Result<(), String> {
    const MEMBERS: &str = "name principal role id user action resource resource_account context encryption_context key \
        endpoint identity boundary session scps rcps grants presented cross_account expect by sid index document with \
        denies grant_ids message";
    let unknown =
        case.as_object().unwrap().keys().find(|member| !MEMBERS.split_whitespace().any(|known| known == *member));
    assert_eq!(unknown, None, "unknown member in {case}");
    let decision = answer(documents, case);
    let same = |what: &str, expected: Json, actual: Json| {
        if expected == actual { Ok(()) } else { Err(format!("{what} is {actual}, not {expected}; {decision:?}")) }
    };
    same("verdict", case["expect"].clone(), json!(decision.verdict))?;
    same("layer", case["by"].clone(), json!(decision.decided_by.layer()))?;
    same(
        "with",
        case["with"].clone(),
        decision.together_with.as_ref().map_or(Json::Null, |reason| json!(reason.layer())),
    )
    .or_else(|failure| if case.get("with").is_none() { Ok(()) } else { Err(failure) })?;
    let decided_by = json!(decision.decided_by);
    for member in ["sid", "index", "document"] {
        if let Some(expected) = case.get(member) {
            same(member, expected.clone(), decided_by[member].clone())?;
        }
    }
    for (member, actual) in [("denies", json!(decision.explicit_denies)), ("grant_ids", json!(decision.grants))] {
        if let Some(expected) = case.get(member) {
            same(member, expected.clone(), actual)?;
        }
    }
    let message = decision.message(case["principal"].as_str().unwrap(), text(case, "action"), text(case, "resource"));
    if let Some(expected) = case.get("message") {
        same("message", expected.clone(), json!(message))?;
    }
    same("having a message", json!(!decision.is_allowed()), json!(!message.is_empty()))
}

fn answer(documents: &Json, case: &Json) -> Decision {
    let one = |member: &str, kind| case[member].as_str().map(|name| document(documents, name, kind));
    let list = |names: &Json, kind| -> Vec<Document> {
        names.as_array().into_iter().flatten().map(|name| document(documents, name.as_str().unwrap(), kind)).collect()
    };
    let levels = |member: &str, kind| -> Vec<Vec<Document>> {
        case[member].as_array().into_iter().flatten().map(|level| list(level, kind)).collect()
    };
    let (endpoint, key) = (one("endpoint", Kind::Endpoint), one("key", Kind::Key));
    let (boundary, session) = (one("boundary", Kind::Boundary), one("session", Kind::Session));
    let identity = list(&case["identity"], Kind::Identity);
    let (scps, rcps) = (levels("scps", Kind::ServiceControl), levels("rcps", Kind::ResourceControl));
    let grants: Vec<Grant> = case["grants"].as_array().into_iter().flatten().map(grant).collect();
    let presented: Vec<&str> =
        case["presented"].as_array().into_iter().flatten().map(|id| id.as_str().unwrap()).collect();
    let (principal, facts, context) = (principal(case), facts(&case["context"]), pairs(&case["encryption_context"]));
    let question = Question {
        principal: &principal,
        action: text(case, "action"),
        resource: text(case, "resource"),
        resource_account: case["resource_account"].as_str(),
        encryption_context: context.as_ref(),
        facts: &facts,
    };
    let policies = Policies {
        endpoint: endpoint.as_ref(),
        key: key.as_ref(),
        identity: &identity.iter().collect::<Vec<_>>(),
        boundary: boundary.as_ref(),
        session: session.as_ref(),
        scps: &references(&scps),
        rcps: &references(&rcps),
        grants: &grants.iter().collect::<Vec<_>>(),
        presented: &presented,
        cross_account_allowed: case["cross_account"].as_bool().unwrap_or(false),
    };
    let decision = decide(&question, &policies);
    check_endpoint(&question, &policies, &decision);
    check_hearings(&question, &policies, &decision);
    decision
}

/// What every layer is told to have said fits the decision.
fn check_hearings(question: &Question<'_>, policies: &Policies<'_>, decision: &Decision) {
    let hearings = hear(question, policies);
    let denying: Vec<_> = hearings.iter().filter(|one| matches!(one.said, Said::Denies(_))).collect();
    assert!(
        decision.explicit_denies.iter().eq(denying.iter().map(|one| one.layer)) || denying.len() > 1,
        "{hearings:?}"
    );
    for reason in std::iter::once(&decision.decided_by).chain(&decision.together_with) {
        let of_layer = || hearings.iter().filter(|one| one.layer == reason.layer());
        let told = |said: &Said| match (reason, said) {
            (Reason::Silence { layer: Layer::Key }, _) => true,
            (Reason::Silence { .. }, said) => *said == Said::Silent,
            // Grants are heard by how well they fit, and decided in their order.
            (Reason::Grant { .. }, said) => matches!(said, Said::Allows(Reason::Grant { .. }, _)),
            (Reason::Root { .. }, _) => true,
            (reason, Said::Denies(found) | Said::Allows(found, _)) => found == reason,
            _ => false,
        };
        assert!(of_layer().any(|one| told(&one.said)), "{reason:?} is not among {hearings:?}");
    }
    assert!(hearings.iter().all(|one| one.missed.is_empty() || one.said == Said::Silent));
}

/// The endpoint's layer asked alone never contradicts the whole decision.
fn check_endpoint(question: &Question<'_>, policies: &Policies<'_>, decision: &Decision) {
    let Some(endpoint) = policies.endpoint else { return };
    let alone = endpoint_allows(question, endpoint, policies.boundary.is_some());
    assert!(alone.is_ok() || !decision.is_allowed(), "{question:?}");
    if decision.decided_by.layer() == super::super::Layer::Endpoint {
        assert_eq!(alone.as_ref(), Err(&decision.decided_by));
    }
    assert!(!matches!(alone, Ok(Reason::Silence { .. })));
}

fn references(levels: &[Vec<Document>]) -> Vec<Vec<&Document>> {
    levels.iter().map(|level| level.iter().collect()).collect()
}

fn document(documents: &Json, name: &str, kind: Kind) -> Document {
    let text = documents.get(name).unwrap_or_else(|| panic!("no document {name}")).to_string();
    Document::parse(&text, kind).unwrap_or_else(|error| panic!("{name}: {error}")).named(name)
}

fn principal(case: &Json) -> Principal {
    let owned = |member: &str| case[member].as_str().map(str::to_owned);
    let arn = text(case, "principal");
    match Principal::parse_arn(arn, "aws").unwrap_or_else(|| Principal::Service { name: arn.to_owned() }) {
        Principal::User { account, path_and_name, .. } => Principal::User { account, path_and_name, id: owned("id") },
        Principal::AssumedRole { account, role_path_and_name, session, .. } => Principal::AssumedRole {
            account,
            role_path_and_name: owned("role").unwrap_or(role_path_and_name),
            role_id: owned("id"),
            session,
        },
        Principal::FederatedUser { account, name, .. } => {
            Principal::FederatedUser { account, name, user: owned("user") }
        }
        other => other,
    }
}

fn grant(json: &Json) -> Grant {
    let name = |member: &str| json[member].as_str().map(|name| name.parse().unwrap());
    let constraints = &json["Constraints"];
    let equals = pairs(&constraints["EncryptionContextEquals"]).map(ContextConstraint::Equals);
    let subset = pairs(&constraints["EncryptionContextSubset"]).map(ContextConstraint::Subset);
    let operations = json["Operations"].as_array().unwrap().iter().map(|name| name.as_str().unwrap());
    Grant {
        id: Arc::from(text(json, "GrantId")),
        name: None,
        grantee: name("GranteePrincipal").or_else(|| name("GranteeServicePrincipal")).unwrap(),
        retiring: name("RetiringPrincipal"),
        operations: Operations::from_names(operations).unwrap(),
        constraints: Constraints {
            encryption_context: equals.or(subset),
            source_arn: constraints["SourceArn"].as_str().map(str::to_owned),
        },
        issuing_account: "111122223333".to_owned(),
        created: Timestamp(0),
        consistent: json["consistent"].as_bool().unwrap_or(true),
    }
}

fn pairs(json: &Json) -> Option<BTreeMap<String, String>> {
    let members = json.as_object()?.iter();
    Some(members.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect())
}

fn text<'a>(json: &'a Json, member: &str) -> &'a str {
    json[member].as_str().unwrap_or_else(|| panic!("no {member} in {json}"))
}
