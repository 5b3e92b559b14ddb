//! More than the service can do: CreateKey at twice its maximum, Encrypt at 1.2 times.
//! What is accepted must not fall, what is too much must be refused quickly and so that an SDK tries again, and nothing
//! may pile up.

use std::time::Duration;

use super::trio;
use crate::Outcome;
use crate::drive::{Aim, Driver, Lines, Offer, Shot};
use crate::figures::{grouped, mebibytes, median, time};
use crate::plan::Stage;
use crate::process::Server;
use crate::region::Region;
use crate::report::Row;

const CREATE_KEY: &str = "Overload: CreateKey at twice its maximum";
const ENCRYPT: &str = "Overload: Encrypt at 1.2 times its maximum";
/// Connections on which the maximum is looked for; the best counts.
const CLOSED: [usize; 3] = [16, 64, 128];
/// Enough that what the service does not take on reaches it, and does not wait here.
const CREATE_KEY_CONNECTIONS: usize = 256;
/// More than the service has in flight of requests that read.
const ENCRYPT_CONNECTIONS: usize = 1500;
const ROUNDS_MAX: usize = 3;
const ACCEPTED_MIN: f64 = 0.9;
const CORE_MIN: f64 = 0.9;
/// An SDK's three attempts fit into 150 ms only when a refusal is much quicker than that.
const REFUSAL_MAX: Duration = Duration::from_millis(10);
/// What the resident set may grow by, beyond what the new keys themselves take.
const GROWTH_MAX_BYTES: f64 = (16 << 20) as f64;

pub(super) fn measure(stage: &mut Stage) -> Outcome<()> {
    create_key(stage)?;
    encrypt(stage)
}

/// The most that is accepted a second, and the connections to reach it with.
struct Most {
    lines: Lines,
    connections: usize,
    shots: Vec<Shot>,
}

impl Most {
    fn find(driver: &Driver, aim: &Aim, server: &Server, length: Duration) -> Outcome<Self> {
        let mut best: Option<Self> = None;
        for connections in CLOSED {
            let mut lines = driver.lines(aim, connections)?;
            driver.closed(&mut lines, server, length / 4)?;
            let shot = driver.closed(&mut lines, server, length)?;
            if best.as_ref().is_none_or(|best| best.per_second() < shot.per_second()) {
                best = Some(Self { lines, connections, shots: vec![shot] });
            }
        }
        best.ok_or_else(|| "no maximum was found".into())
    }

    fn again(&mut self, driver: &Driver, server: &Server, length: Duration) -> Outcome<()> {
        self.shots.push(driver.closed(&mut self.lines, server, length)?);
        Ok(())
    }

    fn per_second(&self) -> f64 {
        median(self.shots.iter().map(Shot::per_second))
    }

    fn row(&self, section: &'static str) -> Row {
        let figure = format!("{}/s with {} connections", grouped(self.per_second()), self.connections);
        Row::new(section, "maximum", figure).number("per_second", self.per_second())
    }
}

fn offer(stage: &Stage, lines: &mut Lines, server: &Server, per_second: f64) -> Outcome<Shot> {
    let offers = &mut [Offer { lines, per_second }];
    stage.driver.offered(offers, server, stage.length)?.pop().ok_or_else(|| "an offer without a shot".into())
}

fn create_key(stage: &mut Stage) -> Outcome<()> {
    let region = Region::configured(&stage.service, &stage.room("overload")?, "")?;
    let aim = region.aim(0, "CreateKey", vec!["{}".to_owned()])?;
    let mut most = Most::find(&stage.driver, &aim, &region.server, stage.length)?;
    let mut lines = stage.driver.lines(&aim, CREATE_KEY_CONNECTIONS)?;
    let (mut shots, mut memory) = (Vec::new(), Memory::default());
    for _ in 0..stage.rounds.min(ROUNDS_MAX) {
        let before = region.server.resident_bytes()?;
        most.again(&stage.driver, &region.server, stage.length)?;
        let accepted = most.shots.last().map_or(0, |shot| shot.accepted.len());
        memory.usual(region.server.resident_bytes()? - before, accepted);
        let before = region.server.resident_bytes()?;
        region.server.forget_peak()?;
        let shot = offer(stage, &mut lines, &region.server, 2.0 * most.per_second())?;
        memory.overloaded(region.server.resident_peak_bytes()? - before, shot.accepted.len());
        shots.push(shot);
    }
    let accepted = median(shots.iter().map(Shot::per_second));
    let ratio = accepted / most.per_second();
    stage.row(most.row(CREATE_KEY));
    let figure = format!("{}/s = {ratio:.2} of the maximum", grouped(accepted));
    let row = Row::new(CREATE_KEY, "accepted", figure).number("per_second", accepted).number("of_maximum", ratio);
    stage.row(row.target(format!("at least {ACCEPTED_MIN} of the maximum"), ratio >= ACCEPTED_MIN));
    stage.row(refusals(CREATE_KEY, &shots));
    stage.row(memory.row());
    Ok(())
}

