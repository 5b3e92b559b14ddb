//! A request on its way to a key manager: who asks, from where, for what.
//! Parses, resolves names on the view and asks the endpoint policy; holds nothing of HTTP, runs nothing.

mod resolve;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use actix::Addr;
use futures_util::future::LocalBoxFuture;

pub(crate) use self::resolve::targets as resolve_targets;
pub use self::resolve::{AliasTarget, KeyTarget, Target, Targets};
use crate::authz::{Document, Principal};
use crate::clock::Timestamp;
use crate::entry::Entry;
use crate::error::KmsError;
use crate::id::AccountId;
use crate::judge;
use crate::key_manager::{Answered, Execute, KeyManager};
use crate::model::{Field, Request};
use crate::operation::{Effect, Operation};
use crate::region::Region;

/// A principal whose signature was verified.
#[derive(Clone, Debug)]
pub struct Caller {
    pub principal: Arc<Principal>,
    pub arn: Arc<str>,
    pub account: AccountId,
    pub access_key: Arc<str>,
    /// What a session has beside its role; `None` for a user's own access key.
    pub session: Option<Arc<SessionFacts>>,
}

/// What a role's session adds to the role, as its verified token says.
#[derive(Debug)]
pub struct SessionFacts {
    /// The ARN of the role, with the role's path.
    pub role: Arc<str>,
    /// The session's name, the last part of its ARN.
    pub name: Arc<str>,
    /// The session policy (of kind `Session`), which limits what the role's policies allow; several are joined to one
    /// (`Document::joined`).
    pub policy: Option<Arc<Document>>,
    /// The tags that came with the session. They take the place of the role's tags of the same name.
    pub tags: BTreeMap<String, String>,
    /// Which of the tags a session that is made from this one has, too.
    pub transitive_tag_keys: BTreeSet<String>,
    pub issued_at: Timestamp,
    pub expires_at: Timestamp,
    pub source_identity: Option<Arc<str>>,
    /// The ARN of the issuer whose token was traded for the session.
    pub federated_provider: Option<Arc<str>>,
}

/// Where a request was proved to come from. `address` is the client's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    Public { address: IpAddr },
    Endpoint { id: Arc<str>, address: IpAddr, proof: Proof },
}

/// What proved that a request came through its endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It arrived at the endpoint's own interface in this availability zone.
    Listener { zone: Arc<str> },
    /// The balancer of this name said so, in the PROXY protocol.
    Proxy { balancer: Arc<str> },
    /// The attestation key of this name signed it.
    Attestation { key: Arc<str> },
}

impl Source {
    pub fn address(&self) -> IpAddr {
        match self {
            Self::Public { address } | Self::Endpoint { address, .. } => *address,
        }
    }

    pub fn endpoint(&self) -> Option<&str> {
        match self {
            Self::Public { .. } => None,
            Self::Endpoint { id, .. } => Some(id),
        }
    }
}

/// How a connection is encrypted, in IANA's names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// `TLS_AES_256_GCM_SHA384`, for example.
    pub cipher_suite: String,
    /// `X25519MLKEM768`, for example.
    pub key_exchange: Option<String>,
}

/// What else the gateway knows of a request.
#[derive(Clone, Debug)]
pub struct Meta {
    pub request_id: Arc<str>,
    pub user_agent: Option<Arc<str>>,
    /// As the client claims; good for nothing but `aws:referer`.
    pub referer: Option<Arc<str>>,
    /// `None` off TLS.
    pub tls: Option<Arc<Tls>>,
    /// The Host that the client named.
    pub host: Option<Arc<str>>,
    pub received_at: Timestamp,
    /// After this the answer is of no use to anybody.
    pub deadline: Instant,
}

/// An authenticated question.
#[derive(Clone, Debug)]
pub struct Asked {
    pub caller: Caller,
    pub source: Source,
    pub meta: Meta,
}

/// Access to a request's members by their name in the model, whatever the operation.
pub(crate) trait Parameters {
    fn member(&self, name: &str) -> Option<Field<'_>>;
    /// Whether the operation has such a member at all.
    fn has_member(&self, name: &str) -> bool;
}

