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

    /// Takes two records, one after the other in the chain.
    ///
    /// # Errors
    /// As `hand_in`.
    pub(crate) fn hand_in_both(&self, first: &Record<'_>, second: &Record<'_>) -> Result<HandedIn, AuditError> {
        let mut writer = lock(&self.0);
        writer.stage(first)?;
        let position = writer.stage(second)?;
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

    use std::path::Path;

    use crate::audit::{AuditConfig, AuditLog};
    use crate::clock::FakeClock;

    use super::*;

    fn log(folder: &Path) -> AuditLog {
        AuditLog::open(folder, AuditConfig::default(), Arc::new(FakeClock::default())).unwrap()
    }

    fn desk(log: &AuditLog) -> Desk {
        let desk = Desk::new(log.writer("w").unwrap());
        // The first record of all makes the file.
        drop(desk.hand_in(&Record::new()).unwrap());
        desk
    }

    fn lines(folder: &Path) -> usize {
        let path = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let file = path.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")).last().unwrap();
        std::fs::read_to_string(file).unwrap().lines().count()
    }

    #[test]
    fn records_of_one_turn_are_written_together_and_none_is_answered_before() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(&log(folder.path()));
        let handed_in: Vec<_> = (0..3).map(|_| desk.hand_in(&Record::new()).unwrap()).collect();
        assert_eq!(lines(folder.path()), 1);
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            for (index, one) in handed_in.into_iter().enumerate() {
                assert_eq!(one.written().await.unwrap().sequence(), index as u64 + 2);
                assert_eq!(lines(folder.path()), 4, "the first to be answered wrote all");
            }
        });
    }

    #[test]
    fn a_record_that_nobody_waits_for_is_written_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let desk = desk(&log(folder.path()));
        let (first, second) = (desk.hand_in(&Record::new()).unwrap(), desk.hand_in(&Record::new()).unwrap());
        drop(first);
        assert_eq!(lines(folder.path()), 3);
        drop(second);
        assert_eq!(lines(folder.path()), 3);
    }

    #[test]
    fn when_the_write_fails_none_of_the_turns_records_counts_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let log = log(folder.path());
        let desk = desk(&log);
        let handed_in: Vec<_> = (0..3).map(|_| desk.hand_in(&Record::new()).unwrap()).collect();
        log.0.syncer.fail();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for one in handed_in {
            assert_eq!(runtime.block_on(one.written()), Err(AuditError::OutOfOrder));
        }
        assert_eq!(lines(folder.path()), 1);
    }
}
