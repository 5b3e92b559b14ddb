//! STS's side of the wire: parameters of the query protocol in, XML out.
//! Pure; knows neither who calls nor whether that was proved, nor what a session is.

pub mod query;
pub mod xml;

pub use xml::{AssumedRole, CallerIdentity, WebIdentityAnswer, caller_identity, error, invalid_action};

/// The only version of the API.
pub const VERSION: &str = "2011-06-15";
