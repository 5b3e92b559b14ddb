//! Requests that were signed ahead of time, so that signing is no part of what a connection does.
//! A signature is good for five minutes: a batch is made anew long before, by a thread of its own.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use http::HeaderMap;
use kms_core::clock::{Clock as _, SystemClock};

use crate::Outcome;
use crate::conclude::Ask;
use crate::draw::{Chooser, Drawn};
use crate::operations::Sending;
use crate::scene::{Random, Scene};
use crate::stop::Stop;
use crate::wire::Place;

/// Requests in a batch; at 4 KiB of payload some 12 MiB.
const BATCH: usize = 2048;
const RENEWED_EVERY: Duration = Duration::from_secs(120);
const LOOKED_EVERY: Duration = Duration::from_millis(200);
/// How often something else is drawn when there is nothing to ask, before it is given up.
const DRAWS_MAX: usize = 100;

/// A call, and its signed headers for each endpoint; none if it was not signed ahead of time.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) ask: Ask,
    pub(crate) signed: Vec<HeaderMap>,
}

/// What a connection does at one place of a batch.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Send(Arc<Prepared>),
    /// A request of this kind may be sent only once: it is made and signed when its turn comes.
    Make(Drawn),
}

/// The batch of the moment.
#[derive(Debug)]
pub(crate) struct Batches(ArcSwap<Vec<Step>>);

/// A call as the mix has it; `None` if there is nothing to ask yet.
pub(crate) fn draw(scene: &Scene, chooser: &Chooser, random: &mut Random) -> Option<Ask> {
    (0..DRAWS_MAX).find_map(|_| ask(scene, chooser.draw(random, &scene.keys)?, random))
}

pub(crate) fn ask(scene: &Scene, drawn: Drawn, random: &mut Random) -> Option<Ask> {
    let Drawn { operation, account, key } = drawn;
    let (body, expect) = (operation.row().ask)(scene, random, scene.key(key))?;
    Some(Ask { operation, account, key, body: body.into(), expect })
}

impl Batches {
    pub(crate) fn new(scene: &Scene, chooser: &Chooser, places: &[Place], random: &mut Random) -> Outcome<Self> {
        Ok(Self(ArcSwap::from_pointee(batch(scene, chooser, places, random)?)))
    }

    pub(crate) fn step(&self, index: usize) -> Option<Step> {
        let batch = self.0.load();
        batch.get(index % batch.len().max(1)).cloned()
    }

    /// Makes a new batch every now and then, until the run ends. Blocks its thread.
    pub(crate) fn renew(
        &self,
        scene: &Scene,
        chooser: &Chooser,
        places: &[Place],
        random: &mut Random,
        stop: &Stop,
    ) -> Outcome<()> {
        let mut waited = Duration::ZERO;
        while !stop.is_draining() {
            std::thread::sleep(LOOKED_EVERY);
            waited += LOOKED_EVERY;
            if waited >= RENEWED_EVERY {
                self.0.store(Arc::new(batch(scene, chooser, places, random)?));
                waited = Duration::ZERO;
            }
        }
        Ok(())
    }
}

fn batch(scene: &Scene, chooser: &Chooser, places: &[Place], random: &mut Random) -> Outcome<Vec<Step>> {
    let mut steps = Vec::with_capacity(BATCH);
    for _ in 0..BATCH {
        let Some(drawn) = chooser.draw(random, &scene.keys) else { continue };
        if drawn.operation.row().sending != Sending::Again {
            steps.push(Step::Make(drawn));
        } else if let Some(ask) = ask(scene, drawn, random) {
            let signer = &scene.accounts.get(ask.account).ok_or("a key without an account")?.kms;
            let now = SystemClock.now();
            let sign = |place: &Place| signer.kms(&place.authority, ask.operation.name(), &ask.body, now);
            let signed = places.iter().map(sign).collect::<Outcome<_>>()?;
            steps.push(Step::Send(Arc::new(Prepared { ask, signed })));
        }
    }
    if steps.is_empty() { Err("there is nothing to sign ahead of time".into()) } else { Ok(steps) }
}
