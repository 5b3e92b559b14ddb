//! Claims pack and unpack; what is no claims is refused.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use proptest::prelude::*;

use super::*;

fn claims(policy: &str, tag: &str) -> SessionClaims {
    SessionClaims {
        role: "arn:aws:iam::111122223333:role/path/reader".to_owned(),
        role_id: "AROAEXAMPLE".to_owned(),
        name: "session".to_owned(),
        policies: vec![policy.to_owned()],
        tags: BTreeMap::from([("env".to_owned(), tag.to_owned())]),
        transitive_tag_keys: BTreeSet::new(),
        source_identity: None,
        federated_provider: None,
    }
}

proptest! {
    #[test]
    fn packed_claims_read_back(policy in ".{0,200}", tag in ".{0,200}") {
        let claims = claims(&policy, &tag);
        prop_assert_eq!(SessionClaims::unpacked(&claims.packed().unwrap()), Some(claims));
    }

    #[test]
    fn no_bytes_panic(bytes: Vec<u8>) {
        SessionClaims::unpacked(&bytes);
    }
}

#[test]
fn what_is_too_much_for_a_token_is_said_in_percent() {
    let error = claims(&"x".repeat(5000), "").packed().unwrap_err();
    assert_eq!(error.code(), "PackedPolicyTooLarge");
    assert_eq!(error.message(), "Packed size of session policy and tags consumes 124% of allotted space.");
    assert_eq!(claims("", "").packed_percent(), 2);
}

#[test]
fn access_key_ids_are_those_of_sessions() {
    let id = access_key_id("6f2a");
    assert_eq!((id.len(), id.starts_with("ASIA")), (20, true));
    assert!(id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()));
    assert_ne!(id, access_key_id("6f2b"));
}
