//! The key manager actors and the one pipeline that every operation goes through.
//! Judges, plans, asks the HSM, commits, judges again what could have changed; knows no operation by name.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use actix::{Actor, Context, Handler, Message, ResponseFuture};
use futures_util::future::LocalBoxFuture;
use kms_hsm::command::{Authenticate, Purpose};
use serde_json::value::RawValue;
use zeroize::Zeroizing;

pub use crate::authorized::Authorized;
use crate::entry::Entry;
use crate::error::KmsError;
use crate::grant_token::{self, GrantToken};
use crate::judge;
use crate::model::{Request, Response};
use crate::operation::{Effect, Operation};
use crate::region::Region;
use crate::request::{Asked, Parameters, Targets, resolve_targets};
use crate::turn::Turns;
use crate::view::RegionView;

/// How often a write is judged anew because what it was judged on had changed.
const CONFLICTS_MAX: usize = 32;

/// As good as no bound. A mailbox counts its messages and its senders in one number, so that a greater capacity would
/// leave no room for a clone of the actor's address.
pub const MAILBOX_MAX: usize = usize::MAX >> 2;

/// An actor that runs requests. It owns no state but queues: decisions are made on the region's view, changes by the
/// store.
#[derive(Debug)]
pub struct KeyManager {
    region: Arc<Region>,
    turns: Rc<Turns>,
}

impl KeyManager {
    pub fn new(region: Arc<Region>) -> Self {
        Self { region, turns: Rc::default() }
    }
}

impl Actor for KeyManager {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        // Admission bounds what is in flight, in front of the mailbox; the mailbox must not refuse what was admitted.
        ctx.set_mailbox_capacity(MAILBOX_MAX);
    }
}

/// A prepared request of one operation.
pub(crate) struct Execute<Op: Operation> {
    pub(crate) asked: Arc<Asked>,
    pub(crate) input: Arc<Op::Input>,
    pub(crate) view: Arc<RegionView>,
    pub(crate) targets: Targets,
    pub(crate) entry: Entry,
}

impl<Op: Operation> Message for Execute<Op> {
    type Result = Answered;
}

/// What became of a request, with its audit entry still to be closed.
#[derive(Debug)]
pub struct Answered {
    pub outcome: Result<Reply, KmsError>,
    pub entry: Entry,
}

/// A successful answer.
#[derive(Debug)]
pub struct Reply {
    /// The AWS JSON body.
    pub body: Zeroizing<Vec<u8>>,
    /// What the audit record shows of it; nothing for reads.
    pub elements: Option<Box<RawValue>>,
}

// `MessageResponse` is implemented for `Result` and futures; an answer travels in the future below.
impl<Op: Operation> Handler<Execute<Op>> for KeyManager {
    type Result = ResponseFuture<Answered>;

    fn handle(&mut self, asked: Execute<Op>, _: &mut Context<Self>) -> Self::Result {
        Box::pin(execute(self.region.clone(), self.turns.clone(), asked))
    }
}

async fn execute<Op: Operation>(region: Arc<Region>, turns: Rc<Turns>, mut request: Execute<Op>) -> Answered {
    let outcome = answer(&region, &turns, &mut request).await;
    Answered { outcome, entry: request.entry }
}

/// Judges and runs a request until nothing has changed under it. Whoever met a conflict waits for its turn at the key,
/// so that each round of those who change one key at once is not won by a single one of them.
async fn answer<Op: Operation>(
    region: &Arc<Region>,
    turns: &Turns,
    request: &mut Execute<Op>,
) -> Result<Reply, KmsError> {
    prove_tokens(region, &request.asked, &*request.input).await?;
    let deadline = request.asked.meta.deadline;
    let writes = Op::SPEC.effect == Effect::Write;
    let key = request.targets.first_key().map(|key| key.entry.record.id).filter(|_| writes);
    let mut turn = match key {
        Some(key) => turns.wait_if_contended(key, deadline).await?,
        None => None,
    };
    for _ in 0..CONFLICTS_MAX {
        match attempt(region, request).await {
            Err(KmsError::Conflict) => {}
            other => return other,
        }
        if let (None, Some(key)) = (&turn, key) {
            turn = Some(turns.wait(key, deadline).await?);
        }
    }
    Err(KmsError::Overloaded)
}

