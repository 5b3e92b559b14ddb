//! Requests about keys and what belongs to them: metadata, policies, tags, aliases, grants.

use rand::RngExt as _;
use serde_json::json;

use super::{Asked, Operation};
use crate::checks::answer::Expect;
use crate::scene::{Key, Random, Scene, TAG};

pub(super) fn naming_it(_: &Scene, _: &mut Random, key: Option<&Key>) -> Asked {
    Some((format!(r#"{{"KeyId":"{}"}}"#, key?.id), Expect::Success))
}

pub(super) fn describe(_: &Scene, _: &mut Random, key: Option<&Key>) -> Asked {
    Some((format!(r#"{{"KeyId":"{}"}}"#, key?.id), Expect::Metadata))
}

pub(super) fn policy(_: &Scene, _: &mut Random, key: Option<&Key>) -> Asked {
    Some((format!(r#"{{"KeyId":"{}","PolicyName":"default"}}"#, key?.id), Expect::Success))
}

pub(super) fn list(_: &Scene, _: &mut Random, _: Option<&Key>) -> Asked {
    Some((r#"{"Limit":100}"#.to_owned(), Expect::Success))
}

pub(super) fn create(scene: &Scene, _: &mut Random, _: Option<&Key>) -> Asked {
    let tags = json!([{ "TagKey": TAG, "TagValue": scene.run }]);
    Some((json!({ "Description": "made under load", "Tags": tags }).to_string(), Expect::NewKey))
}

pub(super) fn create_alias(_: &Scene, random: &mut Random, key: Option<&Key>) -> Asked {
    let name = format!("alias/kannuki-load-{:016x}", random.random::<u64>());
    Some((json!({ "AliasName": name, "TargetKeyId": key?.id }).to_string(), Expect::Alias(name)))
}

/// To the account itself, for one operation that its key policy allows anyway.
pub(super) fn create_grant(_: &Scene, random: &mut Random, key: Option<&Key>) -> Asked {
    let key = key?;
    // arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab
    let account = key.arn.split(':').nth(4)?;
    let partition = key.arn.split(':').nth(1)?;
    let name = format!("load-{:016x}", random.random::<u64>());
    let body = json!({
        "KeyId": key.id,
        "GranteePrincipal": format!("arn:{partition}:iam::{account}:root"),
        "Operations": [Operation::DescribeKey.name()],
        "Name": name,
    });
    Some((body.to_string(), Expect::Grant))
}

pub(super) fn tag(_: &Scene, random: &mut Random, key: Option<&Key>) -> Asked {
    let value = format!("{:016x}", random.random::<u64>());
    let body = json!({ "KeyId": key?.id, "Tags": [{ "TagKey": "kannuki-load-tag", "TagValue": value }] });
    Some((body.to_string(), Expect::Success))
}

pub(super) fn describe_anew(_: &Scene, random: &mut Random, key: Option<&Key>) -> Asked {
    let description = format!("described under load {:016x}", random.random::<u64>());
    Some((json!({ "KeyId": key?.id, "Description": description }).to_string(), Expect::Success))
}

/// The policy that the key has.
pub(super) fn put_policy(_: &Scene, _: &mut Random, key: Option<&Key>) -> Asked {
    let key = key?;
    if key.policy.is_empty() {
        return None;
    }
    let body = json!({ "KeyId": key.id, "PolicyName": "default", "Policy": key.policy });
    Some((body.to_string(), Expect::Success))
}

/// Of an operation that comes behind another one, whose answer says what to ask.
pub(super) fn never(_: &Scene, _: &mut Random, _: Option<&Key>) -> Asked {
    None
}
