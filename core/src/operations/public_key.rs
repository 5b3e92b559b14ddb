//! GetPublicKey and DeriveSharedSecret: what a key pair shows, and what it makes of another's public key.
//! Plan here, run in the HSM; public keys are DER that nothing here reads.

use kms_hsm::command;

use super::usage::{require_algorithm, require_usage};
use crate::error::KmsError;
use crate::key::metadata::listed;
use crate::key::spec;
use crate::key_manager::{Authorized, Planned, run};
use crate::model::*;
use crate::operation::{DeriveSharedSecret, GetPublicKey};

pub(crate) fn read(rq: Authorized<GetPublicKey>) -> Planned<GetPublicKeyResponse> {
    let key = rq.key()?.clone();
    let (spec, usage) = (key.entry.record.spec, key.entry.record.usage);
    if !spec::is_key_pair(spec) {
        // AWS says nothing more.
        return Err(KmsError::Unsupported(String::new()));
    }
    let material = key.entry.current().ok_or_else(|| KmsError::internal("an enabled key has no material"))?;
    // To show a public key is no use of the key, so nothing is noted.
    let command = command::PublicKey { key: material.held.clone() };
    run(async move {
        let public_key = rq.hsm(command).await?;
        Ok(GetPublicKeyResponse {
            key_id: Some(key.arn.to_string()),
            public_key: Some(public_key.into()),
            customer_master_key_spec: spec.as_str().parse().ok(),
            key_spec: Some(spec),
            key_usage: Some(usage),
            encryption_algorithms: listed(spec::encryption_algorithms(spec, usage)),
            signing_algorithms: listed(spec::signing_algorithms(spec, usage)),
            key_agreement_algorithms: listed(spec::key_agreement_algorithms(spec, usage)),
            ..GetPublicKeyResponse::default()
        })
    })
}

pub(crate) fn derive_shared_secret(rq: Authorized<DeriveSharedSecret>) -> Planned<DeriveSharedSecretResponse> {
    let key = rq.key()?.clone();
    let (spec, usage, origin) = (key.entry.record.spec, key.entry.record.usage, key.entry.record.origin);
    let asked = rq.input.key_agreement_algorithm;
    require_usage(&key, KeyUsageType::KeyAgreement, "DeriveSharedSecret")?;
    let of_key = spec::key_agreement_algorithms(spec, usage);
    require_algorithm(&key, asked, of_key, KeyAgreementAlgorithmSpec::as_str)?;
    let held = rq.current_material(&key)?;
    let command = command::DeriveSharedSecret { key: held.clone(), peer: rq.input.public_key.as_ref().to_vec() };
    run(async move {
        let derived = rq.hsm(command).await?;
        rq.rewrapped(&key, &held, derived.rewrapped);
        Ok(DeriveSharedSecretResponse {
            key_id: Some(key.arn.to_string()),
            shared_secret: Some(derived.secret),
            key_agreement_algorithm: Some(asked),
            key_origin: Some(origin),
            ..DeriveSharedSecretResponse::default()
        })
    })
}
