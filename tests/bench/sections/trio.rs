//! Service, bare server, floor and shell side by side, on the same core, with the same certificate and the same request.
//! Proves that they are comparable before anything is measured on them.

use crate::Outcome;
use crate::drive::{Aim, Credentials};
use crate::plan::Stage;
use crate::process::{self, Server};
use crate::region::{Region, text};
use crate::servers;

pub(super) const CONNECTIONS: usize = 16;
/// Requests that differ in their plaintexts, so that none is answered from what was just done for its twin.
const BODIES: u8 = 16;

pub(super) const CONTEXT: &str = r#""EncryptionContext":{"department":"10103.0","purpose":"payroll"}"#;

pub(super) struct Trio {
    pub(super) kannuki: Region,
    pub(super) bare: Server,
    pub(super) floor: Server,
    pub(super) shell: Server,
    /// Encrypt, of 32 bytes with an encryption context of two pairs, to each of them.
    pub(super) encrypt: Aim,
    pub(super) encrypt_bare: Aim,
    pub(super) encrypt_floor: Aim,
    pub(super) encrypt_shell: Aim,
}

impl Trio {
    pub(super) fn start(stage: &mut Stage, room: &str) -> Outcome<Self> {
        let folder = stage.room(room)?;
        let kannuki = Region::demo(&stage.service, &folder)?;
        let encrypt = kannuki.aim(0, "Encrypt", encrypts())?;
        let (answer, body) = stage.driver.once(&encrypt)?;
        if !answer.is_success() {
            return Err(format!("Encrypt was answered with {body}").into());
        }
        let this = std::env::current_exe()?;
        let (certificate, key) = (kannuki.data.join("server.pem"), kannuki.data.join("server-key.pem"));
        let start = |kind: &str, port: u16| -> Outcome<(Server, Aim)> {
            let address = format!("127.0.0.1:{port}");
            let body_bytes = answer.body_bytes.to_string();
            let command = [text(&this)?, servers::WORD, kind, &address, text(&certificate)?, text(&key)?, &body_bytes];
            let server = Server::start(&command, &address, &folder.join(kind))?;
            let (id, secret) = servers::ACCESS_KEY;
            let credentials = Credentials { id: id.to_owned(), secret: secret.to_owned() };
            Ok((server, kannuki.aim_elsewhere(&address, credentials).asking("Encrypt", encrypts())))
        };
        let (bare, encrypt_bare) = start("bare", process::free_port(&["127.0.0.1".parse()?])?)?;
        let (floor, encrypt_floor) = start("floor", process::free_port(&["127.0.0.1".parse()?])?)?;
        let (shell, encrypt_shell) = start("shell", process::free_port(&["127.0.0.1".parse()?])?)?;
        let trio = Self { kannuki, bare, floor, shell, encrypt, encrypt_bare, encrypt_floor, encrypt_shell };
        trio.prove_comparable(stage, answer.bytes)?;
        Ok(trio)
    }

    /// The same TLS, answers of the same size, and a floor that refuses what is signed wrongly.
    fn prove_comparable(&self, stage: &mut Stage, answer_bytes: usize) -> Outcome<()> {
        let spoken = stage.driver.spoken(&self.encrypt)?;
        for aim in [&self.encrypt_bare, &self.encrypt_floor, &self.encrypt_shell] {
            let other = stage.driver.spoken(aim)?;
            if other != spoken {
                return Err(format!("the servers speak TLS differently: {spoken:?} and {other:?}").into());
            }
            let (answer, _) = stage.driver.once(aim)?;
            // Two ciphertexts are of one size; a date may be spelled with a digit more.
            if !answer.is_success() || answer.bytes.abs_diff(answer_bytes) > 8 {
                return Err(format!("answers of {answer_bytes} bytes and {answer:?}").into());
            }
        }
        let mut forged = self.encrypt_floor.clone();
        forged.credentials.secret.push('x');
        if stage.driver.once(&forged)?.0.is_success() {
            return Err("the floor takes a wrong signature".into());
        }
        stage.note(format!("all speak {} with {}; answers of {answer_bytes} bytes", spoken.version, spoken.suite));
        Ok(())
    }
}

/// 32 bytes each.
pub(super) fn encrypts() -> Vec<String> {
    use base64::Engine as _;
    let plaintext = |index| base64::engine::general_purpose::STANDARD.encode([index; 32]);
    (0..BODIES)
        .map(|index| format!(r#"{{"KeyId":"alias/demo","Plaintext":"{}",{CONTEXT}}}"#, plaintext(index)))
        .collect()
}
