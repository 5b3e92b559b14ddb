#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use proptest::{
    prelude::*,
    test_runner::{TestError, TestRunner},
};

use super::*;

fn material() -> SecretKey<Material> {
    SecretKey::from_slice(&[5; 32]).unwrap()
}

const ID: MaterialId = MaterialId([6; 32]);

fn blob(plaintext: &[u8], context: &EncryptionContext) -> Vec<u8> {
    seal(&material(), ID, &Plaintext::new(plaintext.to_vec()), context).unwrap()
}

proptest! {
    #[test]
    fn what_is_sealed_opens(plaintext in prop::collection::vec(any::<u8>(), 0..300), name in "\\PC{0,9}", value in "\\PC{0,9}") {
        let context = EncryptionContext::from_pairs([(name.as_str(), value.as_str())]);
        let blob = blob(&plaintext, &context);
        prop_assert_eq!(blob.len(), plaintext.len() + 78);
        prop_assert_eq!(Header::parse(&blob), Ok(Header { material: ID }));
        let opened = open(&material(), ID, &blob, &context).unwrap();
        prop_assert_eq!(opened.expose(), plaintext.as_slice());
    }

    #[test]
    fn noise_never_opens(noise in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut forged = vec![1, 1];
        forged.extend_from_slice(&ID.0);
        forged.extend_from_slice(&noise);
        prop_assert_eq!(open(&material(), ID, &forged, &EncryptionContext::default()).err(), Some(HsmError::InvalidCiphertext));
    }
}

#[test]
fn any_flipped_bit_or_cut_makes_it_invalid() {
    let context = EncryptionContext::from_pairs([("a", "b")]);
    let blob = blob(b"four", &context);
    for bit in 0..blob.len() * 8 {
        let mut forged = blob.clone();
        forged[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(open(&material(), ID, &forged, &context).err(), Some(HsmError::InvalidCiphertext), "bit {bit}");
    }
    for cut in 0..blob.len() {
        assert_eq!(
            open(&material(), ID, &blob[..cut], &context).err(),
            Some(HsmError::InvalidCiphertext),
            "cut to {cut}"
        );
    }
    let longer = [blob.as_slice(), &[0]].concat();
    assert_eq!(open(&material(), ID, &longer, &context).err(), Some(HsmError::InvalidCiphertext));
}

#[test]
fn another_context_or_material_does_not_open_it() {
    let context = EncryptionContext::from_pairs([("a", "b")]);
    let blob = blob(b"x", &context);
    let other = SecretKey::from_slice(&[7; 32]).unwrap();
    assert_eq!(open(&material(), ID, &blob, &EncryptionContext::default()).err(), Some(HsmError::InvalidCiphertext));
    assert_eq!(open(&other, ID, &blob, &context).err(), Some(HsmError::InvalidCiphertext));
    assert_eq!(open(&material(), MaterialId([8; 32]), &blob, &context).err(), Some(HsmError::InvalidCiphertext));
}

#[test]
fn sizes_are_bounded() {
    let context = EncryptionContext::default();
    assert_eq!(blob(&[1; PLAINTEXT_BYTES_MAX], &context).len(), 4174);
    let long = Plaintext::new(vec![1; PLAINTEXT_BYTES_MAX + 1]);
    assert_eq!(seal(&material(), ID, &long, &context).err(), Some(HsmError::TooLarge));
    let long = vec![1; BLOB_BYTES_MAX + 1];
    assert_eq!(open(&material(), ID, &long, &context).err(), Some(HsmError::TooLarge));
    assert_eq!(Header::parse(&long), Err(BlobError::Length));
}

#[test]
fn no_two_blobs_are_alike() {
    let context = EncryptionContext::default();
    let (one, other) = (blob(b"x", &context), blob(b"x", &context));
    assert_ne!(one[34..50], other[34..50], "the nonce is fresh");
    assert_ne!(one[50..62], other[50..62], "the iv is fresh");
}

type Parse = fn(&[u8]) -> Result<Header, BlobError>;

/// Whether `parse` reads the material out of any bytes that could be a blob, and refuses all others.
fn reads_headers(parse: Parse) -> Result<(), TestError<Vec<u8>>> {
    let length = prop_oneof![Just(0), 0..200_usize, 76..=80_usize, 6140..=6150_usize];
    let start = prop_oneof![Just([1, 1]), any::<[u8; 2]>(), Just([1, 2]), Just([2, 1])];
    let bytes = (length, start, any::<[u8; 48]>()).prop_map(|(length, start, body)| {
        let mut bytes: Vec<u8> = start.into_iter().chain(body.into_iter().cycle()).take(length).collect();
        bytes.truncate(length);
        bytes
    });
    let config = ProptestConfig { cases: 1024, failure_persistence: None, ..ProptestConfig::default() };
    TestRunner::new(config).run(&bytes, |bytes| {
        let expected = match bytes.as_slice() {
            bytes if bytes.len() < 78 || bytes.len() > 6144 => Err(BlobError::Length),
            bytes if bytes[..2] != [1, 1] => Err(BlobError::Format),
            bytes => Ok(Header { material: MaterialId(bytes[2..34].try_into().unwrap()) }),
        };
        prop_assert_eq!(parse(&bytes), expected);
        Ok(())
    })
}

#[test]
fn a_header_is_the_material_of_any_bytes_that_could_be_a_blob() {
    reads_headers(Header::parse).unwrap();
}

#[test]
fn the_property_of_headers_fails_on_planted_bugs() {
    let bugs: [(&str, Parse); 5] = [
        ("takes what is one byte too short", |blob| {
            if blob.len() == 77 { Header::parse(&[blob, &[0]].concat()) } else { Header::parse(blob) }
        }),
        ("takes what is too long", |blob| Header::parse(&blob[..blob.len().min(BLOB_BYTES_MAX)])),
        ("does not look at the version", |blob| {
            let mut blob = blob.to_vec();
            blob.iter_mut().take(1).for_each(|version| *version = 1);
            Header::parse(&blob)
        }),
        ("reads the material one byte late", |blob| {
            Header::parse(blob).map(|_| Header { material: MaterialId(blob[3..35].try_into().unwrap()) })
        }),
        ("panics on an empty blob", |blob| Header::parse(&[&blob[..1], &blob[1..]].concat())),
    ];
    for (bug, parse) in bugs {
        assert!(reads_headers(parse).is_err(), "{bug}");
    }
}
