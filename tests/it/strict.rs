//! When a revocation is answered, it is over: no request that begins after the answer succeeds on the old state, on
//! any thread. And changes of one key that are made at the same time are all kept.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use kms_core::clock::FakeClock;
use kms_core::region::Region;
use serde_json::{Value, json};

use crate::harness::{ACCOUNT, Client, Home, Live, OPEN, Scene, allow, arn, cast, document, encrypt, until};

const THREADS: usize = 3;
const TASKS_PER_THREAD: usize = 6;
/// Requests that a task makes after the answer.
const AFTER: usize = 8;
const ROUNDS: usize = 4;
/// AWS's bound on the tags of a key.
const TAGS: usize = 50;

/// What the threads tell each other.
#[derive(Clone, Default)]
struct Signal {
    answered: Arc<AtomicBool>,
    succeeded: Arc<AtomicUsize>,
    late: Arc<AtomicUsize>,
}

/// Asks on and on until `AFTER` requests were begun after the answer. A request that began after it and succeeds is
/// what must not be.
async fn asking(client: Client, request: Value, signal: Signal) {
    let mut after = 0;
    while after < AFTER {
        let is_late = signal.answered.load(Ordering::SeqCst);
        let answer = client.ask("Encrypt", &request).await;
        match (answer.is_ok(), is_late) {
            (true, true) => drop(signal.late.fetch_add(1, Ordering::SeqCst)),
            (true, false) => drop(signal.succeeded.fetch_add(1, Ordering::SeqCst)),
            (false, _) => {}
        }
        after += usize::from(is_late);
    }
}

