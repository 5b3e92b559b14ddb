//! Headers put together by the letter of the specification, and bent.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use proptest::prelude::*;

use super::*;

const ID: &[u8] = b"vpce-08d2bf15fac5001c9";

/// A header with any bytes in any place. The length is the payload's own.
fn bytes(version_and_command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
    bytes.extend([version_and_command, family]);
    bytes.extend(u16::try_from(payload.len()).unwrap().to_be_bytes());
    bytes.extend(payload);
    bytes
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind];
    bytes.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
    bytes.extend(value);
    bytes
}

fn endpoint_tlv(id: &[u8]) -> Vec<u8> {
    tlv(0xea, &[&[0x01], id].concat())
}

/// 10.1.2.3:40000 to 10.9.9.9:443.
fn v4(tlvs: &[u8]) -> Vec<u8> {
    bytes(0x21, 0x11, &[&[10, 1, 2, 3, 10, 9, 9, 9, 0x9c, 0x40, 0x01, 0xbb], tlvs].concat())
}

/// Fills in the checksum, which is the last value of these bytes, as the specification says: computed over zeros.
fn summed(mut header: Vec<u8>) -> Vec<u8> {
    let at = header.len() - 4;
    let sum = crc32c(&header);
    header[at..].copy_from_slice(&sum.to_be_bytes());
    header
}

/// CRC-32C bit by bit (RFC 4960, appendix B; the reflected polynomial 0x82F63B78).
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc, byte| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc)))
}

