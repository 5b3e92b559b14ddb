//! The files of the private CA and of the server's certificate: made when absent, completed after a crash, renewed.
//! Knows which files there are and in which order they come; what is in them, `certificate` knows.

use kms_core::clock::Timestamp;
use zeroize::Zeroizing;

use super::SetupError;
use super::folder::{DataFolder, PUBLIC, SECRET};
use crate::certificate::{self, CertificateError, Fitness, Names};
use crate::config::TlsFiles;

pub(super) const CA: &str = "ca.pem";
const CA_KEY: &str = "ca-key.pem";
const SERVER: &str = "server.pem";
const SERVER_KEY: &str = "server-key.pem";

/// Sees to it that the folder holds a server certificate for `names` with at least 30 days left.
///
/// Keys are never overwritten; a file that does not fit the others is an error that names it. Returns the server's
/// files and what the operator should know.
pub(super) fn ensure(
    folder: &DataFolder,
    names: &Names,
    now: Timestamp,
) -> Result<(TlsFiles, Vec<String>), SetupError> {
    let mut notices = Vec::new();
    let (ca, ca_key) = authority(folder, names, now)?;
    let server_key = key(folder, SERVER_KEY)?;
    let server = folder.read(SERVER)?;
    let fitness = match &server {
        Some(server) => {
            certificate::fitness(server, &server_key, &ca, names, now).map_err(SetupError::of(folder, SERVER))?
        }
        None => Fitness::Unfit,
    };
    match (fitness, ca_key) {
        (Fitness::Fit, _) => {}
        (_, Some(ca_key)) => {
            let issued =
                certificate::issue(&ca, &ca_key, &server_key, names, now).map_err(SetupError::of(folder, CA))?;
            folder.replace(SERVER, PUBLIC, issued.as_bytes())?;
            if server.is_some() {
                notices.push(format!("the server's certificate {SERVER} was renewed"));
            }
        }
        (Fitness::Expiring, None) => {
            notices.push(format!("{SERVER} expires within 30 days and cannot be renewed without {CA_KEY}"));
        }
        (Fitness::Unfit, None) => return Err(SetupError::Missing { folder: folder.path().to_owned(), name: CA_KEY }),
    }
    let shared = [CA_KEY, SERVER_KEY].into_iter().filter(|name| folder.is_shared(name));
    notices.extend(shared.map(|name| format!("{name} can be read by others than its owner")));
    let files = TlsFiles { certificate: folder.path().join(SERVER), key: folder.path().join(SERVER_KEY) };
    Ok((files, notices))
}

/// The CA's certificate and, unless the operator keeps it elsewhere, its key.
fn authority(
    folder: &DataFolder,
    names: &Names,
    now: Timestamp,
) -> Result<(Zeroizing<String>, Option<Zeroizing<String>>), SetupError> {
    match (folder.read(CA)?, folder.read(CA_KEY)?) {
        (Some(ca), ca_key) => Ok((ca, ca_key)),
        // The CA comes before what it issues, so no crash leaves this; a new CA would cut off every client.
        (None, None) if folder.read(SERVER)?.is_some() => {
            Err(SetupError::Missing { folder: folder.path().to_owned(), name: CA })
        }
        (None, _) => {
            let ca_key = key(folder, CA_KEY)?;
            let ca = certificate::authority(&ca_key, names, now).map_err(SetupError::of(folder, CA_KEY))?;
            folder.create(CA, PUBLIC, ca.as_bytes())?;
            Ok((Zeroizing::new(ca), Some(ca_key)))
        }
    }
}

fn key(folder: &DataFolder, name: &'static str) -> Result<Zeroizing<String>, SetupError> {
    if let Some(key) = folder.read(name)? {
        return Ok(key);
    }
    let made: Result<_, CertificateError> = certificate::new_key();
    let key = made.map_err(SetupError::of(folder, name))?;
    folder.create(name, SECRET, key.as_bytes())?;
    Ok(key)
}
