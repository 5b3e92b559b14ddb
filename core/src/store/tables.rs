//! The embedded store's file format: redb tables, a row's value, and the messages that tags cover.
//! Pure encoding; knows neither transactions nor how a tag is made.

use redb::TableDefinition;

use super::{Revision, RowKey, StoreError, Table};

/// Row key to row value, one redb table per `Table`.
pub(super) type RowTable = TableDefinition<'static, &'static str, &'static [u8]>;

/// The one root record, under the key `ROOT_KEY`.
pub(super) const ROOT: RowTable = TableDefinition::new("root");
pub(super) const ROOT_KEY: &str = "root";

const META: RowTable = TableDefinition::new("meta");
const KEY: RowTable = TableDefinition::new("key");
const MATERIAL: RowTable = TableDefinition::new("material");
const GRANT: RowTable = TableDefinition::new("grant");
const ALIAS: RowTable = TableDefinition::new("alias");
const IDENTITY: RowTable = TableDefinition::new("identity");
const ENDPOINT: RowTable = TableDefinition::new("endpoint");
const REQUEST: RowTable = TableDefinition::new("request");

/// The format of rows and root; another one is refused.
const FORMAT: u8 = 1;
const HEADER_BYTES: usize = 1 + 8 + 8 + 32;

/// The redb table that holds a table's rows.
pub(super) fn definition(table: Table) -> RowTable {
    match table {
        Table::Meta => META,
        Table::Key => KEY,
        Table::Material => MATERIAL,
        Table::Grant => GRANT,
        Table::Alias => ALIAS,
        Table::Identity => IDENTITY,
        Table::Endpoint => ENDPOINT,
        Table::Request => REQUEST,
    }
}

/// A 256-bit keyed tag.
pub(super) type Tag = [u8; 32];

/// A row's value as stored: `format | version | epoch | tag | body`, numbers big-endian.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SealedRow<'a> {
    pub(super) version: Revision,
    pub(super) epoch: u64,
    pub(super) tag: Tag,
    pub(super) body: &'a [u8],
}

impl<'a> SealedRow<'a> {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.body.len());
        bytes.push(FORMAT);
        bytes.extend_from_slice(&self.version.0.to_be_bytes());
        bytes.extend_from_slice(&self.epoch.to_be_bytes());
        bytes.extend_from_slice(&self.tag);
        bytes.extend_from_slice(self.body);
        bytes
    }

    /// `None` when the bytes are not a row's value.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let ([FORMAT], rest) = bytes.split_first_chunk::<1>()? else { return None };
        let (version, rest) = rest.split_first_chunk()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let (tag, body) = rest.split_first_chunk()?;
        Some(Self {
            version: Revision(u64::from_be_bytes(*version)),
            epoch: u64::from_be_bytes(*epoch),
            tag: *tag,
            body,
        })
    }
}

/// What a row's tag covers. Every field has its length in front, so that no two rows share a message.
pub(super) fn row_message(region: &str, key: &RowKey, version: Revision, epoch: u64, body: &[u8]) -> Vec<u8> {
    let mut message = Vec::with_capacity(64 + region.len() + key.key.len() + body.len());
    for field in [
        key.table.name().as_bytes(),
        key.key.as_bytes(),
        region.as_bytes(),
        &epoch.to_be_bytes(),
        &version.0.to_be_bytes(),
        body,
    ] {
        append(&mut message, field);
    }
    message
}

/// The root record: where the store is, and the tag over that and over the set of all rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Root {
    pub(super) generation: u64,
    pub(super) revision: Revision,
    pub(super) epoch: u64,
    pub(super) rows: u64,
    pub(super) tag: Tag,
    pub(super) region: String,
}

impl Root {
    /// `format | generation | revision | epoch | rows | tag | region`, numbers big-endian.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        for number in [self.generation, self.revision.0, self.epoch, self.rows] {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&self.tag);
        bytes.extend_from_slice(self.region.as_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self, StoreError> {
        Self::parse(bytes).ok_or_else(|| StoreError::Tampered("the root cannot be read".to_owned()))
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let ([FORMAT], rest) = bytes.split_first_chunk::<1>()? else { return None };
        let (generation, rest) = rest.split_first_chunk()?;
        let (revision, rest) = rest.split_first_chunk()?;
        let (epoch, rest) = rest.split_first_chunk()?;
        let (rows, rest) = rest.split_first_chunk()?;
        let (tag, region) = rest.split_first_chunk()?;
        Some(Self {
            generation: u64::from_be_bytes(*generation),
            revision: Revision(u64::from_be_bytes(*revision)),
            epoch: u64::from_be_bytes(*epoch),
            rows: u64::from_be_bytes(*rows),
            tag: *tag,
            region: String::from_utf8(region.to_vec()).ok()?,
        })
    }

    /// What the root's tag covers: its own numbers and the set-hash, which is stored nowhere.
    pub(super) fn message(&self, set: &[u8; 32]) -> Vec<u8> {
        let mut message = Vec::with_capacity(128);
        append(&mut message, self.region.as_bytes());
        for number in [self.epoch, self.generation, self.revision.0, self.rows] {
            append(&mut message, &number.to_be_bytes());
        }
        append(&mut message, set);
        message
    }
}

fn append(message: &mut Vec<u8>, field: &[u8]) {
    message.extend_from_slice(&(field.len() as u64).to_be_bytes());
    message.extend_from_slice(field);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use proptest::prelude::*;

    use super::*;

    fn row_key() -> impl Strategy<Value = RowKey> {
        (0..Table::ALL.len(), "[ab/]{0,3}").prop_map(|(table, key)| RowKey::new(Table::ALL[table], key))
    }

    proptest! {
        #[test]
        fn a_row_reads_back(version: u64, epoch: u64, tag: [u8; 32], body: Vec<u8>) {
            let row = SealedRow { version: Revision(version), epoch, tag, body: &body };
            let bytes = row.encode();
            prop_assert_eq!(SealedRow::decode(&bytes), Some(row));
        }

        #[test]
        fn any_bytes_are_the_one_spelling_of_a_row_or_none(mut bytes: Vec<u8>, format in 0_u8..3) {
            bytes.insert(0, format);
            if let Some(row) = SealedRow::decode(&bytes) {
                prop_assert_eq!(row.encode(), bytes);
            }
        }

        #[test]
        fn any_bytes_are_the_one_spelling_of_a_root_or_none(mut bytes in proptest::collection::vec(any::<u8>(), 0..90)) {
            bytes.insert(0, FORMAT);
            if let Ok(root) = Root::decode(&bytes) {
                prop_assert_eq!(root.encode(), bytes);
            }
        }

        #[test]
        fn different_rows_have_different_messages(
            (left, right) in (row_key(), row_key()),
            (one, other) in ("[ab]{0,2}", "[ab]{0,2}"),
            bodies in (proptest::collection::vec(0_u8..2, 0..3), proptest::collection::vec(0_u8..2, 0..3)),
            numbers in (0_u64..2, 0_u64..2, 0_u64..2, 0_u64..2),
        ) {
            let a = row_message(&one, &left, Revision(numbers.0), numbers.1, &bodies.0);
            let b = row_message(&other, &right, Revision(numbers.2), numbers.3, &bodies.1);
            let same_row = (&one, &left, numbers.0, numbers.1, &bodies.0) == (&other, &right, numbers.2, numbers.3, &bodies.1);
            prop_assert_eq!(a == b, same_row);
        }
    }
}
