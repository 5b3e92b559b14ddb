#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use proptest::prelude::*;

use std::sync::Arc;

use super::*;
use crate::attestation::Algorithm;
use crate::listener::{Asserts, Balancer, Role};

const FULL: &str = r#"
manifest = "m.toml"
[region]
name = "cn-north-1"
partition = "aws-cn"
data = "state"
[listen]
public = "10.0.0.1:443"
operations = "127.0.0.1:9000"
port = 443
[[listen.balancer]]
name = "front"
address = "10.0.0.1:8450"
from = ["10.0.0.0/28", "2001:db8::/64"]
endpoints = ["vpce-0a1b2c3d", "vpce-0a1b2c3d4e5f60001"]
[[listen.balancer]]
name = "side"
address = "10.0.0.1:8451"
from = ["10.0.0.16/28"]
endpoint = "vpce-0a1b2c3d"
[[attestation]]
name = "edge"
key = "edge.pem"
algorithm = "ES256"
endpoints = ["vpce-0a1b2c3d"]
from = ["10.0.0.32/28"]
[[attestation]]
name = "edge-2"
key = "/keys/edge.pem"
algorithm = "EdDSA"
endpoints = []
from = []
listeners = ["public", "front", "vpce-0a1b2c3d"]
[tls]
certificate = "chain.pem"
key = "/keys/key.pem"
[limits]
body_bytes_max = 4096
deadline_ms = 100
connections_max = 5
in_flight_quick_max = 6
in_flight_slow_max = 7
account = { requests_per_second = 8, burst = 9 }
key = { requests_per_second = 10 }
[hsm]
slots = 3
[audit]
file_bytes_max = 1048576
keep_bytes = 2097152
[log]
format = "json"
level = "debug"
[seal]
key_file = "/keys/seal"
[web_identity]
ca_file = "issuers.pem"
"#;

fn parse(text: &str) -> Result<Config, Vec<String>> {
    let faults = |faults: Faults| faults.to_string().lines().map(str::to_owned).collect();
    Config::parse(Path::new("/etc/kannuki/region.toml"), text).map_err(faults)
}

fn rate_of(requests_per_second: u32, burst: u32) -> Option<Rate> {
    let some = |number| NonZeroU32::new(number).unwrap();
    Some(Rate { requests_per_second: some(requests_per_second), burst: some(burst) })
}

fn balancer(name: &str, address: &str, from: &[&str], asserts: Asserts) -> Listener {
    let from = from.iter().map(|range| range.parse().unwrap()).collect();
    let role = Role::Balancer(Arc::new(Balancer { name: name.into(), from, asserts }));
    Listener { address: address.parse().unwrap(), role }
}

#[test]
fn an_empty_file_is_all_defaults() {
    let expected = Config::new(&RegionName::default(), Path::new("/etc/kannuki/kannuki-data"), Port::default());
    assert_eq!(parse("").unwrap(), expected);
    assert_eq!(expected.listen.public, Some("127.0.0.1:8443".parse().unwrap()));
    assert_eq!(expected.listen.operations, "127.0.0.1:8444".parse().unwrap());
    assert_eq!(expected.seal.key_file, Path::new("/etc/kannuki/kannuki-data/seal.key"));
    assert_eq!(expected.region.partition, "aws");
}

