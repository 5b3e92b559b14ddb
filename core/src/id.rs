//! The names that AWS gives things: accounts, key ids, ARNs and aliases, parsed once.
//! Knows their grammar and nothing of what they stand for.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::error::KmsError;

/// Declares a fixed-width ASCII name: `Copy`, cheap to hash, printed and stored as its text.
macro_rules! ascii_name {
    ($(#[$doc:meta])* $name:ident, $width:literal, $well_formed:expr) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $width]);

        impl $name {
            /// `None` when the text does not have this name's form.
            pub fn parse(text: &str) -> Option<Self> {
                let bytes = <[u8; $width]>::try_from(text.as_bytes()).ok()?;
                let well_formed: fn(&[u8]) -> bool = $well_formed;
                well_formed(&bytes).then_some(Self(bytes))
            }

            pub fn as_str(&self) -> &str {
                // INVARIANT: `parse` lets only ASCII in, so this never takes the default.
                std::str::from_utf8(&self.0).unwrap_or_default()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::text::parsed(deserializer, stringify!($name), Self::parse)
            }
        }
    };
}

ascii_name!(
    /// An AWS account id: twelve digits.
    AccountId,
    12,
    |bytes| bytes.iter().all(u8::is_ascii_digit)
);

ascii_name!(
    /// A key id: a lower-case UUID with dashes, or `mrk-` and 32 hex digits. Both are 36 characters.
    KeyId,
    36,
    |bytes| match bytes.strip_prefix(b"mrk-") {
        Some(rest) => rest.iter().all(|b| is_lower_hex(*b)),
        None => bytes.iter().enumerate().all(|(at, b)| match at {
            8 | 13 | 18 | 23 => *b == b'-',
            _ => is_lower_hex(*b),
        }),
    }
);

/// How many key ids in a row begin with the same random 32 bits; the other 90 are each id's own.
const NEIGHBOURS_MAX: u32 = 64;

impl KeyId {
    /// Sorts before every key id.
    pub const LEAST: Self = Self([0; 36]);

    /// A fresh random id of a single-Region key. Ids that a thread makes one after the other begin alike, some dozens of
    /// them: the rows of keys that are made at the same time then share pages of the store, and are written together.
    /// What they begin with is random as well, and tells nothing of when that was.
    pub fn random() -> Self {
        thread_local! {
            /// What the next ids begin with, and how many of them.
            static NEIGHBOURS: Cell<(u32, u32)> = const { Cell::new((0, 0)) };
        }
        let id = uuid::Uuid::new_v4();
        let (own, middle, version, end) = id.as_fields();
        let (start, left) = NEIGHBOURS.get();
        let (start, left) = if left == 0 { (own, NEIGHBOURS_MAX) } else { (start, left) };
        NEIGHBOURS.set((start, left - 1));
        let mut bytes = [0; 36];
        uuid::Uuid::from_fields(start, middle, version, end).hyphenated().encode_lower(&mut bytes);
        Self(bytes)
    }

    /// Whether this is the id of a multi-Region key.
    pub fn is_multi_region(&self) -> bool {
        self.0.starts_with(b"mrk-")
    }
}

/// Whether a text has the form of a grant id: 64 hex digits.
pub fn is_grant_id(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn is_lower_hex(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'a'..=b'f')
}

/// An alias name with its prefix, for example `alias/demo`; at most 256 characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AliasName(Arc<str>);

impl AliasName {
    /// Checks what the service itself checks of an alias name (kms-alias.html of the developer guide): the prefix,
    /// the characters, and that the name is not AWS's own.
    pub fn parse(text: &str) -> Result<Self, KmsError> {
        let Some(rest) = text.strip_prefix("alias/") else {
            return Err(KmsError::AliasPrefix);
        };
        if rest.is_empty() || !rest.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'_' | b'-')) {
            return Err(KmsError::AliasCharacters { alias: text.to_owned() });
        }
        Ok(Self(text.into()))
    }

    /// Sorts before every alias name.
    pub fn least() -> Self {
        Self("".into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// `alias/aws/...` belongs to AWS services; customers cannot create, move or delete such an alias.
    pub fn is_reserved(&self) -> bool {
        self.0.starts_with("alias/aws/") || &*self.0 == "alias/aws"
    }
}

impl fmt::Display for AliasName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where this deployment is: its partition and Region, the constant part of every ARN that it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// `aws`, `aws-cn`, `aws-us-gov`.
    pub partition: Arc<str>,
    /// `us-east-1`
    pub region: Arc<str>,
}

impl Place {
    pub fn new(partition: &str, region: &str) -> Self {
        Self { partition: partition.into(), region: region.into() }
    }

    pub fn key_arn(&self, account: AccountId, key: KeyId) -> String {
        format!("arn:{}:kms:{}:{account}:key/{key}", self.partition, self.region)
    }

    pub fn alias_arn(&self, account: AccountId, alias: &AliasName) -> String {
        format!("arn:{}:kms:{}:{account}:{alias}", self.partition, self.region)
    }

    /// An ARN, or a text with ARNs, of partition `aws`, which is the one that `authz` writes, as it is in this partition.
    pub fn own_arns(&self, text: &str) -> String {
        text.replace("arn:aws:", &format!("arn:{}:", self.partition))
    }

    /// The ARN of a `user`, `role`, `group` or `policy`. The path begins and ends with a slash.
    pub fn iam_arn(&self, account: AccountId, kind: &str, path: &str, name: &str) -> String {
        format!("arn:{}:iam::{account}:{kind}{path}{name}", self.partition)
    }

