//! The log as its users see it: what is written, kept and found again. Damage has a file of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod damage;

use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;
use crate::clock::{FakeClock, Timestamp};

fn clock() -> Arc<dyn Clock> {
    Arc::new(FakeClock::at(Timestamp(1_795_000_000_000)))
}

fn small(file_bytes_max: u64, keep_bytes: u64) -> AuditConfig {
    AuditConfig { file_bytes_max, keep_bytes, ..AuditConfig::default() }
}

fn open(folder: &Path) -> AuditLog {
    AuditLog::open(folder, AuditConfig::default(), clock()).unwrap()
}

fn record(number: u64) -> Record<'static> {
    let mut record = Record::new();
    record.event_name = "Decrypt".into();
    record.request_id = number.to_string().into();
    record
}

fn append(writer: &mut AuditWriter, numbers: std::ops::Range<u64>) -> Position {
    numbers.map(|number| writer.append(&record(number)).unwrap()).last().unwrap()
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// The log's files in the order of their names.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
    files.sort();
    files
}

fn lines(path: &Path) -> Vec<Value> {
    fs::read_to_string(path).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn all_lines(folder: &Path) -> Vec<Value> {
    files(folder).iter().flat_map(|path| lines(path)).collect()
}

fn chain(report: &Report, writer: &str) -> (u64, u64) {
    let chain = report.chains.iter().find(|chain| chain.writer == writer).unwrap();
    (chain.first, chain.last)
}

#[test]
fn a_record_has_cloudtrails_spelling() {
    let folder = tempfile::tempdir().unwrap();
    let mut full = record(7);
    full.event_time = "2026-11-23T22:20:00Z".into();
    full.aws_region = "us-east-1".into();
    full.source_ip_address = "10.0.0.1".into();
    full.user_identity.kind = "IAMUser".into();
    full.user_identity.access_key_id = Some("AKIAEXAMPLE".into());
    full.error_code = Some("AccessDenied".into());
    let parameters = serde_json::value::to_raw_value(&json!({ "keyId": "alias/demo" })).unwrap();
    full.request_parameters = Some(&parameters);
    full.read_only = true;
    full.resources = vec![Resource::key("111122223333", "arn:aws:kms:us-east-1:111122223333:key/k")];
    full.recipient_account_id = "111122223333".into();
    full.vpc_endpoint_id = Some("vpce-1".into());
    full.tls_details = Some(TlsDetails { tls_version: "TLSv1.3".into(), ..TlsDetails::default() });
    full.kannuki.decision = Some(Decision { verdict: "allow".into(), ..Decision::default() });
    full.kannuki.material_ids = vec!["ab".into()];
    open(folder.path()).writer("w").unwrap().append(&full).unwrap();
    let mut written = lines(&files(folder.path())[0]).remove(0);
    for varying in ["eventID", "chain"] {
        assert!(written.as_object_mut().unwrap().remove(varying).is_some());
    }
    assert_eq!(
        written,
        json!({
            "eventVersion": "1.11", "userIdentity": { "type": "IAMUser", "accessKeyId": "AKIAEXAMPLE" },
            "eventTime": "2026-11-23T22:20:00Z", "eventSource": "kms.amazonaws.com", "eventName": "Decrypt",
            "awsRegion": "us-east-1", "sourceIPAddress": "10.0.0.1", "errorCode": "AccessDenied",
            "requestParameters": { "keyId": "alias/demo" }, "responseElements": null, "requestID": "7",
            "readOnly": true, "eventType": "AwsApiCall", "managementEvent": true,
            "resources": [{ "accountId": "111122223333", "type": "AWS::KMS::Key",
                "ARN": "arn:aws:kms:us-east-1:111122223333:key/k" }],
            "recipientAccountId": "111122223333", "vpcEndpointId": "vpce-1", "eventCategory": "Management",
            "tlsDetails": { "tlsVersion": "TLSv1.3", "cipherSuite": "" },
            "kannuki": { "materialIds": ["ab"], "decision": { "verdict": "allow" } },
        })
    );
}

#[test]
fn a_record_is_there_when_append_returns() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    let mut writer = log.writer("w").unwrap();
    for number in 1..=5 {
        assert_eq!(writer.append(&record(number)).unwrap().sequence(), number);
        assert_eq!(all_lines(folder.path()).last().unwrap()["requestID"], number.to_string());
    }
    assert_eq!(chain(&verify(folder.path()).unwrap(), "w"), (1, 5), "a log in use verifies");
}

