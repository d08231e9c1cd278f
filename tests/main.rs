//! One integration binary; each module tests one behaviour of the whole.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod audit;
mod control_plane;
mod deadline;
mod faults;
mod floods;
mod support;
mod write;
