//! `policy decide`: the shapes that a line may have, and that it says what the evaluator says.

use serde_json::{Value as Json, json};

use super::super::Decider;

const KEY: &str = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const ANA: &str = "arn:aws:iam::111122223333:user/ana";

fn answer(case: &Json) -> Json {
    let mut out = Vec::new();
    Decider::default().answer(case.to_string().as_bytes(), &mut out);
    serde_json::from_slice(&out).unwrap()
}

fn with(case: &Json, changes: Json) -> Json {
    let mut case = case.clone();
    for (pointer, value) in changes.as_object().unwrap() {
        match pointer.rsplit_once('/') {
            Some((parent, member)) => case.pointer_mut(parent).unwrap()[member] = value.clone(),
            None => panic!("{pointer}"),
        }
    }
    case
}

fn allow(action: &str) -> Json {
    json!({ "Version": "2012-10-17", "Statement": [{ "Sid": "Yes", "Effect": "Allow", "Action": action, "Resource": "*" }] })
}

fn everyone(effect: &str, action: &str) -> Json {
    json!({ "Statement": [{ "Effect": effect, "Principal": "*", "Action": action, "Resource": "*" }] })
}

/// Every layer allows; the key policy delegates.
fn full() -> Json {
    json!({
        "id": "case-1",
        "request": { "principal": ANA, "action": "kms:Encrypt", "resource": KEY, "resource_account": "111122223333",
            "context": { "aws:SourceVpce": "vpce-1", "aws:PrincipalOrgPaths": ["o-1/r-1/"], "aws:SecureTransport": true } },
        "identity_policies": [allow("s3:*"), allow("kms:*")],
        "resource_policy": { "Statement": { "Effect": "Allow", "Principal": { "AWS": "111122223333" }, "Action": "kms:*", "Resource": "*" } },
        "vpc_endpoint_policy": everyone("Allow", "*"),
        "session_policy": null,
        "permissions_boundary": allow("*"),
        "scps": [[allow("*")], [allow("kms:*")]],
        "rcps": [[everyone("Allow", "*")]],
    })
}

#[test]
fn an_answer_names_the_documents_place() {
    assert_eq!(
        answer(&full()),
        json!({ "id": "case-1", "decision": "Allowed", "explicit_denies": [], "decided_by": {
            "layer": "identity", "document": "identity_policies[1]", "sid": "Yes", "index": 0,
            "together_with": { "layer": "resource", "document": "resource_policy", "index": 0 } } })
    );
    let denied = with(
        &full(),
        json!({ "/rcps": [[], [everyone("Allow", "*"), everyone("Deny", "kms:*")]], "/session_policy": {
        "Statement": { "Effect": "Deny", "Action": "kms:*", "Resource": "*" } } }),
    );
    assert_eq!(
        answer(&denied),
        json!({ "id": "case-1", "decision": "ExplicitlyDenied", "explicit_denies": ["rcp", "session"],
            "decided_by": { "layer": "rcp", "document": "rcps[1][1]", "index": 0 } })
    );
}

#[test]
fn each_layer_has_its_say() {
    for (change, decision, layer) in [
        (json!({ "/vpc_endpoint_policy": everyone("Allow", "s3:*") }), "ImplicitlyDenied", "vpce"),
        (json!({ "/vpc_endpoint_policy": everyone("Deny", "kms:*") }), "ExplicitlyDenied", "vpce"),
        (json!({ "/vpc_endpoint_policy": null }), "Allowed", "identity"),
        (json!({ "/scps": [[allow("*")], []] }), "ImplicitlyDenied", "scp"),
        (json!({ "/scps": null, "/rcps": null }), "Allowed", "identity"),
        (json!({ "/permissions_boundary": allow("s3:*") }), "ImplicitlyDenied", "boundary"),
        (json!({ "/session_policy": allow("s3:*") }), "ImplicitlyDenied", "session"),
        (json!({ "/identity_policies": [] }), "ImplicitlyDenied", "identity"),
        (json!({ "/resource_policy": null }), "ImplicitlyDenied", "resource"),
        (json!({ "/resource_policy": everyone("Allow", "kms:*"), "/identity_policies": null }), "Allowed", "resource"),
        (json!({ "/resource_policy": everyone("Allow", "kms:*").to_string() }), "Allowed", "resource"),
        (json!({ "/request/action": "KMS:encrypt" }), "Allowed", "identity"),
        (
            json!({ "/request/principal": "arn:aws:iam::111122223333:root", "/identity_policies": [] }),
            "Allowed",
            "identity",
        ),
        (json!({ "/request/principal": "s3.amazonaws.com" }), "ImplicitlyDenied", "resource"),
        (
            json!({ "/request/resource": "arn:aws:kms:us-east-1:111122223333:alias/a", "/request/action": "kms:CreateAlias" }),
            "Allowed",
            "identity",
        ),
        (json!({ "/request/resource": "*", "/request/action": "kms:CreateKey" }), "Allowed", "identity"),
    ] {
        let answer = answer(&with(&full(), change.clone()));
        assert_eq!(
            (&answer["decision"], &answer["decided_by"]["layer"]),
            (&json!(decision), &json!(layer)),
            "{change}"
        );
    }
}

