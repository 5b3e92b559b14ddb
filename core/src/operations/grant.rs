//! CreateGrant, ListGrants, ListRetirableGrants, RetireGrant, RevokeGrant.
//! What a grant allows is decided in `authz`; who may retire one was decided by the pipeline.

use aws_lc_rs::digest::{SHA256, digest};
use kms_hsm::command::{Authenticate, Purpose};

use super::paging::Page;
use crate::authz::{PrincipalName, grant as rules};
use crate::error::KmsError;
use crate::grant_token::GrantToken;
use crate::id::{KeyId, is_grant_id};
use crate::key::record::{Constraints, GrantRecord, KeyRecord, Stored};
use crate::key::spec;
use crate::key_manager::{Authorized, Planned, run};
use crate::model::*;
use crate::operation::{CreateGrant, ListGrants, ListRetirableGrants, Operation, RetireGrant, RevokeGrant};
use crate::principals;
use crate::store::{Batch, Revision, Table};
use crate::view::{GrantEntry, KeyEntry, RegionView};

/// Grants per key (resource quotas of the developer guide).
const GRANTS_MAX: usize = 50_000;
/// What one encryption context constraint may hold, names and values together (API reference of CreateGrant).
const CONSTRAINT_PAIRS_MAX: usize = 8;
const CONSTRAINT_CHARS_MAX: usize = 384;

pub(crate) fn create(rq: Authorized<CreateGrant>) -> Planned<CreateGrantResponse> {
    let key = rq.key()?.clone();
    let record = asked_for(&rq, &key.entry)?;
    if let Some(parents) = rq.granted_by() {
        let child = record.as_grant().map_err(KmsError::Validation)?;
        if !parents.iter().any(|parent| rules::permits_child(parent, child.operations, &child.constraints)) {
            return Err(rq.not_delegable());
        }
    }
    if let Some(present) = key.entry.grant(&record.id).cloned() {
        return run(async move {
            // Nothing to write, but the right to the token must still stand when it is given out.
            let held = Batch::default().expect(Table::Grant, row(record.key, &record.id), present.version);
            let revision = rq.commit(held).await?;
            answer(&rq, record.key, record.id, revision).await
        });
    }
    if key.entry.grant_count() >= GRANTS_MAX {
        return Err(KmsError::LimitExceeded(format!("{} has reached its limit of {GRANTS_MAX} grants.", key.arn)));
    }
    run(async move {
        let batch = Batch::default().create(Table::Grant, row(record.key, &record.id), record.encode());
        let revision = rq.commit(batch).await?;
        answer(&rq, record.key, record.id, revision).await
    })
}

async fn answer(
    rq: &Authorized<CreateGrant>,
    key: KeyId,
    grant: String,
    revision: Revision,
) -> Result<CreateGrantResponse, KmsError> {
    let token = GrantToken::new(key, &grant, revision).ok_or_else(|| KmsError::internal("a grant id is not hex"))?;
    let tags = rq.hsm(Authenticate { purpose: Purpose::GrantToken, messages: vec![token.message()] }).await?;
    let tag = tags.first().ok_or_else(|| KmsError::internal("no tag for a grant token"))?;
    Ok(CreateGrantResponse { grant_token: Some(token.encode(tag)), grant_id: Some(grant) })
}

/// The grant that a request asks for. A named grant has an id made of everything in it, so that asking again finds it;
/// one without a name is always new (API reference of CreateGrant).
fn asked_for(rq: &Authorized<CreateGrant>, key: &KeyEntry) -> Result<GrantRecord, KmsError> {
    let input = &rq.input;
    let grantee = one_of("Grantee", input.grantee_principal.as_ref(), input.grantee_service_principal.as_ref())?
        .ok_or_else(|| {
            KmsError::Validation("You must specify a GranteePrincipal or a GranteeServicePrincipal.".to_owned())
        })?;
    let retiring = one_of("Retiring", input.retiring_principal.as_ref(), input.retiring_service_principal.as_ref())?;
    let stored = |principal: &String| stored_principal(&rq.view, principal);
    let grantee = input.grantee_principal.as_ref().map(stored).transpose()?.unwrap_or(grantee);
    let retiring = input.retiring_principal.as_ref().map(stored).transpose()?.or(retiring);
    let constraints = input.constraints.as_ref().map(constraints).transpose()?;
    if input.grantee_service_principal.is_some() {
        require_for_service(&constraints, retiring.as_deref())?;
    }
    let mut operations: Vec<String> = Vec::new();
    for operation in &input.operations {
        if !operations.iter().any(|known| known == operation.as_str()) {
            operations.push(operation.as_str().to_owned());
        }
    }
    let mut record = GrantRecord {
        id: String::new(),
        key: key.record.id,
        name: input.name.clone(),
        grantee,
        retiring,
        operations,
        constraints,
        created: rq.now(),
        issuer: rq.account(),
    };
    require_suitable(&record, &key.record)?;
    // INVARIANT: what is committed can be read back as a grant; else one request could put the view out of order.
    record.as_grant().map_err(KmsError::Validation)?;
    record.id = identify(&record);
    Ok(record)
}

