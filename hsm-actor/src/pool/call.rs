//! One call to the pool: sent, waited for, judged, and sent once more when its slot died.
//! Shared by the callers that await and those that block; knows neither from the other.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    NoSlot, Pool,
    outbox::{Outbox, Sent},
};
use crate::{
    command::{Class, Command},
    errand::{Answer, Parcel},
    error::HsmError,
    life::{Life, Ticket},
    slot::Incarnation,
};

/// How often one who waits for a slot to come back looks again.
pub(super) const RECOVERY_POLL: Duration = Duration::from_millis(2);
/// How long one waits for a slot to come back: well within the time that an SDK takes for its attempts.
const RECOVERY_MAX: Duration = Duration::from_millis(100);
/// A command that ended this many slots is not tried again.
const KILLS_MAX: u32 = 2;
/// A command that never had its turn on this many slots is given up. More than [`KILLS_MAX`], because a command
/// that kills takes its second slot along with those that it waited with on the first.
const LOSSES_MAX: u32 = 4;

pub(super) struct Call<'p, C: Command> {
    pool: &'p Pool,
    command: Arc<C>,
    deadline: Instant,
    /// How many slots this command itself has ended.
    kills: u32,
    /// How many slots ended before its turn came.
    losses: u32,
    /// The slot of the failed attempt.
    avoid: Option<usize>,
    /// Until when to wait for a slot to come back, once that was needed.
    patience: Option<Instant>,
    /// The slot that a slow command has picked, while what is quick there comes to its end.
    reserved: Option<(Arc<Incarnation>, Ticket)>,
}

pub(super) enum Dispatch<C: Command> {
    Sent(Sent<C>),
    /// No slot now; ask again in a moment.
    Later,
    Refused(HsmError),
}

/// How waiting ended.
pub(super) enum Outcome<R> {
    Done(Result<R, HsmError>),
    /// The command ended its HSM, by a panic or by silence.
    Killed,
    /// The HSM ended before the command's turn came.
    Lost,
}

impl<'p, C: Command> Call<'p, C> {
    pub(super) fn new(pool: &'p Pool, command: C, deadline: Instant) -> Self {
        Self {
            pool,
            command: Arc::new(command),
            deadline,
            kills: 0,
            losses: 0,
            avoid: None,
            patience: None,
            reserved: None,
        }
    }

    /// Sends the command to a slot; a quick one by way of the outbox, where there is one.
    pub(super) fn dispatch(&mut self, outbox: Option<&Outbox>) -> Dispatch<C> {
        if Instant::now() >= self.deadline {
            return Dispatch::Refused(HsmError::Expired);
        }
        if self.command.class() == Class::Slow {
            return self.dispatch_slow();
        }
        let joined = outbox.and_then(|outbox| outbox.join(self.pool, self.avoid, &self.command, self.deadline));
        if let Some(sent) = joined {
            return Dispatch::Sent(sent);
        }
        let (incarnation, ticket) = match self.pool.pick(Class::Quick, self.avoid) {
            Ok(picked) => picked,
            Err(why) => return self.without_slot(why),
        };
        let mut parcel = Parcel::default();
        let awaited = parcel.add(Arc::clone(&self.command), self.deadline, ticket);
        Dispatch::Sent(match outbox {
            Some(outbox) => outbox.add(incarnation, parcel, awaited),
            None => {
                incarnation.send(parcel);
                Sent { awaited, life: Arc::clone(&incarnation.life), leads: false }
            }
        })
    }

    /// INVARIANT: a slow command is sent to a slot only while nothing quick is on its way there, and nothing quick is
    /// sent to a slot that a slow command has picked, as long as there is another. So nothing quick waits for an RSA key.
    fn dispatch_slow(&mut self) -> Dispatch<C> {
        let reserved = self.reserved.take().filter(|(incarnation, _)| !incarnation.life.is_over());
        let (incarnation, ticket) = match reserved.map_or_else(|| self.pool.pick(Class::Slow, self.avoid), Ok) {
            Ok(picked) => picked,
            Err(why) => return self.without_slot(why),
        };
        if self.pool.slots.len() > 1 && incarnation.life.held(Class::Quick) > 0 {
            self.reserved = Some((incarnation, ticket));
            return Dispatch::Later;
        }
        let awaited = incarnation.send_alone(Arc::clone(&self.command), self.deadline, ticket);
        Dispatch::Sent(Sent { awaited, life: Arc::clone(&incarnation.life), leads: false })
    }

    fn without_slot(&mut self, why: NoSlot) -> Dispatch<C> {
        match why {
            NoSlot::Full => Dispatch::Refused(HsmError::Busy),
            NoSlot::Failed => Dispatch::Refused(HsmError::Unavailable),
            NoSlot::Restarting => self.wait_or_give_up(),
        }
    }

    /// Waits in a task.
    pub(super) async fn answer(&mut self, sent: Sent<C>) -> Outcome<C::Reply> {
        let Sent { mut awaited, life, .. } = sent;
        let answer = tokio::time::timeout_at(self.deadline.into(), &mut awaited).await;
        self.outcome(answer.ok(), &life)
    }

    /// Waits in a thread.
    pub(super) fn answer_blocking(&mut self, sent: Sent<C>) -> Outcome<C::Reply> {
        let Sent { mut awaited, life, .. } = sent;
        let answer = awaited.wait(self.deadline);
        self.outcome(answer, &life)
    }

    /// The final result, or `None` when the command is to be dispatched again.
    pub(super) fn judge(&mut self, outcome: Outcome<C::Reply>) -> Option<Result<C::Reply, HsmError>> {
        match outcome {
            Outcome::Done(result) => return Some(result),
            Outcome::Killed => self.kills += 1,
            Outcome::Lost => self.losses += 1,
        }
        if self.kills >= KILLS_MAX {
            Some(Err(HsmError::Fault))
        } else if self.losses >= LOSSES_MAX {
            Some(Err(HsmError::Unavailable))
        } else {
            None
        }
    }

    fn wait_or_give_up(&mut self) -> Dispatch<C> {
        let now = Instant::now();
        let patience = *self.patience.get_or_insert(now + RECOVERY_MAX);
        if now < patience { Dispatch::Later } else { Dispatch::Refused(HsmError::Unavailable) }
    }

    /// `None` is a deadline that passed, `Some(None)` a bell that rang without an answer.
    fn outcome(&mut self, answer: Option<Option<Answer<C::Reply>>>, life: &Life) -> Outcome<C::Reply> {
        let outcome = match answer {
            None => return Outcome::Done(Err(HsmError::Expired)),
            Some(Some(Answer::Done(result))) => return Outcome::Done(result),
            Some(Some(Answer::Killed)) => Outcome::Killed,
            // An HSM that was taken for dead never said which command was the end of it.
            Some(None) if life.is_running(Arc::as_ptr(&self.command).addr()) => Outcome::Killed,
            Some(None) => Outcome::Lost,
        };
        // The retry goes to another slot, where there is another.
        self.avoid = (self.pool.slots.len() > 1).then_some(life.slot);
        outcome
    }
}