#[test]
fn only_some_operations_reach_another_accounts_key() {
    let foreign = with(
        &full(),
        json!({ "/request/principal": "arn:aws:iam::444455556666:user/bo", "/resource_policy": everyone("Allow", "kms:*") }),
    );
    for (action, allowed) in [
        ("kms:Encrypt", true),
        ("kms:reencryptto", true),
        ("kms:Sign", true),
        ("kms:GetKeyRotationStatus", true),
        ("kms:RevokeGrant", true),
        ("kms:DisableKey", false),
        ("kms:ReplicateKey", false),
        ("kms:Unheard", false),
    ] {
        let answer = answer(&with(&foreign, json!({ "/request/action": action })));
        assert_eq!(answer["decision"] == "Allowed", allowed, "{action}: {answer}");
    }
    let unsaid = with(&foreign, json!({ "/request/action": "kms:DisableKey", "/request/resource_account": null }));
    assert_eq!(answer(&unsaid)["decision"], "ImplicitlyDenied", "the ARN names the account");
}

#[test]
fn grants_are_read_as_they_are_listed() {
    let owner = json!({ "Statement": { "Effect": "Allow", "Principal": { "AWS": "777788889999" }, "Action": "kms:*", "Resource": "*" } });
    let grant = json!({ "KeyId": KEY, "GrantId": "0f", "Name": "n", "CreationDate": "2026-01-01T00:00:00Z", "GranteePrincipal": ANA,
        "IssuingAccount": "arn:aws:iam::111122223333:root", "Operations": ["Encrypt", "RetireGrant"],
        "Constraints": { "EncryptionContextSubset": { "app": "a" } }, "GrantToken": "tok" });
    let case = with(
        &full(),
        json!({ "/resource_policy": owner, "/identity_policies": [], "/grants": [grant],
        "/request/encryption_context": { "app": "a", "b": "c" } }),
    );
    assert_eq!(answer(&case)["decided_by"], json!({ "layer": "grant", "grant": "0f" }));
    for (change, allowed) in [
        (json!({ "/request/encryption_context": { "App": "a" } }), false),
        (
            json!({ "/request/encryption_context": null, "/request/context": { "kms:EncryptionContext:app": "a" } }),
            true,
        ),
        (json!({ "/grants/0/consistent": false }), false),
        (json!({ "/grants/0/consistent": false, "/grant_tokens": ["tok"] }), true),
        (json!({ "/grants/0/consistent": false, "/grant_tokens": ["other"] }), false),
        (json!({ "/grants/0/KeyId": "arn:aws:kms:us-east-1:111122223333:key/another" }), false),
        (json!({ "/grants/0/KeyId": "1234abcd-12ab-34cd-56ef-1234567890ab" }), true),
        (json!({ "/request/action": "kms:Decrypt" }), false),
        (json!({ "/request/action": "kms:RetireGrant" }), true),
        (json!({ "/request/action": "kms:RetireGrant", "/grants/0/Operations": ["Encrypt"] }), false),
    ] {
        let answer = answer(&with(&case, change.clone()));
        assert_eq!(answer["decision"] == "Allowed", allowed, "{change}: {answer}");
    }
}

