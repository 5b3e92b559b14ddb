//! The parts of the table, in its order. Each starts what it needs and adds its rows; none knows of another.

mod decision;
mod durable;
mod overload;
mod request;
mod scale;
mod signing;
mod tail;
mod tenants;
mod trio;

use clap::ValueEnum;

use crate::Outcome;
use crate::plan::Stage;

/// A part that can be asked for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Section {
    /// CPU time per request and requests per second
    Request,
    /// p99 over p50 at half of the maximum
    Tail,
    /// More than the service can do
    Overload,
    /// One account over its quota, and another one
    Tenants,
    /// Sign, once the service has it
    Signing,
    /// A policy decision
    Decision,
    /// CreateKey of one writer and of 64
    Durable,
    /// Ten keys and many; needs --scale
    Scale,
}

type Measure = fn(&mut Stage) -> Outcome<()>;

/// In the order of the table.
pub(crate) const SECTIONS: &[(Section, Measure)] = &[
    (Section::Request, request::measure),
    (Section::Tail, tail::measure),
    (Section::Overload, overload::measure),
    (Section::Tenants, tenants::measure),
    (Section::Signing, signing::measure),
    (Section::Decision, decision::measure),
    (Section::Durable, durable::measure),
    (Section::Scale, scale::measure),
];
