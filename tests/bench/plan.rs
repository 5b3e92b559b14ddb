//! What is measured, in which order, and the table of it.
//! Interleaves the rounds, so that a machine whose speed drifts is as unfair to one as to the other.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::Outcome;
use crate::drive::{self, Aim, FLOOR_KEY};
use crate::process::Server;

const CONNECTIONS: usize = 16;
const PORT: u16 = 25_443;
const BARE: &str = "127.0.0.1:25501";
const FLOOR: &str = "127.0.0.1:25502";
const CONTEXT: &str = r#""EncryptionContext":{"department":"10103.0","purpose":"payroll"}"#;
/// 32 bytes.
const PLAINTEXT: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

#[derive(Clone, Copy, Debug)]
pub(crate) struct Rounds {
    pub(crate) rounds: usize,
    pub(crate) seconds: u64,
}

impl Default for Rounds {
    fn default() -> Self {
        Self { rounds: 5, seconds: 3 }
    }
}

struct Case {
    name: &'static str,
    aim: Aim,
    server: usize,
    /// Requests per second and microseconds of CPU per request, a pair a round.
    figures: Vec<(f64, f64)>,
}

/// Measures the service at `service` (the path of its binary).
pub(crate) fn run(service: &str, rounds: Rounds) -> Outcome<()> {
    let folder = std::env::temp_dir().join(format!("kannuki-bench-{}", std::process::id()));
    let measured = measure(service, &folder, rounds);
    // What is left in the folder for temporary files is no reason to hide the figures.
    let _ = fs::remove_dir_all(&folder);
    let cases = measured?;
    print(&cases);
    Ok(())
}

fn measure(service: &str, folder: &Path, rounds: Rounds) -> Outcome<Vec<Case>> {
    let data = folder.to_str().ok_or("the folder for temporary files has no name in UTF-8")?;
    let endpoint = format!("127.0.10.1:{PORT}");
    let kannuki = Server::start(&[service, "--data", data, "--port", &PORT.to_string()], &endpoint)?;
    let (certificate, key) = (format!("{data}/server.pem"), format!("{data}/server-key.pem"));
    let this = std::env::current_exe()?;
    let this = this.to_str().ok_or("this program's path is not UTF-8")?;
    let bare = Server::start(&[this, "server", "bare", BARE, &certificate, &key], BARE)?;
    let floor = Server::start(&[this, "server", "floor", FLOOR, &certificate, &key], FLOOR)?;
    let servers = [bare, floor, kannuki];
    let mut cases = cases(data, &endpoint)?;
    for round in 0..=rounds.rounds {
        for case in &mut cases {
            let server = servers.get(case.server).ok_or("a case without a server")?;
            let before = server.cpu_seconds()?;
            let shot = drive::drive(&case.aim, CONNECTIONS, Duration::from_secs(rounds.seconds))?;
            let cpu = server.cpu_seconds()? - before;
            let requests = shot.requests as f64;
            // The first round warms up.
            if round > 0 {
                case.figures.push((requests / shot.seconds, cpu * 1e6 / requests));
            }
        }
    }
    Ok(cases)
}

fn cases(data: &str, endpoint: &str) -> Outcome<Vec<Case>> {
    let ca = fs::read(format!("{data}/ca.pem"))?;
    let env = fs::read_to_string(format!("{data}/env"))?;
    let credentials = (variable(&env, "AWS_ACCESS_KEY_ID")?, variable(&env, "AWS_SECRET_ACCESS_KEY")?);
    let aim = |address: &str, credentials: (&str, &str), operation: &str, body: &str| -> Outcome<Aim> {
        let requests = vec![drive::request(address, credentials, operation, body)?];
        Ok(Aim { address: address.to_owned(), ca: ca.clone(), requests })
    };
    let encrypt = format!(r#"{{"KeyId":"alias/demo","Plaintext":"{PLAINTEXT}",{CONTEXT}}}"#);
    let sealed = drive::once(&aim(endpoint, credentials, "Encrypt", &encrypt)?)?;
    let sealed: serde_json::Value = serde_json::from_str(&sealed)?;
    let blob = sealed.get("CiphertextBlob").and_then(|blob| blob.as_str()).ok_or("Encrypt answered no ciphertext")?;
    let decrypt = format!(r#"{{"CiphertextBlob":"{blob}",{CONTEXT}}}"#);
    let data_key = format!(r#"{{"KeyId":"alias/demo","KeySpec":"AES_256",{CONTEXT}}}"#);
    let case = |name, server, aim| Case { name, aim, server, figures: Vec::new() };
    Ok(vec![
        case("bare", 0, aim(BARE, FLOOR_KEY, "Encrypt", &encrypt)?),
        case("floor", 1, aim(FLOOR, FLOOR_KEY, "Encrypt", &encrypt)?),
        case("Encrypt", 2, aim(endpoint, credentials, "Encrypt", &encrypt)?),
        case("Decrypt", 2, aim(endpoint, credentials, "Decrypt", &decrypt)?),
        case("GenerateDataKey", 2, aim(endpoint, credentials, "GenerateDataKey", &data_key)?),
        case("DescribeKey", 2, aim(endpoint, credentials, "DescribeKey", r#"{"KeyId":"alias/demo"}"#)?),
        case("GenerateRandom", 2, aim(endpoint, credentials, "GenerateRandom", r#"{"NumberOfBytes":32}"#)?),
    ])
}

fn variable<'a>(env: &'a str, name: &str) -> Outcome<&'a str> {
    let prefix = format!("export {name}=");
    let value = env.lines().find_map(|line| line.strip_prefix(&prefix)).ok_or("the env file lacks a variable")?;
    Ok(value.trim_matches('\''))
}

fn print(cases: &[Case]) {
    let floor = cases.get(1).map_or((1.0, 1.0), medians);
    println!("{:<18}{:>14}{:>14}{:>16}{:>14}", "", "requests/s", "of floor", "CPU us/request", "of floor");
    for case in cases {
        let (rate, cpu) = medians(case);
        println!("{:<18}{rate:>14.0}{:>14.2}{cpu:>16.1}{:>14.2}", case.name, rate / floor.0, cpu / floor.1);
    }
}

fn medians(case: &Case) -> (f64, f64) {
    (median(case.figures.iter().map(|figure| figure.0)), median(case.figures.iter().map(|figure| figure.1)))
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = figures.collect();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
