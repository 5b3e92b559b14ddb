//! Who calls, and how policies and grants name callers.
//! Knows principal ARNs and which names reach which callers; must not know policies or where identities are stored.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use super::context::{FactKey, Value};

/// The partition of every ARN that is written here.
pub const PARTITION: &str = "aws";

const SESSION_NAME_CHARS_MAX: usize = 64;
const PATH_AND_NAME_CHARS_MAX: usize = 576;
const UNIQUE_ID_CHARS: std::ops::RangeInclusive<usize> = 16..=128;

/// An authenticated caller. Unique ids are `None` where only an ARN is known, as in tools.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub enum Principal {
    /// The root user of an account (twelve digits).
    Root { account: String },
    /// `path_and_name` has no leading slash: `division/team/ana`.
    User { account: String, path_and_name: String, id: Option<String> },
    /// When `role_id` is `None`, the role's path is not known either and only its name counts.
    AssumedRole { account: String, role_path_and_name: String, role_id: Option<String>, session: String },
    /// `user` is the path and name of the IAM user behind the session.
    FederatedUser { account: String, name: String, user: Option<String> },
    /// Whoever an identity provider (`provider` is its ARN) vouches for. Calls AssumeRoleWithWebIdentity and nothing else.
    WebIdentity { provider: String, audience: String, subject: String },
    /// `name.amazonaws.com`
    Service { name: String },
}

impl Principal {
    /// From the ARN of a root user, user, assumed-role session or federated user.
    pub fn parse_arn(arn: &str, partition: &str) -> Option<Self> {
        if arn.split(':').nth(1) != Some(partition) {
            return None;
        }
        match PrincipalName::from_arn(arn)? {
            PrincipalName::Account(account) => Some(Self::Root { account }),
            PrincipalName::User { account, path_and_name } => Some(Self::User { account, path_and_name, id: None }),
            PrincipalName::Session { account, role, session } => {
                Some(Self::AssumedRole { account, role_path_and_name: role, role_id: None, session })
            }
            PrincipalName::FederatedUser { account, name } => Some(Self::FederatedUser { account, name, user: None }),
            _ => None,
        }
    }

    /// Its ARN, or the name of a service. A session's ARN has no path.
    pub fn arn(&self) -> String {
        match self {
            Self::Root { account } => format!("arn:{PARTITION}:iam::{account}:root"),
            Self::User { account, path_and_name, .. } => format!("arn:{PARTITION}:iam::{account}:user/{path_and_name}"),
            Self::AssumedRole { account, role_path_and_name, session, .. } => {
                format!("arn:{PARTITION}:sts::{account}:assumed-role/{}/{session}", last_segment(role_path_and_name))
            }
            Self::FederatedUser { account, name, .. } => {
                format!("arn:{PARTITION}:sts::{account}:federated-user/{name}")
            }
            Self::WebIdentity { provider, .. } => provider.clone(),
            Self::Service { name } => name.clone(),
        }
    }

    /// `None` for services and web identities.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Root { account }
            | Self::User { account, .. }
            | Self::AssumedRole { account, .. }
            | Self::FederatedUser { account, .. } => Some(account),
            Self::WebIdentity { .. } | Self::Service { .. } => None,
        }
    }

    /// The value of `aws:userid`: `AIDA...`, `AROA...:session`, `account:name`, or the root user's account.
    pub fn unique_id(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Root { account } => Some(account.into()),
            Self::User { id, .. } => id.as_deref().map(Cow::from),
            Self::AssumedRole { role_id, session, .. } => role_id.as_ref().map(|id| format!("{id}:{session}").into()),
            Self::FederatedUser { account, name, .. } => Some(format!("{account}:{name}").into()),
            Self::WebIdentity { provider, audience, subject } => {
                Some(format!("{provider}:{audience}:{subject}").into())
            }
            Self::Service { .. } => None,
        }
    }

    /// The ARN that `aws:PrincipalArn` holds: for a session, that of its role.
    pub fn principal_arn(&self) -> Option<String> {
        match self {
            Self::AssumedRole { account, role_path_and_name, .. } => {
                Some(format!("arn:{PARTITION}:iam::{account}:role/{role_path_and_name}"))
            }
            Self::WebIdentity { .. } | Self::Service { .. } => None,
            other => Some(other.arn()),
        }
    }

    /// The condition keys that follow from who calls.
    pub fn fact(&self, key: &FactKey) -> Option<Value<'static>> {
        let text = |text: String| Value::One(text.into());
        let is_service = matches!(self, Self::Service { .. });
        match (key.name(), self) {
            ("aws:principalarn", _) => self.principal_arn().map(text),
            ("aws:principalaccount" | "kms:calleraccount", _) => self.account().map(|account| text(account.to_owned())),
            ("aws:principaltype", _) => self.kind().map(Value::one),
            ("aws:userid", _) => self.unique_id().map(|id| text(id.into_owned())),
            ("aws:username", Self::User { path_and_name, .. }) => Some(text(last_segment(path_and_name).to_owned())),
            ("aws:principalisawsservice", _) => Some(Value::bool(is_service)),
            ("aws:principalservicename", Self::Service { name }) => Some(text(name.clone())),
            ("aws:principalservicenameslist", Self::Service { name }) => Some(Value::Many(vec![name.clone().into()])),
            _ => None,
        }
    }

    fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Root { .. } => Some("Account"),
            Self::User { .. } => Some("User"),
            Self::AssumedRole { .. } => Some("AssumedRole"),
            Self::FederatedUser { .. } => Some("FederatedUser"),
            Self::WebIdentity { .. } | Self::Service { .. } => None,
        }
    }
}

