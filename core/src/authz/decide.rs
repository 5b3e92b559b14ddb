//! The decision: what every layer says, which of them speaks first, and who has the last word.
//! Pure. Knows layers and their order; must not know how a statement is evaluated or where policies are kept.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use super::call::Call;
use super::context::Facts;
use super::document::{Document, Kind};
use super::grant::GrantSource;
use super::permit::{self, RETIRE_GRANT};
use super::principal::{Principal, Reach};
use super::statement::Effect;

/// May this principal do this, to this, now?
#[derive(Clone, Copy)]
pub struct Question<'a> {
    pub principal: &'a Principal,
    /// `kms:Encrypt`
    pub action: &'a str,
    /// The ARN of a key (also when the request named an alias) or, for the alias's own permission, of an alias;
    /// `*` for operations without a resource.
    pub resource: &'a str,
    /// The account of the resource; `None` when there is no resource, or it is the caller's.
    pub resource_account: Option<&'a str>,
    /// The encryption context of the request, for the constraints of grants; its names are case-sensitive.
    pub encryption_context: Option<&'a BTreeMap<String, String>>,
    pub facts: &'a dyn Facts,
}

/// Everything that has a say. The default has no policy at all and therefore allows nothing (but a root user's own).
#[derive(Clone, Copy, Debug, Default)]
pub struct Policies<'a> {
    /// `None` when the request did not come through an endpoint; then no endpoint policy has a say.
    pub endpoint: Option<&'a Document>,
    /// The key policy, when the resource is a key; the trust policy, when it is a role that is to be assumed.
    pub key: Option<&'a Document>,
    /// The caller's own policies and those of its groups, or of its role.
    pub identity: &'a [&'a Document],
    pub boundary: Option<&'a Document>,
    pub session: Option<&'a Document>,
    /// One item per level of the caller's organization, root first; each must allow. Leave it empty for callers that
    /// they do not bind (the management account).
    pub scps: &'a [Vec<&'a Document>],
    /// One item per level of the resource's organization. They deny only. Leave it empty for AWS managed keys.
    pub rcps: &'a [Vec<&'a Document>],
    /// The key's grants that may concern the caller (see [`super::grant::Grantee`]); for RetireGrant, the grant itself.
    pub grants: &'a dyn GrantSource,
    /// Ids of the grants whose tokens came with the request: they count before they are consistent.
    pub presented: &'a [&'a str],
    /// Whether the operation works on a key in another account.
    pub cross_account_allowed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub enum Verdict {
    Allowed,
    #[serde(rename = "ImplicitlyDenied")]
    ImplicitDeny,
    #[serde(rename = "ExplicitlyDenied")]
    ExplicitDeny,
}

impl Verdict {
    pub const ALL: [Self; 3] = [Self::Allowed, Self::ImplicitDeny, Self::ExplicitDeny];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "Allowed",
            Self::ImplicitDeny => "ImplicitlyDenied",
            Self::ExplicitDeny => "ExplicitlyDenied",
        }
    }
}

/// What takes part in a decision, in the order in which denials are named.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum Layer {
    #[serde(rename = "scp")]
    ServiceControl,
    #[serde(rename = "rcp")]
    ResourceControl,
    #[serde(rename = "vpce")]
    Endpoint,
    #[serde(rename = "resource")]
    Key,
    #[serde(rename = "identity")]
    Identity,
    #[serde(rename = "boundary")]
    Boundary,
    #[serde(rename = "session")]
    Session,
    #[serde(rename = "grant")]
    Grant,
}

impl Layer {
    pub const ALL: [Self; 8] = [
        Self::ServiceControl,
        Self::ResourceControl,
        Self::Endpoint,
        Self::Key,
        Self::Identity,
        Self::Boundary,
        Self::Session,
        Self::Grant,
    ];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::ServiceControl => "scp",
            Self::ResourceControl => "rcp",
            Self::Endpoint => "vpce",
            Self::Key => "resource",
            Self::Identity => "identity",
            Self::Boundary => "boundary",
            Self::Session => "session",
            Self::Grant => "grant",
        }
    }
}

/// A set of layers.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Layers(u8);

