//! Faults: each of them at each point where it can strike, and random schedules of them, with
//! redelivery. After every delivery the invariants of [`delivery`] hold.

mod delivery;
mod environment;
mod matrix;
mod random;
mod sandbox;
