#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::LazyLock;

use proptest::prelude::*;
use zeroize::Zeroizing;

use super::*;

static DEMO: LazyLock<Zeroizing<String>> = LazyLock::new(|| demo::text("eu-west-2", "aws").unwrap());

/// An account, a VPC and an endpoint on lines 1 to 10, for faults in what follows.
const BASE: &str = r#"[[account]]
id = "111122223333"
[[vpc]]
id = "vpc-0a1b2c3d"
account = "111122223333"
cidrs = ["10.0.0.0/16"]
[[endpoint]]
id = "vpce-0a1b2c3d"
vpc = "vpc-0a1b2c3d"
interfaces = [{ zone = "a", address = "10.0.0.1" }]
"#;

const POLICY: &str = r#"{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}"#;

fn faults(text: &str) -> Vec<String> {
    let wrong = parse(Path::new("m.toml"), text).map(drop);
    wrong.map_or_else(|faults| faults.to_string().lines().map(str::to_owned).collect(), |()| Vec::new())
}

#[test]
fn the_demo_reads_back() {
    let manifest = parse(Path::new("m.toml"), &DEMO).unwrap();
    assert!(!DEMO.contains("{region}") && !DEMO.contains("_id}") && !DEMO.contains("_secret}"));
    let accounts: Vec<_> = manifest.accounts.iter().map(|account| account.id.as_str()).collect();
    assert_eq!(accounts, [demo::ACCOUNT, demo::OTHER_ACCOUNT]);
    let users: Vec<_> = manifest.accounts.iter().flat_map(|account| &account.users).collect();
    let names: Vec<_> = users.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, [demo::ADMINISTRATOR, demo::APPLICATION, demo::PARTNER]);
    for user in users {
        let [key] = user.access_keys.as_slice() else { panic!("{user:?}") };
        assert!(key.id.as_ref().is_some_and(|id| id.starts_with("AKIA") && id.len() == 20), "{key:?}");
        assert_eq!(key.secret.as_ref().unwrap().len(), 40);
        assert_eq!((user.path.as_str(), user.policies.len()), ("/", 1));
    }
    let [open, strict] = manifest.endpoints.as_slice() else { panic!("{manifest:?}") };
    assert_eq!((open.id.as_str(), open.policy.is_none()), (demo::OPEN_ENDPOINT, true));
    assert_eq!(strict.id, demo::STRICT_ENDPOINT);
    assert_eq!((open.account.as_str(), strict.account.as_str()), (demo::ACCOUNT, demo::ACCOUNT));
    let addresses: Vec<_> = strict.interfaces.iter().map(|each| format!("{} {}", each.zone, each.address)).collect();
    assert_eq!(addresses, ["eu-west-2a 127.0.20.1", "eu-west-2b 127.0.20.2", "eu-west-2c 127.0.20.3"]);
    let policy = strict.policy.as_deref().unwrap();
    assert!(policy.contains(&format!("arn:aws:kms:eu-west-2:{}:key/{}", demo::ACCOUNT, demo::KEY)), "{policy}");
    assert!(policy.contains(r#""kannuki:SourceVpcTag/env": "${aws:ResourceTag/env}""#), "{policy}");
    assert_eq!((manifest.vpcs[0].tags["env"].as_str(), manifest.vpcs[1].tags["env"].as_str()), ("dev", "prod"));
    let [key] = manifest.keys.as_slice() else { panic!("{manifest:?}") };
    assert_eq!((key.id.as_str(), key.aliases.as_slice()), (demo::KEY, &["alias/demo".to_owned()][..]));
    assert_eq!(key.tags["env"], "prod");
}

#[test]
fn access_keys_are_never_the_same_twice() {
    assert_ne!(demo::text("eu-west-2", "aws").unwrap().as_str(), DEMO.as_str());
}

#[test]
fn each_fault_names_its_line() {
    let table = [
        ("[[key]]\nid = \"x\"\naccount = \"111122223333\"", "m.toml:12:6: `id` must be a lower-case UUID"),
        ("[[key]]\naccount = \"111122223333\"", "m.toml:11:1: `id` is missing in [key]"),
        (
            "[[key]]\nid = \"1234abcd-12ab-34cd-56ef-1234567890ab\"\naccount = \"222222222222\"",
            "m.toml:13:11: account `222222222222` is not declared",
        ),
        (
            "[[key]]\nid = \"1234abcd-12ab-34cd-56ef-1234567890ab\"\naccount = \"111122223333\"\naliases = [\"alias/aws/x\"]",
            "m.toml:14:12: `aliases` must not begin with alias/aws/",
        ),
        (
            "[[key]]\nid = \"1234abcd-12ab-34cd-56ef-1234567890ab\"\naccount = \"111122223333\"\naliases = [\"alias/a\", \"alias/a\"]",
            "m.toml:14:23: alias `111122223333/alias/a` is declared twice; first on line 14",
        ),
        (
            "[[key]]\nid = \"1234abcd-12ab-34cd-56ef-1234567890ab\"\naccount = \"111122223333\"\npolicy = '''\n{\n \"a\": }\n'''",
            "m.toml:14:10: `policy` is not a JSON object: expected value on line 16",
        ),
        (
            "[[key]]\nid = \"1234abcd-12ab-34cd-56ef-1234567890ab\"\naccount = \"111122223333\"\npolicy = \"[]\"",
            "m.toml:14:10: `policy` is not a JSON object: invalid type: sequence, expected a map on line 14",
        ),
        (
            "[[key]]\nid = \"1234abcd-12ab-34cd-56ef-1234567890ab\"\naccount = \"111122223333\"\ntags = { \"aws:x\" = \"1\" }",
            "m.toml:14:20: `tags` must not begin with aws:",
        ),
        (
            "[[key]]\nid = \"1234abcd-12ab-34cd-56ef-1234567890ab\"\naccount = \"111122223333\"\npolicy_file = \"no/such\"",
            "m.toml:14:15: `no/such` cannot be read: No such file",
        ),
        ("[[keys]]\n", "m.toml:11:3: unknown setting `keys`"),
    ];
    for (text, expected) in table {
        let found = faults(&format!("{BASE}{text}\n"));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].starts_with(expected), "{text}: {found:?}");
    }
}