/// How a policy, or a grant, names principals. Account 1 and `arn:aws:iam::1:root` are the same name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(into = "String", try_from = "String")]
pub enum PrincipalName {
    Account(String),
    User {
        account: String,
        path_and_name: String,
    },
    Role {
        account: String,
        path_and_name: String,
    },
    /// `role` has no path.
    Session {
        account: String,
        role: String,
        session: String,
    },
    FederatedUser {
        account: String,
        name: String,
    },
    /// The unique id of a user or role, which is what AWS stores.
    Id(String),
    Service(String),
    /// An identity provider. Reaches no caller of KMS, but those whom the provider vouches for.
    Federated(String),
    /// An S3 name. Reaches no caller of KMS.
    CanonicalUser(String),
}

/// How closely a name fits a caller; the closest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// The caller itself.
    Direct,
    /// The role or user behind the caller's session.
    Behind,
    /// The caller's account.
    Account,
}

/// A text that names no principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a principal: neither an account, a user, role or session ARN, a unique id, nor a service")]
pub struct NotAPrincipal;

impl PrincipalName {
    /// An ARN without wildcards. Groups are no principals.
    pub fn from_arn(arn: &str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let (arn, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
        let (region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        if arn != "arn" || !is_partition(partition) || !region.is_empty() || !is_account(account) {
            return None;
        }
        let account = account.to_owned();
        if (service, resource) == ("iam", "root") {
            return Some(Self::Account(account));
        }
        let (kind, name) = resource.split_once('/')?;
        match (service, kind) {
            ("iam", "user") => path_and_name(name).map(|path_and_name| Self::User { account, path_and_name }),
            ("iam", "role") => path_and_name(name).map(|path_and_name| Self::Role { account, path_and_name }),
            ("sts", "assumed-role") => {
                let (role, session) =
                    name.split_once('/').filter(|(role, session)| is_name(role) && is_name(session))?;
                Some(Self::Session { account, role: role.to_owned(), session: session.to_owned() })
            }
            ("sts", "federated-user") => is_name(name).then(|| Self::FederatedUser { account, name: name.to_owned() }),
            _ => None,
        }
    }

    /// What may stand under `"AWS"` in a `Principal` element, `*` excepted.
    pub fn from_aws(text: &str) -> Option<Self> {
        if is_account(text) {
            return Some(Self::Account(text.to_owned()));
        }
        if is_unique_id(text) {
            return Some(Self::Id(text.to_owned()));
        }
        Self::from_arn(text)
    }

    pub fn from_service(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-');
        let plausible = text.contains('.') && text.len() <= 253 && text.bytes().all(allowed);
        plausible.then(|| Self::Service(text.to_owned()))
    }

    /// The names under which policies and grants may know this caller, for an index: the caller itself, the role or
    /// user behind it, their unique ids, its account.
    pub fn all_of(principal: &Principal) -> Vec<Self> {
        let mut names = Vec::with_capacity(4);
        match principal.clone() {
            Principal::Root { .. } => {}
            Principal::User { account, path_and_name, id } => {
                names.push(Self::User { account, path_and_name });
                names.extend(id.map(Self::Id));
            }
            Principal::AssumedRole { account, role_path_and_name, role_id, session } => {
                let role = last_segment(&role_path_and_name).to_owned();
                names.push(Self::Session { account: account.clone(), role, session });
                names.push(Self::Role { account, path_and_name: role_path_and_name });
                names.extend(role_id.map(Self::Id));
            }
            Principal::FederatedUser { account, name, user } => {
                names.push(Self::FederatedUser { account: account.clone(), name });
                names.extend(user.map(|path_and_name| Self::User { account, path_and_name }));
            }
            Principal::WebIdentity { provider, .. } => names.push(Self::Federated(provider)),
            Principal::Service { name } => names.push(Self::Service(name)),
        }
        names.extend(principal.account().map(|account| Self::Account(account.to_owned())));
        names
    }

    /// `None` for unique ids, services and names that reach no caller of KMS.
    pub fn account(&self) -> Option<&str> {
        match self {
            Self::Account(account)
            | Self::User { account, .. }
            | Self::Role { account, .. }
            | Self::Session { account, .. }
            | Self::FederatedUser { account, .. } => Some(account),
            Self::Id(_) | Self::Service(_) | Self::Federated(_) | Self::CanonicalUser(_) => None,
        }
    }

    /// How closely this name fits the caller; `None` when it does not mean it.
    pub fn reach(&self, caller: &Principal) -> Option<Reach> {
        match (self, caller) {
            (Self::Account(named), _) => (caller.account() == Some(named)).then_some(Reach::Account),
            (Self::User { account, path_and_name }, Principal::User { account: a, path_and_name: n, .. }) => {
                (account == a && path_and_name == n).then_some(Reach::Direct)
            }
            (Self::User { account, path_and_name }, Principal::FederatedUser { account: a, user: Some(user), .. }) => {
                (account == a && path_and_name == user).then_some(Reach::Behind)
            }
            (
                Self::Role { account, path_and_name },
                Principal::AssumedRole { account: a, role_path_and_name, role_id, .. },
            ) => {
                let same = if role_id.is_some() {
                    path_and_name == role_path_and_name
                } else {
                    last_segment(path_and_name) == last_segment(role_path_and_name)
                };
                (account == a && same).then_some(Reach::Behind)
            }
            (
                Self::Session { account, role, session },
                Principal::AssumedRole { account: a, role_path_and_name, session: s, .. },
            ) => (account == a && role == last_segment(role_path_and_name) && session == s).then_some(Reach::Direct),
            (Self::FederatedUser { account, name }, Principal::FederatedUser { account: a, name: n, .. }) => {
                (account == a && name == n).then_some(Reach::Direct)
            }
            (Self::Id(id), Principal::User { id: Some(i), .. }) => (id == i).then_some(Reach::Direct),
            (Self::Id(id), Principal::AssumedRole { role_id: Some(i), .. }) => (id == i).then_some(Reach::Behind),
            (Self::Federated(named), Principal::WebIdentity { provider, .. }) => {
                (named == provider).then_some(Reach::Direct)
            }
            (Self::Service(service), Principal::Service { name }) => (service == name).then_some(Reach::Direct),
            _ => None,
        }
    }
}

impl fmt::Display for PrincipalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account(account) => write!(f, "arn:{PARTITION}:iam::{account}:root"),
            Self::User { account, path_and_name } => write!(f, "arn:{PARTITION}:iam::{account}:user/{path_and_name}"),
            Self::Role { account, path_and_name } => write!(f, "arn:{PARTITION}:iam::{account}:role/{path_and_name}"),
            Self::Session { account, role, session } => {
                write!(f, "arn:{PARTITION}:sts::{account}:assumed-role/{role}/{session}")
            }
            Self::FederatedUser { account, name } => write!(f, "arn:{PARTITION}:sts::{account}:federated-user/{name}"),
            Self::Id(text) | Self::Service(text) | Self::Federated(text) | Self::CanonicalUser(text) => {
                f.write_str(text)
            }
        }
    }
}