#[test]
fn every_setting_is_read() {
    let folder = Path::new("/etc/kannuki");
    let expected = Config {
        region: Region { name: "cn-north-1".into(), partition: "aws-cn".into(), data: folder.join("state") },
        manifest: Some(folder.join("m.toml")),
        listen: Listen {
            public: Some("10.0.0.1:443".parse().unwrap()),
            operations: "127.0.0.1:9000".parse().unwrap(),
            port: 443,
            balancers: vec![
                balancer(
                    "front",
                    "10.0.0.1:8450",
                    &["10.0.0.0/28", "2001:db8::/64"],
                    Asserts::Listed(vec!["vpce-0a1b2c3d".into(), "vpce-0a1b2c3d4e5f60001".into()]),
                ),
                balancer("side", "10.0.0.1:8451", &["10.0.0.16/28"], Asserts::Fixed("vpce-0a1b2c3d".into())),
            ],
        },
        attestations: vec![
            Trusted {
                name: "edge".into(),
                key: folder.join("edge.pem"),
                algorithm: Algorithm::Es256,
                endpoints: vec!["vpce-0a1b2c3d".into()],
                from: vec!["10.0.0.32/28".parse().unwrap()],
                listeners: vec!["public".to_owned()],
            },
            Trusted {
                name: "edge-2".into(),
                key: "/keys/edge.pem".into(),
                algorithm: Algorithm::EdDsa,
                endpoints: Vec::new(),
                from: Vec::new(),
                listeners: ["public", "front", "vpce-0a1b2c3d"].map(str::to_owned).to_vec(),
            },
        ],
        tls: Some(TlsFiles { certificate: folder.join("chain.pem"), key: "/keys/key.pem".into() }),
        limits: Limits {
            body_bytes_max: 4096,
            deadline: Duration::from_millis(100),
            connections_max: 5,
            in_flight_quick_max: 6,
            in_flight_slow_max: 7,
            account: rate_of(8, 9),
            key: rate_of(10, 10),
        },
        hsm: Hsm { slots: 3 },
        audit: Audit { file_bytes_max: 1 << 20, keep_bytes: 2 << 20 },
        log: Log { format: LogFormat::Json, level: LevelFilter::DEBUG },
        seal: Seal { key_file: "/keys/seal".into() },
        web_identity: WebIdentity { ca_file: Some(folder.join("issuers.pem")) },
    };
    assert_eq!(parse(FULL).unwrap(), expected);
}

#[test]
fn the_port_moves_what_is_not_set() {
    let listen = parse("[listen]\nport = 9000\n").unwrap().listen;
    assert_eq!((listen.public, listen.operations), (Some(loopback(9000)), loopback(9001)));
    assert_eq!(parse("[listen]\npublic = \"off\"\n").unwrap().listen.public, None);
}

#[test]
fn each_fault_names_its_line() {
    let table = [
        ("\nx = 1\n", ":2:1: unknown setting `x`"),
        ("[limits]\nbody_bytes = 1\n", ":2:1: unknown setting `body_bytes` in [limits]"),
        ("[limits.account]\nrequests_per_second = 1\nper = 2\n", ":3:1: unknown setting `per` in [limits.account]"),
        ("[limits.key]\nburst = 1\n", ":1:1: `requests_per_second` is missing in [limits.key]"),
        ("[listen]\nport = 65535\n", ":2:8: `port` must be from 1 to 65534"),
        ("[listen]\noperations = \"0.0.0.0:1\"\n", ":2:14: `operations` must be a loopback address"),
        ("[listen]\npublic = \"here\"\n", ":2:10: `public`: invalid socket address syntax"),
        ("[hsm]\nslots = 1\n", ":2:9: `slots` must be from 2 to 64"),
        ("[tls]\nkey = \"k\"\n", ":1:1: `certificate` and `key` in [tls] need each other"),
        ("[audit]\nfile_bytes_max = 3000000\nkeep_bytes = 3000000\n", ":1:1: `keep_bytes` must be at least twice"),
        ("[log]\nformat = \"xml\"\n", ":2:10: `format` must be"),
        ("[log]\nlevel = \"loud\"\n", ":2:9: `level` must be"),
        ("[region]\nname = \"US\"\n", ":2:8: `name`: must be"),
        ("[region]\npartition = \"azure\"\n", ":2:13: `partition` must be one of"),
        ("[region\n", ":1:8: "),
        ("[hsm]\nslots = 2\nslots = 3\n", ":3:1: duplicate key"),
    ];
    for (text, expected) in table {
        let found = parse(text).unwrap_err();
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(&format!("/etc/kannuki/region.toml{expected}")), "{text}: {found:?}");
    }
}

