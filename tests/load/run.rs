//! A run from its options to its report: set-up, load, what is done afterwards, and the end that a signal asks for.
//! Knows the order of things; each thing is done elsewhere.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use kms_core::clock::{Clock as _, SystemClock, Timestamp};
use rand::SeedableRng as _;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::task::LocalSet;

use crate::Outcome;
use crate::afterwards;
use crate::call::{Caller, Network, PlaceFigures};
use crate::cli::Options;
use crate::conclude::Judge;
use crate::credentials;
use crate::draw::Chooser;
use crate::figures::{self, Measured};
use crate::measure::Tally;
use crate::measure::recorder::{HandedIn, Totals};
use crate::measure::timeline::Timeline;
use crate::presign::Batches;
use crate::record::Report;
use crate::report::{Live, Progress};
use crate::retry::{Generation, Policy, Quota};
use crate::revoker;
use crate::scene::{Account, Ledger, Random};
use crate::schedule::Plan;
use crate::setup::{self, BrokenEarly, Mix, Ready};
use crate::sign::Signer;
use crate::stop::Stop;
use crate::wire::{Place, Trust};
use crate::worker::{self, Load};

/// How many callers make keys and take them away.
const CALLERS_MAX: usize = 32;
/// A service that is not there is soon said to be not there.
const SETTING_UP: Policy = Policy { generation: Generation::Before2026, attempts_max: 3 };
const SHOWN_EVERY: Duration = Duration::from_millis(200);
/// How long calls that are under way may take after the run was interrupted.
const GRACE: Duration = Duration::from_secs(5);

/// What a run came to.
#[derive(Debug)]
pub(crate) struct Done {
    /// `None` if it was interrupted before anything was measured.
    pub(crate) report: Outcome<Option<Report>>,
    /// What else there is to say, a line each.
    pub(crate) notes: Vec<String>,
}

/// Runs until the end. `stop` may be drained or cut from outside at any time.
pub(crate) fn run(options: &Options, mix: Mix, stop: &Arc<Stop>) -> Outcome<Done> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let given = if options.endpoints.is_empty() {
        vec![variable("AWS_ENDPOINT_URL_KMS").ok_or("neither --endpoint nor AWS_ENDPOINT_URL_KMS says where to call")?]
    } else {
        options.endpoints.clone()
    };
    let places = given.iter().map(|url| Place::parse(url)).collect::<Result<Vec<_>, _>>()?;
    let seed = options.seed.unwrap_or(SystemClock.now().0);
    let accounts = credentials::load(options, &variable)?.into_iter().map(|of| Account {
        name: of.name.clone(),
        kms: Signer::new(of.clone(), "kms"),
        sts: Signer::new(of, "sts"),
    });
    let ca = options.ca.clone().or_else(|| variable("AWS_CA_BUNDLE").map(Into::into));
    let network = Arc::new(Network {
        figures: places.iter().map(|_| PlaceFigures::default()).collect(),
        places,
        trust: Trust::load(ca.as_deref())?,
        failover: options.failover,
        connect_timeout: options.connect_timeout,
        timeout: options.timeout,
    });
    let run = Run { options, network, accounts: Arc::new(accounts.collect()), seed, stop, ledger: Arc::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(LocalSet::new().block_on(&runtime, run.whole(mix)))
}

struct Run<'a> {
    options: &'a Options,
    network: Arc<Network>,
    accounts: Arc<Vec<Account>>,
    seed: u64,
    stop: &'a Arc<Stop>,
    ledger: Arc<Ledger>,
}

/// Threads that make calls, and what else goes on beside them.
struct Threads {
    workers: Vec<JoinHandle<Outcome<Vec<Tally>>>>,
    signer: Option<JoinHandle<Outcome<()>>>,
    parts: UnboundedReceiver<HandedIn>,
}

