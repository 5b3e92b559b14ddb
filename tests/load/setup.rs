//! What a run needs beforehand: its keys, the first ciphertexts and signatures under them, and the knowledge of what
//! the service lacks. Knows the calls that this takes; leaves in the ledger whatever must be taken away again.

mod make;

use std::collections::BTreeMap;
use std::sync::Arc;

use rand::{RngExt as _, SeedableRng as _};

use crate::Outcome;
use crate::call::{Called, Caller, Network, Request};
use crate::checks::Counts;
use crate::checks::revocation::How;
use crate::cli::Options;
use crate::conclude::{Ask, Conclusion, Judge};
use crate::operations::{Operation, Sending};
use crate::presign;
use crate::record::Violation;
use crate::retry::{Policy, Quota};
use crate::scene::{Account, Key, Kind, Ledger, Random, Scene};
use crate::stop::Stop;
use make::Maker;

/// Keys that sign, and keys for MACs, are dear to make: there are never more of each.
const DEAR_KEYS_MAX: usize = 16;
/// Codes by which a service says that it does not have an operation, or not for such a key.
const LACKING: &[&str] =
    &["UnsupportedOperationException", "UnknownOperationException", "InvalidAction", "http 404", "http 501"];

/// Operations with their weights.
pub(crate) type Mix = Vec<(Operation, f64)>;

/// What a run goes on.
pub(crate) struct Ready {
    pub(crate) scene: Scene,
    pub(crate) mix: Mix,
    /// Operations of the mix that the service lacks, and what it answered.
    pub(crate) left_out: BTreeMap<String, String>,
    /// Places of the keys that are used by a grant only, with the grant.
    pub(crate) grants: Vec<(usize, String)>,
}

/// A promise that was broken before anything was measured.
#[derive(Debug)]
pub(crate) struct BrokenEarly(pub(crate) Violation);

impl std::fmt::Display for BrokenEarly {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str(&self.0.what)
    }
}

impl std::error::Error for BrokenEarly {}

/// The operations of the options' mix. `Err` is a wrong use.
pub(crate) fn mix(options: &Options) -> Result<Mix, String> {
    let drawn = |operation: &Operation| !matches!(operation.row().sending, Sending::Behind(_));
    let Some(weights) = options.weights()? else {
        return Ok(Operation::ALL.iter().copied().filter(drawn).map(|operation| (operation, 1.0)).collect());
    };
    let known = |name: &str| {
        let operation = Operation::of(name).ok_or_else(|| format!("`{name}` is no operation that can be called"))?;
        match operation.row().sending {
            Sending::Behind(first) => Err(format!("{name} comes behind {}: name that", first.name())),
            _ => Ok(operation),
        }
    };
    weights.0.iter().map(|(name, weight)| Ok((known(name)?, *weight))).collect()
}

/// By which the keys of one run are told from those of others.
pub(crate) fn run_name(seed: u64) -> String {
    format!("{seed:016x}")
}

/// Makes everything. What `callers` are given is used for it and no longer.
pub(crate) async fn prepare(
    options: &Options,
    mix: Mix,
    accounts: Arc<Vec<Account>>,
    ledger: Arc<Ledger>,
    mut callers: Vec<Caller>,
    seed: u64,
) -> Outcome<Ready> {
    let scene = Scene {
        run: run_name(seed),
        accounts,
        keys: Vec::new(),
        payload: options.payload.clone(),
        context_pairs: options.context_pairs,
        signing: options.signing_key,
        counts: Counts::default(),
        ledger,
    };
    let mut ready = Ready { scene, mix, left_out: BTreeMap::new(), grants: Vec::new() };
    keys(&mut ready, options, &mut callers).await?;
    let mut random = Random::seed_from_u64(seed);
    seeds(&mut ready, &mut callers, &mut random).await?;
    probe(&mut ready, &mut callers, &mut random).await?;
    if ready.mix.is_empty() {
        return Err(format!("the service has nothing of the mix: {:?}", ready.left_out).into());
    }
    Ok(ready)
}

