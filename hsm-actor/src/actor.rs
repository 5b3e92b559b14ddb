//! The HSM actor: runs one command at a time, survives none that panics.
//! Knows commands and its own life; who is asked, and how often, is the pool's.

use std::sync::{Arc, mpsc};

use actix::{Actor, ActorContext, Context, Handler};
use arc_swap::ArcSwap;

use crate::{
    errand::{Batch, Ran},
    life::Life,
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

impl Handler<Batch> for Hsm {
    type Result = ();

    /// The callers of all that did not run here hear it from the batch's bell, and look elsewhere.
    fn handle(&mut self, batch: Batch, ctx: &mut Self::Context) {
        for work in batch.works() {
            if self.life.is_over() || work.run(&self.vault, &self.life) == Ran::Panicked {
                return self.end(ctx);
            }
        }
        if self.life.is_over() {
            self.end(ctx);
        }
    }
}