#[test]
fn what_must_be_unique_or_declared_is() {
    let table = [
        ("[[account]]\nid = \"111122223333\"", "account `111122223333` is declared twice; first on line 2"),
        (
            "[[vpc]]\nid = \"vpc-0a1b2c3d\"\naccount = \"111122223333\"\ncidrs = []",
            "VPC `vpc-0a1b2c3d` is declared twice",
        ),
        (
            "[[vpc]]\nid = \"vpc-0a1b2c3e\"\naccount = \"111122223333\"\ncidrs = [\"10.0.0.1/16\"]",
            "`cidrs` must have no bit set",
        ),
        (
            "[[endpoint]]\nid = \"vpce-0a1b2c3e\"\nvpc = \"vpc-00000000\"\ninterfaces = []",
            "VPC `vpc-00000000` is not declared",
        ),
        (
            "[[endpoint]]\nid = \"vpce-0a1b2c3e\"\nvpc = \"vpc-0a1b2c3d\"\ninterfaces = [{ zone = \"a\", address = \"10.0.0.1\" }]",
            "interface address `10.0.0.1` is declared twice",
        ),
        (
            "[[endpoint]]\nid = \"vpce-0a1b2c3e\"\nvpc = \"vpc-0a1b2c3d\"\ninterfaces = [{ zone = \"a\", address = \"10.0.0.2\" }, { zone = \"a\", address = \"10.0.0.3\" }]",
            "zone `a` has two interfaces",
        ),
        (
            "[[endpoint]]\nid = \"vpce-0a1b2c3e\"\nvpc = \"vpc-0a1b2c3d\"\ninterfaces = [{ zone = \"a\", address = \"0.0.0.0\" }]",
            "`address` must be the address of one interface",
        ),
    ];
    for (text, expected) in table {
        let found = faults(&format!("{BASE}{text}\n"));
        assert_eq!(found.len(), 1, "{text}: {found:?}");
        assert!(found[0].contains(expected), "{text}: {found:?}");
    }
}

