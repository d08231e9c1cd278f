//! One integration binary; each module tests one behaviour of the whole.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod config;
mod control_plane;
mod hostile;
mod lambda;
mod secrets;
mod support;
mod template;