#[test]
fn a_restart_goes_on_with_the_chain() {
    let folder = tempfile::tempdir().unwrap();
    for start in 0..3 {
        let log = open(folder.path());
        append(&mut log.writer("w").unwrap(), start * 10..start * 10 + 10);
    }
    let report = verify(folder.path()).unwrap();
    assert_eq!((chain(&report, "w"), report.files, report.records), ((1, 30), 1, 30));
}

#[test]
fn writers_have_chains_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let log = AuditLog::open(folder.path(), small(20_000, 10 << 20), clock()).unwrap();
    thread::scope(|scope| {
        for name in ["worker-0", "worker-1", "worker-2"] {
            let log = &log;
            scope.spawn(move || {
                let mut writer = log.writer(name).unwrap();
                for number in 0..200 {
                    let position = writer.append(&record(number)).unwrap();
                    if number % 50 == 0 {
                        wait(log.synced(position)).unwrap();
                    }
                }
            });
        }
    });
    let report = verify(folder.path()).unwrap();
    assert!(report.files > 6, "they rotated");
    assert_eq!(report.records, 600);
    for name in ["worker-0", "worker-1", "worker-2"] {
        assert_eq!(chain(&report, name), (1, 200));
    }
}

#[test]
fn files_rotate_by_size() {
    let folder = tempfile::tempdir().unwrap();
    let log = AuditLog::open(folder.path(), small(5_000, 10 << 20), clock()).unwrap();
    let mut writer = log.writer("w").unwrap();
    append(&mut writer, 0..50);
    let files = files(folder.path());
    assert!(files.len() > 3);
    for file in &files {
        assert!((1..=5_000).contains(&fs::metadata(file).unwrap().len()));
    }
    assert_eq!(verify(folder.path()).unwrap().records, 50);
}

#[test]
fn the_oldest_files_go_and_a_note_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (file, keep) = (5_000, 30_000);
    let log = AuditLog::open(folder.path(), small(file, keep), clock()).unwrap();
    let mut idle = log.writer("idle").unwrap();
    append(&mut idle, 0..20);
    let mut busy = log.writer("busy").unwrap();
    for round in 0..20 {
        let last = append(&mut busy, round * 20..round * 20 + 20);
        wait(log.synced(last)).unwrap();
        // The round after this one removes what that one made safe to remove.
        wait(log.synced(last)).unwrap();
        let total: u64 = files(folder.path()).iter().map(|path| fs::metadata(path).unwrap().len()).sum();
        assert!(total <= keep, "{total} bytes are kept");
        verify(folder.path()).unwrap();
    }
    let report = verify(folder.path()).unwrap();
    assert!(report.dropped_records > 0);
    assert!(chain(&report, "busy").0 > 1);
    assert!(chain(&report, "idle").0 > 1, "an idle writer's old files go too");
    let note = all_lines(folder.path()).into_iter().rfind(|line| line["eventType"] == "KannukiAuditNote").unwrap();
    assert_eq!(note["eventTime"], "2026-11-18T11:06:40Z");
    let dropped = &note["kannuki"]["note"]["files"][0];
    assert!(dropped["file"].as_str().unwrap().starts_with("busy."));
    assert_eq!(
        dropped["count"].as_u64().unwrap(),
        dropped["last"].as_u64().unwrap() - dropped["first"].as_u64().unwrap() + 1
    );
    // And a restart explains the starts as before.
    drop((idle, busy, log));
    let log = AuditLog::open(folder.path(), small(file, keep / 2), clock()).unwrap();
    append(&mut log.writer("idle").unwrap(), 0..1);
    append(&mut log.writer("busy").unwrap(), 0..40);
    drop(log);
    verify(folder.path()).unwrap();
}

#[test]
fn a_torn_line_is_cut_off_and_noted() {
    for torn in [&b"{\"eventVersion\":\"1.11\",\"userId"[..], b"x", &[0; 4096]] {
        let folder = tempfile::tempdir().unwrap();
        append(&mut open(folder.path()).writer("w").unwrap(), 0..3);
        let file = files(folder.path()).remove(0);
        let whole = fs::read(&file).unwrap();
        fs::write(&file, [&whole, torn].concat()).unwrap();
        assert!(verify(folder.path()).is_err());
        append(&mut open(folder.path()).writer("w").unwrap(), 3..4);
        let lines = lines(&file);
        assert_eq!(lines[3]["kannuki"]["note"]["kind"], "tornLine");
        assert_eq!(lines[3]["kannuki"]["note"]["bytes"], torn.len());
        assert_eq!(lines[4]["requestID"], "3");
        let report = verify(folder.path()).unwrap();
        assert_eq!((report.records, report.torn_bytes), (5, torn.len() as u64));
    }
}