fn worker(region: Arc<Region>, clock: FakeClock, name: String, user: &'static str, request: Value, signal: Signal) {
    actix_rt::System::new().block_on(async move {
        let live = Live::new(region, clock, &name);
        let client = live.user(user);
        let task = || actix_rt::spawn(asking(client.clone(), request.clone(), signal.clone()));
        let tasks: Vec<_> = (0..TASKS_PER_THREAD).map(|_| task()).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
}

/// `user` encrypts with `key` from many threads while `change` is answered.
async fn assert_strict(live: &Live, user: &'static str, key: &str, change: impl Future<Output = ()>) {
    let signal = Signal::default();
    let start = |number: usize| {
        let (region, clock, signal) = (live.region.clone(), live.clock.clone(), signal.clone());
        let request = encrypt(key);
        thread::spawn(move || worker(region, clock, format!("worker-{number}"), user, request, signal))
    };
    let threads: Vec<_> = (0..THREADS).map(start).collect();
    until("the requests are under way", || signal.succeeded.load(Ordering::SeqCst) > 20).await;
    change.await;
    signal.answered.store(true, Ordering::SeqCst);
    for thread in threads {
        thread.join().unwrap();
    }
    assert_eq!(signal.late.load(Ordering::SeqCst), 0, "requests succeeded that began after the change was answered");
}

#[test]
fn disable_key() {
    Home::new().live(async |live| {
        let key = Scene::new(&live.administrator()).await;
        for _ in 0..ROUNDS {
            let change = async { drop(key.owner.ok("DisableKey", json!({"KeyId": key.id})).await) };
            assert_strict(live, "administrator", &key.id, change).await;
            key.owner.ok("EnableKey", json!({"KeyId": key.id})).await;
        }
    });
}

#[test]
fn schedule_key_deletion() {
    Home::new().live(async |live| {
        let key = Scene::new(&live.administrator()).await;
        let change = async { drop(key.owner.ok("ScheduleKeyDeletion", json!({"KeyId": key.id})).await) };
        assert_strict(live, "administrator", &key.id, change).await;
    });
}

#[test]
fn put_key_policy() {
    let home = Home::new();
    home.live(async |live| {
        let key = Scene::new(&live.user("keeper")).await;
        let narrow = document([allow(&arn("keeper"), "kms:*")]);
        for _ in 0..ROUNDS {
            let put = |policy: &str| json!({"KeyId": key.id, "Policy": policy});
            let change = async { drop(key.owner.ok("PutKeyPolicy", put(&narrow)).await) };
            assert_strict(live, "administrator", &key.id, change).await;
            key.owner.ok("PutKeyPolicy", put(&key.present_policy())).await;
        }
    });
    // Also one that was allowed when it began, and refused when it was to be answered, is recorded as refused.
    let (_, records) = home.records();
    let mut refused = records.iter().filter(|record| record["errorCode"] == "AccessDeniedException").peekable();
    assert!(refused.peek().is_some());
    assert!(refused.all(|record| record["kannuki"]["decision"]["verdict"] == "implicitDeny"));
    // And there were such: the key had been used by then.
    let used = |record: &&Value| record["kannuki"].get("materialIds").is_some();
    let refused = records.iter().filter(|record| record["errorCode"] == "AccessDeniedException");
    assert!(refused.filter(used).count() > 0, "nothing was refused at its answer");
}

#[test]
fn revoke_grant() {
    Home::new().live(async |live| {
        let key = Scene::new(&live.administrator()).await;
        for _ in 0..ROUNDS {
            let grant = key.grant(&arn("nobody"), &["Encrypt"]).await["GrantId"].clone();
            let change = async { drop(key.owner.ok("RevokeGrant", json!({"KeyId": key.id, "GrantId": grant})).await) };
            assert_strict(live, "nobody", &key.arn, change).await;
        }
    });
}

#[test]
fn tag_resource() {
    Home::new().live(async |live| {
        let mut conditional = allow(&arn("nobody"), "kms:Encrypt");
        conditional["Condition"] = json!({"StringEquals": {"aws:ResourceTag/open": "yes"}});
        let policy = document([allow(&format!("arn:aws:iam::{ACCOUNT}:root"), "kms:*"), conditional]);
        let key = Scene::with_policy(&live.administrator(), Some(policy)).await;
        let tag = |value: &str| json!({"KeyId": key.id, "Tags": [{"TagKey": "open", "TagValue": value}]});
        for _ in 0..ROUNDS {
            key.owner.ok("TagResource", tag("yes")).await;
            let change = async { drop(key.owner.ok("TagResource", tag("no")).await) };
            assert_strict(live, "nobody", &key.arn, change).await;
        }
    });
}

#[test]
fn a_narrower_endpoint_policy() {
    Home::new().live(async |live| {
        let key = Scene::new(&live.administrator()).await;
        let silent = json!({"Effect": "Allow", "Principal": "*", "Action": "kms:ListKeys", "Resource": "*"});
        for _ in 0..ROUNDS {
            let mut narrow = cast();
            let endpoint = narrow.endpoints.iter_mut().find(|endpoint| endpoint.id == OPEN).unwrap();
            endpoint.policy = Some(document([silent.clone()]));
            let change = async { live.region.declare(&narrow).await.unwrap() };
            assert_strict(live, "administrator", &key.id, change).await;
            live.region.declare(&cast()).await.unwrap();
        }
    });
}

#[test]
fn changes_of_one_key_at_the_same_time_are_all_kept() {
    Home::new().live(async |live| {
        let admin = live.administrator();
        let id = admin.ok("CreateKey", json!({})).await["KeyMetadata"]["KeyId"].as_str().unwrap().to_owned();
        let mut asking = Vec::new();
        for number in 0..TAGS {
            let (admin, id) = (admin.clone(), id.clone());
            asking.push(actix_rt::spawn(async move {
                let tags = json!([{"TagKey": format!("tag-{number:02}"), "TagValue": "x"}]);
                admin.ok("TagResource", json!({"KeyId": id, "Tags": tags})).await;
                let alias = format!("alias/one-of-many-{number}");
                admin.ok("CreateAlias", json!({"AliasName": alias, "TargetKeyId": id})).await;
            }));
        }
        for asked in asking {
            asked.await.unwrap();
        }
        let tags = admin.ok("ListResourceTags", json!({"KeyId": id})).await;
        let tags = tags["Tags"].as_array().unwrap();
        let names: BTreeSet<&str> = tags.iter().map(|tag| tag["TagKey"].as_str().unwrap()).collect();
        assert_eq!((names.len(), tags.len()), (TAGS, TAGS));
        let aliases = admin.ok("ListAliases", json!({"KeyId": id})).await;
        assert_eq!(aliases["Aliases"].as_array().unwrap().len(), TAGS);
        // One more is one too many, whoever comes last.
        let more = json!({"KeyId": id, "Tags": [{"TagKey": "more", "TagValue": "x"}]});
        assert_eq!(admin.ask("TagResource", &more).await.code, "TagException");
    });
}

#[test]
fn of_two_who_create_one_alias_one_is_told_that_it_exists() {
    Home::new().live(async |live| {
        let admin = live.administrator();
        let (one, other) = (Scene::new(&admin).await, Scene::new(&admin).await);
        for number in 0..10 {
            let name = format!("alias/contested-{number}");
            let create = |key: &Scene| {
                let (admin, request) = (admin.clone(), json!({"AliasName": name, "TargetKeyId": key.id}));
                actix_rt::spawn(async move { admin.ask("CreateAlias", &request).await.code })
            };
            let (first, second) = (create(&one), create(&other));
            let mut codes = [first.await.unwrap(), second.await.unwrap()];
            codes.sort_unstable();
            assert_eq!(codes, ["AlreadyExistsException", "OK"]);
        }
    });
}
