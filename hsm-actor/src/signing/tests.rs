#![allow(clippy::unwrap_used, clippy::indexing_slicing)]
use super::*;
use crate::pair::Pair;

const ECC: [(Spec, SigningAlgorithm, &digest::Algorithm); 4] = [
    (Spec::EccNistP256, SigningAlgorithm::EcdsaSha256, &SHA256),
    (Spec::EccNistP384, SigningAlgorithm::EcdsaSha384, &SHA384),
    (Spec::EccNistP521, SigningAlgorithm::EcdsaSha512, &SHA512),
    (Spec::EccSecgP256k1, SigningAlgorithm::EcdsaSha256, &SHA256),
];
const RSA: [(SigningAlgorithm, &digest::Algorithm); 6] = [
    (SigningAlgorithm::RsaPssSha256, &SHA256),
    (SigningAlgorithm::RsaPssSha384, &SHA384),
    (SigningAlgorithm::RsaPssSha512, &SHA512),
    (SigningAlgorithm::RsaPkcs1Sha256, &SHA256),
    (SigningAlgorithm::RsaPkcs1Sha384, &SHA384),
    (SigningAlgorithm::RsaPkcs1Sha512, &SHA512),
];

fn message(bytes: &[u8]) -> Message {
    Message::Raw(Plaintext::new(bytes.to_vec()))
}

fn digested(hash: &'static digest::Algorithm, bytes: &[u8]) -> Message {
    Message::Digest(Plaintext::new(digest::digest(hash, bytes).as_ref().to_vec()))
}

fn check(spec: Spec, pair: &Pair, algorithm: SigningAlgorithm, hash: &'static digest::Algorithm) {
    let of_raw = sign(spec, &pair.private, algorithm, &message(b"message")).unwrap();
    let of_digest = sign(spec, &pair.private, algorithm, &digested(hash, b"message")).unwrap();
    for signature in [&of_raw, &of_digest] {
        for message in [message(b"message"), digested(hash, b"message")] {
            assert_eq!(verify(spec, &pair.public, algorithm, &message, signature), Ok(()), "{spec:?} {algorithm:?}");
        }
        let other = verify(spec, &pair.public, algorithm, &message(b"massage"), signature);
        assert_eq!(other, Err(HsmError::InvalidSignature));
        for at in 0..signature.len() {
            let mut forged = signature.clone();
            forged[at] ^= 1;
            let verified = verify(spec, &pair.public, algorithm, &message(b"message"), &forged);
            assert_eq!(verified, Err(HsmError::InvalidSignature), "{spec:?} {algorithm:?} byte {at}");
        }
        let cut = verify(spec, &pair.public, algorithm, &message(b"message"), &signature[1..]);
        assert_eq!(cut, Err(HsmError::InvalidSignature));
    }
    let short = Message::Digest(Plaintext::new(vec![1; hash.output_len() - 1]));
    assert_eq!(sign(spec, &pair.private, algorithm, &short), Err(HsmError::TooLarge));
    assert_eq!(verify(spec, &pair.public, algorithm, &short, &of_raw), Err(HsmError::TooLarge));
}

#[test]
fn a_message_and_its_digest_are_the_same() {
    for (spec, algorithm, hash) in ECC {
        check(spec, &Pair::generate(spec).unwrap(), algorithm, hash);
    }
    let pair = Pair::generate(Spec::Rsa2048).unwrap();
    for (algorithm, hash) in RSA {
        check(Spec::Rsa2048, &pair, algorithm, hash);
    }
}

#[test]
fn an_algorithm_of_another_spec_is_refused() {
    let pair = Pair::generate(Spec::EccNistP256).unwrap();
    let others = [SigningAlgorithm::EcdsaSha384, SigningAlgorithm::Ed25519, SigningAlgorithm::RsaPkcs1Sha256];
    for algorithm in others {
        let signed = sign(Spec::EccNistP256, &pair.private, algorithm, &message(b"x"));
        assert_eq!(signed, Err(HsmError::Refused));
        let verified = verify(Spec::EccNistP256, &pair.public, algorithm, &message(b"x"), b"x");
        assert_eq!(verified, Err(HsmError::Refused));
    }
}

#[test]
fn ed25519_takes_messages_and_ed25519ph_takes_digests() {
    let spec = Spec::EccNistEdwards25519;
    let pair = Pair::generate(spec).unwrap();
    let (pure, prehashed) = (SigningAlgorithm::Ed25519, SigningAlgorithm::Ed25519Ph);
    let digest = || digested(&SHA512, b"message");
    let of_raw = sign(spec, &pair.private, pure, &message(b"message")).unwrap();
    assert_eq!(verify(spec, &pair.public, pure, &message(b"message"), &of_raw), Ok(()));
    let of_digest = sign(spec, &pair.private, prehashed, &digest()).unwrap();
    assert_eq!(verify(spec, &pair.public, prehashed, &digest(), &of_digest), Ok(()));
    for (algorithm, message, signature) in [(pure, message(b"message"), &of_raw), (prehashed, digest(), &of_digest)] {
        for at in 0..64 {
            let mut forged = signature.clone();
            forged[at] ^= 1;
            let verified = verify(spec, &pair.public, algorithm, &message, &forged);
            assert_eq!(verified, Err(HsmError::InvalidSignature), "{algorithm:?} byte {at}");
        }
    }
    let crossed = verify(spec, &pair.public, prehashed, &digest(), &of_raw);
    assert_eq!(crossed, Err(HsmError::InvalidSignature));
    assert_eq!(sign(spec, &pair.private, pure, &digest()), Err(HsmError::Refused));
    assert_eq!(sign(spec, &pair.private, prehashed, &message(b"message")), Err(HsmError::Refused));
    let short = Message::Digest(Plaintext::new(vec![1; 32]));
    assert_eq!(sign(spec, &pair.private, prehashed, &short), Err(HsmError::TooLarge));
}

/// RFC 8032 section 7.3. The service hashes what it is given, and the RFC's message is `abc`: so the prehash alone is shown.
#[test]
fn ed25519ph_is_the_rfcs() {
    let seed = "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42";
    let expected = "98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406";
    let seed: [u8; 32] = hex::decode(seed).unwrap().try_into().unwrap();
    let signature = SigningKey::from_bytes(&seed).sign_prehashed(Sha512::new().chain_update(b"abc"), None).unwrap();
    assert_eq!(hex::encode(signature.to_bytes()), expected);
}