/// A manifest of `rest`, in which `{allow}` and `{trust}` stand for documents that are in order.
fn with_documents(rest: &str) -> String {
    let trust = r#"{"Statement":{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}}"#;
    format!("{BASE}{rest}\n").replace("{allow}", &format!("'{POLICY}'")).replace("{trust}", &format!("'{trust}'"))
}

#[test]
fn identities_and_organizations_read_back() {
    let path = Path::new("../tests/fixtures/manifests/organization.toml");
    let manifest = load(path).unwrap_or_else(|faults| panic!("{faults}"));
    let account = &manifest.accounts[1];
    let [user, ..] = account.users.as_slice() else { panic!("{account:?}") };
    assert_eq!(
        (user.groups.as_slice(), user.permissions_boundary.as_deref()),
        (&["developers".to_owned()][..], Some("limit"))
    );
    assert_eq!(account.groups[0].managed_policies, ["use-keys"]);
    let role = &account.roles[0];
    assert_eq!((role.path.as_str(), role.max_session_duration_seconds), ("/service/", 7200));
    assert!(role.trust_policy.contains("sts:AssumeRoleWithWebIdentity"));
    let issuer = &account.issuers[0];
    assert_eq!((issuer.url.as_str(), issuer.client_ids.len()), ("https://idp.example.com/realm", 1));
    let [organization] = manifest.organizations.as_slice() else { panic!("{manifest:?}") };
    let members: Vec<_> = organization.accounts.iter().map(|member| (&*member.id, &*member.parent)).collect();
    assert_eq!(members, [("444455556666", "ou-ab12-22222222"), ("111122223333", "r-ab12")]);
    assert_eq!(organization.units[1].parent, "ou-ab12-11111111");
    assert_eq!(organization.attached.service, None);
    assert_eq!(organization.attached.resource, ["perimeter"]);
    let attached = organization.units[0].attached.service.as_deref();
    assert_eq!(attached, Some(&["FullAWSAccess".to_owned(), "no-deletion".to_owned()][..]));
}

