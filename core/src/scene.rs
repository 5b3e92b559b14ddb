//! A region in a folder of its own, with people in two accounts and three endpoints, for the tests of this crate.
//! Speaks as the gateway does: asks in JSON, and judges nothing itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor as _, Addr};
use serde_json::{Value, json};

use crate::audit::Desk;
use crate::clock::{FakeClock, Timestamp};
use crate::entry::{Entry, Service};
use crate::error::KmsError;
use crate::id::Place;
use crate::key_manager::{Execute, KeyManager};
use crate::operation::{Operation, find};
use crate::region::{Region, RegionOptions};
use crate::registry::{AccessKey, Account, Endpoint, Manifest, NamedPolicy, Plaintext, User, Vpc};
use crate::request::{Asked, Caller, Meta, Proof, Source, Tls, resolve_targets};

pub(crate) const HERE: &str = "111122223333";
pub(crate) const ELSEWHERE: &str = "444455556666";
/// An endpoint with the default policy, one that wants keys with the tag `env` of the VPC, and one for nothing at all.
pub(crate) const OPEN: &str = "vpce-0open";
pub(crate) const TAGGED: &str = "vpce-0tagged";
pub(crate) const SHUT: &str = "vpce-0shut";

const EVERYTHING: &str = r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}"#;

pub(crate) struct Scene {
    pub(crate) region: Arc<Region>,
    pub(crate) clock: FakeClock,
    _folder: tempfile::TempDir,
    desk: Desk,
    manager: Addr<KeyManager>,
}

/// Runs a test in a new region.
pub(crate) fn play(test: impl AsyncFnOnce(Scene)) {
    actix::System::new().block_on(async { test(Scene::open().await).await });
}

pub(crate) fn options(folder: &std::path::Path) -> RegionOptions {
    RegionOptions {
        place: Place::new("aws", "us-east-1"),
        data: folder.to_owned(),
        seal_key_file: folder.join("seal"),
        hsm_slots: 2,
        audit_file_bytes_max: 1 << 20,
        audit_keep_bytes: 1 << 24,
        account_rate: None,
        key_rate: None,
        writers: 1,
    }
}

/// `admin` of the first account and `stranger` of the second may do everything as far as their own account goes;
/// `nobody` and `someone`, of the first, have no policy.
pub(crate) fn manifest() -> Manifest {
    let user = |account: &str, name: &str, policy: Option<&str>| User {
        name: name.to_owned(),
        path: "/".to_owned(),
        policies: policy
            .map(|text| NamedPolicy { name: "own".to_owned(), document: text.to_owned() })
            .into_iter()
            .collect(),
        access_keys: vec![AccessKey {
            id: Some(format!("AKIA{account}{name}")),
            secret: Some(Plaintext::new(b"a secret of this test's own".to_vec())),
        }],
        ..User::default()
    };
    let account = |id: &str, users| Account { id: id.to_owned(), name: id.to_owned(), users, ..Account::default() };
    let tagged = json!({ "Statement": { "Effect": "Allow", "Principal": "*", "Action": "kms:*", "Resource": "*",
        "Condition": { "StringEquals": { "aws:ResourceTag/env": "prod" } } } });
    let shut = json!({ "Statement": { "Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*" } });
    let endpoint = |id: &str, policy: Option<String>| Endpoint {
        id: id.to_owned(),
        vpc: "vpc-1".to_owned(),
        account: HERE.to_owned(),
        policy,
        tags: BTreeMap::new(),
        interfaces: Vec::new(),
        client_ranges: None,
    };
    Manifest {
        accounts: vec![
            account(
                HERE,
                vec![user(HERE, "admin", Some(EVERYTHING)), user(HERE, "nobody", None), user(HERE, "someone", None)],
            ),
            account(ELSEWHERE, vec![user(ELSEWHERE, "stranger", Some(EVERYTHING))]),
        ],
        organizations: Vec::new(),
        vpcs: vec![Vpc {
            id: "vpc-1".to_owned(),
            account: HERE.to_owned(),
            cidrs: vec!["10.0.0.0/16".parse().unwrap()],
            tags: BTreeMap::new(),
        }],
        endpoints: vec![
            endpoint(OPEN, None),
            endpoint(TAGGED, Some(tagged.to_string())),
            endpoint(SHUT, Some(shut.to_string())),
        ],
        keys: Vec::new(),
    }
}

pub(crate) fn arn(name: &str) -> String {
    let account = if name == "stranger" { ELSEWHERE } else { HERE };
    format!("arn:aws:iam::{account}:user/{name}")
}

