//! Whom key policies and grants name, and what becomes of that when the named ones go and come.

use serde_json::{Value, json};

use crate::error::KmsError;
use crate::registry::Manifest;
use crate::scene::{ELSEWHERE, HERE, Scene, arn, manifest, play};

const INVALID: &str = "Policy contains a statement with one or more invalid principals.";

/// As a person writes it, with the administrator and one more.
fn policy(also: &str) -> String {
    let admin = arn("admin");
    format!(
        r#"{{ "Version": "2012-10-17",
  "Statement": [
    {{ "Effect": "Allow", "Principal": {{ "AWS": "{admin}" }}, "Action": "kms:*", "Resource": "*" }},
    {{ "Sid": "{also}", "Effect": "Allow", "Principal": {{ "AWS": [ "{also}" ] }}, "Action": "kms:*", "Resource": "*" }}
  ] }}"#
    )
}

async fn shown(scene: &Scene, key: &str) -> String {
    let shown = scene.ask("admin", "GetKeyPolicy", json!({ "KeyId": key })).await.unwrap();
    shown["Policy"].as_str().unwrap().to_owned()
}

async fn declare(scene: &Scene, change: impl FnOnce(&mut Manifest)) {
    let mut manifest = manifest();
    change(&mut manifest);
    scene.region.declare(&manifest).await.unwrap();
}

