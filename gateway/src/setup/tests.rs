#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use super::*;
use crate::config::{Port, RegionName};
use crate::listener::Role;

const NOW: Timestamp = Timestamp(1_790_000_000_000);
const FILES: [&str; 9] = [
    ".gitignore",
    ".lock",
    "ca-key.pem",
    "ca.pem",
    "env",
    "env-strict",
    "manifest.toml",
    "server-key.pem",
    "server.pem",
];

fn config(data: &Path, port: &str) -> Config {
    Config::new(&RegionName::default(), data, port.parse::<Port>().unwrap())
}

fn start(data: &Path) -> Result<Plan, SetupError> {
    plan(config(data, "8443"), Origin::CommandLine, NOW)
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap())).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn data() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("parent/data");
    (folder, data)
}

#[test]
fn a_first_start_makes_everything_for_the_owner_alone() {
    let (_folder, data) = data();
    let plan = start(&data).unwrap();
    let names: Vec<_> = contents(&data).into_keys().collect();
    assert_eq!(names, FILES);
    assert_eq!(mode(&data), 0o700);
    for secret in ["ca-key.pem", "server-key.pem", "manifest.toml", "env", "env-strict"] {
        assert_eq!(mode(&data.join(secret)), 0o600, "{secret}");
    }
    assert_eq!(fs::read(data.join(".gitignore")).unwrap(), b"*\n");
    assert!(plan.demo && plan.ca == Some(data.join("ca.pem")), "{plan:?}");
    assert_eq!(plan.tls, TlsFiles { certificate: data.join("server.pem"), key: data.join("server-key.pem") });
    assert_eq!(plan.config.seal.key_file, data.join("seal.key"));
    assert_eq!(plan.config.listen.operations, "127.0.0.1:8444".parse().unwrap());
}

#[test]
fn a_second_start_leaves_every_byte_as_it_was() {
    let (_folder, data) = data();
    drop(start(&data).unwrap());
    let before = contents(&data);
    let written = fs::metadata(data.join("env")).unwrap().modified().unwrap();
    drop(start(&data).unwrap());
    assert_eq!(contents(&data), before);
    assert_eq!(fs::metadata(data.join("env")).unwrap().modified().unwrap(), written);
    drop(plan(config(&data, "9443"), Origin::CommandLine, NOW).unwrap());
    let after = contents(&data);
    let changed: Vec<_> = before.iter().filter(|(name, bytes)| after[*name] != **bytes).map(|(name, _)| name).collect();
    assert_eq!(changed, ["env", "env-strict"]);
}

/// Files are made in one order; a crash leaves the first few, and perhaps one that was not renamed yet.
#[test]
fn a_start_that_was_cut_short_is_completed() {
    let order = [
        ".lock",
        ".gitignore",
        "manifest.toml",
        "ca-key.pem",
        "ca.pem",
        "server-key.pem",
        "server.pem",
        "env",
        "env-strict",
    ];
    let (_folder, data) = data();
    drop(start(&data).unwrap());
    let whole = contents(&data);
    for made in 0..order.len() {
        for name in &order[made..] {
            fs::remove_file(data.join(name)).unwrap();
        }
        fs::write(data.join(format!(".{}.new", order[made].trim_start_matches('.'))), "half").unwrap();
        if made == 0 {
            // Nothing of ours is there yet but the folder itself.
            fs::remove_file(data.join(".lock.new")).unwrap();
        }
        drop(start(&data).unwrap_or_else(|wrong| panic!("{made} made: {wrong}")));
        let after = contents(&data);
        for name in &order[..made] {
            assert_eq!(after[*name], whole[*name], "{made} made: {name}");
        }
        assert_eq!(after.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>(), "{made} made");
        for (name, bytes) in &whole {
            fs::write(data.join(name), bytes).unwrap();
        }
    }
}

#[test]
fn what_a_crash_cannot_leave_is_refused() {
    let (_folder, data) = data();
    drop(start(&data).unwrap());
    let ca_key = fs::read(data.join("ca-key.pem")).unwrap();
    // Without the CA's key a good certificate still serves, until one must be issued.
    fs::remove_file(data.join("ca-key.pem")).unwrap();
    drop(start(&data).unwrap());
    fs::remove_file(data.join("server.pem")).unwrap();
    assert!(matches!(start(&data), Err(SetupError::Missing { name: "ca-key.pem", .. })));
    fs::write(data.join("ca-key.pem"), &ca_key).unwrap();
    let plan = start(&data).unwrap();
    assert_eq!(plan.notices, ["ca-key.pem can be read by others than its owner"]);
    drop(plan);
    fs::remove_file(data.join("ca-key.pem")).unwrap();
    fs::remove_file(data.join("ca.pem")).unwrap();
    assert!(matches!(start(&data), Err(SetupError::Missing { name: "ca.pem", .. })));
    fs::write(data.join("ca.pem"), "half").unwrap();
    assert!(matches!(start(&data), Err(SetupError::Certificate { .. })));
}

