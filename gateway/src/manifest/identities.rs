//! The part of a manifest that says who there is: accounts, users, groups, roles, managed policies, issuers.
//! Knows the grammar and what refers to what; knows neither what a policy means nor where identities are stored.

use std::collections::BTreeSet;

use kms_core::authz::{Kind, PrincipalName};
use kms_core::registry::{
    AccessKey, Account, Group, Issuer, JwksSource, ManagedPolicy, NamedPolicy, Plaintext, Role, User,
};
use zeroize::Zeroizing;

use super::documents::{Wanted, inline_key_set};
use super::grammar::Rule;
use super::{Reading, beside, checked, grammar, optional, tags};
use crate::toml_file::{self, Located, Section};

const SECRET_FILE_BYTES_MAX: u64 = 256;
/// IAM quotas: characters of all inline policies of one identity together, white space not counted.
const USER_INLINE_MAX: usize = 2_048;
const ROLE_INLINE_MAX: usize = 10_240;
const GROUP_INLINE_MAX: usize = 5_120;
/// IAM: how long a role lets its sessions last, in seconds; the default is the least.
const SESSION_SECONDS_MIN: u32 = 3_600;
const SESSION_SECONDS_MAX: u32 = 43_200;
/// IAM quotas: client ids of one OpenID Connect provider.
const CLIENT_IDS_MAX: usize = 100;

impl Reading {
    pub(super) fn account(&mut self, section: &Section<'_>) -> Account {
        let id = self.claimed_text(section, "id", "account", grammar::account_id);
        self.principals.declared.insert(PrincipalName::Account(id.clone()));
        let name = optional(section, "name", grammar::account_name).unwrap_or_default();
        // What others refer to comes first.
        let policies = section.sections("policy").iter().map(|policy| self.managed_policy(policy, &id)).collect();
        let groups = section.sections("group").iter().map(|group| self.group(group, &id)).collect();
        let issuers = section.sections("issuer").iter().filter_map(|issuer| self.issuer(issuer, &id)).collect();
        let roles = section.sections("role").iter().map(|role| self.role(role, &id)).collect();
        let users = section.sections("user").iter().map(|user| self.user(user, &id)).collect();
        Account { id, name, users, groups, roles, policies, issuers }
    }

    fn user(&mut self, section: &Section<'_>, account: &str) -> User {
        let name = self.name(section, "user", account, grammar::user_name);
        let path = path(section);
        let path_and_name = format!("{}{name}", path.trim_start_matches('/'));
        self.principals.declared.insert(PrincipalName::User { account: account.to_owned(), path_and_name });
        User {
            tags: tags(section),
            policies: self.inline_policies(section, "user", USER_INLINE_MAX),
            managed_policies: self.references(section, "managed_policies", "managed policy", account),
            permissions_boundary: self.boundary(section, account),
            groups: self.references(section, "groups", "group", account),
            access_keys: section.sections("access_keys").iter().map(|key| self.access_key(key)).collect(),
            name,
            path,
        }
    }

    fn group(&mut self, section: &Section<'_>, account: &str) -> Group {
        Group {
            name: self.name(section, "group", account, grammar::group_name),
            path: path(section),
            policies: self.inline_policies(section, "group", GROUP_INLINE_MAX),
            managed_policies: self.references(section, "managed_policies", "managed policy", account),
        }
    }

    fn role(&mut self, section: &Section<'_>, account: &str) -> Role {
        let name = self.name(section, "role", account, grammar::role_name);
        let path = path(section);
        let path_and_name = format!("{}{name}", path.trim_start_matches('/'));
        self.principals.declared.insert(PrincipalName::Role { account: account.to_owned(), path_and_name });
        let seconds = u64::from(SESSION_SECONDS_MIN)..=u64::from(SESSION_SECONDS_MAX);
        let seconds = section.integer("max_session_duration_seconds", seconds);
        Role {
            tags: tags(section),
            policies: self.inline_policies(section, "role", ROLE_INLINE_MAX),
            managed_policies: self.references(section, "managed_policies", "managed policy", account),
            permissions_boundary: self.boundary(section, account),
            trust_policy: self.required_document(section, ("trust_policy", "trust_policy_file"), Wanted::Trust),
            max_session_duration_seconds: seconds
                .and_then(|seconds| u32::try_from(seconds).ok())
                .unwrap_or(SESSION_SECONDS_MIN),
            name,
            path,
        }
    }

