//! One thread of the load generator: connections that make one call after another, and write them down.
//! Knows when calls are due and what becomes of them; knows no operation.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use rand::{RngExt as _, SeedableRng as _};
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::LocalSet;

use crate::Outcome;
use crate::call::{Caller, Network, Request};
use crate::conclude::{Ask, Conclusion, Judge};
use crate::draw::Chooser;
use crate::measure::recorder::{HandedIn, Recorder, Totals};
use crate::measure::{Ended, Tally};
use crate::pause::Pause;
use crate::presign::{self, Batches, Prepared, Step};
use crate::record::EndedBy;
use crate::retry::{Policy, Quota};
use crate::scene::{Random, Scene};
use crate::schedule::Plan;
use crate::stop::Stop;

/// Of answers that are many alike, one in so many is looked at beyond those that are wanted.
const LUCKY_IN: u32 = 64;
const PASSED_EVERY: Duration = Duration::from_millis(250);
/// Shorter waits than this are not cut short by the end of the run.
const SHORT_WAIT: Duration = Duration::from_millis(20);

/// What all threads of a run have in common.
pub(crate) struct Load {
    pub(crate) scene: Scene,
    pub(crate) network: Arc<Network>,
    pub(crate) chooser: Chooser,
    pub(crate) batches: Option<Batches>,
    pub(crate) plan: Plan,
    pub(crate) count: Option<u64>,
    pub(crate) connections: usize,
    pub(crate) threads: usize,
    pub(crate) policy: Policy,
    /// One for each client.
    pub(crate) quotas: Vec<Arc<Quota>>,
    pub(crate) seed: u64,
    pub(crate) totals: Totals,
    pub(crate) stop: Arc<Stop>,
    /// Calls of the open loop that were taken up by a connection.
    pub(crate) taken: AtomicU64,
    /// Calls that were made when their turn came.
    pub(crate) made: AtomicU64,
    /// Calls that are in the figures, of all that were begun.
    pub(crate) counted: AtomicU64,
    /// What the first revocation that failed was answered.
    pub(crate) revocation_failed: OnceLock<String>,
}

/// Runs thread number `thread` until the run ends; answers its tallies.
pub(crate) fn run(load: &Arc<Load>, thread: usize, out: UnboundedSender<HandedIn>) -> Outcome<Vec<Tally>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let recorder = Rc::new(RefCell::new(Recorder::new(out)?));
    let local = LocalSet::new();
    let outcome = local.block_on(&runtime, async {
        let passing = tokio::task::spawn_local(pass_seconds(Arc::clone(load), Rc::clone(&recorder)));
        let mine = (0..load.connections).filter(|index| index % load.threads == thread);
        let tasks = mine.map(|index| one(Arc::clone(load), Rc::clone(&recorder), index));
        let all = join_all(tasks.map(tokio::task::spawn_local));
        let outcome = tokio::select! {
            ended = all => ended.into_iter().try_for_each(|ended| ended?),
            () = load.stop.was_cut() => Ok(()),
        };
        passing.abort();
        outcome
    });
    drop(local);
    outcome?;
    let recorder = Rc::try_unwrap(recorder).map_err(|_| "a connection outlived its thread")?;
    recorder.into_inner().finish()
}

/// Seconds in which no call ends are over too.
async fn pass_seconds(load: Arc<Load>, recorder: Rc<RefCell<Recorder>>) -> Outcome<()> {
    loop {
        tokio::time::sleep(PASSED_EVERY).await;
        if let Some(at) = load.totals.elapsed().checked_sub(load.plan.warm_up) {
            recorder.borrow_mut().pass(at)?;
        }
    }
}

/// A connection that cannot go on ends the run for all: what it leaves undone would be in no figure.
async fn one(load: Arc<Load>, recorder: Rc<RefCell<Recorder>>, index: usize) -> Outcome<()> {
    let ended = connection(Arc::clone(&load), recorder, index).await;
    if ended.is_err() {
        load.stop.drain(EndedBy::Interrupt);
    }
    ended
}

async fn connection(load: Arc<Load>, recorder: Rc<RefCell<Recorder>>, index: usize) -> Outcome<()> {
    let mut random = Random::seed_from_u64(load.seed.wrapping_add(1 + index as u64));
    let quota = load.quotas.get(index % load.quotas.len().max(1)).ok_or("there is no client")?;
    let caller = Caller::new(&load.network, load.policy, quota, index, Random::seed_from_u64(random.random()));
    let step = random.random_range(0..usize::from(u16::MAX));
    let mut worker = Worker { load: &load, recorder, caller, random, step, pause: Pause::new()? };
    if load.plan.rate.is_none() {
        worker.wait(load.plan.joins(index, load.connections)).await?;
    }
    while let Some(due) = worker.next_due().await? {
        worker.turn(due).await?;
    }
    Ok(())
}

