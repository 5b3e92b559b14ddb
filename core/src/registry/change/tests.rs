#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use super::*;
use crate::registry::AccessKey;
use crate::scene::manifest;

fn lines(before: &Manifest, after: &Manifest) -> Vec<String> {
    changes(before, after).iter().map(Change::to_string).collect()
}

#[test]
fn what_is_the_same_changes_nothing() {
    assert_eq!(lines(&manifest(), &manifest()), Vec::<String>::new());
}

#[test]
fn each_thing_has_its_line_and_says_what_of_it_changes() {
    let mut after = manifest();
    after.endpoints.remove(0);
    after.vpcs[0].tags.insert("env".to_owned(), "prod".to_owned());
    let user = &mut after.accounts[0].users[1];
    user.policies = manifest().accounts[0].users[0].policies.clone();
    user.path = "/team/".to_owned();
    user.access_keys.push(AccessKey { id: None, secret: None });
    user.access_keys.push(AccessKey { id: None, secret: None });
    after.accounts[1].users.clear();
    assert_eq!(
        lines(&manifest(), &after),
        [
            "~ user 111122223333/nobody path, policies",
            "+ access-key 111122223333/nobody/(new)",
            "+ access-key 111122223333/nobody/(new)",
            "~ vpc vpc-1 tags",
            "- user 444455556666/stranger",
            "- access-key 444455556666/stranger/AKIA444455556666stranger",
            &format!("- endpoint {}", crate::scene::OPEN),
        ]
    );
}

#[test]
fn a_manifest_comes_and_goes_as_a_whole() {
    let all = lines(&Manifest::default(), &manifest());
    let gone = lines(&manifest(), &Manifest::default());
    assert_eq!(all.len(), 2 + 4 + 4 + 1 + 3);
    assert!(all.iter().all(|line| line.starts_with("+ ")));
    let turned: Vec<_> = all.iter().map(|line| line.replacen('+', "-", 1)).collect();
    assert_eq!(gone, turned);
}

#[test]
fn nothing_that_is_written_down_holds_a_secret() {
    let text = manifest().canonical();
    assert!(text.contains("AKIA") && !text.contains("a secret of this test's own"), "{text}");
    let read: Manifest = serde_json::from_str(&text).unwrap();
    assert_eq!(read.canonical(), text);
    assert!(read.access_keys().all(|(_, _, key)| key.id.is_some() && key.secret.is_none()));
}
