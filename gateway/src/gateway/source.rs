//! Where one request comes from: its connection's source, unless a trusted edge attests another client of an endpoint.
//! Joins what the connection proved, what is attested and what the registry knows; parses no token itself.

use kms_core::clock::Timestamp;
use kms_core::error::KmsError;
use kms_core::request::{Proof, Source};

use super::{Failure, Worker};
use crate::attestation::{self, Presented, Unproved};
use crate::listener;
use crate::serve::Arrived;
use crate::wire::Protocol;

/// How a request is refused whose source is not proved: status, code and text. It says nothing of why.
pub(super) fn refusal(protocol: Protocol) -> (u16, &'static str, String) {
    let (status, code) = match protocol {
        Protocol::Json => (400, "AccessDeniedException"),
        Protocol::Query => (403, "AccessDenied"),
    };
    (status, code, "The source of the request could not be verified.".to_owned())
}

impl Worker {
    /// The proved source of a request. Two proofs that disagree prove nothing.
    pub(super) fn source(&self, arrived: &Arrived) -> Result<Source, Failure> {
        let mut tokens = arrived.headers.iter().filter(|(name, _)| *name == attestation::HEADER);
        let Some((_, token)) = tokens.next() else { return Ok(arrived.source.clone()) };
        let attested = match tokens.next() {
            None => self.attested(arrived, token, self.shared.region.clock().now()),
            Some(_) => Err(Unproved::Repeated),
        };
        attested.map_err(|unproved| {
            self.shared.metrics.attestation_refused(unproved.reason());
            match unproved {
                // The edge did nothing wrong, and another attempt may pass.
                Unproved::TooMany => Failure::Service(KmsError::Overloaded),
                _ => Failure::Source(unproved),
            }
        })
    }

    fn attested(&self, arrived: &Arrived, token: &[u8], now: Timestamp) -> Result<Source, Unproved> {
        let attested = self.shared.attestations.verify(&Presented {
            token,
            listener: arrived.connection.role.name(),
            from: arrived.source.address(),
            authorization: arrived.header("authorization"),
            now,
        })?;
        if arrived.source.endpoint().is_some_and(|id| id != &*attested.endpoint) {
            return Err(Unproved::Contradiction);
        }
        let proof = Proof::Attestation { key: attested.key().clone() };
        let source = Source::Endpoint { id: attested.endpoint.clone(), address: attested.address, proof };
        listener::admitted(&self.shared.region.view(), &source)?;
        attested.accept(now)?;
        Ok(source)
    }
}
