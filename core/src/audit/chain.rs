//! The form of a line, and how it is chained to the one before.
//! A line is a JSON object whose last member is `chain`: writer, sequence, `previous` (SHA-256 of the whole previous
//! line without its line feed), `hash` (SHA-256 of this line up to the end of `previous`). Pure; knows no file.

use aws_lc_rs::digest::{Context, SHA256, digest};
use serde_json::{Map, Value, json};

/// The greatest length of a line in bytes, its line feed included.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// More than the chain member of any line takes.
const CHAIN_BYTES_MAX: usize = 320;
const CHAIN_START: &str = ",\"chain\":{\"writer\":\"";
const SEQUENCE: &str = "\",\"sequence\":";
const PREVIOUS: &str = ",\"previous\":\"";
const HASH: &str = ",\"hash\":\"";
const END: &str = "\"}}";

pub(super) type Hash = [u8; 32];

/// The end of a chain: the last line's place, from 1, and the hash of the whole line. All zero before the first line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) sequence: u64,
    pub(super) hash: Hash,
}

/// Appends the line that follows `last` to `lines`, with its line feed, and answers the chain's new end.
///
/// `record` appends one JSON object.
///
/// # Errors
/// When the record is no JSON object; `lines` is then as it was.
pub(super) fn next_line(
    lines: &mut Vec<u8>,
    writer: &str,
    last: &Link,
    record: impl FnOnce(&mut Vec<u8>),
) -> Result<Link, serde_json::Error> {
    let start = lines.len();
    record(lines);
    bound(lines, start, LINE_BYTES_MAX - CHAIN_BYTES_MAX).inspect_err(|_| lines.truncate(start))?;
    // The chain member goes before the brace that closes the object.
    lines.pop();
    let sequence = last.sequence + 1;
    for part in [CHAIN_START, writer, SEQUENCE, itoa::Buffer::new().format(sequence), PREVIOUS] {
        lines.extend_from_slice(part.as_bytes());
    }
    lines.extend_from_slice(&hex_digits(&last.hash));
    lines.push(b'"');
    let mut context = Context::new(&SHA256);
    context.update(lines.get(start..).unwrap_or_default());
    let covered = lines.len();
    lines.extend_from_slice(HASH.as_bytes());
    lines.extend_from_slice(&hex_digits(&to_hash(context.clone().finish().as_ref())));
    lines.extend_from_slice(END.as_bytes());
    context.update(lines.get(covered..).unwrap_or_default());
    lines.push(b'\n');
    Ok(Link { sequence, hash: to_hash(context.finish().as_ref()) })
}

fn hex_digits(hash: &Hash) -> [u8; 64] {
    let mut digits = [0; 64];
    // INVARIANT: 32 bytes are 64 digits.
    hex::encode_to_slice(hash, &mut digits).unwrap_or_default();
    digits
}

/// What a line says of its place in the chain, once its own hash holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Linked<'a> {
    pub(super) writer: &'a str,
    pub(super) previous: Hash,
    pub(super) link: Link,
}

impl<'a> Linked<'a> {
    /// Reads a line without its line feed; `None` when it is not a line as it was written.
    pub(super) fn parse(line: &'a [u8]) -> Option<Self> {
        let text = std::str::from_utf8(line).ok()?;
        let (covered, hash) = text.strip_suffix(END)?.rsplit_once(HASH)?;
        if hash != hex::encode(sha256(covered.as_bytes())) {
            return None;
        }
        let (_, chain) = covered.rsplit_once(CHAIN_START)?;
        let (writer, rest) = chain.split_once(SEQUENCE)?;
        let (sequence, rest) = rest.split_once(PREVIOUS)?;
        let previous = hex::decode(rest.strip_suffix('"')?).ok()?.try_into().ok()?;
        let link = Link { sequence: sequence.parse().ok()?, hash: sha256(line) };
        Some(Self { writer, previous, link })
    }
}

pub(super) fn sha256(bytes: &[u8]) -> Hash {
    to_hash(digest(&SHA256, bytes).as_ref())
}

fn to_hash(bytes: &[u8]) -> Hash {
    bytes.try_into().unwrap_or_default()
}

/// Makes the object that starts at `start` one of at most `bytes_max`. Where it is longer, its longest members are
/// replaced by a note of their length.
fn bound(lines: &mut Vec<u8>, start: usize, bytes_max: usize) -> Result<(), serde_json::Error> {
    if lines.len() - start <= bytes_max {
        return Ok(());
    }
    let mut members: Map<String, Value> = serde_json::from_slice(lines.get(start..).unwrap_or_default())?;
    while lines.len() - start > bytes_max && shorten(&mut members) {
        lines.truncate(start);
        serde_json::to_writer(&mut *lines, &members)?;
    }
    Ok(())
}

