//! What the gateway counts, and the page that Prometheus reads.
//! Knows numbers and names; what they mean to an operator, the names say. Label values are few by construction or are
//! bounded here, so that no caller can make the page grow.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

/// Upper bounds of the latency histogram, in microseconds.
const BUCKETS_US: [u64; 13] =
    [250, 500, 1000, 2500, 5000, 10_000, 25_000, 50_000, 100_000, 250_000, 1_000_000, 2_500_000, 10_000_000];
/// Past this many values a label's further values are counted as `other`.
const LABEL_VALUES_MAX: usize = 1024;

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    pub fn increment(&self) {
        self.add(1);
    }

    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }

    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// All that one process counts.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Requests that an endpoint's policy turned away before any key manager heard of them.
    pub endpoint_refusals: Counter,
    /// Requests that were handed to a key manager.
    pub key_manager_requests: Counter,
    /// Requests refused by a rate or by the number in flight.
    pub throttled: Counter,
    /// Requests refused for load before their signature was checked.
    pub shed: Counter,
    /// Connections closed at accept, since they came from outside the endpoint's client ranges.
    pub connections_refused: Counter,
    pub connections_accepted: Counter,
    pub connections_closed: Counter,
    pub tls_handshakes_failed: Counter,
    proxy_headers_refused: Labelled<Counter>,
    attestations_refused: Labelled<Counter>,
    /// Requests that the HTTP layer answered itself: not HTTP, too large or too slow.
    pub http_refusals: Counter,
    /// Requests during which the service panicked.
    pub panics: Counter,
    pub access_log_dropped: Counter,
    /// Manifests applied to the running region.
    pub issuer_fetch_failures: Counter,
    pub manifests_applied: Counter,
    requests: Labelled<Labelled<Counter>>,
    latency: Labelled<Histogram>,
    authn_failures: Labelled<Counter>,
    gauges: Mutex<Vec<Gauge>>,
}

impl Metrics {
    /// Counts one answer: an operation's name (`unknown` for none), an error code or `OK`, and how long it took.
    pub fn answered(&self, operation: &str, code: &str, took: Duration) {
        self.requests.with(operation, |codes| codes.with(code, Counter::increment));
        self.latency.with(operation, |histogram| histogram.observe(took));
    }

    /// Counts a request whose caller was not believed.
    pub fn authn_failed(&self, code: &str) {
        self.authn_failures.with(code, Counter::increment);
    }

    /// Counts a connection that was closed since its PROXY header was not believed.
    pub fn proxy_header_refused(&self, reason: &str) {
        self.proxy_headers_refused.with(reason, Counter::increment);
    }

    /// Counts a request whose source attestation was not believed.
    pub fn attestation_refused(&self, reason: &str) {
        self.attestations_refused.with(reason, Counter::increment);
    }

    /// Adds a number that is read when the page is. `name` is the whole name; `read` must be quick.
    pub fn gauge(&self, name: &'static str, help: &'static str, read: impl Fn() -> f64 + Send + Sync + 'static) {
        let gauge = Gauge { name, help, read: Box::new(read) };
        self.gauges.lock().unwrap_or_else(PoisonError::into_inner).push(gauge);
    }

    /// The page, in Prometheus's text format 0.0.4.
    pub fn text(&self) -> String {
        let mut page = String::with_capacity(8192);
        // Writing to a string cannot fail.
        self.write(&mut page).unwrap_or_default();
        page
    }

    fn write(&self, page: &mut String) -> fmt::Result {
        for (name, help, counter) in self.counters() {
            head(page, name, help, "counter")?;
            writeln!(page, "{name} {}", counter.value())?;
        }
        for (name, help, label, counters) in self.labelled() {
            head(page, name, help, "counter")?;
            counters.each(|value, counter| {
                writeln!(page, "{name}{{{label}=\"{}\"}} {}", escaped(value), counter.value())
            })?;
        }
        head(page, "kannuki_requests_total", "Answers by operation and error code.", "counter")?;
        self.requests.each(|operation, codes| {
            codes.each(|code, counter| {
                let (operation, code, count) = (escaped(operation), escaped(code), counter.value());
                writeln!(page, "kannuki_requests_total{{operation=\"{operation}\",code=\"{code}\"}} {count}")
            })
        })?;
        head(page, "kannuki_request_seconds", "From a request's first byte to its answer.", "histogram")?;
        self.latency.each(|operation, histogram| histogram.write(page, &escaped(operation)))?;
        for gauge in self.gauges.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            head(page, gauge.name, gauge.help, "gauge")?;
            writeln!(page, "{} {}", gauge.name, (gauge.read)())?;
        }
        Ok(())
    }

    fn counters(&self) -> [(&'static str, &'static str, &Counter); 13] {
        [
            ("kannuki_endpoint_refusals_total", "Requests refused by an endpoint's policy.", &self.endpoint_refusals),
            ("kannuki_key_manager_requests_total", "Requests handed to a key manager.", &self.key_manager_requests),
            ("kannuki_throttled_total", "Requests refused by a rate or for load.", &self.throttled),
            ("kannuki_shed_total", "Requests refused for load before authentication.", &self.shed),
            ("kannuki_connections_refused_total", "Connections from outside client ranges.", &self.connections_refused),
            ("kannuki_connections_accepted_total", "Connections taken in.", &self.connections_accepted),
            ("kannuki_connections_closed_total", "Connections ended.", &self.connections_closed),
            ("kannuki_tls_handshakes_failed_total", "TLS handshakes that failed.", &self.tls_handshakes_failed),
            ("kannuki_http_refusals_total", "Requests that were not proper HTTP in time.", &self.http_refusals),
            ("kannuki_panics_total", "Requests during which the service panicked.", &self.panics),
            ("kannuki_access_log_dropped_total", "Access log lines not written.", &self.access_log_dropped),
            (
                "kannuki_issuer_fetch_failures_total",
                "Fetches of issuers' keys that failed.",
                &self.issuer_fetch_failures,
            ),
            ("kannuki_manifest_applied_total", "Manifests applied to the running region.", &self.manifests_applied),
        ]
    }

    fn labelled(&self) -> [LabelledCounter<'_>; 3] {
        let (authn, proxy) = ("kannuki_authn_failures_total", "kannuki_proxy_headers_refused_total");
        let attestation = "kannuki_attestations_refused_total";
        [
            (authn, "Requests whose caller was not believed.", "code", &self.authn_failures),
            (proxy, "Connections closed for their PROXY header.", "reason", &self.proxy_headers_refused),
            (attestation, "Requests with a source attestation not believed.", "reason", &self.attestations_refused),
        ]
    }
}

