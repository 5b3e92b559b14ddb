//! Where one worker hands in its records: what is closed in one turn of its event loop is written in one go.
//! Knows turns; what a record says and how it is chained is not its own.

use std::future::poll_fn;
use std::sync::{Arc, Mutex};
use std::task::Poll;

use super::{AuditError, AuditWriter, Position, Record, lock};

/// One writer of the log, for the tasks of one thread.
#[derive(Clone, Debug)]
pub struct Desk(Arc<Mutex<AuditWriter>>);

impl Desk {
    pub fn new(writer: AuditWriter) -> Self {
        Self(Arc::new(Mutex::new(writer)))
    }

    /// Takes a record, to be written at the end of this turn.
    ///
    /// # Errors
    /// `OutOfOrder` when it could not be written: the host must leave service.
    pub(crate) fn hand_in(&self, record: &Record<'_>) -> Result<HandedIn, AuditError> {
        let position = lock(&self.0).stage(record)?;
        Ok(HandedIn { desk: self.clone(), position })
    }
}

/// A record that is on its way to the kernel. Dropping it writes it at once, with all that was handed in before.
#[derive(Debug)]
#[must_use = "an answer may leave once its record is written"]
pub struct HandedIn {
    desk: Desk,
    position: Position,
}

impl HandedIn {
    /// Lets all that is ready on this thread have its turn, so that its records go along, and answers where this one is.
    /// It then survives the end of this process; after `AuditLog::synced`, that of the machine.
    ///
    /// # Errors
    /// `OutOfOrder` when it could not be written, and from then on always: the host must leave service.
    pub async fn written(self) -> Result<Position, AuditError> {
        let mut has_yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut has_yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        lock(&self.desk.0).write_to(self.position)?;
        Ok(self.position)
    }
}

impl Drop for HandedIn {
    fn drop(&mut self) {
        // A failure has taken the log out of order, which whoever answers next is told.
        let _ = lock(&self.desk.0).write_to(self.position);
    }
}
