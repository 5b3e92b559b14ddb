//! What a delegated CreateGrant may create, and grants as they are stored.

use std::collections::BTreeMap;

use super::super::grant::{Constraints, ContextConstraint, Grant, Operations, permits_child};
use crate::clock::Timestamp;

fn constraints(context: Option<ContextConstraint>, source_arn: Option<&str>) -> Constraints {
    Constraints { encryption_context: context, source_arn: source_arn.map(Into::into) }
}

fn grant(operations: &[&str], constraints: Constraints) -> Grant {
    Grant {
        id: "0f".into(),
        name: Some("n".into()),
        grantee: "arn:aws:iam::111122223333:role/app".parse().unwrap(),
        retiring: Some("s3.amazonaws.com".parse().unwrap()),
        operations: Operations::from_names(operations.iter().copied()).unwrap(),
        constraints,
        issuing_account: "111122223333".into(),
        created: Timestamp(7),
        consistent: true,
    }
}

fn pairs(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn a_child_has_no_more_operations() {
    let parent = grant(&["Encrypt", "Decrypt", "CreateGrant"], Constraints::default());
    let permits = |names: &[&str]| {
        permits_child(&parent, Operations::from_names(names.iter().copied()).unwrap(), &Constraints::default())
    };
    assert!(permits(&["Encrypt"]) && permits(&["Encrypt", "Decrypt", "CreateGrant"]));
    assert!(!permits(&["Encrypt", "Sign"]));
}

#[test]
fn a_child_is_constrained_at_least_as_strictly() {
    use ContextConstraint::{Equals, Subset};
    let a = || pairs(&[("a", "1")]);
    let ab = || pairs(&[("a", "1"), ("b", "2")]);
    for (parent, child, expected) in [
        (None, None, true),
        (None, Some(Subset(a())), true),
        (Some(Subset(a())), None, false),
        (Some(Subset(a())), Some(Subset(a())), true),
        (Some(Subset(a())), Some(Subset(ab())), true),
        (Some(Subset(ab())), Some(Subset(a())), false),
        (Some(Subset(a())), Some(Equals(ab())), true),
        (Some(Subset(ab())), Some(Equals(a())), false),
        (Some(Equals(a())), Some(Equals(a())), true),
        (Some(Equals(a())), Some(Equals(ab())), false),
        (Some(Equals(a())), Some(Subset(a())), false),
        (Some(Equals(a())), Some(Subset(ab())), false),
    ] {
        let label = format!("{parent:?} {child:?}");
        let parent = grant(&["Encrypt"], constraints(parent, None));
        assert_eq!(permits_child(&parent, parent.operations, &constraints(child, None)), expected, "{label}");
    }
    for (parent, child, expected) in [
        (None, None, true),
        (None, Some("a"), true),
        (Some("a"), None, false),
        (Some("a"), Some("a"), true),
        (Some("a"), Some("b"), false),
    ] {
        let parent = grant(&["Encrypt"], constraints(None, parent));
        assert_eq!(permits_child(&parent, parent.operations, &constraints(None, child)), expected);
    }
}

#[test]
fn operations_have_names() {
    let set = Operations::from_names(["Decrypt", "Decapsulate"]).unwrap();
    assert_eq!(set.names().collect::<Vec<_>>(), ["Decrypt", "Decapsulate"]);
    assert!(set.contains("Decapsulate") && !set.contains("Encapsulate") && !set.contains("DisableKey"));
    assert_eq!(Operations::from_names(["DisableKey"]), None);
    assert!(Operations::default().is_empty() && Operations::default().is_subset_of(set));
}

#[test]
fn grants_survive_storing() {
    let context = Some(ContextConstraint::Subset(pairs(&[("a", "1")])));
    let grant = grant(&["Encrypt"], constraints(context, Some("arn:aws:s3:::b")));
    let json = serde_json::to_string(&grant).unwrap();
    assert_eq!(serde_json::from_str::<Grant>(&json).unwrap(), grant);
    let bytes = postcard::to_allocvec(&grant).unwrap();
    assert_eq!(postcard::from_bytes::<Grant>(&bytes).unwrap(), grant);
}
