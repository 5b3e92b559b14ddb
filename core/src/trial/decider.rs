//! Decides cases line by line, as `policy decide` does: one JSON object in, one out.
//! Knows how a case becomes a question and a decision an answer; must not know where lines come from.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use serde_json::value::RawValue;

use super::case::{Case, Context, GrantEntry, Identified, Request, Text};
use super::shelf::Shelf;
use crate::authz::grant::{Constraints, ContextConstraint};
use crate::authz::{
    Decision, Document, Grant, Kind, Layer, Layers, Operations, Policies, Principal, PrincipalName, Question, Reason,
    Verdict, decide,
};
use crate::clock::Timestamp;
use crate::model::OperationModel;

/// Answers cases. Documents are kept by their text from one case to the next.
#[derive(Debug, Default)]
pub struct Decider {
    shelf: Shelf,
}

impl Decider {
    /// Appends the answer to one line, with its line break, and says whether the line could be decided. What is wrong
    /// with a line that cannot be is its answer.
    pub fn answer(&mut self, line: &[u8], out: &mut Vec<u8>) -> bool {
        let text = match std::str::from_utf8(line) {
            Ok(text) => text,
            Err(error) => return refuse(None, &error.to_string(), out),
        };
        // The id is known also where the rest of the line is not what it should be.
        let id = serde_json::from_str::<Identified<'_>>(text).ok().and_then(|line| line.id);
        match serde_json::from_str(text).map_err(|error| error.to_string()).and_then(|case| self.decide(&case)) {
            Ok((decision, papers)) => write(&Answer::new(id, &decision, &papers), out),
            Err(error) => refuse(id, &error, out),
        }
    }

    fn decide<'c>(&mut self, case: &Case<'c>) -> Result<(Decision, Papers), String> {
        let papers = Papers::gather(&mut self.shelf, case)?;
        let request = &case.request;
        let nothing = Context::default();
        let context = request.context.as_ref().unwrap_or(&nothing);
        let principal = principal(&request.principal, context)?;
        let grants = grants(case)?;
        let tokens: &[Text<'c>] = case.grant_tokens.as_deref().unwrap_or_default();
        let presented: Vec<&str> = grants
            .iter()
            .filter(|(_, token)| token.is_some_and(|token| tokens.iter().any(|given| **given == *token)))
            .map(|(grant, _)| &*grant.id)
            .collect();
        let (action, across) = action(&request.action);
        // RetireGrant names one grant; here its token does, where there is one.
        let retired = action.eq_ignore_ascii_case("kms:RetireGrant") && !presented.is_empty();
        let before: Vec<&Grant> =
            grants.iter().map(|(grant, _)| grant).filter(|grant| !retired || presented.contains(&&*grant.id)).collect();
        let gathered;
        let encryption_context = match &request.encryption_context {
            _ if before.is_empty() => None,
            Some(pairs) => Some(pairs),
            None => {
                gathered = context.encryption_context();
                Some(&gathered)
            }
        };
        let question = Question {
            principal: &principal,
            action: &action,
            resource: &request.resource,
            resource_account: account_of(request),
            encryption_context,
            facts: context,
        };
        let decision = papers.decide(&question, &before, &presented, across);
        Ok((decision, papers))
    }
}

/// The documents of one case, as the evaluator wants them.
#[derive(Debug, Default)]
struct Papers {
    identity: Vec<Rc<Document>>,
    key: Option<Rc<Document>>,
    endpoint: Option<Rc<Document>>,
    session: Option<Rc<Document>>,
    boundary: Option<Rc<Document>>,
    scps: Vec<Vec<Rc<Document>>>,
    rcps: Vec<Vec<Rc<Document>>>,
}

impl Papers {
    fn gather(shelf: &mut Shelf, case: &Case<'_>) -> Result<Self, String> {
        let mut one = |raw: &RawValue, kind, place: &dyn Fn() -> String| {
            shelf.document(raw.get(), kind).map_err(|wrong| format!("{}: {wrong}", place()))
        };
        let mut single =
            |raw: Option<&RawValue>, kind, place: &str| raw.map(|raw| one(raw, kind, &|| place.to_owned())).transpose();
        let key = single(case.resource_policy, Kind::Key, RESOURCE)?;
        let endpoint = single(case.vpc_endpoint_policy, Kind::Endpoint, ENDPOINT)?;
        let session = single(case.session_policy, Kind::Session, SESSION)?;
        let boundary = single(case.permissions_boundary, Kind::Boundary, BOUNDARY)?;
        let identity = case.identity_policies.iter().flatten().enumerate();
        let identity = identity
            .map(|(at, raw)| one(raw, Kind::Identity, &|| format!("{IDENTITY}[{at}]")))
            .collect::<Result<_, _>>()?;
        let mut levels = |levels: Option<&Vec<Vec<&RawValue>>>, kind, name: &str| {
            let mut all = Vec::new();
            for (level, documents) in levels.into_iter().flatten().enumerate() {
                let parsed =
                    documents.iter().enumerate().map(|(at, raw)| one(raw, kind, &|| format!("{name}[{level}][{at}]")));
                all.push(parsed.collect::<Result<Vec<_>, String>>()?);
            }
            Ok::<_, String>(all)
        };
        let scps = levels(case.scps.as_ref(), Kind::ServiceControl, SCPS)?;
        let rcps = levels(case.rcps.as_ref(), Kind::ResourceControl, RCPS)?;
        Ok(Self { identity, key, endpoint, session, boundary, scps, rcps })
    }

