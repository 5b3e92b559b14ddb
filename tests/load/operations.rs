//! Every operation that can be called, a row each. A new one is a row and a small function in a room of its kind.
//! Knows what a request says and what its answer must be; sends nothing.

mod crypto;
mod keys;
mod signing;

use crate::checks::answer::Expect;
use crate::scene::{Key, Kind, Random, Scene};
pub(crate) use signing::{MAC_SPEC, Signing};

/// A request's body, and what its answer must be. `None` when there is nothing to ask yet.
pub(crate) type Asked = Option<(String, Expect)>;

/// Which key an operation is called with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    Nothing,
    A(Kind),
    /// A symmetric key, now and then one that is being revoked and restored.
    Watched,
}

impl Needs {
    pub(crate) fn kind(self) -> Option<Kind> {
        match self {
            Self::Nothing => None,
            Self::A(kind) => Some(kind),
            Self::Watched => Some(Kind::Symmetric),
        }
    }
}

/// How often one request may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sending {
    /// Many times, so that it can be signed ahead of time.
    Again,
    /// Once: it makes something, or it carries something fresh that counts.
    Once,
    /// Behind a call of this operation, and never by itself.
    Behind(Operation),
}

#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) needs: Needs,
    pub(crate) sending: Sending,
    pub(crate) ask: fn(&Scene, &mut Random, Option<&Key>) -> Asked,
}

macro_rules! operations {
    ($($name:ident $needs:expr, $sending:expr, $ask:path;)+) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Operation { $($name),+ }

        impl Operation {
            pub(crate) const ALL: &[Self] = &[$(Self::$name),+];

            pub(crate) fn row(self) -> &'static Row {
                match self {
                    $(Self::$name => &Row { name: stringify!($name), needs: $needs, sending: $sending, ask: $ask }),+
                }
            }
        }
    };
}

operations! {
//  operation                          key                      request                        made by
    Encrypt                            Needs::Watched,          Sending::Again,                crypto::encrypt;
    Decrypt                            Needs::Watched,          Sending::Again,                crypto::decrypt;
    GenerateDataKey                    Needs::Watched,          Sending::Again,                crypto::data_key;
    GenerateDataKeyWithoutPlaintext    Needs::Watched,          Sending::Again,                crypto::data_key_without_plaintext;
    ReEncrypt                          Needs::A(Kind::Symmetric), Sending::Again,              crypto::re_encrypt;
    GenerateRandom                     Needs::Nothing,          Sending::Again,                crypto::random;
    Sign                               Needs::A(Kind::Signing), Sending::Again,                signing::sign;
    Verify                             Needs::A(Kind::Signing), Sending::Again,                signing::verify;
    GetPublicKey                       Needs::A(Kind::Signing), Sending::Again,                keys::naming_it;
    GenerateMac                        Needs::A(Kind::Mac),     Sending::Again,                signing::generate_mac;
    VerifyMac                          Needs::A(Kind::Mac),     Sending::Again,                signing::verify_mac;
    DescribeKey                        Needs::A(Kind::Symmetric), Sending::Again,              keys::describe;
    GetKeyPolicy                       Needs::A(Kind::Symmetric), Sending::Again,              keys::policy;
    ListResourceTags                   Needs::A(Kind::Symmetric), Sending::Again,              keys::naming_it;
    ListGrants                         Needs::A(Kind::Symmetric), Sending::Again,              keys::naming_it;
    ListKeys                           Needs::Nothing,          Sending::Again,                keys::list;
    ListAliases                        Needs::Nothing,          Sending::Again,                keys::list;
    CreateKey                          Needs::Nothing,          Sending::Once,                 keys::create;
    CreateAlias                        Needs::A(Kind::Scratch), Sending::Once,                 keys::create_alias;
    DeleteAlias                        Needs::A(Kind::Scratch), Sending::Behind(Self::CreateAlias), keys::never;
    CreateGrant                        Needs::A(Kind::Symmetric), Sending::Once,               keys::create_grant;
    RevokeGrant                        Needs::A(Kind::Symmetric), Sending::Behind(Self::CreateGrant), keys::never;
    TagResource                        Needs::A(Kind::Symmetric), Sending::Again,              keys::tag;
    UpdateKeyDescription               Needs::A(Kind::Symmetric), Sending::Again,              keys::describe_anew;
    PutKeyPolicy                       Needs::A(Kind::Symmetric), Sending::Again,              keys::put_policy;
    EnableKey                          Needs::A(Kind::Scratch), Sending::Again,                keys::naming_it;
    DisableKey                         Needs::A(Kind::Scratch), Sending::Again,                keys::naming_it;
}

impl Operation {
    pub(crate) fn name(self) -> &'static str {
        self.row().name
    }

    pub(crate) fn of(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operation| operation.name() == name)
    }

    /// The operation that comes behind each call of this one.
    pub(crate) fn behind(self) -> Option<Self> {
        Self::ALL.iter().copied().find(|other| other.row().sending == Sending::Behind(self))
    }

    /// Those that a grant on a watched key allows, and a revocation takes away.
    pub(crate) fn watched() -> impl Iterator<Item = Self> {
        Self::ALL.iter().copied().filter(|operation| operation.row().needs == Needs::Watched)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_are_found_by_name() {
        for operation in Operation::ALL {
            assert_eq!(Operation::of(operation.name()), Some(*operation));
        }
        assert_eq!(Operation::of("Encipher"), None);
    }

    #[test]
    fn what_is_made_is_taken_away() {
        assert_eq!(Operation::CreateGrant.behind(), Some(Operation::RevokeGrant));
        assert_eq!(Operation::CreateAlias.behind(), Some(Operation::DeleteAlias));
        assert_eq!(Operation::Encrypt.behind(), None);
    }

    #[test]
    fn what_a_revocation_takes_away_is_cryptography() {
        let names: Vec<_> = Operation::watched().map(Operation::name).collect();
        assert_eq!(names, ["Encrypt", "Decrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext"]);
    }
}
