//! Two accounts that have nothing to do with each other: whatever one of them does, the other is answered as if it were
//! alone, and asking for the other's keys is answered as asking for keys that do not exist. Code, text, length, paging.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kms_core::operation::TABLE;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use regex::Regex;
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, CLOSED, Client, DENYING, Home, Live, allow, arn, document, encrypt, re_encrypt};

/// Each case opens two regions.
const CASES: u32 = 40;
const STEPS_MAX: usize = 30;
/// Keys of the owner that the stranger asks for, made or not.
const THEIRS: usize = 3;
const PARTNER_USERS: [&str; 3] = ["partner", "stranger", "prying"];
/// Where a ciphertext names its key material.
const MATERIAL_ID: std::ops::Range<usize> = 2..34;
/// What is random in an answer; only its length is compared.
const RANDOM: [&str; 10] = [
    "CiphertextBlob",
    "CurrentKeyMaterialId",
    "DestinationKeyMaterialId",
    "GrantToken",
    "KeyMaterialId",
    "NextMarker",
    "PrivateKeyCiphertextBlob",
    "PrivateKeyPlaintext",
    "PublicKey",
    "SourceKeyMaterialId",
];

/// One of the owner's keys as the stranger may have come to know it; made up where the owner has made none.
#[derive(Clone)]
struct Theirs {
    id: String,
    blob: String,
    grant: String,
}

#[derive(Clone, Debug)]
enum Name {
    Own,
    OwnAlias,
    Arn(usize),
    /// The bare id, which means a key of the caller's own account.
    Id(usize),
    AliasArn(usize),
    Alias(usize),
    /// The stranger's own key, with the other's ciphertext or grant.
    OwnFor(usize),
}

