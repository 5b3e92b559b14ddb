//! TLS as the service offers it, and its certificate, which can be replaced while serving.
//! Knows rustls and one certificate chain; where the files are and when to read them again, others know.

use std::fmt;
use std::sync::Arc;

use arc_swap::ArcSwap;
use kms_core::clock::Timestamp;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use x509_parser::prelude::{FromDer, X509Certificate};

/// The server's TLS set-up. Clones share the certificate.
#[derive(Clone)]
pub struct TlsConfigHandle {
    config: Arc<ServerConfig>,
    current: Arc<Current>,
    provider: Arc<CryptoProvider>,
}

/// Why a certificate and key cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("the certificate file is not a chain of PEM certificates: {0}")]
    Certificate(String),
    #[error("the key file holds no private key in PEM: {0}")]
    Key(String),
    #[error("the certificate and the key do not belong together: {0}")]
    Pair(rustls::Error),
    #[error("TLS cannot be set up: {0}")]
    Setup(rustls::Error),
}

impl TlsConfigHandle {
    /// TLS 1.2 and 1.3 with this chain (leaf first) and key. The provider is named here and never taken from the
    /// process; hybrid post-quantum key exchange is preferred.
    pub fn new(certificate_pem: &[u8], key_pem: &[u8]) -> Result<Self, TlsError> {
        let provider = Arc::new(provider());
        let current = Arc::new(Current(ArcSwap::from_pointee(Held::parse(certificate_pem, key_pem, &provider)?)));
        let mut config = ServerConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(current.clone());
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { config: Arc::new(config), current, provider })
    }

    /// Uses another chain and key for handshakes from now on. On an error the old ones stay.
    pub fn reload(&self, certificate_pem: &[u8], key_pem: &[u8]) -> Result<(), TlsError> {
        let held = Held::parse(certificate_pem, key_pem, &self.provider)?;
        self.current.0.store(Arc::new(held));
        Ok(())
    }

    /// When the leaf certificate ends.
    pub fn expires_at(&self) -> Timestamp {
        self.current.0.load().expires_at
    }

    pub(super) fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }
}

impl fmt::Debug for TlsConfigHandle {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "TlsConfigHandle(until {})", self.expires_at().iso())
    }
}

fn provider() -> CryptoProvider {
    CryptoProvider {
        kx_groups: vec![
            aws_lc_rs::kx_group::X25519MLKEM768,
            aws_lc_rs::kx_group::X25519,
            aws_lc_rs::kx_group::SECP256R1,
            aws_lc_rs::kx_group::SECP384R1,
        ],
        ..aws_lc_rs::default_provider()
    }
}

struct Held {
    key: Arc<CertifiedKey>,
    expires_at: Timestamp,
}

impl Held {
    fn parse(certificate_pem: &[u8], key_pem: &[u8], provider: &CryptoProvider) -> Result<Self, TlsError> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(certificate_pem)
            .collect::<Result<_, _>>()
            .map_err(|cause| TlsError::Certificate(cause.to_string()))?;
        let leaf = chain.first().ok_or_else(|| TlsError::Certificate("it holds none".to_owned()))?;
        let (_, parsed) = X509Certificate::from_der(leaf).map_err(|cause| TlsError::Certificate(cause.to_string()))?;
        let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or(0);
        let expires_at = Timestamp(seconds.saturating_mul(1000));
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|cause| TlsError::Key(cause.to_string()))?;
        let key = CertifiedKey::from_der(chain, key, provider).map_err(TlsError::Pair)?;
        Ok(Self { key: Arc::new(key), expires_at })
    }
}

struct Current(ArcSwap<Held>);

impl fmt::Debug for Current {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Current")
    }
}

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load().key.clone())
    }
}
