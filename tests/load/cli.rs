//! What may be asked for, and within which bounds. Knows the options' names; does nothing.

pub(crate) mod units;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use clap::builder::RangedU64ValueParser;

use crate::endpoint::Failover;
use crate::operations::Signing;
use crate::retry::Generation;
use units::{Sizes, Weights, duration};

const MIX: &str = "Encrypt=30,Decrypt=40,GenerateDataKey=20,ReEncrypt=5,DescribeKey=5";
const DURATION_MAX: Duration = Duration::from_secs(24 * 3600);
const RATE_MAX: f64 = 1_000_000.0;
const ZIPF_MAX: f64 = 10.0;

/// Drives an endpoint that speaks the AWS KMS API, measures it, and checks what it answers.
///
/// Makes its own keys and schedules them for deletion afterwards. Credentials and region come from AWS_* variables or
/// from --credentials. Exit status: 0 done, 1 could not run, 2 wrong usage, 3 the service broke a promise, 4 calls
/// failed (only with --fail-on-errors).
#[derive(Clone, Debug, Parser)]
#[command(name = "kannuki-load", version)]
pub(crate) struct Options {
    /// Where to send calls; once for each zone [default: $AWS_ENDPOINT_URL_KMS]
    #[arg(long = "endpoint", value_name = "URL")]
    pub(crate) endpoints: Vec<String>,
    /// CA certificates to trust, PEM [default: $AWS_CA_BUNDLE, or else whom the system trusts]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// A file of AWS profiles, instead of the access key in AWS_* variables
    #[arg(long, value_name = "FILE")]
    pub(crate) credentials: Option<PathBuf>,
    /// A profile of --credentials; several make several accounts, each with its keys [default: default]
    #[arg(long = "profile", value_name = "NAME")]
    pub(crate) profiles: Vec<String>,
    /// [default: $AWS_REGION, $AWS_DEFAULT_REGION, the profile's, or us-east-1]
    #[arg(long)]
    pub(crate) region: Option<String>,

    /// Operations by weight, or `all`
    #[arg(long, default_value = MIX, value_name = "OPERATION=WEIGHT,...")]
    pub(crate) mix: String,
    /// Bytes of a payload: one size, a list, or a range such as 1-4096
    #[arg(long, default_value = "32", value_name = "BYTES")]
    pub(crate) payload: Sizes,
    /// Pairs of the encryption context
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = within(0, 32))]
    pub(crate) context_pairs: u64,
    /// Symmetric keys (of those that sign and those for MACs there are as many, and at most 16)
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = within(1, 1_000_000))]
    pub(crate) keys: u64,
    /// Hot keys: the keys' popularity follows Zipf's law with this exponent; uniform without it
    #[arg(long, value_name = "S", value_parser = zipf)]
    pub(crate) zipf: Option<f64>,
    /// The spec of keys that sign
    #[arg(long, default_value = "ECC_NIST_P256", value_name = "SPEC")]
    pub(crate) signing_key: Signing,

    /// Connections that are kept open, all endpoints together
    #[arg(long, default_value_t = 16, value_name = "N", value_parser = within(1, 20_000))]
    pub(crate) connections: u64,
    /// Threads of the load generator
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = within(1, 64))]
    pub(crate) threads: u64,
    /// Calls per second, whether or not answers come (open loop); without it each connection waits for its answer
    #[arg(long, value_name = "R", value_parser = rate)]
    pub(crate) rate: Option<f64>,
    /// The load rises from nothing to the whole in this time, which is measured
    #[arg(long, default_value = "0s", value_name = "TIME", value_parser = duration)]
    pub(crate) ramp: Duration,
    /// How long is measured, at most 24 h
    #[arg(long, default_value = "30s", value_name = "TIME", value_parser = run_duration)]
    pub(crate) duration: Duration,
    /// End after so many calls, if this comes before --duration
    #[arg(long, value_name = "N", value_parser = within(1, 1_000_000_000_000))]
    pub(crate) count: Option<u64>,
    /// Load before what is measured
    #[arg(long, default_value = "2s", value_name = "TIME", value_parser = duration)]
    pub(crate) warm_up: Duration,
    /// Sign ahead of time, and send what was signed many times over
    #[arg(long)]
    pub(crate) presign: bool,

    /// What a client does about an endpoint that fails
    #[arg(long, default_value = "sdk")]
    pub(crate) failover: Failover,
    /// As which SDKs calls are tried again
    #[arg(long, default_value = "2026")]
    pub(crate) retry: Generation,
    /// Clients; connections of one share a retry quota
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = within(1, 20_000))]
    pub(crate) clients: u64,
    /// For one connection to be made, TLS included
    #[arg(long, default_value = "3s", value_name = "TIME", value_parser = duration)]
    pub(crate) connect_timeout: Duration,
    /// For one attempt to be answered
    #[arg(long, default_value = "10s", value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Duration,

    /// A key is revoked and restored each so often, and watched meanwhile; `0s` for never, as for a service that
    /// promises only that a revocation comes to effect eventually
    #[arg(long, default_value = "1s", value_name = "TIME", value_parser = duration)]
    pub(crate) revocations: Duration,
    /// Exit with 4 when calls failed for good
    #[arg(long)]
    pub(crate) fail_on_errors: bool,
    /// Of what is drawn by chance [default: from the clock]
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,

    /// Write the report as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write the report as a page for a browser
    #[arg(long, value_name = "FILE")]
    pub(crate) html: Option<PathBuf>,
    /// Run nothing; show two reports (JSON) side by side
    #[arg(long, num_args = 2, value_names = ["A", "B"], exclusive = true)]
    pub(crate) compare: Option<Vec<PathBuf>>,
}

