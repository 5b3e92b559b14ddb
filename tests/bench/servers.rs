//! What the service is measured against: a bare actix-web server over rustls that reads a request and answers as many
//! bytes, and a floor that also checks the signature with a key that it keeps and encrypts once. Neither is a KMS. And,
//! to see what is spent where, a shell: the service's own TLS and HTTP with the bare server's answer.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut as _, KeyInit as _};
use aes_gcm::{Aes256Gcm, Nonce};
use aws_lc_rs::{digest, hmac};
use clap::{Parser, ValueEnum};
use futures_util::future::LocalBoxFuture;
use kms_gateway::listener::{Listener, Role};
use kms_gateway::serve::{self, Answer, Arrived, Limits, Ranges, Service, TlsConfigHandle};
use kms_gateway::wire;
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::Outcome;

/// The argument by which this program knows that it is to be one of these servers.
pub(crate) const WORD: &str = "reference-server";
/// As long as the service's.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// The access key that the floor knows.
pub(crate) const ACCESS_KEY: (&str, &str) = ("AKIAAAAAAAAAAAAAAAAA", "an example secret of forty characters 01");

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    Bare,
    Floor,
    Shell,
}

/// A server's command line.
#[derive(Debug, Parser)]
pub(crate) struct Arguments {
    kind: Kind,
    address: String,
    certificate: PathBuf,
    key: PathBuf,
    /// The length of an answer's body.
    body_bytes: usize,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome<()> {
    if arguments.kind == Kind::Shell {
        return shell(arguments);
    }
    let tls = tls(arguments)?;
    let is_floor = arguments.kind == Kind::Floor;
    let answer = web::Bytes::from(vec![b' '; arguments.body_bytes]);
    let server = HttpServer::new(move || {
        let (answer, desk) = (answer.clone(), Rc::new(RefCell::new(Desk::new())));
        App::new().route(
            "/",
            web::post().to(move |request: HttpRequest, body: web::Bytes| {
                let fine = !is_floor || desk.borrow_mut().does_the_least(request.headers(), &body).is_some();
                let response = if fine { answered(answer.clone()) } else { HttpResponse::BadRequest().finish() };
                std::future::ready(response)
            }),
        )
    });
    let server = server.workers(1).keep_alive(KEEP_ALIVE).bind_rustls_0_23(arguments.address.as_str(), tls)?.run();
    Ok(actix_web::rt::System::new().block_on(server)?)
}

/// With the headers that KMS's answers have.
fn answered(body: web::Bytes) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/x-amz-json-1.1"))
        .insert_header(("x-amzn-requestid", "00000000-0000-4000-8000-000000000000"))
        .body(body)
}

/// The gateway's shell, with nothing behind it.
fn shell(arguments: &Arguments) -> Outcome<()> {
    let tls = TlsConfigHandle::new(&fs::read(&arguments.certificate)?, &fs::read(&arguments.key)?)?;
    let listener = Listener { address: arguments.address.parse()?, role: Role::Public };
    let (ranges, metrics): (Ranges, _) = (Arc::new(|_| Ok(())), Arc::default());
    let body_bytes = arguments.body_bytes;
    actix_web::rt::System::new().block_on(async {
        let _running =
            serve::start(vec![listener], tls, Limits::default(), ranges, metrics, move |_| Constant { body_bytes })?;
        // Until the process is killed.
        std::future::pending().await
    })
}

#[derive(Clone)]
struct Constant {
    body_bytes: usize,
}

impl Service for Constant {
    fn answer(&self, _: Arrived) -> LocalBoxFuture<'static, Answer> {
        Box::pin(std::future::ready(wire::json(vec![b' '; self.body_bytes])))
    }

    fn is_well(&self) -> bool {
        true
    }
}

