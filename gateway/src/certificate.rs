//! The private CA and the certificates that it issues: P-256, and constrained to this region's own names.
//! Knows X.509 and which names a region answers to; knows no files.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use kms_core::clock::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, PublicKeyData as _, SanType, SerialNumber,
};
use time::OffsetDateTime;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::{GeneralName, ParsedExtension};
use x509_parser::prelude::FromDer as _;
use zeroize::Zeroizing;

const DAY: Duration = Duration::from_secs(86_400);
const AUTHORITY_DAYS: u32 = 3650;
/// Under the 397 days that clients of public CAs accept, the hour of `EARLY` included.
const SERVER_DAYS: u32 = 396;
/// A certificate that has less left is replaced at start.
const RENEW_DAYS: u32 = 30;
/// How long before now a certificate is valid: clients' clocks differ.
const EARLY: Duration = Duration::from_secs(3600);

/// What a server certificate must name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    pub region: String,
    pub partition: String,
    /// The addresses that are listened on.
    pub addresses: BTreeSet<IpAddr>,
}

/// Why a certificate cannot be issued or read. No variant holds key bytes.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    #[error("not a PEM certificate")]
    NotCertificate,
    #[error("not a PEM private key of a kind that is understood")]
    NotKey,
    #[error("belongs to another key than the CA's key file holds")]
    OtherKey,
    #[error("the CA has expired")]
    AuthorityExpired,
    #[error("the CA is not allowed to vouch for {0}: it was made for another region or for fewer addresses")]
    NotPermitted(String),
    #[error("no certificate could be made")]
    Making(#[source] rcgen::Error),
}

/// What is to be done with a server certificate that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fitness {
    Fit,
    /// Good for a while, but fewer than 30 days.
    Expiring,
    /// Expired, of another CA or key, or without a name that is needed.
    Unfit,
}

/// Makes a P-256 private key, as PEM (PKCS #8).
pub fn new_key() -> Result<Zeroizing<String>, CertificateError> {
    let key = KeyPair::generate().map_err(CertificateError::Making)?;
    Ok(Zeroizing::new(key.serialize_pem()))
}

/// Makes the CA's own certificate (PEM) for a key that `new_key` made.
///
/// It may vouch for this region's names, for this machine and for the addresses in `names`, and for nothing else, so
/// that a client that trusts it gives away no more (RFC 5280, section 4.2.1.10).
pub fn authority(key_pem: &str, names: &Names, now: Timestamp) -> Result<String, CertificateError> {
    let key = key_of(key_pem)?;
    let mut params = validity(now, AUTHORITY_DAYS)?;
    params.distinguished_name = subject(&format!("Kannuki {} private CA {}", names.region, fingerprint(&key)));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.name_constraints =
        Some(NameConstraints { permitted_subtrees: names.permitted(), excluded_subtrees: Vec::new() });
    let certificate = params.self_signed(&key).map_err(CertificateError::Making)?;
    Ok(certificate.pem())
}

/// Issues a server certificate (PEM) for the key `server_key_pem`.
pub fn issue(
    authority_pem: &str,
    authority_key_pem: &str,
    server_key_pem: &str,
    names: &Names,
    now: Timestamp,
) -> Result<String, CertificateError> {
    let key = key_of(authority_key_pem)?;
    let der = der_of(authority_pem)?;
    let ca = parse(&der)?;
    may_issue(&ca, &key, names, now)?;
    let mut params = validity(now, SERVER_DAYS)?;
    params.not_after = params.not_after.min(ca.validity().not_after.to_datetime());
    // No host name here: clients that fall back to it would check it against the constraints.
    params.distinguished_name = subject(&format!("Kannuki {} server", names.region));
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.use_authority_key_identifier_extension = true;
    params.subject_alt_names = names.subject_alternatives()?;
    let issuer = Issuer::from_ca_cert_pem(authority_pem, key).map_err(CertificateError::Making)?;
    let certificate = params.signed_by(&key_of(server_key_pem)?, &issuer).map_err(CertificateError::Making)?;
    Ok(certificate.pem())
}

