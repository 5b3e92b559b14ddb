//! What the access log keeps of a request whose caller was not believed.
//! Copies; decides nothing.

use crate::access_log::Entry;
use crate::serve::Arrived;

pub(super) fn access(arrived: &Arrived, name: &str, claimed: Option<String>, code: &str, message: &str) -> Entry {
    Entry {
        event_time: arrived.received_at.iso(),
        request_id: arrived.request_id.to_string(),
        source_address: arrived.source.address().to_string(),
        vpc_endpoint_id: arrived.source.endpoint().map(str::to_owned),
        access_key_id: claimed,
        event_name: Some(name.to_owned()),
        user_agent: arrived.header("user-agent").map(str::to_owned),
        error_code: code.to_owned(),
        error_message: message.to_owned(),
    }
}
