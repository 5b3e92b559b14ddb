//! The part of a manifest that says who there is: accounts, users, groups, roles, policies, issuers, organizations.
//! Checks what the store must be able to rely on; what a document means is `authz`'s.

use std::time::Instant;

use kms_hsm::Plaintext;
use kms_hsm::command::{SigningKey, WrapSecret};
use subtle::ConstantTimeEq as _;

use super::{Declaration, DeclareError, WAIT, account_id, parse};
use crate::authz::Kind;
use crate::error::KmsError;
use crate::id::AccountId;
use crate::key::record::{
    CredentialRecord, GroupRecord, IdentityRecord, IssuerRecord, ManagedPolicyRecord, OrganizationRecord, RoleRecord,
    Stored, UserRecord,
};
use crate::principals::{self, Directory};
use crate::registry::{
    AccessKey, Account, ControlPolicyKind, Group, Issuer, JwksSource, ManagedPolicy, NamedPolicy, Organization, Role,
    User,
};
use crate::store::{RowKey, Table};
use crate::view::Credential;
use crate::view::IssuerKeys;
use crate::view::identity::row;

impl Declaration<'_> {
    pub(super) async fn account(&mut self, account: &Account) -> Result<(), DeclareError> {
        let id = account_id(&account.id)?;
        self.register(row::account(id), IdentityRecord::Account { id, name: account.name.clone() });
        for policy in &account.policies {
            let done = self.managed_policy(id, policy);
            self.noted(done)?;
        }
        for group in &account.groups {
            let done = self.group(id, group);
            self.noted(done)?;
        }
        for role in &account.roles {
            let done = self.role(id, role);
            self.noted(done)?;
        }
        for issuer in &account.issuers {
            self.issuer(id, issuer);
        }
        for user in &account.users {
            let done = self.user(id, user).await;
            self.noted(done)?;
        }
        Ok(())
    }

    fn managed_policy(&mut self, account: AccountId, policy: &ManagedPolicy) -> Result<(), DeclareError> {
        let arn = self.view.place.iam_arn(account, "policy", &policy.path, &policy.name);
        parse(&policy.document, Kind::Identity, &arn)?;
        let ManagedPolicy { name, path, document } = policy;
        let (name, path, document) = (name.clone(), path.clone(), document.clone());
        let key = row::policy(account, &name);
        self.register(key, IdentityRecord::ManagedPolicy(ManagedPolicyRecord { account, name, path, document }));
        Ok(())
    }

    fn group(&mut self, account: AccountId, group: &Group) -> Result<(), DeclareError> {
        let arn = self.view.place.iam_arn(account, "group", &group.path, &group.name);
        let record = GroupRecord {
            account,
            name: group.name.clone(),
            path: group.path.clone(),
            policies: inline(&group.policies, &arn)?,
            managed_policies: group.managed_policies.clone(),
        };
        self.require_policies(account, &group.managed_policies, None, &arn)?;
        self.register(row::group(account, &group.name), IdentityRecord::Group(record));
        Ok(())
    }

    fn role(&mut self, account: AccountId, role: &Role) -> Result<(), DeclareError> {
        let arn = self.view.place.iam_arn(account, "role", &role.path, &role.name);
        self.require_policies(account, &role.managed_policies, role.permissions_boundary.as_deref(), &arn)?;
        let key = row::role(account, &role.name);
        let known = match self.view.registered(&key).map(|registered| &registered.record) {
            Some(IdentityRecord::Role(present)) => Some(present.id.clone()),
            _ => None,
        };
        let record = RoleRecord {
            account,
            name: role.name.clone(),
            path: role.path.clone(),
            id: known.unwrap_or_else(|| new_unique_id("AROA")),
            tags: role.tags.clone(),
            policies: inline(&role.policies, &arn)?,
            managed_policies: role.managed_policies.clone(),
            permissions_boundary: role.permissions_boundary.clone(),
            trust_policy: role.trust_policy.clone(),
            max_session_duration_seconds: role.max_session_duration_seconds,
        };
        self.unique_ids.insert(arn.clone(), record.id.clone());
        self.declared.insert(RowKey::new(Table::Identity, key.clone()));
        self.trusting.push((arn, key, record));
        Ok(())
    }

    /// Registers the roles, once everyone whom they may trust is known.
    pub(super) fn trust(&mut self) -> Result<(), DeclareError> {
        for (arn, key, record) in std::mem::take(&mut self.trusting) {
            let what = format!("the trust policy of {arn}");
            match self.bound(&record.trust_policy, Kind::Trust, &what) {
                Ok(trust_policy) => self.register(key, IdentityRecord::Role(RoleRecord { trust_policy, ..record })),
                Err(error) => self.noted(Err(error))?,
            }
        }
        Ok(())
    }

    /// A policy that parses and names only whom there is, as it is to be stored.
    pub(super) fn bound(&self, text: &str, kind: Kind, what: &str) -> Result<String, DeclareError> {
        parse(text, kind, what)?;
        principals::at_rest(text, &self.view.place, self)
            .map_err(|absent| DeclareError::wrong(what, format!("it names {absent}, which is not there")))
    }

    fn issuer(&mut self, account: AccountId, issuer: &Issuer) {
        let Issuer { url, client_ids, jwks } = issuer.clone();
        let key = row::issuer(account, &url);
        if let JwksSource::Url(url) = &jwks {
            // Keys that were fetched stay as long as someone declares where from.
            self.declared.insert(IssuerKeys::row(url));
        }
        self.register(key, IdentityRecord::Issuer(IssuerRecord { account, url, client_ids, jwks }));
    }

    async fn user(&mut self, account: AccountId, user: &User) -> Result<(), DeclareError> {
        let arn = self.view.place.iam_arn(account, "user", &user.path, &user.name);
        self.require_policies(account, &user.managed_policies, user.permissions_boundary.as_deref(), &arn)?;
        for group in &user.groups {
            self.require_declared(row::group(account, group), || format!("{arn}: group {group}"))?;
        }
        let key = row::user(account, &user.name);
        let known = match self.view.registered(&key).map(|registered| &registered.record) {
            Some(IdentityRecord::User(present)) => Some(present.id.clone()),
            _ => None,
        };
        let record = UserRecord {
            account,
            name: user.name.clone(),
            path: user.path.clone(),
            id: known.unwrap_or_else(|| new_unique_id("AIDA")),
            tags: user.tags.clone(),
            policies: inline(&user.policies, &arn)?,
            managed_policies: user.managed_policies.clone(),
            permissions_boundary: user.permissions_boundary.clone(),
            groups: user.groups.clone(),
        };
        self.unique_ids.insert(arn.clone(), record.id.clone());
        self.register(key, IdentityRecord::User(record));
        for access_key in &user.access_keys {
            let done = self.access_key(account, &arn, access_key).await;
            self.noted(done)?;
        }
        Ok(())
    }

    /// What has no id yet is for later, when somebody is there to be shown its secret.
    async fn access_key(&mut self, account: AccountId, arn: &str, given: &AccessKey) -> Result<(), DeclareError> {
        let Some(id) = &given.id else { return Ok(()) };
        let present = self.view.credential(id).cloned();
        let Some(secret) = &given.secret else { return self.kept_key(account, arn, id, present.as_deref()) };
        let hsm = &self.region.hsm;
        let deadline = Instant::now() + WAIT;
        let secret = Plaintext::new(secret.expose().to_vec());
        let wrapped = hsm.run(WrapSecret { owner: id.clone(), secret }, deadline).await.map_err(KmsError::from)?;
        let same_secret = match &present {
            None => false,
            Some(credential) => {
                // The same secret wraps to other bytes each time; it is the same if the same signing key comes of it.
                let probe = |wrapped| SigningKey {
                    owner: id.clone(),
                    wrapped,
                    date: "19700101".to_owned(),
                    region: self.view.place.region.to_string(),
                    service: "kms".to_owned(),
                };
                let present = hsm.run(probe(credential.wrapped.clone()), deadline).await.map_err(KmsError::from)?;
                let new = hsm.run(probe(wrapped.clone().into()), deadline).await.map_err(KmsError::from)?;
                present.key.expose().ct_eq(new.key.expose()).into()
            }
        };
        if present.is_some() && !same_secret {
            self.secrets.push(id.clone());
        }
        let known = same_secret && present.is_some_and(|credential| *credential.identity == *arn);
        self.put_key(CredentialRecord { id: id.clone(), account, identity: arn.to_owned(), wrapped }, known);
        Ok(())
    }

    /// An access key that is there stays with its secret, also when its user's path, and with it the ARN, changes.
    fn kept_key(
        &mut self,
        account: AccountId,
        arn: &str,
        id: &str,
        present: Option<&Credential>,
    ) -> Result<(), DeclareError> {
        let name = |arn: &str| arn.rsplit('/').next().map(str::to_owned);
        let own = present.filter(|known| known.account == account && name(&known.identity) == name(arn));
        let Some(own) = own else {
            return Err(DeclareError::wrong(
                format!("access key {id} of {arn}"),
                "it is not there, so it needs `secret` or `secret_file`",
            ));
        };
        let (known, wrapped) = (*own.identity == *arn, (*own.wrapped).clone());
        self.put_key(CredentialRecord { id: id.to_owned(), account, identity: arn.to_owned(), wrapped }, known);
        Ok(())
    }

    fn put_key(&mut self, record: CredentialRecord, known: bool) {
        self.put(Table::Identity, format!("access-key/{}", record.id), known, || {
            IdentityRecord::Credential(record).encode()
        });
    }

    pub(super) fn organization(&mut self, organization: &Organization) -> Result<(), DeclareError> {
        let malformed = |why: String| DeclareError::wrong(organization.id.as_str(), why);
        for policy in &organization.policies {
            let kind = match policy.kind {
                ControlPolicyKind::Service => Kind::ServiceControl,
                ControlPolicyKind::Resource => Kind::ResourceControl,
            };
            parse(&policy.document, kind, &format!("policy {} of {}", policy.name, organization.id))?;
        }
        let mut accounts = Vec::with_capacity(organization.accounts.len());
        for member in &organization.accounts {
            let account = account_id(&member.id)?;
            self.require_declared(row::account(account), || format!("{}: account {account}", organization.id))?;
            if !self.members.insert(account) {
                return Err(malformed(format!("account {account} stands in two places")));
            }
            accounts.push((account, member.parent.clone(), member.attached.clone()));
        }
        let management_account = account_id(&organization.management_account)?;
        if !accounts.iter().any(|(account, ..)| *account == management_account) {
            return Err(malformed(format!("its management account {management_account} is not among its accounts")));
        }
        let units = organization.units.iter();
        let record = OrganizationRecord {
            id: organization.id.clone(),
            management_account,
            policies: organization.policies.clone(),
            root: organization.root.clone(),
            attached: organization.attached.clone(),
            units: units.map(|unit| (unit.id.clone(), unit.parent.clone(), unit.attached.clone())).collect(),
            accounts,
        };
        record.check().map_err(malformed)?;
        self.register(row::organization(&organization.id), IdentityRecord::Organization(record));
        Ok(())
    }

    fn require_policies(
        &self,
        account: AccountId,
        managed: &[String],
        boundary: Option<&str>,
        arn: &str,
    ) -> Result<(), DeclareError> {
        managed.iter().map(String::as_str).chain(boundary).try_for_each(|name| {
            self.require_declared(row::policy(account, name), || format!("{arn}: managed policy {name}"))
        })
    }

    // INVARIANT: what a row refers to is there; else the view could not be built.
    fn require_declared(&self, row: String, what: impl FnOnce() -> String) -> Result<(), DeclareError> {
        if self.declared.contains(&RowKey::new(Table::Identity, row)) {
            return Ok(());
        }
        Err(DeclareError::wrong(what(), "it is not declared"))
    }

    fn register(&mut self, key: String, record: IdentityRecord) {
        let known = self.view.registered(&key).is_some_and(|registered| registered.record == record);
        self.put(Table::Identity, key, known, || record.encode());
    }
}

