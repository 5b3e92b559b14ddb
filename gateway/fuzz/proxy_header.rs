//! Fuzzes the PROXY header: any bytes are a header or are refused, and what is believed is what the bytes say.
//! Knows the parser alone, taken as a file so that nothing else of the gateway is built for it.
#![no_main]

#[path = "../src/proxy_header.rs"]
mod proxy_header;

use libfuzzer_sys::fuzz_target;
use proxy_header::{BYTES_MAX, Header, START_BYTES, parse, payload_bytes};

const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

// As they are, and past what chance does not find: the signature and a length that is right.
fuzz_target!(|bytes: &[u8]| {
    check(bytes);
    let (Some(([command, family], payload)), Ok(length)) = (bytes.split_first_chunk(), u16::try_from(bytes.len()))
    else {
        return;
    };
    let length = (length - 2).to_be_bytes();
    check(&[SIGNATURE, [*command, *family].as_slice(), length.as_slice(), payload].concat());
});

fn check(bytes: &[u8]) {
    let parsed = parse(bytes);
    let length = bytes.first_chunk::<START_BYTES>().map(payload_bytes);
    let Ok(header) = parsed else { return };
    // INVARIANT: whoever reads by the length that the first 16 bytes tell has read exactly the header.
    assert_eq!(length, Some(Ok(bytes.len() - START_BYTES)));
    assert!(bytes.len() <= BYTES_MAX && bytes.starts_with(SIGNATURE));
    if let Header::Client { endpoint: Some(id), .. } = header {
        assert!(!id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'));
        let tlv = [&[0xea, 0, u8::try_from(id.len()).unwrap() + 1, 1], id.as_bytes()].concat();
        assert!(bytes[START_BYTES..].windows(tlv.len()).any(|window| window == tlv));
    }
}
