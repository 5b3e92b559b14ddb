//! What a command works with: the ring's keys, put to their uses.
//! The only place where stored materials and secrets are wrapped and opened.

use std::fmt;

use aws_lc_rs::hmac;
use subtle::ConstantTimeEq;

use crate::{
    aead,
    command::Purpose,
    error::HsmError,
    frame::Frame,
    kdf,
    label::{Held, Label},
    ring::KeyRing,
    secret::{Call, Plaintext, SecretKey},
    session::SessionKeys,
    token::{Material, MaterialId, Secret, Wrapped},
};

/// The longest owner of a secret, in bytes (an access key id has 16 to 128 characters).
const OWNER_BYTES_MAX: usize = 256;
/// The longest secret, in bytes.
const SECRET_BYTES_MAX: usize = 256;

/// The keys of the region, for the commands of this crate.
pub struct Vault {
    ring: KeyRing,
    row: hmac::Key,
    set_element: hmac::Key,
    root: hmac::Key,
    grant_token: hmac::Key,
    session: SessionKeys,
    manifest: hmac::Key,
}

impl Vault {
    /// A vault on this ring. The pool makes its own; this is for running a command without a pool around it.
    #[doc(hidden)]
    pub fn new(ring: KeyRing) -> Result<Self, HsmError> {
        let key = |purpose: Purpose| {
            let derived: SecretKey<Call> = kdf::derive(ring.integrity(), "kannuki/integrity/v1", purpose.name())?;
            Ok(hmac::Key::new(hmac::HMAC_SHA256, derived.expose()))
        };
        Ok(Self {
            row: key(Purpose::Row)?,
            set_element: key(Purpose::SetElement)?,
            root: key(Purpose::Root)?,
            grant_token: key(Purpose::GrantToken)?,
            session: SessionKeys::derived(ring.region_key())?,
            manifest: key(Purpose::Manifest)?,
            ring,
        })
    }

    /// Wraps `material` under the active domain key and proves that it opens. A key pair's public key goes beside its
    /// private key, in a box of its own.
    pub(crate) fn wrap_material(&self, label: Label, material: &[u8], public: Option<&[u8]>) -> Result<Held, HsmError> {
        let (domain, key) = self.ring.active().ok_or(HsmError::Fault)?;
        let id = MaterialId::of(&label.key, material);
        let boxed = aead::boxed(key, label.bound(id, domain)?.bytes(), material)?;
        let bytes = match public {
            Some(public) => join(&aead::boxed(key, label.bound_public(id, domain)?.bytes(), public)?, &boxed)?,
            None => boxed,
        };
        let held = Held { label, id, wrapped: Wrapped::new(domain, bytes) };
        let again = self.open_bytes(&held).map_err(|_| HsmError::SelfTest)?;
        let public_again = public.map(|_| self.open_public(&held)).transpose().map_err(|_| HsmError::SelfTest)?;
        if bool::from(again.expose().ct_eq(material)) && public_again.as_deref() == public {
            Ok(held)
        } else {
            Err(HsmError::SelfTest)
        }
    }

    /// The material of any spec, which is the one that its id names and belongs to its label.
    pub(crate) fn open_bytes(&self, held: &Held) -> Result<Plaintext, HsmError> {
        let domain = held.wrapped.domain();
        let key = self.ring.domain(domain).ok_or(HsmError::Unopenable)?;
        let bound = held.label.bound(held.id, domain)?;
        let boxed = split(held.wrapped.bytes()).map_or(held.wrapped.bytes(), |(_, private)| private);
        let material = aead::unboxed(key, bound.bytes(), boxed).map_err(|_| HsmError::Unopenable)?;
        if bool::from(MaterialId::of(&held.label.key, &material).0.ct_eq(&held.id.0)) {
            Ok(Plaintext::from_wiped(material))
        } else {
            Err(HsmError::MaterialMismatch)
        }
    }

    /// The public key of a key pair. The private key stays closed: the box is bound to the same label and material id,
    /// and whoever could make one could make the private key's, too.
    pub(crate) fn open_public(&self, held: &Held) -> Result<Vec<u8>, HsmError> {
        let domain = held.wrapped.domain();
        let key = self.ring.domain(domain).ok_or(HsmError::Unopenable)?;
        let bound = held.label.bound_public(held.id, domain)?;
        let (public, _) = split(held.wrapped.bytes()).ok_or(HsmError::Unopenable)?;
        aead::unboxed(key, bound.bytes(), public).map(|public| public.to_vec()).map_err(|_| HsmError::Unopenable)
    }

