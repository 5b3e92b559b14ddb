//! What a request for a session says under each condition key: the parameters of AssumeRole, the role, the claims of a
//! web identity; everything else is what any request says. Decides nothing.

use std::collections::BTreeMap;

use super::assume::AssumeRole;
use super::web_identity::WebIdentity;
use crate::authz::{FactKey, Facts, Value};
use crate::facts::RequestFacts;
use crate::id::AccountId;
use crate::model::Field;
use crate::request::{Asked, Parameters, Target};
use crate::standing::{Standing, pairs};
use crate::view::{RegionView, Role};

/// The facts of one permission that a session takes.
pub(super) struct AssumeFacts<'a> {
    pub(super) general: RequestFacts<'a>,
    pub(super) request: &'a AssumeRole,
    /// The tags that the session is to have, inherited ones included.
    pub(super) tags: &'a BTreeMap<String, String>,
    pub(super) source_identity: Option<&'a str>,
    pub(super) account: AccountId,
    pub(super) role: Option<&'a Role>,
    pub(super) web_identity: Option<&'a WebIdentity>,
}

/// The parameters of STS are answered for here, so the general facts see none.
pub(super) struct NoParameters;

impl Parameters for NoParameters {
    fn member(&self, _: &str) -> Option<Field<'_>> {
        None
    }

    fn has_member(&self, _: &str) -> bool {
        false
    }
}

impl<'a> AssumeFacts<'a> {
    pub(super) fn general(
        view: &'a RegionView,
        asked: &'a Asked,
        standing: Option<Standing<'a>>,
        action: &'a str,
    ) -> RequestFacts<'a> {
        RequestFacts { asked, view, standing, target: &Target::Anything, action, input: &NoParameters, same_key: None }
    }
}

impl Facts for AssumeFacts<'_> {
    fn value(&self, key: &FactKey) -> Option<Value<'_>> {
        match key.head() {
            "aws:requesttag" => Value::among(pairs(self.tags), key.tail()?),
            "aws:resourcetag" | "iam:resourcetag" => Value::among(pairs(&self.role?.tags), key.tail()?),
            "aws:tagkeys" => (!self.tags.is_empty()).then(|| Value::many(self.tags.keys().map(String::as_str))),
            "aws:resourceaccount" => Some(Value::One(self.account.to_string().into())),
            name if name.starts_with("sts:") => self.of_sts(name),
            name @ ("aws:resourceorgid" | "aws:resourceorgpaths") => {
                let membership = self.general.view.membership(self.account)?;
                Some(match name {
                    "aws:resourceorgid" => Value::one(&membership.organization),
                    _ => Value::many([membership.path.as_str()]),
                })
            }
            name if name.starts_with("kms:") => None,
            // The account in the question is the role's; whom an issuer vouches for is of none.
            name if name.starts_with("aws:principal") && self.web_identity.is_some() => None,
            _ => {
                let claim = self.web_identity.and_then(|identity| identity.fact(key.name()));
                claim.or_else(|| self.general.value(key))
            }
        }
    }
}

impl AssumeFacts<'_> {
    fn of_sts(&self, name: &str) -> Option<Value<'_>> {
        match name {
            "sts:externalid" => self.request.external_id.as_deref().map(Value::one),
            "sts:rolesessionname" => Some(Value::one(&self.request.session_name)),
            "sts:sourceidentity" => self.source_identity.map(Value::one),
            "sts:transitivetagkeys" => {
                let keys = &self.request.transitive_tag_keys;
                (!keys.is_empty()).then(|| Value::many(keys.iter().map(String::as_str)))
            }
            _ => None,
        }
    }
}