/// Who there will be once the manifest is applied.
impl Directory for Declaration<'_> {
    fn has_account(&self, account: AccountId) -> bool {
        self.declared.contains(&RowKey::new(Table::Identity, row::account(account)))
    }

    fn unique_id(&self, arn: &str) -> Option<String> {
        self.unique_ids.get(arn).cloned()
    }

    fn has_unique_id(&self, id: &str) -> bool {
        self.unique_ids.values().any(|known| known == id)
    }

    fn has_role_named(&self, account: AccountId, name: &str) -> bool {
        self.declared.contains(&RowKey::new(Table::Identity, row::role(account, name)))
    }
}

fn inline(policies: &[NamedPolicy], arn: &str) -> Result<Vec<(String, String)>, DeclareError> {
    let checked = policies.iter().map(|policy| {
        parse(&policy.document, Kind::Identity, &format!("policy {} of {arn}", policy.name))?;
        Ok((policy.name.clone(), policy.document.clone()))
    });
    checked.collect()
}

/// A unique id as AWS draws them: a prefix for what it is, and 17 characters. It is random, so that a user or role that is
/// declared again after it was gone is not taken for the one that key policies knew.
fn new_unique_id(prefix: &str) -> String {
    const LETTERS: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (one, other) = (uuid::Uuid::new_v4(), uuid::Uuid::new_v4());
    let letters = one.as_bytes().iter().chain(other.as_bytes()).take(UNIQUE_ID_LETTERS);
    let letters = letters.filter_map(|byte| LETTERS.get(usize::from(byte % 32))).map(|letter| char::from(*letter));
    prefix.chars().chain(letters).collect()
}

const UNIQUE_ID_LETTERS: usize = 17;
