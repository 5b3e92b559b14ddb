//! Documents by their text, each parsed once.
//! Knows texts and kinds; must not know what is asked of a document.

use std::collections::HashMap;
use std::rc::Rc;

use crate::authz::{Document, Kind};

/// Most bytes of text that are kept; beyond, the shelf is cleared.
const TEXT_BYTES_MAX: usize = 64 << 20;

/// What a text is as a document of one kind.
pub(super) type Parsed = Result<Rc<Document>, Rc<str>>;

/// Every document has a name of its own here, by which a reason tells it from its neighbours.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    by_kind: HashMap<Kind, HashMap<Box<str>, Parsed>>,
    text_bytes: usize,
    parsed: u64,
}

impl Shelf {
    /// The document that a JSON value is, or a JSON string holds.
    pub(super) fn document(&mut self, text: &str, kind: Kind) -> Parsed {
        let known = self.by_kind.get(&kind).and_then(|texts| texts.get(text));
        if let Some(parsed) = known {
            return parsed.clone();
        }
        if self.text_bytes + text.len() > TEXT_BYTES_MAX {
            self.by_kind.clear();
            self.text_bytes = 0;
        }
        self.parsed += 1;
        let parsed = parse(text, kind, &self.parsed.to_string());
        self.text_bytes += text.len();
        self.by_kind.entry(kind).or_default().insert(text.into(), parsed.clone());
        parsed
    }
}

fn parse(text: &str, kind: Kind, name: &str) -> Parsed {
    let quoted: Option<String> = text.starts_with('"').then(|| serde_json::from_str(text).ok()).flatten();
    let document = Document::parse(quoted.as_deref().unwrap_or(text), kind);
    document.map(|document| Rc::new(document.named(name))).map_err(|malformed| malformed.to_string().into())
}