    /// The symmetric material, which is the one that its id names and belongs to its label.
    pub(crate) fn open_material(&self, held: &Held) -> Result<SecretKey<Material>, HsmError> {
        let domain = held.wrapped.domain();
        let key = self.ring.domain(domain).ok_or(HsmError::Unopenable)?;
        let bound = held.label.bound(held.id, domain)?;
        let material = aead::unboxed_key(key, bound.bytes(), held.wrapped.bytes()).map_err(|_| HsmError::Unopenable)?;
        if bool::from(MaterialId::of(&held.label.key, material.expose()).0.ct_eq(&held.id.0)) {
            Ok(material)
        } else {
            Err(HsmError::MaterialMismatch)
        }
    }

    /// The material under the active domain key, when it is held under an older one; a public key goes with it.
    pub(crate) fn rewrapped(&self, held: &Held, material: &[u8]) -> Result<Option<Wrapped<Material>>, HsmError> {
        if held.wrapped.domain() == self.ring.active_domain() {
            return Ok(None);
        }
        let public = split(held.wrapped.bytes()).map(|_| self.open_public(held)).transpose()?;
        self.wrap_material(held.label.clone(), material, public.as_deref()).map(|held| Some(held.wrapped))
    }

    /// Wraps a secret for `owner` under the active domain key and proves that it opens.
    pub(crate) fn wrap_secret(&self, owner: &str, secret: &Plaintext) -> Result<Wrapped<Secret>, HsmError> {
        if secret.is_empty() || secret.len() > SECRET_BYTES_MAX {
            return Err(HsmError::TooLarge);
        }
        let (domain, key) = self.ring.active().ok_or(HsmError::Fault)?;
        let wrapped = Wrapped::new(domain, aead::boxed(key, owner_bound(owner, domain)?.bytes(), secret.expose())?);
        let again = self.open_secret(owner, &wrapped).map_err(|_| HsmError::SelfTest)?;
        if bool::from(again.expose().ct_eq(secret.expose())) { Ok(wrapped) } else { Err(HsmError::SelfTest) }
    }

    /// The secret, which belongs to `owner`.
    pub(crate) fn open_secret(&self, owner: &str, wrapped: &Wrapped<Secret>) -> Result<Plaintext, HsmError> {
        let domain = wrapped.domain();
        let key = self.ring.domain(domain).ok_or(HsmError::Unopenable)?;
        let opened = aead::unboxed(key, owner_bound(owner, domain)?.bytes(), wrapped.bytes());
        opened.map(Plaintext::from_wiped).map_err(|_| HsmError::Unopenable)
    }

    /// The secret under the active domain key, when it is held under an older one.
    pub(crate) fn rewrapped_secret(
        &self,
        owner: &str,
        wrapped: &Wrapped<Secret>,
        secret: &Plaintext,
    ) -> Result<Option<Wrapped<Secret>>, HsmError> {
        if wrapped.domain() == self.ring.active_domain() {
            return Ok(None);
        }
        self.wrap_secret(owner, secret).map(Some)
    }

    /// HMAC-SHA256 of `message` under the key of `purpose`.
    pub(crate) fn tag(&self, purpose: Purpose, message: &[u8]) -> [u8; 32] {
        let key = match purpose {
            Purpose::Row => &self.row,
            Purpose::SetElement => &self.set_element,
            Purpose::Root => &self.root,
            Purpose::GrantToken => &self.grant_token,
            Purpose::Manifest => &self.manifest,
        };
        let mut tag = [0; 32];
        tag.copy_from_slice(hmac::sign(key, message).as_ref());
        tag
    }

    pub(crate) fn session(&self) -> &SessionKeys {
        &self.session
    }

    pub(crate) fn ring(&self) -> &KeyRing {
        &self.ring
    }
}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[VAULT]")
    }
}

/// The first byte of a wrapped key pair: `format | length of the public key's box, 2 bytes | that box | the material's box`.
/// What holds no public key is a box alone, whose first byte is another.
const PAIR_FORMAT: u8 = 2;

fn join(public: &[u8], private: &[u8]) -> Result<Vec<u8>, HsmError> {
    let length = u16::try_from(public.len()).map_err(|_| HsmError::TooLarge)?;
    Ok([[PAIR_FORMAT].as_slice(), &length.to_be_bytes(), public, private].concat())
}

/// The boxes of the public and of the private key.
fn split(wrapped: &[u8]) -> Option<(&[u8], &[u8])> {
    let ([PAIR_FORMAT], rest) = wrapped.split_first_chunk::<1>()? else { return None };
    let (length, boxes) = rest.split_first_chunk()?;
    boxes.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

fn owner_bound(owner: &str, domain: u32) -> Result<Frame, HsmError> {
    if owner.len() > OWNER_BYTES_MAX {
        return Err(HsmError::TooLarge);
    }
    Ok(Frame::new("kannuki/secret/v1").field(owner.as_bytes()).fixed(domain.to_be_bytes()))
}
