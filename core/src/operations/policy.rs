//! PutKeyPolicy, GetKeyPolicy, ListKeyPolicies, and what makes a key policy acceptable.
//! The document language is `authz`'s; whether its principals exist is the view's to say.

use std::sync::Arc;

use super::lifecycle::change;
use super::paging::Page;
use crate::authz::{Document, Kind, Malformed, PrincipalName};
use crate::error::KmsError;
use crate::key::record::KeyRecord;
use crate::key_manager::{Authorized, Planned, run};
use crate::model::{Empty, GetKeyPolicyResponse, ListKeyPoliciesResponse};
use crate::operation::{GetKeyPolicy, ListKeyPolicies, Operation, PutKeyPolicy};
use crate::principals;
use crate::view::{KeyEntry, Policy, RegionView};

/// The only name that a key policy has.
const POLICY_NAME: &str = "default";

pub(crate) fn put(rq: Authorized<PutKeyPolicy>) -> Planned<Empty> {
    require_default(rq.input.policy_name.as_deref())?;
    let key = rq.key()?.entry.clone();
    let bypass = rq.input.bypass_policy_lockout_safety_check;
    let policy = acceptable(&rq, &rq.input.policy, bypass, |policy| KeyEntry { policy, ..(*key).clone() })?;
    change(rq, move |record| KeyRecord { policy: Some(policy), ..record }, |_| Empty)
}

pub(crate) fn read(rq: Authorized<GetKeyPolicy>) -> Planned<GetKeyPolicyResponse> {
    require_default(rq.input.policy_name.as_deref())?;
    let policy = Some(principals::shown(&rq.key()?.entry.policy.text, &rq.view));
    run(async move { Ok(GetKeyPolicyResponse { policy, policy_name: Some(POLICY_NAME.to_owned()) }) })
}

pub(crate) fn list(rq: Authorized<ListKeyPolicies>) -> Planned<ListKeyPoliciesResponse> {
    let page = Page::of(&rq, 100, 1000)?;
    let names = [POLICY_NAME.to_owned()].into_iter().filter(|_| page.after().is_none());
    let (policy_names, next) = page.take(names, String::clone);
    run(async move { Ok(ListKeyPoliciesResponse { policy_names, truncated: next.is_some(), next_marker: next }) })
}

fn require_default(name: Option<&str>) -> Result<(), KmsError> {
    match name {
        None | Some(POLICY_NAME) => Ok(()),
        Some(_) => Err(KmsError::PolicyNotFound),
    }
}

/// A key policy that may be put on a key, as it is to be stored: it parses, its principals exist, and, unless `bypass`
/// is set, it lets the caller change it again (the lockout safety check of the developer guide). `key` makes the key that
/// would have it.
pub(super) fn acceptable<Op: Operation>(
    rq: &Authorized<Op>,
    text: &str,
    bypass: bool,
    key: impl FnOnce(Arc<Policy>) -> KeyEntry,
) -> Result<String, KmsError> {
    let policy = Arc::new(known(&rq.view, text)?);
    let text = policy.text.to_string();
    if !bypass && !rq.would_allow(key(policy), "kms:PutKeyPolicy") {
        return Err(locked_out());
    }
    Ok(text)
}

/// A key policy as it is to be stored: it parses, and its principals exist.
pub(crate) fn known(view: &RegionView, text: &str) -> Result<Policy, KmsError> {
    let document = Document::parse(text, Kind::Key).map_err(|error| match &error {
        Malformed::TooLarge { .. } => KmsError::LimitExceeded(error.message().into_owned()),
        Malformed::Document { .. } => KmsError::MalformedPolicy(error.message().into_owned()),
    })?;
    let invalid = || {
        let text = "Policy contains a statement with one or more invalid principals.";
        KmsError::MalformedPolicy(text.to_owned())
    };
    // An identity provider is no caller of KMS.
    if document.principals().any(|principal| matches!(principal, PrincipalName::Federated(_))) {
        return Err(invalid());
    }
    let text = principals::at_rest(text, &view.place, view).map_err(|_| invalid())?;
    let document = Document::parse(&text, Kind::Key).map_err(KmsError::internal)?;
    Ok(Policy { text: text.as_str().into(), document })
}

/// What the lockout safety check says.
pub(crate) fn locked_out() -> KmsError {
    let text = "The new key policy will not allow you to update the key policy in the future.";
    KmsError::MalformedPolicy(text.to_owned())
}
