//! AssumeRoleWithWebIdentity: the one call that nobody signs. What proves the caller is its issuer's token.
//! Until that is proved there is no caller, and what fails goes to the access log, as a wrong signature does.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use kms_core::authz::Principal;
use kms_core::entry::{Entry, Service as Called};
use kms_core::id::AccountId;
use kms_core::operation::Effect;
use kms_core::registry::JwksSource;
use kms_core::request::{Asked, Caller};
use kms_core::session::{self, AssumeRole, Issued, SessionError, WebIdentity};
use kms_core::store::Revision;
use kms_core::view::{Issuer, RegionView};

use super::sts::{recorded, refused};
use super::{Worker, record};
use crate::authn::web_identity::{KeySet, Unproved, Unverified};
use crate::serve::{Answer, Arrived};
use crate::sts::{WebIdentityAnswer, query};
use crate::wire::{Form, Protocol};

const ACTION: &str = "AssumeRoleWithWebIdentity";
/// Key sets that a worker keeps parsed; beyond, all are parsed anew.
const KEY_SETS_MAX: usize = 1000;

/// The key sets of issuers, parsed, by the issuer's ARN: anybody can have them asked for, and they may be long.
#[derive(Default)]
pub(super) struct KeySets(HashMap<Arc<str>, (Revision, Rc<KeySet>)>);

impl KeySets {
    /// The set of this text, which is as it was at this revision.
    fn parsed(&mut self, issuer: &Arc<str>, version: Revision, text: &str) -> Option<Rc<KeySet>> {
        if let Some((_, set)) = self.0.get(issuer).filter(|(known, _)| *known == version) {
            return Some(set.clone());
        }
        let set = Rc::new(KeySet::parse(text)?);
        if self.0.len() >= KEY_SETS_MAX {
            self.0.clear();
        }
        self.0.insert(issuer.clone(), (version, set.clone()));
        Some(set)
    }
}

impl Worker {
    pub(super) async fn web_identity(&self, form: &Form, arrived: &Arrived) -> (Answer, &'static str) {
        let Some(_permit) = self.shared.admission.admit(Effect::Read) else {
            return refused(&SessionError::Unavailable, arrived);
        };
        let source = match self.source(arrived) {
            Ok(source) => source,
            Err(failure) => return self.unauthenticated(&failure, Protocol::Query, ACTION, arrived),
        };
        let region = &self.shared.region;
        let view = region.view();
        let (request, identity, account) = match self.proved(form, &view) {
            Ok(proved) => proved,
            Err(error) => return self.unproved(&error, arrived),
        };
        let asked =
            Arc::new(Asked { caller: caller(&identity, account), source, meta: self.meta(arrived, Effect::Read) });
        let mut entry = Entry::open(self.desk.clone(), &view, &asked, Called::Sts, ACTION);
        if let Err(error) = region.admit_account(account) {
            return self.too_many(entry, &error, arrived);
        }
        entry.asked_sts(recorded(&request));
        let decide =
            |view: &RegionView| session::assume_role_with_web_identity(view, &asked, &request, &identity, &mut entry);
        let mut issued = self.decided_and_issued(decide, arrived).await;
        if let Ok(role) = &mut issued {
            role.web_identity = Some(WebIdentityAnswer {
                subject: identity.subject,
                provider: identity.issuer,
                audience: identity.audience,
            });
        }
        self.ended(ACTION, issued, entry, arrived).await
    }

    /// Who the token says is calling, once its issuer's key has verified it and its claims hold.
    fn proved(&self, form: &Form, view: &RegionView) -> Result<(AssumeRole, WebIdentity, AccountId), SessionError> {
        let (request, token) = query::assume_role_with_web_identity(form)?;
        let token = Unverified::read(token)?;
        let issuer = session::issuer_of(view, &request.role_arn, &token.issuer)?;
        let keys = self.keys_of(issuer, view)?;
        let claims = token.verified(&keys).map_err(|unproved| match unproved {
            Unproved::Refused(error) => error,
            Unproved::UnknownKey => {
                if let JwksSource::Url(url) = &issuer.jwks {
                    self.shared.issuers.want(url);
                }
                let text = "Couldn't retrieve verification key from your identity provider, please reference \
                            AssumeRoleWithWebIdentity documentation for requirements";
                SessionError::InvalidIdentityToken(text.to_owned())
            }
        })?;
        let identity = Issued { issuer, claims }.accepted(self.shared.region.clock().now())?;
        Ok((request, identity, issuer.account))
    }

    /// The keys that are known now. None are fetched here.
    fn keys_of(&self, issuer: &Issuer, view: &RegionView) -> Result<Rc<KeySet>, SessionError> {
        let text = match &issuer.jwks {
            JwksSource::Given(text) => Some((issuer.version, text.as_str())),
            JwksSource::Url(url) => view.issuer_keys(url).map(|keys| (keys.version, &*keys.jwks)),
        };
        let keys = text.and_then(|(version, text)| self.key_sets.borrow_mut().parsed(&issuer.arn, version, text));
        keys.ok_or_else(|| {
            if let JwksSource::Url(url) = &issuer.jwks {
                self.shared.issuers.want(url);
            }
            SessionError::IdpCommunication("The keys of the identity provider could not be fetched yet".to_owned())
        })
    }

    fn unproved(&self, error: &SessionError, arrived: &Arrived) -> (Answer, &'static str) {
        let (code, message) = (error.code(), error.message());
        self.shared.metrics.authn_failed(code);
        let entry = record::access(arrived, ACTION, None, code, message);
        self.shared.access_log.record(arrived.received_at.seconds(), entry);
        refused(error, arrived)
    }
}

/// Whom the issuer vouches for. There is no access key, and the account is the one whose issuer it is.
fn caller(identity: &WebIdentity, account: AccountId) -> Caller {
    let principal = Principal::WebIdentity {
        provider: identity.provider.to_string(),
        audience: identity.audience.clone(),
        subject: identity.subject.clone(),
    };
    Caller {
        principal: Arc::new(principal),
        arn: identity.provider.clone(),
        account,
        access_key: "".into(),
        session: None,
    }
}
