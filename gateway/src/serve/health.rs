//! What a balancer may ask on a connection of its own: whether to send requests here, and nothing else.
//! Knows two paths; whether all is well, the service says. The details are for the operations port.

use super::Answer;
use crate::wire;

/// The answer, with the name and the code under which it is counted.
pub(super) fn answer(method: &str, path: &str, is_well: bool) -> (&'static str, &'static str, Answer) {
    let is_health = matches!(method, "GET" | "HEAD") && matches!(path, "/health" | "/ready");
    match (is_health, is_well) {
        (true, true) => ("health", "OK", found(200, "ok")),
        (true, false) => ("health", "OutOfService", found(503, "out of service")),
        (false, _) => {
            let text = "This connection names no client and may ask for health only.";
            let answer = Answer { close: true, ..wire::error(403, DENIED, text) };
            ("unknown", DENIED, answer)
        }
    }
}

const DENIED: &str = "AccessDeniedException";

fn found(status: u16, said: &str) -> Answer {
    let body = format!(r#"{{"status":"{said}"}}"#).into_bytes();
    Answer { status, headers: vec![("content-type", "application/json".into())], body, close: false }
}
