//! CPU time per request and requests per second, of the service's operations, a bare server and the floor.
//! Rounds take turns, so that a machine whose speed drifts is as unfair to one as to the other.

use super::trio::{CONNECTIONS, CONTEXT, Trio};
use crate::Outcome;
use crate::drive::{Aim, Lines, Shot};
use crate::figures::{grouped, median};
use crate::plan::Stage;
use crate::process::Server;
use crate::report::Row;

const SECTION: &str = "CPU per request, and requests per second on one core";
/// Of the floor's CPU per request.
const CPU_RATIO_MAX: f64 = 1.8;
const CPU_RATIO_GOAL: f64 = 1.6;

struct Case<'t> {
    name: &'static str,
    server: &'t Server,
    lines: Lines,
    has_target: bool,
    /// Of each round.
    shots: Vec<Shot>,
}

impl Case<'_> {
    fn of(&self, figure: fn(&Shot) -> f64) -> f64 {
        median(self.shots.iter().map(figure))
    }

    /// How many times another's figure this one's is: of each round, so that both were taken within some seconds.
    fn over(&self, other: &Self, figure: fn(&Shot) -> f64) -> f64 {
        median(self.shots.iter().zip(&other.shots).map(|(shot, other)| figure(shot) / figure(other)))
    }
}

pub(super) fn measure(stage: &mut Stage) -> Outcome<()> {
    let trio = Trio::start(stage, "request")?;
    let mut cases = cases(stage, &trio)?;
    for round in 0..=stage.rounds {
        for case in &mut cases {
            let shot = stage.driver.closed(&mut case.lines, case.server, stage.length)?;
            let shot = shot.all_accepted().map_err(|why| format!("{}: {why}", case.name))?;
            // The first round warms up.
            if round > 0 {
                case.shots.push(shot);
            }
        }
    }
    let floor = cases.iter().find(|case| case.name == "floor").ok_or("there is no floor")?;
    for case in &cases {
        let (cpu, rate) = (case.of(Shot::cpu_us), case.of(Shot::per_second));
        let (cpu_ratio, rate_ratio) = (case.over(floor, Shot::cpu_us), case.over(floor, Shot::per_second));
        let figure =
            format!("{cpu:>5.1} us = {cpu_ratio:.2} of floor; {:>6}/s = {rate_ratio:.2} of floor", grouped(rate));
        let row = Row::new(SECTION, case.name, figure)
            .number("cpu_us", cpu)
            .number("cpu_of_floor", cpu_ratio)
            .number("per_second", rate)
            .number("per_second_of_floor", rate_ratio)
            .number("core_share", case.of(Shot::server_share));
        let target = || format!("CPU at most {CPU_RATIO_MAX} of floor (goal {CPU_RATIO_GOAL})");
        stage.row(if case.has_target { row.target(target(), cpu_ratio <= CPU_RATIO_MAX) } else { row });
    }
    let least = cases.iter().map(|case| case.of(Shot::server_share)).fold(f64::INFINITY, f64::min);
    stage.note(format!("{CONNECTIONS} connections kept each server at {:.0} % of its core or more", least * 100.0));
    Ok(())
}

fn cases<'t>(stage: &Stage, trio: &'t Trio) -> Outcome<Vec<Case<'t>>> {
    let driver = &stage.driver;
    let ciphertexts = driver.each(&trio.encrypt)?;
    let blobs: Vec<_> = ciphertexts.iter().filter_map(|answer| answer.get("CiphertextBlob")?.as_str()).collect();
    let of_each = |body: &dyn Fn(&str) -> String| blobs.iter().map(|blob| body(blob)).collect::<Vec<_>>();
    let decrypts = of_each(&|blob| format!(r#"{{"CiphertextBlob":"{blob}",{CONTEXT}}}"#));
    let contexts = ["Source", "Destination"].map(|side| CONTEXT.replacen('"', &format!("\"{side}"), 1)).join(",");
    let re_encrypts =
        of_each(&|blob| format!(r#"{{"CiphertextBlob":"{blob}","DestinationKeyId":"alias/demo",{contexts}}}"#));
    let data_key = vec![format!(r#"{{"KeyId":"alias/demo","KeySpec":"AES_256",{CONTEXT}}}"#)];
    let case = |name, server, aim: &Aim, has_target| -> Outcome<Case<'t>> {
        Ok(Case { name, server, lines: driver.lines(aim, CONNECTIONS)?, has_target, shots: Vec::new() })
    };
    let here =
        |name, bodies, has_target| case(name, &trio.kannuki.server, &trio.encrypt.asking(name, bodies), has_target);
    Ok(vec![
        case("bare", &trio.bare, &trio.encrypt_bare, false)?,
        case("floor", &trio.floor, &trio.encrypt_floor, false)?,
        case("shell", &trio.shell, &trio.encrypt_shell, false)?,
        case("Encrypt", &trio.kannuki.server, &trio.encrypt, true)?,
        here("Decrypt", decrypts, true)?,
        here("GenerateDataKey", data_key, true)?,
        here("DescribeKey", vec![r#"{"KeyId":"alias/demo"}"#.to_owned()], false)?,
        here("GenerateRandom", vec![r#"{"NumberOfBytes":32}"#.to_owned()], false)?,
        here("ReEncrypt", re_encrypts, false)?,
    ])
}
