//! JSON text, written into a buffer member by member: for what is written in every request, and must be cheap.
//! Knows RFC 8259 and no shape. Whoever has time uses serde.

/// A place for JSON text.
pub(crate) trait Write {
    /// A string with its quotes, escaped as RFC 8259 section 7 demands.
    fn text(&mut self, text: &str);

    /// An object, with the members that `fill` writes.
    fn object(&mut self, fill: impl FnOnce(&mut Object<'_>));

    /// An array, each item written by `write`.
    fn list<T>(&mut self, items: &[T], write: impl Fn(&T, &mut Self));
}

impl Write for Vec<u8> {
    fn text(&mut self, text: &str) {
        self.push(b'"');
        push_escaped(text, |piece| self.extend_from_slice(piece));
        self.push(b'"');
    }

    fn object(&mut self, fill: impl FnOnce(&mut Object<'_>)) {
        self.push(b'{');
        fill(&mut Object { to: self, is_empty: true });
        self.push(b'}');
    }

    fn list<T>(&mut self, items: &[T], write: impl Fn(&T, &mut Self)) {
        self.push(b'[');
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.push(b',');
            }
            write(item, self);
        }
        self.push(b']');
    }
}

/// An object that is being written. Names are not compared: a repeated one is written twice.
pub(crate) struct Object<'a> {
    to: &'a mut Vec<u8>,
    is_empty: bool,
}

impl Object<'_> {
    /// A member with a name of ours, in which nothing needs an escape.
    pub(crate) fn member(&mut self, name: &'static str, write: impl FnOnce(&mut Vec<u8>)) {
        debug_assert!(!name.bytes().any(needs_escape), "{name}");
        // Room for what is around the name, and for a short value: most members then grow the buffer once at most.
        self.to.reserve(name.len() + 64);
        let is_first = std::mem::take(&mut self.is_empty);
        self.to.extend_from_slice(if is_first { b"\"" } else { b",\"" });
        self.to.extend_from_slice(name.as_bytes());
        self.to.extend_from_slice(b"\":");
        write(self.to);
    }

    /// A member with any name.
    pub(crate) fn named(&mut self, name: &str, write: impl FnOnce(&mut Vec<u8>)) {
        if !std::mem::take(&mut self.is_empty) {
            self.to.push(b',');
        }
        self.to.text(name);
        self.to.push(b':');
        write(self.to);
    }

    pub(crate) fn text(&mut self, name: &'static str, value: &str) {
        self.member(name, |to| to.text(value));
    }

    pub(crate) fn optional_text(&mut self, name: &'static str, value: Option<&impl AsRef<str>>) {
        if let Some(value) = value {
            self.text(name, value.as_ref());
        }
    }

    /// A member whose value is JSON already.
    pub(crate) fn json(&mut self, name: &'static str, json: &str) {
        self.member(name, |to| to.extend_from_slice(json.as_bytes()));
    }
}

/// The text between the quotes, piece by piece.
pub(crate) fn push_escaped(text: &str, mut push: impl FnMut(&[u8])) {
    let bytes = text.as_bytes();
    // Nearly all text needs no escape.
    let (words, rest) = bytes.as_chunks::<8>();
    if !words.iter().any(|word| any_needs_escape(*word)) && !rest.iter().any(|byte| needs_escape(*byte)) {
        return push(bytes);
    }
    let mut plain = 0;
    for (at, &byte) in bytes.iter().enumerate().filter(|(_, byte)| needs_escape(**byte)) {
        push(bytes.get(plain..at).unwrap_or_default());
        match byte {
            b'"' => push(b"\\\""),
            b'\\' => push(b"\\\\"),
            control => push(format!("\\u{control:04x}").as_bytes()),
        }
        plain = at + 1;
    }
    push(bytes.get(plain..).unwrap_or_default());
}

fn needs_escape(byte: u8) -> bool {
    byte < 0x20 || byte == b'"' || byte == b'\\'
}

/// Whether one of eight bytes needs an escape; all eight are looked at together. A byte of a word is below `n` exactly
/// when taking `n` from it borrows, and equal to another when their difference is below one (Warren, "Hacker's Delight",
/// section 6-1).
fn any_needs_escape(word: [u8; 8]) -> bool {
    const EACH: u64 = u64::MAX / 255;
    const TOP_BITS: u64 = EACH << 7;
    let word = u64::from_ne_bytes(word);
    let any_below = |word: u64, bound: u8| word.wrapping_sub(EACH * u64::from(bound)) & !word & TOP_BITS;
    let any_equal = |byte: u8| any_below(word ^ (EACH * u64::from(byte)), 1);
    any_below(word, 0x20) | any_equal(b'"') | any_equal(b'\\') != 0
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]

    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    #[test]
    fn eight_bytes_are_judged_as_each_of_them() {
        for place in 0..8 {
            for byte in 0..=u8::MAX {
                for others in [b'a', 0x20, b'!', b'[', b']', 0x7f, 0x80, 0xff] {
                    let mut word = [others; 8];
                    word[place] = byte;
                    assert_eq!(any_needs_escape(word), needs_escape(byte), "{word:?}");
                }
            }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(name: String, texts: Vec<String>, count: u64) {
            let mut json = Vec::new();
            json.object(|outer| {
                outer.named(&name, |to| to.list(&texts, |text, to| to.text(text)));
                outer.member("inner", |to| to.object(|inner| inner.optional_text("none", None::<&String>)));
                outer.json("count", &count.to_string());
            });
            prop_assume!(name != "inner" && name != "count");
            let read: Value = serde_json::from_slice(&json).unwrap();
            prop_assert_eq!(&read[&name], &serde_json::json!(texts));
            prop_assert_eq!((&read["inner"], &read["count"]), (&serde_json::json!({}), &serde_json::json!(count)));
        }
    }
}