    fn decide(&self, question: &Question<'_>, grants: &Vec<&Grant>, presented: &[&str], across: bool) -> Decision {
        let identity: Vec<&Document> = self.identity.iter().map(AsRef::as_ref).collect();
        let (scps, rcps) = (references(&self.scps), references(&self.rcps));
        let policies = Policies {
            endpoint: self.endpoint.as_deref(),
            key: self.key.as_deref(),
            identity: &identity,
            boundary: self.boundary.as_deref(),
            session: self.session.as_deref(),
            scps: &scps,
            rcps: &rcps,
            grants,
            presented,
            cross_account_allowed: across,
        };
        decide(question, &policies)
    }

    /// Where in the case a document stands.
    fn place(&self, layer: Layer, name: &Arc<str>) -> String {
        let at = |documents: &[Rc<Document>]| documents.iter().position(|document| Arc::ptr_eq(document.name(), name));
        let in_level = |levels: &[Vec<Rc<Document>>], member: &str| {
            let found = levels.iter().enumerate().find_map(|(level, documents)| at(documents).map(|at| (level, at)));
            found.map_or_else(String::new, |(level, at)| format!("{member}[{level}][{at}]"))
        };
        match layer {
            Layer::ServiceControl => in_level(&self.scps, SCPS),
            Layer::ResourceControl => in_level(&self.rcps, RCPS),
            Layer::Identity => at(&self.identity).map_or_else(String::new, |at| format!("{IDENTITY}[{at}]")),
            Layer::Endpoint => ENDPOINT.to_owned(),
            Layer::Key | Layer::Grant => RESOURCE.to_owned(),
            Layer::Boundary => BOUNDARY.to_owned(),
            Layer::Session => SESSION.to_owned(),
        }
    }
}

const IDENTITY: &str = "identity_policies";
const RESOURCE: &str = "resource_policy";
const ENDPOINT: &str = "vpc_endpoint_policy";
const SESSION: &str = "session_policy";
const BOUNDARY: &str = "permissions_boundary";
const SCPS: &str = "scps";
const RCPS: &str = "rcps";

#[derive(serde::Serialize)]
struct Answer<'a> {
    id: Option<&'a RawValue>,
    decision: Verdict,
    explicit_denies: Layers,
    decided_by: Decided<'a>,
}

/// What decided. A layer alone is its silence, or the root user's own right.
#[derive(serde::Serialize)]
struct Decided<'a> {
    layer: Layer,
    /// The member of the case that holds the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<&'a str>,
    /// The key policy's, or a grant's, other half.
    #[serde(skip_serializing_if = "Option::is_none")]
    together_with: Option<Box<Decided<'a>>>,
}

#[derive(serde::Serialize)]
struct Refused<'a> {
    id: Option<&'a RawValue>,
    error: &'a str,
}

impl<'a> Answer<'a> {
    fn new(id: Option<&'a RawValue>, decision: &'a Decision, papers: &Papers) -> Self {
        let together_with = decision.together_with.as_ref().map(|reason| Box::new(Decided::new(reason, papers)));
        let decided_by = Decided { together_with, ..Decided::new(&decision.decided_by, papers) };
        Self { id, decision: decision.verdict, explicit_denies: decision.explicit_denies, decided_by }
    }
}

impl<'a> Decided<'a> {
    fn new(reason: &'a Reason, papers: &Papers) -> Self {
        let layer = reason.layer();
        let bare = Self { layer, document: None, sid: None, index: None, grant: None, together_with: None };
        match reason {
            Reason::Statement { document, sid, index, .. } => {
                Self { document: Some(papers.place(layer, document)), sid: sid.as_deref(), index: Some(*index), ..bare }
            }
            Reason::Grant { grant, .. } => Self { grant: Some(grant), ..bare },
            Reason::Root { .. } | Reason::Silence { .. } => bare,
        }
    }
}

fn refuse(id: Option<&RawValue>, error: &str, out: &mut Vec<u8>) -> bool {
    write(&Refused { id, error }, out);
    false
}

fn write(answer: &impl serde::Serialize, out: &mut Vec<u8>) -> bool {
    // Writing plain data to memory cannot fail.
    let written = serde_json::to_writer(&mut *out, answer).is_ok();
    out.push(b'\n');
    written
}