impl Layers {
    pub fn contains(self, layer: Layer) -> bool {
        self.0 & (1 << layer as u8) != 0
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In the order of [`Layer`].
    pub fn iter(self) -> impl Iterator<Item = Layer> {
        Layer::ALL.into_iter().filter(move |layer| self.contains(*layer))
    }

    fn insert(&mut self, layer: Layer) {
        self.0 |= 1 << layer as u8;
    }
}

impl fmt::Debug for Layers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

impl serde::Serialize for Layers {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}

/// What decided.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(untagged)]
pub enum Reason {
    /// `document` is the name that [`Document::named`] gave; `index` counts from 0.
    Statement {
        layer: Layer,
        document: Arc<str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        sid: Option<Arc<str>>,
        index: usize,
    },
    Grant {
        layer: Layer,
        grant: Arc<str>,
    },
    /// The root user needs no identity policy.
    Root {
        layer: Layer,
    },
    /// Nothing in this layer allows it.
    Silence {
        layer: Layer,
    },
}

impl Reason {
    pub fn layer(&self) -> Layer {
        match self {
            Self::Statement { layer, .. }
            | Self::Grant { layer, .. }
            | Self::Root { layer }
            | Self::Silence { layer } => *layer,
        }
    }
}

/// The answer. The caller sees [`Decision::message`]; the rest is for the audit record and the tools.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Decision {
    pub verdict: Verdict,
    pub decided_by: Reason,
    /// The other half, where an identity policy allowed through a key policy, or through a grant to an account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together_with: Option<Reason>,
    /// Every layer with a Deny that applies.
    pub explicit_denies: Layers,
    /// The grants that allowed it, when no policy did. For CreateGrant, all of them: any may be the parent that the new
    /// grant must not exceed. For every other action the one that decided, as nothing asks what else would have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<Arc<str>>,
    /// Whether the resource is another account's.
    #[serde(skip)]
    pub(super) foreign: bool,
    /// Whether nothing on the side of the resource's account lets the caller in.
    #[serde(skip)]
    pub(super) uninvited: bool,
}

impl Decision {
    pub fn is_allowed(&self) -> bool {
        self.verdict == Verdict::Allowed
    }

    /// Whether the caller is of another account and the owner of the resource has not let it in. It must then be told
    /// what it would be told of a resource that does not exist: by its own policies, and by an endpoint's, it could
    /// otherwise ask for the tags of any key whose ARN it knows.
    pub fn is_strangers(&self) -> bool {
        self.foreign && self.uninvited && !self.is_allowed()
    }
}

/// Decides. An explicit Deny anywhere wins; then the limits must allow; then someone must grant.
/// The order within the denials, and within the silences, is that of [`Layer`].
pub fn decide(question: &Question<'_>, policies: &Policies<'_>) -> Decision {
    let call = Call::new(question, policies.boundary.is_some());
    let foreign = match (question.principal.account(), question.resource_account) {
        (Some(caller), Some(owner)) => caller != owner,
        _ => false,
    };
    let heard = Heard::listen(&call, policies);
    let uninvited = foreign && !permit::is_invited(question, policies, &heard);
    let mut explicit_denies = Layers::default();
    heard.denials().for_each(|(layer, _)| explicit_denies.insert(layer));
    let decision = |verdict, decided_by| Decision {
        verdict,
        decided_by,
        together_with: None,
        explicit_denies,
        grants: Vec::new(),
        foreign,
        uninvited,
    };
    if let Some((layer, hit)) = heard.denials().next() {
        return decision(Verdict::ExplicitDeny, hit.reason(layer));
    }
    match heard.silent_limit().map_or_else(|| permit::permit(question, policies, &heard, foreign), Err) {
        Ok(permit) => Decision {
            together_with: permit.together_with,
            grants: permit.grants,
            ..decision(Verdict::Allowed, permit.decided_by)
        },
        Err(layer) => decision(Verdict::ImplicitDeny, Reason::Silence { layer }),
    }
}

/// Evaluates the endpoint's layer alone, in order to turn a request away early.
///
/// # Errors
/// The Deny that applies, or the layer's silence. What the caller is told comes from [`decide`], which knows whether
/// another layer's Deny speaks first.
pub fn endpoint_allows(question: &Question<'_>, document: &Document, has_boundary: bool) -> Result<Reason, Reason> {
    let scan = Scan::of(&Call::new(question, has_boundary), document);
    match (scan.denied, scan.allowed()) {
        (Some(hit), _) => Err(hit.reason(Layer::Endpoint)),
        (None, Some(hit)) => Ok(hit.reason(Layer::Endpoint)),
        (None, None) => Err(Reason::Silence { layer: Layer::Endpoint }),
    }
}

/// A statement that applies.
#[derive(Clone, Copy)]
pub(super) struct Hit<'a> {
    document: &'a Document,
    index: usize,
}

impl Hit<'_> {
    pub(super) fn reason(self, layer: Layer) -> Reason {
        let sid = self.document.statements().get(self.index).and_then(|statement| statement.sid.clone());
        Reason::Statement { layer, document: self.document.name().clone(), sid, index: self.index }
    }
}