/// Judges a server certificate that is there already.
pub fn fitness(
    server_pem: &str,
    server_key_pem: &str,
    authority_pem: &str,
    names: &Names,
    now: Timestamp,
) -> Result<Fitness, CertificateError> {
    let (server_der, authority_der) = (der_of(server_pem)?, der_of(authority_pem)?);
    let (server, authority) = (parse(&server_der)?, parse(&authority_der)?);
    let ours = issuer_key_id(&server).is_some_and(|id| Some(id) == subject_key_id(&authority))
        && belongs_to(&server, &key_of(server_key_pem)?)
        && names.named_by(&server);
    let left = seconds_left(&server, now);
    Ok(match left {
        _ if !ours || left <= 0 => Fitness::Unfit,
        _ if left < i64::from(RENEW_DAYS) * 86_400 => Fitness::Expiring,
        _ => Fitness::Fit,
    })
}

impl Names {
    /// AWS: the suffix of the names of a partition's services.
    fn suffix(&self) -> &'static str {
        if self.partition == "aws-cn" { "amazonaws.com.cn" } else { "amazonaws.com" }
    }

    /// The names of the service, of every endpoint (regional and zonal ones differ in the first label) and this machine.
    pub fn dns(&self) -> Vec<String> {
        let (region, suffix) = (&self.region, self.suffix());
        vec![
            format!("kms.{region}.{suffix}"),
            format!("sts.{region}.{suffix}"),
            format!("*.kms.{region}.vpce.{suffix}"),
            "localhost".to_owned(),
        ]
    }

    fn permitted_dns(&self) -> Vec<String> {
        self.dns().iter().map(|name| name.trim_start_matches("*.").to_owned()).collect()
    }

    fn permitted(&self) -> Vec<GeneralSubtree> {
        let names = self.permitted_dns().into_iter().map(GeneralSubtree::DnsName);
        let loopback = [CidrSubnet::from_v4_prefix([127, 0, 0, 0], 8), host(IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]))];
        let others = self.addresses.iter().filter(|address| !address.is_loopback()).map(|address| host(*address));
        names.chain(loopback.into_iter().chain(others).map(GeneralSubtree::IpAddress)).collect()
    }

    fn subject_alternatives(&self) -> Result<Vec<SanType>, CertificateError> {
        let names = self.dns().into_iter().map(|name| name.try_into().map(SanType::DnsName));
        let addresses = self.addresses.iter().map(|address| Ok(SanType::IpAddress(*address)));
        names.chain(addresses).collect::<Result<_, _>>().map_err(CertificateError::Making)
    }

    /// Whether a certificate names all of these.
    fn named_by(&self, certificate: &X509Certificate<'_>) -> bool {
        let Ok(Some(alternatives)) = certificate.subject_alternative_name() else { return false };
        let (mut names, mut addresses) = (BTreeSet::new(), BTreeSet::new());
        for name in &alternatives.value.general_names {
            match name {
                GeneralName::DNSName(name) => drop(names.insert((*name).to_owned())),
                GeneralName::IPAddress(octets) => addresses.extend(address_of(octets)),
                _ => {}
            }
        }
        self.addresses.is_subset(&addresses) && self.dns().iter().all(|name| names.contains(name))
    }
}

