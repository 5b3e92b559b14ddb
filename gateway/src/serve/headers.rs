//! The headers of a request, as the HTTP library read them: the one place where its types for them are known.
//! Finds by name and order; knows no header's meaning.

use std::fmt;

use actix_http::header::{HeaderMap, HeaderName, HeaderValue};

/// A request's headers. Names are in lower case. Repeats stand in the order in which they came; different names in any
/// order.
pub struct Headers(Vec<(HeaderName, HeaderValue)>);

impl Headers {
    /// Empties `map`, whose room is the next request's. Names and values are moved, not copied.
    pub(super) fn taken(map: &mut HeaderMap) -> Self {
        let mut headers: Vec<(HeaderName, HeaderValue)> = Vec::with_capacity(map.len());
        for (name, value) in map.drain() {
            // A repeat comes without its name, right after the header that it repeats.
            if let Some(name) = name.or_else(|| headers.last().map(|(name, _)| name.clone())) {
                headers.push((name, value));
            }
        }
        Self(headers)
    }

    /// Names and values.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> + Clone {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))
    }
}

impl fmt::Debug for Headers {
    /// Names only: values hold signatures and tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(|(name, _)| name)).finish()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::indexing_slicing)]

    use super::*;

    #[test]
    fn repeats_keep_their_name_and_order() {
        let mut map = HeaderMap::new();
        for (name, value) in [("x-a", "1"), ("host", "h"), ("x-a", "2"), ("x-b", "b"), ("x-a", "3")] {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        let headers = Headers::taken(&mut map);
        assert!(map.is_empty());
        let values = |wanted| -> Vec<&[u8]> {
            headers.iter().filter(|(name, _)| *name == wanted).map(|(_, value)| value).collect()
        };
        assert_eq!(values("x-a"), [b"1", b"2", b"3"]);
        assert_eq!((values("host"), values("x-b")), (vec![&b"h"[..]], vec![&b"b"[..]]));
        assert_eq!(headers.iter().count(), 5);
    }
}
