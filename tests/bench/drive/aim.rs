//! Where requests go, whose they are and what they ask; and their bytes, signed.
//! Knows Signature Version 4 through AWS's own library.

use std::sync::Arc;
use std::time::SystemTime;

use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use crate::Outcome;

/// An access key.
#[derive(Clone, Debug)]
pub(crate) struct Credentials {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// The client's side of TLS, trusting one CA. The library's defaults, as the servers have them.
#[derive(Clone)]
pub(crate) struct Trust(pub(super) TlsConnector);

impl Trust {
    pub(crate) fn new(ca_pem: &[u8]) -> Outcome<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(ca_pem) {
            roots.add(certificate?)?;
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        Ok(Self(TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()))))
    }
}

/// Where requests go and how.
#[derive(Clone)]
pub(crate) struct Aim {
    /// `127.0.10.1:8443`
    pub(crate) address: String,
    pub(crate) trust: Trust,
    pub(crate) credentials: Credentials,
    pub(crate) operation: &'static str,
    /// Asked in turn.
    pub(crate) bodies: Vec<String>,
}

impl Aim {
    /// The same, asking something else.
    pub(crate) fn asking(&self, operation: &'static str, bodies: Vec<String>) -> Self {
        Self { operation, bodies, ..self.clone() }
    }

    /// Whole HTTP requests, signed now.
    pub(super) fn requests(&self) -> Outcome<Vec<Vec<u8>>> {
        self.bodies.iter().map(|body| self.request(body)).collect()
    }

    fn request(&self, body: &str) -> Outcome<Vec<u8>> {
        let Self { address, credentials: Credentials { id, secret }, .. } = self;
        let target = format!("TrentService.{}", self.operation);
        let headers =
            [("host", address.as_str()), ("content-type", "application/x-amz-json-1.1"), ("x-amz-target", &target)];
        let identity = aws_credential_types::Credentials::new(id, secret, None, None, "bench").into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region("us-east-1")
            .name("kms")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()?
            .into();
        let url = format!("https://{address}/");
        let signable = SignableRequest::new("POST", &url, headers.into_iter(), SignableBody::Bytes(body.as_bytes()))?;
        let (instructions, _) = sign(signable, &parameters)?.into_parts();
        let mut text = String::from("POST / HTTP/1.1\r\n");
        for (name, value) in headers.into_iter().chain(instructions.headers()) {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        Ok(text.into_bytes())
    }
}
