//! The commands about sessions: SessionPublicKey, HideClaims, IssueSession, ShowClaims, SessionDayKey.
//! A session's secret leaves once, when the session is issued; afterwards only a day's signing key does.

use super::{
    Class, Command,
    secret::{check_scope, signing_key},
};
use crate::{error::HsmError, secret::Plaintext, vault::Vault};

/// The longest token, in bytes.
const TOKEN_BYTES_MAX: usize = 16 * 1024;

/// The Ed25519 public key that verifies the region's session tokens: 32 bytes.
#[derive(Debug)]
pub struct SessionPublicKey;

impl Command for SessionPublicKey {
    type Reply = [u8; 32];
    const NAME: &'static str = "SessionPublicKey";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<[u8; 32], HsmError> {
        vault.session().public()
    }
}

/// Encrypts the claims of a session that are to be issued, at most 8192 bytes.
#[derive(Debug)]
pub struct HideClaims {
    /// The token's id, 1 to 128 bytes.
    pub token: String,
    pub claims: Plaintext,
}

impl Command for HideClaims {
    type Reply = Vec<u8>;
    const NAME: &'static str = "HideClaims";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<Vec<u8>, HsmError> {
        vault.session().hide(&self.token, self.claims.expose())
    }
}

/// Signs a session's token and makes the session's secret.
#[derive(Debug)]
pub struct IssueSession {
    pub token: String,
    /// What is signed, at most 16 KiB.
    pub message: Vec<u8>,
}

/// The reply to [`IssueSession`].
#[derive(Debug)]
pub struct IssuedSession {
    /// Ed25519.
    pub signature: [u8; 64],
    /// 40 characters.
    pub secret: Plaintext,
}

impl Command for IssueSession {
    type Reply = IssuedSession;
    const NAME: &'static str = "IssueSession";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<IssuedSession, HsmError> {
        if self.message.len() > TOKEN_BYTES_MAX {
            return Err(HsmError::TooLarge);
        }
        let keys = vault.session();
        Ok(IssuedSession { signature: keys.sign(&self.message)?, secret: keys.secret(&self.token)? })
    }
}

/// Decrypts the claims of a session, whose token was verified.
#[derive(Debug)]
pub struct ShowClaims {
    pub token: String,
    pub sealed: Vec<u8>,
}

impl Command for ShowClaims {
    type Reply = Plaintext;
    const NAME: &'static str = "ShowClaims";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<Plaintext, HsmError> {
        vault.session().show(&self.token, &self.sealed)
    }
}

/// Derives the Signature Version 4 signing key of a session for one day, region and service: 32 bytes.
#[derive(Debug)]
pub struct SessionDayKey {
    pub token: String,
    /// `YYYYMMDD`.
    pub date: String,
    pub region: String,
    pub service: String,
}

impl Command for SessionDayKey {
    type Reply = Plaintext;
    const NAME: &'static str = "SessionDayKey";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<Plaintext, HsmError> {
        let scope = check_scope([&self.date, &self.region, &self.service])?;
        Ok(signing_key(&vault.session().secret(&self.token)?, scope))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use std::sync::Arc;

    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};

    use super::*;
    use crate::{
        command::{SigningKey, WrapSecret},
        testing,
    };

    fn issued(vault: &Vault, token: &str) -> IssuedSession {
        IssueSession { token: token.into(), message: b"header.claims".to_vec() }.run(vault).unwrap()
    }

    fn day_key(vault: &Vault, token: &str) -> Plaintext {
        let [date, region, service] = ["20261125", "us-east-1", "kms"].map(String::from);
        SessionDayKey { token: token.into(), date, region, service }.run(vault).unwrap()
    }

    #[test]
    fn a_token_s_signature_verifies_and_another_region_s_does_not() {
        let (vault, other) = (testing::vault(), testing::vault());
        let public = SessionPublicKey.run(&vault).unwrap();
        let verify =
            |message: &[u8], signature: &[u8]| UnparsedPublicKey::new(&ED25519, public).verify(message, signature);
        assert!(verify(b"header.claims", &issued(&vault, "t").signature).is_ok());
        assert!(verify(b"header.claimz", &issued(&vault, "t").signature).is_err());
        assert!(verify(b"header.claims", &issued(&other, "t").signature).is_err());
    }

    #[test]
    fn each_session_has_its_own_secret_the_same_on_every_host_and_after_rotation() {
        let (old, new) = testing::vault_and_rotated();
        let secret = issued(&old, "t").secret;
        assert_eq!(secret.len(), 40);
        assert_eq!(secret.expose(), issued(&new, "t").secret.expose());
        assert_ne!(secret.expose(), issued(&old, "u").secret.expose());
        assert_ne!(secret.expose(), issued(&testing::vault(), "t").secret.expose());
        assert_eq!(SessionPublicKey.run(&old), SessionPublicKey.run(&new));
    }

    /// The day's key is the one that a client derives from the secret that it was handed.
    #[test]
    fn the_day_key_is_the_secret_s() {
        let vault = testing::vault();
        let owner = "ASIAIOSFODNN7EXAMPLE".to_owned();
        let secret = issued(&vault, "t").secret;
        let wrapped = Arc::new(WrapSecret { owner: owner.clone(), secret }.run(&vault).unwrap());
        let [date, region, service] = ["20261125", "us-east-1", "kms"].map(String::from);
        let of_secret = SigningKey { owner, wrapped, date, region, service }.run(&vault).unwrap();
        assert_eq!(day_key(&vault, "t").expose(), of_secret.key.expose());
        assert_ne!(day_key(&vault, "u").expose(), of_secret.key.expose());
    }

    #[test]
    fn claims_are_shown_for_their_own_token_only() {
        let vault = testing::vault();
        let hide = |token: &str| {
            HideClaims { token: token.into(), claims: Plaintext::new(b"private".to_vec()) }.run(&vault).unwrap()
        };
        let show = |token: &str, sealed: Vec<u8>| ShowClaims { token: token.into(), sealed }.run(&vault);
        let sealed = hide("t");
        assert_eq!(show("t", sealed.clone()).unwrap().expose(), b"private");
        assert!(!sealed.windows(7).any(|window| window == b"private"));
        assert_eq!(show("u", sealed.clone()).err(), Some(HsmError::Unopenable));
        for bit in 0..sealed.len() * 8 {
            let mut forged = sealed.clone();
            forged[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(show("t", forged).err(), Some(HsmError::Unopenable), "bit {bit}");
        }
    }

    #[test]
    fn sizes_are_bounded() {
        let vault = testing::vault();
        for token in [String::new(), "t".repeat(129)] {
            let issue = IssueSession { token: token.clone(), message: Vec::new() }.run(&vault);
            assert_eq!(issue.err(), Some(HsmError::TooLarge));
            assert_eq!(ShowClaims { token, sealed: Vec::new() }.run(&vault).err(), Some(HsmError::TooLarge));
        }
        let long = IssueSession { token: "t".into(), message: vec![0; TOKEN_BYTES_MAX + 1] };
        assert_eq!(long.run(&vault).err(), Some(HsmError::TooLarge));
        let claims = Plaintext::new(vec![0; 8193]);
        assert_eq!(HideClaims { token: "t".into(), claims }.run(&vault).err(), Some(HsmError::TooLarge));
        let [date, region, service] = ["20261125", "us-east-1", "kms"].map(String::from);
        let long = SessionDayKey { token: "t".into(), date, region: region.repeat(20), service };
        assert_eq!(long.run(&vault).err(), Some(HsmError::TooLarge));
    }
}