#[test]
fn another_region_s_folder_is_refused() {
    let (_folder, data) = data();
    drop(start(&data).unwrap());
    fs::remove_file(data.join("server.pem")).unwrap();
    let other = Config::new(&"eu-west-1".parse().unwrap(), &data, Port::default());
    let wrong = plan(other, Origin::CommandLine, NOW).unwrap_err();
    assert!(wrong.to_string().contains("made for another region"), "{wrong}");
}

#[test]
fn a_folder_of_something_else_is_left_alone() {
    let (folder, _) = data();
    fs::write(folder.path().join("thesis.txt"), "years of work").unwrap();
    assert!(matches!(start(folder.path()), Err(SetupError::NotDataFolder(_))));
    assert_eq!(contents(folder.path()).len(), 1);
}

#[test]
fn two_processes_never_share_a_folder() {
    let (_folder, data) = data();
    let first = start(&data).unwrap();
    assert!(matches!(start(&data), Err(SetupError::InUse(_))));
    drop(first);
    assert!(start(&data).is_ok());
}

#[test]
fn the_certificate_is_renewed_before_it_expires() {
    let (_folder, data) = data();
    drop(start(&data).unwrap());
    let before = contents(&data);
    let at = |days: u64| NOW.plus(Duration::from_secs(86_400 * days));
    let early = plan(config(&data, "8443"), Origin::CommandLine, at(360)).unwrap();
    assert_eq!(contents(&data), before);
    renew(&early, at(370)).unwrap();
    let changed: Vec<_> = contents(&data).into_iter().filter(|(name, bytes)| before[name] != *bytes).collect();
    assert_eq!(changed.len(), 1);
    assert_eq!(changed[0].0, "server.pem");
}

#[test]
fn a_manifest_of_one_s_own_makes_no_demo() {
    let (folder, data) = data();
    let path = folder.path().join("m.toml");
    fs::write(&path, "[[account]]\nid = \"111122223333\"\n").unwrap();
    let mut config = config(&data, "8443");
    config.manifest = Some(path.clone());
    let plan = super::plan(config.clone(), Origin::CommandLine, NOW).unwrap();
    assert!(!plan.demo && plan.manifest.accounts.len() == 1);
    assert!(!data.join("manifest.toml").exists() && !data.join("env").exists());
    assert!(plan.greeting().contains("export AWS_CA_BUNDLE="));
    drop(plan);
    fs::write(&path, "[[acount]]\n").unwrap();
    config.region.data = folder.path().join("never-made");
    assert!(matches!(super::plan(config, Origin::CommandLine, NOW), Err(SetupError::Faults(_))));
    assert!(!folder.path().join("never-made").exists());
}

#[test]
fn a_configuration_file_makes_no_demo() {
    let (_folder, data) = data();
    let plan = plan(config(&data, "8443"), Origin::File, NOW).unwrap();
    assert!(!plan.demo && plan.manifest.accounts.is_empty());
    assert_eq!(plan.listeners, [Listener { address: "127.0.0.1:8443".parse().unwrap(), role: Role::Public }]);
    assert!(data.join("server.pem").exists() && !data.join("manifest.toml").exists() && !data.join("env").exists());
}