#[derive(Clone, Debug)]
enum Step {
    /// The owner does something with one of its keys, which it makes first.
    Owner { operation: &'static str, key: usize },
    /// The owner tries something on the stranger's key.
    Meddle { operation: &'static str },
    /// The stranger asks; these are compared.
    Stranger { operation: &'static str, name: Name, user: &'static str, way: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let operation = || (0..TABLE.len()).prop_map(|row| TABLE[row].name);
    let key = || 0..THEIRS;
    let name = prop_oneof![
        2 => Just(Name::Own),
        1 => Just(Name::OwnAlias),
        4 => key().prop_map(Name::Arn),
        1 => key().prop_map(Name::Id),
        2 => key().prop_map(Name::AliasArn),
        1 => key().prop_map(Name::Alias),
        1 => key().prop_map(Name::OwnFor),
    ];
    let user = (0..PARTNER_USERS.len()).prop_map(|user| PARTNER_USERS[user]);
    let step = prop_oneof![
        3 => (operation(), key()).prop_map(|(operation, key)| Step::Owner { operation, key }),
        1 => operation().prop_map(|operation| Step::Meddle { operation }),
        6 => (operation(), name, user, 0..4_usize)
            .prop_map(|(operation, name, user, way)| Step::Stranger { operation, name, user, way }),
    ];
    proptest::collection::vec(step, 1..STEPS_MAX)
}

/// A region in which both act, or the stranger alone.
struct World<'l> {
    live: &'l Live,
    owner: Option<Client>,
    theirs: Vec<Option<Theirs>>,
    made_up: Vec<Theirs>,
    own_arn: String,
    own_blob: String,
}

impl<'l> World<'l> {
    async fn new(live: &'l Live, with_owner: bool) -> Self {
        let partner = live.user("partner");
        let own_arn = new_key(&partner, json!({})).await;
        partner.ok("CreateAlias", json!({"AliasName": "alias/own", "TargetKeyId": own_arn})).await;
        let own_blob = partner.ok("Encrypt", encrypt(&own_arn)).await["CiphertextBlob"].as_str().unwrap().to_owned();
        let made_up = |number: usize| {
            let mut blob = STANDARD.decode(&own_blob).unwrap();
            blob[MATERIAL_ID].fill(u8::try_from(number).unwrap());
            Theirs {
                id: format!("0000000{number}-1111-4222-8333-444444444444"),
                blob: STANDARD.encode(blob),
                grant: format!("{number:064x}"),
            }
        };
        Self {
            live,
            owner: with_owner.then(|| live.administrator()),
            theirs: vec![None; THEIRS],
            made_up: (0..THEIRS).map(made_up).collect(),
            own_arn,
            own_blob,
        }
    }

    /// What the stranger was answered, with everything that is random taken out.
    async fn play(&mut self, steps: &[Step]) -> Vec<String> {
        let mut answers = Vec::new();
        for step in steps {
            match step {
                Step::Owner { operation, key } => self.owner_does(operation, *key).await,
                Step::Meddle { operation } => self.owner_meddles(operation).await,
                Step::Stranger { operation, name, user, way } => {
                    answers.push(self.stranger_asks(operation, name, user, *way).await);
                }
            }
        }
        answers
    }

    async fn owner_does(&mut self, operation: &str, key: usize) {
        let Some(owner) = &self.owner else { return };
        if self.theirs[key].is_none() {
            let tags = json!([{"TagKey": "secret", "TagValue": "yes"}]);
            let made = new_key(owner, json!({"Tags": tags, "Description": "not for strangers"})).await;
            let alias = json!({"AliasName": alias(key), "TargetKeyId": made});
            owner.ok("CreateAlias", alias).await;
            let blob = owner.ok("Encrypt", encrypt(&made)).await["CiphertextBlob"].as_str().unwrap().to_owned();
            let grant = json!({"KeyId": made, "GranteePrincipal": arn("nobody"), "Operations": ["Encrypt"]});
            let grant = owner.ok("CreateGrant", grant).await["GrantId"].as_str().unwrap().to_owned();
            let id = made.rsplit('/').next().unwrap().to_owned();
            self.theirs[key] = Some(Theirs { id, blob, grant });
        }
        let theirs = self.theirs[key].as_ref().unwrap();
        let arn = key_arn(ACCOUNT, &theirs.id);
        owner.ask(operation, &request(operation, &arn, &theirs.blob, &alias(key), &theirs.grant)).await;
    }

    async fn owner_meddles(&self, operation: &str) {
        let Some(owner) = &self.owner else { return };
        let grant = "f".repeat(64);
        owner.ask(operation, &request(operation, &self.own_arn, &self.own_blob, "alias/meddler", &grant)).await;
    }

    async fn stranger_asks(&self, operation: &str, name: &Name, user: &'static str, way: usize) -> String {
        let user = self.live.user(user);
        let caller = match way {
            0 => user,
            1 => user.publicly(),
            2 => user.through(CLOSED),
            _ => user.through(DENYING),
        };
        let known = |key: usize| self.theirs[key].as_ref().unwrap_or(&self.made_up[key]);
        let own = Theirs { id: String::new(), blob: self.own_blob.clone(), grant: "f".repeat(64) };
        let (text, thing, alias_name) = match *name {
            Name::Own => (self.own_arn.clone(), &own, "alias/own".to_owned()),
            Name::OwnAlias => ("alias/own".to_owned(), &own, "alias/own".to_owned()),
            Name::Arn(key) => (key_arn(ACCOUNT, &known(key).id), known(key), alias(key)),
            Name::Id(key) => (known(key).id.clone(), known(key), alias(key)),
            Name::AliasArn(key) => (format!("arn:aws:kms:us-east-1:{ACCOUNT}:{}", alias(key)), known(key), alias(key)),
            Name::Alias(key) => (alias(key), known(key), alias(key)),
            Name::OwnFor(key) => (self.own_arn.clone(), known(key), alias(key)),
        };
        let request = request(operation, &text, &thing.blob, &alias_name, &thing.grant);
        let answer = caller.ask(operation, &request).await;
        let mut body = answer.body;
        mask(&mut body, operation);
        self.plain(format!("{operation} of {name:?} by {}: {} {} {body}", caller.arn, answer.code, answer.message))
    }

    /// Ids by what they stand for, so that those of two regions compare.
    fn plain(&self, mut text: String) -> String {
        static UUID: LazyLock<Regex> =
            LazyLock::new(|| Regex::new("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").unwrap());
        static HEX: LazyLock<Regex> = LazyLock::new(|| Regex::new("[0-9a-f]{64}").unwrap());
        for (key, made_up) in self.made_up.iter().enumerate() {
            let theirs = self.theirs[key].as_ref().unwrap_or(made_up);
            text = text.replace(&theirs.id, &format!("<theirs {key}>")).replace(&theirs.grant, "<their grant>");
        }
        let text = UUID.replace_all(&text, "<id>");
        HEX.replace_all(&text, "<hex>").into_owned()
    }
}

async fn new_key(owner: &Client, request: Value) -> String {
    owner.ok("CreateKey", request).await["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
}

fn key_arn(account: &str, id: &str) -> String {
    format!("arn:aws:kms:us-east-1:{account}:key/{id}")
}

fn alias(key: usize) -> String {
    format!("alias/theirs-{key}")
}

/// A request that names this key, ciphertext, alias and grant, as far as the operation takes them.
fn request(operation: &str, key: &str, blob: &str, alias: &str, grant: &str) -> Value {
    let mut on_key = json!({"KeyId": key});
    let more = match operation {
        "CreateKey" => return json!({}),
        "ListKeys" => return json!({"Limit": 2}),
        "ListAliases" => json!({"Limit": 2}),
        "GenerateRandom" => return json!({"NumberOfBytes": 32}),
        "ListRetirableGrants" => return json!({"RetiringPrincipal": arn("partner")}),
        "CreateAlias" | "UpdateAlias" => return json!({"AliasName": alias, "TargetKeyId": key}),
        "DeleteAlias" => return json!({"AliasName": alias}),
        "ReEncrypt" => return re_encrypt(key, key, blob),
        // Named by its ciphertext alone, too.
        "Decrypt" if !key.starts_with("arn:") => {
            return json!({"CiphertextBlob": blob, "EncryptionContext": {"purpose": "scene"}});
        }
        "Decrypt" => json!({"CiphertextBlob": blob, "EncryptionContext": {"purpose": "scene"}}),
        "Encrypt" => encrypt(key),
        "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => json!({"KeySpec": "AES_256"}),
        "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => json!({"KeyPairSpec": "ECC_NIST_P256"}),
        // Keys of other kinds than these want are told by what they are, once the caller may know of them at all.
        "Sign" => json!({"Message": "eA==", "SigningAlgorithm": "ECDSA_SHA_256"}),
        "Verify" => json!({"Message": "eA==", "SigningAlgorithm": "ECDSA_SHA_256", "Signature": "eA=="}),
        "GenerateMac" => json!({"Message": "eA==", "MacAlgorithm": "HMAC_SHA_256"}),
        "VerifyMac" => json!({"Message": "eA==", "MacAlgorithm": "HMAC_SHA_256", "Mac": "eA=="}),
        "DeriveSharedSecret" => json!({"KeyAgreementAlgorithm": "ECDH", "PublicKey": "eA=="}),
        "UpdateKeyDescription" => json!({"Description": "changed"}),
        "ScheduleKeyDeletion" => json!({"PendingWindowInDays": 7}),
        "TagResource" => json!({"Tags": [{"TagKey": "new", "TagValue": "2"}]}),
        "UntagResource" => json!({"TagKeys": ["new"]}),
        "PutKeyPolicy" => {
            // Both accounts', so that neither learns of the other by what it puts itself.
            let root = format!("arn:aws:iam::{}:root", key.split(':').nth(4).unwrap_or(ACCOUNT));
            json!({"Policy": document([allow(&root, "kms:*")]), "BypassPolicyLockoutSafetyCheck": true})
        }
        "GetKeyPolicy" => json!({"PolicyName": "default"}),
        // Each grants to its own: what the owner grants to the stranger would show, and should.
        "CreateGrant" => {
            let grantee = if key.contains(ACCOUNT) { "nobody" } else { "partner" };
            json!({"GranteePrincipal": arn(grantee), "Operations": ["Encrypt"]})
        }
        "RetireGrant" | "RevokeGrant" => json!({"GrantId": grant}),
        "DescribeKey" | "EnableKey" | "DisableKey" | "CancelKeyDeletion" | "ListGrants" | "ListKeyPolicies"
        | "ListResourceTags" | "GetPublicKey" => json!({}),
        other => panic!("what does a stranger's request for {other} look like? Say it here"),
    };
    on_key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    on_key
}

fn mask(value: &mut Value, operation: &str) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| mask(item, operation)),
        Value::Object(members) => {
            for (name, member) in members {
                let is_random = RANDOM.contains(&name.as_str())
                    || (name == "Plaintext" && matches!(operation, "GenerateDataKey" | "GenerateRandom"));
                match member.as_str().filter(|_| is_random) {
                    Some(text) => *member = json!(format!("<{} characters>", text.len())),
                    None => mask(member, operation),
                }
            }
        }
        _ => {}
    }
}