/// Judges a request on one view, runs it, and, if the region has moved on meanwhile, judges it again before it answers.
async fn attempt<Op: Operation>(region: &Arc<Region>, request: &mut Execute<Op>) -> Result<Reply, KmsError> {
    // Work that waited too long is dropped before it does anything: its caller has gone.
    if region.is_over(request.asked.meta.deadline) {
        return Err(KmsError::TimedOut);
    }
    let newest = region.coherent_view()?;
    if newest.revision != request.view.revision {
        request.targets = resolve_targets(Op::SPEC, &newest, &request.asked, &*request.input)?;
        request.view = newest;
        request.entry.targets(&request.targets);
    }
    let judged = judge::all(Op::SPEC, &request.view, &request.asked, &*request.input, &request.targets);
    let judged = match judged {
        Ok(mut judged) => {
            request.entry.decided(std::mem::take(&mut judged.trace));
            judged
        }
        Err(refusal) => {
            request.entry.decided(refusal.trace);
            return Err(refusal.error);
        }
    };
    let (authorized, notes) = Authorized::<Op>::new(region, request, judged);
    let planned = Op::plan(authorized)?;
    if request.input.dry_run() {
        return Err(KmsError::DryRun);
    }
    let ran = planned.await;
    notes.tell(&mut request.entry, request.asked.caller.account);
    let output = ran?;
    if Op::SPEC.effect == Effect::Read {
        still_allowed(region, request)?;
    }
    if Op::SPEC.is_cryptographic() {
        request.targets.iter().for_each(|target| target.used_at(region.clock().now()));
    }
    let elements = match Op::SPEC.effect {
        Effect::Read => None,
        Effect::Write => output.audit_elements(),
    };
    Ok(Reply { body: output.encode(), elements })
}

/// A change that was answered while this request was under way holds for it too: nothing that was revoked before the
/// answer leaves is answered on the old state. A name that has come to mean another key makes it a conflict: what was
/// done was done with the key that is no longer asked about.
fn still_allowed<Op: Operation>(region: &Arc<Region>, request: &mut Execute<Op>) -> Result<(), KmsError> {
    let newest = region.coherent_view()?;
    if newest.revision == request.view.revision {
        return Ok(());
    }
    let targets = resolve_targets(Op::SPEC, &newest, &request.asked, &*request.input)?;
    if !targets.keys().eq(request.targets.keys()) {
        return Err(KmsError::Conflict);
    }
    judge::all(Op::SPEC, &newest, &request.asked, &*request.input, &targets).map(drop).map_err(|refusal| {
        request.entry.decided(refusal.trace);
        refusal.error
    })
}

/// Checks the proofs of the grant tokens that came with a request. A token is good or the request fails; what it names
/// is looked up in the view like any other grant, so that a token cannot outlive RevokeGrant.
async fn prove_tokens<R: Request>(region: &Arc<Region>, asked: &Asked, input: &R) -> Result<(), KmsError> {
    let retiring = Parameters::member(input, "GrantToken").and_then(|field| field.text());
    let tokens: Vec<&str> = input.grant_tokens().iter().map(String::as_str).chain(retiring).collect();
    if tokens.is_empty() {
        return Ok(());
    }
    let decoded: Option<Vec<_>> = tokens.into_iter().map(GrantToken::decode).collect();
    let decoded = decoded.ok_or(KmsError::InvalidGrantToken)?;
    let messages = decoded.iter().map(|(token, _)| token.message()).collect();
    let command = Authenticate { purpose: Purpose::GrantToken, messages };
    let tags = region.hsm().run(command, asked.meta.deadline).await?;
    let proved = tags.len() == decoded.len()
        && decoded.iter().zip(&tags).all(|((_, claimed), made)| grant_token::is_proved(claimed, made));
    if proved { Ok(()) } else { Err(KmsError::InvalidGrantToken) }
}

/// A plan that holds: what is left of the operation.
pub type Planned<O> = Result<LocalBoxFuture<'static, Result<O, KmsError>>, KmsError>;

/// The part of an operation that runs after its plan.
pub(crate) fn run<O>(rest: impl Future<Output = Result<O, KmsError>> + 'static) -> Planned<O> {
    Ok(Box::pin(rest))
}

#[cfg(test)]
mod tests;
