//! The HSM actor: runs one command at a time, survives none that panics.
//! Knows commands and its own life; who is asked, and how often, is the pool's.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, mpsc},
    time::Instant,
};

use actix::{Actor, ActorContext, Context, Handler, Message};
use arc_swap::ArcSwap;
use tokio::sync::oneshot;

use crate::{
    command::Command,
    error::HsmError,
    life::{Life, Ticket},
    vault::Vault,
};

/// One incarnation of one slot. Lives alone in its thread.
pub(crate) struct Hsm {
    pub(crate) vault: Arc<ArcSwap<Vault>>,
    pub(crate) life: Arc<Life>,
    /// Wakes the supervisor.
    pub(crate) alarm: mpsc::Sender<()>,
    pub(crate) mailbox_max: usize,
}

/// A command on its way to an HSM.
pub(crate) struct Run<C: Command> {
    pub(crate) command: Arc<C>,
    pub(crate) deadline: Instant,
    pub(crate) sink: Sink<C::Reply>,
    pub(crate) ticket: Ticket,
}

impl<C: Command> Message for Run<C> {
    type Result = ();
}

/// What comes back. When nothing does, because the sink was dropped, the command was lost before it ran.
pub(crate) enum Answer<R> {
    Done(Result<R, HsmError>),
    /// The command panicked and its HSM is over.
    Killed,
}

/// Where the answer goes: to a task or to a plain thread.
pub(crate) enum Sink<R> {
    Task(oneshot::Sender<Answer<R>>),
    Thread(mpsc::SyncSender<Answer<R>>),
}

impl<R> Sink<R> {
    /// Whether nobody waits any more.
    fn is_abandoned(&self) -> bool {
        match self {
            Self::Task(sender) => sender.is_closed(),
            Self::Thread(_) => false,
        }
    }

    /// An answer that nobody waits for is dropped, and with it what it holds is wiped.
    fn answer(self, answer: Answer<R>) {
        match self {
            Self::Task(sender) => drop(sender.send(answer)),
            Self::Thread(sender) => drop(sender.try_send(answer)),
        }
    }
}

impl Hsm {
    /// Ends actor and thread. What still waits in the mailbox is dropped, and so told to look elsewhere.
    fn end(&self, ctx: &mut Context<Self>) {
        self.life.end();
        ctx.terminate();
    }
}

impl Actor for Hsm {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(self.mailbox_max);
    }

    /// The thread runs nothing but this actor, so it ends with it.
    fn stopped(&mut self, _ctx: &mut Self::Context) {
        if let Some(system) = actix::System::try_current() {
            system.stop();
        }
        let _ = self.alarm.send(());
    }
}

impl<C: Command> Handler<Run<C>> for Hsm {
    type Result = ();

    fn handle(&mut self, run: Run<C>, ctx: &mut Self::Context) {
        let Run { command, deadline, sink, ticket } = run;
        if self.life.is_over() {
            return self.end(ctx);
        }
        if sink.is_abandoned() {
            return self.life.complete();
        }
        if Instant::now() >= deadline {
            self.life.complete();
            drop(ticket);
            return sink.answer(Answer::Done(Err(HsmError::Expired)));
        }
        self.life.begin(Arc::as_ptr(&command).addr());
        let outcome = {
            let vault = self.vault.load();
            catch_unwind(AssertUnwindSafe(|| command.run(&vault)))
        };
        let answer = match outcome {
            Ok(reply) => {
                self.life.complete();
                Answer::Done(reply)
            }
            Err(_) => {
                tracing::error!(slot = self.life.slot, command = C::NAME, "a command panicked; its HSM ends");
                self.end(ctx);
                Answer::Killed
            }
        };
        // The permit comes back before the answer: who waits for the answer may send the next command at once.
        drop(ticket);
        sink.answer(answer);
        if self.life.is_over() {
            self.end(ctx);
        }
    }
}