/// What became of the excess.
fn refusals(section: &'static str, shots: &[Shot]) -> Row {
    let sum = |of: fn(&Shot) -> u64| shots.iter().map(of).sum::<u64>();
    let (refused, retryable, unsent) =
        (sum(|shot| shot.refused.len()), sum(|shot| shot.retryable), sum(|shot| shot.unsent));
    let codes: std::collections::BTreeSet<_> = shots.iter().flat_map(|shot| shot.codes.keys()).cloned().collect();
    let codes: Vec<_> = codes.into_iter().collect();
    let p99 = median(shots.iter().map(|shot| shot.refused.value_at_quantile(0.99) as f64));
    let per_second = median(shots.iter().map(Shot::refused_per_second));
    let waiting = if unsent > 0 { format!("; {} never sent", grouped(unsent as f64)) } else { String::new() };
    let figure = format!("{}/s, p99 {}, {}{waiting}", grouped(per_second), time(p99), codes.join(", "));
    let quickly = refused > 0 && retryable == refused && unsent == 0 && p99 <= REFUSAL_MAX.as_nanos() as f64;
    Row::new(section, "refused", figure)
        .number("per_second", per_second)
        .number("p99_ns", p99)
        .number("retryable_share", retryable as f64 / refused.max(1) as f64)
        .number("unsent", unsent as f64)
        .target(format!("p99 at most {} ms, all retryable", REFUSAL_MAX.as_millis()), quickly)
}

/// Growth of the resident set: at the maximum, where it is the new keys', and under overload.
#[derive(Default)]
struct Memory {
    usual: (f64, u64),
    overloaded: (f64, u64),
}

impl Memory {
    fn usual(&mut self, bytes: f64, keys: u64) {
        self.usual = (self.usual.0 + bytes, self.usual.1 + keys);
    }

    fn overloaded(&mut self, bytes: f64, keys: u64) {
        self.overloaded = (self.overloaded.0 + bytes, self.overloaded.1 + keys);
    }

    fn row(&self) -> Row {
        let per_key = self.usual.0 / self.usual.1.max(1) as f64;
        let beyond = self.overloaded.0 - per_key * self.overloaded.1 as f64;
        let figure = format!(
            "peak {} up, {} keys made; {} beyond the {per_key:.0} bytes a key of the maximum",
            mebibytes(self.overloaded.0),
            grouped(self.overloaded.1 as f64),
            mebibytes(beyond)
        );
        Row::new(CREATE_KEY, "memory", figure)
            .number("growth_bytes", self.overloaded.0)
            .number("usual_bytes_per_key", per_key)
            .number("beyond_keys_bytes", beyond)
            .target(format!("at most {} beyond its keys", mebibytes(GROWTH_MAX_BYTES)), beyond <= GROWTH_MAX_BYTES)
    }
}

fn encrypt(stage: &mut Stage) -> Outcome<()> {
    let region = Region::demo(&stage.service, &stage.room("overload-encrypt")?)?;
    let aim = region.aim(0, "Encrypt", trio::encrypts())?;
    let mut most = Most::find(&stage.driver, &aim, &region.server, stage.length)?;
    let mut lines = stage.driver.lines(&aim, ENCRYPT_CONNECTIONS)?;
    let mut shots = Vec::new();
    for _ in 0..stage.rounds.min(ROUNDS_MAX) {
        most.again(&stage.driver, &region.server, stage.length)?;
        shots.push(offer(stage, &mut lines, &region.server, 1.2 * most.per_second())?);
    }
    stage.row(most.row(ENCRYPT));
    let share = median(shots.iter().map(Shot::server_share));
    let (accepted, refused) =
        (median(shots.iter().map(Shot::per_second)), median(shots.iter().map(Shot::refused_per_second)));
    let figure = format!(
        "{:.0} % of the core; {}/s accepted = {:.2} of the maximum, {}/s refused",
        share * 100.0,
        grouped(accepted),
        accepted / most.per_second(),
        grouped(refused)
    );
    let row = Row::new(ENCRYPT, "accepted and refused", figure)
        .number("core_share", share)
        .number("accepted_per_second", accepted)
        .number("accepted_of_maximum", accepted / most.per_second())
        .number("refused_per_second", refused);
    stage.row(row.target(format!("at least {:.0} % of the core", CORE_MIN * 100.0), share >= CORE_MIN));
    let of = |share: f64| median(shots.iter().map(|shot| shot.accepted.value_at_quantile(share) as f64));
    let row =
        Row::new(ENCRYPT, "latency of what was accepted", format!("p50 {}, p99 {}", time(of(0.5)), time(of(0.99))));
    stage.row(row.number("p50_ns", of(0.5)).number("p99_ns", of(0.99)));
    Ok(())
}
