#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use proptest::prelude::*;

use super::*;
use crate::{seal::KeyFileSeal, testing};

const REGION: &str = "us-east-1";

fn seal() -> (tempfile::TempDir, KeyFileSeal) {
    let folder = tempfile::tempdir().unwrap();
    let seal = KeyFileSeal::create(&folder.path().join("seal.key")).unwrap();
    (folder, seal)
}

#[test]
fn an_opened_ring_has_the_same_keys() {
    let (_folder, seal) = seal();
    let (ring, sealed) = KeyRing::create(&seal, REGION, 1000).unwrap();
    let (ring, sealed) = ring.rotated(&sealed, 2000).unwrap();
    let opened = KeyRing::open(&seal, &sealed).unwrap();
    for number in [1, 2] {
        assert_eq!(opened.domain(number).unwrap().expose(), ring.domain(number).unwrap().expose());
    }
    assert_eq!(opened.integrity().expose(), ring.integrity().expose());
    assert_eq!(opened.region_key.expose(), ring.region_key.expose());
    assert_eq!((opened.active_domain(), opened.active_since(), opened.region()), (2, 2000, REGION));
    assert!(opened.domain(0).is_none() && opened.domain(3).is_none());
}

#[test]
fn the_sealed_form_reads_back_from_json_and_postcard() {
    let (_folder, seal) = seal();
    let (_, sealed) = KeyRing::create(&seal, REGION, 1000).unwrap();
    assert_eq!(serde_json::from_str::<SealedRing>(&serde_json::to_string(&sealed).unwrap()).unwrap(), sealed);
    assert_eq!(postcard::from_bytes::<SealedRing>(&postcard::to_allocvec(&sealed).unwrap()).unwrap(), sealed);
}

#[test]
fn the_sealed_form_holds_no_key() {
    let (_folder, seal) = seal();
    let (ring, sealed) = KeyRing::create(&seal, REGION, 1000).unwrap();
    let bytes = postcard::to_allocvec(&sealed).unwrap();
    let keys = [ring.root.expose(), ring.domain(1).unwrap().expose(), ring.integrity().expose()];
    for key in keys.into_iter().chain([ring.region_key.expose()]) {
        assert!(!bytes.windows(32).any(|window| window == key));
    }
}

#[test]
fn another_seal_does_not_open_it() {
    let ((_one, seal), (_two, other)) = (seal(), seal());
    let (_, sealed) = KeyRing::create(&seal, REGION, 1000).unwrap();
    assert!(matches!(KeyRing::open(&other, &sealed), Err(RingError::Seal(SealError::Wrong))));
}

type Edit = fn(&mut SealedRing, &SealedRing);

/// Every edit gets a ring with three domain keys, and another ring under the same seal.
const EDITS: &[(&str, Edit)] = &[
    ("format", |ring, _| ring.format = 2),
    ("region", |ring, _| ring.name.region = "eu-west-1".into()),
    ("ring id", |ring, _| ring.name.id[0] ^= 1),
    ("ring id cut", |ring, _| ring.name.id.truncate(15)),
    ("root of another ring", |ring, other| ring.root = other.root.clone()),
    ("integrity of another ring", |ring, other| ring.integrity = other.integrity.clone()),
    ("region key of another ring", |ring, other| ring.region_key = other.region_key.clone()),
    ("roles swapped", |ring, _| std::mem::swap(&mut ring.integrity, &mut ring.region_key)),
    ("domain key as integrity key", |ring, _| ring.integrity = ring.domains[0].bytes.clone()),
    ("domain key of another ring", |ring, other| ring.domains[0] = other.domains[0].clone()),
    ("domain keys swapped", |ring, _| {
        let bytes = ring.domains[0].bytes.clone();
        ring.domains[0].bytes = std::mem::replace(&mut ring.domains[1].bytes, bytes);
    }),
    ("domain renumbered", |ring, _| ring.domains[2].number = 9),
    ("domain redated", |ring, _| ring.domains[1].created_ms += 1),
    ("domains reversed", |ring, _| ring.domains.reverse()),
    ("domain repeated", |ring, _| ring.domains.push(ring.domains[2].clone())),
    ("no domain", |ring, _| ring.domains.clear()),
    ("empty root", |ring, _| ring.root.clear()),
];

