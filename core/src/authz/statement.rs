//! One statement: read from JSON, compiled, and asked whether it applies to a call.
//! Knows the elements of a statement; must not know which layer of the decision its document is.

use std::borrow::Cow;
use std::sync::Arc;

use super::arn::{Arn, ArnPattern, Variables};
use super::call::Call;
use super::condition::{Condition, Operator, Set};
use super::context::FactKey;
use super::document::{Kind, Malformed, Presence, text};
use super::json::Json;
use super::pattern::{Pattern, Syntax};
use super::principal::{Principal, PrincipalName, Reach};
use super::variable::Trouble;

const CONDITION_KEY_CHARS_MAX: usize = 1024;

#[derive(Debug)]
pub(super) struct Statement {
    pub(super) sid: Option<Arc<str>>,
    pub(super) effect: Effect,
    who: Option<Who>,
    actions: Option<Choice<Pattern>>,
    /// `None` in a trust policy, whose resource is the role.
    resources: Option<Choice<ArnPattern>>,
    conditions: Box<[Condition]>,
    /// A key policy statement without Action or Resource is kept and has no effect (KMS Developer Guide, "Key policies").
    inert: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    Allow,
    Deny,
}

/// Which element of a statement is in its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Miss {
    /// A key policy statement that lacks Action or Resource.
    NoEffect,
    Action,
    Principal,
    Resource,
    /// The conditions on these keys.
    Conditions(Vec<Box<str>>),
}

/// `Principal`, or `NotPrincipal` when negated.
#[derive(Debug)]
struct Who {
    negated: bool,
    everyone: bool,
    names: Box<[PrincipalName]>,
}

/// An element (`Action`), or its opposite (`NotAction`).
#[derive(Debug)]
struct Choice<T> {
    negated: bool,
    any_of: Box<[T]>,
}

impl Statement {
    pub(super) fn parse(json: &Json, kind: Kind, variables: bool) -> Result<Self, Malformed> {
        let elements = Elements::sort(json)?;
        let effect = match elements.effect.and_then(Json::text) {
            Some("Allow") => Effect::Allow,
            Some("Deny") => Effect::Deny,
            _ => return Err(Malformed::new(text::SYNTAX, "Effect is neither Allow nor Deny")),
        };
        let actions = choice(elements.action, elements.not_action, "Action", kind.action(), text::NO_ACTION, action)?;
        let resource_variables = if variables { Variables::LastPart } else { Variables::Nowhere };
        let compile = |text: &str| resource(text, resource_variables);
        let (positive, negative) = (elements.resource, elements.not_resource);
        let resources = choice(positive, negative, "Resource", kind.resource(), text::NO_RESOURCE, compile)?;
        Ok(Self {
            sid: elements.sid.map(|json| sid(json, kind)).transpose()?,
            effect,
            who: who(&elements, kind, effect)?,
            inert: kind == Kind::Key && (actions.is_none() || resources.is_none()),
            actions,
            resources,
            conditions: elements.condition.map_or(Ok(Box::default()), |json| conditions(json, kind, variables))?,
        })
    }

