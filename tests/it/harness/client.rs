//! Requests as the gateway makes them once a caller is known: prepare, hand over, close the audit entry, answer.
//! Each answer is held against the error codes that the operation may have.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use actix::{Actor as _, Addr};
use kms_core::KmsError;
use kms_core::audit::{Desk, HandedIn};
use kms_core::clock::{Clock as _, FakeClock};
use kms_core::entry::{Counted, Entry, Service};
use kms_core::key_manager::{Answered, KeyManager};
use kms_core::model::OperationModel;
use kms_core::operation::{self, Effect};
use kms_core::region::Region;
use kms_core::request::{Asked, Caller, Meta, Prepared, Proof, Source, Tls, Turned};
use serde_json::{Value, json};

use super::{OPEN, Rows, arn, json_fixture};

const PATIENCE: Duration = Duration::from_secs(30);

/// An open region, as one worker's thread has it.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) region: Arc<Region>,
    pub(crate) clock: FakeClock,
    pub(crate) desk: Desk,
    local: Addr<KeyManager>,
    counted: Arc<Mutex<Counted>>,
}

impl Live {
    /// Takes this thread's seat in the region. `name` is the worker's own.
    pub(crate) fn new(region: Arc<Region>, clock: FakeClock, name: &str) -> Self {
        let desk = region.desk(name).unwrap();
        let local = KeyManager::new(region.clone()).start();
        Self { counted: Arc::default(), region, clock, desk, local }
    }

    /// A user of the cast, who comes through the open endpoint.
    pub(crate) fn user(&self, name: &str) -> Client {
        let endpoint = Some(OPEN);
        Client { live: self.clone(), arn: arn(name), endpoint }
    }

    pub(crate) fn administrator(&self) -> Client {
        self.user("administrator")
    }

    /// Writes what was counted in seconds that are over.
    pub(crate) fn flush(&self) {
        self.counted.lock().unwrap().flush(self.clock.now()).unwrap();
    }
}

/// Someone who asks.
#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) live: Live,
    pub(crate) arn: String,
    endpoint: Option<&'static str>,
}

/// What a request was answered with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Answer {
    /// `OK`, or the error's name.
    pub(crate) code: &'static str,
    pub(crate) message: String,
    /// JSON null for an error.
    pub(crate) body: Value,
    pub(crate) request_id: String,
    /// It was turned away before any key manager heard of it, by the endpoint's policy.
    pub(crate) by_endpoint: bool,
}

impl Answer {
    pub(crate) fn is_ok(&self) -> bool {
        self.code == "OK"
    }
}

impl Client {
    pub(crate) fn through(&self, endpoint: &'static str) -> Self {
        Self { endpoint: Some(endpoint), ..self.clone() }
    }

    pub(crate) fn publicly(&self) -> Self {
        Self { endpoint: None, ..self.clone() }
    }

    /// A request that must succeed.
    pub(crate) async fn ok(&self, operation: &str, request: Value) -> Value {
        let answer = self.ask(operation, &request).await;
        assert!(answer.is_ok(), "{operation} {request}: {} {}", answer.code, answer.message);
        answer.body
    }

    pub(crate) async fn ask(&self, operation: &str, request: &Value) -> Answer {
        let asked = self.asked();
        let request_id = asked.meta.request_id.to_string();
        let spec = operation::find(operation).unwrap();
        let region = &self.live.region;
        let entry = || Entry::open(self.live.desk.clone(), &region.view(), &asked, Service::Kms, operation.to_owned());
        let mut answer = match region.admit_account(asked.caller.account) {
            Err(error) => {
                self.live.counted.lock().unwrap().count(&asked, &error, entry).unwrap();
                refused(&error, false)
            }
            Ok(()) => match (spec.prepare)(region, asked.clone(), entry(), request.to_string().as_bytes()) {
                Ok(prepared) => match prepared.key.as_ref().map_or(Ok(()), |key| region.admit_key(key)) {
                    Ok(()) => self.answered(self.send(prepared).await, spec.effect).await,
                    Err(error) => self.turned(prepared.turn(error)),
                },
                Err(turned) => self.turned(*turned),
            },
        };
        answer.request_id = request_id;
        assert!(
            answer.is_ok() || allowed_codes(operation).iter().any(|code| code == answer.code),
            "{operation} {request}: {} {} is no error that it may have",
            answer.code,
            answer.message
        );
        answer
    }