#[test]
fn sessions_are_known_by_their_role() {
    let session = with(
        &full(),
        json!({ "/request/principal": "arn:aws:sts::111122223333:assumed-role/App/s", "/identity_policies": [] }),
    );
    let named = |arn: &str| json!({ "Statement": { "Effect": "Allow", "Principal": { "AWS": arn }, "Action": "kms:*", "Resource": "*" } });
    let known = json!({ "aws:userid": "AROAEXAMPLEEXAMPLE01:s", "aws:PrincipalArn": "arn:aws:iam::111122223333:role/team/App" });
    for (principal, context, allowed) in [
        ("arn:aws:iam::111122223333:role/App", json!({}), true),
        ("arn:aws:iam::111122223333:role/team/App", json!({}), true),
        ("arn:aws:iam::111122223333:role/Other", json!({}), false),
        ("arn:aws:iam::111122223333:role/team/App", known.clone(), true),
        ("arn:aws:iam::111122223333:role/App", known.clone(), false),
        ("AROAEXAMPLEEXAMPLE01", known, true),
        ("AROAEXAMPLEEXAMPLE01", json!({}), false),
    ] {
        let case = with(&session, json!({ "/resource_policy": named(principal), "/request/context": context }));
        assert_eq!(answer(&case)["decision"] == "Allowed", allowed, "{case}");
    }
    let federated = with(
        &full(),
        json!({ "/request/principal": "arn:aws:sts::111122223333:federated-user/bo", "/identity_policies": [],
        "/resource_policy": named("arn:aws:sts::111122223333:federated-user/bo") }),
    );
    assert_eq!(answer(&federated)["decision"], "Allowed");
}

#[test]
fn what_is_wrong_with_a_line_is_its_answer() {
    let of = |text: &str| {
        let mut out = Vec::new();
        assert!(!Decider::default().answer(text.as_bytes(), &mut out), "{text}");
        serde_json::from_slice::<Json>(&out).unwrap()
    };
    assert_eq!(of("{")["id"], Json::Null);
    assert_eq!(of(r#"{"id": 7, "request": 1}"#)["id"], 7);
    for (change, error) in [
        (json!({ "/resource_policy": { "Statement": [] } }), "resource_policy: Syntax errors in policy."),
        (json!({ "/identity_policies": [allow("kms:*"), { "Statement": 1 }] }), "identity_policies[1]: "),
        (json!({ "/scps": [[], [1]] }), "scps[1][0]: "),
        (json!({ "/request/principal": "ana" }), "`ana` is not the ARN"),
        (json!({ "/request/principal": "arn:aws:iam::111122223333:role/App" }), "is not the ARN"),
        (json!({ "/grants": [{ "Operations": ["Encrypt"] }] }), "grants[0]: neither"),
        (json!({ "/grants": [{ "Operations": ["DisableKey"], "GranteePrincipal": ANA }] }), "grants[0]: an operation"),
        (json!({ "/request/context": { "a:b": [null] } }), "null"),
    ] {
        let answer = of(&with(&full(), change.clone()).to_string());
        assert_eq!(answer["id"], "case-1");
        assert!(answer["error"].as_str().unwrap().contains(error), "{answer}");
    }
}

#[test]
fn keys_of_two_spellings_are_ambiguous() {
    let deny = json!({ "Statement": { "Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": { "StringEquals": { "aws:ResourceTag/Team": "x" } } } });
    let case = with(
        &full(),
        json!({ "/identity_policies": [allow("kms:*"), deny], "/request/context": { "aws:ResourceTag/team": "a", "aws:ResourceTag/Team": "b" } }),
    );
    assert_eq!(answer(&case)["decision"], "ExplicitlyDenied");
    let one = with(&case, json!({ "/request/context": { "aws:ResourceTag/team": "a" } }));
    assert_eq!(answer(&one)["decision"], "Allowed");
}

proptest::proptest! {
    #[test]
    fn any_line_is_answered_with_one_line(line in "\\PC{0,60}|\\{\"id\":[0-9]{1,3},\"request\":\\PC{0,30}\\}") {
        let mut out = Vec::new();
        Decider::default().answer(line.as_bytes(), &mut out);
        let answer: Json = serde_json::from_slice(&out).unwrap();
        proptest::prop_assert!(answer.get("id").is_some() && out.iter().filter(|byte| **byte == b'\n').count() == 1);
    }
}
