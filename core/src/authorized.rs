//! What a handler is given: proof that the pipeline's checks were passed, and the few things that it may do.
//! Only `key_manager` makes one. Knows the ports of the region; knows no operation.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use kms_hsm::blob::Header;
use kms_hsm::command::Command;
use kms_hsm::{Held, HsmError, Material, MaterialId, Wrapped};

use crate::authz::Grant;
use crate::clock::Timestamp;
use crate::entry::Entry;
use crate::error::KmsError;
use crate::id::AccountId;
use crate::judge::{self, Judged};
use crate::key::record::{MaterialRecord, Stored};
use crate::key_manager::Execute;
use crate::operation::Operation;
use crate::region::Region;
use crate::request::{AliasTarget, Asked, KeyTarget, Target, Targets};
use crate::store::{Batch, Revision, Table};
use crate::view::{KeyEntry, RegionView};

/// Proof that a request was parsed, resolved, authorised and state-checked, and all that its handler may use.
#[derive(Debug)]
pub struct Authorized<Op: Operation> {
    pub input: Arc<Op::Input>,
    pub view: Arc<RegionView>,
    asked: Arc<Asked>,
    targets: Targets,
    region: Arc<Region>,
    judged: Judged,
    notes: Notes,
}

/// What a handler did that belongs in the audit record; the pipeline writes it there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Notes(Rc<RefCell<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    keys: Vec<Arc<str>>,
    materials: Vec<MaterialId>,
}

impl Notes {
    pub(crate) fn tell(&self, entry: &mut Entry, account: AccountId) {
        let noted = self.0.take();
        for arn in noted.keys {
            entry.touched(account, arn);
        }
        entry.used(noted.materials);
    }
}

impl<Op: Operation> Authorized<Op> {
    // INVARIANT: some fields are private and this is called by the pipeline alone: a handler that would run without the
    // checks does not compile.
    pub(crate) fn new(region: &Arc<Region>, request: &Execute<Op>, judged: Judged) -> (Self, Notes) {
        let notes = Notes::default();
        let authorized = Self {
            input: request.input.clone(),
            view: request.view.clone(),
            asked: request.asked.clone(),
            targets: request.targets.clone(),
            region: region.clone(),
            judged,
            notes: notes.clone(),
        };
        (authorized, notes)
    }

    /// The request's only, or first, key.
    pub fn key(&self) -> Result<&KeyTarget, KmsError> {
        self.targets.first_key().ok_or_else(|| KmsError::internal("a row without a key has a handler that wants one"))
    }

    /// The key of the row's check number `index`.
    pub fn target(&self, index: usize) -> Result<&KeyTarget, KmsError> {
        match self.targets.at(index) {
            Some(Target::Key(key)) => Ok(key),
            _ => Err(KmsError::internal("a row's check is not on a key")),
        }
    }

    /// The alias of the row's check number `index`.
    pub fn alias(&self, index: usize) -> Result<&AliasTarget, KmsError> {
        match self.targets.at(index) {
            Some(Target::Alias(alias)) => Ok(alias),
            _ => Err(KmsError::internal("a row's check is not on an alias")),
        }
    }

    /// The caller's account.
    pub fn account(&self) -> AccountId {
        self.asked.caller.account
    }

    pub fn now(&self) -> Timestamp {
        self.region.clock().now()
    }

    /// The grants that allowed the request, when nothing else did.
    pub fn granted_by(&self) -> Option<&[Arc<Grant>]> {
        self.judged.granted_by.as_deref()
    }

    /// The error of a request that is allowed as such, but asks for more than its caller may give.
    pub fn not_delegable(&self) -> KmsError {
        judge::silent(Op::SPEC, &self.asked, &self.targets)
    }

    /// Whether the caller could do `action` on a key that were like this.
    pub fn would_allow(&self, key: KeyEntry, action: &str) -> bool {
        judge::would_allow(&self.view, &self.asked, key, action)
    }

    /// The material with which the key encrypts.
    pub fn current_material(&self, key: &KeyTarget) -> Result<Arc<Held>, KmsError> {
        let material = key.entry.current().ok_or_else(|| KmsError::internal("an enabled key has no material"))?;
        Ok(self.uses(&material.held))
    }

    /// The material of this key that made a ciphertext. A ciphertext of another key of the caller's account is told
    /// from garbage; one of another account's key is not, so that nothing shows whether that key exists.
    pub fn material_of(&self, key: &KeyTarget, blob: &[u8]) -> Result<Arc<Held>, KmsError> {
        let header = Header::parse(blob).map_err(|_| KmsError::InvalidCiphertext)?;
        if let Some(material) = key.entry.material(&header.material) {
            return Ok(self.uses(&material.held));
        }
        let other = self.view.key_of_material(&header.material);
        let own = other.is_some_and(|other| other.record.account == self.account());
        Err(if own { KmsError::IncorrectKey } else { KmsError::InvalidCiphertext })
    }

    fn uses(&self, held: &Arc<Held>) -> Arc<Held> {
        self.notes.0.borrow_mut().materials.push(held.id);
        held.clone()
    }

    /// Notes a key that the operation made.
    pub fn touched(&self, arn: &str) {
        self.notes.0.borrow_mut().keys.push(arn.into());
    }

    /// Has the HSM run a command, within the request's deadline.
    pub async fn hsm<C: Command>(&self, command: C) -> Result<C::Reply, KmsError> {
        Ok(self.ask_hsm(command).await?)
    }

    /// [`Self::hsm`], for a handler that words an error of the HSM itself.
    pub async fn ask_hsm<C: Command>(&self, command: C) -> Result<C::Reply, HsmError> {
        self.region.hsm().run(command, self.asked.meta.deadline).await
    }

    /// Commits a batch, while all that the request was judged on holds: the keys, aliases and grants that it names, and
    /// who and whence the caller is. What no longer holds makes the pipeline judge the request anew.
    pub async fn commit(&self, mut batch: Batch) -> Result<Revision, KmsError> {
        for compare in judge::relied_on(&self.view, &self.asked, &self.targets, self.granted_by()) {
            if !batch.compares.contains(&compare) {
                batch.compares.push(compare);
            }
        }
        let commit = self.region.store().commit(batch);
        let deadline = tokio::time::Instant::from_std(self.asked.meta.deadline);
        match tokio::time::timeout_at(deadline, commit).await {
            Ok(outcome) => Ok(outcome?),
            Err(_) => Err(KmsError::TimedOut),
        }
    }

    /// Stores material that the HSM returned under the active domain key. Nobody waits for it: when it fails, the
    /// material is as readable as before, and the next use tries again.
    pub fn rewrapped(&self, key: &KeyTarget, held: &Held, wrapped: Option<Wrapped<Material>>) {
        let (Some(wrapped), Some(present)) = (wrapped, key.entry.material(&held.id)) else { return };
        let row = format!("{}/{}", key.entry.record.id, held.id);
        let record = MaterialRecord { id: held.id, wrapped, created: present.created };
        let batch = Batch::default().change(Table::Material, row, present.version, record.encode());
        let commit = self.region.store().commit(batch);
        actix::spawn(async move {
            if let Err(error) = commit.await {
                tracing::debug!(%error, "re-wrapped material was not stored");
            }
        });
    }
}
