//! Turns rows of the identity table into users, roles and memberships, with all policies that concern each.
//! What is gathered from several rows is gathered anew once an event has been taken in; judges nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::build::{BadRow, Builder};
use super::entry::{Credential, Policy};
use super::identity::{Attached, Identity, Issuer, IssuerKeys, Membership, Registered, Role, row};
use crate::authz::{Kind, Principal};
use crate::id::AccountId;
use crate::key::record::{
    CredentialRecord, GroupRecord, IdentityRecord, IssuerRecord, OrganizationRecord, RoleRecord, UserRecord,
};
use crate::registry::{ControlPolicies, ControlPolicyKind, FULL_ACCESS};
use crate::store::{Revision, RowKey, Table};

/// AWS's `FullAWSAccess`.
const FULL_ACCESS_TEXT: &str =
    r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;

impl Builder {
    pub(super) fn put_identity(&mut self, record: IdentityRecord, version: Revision, row: &RowKey) {
        let record = record.modern();
        if let IdentityRecord::Credential(credential) = record {
            self.put_credential(credential, version);
            return;
        }
        let key: Arc<str> = row.key.as_str().into();
        if let Some(before) = self.view.registered.insert(key, Arc::new(Registered { record, version })) {
            self.forget(&before.record);
        }
        self.unsettled.insert(row.key.clone());
    }

    pub(super) fn delete_identity(&mut self, row: &RowKey) {
        if let Some(id) = row.key.strip_prefix("access-key/") {
            self.view.credentials.remove(id);
        }
        if let Some(before) = self.view.registered.remove(row.key.as_str()) {
            self.forget(&before.record);
            self.unsettled.insert(row.key.clone());
        }
    }

    fn put_credential(&mut self, credential: CredentialRecord, version: Revision) {
        let id: Arc<str> = credential.id.as_str().into();
        let entry = Credential {
            id: id.clone(),
            identity: credential.identity.into(),
            account: credential.account,
            wrapped: Arc::new(credential.wrapped),
            version,
        };
        self.view.credentials.insert(id, Arc::new(entry));
    }

    /// Removes what was made of a record.
    fn forget(&mut self, record: &IdentityRecord) {
        match record {
            IdentityRecord::Account { id, .. } => drop(self.view.accounts.remove(id)),
            IdentityRecord::User(user) => {
                let arn = self.arn(user.account, "user", &user.path, &user.name);
                self.view.identities.remove(&*arn);
                self.view.unique_ids.remove(user.id.as_str());
            }
            IdentityRecord::Role(role) => {
                let arn = self.arn(role.account, "role", &role.path, &role.name);
                self.view.roles.remove(&*arn);
                self.view.unique_ids.remove(role.id.as_str());
            }
            IdentityRecord::Issuer(issuer) => {
                let arn = self.issuer_arn(issuer);
                self.view.issuers.remove(&*arn);
            }
            IdentityRecord::IssuerKeys(keys) => drop(self.view.issuer_keys.remove(keys.jwks_url.as_str())),
            IdentityRecord::Organization(organization) => {
                for (account, ..) in &organization.accounts {
                    let is_its = |membership: &Arc<Membership>| *membership.organization == *organization.id;
                    if self.view.memberships.get(account).is_some_and(is_its) {
                        self.view.memberships.remove(account);
                    }
                }
            }
            IdentityRecord::Group(_)
            | IdentityRecord::ManagedPolicy(_)
            | IdentityRecord::FormerUser(_)
            | IdentityRecord::Credential(_) => {}
        }
    }

