//! A plan put to work: the region opened, the listeners serving, signals obeyed, and all of it ended in order.
//! Knows how the parts are joined; what each does is its own business.

mod operate;

use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use kms_core::audit::Desk;
use kms_core::clock::{Clock, SystemClock};
use kms_core::id::Place;
use kms_core::limits::Rate;
use kms_core::region::{DeclareError, Making, Region, RegionError, RegionOptions, SlotState};
use kms_core::registry::Manifest;
use kms_core::request::Source;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::access_log::{AccessLog, AccessLogLimits};
use crate::admin::{self, Admin, Errand};
use crate::config::{self, Config};
use crate::gateway::{Admission, Door, Shared};
use crate::issuers::Issuers;
use crate::listener::{self, Listener};
use crate::manifest;
use crate::metrics::Metrics;
use crate::operations::{self, Finding, Probes};
use crate::serve::{self, Bound, Limits, Ranges, Running, TlsConfigHandle, TlsError, Unbound};
use crate::setup::{self, Plan, SetupError};
use crate::toml_file::Faults;

/// Why a region does not serve, or no longer does.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error(transparent)]
    Region(#[from] RegionError),
    #[error(transparent)]
    Declare(#[from] DeclareError),
    #[error(transparent)]
    Setup(#[from] SetupError),
    #[error("{0}")]
    Manifest(#[from] Faults),
    #[error("{certificate}: {cause}")]
    Tls { certificate: String, cause: TlsError },
    #[error("{what}: {cause}")]
    Io { what: String, cause: io::Error },
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Addresses(Vec<Unbound>),
}

/// Serves until SIGTERM or SIGINT, then drains. `ready` is called once, when requests are answered.
pub fn run(mut plan: Plan, ready: impl FnOnce(&Plan)) -> Result<(), RunError> {
    let system = actix::System::new();
    system.block_on(async {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let region = Region::open(&options(&plan.config), clock)?;
        region.start();
        let declared = std::mem::take(&mut plan.manifest);
        if let Some(mark) = region.news(&declared).await? {
            region.apply(declared, Making::Later, Some(mark)).await?;
        }
        // What was applied after the file was last read stays, so the file does not say what is to be listened on.
        let listeners = plan.listeners_with(&region.declared()?.endpoints)?;
        plan.certify(&listeners, region.clock().now())?;
        plan.listeners = listeners;
        let service = start(&plan, &region)?;
        ready(&plan);
        service.until_told(&mut plan, &region).await
    })
}

/// What runs beside the region.
struct Serving {
    running: Running,
    operations: operations::Operations,
    tls: TlsConfigHandle,
    metrics: Arc<Metrics>,
    signals: Signals,
    admin: Admin,
    /// Where the operator's acts are recorded.
    desk: Desk,
}

struct Signals {
    hang_up: Signal,
    terminate: Signal,
    interrupt: Signal,
}

fn start(plan: &Plan, region: &Arc<Region>) -> Result<Serving, RunError> {
    let failed = |what: &str| {
        let what = what.to_owned();
        move |cause| RunError::Io { what, cause }
    };
    // Before anything listens, so that no signal is missed once somebody can know of us.
    let signals = Signals {
        hang_up: signal(SignalKind::hangup()).map_err(failed("signals"))?,
        terminate: signal(SignalKind::terminate()).map_err(failed("signals"))?,
        interrupt: signal(SignalKind::interrupt()).map_err(failed("signals"))?,
    };
    let metrics = Arc::new(Metrics::default());
    let (certificate, key) = certificate_files(plan)?;
    let tls = TlsConfigHandle::new(&certificate, &key).map_err(|cause| tls_error(plan, cause))?;
    let access_log =
        AccessLog::open(&plan.folder.path().join("access.log"), AccessLogLimits::default(), metrics.clone())
            .map_err(failed("the access log"))?;
    let config = &plan.config;
    let issuers = Issuers::start(region, config.web_identity.ca_file.as_deref(), metrics.clone())
        .map_err(failed("the CAs of issuers"))?;
    let shared = Shared {
        region: region.clone(),
        admission: Arc::new(Admission::new(config.limits.in_flight_quick_max, config.limits.in_flight_slow_max)),
        metrics: metrics.clone(),
        access_log: Arc::new(access_log),
        issuers,
        attestations: Arc::new(setup::attestations(config, region.clock().now())?),
        deadline_read: config.limits.deadline,
        deadline_write: config.limits.deadline,
    };
    gauges(&metrics, region, &shared.admission);
    let running = serve::start(
        plan.listeners.clone(),
        tls.clone(),
        limits(config),
        ranges(region),
        metrics.clone(),
        move |worker| Door::open(worker, &shared),
    )
    .map_err(failed("the listeners"))?;
    let operations = operations::start(config.listen.operations, probes(region), metrics.clone())
        .map_err(failed("the operations port"))?;
    let admin = admin::start(plan.folder.path()).map_err(failed("the admin socket"))?;
    let desk = region.desk("admin").map_err(io::Error::other).map_err(failed("the audit log"))?;
    Ok(Serving { running, operations, tls, metrics, signals, admin, desk })
}

impl Serving {
    async fn until_told(mut self, plan: &mut Plan, region: &Arc<Region>) -> Result<(), RunError> {
        loop {
            tokio::select! {
                _ = self.signals.hang_up.recv() => {
                    if let Err(error) = self.reload(plan, region).await {
                        tracing::error!(%error, "not everything was read again; the rest stays as it was");
                    }
                }
                Some(Errand { request, operator, answer }) = self.admin.next() => {
                    // Who asked may have gone; what was asked for is done all the same.
                    let _ = answer.send(self.obey(request, &operator, plan, region).await);
                }
                _ = self.signals.terminate.recv() => break,
                _ = self.signals.interrupt.recv() => break,
            }
        }
        drop(self.admin);
        tracing::info!("draining");
        let drained = self.running.drain().await;
        self.operations.handle.stop(true).await;
        region.settle();
        drained.map_err(|cause| RunError::Io { what: "draining".to_owned(), cause })
    }

    /// Certificates and the manifest are read again; connections stay open. A manifest with a fault changes nothing, and
    /// neither does one that says what it said when the region was last declared.
    async fn reload(&mut self, plan: &mut Plan, region: &Arc<Region>) -> Result<(), RunError> {
        let manifest = plan.manifest_path().map(|path| manifest::load(&path)).transpose()?;
        setup::renew(plan, region.clock().now())?;
        self.reload_certificate(plan)?;
        if let Some(manifest) = manifest {
            if let Some(mark) = region.news(&manifest).await? {
                let prepared = self.prepare(&manifest, plan)?;
                plan.certify(&prepared.listeners, region.clock().now())?;
                region.apply(manifest, Making::Later, Some(mark)).await?;
                self.take_up(prepared, plan)?;
            }
            self.metrics.manifests_applied.increment();
        }
        tracing::info!("certificates and manifest were read again");
        Ok(())
    }

    fn reload_certificate(&self, plan: &Plan) -> Result<(), RunError> {
        let (certificate, key) = certificate_files(plan)?;
        self.tls.reload(&certificate, &key).map_err(|cause| tls_error(plan, cause))
    }

    /// Binds what a manifest's endpoints need, so that what cannot be listened on is known before it is declared.
    fn prepare(&self, manifest: &Manifest, plan: &Plan) -> Result<Prepared, RunError> {
        let listeners = plan.listeners_with(&manifest.endpoints)?;
        let bound = self.running.bind(listeners.clone()).map_err(RunError::Addresses)?;
        Ok(Prepared { listeners, bound })
    }

    fn take_up(&mut self, prepared: Prepared, plan: &mut Plan) -> Result<(), RunError> {
        self.reload_certificate(plan)?;
        let what = || "the listeners".to_owned();
        self.running.take_up(prepared.bound).map_err(|cause| RunError::Io { what: what(), cause })?;
        plan.listeners = prepared.listeners;
        Ok(())
    }
}

/// Listeners that wait for their endpoints to be declared.
struct Prepared {
    listeners: Vec<Listener>,
    bound: Bound,
}

fn options(config: &Config) -> RegionOptions {
    RegionOptions {
        place: Place::new(&config.region.partition, &config.region.name),
        data: config.region.data.clone(),
        seal_key_file: config.seal.key_file.clone(),
        hsm_slots: config.hsm.slots,
        audit_file_bytes_max: config.audit.file_bytes_max,
        audit_keep_bytes: config.audit.keep_bytes,
        account_rate: config.limits.account.as_ref().map(rate),
        key_rate: config.limits.key.as_ref().map(rate),
        writers: 1,
    }
}

fn rate(rate: &config::Rate) -> Rate {
    Rate { per_second: f64::from(rate.requests_per_second.get()), burst: f64::from(rate.burst.get()) }
}

fn limits(config: &Config) -> Limits {
    Limits {
        body_bytes_max: config.limits.body_bytes_max,
        deadline: config.limits.deadline,
        connections_max: config.limits.connections_max,
        ..Limits::default()
    }
}

fn ranges(region: &Arc<Region>) -> Ranges {
    let region = region.clone();
    Arc::new(move |source: &Source| listener::admitted(&region.view(), source))
}

fn probes(region: &Arc<Region>) -> Probes {
    let finding = {
        let region = region.clone();
        move || {
            let ailment = region.ailment();
            let slots: Vec<_> = region
                .hsm_slots()
                .iter()
                .map(|slot| {
                    let state = match slot.state {
                        SlotState::Healthy => "healthy",
                        SlotState::Restarting => "restarting",
                        SlotState::Failed => "failed",
                    };
                    serde_json::json!({ "state": state, "incarnation": slot.incarnation, "restarts": slot.restarts })
                })
                .collect();
            let detail = serde_json::json!({
                "status": if ailment.is_none() { "ok" } else { "out of service" },
                "reason": ailment,
                "region": &*region.place().region,
                "revision": region.revision().0,
                "hsmSlots": slots,
            });
            Finding { is_well: ailment.is_none(), detail }
        }
    };
    let finding: Arc<dyn Fn() -> Finding + Send + Sync> = Arc::new(finding);
    Probes { health: finding.clone(), ready: finding }
}

fn gauges(metrics: &Metrics, region: &Arc<Region>, admission: &Arc<Admission>) {
    let (of_slots, of_revision, of_keys) = (region.clone(), region.clone(), region.clone());
    let admission = admission.clone();
    metrics.gauge("kannuki_hsm_slots_healthy", "HSM slots that take work.", move || {
        let healthy = of_slots.hsm_slots().iter().filter(|slot| slot.state == SlotState::Healthy).count();
        healthy as f64
    });
    metrics.gauge("kannuki_store_revision", "Revision of the view that requests are judged by.", move || {
        of_revision.revision().0 as f64
    });
    metrics.gauge("kannuki_keys", "KMS keys in the region.", move || of_keys.view().key_count() as f64);
    metrics.gauge("kannuki_requests_in_flight", "Requests that key managers are at work on.", move || {
        admission.in_flight() as f64
    });
}

fn certificate_files(plan: &Plan) -> Result<(Vec<u8>, Vec<u8>), RunError> {
    let read = |path: &Path| fs::read(path).map_err(|cause| RunError::Io { what: path.display().to_string(), cause });
    Ok((read(&plan.tls.certificate)?, read(&plan.tls.key)?))
}

fn tls_error(plan: &Plan, cause: TlsError) -> RunError {
    RunError::Tls { certificate: plan.tls.certificate.display().to_string(), cause }
}