struct Worker<'a> {
    load: &'a Load,
    recorder: Rc<RefCell<Recorder>>,
    caller: Caller,
    random: Random,
    /// Its place in the batch.
    step: usize,
    pause: Pause,
}

impl Worker<'_> {
    /// When the next call is due, at the earliest now; `None` at the end of the run.
    async fn next_due(&mut self) -> Outcome<Option<Duration>> {
        let load = self.load;
        let due = match load.plan.rate {
            None => load.totals.elapsed(),
            Some(rate) => load.plan.due(load.taken.fetch_add(1, Ordering::Relaxed), rate),
        };
        if due >= load.plan.end() {
            return Ok(None);
        }
        self.wait(due).await?;
        // What is late at the end of the run is not made any more; the report says how much that was.
        if load.stop.is_draining() || load.totals.elapsed() >= load.plan.end() {
            return Ok(None);
        }
        if load.plan.is_measured(due) && !self.counts() {
            load.stop.drain(EndedBy::Count);
            return Ok(None);
        }
        load.made.fetch_add(1, Ordering::Relaxed);
        Ok(Some(due))
    }

    /// Whether one more call may be made.
    fn counts(&self) -> bool {
        self.load.count.is_none_or(|count| self.load.counted.fetch_add(1, Ordering::Relaxed) < count)
    }

    /// Until that time since the start, or the end of the run.
    async fn wait(&self, until: Duration) -> Outcome<()> {
        let due = self.load.totals.start + until;
        if due.saturating_duration_since(Instant::now()) <= SHORT_WAIT {
            self.pause.until(due).await?;
        } else {
            tokio::select! {
                waited = self.pause.until(due) => waited?,
                () = self.load.stop.drained() => {}
            }
        }
        Ok(())
    }

    /// One call of the mix, and those that come behind it.
    async fn turn(&mut self, due: Duration) -> Outcome<()> {
        let Some(prepared) = self.prepared() else {
            // Nothing can be asked for the moment; the pace is kept without it.
            tokio::time::sleep(Duration::from_millis(1)).await;
            return Ok(());
        };
        let mut next = self.perform(&prepared.ask, &prepared.signed, due).await?;
        while let Some(ask) = next {
            next = self.perform(&ask, &[], self.load.totals.elapsed()).await?;
        }
        Ok(())
    }

    fn prepared(&mut self) -> Option<Arc<Prepared>> {
        let load = self.load;
        let ask = match &load.batches {
            None => presign::draw(&load.scene, &load.chooser, &mut self.random)?,
            Some(batches) => {
                self.step = self.step.wrapping_add(1);
                match batches.step(self.step)? {
                    Step::Send(prepared) => return Some(prepared),
                    Step::Make(drawn) => presign::ask(&load.scene, drawn, &mut self.random)?,
                }
            }
        };
        Some(Arc::new(Prepared { ask, signed: Vec::new() }))
    }

    async fn perform(&mut self, ask: &Ask, signed: &[http::HeaderMap], due: Duration) -> Outcome<Option<Ask>> {
        let load = self.load;
        let measured = load.plan.is_measured(due);
        if measured {
            load.totals.begun(due);
        }
        let signer = &load.scene.accounts.get(ask.account).ok_or("a key without an account")?.kms;
        let request = Request { signer, operation: Some(ask.operation.name()), body: &ask.body, signed };
        let called = self.caller.call(request).await?;
        let judge = Judge { scene: &load.scene, endpoints: &load.network.places, start: load.totals.start };
        let conclusion = judge.conclude(ask, &called, self.random.random_ratio(1, LUCKY_IN));
        let at = called.ended.saturating_duration_since(load.totals.start);
        let (error, next) = match conclusion {
            Conclusion::Succeeded { next } => (None, next),
            Conclusion::Failed => (called.error, None),
            Conclusion::Refused => {
                if measured {
                    load.totals.ended(at, true);
                    load.counted.fetch_sub(u64::from(load.count.is_some()), Ordering::Relaxed);
                }
                return Ok(None);
            }
            Conclusion::Broken(violation) => {
                load.stop.broken(*violation);
                return Ok(None);
            }
        };
        if measured {
            load.totals.ended(at, error.is_none());
            let ended = Ended {
                latency: at.saturating_sub(due),
                error,
                failed_before: called.failed_before,
                bytes_sent: called.bytes_sent,
                bytes_received: called.bytes_received,
            };
            let since = at.saturating_sub(load.plan.warm_up);
            self.recorder.borrow_mut().add(ask.operation, &ended, since, &load.totals)?;
        }
        Ok(next)
    }
}
