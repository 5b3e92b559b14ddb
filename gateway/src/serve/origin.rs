//! Where a connection comes from, before TLS: what its listener proves, or what its balancer says in the PROXY header.
//! Knows roles and one read with a deadline; the header's bytes are `proxy_header`'s, who may come is `Ranges`'.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use kms_core::request::{Proof, Source};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;

use super::connection::Shell;
use crate::listener::{Asserts, Balancer, Role, Stranger};
use crate::metrics::Metrics;
use crate::proxy_header::{self, BYTES_MAX, Header, Malformed};

/// Where a connection comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a client, that may ask for anything.
    Client(Source),
    /// From a balancer that names no client or no endpoint. It may ask for health and nothing else.
    Balancer,
}

/// Why a connection is closed before anything is said on it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unproved {
    #[error(transparent)]
    Stranger(#[from] Stranger),
    #[error("not from the balancer's addresses")]
    NotTheBalancer,
    #[error("PROXY header: {0}")]
    Header(#[from] Malformed),
    #[error("the PROXY header did not come in time")]
    Late,
    #[error("the connection broke within the PROXY header: {0}")]
    Broken(#[from] io::Error),
    /// What the header says of the endpoint cannot be so, or is not the balancer's to say.
    #[error("PROXY header: the endpoint is unknown")]
    EndpointUnknown,
    #[error("PROXY header: the balancer may not speak for this endpoint")]
    EndpointNotAsserted,
}

impl Unproved {
    pub(super) fn count(&self, metrics: &Metrics) {
        let reason = match self {
            Self::Stranger(_) | Self::NotTheBalancer => return metrics.connections_refused.increment(),
            Self::Header(_) => "malformed",
            Self::Late => "late",
            Self::Broken(_) => "broken off",
            Self::EndpointUnknown => "unknown endpoint",
            Self::EndpointNotAsserted => "endpoint not allowed",
        };
        metrics.proxy_header_refused(reason);
    }
}

impl Shell {
    /// Where this connection comes from. `peer` is who connected.
    pub(super) async fn origin(&self, tcp: &mut TcpStream, peer: IpAddr) -> Result<Origin, Unproved> {
        // An IPv4 client of an IPv6 socket.
        let address = peer.to_canonical();
        let source = match &*self.role {
            Role::Public => Source::Public { address },
            Role::Endpoint { id, zone } => {
                Source::Endpoint { id: id.clone(), address, proof: Proof::Listener { zone: zone.clone() } }
            }
            Role::Balancer(balancer) if balancer.is_at(address) => {
                // On the heap for as long as it is read, so that other connections need no room for it.
                return Box::pin(self.said_by(balancer, tcp)).await;
            }
            Role::Balancer(_) => return Err(Unproved::NotTheBalancer),
        };
        (self.ranges)(&source)?;
        Ok(Origin::Client(source))
    }

    async fn said_by(&self, balancer: &Balancer, tcp: &mut TcpStream) -> Result<Origin, Unproved> {
        let mut bytes = [0; BYTES_MAX];
        let header = header(tcp, &mut bytes, self.limits.handshake_timeout).await?;
        let Some(source) = source(balancer, &header)? else { return Ok(Origin::Balancer) };
        (self.ranges)(&source).map_err(|stranger| match stranger {
            Stranger::UnknownEndpoint => Unproved::EndpointUnknown,
            Stranger::OutsideRanges => stranger.into(),
        })?;
        Ok(Origin::Client(source))
    }
}

/// Reads a header and no byte of what follows it, which is TLS. The whole of it must come within `patience`.
async fn header<'b>(
    tcp: &mut TcpStream,
    bytes: &'b mut [u8; BYTES_MAX],
    patience: Duration,
) -> Result<Header<'b>, Unproved> {
    let read = async {
        let (start, rest) = bytes.split_first_chunk_mut().ok_or(Malformed::Length)?;
        tcp.read_exact(start).await?;
        let payload_bytes = proxy_header::payload_bytes(start)?;
        tcp.read_exact(rest.get_mut(..payload_bytes).ok_or(Malformed::TooLong)?).await?;
        Ok::<_, Unproved>(proxy_header::START_BYTES + payload_bytes)
    };
    let length = tokio::time::timeout(patience, read).await.map_err(|_| Unproved::Late)??;
    Ok(proxy_header::parse(bytes.get(..length).ok_or(Malformed::TooLong)?)?)
}

/// The source that a balancer asserts, or none when it names no client or no endpoint.
fn source(balancer: &Balancer, header: &Header<'_>) -> Result<Option<Source>, Unproved> {
    let Header::Client { address, endpoint } = *header else { return Ok(None) };
    let id = match (&balancer.asserts, endpoint) {
        (Asserts::Listed(_), None) => return Ok(None),
        (Asserts::Listed(known), Some(named)) => known.iter().find(|id| ***id == *named),
        (Asserts::Fixed(id), None) => Some(id),
        (Asserts::Fixed(id), Some(named)) => Some(id).filter(|id| ***id == *named),
    };
    let id = id.ok_or(Unproved::EndpointNotAsserted)?.clone();
    Ok(Some(Source::Endpoint { id, address, proof: Proof::Proxy { balancer: balancer.name.clone() } }))
}