    fn managed_policy(&mut self, section: &Section<'_>, account: &str) -> ManagedPolicy {
        ManagedPolicy {
            name: self.name(section, "managed policy", account, grammar::policy_name),
            path: path(section),
            document: self.required_document(section, ("document", "file"), Wanted::Managed),
        }
    }

    fn issuer(&mut self, section: &Section<'_>, account: &str) -> Option<Issuer> {
        let url = checked(section, section.required("url"), "url", grammar::issuer_url)?;
        self.claim(section, "issuer", &format!("{account}/{}", url.value.trim_end_matches('/')), url.at);
        let host_and_path = url.value.trim_start_matches("https://").trim_end_matches('/');
        self.principals.issuers.insert(format!("iam::{account}:oidc-provider/{host_and_path}"));
        section.require("client_ids");
        let ids = section.texts("client_ids").unwrap_or_default();
        if ids.is_empty() || ids.len() > CLIENT_IDS_MAX {
            section.fault(section.at(), format!("`client_ids` must be 1 to {CLIENT_IDS_MAX}"));
        }
        let client_ids = ids.into_iter().filter_map(|id| checked(section, Some(id), "client_ids", grammar::client_id));
        let client_ids = client_ids.map(|id| id.value.to_owned()).collect();
        let jwks = self.keys_of(section)?;
        Some(Issuer { url: url.value.to_owned(), client_ids, jwks })
    }

    /// Where the keys of an issuer come from; exactly one of these says so.
    fn keys_of(&self, section: &Section<'_>) -> Option<JwksSource> {
        match (section.text("jwks_file"), section.text("jwks"), section.text("jwks_url")) {
            (Some(file), None, None) => self.key_set(section, &file).map(JwksSource::Given),
            (None, Some(inline), None) => inline_key_set(section, &inline).map(JwksSource::Given),
            (None, None, Some(at)) => checked(section, Some(at), "jwks_url", grammar::https_url)
                .map(|at| JwksSource::Url(at.value.to_owned())),
            (None, None, None) => {
                section.fault(section.at(), "an issuer needs `jwks_file`, `jwks` or `jwks_url`");
                None
            }
            _ => {
                section.fault(section.at(), "`jwks_file`, `jwks` and `jwks_url` exclude each other");
                None
            }
        }
    }

    /// A required name that no other of its kind in the account may have. IAM: names differ by more than case.
    fn name(&mut self, section: &Section<'_>, kind: &'static str, account: &str, rule: Rule) -> String {
        let Some(name) = checked(section, section.required("name"), "name", rule) else { return String::new() };
        self.claim(section, kind, &format!("{account}/{}", name.value.to_ascii_lowercase()), name.at);
        self.named.insert((kind, format!("{account}/{}", name.value)));
        name.value.to_owned()
    }

    /// Names of what the same account declares.
    fn references(&self, section: &Section<'_>, key: &'static str, kind: &'static str, account: &str) -> Vec<String> {
        let mut seen = BTreeSet::new();
        let mut names = Vec::new();
        for name in section.texts(key).unwrap_or_default() {
            if !seen.insert(name.value) {
                section.fault(name.at, format!("{kind} `{}` stands here twice", name.value));
            } else if self.is_declared(section, &name, kind, account) {
                names.push(name.value.to_owned());
            }
        }
        names
    }

    fn boundary(&self, section: &Section<'_>, account: &str) -> Option<String> {
        let name = section.text("permissions_boundary")?;
        self.is_declared(section, &name, "managed policy", account).then(|| name.value.to_owned())
    }

