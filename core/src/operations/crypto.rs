//! Encrypt, Decrypt, ReEncrypt and GenerateRandom: plan here, run in the HSM.
//! Sees plaintext only as an opaque `Plaintext`; which key and material are used was decided before.

use std::collections::BTreeMap;
use std::sync::Arc;

use kms_hsm::command::{self, Cipher};
use kms_hsm::{CONTEXT_BYTES_MAX, EncryptionContext, Held, HsmError, Plaintext};

use super::usage::{require_algorithm, require_usage};
use crate::error::KmsError;
use crate::key::spec;
use crate::key_manager::{Authorized, Planned, run};
use crate::model::*;
use crate::operation::{Decrypt, Encrypt, GenerateRandom, Operation, ReEncrypt};
use crate::request::KeyTarget;

type Pairs = BTreeMap<String, String>;

pub(crate) fn encrypt(rq: Authorized<Encrypt>) -> Planned<EncryptResponse> {
    let key = rq.key()?.clone();
    let algorithm = encryption_algorithm(&key, rq.input.encryption_algorithm, "Encrypt")?;
    let held = rq.current_material(&key)?;
    let cipher = cipher(algorithm, rq.input.encryption_context.as_ref())?;
    let room = spec::plaintext_bytes_max(key.entry.record.spec, algorithm);
    if room.is_some_and(|most| rq.input.plaintext.len() > most) {
        return Err(no_room(&key, algorithm));
    }
    run(async move {
        let command = command::Encrypt {
            key: held.clone(),
            plaintext: Plaintext::new(rq.input.plaintext.expose().to_vec()),
            cipher,
        };
        let sealed = rq.hsm(command).await?;
        rq.rewrapped(&key, &held, sealed.rewrapped);
        Ok(EncryptResponse {
            ciphertext_blob: Some(sealed.blob.into()),
            key_id: Some(key.arn.to_string()),
            encryption_algorithm: Some(algorithm),
        })
    })
}

pub(crate) fn decrypt(rq: Authorized<Decrypt>) -> Planned<DecryptResponse> {
    let key = rq.key()?.clone();
    require_ciphertext(&key, rq.input.dry_run, &rq.input.dry_run_modifiers)?;
    let blob = ciphertext(rq.input.ciphertext_blob.as_ref())?;
    let (held, algorithm) = opener(&rq, &key, rq.input.encryption_algorithm, blob, "Decrypt")?;
    let command = command::Decrypt {
        key: held.clone(),
        blob: blob.to_vec(),
        cipher: cipher(algorithm, rq.input.encryption_context.as_ref())?,
    };
    run(async move {
        let opened = rq.hsm(command).await?;
        rq.rewrapped(&key, &held, opened.rewrapped);
        Ok(DecryptResponse {
            key_id: Some(key.arn.to_string()),
            plaintext: Some(opened.plaintext),
            encryption_algorithm: Some(algorithm),
            key_material_id: shown(algorithm, &held),
            ..DecryptResponse::default()
        })
    })
}

pub(crate) fn re_encrypt(rq: Authorized<ReEncrypt>) -> Planned<ReEncryptResponse> {
    let (source, destination) = (rq.target(0)?.clone(), rq.target(1)?.clone());
    require_ciphertext(&source, rq.input.dry_run, &rq.input.dry_run_modifiers)?;
    let blob = ciphertext(rq.input.ciphertext_blob.as_ref())?;
    let (source_held, source_algorithm) =
        opener(&rq, &source, rq.input.source_encryption_algorithm, blob, "ReEncryptFrom")?;
    let destination_algorithm =
        encryption_algorithm(&destination, rq.input.destination_encryption_algorithm, "ReEncryptTo")?;
    let destination_held = rq.current_material(&destination)?;
    let command = command::ReEncrypt {
        source: source_held.clone(),
        destination: destination_held.clone(),
        blob: blob.to_vec(),
        source_cipher: cipher(source_algorithm, rq.input.source_encryption_context.as_ref())?,
        destination_cipher: cipher(destination_algorithm, rq.input.destination_encryption_context.as_ref())?,
    };
    run(async move {
        // How long the plaintext is shows in the HSM alone.
        let sealed = rq.ask_hsm(command).await.map_err(|error| match error {
            HsmError::TooLarge => no_room(&destination, destination_algorithm),
            error => error.into(),
        })?;
        rq.rewrapped(&source, &source_held, sealed.source_rewrapped);
        rq.rewrapped(&destination, &destination_held, sealed.destination_rewrapped);
        Ok(ReEncryptResponse {
            ciphertext_blob: Some(sealed.blob.into()),
            source_key_id: Some(source.arn.to_string()),
            key_id: Some(destination.arn.to_string()),
            source_encryption_algorithm: Some(source_algorithm),
            destination_encryption_algorithm: Some(destination_algorithm),
            source_key_material_id: shown(source_algorithm, &source_held),
            destination_key_material_id: shown(destination_algorithm, &destination_held),
        })
    })
}

