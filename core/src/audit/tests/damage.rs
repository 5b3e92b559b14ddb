//! What `verify` finds: every kind of damage to the files, from one byte to a whole file.

use proptest::prelude::*;

use super::*;

/// Two chains; the first in several files.
fn scene() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let log = AuditLog::open(folder.path(), small(4_000, 10 << 20), clock()).unwrap();
    append(&mut log.writer("a").unwrap(), 0..25);
    append(&mut log.writer("b").unwrap(), 0..3);
    drop(log);
    assert_eq!(verify(folder.path()).unwrap().records, 28);
    folder
}

fn text_lines(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

fn rewrite(path: &Path, lines: &[String]) {
    fs::write(path, lines.iter().map(|line| format!("{line}\n")).collect::<String>()).unwrap();
}

/// Changes the lines of the second file and answers what `verify` says of it.
fn after(change: impl FnOnce(&mut Vec<String>)) -> (u64, String) {
    let folder = scene();
    let file = files(folder.path()).remove(1);
    let mut lines = text_lines(&file);
    assert!(lines.len() > 3);
    change(&mut lines);
    rewrite(&file, &lines);
    let broken = verify(folder.path()).unwrap_err();
    if broken.line > 0 && !broken.why.contains("follow") {
        assert_eq!(broken.file, file.file_name().unwrap().to_string_lossy());
    }
    (broken.line, broken.why)
}

#[test]
fn a_changed_record_is_found() {
    let (line, why) = after(|lines| lines[1] = lines[1].replace("Decrypt", "Encrypt"));
    assert_eq!((line, why.as_str()), (2, "it is not what was written"));
}

#[test]
fn a_changed_record_with_its_own_hash_made_anew_is_found_at_the_next() {
    let (line, why) = after(|lines| {
        let (covered, _) = lines[1].rsplit_once(",\"hash\":\"").unwrap();
        let covered = covered.replace("Decrypt", "Encrypt");
        lines[1] = format!("{covered},\"hash\":\"{}\"}}}}", hex::encode(chain::sha256(covered.as_bytes())));
    });
    assert_eq!((line, why.as_str()), (3, "it does not follow from the record before it"));
}

#[test]
fn a_removed_record_is_found() {
    let (line, why) = after(|lines| {
        lines.remove(1);
    });
    assert!(line == 2 && why.contains("follows record"), "{why}");
}

#[test]
fn a_record_removed_at_a_files_beginning_or_end_is_found() {
    let (line, why) = after(|lines| {
        lines.remove(0);
    });
    assert!(line == 1 && why.contains("should begin"), "{why}");
    let (line, why) = after(|lines| {
        lines.pop();
    });
    assert!(line == 1 && why.contains("follows record"), "the next file shows it: {why}");
}

#[test]
fn reordered_and_repeated_records_are_found() {
    let (line, why) = after(|lines| lines.swap(1, 2));
    assert!(line == 2 && why.contains("follows record"), "{why}");
    let (line, why) = after(|lines| lines.insert(1, lines[1].clone()));
    assert!(line == 3 && why.contains("follows record"), "{why}");
}

#[test]
fn a_cut_in_the_middle_is_found() {
    let folder = scene();
    let file = files(folder.path()).remove(1);
    let whole = fs::read(&file).unwrap();
    for length in (0..whole.len()).step_by(23) {
        fs::write(&file, &whole[..length]).unwrap();
        assert!(verify(folder.path()).is_err(), "cut at {length}");
    }
}

#[test]
fn a_record_of_another_chain_is_found() {
    let folder = scene();
    let (a, b) = (files(folder.path()).remove(0), files(folder.path()).pop().unwrap());
    rewrite(&a, &text_lines(&b));
    assert!(verify(folder.path()).unwrap_err().why.contains("chain of b"));
}

#[test]
fn a_missing_file_is_found_wherever_it_was_but_at_the_end() {
    let count = files(scene().path()).len();
    // The last of each chain is what only a signed digest can miss.
    for number in (0..count - 2).rev() {
        let folder = scene();
        fs::remove_file(&files(folder.path())[number]).unwrap();
        let broken = verify(folder.path()).unwrap_err();
        assert!(broken.why.contains("follows record") || broken.why.contains("missing"), "{broken}");
    }
}

#[test]
fn a_renamed_or_emptied_file_is_found() {
    let folder = scene();
    let second = files(folder.path()).remove(1);
    fs::rename(&second, folder.path().join("a.jsonl")).unwrap();
    assert!(verify(folder.path()).unwrap_err().why.contains("such a name"));
    fs::remove_file(folder.path().join("a.jsonl")).unwrap();
    fs::write(&second, b"").unwrap();
    assert!(verify(folder.path()).unwrap_err().why.contains("no records"));
}

#[test]
fn a_dropped_beginning_needs_its_note() {
    let folder = tempfile::tempdir().unwrap();
    let log = AuditLog::open(folder.path(), small(4_000, 12_000), clock()).unwrap();
    append(&mut log.writer("a").unwrap(), 0..100);
    drop(log);
    assert!(verify(folder.path()).unwrap().dropped_records > 0);
    // One file more than the notes say.
    fs::remove_file(&files(folder.path())[0]).unwrap();
    assert!(verify(folder.path()).unwrap_err().why.contains("missing"));
}

#[test]
fn what_is_too_long_or_no_text_is_found() {
    for tail in [vec![b'x'; 3 * LINE_BYTES_MAX], vec![0xff; 100], b"\n".to_vec(), b"{}\n".to_vec()] {
        let folder = scene();
        let file = files(folder.path()).remove(0);
        fs::write(&file, [fs::read(&file).unwrap(), tail].concat()).unwrap();
        assert!(verify(folder.path()).is_err());
    }
}

#[test]
fn an_empty_folder_and_none() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(verify(folder.path()), Ok(Report::default()));
    assert!(verify(&folder.path().join("none")).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_changed_byte_is_found(file: prop::sample::Index, at: prop::sample::Index, mask in 1_u8..) {
        let folder = scene();
        let files = files(folder.path());
        let file = file.get(&files);
        let mut bytes = fs::read(file).unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
        fs::write(file, bytes).unwrap();
        prop_assert!(verify(folder.path()).is_err());
    }
}
