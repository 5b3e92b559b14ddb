//! Has a manifest take effect, in one step or not at all, and says what it changed. Which access keys are made, and
//! whether a manifest's file has anything new to say, is decided here; what rows come of a manifest, `declare` knows.

use std::collections::BTreeSet;
use std::time::Instant;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kms_hsm::command::{Authenticate, GenerateRandom, Purpose};

use super::Region;
use super::declare::{DeclareError, WAIT};
use super::declared::{Declared, sha256};
use crate::error::KmsError;
use crate::registry::{Change, Manifest, Plaintext, changes};
use crate::store::Revision;

const TRIES_MAX: usize = 8;
const ID_RANDOM_BYTES: usize = 16;
/// 240 bits, 40 characters in base 64: as long as AWS's secrets.
const SECRET_RANDOM_BYTES: usize = 30;

/// Whether access keys that a manifest declares without an id are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Making {
    /// Somebody is there who is shown the secrets.
    Now,
    /// Nobody is: they are left for when somebody is.
    Later,
}

/// What a manifest did.
#[derive(Debug)]
pub struct Applied {
    pub changes: Vec<Change>,
    pub made: Vec<MadeKey>,
    /// The region's revision from which on it holds.
    pub revision: Revision,
    /// SHA-256 of the declaration before and after, without secrets.
    pub before: [u8; 32],
    pub after: [u8; 32],
}

impl Applied {
    /// SHA-256 of the lines that say what was changed.
    pub fn digest(&self) -> [u8; 32] {
        let lines: String = self.changes.iter().map(|change| format!("{change}\n")).collect();
        sha256(lines.as_bytes())
    }
}

/// An access key that the service made. Its secret is known here for the last time.
#[derive(Debug)]
pub struct MadeKey {
    pub account: String,
    pub user: String,
    pub id: String,
    pub secret: Plaintext,
}

impl Region {
    /// Makes the region as the manifest declares it. A manifest that declares nothing at all changes nothing.
    pub async fn declare(&self, manifest: &Manifest) -> Result<(), DeclareError> {
        if is_empty(manifest) {
            return Ok(());
        }
        self.apply(manifest.clone(), Making::Later, None).await.map(drop)
    }