#[test]
fn each_fault_of_an_identity_names_its_line() {
    let user = "[[account]]\nid = \"222233334444\"\n[[account.user]]\nname = \"u\"\n";
    let role = "[[account]]\nid = \"222233334444\"\n[[account.role]]\nname = \"r\"\n";
    let long = |characters: usize| {
        let empty = r#"{"Statement":{"Sid":"","Effect":"Allow","Action":"kms:*","Resource":"*"}}"#;
        empty.replacen(r#""Sid":"""#, &format!(r#""Sid":"{}""#, "a".repeat(characters - empty.len())), 1)
    };
    let inline = |name: &str, characters: usize| format!("{{ name = \"{name}\", document = '{}' }}", long(characters));
    let table = [
        (format!("{user}groups = [\"g\"]"), "m.toml:15:11: group `g` is not declared in account 222233334444"),
        (
            format!("{user}managed_policies = [\"p\"]"),
            "m.toml:15:21: managed policy `p` is not declared in account 222233334444",
        ),
        (
            format!("{user}permissions_boundary = \"p\""),
            "m.toml:15:24: managed policy `p` is not declared in account 222233334444",
        ),
        (
            format!("{user}policies = [{}, {}]", inline("a", 1024), inline("b", 1025)),
            "m.toml:13:1: the inline policies of this user have 2049 characters without white space, more than 2048",
        ),
        (
            format!("{role}trust_policy = {{trust}}\npolicies = [{}, {}]", inline("a", 9000), inline("b", 1241)),
            "m.toml:13:1: the inline policies of this role have 10241 characters without white space, more than 10240",
        ),
        (
            format!(
                "[[account]]\nid = \"222233334444\"\n[[account.group]]\nname = \"g\"\npolicies = [{}]",
                inline("a", 5121)
            ),
            "m.toml:13:1: the inline policies of this group have 5121 characters without white space, more than 5120",
        ),
        (
            format!(
                "[[account]]\nid = \"222233334444\"\n[[account.policy]]\nname = \"p\"\ndocument = '{}'",
                long(6145)
            ),
            "m.toml:15:12: the policy has 6145 characters, more than 6144",
        ),
        (
            format!(
                "{user}policies = [{{ name = \"p\", document = '{{\"Statement\":{{\"Effect\":\"Allow\",\"Action\":\"*\"}}}}' }}]"
            ),
            "m.toml:15:38: Policy statement must contain resources. (neither Resource nor NotResource)",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(faults(&with_documents(&text)).join("\n"), expected, "{text}");
    }
}

#[test]
fn each_fault_of_a_role_names_its_line() {
    let role = "[[account]]\nid = \"222233334444\"\n[[account.role]]\nname = \"r\"\n";
    let table = [
        (
            role.to_owned(),
            "m.toml:13:1: `trust_policy` (JSON text) or `trust_policy_file` is missing in [account.role]",
        ),
        (
            format!("{role}trust_policy = {{trust}}\nmax_session_duration_seconds = 43201"),
            "m.toml:16:32: `max_session_duration_seconds` must be from 3600 to 43200",
        ),
        (
            format!("{role}trust_policy = {{trust}}")
                .replace("[[account.role]]", "[[account.issuer]]\nurl = \"https://a\"\n[[account.role]]"),
            "m.toml:13:1: `client_ids` is missing in [account.issuer]\nm.toml:13:1: `client_ids` must be 1 to 100\nm.toml:13:1: an issuer needs `jwks_file`, `jwks` or `jwks_url`",
        ),
        (
            format!(
                "{role}trust_policy = '{{\"Statement\":{{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Principal\":{{\"AWS\":\"arn:aws:iam::222233334444:user/u\"}}}}}}'"
            ),
            "m.toml:15:16: a statement names arn:aws:iam::222233334444:user/u, which is not declared",
        ),
        (
            format!(
                "{role}trust_policy = '{{\"Statement\":{{\"Effect\":\"Allow\",\"Action\":\"sts:AssumeRole\",\"Principal\":{{\"Federated\":\"arn:aws:iam::222233334444:oidc-provider/a\"}}}}}}'"
            ),
            "m.toml:15:16: a statement names arn:aws:iam::222233334444:oidc-provider/a, which is not declared",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(faults(&with_documents(&text)).join("\n"), expected, "{text}");
    }
}

#[test]
fn each_fault_of_an_organization_names_its_line() {
    let base = "[[organization]]\nid = \"o-exampleorgid\"\nroot = \"r-ab12\"\nmanagement_account = \"111122223333\"\n";
    let unit = "[[organization.organizational_unit]]\nid = \"ou-ab12-11111111\"\n";
    let table = [
        (base.replace("o-exampleorgid", "o-x"), "m.toml:12:6: `id` must be o- and 10 to 32"),
        (base.replace("111122223333", "222233334444"), "m.toml:14:22: account `222233334444` is not declared"),
        (format!("{base}service_control_policies = [\"p\"]"), "m.toml:15:29: the organization has no such policy"),
        (format!("{base}{unit}parent = \"ou-ab12-22222222\""), "m.toml:17:10: `parent` is neither the root nor"),
        (
            format!("{base}{unit}parent = \"ou-ab12-11111111\""),
            "m.toml:17:10: `ou-ab12-11111111` is more than 5 levels below the root, or in a circle",
        ),
        (
            format!("{base}[[organization.account]]\nid = \"111122223333\"\nparent = \"r-zz99\""),
            "m.toml:17:10: `parent` is neither the root nor",
        ),
        (
            format!("{base}[[organization.policy]]\nname = \"p\"\ntype = \"SCP\""),
            "m.toml:17:8: `type` must be SERVICE_CONTROL_POLICY or RESOURCE_CONTROL_POLICY",
        ),
        (
            format!(
                "{base}[[organization.policy]]\nname = \"p\"\ntype = \"RESOURCE_CONTROL_POLICY\"\ndocument = {{trust}}"
            ),
            "m.toml:18:12: Policy statement must contain resources.",
        ),
        (
            format!("{base}{base}").replace(
                "r-ab12\"\nmanagement_account = \"111122223333\"\n[[",
                "r-ab13\"\nmanagement_account = \"111122223333\"\n[[",
            ),
            "m.toml:15:1: account of an organization `111122223333` is declared twice; first on line 11\nm.toml:16:6: organization `o-exampleorgid` is declared twice",
        ),
    ];
    for (text, expected) in table {
        let found = faults(&with_documents(&text)).join("\n");
        assert!(found.starts_with(expected) && found.lines().count() == expected.lines().count(), "{text}: {found}");
    }
}

#[test]
fn a_secret_is_in_no_fault() {
    let user = "[[account]]\nid = \"111122223333\"\n[[account.user]]\nname = \"u\"\n";
    let found =
        faults(&format!("{user}access_keys = [{{ id = \"AKIAIOSFODNN7EXAMPLE\", secret = \"hush hush hush hush\" }}]"));
    assert_eq!(found, ["m.toml:5:56: the secret must be 16 to 128 visible ASCII characters"]);
    let found = faults(&format!("{user}access_keys = [{{ id = \"AKIAIOSFODNN7EXAMPLE\", secret = 123456 }}]"));
    assert!(!found.is_empty() && found.iter().all(|fault| !fault.contains("123456")), "{found:?}");
}

#[test]
fn documents_and_secrets_may_stand_in_files() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("policy.json"), POLICY).unwrap();
    std::fs::write(folder.path().join("secret"), "wJalrXUtnFEMI/K7MDENG\n").unwrap();
    let text = "[[account]]\nid = \"111122223333\"\n[[account.user]]\nname = \"u\"\n\
        policies = [{ name = \"p\", file = \"policy.json\" }]\n\
        access_keys = [{ id = \"AKIAIOSFODNN7EXAMPLE\", secret_file = \"secret\" }]\n";
    let path = folder.path().join("m.toml");
    let manifest = parse(&path, text).unwrap();
    let user = &manifest.accounts[0].users[0];
    assert_eq!(user.policies[0].document, POLICY);
    assert_eq!(user.access_keys[0].secret.as_ref().unwrap().expose(), b"wJalrXUtnFEMI/K7MDENG");

    std::fs::write(folder.path().join("policy.json"), "{\n \"Statement\"\n}").unwrap();
    let found = parse(&path, text).unwrap_err();
    let [fault] = found.faults.as_slice() else { panic!("{found}") };
    assert_eq!((fault.file.clone(), fault.line), (folder.path().join("policy.json"), 3), "{found}");
}

#[test]
fn several_files_make_one_manifest_and_each_fault_names_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    std::fs::create_dir(folder.path().join("net")).unwrap();
    let (accounts, networks) = BASE.split_at(BASE.find("[[vpc]]").unwrap());
    let accounts = write("accounts.toml", accounts);
    write("net/open.json", POLICY);
    let networks = write("net/networks.toml", &format!("{networks}policy_file = \"open.json\"\n"));
    let Err(faults) = load_all(&[&accounts, &networks]) else { panic!("an endpoint's policy has no principal here") };
    assert!(faults.to_string().starts_with(&folder.path().join("net/open.json").display().to_string()), "{faults}");
    std::fs::remove_file(folder.path().join("net/open.json")).unwrap();
    let found = load_all(&[&accounts, &networks, &accounts]).unwrap_err().to_string();
    let expected = [
        format!("{}:2:6: account `111122223333` is declared twice; first on line 2", accounts.display()),
        format!("{}:9:15: `open.json` cannot be read: No such file", networks.display()),
    ];
    assert_eq!(found.lines().count(), 2, "{found}");
    assert!(expected.iter().all(|fault| found.contains(fault.as_str())), "{found}");
    let found = load_all(&["no/such.toml", "nor/this.toml"]).unwrap_err().to_string();
    assert!(found.contains("no/such.toml: cannot be read") && found.contains("nor/this.toml: cannot be read"));
}

