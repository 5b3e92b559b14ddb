//! What the region was last declared to be, as it is stored beside the rows that came of it, and in how many pieces.
//! Knows the manifest's one spelling and the bound of a row; what a declaration means, `declare` knows.

use std::collections::BTreeSet;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use super::DeclareError;
use crate::key::record::Stored;
use crate::registry::Manifest;
use crate::store::{Batch, Table};
use crate::view::{DECLARED, RegionView};

/// Room is left for the row's own head.
const PIECE_BYTES_MAX: usize = 512 << 10;

/// The last declaration.
#[derive(Clone, Debug, Default)]
pub(super) struct Declared {
    /// As it was declared, with the ids of what was made, and without secrets.
    pub(super) manifest: Manifest,
    /// The ids of the access keys that the service made.
    pub(super) made: BTreeSet<String>,
    /// The mark of the manifest's file when this was declared; `None` when there was none.
    pub(super) file: Option<[u8; 32]>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct DeclaredRecord {
    /// `Manifest::canonical`
    manifest: String,
    made: Vec<String>,
    file: Option<[u8; 32]>,
}

impl Stored for DeclaredRecord {
    const WHAT: &'static str = "declaration";
}

impl Declared {
    /// The declaration of a view; an empty one where nothing was declared yet.
    pub(super) fn of(view: &RegionView) -> Result<Self, DeclareError> {
        let bytes: Vec<u8> = view.declared().flat_map(|(_, row)| row.body.iter().copied()).collect();
        if bytes.is_empty() {
            return Ok(Self::default());
        }
        let unreadable = |why: String| DeclareError::wrong("the declaration that is stored", why);
        let record = DeclaredRecord::decode(&bytes).map_err(|error| unreadable(error.to_string()))?;
        let manifest = serde_json::from_str(&record.manifest).map_err(|error| unreadable(error.to_string()))?;
        Ok(Self { manifest, made: record.made.into_iter().collect(), file: record.file })
    }

    /// Adds what makes this the stored declaration, if it is another one, on condition that nobody else declared
    /// anything since `view`.
    pub(super) fn write(&self, view: &RegionView, mut batch: Batch) -> Batch {
        let record = DeclaredRecord {
            manifest: self.manifest.canonical(),
            made: self.made.iter().cloned().collect(),
            file: self.file,
        };
        let bytes = record.encode();
        let pieces: Vec<_> = bytes.chunks(PIECE_BYTES_MAX).collect();
        let known: Vec<_> = view.declared().collect();
        if known.len() == pieces.len() && known.iter().zip(&pieces).all(|((_, row), piece)| *row.body == **piece) {
            return batch;
        }
        for (number, piece) in pieces.iter().enumerate() {
            batch = match known.get(number) {
                Some((_, row)) => batch.change(Table::Meta, key(number), row.version, piece.to_vec()),
                None => batch.create(Table::Meta, key(number), piece.to_vec()),
            };
        }
        known.iter().skip(pieces.len()).fold(batch, |batch, (key, row)| batch.remove(Table::Meta, key, row.version))
    }

    /// SHA-256 of the declaration in its one spelling.
    pub(super) fn digest(&self) -> [u8; 32] {
        sha256(self.manifest.canonical().as_bytes())
    }
}

/// Pieces come in the order of their keys.
fn key(number: usize) -> String {
    format!("{DECLARED}{number:04}")
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut sum = [0; 32];
    sum.copy_from_slice(digest(&SHA256, bytes).as_ref());
    sum
}
