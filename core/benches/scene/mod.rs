//! A region in this process, asked through the pipeline as the gateway asks it: one key behind an endpoint, an
//! administrator. Knows what the gateway does for a request, and nothing of what is timed.

#![allow(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor as _, Addr};
use kms_core::audit::Desk;
use kms_core::clock::SystemClock;
use kms_core::entry::{Entry, Service};
use kms_core::id::Place;
use kms_core::key_manager::{Answered, KeyManager};
use kms_core::operation;
use kms_core::region::{Region, RegionOptions};
use kms_core::registry::{AccessKey, Account, DeclaredKey, Endpoint, Manifest, NamedPolicy, Plaintext, User, Vpc};
use kms_core::request::{Asked, Caller, Meta, Prepared, Proof, Source, Tls};
use serde_json::Value;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const ADMINISTRATOR: &str = "arn:aws:iam::111122223333:user/administrator";
const ACCESS_KEY: &str = "AKIABENCHBENCHBENCHB";
const VPC: &str = "vpc-0aaaaaaaaaaaaaaa1";
const ENDPOINT: &str = "vpce-0aaaaaaaaaaaaaaa1";

pub(crate) struct Scene {
    pub(crate) region: Arc<Region>,
    desk: Desk,
    manager: Addr<KeyManager>,
    _folder: tempfile::TempDir,
}

impl Scene {
    /// Within an actix system. `policy` is the key's.
    pub(crate) async fn open(policy: Option<String>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let region = Region::open(&options(folder.path()), Arc::new(SystemClock)).unwrap();
        region.declare(&manifest(policy)).await.unwrap();
        let desk = region.desk("bench").unwrap();
        let manager = KeyManager::new(region.clone()).start();
        Self { region, desk, manager, _folder: folder }
    }

    /// What the administrator is answered; it must be a success.
    pub(crate) async fn ask(&self, operation: &str, body: &Value) -> Value {
        let answered = self.answer(self.prepare(operation, body.to_string().as_bytes())).await;
        serde_json::from_slice(&answered).unwrap()
    }

    /// Parsed, resolved and let through by the endpoint's policy.
    pub(crate) fn prepare(&self, operation: &str, body: &[u8]) -> Prepared {
        let asked = self.asked();
        let entry = Entry::open(self.desk.clone(), &self.region.view(), &asked, Service::Kms, operation.to_owned());
        (operation::find(operation).unwrap().prepare)(&self.region, asked, entry, body).unwrap()
    }

    /// Judged, run, recorded.
    pub(crate) async fn answer(&self, prepared: Prepared) -> Vec<u8> {
        let Answered { outcome, entry } = prepared.send(&self.manager).await.unwrap();
        let reply = outcome.unwrap();
        entry.close(Ok(reply.elements.as_deref())).unwrap().written().await.unwrap();
        reply.body.to_vec()
    }

    fn asked(&self) -> Arc<Asked> {
        let view = self.region.view();
        let identity = view.identity(ADMINISTRATOR).unwrap();
        Arc::new(Asked {
            caller: Caller {
                principal: identity.principal.clone(),
                arn: identity.arn.clone(),
                account: identity.account,
                access_key: ACCESS_KEY.into(),
                session: None,
            },
            source: Source::Endpoint {
                id: ENDPOINT.into(),
                address: "10.1.2.3".parse().unwrap(),
                proof: Proof::Listener { zone: "us-east-1a".into() },
            },
            meta: Meta {
                request_id: "0f8a2a3e-5b1c-4a6e-9d55-0a1b2c3d4e5f".into(),
                user_agent: Some("aws-sdk-rust/1.3.10 os/linux lang/rust/1.95.0".into()),
                referer: None,
                tls: Some(Arc::new(Tls {
                    version: "TLSv1.3",
                    cipher_suite: "TLS_AES_256_GCM_SHA384".to_owned(),
                    key_exchange: Some("X25519MLKEM768".to_owned()),
                })),
                host: Some("kms.us-east-1.amazonaws.com".into()),
                received_at: self.region.clock().now(),
                deadline: Instant::now() + Duration::from_secs(30),
            },
        })
    }
}

fn options(folder: &Path) -> RegionOptions {
    RegionOptions {
        place: Place::new("aws", "us-east-1"),
        data: folder.to_owned(),
        seal_key_file: folder.join("seal.key"),
        hsm_slots: 2,
        audit_file_bytes_max: 64 << 20,
        audit_keep_bytes: 1 << 30,
        account_rate: None,
        key_rate: None,
        writers: 1,
    }
}

fn manifest(policy: Option<String>) -> Manifest {
    let everything = r#"{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}"#;
    let administrator = User {
        name: "administrator".to_owned(),
        path: "/".to_owned(),
        policies: vec![NamedPolicy { name: "everything".to_owned(), document: everything.to_owned() }],
        access_keys: vec![AccessKey {
            id: Some(ACCESS_KEY.to_owned()),
            secret: Some(Plaintext::new(b"a secret that nobody signs with".to_vec())),
        }],
        ..User::default()
    };
    Manifest {
        accounts: vec![Account {
            id: ACCOUNT.to_owned(),
            name: "bench".to_owned(),
            users: vec![administrator],
            ..Account::default()
        }],
        organizations: Vec::new(),
        vpcs: vec![Vpc {
            id: VPC.to_owned(),
            account: ACCOUNT.to_owned(),
            cidrs: Vec::new(),
            tags: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
        }],
        endpoints: vec![Endpoint {
            id: ENDPOINT.to_owned(),
            vpc: VPC.to_owned(),
            account: ACCOUNT.to_owned(),
            policy: None,
            tags: BTreeMap::new(),
            interfaces: Vec::new(),
            client_ranges: None,
        }],
        keys: vec![DeclaredKey {
            id: KEY.to_owned(),
            account: ACCOUNT.to_owned(),
            description: String::new(),
            aliases: vec!["alias/demo".to_owned()],
            tags: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
            policy,
        }],
    }
}
