//! A region's data folder with as many keys as asked for, made by the code that serves it: each batch of keys is one
//! manifest applied in process. Every key has the default policy, one alias and two tags.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use kms_core::clock::{Clock as _, SystemClock};
use kms_core::id::{KeyId, Place};
use kms_core::region::{Region, RegionOptions};
use kms_core::registry::DeclaredKey;
use kms_gateway::config::{Config, Port, RegionName};
use kms_gateway::manifest;
use kms_gateway::setup::{self, Origin, Plan};

use crate::Outcome;

/// Three rows a key; a batch of the store has at most 4096.
const BATCH_KEYS: usize = 1200;
const ACCOUNT: &str = "111122223333";
pub(crate) const ADDRESS: &str = "127.0.10.1";
pub(crate) const REGION: &str = "us-east-1";
pub(crate) const ACCESS_KEY_ID: &str = "AKIASCALEADMIN222222";
/// Made up; opens nothing but this region.
pub(crate) const SECRET: &str = "scale/administrator/not/a/real/secret/00";
const MANIFEST: &str = r#"
[[account]]
id = "111122223333"
name = "scale"

[[account.user]]
name = "administrator"
policies = [{ name = "everything", document = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*"}]}' }]
access_keys = [{ id = "AKIASCALEADMIN222222", secret = "scale/administrator/not/a/real/secret/00" }]

[[vpc]]
id = "vpc-0aaaaaaaaaaaaaaa1"
account = "111122223333"
cidrs = ["127.0.0.0/8"]

[[endpoint]]
id = "vpce-0aaaaaaaaaaaaaaa1"
vpc = "vpc-0aaaaaaaaaaaaaaa1"
interfaces = [{ zone = "us-east-1a", address = "127.0.10.1" }]
"#;

/// A data folder that is ready to be served, and what is in it.
pub(crate) struct Seeded {
    pub(crate) data: PathBuf,
    pub(crate) manifest: PathBuf,
    pub(crate) ca: PathBuf,
    pub(crate) keys: Vec<KeyId>,
}

impl Seeded {
    pub(crate) fn store_bytes(&self) -> io::Result<u64> {
        Ok(fs::metadata(self.data.join("store.redb"))?.len())
    }
}

/// Makes the region in `data`.
pub(crate) fn region(data: &Path, count: usize) -> Outcome<Seeded> {
    let manifest_path = data.with_extension("toml");
    fs::write(&manifest_path, MANIFEST)?;
    let region: RegionName = REGION.parse()?;
    let mut config = Config::new(&region, data, Port::default());
    config.manifest = Some(manifest_path.clone());
    let plan = setup::plan(config, Origin::File, SystemClock.now())?;
    let keys: Vec<KeyId> = (0..count).map(|_| KeyId::random()).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(declare(&plan, &keys))?;
    let ca = plan.ca.clone().ok_or("the region has no CA of its own")?;
    Ok(Seeded { data: data.to_owned(), manifest: manifest_path, ca, keys })
}

async fn declare(plan: &Plan, keys: &[KeyId]) -> Outcome<()> {
    let region = Region::open(&options(&plan.config), Arc::new(SystemClock))?;
    for batch in keys.chunks(BATCH_KEYS) {
        let mut declared = manifest::parse(Path::new(""), MANIFEST)?;
        declared.keys = batch.iter().map(key).collect();
        region.declare(&declared).await?;
    }
    Ok(())
}

fn key(id: &KeyId) -> DeclaredKey {
    let tags = [("env", "prod"), ("owner", "scale")];
    DeclaredKey {
        id: id.to_string(),
        account: ACCOUNT.to_owned(),
        description: "one of many".to_owned(),
        aliases: vec![alias(id)],
        tags: tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into_iter().collect::<BTreeMap<_, _>>(),
        policy: None,
    }
}

/// The alias of a key.
pub(crate) fn alias(id: &KeyId) -> String {
    format!("alias/scale/{id}")
}

fn options(config: &Config) -> RegionOptions {
    RegionOptions {
        place: Place::new(&config.region.partition, &config.region.name),
        data: config.region.data.clone(),
        seal_key_file: config.seal.key_file.clone(),
        hsm_slots: config.hsm.slots,
        audit_file_bytes_max: config.audit.file_bytes_max,
        audit_keep_bytes: config.audit.keep_bytes,
        account_rate: None,
        key_rate: None,
        writers: 1,
    }
}