    /// Whether it applies, and how closely its principal fits the caller. What cannot be evaluated never allows and
    /// always denies.
    pub(super) fn applies(&self, call: &Call<'_>) -> Option<Reach> {
        let acts = self.actions.as_ref()?.holds(|pattern| pattern.matches(&call.action, call.facts));
        if self.inert || acts != Ok(true) {
            return None;
        }
        let reach = self.who.as_ref().map_or(Some(Reach::Direct), |who| who.reach(call))?;
        let resources = self.resources.as_ref();
        let here =
            resources.map_or(Ok(true), |choice| choice.holds(|pattern| pattern.matches(&call.resource, call.facts)));
        let mut trouble = match here {
            Ok(true) => false,
            Ok(false) | Err(Trouble::Unresolved) => return None,
            Err(Trouble::Ambiguous | Trouble::WrongType) => true,
        };
        for condition in &self.conditions {
            match condition.holds(call.facts) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(_) => trouble = true,
            }
        }
        (!trouble || self.effect == Effect::Deny).then_some(reach)
    }

    /// Why it does not apply; `None` when it does.
    pub(super) fn miss(&self, call: &Call<'_>) -> Option<Miss> {
        if self.inert {
            return Some(Miss::NoEffect);
        }
        if self.applies(call).is_some() {
            return None;
        }
        let acts =
            self.actions.as_ref().map(|choice| choice.holds(|pattern| pattern.matches(&call.action, call.facts)));
        if acts != Some(Ok(true)) {
            return Some(Miss::Action);
        }
        if self.who.as_ref().is_some_and(|who| who.reach(call).is_none()) {
            return Some(Miss::Principal);
        }
        let here = self.resources.as_ref().map(|choice| choice.holds(|one| one.matches(&call.resource, call.facts)));
        if here.is_some_and(|here| here != Ok(true)) {
            return Some(Miss::Resource);
        }
        let failed = self.conditions.iter().filter(|condition| condition.holds(call.facts) != Ok(true));
        Some(Miss::Conditions(failed.map(|condition| condition.key().into()).collect()))
    }

    pub(super) fn principals(&self) -> impl Iterator<Item = &PrincipalName> {
        self.who.iter().flat_map(|who| who.names.iter())
    }
}

impl<T> Choice<T> {
    /// An opposite element that holds a variable without a value matches nothing.
    fn holds(&self, matches: impl Fn(&T) -> Result<bool, Trouble>) -> Result<bool, Trouble> {
        let mut trouble = None;
        for pattern in &self.any_of {
            match matches(pattern) {
                Ok(true) => return Ok(!self.negated),
                Ok(false) => {}
                Err(other) => trouble = Some(other),
            }
        }
        trouble.map_or(Ok(self.negated), Err)
    }
}

impl Who {
    fn reach(&self, call: &Call<'_>) -> Option<Reach> {
        if self.negated {
            return (!self.spares(call)).then_some(Reach::Direct);
        }
        if self.everyone {
            return Some(Reach::Direct);
        }
        self.names.iter().filter_map(|name| name.reach(call.principal)).min()
    }

    /// Whether `NotPrincipal` lets the caller go: its account, the role or user behind it and itself must all be named.
    fn spares(&self, call: &Call<'_>) -> bool {
        if self.everyone {
            return true;
        }
        let named = |reach| self.names.iter().any(|name| name.reach(call.principal) == Some(reach));
        let listed = match call.principal {
            Principal::Root { .. } => named(Reach::Account),
            Principal::User { .. } => named(Reach::Account) && named(Reach::Direct),
            Principal::AssumedRole { .. } => named(Reach::Account) && named(Reach::Behind) && named(Reach::Direct),
            Principal::FederatedUser { user, .. } => {
                named(Reach::Account) && named(Reach::Direct) && (user.is_none() || named(Reach::Behind))
            }
            Principal::WebIdentity { .. } | Principal::Service { .. } => named(Reach::Direct),
        };
        listed && !call.has_boundary
    }
}

#[derive(Default)]
struct Elements<'a> {
    sid: Option<&'a Json>,
    effect: Option<&'a Json>,
    principal: Option<&'a Json>,
    not_principal: Option<&'a Json>,
    action: Option<&'a Json>,
    not_action: Option<&'a Json>,
    resource: Option<&'a Json>,
    not_resource: Option<&'a Json>,
    condition: Option<&'a Json>,
}

impl<'a> Elements<'a> {
    fn sort(json: &'a Json) -> Result<Self, Malformed> {
        let Json::Object(members) = json else {
            return Err(Malformed::new(text::SYNTAX, "a statement is not an object"));
        };
        let mut elements = Self::default();
        for (name, value) in members {
            let element = match name.as_str() {
                "Sid" => &mut elements.sid,
                "Effect" => &mut elements.effect,
                "Principal" => &mut elements.principal,
                "NotPrincipal" => &mut elements.not_principal,
                "Action" => &mut elements.action,
                "NotAction" => &mut elements.not_action,
                "Resource" => &mut elements.resource,
                "NotResource" => &mut elements.not_resource,
                "Condition" => &mut elements.condition,
                unknown => return Err(Malformed::new(text::SYNTAX, format!("unknown element `{unknown}`"))),
            };
            *element = Some(value);
        }
        Ok(elements)
    }
}