    /// The ARN of an OpenID Connect identity provider.
    pub fn issuer_arn(&self, account: AccountId, url: &str) -> String {
        let host_and_path = url.trim_start_matches("https://").trim_end_matches('/');
        format!("arn:{}:iam::{account}:oidc-provider/{host_and_path}", self.partition)
    }

    /// The ARN that stands for a whole account in policies and in IssuingAccount.
    pub fn root_arn(&self, account: AccountId) -> String {
        format!("arn:{}:iam::{account}:root", self.partition)
    }
}

/// A key as a caller names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyRef {
    Id(KeyId),
    Arn { account: AccountId, key: KeyId },
    Alias(AliasName),
    AliasArn { account: AccountId, alias: AliasName },
}

impl KeyRef {
    /// Parses what a caller wrote in a KeyId member. Names of no valid form answer NotFoundException, as does an ARN
    /// of another Region (API reference of DescribeKey; texts as observed).
    pub fn parse(text: &str, place: &Place) -> Result<Self, KmsError> {
        let invalid = || KmsError::InvalidKeyId { given: text.to_owned() };
        if text.starts_with("arn:") {
            return Self::parse_arn(text, place);
        }
        if text.starts_with("alias/") {
            return AliasName::parse(text).map(Self::Alias).map_err(|_| invalid());
        }
        KeyId::parse(text).map(Self::Id).ok_or_else(invalid)
    }

    fn parse_arn(text: &str, place: &Place) -> Result<Self, KmsError> {
        let invalid = || KmsError::InvalidKeyId { given: text.to_owned() };
        let mut parts = text.splitn(6, ':').skip(1);
        let (partition, service, region, account, resource) =
            match (parts.next(), parts.next(), parts.next(), parts.next(), parts.next()) {
                (Some(partition), Some(service), Some(region), Some(account), Some(resource)) => {
                    (partition, service, region, account, resource)
                }
                _ => return Err(invalid()),
            };
        if service != "kms" || partition != &*place.partition {
            return Err(invalid());
        }
        if region != &*place.region {
            return Err(KmsError::ForeignRegion { region: region.to_owned() });
        }
        let account = AccountId::parse(account).ok_or_else(invalid)?;
        if let Some(key) = resource.strip_prefix("key/") {
            return KeyId::parse(key).map(|key| Self::Arn { account, key }).ok_or_else(invalid);
        }
        AliasName::parse(resource).map(|alias| Self::AliasArn { account, alias }).map_err(|_| invalid())
    }

    /// Whether the caller named an alias, as a name or as an ARN.
    pub fn is_alias(&self) -> bool {
        matches!(self, Self::Alias(_) | Self::AliasArn { .. })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn place() -> Place {
        Place::new("aws", "us-east-1")
    }

    #[test]
    fn key_references_have_four_forms() {
        let id = "1234abcd-12ab-34cd-56ef-1234567890ab";
        let account = AccountId::parse("111122223333").unwrap();
        let key = KeyId::parse(id).unwrap();
        let alias = AliasName::parse("alias/demo").unwrap();
        assert_eq!(KeyRef::parse(id, &place()), Ok(KeyRef::Id(key)));
        assert_eq!(KeyRef::parse(&place().key_arn(account, key), &place()), Ok(KeyRef::Arn { account, key }));
        assert_eq!(KeyRef::parse("alias/demo", &place()), Ok(KeyRef::Alias(alias.clone())));
        assert_eq!(
            KeyRef::parse(&place().alias_arn(account, &alias), &place()),
            Ok(KeyRef::AliasArn { account, alias })
        );
    }

    #[test]
    fn ill_formed_key_references_are_not_found() {
        for text in
            ["fake-key-id", "1234abcd12ab34cd56ef1234567890ab", "mrk-fake-key-id", "arn:aws:kms:us-east-1:1:key/x", ""]
        {
            assert_eq!(KeyRef::parse(text, &place()), Err(KmsError::InvalidKeyId { given: text.to_owned() }), "{text}");
        }
        let foreign = "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
        assert_eq!(KeyRef::parse(foreign, &place()), Err(KmsError::ForeignRegion { region: "us-west-2".to_owned() }));
    }

    #[test]
    fn random_ids_have_neighbours_and_are_each_their_own() {
        let ids: Vec<_> = (0..10 * NEIGHBOURS_MAX).map(|_| KeyId::random()).collect();
        let distinct: std::collections::BTreeSet<_> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len());
        let starts: std::collections::BTreeSet<_> = ids.iter().map(|id| id.as_str().split_at(8).0).collect();
        assert!((10..=11).contains(&starts.len()), "{starts:?}");
        let ends: std::collections::BTreeSet<_> = ids.iter().map(|id| id.as_str().split_at(9).1).collect();
        assert_eq!(ends.len(), ids.len());
    }

    proptest! {
        #[test]
        fn parsing_a_key_reference_never_panics_and_keeps_the_text(text in "\\PC{0,80}") {
            if let Ok(KeyRef::Id(id)) = KeyRef::parse(&text, &place()) {
                prop_assert_eq!(id.as_str(), text);
            }
        }

        #[test]
        fn random_ids_parse(_ in 0..16) {
            let id = KeyId::random();
            prop_assert_eq!(KeyId::parse(id.as_str()), Some(id));
        }
    }
}