#[test]
fn who_may_say_where_a_request_comes_from() {
    let whole = "name = \"front\"\naddress = \"10.0.0.1:1\"\nfrom = [\"10.0.0.0/8\"]\nendpoint = \"vpce-0a1b2c3d\"\n";
    assert_eq!(parse(&format!("[[listen.balancer]]\n{whole}")).unwrap().listen.balancers.len(), 1);
    let key = "name = \"edge\"\nkey = \"k\"\nalgorithm = \"ES256\"\nfrom = [\"10.0.0.0/8\"]\nendpoints = [\"vpce-0a1b2c3d\"]\n";
    assert_eq!(parse(&format!("[[attestation]]\n{key}")).unwrap().attestations.len(), 1);
    let both = "one of `endpoint` and `endpoints` must be set in [listen.balancer]";
    for (table, text, from, to, expected) in [
        ("listen.balancer", whole, "vpce-0a1b2c3d", "vpce-1", ":5:12: `endpoint` must be vpce-"),
        ("listen.balancer", whole, "endpoint =", "endpoints =", ":5:13: `endpoints` must be a list, not string"),
        ("listen.balancer", whole, "endpoint = \"vpce-0a1b2c3d\"", "", both),
        ("listen.balancer", whole, "endpoint =", "endpoints = []\nendpoint =", both),
        ("listen.balancer", whole, "10.0.0.0/8", "10.0.0.1/8", ":4:9: `from` must have no bit set behind its prefix"),
        ("listen.balancer", whole, "from = [\"10.0.0.0/8\"]\n", "", "`from` is missing in [listen.balancer]"),
        ("listen.balancer", whole, "10.0.0.1:1", "10.0.0.1", ":3:11: `address`: invalid socket address"),
        ("listen.balancer", whole, "\"front\"", "\"public\"", ":2:8: `name` must be"),
        ("listen.balancer", whole, "\"front\"", "\"vpce-0a1b2c3d\"", ":2:8: `name` must be"),
        ("attestation", key, "ES256", "HS256", ":4:13: `algorithm` must be ES256 or EdDSA"),
        ("attestation", key, "endpoints = [\"vpce-0a1b2c3d\"]\n", "", "`endpoints` is missing in [attestation]"),
        ("attestation", key, "key = \"k\"\n", "", "`key` is missing in [attestation]"),
        ("attestation", key, "from", "listeners = [\"front\"]\nfrom", ":5:14: `listeners` may hold \"public\""),
    ] {
        let found = parse(&format!("[[{table}]]\n{}", text.replacen(from, to, 1))).unwrap_err();
        assert!(found.iter().any(|fault| fault.contains(expected)), "{to}: {found:?}");
    }
    let twice = parse(&format!("[[attestation]]\n{key}[[attestation]]\n{key}")).unwrap_err();
    assert_eq!(twice.len(), 1);
    assert!(twice[0].contains(":8:8: `name`: there is another edge"), "{twice:?}");
}

#[test]
fn all_faults_come_at_once() {
    assert_eq!(parse("a = 1\n[hsm]\nslots = 1\n[log]\nlevel = 7\n").unwrap_err().len(), 3);
}

#[test]
fn names_of_regions() {
    for good in ["us-east-1", "eu-central-2", "x"] {
        assert!(good.parse::<RegionName>().is_ok(), "{good}");
    }
    for bad in ["", "-a", "a-", "A", "a.b", "1a", "a/b", &"a".repeat(33)] {
        assert!(bad.parse::<RegionName>().is_err(), "{bad}");
    }
    assert_eq!(["cn-north-1", "us-gov-west-1", "us-east-1"].map(partition_of), ["aws-cn", "aws-us-gov", "aws"]);
}

proptest! {
    /// Whatever is put anywhere into a full file, the answer is settings or faults with lines of that file.
    #[test]
    fn no_text_makes_it_panic(at in 0..FULL.len(), remove in 0_usize..40, insert in "[\\[\\]\\PC\n\"'=.{}#0-9a-z]{0,20}") {
        let end = (at + remove).min(FULL.len());
        let text = format!("{}{insert}{}", &FULL[..at], &FULL[end..]);
        if let Err(faults) = Config::parse(Path::new("r.toml"), &text) {
            let lines = text.split('\n').count();
            prop_assert!(!faults.faults.is_empty());
            prop_assert!(faults.faults.iter().all(|fault| (1..=lines).contains(&fault.line)), "{faults}");
        }
    }

    #[test]
    fn no_noise_makes_it_panic(text in "\\PC{0,200}") {
        let _ = Config::parse(Path::new("r.toml"), &text);
    }
}
