//! An outcome's line as the detail of an event: the same members under the same names, as far as
//! they are of use to whoever follows from outside.

use serde::Serialize;

use super::{Line, Parties, Reason};
use crate::audit::Case;
use crate::audit::text::ascii;
use crate::grant::Fingerprint;
use crate::outcome::Outcome;
use crate::request::Operation;
use crate::results::{DETAIL_VERSION, EXPIRED, Event, detail_type};

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Detail<'a> {
    version: u32,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    door: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    requester: Option<&'a str>,
    operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement_id: Option<&'a str>,
    #[serde(flatten)]
    parties: Option<&'a Parties<'a>>,
    /// Of the statement that stands, or that was taken away.
    #[serde(skip_serializing_if = "Option::is_none")]
    fingerprint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    takes_back: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retryable: Option<bool>,
    #[serde(skip_serializing_if = "<[Reason<'_>]>::is_empty")]
    errors: &'a [Reason<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    policy_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
}

impl Line<'_> {
    /// The event that tells of this outcome; none of what changes nothing by intention, and of what was not read
    /// as far as its operation: that could be anything, a result that somebody has rewritten included.
    pub(in crate::audit) fn event(&self, case: &Case<'_>, stored: Option<&Fingerprint>) -> Option<Event> {
        let operation = case.operation.filter(|_| !case.dry_run)?;
        if matches!(operation, Operation::GetPolicy | Operation::GetLayerVersionPolicy) {
            return None;
        }
        let about = self.asked.as_ref();
        let statement_id = about.and_then(|about| about.statement_id);
        // What is carried over is told statement by statement; that it went well as a whole adds nothing.
        if self.code.is_none() && statement_id.is_none() {
            return None;
        }
        let outcome = self.ended?;
        let detail = Detail {
            version: DETAIL_VERSION,
            request_id: &self.request_id,
            event_id: self.event_id.as_deref(),
            door: self.door,
            requester: self.requester.as_deref(),
            operation: operation.as_str(),
            target: about.map(|about| &*about.target),
            statement_id,
            parties: about.and_then(|about| about.parties.as_ref()),
            fingerprint: stored.map(Fingerprint::as_str),
            expires_at: about.and_then(|about| about.expires_at.as_deref()),
            reason: about.and_then(|about| about.reason.as_deref()),
            takes_back: about.is_some_and(|about| about.takes_back),
            rule: self.rule,
            outcome: outcome.as_str(),
            code: self.code,
            retryable: self.retryable,
            errors: &self.errors,
            policy_bytes: self.written.as_ref().and_then(|calls| calls.policy_bytes),
            duration_ms: self.duration_ms,
        };
        let detail = String::from_utf8(ascii(&detail).ok()?).ok()?;
        let target = about.map(|about| about.target.to_string());
        let by_time = matches!(operation, Operation::Expire | Operation::Sweep) && outcome == Outcome::Revoked;
        let detail_type = if by_time { EXPIRED } else { detail_type(outcome)? };
        Some(Event { detail_type, detail, target })
    }
}
