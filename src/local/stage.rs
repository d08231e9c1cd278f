//! A stage for the broker on this machine: the real handler and the real SDK over loopback, against
//! the embedded control plane, with the audit kept in memory to be shown.

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use aws_sdk_lambda::config::Credentials;
use serde_json::Value;
use serde_json::value::RawValue;
use tokio::time::Instant;

use super::control_plane::ControlPlane;
use crate::allowlist::Allowlist;
use crate::audit::Audit;
use crate::aws;
use crate::broker::{Broker, Invocation};
use crate::config::Aws;
use crate::connection::Connection;
use crate::event::{Door, Doors};
use crate::policy::Timing;
use crate::reply::Failure;
use crate::results::{Bus, Results};
use crate::schedule;

/// The functions and layers that exist in the examples.
pub const WORLD: &str = include_str!("world.json");

/// The allowlist of the examples.
pub const ALLOWLIST: &str = include_str!("allowlist.json");

/// The ARN under which the broker is invoked here.
pub const FUNCTION_ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:permission-broker";

/// The group that schedules are made in here.
const SCHEDULE_GROUP: &str = "permission-broker";

/// The time an invocation has here, as in the template.
const TIMEOUT: Duration = Duration::from_secs(15);

type Error = Box<dyn std::error::Error + Send + Sync>;

/// A broker with its control plane and its audit.
pub struct Stage {
    /// The broker.
    pub broker: Broker,
    /// Lambda, as far as the broker can tell.
    pub control_plane: ControlPlane,
    audit: Lines,
}

/// The audit lines written so far.
#[derive(Clone, Default)]
pub struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    /// Takes the lines written since the last time.
    pub fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        String::from_utf8_lossy(&bytes).lines().map(str::to_owned).collect()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Stage {
    /// Sets the stage of the examples, with every door open.
    pub async fn examples() -> Result<Self, Error> {
        Self::new(ControlPlane::from_world(WORLD)?, ALLOWLIST).await
    }

    /// Sets a stage with every door open.
    pub async fn new(control_plane: ControlPlane, allowlist: &str) -> Result<Self, Error> {
        let audit = Lines::default();
        let broker = broker(&control_plane, allowlist, Audit::new(audit.clone())).await?;
        Ok(Self { broker, control_plane, audit })
    }

    /// Hands an event to the broker, as Lambda would.
    pub async fn invoke(&self, request_id: &str, event: &[u8]) -> Result<Box<RawValue>, Failure> {
        self.invoke_at(SystemTime::now(), request_id, event).await
    }

    /// The same at a time.
    pub async fn invoke_at(&self, now: SystemTime, request_id: &str, event: &[u8]) -> Result<Box<RawValue>, Failure> {
        let deadline = Instant::now() + TIMEOUT;
        self.broker.handle(event, &Invocation { request_id, function_arn: FUNCTION_ARN, deadline, now }).await
    }

    /// The same for a person: what each request came to, and its records.
    pub async fn tell(&self, request_id: &str, event: &[u8]) -> Vec<(Box<RawValue>, Vec<String>)> {
        let deadline = Instant::now() + TIMEOUT;
        let now = SystemTime::now();
        let invocation = Invocation { request_id, function_arn: FUNCTION_ARN, deadline, now };
        let mut told = Vec::new();
        self.broker.tell(event, &invocation, |document| told.push((document, self.audit.take()))).await;
        told
    }

    /// The results published since the last time, each as it was sent.
    pub fn results(&self) -> Vec<Value> {
        self.control_plane.take_events()
    }

    /// The audit lines written since the last time.
    pub fn audit(&self) -> Vec<String> {
        self.audit.take()
    }
}

/// A broker whose AWS is a control plane on this machine.
pub async fn broker(control_plane: &ControlPlane, allowlist: &str, audit: Audit) -> Result<Broker, Error> {
    let problems = |problems: Vec<crate::allowlist::Problem>| {
        problems.iter().map(|problem| format!("allowlist: {problem}")).collect::<Vec<_>>().join("\n")
    };
    let allowlist = Allowlist::parse(allowlist).map_err(problems)?;
    let aws = place(control_plane.add_schedule_group(SCHEDULE_GROUP)).await?;
    let schedule = schedule::Place {
        group: SCHEDULE_GROUP.to_owned(),
        role: "arn:aws:iam::123456789012:role/permission-broker-schedules".to_owned(),
        dead_letters: None,
    };
    let connection = Connection::new(None)?;
    let schedules = aws::schedules_with(&aws, Some(schedule), connection.another(), credentials());
    let client = aws::client_with(&aws, connection, credentials());
    // Nobody else calls this control plane, so there is nothing to wait for.
    let timing = Timing { settle: Duration::ZERO, pace: Duration::ZERO, ..Timing::DEPLOYED };
    let doors = Doors::new(Door::ALL);
    let allowlist = allowlist.into();
    Ok(Broker { client, allowlist, doors, audit, reads_first: false, results: None, schedules, timing })
}

/// The way to an event bus of a control plane, for a broker that publishes its results.
pub async fn results(control_plane: &ControlPlane, bus: &str) -> Result<Results, Error> {
    let aws = place(control_plane).await?;
    let bus = Bus::parse(bus, &aws.region).ok_or("this is no name of an event bus")?;
    Ok(Results::new(bus, aws::events_with(&aws, Connection::new(None)?, credentials())))
}

/// Where a control plane is, for every service that it plays.
async fn place(control_plane: &ControlPlane) -> Result<Aws, Error> {
    let url = Some(control_plane.start().await?);
    Ok(Aws {
        region: "us-east-1".to_owned(),
        endpoint: url.clone(),
        events_endpoint: url.clone(),
        schedules_endpoint: url,
        authorities: None,
    })
}

/// The control plane looks for a signature, not at it.
fn credentials() -> Credentials {
    Credentials::new("AKIAIOSFODNN7EXAMPLE", "example", None, None, "example")
}
