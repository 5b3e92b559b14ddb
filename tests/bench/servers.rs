//! What the service is measured against: a bare actix-web server over rustls that reads a request and answers as many
//! bytes, and a floor that also checks the signature with a known key and encrypts once. Neither is a KMS.

use std::fs;
use std::sync::Arc;

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce};
use kms_gateway::authn::sigv4::{Head, Signed};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::Outcome;
use crate::drive;

/// As many bytes as an answer of Encrypt has for 32 bytes of plaintext.
const ANSWER_BYTES: usize = 330;

pub(crate) fn run(kind: &str, address: &str, certificate: &str, key: &str) -> Outcome<()> {
    let floor = match kind {
        "bare" => false,
        "floor" => true,
        other => return Err(format!("there is no server {other}").into()),
    };
    let tls = tls(certificate, key)?;
    let signing_key = drive::signing_key();
    let cipher = Aes256Gcm::new(&[7; 32].into());
    let answer = vec![b' '; ANSWER_BYTES];
    let server = HttpServer::new(move || {
        let (cipher, answer) = (cipher.clone(), answer.clone());
        App::new().route(
            "/",
            web::post().to(move |request: HttpRequest, body: web::Bytes| {
                let fine = !floor || (verified(&request, &body, &signing_key) && sealed(&cipher, &body));
                let response =
                    if fine { HttpResponse::Ok().body(answer.clone()) } else { HttpResponse::BadRequest().finish() };
                std::future::ready(response)
            }),
        )
    });
    let server = server.workers(1).bind_rustls_0_23(address, tls)?.run();
    Ok(actix_web::rt::System::new().block_on(server)?)
}

fn verified(request: &HttpRequest, body: &[u8], signing_key: &[u8; 32]) -> bool {
    let headers: Vec<(String, Vec<u8>)> =
        request.headers().iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect();
    let head = Head { method: "POST", path: request.path(), query: request.query_string(), headers: &headers };
    Signed::parse(&head).and_then(|signed| signed.verify(signing_key, body)).is_ok()
}

/// One AES-256-GCM in place, of the body's size.
fn sealed(cipher: &Aes256Gcm, body: &[u8]) -> bool {
    let mut buffer = body.to_vec();
    cipher.encrypt_inout_detached(&Nonce::from([1; 12]), &[], InOutBuf::from(buffer.as_mut_slice())).is_ok()
}

fn tls(certificate: &str, key: &str) -> Outcome<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(&fs::read(certificate)?).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(&fs::read(key)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_no_client_auth().with_single_cert(chain, key)?)
}
