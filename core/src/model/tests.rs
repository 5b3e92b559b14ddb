//! The texts of refusals, the wire form of outputs, and what audit records show.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use kms_hsm::Plaintext;
use serde_json::json;

use super::constraint::java_length;
use super::generated::PATTERNS;
use super::*;
use crate::clock::Timestamp;

const LENGTHS: &str =
    "[Member must have length less than or equal to 8192, Member must have length greater than or equal to 1]";

fn refusal(operation: &str, body: &str) -> Invalid {
    let operation = OperationModel::find(operation).unwrap();
    (operation.validate)(body.as_bytes()).expect_err(body)
}

#[test]
fn violations_have_the_texts_of_aws() {
    let long = "x".repeat(129);
    let table = [
        ("GenerateRandom", r#"{"NumberOfBytes":1025}"#.to_owned(),
            "1 validation error detected: Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have value less than or equal to 1024".to_owned()),
        ("CreateAlias", r#"{"AliasName":"alias/a b","TargetKeyId":"k"}"#.to_owned(),
            "1 validation error detected: Value 'alias/a b' at 'aliasName' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$".to_owned()),
        ("GenerateMac", r#"{"Message":"AA==","KeyId":"k","MacAlgorithm":"MD5"}"#.to_owned(),
            "1 validation error detected: Value 'MD5' at 'macAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, HMAC_SHA_512]".to_owned()),
        ("Encrypt", format!(r#"{{"KeyId":"k","Plaintext":"{}"}}"#, "AAAA".repeat(1366)),
            "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length less than or equal to 4096".to_owned()),
        ("Encrypt", r#"{"KeyId":"k","Plaintext":""}"#.to_owned(),
            "1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length greater than or equal to 1".to_owned()),
        ("Encrypt", "{}".to_owned(),
            "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null; Value null at 'plaintext' failed to satisfy constraint: Member must not be null".to_owned()),
        ("TagResource", format!(r#"{{"KeyId":"k","Tags":[{{"TagKey":"{long}","TagValue":""}}]}}"#),
            format!("1 validation error detected: Value '{long}' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have length less than or equal to 128")),
        ("TagResource", r#"{"Tags":[{"TagKey":"a","TagValue":"b"},{"TagKey":"c"},null],"KeyId":"k"}"#.to_owned(),
            "2 validation errors detected: Value null at 'tags.2.member.tagValue' failed to satisfy constraint: Member must not be null; Value null at 'tags.3.member' failed to satisfy constraint: Member must not be null".to_owned()),
        ("DescribeKey", r#"{"KeyId":"k","GrantTokens":["a",""]}"#.to_owned(),
            format!("1 validation error detected: Value '[a, ]' at 'grantTokens' failed to satisfy constraint: Member must satisfy constraint: {LENGTHS}")),
        ("DescribeKey", r#"{"KeyId":"k","GrantTokens":["1","2","3","4","5","6","7","8","9","10","11"]}"#.to_owned(),
            "1 validation error detected: Value '[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]' at 'grantTokens' failed to satisfy constraint: Member must have length less than or equal to 10".to_owned()),
        ("Decrypt", r#"{"DryRunModifiers":["X"]}"#.to_owned(),
            "1 validation error detected: Value '[X]' at 'dryRunModifiers' failed to satisfy constraint: Member must satisfy constraint: [Member must satisfy enum value set: [IGNORE_CIPHERTEXT]]".to_owned()),
        ("Decrypt", r#"{"Recipient":{"KeyEncryptionAlgorithm":"X"}}"#.to_owned(),
            "1 validation error detected: Value 'X' at 'recipient.keyEncryptionAlgorithm' failed to satisfy constraint: Member must satisfy enum value set: [RSAES_OAEP_SHA_256]".to_owned()),
        ("UpdateCustomKeyStore", r#"{"CustomKeyStoreId":"c","KeyStorePassword":"short"}"#.to_owned(),
            "1 validation error detected: Value at 'keyStorePassword' failed to satisfy constraint: Member must have length greater than or equal to 7".to_owned()),
    ];
    for (operation, body, text) in table {
        assert_eq!(refusal(operation, &body), Invalid::Validation(text), "{operation} {body}");
    }
}

#[test]
fn wrong_json_is_a_serialization_error() {
    let table = [
        ("{", None),
        ("{}x", None),
        (r#"{"KeyId":"\ud800"}"#, None),
        ("[]", Some("Unexpected field type")),
        (r#"["k","AA=="]"#, Some("Unexpected field type")),
        ("null", Some("Unexpected field type")),
        (r#"{"KeyId":1}"#, Some("NUMBER_VALUE cannot be converted to String")),
        (r#"{"KeyId":["k"]}"#, Some("Unexpected field type")),
        (r#"{"DryRun":"true"}"#, Some("STRING_VALUE cannot be converted to Boolean")),
        (r#"{"Plaintext":"AA"}"#, Some("A blob is not valid base64")),
        (r#"{"Plaintext":true}"#, Some("TRUE_VALUE cannot be converted to Blob")),
        (r#"{"GrantTokens":"t"}"#, Some("Unexpected field type")),
        (r#"{"EncryptionContext":{"a":null}}"#, Some("NULL_VALUE cannot be converted to String")),
        (r#"{"EncryptionContext":{"a":"1","\u0061":"2"}}"#, Some("Duplicate map key")),
        (r#"{"KeyId":"a","Key\u0049d":"b"}"#, Some("Duplicate member")),
        (r#"{"KeyId":"a","KeyId":null}"#, Some("Duplicate member")),
    ];
    for (body, text) in table {
        assert_eq!(refusal("Encrypt", body), Invalid::Serialization(text.map(str::to_owned)), "{body}");
    }
    let number = refusal("GenerateRandom", r#"{"NumberOfBytes":4294967297}"#);
    assert_eq!(number, Invalid::Serialization(Some("NUMBER_VALUE cannot be converted to Integer".to_owned())));
    let list = refusal("TagResource", r#"{"KeyId":"k","Tags":[["a","b"]]}"#);
    assert_eq!(list, Invalid::Serialization(Some("Unexpected field type".to_owned())));
}

#[test]
fn nesting_takes_no_stack() {
    let deep = |member: &str| format!(r#"{{"{member}":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(ListKeysRequest::parse(deep("Unknown").as_bytes()).is_ok());
    assert!(matches!(ListKeysRequest::parse(deep("Marker").as_bytes()), Err(Invalid::Serialization(_))));
    assert!(matches!(ListKeysRequest::parse(deep("ResourceOwners").as_bytes()), Err(Invalid::Serialization(_))));
}

#[test]
fn many_violations_are_counted_but_not_all_spelled_out() {
    let body = format!(r#"{{"KeyId":"k","Tags":[{}{{}}]}}"#, "{},".repeat(9_999));
    let Invalid::Validation(text) = refusal("TagResource", &body) else { panic!() };
    assert!(text.starts_with("20000 validation errors detected: Value null at 'tags.1.member.tagKey' "));
    assert!(text.len() < 20_000);
}

fn json_of(shown: Option<Box<RawValue>>) -> serde_json::Value {
    serde_json::from_str(shown.unwrap().get()).unwrap()
}

#[test]
fn absent_is_null_or_left_out() {
    for body in ["", " \n", "{}", r#"{"Limit":null,"Marker":null,"Unknown":[1,{"a":null}]}"#] {
        let input = ListKeysRequest::parse(body.as_bytes()).unwrap();
        assert_eq!((input.limit(), input.marker()), (None, None), "{body}");
    }
}

#[test]
fn inputs_are_read_in_full() {
    let body = br#"{"KeyId":"alias\/a","Plaintext":"\/\/8=","EncryptionContext":{"b":"2","a\\\/":"1"},
        "GrantTokens":["t"],"EncryptionAlgorithm":"SYMMETRIC_DEFAULT","DryRun":true}"#;
    let input = EncryptRequest::parse(body).unwrap();
    assert_eq!(input.key_id(), Some("alias/a"));
    assert_eq!(input.plaintext.expose(), [0xff, 0xff]);
    assert_eq!(input.encryption_context().unwrap().get("a\\/").map(String::as_str), Some("1"));
    assert_eq!(input.grant_tokens(), ["t"]);
    assert_eq!(input.encryption_algorithm, Some(EncryptionAlgorithmSpec::SymmetricDefault));
    assert!(input.dry_run() && !input.has_recipient());
    assert_eq!(
        json_of(input.audit_parameters()),
        json!({"keyId": "alias/a", "encryptionContext": {"a\\/": "1", "b": "2"},
            "encryptionAlgorithm": "SYMMETRIC_DEFAULT", "dryRun": true})
    );
    assert!(!format!("{input:?}").contains("255"));
}

#[test]
fn dates_are_seconds_with_a_fraction() {
    let parse = |date: &str| {
        let body = format!(r#"{{"KeyId":"k","ImportToken":"AA==","EncryptedKeyMaterial":"AA==","ValidTo":{date}}}"#);
        ImportKeyMaterialRequest::parse(body.as_bytes()).map(|input| input.valid_to)
    };
    assert_eq!(parse("1700000000"), Ok(Some(Timestamp(1_700_000_000_000))));
    assert_eq!(parse("1.7000000001234E9"), Ok(Some(Timestamp(1_700_000_000_123))));
    for wrong in ["-1", "-0.5", "253402300800", "1e300", "\"2026-01-01T00:00:00Z\"", "true"] {
        assert!(matches!(parse(wrong), Err(Invalid::Serialization(Some(_)))), "{wrong}");
    }
    let output = |at| ScheduleKeyDeletionResponse { deletion_date: Some(Timestamp(at)), ..Default::default() };
    assert_eq!(*output(1_700_000_000_000).encode(), br#"{"DeletionDate":1700000000}"#);
    assert_eq!(*output(1_700_000_000_007).encode(), br#"{"DeletionDate":1700000000.007}"#);
    assert_eq!(json_of(output(0).audit_elements()), json!({"deletionDate": "1970-01-01T00:00:00Z"}));
}

#[test]
fn outputs_leave_out_what_is_absent() {
    let page = ListGrantsResponse { grants: vec![GrantListEntry::default()], ..Default::default() };
    assert_eq!(*page.encode(), br#"{"Grants":[{"Operations":[]}],"Truncated":false}"#);
    let key = KeyMetadata { key_id: "k".to_owned(), aws_account_id: Some("1".to_owned()), ..Default::default() };
    let key = DescribeKeyResponse { key_metadata: Some(key) };
    assert_eq!(*key.encode(), br#"{"KeyMetadata":{"AWSAccountId":"1","KeyId":"k","Enabled":false}}"#);
    assert_eq!(
        json_of(key.audit_elements()),
        json!({"keyMetadata": {"aWSAccountId": "1", "keyId": "k", "enabled": false}})
    );
    assert_eq!(*ConnectCustomKeyStoreResponse {}.encode(), b"{}");
    assert_eq!(*Empty.encode(), b"{}");
}

#[test]
fn secrets_blobs_and_tokens_are_not_audited() {
    let output = DecryptResponse { plaintext: Some(Plaintext::new(vec![1, 2])), ..Default::default() };
    assert_eq!(*output.encode(), br#"{"Plaintext":"AQI="}"#);
    assert_eq!(json_of(output.audit_elements()), json!({}));
    let grant = CreateGrantResponse { grant_token: Some("t".to_owned()), grant_id: Some("g".to_owned()) };
    assert_eq!(json_of(grant.audit_elements()), json!({"grantId": "g"}));
    let body = br#"{"KeyId":"k","ImportToken":"AA==","EncryptedKeyMaterial":"AA=="}"#;
    assert_eq!(json_of(ImportKeyMaterialRequest::parse(body).unwrap().audit_parameters()), json!({"keyId": "k"}));
    let body = br#"{"CustomKeyStoreName":"n","KeyStorePassword":"hunter22"}"#;
    let input = CreateCustomKeyStoreRequest::parse(body).unwrap();
    assert_eq!(json_of(input.audit_parameters()), json!({"customKeyStoreName": "n"}));
    assert!(!format!("{input:?}").contains("hunter22"));
}

#[test]
fn patterns_mean_what_java_means() {
    assert!(PATTERNS.iter().all(|pattern| pattern.compiles()));
    let name =
        |name: &str| GetKeyPolicyRequest::parse(json!({"KeyId": "k", "PolicyName": name}).to_string().as_bytes());
    assert!(name("default_1").is_ok());
    // \w is ASCII, $ does not stop before a last newline, and the whole value must match.
    for wrong in ["défaut", "default\n", "a b", "default\u{0661}"] {
        assert!(name(wrong).is_err(), "{wrong:?}");
    }
    let region = |region: &str| {
        UpdatePrimaryRegionRequest::parse(json!({"KeyId": "k", "PrimaryRegion": region}).to_string().as_bytes())
    };
    assert!(region("us-gov-east-1").is_ok());
    assert!(region("us-east-\u{0661}").is_err());
    assert_eq!(java_length("a𝄞"), 3);
}

#[test]
fn enums_know_their_names() {
    assert_eq!("ECC_SECG_P256K1".parse(), Ok(KeySpec::EccSecgP256k1));
    assert_eq!("ecc_secg_p256k1".parse::<KeySpec>(), Err(UnknownName));
    assert!(KeySpec::ALL.iter().all(|spec| spec.as_str().parse() == Ok(*spec)));
    assert_eq!(serde_json::from_str::<KeyState>("\"PendingDeletion\"").unwrap(), KeyState::PendingDeletion);
    let stored = postcard::to_stdvec(&KeyState::PendingDeletion).unwrap();
    assert_eq!(postcard::from_bytes::<KeyState>(&stored).unwrap(), KeyState::PendingDeletion);
}

#[test]
fn faults_are_the_services() {
    let faults: Vec<&str> = ErrorCode::ALL.iter().filter(|code| code.fault()).map(|code| code.as_str()).collect();
    assert_eq!(
        faults,
        [
            "DependencyTimeoutException",
            "InternalFailure",
            "KMSInternalException",
            "KeyUnavailableException",
            "ServiceUnavailableException"
        ]
    );
    assert_eq!(ErrorCode::ServiceUnavailableException.status(), 503);
    assert_eq!("AccessDeniedException".parse(), Ok(ErrorCode::AccessDeniedException));
}

#[test]
fn operations_know_their_grants_and_pages() {
    assert_eq!(OPERATIONS.len(), 56);
    let find = |name| OperationModel::find(name).unwrap();
    assert_eq!(find("ReEncrypt").grants, [GrantOperation::ReEncryptFrom, GrantOperation::ReEncryptTo]);
    assert_eq!(find("Encrypt").grants, [GrantOperation::Encrypt]);
    assert!(find("CreateKey").grants.is_empty());
    assert_eq!(find("ListResourceTags").page, Some(Page { items_default: 50, items_max: 50 }));
    assert_eq!((find("TagResource").input, find("TagResource").output), ("TagResourceRequest", ""));
    let allowed: usize = OPERATIONS.iter().map(|operation| operation.grants.len()).sum();
    assert_eq!(allowed, GrantOperation::ALL.len());
}

#[test]
fn each_permission_belongs_to_one_operation() {
    let actions: Vec<&str> = OPERATIONS.iter().flat_map(OperationModel::actions).collect();
    let distinct: std::collections::BTreeSet<&str> = actions.iter().copied().collect();
    assert_eq!((OPERATIONS.len(), actions.len(), distinct.len()), (56, 57, 57), "ReEncrypt has two");
    for action in actions {
        let (operation, spelled) = OperationModel::of_action(&action.to_lowercase()).unwrap();
        assert_eq!(spelled, action);
        assert!(operation.name == action || operation.name == "ReEncrypt", "{action}");
    }
    assert!(OperationModel::of_action("ReEncrypt").is_none());
    let across = OPERATIONS.iter().filter(|operation| operation.across_accounts).count();
    assert_eq!(across, 21, "as the API reference's \"Cross-account use\" has it");
}
