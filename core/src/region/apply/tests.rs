#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use serde_json::json;

use super::*;
use crate::registry::AccessKey;
use crate::scene::{HERE, Scene, manifest, play};

/// The scene's manifest with as many access keys to be made for `nobody`, beside those of these ids.
fn making(count: usize, named: &[&str]) -> Manifest {
    let mut manifest = manifest();
    let keys = &mut manifest.accounts[0].users[1].access_keys;
    keys.extend(named.iter().map(|id| AccessKey { id: Some((*id).to_owned()), secret: None }));
    keys.extend((0..count).map(|_| AccessKey { id: None, secret: None }));
    manifest
}

async fn made(scene: &Scene, manifest: Manifest) -> Vec<String> {
    let applied = scene.region.apply(manifest, Making::Now, None).await.unwrap();
    applied.made.into_iter().map(|key| key.id).collect()
}

fn lines(changes: &[Change]) -> Vec<String> {
    changes.iter().map(Change::to_string).collect()
}

#[test]
fn keys_are_made_once_and_kept_by_count_or_by_name() {
    play(async |scene| {
        let first = made(&scene, making(1, &[])).await;
        assert_eq!(first.len(), 1);
        assert_eq!(made(&scene, making(1, &[])).await, Vec::<String>::new());
        let second = made(&scene, making(1, &[&first[0]])).await;
        assert!(second.len() == 1 && second != first);
        assert_eq!(made(&scene, making(2, &[])).await, Vec::<String>::new());
        assert!(scene.region.view().credential(&first[0]).is_some());
        assert_eq!(made(&scene, making(0, &[&second[0]])).await, Vec::<String>::new());
        let view = scene.region.view();
        assert!(view.credential(&first[0]).is_none() && view.credential(&second[0]).is_some());
        // What was named by its id is still one that was made, and stands in for one without.
        assert_eq!(made(&scene, making(1, &[])).await, Vec::<String>::new());
        // A key of the user's own is not taken for one.
        let own = &manifest().accounts[0].users[1].access_keys[0].id.clone().unwrap();
        assert_ne!(own, &second[0]);
    });
}

#[test]
fn nothing_is_made_where_nobody_is_shown_it() {
    play(async |scene| {
        scene.region.declare(&making(1, &[])).await.unwrap();
        assert_eq!(scene.region.view().credentials().count(), 4);
        let preview = scene.region.preview(making(1, &[])).await.unwrap();
        assert_eq!(lines(&preview), [format!("+ access-key {HERE}/nobody/(new)")]);
        assert_eq!(made(&scene, making(1, &[])).await.len(), 1);
        assert_eq!(scene.region.view().credentials().count(), 5);
    });
}

#[test]
fn all_that_is_wrong_is_found_and_nothing_is_changed() {
    play(async |scene| {
        let revision = scene.region.revision();
        let mut bad = making(0, &["AKIANOTTHERE", "AKIA111122223333admin"]);
        bad.endpoints[0].policy = Some("{}".to_owned());
        bad.accounts[1].users[0].policies[0].document = "[]".to_owned();
        let Err(DeclareError::Malformed(wrong)) = scene.region.apply(bad, Making::Now, None).await else { panic!() };
        let told: Vec<_> = wrong.iter().map(|wrong| wrong.what.as_str()).collect();
        assert_eq!(told.len(), 4, "{told:?}");
        // Another user's key is not there for this one either.
        assert!(told.iter().any(|what| what.contains("AKIA111122223333admin")), "{told:?}");
        assert_eq!(scene.region.revision(), revision);
        assert!(scene.region.apply(Manifest::default(), Making::Now, None).await.is_err());
    });
}

#[test]
fn a_file_has_news_until_it_is_applied_or_overtaken() {
    play(async |scene| {
        let file = manifest();
        let mark = scene.region.news(&file).await.unwrap();
        assert!(mark.is_some());
        scene.region.apply(file.clone(), Making::Later, mark).await.unwrap();
        assert_eq!(scene.region.news(&file).await.unwrap(), None);
        let mut other = manifest();
        other.accounts[0].name = "other".to_owned();
        scene.region.apply(other.clone(), Making::Now, None).await.unwrap();
        assert_eq!(scene.region.news(&file).await.unwrap(), None);
        assert!(scene.region.news(&other).await.unwrap().is_some());
        // A secret alone is news, too, and a change that no declaration shows.
        let mut rotated = manifest();
        rotated.accounts[0].users[0].access_keys[0].secret = Some(Plaintext::new(b"another one of its own".to_vec()));
        assert!(scene.region.news(&rotated).await.unwrap().is_some());
        let told = scene.region.apply(rotated, Making::Now, None).await.unwrap();
        assert!(lines(&told.changes).contains(&format!("~ access-key {HERE}/admin/AKIA{HERE}admin secret")));
        assert_eq!(scene.region.news(&Manifest::default()).await.unwrap(), None);
    });
}

#[test]
fn a_large_declaration_is_kept_in_pieces_and_read_back() {
    play(async |scene| {
        let mut large = manifest();
        let statement = json!({ "Effect": "Allow", "Action": format!("kms:{}", "x".repeat(9_000)), "Resource": "*" });
        let user = &large.accounts[0].users[0];
        let users = (0..120).map(|number| {
            let mut user = user.clone();
            (user.name, user.access_keys) = (format!("user-{number}"), Vec::new());
            user.policies[0].document = json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
            user
        });
        let users: Vec<_> = users.collect();
        large.accounts[0].users.extend(users);
        scene.region.declare(&large).await.unwrap();
        assert!(scene.region.view().declared().count() > 1);
        assert_eq!(scene.region.declared().unwrap().canonical(), large.canonical());
        scene.region.declare(&manifest()).await.unwrap();
        assert_eq!(scene.region.view().declared().count(), 1);
        assert_eq!(scene.region.declared().unwrap().canonical(), manifest().canonical());
    });
}

#[test]
fn a_user_whose_path_changes_keeps_the_keys_that_are_not_given_again() {
    play(async |scene| {
        let mut moved = manifest();
        moved.accounts[0].users[1].path = "/team/".to_owned();
        moved.accounts[0].users[1].access_keys[0].secret = None;
        scene.region.declare(&moved).await.unwrap();
        let view = scene.region.view();
        let key = view.credential(&format!("AKIA{HERE}nobody")).unwrap();
        assert_eq!(&*key.identity, format!("arn:aws:iam::{HERE}:user/team/nobody"));
    });
}