#[test]
fn nothing_that_one_account_does_shows_in_the_other() {
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 40, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let played = |steps: &[Step], with_owner: bool| {
        Home::new().live(async |live| World::new(live, with_owner).await.play(steps).await)
    };
    let ran = runner.run(&steps(), |steps| {
        prop_assert_eq!(played(&steps, true), played(&steps, false));
        Ok(())
    });
    assert!(ran.is_ok(), "{}", ran.unwrap_err());
}

/// Every operation, by every name, while the owner has all of its keys: what the random sequences may not come to.
#[test]
fn no_operation_tells_a_key_of_another_account_from_one_that_does_not_exist() {
    let mut steps: Vec<_> = (0..THEIRS).map(|key| Step::Owner { operation: "DescribeKey", key }).collect();
    steps.push(Step::Owner { operation: "DisableKey", key: 1 });
    steps.push(Step::Owner { operation: "ScheduleKeyDeletion", key: 2 });
    for spec in TABLE {
        for key in 0..THEIRS {
            for name in [Name::Arn(key), Name::Id(key), Name::AliasArn(key), Name::Alias(key), Name::OwnFor(key)] {
                for (user, way) in [("partner", 0), ("partner", 2), ("stranger", 1), ("prying", 0), ("prying", 3)] {
                    steps.push(Step::Stranger { operation: spec.name, name: name.clone(), user, way });
                }
            }
        }
    }
    let played = |with_owner| Home::new().live(async |live| World::new(live, with_owner).await.play(&steps).await);
    let (together, alone) = (played(true), played(false));
    assert_eq!(together.len(), alone.len());
    for (together, alone) in together.iter().zip(&alone) {
        assert_eq!(together, alone);
    }
}
