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

use futures_util::StreamExt;
use permission_broker::local::control_plane::Fault;

/// Plays schedules, a few at a time: what waits does not wait for all the others to be set up.
async fn all(schedules: Vec<impl Future<Output = ()>>) {
    futures_util::stream::iter(schedules).buffer_unordered(24).collect().await
}
