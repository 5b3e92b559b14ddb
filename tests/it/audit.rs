//! The audit log: exactly one record for each call, whatever became of it, with what decided; chained; and no secret.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kms_core::audit;
use kms_core::entry::{Entry, Service};
use kms_core::limits::Rate;
use kms_core::operation::{Effect, On, TABLE};
use serde_json::{Value, json};

use crate::harness::{
    ACCOUNT, Answer, CLOSED, FORBIDDING, Home, PARTNER, PLAINTEXT, Scene, allow, arn, document, encrypt,
};

/// The one record of a request.
fn record_of<'a>(records: &'a [Value], answer: &Answer) -> &'a Value {
    let found: Vec<&Value> = records.iter().filter(|record| record["requestID"] == *answer.request_id).collect();
    assert_eq!(found.len(), 1, "{answer:?}");
    found[0]
}

fn decision<'a>(record: &'a Value, member: &str) -> &'a str {
    record["kannuki"]["decision"][member].as_str().unwrap_or_default()
}

/// Who asked, for what, and the answer.
type Said = (&'static str, &'static str, Answer);

/// Each operation as it should be, denied to its caller, and denied at two endpoints.
fn story(home: &Home) -> (Vec<Said>, Vec<String>) {
    home.live(async |live| {
        let admin = live.administrator();
        let (mut said, mut blobs) = (Vec::new(), Vec::new());
        for spec in TABLE {
            let scene = Scene::about(spec.name, &admin, None).await;
            let request = scene.request(spec.name).await;
            if spec.name == "CancelKeyDeletion" {
                scene.put("PendingDeletion").await;
            }
            blobs.push(scene.blob);
            let callers = [
                ("nobody", live.user("nobody")),
                ("closed", admin.through(CLOSED)),
                ("forbidding", admin.through(FORBIDDING)),
                ("administrator", admin.clone()),
            ];
            for (who, client) in callers {
                said.push((who, spec.name, client.ask(spec.name, &request).await));
            }
        }
        (said, blobs)
    })
}

#[test]
fn each_call_has_exactly_one_record_that_says_what_decided() {
    let home = Home::new();
    let (said, blobs) = story(&home);
    let (text, records) = home.records();
    let mut counted: BTreeMap<&str, usize> = BTreeMap::new();
    for record in &records {
        *counted.entry(record["requestID"].as_str().unwrap()).or_default() += 1;
    }
    assert!(counted.values().all(|count| *count == 1));
    for (who, operation, answer) in &said {
        let context = format!("{operation} by {who}");
        let record = record_of(&records, answer);
        assert_eq!(record["eventName"], *operation, "{context}");
        let code = if answer.is_ok() { Value::Null } else { json!(answer.code) };
        assert_eq!(record.get("errorCode").unwrap_or(&Value::Null), &code, "{context}");
        let (verdict, layer) = match *who {
            "nobody" => ("implicitDeny", "identity"),
            "closed" => ("implicitDeny", "vpce"),
            "forbidding" => ("explicitDeny", "vpce"),
            _ => ("allow", ""),
        };
        assert_eq!(decision(record, "verdict"), verdict, "{context}: {record}");
        assert!(decision(record, "layer").to_lowercase().contains(layer), "{context}: {record}");
        let decided_by = [decision(record, "statement"), decision(record, "grant")];
        assert_eq!(decided_by.concat().is_empty(), verdict == "implicitDeny", "{context}: {record}");
        assert_eq!(answer.is_ok(), *who == "administrator", "{context}");
    }
    let plaintext = STANDARD.encode(PLAINTEXT);
    assert!(!text.contains(&plaintext) && !text.contains(std::str::from_utf8(PLAINTEXT).unwrap()));
    assert!(blobs.iter().all(|blob| !text.contains(blob)));
}

#[test]
fn a_record_says_who_asked_for_what_from_where() {
    let home = Home::new();
    let (said, _) = story(&home);
    let (_, records) = home.records();
    for (_, operation, answer) in said.iter().filter(|(who, ..)| *who == "administrator") {
        let record = record_of(&records, answer);
        let spec = kms_core::operation::find(operation).unwrap();
        assert_eq!(record["readOnly"], json!(spec.effect == Effect::Read), "{operation}");
        assert_eq!(record["responseElements"].is_null(), spec.effect == Effect::Read, "{operation}: {record}");
        assert_eq!(record["userIdentity"]["arn"], arn("administrator"));
        assert_eq!(record["userIdentity"]["type"], "IAMUser");
        assert_eq!(record["recipientAccountId"], ACCOUNT);
        assert_eq!(record["sourceIPAddress"], "10.1.2.3");
        assert!(record["vpcEndpointId"].as_str().unwrap().starts_with("vpce-"));
        assert!(record["kannuki"]["vpc"].as_str().unwrap().starts_with("vpc-"));
        assert_eq!(record["tlsDetails"]["tlsVersion"], "TLSv1.3");
        let has_key = spec.checks.iter().any(|check| check.on != On::Nothing) || *operation == "CreateKey";
        assert_eq!(record.get("resources").is_some(), has_key, "{operation}: {record}");
        let uses_a_key = spec.is_cryptographic() && *operation != "GenerateRandom";
        assert_eq!(record["kannuki"].get("materialIds").is_some(), uses_a_key, "{operation}");
    }
}