/// The caller. What its ARN leaves open is taken from the context: unique ids, and with it the path of a session's role.
fn principal(arn: &str, context: &Context<'_>) -> Result<Principal, String> {
    let partition = arn.split(':').nth(1).unwrap_or_default();
    let service = |name: &str| match PrincipalName::from_service(name) {
        Some(PrincipalName::Service(name)) => Some(Principal::Service { name }),
        _ => None,
    };
    let principal = Principal::parse_arn(arn, partition).or_else(|| service(arn)).ok_or_else(|| {
        format!("`{arn}` is not the ARN of a user, session, federated user or root user, nor a service's name")
    })?;
    let id = context.one("aws:userid").map(|id| id.split(':').next().unwrap_or(id));
    let behind = context.one("aws:principalarn").and_then(PrincipalName::from_arn);
    Ok(match (principal, id, behind) {
        (Principal::User { account, path_and_name, .. }, Some(id), _) => {
            Principal::User { account, path_and_name, id: Some(id.to_owned()) }
        }
        (
            Principal::AssumedRole { account, role_path_and_name: role, session, .. },
            Some(id),
            Some(PrincipalName::Role { account: of, path_and_name }),
        ) if account == of && path_and_name.rsplit('/').next() == Some(&role) => {
            let role_id = Some(id.to_owned());
            Principal::AssumedRole { account, role_path_and_name: path_and_name, role_id, session }
        }
        (
            Principal::FederatedUser { account, name, .. },
            _,
            Some(PrincipalName::User { account: of, path_and_name }),
        ) if account == of => Principal::FederatedUser { account, name, user: Some(path_and_name) },
        (principal, ..) => principal,
    })
}

/// The action as AWS spells it, and whether it works on another account's key. Other services' do as their documents say.
fn action(written: &str) -> (String, bool) {
    match written.split_once(':') {
        Some((service, name)) if service.eq_ignore_ascii_case("kms") => match OperationModel::of_action(name) {
            Some((operation, name)) => (format!("kms:{name}"), operation.across_accounts),
            None => (written.to_owned(), false),
        },
        _ => (written.to_owned(), true),
    }
}

/// The account of the resource: as told, or as its ARN says.
fn account_of<'c>(request: &'c Request<'_>) -> Option<&'c str> {
    let told = request.resource_account.as_deref().filter(|account| !account.is_empty());
    told.or_else(|| request.resource.split(':').nth(4).filter(|account| !account.is_empty()))
}

/// The key's grants and their tokens.
fn grants<'c>(case: &'c Case<'_>) -> Result<Vec<(Grant, Option<&'c str>)>, String> {
    let resource = &*case.request.resource;
    let of_this_key = |entry: &GrantEntry<'_>| {
        let key = entry.key_id.as_deref();
        key.is_none_or(|key| key == resource || resource.rsplit_once(":key/").is_some_and(|(_, id)| id == key))
    };
    let entries = case.grants.iter().flatten().enumerate().filter(|(_, entry)| of_this_key(entry));
    let read = |(at, entry): (usize, &'c GrantEntry<'_>)| {
        let grant = grant(at, entry, account_of(&case.request)).map_err(|wrong| format!("grants[{at}]: {wrong}"))?;
        Ok((grant, entry.grant_token.as_deref()))
    };
    entries.map(read).collect()
}

fn grant(at: usize, entry: &GrantEntry<'_>, owner: Option<&str>) -> Result<Grant, String> {
    let name = |text: &Text<'_>| text.parse::<PrincipalName>().map_err(|error| format!("`{}` is {error}", &**text));
    let one_of =
        |aws: &Option<Text<'_>>, service: &Option<Text<'_>>| aws.as_ref().or(service.as_ref()).map(name).transpose();
    let grantee = one_of(&entry.grantee_principal, &entry.grantee_service_principal)?;
    let operations = Operations::from_names(entry.operations.iter().map(|name| &**name));
    let issuer = entry.issuing_account.as_ref().map(name).transpose()?;
    let constraints = entry.constraints.as_ref();
    let pairs = |of: fn(&super::case::Constraints) -> &Option<BTreeMap<String, String>>| {
        constraints.and_then(|constraints| of(constraints).clone())
    };
    let equals = pairs(|constraints| &constraints.encryption_context_equals).map(ContextConstraint::Equals);
    let subset = pairs(|constraints| &constraints.encryption_context_subset).map(ContextConstraint::Subset);
    Ok(Grant {
        id: entry.grant_id.as_deref().map_or_else(|| format!("grants[{at}]").into(), Arc::from),
        name: None,
        grantee: grantee.ok_or("neither GranteePrincipal nor GranteeServicePrincipal")?,
        retiring: one_of(&entry.retiring_principal, &entry.retiring_service_principal)?,
        operations: operations.ok_or("an operation that no grant can allow")?,
        constraints: Constraints {
            encryption_context: equals.or(subset),
            source_arn: constraints.and_then(|constraints| constraints.source_arn.clone()),
        },
        issuing_account: issuer.as_ref().and_then(PrincipalName::account).or(owner).unwrap_or_default().to_owned(),
        created: Timestamp(0),
        consistent: entry.consistent.unwrap_or(true),
    })
}

fn references(levels: &[Vec<Rc<Document>>]) -> Vec<Vec<&Document>> {
    levels.iter().map(|level| level.iter().map(AsRef::as_ref).collect()).collect()
}
