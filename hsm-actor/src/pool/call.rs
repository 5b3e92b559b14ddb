//! One call to the pool: sent, waited for, judged, and sent once more when its slot died.
//! Shared by the callers that await and those that block; knows neither from the other.

use std::{
    sync::{
        Arc,
        mpsc::{Receiver, RecvTimeoutError},
    },
    time::{Duration, Instant},
};

use tokio::sync::oneshot;

use super::{NoSlot, Pool};
use crate::{
    actor::{Answer, Sink},
    command::Command,
    error::HsmError,
    life::Life,
};

/// How often one who waits for a slot to come back looks again.
pub(super) const RECOVERY_POLL: Duration = Duration::from_millis(2);
/// How long one waits for a slot to come back: well within the time that an SDK takes for its attempts.
const RECOVERY_MAX: Duration = Duration::from_millis(100);
/// How often one who waits for an answer looks whether the HSM is still there.
const PATROL: Duration = Duration::from_millis(20);
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
}

pub(super) enum Dispatch {
    Sent(Arc<Life>),
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
        Self { pool, command: Arc::new(command), deadline, kills: 0, losses: 0, avoid: None, patience: None }
    }

    /// Sends the command to a slot.
    pub(super) fn dispatch(&mut self, mut sink: Sink<C::Reply>) -> Dispatch {
        // A slot may end between being picked and being sent to; then the next round picks another.
        for _ in 0..=self.pool.slots.len() {
            if Instant::now() >= self.deadline {
                return Dispatch::Refused(HsmError::Expired);
            }
            let (incarnation, ticket) = match self.pool.pick(C::CLASS, self.avoid) {
                Ok(picked) => picked,
                Err(NoSlot::Full) => return Dispatch::Refused(HsmError::Busy),
                Err(NoSlot::Failed) => return Dispatch::Refused(HsmError::Unavailable),
                Err(NoSlot::Restarting) => return self.wait_or_give_up(),
            };
            match incarnation.send(Arc::clone(&self.command), self.deadline, sink, ticket) {
                Ok(()) => return Dispatch::Sent(Arc::clone(&incarnation.life)),
                Err(returned) => {
                    incarnation.life.end();
                    sink = returned;
                }
            }
        }
        self.wait_or_give_up()
    }

    /// Waits in a task.
    pub(super) async fn answer(
        &mut self,
        mut receiver: oneshot::Receiver<Answer<C::Reply>>,
        life: &Life,
    ) -> Outcome<C::Reply> {
        loop {
            match tokio::time::timeout_at(self.next_look().into(), &mut receiver).await {
                Ok(Ok(answer)) => return self.answered(answer, life),
                Ok(Err(_)) => return self.lost(life),
                Err(_) => {
                    if let Some(outcome) = self.look(life) {
                        return outcome;
                    }
                }
            }
        }
    }

    /// Waits in a thread.
    pub(super) fn answer_blocking(&mut self, receiver: &Receiver<Answer<C::Reply>>, life: &Life) -> Outcome<C::Reply> {
        loop {
            let pause = self.next_look().saturating_duration_since(Instant::now());
            match receiver.recv_timeout(pause) {
                Ok(answer) => return self.answered(answer, life),
                Err(RecvTimeoutError::Disconnected) => return self.lost(life),
                Err(RecvTimeoutError::Timeout) => {
                    if let Some(outcome) = self.look(life) {
                        return outcome;
                    }
                }
            }
        }
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

    fn wait_or_give_up(&mut self) -> Dispatch {
        let now = Instant::now();
        let patience = *self.patience.get_or_insert(now + RECOVERY_MAX);
        if now < patience { Dispatch::Later } else { Dispatch::Refused(HsmError::Unavailable) }
    }

    fn next_look(&self) -> Instant {
        self.deadline.min(Instant::now() + PATROL)
    }

    fn answered(&mut self, answer: Answer<C::Reply>, life: &Life) -> Outcome<C::Reply> {
        match answer {
            Answer::Done(result) => Outcome::Done(result),
            Answer::Killed => {
                self.avoid(life);
                Outcome::Killed
            }
        }
    }

    fn lost(&mut self, life: &Life) -> Outcome<C::Reply> {
        self.avoid(life);
        Outcome::Lost
    }

    /// Looks up from waiting: at the HSM, then at the clock.
    fn look(&mut self, life: &Life) -> Option<Outcome<C::Reply>> {
        if life.is_over() {
            self.avoid(life);
            let killed = life.is_running(Arc::as_ptr(&self.command).addr());
            return Some(if killed { Outcome::Killed } else { Outcome::Lost });
        }
        (Instant::now() >= self.deadline).then_some(Outcome::Done(Err(HsmError::Expired)))
    }

    /// The retry goes to another slot, where there is another.
    fn avoid(&mut self, life: &Life) {
        self.avoid = (self.pool.slots.len() > 1).then_some(life.slot);
    }
}