#[test]
fn a_first_line_torn_after_a_rotation_is_cut_off_too() {
    for torn in [&b""[..], b"{\"eventVersion"] {
        let folder = tempfile::tempdir().unwrap();
        append(&mut open(folder.path()).writer("w").unwrap(), 0..3);
        fs::write(folder.path().join("w.00000000000000000004.jsonl"), torn).unwrap();
        append(&mut open(folder.path()).writer("w").unwrap(), 3..5);
        let report = verify(folder.path()).unwrap();
        let notes = u64::from(!torn.is_empty());
        assert_eq!((chain(&report, "w"), report.files), ((1, 5 + notes), 2));
    }
}

#[test]
fn the_file_before_an_empty_one_is_not_dropped() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut open(folder.path()).writer("w").unwrap(), 0..30);
    fs::write(folder.path().join("w.00000000000000000031.jsonl"), b"").unwrap();
    let log = AuditLog::open(folder.path(), small(2_000, 1), clock()).unwrap();
    append(&mut log.writer("other").unwrap(), 0..10);
    append(&mut log.writer("w").unwrap(), 30..31);
    drop(log);
    assert_eq!(chain(&verify(folder.path()).unwrap(), "w").0, 1);
}

#[test]
fn a_last_line_that_is_not_as_written_stops_the_writer() {
    let folder = tempfile::tempdir().unwrap();
    append(&mut open(folder.path()).writer("w").unwrap(), 0..3);
    let file = files(folder.path()).remove(0);
    let text = fs::read_to_string(&file).unwrap().replace("\"requestID\":\"2\"", "\"requestID\":\"9\"");
    fs::write(&file, text).unwrap();
    let log = open(folder.path());
    assert!(matches!(log.writer("w"), Err(AuditError::Damaged { .. })));
    assert!(log.writer("other").is_ok());
}

#[test]
fn one_process_and_one_writer_of_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let log = open(folder.path());
    assert_eq!(AuditLog::open(folder.path(), AuditConfig::default(), clock()).unwrap_err(), AuditError::Locked);
    let writer = log.writer("w").unwrap();
    assert_eq!(log.writer("w").unwrap_err(), AuditError::InUse("w".to_owned()));
    drop(writer);
    assert!(log.writer("w").is_ok());
    for bad in ["", "A", "a.b", "a/b", "..", &"a".repeat(33)] {
        assert_eq!(log.writer(bad).unwrap_err(), AuditError::Writer(bad.to_owned()));
    }
    for number in 0..WRITERS_MAX - 1 {
        log.writer(&format!("many-{number}")).unwrap();
    }
    assert!(matches!(log.writer("one-more"), Err(AuditError::Writer(_))));
}

#[test]
fn a_log_that_cannot_be_written_is_out_of_order_for_good() {
    let folder = tempfile::tempdir().unwrap();
    let log = AuditLog::open(folder.path(), small(3_000, 1 << 20), clock()).unwrap();
    let mut writer = log.writer("w").unwrap();
    let mut other = log.writer("other").unwrap();
    append(&mut writer, 0..2);
    // Where the next file should go there is something else.
    for next in 3..20 {
        fs::create_dir(folder.path().join(format!("w.{next:020}.jsonl"))).unwrap();
    }
    let failed = (0..20).find_map(|number| writer.append(&record(number)).err());
    assert_eq!(failed, Some(AuditError::OutOfOrder));
    assert!(!log.healthy());
    assert_eq!(other.append(&record(1)), Err(AuditError::OutOfOrder));
    assert_eq!(wait(writer.sync()), Err(AuditError::OutOfOrder));
}

#[test]
fn all_who_wait_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    // Nothing is synced by itself for an hour.
    let config = AuditConfig { sync_every: Duration::from_secs(3600), ..AuditConfig::default() };
    let log = AuditLog::open(folder.path(), config, clock()).unwrap();
    let mut one = log.writer("one").unwrap();
    let mut two = log.writer("two").unwrap();
    let waiting: Vec<_> = (0..50)
        .flat_map(|number| {
            let first = one.append(&record(number)).unwrap();
            let second = two.append(&record(number)).unwrap();
            [log.synced(second), log.synced(first)]
        })
        .collect();
    assert!(waiting.into_iter().map(wait).all(|answer| answer.is_ok()));
    assert!(wait(one.sync()).is_ok() && log.healthy());
    let never_written = Position { slot: 0, sequence: 51 };
    assert_eq!(wait(log.synced(never_written)), Err(AuditError::OutOfOrder));
}
