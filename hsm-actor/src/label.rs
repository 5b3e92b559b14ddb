//! What a key material is bound to, and a material as the store has it.
//! The label is authenticated with the wrapped material: an edited or swapped row does not open.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::{
    command::Class,
    error::HsmError,
    frame::Frame,
    token::{Material, MaterialId, Wrapped},
};

/// The longest text of a label, in bytes.
const TEXT_BYTES_MAX: usize = 256;

/// What a material belongs to and may be used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    // Shared texts: who holds very many labels holds most of these once.
    pub partition: Arc<str>,
    /// The account's twelve digits.
    pub account: Arc<str>,
    /// The key's id, not its ARN.
    pub key: Arc<str>,
    pub spec: Spec,
    pub usage: Usage,
    pub origin: Origin,
    pub multi_region: bool,
}

/// A material as the store has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub label: Label,
    pub id: MaterialId,
    pub wrapped: Wrapped<Material>,
}

/// The byte is none of this build's codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown {kind} code {code}")]
pub struct UnknownCode {
    kind: &'static str,
    code: u8,
}

/// An enum whose variants are stored and authenticated as one byte each, for ever.
macro_rules! coded {
    ($(#[$doc:meta])* $name:ident, $kind:literal { $($variant:ident = $code:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(into = "u8", try_from = "u8")]
        pub enum $name {
            $($variant),+
        }

        impl $name {
            /// The stable code of the variant.
            pub fn code(self) -> u8 {
                match self {
                    $(Self::$variant => $code),+
                }
            }
        }

        impl From<$name> for u8 {
            fn from(value: $name) -> u8 {
                value.code()
            }
        }

        impl TryFrom<u8> for $name {
            type Error = UnknownCode;

            fn try_from(code: u8) -> Result<Self, UnknownCode> {
                match code {
                    $($code => Ok(Self::$variant),)+
                    _ => Err(UnknownCode { kind: $kind, code }),
                }
            }
        }
    };
}

coded! {
    /// The algorithm family and size of a key.
    Spec, "key spec" {
        SymmetricDefault = 1,
        Rsa2048 = 2,
        Rsa3072 = 3,
        Rsa4096 = 4,
        EccNistP256 = 5,
        EccNistP384 = 6,
        EccNistP521 = 7,
        EccSecgP256k1 = 8,
        EccNistEdwards25519 = 9,
        Hmac224 = 10,
        Hmac256 = 11,
        Hmac384 = 12,
        Hmac512 = 13,
    }
}
coded! {
    /// What a key may be used for.
    Usage, "key usage" { EncryptDecrypt = 1, SignVerify = 2, GenerateVerifyMac = 3, KeyAgreement = 4 }
}
coded! {
    /// Where a key's material comes from.
    Origin, "origin" { AwsKms = 1, External = 2 }
}

impl Spec {
    /// The usages of which a key of this spec can have one.
    fn usages(self) -> &'static [Usage] {
        match self {
            Self::SymmetricDefault => &[Usage::EncryptDecrypt],
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => &[Usage::EncryptDecrypt, Usage::SignVerify],
            Self::EccNistP256 | Self::EccNistP384 | Self::EccNistP521 => &[Usage::SignVerify, Usage::KeyAgreement],
            Self::EccSecgP256k1 | Self::EccNistEdwards25519 => &[Usage::SignVerify],
            Self::Hmac224 | Self::Hmac256 | Self::Hmac384 | Self::Hmac512 => &[Usage::GenerateVerifyMac],
        }
    }

    /// How long it takes to make a key of this spec: the primes of an RSA key are sought.
    pub(crate) fn class(self) -> Class {
        match self {
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => Class::Slow,
            _ => Class::Quick,
        }
    }
}

impl Label {
    /// The associated data of this label's material `id` under the domain key `domain`.
    pub(crate) fn bound(&self, id: MaterialId, domain: u32) -> Result<Frame, HsmError> {
        self.framed("kannuki/material/v1", id, domain)
    }

