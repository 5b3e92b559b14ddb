//! Whom a TLS connection trusts: a file of CA certificates, or what the system trusts.
//! Knows certificates; knows no HTTP.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::Fault;
use crate::Outcome;

#[derive(Clone)]
pub(crate) struct Trust(TlsConnector);

impl fmt::Debug for Trust {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Trust")
    }
}

impl Trust {
    /// Trusts the certificates of `ca` (PEM) and nobody else, or without it whom the system trusts.
    pub(crate) fn load(ca: Option<&Path>) -> Outcome<Self> {
        let mut roots = RootCertStore::empty();
        if let Some(ca) = ca {
            let said = |why: &dyn fmt::Display| format!("{}: {why}", ca.display());
            for certificate in CertificateDer::pem_file_iter(ca).map_err(|why| said(&why))? {
                roots.add(certificate.map_err(|why| said(&why))?)?;
            }
            if roots.is_empty() {
                return Err(said(&"holds no certificate").into());
            }
        } else {
            // Some of a system's certificates may be in forms that rustls does not take; the rest are enough.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(super) async fn connect(&self, host: &str, tcp: TcpStream) -> Result<TlsStream<TcpStream>, Fault> {
        let name = ServerName::try_from(host.to_owned()).map_err(|_| Fault::Tls)?;
        self.0.connect(name, tcp).await.map_err(|why| match why.kind() {
            std::io::ErrorKind::InvalidData => Fault::Tls,
            _ => Fault::Closed,
        })
    }
}
