//! CreateKey, DescribeKey and the changes of a key's state and description.
//! States themselves are `key/state.rs`'s; this only asks it and commits the answer.

use std::time::Duration;

use kms_hsm::command::GenerateMaterial;

use super::{policy, tag};
use crate::error::KmsError;
use crate::id::KeyId;
use crate::key::metadata;
use crate::key::record::{KeyRecord, MaterialRecord, Stored, Tag};
use crate::key::spec;
use crate::key::state::KeyState;
use crate::key_manager::{Authorized, Planned, run};
use crate::model::*;
use crate::operation::{
    CancelKeyDeletion, CreateKey, DescribeKey, DisableKey, EnableKey, Operation, ScheduleKeyDeletion,
    UpdateKeyDescription,
};
use crate::store::{Batch, Revision, Table};
use crate::view::KeyEntry;

/// The waiting period of ScheduleKeyDeletion, in days (API reference).
const WINDOW_DAYS_MIN: i32 = 7;
const WINDOW_DAYS_MAX: i32 = 30;
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(crate) fn create(rq: Authorized<CreateKey>) -> Planned<CreateKeyResponse> {
    let input = &rq.input;
    let (spec, usage) = spec_and_usage(input)?;
    offered(input, spec)?;
    let id = KeyId::random();
    let tags: Vec<Tag> = tag::parse(&input.tags)?;
    let arn = rq.view.place.key_arn(rq.account(), id);
    let record = KeyRecord {
        id,
        account: rq.account(),
        created: rq.now(),
        description: input.description.clone().unwrap_or_default(),
        spec,
        usage,
        origin: OriginType::AwsKms,
        multi_region: false,
        state: KeyState::new(),
        policy: None,
        tags,
        current: None,
    };
    let proposed = |policy| KeyEntry::new(record.clone(), Revision::NONE, arn.as_str().into(), policy);
    let bypass = input.bypass_policy_lockout_safety_check;
    let policy = input.policy.as_deref().map(|text| policy::acceptable(&rq, text, bypass, proposed)).transpose()?;
    let record = KeyRecord { policy, ..record };
    let label = record.label(&rq.view.place).ok_or_else(|| KmsError::internal("a spec on offer has no label"))?;
    run(async move {
        let held = rq.hsm(GenerateMaterial { label }).await?;
        let record = KeyRecord { current: Some(held.id), ..record };
        let material = MaterialRecord { id: held.id, wrapped: held.wrapped, created: record.created };
        let batch = Batch::default().create(Table::Key, id, record.encode()).create(
            Table::Material,
            format!("{id}/{}", held.id),
            material.encode(),
        );
        rq.commit(batch).await?;
        rq.touched(&arn);
        Ok(CreateKeyResponse { key_metadata: Some(metadata::describe(&record, &rq.view.place)) })
    })
}

fn spec_and_usage(input: &CreateKeyRequest) -> Result<(KeySpec, KeyUsageType), KmsError> {
    let refuse = |text: &str| Err(KmsError::Validation(text.to_owned()));
    let spec = match (input.key_spec, input.customer_master_key_spec) {
        (Some(_), Some(_)) => {
            return refuse(
                "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. \
                 CustomerMasterKeySpec is deprecated.",
            );
        }
        (Some(spec), None) => spec,
        (None, Some(old)) => {
            old.as_str().parse().map_err(|_| KmsError::internal("an old key spec without a new one"))?
        }
        (None, None) => KeySpec::SymmetricDefault,
    };
    let usage = match input.key_usage {
        Some(usage) => usage,
        None if spec == KeySpec::SymmetricDefault => KeyUsageType::EncryptDecrypt,
        None => {
            return refuse("You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.");
        }
    };
    if !spec::usages(spec).contains(&usage) {
        return refuse(&format!("KeyUsage {} is not compatible with KeySpec {}", usage.as_str(), spec.as_str()));
    }
    Ok((spec, usage))
}

/// Refuses what AWS has and this service does not yet.
fn offered(input: &CreateKeyRequest, spec: KeySpec) -> Result<(), KmsError> {
    let refuse = |what: &str| Err(KmsError::Unsupported(format!("{what} is not supported by this service.")));
    if spec::hsm_spec(spec).is_none() {
        return refuse(&format!("KeySpec {}", spec.as_str()));
    }
    match input.origin {
        None | Some(OriginType::AwsKms) => {}
        Some(origin) => return refuse(&format!("Origin {}", origin.as_str())),
    }
    if input.custom_key_store_id.is_some() || input.xks_key_id.is_some() {
        return refuse("A custom key store");
    }
    if input.multi_region == Some(true) {
        return refuse("MultiRegion");
    }
    Ok(())
}

pub(crate) fn describe(rq: Authorized<DescribeKey>) -> Planned<DescribeKeyResponse> {
    let key_metadata = metadata::describe(&rq.key()?.entry.record, &rq.view.place);
    run(async move { Ok(DescribeKeyResponse { key_metadata: Some(key_metadata) }) })
}

pub(crate) fn update_description(rq: Authorized<UpdateKeyDescription>) -> Planned<Empty> {
    let description = rq.input.description.clone();
    change(rq, move |record| KeyRecord { description, ..record }, |_| Empty)
}

pub(crate) fn enable(rq: Authorized<EnableKey>) -> Planned<Empty> {
    change(rq, |record| KeyRecord { state: record.state.enable(), ..record }, |_| Empty)
}

pub(crate) fn disable(rq: Authorized<DisableKey>) -> Planned<Empty> {
    change(rq, |record| KeyRecord { state: record.state.disable(), ..record }, |_| Empty)
}

pub(crate) fn schedule_deletion(rq: Authorized<ScheduleKeyDeletion>) -> Planned<ScheduleKeyDeletionResponse> {
    let days = rq.input.pending_window_in_days.unwrap_or(WINDOW_DAYS_MAX);
    if !(WINDOW_DAYS_MIN..=WINDOW_DAYS_MAX).contains(&days) {
        return Err(KmsError::Validation(format!(
            "PendingWindowInDays must be between {WINDOW_DAYS_MIN} and {WINDOW_DAYS_MAX} (inclusive)"
        )));
    }
    let due = rq.now().plus(DAY * days.unsigned_abs());
    let arn = rq.key()?.arn.to_string();
    change(
        rq,
        move |record| KeyRecord { state: record.state.schedule_deletion(due), ..record },
        move |record| ScheduleKeyDeletionResponse {
            key_id: Some(arn),
            deletion_date: record.state.deletion_due(),
            key_state: metadata::key_state(record.state),
            pending_window_in_days: Some(days),
        },
    )
}

pub(crate) fn cancel_deletion(rq: Authorized<CancelKeyDeletion>) -> Planned<CancelKeyDeletionResponse> {
    let arn = rq.key()?.arn.to_string();
    change(
        rq,
        |record| KeyRecord { state: record.state.cancel_deletion(), ..record },
        |_| CancelKeyDeletionResponse { key_id: Some(arn) },
    )
}

/// Commits a change of the target key's record, against the version that was judged.
pub(super) fn change<Op: Operation>(
    rq: Authorized<Op>,
    change: impl FnOnce(KeyRecord) -> KeyRecord,
    answer: impl FnOnce(&KeyRecord) -> Op::Output + 'static,
) -> Planned<Op::Output> {
    let key = rq.key()?.clone();
    let before = key.entry.stored();
    let after = change(before.clone());
    run(async move {
        if after != before {
            let batch = Batch::default().change(Table::Key, after.id, key.entry.version, after.encode());
            rq.commit(batch).await?;
        }
        Ok(answer(&after))
    })
}
