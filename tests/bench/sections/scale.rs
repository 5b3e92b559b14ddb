//! Ten keys against as many as asked for, by the program that measures just that.
//! Starts `kannuki-scale` from beside this program and reads its table; knows its words and no more of it.

use std::process::Command;

use crate::Outcome;
use crate::plan::Stage;
use crate::region::text;
use crate::report::Row;

const SECTION: &str = "Scale: from 10 keys to many";
const START_SECONDS_MAX: f64 = 10.0;
const BYTES_PER_KEY_MAX: f64 = 2048.0;
const SPEED_MIN: f64 = 0.9;

pub(super) fn measure(stage: &mut Stage) -> Outcome<()> {
    let Some(keys) = stage.scale else {
        let row = Row::new(SECTION, "10 and 1000000 keys", "not measured; see --scale");
        stage.row(row.unknown("start, memory, speed"));
        return Ok(());
    };
    let tool = std::env::current_exe()?.with_file_name("kannuki-scale");
    let room = stage.room("scale")?;
    let (keys_text, cores) = (keys.to_string(), format!("0-{}", stage.cores.saturating_sub(1)));
    // On all cores: this program is pinned to one, and what it starts would be too.
    let mut command = Command::new("taskset");
    command.args(["-c", &cores, text(&tool)?, text(&stage.service)?, &keys_text]);
    match &stage.scale_folder {
        Some(folder) => command.arg(folder).arg("--keep"),
        None => command.arg(&room),
    };
    let output = command.output()?;
    let table = String::from_utf8_lossy(&output.stdout);
    if table.is_empty() {
        return Err(format!("kannuki-scale: {}", String::from_utf8_lossy(&output.stderr).trim()).into());
    }
    let is_large = keys >= 1_000_000;
    for (name, unit, target, holds) in [
        (
            "start until ready",
            "s",
            format!("under {START_SECONDS_MAX} s"),
            (|it| it < START_SECONDS_MAX) as fn(f64) -> bool,
        ),
        ("resident after start", "bytes a key", format!("at most {BYTES_PER_KEY_MAX} bytes a key"), |it| {
            it <= BYTES_PER_KEY_MAX
        }),
        ("Encrypts a second", "ratio", format!("at least {SPEED_MIN} of that with 10"), |it| it >= SPEED_MIN),
    ] {
        let line = table.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let number = line.and_then(|line| number(line, unit));
        let row = Row::new(SECTION, format!("{name}, 10 and {keys} keys"), squeezed(line.unwrap_or("not said")));
        let row = number.into_iter().fold(row, |row, number| row.number("value", number));
        // The promises are about a million keys; with fewer, what is fixed drowns what a key costs.
        stage.row(match number.filter(|_| is_large) {
            Some(number) => row.target(target, holds(number)),
            None => row.unknown(target),
        });
    }
    Ok(())
}

/// The last number that stands beside this unit.
fn number(line: &str, unit: &str) -> Option<f64> {
    let (before, after) = line.rsplit_once(unit)?;
    let beside = if unit == "ratio" { after.split_whitespace().next() } else { before.split_whitespace().last() };
    beside?.parse().ok()
}

fn squeezed(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_lines_are_read() {
        assert_eq!(number("0.12 s         4.85 s", "s"), Some(4.85));
        assert_eq!(number("31.0 MiB      1890.2 MiB  1950 bytes a key", "bytes a key"), Some(1950.0));
        assert_eq!(number("9812          9544  ratio 0.97", "ratio"), Some(0.97));
        assert_eq!(number("nothing", "ratio"), None);
    }
}
