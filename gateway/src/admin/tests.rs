#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use kms_core::registry::{AccessKey, Account, Manifest, Plaintext, User};
use proptest::prelude::*;

use super::protocol::{Declaration, Secret, written};
use super::*;

fn manifest() -> Manifest {
    let key = |id: Option<&str>, secret: Option<&str>| AccessKey {
        id: id.map(str::to_owned),
        secret: secret.map(|secret| Plaintext::new(secret.as_bytes().to_vec())),
    };
    let access_keys = vec![key(None, None), key(Some("AKIA1"), Some("hush \"hush\"")), key(Some("AKIA2"), None)];
    let user = User { name: "alice".to_owned(), path: "/".to_owned(), access_keys, ..User::default() };
    let account = Account { id: "111122223333".to_owned(), users: vec![user], ..Account::default() };
    Manifest { accounts: vec![account], ..Manifest::default() }
}

#[test]
fn a_declaration_travels_with_its_secrets_beside_it() {
    let line = written(&Request::Apply(Declaration::new(manifest()))).unwrap();
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    let (line, _) = line.split_at(line.len() - 1);
    let request = protocol::request(line).unwrap();
    assert!(!format!("{request:?}").contains("hush"));
    let Request::Apply(declaration) = request else { panic!("{request:?}") };
    let read = declaration.into_manifest().unwrap();
    let secrets: Vec<_> = read.access_keys().map(|(_, _, key)| key.secret.as_ref().map(Plaintext::expose)).collect();
    assert_eq!(secrets, [None, Some(&b"hush \"hush\""[..]), None]);
    assert_eq!(read.canonical(), manifest().canonical());
}

#[test]
fn what_is_not_understood_is_refused_without_being_quoted() {
    let table = [
        (r#"{"version":2,"say":{"rule-the-world":[]}}"#, "version 2 of the admin protocol is not known here"),
        (r#"{"say":"get"}"#, "not understood"),
        (r#"{"version":1,"say":"hush"}"#, "not understood"),
        (r#"{"version":1,"say":"get","more":1}"#, "not understood"),
        (r#"{"version":1,"say":{"apply":{"manifest":{},"secrets":[],"hush":1}}}"#, "not understood"),
        (r#"{"version":1,"say":{"apply":{"manifest":{"hush":[]},"secrets":[]}}}"#, "not understood"),
        ("", "not understood"),
    ];
    for (line, expected) in table {
        let error = protocol::request(line.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with(expected) && !error.contains("hush"), "{line}: {error}");
    }
    let uneven = r#"{"version":1,"say":{"apply":{"manifest":{},"secrets":[null]}}}"#;
    let Request::Apply(declaration) = protocol::request(uneven.as_bytes()).unwrap() else { panic!() };
    assert!(declaration.into_manifest().is_err());
}

proptest! {
    #[test]
    fn no_line_makes_it_panic(line: Vec<u8>, inner in "[\\[\\]{}\":,a-z0-9]{0,40}") {
        prop_assert!(protocol::request(&line).is_err());
        let _ = protocol::request(format!("{{\"version\":1,\"say\":{inner}}}").as_bytes());
    }
}

/// A folder whose name is longer than the address of a socket can be.
fn deep() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("d".repeat(120));
    std::fs::create_dir(&data).unwrap();
    (folder, data)
}

/// Says a line to a socket where the answer to everything is the number of errands.
fn ask(data: &Path, say: impl Fn(&mut std::os::unix::net::UnixStream) + Send + 'static) -> String {
    let data = data.to_owned();
    actix_rt::System::new().block_on(async move {
        let mut admin = start(&data).unwrap();
        let asking = actix_rt::task::spawn_blocking(move || {
            let mut stream = connect(&data).unwrap();
            say(&mut stream);
            let mut heard = String::new();
            BufReader::new(stream).read_line(&mut heard).unwrap();
            heard
        });
        let answering = async {
            loop {
                let Errand { answer, operator, .. } = admin.next().await.unwrap();
                assert!(operator.pid.is_some_and(|pid| u32::try_from(pid) == Ok(std::process::id())));
                let made = Secret::of(&Plaintext::new(b"shown".to_vec()));
                let _ = answer.send(Answer::Applied {
                    changes: Vec::new(),
                    made: vec![protocol::Made { user: "u".to_owned(), id: "i".to_owned(), secret: made }],
                    revision: 7,
                });
            }
        };
        tokio::select! {
            heard = asking => heard.unwrap(),
            () = answering => unreachable!(),
        }
    })
}

#[test]
fn a_request_is_answered_in_a_folder_of_any_depth() {
    let (_folder, data) = deep();
    for _ in 0..2 {
        let heard = ask(&data, |stream| stream.write_all(b"{\"version\":1,\"say\":\"get\"}\n").unwrap());
        let Answer::Applied { made, revision: 7, .. } = protocol::answer(heard.trim_end().as_bytes()).unwrap() else {
            panic!("{heard}")
        };
        assert_eq!(made[0].secret.expose(), "shown");
    }
    let mode = std::fs::metadata(data.join(FOLDER)).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[test]
fn what_is_no_request_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let heard = ask(folder.path(), |stream| stream.write_all(b"hello\n").unwrap());
    assert!(heard.contains("refused") && heard.contains("not understood"), "{heard}");
    let heard = ask(folder.path(), |stream| {
        // More than is read: the other side may have closed meanwhile.
        let piece = vec![b'x'; 1 << 20];
        while stream.write_all(&piece).is_ok() {}
    });
    assert!(heard.contains("longer than"), "{heard}");
}
