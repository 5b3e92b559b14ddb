//! The ways in which the layers can have spoken for a request to come to what the record says.
//! Every layer's word is a stand-in document, and `authz::decide` itself says what they come to together.

use std::sync::OnceLock;

use super::past::Past;
use super::replay::New;
use crate::authz::grant::Constraints;
use crate::authz::{
    Decision, Document, FactMap, Facts, Grant, Kind, Layer, Operations, Policies, Principal, PrincipalName, Question,
    Reach, Verdict, decide as judge,
};
use crate::clock::Timestamp;
use crate::model::GrantOperation;

/// What one layer says. `Allows` and `Silent` of a layer that is not there are the same as its absence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Denies,
    Allows(Reach),
    Silent,
}

/// The word of each layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct World {
    scp: Word,
    rcp: Word,
    endpoint: Word,
    key: Word,
    identity: Word,
    boundary: Word,
    session: Word,
    grant: Word,
}

/// Layers whose documents are given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Layers {
    pub(super) endpoint: bool,
    pub(super) key: bool,
    pub(super) identity: bool,
    pub(super) boundary: bool,
}

/// All of a request that says which worlds are possible.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Signature {
    verdict: Verdict,
    layer: Layer,
    caller: std::mem::Discriminant<Principal>,
    /// Whether someone is known to be behind the session.
    has_behind: bool,
    foreign: bool,
    action: String,
    on_key: bool,
    behind_endpoint: bool,
}

impl Signature {
    pub(super) fn of(past: &Past) -> Self {
        Self {
            verdict: past.verdict,
            layer: past.layer,
            caller: std::mem::discriminant(&past.principal),
            has_behind: behind(&past.principal).is_some(),
            foreign: past.owner().is_some_and(|owner| past.principal.account() != Some(owner)),
            action: past.action.clone(),
            on_key: past.key_id().is_some(),
            behind_endpoint: past.endpoint.is_some(),
        }
    }
}

const ANY: Word = Word::Allows(Reach::Direct);
const LIMIT: &[Word] = &[Word::Denies, ANY, Word::Silent];
const NEVER_SILENT: &[Word] = &[Word::Denies, ANY];
const PASSES: &[Word] = &[ANY];
const BY_REACH: &[Word] = &[Word::Denies, ANY, Word::Allows(Reach::Behind), Word::Allows(Reach::Account), Word::Silent];
const GRANTED: &[Word] = &[ANY, Word::Allows(Reach::Behind), Word::Allows(Reach::Account), Word::Silent];
const SILENT: &[Word] = &[Word::Silent];

impl World {
    /// From the words of all layers, in the order of the fields.
    fn of(words: &[Word]) -> Option<Self> {
        let [scp, rcp, endpoint, key, identity, boundary, session, grant] = *words else { return None };
        Some(Self { scp, rcp, endpoint, key, identity, boundary, session, grant })
    }

    /// The same where the words of some layers make no difference.
    pub(super) fn without(self, layers: Layers) -> Self {
        let or = |given: bool, word| if given { Word::Silent } else { word };
        Self {
            endpoint: or(layers.endpoint, self.endpoint),
            key: or(layers.key, self.key),
            identity: or(layers.identity, self.identity),
            boundary: or(layers.boundary, self.boundary),
            ..self
        }
    }
}

/// Every world that comes to the record's verdict by the record's layer.
pub(super) fn possible(past: &Past) -> Vec<World> {
    let on_key = past.key_id().is_some();
    let in_session = matches!(past.principal, Principal::AssumedRole { .. } | Principal::FederatedUser { .. });
    let ways = [
        LIMIT,
        NEVER_SILENT,
        if past.endpoint.is_some() { LIMIT } else { PASSES },
        if on_key { BY_REACH } else { SILENT },
        LIMIT,
        LIMIT,
        if in_session { LIMIT } else { PASSES },
        if on_key { GRANTED } else { SILENT },
    ];
    let mut worlds = vec![Vec::new()];
    for words in ways {
        worlds = worlds
            .into_iter()
            .flat_map(|world: Vec<Word>| words.iter().map(move |word| [world.as_slice(), &[*word]].concat()))
            .collect();
    }
    let (cast, nothing) = (Cast::of(past), FactMap::default());
    let comes_to = |world: &World| {
        let decision = decide(past, &cast, world, None, &nothing);
        decision.verdict == past.verdict && decision.decided_by.layer() == past.layer
    };
    worlds.iter().filter_map(|words| World::of(words)).filter(comes_to).collect()
}