    /// What the gateway would know of this caller's next request.
    pub(crate) fn asked(&self) -> Arc<Asked> {
        static NUMBER: AtomicU64 = AtomicU64::new(1);
        let view = self.live.region.view();
        let identity = view.identity(&self.arn).unwrap_or_else(|| panic!("{} is not in the cast", self.arn));
        let address = "10.1.2.3".parse().unwrap();
        Arc::new(Asked {
            caller: Caller {
                principal: identity.principal.clone(),
                arn: identity.arn.clone(),
                account: identity.account,
                access_key: super::cast::access_key(&identity.name).into(),
                session: None,
            },
            source: match self.endpoint {
                Some(id) => {
                    let proof = Proof::Listener { zone: "us-east-1a".into() };
                    Source::Endpoint { id: id.into(), address, proof }
                }
                None => Source::Public { address },
            },
            meta: Meta {
                request_id: format!("request-{}", NUMBER.fetch_add(1, Ordering::Relaxed)).into(),
                user_agent: None,
                referer: None,
                tls: Some(Arc::new(Tls {
                    version: "TLSv1.3",
                    cipher_suite: "TLS_AES_256_GCM_SHA384".to_owned(),
                    key_exchange: None,
                })),
                host: None,
                received_at: self.live.clock.now(),
                deadline: Instant::now() + PATIENCE,
            },
        })
    }

    async fn send(&self, prepared: Prepared) -> Answered {
        let to = match prepared.effect {
            Effect::Read => &self.live.local,
            Effect::Write => self.live.region.owner(prepared.owner).expect("the region was not started"),
        };
        prepared.send(to).await.expect("the key manager is gone")
    }

    async fn answered(&self, answered: Answered, effect: Effect) -> Answer {
        let Answered { outcome, entry } = answered;
        match outcome {
            Ok(reply) => {
                let record: HandedIn = entry.close(Ok(reply.elements.as_deref())).unwrap();
                let position = record.written().await.unwrap();
                if effect == Effect::Write {
                    self.live.region.synced(position).await.unwrap();
                }
                let body = serde_json::from_slice(&reply.body).unwrap();
                Answer { code: "OK", message: String::new(), body, request_id: String::new(), by_endpoint: false }
            }
            Err(error) => {
                drop(entry.close(Err(&error)).unwrap());
                refused(&error, false)
            }
        }
    }

    fn turned(&self, turned: Turned) -> Answer {
        let Turned { error, entry, by_endpoint } = turned;
        match &error {
            KmsError::Throttled { .. } => self.live.counted.lock().unwrap().add(entry, &error).unwrap(),
            _ => drop(entry.close(Err(&error)).unwrap()),
        }
        refused(&error, by_endpoint)
    }
}

fn refused(error: &KmsError, by_endpoint: bool) -> Answer {
    let message = error.message();
    Answer { code: error.code().as_str(), message, body: json!(null), request_id: String::new(), by_endpoint }
}

/// The errors that AWS says an operation has, those that every AWS JSON service has, and the listed ones of ours.
fn allowed_codes(operation: &str) -> Vec<String> {
    static FRAMEWORK: LazyLock<Vec<String>> = LazyLock::new(|| {
        let facts = json_fixture("model/facts.json");
        facts["framework_errors"].as_object().unwrap().keys().cloned().collect()
    });
    static OURS: LazyLock<Rows> = LazyLock::new(|| Rows::read("errors_beyond_model.tsv"));
    let model = OperationModel::find(operation).unwrap();
    let ours = OURS.rows.iter().filter(|row| row[0] == operation).map(|row| row[1].clone());
    model.errors.iter().map(|code| code.as_str().to_owned()).chain(FRAMEWORK.iter().cloned()).chain(ours).collect()
}
