//! A fixture file set up: its documents parsed, its names resolved, its requests ready to be decided.
//! Knows what each name in a suite stands for; the condition keys that follow from it are `derive`'s.

use std::collections::HashMap;

use super::derive;
use super::suite::{Caller, Endpoint, Key, Node, Organization, Request, Source, Suite, Target, Vpc};
use crate::authz::grant::{Constraints, ContextConstraint};
use crate::authz::{
    Decision, Document, FactMap, Grant, Hearing, Kind, Operations, Policies, Principal, PrincipalName, Question,
    decide, default_endpoint_policy, default_key_policy, hear,
};
use crate::clock::Timestamp;
use crate::model::OperationModel;

/// What AWS attaches where nothing else is.
pub(super) const FULL_SCP: &str = "FullAWSAccess";
pub(super) const FULL_RCP: &str = "RCPFullAWSAccess";
const DEFAULT_ENDPOINT: &str = "default endpoint policy";
const ALIAS_ACTIONS: [&str; 3] = ["kms:CreateAlias", "kms:UpdateAlias", "kms:DeleteAlias"];

/// A suite whose every name means something.
#[derive(Debug)]
pub struct Stage {
    pub(super) suite: Suite,
    documents: HashMap<(String, Kind), Document>,
    /// One for each request.
    outcomes: Vec<Outcome>,
}

/// What a request comes to.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub decision: Decision,
    /// What the caller is told; empty when it is allowed.
    pub message: String,
    pub hearings: Vec<Hearing>,
}

/// What a request is about.
pub(super) struct Aim<'s> {
    pub(super) key: Option<&'s Key>,
    /// The ARN that policies see, or `*`.
    pub(super) resource: String,
    pub(super) account: Option<String>,
    /// The alias that named the key: `alias/...`
    pub(super) alias: Option<String>,
}

