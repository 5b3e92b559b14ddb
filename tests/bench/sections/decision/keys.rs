//! Keys to decide about, made through the pipeline of a region in this process and taken from its view: one without
//! grants, one with 10,000 of as many grantees, one with as many of a single grantee.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix::{Actor as _, Addr};
use futures_util::future::try_join_all;
use kms_core::audit::Desk;
use kms_core::authz::default_key_policy;
use kms_core::clock::SystemClock;
use kms_core::entry::{Entry, Service};
use kms_core::id::{KeyId, Place};
use kms_core::key_manager::KeyManager;
use kms_core::operation;
use kms_core::region::{Region, RegionOptions};
use kms_core::registry::{AccessKey, Account, DeclaredKey, Endpoint, Manifest, NamedPolicy, Plaintext, User, Vpc};
use kms_core::request::{Asked, Caller, Meta, Proof, Source};
use kms_core::view::KeyEntry;
use serde_json::json;

use crate::Outcome;

/// Who asks.
pub(super) const PRINCIPAL: &str = "arn:aws:iam::111122223333:user/ana";
pub(super) const GRANTED: usize = 10_000;
pub(super) const SHARED: usize = 10_000;
const ACCOUNT: &str = "111122223333";
const VPC: &str = "vpc-0aaaaaaaaaaaaaaa1";
/// What the key policy denies to all but one network is granted through it.
const ENDPOINT: &str = "vpce-0aaaaaaaaaaaaaaa1";
const IDS: [&str; 3] = [
    "0000aaaa-bbbb-4ccc-8ddd-000000000001",
    "0000aaaa-bbbb-4ccc-8ddd-000000000002",
    "0000aaaa-bbbb-4ccc-8ddd-000000000003",
];
/// As many as the store takes into one transaction.
const TOGETHER: usize = 200;

pub(super) struct Keys {
    pub(super) plain: Arc<KeyEntry>,
    pub(super) granted: Arc<KeyEntry>,
    pub(super) shared: Arc<KeyEntry>,
}

impl Keys {
    /// On a file system in memory: nothing of it is to last.
    pub(super) fn make() -> Outcome<Self> {
        let folder = tempfile::Builder::new().prefix("kannuki-bench-").tempdir_in("/dev/shm")?;
        actix::System::new().block_on(make(folder.path()))
    }
}

async fn make(folder: &Path) -> Outcome<Keys> {
    let region = Region::open(&options(folder), Arc::new(SystemClock))?;
    region.declare(&manifest()).await?;
    let clerk =
        Clerk { desk: region.desk("bench")?, manager: KeyManager::new(region.clone()).start(), region: region.clone() };
    let [_, granted, shared] = IDS;
    // The first is the caller's; the others are those of as many services.
    let service = |index: usize| {
        json!({ "KeyId": granted, "GranteeServicePrincipal": format!("s{index}.amazonaws.com"),
            "RetiringPrincipal": PRINCIPAL, "Operations": ["Decrypt", "DescribeKey"],
            "Constraints": { "SourceArn": format!("arn:aws:backup:us-east-1:{ACCOUNT}:vault-{index}") } })
    };
    let user = |key: &str| json!({ "KeyId": key, "GranteePrincipal": PRINCIPAL, "Operations": ["Decrypt"] });
    let bodies = std::iter::once(user(granted)).chain((1..GRANTED).map(service));
    clerk.grant(bodies.chain((0..SHARED).map(|_| user(shared))).collect()).await?;
    let view = region.view();
    let key = |id: &str| view.key(KeyId::parse(id)?).cloned();
    let [plain, granted, shared] = IDS.map(key);
    let keys = Keys {
        plain: plain.ok_or("a key is missing")?,
        granted: granted.ok_or("a key is missing")?,
        shared: shared.ok_or("a key is missing")?,
    };
    let counts = [&keys.plain, &keys.granted, &keys.shared].map(|key| key.grant_count());
    if counts == [0, GRANTED, SHARED] { Ok(keys) } else { Err(format!("keys with {counts:?} grants").into()) }
}

/// Makes grants, as the administrator.
struct Clerk {
    region: Arc<Region>,
    desk: Desk,
    manager: Addr<KeyManager>,
}