fn client(address: &str, endpoint: Option<&'static str>) -> Result<Header<'static>, Malformed> {
    Ok(Header::Client { address: address.parse().unwrap(), endpoint })
}

#[test]
fn clients_and_their_endpoints() {
    let id = Some("vpce-08d2bf15fac5001c9");
    assert_eq!(crc32c(b"123456789"), 0xe306_9283, "the check value of CRC-32C");
    assert_eq!(parse(&v4(&[])), client("10.1.2.3", None));
    assert_eq!(parse(&v4(&endpoint_tlv(ID))), client("10.1.2.3", id));
    let mut addresses = vec![0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 7];
    addresses.extend([9; 20]);
    let v6 = bytes(0x21, 0x21, &[addresses.clone(), endpoint_tlv(ID)].concat());
    assert_eq!(parse(&v6), client("2001:db8::7", id));
    // IPv4 as an IPv6 socket shows it.
    addresses[..16].copy_from_slice(&[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 1, 2, 3]);
    assert_eq!(parse(&bytes(0x21, 0x21, &addresses)), client("10.1.2.3", None));
    // Others' values, AWS's other subtypes and padding are passed over.
    let others = [tlv(0x02, b"kms"), tlv(0x04, &[]), endpoint_tlv(ID), tlv(0x04, b"xx"), tlv(0xea, &[2, b'/'])];
    assert_eq!(parse(&v4(&others.concat())), client("10.1.2.3", id));
    let with_sum = summed(v4(&[endpoint_tlv(ID), tlv(0x03, &[0; 4])].concat()));
    assert_eq!(parse(&with_sum), client("10.1.2.3", id));
}

#[test]
fn nobody_in_particular() {
    for header in [
        bytes(0x20, 0x00, &[]),
        // What follows a LOCAL is to be skipped whatever it is.
        bytes(0x20, 0x11, &[1, 2, 3]),
        bytes(0x20, 0xff, &endpoint_tlv(ID)),
        bytes(0x21, 0x00, &[]),
        bytes(0x21, 0x00, &endpoint_tlv(ID)),
    ] {
        assert_eq!(parse(&header), Ok(Header::Anonymous), "{header:x?}");
    }
}

#[test]
fn what_is_no_header() {
    use Malformed as Is;
    let mut unsigned = v4(&[]);
    unsigned[0] = b'P';
    let sum = summed(v4(&tlv(0x03, &[0; 4])));
    let mut bent = sum.clone();
    bent[17] ^= 1;
    let long_id = endpoint_tlv(&[b'a'; 129]);
    for (header, expected) in [
        (unsigned, Is::Signature),
        (b"PROXY TCP4 10.1.2.3 10.9.9.9 40000 443\r\n".to_vec(), Is::Signature),
        (bytes(0x11, 0x11, &[0; 12]), Is::Version),
        (bytes(0x31, 0x11, &[0; 12]), Is::Version),
        (bytes(0x22, 0x11, &[0; 12]), Is::Command),
        // UDP, UNIX and what nobody has defined.
        (bytes(0x21, 0x12, &[0; 12]), Is::Family),
        (bytes(0x21, 0x31, &[0; 216]), Is::Family),
        (bytes(0x21, 0x10, &[0; 12]), Is::Family),
        (bytes(0x21, 0x41, &[0; 12]), Is::Family),
        (bytes(0x21, 0x11, &[0; 11]), Is::Length),
        (bytes(0x21, 0x21, &[0; 35]), Is::Length),
        (v4(&[])[..15].to_vec(), Is::Length),
        (v4(&[])[..27].to_vec(), Is::Length),
        ([v4(&[]), v4(&[])].concat(), Is::Length),
        (bytes(0x20, 0x00, &[0; 521]), Is::TooLong),
        (v4(&[0xea]), Is::Truncated),
        (v4(&[0xea, 0]), Is::Truncated),
        (v4(&[0xea, 0, 5, 1, b'v']), Is::Truncated),
        (v4(&[endpoint_tlv(ID), endpoint_tlv(ID)].concat()), Is::Repeated),
        (v4(&[tlv(0x02, b"a"), tlv(0x02, b"a")].concat()), Is::Repeated),
        (v4(&[tlv(0xff, b"a"), tlv(0xff, b"b")].concat()), Is::Repeated),
        (summed(v4(&[&sum[28..], &tlv(0x03, &[0; 4])].concat())), Is::Checksum),
        (bent, Is::Checksum),
        (v4(&tlv(0x03, &[0; 3])), Is::Checksum),
        (v4(&tlv(0xea, &[])), Is::EndpointId),
        (v4(&endpoint_tlv(&[])), Is::EndpointId),
        (v4(&endpoint_tlv(b"vpce-0a/b")), Is::EndpointId),
        (v4(&endpoint_tlv("vpce-é".as_bytes())), Is::EndpointId),
        (v4(&long_id), Is::EndpointId),
    ] {
        assert_eq!(parse(&header), Err(expected), "{header:x?}");
    }
    assert_eq!(payload_bytes(v4(&[]).first_chunk().unwrap()), Ok(12));
    assert_eq!(payload_bytes(bytes(0x20, 0, &[0; 520]).first_chunk().unwrap()), Ok(520));
    assert_eq!(payload_bytes(bytes(0x20, 0, &[0; 521]).first_chunk().unwrap()), Err(Is::TooLong));
}

/// What a well-behaved balancer may put beside the endpoint: types without a meaning here, each once.
fn fillers() -> impl Strategy<Value = Vec<(u8, Vec<u8>)>> {
    let filler = (0x10_u8..0xe0, proptest::collection::vec(any::<u8>(), 0..12));
    proptest::collection::btree_map(
        filler.clone().prop_map(|(kind, _)| kind),
        filler.prop_map(|(_, value)| value),
        0..6,
    )
    .prop_map(|map| map.into_iter().collect())
}

proptest! {
    /// Any bytes are a header or are refused; and what follows the first 16 has the length that they tell.
    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = parse(&bytes);
    }

    /// As above, past the signature.
    #[test]
    fn any_payload(command: u8, family in prop_oneof![Just(0x11_u8), Just(0x21), any::<u8>()], payload in proptest::collection::vec(any::<u8>(), 0..560)) {
        let header = bytes(command, family, &payload);
        let parsed = parse(&header);
        if parsed.is_ok() {
            prop_assert_eq!(payload_bytes(header.first_chunk().unwrap()), Ok(payload.len()));
            prop_assert!(header.len() <= BYTES_MAX);
        }
    }

    /// What is encoded by the specification is read as it was meant.
    #[test]
    fn what_was_encoded_is_read(
        client: [u8; 4],
        others: [u8; 8],
        id in proptest::option::of("[A-Za-z0-9-]{1,40}"),
        fillers in fillers(),
        at in any::<prop::sample::Index>(),
        with_sum: bool,
    ) {
        let mut tlvs: Vec<Vec<u8>> = fillers.iter().map(|(kind, value)| tlv(*kind, value)).collect();
        if let Some(id) = &id {
            tlvs.insert(at.index(tlvs.len() + 1), endpoint_tlv(id.as_bytes()));
        }
        if with_sum {
            tlvs.push(tlv(0x03, &[0; 4]));
        }
        let header = bytes(0x21, 0x11, &[client.to_vec(), others.to_vec(), tlvs.concat()].concat());
        let header = if with_sum { summed(header) } else { header };
        let address = IpAddr::from(client);
        prop_assert_eq!(parse(&header), Ok(Header::Client { address, endpoint: id.as_deref() }));
        // No bit of the addresses changes unseen once there is a checksum.
        if with_sum {
            let mut bent = header.clone();
            let bit = at.index(12 * 8);
            bent[16 + bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(parse(&bent), Err(Malformed::Checksum));
        }
    }
}
