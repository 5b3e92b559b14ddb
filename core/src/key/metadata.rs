//! A key as DescribeKey shows it.
//! Knows records and the API's shape of them; decides nothing.

use super::record::KeyRecord;
use super::spec;
use super::state::KeyState;
use crate::id::Place;
use crate::model::{KeyManagerType, KeyMetadata, KeySpec, KeyState as ShownState};

/// KeyMetadata with exactly the members that AWS sends for such a key.
pub fn describe(record: &KeyRecord, place: &Place) -> KeyMetadata {
    let (of_spec, usage) = (record.spec, record.usage);
    KeyMetadata {
        aws_account_id: Some(record.account.to_string()),
        key_id: record.id.to_string(),
        arn: Some(place.key_arn(record.account, record.id)),
        creation_date: Some(record.created),
        enabled: record.state.is_enabled(),
        description: Some(record.description.clone()),
        key_usage: Some(record.usage),
        key_state: key_state(record.state),
        deletion_date: record.state.deletion_due(),
        origin: Some(record.origin),
        key_manager: Some(KeyManagerType::Customer),
        customer_master_key_spec: record.spec.as_str().parse().ok(),
        key_spec: Some(record.spec),
        encryption_algorithms: listed(spec::encryption_algorithms(of_spec, usage)),
        signing_algorithms: listed(spec::signing_algorithms(of_spec, usage)),
        key_agreement_algorithms: listed(spec::key_agreement_algorithms(of_spec, usage)),
        mac_algorithms: listed(spec::mac_algorithms(of_spec)),
        multi_region: Some(record.multi_region),
        // Only keys for symmetric encryption show theirs.
        current_key_material_id: record
            .current
            .filter(|_| of_spec == KeySpec::SymmetricDefault)
            .map(|id| id.to_string()),
        ..KeyMetadata::default()
    }
}

/// A list that answers leave out when there is nothing in it.
pub fn listed<T: Clone>(items: &[T]) -> Option<Vec<T>> {
    (!items.is_empty()).then(|| items.to_vec())
}

/// The API's name of a state.
pub fn key_state(state: KeyState) -> Option<ShownState> {
    state.as_str().parse().ok()
}