impl<R: Request> Parameters for R {
    fn member(&self, name: &str) -> Option<Field<'_>> {
        Request::member(self, name)
    }

    fn has_member(&self, name: &str) -> bool {
        R::MEMBERS.contains(&name)
    }
}

/// The function that each row of the operation table names; see `prepare`.
pub type Prepare = fn(&Arc<Region>, Arc<Asked>, Entry, &[u8]) -> Result<Prepared, Box<Turned>>;

/// A request that the gateway may hand to a key manager. What is inside is no business of the gateway's.
pub struct Prepared {
    job: Box<dyn Job>,
    pub effect: Effect,
    /// Tells which key manager orders the writes to this request's key.
    pub owner: u64,
    /// The key whose rate this request counts against. A caller of another account must be allowed to use it first: else
    /// it could use up the rate, and see by the throttling that there is such a key.
    pub key: Option<Arc<crate::view::KeyEntry>>,
}

impl std::fmt::Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Prepared").field("effect", &self.effect).finish_non_exhaustive()
    }
}

/// A request that ends here, with the audit entry that is still open.
#[derive(Debug)]
pub struct Turned {
    pub error: KmsError,
    pub entry: Entry,
    /// It was the endpoint's policy that turned it away, before any key manager heard of it.
    pub by_endpoint: bool,
}

/// One message's worth of work, its operation forgotten.
trait Job: Send {
    fn send(self: Box<Self>, to: &Addr<KeyManager>) -> LocalBoxFuture<'static, Option<Answered>>;
    fn turn(self: Box<Self>, error: KmsError) -> Turned;
}

impl<Op: Operation> Job for Execute<Op> {
    fn send(self: Box<Self>, to: &Addr<KeyManager>) -> LocalBoxFuture<'static, Option<Answered>> {
        let reply = to.send(*self);
        Box::pin(async move { reply.await.ok() })
    }

    fn turn(self: Box<Self>, error: KmsError) -> Turned {
        Turned { error, entry: self.entry, by_endpoint: false }
    }
}

impl Prepared {
    /// Hands the request over. `None` when the key manager is gone; the entry has then recorded an internal failure.
    pub fn send(self, to: &Addr<KeyManager>) -> LocalBoxFuture<'static, Option<Answered>> {
        self.job.send(to)
    }

    /// Ends the request here, for a reason that is the gateway's (a rate, a limit).
    pub fn turn(self, error: KmsError) -> Turned {
        self.job.turn(error)
    }
}

/// Parses a body, finds what it names on the region's present view, and asks the endpoint policy.
pub(crate) fn prepare<Op: Operation>(
    region: &Arc<Region>,
    asked: Arc<Asked>,
    mut entry: Entry,
    body: &[u8],
) -> Result<Prepared, Box<Turned>> {
    let turned = |error, entry, by_endpoint| Err(Box::new(Turned { error, entry, by_endpoint }));
    let input = match Op::Input::parse(body) {
        Ok(input) => Arc::new(input),
        Err(invalid) => return turned(invalid.into(), entry, false),
    };
    entry.asked(Op::SPEC, input.audit_parameters());
    if input.has_recipient() {
        let text = "The Recipient parameter is not supported by this service.";
        return turned(KmsError::Unsupported(text.to_owned()), entry, false);
    }
    let view = region.view();
    let targets = match resolve_targets(Op::SPEC, &view, &asked, &*input) {
        Ok(targets) => targets,
        Err(error) => return turned(error, entry, false),
    };
    entry.targets(&targets);
    if let Err(refusal) = judge::endpoint(Op::SPEC, &view, &asked, &*input, &targets) {
        entry.decided(refusal.trace);
        return turned(refusal.error, entry, true);
    }
    let key = targets.first_key().map(|key| key.entry.clone());
    let is_counted = |key: &crate::view::KeyEntry| {
        key.record.account == asked.caller.account || judge::all(Op::SPEC, &view, &asked, &*input, &targets).is_ok()
    };
    let owner = key.as_ref().map_or_else(
        || crate::region::spread(&asked.meta.request_id),
        |key| crate::region::spread(key.record.id.as_str()),
    );
    let key = key.filter(|key| is_counted(key));
    let job = Box::new(Execute::<Op> { asked, input, view, targets, entry });
    Ok(Prepared { job, effect: Op::SPEC.effect, owner, key })
}
