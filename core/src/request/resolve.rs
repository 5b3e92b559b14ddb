//! From what a request names to what it means on one view: aliases, ARNs, ciphertexts and grants become targets.
//! Answers NotFoundException for the caller's own account only; what another account has is not disclosed here.

use std::sync::Arc;

use kms_hsm::blob::Header;

use super::{Asked, Parameters};
use crate::clock::Timestamp;
use crate::error::KmsError;
use crate::grant_token::GrantToken;
use crate::id::{AccountId, AliasName, KeyId, KeyRef, Place, is_grant_id};
use crate::operation::{On, Spec};
use crate::view::{AliasEntry, GrantEntry, KeyEntry, RegionView};

/// One resource of a request.
#[derive(Clone, Debug)]
pub enum Target {
    /// The operation has none; policies see `*`.
    Anything,
    Key(KeyTarget),
    Alias(AliasTarget),
    /// A key of another account that does not exist; answered like one that the caller may not use.
    Absent {
        account: AccountId,
        arn: String,
    },
}

impl Target {
    /// Notes that the target's key was used.
    pub(crate) fn used_at(&self, now: Timestamp) {
        if let Self::Key(key) = self {
            key.entry.usage.used_at(now);
        }
    }
}

#[derive(Clone, Debug)]
pub struct KeyTarget {
    pub entry: Arc<KeyEntry>,
    pub arn: Arc<str>,
    /// The alias by which the caller named the key.
    pub alias: Option<AliasName>,
    /// The caller named no key, only a ciphertext; a denial must not say which key it was.
    pub hidden: bool,
    /// The grant that the request names, for RetireGrant.
    pub grant: Option<Arc<GrantEntry>>,
}

impl KeyTarget {
    /// The key as such, named in no particular way.
    pub(crate) fn of(entry: Arc<KeyEntry>) -> Self {
        Self { arn: entry.arn.clone(), entry, alias: None, hidden: false, grant: None }
    }

    /// What the same name would mean if there were no such key.
    pub(crate) fn as_absent(&self, place: &Place) -> Target {
        let account = self.entry.record.account;
        let arn = match &self.alias {
            Some(alias) => place.alias_arn(account, alias),
            None => self.arn.to_string(),
        };
        Target::Absent { account, arn }
    }
}

#[derive(Clone, Debug)]
pub struct AliasTarget {
    pub account: AccountId,
    pub name: AliasName,
    pub arn: String,
    pub entry: Option<Arc<AliasEntry>>,
}

impl AliasTarget {
    /// The key of the alias's row.
    pub fn row(&self) -> String {
        format!("{}/{}", self.account, self.name)
    }
}

/// The resources of a request, one for each check of its row.
#[derive(Clone, Debug, Default)]
pub struct Targets(Vec<Target>);

impl Targets {
    pub fn iter(&self) -> impl Iterator<Item = &Target> {
        self.0.iter()
    }

    pub fn at(&self, index: usize) -> Option<&Target> {
        self.0.get(index)
    }

    /// The ids of the keys, in the order of the row's checks.
    pub(crate) fn keys(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().filter_map(|target| match target {
            Target::Key(key) => Some(key.entry.record.id),
            _ => None,
        })
    }

    pub fn first_key(&self) -> Option<&KeyTarget> {
        self.0.iter().find_map(|target| match target {
            Target::Key(key) => Some(key),
            _ => None,
        })
    }

    /// Whether a request's first two targets are the same key (`kms:ReEncryptOnSameKey`).
    pub fn same_key(&self) -> Option<bool> {
        match self.0.as_slice() {
            [Target::Key(a), Target::Key(b)] => Some(a.entry.record.id == b.entry.record.id),
            _ => None,
        }
    }
}

/// Finds all resources of a request.
pub(crate) fn targets(
    spec: &Spec,
    view: &RegionView,
    asked: &Asked,
    input: &dyn Parameters,
) -> Result<Targets, KmsError> {
    let resolver = Resolver { view, account: asked.caller.account, input };
    spec.checks.iter().map(|check| resolver.resolve(check.on)).collect::<Result<_, _>>().map(Targets)
}

struct Resolver<'a> {
    view: &'a RegionView,
    account: AccountId,
    input: &'a dyn Parameters,
}

