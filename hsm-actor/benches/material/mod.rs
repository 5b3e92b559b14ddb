//! What the benchmarks of commands have in common: a ring, a label, a context of two pairs.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

use kms_hsm::{EncryptionContext, KeyFileSeal, KeyRing, Label, Origin, Spec, Usage};

pub(crate) fn ring() -> KeyRing {
    let folder = tempfile::tempdir().unwrap();
    let seal = KeyFileSeal::create(&folder.path().join("seal.key")).unwrap();
    KeyRing::create(&seal, "us-east-1", 1000).unwrap().0
}

pub(crate) fn label() -> Label {
    Label {
        partition: "aws".into(),
        account: "111122223333".into(),
        key: "1234abcd-12ab-34cd-56ef-1234567890ab".into(),
        spec: Spec::SymmetricDefault,
        usage: Usage::EncryptDecrypt,
        origin: Origin::AwsKms,
        multi_region: false,
    }
}

pub(crate) fn context() -> EncryptionContext {
    EncryptionContext::from_pairs([("department", "10103.0"), ("purpose", "payroll")])
}