impl Stage {
    /// # Errors
    /// Everything that is wrong, each with its place: names that nothing has, documents that AWS would refuse.
    pub fn set(mut suite: Suite) -> Result<Self, Vec<String>> {
        for (name, text) in [
            (FULL_SCP, r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#),
            (
                FULL_RCP,
                r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}}"#,
            ),
            (DEFAULT_ENDPOINT, default_endpoint_policy()),
        ] {
            suite.documents.push(Source { name: name.into(), text: text.into(), file: "built in".into(), line: 1 });
        }
        let accounts = suite.keys.iter().filter_map(|key| account_of(&key.arn));
        let defaults: Vec<Source> = accounts
            .map(|account| Source {
                name: default_key(account),
                text: default_key_policy(account),
                file: "built in".into(),
                line: 1,
            })
            .collect();
        suite.documents.extend(defaults);
        let mut stage = Self { suite, documents: HashMap::new(), outcomes: Vec::new() };
        let mut wrong = stage.parse_documents();
        if wrong.is_empty() {
            wrong.extend(
                stage.suite.keys.iter().flat_map(|key| key.grants.iter().filter_map(move |one| grant(one, key).err())),
            );
            let played = stage.suite.requests.iter().map(|request| (request, stage.play(request)));
            let (mut outcomes, mut troubles) = (Vec::new(), Vec::new());
            for (request, outcome) in played {
                match outcome {
                    Ok(outcome) => outcomes.push(outcome),
                    Err(error) => troubles.push(format!("{}: {error}", request.place)),
                }
            }
            wrong.extend(troubles);
            stage.outcomes = outcomes;
        }
        if wrong.is_empty() { Ok(stage) } else { Err(wrong) }
    }

    /// Every request with what it comes to, in the order of the file.
    pub fn played(&self) -> impl Iterator<Item = (&Request, &Outcome)> {
        self.suite.requests.iter().zip(&self.outcomes)
    }

    /// The text that a reason's document has.
    pub fn source(&self, document: &str) -> Option<&Source> {
        self.suite.documents.iter().find(|source| source.name == document)
    }

    fn parse_documents(&mut self) -> Vec<String> {
        let (mut wrong, mut parsed) = (Vec::new(), HashMap::new());
        for (name, kind) in self.suite.uses() {
            if parsed.contains_key(&(name.clone(), kind)) {
                continue;
            }
            let Some(source) = self.source(&name) else {
                wrong.push(format!("there is no document `{name}`"));
                continue;
            };
            match Document::parse(&source.text, kind) {
                Ok(document) => {
                    parsed.insert((name.clone(), kind), document.named(&name));
                }
                Err(malformed) => {
                    let place = format!("{}:{}", source.file, source.line);
                    wrong.push(format!("{place}: `{name}` is no {}: {malformed}", kind.as_str()));
                }
            }
        }
        self.documents = parsed;
        wrong
    }

    fn document(&self, name: &str, kind: Kind) -> Result<&Document, String> {
        self.documents.get(&(name.to_owned(), kind)).ok_or_else(|| format!("there is no document `{name}`"))
    }

    fn documents(&self, names: &[String], kind: Kind) -> Result<Vec<&Document>, String> {
        names.iter().map(|name| self.document(name, kind)).collect()
    }

    fn play(&self, request: &Request) -> Result<Outcome, String> {
        let caller = named(&self.suite.callers, "caller", &request.caller, |caller| &caller.name)?;
        let principal = principal(caller)?;
        let endpoint = match &request.endpoint {
            Some(name) => Some(named(&self.suite.endpoints, "endpoint", name, |endpoint| &endpoint.name)?),
            None => None,
        };
        let network = endpoint.map(|endpoint| self.vpc_of(endpoint).map(|vpc| (endpoint, vpc))).transpose()?;
        let aim = self.aim(request, &principal)?;
        let facts = derive::facts(&self.suite, request, caller, &principal, network, &aim)?;
        let outcome = self.decide(request, caller, &principal, endpoint, &aim, &facts)?;
        if !outcome.decision.is_strangers() {
            return Ok(outcome);
        }
        // Whom the owner has not let in is told what it would be told of a key that is not there.
        let resource = match &aim.alias {
            Some(alias) => aim.resource.rsplit_once(":key/").map(|(head, _)| format!("{head}:{alias}")),
            None => None,
        };
        let absent = Aim {
            key: None,
            resource: resource.unwrap_or(aim.resource.clone()),
            account: aim.account.clone(),
            alias: None,
        };
        let facts = derive::facts(&self.suite, request, caller, &principal, network, &absent)?;
        let told = self.decide(request, caller, &principal, endpoint, &absent, &facts)?;
        Ok(Outcome { message: told.message, ..outcome })
    }

    fn decide(
        &self,
        request: &Request,
        caller: &Caller,
        principal: &Principal,
        endpoint: Option<&Endpoint>,
        aim: &Aim<'_>,
        facts: &FactMap,
    ) -> Result<Outcome, String> {
        let one = |name: &Option<String>, kind| name.as_deref().map(|name| self.document(name, kind)).transpose();
        let endpoint_policy = endpoint.map(|endpoint| endpoint.policy.as_deref().unwrap_or(DEFAULT_ENDPOINT));
        let key_policy = aim.key.map(key_policy);
        let grants = aim.key.map_or(Ok(Vec::new()), |key| {
            key.grants.iter().map(|given| grant(given, key)).collect::<Result<Vec<_>, _>>()
        })?;
        let tokens = |given: &&super::suite::Grant| {
            given.token.as_ref().is_some_and(|token| request.grant_tokens.contains(token))
        };
        let presented: Vec<&str> =
            aim.key.into_iter().flat_map(|key| &key.grants).filter(tokens).map(|given| given.id.as_str()).collect();
        let retired = request.action.eq_ignore_ascii_case("kms:RetireGrant") && !presented.is_empty();
        let before: Vec<&Grant> = grants.iter().filter(|grant| !retired || presented.contains(&&*grant.id)).collect();
        let across =
            |name: &str| OperationModel::of_action(name).is_some_and(|(operation, _)| operation.across_accounts);
        let identity = self.documents(&caller.policies, Kind::Identity)?;
        let scps = self.levels(principal.account(), |node| node.scps.as_deref(), FULL_SCP, Kind::ServiceControl)?;
        let managed = aim.key.is_some_and(|key| key.aliases.iter().any(|alias| alias.starts_with("alias/aws/")));
        let owner = aim.account.as_deref().filter(|_| !managed);
        let rcps = self.levels(owner, |node| node.rcps.as_deref(), FULL_RCP, Kind::ResourceControl)?;
        let question = Question {
            principal,
            action: &request.action,
            resource: &aim.resource,
            resource_account: aim.account.as_deref(),
            encryption_context: request.encryption_context.as_ref(),
            facts,
        };
        let policies = Policies {
            endpoint: endpoint_policy.map(|name| self.document(name, Kind::Endpoint)).transpose()?,
            key: key_policy.map(|name| self.document(&name, Kind::Key)).transpose()?,
            identity: &identity,
            boundary: one(&caller.boundary, Kind::Boundary)?,
            session: one(&caller.session_policy, Kind::Session)?,
            scps: &scps,
            rcps: &rcps,
            grants: &before,
            presented: &presented,
            cross_account_allowed: request.action.strip_prefix("kms:").is_none_or(across),
        };
        let decision = decide(&question, &policies);
        let message = decision.message(&principal.arn(), &request.action, &aim.resource);
        Ok(Outcome { decision, message, hearings: hear(&question, &policies) })
    }

    fn vpc_of(&self, endpoint: &Endpoint) -> Result<&Vpc, String> {
        named(&self.suite.vpcs, "VPC", &endpoint.vpc, |vpc| &vpc.id)
    }

    fn aim(&self, request: &Request, caller: &Principal) -> Result<Aim<'_>, String> {
        let of_key = |key: &'_ Key, alias: Option<&str>| {
            (key.arn.clone(), account_of(&key.arn).map(str::to_owned), alias.map(str::to_owned))
        };
        let nothing = Aim { key: None, resource: "*".into(), account: None, alias: None };
        let (key, (resource, account, alias)) = match &request.target {
            Target::Nothing => return Ok(nothing),
            Target::Key(name) => {
                let key = named(&self.suite.keys, "key", name, |key| &key.name)?;
                (key, of_key(key, None))
            }
            Target::Alias(name) if ALIAS_ACTIONS.contains(&request.action.as_str()) => {
                let region = self.suite.region();
                let arn = if name.starts_with("arn:") {
                    name.clone()
                } else {
                    format!("arn:aws:kms:{region}:{}:{name}", caller.account().unwrap_or_default())
                };
                return Ok(Aim { account: account_of(&arn).map(str::to_owned), resource: arn, ..nothing });
            }
            Target::Alias(name) => {
                let (owner, alias) = match name.split_once(":alias/") {
                    Some((head, tail)) => (account_of(head), format!("alias/{tail}")),
                    None => (caller.account(), name.clone()),
                };
                let has = |key: &&Key| account_of(&key.arn) == owner && key.aliases.contains(&alias);
                let key = self.suite.keys.iter().find(has).ok_or_else(|| format!("no key has the alias `{name}`"))?;
                (key, of_key(key, Some(&alias)))
            }
            Target::Arn(arn) => match self.suite.keys.iter().find(|key| key.arn == *arn) {
                Some(key) => (key, of_key(key, None)),
                None => {
                    return Ok(Aim { account: account_of(arn).map(str::to_owned), resource: arn.clone(), ..nothing });
                }
            },
        };
        Ok(Aim { key: Some(key), resource, account, alias })
    }

    /// The documents of each level above an account, root first; none for an account outside of organizations and for a
    /// management account, which they do not bind (Organizations User Guide).
    fn levels(
        &self,
        account: Option<&str>,
        of: fn(&Node) -> Option<&[String]>,
        full: &str,
        kind: Kind,
    ) -> Result<Vec<Vec<&Document>>, String> {
        let Some((organization, nodes)) = account.and_then(|account| self.suite.membership(account)) else {
            return Ok(Vec::new());
        };
        if organization.management_account.as_deref() == account {
            return Ok(Vec::new());
        }
        let full = [full.to_owned()];
        nodes.into_iter().map(|node| self.documents(of(node).unwrap_or(&full), kind)).collect()
    }
}