    /// Makes the region as the manifest declares it, and answers once no request goes by anything else. `file` is the
    /// mark of the file that is read at start, as it stands now; `None` leaves what is known of it.
    ///
    /// # Errors
    /// `Malformed` with all that is wrong, also for a manifest that declares nothing; then nothing was changed.
    pub async fn apply(
        &self,
        mut manifest: Manifest,
        making: Making,
        file: Option<[u8; 32]>,
    ) -> Result<Applied, DeclareError> {
        if is_empty(&manifest) {
            return Err(DeclareError::wrong("the manifest", "it declares nothing"));
        }
        let mut made = Vec::new();
        for _ in 0..TRIES_MAX {
            let view = self.view();
            let before = Declared::of(&view)?;
            self.name_keys(&mut manifest, &before, making, &mut made).await?;
            let drafted = self.draft(&view, &manifest).await?;
            let changes = said(&before, &manifest, &drafted.secrets);
            let after = before.followed_by(&manifest, &made, file);
            let (digest_before, digest_after) = (before.digest(), after.digest());
            let batch = after.write(&view, drafted.batch);
            let revision = if batch.writes.is_empty() {
                Ok(view.revision)
            } else {
                self.store.commit(batch).await.map_err(KmsError::from)
            };
            match revision {
                Ok(revision) => {
                    return Ok(Applied { changes, made, revision, before: digest_before, after: digest_after });
                }
                Err(KmsError::Conflict) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(KmsError::Overloaded.into())
    }

    /// What `apply` would change. An access key that it would make has no id in it.
    pub async fn preview(&self, mut manifest: Manifest) -> Result<Vec<Change>, DeclareError> {
        if is_empty(&manifest) {
            return Err(DeclareError::wrong("the manifest", "it declares nothing"));
        }
        let view = self.view();
        let before = Declared::of(&view)?;
        self.name_keys(&mut manifest, &before, Making::Later, &mut Vec::new()).await?;
        let drafted = self.draft(&view, &manifest).await?;
        Ok(said(&before, &manifest, &drafted.secrets))
    }

    /// The mark of the manifest of the file that is read at start, if it is to be applied: not when it says what it said
    /// when the region was last declared, so that what was applied since then stays, nor when it declares nothing.
    pub async fn news(&self, manifest: &Manifest) -> Result<Option<[u8; 32]>, DeclareError> {
        if is_empty(manifest) {
            return Ok(None);
        }
        let mark = self.mark(manifest).await?;
        let known = Declared::of(&self.view())?.file;
        Ok(Some(mark).filter(|mark| known.as_ref() != Some(mark)))
    }

    /// What the region was last declared to be, without secrets.
    pub fn declared(&self) -> Result<Manifest, DeclareError> {
        Ok(Declared::of(&self.view())?.manifest)
    }

    /// Tells whether a manifest, its secrets included, is the same as another. Keyed, as secrets may be guessable.
    pub async fn mark(&self, manifest: &Manifest) -> Result<[u8; 32], DeclareError> {
        let mut all = Context::new(&SHA256);
        all.update(manifest.canonical().as_bytes());
        for (_, _, key) in manifest.access_keys() {
            let secret = key.secret.as_ref().map(Plaintext::expose).unwrap_or_default();
            all.update(&secret.len().to_be_bytes());
            all.update(secret);
        }
        let messages = vec![all.finish().as_ref().to_vec()];
        let command = Authenticate { purpose: Purpose::Manifest, messages };
        let marks = self.hsm.run(command, Instant::now() + WAIT).await.map_err(KmsError::from)?;
        marks.first().copied().ok_or_else(|| KmsError::internal("the HSM made no mark").into())
    }

    /// Gives an id to access keys that are declared without one: of those that were made for the same user before and
    /// are not named, and then new ones.
    async fn name_keys(
        &self,
        manifest: &mut Manifest,
        before: &Declared,
        making: Making,
        made: &mut Vec<MadeKey>,
    ) -> Result<(), DeclareError> {
        let named: BTreeSet<String> = manifest.access_keys().filter_map(|(_, _, key)| key.id.clone()).collect();
        let is_free = |id: &&String| before.made.contains(*id) && !named.contains(*id);
        for account in &mut manifest.accounts {
            for user in &mut account.users {
                let known = before.manifest.access_keys();
                let own = known.filter(|(in_account, of_user, _)| *in_account == account.id && *of_user == user.name);
                let mut free = own.filter_map(|(_, _, key)| key.id.as_ref()).filter(is_free);
                for key in user.access_keys.iter_mut().filter(|key| key.id.is_none()) {
                    if let Some(id) = free.next() {
                        key.id = Some(id.clone());
                    } else if making == Making::Now {
                        let (id, secret) = self.new_access_key().await?;
                        let shown = Plaintext::new(secret.expose().to_vec());
                        (key.id, key.secret) = (Some(id.clone()), Some(secret));
                        let (account, user) = (account.id.clone(), user.name.clone());
                        made.push(MadeKey { account, user, id, secret: shown });
                    }
                }
            }
        }
        Ok(())
    }

    /// An id as AWS's look (`AKIA` and 80 random bits in base 32), and a secret.
    async fn new_access_key(&self) -> Result<(String, Plaintext), DeclareError> {
        const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
        let command = GenerateRandom { length: ID_RANDOM_BYTES + SECRET_RANDOM_BYTES };
        let random = self.hsm.run(command, Instant::now() + WAIT).await.map_err(KmsError::from)?;
        let (of_id, of_secret) = random.expose().split_at(ID_RANDOM_BYTES);
        let letters = of_id.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 32)));
        let id = "AKIA".chars().chain(letters.map(|letter| char::from(*letter))).collect();
        Ok((id, Plaintext::new(STANDARD.encode(of_secret).into_bytes())))
    }
}

impl Declared {
    /// The declaration after `manifest` was applied on top of this one.
    fn followed_by(&self, manifest: &Manifest, made: &[MadeKey], file: Option<[u8; 32]>) -> Self {
        let all: BTreeSet<&str> = self.made.iter().map(String::as_str).chain(made.iter().map(|key| &*key.id)).collect();
        let ids = manifest.access_keys().filter_map(|(_, _, key)| key.id.as_deref());
        let made = ids.filter(|id| all.contains(id)).map(str::to_owned).collect();
        Self { manifest: manifest.clone(), made, file: file.or(self.file) }
    }
}

fn is_empty(manifest: &Manifest) -> bool {
    manifest.canonical() == Manifest::default().canonical()
}

/// What becomes another declaration, and which secrets change, which no declaration shows.
fn said(before: &Declared, manifest: &Manifest, secrets: &[String]) -> Vec<Change> {
    let mut all = changes(&before.manifest, manifest);
    for (account, user, key) in manifest.access_keys() {
        let Some(id) = key.id.as_ref().filter(|id| secrets.contains(id)) else { continue };
        let name = format!("{account}/{user}/{id}");
        if !all.iter().any(|change| change.name == name) {
            all.push(Change::of_secret(name));
        }
    }
    all
}

#[cfg(test)]
mod tests;