pub(crate) fn generate_random(rq: Authorized<GenerateRandom>) -> Planned<GenerateRandomResponse> {
    let Some(length) = rq.input.number_of_bytes else {
        return Err(KmsError::Validation("NumberOfBytes is required.".to_owned()));
    };
    if rq.input.custom_key_store_id.is_some() {
        return Err(KmsError::Unsupported("Custom key stores are not supported by this service.".to_owned()));
    }
    let command = command::GenerateRandom { length: usize::try_from(length).unwrap_or_default() };
    run(async move {
        let plaintext = rq.hsm(command).await?;
        Ok(GenerateRandomResponse { plaintext: Some(plaintext), ..GenerateRandomResponse::default() })
    })
}

/// The algorithm to use, when the key is for encryption and has it.
pub(super) fn encryption_algorithm(
    key: &KeyTarget,
    asked: Option<EncryptionAlgorithmSpec>,
    operation: &'static str,
) -> Result<EncryptionAlgorithmSpec, KmsError> {
    require_usage(key, KeyUsageType::EncryptDecrypt, operation)?;
    let record = &key.entry.record;
    let asked = asked.unwrap_or(EncryptionAlgorithmSpec::SymmetricDefault);
    let of_key = spec::encryption_algorithms(record.spec, record.usage);
    require_algorithm(key, asked, of_key, EncryptionAlgorithmSpec::as_str)?;
    Ok(asked)
}

/// The material that opens a ciphertext, and by which algorithm. A symmetric ciphertext names its material, and that is
/// looked at before what the key is for; an asymmetric one names nothing.
fn opener<Op: Operation>(
    rq: &Authorized<Op>,
    key: &KeyTarget,
    asked: Option<EncryptionAlgorithmSpec>,
    blob: &[u8],
    operation: &'static str,
) -> Result<(Arc<Held>, EncryptionAlgorithmSpec), KmsError> {
    if asked.is_some_and(|asked| asked != EncryptionAlgorithmSpec::SymmetricDefault) {
        let algorithm = encryption_algorithm(key, asked, operation)?;
        return Ok((rq.current_material(key)?, algorithm));
    }
    let held = rq.material_of(key, blob)?;
    Ok((held, encryption_algorithm(key, asked, operation)?))
}

/// What the HSM is to do. An encryption context belongs to symmetric encryption alone (developer guide).
fn cipher(algorithm: EncryptionAlgorithmSpec, pairs: Option<&Pairs>) -> Result<Cipher, KmsError> {
    let Some(hash) = spec::hsm_oaep_hash(algorithm) else {
        return context(pairs).map(Cipher::Symmetric);
    };
    if pairs.is_some_and(|pairs| !pairs.is_empty()) {
        let text = "An encryption context is valid only with symmetric encryption KMS keys.";
        return Err(KmsError::Validation(text.to_owned()));
    }
    Ok(Cipher::Oaep(hash))
}

fn no_room(key: &KeyTarget, algorithm: EncryptionAlgorithmSpec) -> KmsError {
    let spec = key.entry.record.spec;
    match spec::plaintext_bytes_max(spec, algorithm) {
        Some(most) => KmsError::Validation(format!(
            "Algorithm {} and key spec {} cannot encrypt data larger than {most} bytes.",
            algorithm.as_str(),
            spec.as_str()
        )),
        None => HsmError::TooLarge.into(),
    }
}

/// The material's id, where answers have one: with symmetric encryption.
fn shown(algorithm: EncryptionAlgorithmSpec, held: &Held) -> Option<String> {
    (algorithm == EncryptionAlgorithmSpec::SymmetricDefault).then(|| held.id.to_string())
}

/// A dry run may leave the ciphertext out of account; it is then about a key that it must name (API reference of Decrypt).
fn require_ciphertext(
    key: &KeyTarget,
    dry_run: Option<bool>,
    modifiers: &[DryRunModifierType],
) -> Result<(), KmsError> {
    if dry_run != Some(true) || !modifiers.contains(&DryRunModifierType::IgnoreCiphertext) {
        return Ok(());
    }
    Err(if key.hidden { KmsError::Validation("KeyId is required.".to_owned()) } else { KmsError::DryRun })
}

/// The model lets CiphertextBlob be absent, for dry runs.
fn ciphertext(blob: Option<&Blob>) -> Result<&[u8], KmsError> {
    let missing = || KmsError::Validation("CiphertextBlob is required.".to_owned());
    blob.map(|blob| blob.as_ref()).ok_or_else(missing)
}

pub(super) fn context(pairs: Option<&Pairs>) -> Result<EncryptionContext, KmsError> {
    /// What the HSM's form of a context adds to one, and to each of its pairs, at most.
    const ADDED: usize = 64;
    let pairs = || pairs.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
    let bytes: usize = pairs().map(|(key, value)| ADDED + key.len() + value.len()).sum();
    if ADDED + bytes > CONTEXT_BYTES_MAX {
        return Err(KmsError::Validation("The encryption context is too long.".to_owned()));
    }
    Ok(EncryptionContext::from_pairs(pairs()))
}
