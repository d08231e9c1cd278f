//! What runs on this machine only: the embedded control plane, and what the command line does with it.
//! The deployed binary contains none of it.

pub mod check;
pub mod control_plane;
pub mod explain;
pub mod invariant;
mod loopback;
pub mod play;
pub mod progress;
pub mod report;
pub mod serve;
pub mod show;
pub mod stage;