#[test]
fn a_record_says_what_the_decision_looked_at() {
    let home = Home::new();
    let answers = home.live(async |live| {
        let mut conditional = allow(&arn("nobody"), "kms:Encrypt");
        conditional["Condition"] = json!({"StringEquals": {"aws:ResourceTag/old": "2", "aws:SourceVpce": ["x"]}});
        conditional["Sid"] = json!("OnlyTagged");
        let policy = document([allow(&format!("arn:aws:iam::{ACCOUNT}:root"), "kms:*"), conditional]);
        let scene = Scene::with_policy(&live.administrator(), Some(policy)).await;
        let refused = live.user("nobody").ask("Encrypt", &encrypt(&scene.arn)).await;
        assert_eq!(refused.code, "AccessDeniedException");
        scene.put("Disabled").await;
        let disabled = live.administrator().ask("Encrypt", &encrypt(&scene.arn)).await;
        let missing = live.administrator().ask("Encrypt", &encrypt("nonsense")).await;
        let malformed = live.administrator().ask("Encrypt", &json!({})).await;
        [refused, disabled, missing, malformed]
    });
    let (_, records) = home.records();
    let refused = record_of(&records, &answers[0]);
    let context = refused["kannuki"]["context"].as_object().unwrap();
    let tag = context.iter().find(|(key, _)| key.eq_ignore_ascii_case("aws:ResourceTag/old"));
    assert_eq!(tag.unwrap().1, &json!(["1"]), "{context:?}");
    // It was allowed, and failed for what the key is.
    let disabled = record_of(&records, &answers[1]);
    assert_eq!((decision(disabled, "verdict"), &disabled["errorCode"]), ("allow", &json!("DisabledException")));
    for answer in &answers[2..] {
        let record = record_of(&records, answer);
        assert_eq!(record["errorCode"], answer.code);
        assert!(record["kannuki"].get("decision").is_none(), "nothing was decided: {record}");
    }
}

#[test]
fn an_endpoints_owner_has_its_own_record_of_what_the_endpoint_refused() {
    let home = Home::new();
    let (own, foreign, others) = home.live(async |live| {
        let scene = Scene::new(&live.administrator()).await;
        let own = live.administrator().through(CLOSED).ask("Encrypt", &encrypt(&scene.arn)).await;
        let key = live.user("partner").publicly().ok("CreateKey", json!({})).await["KeyMetadata"]["Arn"].clone();
        let key = key.as_str().unwrap();
        let foreign = live.user("partner").through(FORBIDDING).ask("Encrypt", &encrypt(key)).await;
        // Refused by something else, or without an endpoint, or not at all.
        let others = [
            live.user("nobody").ask("Encrypt", &encrypt(&scene.arn)).await,
            live.user("nobody").publicly().ask("Encrypt", &encrypt(&scene.arn)).await,
            live.administrator().ask("Encrypt", &encrypt(&scene.arn)).await,
        ];
        ((own, scene.arn), (foreign, key.to_owned()), others)
    });
    let (text, calls) = home.records();
    let owners: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|record| record["eventType"] == "AwsVpceEvent")
        .collect();
    assert_eq!(owners.len(), 2, "{owners:?}");
    for ((answer, key), endpoint, account) in [(&own, CLOSED, ACCOUNT), (&foreign, FORBIDDING, PARTNER)] {
        let (record, callers) = (record_of(&owners, answer), record_of(&calls, answer));
        assert_eq!((&record["eventCategory"], &record["managementEvent"]), (&json!("NetworkActivity"), &json!(false)));
        assert_eq!(record["errorCode"], "VpceAccessDenied");
        assert_eq!(record["errorMessage"], "The request was denied due to a VPC endpoint policy");
        assert_eq!((&record["vpcEndpointId"], &record["vpcEndpointAccountId"]), (&json!(endpoint), &json!(ACCOUNT)));
        assert_eq!(record["recipientAccountId"], ACCOUNT);
        let identity = record["userIdentity"].as_object().unwrap();
        assert_eq!(identity.keys().collect::<Vec<_>>(), ["type", "principalId", "accountId"]);
        assert_eq!((&identity["type"], &identity["accountId"]), (&json!("AWSAccount"), &json!(account)));
        assert_eq!(identity["principalId"], callers["userIdentity"]["principalId"]);
        assert_ne!(record["eventID"], callers["eventID"]);
        assert!(record["kannuki"].get("context").is_none(), "{record}");
        // Of another account's caller and key the owner learns neither parameters nor ARN.
        let is_own = account == ACCOUNT;
        assert_eq!((record["requestParameters"].is_object(), record.to_string().contains(key)), (is_own, is_own));
        assert_eq!(callers["errorCode"], "AccessDeniedException");
        assert_eq!(callers["recipientAccountId"], account);
    }
    for answer in &others {
        record_of(&calls, answer);
    }
    audit::verify(&home.audit()).unwrap();
}

