//! Whether an answer is what it must be, and what follows from it.
//! Pure: looks at an answer's body and at what is known of the call; makes no call itself.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Deserialize;

use super::Check;
use crate::operations::{Operation, Signing};
use crate::scene::Key;
use crate::scene::pool::Sample;

/// What the answer to a call must be.
#[derive(Clone, Debug)]
pub(crate) enum Expect {
    /// A success, whatever is in it.
    Success,
    /// A ciphertext of this plaintext (base64).
    Ciphertext { plaintext: Arc<str>, context: Arc<str> },
    /// A plaintext of so many bytes with its ciphertext.
    DataKey { bytes: usize, context: Arc<str> },
    /// The plaintext of this ciphertext.
    Plaintext(Arc<Sample>),
    /// A signature of this message (base64).
    Signature(Arc<str>),
    /// A MAC of this message (base64), equal to the one in the sample if there is one.
    Mac { message: Arc<str>, before: Option<Arc<Sample>> },
    /// That this is valid.
    Valid(Arc<Sample>),
    /// So many random bytes.
    RandomBytes(usize),
    /// The metadata of the key.
    Metadata,
    /// A grant, which is revoked next.
    Grant,
    /// Nothing; the alias of this name is there then, and is deleted next.
    Alias(String),
    /// Nothing; a grant, or the alias of this name, is gone then.
    Gone(Option<String>),
    /// A key, to be deleted after the run.
    NewKey,
    /// An error of this code.
    Refusal { code: &'static str, check: Check },
}

/// What an answer that is right gives.
#[derive(Debug, Default)]
pub(crate) struct Finding {
    /// What was seen to hold.
    pub(crate) check: Option<Check>,
    /// To be drawn by later calls.
    pub(crate) sample: Option<Sample>,
    /// A call that comes behind this one: its body and what is expected of it.
    pub(crate) next: Option<(Operation, String, Expect)>,
    pub(crate) made: Option<Made>,
}

/// What is there now, or is not any more.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Made {
    Key(String),
    Alias(String),
    AliasGone(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Members<'a> {
    #[serde(borrow)]
    ciphertext_blob: Option<Cow<'a, str>>,
    #[serde(borrow)]
    plaintext: Option<Cow<'a, str>>,
    #[serde(borrow)]
    key_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    signature: Option<Cow<'a, str>>,
    signature_valid: Option<bool>,
    #[serde(borrow)]
    mac: Option<Cow<'a, str>>,
    mac_valid: Option<bool>,
    #[serde(borrow)]
    grant_id: Option<Cow<'a, str>>,
    key_metadata: Option<KeyMetadata>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct KeyMetadata {
    key_id: String,
}

impl Expect {
    /// Whether a success must be looked at at all; where many alike come, a sample of them is enough.
    pub(crate) fn may_be_sampled(&self) -> bool {
        matches!(self, Self::Ciphertext { .. } | Self::DataKey { .. })
    }

    /// Judges the body of a success. `Err` says in one sentence which promise it breaks.
    pub(crate) fn judge(&self, key: Option<&Key>, signing: Signing, body: &[u8]) -> Result<Finding, String> {
        if matches!(self, Self::Success) {
            return Ok(Finding::default());
        }
        if let Self::Refusal { code, .. } = self {
            return Err(format!("a call that must be refused with {code} succeeded"));
        }
        // These answer nothing, which services spell in different ways.
        let nothing = matches!(self, Self::Alias(_) | Self::Gone(_));
        let members: Members<'_> = serde_json::from_slice(if nothing { b"{}" } else { body })
            .map_err(|why| format!("a success is not the JSON that its operation has: {why}"))?;
        members.is_of(key)?;
        match self {
            Self::Success | Self::Refusal { .. } => Ok(Finding::default()),
            Self::Ciphertext { .. } | Self::DataKey { .. } | Self::Plaintext(_) => self.ciphers(&members),
            Self::Signature(_) | Self::Mac { .. } | Self::Valid(_) => self.signs(key, signing, &members),
            Self::RandomBytes(bytes) => Ok(checked(decoded(members.plaintext, *bytes).map(|_| Check::Shape)?)),
            Self::Metadata => match (members.key_metadata, key) {
                (Some(found), Some(key)) if found.key_id == key.id => Ok(checked(Check::Shape)),
                _ => Err("the metadata are those of another key".to_owned()),
            },
            Self::Grant | Self::Alias(_) | Self::Gone(_) | Self::NewKey => self.makes(key, members),
        }
    }

    fn ciphers(&self, members: &Members<'_>) -> Result<Finding, String> {
        match self {
            Self::Plaintext(sample) => {
                if members.plaintext.as_deref() != Some(&*sample.input) {
                    return Err("a ciphertext decrypted to something else than what went in".to_owned());
                }
                sample.set_checked();
                Ok(checked(Check::Decrypted))
            }
            Self::Ciphertext { plaintext, context } => members.sample(Arc::clone(plaintext), context),
            Self::DataKey { bytes, context } => {
                decoded(members.plaintext.clone(), *bytes)?;
                members.sample(members.plaintext.as_deref().unwrap_or_default().into(), context)
            }
            _ => Ok(Finding::default()),
        }
    }

    fn signs(&self, key: Option<&Key>, signing: Signing, members: &Members<'_>) -> Result<Finding, String> {
        match self {
            Self::Signature(message) => {
                let made = members.signature.as_deref().ok_or("Sign answered no signature")?;
                let bytes = BASE64.decode(made).map_err(|_| "a signature is not base64")?;
                let signed = BASE64.decode(&**message).unwrap_or_default();
                let verified = key.and_then(|key| key.verifies(signing, &signed, &bytes));
                if verified == Some(false) {
                    return Err("a signature does not verify under the key's public key".to_owned());
                }
                let sample = Sample::new(made.to_owned(), Arc::clone(message), "{}".into());
                Ok(Finding {
                    check: verified.map(|_| Check::SignatureHere),
                    sample: Some(sample),
                    ..Finding::default()
                })
            }
            Self::Mac { message, before } => {
                let made = members.mac.as_deref().ok_or("GenerateMac answered no MAC")?;
                if before.as_ref().is_some_and(|before| before.made != made) {
                    return Err("the MAC of the same message under the same key is another one".to_owned());
                }
                let sample = Sample::new(made.to_owned(), Arc::clone(message), "{}".into());
                let check = before.as_ref().map(|_| Check::Mac);
                Ok(Finding { check, sample: before.is_none().then_some(sample), ..Finding::default() })
            }
            Self::Valid(sample) if members.signature_valid == Some(true) => {
                sample.set_checked();
                Ok(checked(Check::SignatureThere))
            }
            Self::Valid(sample) if members.mac_valid == Some(true) => {
                sample.set_checked();
                Ok(checked(Check::MacThere))
            }
            _ => Err("what the service signed is not valid to it".to_owned()),
        }
    }

    fn makes(&self, key: Option<&Key>, members: Members<'_>) -> Result<Finding, String> {
        let found = match self {
            Self::Grant => {
                let grant = members.grant_id.ok_or("CreateGrant answered no grant")?;
                let key = key.map_or("", |key| &key.id);
                let body = format!(r#"{{"KeyId":"{key}","GrantId":"{grant}"}}"#);
                Finding { next: Some((Operation::RevokeGrant, body, Self::Gone(None))), ..Finding::default() }
            }
            Self::Alias(name) => {
                let body = format!(r#"{{"AliasName":"{name}"}}"#);
                let next = Some((Operation::DeleteAlias, body, Self::Gone(Some(name.clone()))));
                Finding { next, made: Some(Made::Alias(name.clone())), ..Finding::default() }
            }
            Self::Gone(name) => Finding { made: name.clone().map(Made::AliasGone), ..Finding::default() },
            Self::NewKey => {
                let made = members.key_metadata.ok_or("CreateKey answered no key")?;
                Finding { made: Some(Made::Key(made.key_id)), ..Finding::default() }
            }
            _ => Finding::default(),
        };
        Ok(found)
    }

    /// Whether an error breaks a promise: what the service made itself, it must not refuse, and a key that it made
    /// must be there. `None` says that it is an error as any other.
    pub(crate) fn judge_error(&self, code: &str) -> Option<&'static str> {
        match (self, code) {
            (Self::Plaintext(_), "InvalidCiphertextException") => Some("a ciphertext does not decrypt any more"),
            (Self::Plaintext(_), "IncorrectKeyException") => Some("a ciphertext belongs to another key now"),
            (Self::Valid(_), "KMSInvalidSignatureException") => Some("a signature of the service's does not verify"),
            (Self::Valid(_), "KMSInvalidMacException") => Some("a MAC of the service's does not verify"),
            (Self::Refusal { .. } | Self::Gone(_), _) => None,
            (_, "NotFoundException") => Some("a key that was made is not there any more"),
            _ => None,
        }
    }

    /// Whether an error says that an earlier attempt of this call, which was never answered, was carried out.
    pub(crate) fn was_done_before(&self, code: &str) -> bool {
        match self {
            Self::Gone(_) => matches!(code, "NotFoundException" | "InvalidGrantIdException"),
            Self::Alias(_) => code == "AlreadyExistsException",
            _ => false,
        }
    }

    /// Whether an error is the one that was asked for.
    pub(crate) fn wanted(&self, code: &str) -> Option<Check> {
        match self {
            Self::Refusal { code: wanted, check } if *wanted == code => Some(*check),
            _ => None,
        }
    }
}

impl Members<'_> {
    /// An answer that names a key names the one that was asked for.
    fn is_of(&self, key: Option<&Key>) -> Result<(), String> {
        match (&self.key_id, key) {
            (Some(named), Some(key)) if *named != key.arn && *named != key.id => {
                Err(format!("the answer is of the key {named}"))
            }
            _ => Ok(()),
        }
    }

    fn sample(&self, input: Arc<str>, context: &Arc<str>) -> Result<Finding, String> {
        let blob = self.ciphertext_blob.as_deref().ok_or("the answer has no ciphertext")?;
        let sample = Sample::new(blob.to_owned(), input, Arc::clone(context));
        Ok(Finding { sample: Some(sample), ..Finding::default() })
    }
}

fn checked(check: Check) -> Finding {
    Finding { check: Some(check), ..Finding::default() }
}

fn decoded(base64: Option<Cow<'_, str>>, bytes: usize) -> Result<Vec<u8>, String> {
    let decoded = base64.and_then(|text| BASE64.decode(&*text).ok()).filter(|decoded| decoded.len() == bytes);
    decoded
        .filter(|decoded| bytes < 16 || decoded.iter().any(|byte| *byte != 0))
        .ok_or_else(|| format!("the answer has no {bytes} random bytes"))
}

#[cfg(test)]
mod tests;
