//! Two accounts with the same quota: what one feels when the other asks for ten times its own.
//! Rounds with and without the greedy one take turns.

use super::trio;
use crate::Outcome;
use crate::drive::{Offer, Shot};
use crate::figures::{grouped, median, time};
use crate::plan::Stage;
use crate::region::Region;
use crate::report::Row;

const SECTION: &str = "Tenants: account A at ten times its quota, account B within its own";
const QUOTA_PER_SECOND: f64 = 1000.0;
const GREED: f64 = 10.0;
/// Of the quota.
const MODESTY: f64 = 0.8;
const CONNECTIONS_A: usize = 64;
const CONNECTIONS_B: usize = 16;
const RATIO_MAX: f64 = 1.5;
/// Longer than elsewhere: B asks seldom, and its slowest hundredth must be more than a few calls.
const LENGTHS: u32 = 3;
const ROUNDS_MAX: usize = 5;

pub(super) fn measure(stage: &mut Stage) -> Outcome<()> {
    let limits = format!("account = {{ requests_per_second = {QUOTA_PER_SECOND}, burst = {QUOTA_PER_SECOND} }}");
    let region = Region::configured(&stage.service, &stage.room("tenants")?, &limits)?;
    let mut greedy = stage.driver.lines(&region.aim(0, "Encrypt", trio::encrypts())?, CONNECTIONS_A)?;
    let mut modest = stage.driver.lines(&region.aim(1, "Encrypt", trio::encrypts())?, CONNECTIONS_B)?;
    let length = stage.length * LENGTHS;
    let per_second = MODESTY * QUOTA_PER_SECOND;
    let (mut alone, mut beside, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..stage.rounds.min(ROUNDS_MAX) {
        let offers = &mut [Offer { lines: &mut modest, per_second }];
        alone.extend(stage.driver.offered(offers, &region.server, length)?);
        let offers = &mut [
            Offer { lines: &mut modest, per_second },
            Offer { lines: &mut greedy, per_second: GREED * QUOTA_PER_SECOND },
        ];
        let mut shots = stage.driver.offered(offers, &region.server, length)?.into_iter();
        beside.extend(shots.next());
        other.extend(shots.next());
    }
    let figure = format!(
        "{}/s accepted of a quota of {}, {}/s refused; {:.0} % of the core",
        grouped(median(other.iter().map(Shot::per_second))),
        grouped(QUOTA_PER_SECOND),
        grouped(median(other.iter().map(Shot::refused_per_second))),
        median(other.iter().map(Shot::server_share)) * 100.0
    );
    stage.row(Row::new(SECTION, "A", figure));
    let errors: u64 = beside.iter().map(|shot| shot.refused.len() + shot.unsent).sum();
    let calls: u64 = beside.iter().map(|shot| shot.refused.len() + shot.accepted.len()).sum();
    let row = Row::new(SECTION, "B, errors", format!("{errors} in {} calls", grouped(calls as f64)));
    stage.row(row.number("errors", errors as f64).number("calls", calls as f64).target("0", errors == 0));
    let of =
        |shots: &[Shot], share: f64| median(shots.iter().map(|shot| shot.accepted.value_at_quantile(share) as f64));
    let ratio = of(&beside, 0.99) / of(&alone, 0.99);
    let figure = format!(
        "{} = {ratio:.2} of {} without A (p50 {} of {})",
        time(of(&beside, 0.99)),
        time(of(&alone, 0.99)),
        time(of(&beside, 0.5)),
        time(of(&alone, 0.5))
    );
    let row = Row::new(SECTION, "B, p99", figure)
        .number("p99_ns", of(&beside, 0.99))
        .number("p99_alone_ns", of(&alone, 0.99))
        .number("ratio", ratio);
    stage.row(row.target(format!("at most {RATIO_MAX}"), ratio <= RATIO_MAX));
    Ok(())
}
