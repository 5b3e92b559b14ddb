//! From a signed request to its caller: the access key in the view, the day's signing key from the HSM, the signature.
//! Holds day keys and no other secret; `authn` says what a signature is.

use std::collections::HashMap;
use std::rc::Rc;
use std::time::Duration;

use kms_core::operation::Effect;
use kms_core::request::{Asked, Caller};
use kms_core::store::Revision;
use kms_core::view::{Credential, RegionView};

use super::{Failure, Worker};
use crate::authn::AuthnError;
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
    /// The credential's version that it was derived from. INVARIANT: checked against the view in every request.
    version: Revision,
    key: Rc<SigningKey>,
}

impl DayKeys {
    fn find(&self, signed: &Signed<'_>, version: Revision) -> Option<Rc<SigningKey>> {
        self.0.get(signed.credential.text).filter(|known| known.version == version).map(|known| known.key.clone())
    }

    fn keep(&mut self, signed: &Signed<'_>, version: Revision, key: Rc<SigningKey>) {
        if self.0.len() >= DAY_KEYS_MAX {
            self.0.clear();
        }
        self.0.insert(signed.credential.text.into(), DayKey { version, key });
    }
}

impl Worker {
    /// The request with its caller, once its signature is proved.
    pub(super) async fn authenticated(
        &self,
        arrived: &Arrived,
        service: &str,
        effect: Effect,
    ) -> Result<Asked, Failure> {
        let source = self.source(arrived)?;
        let Arrived { method, path, query, .. } = arrived;
        let head = Head { method, path, query, headers: arrived.headers.iter().collect() };
        let signed = Signed::parse(&head).map_err(|error| Failure::Authn { error, claimed: None })?;
        let failed = |error| Failure::Authn { error, claimed: Some(signed.credential.access_key_id.to_owned()) };
        let region = &self.shared.region;
        signed.check_scope(&region.place().region, service).map_err(failed)?;
        signed.check_time(region.clock().now(), SKEW_MAX).map_err(failed)?;
        let view = region.view();
        // No session is handed out, so no session token belongs to any access key.
        let known = view.credential(signed.credential.access_key_id).filter(|_| signed.session_token.is_none());
        let credential = known.ok_or_else(|| failed(AuthnError::UnknownToken))?;
        let key = self.day_key(&signed, credential, arrived, effect).await?;
        signed.verify(&key, &arrived.body).map_err(failed)?;
        let caller = caller(&view, credential).ok_or_else(|| failed(AuthnError::UnknownToken))?;
        Ok(Asked { caller, source, meta: self.meta(arrived, effect) })
    }

    async fn day_key(
        &self,
        signed: &Signed<'_>,
        credential: &Credential,
        arrived: &Arrived,
        effect: Effect,
    ) -> Result<Rc<SigningKey>, Failure> {
        if let Some(key) = self.day_keys.borrow().find(signed, credential.version) {
            return Ok(key);
        }
        let scope = &signed.credential;
        let deadline = self.deadline(arrived, effect);
        let derived = self.shared.region.signing_key(credential, scope.date, scope.region, scope.service, deadline);
        let derived = derived.await.map_err(Failure::Service)?;
        let key: &[u8; 32] = derived
            .expose()
            .try_into()
            .map_err(|_| Failure::Service(kms_core::KmsError::internal("a day key has another length")))?;
        let key = Rc::new(SigningKey::new(key));
        self.day_keys.borrow_mut().keep(signed, credential.version, key.clone());
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
    })
}
