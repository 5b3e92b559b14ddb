//! The `Authorization` header of Signature Version 4: its grammar, and the credential scope in it.
//! Knows the text only; whether its claims hold is for `sigv4`.

use std::borrow::Cow;

use super::AuthnError;

/// The only algorithm that is taken.
pub(super) const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const TERMINATOR: &str = "aws4_request";
const SIGNED_HEADERS_MAX: usize = 96;

/// An `Authorization` header, parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization<'a> {
    pub credential: Credential<'a>,
    /// Lower-case, sorted, each once.
    pub signed_headers: Vec<Cow<'a, str>>,
    pub signature: [u8; 32],
}

/// Which key signed, and for which day, region and service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credential<'a> {
    /// The whole, as it came: all of the parts below, and nothing else.
    pub text: &'a str,
    pub access_key_id: &'a str,
    /// `YYYYMMDD`.
    pub date: &'a str,
    pub region: &'a str,
    pub service: &'a str,
    /// Day, region, service and terminator, as they stand in the string to sign.
    pub(super) scope: &'a str,
}

impl<'a> Authorization<'a> {
    /// Parses the header's value. Errors name what is missing, in AWS's words.
    pub fn parse(text: &'a str) -> Result<Self, AuthnError> {
        let (algorithm, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
        if algorithm != ALGORITHM {
            return Err(AuthnError::Incomplete(format!("Unsupported AWS 'algorithm': '{}'.", shown(algorithm))));
        }
        let (credential, signed_headers, signature) = parameters(rest)?;
        let credential = Credential::parse(credential)?;
        let signed_headers = header_names(signed_headers)?;
        Ok(Self { credential, signed_headers, signature: signature_bytes(signature)? })
    }
}

/// Names of headers separated by `;`: in lower case, sorted, each once.
pub(super) fn header_names(text: &str) -> Result<Vec<Cow<'_, str>>, AuthnError> {
    let mut names: Vec<_> = text.split(';').map(lower_case).collect();
    if names.len() > SIGNED_HEADERS_MAX || names.iter().any(|name| name.is_empty()) {
        return Err(AuthnError::Incomplete("'SignedHeaders' must be names of headers, separated by ';'.".into()));
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}

impl<'a> Credential<'a> {
    pub(super) fn parse(text: &'a str) -> Result<Self, AuthnError> {
        let Some((access_key_id, scope, [date, region, service, terminator])) = elements(text) else {
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
        Ok(Self { text, access_key_id, date, region, service, scope })
    }
}

/// What is before the first slash, what is after it, and the latter's elements, of which there are exactly four.
fn elements(text: &str) -> Option<(&str, &str, [&str; 4])> {
    let (access_key_id, scope) = text.split_once('/')?;
    let mut elements = scope.split('/');
    let four = [elements.next()?, elements.next()?, elements.next()?, elements.next()?];
    elements.next().is_none().then_some((access_key_id, scope, four))
}

fn lower_case(name: &str) -> Cow<'_, str> {
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) { name.to_ascii_lowercase().into() } else { name.into() }
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
pub(super) fn signature_bytes(text: &str) -> Result<[u8; 32], AuthnError> {
    let mut signature = [0; 32];
    let is_lower = !text.bytes().fold(false, |found, byte| found | byte.is_ascii_uppercase());
    hex::decode_to_slice(text, &mut signature).ok().filter(|()| is_lower).ok_or(AuthnError::Mismatch)?;
    Ok(signature)
}