impl Run<'_> {
    async fn whole(&self, mix: Mix) -> Done {
        let mut notes = Vec::new();
        let report = self.measured(mix, &mut notes).await;
        let (run, mut callers) = (setup::run_name(self.seed), self.callers(Policy::patient()));
        match afterwards::clean_up(&self.accounts, &self.ledger, &run, &mut callers).await {
            Ok(0) => {}
            Ok(keys) => notes.push(format!("{keys} keys are scheduled for deletion in 7 days")),
            Err(left) => notes.push(format!("not everything was taken away again: {left}")),
        }
        Done { report, notes }
    }

    fn callers(&self, policy: Policy) -> Vec<Caller> {
        let most = usize::try_from(self.options.connections).unwrap_or(CALLERS_MAX).min(CALLERS_MAX);
        setup::callers(&self.network, most, policy, self.seed)
    }

    async fn measured(&self, mix: Mix, notes: &mut Vec<String>) -> Outcome<Option<Report>> {
        let wanted = mix.clone();
        let (accounts, ledger) = (Arc::clone(&self.accounts), Arc::clone(&self.ledger));
        let work = setup::prepare(self.options, mix, accounts, ledger, self.callers(SETTING_UP), self.seed);
        let ready = match setup::unless_stopped(self.stop, work).await {
            Ok(Some(ready)) => ready,
            Ok(None) => return Ok(None),
            Err(why) => {
                let BrokenEarly(violation) = *why.downcast::<BrokenEarly>()?;
                return Ok(Some(figures::broken_early(self.shown(), violation)));
            }
        };
        let Ready { scene, mix, left_out, grants } = ready;
        let chooser = Chooser::new(&mix, &scene.keys, scene.accounts.len(), self.options.zipf)?;
        let mut random = Random::seed_from_u64(self.seed.wrapping_sub(1));
        let presigned = self.options.presign.then(|| Batches::new(&scene, &chooser, &self.network.places, &mut random));
        let plan = self.plan();
        let load = Arc::new(Load {
            scene,
            network: Arc::clone(&self.network),
            chooser,
            batches: presigned.transpose()?,
            plan,
            count: self.options.count,
            connections: usize::try_from(self.options.connections)?,
            threads: usize::try_from(self.options.threads)?,
            policy: Policy::of(self.options.retry),
            quotas: (0..self.options.clients).map(|_| Arc::new(Quota::default())).collect(),
            seed: self.seed,
            totals: Totals::new(Instant::now()),
            stop: Arc::clone(self.stop),
            taken: AtomicU64::new(0),
            made: AtomicU64::new(0),
            counted: AtomicU64::new(0),
            revocation_failed: OnceLock::new(),
        });
        let started_at = SystemClock.now();
        let report = self.load(&load, grants, &wanted, left_out, started_at).await;
        if let Some(report) = report.as_ref().ok().filter(|report| report.calls_not_made > 0) {
            notes.push(format!("{} calls were due and not made: the rate was too high", report.calls_not_made));
        }
        notes.extend(load.revocation_failed.get().map(|why| format!("a revocation failed: {why}")));
        report.map(Some)
    }

    fn shown(&self) -> BTreeMap<String, String> {
        let urls: Vec<_> = self.network.places.iter().map(|place| place.url.clone()).collect();
        self.options.shown(&urls, self.seed)
    }

    fn plan(&self) -> Plan {
        let options = self.options;
        Plan { warm_up: options.warm_up, ramp: options.ramp, duration: options.duration, rate: options.rate }
    }

    async fn load(
        &self,
        load: &Arc<Load>,
        grants: Vec<(usize, String)>,
        wanted: &Mix,
        left_out: BTreeMap<String, String>,
        started_at: Timestamp,
    ) -> Outcome<Report> {
        let revoker = Caller::new(
            &self.network,
            Policy::of(Generation::Since2026),
            &Arc::default(),
            0,
            Random::seed_from_u64(self.seed ^ 2),
        );
        let revoking = revoker::run(Arc::clone(load), self.options.revocations, revoker, grants);
        let revoking = tokio::task::spawn_local(revoking);
        let mut threads = self.start(load)?;
        let (timeline, at_warm) = self.watch(load, &mut threads, left_out.len()).await?;
        let seconds = load.totals.elapsed().saturating_sub(load.plan.warm_up);
        let measured_cpu = figures::own_cpu().saturating_sub(at_warm.cpu);
        self.stop.drain(crate::record::EndedBy::Duration);
        revoking.await??;
        let mut tallies: Vec<Tally> = Vec::new();
        for worker in threads.workers {
            let of = worker.join().map_err(|_| "a thread of the load generator panicked")??;
            if tallies.is_empty() {
                tallies = of;
            } else {
                tallies.iter_mut().zip(&of).try_for_each(|(all, one)| all.merge(one))?;
            }
        }
        if let Some(signer) = threads.signer {
            signer.join().map_err(|_| "the thread that signs ahead panicked")??;
        }
        let end = seconds.as_secs_f64().ceil() as u64;
        let measured = Measured {
            options: self.shown(),
            started_at,
            seconds,
            longest_gap: load.totals.longest_gap(),
            own_cpu: measured_cpu,
            places: at_warm.since(&self.network),
            timeline: timeline.finish(end),
            left_out,
        };
        if self.stop.violation().is_none() {
            let judge = Judge { scene: &load.scene, endpoints: &self.network.places, start: load.totals.start };
            if let Some(violation) = afterwards::decrypt_the_rest(judge, &mut self.callers(Policy::patient())).await? {
                self.stop.broken(violation);
            }
        }
        figures::report(load, wanted, &tallies, measured)
    }

    fn start(&self, load: &Arc<Load>) -> Outcome<Threads> {
        let (out, parts) = unbounded_channel();
        let mut workers = Vec::new();
        for thread in 0..load.threads {
            let (load, out) = (Arc::clone(load), out.clone());
            let named = std::thread::Builder::new().name(format!("load-{thread}"));
            workers.push(named.spawn(move || worker::run(&load, thread, out))?);
        }
        let signing = Arc::clone(load);
        let mut random = Random::seed_from_u64(self.seed ^ 3);
        let renew = move || match &signing.batches {
            Some(batches) => {
                let places = &signing.network.places;
                batches.renew(&signing.scene, &signing.chooser, places, &mut random, &signing.stop)
            }
            None => Ok(()),
        };
        let named = std::thread::Builder::new().name("signer".to_owned());
        let signer = if load.batches.is_some() { Some(named.spawn(renew)?) } else { None };
        Ok(Threads { workers, signer, parts })
    }

    /// Collects seconds and shows how it goes until all threads have ended, and cuts what takes too long after an
    /// interrupt. Answers the timeline, and what was when the warm-up was over.
    async fn watch(&self, load: &Load, threads: &mut Threads, left_out: usize) -> Outcome<(Timeline, AtWarm)> {
        let live = Live::new(Some((load.plan.warm_up + load.plan.duration).as_secs_f64()));
        let mut timeline = Timeline::default();
        let mut ticks = tokio::time::interval(SHOWN_EVERY);
        let mut warm = None;
        let mut draining_since = None;
        let mut shown = Shown::default();
        loop {
            tokio::select! {
                part = threads.parts.recv() => match part {
                    Some((second, part)) => timeline.hand_in(second, part)?,
                    None => break,
                },
                _ = ticks.tick() => {
                    let now = load.totals.elapsed();
                    if warm.is_none() && now >= load.plan.warm_up {
                        warm = Some(AtWarm::now(&self.network));
                    }
                    if let Some(live) = &live {
                        live.show(&shown.progress(load, &timeline, now, left_out));
                    }
                    if self.stop.is_draining() && *draining_since.get_or_insert(now) + GRACE < now {
                        self.stop.cut();
                    }
                }
            }
        }
        if let Some(live) = live {
            live.end();
        }
        Ok((timeline, warm.unwrap_or_else(|| AtWarm::now(&self.network))))
    }
}

