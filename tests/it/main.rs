//! One integration binary; each module is one suite.

mod model;
mod readme;
mod tidy;
