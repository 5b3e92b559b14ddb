//! What names come to mean, and which of those that mean nothing are told from which.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::{Value, json};

use super::*;
use crate::model::Request;
use crate::operation::{CreateAlias, CreateGrant, Decrypt, Encrypt, Operation, TagResource, UpdateAlias};
use crate::scene::{Scene, play};

fn resolved<Op: Operation>(scene: &Scene, caller: &str, body: &Value) -> Result<Targets, KmsError> {
    let view = scene.region.view();
    let input = Op::Input::parse(&serde_json::to_vec(body).unwrap()).unwrap();
    let resolver = Resolver { view: &view, account: AccountId::parse(caller).unwrap(), input: &input };
    Op::SPEC.checks.iter().map(|check| resolver.resolve(check.on)).collect::<Result<_, _>>().map(Targets)
}

const HERE: &str = crate::scene::HERE;
const ELSEWHERE: &str = crate::scene::ELSEWHERE;
const PLACE: &str = "arn:aws:kms:us-east-1:111122223333";
const UNKNOWN: &str = "00000000-0000-4000-8000-000000000000";

#[test]
fn a_key_has_four_names_where_an_alias_will_do() {
    play(async |scene| {
        let arn = scene.key(json!({})).await;
        let id = arn.rsplit('/').next().unwrap();
        scene.ask("admin", "CreateAlias", json!({ "AliasName": "alias/a", "TargetKeyId": id })).await.unwrap();
        let alias_arn = format!("{PLACE}:alias/a");
        for (name, alias) in
            [(id, None), (arn.as_str(), None), ("alias/a", Some("alias/a")), (&alias_arn, Some("alias/a"))]
        {
            let found = resolved::<Encrypt>(&scene, HERE, &json!({ "KeyId": name, "Plaintext": "eA==" })).unwrap();
            let key = found.first_key().unwrap();
            assert_eq!((&*key.arn, key.alias.as_ref().map(AliasName::as_str)), (arn.as_str(), alias), "{name}");
            let tag = json!({ "KeyId": name, "Tags": [{ "TagKey": "a", "TagValue": "" }] });
            let given = KmsError::InvalidKeyId { given: name.to_owned() };
            assert_eq!(resolved::<TagResource>(&scene, HERE, &tag).err(), alias.map(|_| given));
        }
        let grant = json!({ "KeyId": "alias/a", "GranteePrincipal": "x", "Operations": ["Encrypt"] });
        assert!(matches!(resolved::<CreateGrant>(&scene, HERE, &grant), Err(KmsError::InvalidArn(_))));
    });
}

#[test]
fn what_is_absent_is_said_so_to_its_own_account_alone() {
    play(async |scene| {
        let encrypt = |caller: &str, name: &str| {
            resolved::<Encrypt>(&scene, caller, &json!({ "KeyId": name, "Plaintext": "eA==" }))
        };
        let (arn, alias_arn) = (format!("{PLACE}:key/{UNKNOWN}"), format!("{PLACE}:alias/a"));
        for name in [UNKNOWN, &arn] {
            assert_eq!(encrypt(HERE, name).err(), Some(KmsError::KeyNotFound { arn: arn.clone() }));
        }
        for name in ["alias/a", &alias_arn] {
            assert_eq!(encrypt(HERE, name).err(), Some(KmsError::AliasNotFound { arn: alias_arn.clone() }));
        }
        for name in [&arn, &alias_arn] {
            let targets = encrypt(ELSEWHERE, name).unwrap();
            let Some(Target::Absent { account, arn }) = targets.at(0) else { panic!("{name}: {targets:?}") };
            assert_eq!((account.as_str(), arn), (HERE, name));
        }
        let west = arn.replace("us-east-1", "us-west-2");
        assert_eq!(encrypt(ELSEWHERE, &west).err(), Some(KmsError::ForeignRegion { region: "us-west-2".to_owned() }));
    });
}

#[test]
fn a_ciphertext_means_its_key_unless_another_is_named() {
    play(async |scene| {
        let (arn, other) = (scene.key(json!({})).await, scene.key(json!({})).await);
        let sealed = scene.ask("admin", "Encrypt", json!({ "KeyId": arn, "Plaintext": "eA==" })).await.unwrap();
        let blob = &sealed["CiphertextBlob"];
        let decrypt = |body: Value| resolved::<Decrypt>(&scene, ELSEWHERE, &body);
        let found = decrypt(json!({ "CiphertextBlob": blob })).unwrap();
        assert!(matches!(found.at(0), Some(Target::Key(key)) if *key.arn == *arn && key.hidden));
        let found = decrypt(json!({ "CiphertextBlob": blob, "KeyId": other })).unwrap();
        assert!(matches!(found.at(0), Some(Target::Key(key)) if *key.arn == *other && !key.hidden));
        assert_eq!(decrypt(json!({ "CiphertextBlob": "AAAA" })).err(), Some(KmsError::InvalidCiphertext));
        assert!(matches!(decrypt(json!({})), Err(KmsError::Validation(_))));
        let refused = scene.ask("admin", "Decrypt", json!({ "CiphertextBlob": blob, "KeyId": other })).await;
        assert_eq!(refused, Err(KmsError::IncorrectKey));
    });
}

#[test]
fn an_alias_changes_in_its_own_account_and_refers_to_keys() {
    play(async |scene| {
        let arn = scene.key(json!({})).await;
        let create = |alias: &str, target: &str| {
            resolved::<CreateAlias>(&scene, HERE, &json!({ "AliasName": alias, "TargetKeyId": target })).err()
        };
        assert_eq!(create("alias/a", &arn), None);
        assert_eq!(create("alias/aws/a", &arn), Some(KmsError::ReservedAlias));
        assert_eq!(create("a", &arn), Some(KmsError::AliasPrefix));
        let text = "Aliases must refer to keys. Not aliases".to_owned();
        assert_eq!(create("alias/a", "alias/b"), Some(KmsError::Validation(text)));
        let update = json!({ "AliasName": "alias/a", "TargetKeyId": arn });
        let absent = KmsError::AliasNotFound { arn: format!("{PLACE}:alias/a") };
        assert_eq!(resolved::<UpdateAlias>(&scene, HERE, &update).err(), Some(absent));
    });
}