impl Resolver<'_> {
    fn resolve(&self, on: On) -> Result<Target, KmsError> {
        match on {
            On::Nothing => Ok(Target::Anything),
            On::Key => self.key(self.text("KeyId").unwrap_or_default(), false),
            On::KeyToGrant => self.key_to_grant(),
            On::KeyOrAlias => self.key(self.text("KeyId").unwrap_or_default(), true),
            On::Ciphertext => self.ciphertext("KeyId"),
            On::Source => self.ciphertext("SourceKeyId"),
            On::Destination => self.key(self.text("DestinationKeyId").unwrap_or_default(), true),
            On::Alias => self.alias().map(Target::Alias),
            On::AliasTarget => self.alias_target(),
            On::NewTarget => self.new_target(),
            On::GrantKey => self.grant_key(),
        }
    }

    fn text(&self, member: &str) -> Option<&str> {
        self.input.member(member)?.text()
    }

    fn key(&self, name: &str, alias_will_do: bool) -> Result<Target, KmsError> {
        let reference = KeyRef::parse(name, &self.view.place)?;
        if reference.is_alias() && !alias_will_do {
            return Err(KmsError::InvalidKeyId { given: name.to_owned() });
        }
        match self.view.find(&reference, self.account) {
            Some(entry) => Ok(Target::Key(self.found(entry, &reference))),
            None => self.absent(name, reference),
        }
    }

    fn key_to_grant(&self) -> Result<Target, KmsError> {
        let name = self.text("KeyId").unwrap_or_default();
        if KeyRef::parse(name, &self.view.place)?.is_alias() {
            return Err(KmsError::InvalidArn("Key Aliases are not supported for this operation.".to_owned()));
        }
        self.key(name, false)
    }

    fn found(&self, entry: &Arc<KeyEntry>, reference: &KeyRef) -> KeyTarget {
        let alias = match reference {
            KeyRef::Alias(alias) | KeyRef::AliasArn { alias, .. } => Some(alias.clone()),
            _ => None,
        };
        KeyTarget { alias, ..KeyTarget::of(entry.clone()) }
    }

    fn absent(&self, name: &str, reference: KeyRef) -> Result<Target, KmsError> {
        let place = &self.view.place;
        match reference {
            KeyRef::Id(key) => Err(KmsError::KeyNotFound { arn: place.key_arn(self.account, key) }),
            KeyRef::Alias(alias) => Err(KmsError::AliasNotFound { arn: place.alias_arn(self.account, &alias) }),
            KeyRef::Arn { account, key } if account == self.account => {
                Err(KmsError::KeyNotFound { arn: place.key_arn(account, key) })
            }
            KeyRef::AliasArn { account, alias } if account == self.account => {
                Err(KmsError::AliasNotFound { arn: place.alias_arn(account, &alias) })
            }
            KeyRef::Arn { account, .. } | KeyRef::AliasArn { account, .. } => {
                Ok(Target::Absent { account, arn: name.to_owned() })
            }
        }
    }

    /// The key that the request names, or else the one that the ciphertext names. A ciphertext of no valid form is said
    /// to be invalid at once only when no key is named; otherwise the caller's right to the named key comes first.
    fn ciphertext(&self, member: &str) -> Result<Target, KmsError> {
        if let Some(name) = self.text(member) {
            return self.key(name, true);
        }
        let blob = self.input.member("CiphertextBlob").and_then(|field| field.blob());
        let blob = blob.ok_or_else(|| KmsError::Validation("CiphertextBlob is required.".to_owned()))?;
        let header = Header::parse(blob).map_err(|_| KmsError::InvalidCiphertext)?;
        let entry = self.view.key_of_material(&header.material).ok_or(KmsError::HiddenCiphertext)?;
        Ok(Target::Key(KeyTarget { hidden: true, ..KeyTarget::of(entry.clone()) }))
    }

    fn alias(&self) -> Result<AliasTarget, KmsError> {
        let name = AliasName::parse(self.text("AliasName").unwrap_or_default())?;
        if name.is_reserved() {
            return Err(KmsError::ReservedAlias);
        }
        let entry = self.view.alias(self.account, &name).cloned();
        let arn = self.view.place.alias_arn(self.account, &name);
        Ok(AliasTarget { account: self.account, name, arn, entry })
    }

    fn alias_target(&self) -> Result<Target, KmsError> {
        let alias = self.alias()?;
        let absent = || KmsError::AliasNotFound { arn: alias.arn.clone() };
        let entry = alias.entry.as_ref().and_then(|alias| self.view.key(alias.record.key)).ok_or_else(absent)?;
        Ok(Target::Key(KeyTarget::of(entry.clone())))
    }

    fn new_target(&self) -> Result<Target, KmsError> {
        let name = self.text("TargetKeyId").unwrap_or_default();
        match KeyRef::parse(name, &self.view.place) {
            Ok(reference) if reference.is_alias() => {
                Err(KmsError::Validation("Aliases must refer to keys. Not aliases".to_owned()))
            }
            _ => self.key(name, false),
        }
    }

    /// RetireGrant names a grant by its token, or by key and grant id (API reference).
    fn grant_key(&self) -> Result<Target, KmsError> {
        match (self.text("GrantToken"), self.text("KeyId"), self.text("GrantId")) {
            (Some(token), None, None) => self.grant_of_token(token),
            (None, Some(key), Some(grant)) => self.grant_of_key(key, grant),
            _ => {
                let text = "You must specify either a grant token, or a key ID and a grant ID.";
                Err(KmsError::Validation(text.to_owned()))
            }
        }
    }

    /// The grant of a token whose proof is still to be checked, in whichever account. What the token claims must not be
    /// answered with what is there: a forged one that names a key without that grant reads like any other forged one.
    fn grant_of_token(&self, token: &str) -> Result<Target, KmsError> {
        let (token, _) = GrantToken::decode(token).ok_or(KmsError::InvalidGrantToken)?;
        let entry = self.view.key(token.key).ok_or(KmsError::InvalidGrantToken)?;
        let grant = entry.grant(&token.grant_id()).ok_or(KmsError::InvalidGrantToken)?;
        Ok(Target::Key(KeyTarget { grant: Some(grant.clone()), ..KeyTarget::of(entry.clone()) }))
    }

    fn grant_of_key(&self, name: &str, grant: &str) -> Result<Target, KmsError> {
        if !is_grant_id(grant) {
            return Err(KmsError::InvalidGrantId);
        }
        let key = match self.key(name, false)? {
            Target::Key(key) => key,
            absent => return Ok(absent),
        };
        match key.entry.grant(grant).cloned() {
            Some(found) => Ok(Target::Key(KeyTarget { grant: Some(found), ..key })),
            None if key.entry.record.account == self.account => {
                Err(KmsError::GrantNotFound { grant: grant.to_owned() })
            }
            None => Ok(key.as_absent(&self.view.place)),
        }
    }
}

#[cfg(test)]
mod tests;
