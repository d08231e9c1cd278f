//! The broker as it is deployed, but for AWS, which is answered from memory, and the audit, which goes nowhere.

use std::time::Duration;

use aws_sdk_lambda::config::Credentials;
use permission_broker::audit::Audit;
use permission_broker::aws::client_with;
use permission_broker::broker::{Broker, Invocation};
use permission_broker::config::Config;
use permission_broker::policy::Timing;
use tokio::time::Instant;

use crate::Failure;
use crate::aws::Lambda;

/// Under which name the broker is invoked.
pub(crate) const FUNCTION_ARN: &str = "arn:aws:lambda:us-east-1:123456789012:function:permission-broker";

/// A broker over a Lambda of one's own.
pub(crate) fn broker(allowlist: &str, lambda: Lambda) -> Result<Broker, Failure> {
    let variables = [("AWS_REGION", "us-east-1"), ("BROKER_ALLOWLIST", allowlist)];
    let config = Config::read(variables.map(|(name, value)| (name.to_owned(), value.to_owned())))?;
    let credentials = Credentials::new("AKIAIOSFODNN7EXAMPLE", "example", None, None, "example");
    let client = client_with(&config.aws, lambda, credentials);
    let timing = Timing::DEPLOYED;
    let (allowlist, doors, reads_first) = (config.allowlist, config.doors, config.policy_budget);
    let audit = Audit::new(std::io::sink());
    Ok(Broker { client, allowlist, doors, audit, reads_first, results: None, schedules: None, timing })
}

/// Hands the broker an event; the reply has to hold a text.
pub(crate) async fn invoke(broker: &Broker, event: &str, wanted: &str) -> Result<(), Failure> {
    let deadline = Instant::now() + Duration::from_secs(15);
    let invocation =
        Invocation { request_id: "one", function_arn: FUNCTION_ARN, deadline, now: std::time::SystemTime::now() };
    let reply = broker.handle(event.as_bytes(), &invocation).await.map_err(|_| "the invocation failed")?;
    if reply.get().contains(wanted) { Ok(()) } else { Err(format!("no {wanted} in {}", reply.get()).into()) }
}
