//! The service under measurement: its data folder, its settings, its callers.
//! Starts it as an operator would, from its command line; knows nothing of what is measured.

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::Outcome;
use crate::drive::{Aim, Credentials, Trust};
use crate::process::{self, Server};

/// The first endpoint's address, in the demo and here.
const ENDPOINT: &str = "127.0.10.1";
/// The accounts of a region that is no demo. Each has an administrator; their keys are made up and open nothing else.
pub(crate) const ACCOUNTS: [&str; 2] = ["111122223333", "444455556666"];

/// A running region.
pub(crate) struct Region {
    pub(crate) server: Server,
    pub(crate) data: PathBuf,
    /// `127.0.10.1:8443`
    address: String,
    trust: Trust,
    administrators: Vec<Credentials>,
}

impl Region {
    /// Starts the demo, as a first start makes it, in a folder of its own under `folder`.
    pub(crate) fn demo(service: &Path, folder: &Path) -> Outcome<Self> {
        let data = folder.join("demo");
        let port = port()?;
        let address = format!("{ENDPOINT}:{port}");
        let command = [text(service)?, "--data", text(&data)?, "--port", &port.to_string()];
        let server = Server::start(&command, &address, &folder.join("demo.log"))?;
        let env = fs::read_to_string(data.join("env"))?;
        let id = variable(&env, "AWS_ACCESS_KEY_ID")?.to_owned();
        let secret = variable(&env, "AWS_SECRET_ACCESS_KEY")?.to_owned();
        let trust = Trust::new(&fs::read(data.join("ca.pem"))?)?;
        Ok(Self { server, data, address, trust, administrators: vec![Credentials { id, secret }] })
    }

    /// Starts a region with two accounts and these lines as its `[limits]`, in a folder of its own under `folder`.
    pub(crate) fn configured(service: &Path, folder: &Path, limits: &str) -> Outcome<Self> {
        let home = tempfile::Builder::new().prefix("region-").tempdir_in(folder)?.keep();
        let port = port()?;
        let address = format!("{ENDPOINT}:{port}");
        let administrators = ACCOUNTS.map(administrator).to_vec();
        fs::write(home.join("manifest.toml"), manifest(&administrators))?;
        let config = home.join("region.toml");
        fs::write(&config, settings(port, limits))?;
        let command = [text(service)?, "serve", "--config", text(&config)?];
        let server = Server::start(&command, &address, &home.join("log"))?;
        let data = home.join("data");
        let trust = Trust::new(&fs::read(data.join("ca.pem"))?)?;
        Ok(Self { server, data, address, trust, administrators })
    }

    /// Where the administrator of an account asks this region, by the account's place in `ACCOUNTS`.
    pub(crate) fn aim(&self, account: usize, operation: &'static str, bodies: Vec<String>) -> Outcome<Aim> {
        let credentials = self.administrators.get(account).ok_or("there is no such account")?.clone();
        Ok(Aim { address: self.address.clone(), trust: self.trust.clone(), credentials, operation, bodies })
    }

    /// The same client to another server that has this region's certificate.
    pub(crate) fn aim_elsewhere(&self, address: &str, credentials: Credentials) -> Aim {
        let (address, trust) = (address.to_owned(), self.trust.clone());
        Aim { address, trust, credentials, operation: "Encrypt", bodies: Vec::new() }
    }
}

fn port() -> Outcome<u16> {
    let addresses: Vec<IpAddr> = ["127.0.0.1", ENDPOINT].iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
    process::free_port(&addresses)
}

fn administrator(account: &str) -> Credentials {
    Credentials { id: format!("AKIA{account}"), secret: format!("not/a/real/secret/of/account/{account}") }
}

fn settings(port: u16, limits: &str) -> String {
    format!(
        r#"manifest = "manifest.toml"

[region]
name = "us-east-1"
data = "data"

[listen]
port = {port}
public = "127.0.0.1:{port}"
operations = "127.0.0.1:{}"

[limits]
{limits}
"#,
        port + 1
    )
}

fn manifest(administrators: &[Credentials]) -> String {
    let mut text = String::new();
    for (account, Credentials { id, secret }) in ACCOUNTS.iter().zip(administrators) {
        text.push_str(&format!(
            r#"
[[account]]
id = "{account}"

[[account.user]]
name = "administrator"
policies = [{{ name = "everything", document = '{{"Statement":[{{"Effect":"Allow","Action":"kms:*","Resource":"*"}}]}}' }}]
access_keys = [{{ id = "{id}", secret = "{secret}" }}]

[[key]]
id = "0000aaaa-bbbb-4ccc-8ddd-{account}"
account = "{account}"
aliases = ["alias/demo"]
"#
        ));
    }
    text.push_str(&format!(
        r#"
[[vpc]]
id = "vpc-0aaaaaaaaaaaaaaa1"
account = "{}"
cidrs = ["127.0.0.0/8"]

[[endpoint]]
id = "vpce-0aaaaaaaaaaaaaaa1"
vpc = "vpc-0aaaaaaaaaaaaaaa1"
interfaces = [{{ zone = "us-east-1a", address = "{ENDPOINT}" }}]
"#,
        ACCOUNTS.first().copied().unwrap_or_default()
    ));
    text
}

pub(crate) fn text(path: &Path) -> Outcome<&str> {
    Ok(path.to_str().ok_or("a path is not UTF-8")?)
}

fn variable<'a>(env: &'a str, name: &str) -> Outcome<&'a str> {
    let prefix = format!("export {name}=");
    let value = env.lines().find_map(|line| line.strip_prefix(&prefix)).ok_or("the env file lacks a variable")?;
    Ok(value.trim_matches('\''))
}