/// Makes the keys of each kind that the mix needs; what needs a kind that the service refuses is left out.
async fn keys(ready: &mut Ready, options: &Options, callers: &mut [Caller]) -> Outcome<()> {
    let wanted = usize::try_from(options.keys)?;
    for kind in Kind::ALL {
        let needed = |mix: &Mix| mix.iter().any(|(operation, _)| operation.row().needs.kind() == Some(kind));
        if !needed(&ready.mix) {
            continue;
        }
        let number = match kind {
            Kind::Symmetric => wanted,
            Kind::Signing | Kind::Mac => wanted.min(DEAR_KEYS_MAX),
            Kind::Scratch => ready.scene.accounts.len(),
        };
        let maker = Maker { scene: &ready.scene };
        // Each account has at least one, so that every account calls.
        let (made, refused) = maker.keys(kind, number.max(ready.scene.accounts.len()), callers).await?;
        if let Some(why) = refused {
            leave_out(ready, &why, |operation| operation.row().needs.kind() == Some(kind));
            continue;
        }
        ready.scene.keys.extend(made);
    }
    let watching = ready.mix.iter().any(|(operation, _)| Operation::watched().any(|watched| watched == *operation));
    if watching && !options.revocations.is_zero() {
        let caller = callers.first_mut().ok_or("there is no caller")?;
        for how in How::ALL {
            let maker = Maker { scene: &ready.scene };
            let Some((key, grant)) = maker.watched(how, caller).await? else { continue };
            ready.grants.extend(grant.map(|grant| (ready.scene.keys.len(), grant)));
            ready.scene.keys.push(key);
        }
    }
    Ok(())
}

/// Encrypts, signs and makes MACs, so that there is something to decrypt and verify from the first call on.
async fn seeds(ready: &mut Ready, callers: &mut [Caller], random: &mut Random) -> Outcome<()> {
    let wants = |operation: Operation| ready.mix.iter().any(|(of, _)| *of == operation);
    let mut kinds = Vec::new();
    if wants(Operation::Decrypt) || wants(Operation::ReEncrypt) {
        kinds.push((Kind::Symmetric, Operation::Encrypt));
    }
    if wants(Operation::Verify) {
        kinds.push((Kind::Signing, Operation::Sign));
    }
    if wants(Operation::VerifyMac) {
        kinds.push((Kind::Mac, Operation::GenerateMac));
    }
    for (kind, operation) in kinds {
        let places: Vec<_> = (0..ready.scene.keys.len()).collect();
        let places =
            places.into_iter().filter(|place| ready.scene.key(Some(*place)).is_some_and(|key| key.kind == kind));
        let asks = places.filter_map(|place| ask(&ready.scene, operation, Some(place), random)).collect();
        let lacking = make::all(&ready.scene, asks, callers).await?;
        if let Some(why) = lacking {
            leave_out(ready, &why, |operation| operation.row().needs.kind() == Some(kind));
        }
    }
    Ok(())
}

/// Calls each operation of the mix once.
async fn probe(ready: &mut Ready, callers: &mut [Caller], random: &mut Random) -> Outcome<()> {
    let caller = callers.first_mut().ok_or("there is no caller")?;
    for (operation, _) in ready.mix.clone() {
        let why = match first(&ready.scene, operation, random) {
            None => Some("there is nothing to call it with".to_owned()),
            Some(ask) => once(&ready.scene, ask, caller).await?,
        };
        if let Some(why) = why {
            leave_out(ready, &why, |other| other == operation);
        }
    }
    Ok(())
}

fn leave_out(ready: &mut Ready, why: &str, which: impl Fn(Operation) -> bool) {
    for (operation, _) in ready.mix.extract_if(.., |(operation, _)| which(*operation)) {
        ready.left_out.insert(operation.name().to_owned(), why.to_owned());
    }
}