/// Checks what `issue` promises to its caller's clients, so that a certificate that they refuse is never handed out.
fn may_issue(ca: &X509Certificate<'_>, key: &KeyPair, names: &Names, now: Timestamp) -> Result<(), CertificateError> {
    if !belongs_to(ca, key) {
        return Err(CertificateError::OtherKey);
    }
    if seconds_left(ca, now) <= 0 {
        return Err(CertificateError::AuthorityExpired);
    }
    // A CA without constraints is someone's own: it may vouch for anything.
    let Ok(Some(constraints)) = ca.name_constraints() else { return Ok(()) };
    let subtrees = constraints.value.permitted_subtrees.as_deref().unwrap_or_default();
    let dns =
        |wanted: &str| subtrees.iter().any(|tree| matches!(tree.base, GeneralName::DNSName(base) if base == wanted));
    let ip = |wanted: IpAddr| {
        subtrees.iter().any(|tree| matches!(tree.base, GeneralName::IPAddress(base) if contains(base, wanted)))
    };
    if let Some(name) = names.permitted_dns().into_iter().find(|name| !dns(name)) {
        return Err(CertificateError::NotPermitted(name));
    }
    match names.addresses.iter().find(|address| !ip(**address)) {
        Some(address) => Err(CertificateError::NotPermitted(address.to_string())),
        None => Ok(()),
    }
}

/// Whether an address is in a constraint's network: address octets, then as many of its mask.
fn contains(network: &[u8], address: IpAddr) -> bool {
    let octets = octets_of(address);
    let Some((base, mask)) = network.split_at_checked(octets.len()) else { return false };
    mask.len() == octets.len()
        && octets.iter().zip(base).zip(mask).all(|((octet, base), mask)| octet & mask == base & mask)
}

fn octets_of(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

fn address_of(octets: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(octets).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

fn host(address: IpAddr) -> CidrSubnet {
    CidrSubnet::from_addr_prefix(address, if address.is_ipv4() { 32 } else { 128 })
}

/// Parameters with nothing but a time of validity and a serial number of their own (RFC 5280: unique for the issuer,
/// also when the key is the same as before).
fn validity(now: Timestamp, days: u32) -> Result<CertificateParams, CertificateError> {
    let seconds = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
    let now = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| CertificateError::Making(rcgen::Error::Time))?;
    let mut serial = uuid::Uuid::new_v4().into_bytes();
    if let Some(first) = serial.first_mut() {
        // Positive, and without a leading zero that encoders would treat differently.
        *first = (*first & 0x7f) | 0x40;
    }
    let mut params = CertificateParams::default();
    params.not_before = now - EARLY;
    params.not_after = now + DAY * days;
    params.serial_number = Some(SerialNumber::from_slice(&serial));
    Ok(params)
}

fn subject(name: &str) -> DistinguishedName {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    subject
}

/// Eight hexadecimal digits that tell one CA from another of the same region.
fn fingerprint(key: &KeyPair) -> String {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, key.der_bytes());
    hex::encode(digest.as_ref().get(..4).unwrap_or_default())
}

fn key_of(pem: &str) -> Result<KeyPair, CertificateError> {
    KeyPair::from_pem(pem).map_err(|_| CertificateError::NotKey)
}

fn der_of(pem: &str) -> Result<Vec<u8>, CertificateError> {
    let (_, block) = x509_parser::pem::parse_x509_pem(pem.as_bytes()).map_err(|_| CertificateError::NotCertificate)?;
    Ok(block.contents)
}

fn parse(der: &[u8]) -> Result<X509Certificate<'_>, CertificateError> {
    let parsed = X509Certificate::from_der(der).map_err(|_| CertificateError::NotCertificate)?;
    Ok(parsed.1)
}

fn belongs_to(certificate: &X509Certificate<'_>, key: &KeyPair) -> bool {
    certificate.public_key().subject_public_key.data.as_ref() == key.der_bytes()
}

fn seconds_left(certificate: &X509Certificate<'_>, now: Timestamp) -> i64 {
    let now = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
    certificate.validity().not_after.timestamp().saturating_sub(now)
}

fn subject_key_id<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::SubjectKeyIdentifier(id) => Some(id.0),
        _ => None,
    })
}

fn issuer_key_id<'a>(certificate: &'a X509Certificate<'_>) -> Option<&'a [u8]> {
    certificate.extensions().iter().find_map(|extension| match extension.parsed_extension() {
        ParsedExtension::AuthorityKeyIdentifier(id) => id.key_identifier.as_ref().map(|id| id.0),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