impl Options {
    /// The options by name, as a report shows them; whoever has the report can run the same again.
    pub(crate) fn shown(&self, endpoints: &[String], seed: u64) -> BTreeMap<String, String> {
        let time = |of: Duration| humantime::format_duration(of).to_string();
        let number = |of: &dyn ToString| of.to_string();
        let every = [
            ("endpoint", Some(endpoints.join(" "))),
            ("profile", Some(self.profiles.join(" ")).filter(|names| !names.is_empty())),
            ("mix", Some(self.mix.clone())),
            ("payload", Some(self.payload.to_string())),
            ("context-pairs", Some(number(&self.context_pairs))),
            ("keys", Some(number(&self.keys))),
            ("zipf", self.zipf.as_ref().map(|of| number(of))),
            ("signing-key", Some(self.signing_key.spec().to_owned())),
            ("connections", Some(number(&self.connections))),
            ("threads", Some(number(&self.threads))),
            ("rate", self.rate.as_ref().map(|of| number(of))),
            ("ramp", Some(time(self.ramp))),
            ("duration", Some(time(self.duration))),
            ("count", self.count.as_ref().map(|of| number(of))),
            ("warm-up", Some(time(self.warm_up))),
            ("presign", Some(number(&self.presign))),
            ("failover", Some(value_name(self.failover))),
            ("retry", Some(value_name(self.retry))),
            ("clients", Some(number(&self.clients))),
            ("connect-timeout", Some(time(self.connect_timeout))),
            ("timeout", Some(time(self.timeout))),
            ("revocations", Some(time(self.revocations))),
            ("seed", Some(number(&seed))),
        ];
        every.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// The mix as it was written; `None` for `all`.
    pub(crate) fn weights(&self) -> Result<Option<Weights>, String> {
        if self.mix == "all" { Ok(None) } else { self.mix.parse().map(Some) }
    }
}

fn value_name(of: impl clap::ValueEnum) -> String {
    of.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
}

fn within(least: u64, most: u64) -> RangedU64ValueParser {
    RangedU64ValueParser::from(least..=most)
}

fn number(text: &str, most: f64) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| *number > 0.0 && *number <= most);
    number.ok_or_else(|| format!("is not a number above 0 and up to {most}"))
}

fn rate(text: &str) -> Result<f64, String> {
    number(text, RATE_MAX)
}

fn zipf(text: &str) -> Result<f64, String> {
    number(text, ZIPF_MAX)
}

fn run_duration(text: &str) -> Result<Duration, String> {
    let asked = duration(text)?;
    if asked.is_zero() || asked > DURATION_MAX { Err("is not within 24 h".to_owned()) } else { Ok(asked) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

    use clap::CommandFactory as _;

    use super::*;

    fn parsed(words: &str) -> Result<Options, clap::Error> {
        Options::try_parse_from(std::iter::once("kannuki-load").chain(words.split_whitespace()))
    }

    #[test]
    fn the_command_line_is_consistent() {
        Options::command().debug_assert();
    }

    #[test]
    fn a_run_is_always_bounded() {
        let options = parsed("").unwrap();
        assert_eq!((options.duration, options.count), (Duration::from_secs(30), None));
        for wrong in ["--duration 25h", "--duration 0s", "--count 0", "--rate 0", "--rate 1e9", "--connections 0"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_are_shown_without_files_that_hold_secrets() {
        let options = parsed("--credentials secret-file --profile a --profile b --rate 50").unwrap();
        let shown = options.shown(&["https://x".to_owned()], 7);
        assert_eq!((shown["rate"].as_str(), shown["profile"].as_str(), shown["seed"].as_str()), ("50", "a b", "7"));
        assert_eq!((shown["retry"].as_str(), shown["failover"].as_str()), ("2026", "sdk"));
        assert!(!shown.values().any(|value| value.contains("secret-file")));
    }

    #[test]
    fn comparing_is_all_that_is_done_then() {
        assert_eq!(parsed("--compare a b").unwrap().compare.unwrap().len(), 2);
        assert!(parsed("--compare a").is_err());
        assert!(parsed("--compare a b --rate 3").is_err());
    }
}
