//! What the region's HSM does for sessions, and where the keys of issuers are kept.
//! Passes on; knows no token's form.

use std::time::Instant;

use kms_hsm::Plaintext;
use kms_hsm::command::{HideClaims, IssueSession, SessionDayKey, SessionPublicKey, ShowClaims};

use super::Region;
use crate::clock::Timestamp;
use crate::error::KmsError;
use crate::key::record::{IdentityRecord, IssuerKeysRecord, Stored as _};
use crate::store::Batch;
use crate::view::IssuerKeys;

/// A session that was issued: what its caller is handed, once.
#[derive(Debug)]
pub struct IssuedSession {
    /// Ed25519, over the token's message.
    pub signature: [u8; 64],
    /// 40 characters.
    pub secret: Plaintext,
}

impl Region {
    /// The Ed25519 public key of session tokens, 32 bytes.
    pub async fn session_public_key(&self, deadline: Instant) -> Result<[u8; 32], KmsError> {
        Ok(self.hsm.run(SessionPublicKey, deadline).await?)
    }

    /// Encrypts the packed claims of the session whose token has this id.
    pub async fn hide_claims(&self, token: &str, packed: Vec<u8>, deadline: Instant) -> Result<Vec<u8>, KmsError> {
        let command = HideClaims { token: token.to_owned(), claims: Plaintext::new(packed) };
        Ok(self.hsm.run(command, deadline).await?)
    }

    /// Signs a token's message and makes the session's secret.
    pub async fn issue_session(
        &self,
        token: &str,
        message: Vec<u8>,
        deadline: Instant,
    ) -> Result<IssuedSession, KmsError> {
        let issued = self.hsm.run(IssueSession { token: token.to_owned(), message }, deadline).await?;
        Ok(IssuedSession { signature: issued.signature, secret: issued.secret })
    }

    /// The packed claims of a session whose token was verified. `None` for claims that are not that token's.
    pub async fn show_claims(
        &self,
        token: &str,
        sealed: Vec<u8>,
        deadline: Instant,
    ) -> Result<Option<Plaintext>, KmsError> {
        match self.hsm.run(ShowClaims { token: token.to_owned(), sealed }, deadline).await {
            Ok(claims) => Ok(Some(claims)),
            Err(kms_hsm::HsmError::Unopenable | kms_hsm::HsmError::TooLarge) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The day's signing key of a session, derived in the HSM.
    pub async fn session_day_key(
        &self,
        token: &str,
        date: &str,
        region: &str,
        service: &str,
        deadline: Instant,
    ) -> Result<Plaintext, KmsError> {
        let command = SessionDayKey {
            token: token.to_owned(),
            date: date.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
        };
        Ok(self.hsm.run(command, deadline).await?)
    }

    /// Keeps what an issuer's URL answered, for every host and every later start.
    pub async fn keep_issuer_keys(&self, jwks_url: &str, jwks: String, fetched: Timestamp) -> Result<(), KmsError> {
        let record = IssuerKeysRecord { jwks_url: jwks_url.to_owned(), jwks, fetched };
        let batch = Batch::default().put(IssuerKeys::row(jwks_url), IdentityRecord::IssuerKeys(record).encode());
        self.store.commit(batch).await?;
        Ok(())
    }
}
