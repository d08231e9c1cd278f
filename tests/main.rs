//! One integration binary; each module tests one behaviour of the whole.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod allowlist;
mod appconfig;
mod audit;
mod carry;
mod cli;
mod config;
mod connection;
mod control_plane;
mod corpus;
mod deadline;
mod doors;
mod events;
mod faults;
mod floods;
mod hostile;
mod lambda;
mod life;
mod metrics;
mod openapi;
mod readme;
mod report;
mod results;
mod rules;
mod secrets;
mod simulation;
mod statement_id;
mod support;
mod template;
mod write;
