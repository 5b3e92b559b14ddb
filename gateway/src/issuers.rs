//! Fetches the keys of issuers that have a URL, in the background: no request waits for an issuer.
//! Knows when a URL is due and what an answer must be like; the region keeps what was fetched, for every later start.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::future::join_all;
use kms_core::clock::Timestamp;
use kms_core::region::Region;
use kms_core::registry::JwksSource;
use tokio::sync::Notify;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};

use crate::authn::web_identity::{KEY_SET_BYTES_MAX, KeySet};
use crate::metrics::Metrics;

/// Keys are fetched anew at this age.
const FRESH: Duration = Duration::from_secs(60 * 60);
/// A URL is asked once within this time, whatever it answers and however many unknown keys are named.
const PAUSE: Duration = Duration::from_secs(60);
/// How often it is looked what is due.
const TURN: Duration = Duration::from_secs(1);
/// The longest that one fetch takes, from name resolution to the last byte.
const FETCH_MAX: Duration = Duration::from_secs(10);

/// The way to ask for newer keys.
#[derive(Debug, Default)]
pub struct Issuers {
    wanted: Mutex<BTreeSet<String>>,
    bell: Notify,
}

impl Issuers {
    /// Starts fetching, on a thread of its own that ends with the region. `ca_file` holds the CAs, in PEM, that issuers'
    /// certificates must come from; the system's roots when `None`.
    pub fn start(region: &Arc<Region>, ca_file: Option<&Path>, metrics: Arc<Metrics>) -> io::Result<Arc<Self>> {
        let issuers = Arc::new(Self::default());
        let agent = agent(ca_file)?;
        let (region, waker) = (Arc::downgrade(region), issuers.clone());
        actix_rt::Arbiter::new().spawn(run(region, waker, agent, metrics));
        Ok(issuers)
    }

    /// A token named a key that is not among those that this URL last answered. Never blocks for long.
    pub fn want(&self, jwks_url: &str) {
        self.wanted.lock().unwrap_or_else(PoisonError::into_inner).insert(jwks_url.to_owned());
        self.bell.notify_one();
    }

    fn take_wanted(&self) -> BTreeSet<String> {
        std::mem::take(&mut *self.wanted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

async fn run(region: Weak<Region>, issuers: Arc<Issuers>, agent: Agent, metrics: Arc<Metrics>) {
    let mut schedule = Schedule::default();
    loop {
        // A bell or the end of a turn; which of them makes no difference.
        let _ = tokio::time::timeout(TURN, issuers.bell.notified()).await;
        let Some(region) = region.upgrade() else { return };
        let known = known(&region);
        let due = schedule.due(region.clock().now(), issuers.take_wanted(), &known);
        join_all(due.into_iter().map(|url| keep(&region, &agent, &metrics, url))).await;
    }
}

/// The URLs of the region's issuers, and when each was last fetched.
fn known(region: &Region) -> BTreeMap<String, Option<Timestamp>> {
    let view = region.view();
    let urls = view.issuers().filter_map(|issuer| match &issuer.jwks {
        JwksSource::Url(url) => Some(url.clone()),
        JwksSource::Given(_) => None,
    });
    urls.map(|url| {
        let fetched = view.issuer_keys(&url).map(|keys| keys.fetched);
        (url, fetched)
    })
    .collect()
}

async fn keep(region: &Region, agent: &Agent, metrics: &Metrics, url: String) {
    let (agent, asked) = (agent.clone(), url.clone());
    let fetched = actix_rt::task::spawn_blocking(move || fetched(&agent, &asked)).await;
    let kept = match fetched {
        Ok(Ok(keys)) => {
            let now = region.clock().now();
            region.keep_issuer_keys(&url, keys, now).await.map_err(|error| error.code().as_str().to_owned())
        }
        Ok(Err(why)) => Err(why),
        Err(_) => Err("fetching them panicked".to_owned()),
    };
    if let Err(why) = kept {
        metrics.issuer_fetch_failures.increment();
        tracing::warn!(url, why, "an issuer's keys could not be fetched");
    }
}

/// The text of the key set that the URL answers.
fn fetched(agent: &Agent, url: &str) -> Result<String, String> {
    let mut response = agent.get(url).call().map_err(|error| error.to_string())?;
    if response.status() != 200 {
        return Err(format!("the answer is {}", response.status()));
    }
    let limit = u64::try_from(KEY_SET_BYTES_MAX).unwrap_or(u64::MAX);
    let bytes = response.body_mut().with_config().limit(limit).read_to_vec().map_err(|error| error.to_string())?;
    let text = String::from_utf8(bytes).map_err(|_| "the answer is not UTF-8".to_owned())?;
    KeySet::parse(&text).ok_or("the answer is no key set with a key for signatures")?;
    Ok(text)
}

/// HTTPS alone, to the URL and nowhere else: no redirect is followed, and no proxy of the environment is asked.
fn agent(ca_file: Option<&Path>) -> io::Result<Agent> {
    let roots = match ca_file {
        Some(path) => given_roots(path)?,
        None => {
            let system = rustls_native_certs::load_native_certs();
            system.certs.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect()
        }
    };
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::from(roots))
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    let config = Agent::config_builder()
        .https_only(true)
        .max_redirects(0)
        .proxy(None)
        .timeout_global(Some(FETCH_MAX))
        .user_agent("kannuki")
        .tls_config(tls)
        .build();
    Ok(config.new_agent())
}

fn given_roots(path: &Path) -> io::Result<Vec<Certificate<'static>>> {
    let unreadable = |why: String| io::Error::other(format!("{}: {why}", path.display()));
    let pem = fs::read(path).map_err(|error| unreadable(error.to_string()))?;
    let mut roots = Vec::new();
    for item in parse_pem(&pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| unreadable(error.to_string()))? {
            roots.push(certificate);
        }
    }
    if roots.is_empty() { Err(unreadable("there is no certificate in it".to_owned())) } else { Ok(roots) }
}

