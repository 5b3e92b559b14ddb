#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};

use super::*;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

struct Made {
    ca_key: Zeroizing<String>,
    ca: String,
    key: Zeroizing<String>,
    server: String,
}

fn names(region: &str, addresses: &[&str]) -> Names {
    let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
    Names { region: region.to_owned(), partition: "aws".to_owned(), addresses }
}

fn make(names: &Names) -> Made {
    let (ca_key, key) = (new_key().unwrap(), new_key().unwrap());
    let ca = authority(&ca_key, names, NOW).unwrap();
    let server = issue(&ca, &ca_key, &key, names, NOW).unwrap();
    Made { ca_key, ca, key, server }
}

fn later(days: u32) -> Timestamp {
    NOW.plus(DAY * days)
}

/// What a rustls client says who trusts only `ca`.
fn accepted(ca: &str, server: &str, name: &str, now: Timestamp) -> Result<(), rustls::Error> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(der_of(ca).unwrap())).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap();
    let server = CertificateDer::from(der_of(server).unwrap());
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let now = UnixTime::since_unix_epoch(Duration::from_secs(now.seconds()));
    verifier.verify_server_cert(&server, &[], &name, &[], now).map(drop)
}

#[test]
fn a_client_accepts_every_name_and_address() {
    let made = make(&names("us-east-1", &["127.0.0.1", "127.0.10.1", "10.1.2.3", "::1", "fd00::5"]));
    for name in [
        "kms.us-east-1.amazonaws.com",
        "sts.us-east-1.amazonaws.com",
        "vpce-0a1b2c3d4e5f60001.kms.us-east-1.vpce.amazonaws.com",
        "vpce-0a1b2c3d4e5f60001-us-east-1a.kms.us-east-1.vpce.amazonaws.com",
        "localhost",
        "127.0.0.1",
        "127.0.10.1",
        "10.1.2.3",
        "::1",
        "fd00::5",
    ] {
        assert_eq!(accepted(&made.ca, &made.server, name, NOW), Ok(()), "{name}");
        assert_eq!(accepted(&made.ca, &made.server, name, later(395)), Ok(()), "{name}");
    }
    for name in ["kms.eu-west-1.amazonaws.com", "example.com", "127.0.0.2"] {
        assert!(accepted(&made.ca, &made.server, name, NOW).is_err(), "{name}");
    }
    assert!(accepted(&made.ca, &made.server, "localhost", later(397)).is_err());
}

/// A stolen CA key vouches for nothing but this region: the client itself refuses.
#[test]
fn the_authority_is_confined() {
    let made = make(&names("us-east-1", &["127.0.0.1"]));
    for (name, address) in [("example.com", "127.0.0.1"), ("localhost", "10.0.0.1")] {
        let mut params = validity(NOW, 10).unwrap();
        params.subject_alt_names =
            vec![SanType::DnsName(name.try_into().unwrap()), SanType::IpAddress(address.parse().unwrap())];
        let issuer = Issuer::from_ca_cert_pem(&made.ca, key_of(&made.ca_key).unwrap()).unwrap();
        let forged = params.signed_by(&key_of(&made.key).unwrap(), &issuer).unwrap().pem();
        let refusal = accepted(&made.ca, &forged, name, NOW).unwrap_err();
        assert!(format!("{refusal:?}").contains("NameConstraint"), "{refusal:?}");
    }
}

#[test]
fn it_issues_only_what_clients_accept() {
    let made = make(&names("us-east-1", &["127.0.0.1"]));
    let issued = |names: &Names, key: &str, now| issue(&made.ca, key, &made.key, names, now).map(drop);
    let wider = names("us-east-1", &["10.0.0.1"]);
    assert!(
        matches!(issued(&wider, &made.ca_key, NOW), Err(CertificateError::NotPermitted(name)) if name == "10.0.0.1")
    );
    let elsewhere = names("eu-west-1", &["127.0.0.1"]);
    assert!(matches!(issued(&elsewhere, &made.ca_key, NOW), Err(CertificateError::NotPermitted(_))));
    let same = names("us-east-1", &["127.9.9.9"]);
    assert!(issued(&same, &made.ca_key, NOW).is_ok());
    assert!(matches!(issued(&same, &made.key, NOW), Err(CertificateError::OtherKey)));
    assert!(matches!(issued(&same, &made.ca_key, later(3651)), Err(CertificateError::AuthorityExpired)));
}

#[test]
fn fitness_follows_time_names_and_keys() {
    let wanted = names("us-east-1", &["127.0.0.1"]);
    let (made, other) = (make(&wanted), make(&wanted));
    let judged = |names: &Names, now| fitness(&made.server, &made.key, &made.ca, names, now).unwrap();
    assert_eq!(judged(&wanted, NOW), Fitness::Fit);
    assert_eq!(judged(&wanted, later(365)), Fitness::Fit);
    assert_eq!(judged(&wanted, later(367)), Fitness::Expiring);
    assert_eq!(judged(&wanted, later(397)), Fitness::Unfit);
    assert_eq!(judged(&names("us-east-1", &["127.0.0.1", "127.0.10.1"]), NOW), Fitness::Unfit);
    assert_eq!(fitness(&made.server, &other.key, &made.ca, &wanted, NOW).unwrap(), Fitness::Unfit);
    assert_eq!(fitness(&made.server, &made.key, &other.ca, &wanted, NOW).unwrap(), Fitness::Unfit);
    assert!(matches!(fitness("x", &made.key, &made.ca, &wanted, NOW), Err(CertificateError::NotCertificate)));
    assert!(matches!(fitness(&made.server, "x", &made.ca, &wanted, NOW), Err(CertificateError::NotKey)));
}

#[test]
fn no_two_certificates_share_a_serial_number() {
    let names = names("us-east-1", &["127.0.0.1"]);
    let made = make(&names);
    let again = issue(&made.ca, &made.ca_key, &made.key, &names, NOW).unwrap();
    let serial = |pem: &str| parse(&der_of(pem).unwrap()).unwrap().raw_serial().to_vec();
    assert_ne!(serial(&made.server), serial(&again));
}