/// The operations and constraints must be ones that the key's type has (API reference of CreateGrant).
fn require_suitable(record: &GrantRecord, key: &KeyRecord) -> Result<(), KmsError> {
    let allowed = spec::grant_operations(key.spec, key.usage);
    if let Some(operation) = record.operations.iter().find(|operation| !allowed.contains(&operation.as_str())) {
        let spec = key.spec.as_str();
        return Err(KmsError::Validation(format!(
            "Grant operation {operation} is not valid for a key with key spec {spec}."
        )));
    }
    let on_context = record.constraints.as_ref().is_some_and(|given| given.equals.is_some() || given.subset.is_some());
    if on_context && key.spec != KeySpec::SymmetricDefault {
        let text = "Encryption context constraints are valid only for grants on symmetric encryption keys.";
        return Err(KmsError::Validation(text.to_owned()));
    }
    Ok(())
}

fn identify(record: &GrantRecord) -> String {
    let salt = if record.name.is_some() { String::new() } else { uuid::Uuid::new_v4().to_string() };
    let mut undated = GrantRecord { created: crate::clock::Timestamp(0), ..record.clone() };
    undated.operations.sort_unstable();
    let mut bytes = undated.encode();
    bytes.extend_from_slice(salt.as_bytes());
    hex::encode(digest(&SHA256, &bytes))
}

fn one_of(what: &str, principal: Option<&String>, service: Option<&String>) -> Result<Option<String>, KmsError> {
    if principal.is_some() && service.is_some() {
        return Err(KmsError::Validation(format!(
            "You cannot specify both {what}Principal and {what}ServicePrincipal."
        )));
    }
    Ok(principal.or(service).cloned())
}

/// Grantees and retiring principals must be valid ARNs of principals that exist.
fn stored_principal(view: &RegionView, arn: &str) -> Result<String, KmsError> {
    let invalid = || KmsError::InvalidArn(format!("ARN does not refer to a valid principal: {arn}"));
    principals::stored_name(arn, &view.place, view).ok_or_else(invalid)
}

/// A service as grantee needs a SourceArn and someone who may retire the grant (API reference of CreateGrant).
fn require_for_service(constraints: &Option<Constraints>, retiring: Option<&str>) -> Result<(), KmsError> {
    let has_source = constraints.as_ref().is_some_and(|constraints| constraints.source_arn.is_some());
    if has_source && retiring.is_some() {
        return Ok(());
    }
    let text = "A GranteeServicePrincipal requires a SourceArn constraint and a retiring principal.";
    Err(KmsError::Validation(text.to_owned()))
}

fn constraints(given: &GrantConstraints) -> Result<Constraints, KmsError> {
    let constraints = Constraints {
        equals: given.encryption_context_equals.clone(),
        subset: given.encryption_context_subset.clone(),
        source_arn: given.source_arn.clone(),
    };
    let refuse = |text: String| Err(KmsError::Validation(text));
    if constraints.equals.is_some() && constraints.subset.is_some() {
        return refuse("You cannot specify both EncryptionContextEquals and EncryptionContextSubset.".to_owned());
    }
    for pairs in constraints.equals.iter().chain(&constraints.subset) {
        let chars: usize = pairs.iter().map(|(name, value)| name.chars().count() + value.chars().count()).sum();
        if pairs.len() > CONSTRAINT_PAIRS_MAX || chars > CONSTRAINT_CHARS_MAX {
            return refuse(format!(
                "A grant constraint can have up to {CONSTRAINT_PAIRS_MAX} encryption context pairs of {CONSTRAINT_CHARS_MAX} \
                 characters in all."
            ));
        }
    }
    Ok(constraints)
}

pub(crate) fn list(rq: Authorized<ListGrants>) -> Planned<ListGrantsResponse> {
    let key = rq.key()?.clone();
    let page = Page::of(&rq, 50, 100)?;
    if rq.input.grant_id.as_deref().is_some_and(|id| !is_grant_id(id)) {
        return Err(KmsError::InvalidGrantId);
    }
    let input = &rq.input;
    one_of("Grantee", input.grantee_principal.as_ref(), input.grantee_service_principal.as_ref())?;
    let asked = |grant: &GrantRecord| {
        let is_grantee = |wanted: &String| principals::shown_name(&grant.grantee, &rq.view) == *wanted;
        input.grant_id.as_ref().is_none_or(|id| *id == grant.id)
            && input.grantee_principal.as_ref().is_none_or(is_grantee)
            && input.grantee_service_principal.as_ref().is_none_or(|grantee| *grantee == grant.grantee)
    };
    let grants = key.entry.grants_after(page.after().unwrap_or_default()).filter(|entry| asked(&entry.record));
    let (grants, next) = page.take(grants, |entry| entry.record.id.clone());
    let grants = grants.into_iter().map(|entry| shown(&rq, entry, &key.arn)).collect();
    run(async move { Ok(ListGrantsResponse { grants, truncated: next.is_some(), next_marker: next }) })
}