/// Replaces the longest member, or the longest part of our own member; `false` when there is nothing left to replace.
fn shorten(members: &mut Map<String, Value>) -> bool {
    let longest = members.iter_mut().filter(|(_, value)| !is_omission(value)).max_by_key(|(_, value)| length(value));
    match longest {
        Some((name, Value::Object(inner))) if name == "kannuki" && inner.values().any(|value| !is_omission(value)) => {
            shorten(inner)
        }
        Some((_, value)) => {
            *value = json!({ "omittedBytes": length(value) });
            true
        }
        None => false,
    }
}

fn is_omission(value: &Value) -> bool {
    value.as_object().is_some_and(|members| members.len() == 1 && members.contains_key("omittedBytes"))
}

fn length(value: &Value) -> usize {
    serde_json::to_vec(value).map_or(0, |json| json.len())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use proptest::prelude::*;

    use super::*;
    use crate::audit::{Record, Resource};

    fn next(last: &Link, record: &Record<'_>) -> (Vec<u8>, Link) {
        let mut line = b"the line before\n".to_vec();
        let link = next_line(&mut line, "w", last, |to| record.write(to)).unwrap();
        (line.split_off(16), link)
    }

    fn first_line(record: &Record<'_>) -> (Vec<u8>, Link) {
        next(&Link::default(), record)
    }

    #[test]
    fn a_line_says_its_place_and_the_hash_of_the_one_before() {
        let (one, link) = first_line(&Record::new());
        let (two, _) = next(&link, &Record::new());
        let read: Value = serde_json::from_slice(&two).unwrap();
        assert_eq!(read["chain"]["sequence"], 2);
        assert_eq!(read["chain"]["writer"], "w");
        assert_eq!(read["chain"]["previous"], hex::encode(sha256(&one[..one.len() - 1])));
        let linked = Linked::parse(&two[..two.len() - 1]).unwrap();
        assert_eq!((linked.writer, linked.previous, linked.link.sequence), ("w", link.hash, 2));
    }

    #[test]
    fn what_the_record_says_cannot_be_taken_for_the_chain() {
        let mut record = Record::new();
        record.event_name = "\",\"chain\":{\"writer\":\"x\",\"sequence\":9,\"previous\":\"".into();
        let (line, _) = first_line(&record);
        let linked = Linked::parse(&line[..line.len() - 1]).unwrap();
        assert_eq!((linked.writer, linked.link.sequence), ("w", 1));
    }

    #[test]
    fn a_long_line_keeps_its_short_members() {
        let mut record = Record::new();
        record.event_name = "Decrypt".into();
        let parameters = serde_json::value::to_raw_value(&json!({ "x": "y".repeat(100_000) })).unwrap();
        record.request_parameters = Some(&parameters);
        record.error_message = Some("e".repeat(70_000).into());
        record.kannuki.zone = Some("us-east-1a".into());
        record.kannuki.context.push(("k".into(), vec!["v".repeat(80_000).into()]));
        let (line, _) = first_line(&record);
        assert!(line.len() <= LINE_BYTES_MAX);
        let read: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!(read["eventName"], "Decrypt");
        assert_eq!(read["requestParameters"]["omittedBytes"], 100_008);
        assert_eq!(read["errorMessage"]["omittedBytes"], 70_002);
        assert_eq!(read["kannuki"]["zone"], "us-east-1a");
        assert!(read["kannuki"]["context"]["omittedBytes"].is_u64());
    }

    #[test]
    fn however_large_the_members_the_line_is_bounded() {
        let mut record = Record::new();
        let long = "\u{1}".repeat(30_000);
        record.event_name = long.as_str().into();
        record.user_agent = Some(long.as_str().into());
        record.user_identity.arn = Some(long.as_str().into());
        record.resources = (0..500).map(|_| Resource::key("1".repeat(200), "2".repeat(200))).collect();
        record.kannuki.material_ids = vec![long.as_str().into(); 8];
        assert!(first_line(&record).0.len() <= LINE_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn any_changed_byte_breaks_the_line(at in 0_usize..1000, to in any::<u8>(), name in ".{0,20}") {
            let mut record = Record::new();
            record.event_name = name.into();
            let (mut line, _) = first_line(&record);
            line.pop();
            let at = at % line.len();
            prop_assume!(line[at] != to);
            line[at] = to;
            prop_assert!(Linked::parse(&line).is_none());
        }

        #[test]
        fn any_bytes_are_read_or_refused(line in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = Linked::parse(&line);
        }
    }
}
