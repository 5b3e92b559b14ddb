//! An operation that reads touches the disk for its audit line only.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::SystemTime;

use serde_json::{Value, json};

use crate::harness::{Home, PLAINTEXT, Scene};

const READS: usize = 1000;

/// What is at a path: its bytes and when they were last written. A folder has no bytes.
#[derive(Debug, PartialEq)]
struct Found {
    bytes: Vec<u8>,
    written: SystemTime,
}

/// Everything under a folder, by its path there.
fn everything(folder: &Path) -> BTreeMap<String, Found> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        let mut add = |path: &Path, bytes| {
            let written = fs::metadata(path).unwrap().modified().unwrap();
            found.insert(path.strip_prefix(folder).unwrap().display().to_string(), Found { bytes, written });
        };
        add(&next, Vec::new());
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { add(&path, fs::read(&path).unwrap()) }
        }
    }
    found
}

fn without_audit(found: &BTreeMap<String, Found>) -> BTreeMap<&String, &Found> {
    found.iter().filter(|(path, _)| !path.starts_with("audit")).collect()
}

#[test]
fn a_thousand_reads_leave_the_store_as_it_was() {
    let home = Home::new();
    home.live(async |live| {
        let admin = live.administrator();
        let scene = Scene::new(&admin).await;
        let requests: Vec<(&str, Value)> = vec![
            ("Encrypt", scene.request("Encrypt").await),
            ("Decrypt", scene.request("Decrypt").await),
            ("DescribeKey", scene.request("DescribeKey").await),
            ("GenerateDataKey", scene.request("GenerateDataKey").await),
            ("ListKeys", json!({})),
        ];
        let audited = |found: &BTreeMap<String, Found>| -> usize {
            found.iter().filter(|(path, _)| path.starts_with("audit")).map(|(_, file)| file.bytes.len()).sum()
        };
        let before = everything(home.path());
        for number in 0..READS {
            let (operation, request) = &requests[number % requests.len()];
            admin.ok(operation, request.clone()).await;
        }
        let after = everything(home.path());
        assert!(before.contains_key("store.redb") && before.contains_key("domain-keys"));
        assert_eq!(without_audit(&after), without_audit(&before));
        assert!(audited(&after) > audited(&before) + READS * 100);
        // The measure would show a write.
        admin.ok("DisableKey", json!({"KeyId": scene.id})).await;
        assert_ne!(everything(home.path())["store.redb"], after["store.redb"]);
    });
}

#[test]
fn no_file_of_a_region_holds_a_plaintext() {
    let home = Home::new();
    home.live(async |live| {
        let scene = Scene::new(&live.administrator()).await;
        for operation in ["Encrypt", "Decrypt", "ReEncrypt"] {
            live.administrator().ok(operation, scene.request(operation).await).await;
        }
    });
    for (path, file) in everything(home.path()) {
        assert!(!file.bytes.windows(PLAINTEXT.len()).any(|window| window == PLAINTEXT), "{path}");
    }
}