    fn is_declared(&self, section: &Section<'_>, name: &Located<&str>, kind: &'static str, account: &str) -> bool {
        let declared = self.named.contains(&(kind, format!("{account}/{}", name.value)));
        if !declared {
            let shown = name.value.escape_debug();
            section.fault(name.at, format!("{kind} `{shown}` is not declared in account {account}"));
        }
        declared
    }

    fn inline_policies(&mut self, section: &Section<'_>, whose: &str, characters_max: usize) -> Vec<NamedPolicy> {
        let mut names = BTreeSet::new();
        let sections = section.sections("policies");
        let policies: Vec<_> = sections.iter().map(|policy| self.policy(policy, whose, &mut names)).collect();
        let characters: usize = policies.iter().map(|policy| Kind::Identity.size(&policy.document)).sum();
        if characters > characters_max {
            let message = format!(
                "the inline policies of this {whose} have {characters} characters without white space, \
                 more than {characters_max}"
            );
            section.fault(section.at(), message);
        }
        policies
    }

    fn policy(&mut self, section: &Section<'_>, whose: &str, names: &mut BTreeSet<String>) -> NamedPolicy {
        let name = checked(section, section.required("name"), "name", grammar::policy_name);
        if let Some(name) = name.as_ref().filter(|name| !names.insert(name.value.to_owned())) {
            section.fault(name.at, format!("policy `{}` is declared twice for this {whose}", name.value));
        }
        NamedPolicy {
            name: name.map(|name| name.value.to_owned()).unwrap_or_default(),
            document: self.required_document(section, ("document", "file"), Wanted::Inline),
        }
    }

    /// With a secret, or the one of this id that is there already, or, without an id, one that the service makes.
    fn access_key(&mut self, section: &Section<'_>) -> AccessKey {
        let id = self.access_key_id(section);
        let secret = match (section.text("secret"), section.text("secret_file")) {
            (Some(inline), None) => Some((Zeroizing::new(inline.value.to_owned()), inline.at)),
            (None, Some(file)) => short_file(section, &file).map(|secret| (secret, file.at)),
            (None, None) => None,
            (Some(_), Some(file)) => {
                section.fault(file.at, "`secret` and `secret_file` exclude each other");
                None
            }
        };
        let is_named = section.text("id").is_some() || section.text("id_file").is_some();
        if let Some((_, at)) = secret.as_ref().filter(|_| !is_named) {
            section.fault(*at, "a secret needs `id` or `id_file`");
        }
        // The secret itself must never stand in a message.
        if let Some((Err(must), at)) = secret.as_ref().map(|(secret, at)| (grammar::secret(secret), *at)) {
            section.fault(at, format!("the secret {must}"));
        }
        AccessKey { id, secret: secret.map(|(secret, _)| Plaintext::new(secret.as_bytes().to_vec())) }
    }

    fn access_key_id(&mut self, section: &Section<'_>) -> Option<String> {
        let (id, at) = match (section.text("id"), section.text("id_file")) {
            (None, None) => return None,
            (Some(inline), None) => (inline.value.to_owned(), inline.at),
            (None, Some(file)) => (short_file(section, &file)?.to_string(), file.at),
            (Some(_), Some(file)) => {
                section.fault(file.at, "`id` and `id_file` exclude each other");
                return None;
            }
        };
        // A file that was meant to be the secret's may stand here, so what is in it is not shown.
        if let Err(must) = grammar::access_key_id(&id) {
            section.fault(at, format!("the access key's id {must}"));
            return None;
        }
        self.claim(section, "access key", &id, at);
        Some(id)
    }
}

/// A file of one line, such as a secret; without the line's end.
fn short_file(section: &Section<'_>, file: &Located<&str>) -> Option<Zeroizing<String>> {
    match toml_file::text_of(&beside(section, file.value), SECRET_FILE_BYTES_MAX) {
        Ok(text) => Some(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())),
        Err(cause) => {
            section.fault(file.at, format!("`{}` cannot be read: {cause}", file.value));
            None
        }
    }
}

fn path(section: &Section<'_>) -> String {
    optional(section, "path", grammar::path).unwrap_or_else(|| "/".to_owned())
}
