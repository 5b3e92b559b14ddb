//! TagResource, UntagResource, ListResourceTags, and what makes a set of tags acceptable.
//! Knows tags of keys only; tags of endpoints and VPCs are the registry's.

use std::collections::HashSet;

use super::lifecycle::change;
use super::paging::Page;
use crate::error::KmsError;
use crate::key::record::{KeyRecord, Tag};
use crate::key_manager::{Authorized, Planned, run};
use crate::model::{Empty, ListResourceTagsResponse, Tag as ShownTag};
use crate::operation::{ListResourceTags, TagResource, UntagResource};

/// Tags per key (resource quotas of the developer guide).
const TAGS_MAX: usize = 50;

pub(crate) fn tag(rq: Authorized<TagResource>) -> Planned<Empty> {
    let given = parse(&rq.input.tags)?;
    let merged = merge(&rq.key()?.entry.record.tags, given);
    if merged.len() > TAGS_MAX {
        return Err(KmsError::Tag("Too many tags"));
    }
    change(rq, move |record| KeyRecord { tags: merged, ..record }, |_| Empty)
}

pub(crate) fn untag(rq: Authorized<UntagResource>) -> Planned<Empty> {
    if rq.input.tag_keys.iter().any(|key| is_reserved(key)) {
        return Err(KmsError::Tag("Tags beginning with aws: are reserved"));
    }
    let mut tags = rq.key()?.entry.record.tags.clone();
    tags.retain(|tag| !rq.input.tag_keys.iter().any(|gone| **gone == *tag.key));
    change(rq, move |record| KeyRecord { tags, ..record }, |_| Empty)
}

pub(crate) fn list(rq: Authorized<ListResourceTags>) -> Planned<ListResourceTagsResponse> {
    let key = rq.key()?.clone();
    let page = Page::of(&rq, 50, 50)?;
    let after = page.after();
    let start = match after {
        Some(after) => key
            .entry
            .record
            .tags
            .iter()
            .position(|tag| *tag.key == *after)
            .map_or(usize::MAX, |at| at.saturating_add(1)),
        None => 0,
    };
    let (tags, next) = page.take(key.entry.record.tags.iter().skip(start), |tag| tag.key.to_string());
    let tags = tags.into_iter().map(shown).collect();
    run(async move { Ok(ListResourceTagsResponse { tags, truncated: next.is_some(), next_marker: next }) })
}

/// Checks what the service itself checks of tags (TagException).
pub(super) fn parse(tags: &[ShownTag]) -> Result<Vec<Tag>, KmsError> {
    if tags.iter().any(|tag| is_reserved(&tag.tag_key)) {
        return Err(KmsError::Tag("Tags beginning with aws: are reserved"));
    }
    let mut seen = HashSet::new();
    if !tags.iter().all(|tag| seen.insert(&tag.tag_key)) {
        return Err(KmsError::Tag("Duplicate tag keys"));
    }
    if tags.len() > TAGS_MAX {
        return Err(KmsError::Tag("Too many tags"));
    }
    Ok(tags.iter().map(|tag| Tag { key: tag.tag_key.as_str().into(), value: tag.tag_value.as_str().into() }).collect())
}

/// The tags after setting `given`: a tag that is set again keeps its place.
fn merge(present: &[Tag], given: Vec<Tag>) -> Vec<Tag> {
    let mut merged = present.to_vec();
    for tag in given {
        match merged.iter_mut().find(|known| known.key == tag.key) {
            Some(known) => known.value = tag.value,
            None => merged.push(tag),
        }
    }
    merged
}

fn is_reserved(key: &str) -> bool {
    key.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("aws:"))
}

fn shown(tag: &Tag) -> ShownTag {
    ShownTag { tag_key: tag.key.to_string(), tag_value: tag.value.to_string() }
}
