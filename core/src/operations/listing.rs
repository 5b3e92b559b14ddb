//! ListKeys and ListAliases: what an account has.
//! Shows the caller's own account only; permission on the single keys is not asked for (API reference).

use std::sync::Arc;

use super::paging::Page;
use crate::error::KmsError;
use crate::id::{AliasName, KeyId, KeyRef};
use crate::key_manager::{Authorized, Planned, run};
use crate::model::{AliasListEntry, KeyListEntry, ListAliasesResponse, ListKeysResponse, ResourceOwnerType};
use crate::operation::{ListAliases, ListKeys};
use crate::view::{AliasEntry, KeyEntry};

pub(crate) fn keys(rq: Authorized<ListKeys>) -> Planned<ListKeysResponse> {
    let page = Page::of(&rq, 100, 1000)?;
    let after = page.after().map(|key| KeyId::parse(key).ok_or(KmsError::InvalidMarker)).transpose()?;
    // Nothing is shared across accounts through Resource Access Manager here, so only SELF has keys to show.
    let owners = &rq.input.resource_owners;
    let own = owners.is_empty() || owners.contains(&ResourceOwnerType::SelfAccount);
    let keys = rq.view.keys_of(rq.account(), after).take_while(|_| own);
    let (keys, next) = page.take(keys, KeyId::to_string);
    let entry = |key: KeyId| KeyListEntry {
        key_id: Some(key.to_string()),
        key_arn: Some(rq.view.place.key_arn(rq.account(), key)),
    };
    let keys = keys.into_iter().map(entry).collect();
    run(async move { Ok(ListKeysResponse { keys, truncated: next.is_some(), next_marker: next }) })
}

pub(crate) fn aliases(rq: Authorized<ListAliases>) -> Planned<ListAliasesResponse> {
    let page = Page::of(&rq, 50, 100)?;
    let after = page.after().map(|name| AliasName::parse(name).map_err(|_| KmsError::InvalidMarker)).transpose()?;
    let name = |alias: &&Arc<AliasEntry>| alias.record.name.to_string();
    let (aliases, next) = match &rq.input.key_id {
        Some(key) => page.take(aliases_of_key(&rq, named_key(&rq, key)?, after.as_ref()), name),
        None => page.take(rq.view.aliases_of(rq.account(), after), name),
    };
    let aliases = aliases.into_iter().map(|alias| shown(&rq, alias)).collect();
    run(async move { Ok(ListAliasesResponse { aliases, truncated: next.is_some(), next_marker: next }) })
}

/// The key's aliases after `after`, in order of their names; a key has few, and an account may have very many.
fn aliases_of_key<'a>(
    rq: &'a Authorized<ListAliases>,
    key: &'a KeyEntry,
    after: Option<&AliasName>,
) -> impl Iterator<Item = &'a Arc<AliasEntry>> {
    let mut names: Vec<_> = key.aliases.iter().filter(|name| after.is_none_or(|after| *name > after)).collect();
    names.sort_unstable();
    names.into_iter().filter_map(|name| rq.view.alias(rq.account(), name))
}

fn named_key<'a>(rq: &'a Authorized<ListAliases>, name: &str) -> Result<&'a KeyEntry, KmsError> {
    let reference = KeyRef::parse(name, &rq.view.place)?;
    let (account, key) = match reference {
        KeyRef::Id(key) => (rq.account(), key),
        KeyRef::Arn { account, key } => (account, key),
        _ => return Err(KmsError::InvalidKeyId { given: name.to_owned() }),
    };
    // Another account's key is as good as none, whether it is there or not.
    let entry = rq.view.find(&KeyRef::Id(key), account).filter(|_| account == rq.account());
    entry.map(AsRef::as_ref).ok_or_else(|| KmsError::KeyNotFound { arn: rq.view.place.key_arn(account, key) })
}

fn shown(rq: &Authorized<ListAliases>, alias: &AliasEntry) -> AliasListEntry {
    let record = &alias.record;
    AliasListEntry {
        alias_name: Some(record.name.to_string()),
        alias_arn: Some(rq.view.place.alias_arn(record.account, &record.name)),
        target_key_id: Some(record.key.to_string()),
        creation_date: Some(record.created),
        last_updated_date: Some(record.updated),
    }
}
