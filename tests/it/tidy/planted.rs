//! Each rule of `tidy` against a small text that breaks it and one that does not.
//! Knows the rules from outside only.

use serde_json::json;

use super::source::{Source, code_of};
use super::{MONOTONIC, RANDOM, rooms, style, workspace};

fn one(path: &str, text: &str) -> Vec<Source> {
    vec![Source::new(path, text)]
}

#[test]
fn comments_and_literals_are_no_code() {
    let text = "let a = \"unsafe \\\" {\"; // unsafe\n/* unsafe /* { */ */ let b = r#\"unsafe \" {\"#; let c = '{'; let d = '\\''; fn e<'a>(f: &'a u8) {}";
    let code = code_of(text);
    assert_eq!(code.len(), text.len());
    assert!(!code.contains("unsafe"), "{code}");
    assert_eq!(code.matches('{').count(), 1, "{code}");
    assert!(code.contains("fn e<'a>(f: &'a u8) {}"), "{code}");
    assert!(code.contains("let d ="), "{code}");
}

#[test]
fn test_modules_are_not_shipped() {
    let text = "fn a() { x.do_send(1); }\n#[cfg(test)]\nmod tests {\n    fn b() { y.do_send(2); }\n}\nfn c() { z.do_send(3); }\n";
    let found = style::words(&one("core/src/a.rs", text));
    assert_eq!(found, ["core/src/a.rs:1: `do_send`", "core/src/a.rs:6: `do_send`"]);
    assert!(style::words(&one("core/src/a/tests.rs", text)).is_empty());
}

#[test]
fn headers() {
    assert_eq!(style::headers(&one("core/src/a.rs", "use std::fmt;\n")).len(), 1);
    assert!(style::headers(&one("core/src/a.rs", "//! Knows.\n")).is_empty());
    assert!(style::headers(&one("core/src/a/tests.rs", "use super::*;\n")).is_empty());
}

#[test]
fn file_sizes() {
    let long = "//! Long.\n".repeat(501);
    assert_eq!(style::file_sizes(&one("core/src/a.rs", &long)).len(), 1);
    assert!(style::file_sizes(&one("core/src/model/generated.rs", &long)).is_empty());
    assert!(style::file_sizes(&one("core/src/a.rs", &"//! Long.\n".repeat(500))).is_empty());
}

#[test]
fn function_sizes() {
    let of = |lines: usize| {
        one("core/src/a.rs", &format!("fn f(a: [u8; 3]) {{\n{}}}\n", "    g(\"}\");\n".repeat(lines - 2)))
    };
    assert_eq!(style::function_sizes(&of(71), ""), ["core/src/a.rs f: over 70 lines"]);
    assert!(style::function_sizes(&of(70), "").is_empty());
    assert!(style::function_sizes(&of(71), "# why\ncore/src/a.rs f\n").is_empty());
    assert_eq!(style::function_sizes(&of(70), "core/src/a.rs f").len(), 1, "the list may only shrink");
    assert!(style::function_sizes(&one("core/src/a.rs", "trait T { fn f(&self); }"), "").is_empty());
}

#[test]
fn words() {
    for text in [
        "todo!()",
        "unimplemented!()",
        "dbg!(x)",
        "unsafe { x }",
        "#[ignore]\nfn a() {}",
        "// TODO later",
        "#[allow(dead_code)]",
    ] {
        assert_eq!(style::words(&one("core/src/a.rs", text)).len(), 1, "{text}");
    }
    let fine = "// an unsafe thing\n#[allow(dead_code, reason = \"todo!\")]\nfn unsafe_code() {}";
    assert!(style::words(&one("core/src/a.rs", fine)).is_empty());
}

#[test]
fn names() {
    for path in ["core/src/utils.rs", "gateway/src/common.rs", "tests/it/helpers.rs"] {
        assert_eq!(style::names(&one(path, "")).len(), 1, "{path}");
    }
    assert!(style::names(&one("core/src/key_manager.rs", "")).is_empty());
}

#[test]
fn reserved_things() {
    for (path, text) in [
        ("core/src/view.rs", "SystemTime::now()"),
        ("gateway/src/serve.rs", "OffsetDateTime::now_utc()"),
        ("core/src/view.rs", "db.begin_write()"),
        ("core/src/operations/alias.rs", "record.state = State::Enabled;"),
        ("gateway/src/gateway.rs", "use kms_hsm::Plaintext;"),
        ("gateway/src/gateway.rs", "use kms_core::key::Record;"),
        ("core/src/error.rs", "use actix_web::HttpResponse;"),
        ("hsm-actor/src/vault.rs", "use kms_core::id::KeyId;"),
        ("core/src/operations/crypto.rs", "authz::decide(&question)"),
        ("gateway/src/attest.rs", "info.realip_remote_addr()"),
    ] {
        assert!(!rooms::reserved(&one(path, text)).is_empty(), "{path} {text}");
    }
    for (path, text) in [
        ("core/src/clock.rs", "SystemTime::now()"),
        ("core/src/store/embedded.rs", "db.begin_write()"),
        ("core/src/key/state.rs", "record.state = State::Enabled;"),
        ("core/src/view.rs", "if record.state == State::Enabled {}"),
        ("core/src/view.rs", "match a { x if x.state => 1 }"),
    ] {
        assert!(rooms::reserved(&one(path, text)).is_empty(), "{path} {text}");
    }
}

