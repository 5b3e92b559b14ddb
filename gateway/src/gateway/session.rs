//! The sessions that a worker knows: tokens that were verified, by their hash, until they are over.
//! Asks the HSM once for each token and once for each day's key; holds no session's secret.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Instant;

use aws_lc_rs::digest::{SHA256, digest};
use kms_core::clock::Timestamp;
use kms_core::session::Session;

use super::{Failure, Shared};
use crate::authn::AuthnError;
use crate::authn::session::Verifier;

/// Verified tokens that are kept; beyond, those that are over go, or else all.
const SESSIONS_MAX: usize = 10_000;

/// The sessions of one worker.
#[derive(Default)]
pub(super) struct Sessions {
    verifier: Option<Rc<Verifier>>,
    /// By the SHA-256 of the token.
    known: HashMap<[u8; 32], Rc<Session>>,
}

impl Sessions {
    fn find(&self, hash: &[u8; 32]) -> Option<Rc<Session>> {
        self.known.get(hash).cloned()
    }

    fn keep(&mut self, hash: [u8; 32], session: Rc<Session>, now: Timestamp) {
        if self.known.len() >= SESSIONS_MAX {
            self.known.retain(|_, session| session.expires_at > now);
        }
        if self.known.len() >= SESSIONS_MAX {
            self.known.clear();
        }
        self.known.insert(hash, session);
    }
}

impl super::Worker {
    /// The session of this token, which belongs to this access key id.
    pub(super) async fn session(
        &self,
        token: &str,
        access_key_id: &str,
        deadline: Instant,
    ) -> Result<Rc<Session>, SessionFailure> {
        let now = self.shared.region.clock().now();
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        let known = self.sessions.borrow().find(&hash);
        let session = match known {
            Some(session) => session,
            None => {
                let session = Rc::new(self.session_of(token, now, deadline).await?);
                self.sessions.borrow_mut().keep(hash, session.clone(), now);
                session
            }
        };
        if session.access_key() != access_key_id {
            return Err(AuthnError::UnknownToken.into());
        }
        if now >= session.expires_at {
            return Err(AuthnError::ExpiredToken.into());
        }
        Ok(session)
    }

    async fn session_of(&self, text: &str, now: Timestamp, deadline: Instant) -> Result<Session, SessionFailure> {
        let Shared { region, .. } = &self.shared;
        let verifier = self.verifier(deadline).await?;
        let verified = verifier.verify(text, now)?;
        let packed = region.show_claims(&verified.token, verified.sealed_claims, deadline).await?;
        let packed = packed.ok_or(AuthnError::UnknownToken)?;
        let view = region.view();
        let session = Session::opened(&view, &verified.token, packed.expose(), verified.issued_at, verified.expires_at);
        // INVARIANT: a token names the access key id that follows from its id.
        let session = session.filter(|session| session.access_key() == verified.access_key_id);
        Ok(session.ok_or(AuthnError::UnknownToken)?)
    }

    async fn verifier(&self, deadline: Instant) -> Result<Rc<Verifier>, SessionFailure> {
        let known = self.sessions.borrow().verifier.clone();
        if let Some(known) = known {
            return Ok(known);
        }
        let region = &self.shared.region;
        let key = region.session_public_key(deadline).await?;
        let verifier = Rc::new(Verifier::new(&key, region.place()));
        self.sessions.borrow_mut().verifier = Some(verifier.clone());
        Ok(verifier)
    }
}

/// Why a token is not believed, or could not be looked at.
pub(super) enum SessionFailure {
    Authn(AuthnError),
    Service(kms_core::KmsError),
}

impl SessionFailure {
    pub(super) fn of(self, access_key_id: &str) -> Failure {
        match self {
            Self::Authn(error) => Failure::Authn { error, claimed: Some(access_key_id.to_owned()) },
            Self::Service(error) => Failure::Service(error),
        }
    }
}

impl From<AuthnError> for SessionFailure {
    fn from(error: AuthnError) -> Self {
        Self::Authn(error)
    }
}

impl From<kms_core::KmsError> for SessionFailure {
    fn from(error: kms_core::KmsError) -> Self {
        Self::Service(error)
    }
}
