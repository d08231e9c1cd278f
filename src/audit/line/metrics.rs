//! Metrics out of an outcome's line: a member that tells CloudWatch Logs which members are metrics, and which
//! are their dimensions (CloudWatch Embedded Metric Format). The line is written anyway, so that a metric costs neither
//! a call nor a line.
//!
//! Each value of a dimension is a metric that is paid for, so that every dimension stands alone and has few values;
//! what a person asks of one requester or target, the line itself answers.

use std::time::SystemTime;

use serde::Serialize;

use super::Line;
use crate::audit::Case;

/// Where the metrics are, before the name of the broker's function.
const NAMESPACE: &str = "PermissionBroker";

/// How long requests took; and, by its number of samples, how many there were.
const DURATION: Metric = Metric { name: "durationMs", unit: "Milliseconds" };

/// Writes that were sent for a request; more than one means that AWS was asked again.
const ATTEMPTS: Metric = Metric { name: "attempts", unit: "Count" };

/// How full the policy is, was before a grant, and what room is left in it.
const POLICY: Metric = Metric { name: "policyBytes", unit: "Bytes" };
const POLICY_BEFORE: Metric = Metric { name: "policyBytesBefore", unit: "Bytes" };
const POLICY_LEFT: Metric = Metric { name: "policyBytesLeft", unit: "Bytes" };

/// The member `_aws`.
#[derive(Serialize)]
pub(super) struct Metrics {
    #[serde(rename = "Timestamp")]
    milliseconds: u64,
    #[serde(rename = "CloudWatchMetrics")]
    directives: Vec<Directive>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: String,
    dimensions: Vec<&'static [&'static str]>,
    metrics: Vec<Metric>,
}

#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

impl Line<'_> {
    /// The line with its metrics. Only members that it has are named, as the format demands.
    pub(in crate::audit) fn measured(self, case: &Case<'_>) -> Self {
        let Some(own) = case.own else { return self };
        let namespace = format!("{NAMESPACE}/{}", own.function());
        let single: [(&'static [&'static str], bool); 4] = [
            (&["outcome"], self.outcome.is_some()),
            (&["operation"], self.operation.is_some()),
            (&["door"], self.door.is_some()),
            (&["code"], self.code.is_some()),
        ];
        let dimensions = single.into_iter().filter(|(_, there)| *there).map(|(dimension, _)| dimension);
        let by = Directive {
            namespace: namespace.clone(),
            dimensions: std::iter::once(&[][..]).chain(dimensions).collect(),
            metrics: vec![DURATION],
        };
        let written = self.written.as_ref();
        let attempts = written.filter(|calls| calls.attempts > 0).map(|_| ATTEMPTS);
        let policy = written.filter(|calls| calls.policy_bytes.is_some()).map(|_| POLICY);
        let before = written.filter(|calls| calls.policy_bytes_before.is_some()).map(|_| POLICY_BEFORE);
        let left = written.filter(|calls| calls.policy_bytes_left.is_some()).map(|_| POLICY_LEFT);
        let metrics = [attempts, policy, before, left].into_iter().flatten().collect();
        let whole = Directive { namespace, dimensions: vec![&[]], metrics };
        let milliseconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
        let milliseconds = u64::try_from(milliseconds).unwrap_or_default();
        let directives = [by, whole].into_iter().filter(|directive| !directive.metrics.is_empty()).collect();
        Self { metrics: Some(Metrics { milliseconds, directives }), ..self }
    }
}