    /// Gathers anew what rows that changed are part of.
    pub(super) fn settle(&mut self) -> Result<(), BadRow> {
        let mut changed = std::mem::take(&mut self.unsettled);
        if changed.is_empty() {
            return Ok(());
        }
        let registered = self.view.registered.clone();
        let is_shared = |key: &String| key.starts_with("policy/") || key.starts_with("group/");
        if !changed.iter().any(is_shared) {
            for key in &changed {
                if let Some(entry) = registered.get(key.as_str()) {
                    self.settle_one(key, entry)?;
                }
            }
            return Ok(());
        }
        // A policy that changed changes the groups that have it, and those their users.
        let groups = registered.iter().filter(|(_, entry)| matches!(entry.record, IdentityRecord::Group(_)));
        for (key, group) in groups {
            if references(&group.record).iter().any(|reference| changed.contains(reference)) {
                changed.insert(key.to_string());
            }
        }
        for (key, entry) in &registered {
            let concerned = changed.contains(&**key)
                || references(&entry.record).iter().any(|reference| changed.contains(reference));
            if concerned {
                self.settle_one(key, entry)?;
            }
        }
        Ok(())
    }

    fn settle_one(&mut self, key: &str, entry: &Registered) -> Result<(), BadRow> {
        let row = RowKey::new(Table::Identity, key);
        let version = entry.version;
        match &entry.record {
            IdentityRecord::Account { id, name } => {
                self.view.accounts.insert(*id, name.as_str().into());
            }
            IdentityRecord::User(user) => self.settle_user(user, version, row)?,
            IdentityRecord::Role(role) => self.settle_role(role, version, row)?,
            // A document that nobody has must parse all the same.
            IdentityRecord::ManagedPolicy(policy) => {
                self.managed(policy.account, &policy.name, &row)?;
            }
            IdentityRecord::Group(group) => {
                self.of_group(group, &row)?;
            }
            IdentityRecord::Issuer(issuer) => {
                let arn = self.issuer_arn(issuer);
                let IssuerRecord { account, url, client_ids, jwks } = issuer.clone();
                let entry = Issuer { arn: arn.clone(), account, url, client_ids, jwks, version };
                self.view.issuers.insert(arn, Arc::new(entry));
            }
            IdentityRecord::IssuerKeys(keys) => {
                let jwks_url: Arc<str> = keys.jwks_url.as_str().into();
                let (jwks, fetched) = (keys.jwks.as_str().into(), keys.fetched);
                let entry = IssuerKeys { jwks_url: jwks_url.clone(), jwks, fetched, version };
                self.view.issuer_keys.insert(jwks_url, Arc::new(entry));
            }
            IdentityRecord::Organization(organization) => self.settle_organization(organization, version, &row)?,
            IdentityRecord::FormerUser(_) | IdentityRecord::Credential(_) => {}
        }
        Ok(())
    }

    fn settle_user(&mut self, user: &UserRecord, version: Revision, row: RowKey) -> Result<(), BadRow> {
        let principal = Principal::User {
            account: user.account.to_string(),
            path_and_name: format!("{}{}", user.path.trim_start_matches('/'), user.name),
            id: Some(user.id.clone()),
        };
        let arn = self.arn(user.account, "user", &user.path, &user.name);
        let boundary = user.permissions_boundary.as_deref();
        let attached = (&*user.policies, &*user.managed_policies, boundary);
        let mut attached = self.attached(user.account, attached, version, row.clone())?;
        for name in &user.groups {
            let key = row::group(user.account, name);
            let Some(group) = self.view.registered.get(key.as_str()).cloned() else {
                return Err(BadRow::Dangling(row.to_string()));
            };
            let IdentityRecord::Group(record) = &group.record else { continue };
            attached.rows.push((RowKey::new(Table::Identity, key), group.version));
            let (policies, rows) = self.of_group(record, &row)?;
            attached.policies.extend(policies);
            attached.rows.extend(rows);
        }
        let identity = Identity {
            principal: Arc::new(principal),
            arn: arn.clone(),
            account: user.account,
            name: user.name.clone(),
            id: user.id.clone(),
            tags: user.tags.clone(),
            attached,
        };
        self.view.unique_ids.insert(user.id.as_str().into(), arn.clone());
        self.view.identities.insert(arn, Arc::new(identity));
        Ok(())
    }

