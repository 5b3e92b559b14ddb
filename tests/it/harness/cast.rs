//! Who is in the tests' regions: two accounts, their users, and endpoints that let through or do not.
//! Plain data, and the few words in which the suites write policies.

use std::collections::BTreeMap;

use kms_core::registry::{AccessKey, Account, Endpoint, Manifest, NamedPolicy, Plaintext, User, Vpc};
use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const PARTNER: &str = "444455556666";

/// The default endpoint policy.
pub(crate) const OPEN: &str = "vpce-0aaaaaaaaaaaaaaa1";
/// Allows nothing that KMS knows.
pub(crate) const CLOSED: &str = "vpce-0aaaaaaaaaaaaaaa2";
/// Denies everything.
pub(crate) const FORBIDDING: &str = "vpce-0aaaaaaaaaaaaaaa3";
/// Allows everything and denies ListKeys.
pub(crate) const DENYING: &str = "vpce-0aaaaaaaaaaaaaaa4";

const VPC: &str = "vpc-0aaaaaaaaaaaaaaa1";

/// The ARN of a user of the cast.
pub(crate) fn arn(user: &str) -> String {
    let account = if matches!(user, "partner" | "stranger" | "prying") { PARTNER } else { ACCOUNT };
    format!("arn:aws:iam::{account}:user/{user}")
}

/// The access key of a user of the cast.
pub(crate) fn access_key(user: &str) -> String {
    format!("AKIATEST{}", user.to_ascii_uppercase())
}

pub(crate) fn allow(principal: &str, action: &str) -> Value {
    json!({"Effect": "Allow", "Principal": {"AWS": principal}, "Action": action, "Resource": "*"})
}

pub(crate) fn deny(principal: &str, action: &str) -> Value {
    json!({"Effect": "Deny", "Principal": {"AWS": principal}, "Action": action, "Resource": "*"})
}

pub(crate) fn document(statements: impl IntoIterator<Item = Value>) -> String {
    let statements: Vec<Value> = statements.into_iter().collect();
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

/// administrator and keeper may do everything, as partner may in the other account; nobody and stranger have no
/// identity policy; untagging may do everything but tag; prying, in the other account, has a policy that asks for a tag.
pub(crate) fn cast() -> Manifest {
    let everything = json!({"Effect": "Allow", "Action": "kms:*", "Resource": "*"});
    let no_tags = json!({"Effect": "Deny", "Action": "kms:TagResource", "Resource": "*"});
    let secret = json!({"StringEquals": {"aws:ResourceTag/secret": "yes"}});
    let no_secrets = json!({"Effect": "Deny", "Action": "kms:*", "Resource": "*", "Condition": secret});
    let any =
        |effect: &str, action: &str| json!({"Effect": effect, "Principal": "*", "Action": action, "Resource": "*"});
    Manifest {
        accounts: vec![
            account(
                ACCOUNT,
                vec![
                    user("administrator", vec![everything.clone()]),
                    user("keeper", vec![everything.clone()]),
                    user("nobody", vec![]),
                    user("untagging", vec![everything.clone(), no_tags]),
                ],
            ),
            account(
                PARTNER,
                vec![
                    user("partner", vec![everything.clone()]),
                    user("stranger", vec![]),
                    user("prying", vec![everything, no_secrets]),
                ],
            ),
        ],
        organizations: Vec::new(),
        vpcs: vec![Vpc {
            id: VPC.to_owned(),
            account: ACCOUNT.to_owned(),
            cidrs: vec!["10.0.0.0/8".parse().unwrap()],
            tags: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
        }],
        endpoints: vec![
            endpoint(OPEN, None),
            endpoint(CLOSED, Some(document([any("Allow", "sts:*")]))),
            endpoint(FORBIDDING, Some(document([any("Allow", "*"), any("Deny", "*")]))),
            endpoint(DENYING, Some(document([any("Allow", "*"), any("Deny", "kms:ListKeys")]))),
        ],
        keys: Vec::new(),
    }
}

fn account(id: &str, users: Vec<User>) -> Account {
    Account { id: id.to_owned(), name: format!("account {id}"), users, ..Account::default() }
}

fn user(name: &str, statements: Vec<Value>) -> User {
    let policy = NamedPolicy { name: "attached".to_owned(), document: document(statements.clone()) };
    User {
        name: name.to_owned(),
        path: "/".to_owned(),
        policies: if statements.is_empty() { Vec::new() } else { vec![policy] },
        access_keys: vec![AccessKey {
            id: Some(access_key(name)),
            secret: Some(Plaintext::new(b"a secret that nobody signs with".to_vec())),
        }],
        ..User::default()
    }
}

fn endpoint(id: &str, policy: Option<String>) -> Endpoint {
    Endpoint {
        id: id.to_owned(),
        vpc: VPC.to_owned(),
        account: ACCOUNT.to_owned(),
        policy,
        tags: BTreeMap::new(),
        interfaces: Vec::new(),
        client_ranges: None,
    }
}
