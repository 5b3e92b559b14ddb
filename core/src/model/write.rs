//! From an output to its JSON 1.1 text.
//! Everything is written twice, first only counted: an output may hold plaintext, and a growing buffer leaves copies of it behind.

use std::collections::BTreeMap;

use kms_hsm::Plaintext;
use zeroize::Zeroizing;

use super::value::{Blob, SecretText, base64_length, push_base64};
use crate::clock::Timestamp;
use crate::json::push_escaped;

/// Where JSON text goes.
pub(super) trait Sink {
    fn raw(&mut self, text: &[u8]);

    /// Without the quotes.
    fn base64(&mut self, bytes: &[u8]);

    /// A string with its quotes, escaped as RFC 8259 section 7 demands.
    fn text(&mut self, text: &str) {
        self.raw(b"\"");
        push_escaped(text, |piece| self.raw(piece));
        self.raw(b"\"");
    }
}

/// A value that an output can hold.
pub(super) trait Encode {
    fn write<S: Sink>(&self, to: &mut S);

    /// True when the member is left out.
    fn absent(&self) -> bool {
        false
    }
}

/// The whole text, in one allocation of exactly its size.
pub(super) fn encode<T: Encode>(output: &T) -> Zeroizing<Vec<u8>> {
    let mut length = Length(0);
    output.write(&mut length);
    let mut text = Zeroizing::new(Vec::with_capacity(length.0));
    output.write(&mut *text);
    text
}

/// Writes one member of a structure, if it is there; answers whether it is the first one no more.
pub(super) fn member<T: Encode, S: Sink>(name: &str, value: &T, first: bool, to: &mut S) -> bool {
    if value.absent() {
        return first;
    }
    to.raw(if first { b"\"" } else { b",\"" });
    to.raw(name.as_bytes());
    to.raw(b"\":");
    value.write(to);
    false
}

struct Length(usize);

impl Sink for Length {
    fn raw(&mut self, text: &[u8]) {
        self.0 = self.0.saturating_add(text.len());
    }

    fn base64(&mut self, bytes: &[u8]) {
        self.0 = self.0.saturating_add(base64_length(bytes));
    }
}

impl Sink for Vec<u8> {
    fn raw(&mut self, text: &[u8]) {
        self.extend_from_slice(text);
    }

    fn base64(&mut self, bytes: &[u8]) {
        push_base64(self, bytes);
    }
}

impl<T: Encode> Encode for Option<T> {
    fn write<S: Sink>(&self, to: &mut S) {
        match self {
            Some(value) => value.write(to),
            None => to.raw(b"null"),
        }
    }

    fn absent(&self) -> bool {
        self.is_none()
    }
}

impl<T: Encode> Encode for Vec<T> {
    fn write<S: Sink>(&self, to: &mut S) {
        to.raw(b"[");
        for (index, item) in self.iter().enumerate() {
            if index > 0 {
                to.raw(b",");
            }
            item.write(to);
        }
        to.raw(b"]");
    }
}

impl Encode for BTreeMap<String, String> {
    fn write<S: Sink>(&self, to: &mut S) {
        to.raw(b"{");
        for (index, (key, value)) in self.iter().enumerate() {
            if index > 0 {
                to.raw(b",");
            }
            to.text(key);
            to.raw(b":");
            to.text(value);
        }
        to.raw(b"}");
    }
}

impl Encode for String {
    fn write<S: Sink>(&self, to: &mut S) {
        to.text(self);
    }
}

impl Encode for SecretText {
    fn write<S: Sink>(&self, to: &mut S) {
        to.text(self.expose());
    }
}

impl Encode for bool {
    fn write<S: Sink>(&self, to: &mut S) {
        to.raw(if *self { b"true" } else { b"false" });
    }
}

impl Encode for i32 {
    fn write<S: Sink>(&self, to: &mut S) {
        to.raw(self.to_string().as_bytes());
    }
}

impl Encode for Timestamp {
    fn write<S: Sink>(&self, to: &mut S) {
        let (seconds, milliseconds) = (self.0 / 1000, self.0 % 1000);
        let text = if milliseconds == 0 { seconds.to_string() } else { format!("{seconds}.{milliseconds:03}") };
        to.raw(text.as_bytes());
    }
}

impl Encode for Blob {
    fn write<S: Sink>(&self, to: &mut S) {
        write_bytes(&self.0, to);
    }
}

impl Encode for Plaintext {
    fn write<S: Sink>(&self, to: &mut S) {
        write_bytes(self.expose(), to);
    }
}

fn write_bytes<S: Sink>(bytes: &[u8], to: &mut S) {
    to.raw(b"\"");
    to.base64(bytes);
    to.raw(b"\"");
}