fn choice<T>(
    positive: Option<&Json>,
    negative: Option<&Json>,
    name: &str,
    presence: Presence,
    missing: &'static str,
    compile: impl Fn(&str) -> Result<T, Malformed>,
) -> Result<Option<Choice<T>>, Malformed> {
    let (negated, json) = match (positive, negative, presence) {
        (Some(_), Some(_), _) => return Err(Malformed::new(text::SYNTAX, format!("both {name} and Not{name}"))),
        (None, None, Presence::Required) => {
            return Err(Malformed::new(missing, format!("neither {name} nor Not{name}")));
        }
        (None, None, Presence::Optional | Presence::Forbidden) => return Ok(None),
        (_, _, Presence::Forbidden) => {
            return Err(Malformed::new(format!("Has prohibited field {name}"), format!("{name} has no place here")));
        }
        (Some(json), None, _) => (false, json),
        (None, Some(json), _) => (true, json),
    };
    let items = json.items();
    if items.is_empty() {
        return Err(Malformed::new(missing, format!("{name} is empty")));
    }
    let compiled = items.iter().map(|item| {
        let text = item.text().ok_or_else(|| Malformed::new(text::SYNTAX, format!("{name} holds no text")))?;
        compile(text)
    });
    Ok(Some(Choice { negated, any_of: compiled.collect::<Result<_, _>>()? }))
}

fn action(written: &str) -> Result<Pattern, Malformed> {
    let syntax = Syntax { wildcards: true, variables: false };
    if written == "*" {
        return Ok(Pattern::Any);
    }
    let Some((service, name)) = written.split_once(':') else {
        return Err(Malformed::new(text::NO_VENDOR, format!("action `{written}` has no service")));
    };
    if service.is_empty() || !service.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return Err(Malformed::new(format!("Vendor {service} is not valid"), format!("in action `{written}`")));
    }
    if name.contains(':') {
        return Err(Malformed::new("Actions/Condition can contain only one colon.", format!("in action `{written}`")));
    }
    let in_name = |byte: u8| byte.is_ascii_alphanumeric() || b"*?-_".contains(&byte);
    if name.is_empty() || !name.bytes().all(in_name) {
        return Err(Malformed::new(text::SYNTAX, format!("action `{written}` is misspelt")));
    }
    Ok(Pattern::compile(&written.to_ascii_lowercase(), syntax))
}

fn resource(written: &str, variables: Variables) -> Result<ArnPattern, Malformed> {
    if written == "*" {
        return Ok(ArnPattern::Any);
    }
    let Some([_, _, service, _, _, last]) = Arn::split(written).parts else {
        let message = format!("Resource {written} must be in ARN format or \"*\".");
        return Err(Malformed::new(message, "not an ARN"));
    };
    let wild = |part: &str| part.contains(['*', '?']);
    if wild(service) {
        return Err(Malformed::new(text::WILD_VENDOR, format!("in resource `{written}`")));
    }
    // IAM User Guide, "Resource": the type cannot be given by a wildcard. A lone `*` is every resource of the account.
    let kind = last.split_once('/').map_or(last, |(kind, _)| kind);
    if service == "kms" && last != "*" && wild(kind) {
        return Err(Malformed::new(text::SYNTAX, format!("wildcard in the resource type of `{written}`")));
    }
    Ok(ArnPattern::compile(written, variables))
}

fn sid(json: &Json, kind: Kind) -> Result<Arc<str>, Malformed> {
    let sid = json.text().ok_or_else(|| Malformed::new(text::SYNTAX, "Sid is no text"))?;
    if !kind.has_principals() && !sid.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Malformed::new(text::SID, format!("Sid `{sid}`")));
    }
    Ok(sid.into())
}