/// What the words of a world, with new documents in the place of some, come to.
pub(super) fn decide(past: &Past, cast: &Cast, world: &World, new: Option<&New<'_>>, facts: &dyn Facts) -> Decision {
    let stand_ins = StandIns::get();
    let limit = |word| stand_ins.of(Kind::Identity, word);
    let scps = [limit(world.scp).into_iter().collect()];
    let rcps = [stand_ins.of(Kind::Endpoint, world.rcp).into_iter().collect()];
    let identity: Vec<&Document> = match new.and_then(|new| new.identity.as_ref()) {
        Some(documents) => documents.clone(),
        None => limit(world.identity).into_iter().collect(),
    };
    let grants: Vec<&Grant> =
        cast.grants.iter().filter(|(word, _)| *word == world.grant).map(|(_, grant)| grant).collect();
    let key = cast.keys.iter().find(|(word, _)| *word == world.key).map(|(_, document)| document);
    let question = Question {
        principal: &past.principal,
        action: &past.action,
        resource: &past.resource,
        resource_account: past.owner(),
        encryption_context: None,
        facts,
    };
    let policies = Policies {
        endpoint: match new.and_then(|new| new.endpoint) {
            Some(document) => Some(document),
            None => past.endpoint.as_ref().and_then(|_| stand_ins.of(Kind::Endpoint, world.endpoint)),
        },
        key: new.and_then(|new| new.key).or(key),
        identity: &identity,
        // A limit that allows stops nothing; but NotPrincipal asks whether there is a boundary.
        boundary: match new.and_then(|new| new.boundary) {
            Some(given) => given,
            None => limit(world.boundary).filter(|_| world.boundary != ANY),
        },
        session: limit(world.session).filter(|_| world.session != ANY),
        scps: &scps,
        rcps: &rcps,
        grants: &grants,
        presented: &[],
        cross_account_allowed: past.across_accounts,
    };
    judge(&question, &policies)
}

/// The stand-ins that name the caller.
#[derive(Debug)]
pub(super) struct Cast {
    keys: Vec<(Word, Document)>,
    grants: Vec<(Word, Grant)>,
}

impl Cast {
    pub(super) fn of(past: &Past) -> Self {
        let on_key = past.key_id().is_some();
        let of_key = |word: &Word| key_policy(past, *word).map(|document| (*word, document));
        let of_grant = |word: &Word| grant(past, *word).map(|grant| (*word, grant));
        Self {
            keys: BY_REACH.iter().filter(|_| on_key).filter_map(of_key).collect(),
            grants: GRANTED.iter().filter_map(of_grant).collect(),
        }
    }
}

/// A key policy that reaches the caller so closely.
fn key_policy(past: &Past, word: Word) -> Option<Document> {
    let account = past.principal.account().unwrap_or_default();
    let (effect, principal) = match word {
        Word::Silent => return None,
        Word::Denies => ("Deny", "*".to_owned()),
        Word::Allows(Reach::Direct) => ("Allow", "*".to_owned()),
        Word::Allows(Reach::Behind) => ("Allow", behind(&past.principal)?.to_string()),
        Word::Allows(Reach::Account) => ("Allow", account.to_owned()),
    };
    let text = serde_json::json!({
        "Statement": { "Effect": effect, "Principal": { "AWS": principal }, "Action": "*", "Resource": "*" }
    });
    Document::parse(&text.to_string(), Kind::Key).ok()
}

fn grant(past: &Past, word: Word) -> Option<Grant> {
    let grantee = match word {
        Word::Denies | Word::Silent => return None,
        Word::Allows(Reach::Direct) => past.principal.arn().parse().ok()?,
        Word::Allows(Reach::Behind) => behind(&past.principal)?,
        Word::Allows(Reach::Account) => PrincipalName::Account(past.principal.account()?.to_owned()),
    };
    Some(Grant {
        id: "any grant".into(),
        name: None,
        grantee,
        retiring: None,
        operations: Operations::from_names(GrantOperation::ALL.iter().map(|name| name.as_str()))?,
        constraints: Constraints::default(),
        issuing_account: past.owner().unwrap_or_default().to_owned(),
        created: Timestamp(0),
        consistent: true,
    })
}

fn behind(principal: &Principal) -> Option<PrincipalName> {
    PrincipalName::all_of(principal)
        .into_iter()
        .find(|name| name.reach(principal) == Some(Reach::Behind) && !matches!(name, PrincipalName::Id(_)))
}

/// One document for each word, with and without principals.
struct StandIns(Vec<(Kind, Word, Document)>);

impl StandIns {
    fn get() -> &'static Self {
        static ALL: OnceLock<StandIns> = OnceLock::new();
        ALL.get_or_init(|| {
            let mut all = Vec::new();
            for (kind, principal) in [(Kind::Identity, ""), (Kind::Endpoint, r#""Principal":"*","#)] {
                for (word, effect, action) in
                    [(Word::Denies, "Deny", "*"), (ANY, "Allow", "*"), (Word::Silent, "Allow", "kannuki:Nothing")]
                {
                    let text = format!(
                        r#"{{"Statement":{{"Effect":"{effect}",{principal}"Action":"{action}","Resource":"*"}}}}"#
                    );
                    all.extend(Document::parse(&text, kind).ok().map(|document| (kind, word, document)));
                }
            }
            StandIns(all)
        })
    }

    /// INVARIANT: there is one for each word of these two kinds; a layer without a document would not allow either.
    fn of(&self, kind: Kind, word: Word) -> Option<&Document> {
        self.0.iter().find(|(of, said, _)| *of == kind && *said == word).map(|(.., document)| document)
    }
}