/// A call of the operation with the first key that it takes.
fn first(scene: &Scene, operation: Operation, random: &mut Random) -> Option<Ask> {
    let Some(kind) = operation.row().needs.kind() else { return ask(scene, operation, None, random) };
    let place = scene.keys.iter().position(|key| key.kind == kind && key.watch.is_none())?;
    ask(scene, operation, Some(place), random)
}

fn ask(scene: &Scene, operation: Operation, key: Option<usize>, random: &mut Random) -> Option<Ask> {
    let account = scene.key(key).map_or(0, |key: &Key| key.account);
    presign::ask(scene, crate::draw::Drawn { operation, account, key }, random)
}

/// One call and those behind it. `Some` says why the service is taken to lack the operation; any other failure is an
/// error, since a run would consist of nothing else.
async fn once(scene: &Scene, first: Ask, caller: &mut Caller) -> Outcome<Option<String>> {
    let mut next = Some(first);
    while let Some(ask) = next {
        let called = send(scene, &ask, caller).await?;
        let judge = Judge { scene, endpoints: caller.places(), start: called.begun };
        next = match judge.conclude(&ask, &called, true) {
            Conclusion::Succeeded { next } => next,
            Conclusion::Refused => None,
            Conclusion::Broken(violation) => return Err(Box::new(BrokenEarly(*violation))),
            Conclusion::Failed if lacks(&called) => return Ok(Some(called.message())),
            Conclusion::Failed => return Err(format!("{}: {}", ask.operation.name(), called.message()).into()),
        };
    }
    Ok(None)
}

async fn send(scene: &Scene, ask: &Ask, caller: &mut Caller) -> Outcome<Called> {
    let signer = &scene.accounts.get(ask.account).ok_or("a key without an account")?.kms;
    caller.call(Request { signer, operation: Some(ask.operation.name()), body: &ask.body, signed: &[] }).await
}

fn lacks(called: &Called) -> bool {
    called.error.as_deref().is_some_and(|code| LACKING.contains(&code))
}

/// Callers that are spread over the endpoints.
pub(crate) fn callers(network: &Arc<Network>, number: usize, policy: Policy, seed: u64) -> Vec<Caller> {
    let quota = Arc::new(Quota::default());
    let mut random = Random::seed_from_u64(seed ^ 1);
    let mut caller = |home| Caller::new(network, policy, &quota, home, Random::seed_from_u64(random.random()));
    (0..number.max(1)).map(&mut caller).collect()
}

/// The set-up, unless the run is stopped meanwhile.
pub(crate) async fn unless_stopped<T>(stop: &Stop, work: impl Future<Output = Outcome<T>>) -> Outcome<Option<T>> {
    tokio::select! {
        done = work => done.map(Some),
        () = stop.drained() => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use clap::Parser as _;

    use super::*;

    fn mixed(text: &str) -> Result<Mix, String> {
        mix(&Options::try_parse_from(["kannuki-load", "--mix", text]).unwrap())
    }

    #[test]
    fn a_mix_names_operations_that_can_be_drawn() {
        assert_eq!(mixed("Encrypt=3,Sign").unwrap(), [(Operation::Encrypt, 3.0), (Operation::Sign, 1.0)]);
        assert!(mixed("Encipher=3").unwrap_err().contains("Encipher"));
        assert!(mixed("RevokeGrant").unwrap_err().contains("CreateGrant"));
    }

    #[test]
    fn all_is_everything_that_does_not_come_behind_something_else() {
        let names: Vec<_> = mixed("all").unwrap().iter().map(|(operation, _)| operation.name()).collect();
        assert!(names.contains(&"Encrypt") && names.contains(&"CreateGrant") && !names.contains(&"RevokeGrant"));
    }

    #[test]
    fn the_default_mix_is_one() {
        assert_eq!(mix(&Options::try_parse_from(["kannuki-load"]).unwrap()).unwrap().len(), 5);
    }
}
