//! The commands that make and keep materials: GenerateMaterial, Rewrap.
//! No reply holds a material in the clear.

use std::sync::Arc;

use super::{Class, Command};
use crate::{
    error::HsmError,
    label::{Held, Label, Spec},
    mac,
    pair::Pair,
    secret::SecretKey,
    token::{Material, Wrapped},
    vault::Vault,
};

/// Makes a new material for `label`. Refused where the label's origin is outside.
#[derive(Debug)]
pub struct GenerateMaterial {
    pub label: Label,
}

impl Command for GenerateMaterial {
    type Reply = Held;
    const NAME: &'static str = "GenerateMaterial";
    const CLASS: Class = Class::Quick;

    fn class(&self) -> Class {
        self.label.spec.class()
    }

    fn run(&self, vault: &Vault) -> Result<Held, HsmError> {
        self.label.permits_generation()?;
        let (label, spec) = (self.label.clone(), self.label.spec);
        if spec == Spec::SymmetricDefault {
            let material: SecretKey<Material> = SecretKey::random()?;
            return vault.wrap_material(label, material.expose(), None);
        }
        match mac::key_bytes(spec) {
            Some(length) => vault.wrap_material(label, mac::generate(length)?.expose(), None),
            None => {
                let pair = Pair::generate(spec)?;
                vault.wrap_material(label, pair.private.expose(), Some(&pair.public))
            }
        }
    }
}

/// Wraps a material under the active domain key; `None` when it already is.
#[derive(Debug)]
pub struct Rewrap {
    pub key: Arc<Held>,
}

impl Command for Rewrap {
    type Reply = Option<Wrapped<Material>>;
    const NAME: &'static str = "Rewrap";
    const CLASS: Class = Class::Quick;

    fn run(&self, vault: &Vault) -> Result<Self::Reply, HsmError> {
        let material = vault.open_bytes(&self.key)?;
        vault.rewrapped(&self.key, material.expose())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::{aead, label::Origin, testing, token::MaterialId};

    type Edit = fn(&mut Held, &Held);

    /// Every edit gets one held material, and one of another key under the same ring.
    const EDITS: &[(&str, Edit)] = &[
        ("partition", |held, _| held.label.partition = "aws-cn".into()),
        ("account", |held, _| held.label.account = "444455556666".into()),
        ("key", |held, other| held.label.key = other.label.key.clone()),
        ("origin", |held, _| held.label.origin = Origin::External),
        ("multi-Region", |held, _| held.label.multi_region = true),
        ("id", |held, other| held.id = other.id),
        ("wrapped", |held, other| held.wrapped = other.wrapped.clone()),
        ("id and wrapped", |held, other| (held.id, held.wrapped) = (other.id, other.wrapped.clone())),
        ("label", |held, other| held.label = other.label.clone()),
        ("domain", |held, _| held.wrapped = Wrapped::new(2, held.wrapped.bytes().to_vec())),
        ("empty", |held, _| held.wrapped = Wrapped::new(1, vec![])),
    ];

    #[test]
    fn a_material_moved_or_edited_does_not_open() {
        let vault = testing::vault();
        let (held, other) = (testing::held(&vault, "one"), testing::held(&vault, "two"));
        assert_eq!(Rewrap { key: Arc::new(held.clone()) }.run(&vault), Ok(None));
        for (name, edit) in EDITS {
            let mut edited = held.clone();
            edit(&mut edited, &other);
            assert_ne!(edited, held, "{name} edits nothing");
            assert_eq!(Rewrap { key: Arc::new(edited) }.run(&vault), Err(HsmError::Unopenable), "{name}");
        }
    }

    #[test]
    fn a_material_of_another_domain_key_does_not_open() {
        let (old, new) = testing::vault_and_rotated();
        let held = testing::held(&old, "one");
        let renumbered = Held { wrapped: Wrapped::new(2, held.wrapped.bytes().to_vec()), ..held.clone() };
        assert_eq!(Rewrap { key: Arc::new(renumbered) }.run(&new), Err(HsmError::Unopenable));
        let unknown = Held { wrapped: Wrapped::new(3, held.wrapped.bytes().to_vec()), ..held };
        assert_eq!(Rewrap { key: Arc::new(unknown) }.run(&new), Err(HsmError::Unopenable));
    }

    #[test]
    fn a_material_under_a_false_id_is_a_mismatch() {
        let vault = testing::vault();
        let label = testing::label("one");
        let id = MaterialId([1; 32]);
        let (domain, key) = vault.ring().active().unwrap();
        let bytes = aead::boxed(key, label.bound(id, domain).unwrap().bytes(), &[2; 32]).unwrap();
        let held = Held { label, id, wrapped: Wrapped::new(domain, bytes) };
        assert_eq!(Rewrap { key: Arc::new(held) }.run(&vault), Err(HsmError::MaterialMismatch));
    }

    #[test]
    fn material_of_outside_origin_is_never_generated() {
        let label = Label { origin: Origin::External, ..testing::label("one") };
        assert_eq!(GenerateMaterial { label }.run(&testing::vault()), Err(HsmError::Refused));
    }

    #[test]
    fn an_old_wrapping_becomes_a_new_one_of_the_same_material() {
        let (old, new) = testing::vault_and_rotated();
        let held = testing::held(&old, "one");
        let rewrapped = Rewrap { key: Arc::new(held.clone()) }.run(&new).unwrap().unwrap();
        assert_eq!((held.wrapped.domain(), rewrapped.domain()), (1, 2));
        let moved = Held { wrapped: rewrapped, ..held.clone() };
        assert_eq!(new.open_material(&moved).unwrap().expose(), old.open_material(&held).unwrap().expose());
        assert_eq!(Rewrap { key: Arc::new(moved.clone()) }.run(&new), Ok(None));
        assert_eq!(Rewrap { key: Arc::new(moved) }.run(&old), Err(HsmError::Unopenable), "the old ring lacks the key");
    }

    #[test]
    fn no_two_materials_are_alike() {
        let vault = testing::vault();
        assert_ne!(testing::held(&vault, "one").id, testing::held(&vault, "one").id);
    }
}
