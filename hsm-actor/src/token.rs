//! What the outside holds of a key: its wrapped bytes, and the id of a material.
//! Opens nothing; whoever holds these learns nothing of the key.

use std::{fmt, marker::PhantomData, str::FromStr};

use aws_lc_rs::digest;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

use crate::octets;

/// A key material: what a KMS key encrypts, signs or authenticates with.
#[derive(Debug)]
pub enum Material {}
/// The secret of an access key.
#[derive(Debug)]
pub enum Secret {}

/// A `T` encrypted under the domain key of this number, bound to what it belongs to.
#[derive(Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Wrapped<T> {
    domain: u32,
    #[serde(with = "octets")]
    bytes: Vec<u8>,
    #[serde(skip)]
    kind: PhantomData<fn() -> T>,
}

impl<T> Wrapped<T> {
    pub(crate) fn new(domain: u32, bytes: Vec<u8>) -> Self {
        Self { domain, bytes, kind: PhantomData }
    }

    /// The number of the domain key that opens this; an older one than the active is due for a re-wrap.
    pub fn domain(&self) -> u32 {
        self.domain
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T> Clone for Wrapped<T> {
    fn clone(&self) -> Self {
        Self::new(self.domain, self.bytes.clone())
    }
}

impl<T> PartialEq for Wrapped<T> {
    fn eq(&self, other: &Self) -> bool {
        self.domain == other.domain && self.bytes == other.bytes
    }
}

impl<T> Eq for Wrapped<T> {}

impl<T> fmt::Debug for Wrapped<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[WRAPPED {} bytes, domain {}]", self.bytes.len(), self.domain)
    }
}

/// Names a material: SHA-256 over a domain separator, the key's id and the material.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MaterialId(pub [u8; 32]);

impl MaterialId {
    /// The id of `material` as a material of the key `key_id`.
    pub(crate) fn of(key_id: &str, material: &[u8]) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        for field in [b"kannuki/material-id/v1".as_slice(), key_id.as_bytes()] {
            hash.update(&(field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        hash.update(material);
        let mut id = [0; 32];
        id.copy_from_slice(hash.finish().as_ref());
        Self(id)
    }
}

impl fmt::Display for MaterialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = [0; 64];
        hex::encode_to_slice(self.0, &mut digits).map_err(|_| fmt::Error)?;
        f.pad(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?)
    }
}

impl fmt::Debug for MaterialId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MaterialId({self})")
    }
}

/// A material id is 64 lower-case hex digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key material id is 64 lower-case hex digits")]
pub struct MaterialIdError;

impl FromStr for MaterialId {
    type Err = MaterialIdError;

    fn from_str(text: &str) -> Result<Self, MaterialIdError> {
        if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
            return Err(MaterialIdError);
        }
        let mut id = [0; 32];
        hex::decode_to_slice(text, &mut id).map_err(|_| MaterialIdError)?;
        Ok(Self(id))
    }
}

impl Serialize for MaterialId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        octets::serialize(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for MaterialId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = octets::deserialize(deserializer)?;
        bytes.try_into().map(Self).map_err(|_| D::Error::custom(MaterialIdError))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_material_id_reads_back(bytes in any::<[u8; 32]>()) {
            let id = MaterialId(bytes);
            prop_assert_eq!(id.to_string().parse(), Ok(id));
            prop_assert_eq!(postcard::from_bytes::<MaterialId>(&postcard::to_allocvec(&id).unwrap()).unwrap(), id);
            prop_assert_eq!(serde_json::from_str::<MaterialId>(&format!("\"{id}\"")).unwrap(), id);
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,70}") {
            let parsed = text.parse::<MaterialId>();
            prop_assert_eq!(parsed.map(|id| id.to_string()).unwrap_or_else(|_| text.clone()), text);
        }

        #[test]
        fn a_wrapped_key_reads_back(domain in any::<u32>(), bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            let wrapped = Wrapped::<Material>::new(domain, bytes);
            prop_assert_eq!(&postcard::from_bytes::<Wrapped<Material>>(&postcard::to_allocvec(&wrapped).unwrap()).unwrap(), &wrapped);
            prop_assert_eq!(&serde_json::from_str::<Wrapped<Material>>(&serde_json::to_string(&wrapped).unwrap()).unwrap(), &wrapped);
        }
    }

    #[test]
    fn an_id_depends_on_key_and_material() {
        let material = |byte| [byte; 32];
        let id = MaterialId::of("key", &material(1));
        assert_ne!(id, MaterialId::of("kez", &material(1)));
        assert_ne!(id, MaterialId::of("key", &material(2)));
    }

    #[test]
    fn upper_case_is_not_an_id() {
        assert_eq!("A".repeat(64).parse::<MaterialId>(), Err(MaterialIdError));
        assert!("a".repeat(64).parse::<MaterialId>().is_ok());
    }

    #[test]
    fn debug_shows_no_bytes() {
        let wrapped = Wrapped::<Secret>::new(3, vec![0x41; 5]);
        assert_eq!(format!("{wrapped:?}"), "[WRAPPED 5 bytes, domain 3]");
    }
}