impl Suite {
    /// The same suite with the other's documents where it has some of the same names.
    #[must_use]
    pub fn with_documents_of(&self, other: &Self) -> Self {
        let mut suite = self.clone();
        for document in &mut suite.documents {
            if let Some(theirs) = other.documents.iter().find(|source| source.name == document.name) {
                document.clone_from(theirs);
            }
        }
        suite
    }

    pub(super) fn region(&self) -> &str {
        if self.region.is_empty() { "us-east-1" } else { &self.region }
    }

    pub(super) fn now(&self) -> &str {
        if self.now.is_empty() { "2026-01-01T00:00:00Z" } else { &self.now }
    }

    /// The organization of an account and the nodes above and including it, root first.
    pub(super) fn membership(&self, account: &str) -> Option<(&Organization, Vec<&Node>)> {
        self.organizations.iter().find_map(|organization| {
            let node = |id: &str| organization.nodes.iter().find(|node| node.id == id);
            let mut chain = vec![node(account)?];
            // A chain is never longer than there are nodes, so that a loop ends.
            while let Some(parent) = chain.last().and_then(|last| last.parent.as_deref()).and_then(node) {
                if chain.len() > organization.nodes.len() {
                    break;
                }
                chain.push(parent);
            }
            chain.reverse();
            Some((organization, chain))
        })
    }