impl FromStr for PrincipalName {
    type Err = NotAPrincipal;

    /// An account, ARN, unique id or service name.
    fn from_str(text: &str) -> Result<Self, NotAPrincipal> {
        Self::from_aws(text).or_else(|| Self::from_service(text)).ok_or(NotAPrincipal)
    }
}

impl From<PrincipalName> for String {
    fn from(name: PrincipalName) -> Self {
        name.to_string()
    }
}

impl TryFrom<String> for PrincipalName {
    type Error = NotAPrincipal;

    fn try_from(text: String) -> Result<Self, NotAPrincipal> {
        text.parse()
    }
}

pub(super) fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) fn last_segment(path_and_name: &str) -> &str {
    path_and_name.rsplit('/').next().unwrap_or(path_and_name)
}

fn is_partition(text: &str) -> bool {
    let region_group = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    text == PARTITION || text.strip_prefix("aws-").is_some_and(region_group)
}

fn is_unique_id(text: &str) -> bool {
    let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit();
    UNIQUE_ID_CHARS.contains(&text.len()) && text.starts_with('A') && text.bytes().all(upper)
}

fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    (1..=SESSION_NAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(allowed)
}

fn path_and_name(text: &str) -> Option<String> {
    let in_path = |byte: u8| byte.is_ascii_graphic() && !b"*?".contains(&byte);
    let fits = text.len() <= PATH_AND_NAME_CHARS_MAX && !text.starts_with('/') && text.bytes().all(in_path);
    (fits && is_name(last_segment(text))).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn arns_go_both_ways() {
        for arn in [
            "arn:aws:iam::111122223333:root",
            "arn:aws:iam::111122223333:user/ana",
            "arn:aws:iam::111122223333:user/division/ana",
            "arn:aws:sts::111122223333:assumed-role/App/i-1234",
            "arn:aws:sts::111122223333:federated-user/bo",
        ] {
            assert_eq!(Principal::parse_arn(arn, "aws").map(|principal| principal.arn()).as_deref(), Some(arn));
            assert_eq!(Principal::parse_arn(arn, "aws-cn"), None);
            assert_eq!(arn.parse::<PrincipalName>().map(|name| name.to_string()).as_deref(), Ok(arn));
        }
        assert_eq!(Principal::parse_arn("arn:aws:iam::111122223333:role/App", "aws"), None);
    }

    #[test]
    fn names_that_are_no_principals_are_refused() {
        for wrong in [
            "",
            "*",
            "11112222333",
            "arn:aws:iam::111122223333:group/g",
            "arn:aws:iam::111122223333:user/*",
            "arn:aws:iam::*:root",
            "arn:aws:iam::111122223333:user/",
            "arn:aws:iam::111122223333:role/a//",
            "arn:aws:sts::111122223333:assumed-role/App",
            "arn:aws:sts::111122223333:assumed-role/App/*",
            "arn:aws:sts::111122223333:assumed-role/path/App/s",
            "arn:aws:iam:us-east-1:111122223333:user/ana",
            "arn:gcp:iam::111122223333:user/ana",
        ] {
            assert_eq!(wrong.parse::<PrincipalName>(), Err(NotAPrincipal), "{wrong}");
        }
    }

    fn role_session(role_id: Option<&str>) -> Principal {
        Principal::AssumedRole {
            account: "111122223333".into(),
            role_path_and_name: "team/App".into(),
            role_id: role_id.map(Into::into),
            session: "s1".into(),
        }
    }

    #[test]
    fn each_name_reaches_its_callers() {
        let known = role_session(Some("AROAEXAMPLEEXAMPLE01"));
        let reach = |name: &str, principal: &Principal| name.parse::<PrincipalName>().unwrap().reach(principal);
        for (name, expected) in [
            ("111122223333", Some(Reach::Account)),
            ("444455556666", None),
            ("arn:aws:iam::111122223333:role/team/App", Some(Reach::Behind)),
            ("arn:aws:iam::111122223333:role/App", None),
            ("arn:aws:iam::111122223333:role/team/app", None),
            ("AROAEXAMPLEEXAMPLE01", Some(Reach::Behind)),
            ("AROAEXAMPLEEXAMPLE02", None),
            ("arn:aws:sts::111122223333:assumed-role/App/s1", Some(Reach::Direct)),
            ("arn:aws:sts::111122223333:assumed-role/App/s2", None),
            ("arn:aws:sts::444455556666:assumed-role/App/s1", None),
            ("arn:aws:iam::111122223333:user/App", None),
        ] {
            assert_eq!(reach(name, &known), expected, "{name}");
        }
        // Without the role's id its path is unknown, and the last segment decides.
        assert_eq!(reach("arn:aws:iam::111122223333:role/App", &role_session(None)), Some(Reach::Behind));
        let all = PrincipalName::all_of(&known);
        assert_eq!(all.len(), 4);
        assert!(all.iter().all(|name| name.reach(&known).is_some()));
    }

    #[test]
    fn the_caller_answers_its_own_keys() {
        let says = |key: &str| role_session(Some("AROAEXAMPLEEXAMPLE01")).fact(&FactKey::new(key));
        assert_eq!(says("AWS:PrincipalArn"), Some(Value::one("arn:aws:iam::111122223333:role/team/App")));
        assert_eq!(says("aws:userid"), Some(Value::one("AROAEXAMPLEEXAMPLE01:s1")));
        assert_eq!(says("aws:PrincipalType"), Some(Value::one("AssumedRole")));
        assert_eq!(says("aws:PrincipalIsAWSService"), Some(Value::one("false")));
        assert_eq!(says("aws:username"), None);
    }

    proptest! {
        #[test]
        fn any_name_is_read_or_refused(text in "(arn:aws:(iam|sts)::[0-9]{12}:)?[a-z-]{0,12}/?[!-~]{0,20}|\\PC{0,30}") {
            if let Ok(name) = text.parse::<PrincipalName>() {
                prop_assert_eq!(name.to_string().parse::<PrincipalName>(), Ok(name));
            }
        }
    }
}
