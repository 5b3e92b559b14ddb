//! Who goes next at a key that several requests want to change at once.
//! Requests judge and commit without waiting for each other; only after a conflict do they queue. Knows no request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Instant;

use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::error::KmsError;
use crate::id::KeyId;

/// The queues of one key manager, which owns the writes to its keys.
#[derive(Debug, Default)]
pub(crate) struct Turns(RefCell<HashMap<KeyId, Weak<Queue>>>);

/// In the order in which they came.
#[derive(Debug, Default)]
struct Queue(Arc<Mutex<()>>);

/// One request's turn at a key, until it is dropped.
#[derive(Debug)]
pub(crate) struct Turn {
    _guard: OwnedMutexGuard<()>,
    _queue: Rc<Queue>,
}

impl Turns {
    /// Waits for the turn at a key that others queue at; `None` where nobody does.
    pub(crate) async fn wait_if_contended(&self, key: KeyId, deadline: Instant) -> Result<Option<Turn>, KmsError> {
        let queue = self.0.borrow().get(&key).and_then(Weak::upgrade);
        match queue {
            Some(queue) => queue.wait(deadline).await.map(Some),
            None => Ok(None),
        }
    }

    /// Waits for the turn at a key, which makes it contended for those who come after.
    pub(crate) async fn wait(&self, key: KeyId, deadline: Instant) -> Result<Turn, KmsError> {
        let present = self.0.borrow().get(&key).and_then(Weak::upgrade);
        let queue = present.unwrap_or_else(|| {
            let queue = Rc::new(Queue::default());
            let mut queues = self.0.borrow_mut();
            queues.retain(|_, queue| queue.strong_count() > 0);
            queues.insert(key, Rc::downgrade(&queue));
            queue
        });
        queue.wait(deadline).await
    }
}

impl Queue {
    async fn wait(self: Rc<Self>, deadline: Instant) -> Result<Turn, KmsError> {
        let turn = tokio::time::timeout_at(deadline.into(), self.0.clone().lock_owned()).await;
        let guard = turn.map_err(|_| KmsError::TimedOut)?;
        Ok(Turn { _guard: guard, _queue: self })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use std::time::Duration;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_millis(20)
    }

    #[test]
    fn a_key_is_contended_while_somebody_has_or_awaits_its_turn() {
        actix_rt::System::new().block_on(async {
            let (turns, key, other) = (Turns::default(), KeyId::random(), KeyId::random());
            assert!(turns.wait_if_contended(key, soon()).await.unwrap().is_none());
            let turn = turns.wait(key, soon()).await.unwrap();
            assert_eq!(turns.wait_if_contended(key, soon()).await.unwrap_err(), KmsError::TimedOut);
            assert_eq!(turns.wait(key, soon()).await.unwrap_err(), KmsError::TimedOut);
            assert!(turns.wait_if_contended(other, soon()).await.unwrap().is_none());
            drop(turn);
            assert!(turns.wait_if_contended(key, soon()).await.unwrap().is_none());
            let _turn = turns.wait(other, soon()).await.unwrap();
            assert_eq!(turns.0.borrow().len(), 1, "a queue that nobody stands in is forgotten");
        });
    }
}
