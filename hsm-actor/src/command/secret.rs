//! The commands about access-key secrets: WrapSecret, RewrapSecret, SigningKey.
//! A secret comes in once; afterwards only a day's signing key leaves.

use std::sync::Arc;

use aws_lc_rs::hmac;
use zeroize::Zeroizing;

use super::{Class, Command};
use crate::{
    error::HsmError,
    secret::Plaintext,
    token::{Secret, Wrapped},
    vault::Vault,
};

/// The longest of date, region and service, in bytes.
const SCOPE_BYTES_MAX: usize = 128;

/// Wraps the secret (1 to 256 bytes) of the access key `owner`.
#[derive(Debug)]
pub struct WrapSecret {
    /// The access key's id, which the wrapped secret is bound to.
    pub owner: String,
    pub secret: Plaintext,
}

impl Command for WrapSecret {
    type Reply = Wrapped<Secret>;
    const NAME: &'static str = "WrapSecret";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<Wrapped<Secret>, HsmError> {
        vault.wrap_secret(&self.owner, &self.secret)
    }
}

/// Wraps a secret under the active domain key; `None` when it already is.
#[derive(Debug)]
pub struct RewrapSecret {
    pub owner: String,
    pub wrapped: Arc<Wrapped<Secret>>,
}

impl Command for RewrapSecret {
    type Reply = Option<Wrapped<Secret>>;
    const NAME: &'static str = "RewrapSecret";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<Self::Reply, HsmError> {
        let secret = vault.open_secret(&self.owner, &self.wrapped)?;
        vault.rewrapped_secret(&self.owner, &self.wrapped, &secret)
    }
}

/// Derives the Signature Version 4 signing key of one day, region and service.
#[derive(Debug)]
pub struct SigningKey {
    pub owner: String,
    pub wrapped: Arc<Wrapped<Secret>>,
    /// `YYYYMMDD`.
    pub date: String,
    pub region: String,
    pub service: String,
}

/// The reply to [`SigningKey`].
#[derive(Debug)]
pub struct DayKey {
    /// 32 bytes.
    pub key: Plaintext,
    /// The secret under the active domain key, when it was held under an older one.
    pub rewrapped: Option<Wrapped<Secret>>,
}

impl Command for SigningKey {
    type Reply = DayKey;
    const NAME: &'static str = "SigningKey";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<DayKey, HsmError> {
        let scope = check_scope([&self.date, &self.region, &self.service])?;
        let secret = vault.open_secret(&self.owner, &self.wrapped)?;
        let rewrapped = vault.rewrapped_secret(&self.owner, &self.wrapped, &secret)?;
        Ok(DayKey { key: signing_key(&secret, scope), rewrapped })
    }
}

/// Date, region and service with the terminator, when none is too long.
pub(super) fn check_scope(parts: [&str; 3]) -> Result<[&str; 4], HsmError> {
    if parts.iter().any(|part| part.len() > SCOPE_BYTES_MAX) {
        return Err(HsmError::TooLarge);
    }
    let [date, region, service] = parts;
    Ok([date, region, service, "aws4_request"])
}

/// The HMAC chain of AWS's "Create a signed request": the secret keys the date, and each result keys the next part.
pub(super) fn signing_key(secret: &Plaintext, scope: [&str; 4]) -> Plaintext {
    let mut key = Zeroizing::new(Vec::with_capacity(4 + secret.len()));
    key.extend_from_slice(b"AWS4");
    key.extend_from_slice(secret.expose());
    for part in scope {
        let next = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes());
        key = Zeroizing::new(next.as_ref().to_vec());
    }
    Plaintext::from_wiped(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::testing;

    const OWNER: &str = "AKIAIOSFODNN7EXAMPLE";

    fn wrapped(vault: &Vault) -> Arc<Wrapped<Secret>> {
        let secret = Plaintext::new(b"wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".to_vec());
        Arc::new(WrapSecret { owner: OWNER.into(), secret }.run(vault).unwrap())
    }

    fn signing(owner: &str, wrapped: &Arc<Wrapped<Secret>>) -> SigningKey {
        let [date, region, service] = ["20150830", "us-east-1", "iam"].map(String::from);
        SigningKey { owner: owner.into(), wrapped: Arc::clone(wrapped), date, region, service }
    }

    /// The example of AWS's page "Examples of how to derive a signing key for Signature Version 4".
    #[test]
    fn the_day_key_is_the_one_that_aws_documents() {
        let vault = testing::vault();
        let reply = signing(OWNER, &wrapped(&vault)).run(&vault).unwrap();
        let documented = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9";
        assert_eq!(hex::encode(reply.key.expose()), documented);
        assert!(reply.rewrapped.is_none());
    }

    #[test]
    fn a_secret_of_another_owner_does_not_open() {
        let vault = testing::vault();
        let wrapped = wrapped(&vault);
        assert_eq!(signing("AKIAI44QH8DHBEXAMPLE", &wrapped).run(&vault).err(), Some(HsmError::Unopenable));
        let bytes = wrapped.bytes().to_vec();
        for domain in [0, 2] {
            let moved = Arc::new(Wrapped::new(domain, bytes.clone()));
            assert_eq!(signing(OWNER, &moved).run(&vault).err(), Some(HsmError::Unopenable));
        }
    }

    #[test]
    fn an_old_wrapping_becomes_a_new_one() {
        let (old, new) = testing::vault_and_rotated();
        let wrapped = wrapped(&old);
        let reply = signing(OWNER, &wrapped).run(&new).unwrap();
        let rewrapped = Arc::new(reply.rewrapped.unwrap());
        assert_eq!(rewrapped.domain(), 2);
        assert_eq!(signing(OWNER, &rewrapped).run(&new).unwrap().key.expose(), reply.key.expose());
        let idle = RewrapSecret { owner: OWNER.into(), wrapped }.run(&new).unwrap().unwrap();
        assert_eq!(RewrapSecret { owner: OWNER.into(), wrapped: Arc::new(idle) }.run(&new), Ok(None));
    }

    #[test]
    fn sizes_are_bounded() {
        let vault = testing::vault();
        for length in [0, 257] {
            let secret = Plaintext::new(vec![1; length]);
            assert_eq!(WrapSecret { owner: OWNER.into(), secret }.run(&vault), Err(HsmError::TooLarge));
        }
        let secret = Plaintext::new(vec![1]);
        assert_eq!(WrapSecret { owner: "A".repeat(257), secret }.run(&vault), Err(HsmError::TooLarge));
        let long = SigningKey { region: "r".repeat(129), ..signing(OWNER, &wrapped(&vault)) };
        assert_eq!(long.run(&vault).err(), Some(HsmError::TooLarge));
    }
}
