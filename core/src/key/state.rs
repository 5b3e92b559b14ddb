//! The states of a key, how they change, and which operations each of them refuses.
//! The only place that assigns a key state. Source: "Key states of AWS KMS keys", developer guide.

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::error::KmsError;

/// Where a key is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyState {
    Enabled,
    Disabled,
    /// Waits for imported material.
    PendingImport,
    /// Destroyed when `due` comes, unless deletion is cancelled before.
    PendingDeletion {
        due: Timestamp,
    },
}

impl KeyState {
    /// The state of a key that was just created with its material.
    pub fn new() -> Self {
        Self::Enabled
    }

    /// The name in KeyMetadata.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enabled => "Enabled",
            Self::Disabled => "Disabled",
            Self::PendingImport => "PendingImport",
            Self::PendingDeletion { .. } => "PendingDeletion",
        }
    }

    pub fn is_enabled(self) -> bool {
        self == Self::Enabled
    }

    /// When the key is to be destroyed, if it is.
    pub fn deletion_due(self) -> Option<Timestamp> {
        match self {
            Self::PendingDeletion { due } => Some(due),
            _ => None,
        }
    }

    /// EnableKey. A key that is enabled stays so.
    pub fn enable(self) -> Self {
        match self {
            Self::Enabled | Self::Disabled => Self::Enabled,
            other => other,
        }
    }

    /// DisableKey. A key that is disabled stays so.
    pub fn disable(self) -> Self {
        match self {
            Self::Enabled | Self::Disabled => Self::Disabled,
            other => other,
        }
    }

    /// ScheduleKeyDeletion.
    pub fn schedule_deletion(self, due: Timestamp) -> Self {
        match self {
            Self::PendingDeletion { .. } => self,
            _ => Self::PendingDeletion { due },
        }
    }

    /// CancelKeyDeletion leaves a key disabled, whatever it was before.
    pub fn cancel_deletion(self) -> Self {
        match self {
            Self::PendingDeletion { .. } => Self::Disabled,
            other => other,
        }
    }
}

impl Default for KeyState {
    fn default() -> Self {
        Self::new()
    }
}

/// A named set of states in which an operation may run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum States {
    /// The operation has no key, or its key's state does not matter.
    Any,
    /// The key must be able to do cryptography.
    Usable,
    /// As `Usable`, for what shows the key and is no use of it.
    Presentable,
    /// Only a key that waits for its deletion, or for its material, is refused.
    NotPending,
    /// Only a key that waits for its deletion is refused.
    NotDeleting,
    /// Only a key that waits for its deletion will do.
    Deleting,
}

impl States {
    /// Refuses a key in the wrong state with the error of the developer guide's table.
    pub fn require(self, state: KeyState, arn: &str) -> Result<(), KmsError> {
        let wrong = |is| Err(KmsError::InvalidState { arn: arn.to_owned(), is });
        match (self, state) {
            (Self::Any, _) | (_, KeyState::Enabled) if self != Self::Deleting => Ok(()),
            (Self::Deleting, KeyState::PendingDeletion { .. }) => Ok(()),
            (Self::Deleting, _) => wrong("not pending deletion"),
            (_, KeyState::PendingDeletion { .. }) => wrong("pending deletion"),
            (Self::Usable | Self::Presentable, KeyState::Disabled) => Err(KmsError::Disabled { arn: arn.to_owned() }),
            (Self::Usable | Self::Presentable | Self::NotPending, KeyState::PendingImport) => wrong("pending import"),
            (_, _) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DUE: Timestamp = Timestamp(1);

    #[test]
    fn cancelled_deletion_leaves_the_key_disabled() {
        let state = KeyState::new().schedule_deletion(DUE);
        assert_eq!(state.deletion_due(), Some(DUE));
        assert_eq!(state.cancel_deletion(), KeyState::Disabled);
        assert_eq!(KeyState::Disabled.cancel_deletion(), KeyState::Disabled);
    }

    #[test]
    fn a_key_pending_deletion_is_neither_enabled_nor_disabled_by_request() {
        let state = KeyState::new().schedule_deletion(DUE);
        assert_eq!(state.enable(), state);
        assert_eq!(state.disable(), state);
        assert_eq!(state.schedule_deletion(Timestamp(2)), state);
    }

    #[test]
    fn each_set_refuses_what_the_table_refuses() {
        let deleting = KeyState::PendingDeletion { due: DUE };
        let wrong = |is| Err(KmsError::InvalidState { arn: "a".to_owned(), is });
        assert_eq!(States::Any.require(deleting, "a"), Ok(()));
        for states in [States::Usable, States::Presentable] {
            assert_eq!(states.require(KeyState::Enabled, "a"), Ok(()));
            assert_eq!(states.require(KeyState::Disabled, "a"), Err(KmsError::Disabled { arn: "a".to_owned() }));
            assert_eq!(states.require(KeyState::PendingImport, "a"), wrong("pending import"));
            assert_eq!(states.require(deleting, "a"), wrong("pending deletion"));
        }
        assert_eq!(States::NotPending.require(KeyState::Disabled, "a"), Ok(()));
        assert_eq!(States::NotPending.require(KeyState::PendingImport, "a"), wrong("pending import"));
        assert_eq!(States::NotDeleting.require(KeyState::PendingImport, "a"), Ok(()));
        assert_eq!(States::NotDeleting.require(deleting, "a"), wrong("pending deletion"));
        assert_eq!(States::Deleting.require(KeyState::Enabled, "a"), wrong("not pending deletion"));
        assert_eq!(States::Deleting.require(KeyState::Disabled, "a"), wrong("not pending deletion"));
        assert_eq!(States::Deleting.require(deleting, "a"), Ok(()));
    }
}
