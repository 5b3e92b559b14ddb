#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::record::{EndedBy, EndpointFigures, Latency, OperationFigures, Second, Violation};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/load").join(name)
}

pub(super) fn fixture(name: &str) -> Report {
    read(&fs::read_to_string(path(&format!("{name}.json"))).unwrap()).unwrap()
}

/// A text is as the file has it; `UPDATE=1` writes the file.
fn golden(name: &str, text: &str) {
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path(name), text).unwrap();
    }
    let expected = fs::read_to_string(path(name)).unwrap();
    assert!(text == expected, "{name} differs from:\n{text}");
}

#[test]
fn tables_are_as_they_were() {
    for name in ["calm", "crash", "twelve", "violation", "empty"] {
        golden(&format!("{name}.txt"), &table(&fixture(name)));
    }
}

#[test]
fn comparisons_are_as_they_were() {
    golden("calm-crash.txt", &compare(&fixture("calm"), &fixture("crash")).unwrap());
}

#[test]
fn a_run_is_like_itself() {
    let text = compare(&fixture("twelve"), &fixture("twelve")).unwrap();
    assert!(text.contains("The options are the same."), "{text}");
    let ratios: Vec<_> = text.lines().filter(|line| line.contains("calls/s")).collect();
    assert_eq!(ratios.len(), 13);
    assert!(ratios.iter().all(|line| line.ends_with("  1.00")), "{text}");
}

#[test]
fn another_format_is_refused() {
    let calm = fixture("calm");
    let newer = Report { format_version: FORMAT_VERSION + 1, ..calm.clone() };
    let refused = "the second report has format version 2; this program reads version 1 only";
    assert_eq!(compare(&calm, &newer), Err(refused.to_owned()));
    assert!(compare(&newer, &calm).is_err());
    assert_eq!(read("{\"format_version\":2}"), Err(refused.trim_start_matches("the second report ").to_owned()));
    assert!(read("{\"format_version\":1}").unwrap_err().starts_with("is no whole report"));
    assert!(read("[]").unwrap_err().starts_with("is no report of this tool"));
}

#[test]
fn a_violation_is_shown_whole() {
    let report = fixture("violation");
    let (text, page) = (table(&report), html(&report));
    let violation = report.violation.unwrap();
    for value in violation.evidence.values().chain([&violation.what]) {
        let joined = text.lines().map(str::trim_start).collect::<String>();
        assert!(joined.contains(value.as_str()), "{value} is not in the table");
        assert!(page.contains(value.as_str()), "{value} is not in the page");
    }
}

/// Texts as a service or a shell might send them.
fn text() -> impl Strategy<Value = String> + Clone {
    prop_oneof!["[<>&\"'A-F]{0,40}", Just("<script>".to_owned()), Just("A\x1b[2J\n".to_owned()), "[A-F]{60,200}"]
}

fn operation() -> impl Strategy<Value = OperationFigures> {
    let curve = vec((any::<f64>(), any::<u64>()), 0..20);
    (text(), vec(any::<u64>(), 13), btree_map(text(), any::<u64>(), 0..4), curve).prop_map(
        |(name, counts, errors, curve)| {
            let count = |at: usize| counts.get(at).copied().unwrap_or_default();
            OperationFigures {
                name,
                calls: count(0),
                attempts: count(1),
                succeeded: count(2),
                failed_at_first: count(3),
                failed_after_retries: count(4),
                errors,
                bytes_sent: count(5),
                bytes_received: count(6),
                latency: Latency {
                    mean_us: count(7) as f64,
                    p50_us: count(8),
                    p90_us: count(9),
                    p99_us: count(10),
                    p99_9_us: count(11),
                    p99_99_us: count(12),
                    max_us: count(12),
                    curve,
                },
            }
        },
    )
}

fn second() -> impl Strategy<Value = Second> {
    let count = || prop_oneof![Just(0), 0..1_000_000_u64, any::<u64>()];
    (count(), count(), count(), count(), count(), count()).prop_map(
        |(succeeded, failed_attempts, failed_calls, p50_us, p99_us, max_us)| Second {
            succeeded,
            failed_attempts,
            failed_calls,
            p50_us,
            p99_us,
            max_us,
        },
    )
}

/// Any report, however impossible.
pub(super) fn report() -> impl Strategy<Value = Report> {
    let figures = (vec(operation(), 0..14), operation(), vec(second(), 0..40), any::<[f64; 3]>(), any::<[u64; 4]>());
    let texts = (vec(text(), 4), btree_map(text(), text(), 0..4), proptest::option::of(text()));
    let ended_by =
        prop_oneof![Just(EndedBy::Duration), Just(EndedBy::Count), Just(EndedBy::Interrupt), Just(EndedBy::Violation)];
    (figures, texts, ended_by).prop_map(|(figures, (names, pairs, what), ended_by)| {
        let (operations, total, timeline, times, counts) = figures;
        let [warm_up_seconds, seconds, own_cpu_seconds] = times;
        let [attempts, failed, failed_over_to, connections_opened] = counts;
        let name = |at: usize| names.get(at).cloned().unwrap_or_default();
        let endpoint = EndpointFigures { url: name(2), attempts, failed, failed_over_to, connections_opened };
        Report {
            format_version: FORMAT_VERSION,
            tool: name(0),
            started_at: name(1),
            options: pairs.clone(),
            warm_up_seconds,
            seconds,
            ended_by,
            operations,
            total,
            endpoints: vec![endpoint; (failed % 3) as usize],
            left_out: pairs.clone(),
            timeline,
            longest_gap_us: attempts,
            calls_not_made: failed_over_to,
            checks: BTreeMap::from([(name(3), failed)]),
            violation: what.map(|what| Violation { what, evidence: pairs }),
            own_cpu_seconds,
        }
    })
}

proptest! {
    #[test]
    fn a_table_has_120_columns_and_no_commands(report in report()) {
        for text in [table(&report), compare(&report, &Report::default()).unwrap_or_default()] {
            for line in text.lines() {
                prop_assert!(line.chars().count() <= 120, "{} columns: {line}", line.chars().count());
                prop_assert!(!line.contains(char::is_control), "{line:?}");
            }
        }
    }

    #[test]
    fn any_two_runs_compare(a in report(), b in report()) {
        for line in compare(&a, &b).unwrap().lines() {
            prop_assert!(line.chars().count() <= 120, "{} columns: {line}", line.chars().count());
        }
    }
}
