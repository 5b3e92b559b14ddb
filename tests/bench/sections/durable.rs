//! Durable CreateKey: what 64 writers reach together, against one alone, and against a store whose fsync costs nothing.
//! The latter is the same service with its data folder on tmpfs, where fsync returns at once: everything but the disk.

use std::path::Path;

use crate::Outcome;
use crate::drive::{Lines, Shot};
use crate::figures::{grouped, median, time};
use crate::machine::file_system;
use crate::plan::Stage;
use crate::region::Region;
use crate::report::Row;

const SECTION: &str = "Durable CreateKey";
const WRITERS: usize = 64;
const ROUNDS_MAX: usize = 5;
/// As the default is for fewer writers.
const LIMITS: &str = "in_flight_slow_max = 64";
/// A file system in memory, on every Linux.
const MEMORY: &str = "/dev/shm";
const TIMES_LONE: f64 = 10.0;
const OF_UNSYNCED: f64 = 0.7;

struct Case<'r> {
    region: &'r Region,
    lines: Lines,
    shots: Vec<Shot>,
}

impl Case<'_> {
    fn per_second(&self) -> f64 {
        median(self.shots.iter().map(Shot::per_second))
    }

    fn row(&self, what: String) -> Row {
        let of = |share: f64| median(self.shots.iter().map(|shot| shot.accepted.value_at_quantile(share) as f64));
        let share = median(self.shots.iter().map(Shot::server_share));
        let figure = format!(
            "{}/s, p50 {}, p99 {}, {:.0} % of the core",
            grouped(self.per_second()),
            time(of(0.5)),
            time(of(0.99)),
            share * 100.0
        );
        Row::new(SECTION, what, figure)
            .number("per_second", self.per_second())
            .number("p50_ns", of(0.5))
            .number("p99_ns", of(0.99))
            .number("core_share", share)
    }
}

pub(super) fn measure(stage: &mut Stage) -> Outcome<()> {
    let room = stage.room("durable")?;
    let memory = tempfile::Builder::new().prefix("kannuki-bench-").tempdir_in(MEMORY)?;
    let durable = Region::configured(&stage.service, &room, LIMITS)?;
    let unsynced = Region::configured(&stage.service, memory.path(), LIMITS)?;
    let case = |region, writers| -> Outcome<Case<'_>> {
        let region: &Region = region;
        let aim = region.aim(0, "CreateKey", vec!["{}".to_owned()])?;
        Ok(Case { region, lines: stage.driver.lines(&aim, writers)?, shots: Vec::new() })
    };
    let mut cases = [case(&durable, 1)?, case(&durable, WRITERS)?, case(&unsynced, WRITERS)?];
    for round in 0..=stage.rounds.min(ROUNDS_MAX) {
        for case in &mut cases {
            let shot = stage.driver.closed(&mut case.lines, &case.region.server, stage.length)?.all_accepted()?;
            // The first round warms up.
            if round > 0 {
                case.shots.push(shot);
            }
        }
    }
    let [lone, together, unsynced] = &cases;
    let (on_disk, in_memory) = (file_system(&room), file_system(Path::new(MEMORY)));
    stage.row(lone.row(format!("1 writer, {on_disk}")));
    stage.row(unsynced.row(format!("{WRITERS} writers, {in_memory}: no fsync")));
    let row = together.row(format!("{WRITERS} writers, {on_disk}"));
    let (by_lone, by_unsynced) =
        (together.per_second() / lone.per_second(), together.per_second() / unsynced.per_second());
    let target = format!("{TIMES_LONE} of 1 writer or {OF_UNSYNCED} of no fsync");
    let figure = format!("{}; {by_lone:.1} of 1 writer, {by_unsynced:.2} of no fsync", row.figure);
    let row = Row { figure, ..row }.number("of_lone", by_lone).number("of_unsynced", by_unsynced);
    stage.row(row.target(target, by_lone >= TIMES_LONE || by_unsynced >= OF_UNSYNCED));
    Ok(())
}