/// The TLS that rustls offers of itself; the service offers the same.
fn tls(Arguments { certificate, key, .. }: &Arguments) -> Outcome<ServerConfig> {
    let chain = CertificateDer::pem_slice_iter(&fs::read(certificate)?).collect::<Result<Vec<_>, _>>()?;
    let key = PrivateKeyDer::from_pem_slice(&fs::read(key)?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_no_client_auth().with_single_cert(chain, key)?)
}

/// The least that a KMS must do beside HTTP: prove who asks, and encrypt. What can be kept from one request to the next
/// is kept: the day's signing key, the cipher and the buffers.
struct Desk {
    day: String,
    signing_key: hmac::Key,
    cipher: Aes256Gcm,
    text: Vec<u8>,
    sealed: Vec<u8>,
}

impl Desk {
    fn new() -> Self {
        Self {
            day: String::new(),
            signing_key: hmac::Key::new(hmac::HMAC_SHA256, &[]),
            cipher: Aes256Gcm::new(&[7; 32].into()),
            text: Vec::with_capacity(1024),
            sealed: Vec::with_capacity(1024),
        }
    }

    fn does_the_least(&mut self, headers: &HeaderMap, body: &[u8]) -> Option<()> {
        self.verify(headers, body)?;
        self.sealed.clear();
        self.sealed.extend_from_slice(body);
        let buffer = InOutBuf::from(self.sealed.as_mut_slice());
        self.cipher.encrypt_inout_detached(&Nonce::from([1; 12]), &[], buffer).ok().map(drop)
    }

    /// Signature Version 4, for `POST /` without a query.
    fn verify(&mut self, headers: &HeaderMap, body: &[u8]) -> Option<()> {
        let value = |name: &str| headers.get(name)?.to_str().ok();
        let claim = value("authorization")?.strip_prefix("AWS4-HMAC-SHA256 Credential=")?;
        let (credential, claim) = claim.split_once(", SignedHeaders=")?;
        let (signed, signature) = claim.split_once(", Signature=")?;
        let (access_key, scope) = credential.split_once('/')?;
        let (day, _) = scope.split_once('/')?;
        if access_key != ACCESS_KEY.0 {
            return None;
        }
        if self.day != day {
            self.signing_key = signing_key(day);
            day.clone_into(&mut self.day);
        }
        self.text.clear();
        self.text.extend_from_slice(b"POST\n/\n\n");
        for name in signed.split(';') {
            self.text.extend_from_slice(name.as_bytes());
            self.text.push(b':');
            self.text.extend_from_slice(value(name)?.trim().as_bytes());
            self.text.push(b'\n');
        }
        self.text.push(b'\n');
        self.text.extend_from_slice(signed.as_bytes());
        self.text.push(b'\n');
        push_hash(&mut self.text, body)?;
        let canonical = digest::digest(&digest::SHA256, &self.text);
        self.text.clear();
        self.text.extend_from_slice(b"AWS4-HMAC-SHA256\n");
        self.text.extend_from_slice(value("x-amz-date")?.as_bytes());
        self.text.push(b'\n');
        self.text.extend_from_slice(scope.as_bytes());
        self.text.push(b'\n');
        push_hex(&mut self.text, canonical.as_ref())?;
        let mut claimed = [0; 32];
        hex::decode_to_slice(signature, &mut claimed).ok()?;
        hmac::verify(&self.signing_key, &self.text, &claimed).ok()
    }
}

/// The key that signs on this day, in the region and for the service that everything here uses.
fn signing_key(day: &str) -> hmac::Key {
    let first = format!("AWS4{}", ACCESS_KEY.1).into_bytes();
    let last = [day, "us-east-1", "kms", "aws4_request"].into_iter().fold(first, |key, text| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), text.as_bytes()).as_ref().to_vec()
    });
    hmac::Key::new(hmac::HMAC_SHA256, &last)
}

fn push_hash(text: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    push_hex(text, digest::digest(&digest::SHA256, bytes).as_ref())
}

fn push_hex(text: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    let end = text.len();
    text.resize(end + 2 * bytes.len(), 0);
    hex::encode_to_slice(bytes, text.get_mut(end..)?).ok()
}