#[test]
fn a_key_policy_means_those_whom_it_named_when_it_was_put() {
    play(async |scene| {
        let text = policy(&arn("nobody"));
        let key = scene.key(json!({ "Policy": text })).await;
        let describe = async |who: &str| scene.ask(who, "DescribeKey", json!({ "KeyId": key })).await;
        assert_eq!(shown(&scene, &key).await, text);
        describe("nobody").await.unwrap();
        let id = scene.region.view().identity(&arn("nobody")).unwrap().id.clone();
        assert!(id.starts_with("AIDA") && id.len() == 21, "{id}");
        // Another path is another ARN of the same user.
        declare(&scene, |manifest| manifest.accounts[0].users[1].path = "/team/".to_owned()).await;
        let moved = arn("nobody").replace("user/", "user/team/");
        let array = |name: &str| format!(r#"[ "{name}" ]"#);
        assert_eq!(shown(&scene, &key).await, text.replace(&array(&arn("nobody")), &array(&moved)));
        declare(&scene, |_| {}).await;
        assert_eq!(shown(&scene, &key).await, text);
        describe("nobody").await.unwrap();

        declare(&scene, |manifest| drop(manifest.accounts[0].users.remove(1))).await;
        let with_id = text.replace(&array(&arn("nobody")), &array(&id));
        assert_eq!(shown(&scene, &key).await, with_id);
        declare(&scene, |_| {}).await;
        let other = scene.region.view().identity(&arn("nobody")).unwrap().id.clone();
        assert_ne!(other, id);
        assert!(matches!(describe("nobody").await, Err(KmsError::AccessDenied(_))));
        assert_eq!(shown(&scene, &key).await, with_id);
        let put =
            async |text: String| scene.ask("admin", "PutKeyPolicy", json!({ "KeyId": key, "Policy": text })).await;
        assert_eq!(put(with_id.clone()).await, Err(KmsError::MalformedPolicy(INVALID.to_owned())));
        // An id that is someone's may be put, and is shown as the ARN.
        put(with_id.replace(&id, &other)).await.unwrap();
        assert_eq!(shown(&scene, &key).await, text);
        describe("nobody").await.unwrap();
    });
}

#[test]
fn a_key_policy_that_names_someone_who_is_not_there_is_refused() {
    play(async |scene| {
        declare(&scene, |manifest| manifest.accounts[0].roles = vec![crate::judge::tests::layers::role("App")]).await;
        let key = scene.key(json!({})).await;
        let put = async |also: &str| {
            scene.ask("admin", "PutKeyPolicy", json!({ "KeyId": key, "Policy": policy(also) })).await
        };
        for there in [
            HERE.to_owned(),
            ELSEWHERE.to_owned(),
            format!("arn:aws:iam::{HERE}:role/team/App"),
            format!("arn:aws:sts::{HERE}:assumed-role/App/s1"),
            format!("arn:aws:sts::{HERE}:federated-user/bo"),
            arn("stranger"),
            "*".to_owned(),
        ] {
            put(&there).await.unwrap_or_else(|error| panic!("{there}: {error:?}"));
            assert_eq!(shown(&scene, &key).await, policy(&there));
        }
        for absent in [
            "777788889999".to_owned(),
            arn("ghost"),
            arn("admin").replace("arn:aws:", "arn:aws-cn:"),
            format!("arn:aws:iam::{HERE}:role/App"),
            format!("arn:aws:sts::{HERE}:assumed-role/Other/s1"),
            format!("arn:aws:iam::{HERE}:group/g"),
            "AIDAAAAAAAAAAAAAAAAAA".to_owned(),
        ] {
            assert_eq!(put(&absent).await, Err(KmsError::MalformedPolicy(INVALID.to_owned())), "{absent}");
            let created = scene.ask("admin", "CreateKey", json!({ "Policy": policy(&absent) })).await;
            assert_eq!(created, Err(KmsError::MalformedPolicy(INVALID.to_owned())), "{absent}");
        }
    });
}

#[test]
fn a_grant_is_to_those_who_were_named_when_it_was_made() {
    play(async |scene| {
        let key = scene.key(json!({})).await;
        let body = json!({ "KeyId": key, "GranteePrincipal": arn("nobody"), "RetiringPrincipal": arn("someone"),
            "Operations": ["DescribeKey"] });
        scene.ask("admin", "CreateGrant", body.clone()).await.unwrap();
        let describe = async || scene.ask("nobody", "DescribeKey", json!({ "KeyId": key })).await;
        let grants = async |more: Value| {
            let mut asked = json!({ "KeyId": key });
            asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let listed = scene.ask("admin", "ListGrants", asked).await.unwrap();
            listed["Grants"].as_array().unwrap().clone()
        };
        let retirable = async || {
            let asked = json!({ "RetiringPrincipal": arn("someone") });
            let listed = scene.ask("admin", "ListRetirableGrants", asked).await.unwrap();
            listed["Grants"].as_array().unwrap().len()
        };
        describe().await.unwrap();
        let of_nobody = json!({ "GranteePrincipal": arn("nobody") });
        assert_eq!(grants(of_nobody.clone()).await.len(), 1);
        let [grant] = &grants(json!({})).await[..] else { panic!() };
        assert_eq!(
            (&grant["GranteePrincipal"], &grant["RetiringPrincipal"]),
            (&arn("nobody").into(), &arn("someone").into())
        );
        assert_eq!(retirable().await, 1);
        let ids: Vec<_> =
            ["nobody", "someone"].map(|who| scene.region.view().identity(&arn(who)).unwrap().id.clone()).into();
        declare(&scene, |manifest| manifest.accounts[0].users.truncate(1)).await;
        let [grant] = &grants(json!({})).await[..] else { panic!() };
        let shown = (grant["GranteePrincipal"].as_str().unwrap(), grant["RetiringPrincipal"].as_str().unwrap());
        assert_eq!(shown, (&*ids[0], &*ids[1]));
        declare(&scene, |_| {}).await;
        assert!(matches!(describe().await, Err(KmsError::AccessDenied(_))));
        assert_eq!((grants(of_nobody).await.len(), retirable().await), (0, 0));
        let retire = json!({ "KeyId": key, "GrantId": grant["GrantId"] });
        assert!(matches!(scene.ask("someone", "RetireGrant", retire).await, Err(KmsError::AccessDenied(_))));
        scene.ask("admin", "CreateGrant", body).await.unwrap();
        describe().await.unwrap();
    });
}