/// What had been counted when the warm-up was over, for it is in none of the figures.
struct AtWarm {
    cpu: Duration,
    places: Vec<[u64; 4]>,
}

impl AtWarm {
    fn now(network: &Network) -> Self {
        Self { cpu: figures::own_cpu(), places: network.figures.iter().map(PlaceFigures::counted).collect() }
    }

    /// What has been counted of each endpoint since.
    fn since(&self, network: &Network) -> Vec<[u64; 4]> {
        let now = network.figures.iter().map(PlaceFigures::counted);
        let since = |now: [u64; 4], then: &[u64; 4]| {
            let mut counts = now;
            counts.iter_mut().zip(then).for_each(|(count, then)| *count = count.saturating_sub(*then));
            counts
        };
        now.zip(&self.places).map(|(now, then)| since(now, then)).collect()
    }
}

/// What was shown last, so that a rate can be shown.
#[derive(Default)]
struct Shown {
    at: Duration,
    succeeded: u64,
    per_second: f64,
}

impl Shown {
    fn progress(&mut self, load: &Load, timeline: &Timeline, now: Duration, left_out: usize) -> Progress {
        let totals = &load.totals;
        let succeeded = totals.succeeded.load(Ordering::Relaxed);
        let since = now.saturating_sub(self.at);
        if since >= Duration::from_secs(1) {
            self.per_second = succeeded.saturating_sub(self.succeeded) as f64 / since.as_secs_f64();
            (self.at, self.succeeded) = (now, succeeded);
        }
        let latest = timeline.latest().cloned().unwrap_or_default();
        Progress {
            elapsed_seconds: now.as_secs_f64(),
            phase: if load.stop.is_draining() { "draining" } else { load.plan.phase(now) },
            succeeded_total: succeeded,
            per_second: self.per_second,
            failed_attempts_total: totals.failed_attempts.load(Ordering::Relaxed),
            failed_calls_total: totals.failed_calls.load(Ordering::Relaxed),
            p50_us: latest.p50_us,
            p99_us: latest.p99_us,
            left_out,
        }
    }
}
