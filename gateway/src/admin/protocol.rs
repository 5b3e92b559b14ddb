//! What is said over the admin socket: one JSON document a line, a request and then its answer.
//! Knows the documents, their version and their bounds. Secrets travel beside the manifest, which never holds them.

use std::fmt;

use kms_core::registry::{Manifest, Plaintext};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

/// Changes whenever an older side would misunderstand; both sides are one binary, as a rule.
pub const VERSION: u32 = 1;
/// The longest request, in bytes.
pub const REQUEST_BYTES_MAX: usize = 32 << 20;

/// What an operator may ask.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Request {
    /// Makes the region as declared.
    Apply(Declaration),
    /// What `Apply` would change.
    Diff(Declaration),
    /// What the region was last declared to be.
    Get,
    /// Puts another policy on a key: the default one when it is `None`.
    RecoverPolicy { key: String, policy: Option<String> },
}

/// A manifest and the secrets of its access keys.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Declaration {
    manifest: Manifest,
    /// In the order of the manifest's access keys.
    secrets: Vec<Option<Secret>>,
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", rename_all_fields = "kebab-case", deny_unknown_fields)]
pub enum Answer {
    Applied {
        /// A line for each thing that was changed.
        changes: Vec<String>,
        made: Vec<Made>,
        revision: u64,
    },
    Differs {
        changes: Vec<String>,
    },
    Declared {
        manifest: Manifest,
    },
    Recovered {
        key: String,
        /// SHA-256 of the policy's text before and after, in hexadecimal.
        before: String,
        after: String,
    },
    /// Nothing was done.
    Refused {
        /// All that is wrong, a line each.
        reason: String,
    },
}

/// An access key that was made. This is the only time that its secret is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    /// Account and user.
    pub user: String,
    pub id: String,
    pub secret: Secret,
}

/// A secret on its way; wiped when dropped, and never shown.
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Of bytes that are text, as the secrets of access keys are.
    pub fn of(bytes: &Plaintext) -> Self {
        Self(Zeroizing::new(String::from_utf8_lossy(bytes.expose()).into_owned()))
    }

    /// The one way to see it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("[SECRET]")
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Zeroizing::new(String::deserialize(deserializer)?)))
    }
}

impl Answer {
    pub fn refused(reason: impl ToString) -> Self {
        Self::Refused { reason: reason.to_string() }
    }
}

impl Declaration {
    pub fn new(mut manifest: Manifest) -> Self {
        let secrets = manifest.access_keys_mut().map(|key| key.secret.take().map(|secret| Secret::of(&secret)));
        let secrets = secrets.collect();
        Self { manifest, secrets }
    }

    /// # Errors
    /// When there are not as many secrets as access keys.
    pub fn into_manifest(self) -> Result<Manifest, Malformed> {
        let Self { mut manifest, secrets } = self;
        if manifest.access_keys().count() != secrets.len() {
            return Err(Malformed::Secrets);
        }
        for (key, secret) in manifest.access_keys_mut().zip(secrets) {
            key.secret = secret.map(|secret| Plaintext::new(secret.expose().as_bytes().to_vec()));
        }
        Ok(manifest)
    }
}

/// Why a line is no request or no answer.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    #[error("the request is longer than {REQUEST_BYTES_MAX} bytes")]
    TooLong,
    #[error("version {0} of the admin protocol is not known here, only {VERSION}; use the service's own binary")]
    Version(u32),
    #[error("not as many secrets as access keys")]
    Secrets,
    // The parser's own message could quote what it read, and that may be a secret.
    #[error("not understood (line {line}, column {column})")]
    Document { line: usize, column: usize },
}

impl From<serde_json::Error> for Malformed {
    fn from(error: serde_json::Error) -> Self {
        Self::Document { line: error.line(), column: error.column() }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Said<T> {
    version: u32,
    say: T,
}

#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// A request's line, without its line feed.
pub fn request(line: &[u8]) -> Result<Request, Malformed> {
    read(line)
}

/// An answer's line, without its line feed.
pub fn answer(line: &[u8]) -> Result<Answer, Malformed> {
    read(line)
}

fn read<T: DeserializeOwned>(line: &[u8]) -> Result<T, Malformed> {
    // The version first: what another version says may look like anything.
    let Versioned { version } = serde_json::from_slice(line)?;
    if version != VERSION {
        return Err(Malformed::Version(version));
    }
    Ok(serde_json::from_slice::<Said<T>>(line)?.say)
}

/// A request or an answer as a line, its line feed included.
pub fn written<T: Serialize>(say: &T) -> Result<Zeroizing<Vec<u8>>, Malformed> {
    let mut line = Zeroizing::new(serde_json::to_vec(&Said { version: VERSION, say })?);
    line.push(b'\n');
    Ok(line)
}
