//! Pages of lists: limits, and markers that say where the next page begins.
//! A marker holds only what the page before showed its caller; one of another list or account is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::error::KmsError;
use crate::key_manager::Authorized;
use crate::model::{Invalid, Request};
use crate::operation::Operation;

/// Which part of a list is asked for.
#[derive(Debug)]
pub(super) struct Page {
    /// Names the list: operation, account and resource.
    list: String,
    limit: usize,
    after: Option<String>,
}

impl Page {
    /// The page that a request asks for. `limit_default` and `limit_max` are the operation's (API reference).
    pub(super) fn of<Op: Operation>(
        rq: &Authorized<Op>,
        limit_default: usize,
        limit_max: usize,
    ) -> Result<Self, KmsError> {
        let resource = rq.key().map(|key| key.arn.to_string()).unwrap_or_default();
        let list = format!("{} {} {resource}", Op::SPEC.name, rq.account());
        let limit = match rq.input.limit() {
            Some(limit) => usize::try_from(limit).unwrap_or_default(),
            None => limit_default,
        };
        if limit > limit_max {
            return Err(KmsError::Invalid(Invalid::Validation(format!(
                "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: \
                 Member must have value less than or equal to {limit_max}"
            ))));
        }
        let after = rq.input.marker().map(|marker| open(marker, &list)).transpose()?;
        Ok(Self { list, limit, after })
    }

    /// The name of the last item of the page before.
    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// One page of `items`, and the marker of the next one when there is more.
    pub(super) fn take<T>(
        &self,
        items: impl Iterator<Item = T>,
        name: impl Fn(&T) -> String,
    ) -> (Vec<T>, Option<String>) {
        let mut taken: Vec<T> = items.take(self.limit.saturating_add(1)).collect();
        if taken.len() <= self.limit {
            return (taken, None);
        }
        taken.truncate(self.limit);
        let next = taken.last().map(|last| URL_SAFE_NO_PAD.encode(format!("{}\n{}", self.list, name(last))));
        (taken, next)
    }
}

fn open(marker: &str, list: &str) -> Result<String, KmsError> {
    let bytes = URL_SAFE_NO_PAD.decode(marker).map_err(|_| KmsError::InvalidMarker)?;
    let text = String::from_utf8(bytes).map_err(|_| KmsError::InvalidMarker)?;
    let after = text.strip_prefix(list).and_then(|rest| rest.strip_prefix('\n')).ok_or(KmsError::InvalidMarker)?;
    Ok(after.to_owned())
}
