//! One integration binary; each module is one suite.

mod model;
mod tidy;