pub(crate) fn list_retirable(rq: Authorized<ListRetirableGrants>) -> Planned<ListGrantsResponse> {
    let page = Page::of(&rq, 50, 100)?;
    let input = &rq.input;
    let principal = one_of("Retiring", input.retiring_principal.as_ref(), input.retiring_service_principal.as_ref())?
        .ok_or_else(|| KmsError::Validation("You must specify a RetiringPrincipal.".to_owned()))?;
    let named = PrincipalName::from_arn(&principal);
    if named.is_none_or(|principal| principal.account() != Some(rq.account().as_str())) {
        return Err(KmsError::InvalidArn(format!("{principal} is not a principal of account {}.", rq.account())));
    }
    let after = page.after().unwrap_or_default();
    let stored = principals::stored_name(&principal, &rq.view.place, &*rq.view).unwrap_or(principal);
    let found = rq.view.retirable_by(&stored, after).filter(|(grant, _)| &**grant != after);
    let entries = found.filter_map(|(grant, key)| {
        let key = rq.view.key(key)?;
        Some((key.arn.clone(), key.grant(&grant)?.clone()))
    });
    let (grants, next) = page.take(entries, |(_, entry)| entry.record.id.clone());
    let grants = grants.into_iter().map(|(arn, entry)| shown(&rq, &entry, &arn)).collect();
    run(async move { Ok(ListGrantsResponse { grants, truncated: next.is_some(), next_marker: next }) })
}

pub(crate) fn retire(rq: Authorized<RetireGrant>) -> Planned<Empty> {
    let key = rq.key()?.entry.clone();
    let grant = rq.key()?.grant.clone().ok_or_else(|| KmsError::internal("a grant to retire was not resolved"))?;
    run(async move { end(&rq, key.record.id, &grant).await })
}

pub(crate) fn revoke(rq: Authorized<RevokeGrant>) -> Planned<Empty> {
    let key = rq.key()?.entry.clone();
    if !is_grant_id(&rq.input.grant_id) {
        return Err(KmsError::InvalidGrantId);
    }
    let absent = || KmsError::GrantNotFound { grant: rq.input.grant_id.clone() };
    let grant = key.grant(&rq.input.grant_id).cloned().ok_or_else(absent)?;
    run(async move { end(&rq, key.record.id, &grant).await })
}

async fn end<Op: Operation>(rq: &Authorized<Op>, key: KeyId, grant: &GrantEntry) -> Result<Empty, KmsError> {
    rq.commit(Batch::default().remove(Table::Grant, row(key, &grant.record.id), grant.version)).await?;
    Ok(Empty)
}

fn row(key: KeyId, grant: &str) -> String {
    format!("{key}/{grant}")
}

fn shown<Op: Operation>(rq: &Authorized<Op>, entry: &GrantEntry, arn: &str) -> GrantListEntry {
    let grant = &entry.record;
    let (grantee, grantee_service) = split(Some(&grant.grantee), &rq.view);
    let (retiring, retiring_service) = split(grant.retiring.as_deref(), &rq.view);
    GrantListEntry {
        key_id: Some(arn.to_owned()),
        grant_id: Some(grant.id.clone()),
        name: grant.name.clone(),
        creation_date: Some(grant.created),
        grantee_principal: grantee,
        grantee_service_principal: grantee_service,
        retiring_principal: retiring,
        retiring_service_principal: retiring_service,
        issuing_account: Some(rq.view.place.root_arn(grant.issuer)),
        operations: grant.operations.iter().filter_map(|name| name.parse().ok()).collect(),
        constraints: grant.constraints.as_ref().map(|constraints| GrantConstraints {
            encryption_context_equals: constraints.equals.clone(),
            encryption_context_subset: constraints.subset.clone(),
            source_arn: constraints.source_arn.clone(),
        }),
    }
}

/// A principal is shown in one of two members: as an ARN (or the unique id of one that has gone), or as a service's name.
fn split(stored: Option<&str>, view: &RegionView) -> (Option<String>, Option<String>) {
    let Some(stored) = stored else { return (None, None) };
    match PrincipalName::from_aws(stored) {
        Some(_) => (Some(principals::shown_name(stored, view)), None),
        None => (None, Some(stored.to_owned())),
    }
}
