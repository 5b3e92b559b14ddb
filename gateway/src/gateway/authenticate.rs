//! From a signed request to its caller: the access key in the view or the session in the token, the day's signing key
//! from the HSM, the signature. Holds day keys and no other secret; `authn` says what a signature is.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use kms_core::KmsError;
use kms_core::operation::Effect;
use kms_core::request::{Asked, Caller};
use kms_core::session::Session;
use kms_core::store::Revision;
use kms_core::view::{Credential, RegionView};

use super::{Failure, Worker};
use crate::authn::AuthnError;
use crate::authn::presigned::Presigned;
use crate::authn::sigv4::{Head, Signed, SigningKey};
use crate::serve::Arrived;

/// AWS's tolerance for a client's clock, either way.
const SKEW_MAX: Duration = Duration::from_secs(5 * 60);
/// Day keys of this many callers are kept; beyond, all are derived anew.
const DAY_KEYS_MAX: usize = 10_000;

/// The day's signing keys, by the credential's text: access key id, day, region and service.
#[derive(Default)]
pub(super) struct DayKeys(HashMap<Box<str>, DayKey>);

struct DayKey {
    origin: Origin,
    key: Rc<SigningKey>,
}

/// What a day key was derived from. INVARIANT: compared in every request with what the view, or the token, says now.
#[derive(PartialEq)]
enum Origin {
    /// A version of a credential.
    Credential(Revision),
    /// The token of this id.
    Session(Arc<str>),
}

impl DayKeys {
    fn find(&self, signed: &Signed<'_>, origin: &Origin) -> Option<Rc<SigningKey>> {
        self.0.get(signed.credential.text).filter(|known| known.origin == *origin).map(|known| known.key.clone())
    }

    fn keep(&mut self, signed: &Signed<'_>, origin: Origin, key: Rc<SigningKey>) {
        if self.0.len() >= DAY_KEYS_MAX {
            self.0.clear();
        }
        self.0.insert(signed.credential.text.into(), DayKey { origin, key });
    }
}

impl Worker {
    /// The request with its caller, once its signature is proved. STS alone takes a signature in the query.
    pub(super) async fn authenticated(
        &self,
        arrived: &Arrived,
        service: &str,
        effect: Effect,
    ) -> Result<Asked, Failure> {
        let unnamed = |error| Failure::Authn { error, claimed: None };
        let source = self.source(arrived)?;
        let Arrived { method, path, query, .. } = arrived;
        let head = Head { method, path, query, headers: arrived.headers.iter().collect() };
        let presigned = if service == "sts" { Presigned::of(query).map_err(unnamed)? } else { None };
        let signed = match &presigned {
            Some(presigned) => Signed::presigned(&head, presigned),
            None => Signed::parse(&head),
        };
        let signed = signed.map_err(unnamed)?;
        let failed = |error| Failure::Authn { error, claimed: Some(signed.credential.access_key_id.to_owned()) };
        let region = &self.shared.region;
        signed.check_scope(&region.place().region, service).map_err(failed)?;
        signed.check_time(region.clock().now(), SKEW_MAX).map_err(failed)?;
        let caller = match signed.session_token {
            None => {
                let view = region.view();
                let known = view.credential(signed.credential.access_key_id);
                let credential = known.ok_or_else(|| failed(AuthnError::UnknownToken))?;
                let key = self.day_key(&signed, credential, arrived, effect).await?;
                signed.verify(&key, &arrived.body).map_err(failed)?;
                caller(&view, credential)
            }
            Some(token) => {
                let access_key_id = signed.credential.access_key_id;
                let deadline = self.deadline(arrived, effect);
                let session = self.session(token, access_key_id, deadline).await;
                let session = session.map_err(|failure| failure.of(access_key_id))?;
                let key = self.session_day_key(&signed, &session, arrived, effect).await?;
                signed.verify(&key, &arrived.body).map_err(failed)?;
                session.caller(&region.view())
            }
        };
        let caller = caller.ok_or_else(|| failed(AuthnError::UnknownToken))?;
        Ok(Asked { caller, source, meta: self.meta(arrived, effect) })
    }

    async fn day_key(
        &self,
        signed: &Signed<'_>,
        credential: &Credential,
        arrived: &Arrived,
        effect: Effect,
    ) -> Result<Rc<SigningKey>, Failure> {
        let origin = Origin::Credential(credential.version);
        if let Some(key) = self.day_keys.borrow().find(signed, &origin) {
            return Ok(key);
        }
        let scope = &signed.credential;
        let deadline = self.deadline(arrived, effect);
        let derived = self.shared.region.signing_key(credential, scope.date, scope.region, scope.service, deadline);
        self.kept(signed, origin, derived.await)
    }

    async fn session_day_key(
        &self,
        signed: &Signed<'_>,
        session: &Session,
        arrived: &Arrived,
        effect: Effect,
    ) -> Result<Rc<SigningKey>, Failure> {
        let origin = Origin::Session(session.token.clone());
        if let Some(key) = self.day_keys.borrow().find(signed, &origin) {
            return Ok(key);
        }
        let scope = &signed.credential;
        let deadline = self.deadline(arrived, effect);
        let region = &self.shared.region;
        let derived = region.session_day_key(&session.token, scope.date, scope.region, scope.service, deadline);
        self.kept(signed, origin, derived.await)
    }

    fn kept(
        &self,
        signed: &Signed<'_>,
        origin: Origin,
        derived: Result<kms_core::registry::Plaintext, KmsError>,
    ) -> Result<Rc<SigningKey>, Failure> {
        let derived = derived.map_err(Failure::Service)?;
        let key: &[u8; 32] = derived
            .expose()
            .try_into()
            .map_err(|_| Failure::Service(KmsError::internal("a day key has another length")))?;
        let key = Rc::new(SigningKey::new(key));
        self.day_keys.borrow_mut().keep(signed, origin, key.clone());
        Ok(key)
    }
}

fn caller(view: &RegionView, credential: &Credential) -> Option<Caller> {
    let identity = view.identity(&credential.identity)?;
    Some(Caller {
        principal: identity.principal.clone(),
        arn: identity.arn.clone(),
        account: identity.account,
        access_key: credential.id.clone(),
        session: None,
    })
}