fn who(elements: &Elements<'_>, kind: Kind, effect: Effect) -> Result<Option<Who>, Malformed> {
    let (negated, json) = match (elements.principal, elements.not_principal, kind.has_principals()) {
        (None, None, false) => return Ok(None),
        (None, None, true) => return Err(Malformed::new(text::NO_PRINCIPAL, "neither Principal nor NotPrincipal")),
        (_, _, false) => return Err(Malformed::new(text::PRINCIPAL_FORBIDDEN, "Principal has no place here")),
        (Some(_), Some(_), true) => return Err(Malformed::new(text::SYNTAX, "both Principal and NotPrincipal")),
        (Some(json), None, true) => (false, json),
        (None, Some(json), true) => (true, json),
    };
    if negated && (effect == Effect::Allow || kind == Kind::ResourceControl) {
        return Err(Malformed::new(text::SYNTAX, "NotPrincipal is for Deny alone"));
    }
    let who = match json {
        Json::Text(text) if text == "*" => Who { negated, everyone: true, names: Box::default() },
        Json::Object(members) if !members.is_empty() => named(members, negated)?,
        _ => return Err(Malformed::new(text::PRINCIPALS, "neither `*` nor an object of principals")),
    };
    if kind == Kind::ResourceControl && !who.names.is_empty() {
        return Err(Malformed::new(text::PRINCIPALS, "the principal here is always `*`"));
    }
    Ok(Some(who))
}

fn named(members: &[(String, Json)], negated: bool) -> Result<Who, Malformed> {
    let (mut everyone, mut names) = (false, Vec::new());
    for (kind, value) in members {
        let items = value.items();
        if items.is_empty() {
            return Err(Malformed::new(text::PRINCIPALS, format!("no principal under `{kind}`")));
        }
        for item in items {
            let text = item.text().ok_or_else(|| Malformed::new(text::PRINCIPALS, "a principal is no text"))?;
            if (kind.as_str(), text) == ("AWS", "*") {
                everyone = true;
                continue;
            }
            let name = match kind.as_str() {
                "AWS" => PrincipalName::from_aws(text),
                "Service" => PrincipalName::from_service(text),
                "Federated" => plain(text).map(PrincipalName::Federated),
                "CanonicalUser" => plain(text).map(PrincipalName::CanonicalUser),
                unknown => return Err(Malformed::new(text::SYNTAX, format!("unknown principal type `{unknown}`"))),
            };
            names.push(name.ok_or_else(|| Malformed::new(text::PRINCIPALS, format!("principal `{text}`")))?);
        }
    }
    Ok(Who { negated, everyone, names: names.into() })
}

fn plain(text: &str) -> Option<String> {
    (!text.is_empty() && !text.contains(['*', '?'])).then(|| text.to_owned())
}

fn conditions(json: &Json, kind: Kind, variables: bool) -> Result<Box<[Condition]>, Malformed> {
    let mut conditions = Vec::new();
    for (name, block) in members(json)? {
        let unknown = |_| Malformed::new(text::SYNTAX, format!("unknown operator `{name}`"));
        let operator = Operator::parse(name).map_err(unknown)?;
        for (key, values) in members(block)? {
            conditions.push(condition(operator, key, values, kind, variables)?);
        }
    }
    Ok(conditions.into())
}

fn condition(
    operator: Operator,
    key: &str,
    values: &Json,
    kind: Kind,
    variables: bool,
) -> Result<Condition, Malformed> {
    if !key.contains(':') || key.len() > CONDITION_KEY_CHARS_MAX {
        return Err(Malformed::new(text::NO_VENDOR, format!("condition key `{key}`")));
    }
    let key = FactKey::new(key);
    if kind == Kind::Key && operator.set == Set::ForAllValues && key.head() == "kms:encryptioncontext" {
        return Err(Malformed::new(text::OVERLY_PERMISSIVE, key.written()));
    }
    let scalars = values.items().iter().map(Json::scalar).collect::<Option<Vec<Cow<'_, str>>>>();
    let scalars = scalars.ok_or_else(|| Malformed::new(text::SYNTAX, format!("values of `{}`", key.written())))?;
    // KMS Developer Guide: kms:ResourceAliases is for IAM policies, not for key policies.
    let hidden = kind == Kind::Key && key.name() == "kms:resourcealiases";
    Ok(Condition::compile(operator, key, &scalars, variables, hidden))
}

fn members(json: &Json) -> Result<&[(String, Json)], Malformed> {
    match json {
        Json::Object(members) => Ok(members),
        _ => Err(Malformed::new(text::SYNTAX, "Condition is not an object of objects")),
    }
}