#[test]
fn an_edited_ring_does_not_open() {
    let (_folder, seal) = seal();
    let three = || {
        let (ring, sealed) = KeyRing::create(&seal, REGION, 1000).unwrap();
        let (ring, sealed) = ring.rotated(&sealed, 2000).unwrap();
        ring.rotated(&sealed, 3000).unwrap().1
    };
    let (sealed, other) = (three(), three());
    assert!(KeyRing::open(&seal, &sealed).is_ok());
    for (name, edit) in EDITS {
        let mut edited = sealed.clone();
        edit(&mut edited, &other);
        assert_ne!(edited, sealed, "{name} edits nothing");
        assert!(KeyRing::open(&seal, &edited).is_err(), "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_flipped_bit_in_a_sealed_key_is_noticed(part in 0..4_usize, bit in 0..(61 * 8_usize)) {
        let (_folder, seal) = seal();
        let (_, mut sealed) = KeyRing::create(&seal, REGION, 1000).unwrap();
        let SealedRing { root, domains, integrity, region_key, .. } = &mut sealed;
        let bytes = [root, &mut domains[0].bytes, integrity, region_key][part].as_mut_slice();
        prop_assert_eq!(bytes.len(), 61);
        bytes[bit / 8] ^= 1 << (bit % 8);
        prop_assert!(KeyRing::open(&seal, &sealed).is_err());
    }
}

#[test]
fn retiring_keeps_the_active_and_what_was_active_lately() {
    let (_folder, seal) = seal();
    let (ring, sealed) = KeyRing::create(&seal, REGION, 1000).unwrap();
    let (ring, sealed) = ring.rotated(&sealed, 2000).unwrap();
    let (ring, mut sealed) = ring.rotated(&sealed, 3000).unwrap();
    assert!(sealed.clone().retire_before(2000).is_empty(), "the first was active until 2000");
    assert_eq!(sealed.superseded_before(3000), [1]);
    assert_eq!(sealed.retire_before(3000), [1]);
    assert_eq!(sealed.clone().retire_before(u64::MAX), [2]);
    let (rotated, sealed) = ring.rotated(&sealed, 4000).unwrap();
    assert!(rotated.domain(1).is_none(), "a retired key leaves the memory");
    assert!(rotated.domain(2).is_some() && rotated.domain(3).is_some());
    assert_eq!(KeyRing::open(&seal, &sealed).unwrap().active_domain(), 4);
}

#[test]
fn rotation_takes_only_the_current_sealed_form() {
    let (_folder, seal) = seal();
    let (ring, sealed) = KeyRing::create(&seal, REGION, 1000).unwrap();
    let (newer, newer_sealed) = ring.rotated(&sealed, 2000).unwrap();
    let (_, other) = KeyRing::create(&seal, REGION, 1000).unwrap();
    assert!(matches!(ring.rotated(&other, 3000), Err(RingError::Foreign)));
    assert!(matches!(newer.rotated(&sealed, 3000), Err(RingError::Foreign)));
    assert!(matches!(ring.rotated(&newer_sealed, 3000), Err(RingError::Foreign)));
}

#[test]
fn a_clock_set_back_does_not_reorder_domain_keys() {
    let (_folder, seal) = seal();
    let (ring, sealed) = KeyRing::create(&seal, REGION, 5000).unwrap();
    assert_eq!(ring.rotated(&sealed, 10).unwrap().0.active_since(), 5000);
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{:?}", testing::ring()), "[KEY RING us-east-1, 1 domain keys]");
}
