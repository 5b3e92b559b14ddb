//! For each operation a request that would succeed, on a key of its own.
//! The tables take any operation and bend one thing; what a plain request looks like is said once, here.

use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{ACCOUNT, Client, allow, document};

pub(crate) const PLAINTEXT: &[u8] = b"a plaintext that must not be found anywhere";
pub(crate) const CONTEXT: (&str, &str) = ("purpose", "scene");

/// What kind of key an operation is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Symmetric,
    Signing,
    Mac,
    Agreement,
}

impl Kind {
    fn of(operation: &str) -> Self {
        match operation {
            "Sign" | "Verify" | "GetPublicKey" => Self::Signing,
            "GenerateMac" | "VerifyMac" => Self::Mac,
            "DeriveSharedSecret" => Self::Agreement,
            _ => Self::Symmetric,
        }
    }

    fn create(self) -> Value {
        let (spec, usage) = match self {
            Self::Symmetric => ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"),
            Self::Signing => ("ECC_NIST_P256", "SIGN_VERIFY"),
            Self::Mac => ("HMAC_256", "GENERATE_VERIFY_MAC"),
            Self::Agreement => ("ECC_NIST_P256", "KEY_AGREEMENT"),
        };
        json!({"Tags": [{"TagKey": "old", "TagValue": "1"}], "KeySpec": spec, "KeyUsage": usage})
    }