impl Scene {
    async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = FakeClock::at(Timestamp(1_790_000_000_000));
        let region = Region::open(&options(folder.path()), Arc::new(clock.clone())).unwrap();
        region.declare(&manifest()).await.unwrap();
        let desk = region.desk("test").unwrap();
        let manager = KeyManager::new(region.clone()).start();
        Self { region, clock, _folder: folder, desk, manager }
    }

    /// A user, as the gateway knows it once its signature was verified.
    pub(crate) fn caller(&self, who: &str) -> Caller {
        let view = self.region.view();
        let identity = view.identity(&arn(who)).unwrap();
        Caller {
            principal: identity.principal.clone(),
            arn: identity.arn.clone(),
            account: identity.account,
            access_key: format!("AKIA{}{who}", identity.account).into(),
            session: None,
        }
    }

    pub(crate) fn asked(&self, caller: Caller, endpoint: Option<&str>) -> Arc<Asked> {
        let address = "10.0.0.7".parse().unwrap();
        Arc::new(Asked {
            caller,
            source: match endpoint {
                Some(id) => Source::Endpoint { id: id.into(), address, proof: Proof::Listener { zone: "a".into() } },
                None => Source::Public { address },
            },
            meta: Meta {
                request_id: "r".into(),
                user_agent: None,
                referer: None,
                tls: Some(Arc::new(Tls {
                    version: "TLSv1.3",
                    cipher_suite: "TLS_AES_256_GCM_SHA384".to_owned(),
                    key_exchange: None,
                })),
                host: None,
                received_at: self.region.clock().now(),
                deadline: Instant::now() + Duration::from_secs(20),
            },
        })
    }

    fn entry(&self, asked: &Arc<Asked>, name: &str) -> Entry {
        Entry::open(self.desk.clone(), &self.region.view(), asked, Service::Kms, name.to_owned())
    }

    pub(crate) fn sts_entry(&self, asked: &Arc<Asked>, name: &str) -> Entry {
        Entry::open(self.desk.clone(), &self.region.view(), asked, Service::Sts, name.to_owned())
    }

    /// What `who` is answered.
    pub(crate) async fn ask(&self, who: &str, name: &str, body: Value) -> Result<Value, KmsError> {
        self.ask_through(None, who, name, body).await
    }

    pub(crate) async fn ask_through(
        &self,
        endpoint: Option<&str>,
        who: &str,
        name: &str,
        body: Value,
    ) -> Result<Value, KmsError> {
        self.ask_as(endpoint, self.caller(who), name, body).await
    }

    pub(crate) async fn ask_as(
        &self,
        endpoint: Option<&str>,
        caller: Caller,
        name: &str,
        body: Value,
    ) -> Result<Value, KmsError> {
        let asked = self.asked(caller, endpoint);
        let entry = self.entry(&asked, name);
        let body = serde_json::to_vec(&body).unwrap();
        let prepared = match (find(name).unwrap().prepare)(&self.region, asked, entry, &body) {
            Ok(prepared) => prepared,
            Err(turned) => {
                drop(turned.entry.close(Err(&turned.error)).unwrap());
                return Err(turned.error);
            }
        };
        let answered = prepared.send(&self.manager).await.unwrap();
        drop(answered.entry.close(answered.outcome.as_ref().map(|reply| reply.elements.as_deref())).unwrap());
        answered.outcome.map(|reply| serde_json::from_slice(&reply.body).unwrap())
    }

    /// Whether a request counts against a key's rate.
    pub(crate) fn counted(&self, who: &str, name: &str, body: Value) -> bool {
        let asked = self.asked(self.caller(who), None);
        let entry = self.entry(&asked, name);
        let body = serde_json::to_vec(&body).unwrap();
        (find(name).unwrap().prepare)(&self.region, asked, entry, &body).unwrap().key.is_some()
    }

    /// A request as it stands before a key manager has judged it.
    pub(crate) fn execute<Op: Operation>(&self, who: &str, body: Value) -> Execute<Op> {
        use crate::model::Request as _;
        let asked = self.asked(self.caller(who), None);
        let entry = self.entry(&asked, Op::SPEC.name);
        let input = Arc::new(Op::Input::parse(&serde_json::to_vec(&body).unwrap()).unwrap());
        let view = self.region.view();
        let targets = resolve_targets(Op::SPEC, &view, &asked, &*input).unwrap();
        Execute { asked, input, view, targets, entry }
    }

    /// A new key of the first account: its ARN.
    pub(crate) async fn key(&self, more: Value) -> String {
        let made = self.ask("admin", "CreateKey", more).await.unwrap();
        made["KeyMetadata"]["Arn"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn grant(&self, key: &str, to: &str, operations: &[&str]) -> Value {
        let body = json!({ "KeyId": key, "GranteePrincipal": arn(to), "Operations": operations });
        self.ask("admin", "CreateGrant", body).await.unwrap()
    }
}
