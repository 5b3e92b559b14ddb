//! What the gateway listens on, and what arriving there proves.
//! Knows addresses, balancers and endpoint ids only; what an endpoint is, the registry in `kms_core` says.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use ipnet::IpNet;
use kms_core::request::Source;
use kms_core::view::RegionView;

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
    /// Nothing by itself: a load balancer stands in front, and begins each connection with a PROXY header.
    Balancer(Arc<Balancer>),
}

impl Role {
    /// What settings call the listener: `public`, the endpoint's id, or the balancer's name.
    pub fn name(&self) -> &str {
        match self {
            Self::Public => PUBLIC,
            Self::Endpoint { id, .. } => id,
            Self::Balancer(balancer) => &balancer.name,
        }
    }
}

/// The name of the public listener.
pub const PUBLIC: &str = "public";

/// A load balancer that speaks the PROXY protocol, version 2.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balancer {
    pub name: Arc<str>,
    /// Where the balancer itself connects from. INVARIANT: nobody else's header is read.
    pub from: Vec<IpNet>,
    pub asserts: Asserts,
}

/// The endpoints that a balancer may speak for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asserts {
    /// Its header names one of these.
    Listed(Vec<Arc<str>>),
    /// All its clients come through this one, which its header need not name.
    Fixed(Arc<str>),
}

impl Balancer {
    /// Whether this address is one of the balancer's own.
    pub fn is_at(&self, address: IpAddr) -> bool {
        self.from.iter().any(|range| range.contains(&address))
    }
}

/// Why a client is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stranger {
    #[error("there is no such endpoint")]
    UnknownEndpoint,
    #[error("the client is outside the endpoint's client ranges")]
    OutsideRanges,
}

/// Whether a client may come from there: an endpoint takes clients from its own ranges or else from its VPC's; the
/// public side takes all.
pub fn admitted(view: &RegionView, source: &Source) -> Result<(), Stranger> {
    let Source::Endpoint { id, address, .. } = source else { return Ok(()) };
    if view.endpoint(id).is_none() {
        return Err(Stranger::UnknownEndpoint);
    }
    if view.admits(id, *address) { Ok(()) } else { Err(Stranger::OutsideRanges) }
}