    /// What a grant on such a key can allow.
    fn granted(self) -> &'static [&'static str] {
        match self {
            Self::Symmetric => &[
                "Encrypt",
                "Decrypt",
                "ReEncryptFrom",
                "ReEncryptTo",
                "GenerateDataKey",
                "GenerateDataKeyWithoutPlaintext",
                "GenerateDataKeyPair",
                "GenerateDataKeyPairWithoutPlaintext",
                "CreateGrant",
                "RetireGrant",
                "DescribeKey",
            ],
            Self::Signing => &["Sign", "Verify", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey"],
            Self::Mac => &["GenerateMac", "VerifyMac", "CreateGrant", "RetireGrant", "DescribeKey"],
            Self::Agreement => &["DeriveSharedSecret", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey"],
        }
    }
}

/// A key that `owner` made, and what a request about it needs.
pub(crate) struct Scene {
    pub(crate) owner: Client,
    policy: Option<String>,
    pub(crate) arn: String,
    pub(crate) id: String,
    /// A ciphertext, signature or code that the key made, or its public key, as the wire has it.
    pub(crate) blob: String,
    kind: Kind,
}

impl Scene {
    pub(crate) async fn new(owner: &Client) -> Self {
        Self::with_policy(owner, None).await
    }

    pub(crate) async fn with_policy(owner: &Client, policy: Option<String>) -> Self {
        Self::about("Encrypt", owner, policy).await
    }

    /// A key of the kind that the operation is about.
    pub(crate) async fn about(operation: &str, owner: &Client, policy: Option<String>) -> Self {
        let kind = Kind::of(operation);
        let mut request = kind.create();
        if let Some(policy) = &policy {
            request["Policy"] = json!(policy);
        }
        let made = owner.ok("CreateKey", request).await;
        let text = |name: &str| made["KeyMetadata"][name].as_str().unwrap().to_owned();
        let (arn, id) = (text("Arn"), text("KeyId"));
        let (operation, request, member) = match kind {
            Kind::Symmetric => ("Encrypt", encrypt(&arn), "CiphertextBlob"),
            Kind::Signing => ("Sign", sign(&arn), "Signature"),
            Kind::Mac => ("GenerateMac", generate_mac(&arn), "Mac"),
            Kind::Agreement => ("GetPublicKey", json!({"KeyId": arn}), "PublicKey"),
        };
        let blob = owner.ok(operation, request).await[member].as_str().unwrap().to_owned();
        Self { owner: owner.clone(), policy, arn, id, blob, kind }
    }

    /// What a grant on this key can allow.
    pub(crate) fn granted(&self) -> &'static [&'static str] {
        self.kind.granted()
    }

    /// A key of an earlier life, without a ciphertext.
    pub(crate) fn found(owner: &Client, arn: &str) -> Self {
        let id = arn.rsplit('/').next().unwrap().to_owned();
        Self { owner: owner.clone(), policy: None, arn: arn.to_owned(), id, blob: String::new(), kind: Kind::Symmetric }
    }

    pub(crate) async fn alias(&self) -> String {
        let name = alias_name();
        self.owner.ok("CreateAlias", json!({"AliasName": name, "TargetKeyId": self.id})).await;
        name
    }

    pub(crate) fn alias_arn(&self, name: &str) -> String {
        format!("{}:{name}", self.arn.rsplit_once(':').unwrap().0)
    }

    /// Grants `operations` to `grantee`, and answers the response.
    pub(crate) async fn grant(&self, grantee: &str, operations: &[&str]) -> Value {
        let request = json!({"KeyId": self.arn, "GranteePrincipal": grantee, "Operations": operations});
        self.owner.ok("CreateGrant", request).await
    }

    /// A request that succeeds for whoever may make it, while the key is Enabled (for CancelKeyDeletion, PendingDeletion).
    pub(crate) async fn request(&self, operation: &str) -> Value {
        let mut on_key = json!({"KeyId": self.arn});
        let more = match operation {
            "CreateKey" => return json!({"Description": "made by a scene"}),
            "ListKeys" | "ListAliases" => return json!({"Limit": 10}),
            "GenerateRandom" => return json!({"NumberOfBytes": 32}),
            "ListRetirableGrants" => return json!({"RetiringPrincipal": self.owner.arn}),
            "CreateAlias" => return json!({"AliasName": alias_name(), "TargetKeyId": self.id}),
            "UpdateAlias" => return json!({"AliasName": self.alias().await, "TargetKeyId": self.id}),
            "DeleteAlias" => return json!({"AliasName": self.alias().await}),
            "ReEncrypt" => return re_encrypt(&self.arn, &self.arn, &self.blob),
            "Encrypt" => encrypt(&self.arn),
            "Decrypt" => json!({"CiphertextBlob": self.blob, "EncryptionContext": {CONTEXT.0: CONTEXT.1}}),
            "GenerateDataKey" | "GenerateDataKeyWithoutPlaintext" => json!({"KeySpec": "AES_256"}),
            "GenerateDataKeyPair" | "GenerateDataKeyPairWithoutPlaintext" => json!({"KeyPairSpec": "ECC_NIST_P256"}),
            "Sign" => sign(&self.arn),
            "Verify" => with(sign(&self.arn), "Signature", &self.blob),
            "GenerateMac" => generate_mac(&self.arn),
            "VerifyMac" => with(generate_mac(&self.arn), "Mac", &self.blob),
            "DeriveSharedSecret" => json!({"KeyAgreementAlgorithm": "ECDH", "PublicKey": self.blob}),
            "UpdateKeyDescription" => json!({"Description": "changed"}),
            "ScheduleKeyDeletion" => json!({"PendingWindowInDays": 7}),
            "TagResource" => json!({"Tags": [{"TagKey": "new", "TagValue": "2"}]}),
            "UntagResource" => json!({"TagKeys": ["old"]}),
            "PutKeyPolicy" => json!({"PolicyName": "default", "Policy": self.present_policy()}),
            "GetKeyPolicy" => json!({"PolicyName": "default"}),
            "CreateGrant" => json!({"GranteePrincipal": self.owner.arn, "Operations": ["Encrypt"]}),
            "RetireGrant" | "RevokeGrant" => {
                json!({"GrantId": self.grant(&self.owner.arn, &["Encrypt", "RetireGrant"]).await["GrantId"]})
            }
            "DescribeKey" | "EnableKey" | "DisableKey" | "CancelKeyDeletion" | "ListGrants" | "ListKeyPolicies"
            | "ListResourceTags" | "GetPublicKey" => json!({}),
            other => panic!("what does a request for {other} look like? Say it here"),
        };
        on_key.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        on_key
    }

    pub(crate) fn present_policy(&self) -> String {
        let root = format!("arn:aws:iam::{ACCOUNT}:root");
        self.policy.clone().unwrap_or_else(|| document([allow(&root, "kms:*")]))
    }

    /// Brings the fresh, Enabled key into a state that requests lead to.
    pub(crate) async fn put(&self, state: &str) {
        match state {
            "Enabled" => {}
            "Disabled" => drop(self.owner.ok("DisableKey", json!({"KeyId": self.arn})).await),
            "PendingDeletion" => {
                let request = json!({"KeyId": self.arn, "PendingWindowInDays": 7});
                self.owner.ok("ScheduleKeyDeletion", request).await;
            }
            other => panic!("no request leads to {other}"),
        }
    }
}

pub(crate) fn encrypt(key: &str) -> Value {
    json!({"KeyId": key, "Plaintext": STANDARD.encode(PLAINTEXT), "EncryptionContext": {CONTEXT.0: CONTEXT.1}})
}

fn sign(key: &str) -> Value {
    json!({"KeyId": key, "Message": STANDARD.encode(PLAINTEXT), "SigningAlgorithm": "ECDSA_SHA_256"})
}

fn generate_mac(key: &str) -> Value {
    json!({"KeyId": key, "Message": STANDARD.encode(PLAINTEXT), "MacAlgorithm": "HMAC_SHA_256"})
}

fn with(mut request: Value, member: &str, value: &str) -> Value {
    request[member] = json!(value);
    request
}

pub(crate) fn re_encrypt(source: &str, destination: &str, blob: &str) -> Value {
    json!({
        "SourceKeyId": source,
        "DestinationKeyId": destination,
        "CiphertextBlob": blob,
        "SourceEncryptionContext": {CONTEXT.0: CONTEXT.1},
        "DestinationEncryptionContext": {"purpose": "moved"},
    })
}

pub(crate) fn alias_name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    format!("alias/scene-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}
