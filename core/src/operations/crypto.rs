//! Encrypt, Decrypt, ReEncrypt, GenerateDataKey and GenerateRandom: plan here, run in the HSM.
//! Sees plaintext only as an opaque `Plaintext`; which key and material are used was decided before.

use std::collections::BTreeMap;

use kms_hsm::command;
use kms_hsm::{CONTEXT_BYTES_MAX, EncryptionContext, Plaintext};

use crate::error::KmsError;
use crate::key::spec;
use crate::key_manager::{Authorized, Planned, run};
use crate::model::*;
use crate::operation::{
    Decrypt, Encrypt, GenerateDataKey, GenerateDataKeyWithoutPlaintext, GenerateRandom, Operation, ReEncrypt,
};
use crate::request::KeyTarget;

pub(crate) fn encrypt(rq: Authorized<Encrypt>) -> Planned<EncryptResponse> {
    let key = rq.key()?.clone();
    let algorithm = encryption_algorithm(&key, rq.input.encryption_algorithm, "Encrypt")?;
    let held = rq.current_material(&key)?;
    let context = context(rq.input.encryption_context.as_ref())?;
    run(async move {
        let command = command::Encrypt {
            key: held.clone(),
            plaintext: Plaintext::new(rq.input.plaintext.expose().to_vec()),
            context,
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
    let held = rq.material_of(&key, blob)?;
    let algorithm = encryption_algorithm(&key, rq.input.encryption_algorithm, "Decrypt")?;
    let command = command::Decrypt {
        key: held.clone(),
        blob: blob.to_vec(),
        context: context(rq.input.encryption_context.as_ref())?,
    };
    run(async move {
        let opened = rq.hsm(command).await?;
        rq.rewrapped(&key, &held, opened.rewrapped);
        Ok(DecryptResponse {
            key_id: Some(key.arn.to_string()),
            plaintext: Some(opened.plaintext),
            encryption_algorithm: Some(algorithm),
            key_material_id: Some(held.id.to_string()),
            ..DecryptResponse::default()
        })
    })
}

pub(crate) fn re_encrypt(rq: Authorized<ReEncrypt>) -> Planned<ReEncryptResponse> {
    let (source, destination) = (rq.target(0)?.clone(), rq.target(1)?.clone());
    require_ciphertext(&source, rq.input.dry_run, &rq.input.dry_run_modifiers)?;
    let blob = ciphertext(rq.input.ciphertext_blob.as_ref())?;
    let source_held = rq.material_of(&source, blob)?;
    let source_algorithm = encryption_algorithm(&source, rq.input.source_encryption_algorithm, "ReEncryptFrom")?;
    let destination_algorithm =
        encryption_algorithm(&destination, rq.input.destination_encryption_algorithm, "ReEncryptTo")?;
    let destination_held = rq.current_material(&destination)?;
    let command = command::ReEncrypt {
        source: source_held.clone(),
        destination: destination_held.clone(),
        blob: blob.to_vec(),
        source_context: context(rq.input.source_encryption_context.as_ref())?,
        destination_context: context(rq.input.destination_encryption_context.as_ref())?,
    };
    run(async move {
        let sealed = rq.hsm(command).await?;
        rq.rewrapped(&source, &source_held, sealed.source_rewrapped);
        rq.rewrapped(&destination, &destination_held, sealed.destination_rewrapped);
        Ok(ReEncryptResponse {
            ciphertext_blob: Some(sealed.blob.into()),
            source_key_id: Some(source.arn.to_string()),
            key_id: Some(destination.arn.to_string()),
            source_encryption_algorithm: Some(source_algorithm),
            destination_encryption_algorithm: Some(destination_algorithm),
            source_key_material_id: Some(source_held.id.to_string()),
            destination_key_material_id: Some(destination_held.id.to_string()),
        })
    })
}

pub(crate) fn generate_data_key(rq: Authorized<GenerateDataKey>) -> Planned<GenerateDataKeyResponse> {
    let input = &rq.input;
    let length = data_key_length(input.key_spec, input.number_of_bytes)?;
    let (key, command) = data_key(&rq, "GenerateDataKey", length, input.encryption_context.as_ref(), true)?;
    run(async move {
        let held = command.key.clone();
        let made = rq.hsm(command).await?;
        rq.rewrapped(&key, &held, made.rewrapped);
        Ok(GenerateDataKeyResponse {
            ciphertext_blob: Some(made.blob.into()),
            plaintext: made.plaintext,
            key_id: Some(key.arn.to_string()),
            key_material_id: Some(held.id.to_string()),
            ..GenerateDataKeyResponse::default()
        })
    })
}

pub(crate) fn generate_data_key_without_plaintext(
    rq: Authorized<GenerateDataKeyWithoutPlaintext>,
) -> Planned<GenerateDataKeyWithoutPlaintextResponse> {
    let input = &rq.input;
    let length = data_key_length(input.key_spec, input.number_of_bytes)?;
    let operation = "GenerateDataKeyWithoutPlaintext";
    let (key, command) = data_key(&rq, operation, length, input.encryption_context.as_ref(), false)?;
    run(async move {
        let held = command.key.clone();
        let made = rq.hsm(command).await?;
        rq.rewrapped(&key, &held, made.rewrapped);
        Ok(GenerateDataKeyWithoutPlaintextResponse {
            ciphertext_blob: Some(made.blob.into()),
            key_id: Some(key.arn.to_string()),
            key_material_id: Some(held.id.to_string()),
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

fn data_key<Op: Operation>(
    rq: &Authorized<Op>,
    operation: &'static str,
    length: usize,
    pairs: Option<&BTreeMap<String, String>>,
    with_plaintext: bool,
) -> Result<(KeyTarget, command::GenerateDataKey), KmsError> {
    let key = rq.key()?.clone();
    encryption_algorithm(&key, None, operation)?;
    let command =
        command::GenerateDataKey { key: rq.current_material(&key)?, length, context: context(pairs)?, with_plaintext };
    Ok((key, command))
}

fn data_key_length(spec: Option<DataKeySpec>, bytes: Option<i32>) -> Result<usize, KmsError> {
    match (spec, bytes) {
        (Some(DataKeySpec::Aes128), None) => Ok(16),
        (Some(DataKeySpec::Aes256), None) => Ok(32),
        (None, Some(bytes)) => usize::try_from(bytes).map_err(KmsError::internal),
        _ => Err(KmsError::Validation("Please specify either number of bytes or key spec.".to_owned())),
    }
}

/// The algorithm to use, when the key is for encryption and has it.
fn encryption_algorithm(
    key: &KeyTarget,
    asked: Option<EncryptionAlgorithmSpec>,
    operation: &'static str,
) -> Result<EncryptionAlgorithmSpec, KmsError> {
    let record = &key.entry.record;
    if record.usage != KeyUsageType::EncryptDecrypt {
        let usage = record.usage.as_str();
        return Err(KmsError::KeyUsage { arn: key.arn.to_string(), usage, operation });
    }
    let asked = asked.unwrap_or(EncryptionAlgorithmSpec::SymmetricDefault);
    if !spec::encryption_algorithms(record.spec, record.usage).contains(&asked) {
        return Err(KmsError::Algorithm { algorithm: asked.as_str(), spec: record.spec.as_str() });
    }
    Ok(asked)
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

fn context(pairs: Option<&BTreeMap<String, String>>) -> Result<EncryptionContext, KmsError> {
    /// What the HSM's form of a context adds to one, and to each of its pairs, at most.
    const ADDED: usize = 64;
    let pairs = || pairs.into_iter().flatten().map(|(key, value)| (key.as_str(), value.as_str()));
    let bytes: usize = pairs().map(|(key, value)| ADDED + key.len() + value.len()).sum();
    if ADDED + bytes > CONTEXT_BYTES_MAX {
        return Err(KmsError::Validation("The encryption context is too long.".to_owned()));
    }
    Ok(EncryptionContext::from_pairs(pairs()))
}
