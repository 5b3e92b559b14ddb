//! Who a caller is on one view: its user or role, the policies that concern it, where its account stands.
//! Looks up what the view has gathered; decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::authz::{Document, Value};
use crate::request::{Caller, SessionFacts};
use crate::store::{Compare, Revision, RowKey};
use crate::view::{Attached, Membership, Policy, RegionView};

/// What a caller's own side says of it.
#[derive(Clone, Copy)]
pub(crate) struct Standing<'a> {
    pub(crate) attached: &'a Attached,
    /// Of the user or the role.
    tags: &'a BTreeMap<String, String>,
    pub(crate) session: Option<&'a SessionFacts>,
    pub(crate) membership: Option<&'a Membership>,
    /// The row of a user's access key.
    credential: Option<(&'a str, Revision)>,
}

impl<'a> Standing<'a> {
    /// `None` when the caller has gone since it was authenticated: its access key, its user or its role is no longer there,
    /// or has become another one's.
    pub(crate) fn of(view: &'a RegionView, caller: &'a Caller) -> Option<Self> {
        let standing = Self::presumed(view, caller)?;
        if caller.session.is_some() {
            return Some(standing);
        }
        let credential = view.credential(&caller.access_key).filter(|credential| credential.identity == caller.arn)?;
        Some(Self { credential: Some((&*caller.access_key, credential.version)), ..standing })
    }

    /// As `of`, without asking whether a user's access key is still there; for what is judged once more.
    pub(crate) fn presumed(view: &'a RegionView, caller: &'a Caller) -> Option<Self> {
        let membership = view.membership(caller.account).map(AsRef::as_ref);
        if let Some(session) = &caller.session {
            let role = view.role(&session.role).filter(|role| role.is_behind(&caller.principal))?;
            let (attached, tags, session) = (&role.attached, &role.tags, Some(&**session));
            return Some(Self { attached, tags, session, membership, credential: None });
        }
        let same = |one: &Arc<_>, other: &Arc<_>| Arc::ptr_eq(one, other) || one == other;
        let user = view.identity(&caller.arn).filter(|user| same(&user.principal, &caller.principal))?;
        Some(Self { attached: &user.attached, tags: &user.tags, session: None, membership, credential: None })
    }

    pub(crate) fn boundary(&self) -> Option<&'a Document> {
        self.attached.boundary.as_ref().map(|policy| &policy.document)
    }

    pub(crate) fn session_policy(&self) -> Option<&'a Document> {
        self.session.and_then(|session| session.policy.as_deref())
    }

    /// The service control policies that bind the caller.
    pub(crate) fn service_control(&self) -> Vec<Vec<&'a Document>> {
        self.membership.map(|membership| documents(&membership.service)).unwrap_or_default()
    }

    /// The value of `aws:PrincipalTag/tail`. A session's tags take the place of its role's.
    pub(crate) fn tag(&self, tail: &str) -> Option<Value<'a>> {
        let own = self.session.and_then(|session| Value::among(pairs(&session.tags), tail));
        own.or_else(|| Value::among(pairs(self.tags), tail))
    }

    /// The rows that all of this was looked up in, as they were.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Compare> {
        let credential = self.credential.map(|(id, version)| (crate::view::Credential::row_of(id), version));
        let membership = self.membership.map(|membership| membership.row.clone());
        let rows = self.attached.rows.iter().cloned().chain(membership).chain(credential);
        rows.map(|(key, version): (RowKey, Revision)| Compare { key, version })
    }
}

/// Levels of policies as a decision takes them.
pub(crate) fn documents(levels: &[Vec<Arc<Policy>>]) -> Vec<Vec<&Document>> {
    levels.iter().map(|level| level.iter().map(|policy| &policy.document).collect()).collect()
}

pub(crate) fn pairs(map: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    map.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}