    /// Every document that something refers to, and as what.
    fn uses(&self) -> Vec<(String, Kind)> {
        let mut uses = Vec::new();
        let mut add = |names: &[String], kind| uses.extend(names.iter().map(|name| (name.clone(), kind)));
        add(&[FULL_SCP.to_owned()], Kind::ServiceControl);
        add(&[FULL_RCP.to_owned()], Kind::ResourceControl);
        for node in self.organizations.iter().flat_map(|organization| &organization.nodes) {
            add(node.scps.as_deref().unwrap_or_default(), Kind::ServiceControl);
            add(node.rcps.as_deref().unwrap_or_default(), Kind::ResourceControl);
        }
        add(&[DEFAULT_ENDPOINT.to_owned()], Kind::Endpoint);
        self.endpoints.iter().for_each(|endpoint| add(endpoint.policy.as_slice(), Kind::Endpoint));
        self.keys.iter().for_each(|key| add(&[key_policy(key)], Kind::Key));
        for caller in &self.callers {
            add(&caller.policies, Kind::Identity);
            add(caller.boundary.as_slice(), Kind::Boundary);
            add(caller.session_policy.as_slice(), Kind::Session);
        }
        uses
    }
}

pub(super) fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

fn key_policy(key: &Key) -> String {
    key.policy.clone().unwrap_or_else(|| default_key(account_of(&key.arn).unwrap_or_default()))
}

fn default_key(account: &str) -> String {
    format!("default key policy of {account}")
}

fn named<'s, T>(all: &'s [T], what: &str, name: &str, name_of: impl Fn(&T) -> &String) -> Result<&'s T, String> {
    all.iter().find(|one| name_of(one) == name).ok_or_else(|| format!("there is no {what} `{name}`"))
}

/// Who calls. Unique ids that the suite does not give are made up, as no policy can tell.
fn principal(caller: &Caller) -> Result<Principal, String> {
    let wrong = || format!("caller `{}`: `{}` is no caller's ARN and no service's name", caller.name, caller.arn);
    let partition = caller.arn.split(':').nth(1).unwrap_or_default();
    let Some(principal) = Principal::parse_arn(&caller.arn, partition) else {
        return match PrincipalName::from_service(&caller.arn) {
            Some(PrincipalName::Service(name)) => Ok(Principal::Service { name }),
            _ => Err(wrong()),
        };
    };
    let behind = match caller.behind.as_deref().map(PrincipalName::from_arn) {
        None => None,
        Some(Some(PrincipalName::Role { path_and_name, .. } | PrincipalName::User { path_and_name, .. })) => {
            Some(path_and_name)
        }
        Some(_) => return Err(format!("caller `{}`: what is behind it must be a role's or user's ARN", caller.name)),
    };
    let id = |made_up: &str| Some(caller.id.clone().unwrap_or_else(|| made_up.to_owned()));
    Ok(match principal {
        Principal::User { account, path_and_name, .. } => {
            Principal::User { account, path_and_name, id: id("AIDAEXAMPLEEXAMPLE00") }
        }
        Principal::AssumedRole { account, role_path_and_name, session, .. } => Principal::AssumedRole {
            account,
            role_path_and_name: behind.unwrap_or(role_path_and_name),
            role_id: id("AROAEXAMPLEEXAMPLE00"),
            session,
        },
        Principal::FederatedUser { account, name, .. } => Principal::FederatedUser { account, name, user: behind },
        other => other,
    })
}

fn grant(given: &super::suite::Grant, key: &Key) -> Result<Grant, String> {
    let wrong = |what: &str| format!("grant `{}` of key `{}`: {what}", given.id, key.name);
    let name = |text: &str| text.parse::<PrincipalName>().map_err(|error| wrong(&format!("`{text}` is {error}")));
    let operations = Operations::from_names(given.operations.iter().map(String::as_str));
    let equals = given.context_equals.clone().map(ContextConstraint::Equals);
    Ok(Grant {
        id: given.id.as_str().into(),
        name: None,
        grantee: name(&given.grantee)?,
        retiring: given.retiring.as_deref().map(name).transpose()?,
        operations: operations.ok_or_else(|| wrong("an operation that no grant can allow"))?,
        constraints: Constraints {
            encryption_context: equals.or(given.context_subset.clone().map(ContextConstraint::Subset)),
            source_arn: given.source_arn.clone(),
        },
        issuing_account: given.issuing_account.as_deref().or(account_of(&key.arn)).unwrap_or_default().to_owned(),
        created: Timestamp(0),
        consistent: !given.fresh,
    })
}
