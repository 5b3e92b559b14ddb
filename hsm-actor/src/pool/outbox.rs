//! What one thread has for the HSMs: the commands of one turn of its event loop go together, in one message.
//! Knows parcels and turns; which slot a parcel goes to is the pool's to say.
//!
//! A message to another thread costs some microseconds of a busy core, several times what a command takes.

use std::{
    future::poll_fn,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::Poll,
    time::Instant,
};

use super::Pool;
use crate::{
    command::{Class, Command},
    errand::{Awaited, Parcel},
    life::Life,
    slot::Incarnation,
};

/// Commands in one parcel at most: the first one's answer waits for the last one's, some microseconds each.
const PARCEL_MAX: usize = 16;

#[derive(Default)]
pub(super) struct Outbox(Mutex<Vec<(Arc<Incarnation>, Parcel)>>);

/// A command that is on its way or in an outbox.
pub(super) struct Sent<C: Command> {
    pub(super) awaited: Awaited<C>,
    pub(super) life: Arc<Life>,
    /// It is the outbox's first: its caller sends the outbox off, when the turn is over.
    pub(super) leads: bool,
}

impl Outbox {
    pub(super) fn of_this_thread() -> Arc<Self> {
        thread_local! {
            static OUTBOX: Arc<Outbox> = Arc::default();
        }
        OUTBOX.with(Arc::clone)
    }

    /// Adds a command to a parcel that is open for it already.
    pub(super) fn join<C: Command>(
        &self,
        pool: &Pool,
        avoid: Option<usize>,
        command: &Arc<C>,
        deadline: Instant,
    ) -> Option<Sent<C>> {
        if command.class() != Class::Quick {
            return None;
        }
        let mut parcels = self.parcels();
        let open = |(to, parcel): &&mut (Arc<Incarnation>, Parcel)| {
            parcel.len() < PARCEL_MAX && Some(to.life.slot) != avoid && pool.is_at_work(to)
        };
        let (to, parcel) = parcels.iter_mut().find(open)?;
        let ticket = to.life.admit(Class::Quick, pool.config.queue_max)?;
        // A slow command may have picked the slot since it was looked at; it will wait for what holds a permit now.
        if to.life.held(Class::Slow) > 0 {
            return None;
        }
        let awaited = parcel.add(Arc::clone(command), deadline, ticket);
        Some(Sent { awaited, life: Arc::clone(&to.life), leads: false })
    }

    /// Adds a parcel with one command.
    pub(super) fn add<C: Command>(&self, to: Arc<Incarnation>, parcel: Parcel, awaited: Awaited<C>) -> Sent<C> {
        let mut parcels = self.parcels();
        let leads = parcels.is_empty();
        let life = Arc::clone(&to.life);
        parcels.push((to, parcel));
        Sent { awaited, life, leads }
    }

    /// Lets all that is ready on this thread have its turn, and then sends off what has come together; at the latest
    /// when this future is dropped.
    pub(super) async fn send_after_turn(&self) {
        struct Send<'a>(&'a Outbox);
        impl Drop for Send<'_> {
            fn drop(&mut self) {
                let parcels = std::mem::take(&mut *self.0.parcels());
                parcels.into_iter().for_each(|(to, parcel)| to.send(parcel));
            }
        }
        let _send = Send(self);
        let mut has_yielded = false;
        poll_fn(|cx| {
            if std::mem::replace(&mut has_yielded, true) {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }

    fn parcels(&self) -> MutexGuard<'_, Vec<(Arc<Incarnation>, Parcel)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
