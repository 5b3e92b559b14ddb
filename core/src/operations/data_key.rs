//! GenerateDataKey and GenerateDataKeyPair, each with and without plaintext: plan here, run in the HSM.
//! Nothing of what is made is kept; the answer holds it, and the caller keeps it.

use std::collections::BTreeMap;

use kms_hsm::command;

use super::crypto::{context, encryption_algorithm};
use crate::error::KmsError;
use crate::key::spec;
use crate::key_manager::{Authorized, Planned, run};
use crate::model::*;
use crate::operation::{
    GenerateDataKey, GenerateDataKeyPair, GenerateDataKeyPairWithoutPlaintext, GenerateDataKeyWithoutPlaintext,
    Operation,
};
use crate::request::KeyTarget;

pub(crate) fn generate(rq: Authorized<GenerateDataKey>) -> Planned<GenerateDataKeyResponse> {
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

pub(crate) fn generate_without_plaintext(
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

pub(crate) fn generate_pair(rq: Authorized<GenerateDataKeyPair>) -> Planned<GenerateDataKeyPairResponse> {
    let (input, operation) = (&rq.input, "GenerateDataKeyPair");
    let pair_spec = input.key_pair_spec;
    let (key, command) = pair(&rq, operation, pair_spec, input.encryption_context.as_ref(), true)?;
    run(async move {
        let held = command.key.clone();
        let made = rq.hsm(command).await?;
        rq.rewrapped(&key, &held, made.rewrapped);
        Ok(GenerateDataKeyPairResponse {
            private_key_ciphertext_blob: Some(made.blob.into()),
            private_key_plaintext: made.private,
            public_key: Some(made.public.into()),
            key_id: Some(key.arn.to_string()),
            key_pair_spec: Some(pair_spec),
            key_material_id: Some(held.id.to_string()),
            ..GenerateDataKeyPairResponse::default()
        })
    })
}

pub(crate) fn generate_pair_without_plaintext(
    rq: Authorized<GenerateDataKeyPairWithoutPlaintext>,
) -> Planned<GenerateDataKeyPairWithoutPlaintextResponse> {
    let (input, operation) = (&rq.input, "GenerateDataKeyPairWithoutPlaintext");
    let pair_spec = input.key_pair_spec;
    let (key, command) = pair(&rq, operation, pair_spec, input.encryption_context.as_ref(), false)?;
    run(async move {
        let held = command.key.clone();
        let made = rq.hsm(command).await?;
        rq.rewrapped(&key, &held, made.rewrapped);
        Ok(GenerateDataKeyPairWithoutPlaintextResponse {
            private_key_ciphertext_blob: Some(made.blob.into()),
            public_key: Some(made.public.into()),
            key_id: Some(key.arn.to_string()),
            key_pair_spec: Some(pair_spec),
            key_material_id: Some(held.id.to_string()),
        })
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

fn pair<Op: Operation>(
    rq: &Authorized<Op>,
    operation: &'static str,
    pair_spec: DataKeyPairSpec,
    pairs: Option<&BTreeMap<String, String>>,
    with_plaintext: bool,
) -> Result<(KeyTarget, command::GenerateDataKeyPair), KmsError> {
    let key = rq.key()?.clone();
    encryption_algorithm(&key, None, operation)?;
    let unsupported =
        || KmsError::Unsupported(format!("KeyPairSpec {} is not supported by this service.", pair_spec.as_str()));
    let command = command::GenerateDataKeyPair {
        spec: spec::hsm_pair_spec(pair_spec).ok_or_else(unsupported)?,
        key: rq.current_material(&key)?,
        context: context(pairs)?,
        with_plaintext,
    };
    Ok((key, command))
}