#[test]
fn listeners_keep_to_their_addresses_or_move_together() {
    let manifest = manifest::parse(Path::new("m"), &demo::text("us-east-1", "aws").unwrap()).unwrap();
    let listen = config(Path::new("d"), "8443").listen;
    let shown = |can_bind: Option<&dyn Fn(IpAddr) -> bool>| {
        let (listeners, moved) = address::listeners(&listen, &manifest.endpoints, can_bind).unwrap();
        (listeners.iter().map(|listener| listener.address.to_string()).collect::<Vec<_>>(), moved)
    };
    let own = [
        "127.0.0.1:8443",
        "127.0.10.1:8443",
        "127.0.10.2:8443",
        "127.0.10.3:8443",
        "127.0.20.1:8443",
        "127.0.20.2:8443",
        "127.0.20.3:8443",
    ];
    assert_eq!(shown(None), (own.map(str::to_owned).to_vec(), false));
    assert_eq!(shown(Some(&|_| true)), (own.map(str::to_owned).to_vec(), false));
    let moved: Vec<_> =
        [8443, 8445, 8446, 8447, 8448, 8449, 8450].iter().map(|port| format!("127.0.0.1:{port}")).collect();
    assert_eq!(shown(Some(&|address| address == IpAddr::V4(Ipv4Addr::LOCALHOST))), (moved, true));
    let high = config(Path::new("d"), "65530").listen;
    assert!(matches!(
        address::listeners(&high, &manifest.endpoints, Some(&|_| false)),
        Err(SetupError::PortsExhausted)
    ));
}

#[test]
fn no_address_is_listened_on_twice() {
    let manifest = manifest::parse(Path::new("m"), &demo::text("us-east-1", "aws").unwrap()).unwrap();
    for public in ["127.0.10.1:8443", "0.0.0.0:8443", "127.0.0.1:8444"] {
        let mut listen = config(Path::new("d"), "8443").listen;
        listen.public = Some(public.parse().unwrap());
        let wrong = address::listeners(&listen, &manifest.endpoints, None);
        assert!(matches!(wrong, Err(SetupError::AddressTwice(_))), "{public}");
    }
    let mut listen = config(Path::new("d"), "8443").listen;
    listen.public = Some("0.0.0.0:9000".parse().unwrap());
    assert!(address::listeners(&listen, &manifest.endpoints, None).is_ok());
}

/// What a shell makes of the env file and of the printed lines, in a folder whose name needs quoting.
#[test]
fn env_files_can_be_sourced_and_the_greeting_pasted() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("it's a folder");
    let plan = start(&data).unwrap();
    let open = plan.listeners[1].address;
    let key = &plan.manifest.accounts[0].users[0].access_keys[0];
    let secret = String::from_utf8_lossy(key.secret.as_ref().unwrap().expose());
    let expected = format!(
        "https://{open} https://{open} {} us-east-1 us-east-1 {} {}",
        data.join("ca.pem").display(),
        key.id.as_ref().unwrap(),
        secret
    );
    let show = "echo \"$AWS_ENDPOINT_URL_KMS $AWS_ENDPOINT_URL_STS $AWS_CA_BUNDLE $AWS_REGION $AWS_DEFAULT_REGION \
        $AWS_ACCESS_KEY_ID $AWS_SECRET_ACCESS_KEY$AWS_SESSION_TOKEN\"";
    let shell = |script: String| {
        let output =
            Command::new("sh").args(["-c", &script]).env("AWS_SESSION_TOKEN", "stale").current_dir(&data).output();
        String::from_utf8(output.unwrap().stdout).unwrap().trim_end().to_owned()
    };
    assert_eq!(shell(format!("set -eu; . ./env; AWS_SESSION_TOKEN=; {show}")), expected);
    let greeting = plan.greeting();
    let exports: String =
        greeting.lines().filter(|line| line.starts_with("export ")).map(|line| format!("{line}\n")).collect();
    assert_eq!(shell(format!("set -eu; AWS_SESSION_TOKEN=; {exports} {show}")), expected);
    assert_eq!(greeting.lines().filter(|line| line.starts_with("aws kms ")).count(), 3);
    assert!(greeting.contains("is for one machine"));
    let strict = fs::read_to_string(data.join("env-strict")).unwrap();
    assert!(strict.contains(&format!("https://{}", plan.listeners[4].address)), "{strict}");
    assert!(strict.contains(plan.manifest.accounts[0].users[1].access_keys[0].id.as_ref().unwrap()));
    assert!(!format!("{plan:?}").contains(&*secret));
}

#[test]
fn an_edited_demo_without_its_user_still_starts() {
    let (_folder, data) = data();
    drop(start(&data).unwrap());
    let text = fs::read_to_string(data.join("manifest.toml")).unwrap();
    fs::write(data.join("manifest.toml"), text.replace("name = \"application\"", "name = \"batch\"")).unwrap();
    let plan = start(&data).unwrap();
    assert!(plan.notices.iter().any(|notice| notice.contains("lacks user application")), "{:?}", plan.notices);
}
