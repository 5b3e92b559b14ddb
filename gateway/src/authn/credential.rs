//! The `Authorization` header of Signature Version 4: its grammar, and the credential scope in it.
//! Knows the text only; whether its claims hold is for `sigv4`.

use super::AuthnError;

/// The only algorithm that is taken.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
const SIGNED_HEADERS_MAX: usize = 96;

/// An `Authorization` header, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    pub credential: Credential,
    /// Lower-case, sorted, each once.
    pub signed_headers: Vec<String>,
    pub signature: [u8; 32],
}

/// Which key signed, and for which day, region and service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credential {
    pub access_key_id: String,
    /// `YYYYMMDD`.
    pub date: String,
    pub region: String,
    pub service: String,
}

impl Authorization {
    /// Parses the header's value. Errors name what is missing, in AWS's words.
    pub fn parse(text: &str) -> Result<Self, AuthnError> {
        let (algorithm, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if algorithm != ALGORITHM {
            return Err(AuthnError::Incomplete(format!("Unsupported AWS 'algorithm': '{}'.", shown(algorithm))));
        }
        let (credential, signed_headers, signature) = parameters(rest)?;
        let credential = Credential::parse(credential)?;
        let mut signed_headers: Vec<String> = signed_headers.split(';').map(str::to_ascii_lowercase).collect();
        if signed_headers.len() > SIGNED_HEADERS_MAX || signed_headers.iter().any(String::is_empty) {
            return Err(AuthnError::Incomplete("'SignedHeaders' must be names of headers, separated by ';'.".into()));
        }
        signed_headers.sort_unstable();
        signed_headers.dedup();
        Ok(Self { credential, signed_headers, signature: signature_bytes(signature)? })
    }
}

impl Credential {
    fn parse(text: &str) -> Result<Self, AuthnError> {
        let parts: Vec<&str> = text.split('/').collect();
        let &[access_key_id, date, region, service, terminator] = parts.as_slice() else {
            return Err(AuthnError::Incomplete(format!(
                "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{}'",
                shown(text)
            )));
        };
        if terminator != TERMINATOR {
            return Err(AuthnError::Invalid(format!(
                "Credential should be scoped with a valid terminator: '{TERMINATOR}', not '{}'.",
                shown(terminator)
            )));
        }
        Ok(Self {
            access_key_id: access_key_id.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        })
    }

    /// The scope as it stands in the string to sign: day, region, service and terminator.
    pub(super) fn scope(&self) -> String {
        format!("{}/{}/{}/{TERMINATOR}", self.date, self.region, self.service)
    }
}

/// At most 128 characters of what a caller sent, fit for an error's text.
pub(super) fn shown(text: &str) -> String {
    text.chars().take(128).filter(|letter| !letter.is_control()).collect()
}

/// `Credential`, `SignedHeaders` and `Signature`, each exactly once.
fn parameters(text: &str) -> Result<(&str, &str, &str), AuthnError> {
    let mut found: [Option<&str>; 3] = [None; 3];
    const NAMES: [&str; 3] = ["Credential", "SignedHeaders", "Signature"];
    for part in text.split(',') {
        let (name, value) = part.trim().split_once('=').unwrap_or((part, ""));
        for (slot, known) in found.iter_mut().zip(NAMES) {
            if name == known && !value.is_empty() && slot.replace(value).is_some() {
                return Err(AuthnError::Incomplete(format!("Authorization header has more than one '{known}'.")));
            }
        }
    }
    match found {
        [Some(credential), Some(signed_headers), Some(signature)] => Ok((credential, signed_headers, signature)),
        // AWS names them in this order, and nothing else of the header.
        [credential, signed_headers, signature] => {
            let missing: Vec<String> =
                [("Credential", credential), ("Signature", signature), ("SignedHeaders", signed_headers)]
                    .into_iter()
                    .filter(|(_, value)| value.is_none())
                    .map(|(name, _)| format!("Authorization header requires '{name}' parameter."))
                    .collect();
            Err(AuthnError::Incomplete(missing.join(" ")))
        }
    }
}

/// A signature that is not 64 lower-case hexadecimal digits cannot be anyone's.
fn signature_bytes(text: &str) -> Result<[u8; 32], AuthnError> {
    let mut signature = [0; 32];
    let is_lower = !text.bytes().any(|byte| byte.is_ascii_uppercase());
    hex::decode_to_slice(text, &mut signature).ok().filter(|()| is_lower).ok_or(AuthnError::Mismatch)?;
    Ok(signature)
}