/// Which URLs are to be asked, and when each was asked last.
#[derive(Debug, Default)]
struct Schedule {
    asked: BTreeMap<String, Timestamp>,
    /// Named since, and not asked yet.
    wanted: BTreeSet<String>,
}

impl Schedule {
    /// The URLs that are due: never fetched, fetched long ago, or wanted; none that was asked within the pause.
    fn due(
        &mut self,
        now: Timestamp,
        wanted: BTreeSet<String>,
        known: &BTreeMap<String, Option<Timestamp>>,
    ) -> Vec<String> {
        self.wanted.extend(wanted);
        self.wanted.retain(|url| known.contains_key(url));
        self.asked.retain(|url, _| known.contains_key(url));
        let is_stale = |fetched: &Option<Timestamp>| fetched.is_none_or(|at| at.plus(FRESH) <= now);
        let rests = |url: &String| self.asked.get(url).is_some_and(|at| now < at.plus(PAUSE));
        let due = known.iter().filter(|(url, fetched)| is_stale(fetched) || self.wanted.contains(*url));
        let due: Vec<String> = due.map(|(url, _)| url).filter(|url| !rests(url)).cloned().collect();
        for url in &due {
            self.wanted.remove(url);
            self.asked.insert(url.clone(), now);
        }
        due
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const NOW: Timestamp = Timestamp(1_790_000_000_000);
    const URL: &str = "https://idp.example/keys";

    fn due(schedule: &mut Schedule, seconds: u64, wanted: bool, fetched: Option<u64>) -> bool {
        let at = |seconds| NOW.plus(Duration::from_secs(seconds));
        let wanted = wanted.then(|| URL.to_owned()).into_iter().collect();
        let known = BTreeMap::from([(URL.to_owned(), fetched.map(at))]);
        !schedule.due(at(seconds), wanted, &known).is_empty()
    }

    #[test]
    fn a_new_issuer_is_asked_at_once_and_then_once_a_minute_until_it_answers() {
        let mut schedule = Schedule::default();
        let asked: Vec<u64> = (0..150).filter(|second| due(&mut schedule, *second, false, None)).collect();
        assert_eq!(asked, [0, 60, 120]);
    }

    #[test]
    fn keys_are_fetched_anew_after_an_hour() {
        let mut schedule = Schedule::default();
        assert!(due(&mut schedule, 0, false, None));
        let asked: Vec<u64> = (1..3700).filter(|second| due(&mut schedule, *second, false, Some(0))).collect();
        assert_eq!(asked, [3600, 3660]);
    }

    #[test]
    fn however_many_unknown_keys_are_named_an_issuer_is_asked_once_a_minute() {
        let mut schedule = Schedule::default();
        let asked: Vec<u64> = (1..130).filter(|second| due(&mut schedule, *second, true, Some(0))).collect();
        assert_eq!(asked, [1, 61, 121]);
        // What was named within the pause is not forgotten.
        let mut schedule = Schedule::default();
        assert!(due(&mut schedule, 1, true, Some(0)));
        assert!(!due(&mut schedule, 2, true, Some(1)));
        assert!(!due(&mut schedule, 60, false, Some(1)) && due(&mut schedule, 61, false, Some(1)));
    }

    #[test]
    fn what_is_no_issuer_s_url_is_not_asked() {
        let mut schedule = Schedule::default();
        let wanted = BTreeSet::from(["https://elsewhere.example".to_owned()]);
        assert!(schedule.due(NOW, wanted, &BTreeMap::new()).is_empty());
        assert!(schedule.wanted.is_empty());
    }

    #[test]
    fn a_file_without_certificates_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ca.pem");
        fs::write(&path, "nothing").unwrap();
        assert!(agent(Some(&path)).is_err());
        assert!(agent(Some(&folder.path().join("missing"))).is_err());
        assert!(agent(None).is_ok());
    }
}
