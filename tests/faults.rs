//! Faults: each of them at each point where it can strike, and random schedules of them, with
//! redelivery. After every delivery the invariants of [`delivery`] hold.

mod delivery;
mod environment;
mod kind;
mod matrix;
mod random;
mod sandbox;
mod subject;
mod swept;

use permission_broker::local::control_plane::Fault;