    fn settle_role(&mut self, role: &RoleRecord, version: Revision, row: RowKey) -> Result<(), BadRow> {
        let arn = self.arn(role.account, "role", &role.path, &role.name);
        let trust = self.intern(Kind::Trust, &role.name, &role.trust_policy, &row)?;
        let attached = (&*role.policies, &*role.managed_policies, role.permissions_boundary.as_deref());
        let attached = self.attached(role.account, attached, version, row)?;
        let entry = Role {
            arn: arn.clone(),
            account: role.account,
            name: role.name.clone(),
            path: role.path.clone(),
            id: role.id.clone(),
            tags: role.tags.clone(),
            attached,
            trust,
            max_session_duration_seconds: role.max_session_duration_seconds,
        };
        self.view.unique_ids.insert(role.id.as_str().into(), arn.clone());
        self.view.roles.insert(arn, Arc::new(entry));
        Ok(())
    }

    /// What a row attaches by itself: inline policies, managed policies and a boundary.
    fn attached(
        &mut self,
        account: AccountId,
        (inline, managed, boundary): (&[(String, String)], &[String], Option<&str>),
        version: Revision,
        row: RowKey,
    ) -> Result<Attached, BadRow> {
        let (policies, mut rows) = self.documents(account, inline, managed, &row)?;
        let boundary = boundary.map(|name| self.managed(account, name, &row)).transpose()?;
        let boundary = boundary.map(|(policy, source)| {
            rows.push(source);
            policy
        });
        rows.insert(0, (row, version));
        Ok(Attached { policies, boundary, rows })
    }

    fn of_group(&mut self, group: &GroupRecord, row: &RowKey) -> Result<Documents, BadRow> {
        self.documents(group.account, &group.policies, &group.managed_policies, row)
    }

    fn documents(
        &mut self,
        account: AccountId,
        inline: &[(String, String)],
        managed: &[String],
        row: &RowKey,
    ) -> Result<Documents, BadRow> {
        let (mut policies, mut rows) = (Vec::with_capacity(inline.len() + managed.len()), Vec::new());
        for (name, text) in inline {
            policies.push(self.intern(Kind::Identity, name, text, row)?);
        }
        for name in managed {
            let (policy, source) = self.managed(account, name, row)?;
            policies.push(policy);
            rows.push(source);
        }
        Ok((policies, rows))
    }

    /// A managed policy under its ARN, and the row that it came from.
    fn managed(
        &mut self,
        account: AccountId,
        name: &str,
        row: &RowKey,
    ) -> Result<(Arc<Policy>, (RowKey, Revision)), BadRow> {
        let key = row::policy(account, name);
        let found = self.view.registered.get(key.as_str()).cloned();
        let found = found.ok_or_else(|| BadRow::Dangling(row.to_string()))?;
        let IdentityRecord::ManagedPolicy(record) = &found.record else {
            return Err(BadRow::Dangling(row.to_string()));
        };
        let arn = self.arn(account, "policy", &record.path, name);
        let policy = self.intern(Kind::Identity, &arn, &record.document, row)?;
        Ok((policy, (RowKey::new(Table::Identity, key), found.version)))
    }

    fn settle_organization(
        &mut self,
        organization: &OrganizationRecord,
        version: Revision,
        row: &RowKey,
    ) -> Result<(), BadRow> {
        for (account, parent, own) in &organization.accounts {
            let mut path = Vec::new();
            let mut levels = vec![own];
            let mut at = parent;
            while *at != organization.root {
                let unit = organization.units.iter().find(|(id, ..)| id == at);
                let (id, above, attached) = unit.ok_or_else(|| BadRow::Dangling(row.to_string()))?;
                if levels.len() > organization.units.len() {
                    return Err(BadRow::Dangling(row.to_string()));
                }
                path.push(id.as_str());
                levels.push(attached);
                at = above;
            }
            levels.push(&organization.attached);
            path.extend([organization.root.as_str(), organization.id.as_str()]);
            path.reverse();
            levels.reverse();
            let bound = *account != organization.management_account;
            let (mut service, mut resource) = (Vec::new(), Vec::new());
            for level in levels.into_iter().filter(|_| bound) {
                service.extend(self.service_level(organization, level, row)?);
                resource.extend(self.resource_level(organization, level, row)?);
            }
            let membership = Membership {
                organization: organization.id.as_str().into(),
                path: format!("{}/", path.join("/")),
                service,
                resource,
                row: (row.clone(), version),
            };
            self.view.memberships.insert(*account, Arc::new(membership));
        }
        Ok(())
    }

