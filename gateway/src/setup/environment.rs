//! What a client's shell needs to reach an endpoint as a user: the env files, and what is printed at start.
//! Knows the variables that AWS's tools read and how a shell quotes; writes no file.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;

use kms_core::registry::{Manifest, Plaintext};
use zeroize::Zeroizing;

use super::Plan;
use crate::listener::{Listener, Role};

/// The lines of an env file that are the same for everybody.
const INTRODUCTION: &str = "# Made by `kannuki serve` at each start; what is changed here is lost.\n\
    # A session or profile of the shell's own would go before the access key below.\n\
    unset AWS_SESSION_TOKEN AWS_PROFILE\n";

/// Where the first interface of an endpoint listens.
pub(super) fn address_of(listeners: &[Listener], endpoint: &str) -> Option<SocketAddr> {
    let of_endpoint = |listener: &&Listener| matches!(&listener.role, Role::Endpoint { id, .. } if **id == *endpoint);
    listeners.iter().find(of_endpoint).map(|listener| listener.address)
}

/// The first access key of a user that the manifest has the secret of.
pub(super) fn access_key<'m>(manifest: &'m Manifest, account: &str, user: &str) -> Option<(&'m str, &'m Plaintext)> {
    let mut own = manifest.access_keys().filter(|(in_account, of, _)| (*in_account, *of) == (account, user));
    own.find_map(|(_, _, key)| Some((key.id.as_deref()?, key.secret.as_ref()?)))
}

/// The `export` lines with which `aws` and the SDKs reach `address` as the owner of an access key, to be
/// sourced by any shell.
pub(super) fn exports(
    address: SocketAddr,
    ca: &Path,
    region: &str,
    (id, secret): (&str, &Plaintext),
) -> Zeroizing<String> {
    let secret = Zeroizing::new(String::from_utf8_lossy(secret.expose()).into_owned());
    let url = format!("https://{address}");
    let ca = ca.to_string_lossy();
    let variables: [(&str, &str); 7] = [
        ("AWS_ENDPOINT_URL_KMS", &url),
        ("AWS_ENDPOINT_URL_STS", &url),
        ("AWS_CA_BUNDLE", &ca),
        ("AWS_REGION", region),
        ("AWS_DEFAULT_REGION", region),
        ("AWS_ACCESS_KEY_ID", id),
        ("AWS_SECRET_ACCESS_KEY", &secret),
    ];
    let quoted = variables.iter().map(|(name, value)| Zeroizing::new(format!("export {name}={}\n", quote(value))));
    let mut lines = Zeroizing::new(String::with_capacity(1024));
    for line in quoted {
        lines.push_str(&line);
    }
    lines
}

/// The contents of an env file.
pub(super) fn file(exports: &str) -> Zeroizing<String> {
    Zeroizing::new(format!("{INTRODUCTION}{exports}"))
}

impl Plan {
    /// What is printed once the region serves: where it listens, what to know, and, for the demo, what to paste.
    pub fn greeting(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(4096));
        // Writing to a String cannot fail.
        let _ = self.write_greeting(&mut text);
        text
    }

    fn write_greeting(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "Kannuki serves {}; its data is in {}", self.config.region.name, self.folder.path().display())?;
        for listener in &self.listeners {
            match &listener.role {
                Role::Public => writeln!(text, "  https://{}  public", listener.address)?,
                Role::Endpoint { id, zone } => writeln!(text, "  https://{}  {id} in {zone}", listener.address)?,
                Role::Balancer(balancer) => {
                    writeln!(
                        text,
                        "  https://{}  behind balancer {}, by PROXY protocol",
                        listener.address, balancer.name
                    )?;
                }
            }
        }
        writeln!(text, "  http://{}  operations: /health /ready /metrics", self.config.listen.operations)?;
        writeln!(
            text,
            "warning: the key-file seal {} is for one machine: who has this file and the data folder has every key",
            self.config.seal.key_file.display()
        )?;
        for notice in &self.notices {
            writeln!(text, "note: {notice}")?;
        }
        match &self.exports {
            Some(exports) => {
                let env = self.folder.path().join(super::ENV);
                let env = env.to_string_lossy();
                let exports = String::from_utf8_lossy(exports.expose());
                writeln!(text, "\nTo use it as the administrator, paste this, or `. {}`:\n\n{exports}", quote(&env))?;
                text.push_str(COMMANDS);
            }
            None if self.ca.is_some() => {
                let ca = self.folder.path().join(super::authority::CA);
                writeln!(text, "Clients need to trust {}, as with:\n", ca.display())?;
                writeln!(text, "export AWS_CA_BUNDLE={}", quote(&ca.to_string_lossy()))?;
            }
            None => {}
        }
        Ok(())
    }
}

/// Work with versions 1 and 2 of the `aws` command line: the plaintext is base64 to one and plain text to the other.
const COMMANDS: &str = "aws kms list-aliases
aws kms encrypt --key-id alias/demo --plaintext aGVsbG8gd29ybGQ=
aws kms create-key --description 'my first key'
";

/// A word that any POSIX shell reads as `text`.
fn quote(text: &str) -> Cow<'_, str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:+=@%,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(format!("'{}'", text.replace('\'', r"'\''")))
    }
}
