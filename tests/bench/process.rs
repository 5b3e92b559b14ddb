//! A server in a process of its own, pinned to a core: the CPU time and the memory that it has used.
//! Ends the process when it goes out of scope.

use std::fs::{self, File};
use std::net::{IpAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;

/// The core that servers run on, and the one of the load.
const SERVER_CORE: &str = "0";
const LOAD_CORE: &str = "1";
/// The unit of the times in `/proc/<pid>/stat`; 100 on every Linux that matters (proc(5), sysconf(_SC_CLK_TCK)).
const TICKS_PER_SECOND: f64 = 100.0;
const START_MAX: Duration = Duration::from_secs(30);

/// A running server.
pub(crate) struct Server(Child);

impl Server {
    /// Starts `command` on the servers' core and waits until `address` takes connections. What it says goes to `log`.
    pub(crate) fn start(command: &[&str], address: &str, log: &Path) -> Outcome<Self> {
        let output = File::create(log)?;
        let child = Command::new("taskset")
            .args(["-c", SERVER_CORE])
            .args(command)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output)
            .spawn()?;
        let mut server = Self(child);
        let until = Instant::now() + START_MAX;
        while TcpStream::connect(address).is_err() {
            if server.0.try_wait()?.is_some() || Instant::now() > until {
                let said = fs::read_to_string(log).unwrap_or_default();
                return Err(format!("nothing listens on {address}: {}", said.trim()).into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(server)
    }

    /// Seconds of CPU that the process has used, in user and kernel mode.
    pub(crate) fn cpu_seconds(&self) -> Outcome<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.0.id()))?;
        // The name of the program, in parentheses, may hold spaces; the times are fields 14 and 15.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let ticks = fields.skip(11).take(2).map(str::parse::<f64>).sum::<Result<f64, _>>()?;
        Ok(ticks / TICKS_PER_SECOND)
    }

    /// The process's resident set.
    pub(crate) fn resident_bytes(&self) -> Outcome<f64> {
        self.memory("VmRSS:")
    }

    /// The greatest that the resident set has been since `forget_peak`.
    pub(crate) fn resident_peak_bytes(&self) -> Outcome<f64> {
        self.memory("VmHWM:")
    }

    /// Has the peak begin anew (proc(5), clear_refs).
    pub(crate) fn forget_peak(&self) -> Outcome<()> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.0.id()), "5")?)
    }

    fn memory(&self, name: &str) -> Outcome<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such figure of memory")?;
        let kibibytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes * 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Pins this process, which makes the load, to a core that no server uses.
pub(crate) fn pin_load() -> Outcome<()> {
    let this = std::process::id().to_string();
    let pinned = Command::new("taskset").args(["-cp", LOAD_CORE, &this]).stdout(Stdio::null()).status()?;
    if pinned.success() { Ok(()) } else { Err("the load cannot be pinned: this takes two cores and taskset".into()) }
}

/// What the servers' core has done since the machine started, in seconds: work of processes, and work of the host's
/// other machines.
pub(crate) fn core_seconds() -> Outcome<[f64; 2]> {
    let stat = fs::read_to_string("/proc/stat")?;
    let name = format!("cpu{SERVER_CORE} ");
    let line = stat.lines().find_map(|line| line.strip_prefix(&name)).ok_or("no figures of the core")?;
    let ticks: Vec<f64> = line.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
    // user, nice and system; the eighth is what was stolen (proc(5)).
    let stolen = ticks.get(7).copied().unwrap_or_default();
    Ok([ticks.iter().take(3).sum::<f64>() / TICKS_PER_SECOND, stolen / TICKS_PER_SECOND])
}

/// A port that is free on all of `addresses`, with the one after it free on loopback for operations. Below those that
/// the kernel gives to connections; where the search begins is another place for each process.
pub(crate) fn free_port(addresses: &[IpAddr]) -> Outcome<u16> {
    let first = u16::try_from(std::process::id() % 6000)?;
    for step in 0..6000 {
        let port = 20_000 + (first + step) % 6000 * 2;
        let all: Result<Vec<_>, _> = addresses.iter().map(|address| TcpListener::bind((*address, port))).collect();
        if all.is_ok() && TcpListener::bind(("127.0.0.1", port + 1)).is_ok() {
            return Ok(port);
        }
    }
    Err("no two neighbouring ports are free".into())
}
