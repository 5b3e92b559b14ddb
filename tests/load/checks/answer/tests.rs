#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};

use super::*;
use crate::scene::Kind;
use crate::scene::pool::Pool;

fn key(public: Option<Vec<u8>>) -> Key {
    Key {
        id: "1234abcd".to_owned(),
        arn: "arn:aws:kms:us-east-1:111122223333:key/1234abcd".to_owned(),
        account: 0,
        kind: Kind::Symmetric,
        pool: Pool::default(),
        public,
        policy: String::new(),
        watch: None,
    }
}

fn sample() -> Arc<Sample> {
    Arc::new(Sample::new("blob".to_owned(), "aGVsbG8=".into(), "{}".into()))
}

fn judge(expect: &Expect, body: &str) -> Result<Finding, String> {
    expect.judge(Some(&key(None)), Signing::P256, body.as_bytes())
}

#[test]
fn a_plaintext_is_what_went_in_or_a_violation() {
    let sample = sample();
    let expect = Expect::Plaintext(Arc::clone(&sample));
    for wrong in [r#"{"Plaintext":"aGVsbG9v"}"#, r#"{"Plaintext":""}"#, "{}", "", "[]"] {
        judge(&expect, wrong).unwrap_err();
        assert!(!sample.is_checked());
    }
    let right = r#"{"KeyId":"arn:aws:kms:us-east-1:111122223333:key/1234abcd","Plaintext":"aGVsbG8="}"#;
    assert_eq!(judge(&expect, right).unwrap().check, Some(Check::Decrypted));
    assert!(sample.is_checked());
}

#[test]
fn an_answer_of_another_key_is_a_violation() {
    let other = r#"{"KeyId":"arn:aws:kms:us-east-1:111122223333:key/other","Plaintext":"aGVsbG8="}"#;
    assert!(judge(&Expect::Plaintext(sample()), other).unwrap_err().contains("key/other"));
    assert!(judge(&Expect::Metadata, r#"{"KeyMetadata":{"KeyId":"other"}}"#).is_err());
    assert!(judge(&Expect::Metadata, r#"{"KeyMetadata":{"KeyId":"1234abcd"}}"#).is_ok());
}

#[test]
fn a_success_where_a_refusal_is_due_is_a_violation() {
    let expect = Expect::Refusal { code: "InvalidCiphertextException", check: Check::WrongContext };
    assert!(judge(&expect, r#"{"Plaintext":"aGVsbG8="}"#).is_err());
    assert_eq!(expect.wanted("InvalidCiphertextException"), Some(Check::WrongContext));
    assert_eq!(expect.wanted("ThrottlingException"), None);
}

#[test]
fn a_ciphertext_is_kept_with_what_went_in() {
    let expect = Expect::Ciphertext { plaintext: "aGVsbG8=".into(), context: r#"{"a":"b"}"#.into() };
    let found = judge(&expect, r#"{"CiphertextBlob":"AQID"}"#).unwrap().sample.unwrap();
    assert_eq!((found.made.as_str(), &*found.input, &*found.context), ("AQID", "aGVsbG8=", r#"{"a":"b"}"#));
    assert!(judge(&expect, "{}").is_err());
}

#[test]
fn a_data_key_has_its_length() {
    let expect = Expect::DataKey { bytes: 32, context: "{}".into() };
    let answer =
        |plaintext: &[u8]| format!(r#"{{"CiphertextBlob":"AQID","Plaintext":"{}"}}"#, BASE64.encode(plaintext));
    assert!(judge(&expect, &answer(&[7; 32])).unwrap().sample.is_some());
    assert!(judge(&expect, &answer(&[7; 16])).is_err());
    assert!(judge(&expect, &answer(&[0; 32])).is_err(), "zeroes are no key");
    assert!(judge(&Expect::RandomBytes(32), &answer(&[7; 31])).is_err());
}

#[test]
fn a_signature_verifies_here_or_is_a_violation() {
    let random = SystemRandom::new();
    let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).unwrap();
    let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).unwrap();
    let key = key(Some(pair.public_key().as_ref().to_vec()));
    let message: Arc<str> = BASE64.encode(b"message").into();
    let expect = Expect::Signature(message);
    let answer = |signed: &[u8]| {
        let signature = pair.sign(&random, signed).unwrap();
        format!(r#"{{"Signature":"{}"}}"#, BASE64.encode(signature.as_ref()))
    };
    let found = expect.judge(Some(&key), Signing::P256, answer(b"message").as_bytes()).unwrap();
    assert_eq!(found.check, Some(Check::SignatureHere));
    assert!(expect.judge(Some(&key), Signing::P256, answer(b"massage").as_bytes()).is_err());
    assert!(expect.judge(Some(&key), Signing::P256, br#"{"Signature":"AAAA"}"#).is_err());
}

#[test]
fn what_the_service_signed_is_valid_to_it() {
    let sample = sample();
    let expect = Expect::Valid(Arc::clone(&sample));
    assert!(judge(&expect, r#"{"SignatureValid":false}"#).is_err());
    assert!(judge(&expect, "{}").is_err());
    assert_eq!(judge(&expect, r#"{"SignatureValid":true}"#).unwrap().check, Some(Check::SignatureThere));
    assert_eq!(judge(&expect, r#"{"MacValid":true}"#).unwrap().check, Some(Check::MacThere));
    assert!(expect.judge_error("KMSInvalidMacException").is_some());
}

#[test]
fn the_same_message_has_the_same_mac() {
    let before = Some(Arc::new(Sample::new("AQID".to_owned(), "bQ==".into(), "{}".into())));
    let expect = Expect::Mac { message: "bQ==".into(), before };
    assert_eq!(judge(&expect, r#"{"Mac":"AQID"}"#).unwrap().check, Some(Check::Mac));
    assert!(judge(&expect, r#"{"Mac":"AQIE"}"#).is_err());
}

#[test]
fn what_was_made_is_not_refused_nor_lost() {
    assert!(Expect::Plaintext(sample()).judge_error("InvalidCiphertextException").is_some());
    assert!(Expect::Metadata.judge_error("NotFoundException").is_some());
    for code in ["ThrottlingException", "KMSInternalException", "connect", "AccessDeniedException"] {
        assert!(Expect::Plaintext(sample()).judge_error(code).is_none(), "{code}");
    }
}

#[test]
fn what_is_gone_may_be_gone_before() {
    let gone = Expect::Gone(Some("alias/x".to_owned()));
    assert!(gone.was_done_before("NotFoundException") && gone.judge_error("NotFoundException").is_none());
    assert!(Expect::Alias("alias/x".to_owned()).was_done_before("AlreadyExistsException"));
    assert!(!Expect::Metadata.was_done_before("NotFoundException"));
    assert_eq!(judge(&gone, "").unwrap().made, Some(Made::AliasGone("alias/x".to_owned())));
}

#[test]
fn a_grant_is_revoked_next() {
    let (operation, body, _) = judge(&Expect::Grant, r#"{"GrantId":"g1","GrantToken":"t"}"#).unwrap().next.unwrap();
    assert_eq!((operation, body.as_str()), (Operation::RevokeGrant, r#"{"KeyId":"1234abcd","GrantId":"g1"}"#));
    assert!(judge(&Expect::Grant, "{}").is_err());
}
