//! One question, prepared once for all the statements that are asked.
//! Knows the question; must not know any policy.

use super::arn::Arn;
use super::context::Facts;
use super::decide::Question;
use super::principal::Principal;

pub(super) struct Call<'a> {
    pub(super) principal: &'a Principal,
    /// Lower-cased: actions ignore case.
    pub(super) action: String,
    pub(super) resource: Arn<'a>,
    pub(super) facts: &'a dyn Facts,
    /// A Deny with `NotPrincipal` always hits a caller with a permissions boundary (IAM User Guide, "NotPrincipal").
    pub(super) has_boundary: bool,
}

impl<'a> Call<'a> {
    pub(super) fn new(question: &'a Question<'a>, has_boundary: bool) -> Self {
        Self {
            principal: question.principal,
            action: question.action.to_ascii_lowercase(),
            resource: Arn::split(question.resource),
            facts: question.facts,
            has_boundary,
        }
    }
}
