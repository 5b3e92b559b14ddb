//! What the log records about itself: a line that a crash tore, files that were dropped.
//! Lines like any other, told apart by their event type.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;

pub(super) const NOTE_EVENT_TYPE: &str = "KannukiAuditNote";

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub(super) enum Note {
    /// A crash left part of a line at the end of this file; it was cut off.
    TornLine { file: String, bytes: u64 },
    /// The oldest files were removed to stay within the bound. Every note lists where all the shortened chains start,
    /// so that the newest one explains them even when the earlier ones have gone.
    Dropped { files: Vec<Dropped>, starts: Vec<Start> },
}

/// A file that was removed, and which of its writer's lines went with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Dropped {
    pub(super) file: String,
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) count: u64,
}

/// Where a chain starts now that its beginning was dropped: its first line, and the hash of the line before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) writer: String,
    pub(super) sequence: u64,
    pub(super) previous: String,
}

/// The line that a note is written as, and what `verify` reads of any line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NoteRecord {
    event_version: String,
    event_time: String,
    event_type: String,
    #[serde(rename = "eventID")]
    event_id: String,
    kannuki: NoteMember,
}

#[derive(Debug, Serialize, Deserialize)]
struct NoteMember {
    note: Note,
}

impl NoteRecord {
    pub(super) fn new(note: Note, now: Timestamp) -> Self {
        Self {
            event_version: "1.11".to_owned(),
            event_time: now.iso(),
            event_type: NOTE_EVENT_TYPE.to_owned(),
            event_id: uuid::Uuid::new_v4().to_string(),
            kannuki: NoteMember { note },
        }
    }

    pub(super) fn into_note(self) -> Note {
        self.kannuki.note
    }
}
