//! Sign with P-256 and RSA-2048, once the service has it; the service is asked.
//! The allowance is the floor's CPU and the library's work for a fresh key: load, sign, verify.

mod library;

use serde_json::Value;

use self::library::{Library, Work};
use super::trio::{CONNECTIONS, Trio};
use crate::Outcome;
use crate::figures::{grouped, median};
use crate::plan::Stage;
use crate::report::Row;

const SECTION: &str = "Signing: CPU per request";
const OF_FLOOR: f64 = 1.8;
const OF_LIBRARY: f64 = 1.1;
/// 32 bytes, as a digest.
const MESSAGE: &str = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

pub(super) fn measure(stage: &mut Stage) -> Outcome<()> {
    let trio = Trio::start(stage, "signing")?;
    let target = format!("at most {OF_FLOOR} of floor + {OF_LIBRARY} of the library");
    for (library, spec, algorithm) in
        [(Library::P256, "ECC_NIST_P256", "ECDSA_SHA_256"), (Library::Rsa2048, "RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256")]
    {
        let body = format!(r#"{{"KeySpec":"{spec}","KeyUsage":"SIGN_VERIFY"}}"#);
        let (answer, made) = stage.driver.once(&trio.encrypt.asking("CreateKey", vec![body]))?;
        if !answer.is_success() {
            let said: Value = serde_json::from_str(&made).unwrap_or_default();
            let code = said.get("__type").and_then(Value::as_str).unwrap_or("an answer without a code");
            let row = Row::new(SECTION, spec, format!("not there yet (CreateKey: {code})"));
            stage.row(row.unknown(target.clone()));
            continue;
        }
        let made: Value = serde_json::from_str(&made)?;
        let key = made.pointer("/KeyMetadata/KeyId").and_then(Value::as_str).ok_or("CreateKey answered no key")?;
        let body = format!(
            r#"{{"KeyId":"{key}","Message":"{MESSAGE}","MessageType":"DIGEST","SigningAlgorithm":"{algorithm}"}}"#
        );
        let row = signs(stage, &trio, library, spec, body)?;
        stage.row(row);
    }
    Ok(())
}

fn signs(stage: &Stage, trio: &Trio, library: Library, spec: &str, body: String) -> Outcome<Row> {
    let mut sign = stage.driver.lines(&trio.encrypt.asking("Sign", vec![body]), CONNECTIONS)?;
    let mut floor = stage.driver.lines(&trio.encrypt_floor, CONNECTIONS)?;
    let (mut here, mut least, mut works) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..=stage.rounds {
        let shot = stage.driver.closed(&mut sign, &trio.kannuki.server, stage.length)?.all_accepted()?;
        let of_floor = stage.driver.closed(&mut floor, &trio.floor, stage.length)?.all_accepted()?.cpu_us();
        let work = library.work()?;
        // The first round warms up.
        if round > 0 {
            here.push((shot.cpu_us(), shot.per_second()));
            least.push(of_floor);
            works.push(work);
        }
    }
    let (cpu, rate) = (median(here.iter().map(|of| of.0)), median(here.iter().map(|of| of.1)));
    let of = |part: fn(&Work) -> f64| median(works.iter().map(part));
    let all = of(|work| work.load_us + work.sign_us + work.verify_us);
    let most = OF_FLOOR * median(least) + OF_LIBRARY * all;
    let figure = format!(
        "{cpu:.1} us; {}/s (library: {all:.1} us, of which sign {:.1} us)",
        grouped(rate),
        of(|work| work.sign_us)
    );
    let row = Row::new(SECTION, spec, figure)
        .number("cpu_us", cpu)
        .number("per_second", rate)
        .number("library_us", all)
        .number("library_sign_us", of(|work| work.sign_us));
    Ok(row.target(format!("at most {most:.1} us: {OF_FLOOR} of floor + {OF_LIBRARY} of the library"), cpu <= most))
}