#[test]
fn an_entry_that_is_dropped_records_an_internal_failure() {
    let home = Home::new();
    let request_id = home.live(async |live| {
        let asked = live.administrator().asked();
        let request_id = asked.meta.request_id.to_string();
        drop(Entry::open(live.desk.clone(), &live.region.view(), &asked, Service::Kms, "Encrypt"));
        request_id
    });
    let (_, records) = home.records();
    let found: Vec<&Value> = records.iter().filter(|record| record["requestID"] == *request_id).collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["errorCode"], "KMSInternalException");
    assert_eq!(found[0]["eventName"], "Encrypt");
}

#[test]
fn throttled_calls_are_one_counted_record_a_second() {
    let mut home = Home::new();
    home.account_rate = Some(Rate { per_second: 0.000_001, burst: 5.0 });
    home.live(async |live| {
        let ask = async |user: &str| live.user(user).ask("GenerateRandom", &json!({"NumberOfBytes": 8})).await.code;
        for _ in 0..5 {
            assert_eq!(ask("administrator").await, "OK");
        }
        for _ in 0..7 {
            assert_eq!(ask("administrator").await, "ThrottlingException");
        }
        assert_eq!(ask("nobody").await, "ThrottlingException");
        // Another account has a rate of its own.
        assert_eq!(ask("partner").await, "OK");
        home.clock.advance(Duration::from_secs(1));
        for _ in 0..3 {
            assert_eq!(ask("administrator").await, "ThrottlingException");
        }
        home.clock.advance(Duration::from_secs(1));
        live.flush();
    });
    let (_, records) = home.records();
    let throttled = records.iter().filter(|record| record["errorCode"] == "ThrottlingException");
    let mut counts: Vec<(&str, &str, u64)> = throttled
        .map(|record| {
            let caller = record["userIdentity"]["userName"].as_str().unwrap();
            (caller, record["eventTime"].as_str().unwrap(), record["kannuki"]["count"].as_u64().unwrap())
        })
        .collect();
    counts.sort_unstable();
    let [(first, one, 7), (again, next, 3), ("nobody", _, 1)] = counts[..] else { panic!("{counts:?}") };
    assert_eq!((first, again), ("administrator", "administrator"));
    assert!(one < next);
    let answered = records.iter().filter(|record| record.get("errorCode").is_none()).count();
    assert_eq!(answered, 6);
    assert_eq!(records.iter().filter(|record| record.get("errorCode").is_some()).count(), 3);
}

#[test]
fn calls_over_a_keys_rate_are_counted_and_recorded_in_no_other_way() {
    let mut home = Home::new();
    home.key_rate = Some(Rate { per_second: 0.000_001, burst: 2.0 });
    home.live(async |live| {
        let administrator = live.administrator();
        let key = administrator.ok("CreateKey", json!({})).await["KeyMetadata"]["KeyId"].clone();
        for expected in ["OK"; 2].into_iter().chain(["ThrottlingException"; 7]) {
            assert_eq!(administrator.ask("DescribeKey", &json!({ "KeyId": key })).await.code, expected);
        }
        home.clock.advance(Duration::from_secs(1));
        live.flush();
    });
    let (_, records) = home.records();
    let refused: Vec<_> = records.iter().filter(|record| record.get("errorCode").is_some()).collect();
    let [counted] = refused[..] else { panic!("{refused:?}") };
    assert_eq!((&counted["errorCode"], &counted["kannuki"]["count"]), (&json!("ThrottlingException"), &json!(7)));
    assert_eq!(counted["eventName"], "DescribeKey");
}

#[test]
fn the_log_verifies_over_restarts_until_it_is_edited() {
    let home = Home::new();
    for _ in 0..3 {
        home.live(async |live| {
            for _ in 0..20 {
                live.administrator().ok("GenerateRandom", json!({"NumberOfBytes": 8})).await;
            }
        });
    }
    let report = audit::verify(&home.audit()).unwrap();
    assert_eq!((report.records, report.torn_bytes, report.dropped_records), (60, 0, 0));
    let mut files = fs::read_dir(home.audit()).unwrap().map(|file| file.unwrap().path());
    let file = files.find(|path| path.extension().is_some_and(|extension| extension == "jsonl")).unwrap();
    let text = fs::read_to_string(&file).unwrap();
    let without_one: Vec<&str> = text.lines().enumerate().filter(|(at, _)| *at != 30).map(|(_, line)| line).collect();
    for edited in [text.replacen("administrator", "Administrator", 1), without_one.join("\n") + "\n"] {
        assert_ne!(edited, text);
        fs::write(&file, edited).unwrap();
        audit::verify(&home.audit()).unwrap_err();
    }
}
