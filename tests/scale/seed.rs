//! A region's data folder with as many keys as asked for, made by the code that serves it: each batch of keys is one
//! manifest applied in process. Every key has the default policy, one alias and two tags. The same number of keys is
//! the same keys each time, so that a region that is there already can be measured again.

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

/// Teams that the keys belong to, by their second tag.
const TEAMS: usize = 1000;

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

/// Makes the region in `data`, or takes the one that an earlier run has left there.
pub(crate) fn region(data: &Path, count: usize) -> Outcome<Seeded> {
    let (manifest_path, done) = (data.with_extension("toml"), data.with_extension("seeded"));
    fs::write(&manifest_path, MANIFEST)?;
    let region: RegionName = REGION.parse()?;
    let mut config = Config::new(&region, data, Port::default());
    config.manifest = Some(manifest_path.clone());
    let plan = setup::plan(config, Origin::File, SystemClock.now())?;
    let keys = ids(count)?;
    if !done.exists() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(declare(&plan, &keys))?;
        fs::write(done, "")?;
    }
    let ca = plan.ca.clone().ok_or("the region has no CA of its own")?;
    Ok(Seeded { data: data.to_owned(), manifest: manifest_path, ca, keys })
}

/// As random as any, and in order: batches of neighbours are the quicker to store.
fn ids(count: usize) -> Outcome<Vec<KeyId>> {
    let mut state = 0;
    let mut ids = Vec::with_capacity(count);
    for _ in 0..count {
        let hex = format!("{:016x}{:016x}", random(&mut state), random(&mut state));
        let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
        let text = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-");
        ids.push(KeyId::parse(&text).ok_or("not a key id")?);
    }
    ids.sort_unstable();
    Ok(ids)
}

/// SplitMix64: numbers that look random, the same ones each time.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mixed = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

async fn declare(plan: &Plan, keys: &[KeyId]) -> Outcome<()> {
    let region = Region::open(&options(&plan.config), Arc::new(SystemClock))?;
    for batch in keys.chunks(BATCH_KEYS) {
        let mut declared = manifest::parse(Path::new(""), MANIFEST)?;
        declared.keys = batch.iter().enumerate().map(|(at, id)| key(id, at % TEAMS)).collect();
        region.declare(&declared).await?;
    }
    Ok(())
}

fn key(id: &KeyId, team: usize) -> DeclaredKey {
    let tags = [("env", "prod".to_owned()), ("owner", format!("team-{team}"))];
    DeclaredKey {
        id: id.to_string(),
        account: ACCOUNT.to_owned(),
        description: "one of many".to_owned(),
        aliases: vec![alias(id)],
        tags: tags.map(|(key, value)| (key.to_owned(), value)).into_iter().collect::<BTreeMap<_, _>>(),
        policy: None,
    }
}

/// The alias of a key. In another order than the keys, as aliases are.
pub(crate) fn alias(id: &KeyId) -> String {
    format!("alias/scale/{}", id.as_str().chars().rev().collect::<String>())
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