    /// The associated data of the public key that belongs to this label's material `id`.
    pub(crate) fn bound_public(&self, id: MaterialId, domain: u32) -> Result<Frame, HsmError> {
        self.framed("kannuki/public-key/v1", id, domain)
    }

    fn framed(&self, purpose: &str, id: MaterialId, domain: u32) -> Result<Frame, HsmError> {
        let texts = [&self.partition, &self.account, &self.key];
        if texts.iter().any(|text| text.len() > TEXT_BYTES_MAX) {
            return Err(HsmError::TooLarge);
        }
        let frame = texts.iter().fold(Frame::new(purpose), |frame, text| frame.field(text.as_bytes()));
        Ok(frame.fixed(id.0).fixed(domain.to_be_bytes()).fixed([
            self.spec.code(),
            self.usage.code(),
            self.origin.code(),
            u8::from(self.multi_region),
        ]))
    }

    /// Refuses material that is not for encryption and decryption with a symmetric key.
    pub(crate) fn permits_symmetric_encryption(&self) -> Result<(), HsmError> {
        match (self.spec, self.usage) {
            (Spec::SymmetricDefault, Usage::EncryptDecrypt) => Ok(()),
            _ => Err(HsmError::Refused),
        }
    }

    /// Refuses material that is not for `usage`, or is of a spec that cannot have it.
    pub(crate) fn permits(&self, usage: Usage) -> Result<(), HsmError> {
        if self.usage == usage && self.spec.usages().contains(&usage) { Ok(()) } else { Err(HsmError::Refused) }
    }

    /// Refuses to make material whose origin is outside: it is imported, never generated.
    pub(crate) fn permits_generation(&self) -> Result<(), HsmError> {
        match self.origin {
            Origin::AwsKms => self.permits(self.usage),
            Origin::External => Err(HsmError::Refused),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn codes_read_back_and_others_are_refused() {
        for origin in [Origin::AwsKms, Origin::External] {
            assert_eq!(Origin::try_from(origin.code()), Ok(origin));
        }
        assert_eq!((Spec::SymmetricDefault.code(), Usage::EncryptDecrypt.code()), (1, 1));
        assert_eq!((Spec::Hmac512.code(), Usage::KeyAgreement.code()), (13, 4));
        for code in 1..=13 {
            assert_eq!(Spec::try_from(code).unwrap().code(), code);
        }
        assert_eq!((Origin::AwsKms.code(), Origin::External.code()), (1, 2));
        for code in [0, 3, 255] {
            assert_eq!(Origin::try_from(code).unwrap_err().to_string(), format!("unknown origin code {code}"));
        }
        assert_eq!(serde_json::to_string(&Origin::External).unwrap(), "2");
        assert!(serde_json::from_str::<Spec>("14").is_err());
    }

    #[test]
    fn every_member_is_bound() {
        let label = crate::testing::label("key");
        let bound = |label: &Label, id, domain| label.bound(MaterialId([id; 32]), domain).unwrap().into_bytes();
        let reference = bound(&label, 1, 1);
        let variants = [
            Label { partition: "aws-cn".into(), ..label.clone() },
            Label { account: "444455556666".into(), ..label.clone() },
            Label { key: "other".into(), ..label.clone() },
            Label { spec: Spec::Rsa2048, ..label.clone() },
            Label { usage: Usage::SignVerify, ..label.clone() },
            Label { origin: Origin::External, ..label.clone() },
            Label { multi_region: true, ..label.clone() },
        ];
        for variant in &variants {
            assert_ne!(reference, bound(variant, 1, 1), "{variant:?}");
        }
        assert_ne!(reference, label.bound_public(MaterialId([1; 32]), 1).unwrap().into_bytes());
        assert_ne!(reference, bound(&label, 2, 1));
        assert_ne!(reference, bound(&label, 1, 2));
    }

    #[test]
    fn a_text_is_bounded() {
        let label = Label { key: "k".repeat(257).into(), ..crate::testing::label("key") };
        assert_eq!(label.bound(MaterialId([0; 32]), 1).err(), Some(HsmError::TooLarge));
    }
}