    /// `None` for a level that has nothing but `FullAWSAccess`.
    fn service_level(
        &mut self,
        organization: &OrganizationRecord,
        level: &ControlPolicies,
        row: &RowKey,
    ) -> Result<Option<Vec<Arc<Policy>>>, BadRow> {
        let Some(names) = level.service.as_ref().filter(|names| **names != [FULL_ACCESS]) else { return Ok(None) };
        let mut policies = Vec::with_capacity(names.len());
        for name in names {
            policies.push(match name.as_str() {
                FULL_ACCESS => self.intern(Kind::ServiceControl, FULL_ACCESS, FULL_ACCESS_TEXT, row)?,
                name => self.control(organization, ControlPolicyKind::Service, name, row)?,
            });
        }
        Ok(Some(policies))
    }

    /// `None` for a level that has nothing but `RCPFullAWSAccess`.
    fn resource_level(
        &mut self,
        organization: &OrganizationRecord,
        level: &ControlPolicies,
        row: &RowKey,
    ) -> Result<Option<Vec<Arc<Policy>>>, BadRow> {
        let policies =
            level.resource.iter().map(|name| self.control(organization, ControlPolicyKind::Resource, name, row));
        let policies = policies.collect::<Result<Vec<_>, _>>()?;
        Ok(Some(policies).filter(|policies| !policies.is_empty()))
    }

    fn control(
        &mut self,
        organization: &OrganizationRecord,
        wanted: ControlPolicyKind,
        name: &str,
        row: &RowKey,
    ) -> Result<Arc<Policy>, BadRow> {
        let found = organization.policies.iter().find(|policy| policy.kind == wanted && policy.name == name);
        let found = found.ok_or_else(|| BadRow::Dangling(row.to_string()))?;
        let kind = match wanted {
            ControlPolicyKind::Service => Kind::ServiceControl,
            ControlPolicyKind::Resource => Kind::ResourceControl,
        };
        self.intern(kind, name, &found.document, row)
    }

    fn arn(&self, account: AccountId, kind: &str, path: &str, name: &str) -> Arc<str> {
        self.view.place.iam_arn(account, kind, path, name).into()
    }

    fn issuer_arn(&self, issuer: &IssuerRecord) -> Arc<str> {
        self.view.place.issuer_arn(issuer.account, &issuer.url).into()
    }
}

/// Policies, and the rows beside the first that they came from.
type Documents = (Vec<Arc<Policy>>, Vec<(RowKey, Revision)>);

/// The row keys that a record's entry is gathered from, its own excepted.
fn references(record: &IdentityRecord) -> BTreeSet<String> {
    let policies = |account: AccountId, names: &[String]| -> BTreeSet<String> {
        names.iter().map(|name| row::policy(account, name)).collect()
    };
    match record {
        IdentityRecord::User(user) => {
            let mut all = policies(user.account, &user.managed_policies);
            all.extend(user.permissions_boundary.iter().map(|name| row::policy(user.account, name)));
            all.extend(user.groups.iter().map(|name| row::group(user.account, name)));
            all
        }
        IdentityRecord::Role(role) => {
            let mut all = policies(role.account, &role.managed_policies);
            all.extend(role.permissions_boundary.iter().map(|name| row::policy(role.account, name)));
            all
        }
        IdentityRecord::Group(group) => policies(group.account, &group.managed_policies),
        _ => BTreeSet::new(),
    }
}
