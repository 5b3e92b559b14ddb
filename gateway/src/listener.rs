//! What the gateway listens on, and what arriving there proves.
//! Knows addresses and endpoint ids only; what an endpoint is, the registry in `kms_core` says.

use std::net::SocketAddr;
use std::sync::Arc;

/// One address that the service binds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    pub address: SocketAddr,
    pub role: Role,
}

/// What a connection that arrives at a listener has proved about its source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// No endpoint: the request comes from the public side.
    Public,
    /// The interface of a VPC endpoint (`vpce-...`) in one availability zone.
    Endpoint { id: Arc<str>, zone: Arc<str> },
}