#[test]
fn listed_files() {
    let user = one("gateway/src/serve.rs", "let began = Instant::now();");
    assert_eq!(rooms::listed(&user, MONOTONIC.0, MONOTONIC.1, "").len(), 1);
    assert!(rooms::listed(&user, MONOTONIC.0, MONOTONIC.1, "gateway/src/serve.rs\n").is_empty());
    let idle = one("gateway/src/serve.rs", "");
    assert_eq!(rooms::listed(&idle, MONOTONIC.0, MONOTONIC.1, "gateway/src/serve.rs\n").len(), 1);
    assert_eq!(rooms::listed(&one("core/src/a.rs", "rand::fill(&mut a)"), RANDOM.0, RANDOM.1, "").len(), 1);
}

#[test]
fn secrets() {
    for text in [
        "#[derive(Clone)]\npub struct A(Zeroizing<Vec<u8>>);",
        "#[derive(Debug)]\nstruct A { key: Zeroizing<[u8; 32]> }",
        "#[derive(Zeroize, ZeroizeOnDrop, Serialize)]\nstruct A { key: [u8; 32] }",
        "struct A(Zeroizing<Vec<u8>>);\nimpl Clone for A { fn clone(&self) -> Self { A } }",
        "struct A(Zeroizing<Vec<u8>>);\nimpl fmt::Display for A {}",
    ] {
        assert_eq!(rooms::secrets(&one("hsm-actor/src/a.rs", text)).len(), 1, "{text}");
    }
    let fine = "#[derive(Clone, Debug)]\nstruct B { id: u8 }\n/// Wiped.\nstruct A(Zeroizing<Vec<u8>>);\nimpl fmt::Debug for A {}";
    assert!(rooms::secrets(&one("hsm-actor/src/a.rs", fine)).is_empty());
}

#[test]
fn layout() {
    let tracked = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    assert_eq!(workspace::layout(&tracked(&["docs/a.md", "docs/b.md", "core/src/lib.rs"])).len(), 1);
    assert!(workspace::layout(&tracked(&["Cargo.toml", ".ci/run", "tests/run"])).is_empty());
}

#[test]
fn machine_paths() {
    for folder in ["root", "home/ada", "work", "Users/ada", "tmp/build"] {
        let text = format!("see \"/{folder}/x\"");
        assert_eq!(workspace::machine_paths("a.rs", &text).len(), 1, "{text}");
    }
    assert!(workspace::machine_paths("a.rs", "https://example.com/root/x core/root/y /var/lib").is_empty());
}

#[test]
fn dependencies() {
    let package = |name: &str, needs: &[&str]| {
        let needs: Vec<_> = needs.iter().map(|need| json!({"name": need, "kind": null, "features": []})).collect();
        json!({"name": name, "dependencies": needs, "features": {}})
    };
    let with = |hsm: &[&str], core: &[&str], gateway: &[&str]| json!({"packages": [package("kms-hsm", hsm), package("kms-core", core), package("kannuki", gateway)]});
    assert!(workspace::dependencies(&with(&["actix"], &["kms-hsm", "redb"], &["kms-core", "actix-web"])).is_empty());
    for wrong in [
        with(&["kms-core"], &[], &[]),
        with(&[], &["actix-web"], &[]),
        with(&[], &["kannuki"], &[]),
        with(&[], &[], &["kms-hsm"]),
        json!({"packages": [package("kms-core", &[]), package("kannuki", &[])]}),
    ] {
        assert_eq!(workspace::dependencies(&wrong).len(), 1, "{wrong}");
    }
}

#[test]
fn faults() {
    let with = |default: &[&str], features: &[&str]| {
        let needs = json!([{"name": "kms-hsm", "kind": null, "features": features}]);
        json!({"packages": [{"name": "kms-core", "dependencies": needs, "features": {"default": default}}]})
    };
    assert!(workspace::faults_are_off(&with(&[], &[])).is_empty());
    assert_eq!(workspace::faults_are_off(&with(&["faults"], &[])).len(), 1);
    assert_eq!(workspace::faults_are_off(&with(&[], &["faults"])).len(), 1);
}

#[test]
fn aborting_panics() {
    assert_eq!(workspace::panics_unwind("[profile.release]\npanic = \"abort\"\n").len(), 1);
    assert!(workspace::panics_unwind("[profile.release]\ndebug = 1\n").is_empty());
}
