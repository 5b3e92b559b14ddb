//! Sign, Verify, GenerateMac and VerifyMac: plan here, run in the HSM.
//! Which message types and digests an algorithm takes is said here; what is valid, the HSM says.

use kms_hsm::{Message, Plaintext, SigningAlgorithm, command};

use super::usage::{require_algorithm, require_usage};
use crate::error::KmsError;
use crate::key::spec;
use crate::key_manager::{Authorized, Planned, run};
use crate::model::*;
use crate::operation::{GenerateMac, Sign, Verify, VerifyMac};
use crate::request::KeyTarget;

pub(crate) fn sign(rq: Authorized<Sign>) -> Planned<SignResponse> {
    let (key, input) = (rq.key()?.clone(), &rq.input);
    let signing_algorithm = input.signing_algorithm;
    let algorithm = require_signing(&key, signing_algorithm, "Sign")?;
    let message = message(signing_algorithm, input.message_type, &input.message)?;
    let held = rq.current_material(&key)?;
    run(async move {
        let signed = rq.hsm(command::Sign { key: held.clone(), algorithm, message }).await?;
        rq.rewrapped(&key, &held, signed.rewrapped);
        Ok(SignResponse {
            key_id: Some(key.arn.to_string()),
            signature: Some(signed.signature.into()),
            signing_algorithm: Some(signing_algorithm),
        })
    })
}

pub(crate) fn verify(rq: Authorized<Verify>) -> Planned<VerifyResponse> {
    let (key, input) = (rq.key()?.clone(), &rq.input);
    let signing_algorithm = input.signing_algorithm;
    let algorithm = require_signing(&key, signing_algorithm, "Verify")?;
    let message = message(signing_algorithm, input.message_type, &input.message)?;
    let signature = input.signature.as_ref().to_vec();
    let command = command::Verify { key: rq.current_material(&key)?, algorithm, message, signature };
    run(async move {
        rq.hsm(command).await?;
        Ok(VerifyResponse {
            key_id: Some(key.arn.to_string()),
            signature_valid: true,
            signing_algorithm: Some(signing_algorithm),
        })
    })
}

pub(crate) fn generate_mac(rq: Authorized<GenerateMac>) -> Planned<GenerateMacResponse> {
    let (key, input) = (rq.key()?.clone(), &rq.input);
    let mac_algorithm = input.mac_algorithm;
    require_mac(&key, mac_algorithm, "GenerateMac")?;
    let held = rq.current_material(&key)?;
    let command = command::GenerateMac {
        key: held.clone(),
        algorithm: spec::hsm_mac_algorithm(mac_algorithm),
        message: copy(&input.message),
    };
    run(async move {
        let made = rq.hsm(command).await?;
        rq.rewrapped(&key, &held, made.rewrapped);
        Ok(GenerateMacResponse {
            mac: Some(made.mac.into()),
            mac_algorithm: Some(mac_algorithm),
            key_id: Some(key.arn.to_string()),
        })
    })
}

pub(crate) fn verify_mac(rq: Authorized<VerifyMac>) -> Planned<VerifyMacResponse> {
    let (key, input) = (rq.key()?.clone(), &rq.input);
    let mac_algorithm = input.mac_algorithm;
    require_mac(&key, mac_algorithm, "VerifyMac")?;
    let held = rq.current_material(&key)?;
    let command = command::VerifyMac {
        key: held.clone(),
        algorithm: spec::hsm_mac_algorithm(mac_algorithm),
        message: copy(&input.message),
        mac: input.mac.as_ref().to_vec(),
    };
    run(async move {
        let rewrapped = rq.hsm(command).await?;
        rq.rewrapped(&key, &held, rewrapped);
        Ok(VerifyMacResponse { key_id: Some(key.arn.to_string()), mac_valid: true, mac_algorithm: Some(mac_algorithm) })
    })
}

/// The HSM's name of the algorithm, when the key signs by it.
fn require_signing(
    key: &KeyTarget,
    asked: SigningAlgorithmSpec,
    operation: &'static str,
) -> Result<SigningAlgorithm, KmsError> {
    require_usage(key, KeyUsageType::SignVerify, operation)?;
    let record = &key.entry.record;
    let of_key = spec::signing_algorithms(record.spec, record.usage);
    require_algorithm(key, asked, of_key, SigningAlgorithmSpec::as_str)?;
    spec::hsm_signing_algorithm(asked).ok_or_else(|| KmsError::internal("a key's algorithm is none of the HSM's"))
}

fn require_mac(key: &KeyTarget, asked: MacAlgorithmSpec, operation: &'static str) -> Result<(), KmsError> {
    require_usage(key, KeyUsageType::GenerateVerifyMac, operation)?;
    require_algorithm(key, asked, spec::mac_algorithms(key.entry.record.spec), MacAlgorithmSpec::as_str)
}

/// The message as its type says. Ed25519 takes messages, Ed25519ph digests, the others both (API reference of Sign).
fn message(
    algorithm: SigningAlgorithmSpec,
    message_type: Option<MessageType>,
    message: &Plaintext,
) -> Result<Message, KmsError> {
    let message_type = message_type.unwrap_or(MessageType::Raw);
    match (algorithm, message_type) {
        (SigningAlgorithmSpec::Ed25519Sha512, MessageType::Digest)
        | (SigningAlgorithmSpec::Ed25519PhSha512, MessageType::Raw)
        | (_, MessageType::ExternalMu) => Err(KmsError::Validation(format!(
            "MessageType {} is not valid for algorithm {}.",
            message_type.as_str(),
            algorithm.as_str()
        ))),
        (_, MessageType::Raw) => Ok(Message::Raw(copy(message))),
        (_, MessageType::Digest) if message.len() == spec::digest_bytes(algorithm) => {
            Ok(Message::Digest(copy(message)))
        }
        (_, MessageType::Digest) => {
            Err(KmsError::Validation(format!("Digest is invalid length for algorithm {}.", algorithm.as_str())))
        }
    }
}

/// A command owns what it works on.
fn copy(message: &Plaintext) -> Plaintext {
    Plaintext::new(message.expose().to_vec())
}
