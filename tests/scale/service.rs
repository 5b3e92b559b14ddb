//! The binary under measurement as a process: started, asked for its memory and metrics, stopped.
//! Knows the command line and the operations port; sends no request of a client.

use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Outcome;
use crate::seed::{ADDRESS, Seeded};

const START_MAX: Duration = Duration::from_secs(120);
const STOP_MAX: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(2);

/// A running region; dropping it ends the process.
pub(crate) struct Service {
    process: Child,
    port: u16,
}

impl Service {
    /// Starts the binary and answers how long it took from there until `/ready` said so.
    pub(crate) fn start(binary: &Path, seeded: &Seeded) -> Outcome<(Duration, Self)> {
        let port = free_port()?;
        let log_path = seeded.data.with_extension("log");
        let log = File::create(&log_path)?;
        let mut command = Command::new(binary);
        command.arg("serve").arg("--data").arg(&seeded.data).arg("--manifest").arg(&seeded.manifest);
        command.arg("--port").arg(port.to_string()).stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let began = Instant::now();
        let mut service = Self { process: command.spawn()?, port };
        while !service.is_ready() {
            if service.process.try_wait()?.is_some() || began.elapsed() > START_MAX {
                let log = fs::read_to_string(&log_path).unwrap_or_default();
                return Err(format!("the service does not start: {log}").into());
            }
            thread::sleep(PAUSE);
        }
        Ok((began.elapsed(), service))
    }

    pub(crate) fn address(&self) -> Outcome<SocketAddr> {
        Ok(SocketAddr::new(ADDRESS.parse()?, self.port))
    }

    /// The process's resident set.
    pub(crate) fn resident_bytes(&self) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024)
    }

    /// The value of a metric without labels.
    pub(crate) fn metric(&self, name: &str) -> Outcome<f64> {
        let page = self.page("/metrics")?;
        let value = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        Ok(value.ok_or_else(|| format!("no metric {name}"))?.trim().parse()?)
    }

    /// Ends the service as an operator would.
    pub(crate) fn stop(&mut self) -> Outcome<()> {
        let told = Command::new("kill").arg(self.process.id().to_string()).status()?;
        let began = Instant::now();
        while told.success() && began.elapsed() < STOP_MAX {
            match self.process.try_wait()? {
                Some(code) if code.success() => return Ok(()),
                Some(code) => return Err(format!("the service ended with {code}").into()),
                None => thread::sleep(PAUSE),
            }
        }
        Err("the service does not stop".into())
    }

    fn is_ready(&self) -> bool {
        self.page("/ready").is_ok_and(|page| page.starts_with("HTTP/1.1 200"))
    }

    fn page(&self, path: &str) -> io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port + 1))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")?;
        let mut page = String::new();
        stream.read_to_string(&mut page)?;
        Ok(page)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A port that is free together with the one after it, which serves operations. Below those that the kernel gives to
/// connections, which could take it away again; where the search begins is another place for each process.
fn free_port() -> Outcome<u16> {
    let first = u16::try_from(std::process::id() % 6000)?;
    for step in 0..6000 {
        let port = 20_000 + (first + step) % 6000 * 2;
        let bound = TcpListener::bind((ADDRESS, port)).and_then(|_| TcpListener::bind(("127.0.0.1", port)));
        if bound.and_then(|_| TcpListener::bind(("127.0.0.1", port + 1))).is_ok() {
            return Ok(port);
        }
    }
    Err("no two neighbouring ports are free".into())
}
