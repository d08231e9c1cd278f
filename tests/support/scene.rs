//! A broker with everything around it in the hands of a test.

use std::time::{Duration, SystemTime};

use permission_broker::audit::Audit;
use permission_broker::broker::{Broker, Invocation};
use permission_broker::local::control_plane::{Call, ControlPlane, Operation};
use permission_broker::local::stage::{self, ALLOWLIST, FUNCTION_ARN, WORLD};
use permission_broker::policy::Timing;
use serde_json::Value;
use tokio::time::Instant;

use super::door::{self, Door};
use super::{Reply, Sink};

/// Short pauses, and calls that even a busy machine ends in time.
pub(crate) const QUICK: Timing = Timing {
    call: Duration::from_secs(5),
    least_call: Duration::from_millis(5),
    grant: Duration::from_secs(10),
    least_grant: Duration::from_millis(20),
    reserve: Duration::from_millis(20),
    pause: Duration::from_millis(1),
    propagation: Duration::from_millis(5),
    settle: Duration::from_millis(5),
    pace: Duration::ZERO,
};

/// The same for tests that wait until a call is given up.
pub(crate) const HASTY: Timing = Timing { call: Duration::from_millis(250), ..QUICK };

/// A broker, its control plane and its audit.
pub(crate) struct Scene {
    pub(crate) broker: Broker,
    pub(crate) plane: ControlPlane,
    pub(crate) sink: Sink,
    /// What the time is.
    pub(crate) now: SystemTime,
}

impl Scene {
    /// The scene of the examples.
    pub(crate) async fn new() -> Self {
        Self::of(ControlPlane::from_world(WORLD).unwrap()).await
    }

    pub(crate) async fn of(plane: ControlPlane) -> Self {
        let sink = Sink::new(&plane);
        let mut broker = stage::broker(&plane, ALLOWLIST, Audit::new(sink.clone())).await.unwrap();
        broker.timing = QUICK;
        // 2026-03-02T09:15:22Z, when the envelopes of `door` were stamped.
        Self { broker, plane, sink, now: SystemTime::UNIX_EPOCH + Duration::from_secs(1_772_442_922) }
    }

    /// Hands a whole event to the broker.
    pub(crate) async fn invoke(&self, event: &[u8]) -> Reply {
        self.invoke_within(event, Duration::from_secs(15)).await
    }

    /// The same, in an invocation that ends so soon.
    pub(crate) async fn invoke_within(&self, event: &[u8], left: Duration) -> Reply {
        let deadline = Instant::now() + left;
        let invocation = Invocation { request_id: "request-1", function_arn: FUNCTION_ARN, deadline, now: self.now };
        Reply::of(self.broker.handle(event, &invocation).await)
    }

    /// Asks for one grant through a door.
    pub(crate) async fn ask(&self, door: Door, request: &Value) -> Reply {
        self.invoke(&door::event(door, request)).await
    }

    /// The audit records since the last time.
    pub(crate) fn records(&self) -> Vec<Value> {
        self.sink.take().into_iter().map(|written| written.line).collect()
    }

    /// The operations called since the last clearing, in order, by their names.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        operations(&self.plane)
    }

    /// The statements of one policy.
    pub(crate) fn statements(&self, arn: &str) -> Vec<Value> {
        let Some(policy) = self.plane.policy(arn) else { return Vec::new() };
        let policy: Value = serde_json::from_str(&policy).unwrap();
        policy["Statement"].as_array().unwrap().clone()
    }
}

/// The operations called, `add`, `read` and `remove` for short.
fn operations(plane: &ControlPlane) -> Vec<&'static str> {
    let name = |operation| match operation {
        Some(Operation::AddPermission | Operation::AddLayerVersionPermission) => "add",
        Some(Operation::GetPolicy | Operation::GetLayerVersionPolicy) => "read",
        Some(Operation::RemovePermission | Operation::RemoveLayerVersionPermission) => "remove",
        Some(Operation::PutEvents) => "put",
        Some(Operation::CreateSchedule) => "schedule",
        Some(Operation::GetSchedule) => "schedule-read",
        Some(Operation::DeleteSchedule) => "schedule-delete",
        Some(Operation::ListAliases | Operation::ListVersionsByFunction) => "list",
        _ => "other",
    };
    plane.calls().iter().map(|call| name(call.operation)).collect()
}

/// The writes that have arrived: changes of policies, and schedules that end a grant.
pub(crate) fn writes(plane: &ControlPlane) -> usize {
    let is_write = |call: &Call| match call.operation {
        Some(Operation::CreateSchedule) => call.path.starts_with("/schedules/until-"),
        operation => operation.is_some_and(Operation::is_change),
    };
    plane.calls().iter().filter(|call| is_write(call)).count()
}
