//! CreateAlias, UpdateAlias, DeleteAlias.
//! The alias and the keys on either side of the change were found and authorised before.

use crate::error::KmsError;
use crate::key::record::{AliasRecord, KeyRecord, Stored};
use crate::key_manager::{Authorized, Planned, run};
use crate::model::{Empty, KeySpec};
use crate::operation::{CreateAlias, DeleteAlias, UpdateAlias};
use crate::store::{Batch, Revision, Table};
use crate::view::KeyEntry;

/// Aliases per key. AWS's quota is 50 and can be raised on request (resource quotas of the developer guide).
const ALIASES_MAX: usize = 1000;

pub(crate) fn create(rq: Authorized<CreateAlias>) -> Planned<Empty> {
    let alias = rq.alias(0)?.clone();
    let key = rq.target(1)?.clone();
    if alias.entry.is_some() {
        return Err(KmsError::AliasExists { arn: alias.arn.to_string() });
    }
    require_room(&key.entry)?;
    let now = rq.now();
    let record = AliasRecord {
        account: alias.account,
        name: alias.name.clone(),
        key: key.entry.record.id,
        created: now,
        updated: now,
    };
    run(async move {
        rq.commit(Batch::default().create(Table::Alias, alias.row(), record.encode())).await?;
        Ok(Empty)
    })
}

pub(crate) fn update(rq: Authorized<UpdateAlias>) -> Planned<Empty> {
    let alias = rq.alias(0)?.clone();
    let (old, new) = (rq.target(1)?.clone(), rq.target(2)?.clone());
    same_kind(&alias.arn, &old.entry.record, &new.entry.record)?;
    if old.entry.record.id != new.entry.record.id {
        require_room(&new.entry)?;
    }
    let (record, version) = present(&alias)?;
    let record = AliasRecord { key: new.entry.record.id, updated: rq.now(), ..record };
    run(async move {
        rq.commit(Batch::default().change(Table::Alias, alias.row(), version, record.encode())).await?;
        Ok(Empty)
    })
}

pub(crate) fn delete(rq: Authorized<DeleteAlias>) -> Planned<Empty> {
    let alias = rq.alias(0)?.clone();
    let (_, version) = present(&alias)?;
    run(async move {
        rq.commit(Batch::default().remove(Table::Alias, alias.row(), version)).await?;
        Ok(Empty)
    })
}

fn present(alias: &crate::request::AliasTarget) -> Result<(AliasRecord, Revision), KmsError> {
    let entry = alias.entry.as_ref().ok_or_else(|| KmsError::AliasNotFound { arn: alias.arn.to_string() })?;
    Ok((entry.record.clone(), entry.version))
}

fn require_room(key: &KeyEntry) -> Result<(), KmsError> {
    if key.aliases.len() >= ALIASES_MAX {
        return Err(KmsError::LimitExceeded(format!("{} has reached its limit of {ALIASES_MAX} aliases.", key.arn)));
    }
    Ok(())
}

/// An alias moves only between keys of one type (symmetric, asymmetric, HMAC) and usage (API reference of UpdateAlias).
fn same_kind(alias: &str, old: &KeyRecord, new: &KeyRecord) -> Result<(), KmsError> {
    let refuse = |what: &str, a: &str, b: &str| {
        Err(KmsError::Validation(format!(
            "Alias {alias} cannot be changed from a CMK with key {what} {a} to a CMK with key {what} {b}"
        )))
    };
    if old.usage != new.usage {
        return refuse("usage", old.usage.as_str(), new.usage.as_str());
    }
    let (a, b) = (kind(old.spec), kind(new.spec));
    if a != b {
        return refuse("type", a, b);
    }
    Ok(())
}

fn kind(spec: KeySpec) -> &'static str {
    match spec {
        KeySpec::SymmetricDefault => "SYMMETRIC",
        KeySpec::Hmac224 | KeySpec::Hmac256 | KeySpec::Hmac384 | KeySpec::Hmac512 => "HMAC",
        _ => "ASYMMETRIC",
    }
}
