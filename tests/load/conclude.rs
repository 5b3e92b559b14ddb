//! What a call that ended means: whether it counts, what it showed, what comes next, or which promise it broke.
//! Knows what was asked and what came; makes no call.

use std::collections::BTreeMap;
use std::time::Instant;

use bytes::Bytes;

use crate::call::Called;
use crate::checks::Check;
use crate::checks::answer::{Expect, Finding, Made};
use crate::checks::revocation::{Period, Watch};
use crate::operations::Operation;
use crate::record::Violation;
use crate::scene::{Key, Scene, count};

const EVIDENCE_BYTES_MAX: usize = 400;

/// One call that is to be made.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) operation: Operation,
    pub(crate) account: usize,
    /// The key's place in the scene.
    pub(crate) key: Option<usize>,
    pub(crate) body: Bytes,
    pub(crate) expect: Expect,
}

#[derive(Debug)]
pub(crate) enum Conclusion {
    Succeeded {
        next: Option<Ask>,
    },
    Failed,
    /// Refused as the load generator meant it to be; it is no failure of the service, and no success either.
    Refused,
    Broken(Box<Violation>),
}

/// Who looks at calls, and from when they count their times.
#[derive(Clone, Copy)]
pub(crate) struct Judge<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) endpoints: &'a [crate::wire::Place],
    pub(crate) start: Instant,
}

impl Judge<'_> {
    /// `lucky` looks at an answer that is one of many alike.
    pub(crate) fn conclude(&self, ask: &Ask, called: &Called, lucky: bool) -> Conclusion {
        let key = self.scene.key(ask.key);
        if called.unanswered && matches!(ask.expect, Expect::NewKey) {
            self.scene.ledger.fate_unknown();
        }
        match &called.error {
            None => self.success(ask, called, key, lucky),
            Some(code) => self.failure(ask, called, key, code),
        }
    }

    fn success(&self, ask: &Ask, called: &Called, key: Option<&Key>, lucky: bool) -> Conclusion {
        if let Some(watch) = key.and_then(|key| key.watch.as_ref()) {
            if let Some(period) = watch.broken_by(called.begun, called.ended) {
                return self.after_revocation(ask, called, watch, period);
            }
            count(self.scene, Check::SucceededInBetween);
        }
        let sampled = ask.expect.may_be_sampled() && key.is_some_and(|key| !key.pool.wants(lucky));
        if sampled {
            return Conclusion::Succeeded { next: None };
        }
        let body = called.answer.as_ref().map(|answer| &answer.body[..]).unwrap_or_default();
        match ask.expect.judge(key, self.scene.signing, body) {
            Ok(finding) => self.found(ask, key, finding),
            Err(what) => self.broken(ask, called, what, []),
        }
    }

    fn failure(&self, ask: &Ask, called: &Called, key: Option<&Key>, code: &str) -> Conclusion {
        if let Some(check) = ask.expect.wanted(code) {
            count(self.scene, check);
            return Conclusion::Refused;
        }
        let watch = key.and_then(|key| key.watch.as_ref());
        if watch.is_some_and(|watch| watch.excuses(code, called.begun, called.ended)) {
            count(self.scene, Check::RefusedWhileRevoked);
            return Conclusion::Refused;
        }
        if called.unanswered && ask.expect.was_done_before(code) {
            return match ask.expect.judge(key, self.scene.signing, b"{}") {
                Ok(finding) => self.found(ask, key, finding),
                Err(_) => Conclusion::Failed,
            };
        }
        match ask.expect.judge_error(code).filter(|_| key.is_some()) {
            Some(what) => self.broken(ask, called, what.to_owned(), []),
            None => Conclusion::Failed,
        }
    }

    fn found(&self, ask: &Ask, key: Option<&Key>, finding: Finding) -> Conclusion {
        if let Some(check) = finding.check {
            count(self.scene, check);
        }
        if let (Some(sample), Some(key)) = (finding.sample, key) {
            key.pool.add(sample);
        }
        match finding.made {
            Some(Made::Key(id)) => self.scene.ledger.key_made(ask.account, &id),
            Some(Made::Alias(name)) => self.scene.ledger.alias_made(ask.account, &name),
            Some(Made::AliasGone(name)) => self.scene.ledger.alias_gone(&name),
            None => {}
        }
        let next = finding.next.map(|(operation, body, expect)| Ask {
            operation,
            account: ask.account,
            key: ask.key,
            body: body.into(),
            expect,
        });
        Conclusion::Succeeded { next }
    }

    fn after_revocation(&self, ask: &Ask, called: &Called, watch: &Watch, period: Period) -> Conclusion {
        let how = watch.how.name();
        let what = format!("a call succeeded that began after {how} had been answered");
        let at = |when: Option<Instant>| when.map_or("-".to_owned(), |when| self.time(when));
        let times = [
            ("revoked by", how.to_owned()),
            ("revocation sent", self.time(period.asked)),
            ("revocation answered", at(period.revoked)),
            ("restoring sent", at(period.restoring)),
        ];
        self.broken(ask, called, what, times)
    }

    fn broken<const N: usize>(
        &self,
        ask: &Ask,
        called: &Called,
        what: String,
        more: [(&str, String); N],
    ) -> Conclusion {
        let mut evidence = BTreeMap::from([
            ("operation", ask.operation.name().to_owned()),
            ("account", self.scene.accounts.get(ask.account).map(|account| account.name.clone()).unwrap_or_default()),
            ("key", self.scene.key(ask.key).map_or("-".to_owned(), |key| key.arn.clone())),
            ("endpoint", self.endpoints.get(called.endpoint).map(|place| place.url.clone()).unwrap_or_default()),
            ("call began", self.time(called.begun)),
            ("call ended", self.time(called.ended)),
            ("request", shortened(&ask.body)),
        ]);
        if let Some(answer) = &called.answer {
            evidence.insert("status", answer.status.to_string());
            evidence.insert("answer", shortened(&answer.body));
            evidence.insert("request id", answer.request_id.clone().unwrap_or_else(|| "-".to_owned()));
        }
        evidence.extend(more);
        let evidence = evidence.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Conclusion::Broken(Box::new(Violation { what, evidence }))
    }

    /// A time as evidence shows it, to the microsecond.
    fn time(&self, at: Instant) -> String {
        format!("{:.6} s after the start", at.saturating_duration_since(self.start).as_secs_f64())
    }
}

fn shortened(body: &[u8]) -> String {
    String::from_utf8_lossy(body.get(..EVIDENCE_BYTES_MAX).unwrap_or(body)).into_owned()
}

#[cfg(test)]
mod tests;