impl Clerk {
    async fn grant(&self, bodies: Vec<serde_json::Value>) -> Outcome<()> {
        for bodies in bodies.chunks(TOGETHER) {
            try_join_all(bodies.iter().map(|body| self.create_grant(body.to_string()))).await?;
        }
        Ok(())
    }

    async fn create_grant(&self, body: String) -> Outcome<()> {
        let asked = Arc::new(self.asked()?);
        let entry = Entry::open(self.desk.clone(), &self.region.view(), &asked, Service::Kms, "CreateGrant");
        let spec = operation::find("CreateGrant").ok_or("there is no CreateGrant")?;
        let prepared = (spec.prepare)(&self.region, asked, entry, body.as_bytes());
        let prepared = prepared.map_err(|turned| format!("CreateGrant: {}", turned.error.message()))?;
        let answered = prepared.send(&self.manager).await.ok_or("the key manager is gone")?;
        let outcome = answered.outcome.map_err(|error| format!("CreateGrant: {}", error.message()));
        answered.entry.close(Ok(outcome?.elements.as_deref()))?.written().await?;
        Ok(())
    }

    fn asked(&self) -> Outcome<Asked> {
        let view = self.region.view();
        let identity = view.identity("arn:aws:iam::111122223333:user/administrator").ok_or("no administrator")?;
        Ok(Asked {
            caller: Caller {
                principal: identity.principal.clone(),
                arn: identity.arn.clone(),
                account: identity.account,
                access_key: "AKIABENCHadministrator".into(),
                session: None,
            },
            source: Source::Endpoint {
                id: ENDPOINT.into(),
                address: "10.1.2.3".parse()?,
                proof: Proof::Listener { zone: "us-east-1a".into() },
            },
            meta: Meta {
                request_id: "bench".into(),
                user_agent: None,
                referer: None,
                tls: None,
                host: None,
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

fn manifest() -> Manifest {
    let user = |name: &str, document: &str| User {
        name: name.to_owned(),
        path: "/".to_owned(),
        policies: vec![NamedPolicy { name: "own".to_owned(), document: document.to_owned() }],
        access_keys: vec![AccessKey {
            id: Some(format!("AKIABENCH{name}")),
            secret: Some(Plaintext::new(b"a secret that nobody signs with".to_vec())),
        }],
        ..User::default()
    };
    let everything = r#"{"Statement":{"Effect":"Allow","Action":"kms:*","Resource":"*"}}"#;
    let key = |id: &&str| DeclaredKey {
        id: (*id).to_owned(),
        account: ACCOUNT.to_owned(),
        description: String::new(),
        aliases: Vec::new(),
        tags: BTreeMap::from([("env".to_owned(), "prod".to_owned())]),
        policy: Some(key_policy()),
    };
    Manifest {
        organizations: Vec::new(),
        accounts: vec![Account {
            id: ACCOUNT.to_owned(),
            name: "bench".to_owned(),
            users: vec![user("administrator", everything), user("ana", everything)],
            ..Account::default()
        }],
        vpcs: vec![Vpc { id: VPC.to_owned(), account: ACCOUNT.to_owned(), cidrs: Vec::new(), tags: BTreeMap::new() }],
        endpoints: vec![Endpoint {
            id: ENDPOINT.to_owned(),
            vpc: VPC.to_owned(),
            account: ACCOUNT.to_owned(),
            policy: None,
            tags: BTreeMap::new(),
            interfaces: Vec::new(),
            client_ranges: None,
        }],
        keys: IDS.iter().map(key).collect(),
    }
}

/// Five statements: four, and the default policy's, which leaves it to the account.
fn key_policy() -> String {
    default_key_policy(ACCOUNT).replace(
        "\"Statement\" : [",
        r#""Statement" : [
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/administrator"},
         "Action":["kms:Create*","kms:Describe*","kms:Put*"],"Resource":"*"},
        {"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:user/administrator"},
         "Action":["kms:Encrypt","kms:Decrypt"],"Resource":"*"},
        {"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*","Resource":"*",
         "Condition":{"Bool":{"kms:GrantIsForAWSResource":true}}},
        {"Effect":"Deny","Principal":"*","Action":"kms:*","Resource":"*",
         "Condition":{"NotIpAddress":{"aws:VpcSourceIp":"10.0.0.0/8"}}},"#,
    )
}
