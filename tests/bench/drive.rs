//! The load: signed requests over TLS connections that stay open. One thread, so that it leaves the other core to what
//! is measured; requests are signed before a measurement and not in it.
//! Knows how to ask and how to count; nothing of what the counts mean.

mod aim;
mod closed;
mod line;
mod open;
mod shot;

use std::cell::RefCell;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use crate::Outcome;
use crate::figures::median;
use crate::process::{Server, core_seconds};

pub(crate) use aim::{Aim, Credentials, Trust};
pub(crate) use line::{Answer, Spoken};
pub(crate) use open::Offer;
pub(crate) use shot::Shot;

use line::Line;

/// A signature is good for five minutes; requests older than this are signed anew before the next measurement, of
/// which none takes more than a minute.
const SIGNED_MAX: Duration = Duration::from_secs(120);
/// Servers close a connection that was idle for longer than a minute; before that it is opened anew.
const IDLE_MAX: Duration = Duration::from_secs(50);

/// The thread that the load runs on.
pub(crate) struct Driver {
    runtime: Runtime,
    /// The shares of the servers' core that others used, and that the host took away; of each measurement.
    disturbances: RefCell<Vec<[f64; 2]>>,
}

/// Open connections to one server, and what is asked on them.
pub(crate) struct Lines {
    aim: Aim,
    lines: Vec<Line>,
    requests: Vec<Vec<u8>>,
    signed: Instant,
    used: Instant,
}

impl Driver {
    pub(crate) fn new() -> Outcome<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { runtime, disturbances: RefCell::default() })
    }

    /// Opens `count` connections and asks once on each, so that handshakes and first signatures are over.
    pub(crate) fn lines(&self, aim: &Aim, count: usize) -> Outcome<Lines> {
        let requests = aim.requests()?;
        let first = requests.first().ok_or("there is no request")?;
        self.runtime.block_on(async {
            let mut lines = Vec::with_capacity(count);
            for _ in 0..count {
                let mut line = Line::open(aim).await?;
                line.ask(first).await?;
                lines.push(line);
            }
            let now = Instant::now();
            Ok(Lines { aim: aim.clone(), lines, requests: requests.clone(), signed: now, used: now })
        })
    }

    /// One request and its answer, for setting things up.
    pub(crate) fn once(&self, aim: &Aim) -> Outcome<(Answer, String)> {
        let requests = aim.requests()?;
        self.runtime.block_on(async {
            let mut line = Line::open(aim).await?;
            let answer = line.ask(requests.first().ok_or("there is no request")?).await?;
            Ok((answer, line.body().to_owned()))
        })
    }

    /// Each request of the aim once, on one connection: the bodies of its answers, all of which must be successes.
    pub(crate) fn each(&self, aim: &Aim) -> Outcome<Vec<serde_json::Value>> {
        let requests = aim.requests()?;
        self.runtime.block_on(async {
            let mut line = Line::open(aim).await?;
            let mut bodies = Vec::with_capacity(requests.len());
            for request in &requests {
                let answer = line.ask(request).await?;
                if !answer.is_success() {
                    return Err(
                        format!("{} was answered with {}: {}", aim.operation, answer.status, line.body()).into()
                    );
                }
                bodies.push(serde_json::from_str(line.body())?);
            }
            Ok(bodies)
        })
    }

    /// The TLS version and cipher suite that a server and this client agree on.
    pub(crate) fn spoken(&self, aim: &Aim) -> Outcome<Spoken> {
        self.runtime.block_on(async { Line::open(aim).await?.spoken() })
    }

    /// Keeps each connection busy for `duration`: the next request goes when the last one was answered.
    pub(crate) fn closed(&self, lines: &mut Lines, server: &Server, duration: Duration) -> Outcome<Shot> {
        self.runtime.block_on(lines.freshen())?;
        let shot = self.watched(server, || self.runtime.block_on(closed::drive(lines, server, duration)));
        lines.used = Instant::now();
        shot
    }

    /// Sends at fixed rates for `duration`, whatever becomes of the answers; a shot for each offer.
    pub(crate) fn offered(&self, offers: &mut [Offer<'_>], server: &Server, duration: Duration) -> Outcome<Vec<Shot>> {
        for offer in offers.iter_mut() {
            self.runtime.block_on(offer.lines.freshen())?;
        }
        let shots = self.watched(server, || self.runtime.block_on(open::drive(offers, server, duration)));
        offers.iter_mut().for_each(|offer| offer.lines.used = Instant::now());
        shots
    }

    /// Looks at who else used the servers' core meanwhile.
    fn watched<T>(&self, server: &Server, work: impl FnOnce() -> Outcome<T>) -> Outcome<T> {
        let (began, [busy, stolen], own) = (Instant::now(), core_seconds()?, server.cpu_seconds()?);
        let done = work()?;
        let (seconds, own) = (began.elapsed().as_secs_f64(), server.cpu_seconds()? - own);
        let [busy_now, stolen_now] = core_seconds()?;
        let others = (busy_now - busy - own).max(0.0);
        self.disturbances.borrow_mut().push([others / seconds, (stolen_now - stolen) / seconds]);
        Ok(done)
    }

    /// A sentence on how undisturbed the measurements were.
    pub(crate) fn disturbance(&self) -> Option<String> {
        let all = self.disturbances.borrow();
        let of = |at: usize| all.iter().filter_map(move |shares| shares.get(at).map(|share| share * 100.0));
        let line = |at| format!("{:.0} % (at most {:.0} %)", median(of(at)), of(at).fold(0.0, f64::max));
        let sentence =
            || format!("of the service's core, other processes used {}, other machines {}", line(0), line(1));
        (!all.is_empty()).then(sentence)
    }
}

impl Lines {
    /// Signs and connects anew where that is due.
    async fn freshen(&mut self) -> Outcome<()> {
        if self.signed.elapsed() > SIGNED_MAX {
            (self.requests, self.signed) = (self.aim.requests()?, Instant::now());
        }
        if self.used.elapsed() > IDLE_MAX {
            let first = self.requests.first().ok_or("there is no request")?;
            for line in &mut self.lines {
                *line = Line::open(&self.aim).await?;
                line.ask(first).await?;
            }
        }
        Ok(())
    }
}