/// A counter's name, its help, and the name of its label.
type LabelledCounter<'a> = (&'static str, &'static str, &'static str, &'a Labelled<Counter>);

struct Gauge {
    name: &'static str,
    help: &'static str,
    read: Box<dyn Fn() -> f64 + Send + Sync>,
}

impl fmt::Debug for Gauge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name)
    }
}

/// One `T` for each value of a label, up to a bound.
#[derive(Debug, Default)]
struct Labelled<T>(RwLock<BTreeMap<String, T>>);

impl<T: Default> Labelled<T> {
    fn with(&self, value: &str, then: impl FnOnce(&T)) {
        {
            let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(found) = known.get(value) {
                return then(found);
            }
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let value = if known.len() < LABEL_VALUES_MAX { value } else { "other" };
        then(known.entry(value.to_owned()).or_default());
    }

    fn each(&self, mut then: impl FnMut(&str, &T) -> fmt::Result) -> fmt::Result {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.iter().try_for_each(|(value, one)| then(value, one))
    }
}

#[derive(Debug, Default)]
struct Histogram {
    /// Each value counted in the first bucket that holds it.
    buckets: [AtomicU64; BUCKETS_US.len()],
    beyond: AtomicU64,
    sum_us: AtomicU64,
}

impl Histogram {
    fn observe(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS_US.iter().zip(&self.buckets).find(|(bound, _)| us <= **bound).map(|(_, bucket)| bucket);
        bucket.unwrap_or(&self.beyond).fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(us, Ordering::Relaxed);
    }

    fn write(&self, page: &mut String, operation: &str) -> fmt::Result {
        let mut count = 0;
        for (bound, bucket) in BUCKETS_US.iter().zip(&self.buckets) {
            count += bucket.load(Ordering::Relaxed);
            let seconds = seconds(*bound);
            writeln!(page, "kannuki_request_seconds_bucket{{operation=\"{operation}\",le=\"{seconds}\"}} {count}")?;
        }
        count += self.beyond.load(Ordering::Relaxed);
        writeln!(page, "kannuki_request_seconds_bucket{{operation=\"{operation}\",le=\"+Inf\"}} {count}")?;
        let sum = seconds(self.sum_us.load(Ordering::Relaxed));
        writeln!(page, "kannuki_request_seconds_sum{{operation=\"{operation}\"}} {sum}")?;
        writeln!(page, "kannuki_request_seconds_count{{operation=\"{operation}\"}} {count}")
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn head(page: &mut String, name: &str, help: &str, kind: &str) -> fmt::Result {
    writeln!(page, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

/// Fit for a label's value.
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page() {
        let metrics = Metrics::default();
        metrics.endpoint_refusals.increment();
        metrics.authn_failed("InvalidSignatureException");
        metrics.answered("Encrypt", "OK", Duration::from_micros(300));
        metrics.answered("Encrypt", "OK", Duration::from_secs(60));
        metrics.answered("Encrypt", "NotFound\"\n", Duration::from_micros(250));
        metrics.gauge("kannuki_certificate_expiry_seconds", "When.", || 12.5);
        let page = metrics.text();
        for line in [
            "kannuki_endpoint_refusals_total 1",
            "kannuki_authn_failures_total{code=\"InvalidSignatureException\"} 1",
            "kannuki_requests_total{operation=\"Encrypt\",code=\"OK\"} 2",
            "kannuki_requests_total{operation=\"Encrypt\",code=\"NotFound\\\"\\n\"} 1",
            "kannuki_request_seconds_bucket{operation=\"Encrypt\",le=\"0.00025\"} 1",
            "kannuki_request_seconds_bucket{operation=\"Encrypt\",le=\"0.0005\"} 2",
            "kannuki_request_seconds_bucket{operation=\"Encrypt\",le=\"10\"} 2",
            "kannuki_request_seconds_bucket{operation=\"Encrypt\",le=\"+Inf\"} 3",
            "kannuki_request_seconds_sum{operation=\"Encrypt\"} 60.00055",
            "kannuki_request_seconds_count{operation=\"Encrypt\"} 3",
            "# TYPE kannuki_certificate_expiry_seconds gauge",
            "kannuki_certificate_expiry_seconds 12.5",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }

    #[test]
    fn labels_are_bounded() {
        let metrics = Metrics::default();
        for number in 0..LABEL_VALUES_MAX + 10 {
            metrics.authn_failed(&number.to_string());
        }
        assert!(metrics.text().contains("kannuki_authn_failures_total{code=\"other\"} 10\n"));
    }
}