/// What one layer says: its first Deny, and its first Allow for each closeness of the principal.
#[derive(Clone, Copy, Default)]
pub(super) struct Scan<'a> {
    pub(super) denied: Option<Hit<'a>>,
    pub(super) direct: Option<Hit<'a>>,
    pub(super) behind: Option<Hit<'a>>,
    pub(super) account: Option<Hit<'a>>,
}

impl<'a> Scan<'a> {
    fn of(call: &Call<'_>, document: &'a Document) -> Self {
        let mut scan = Self::default();
        scan.add(call, document);
        scan
    }

    pub(super) fn of_all(call: &Call<'_>, documents: &[&'a Document]) -> Self {
        let mut scan = Self::default();
        documents.iter().for_each(|document| scan.add(call, document));
        scan
    }

    fn add(&mut self, call: &Call<'_>, document: &'a Document) {
        for (index, statement) in document.statements().iter().enumerate() {
            let Some(reach) = statement.applies(call) else { continue };
            let place = match (statement.effect, reach) {
                (Effect::Deny, _) => &mut self.denied,
                (Effect::Allow, Reach::Direct) => &mut self.direct,
                (Effect::Allow, Reach::Behind) => &mut self.behind,
                (Effect::Allow, Reach::Account) => &mut self.account,
            };
            place.get_or_insert(Hit { document, index });
        }
    }

    /// An Allow for the caller, or for its role or account: for layers where that makes no difference.
    pub(super) fn allowed(&self) -> Option<Hit<'a>> {
        self.direct.or(self.behind).or(self.account)
    }
}

/// What every layer but the grants says.
pub(super) struct Heard<'a> {
    scp: Scan<'a>,
    scp_silent: bool,
    rcp: Scan<'a>,
    endpoint: Option<Scan<'a>>,
    pub(super) key: Scan<'a>,
    pub(super) identity: Scan<'a>,
    pub(super) boundary: Option<Scan<'a>>,
    pub(super) session: Option<Scan<'a>>,
}

impl<'a> Heard<'a> {
    fn listen(call: &Call<'_>, policies: &Policies<'a>) -> Self {
        // kms:RetireGrant has effect in identity policies only: neither key policies nor RCPs are asked about it.
        let retire = call.action == RETIRE_GRANT;
        let on_key = permit::has_own_policy(&call.resource);
        let rcps = if retire { &[] } else { policies.rcps };
        let scps = if call.principal.account().is_none() { &[] } else { policies.scps };
        let (mut scp, mut scp_silent) = (Scan::default(), false);
        for level in scps {
            let said = Scan::of_all(call, level);
            scp_silent |= said.allowed().is_none();
            scp.denied = scp.denied.or(said.denied);
        }
        let mut rcp = Scan::default();
        rcps.iter().flatten().for_each(|document| rcp.add(call, document));
        let of = |document: Option<&'a Document>| document.map(|document| Scan::of(call, document));
        Self {
            scp,
            scp_silent,
            rcp,
            endpoint: of(policies.endpoint),
            key: of(policies.key.filter(|key| on_key && !retire && matches!(key.kind(), Kind::Key | Kind::Trust)))
                .unwrap_or_default(),
            identity: Scan::of_all(call, policies.identity),
            boundary: of(policies.boundary),
            session: of(policies.session),
        }
    }

    fn denials(&self) -> impl Iterator<Item = (Layer, Hit<'a>)> {
        let of = |scan: &Option<Scan<'a>>| scan.and_then(|scan| scan.denied);
        [
            (Layer::ServiceControl, self.scp.denied),
            (Layer::ResourceControl, self.rcp.denied),
            (Layer::Endpoint, of(&self.endpoint)),
            (Layer::Key, self.key.denied),
            (Layer::Identity, self.identity.denied),
            (Layer::Boundary, of(&self.boundary)),
            (Layer::Session, of(&self.session)),
        ]
        .into_iter()
        .filter_map(|(layer, hit)| hit.map(|hit| (layer, hit)))
    }

    /// The first layer that can only narrow and does not allow.
    fn silent_limit(&self) -> Option<Layer> {
        let endpoint_silent = self.endpoint.is_some_and(|endpoint| endpoint.allowed().is_none());
        match (self.scp_silent, endpoint_silent) {
            (true, _) => Some(Layer::ServiceControl),
            (false, true) => Some(Layer::Endpoint),
            (false, false) => None,
        }
    }
}

impl fmt::Debug for Question<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { principal, action, resource, .. } = self;
        f.debug_struct("Question")
            .field("principal", principal)
            .field("action", action)
            .field("resource", resource)
            .finish_non_exhaustive()
    }
}
