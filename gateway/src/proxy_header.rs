//! The PROXY protocol's header, version 2, and the endpoint id that AWS's balancers put into it.
//! A pure function over bytes: knows no socket, no balancer's name and no endpoint. Version 1 is not spoken.
//! (proxy-protocol.txt of HAProxy, section 2.2; "Proxy protocol" in the guide to Network Load Balancers.)

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crc::{CRC_32_ISCSI, Crc};

/// How many bytes tell how long the whole is.
pub const START_BYTES: usize = 16;
/// The longest header that is read: what IPv4 carries in one segment on any path, as a header may not be split.
pub const BYTES_MAX: usize = 536;

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";
const TYPE_CRC32C: u8 = 0x03;
const TYPE_NOOP: u8 = 0x04;
const TYPE_AWS: u8 = 0xea;
const SUBTYPE_VPC_ENDPOINT_ID: u8 = 0x01;
/// Far longer than any id of AWS's.
const ENDPOINT_ID_BYTES_MAX: usize = 128;
/// CRC-32C goes by the name of its use in iSCSI, too.
const CRC32C: Crc<u32> = Crc::<u32>::new(&CRC_32_ISCSI);

/// What a header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Header<'a> {
    /// Nothing of a client: the balancer connects for itself (LOCAL), or cannot tell for whom (UNSPEC).
    Anonymous,
    /// On behalf of a client, through the endpoint if it names one.
    Client { address: IpAddr, endpoint: Option<&'a str> },
}

/// Why bytes are no header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    #[error("no signature of the PROXY protocol, version 2")]
    Signature,
    #[error("another version than 2")]
    Version,
    #[error("a command that is neither LOCAL nor PROXY")]
    Command,
    #[error("neither TCP over IPv4 nor TCP over IPv6")]
    Family,
    #[error("longer than {BYTES_MAX} bytes")]
    TooLong,
    #[error("not as long as it says")]
    Length,
    #[error("a TLV that goes past the end")]
    Truncated,
    #[error("a TLV that comes twice")]
    Repeated,
    #[error("a checksum that is not the header's")]
    Checksum,
    #[error("no endpoint id where one should be")]
    EndpointId,
}

/// How many bytes follow the first 16. Refuses what could be no header whatever follows.
pub fn payload_bytes(start: &[u8; START_BYTES]) -> Result<usize, Malformed> {
    Start::parse(start).map(|start| start.payload_bytes)
}

/// Parses a whole header, no byte less or more.
pub fn parse(header: &[u8]) -> Result<Header<'_>, Malformed> {
    let (first, payload) = header.split_first_chunk().ok_or(Malformed::Length)?;
    let start = Start::parse(first)?;
    if payload.len() != start.payload_bytes {
        return Err(Malformed::Length);
    }
    let (address, tlvs) = match start.addresses {
        // To be ignored with all that follows.
        Addresses::Unspecified => return Ok(Header::Anonymous),
        Addresses::V4 => {
            let (addresses, tlvs) = payload.split_first_chunk::<12>().ok_or(Malformed::Length)?;
            let [a, b, c, d, ..] = *addresses;
            (IpAddr::from(Ipv4Addr::new(a, b, c, d)), tlvs)
        }
        Addresses::V6 => {
            let (addresses, tlvs) = payload.split_first_chunk::<36>().ok_or(Malformed::Length)?;
            let (client, _) = addresses.split_first_chunk::<16>().ok_or(Malformed::Length)?;
            (IpAddr::from(Ipv6Addr::from(*client)), tlvs)
        }
    };
    let endpoint = endpoint(header, tlvs)?;
    // An IPv4 client of a balancer's IPv6 socket is the same client.
    Ok(Header::Client { address: address.to_canonical(), endpoint })
}

#[derive(Clone, Copy)]
enum Addresses {
    Unspecified,
    V4,
    V6,
}

struct Start {
    addresses: Addresses,
    payload_bytes: usize,
}

impl Start {
    fn parse(start: &[u8; START_BYTES]) -> Result<Self, Malformed> {
        let [signature @ .., version_and_command, family, high, low] = start;
        if signature != SIGNATURE {
            return Err(Malformed::Signature);
        }
        if version_and_command >> 4 != 2 {
            return Err(Malformed::Version);
        }
        let addresses = match (version_and_command & 0xf, family) {
            // The family of a LOCAL connection is to be ignored.
            (0, _) | (1, 0x00) => Addresses::Unspecified,
            (1, 0x11) => Addresses::V4,
            (1, 0x21) => Addresses::V6,
            (1, _) => return Err(Malformed::Family),
            _ => return Err(Malformed::Command),
        };
        let payload_bytes = usize::from(u16::from_be_bytes([*high, *low]));
        if START_BYTES + payload_bytes > BYTES_MAX {
            return Err(Malformed::TooLong);
        }
        Ok(Self { addresses, payload_bytes })
    }
}

/// Walks through all type-length-values: finds the endpoint's id, and checks the checksum if there is one.
fn endpoint<'a>(header: &[u8], tlvs: &'a [u8]) -> Result<Option<&'a str>, Malformed> {
    let mut endpoint = None;
    let mut seen = Seen::default();
    let mut rest = tlvs;
    while !rest.is_empty() {
        let (&[kind, high, low], after) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        let length = usize::from(u16::from_be_bytes([high, low]));
        let (value, after) = after.split_at_checked(length).ok_or(Malformed::Truncated)?;
        rest = after;
        // Padding may come as often as it likes, and AWS has subtypes of its one type.
        if !matches!(kind, TYPE_NOOP | TYPE_AWS) && seen.is_again(kind) {
            return Err(Malformed::Repeated);
        }
        match (kind, value) {
            (TYPE_CRC32C, _) => checked(header, value, after.len())?,
            (TYPE_AWS, [SUBTYPE_VPC_ENDPOINT_ID, id @ ..]) => {
                let before = endpoint.replace(endpoint_id(id)?);
                if before.is_some() {
                    return Err(Malformed::Repeated);
                }
            }
            (TYPE_AWS, []) => return Err(Malformed::EndpointId),
            _ => {}
        }
    }
    Ok(endpoint)
}

fn endpoint_id(id: &[u8]) -> Result<&str, Malformed> {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
    let fits = (1..=ENDPOINT_ID_BYTES_MAX).contains(&id.len()) && id.iter().all(is_plain);
    std::str::from_utf8(id).ok().filter(|_| fits).ok_or(Malformed::EndpointId)
}

/// The checksum is of the whole header, with zeros where it stands itself. `after` counts the bytes that follow it.
fn checked(header: &[u8], value: &[u8], after: usize) -> Result<(), Malformed> {
    let stated: [u8; 4] = value.try_into().map_err(|_| Malformed::Checksum)?;
    let at = header.len().checked_sub(after + stated.len()).ok_or(Malformed::Checksum)?;
    let (before, from) = header.split_at_checked(at).ok_or(Malformed::Checksum)?;
    let mut digest = CRC32C.digest();
    digest.update(before);
    digest.update(&[0; 4]);
    digest.update(from.get(stated.len()..).unwrap_or_default());
    if digest.finalize() == u32::from_be_bytes(stated) { Ok(()) } else { Err(Malformed::Checksum) }
}

/// Types that were seen, a bit each.
#[derive(Default)]
struct Seen([u128; 2]);

impl Seen {
    fn is_again(&mut self, kind: u8) -> bool {
        let [low, high] = &mut self.0;
        let half = if kind < 128 { low } else { high };
        let bit = 1 << (kind % 128);
        let before = *half;
        *half |= bit;
        before & bit != 0
    }
}

#[cfg(test)]
mod tests;