#[test]
fn access_keys_may_be_given_by_file_kept_or_left_to_be_made() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("id"), "AKIAIOSFODNN7EXAMPLE\n").unwrap();
    std::fs::write(folder.path().join("secret"), "wJalrXUtnFEMI/K7MDENG\n").unwrap();
    let with = |keys: &str| {
        let user = "[[account]]\nid = \"111122223333\"\n[[account.user]]\nname = \"u\"\n";
        parse(&folder.path().join("m.toml"), &format!("{user}access_keys = [{keys}]\n"))
    };
    let manifest =
        with(r#"{ id_file = "id", secret_file = "secret" }, { id = "AKIAI44QH8DHBEXAMPLE" }, {}, {}"#).unwrap();
    let keys: Vec<_> = manifest.access_keys().map(|(_, _, key)| (key.id.as_deref(), key.secret.is_some())).collect();
    let (given, kept) = (Some("AKIAIOSFODNN7EXAMPLE"), Some("AKIAI44QH8DHBEXAMPLE"));
    assert_eq!(keys, [(given, true), (kept, false), (None, false), (None, false)]);
    for (keys, expected) in [
        (r#"{ secret_file = "secret" }"#, "a secret needs `id` or `id_file`"),
        (r#"{ id = "AKIAIOSFODNN7EXAMPLE", id_file = "id" }"#, "`id` and `id_file` exclude each other"),
        // What stands in the wrong file is not shown.
        (r#"{ id_file = "secret" }"#, "the access key's id must be"),
    ] {
        let found = with(keys).unwrap_err().to_string();
        assert!(found.contains(expected) && !found.contains("wJalr") && found.lines().count() == 1, "{found}");
    }
}

proptest! {
    /// Whatever is put anywhere into the demo, the answer is a manifest or faults with lines of that file.
    #[test]
    fn no_text_makes_it_panic(at in 0_usize..4000, remove in 0_usize..40, insert in "[\\[\\]\\PC\n\"'=.{}#0-9a-z]{0,20}") {
        let end = (at + remove).min(DEMO.len());
        let at = at.min(end);
        let text = format!("{}{insert}{}", &DEMO[..at], &DEMO[end..]);
        if let Err(faults) = parse(Path::new("m.toml"), &text) {
            let lines = text.split('\n').count();
            prop_assert!(!faults.faults.is_empty());
            prop_assert!(faults.faults.iter().all(|fault| (1..=lines).contains(&fault.line)), "{faults}");
        }
    }

    /// The grammar's rules and the parser take any text at all.
    #[test]
    fn no_name_makes_it_panic(name in "\\PC{0,80}") {
        let quoted = toml::Value::String(name).to_string();
        let text = format!("{BASE}[[key]]\nid = {quoted}\naccount = {quoted}\naliases = [{quoted}]\ntags = {{ {quoted} = {quoted} }}\npolicy = {quoted}\n");
        prop_assert!(parse(Path::new("m.toml"), &text).is_err());
    }
}
