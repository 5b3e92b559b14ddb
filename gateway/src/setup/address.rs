//! Which addresses are listened on, and what arriving at each one proves.
//! Knows addresses and ports; binds nothing for longer than it takes to learn that it can.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};

use kms_core::registry::Endpoint;

use super::SetupError;
use crate::config::Listen;
use crate::listener::{Listener, Role};

/// The public listener, if there is one, then those of balancers, and then one for each interface, in the manifest's
/// order.
///
/// When `can_bind` is given and says no to a loopback address, all interfaces on loopback addresses move to ports of
/// 127.0.0.1 (from two after the region's port on), and the second value is true.
pub(super) fn listeners(
    listen: &Listen,
    endpoints: &[Endpoint],
    can_bind: Option<&dyn Fn(IpAddr) -> bool>,
) -> Result<(Vec<Listener>, bool), SetupError> {
    let public = listen.public.map(|address| Listener { address, role: Role::Public });
    let interfaces = endpoints.iter().flat_map(|endpoint| {
        endpoint.interfaces.iter().map(|interface| Listener {
            address: SocketAddr::new(interface.address, interface.port.unwrap_or(listen.port)),
            role: Role::Endpoint { id: endpoint.id.as_str().into(), zone: interface.zone.as_str().into() },
        })
    });
    let mut listeners: Vec<_> = public.into_iter().chain(listen.balancers.iter().cloned()).chain(interfaces).collect();
    let stuck = |listener: &Listener| movable(listener) && can_bind.is_some_and(|bind| !bind(listener.address.ip()));
    let moved = listeners.iter().any(stuck);
    if moved {
        move_to_one_address(&mut listeners, listen.port)?;
    }
    distinct(&listeners, listen.operations)?;
    Ok((listeners, moved))
}

/// Whether this machine lets an address be listened on (macOS, for one, has only 127.0.0.1 of the loopback network).
pub(super) fn can_bind(address: IpAddr) -> bool {
    !TcpListener::bind((address, 0)).is_err_and(|cause| cause.kind() == std::io::ErrorKind::AddrNotAvailable)
}

fn movable(listener: &Listener) -> bool {
    let first = IpAddr::V4(Ipv4Addr::LOCALHOST);
    matches!(listener.role, Role::Endpoint { .. })
        && listener.address.ip().is_loopback()
        && listener.address.ip() != first
}

fn move_to_one_address(listeners: &mut [Listener], port: u16) -> Result<(), SetupError> {
    let movable = listeners.iter_mut().filter(|listener| movable(listener));
    for (listener, offset) in movable.zip(2_u16..) {
        let port = port.checked_add(offset).ok_or(SetupError::PortsExhausted)?;
        listener.address = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
    }
    Ok(())
}

/// INVARIANT: the address that a connection arrives at belongs to one listener; what it proves depends on it.
fn distinct(listeners: &[Listener], operations: SocketAddr) -> Result<(), SetupError> {
    let addresses = || listeners.iter().map(|listener| listener.address).chain([operations]);
    let mut seen = HashSet::new();
    if let Some(twice) = addresses().find(|address| !seen.insert(*address)) {
        return Err(SetupError::AddressTwice(twice));
    }
    // Listening on every address of a port takes in those of the endpoints.
    let any = addresses()
        .find(|any| any.ip().is_unspecified() && addresses().any(|other| other != *any && other.port() == any.port()));
    any.map_or(Ok(()), |any| Err(SetupError::AddressTwice(any)))
}
