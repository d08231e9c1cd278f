//! Reading a policy.

use aws_sdk_lambda::Client;

use super::call::{self, Failure, Hint};
use super::{Budget, Ending, Fill, MOST_ATTEMPTS, Written};
use crate::asked::Given;
use crate::error::Code;
use crate::outcome::Outcome;

/// A policy as it was seen, and how the calls went.
pub(crate) struct Seen {
    pub(crate) written: Written,
    /// The document, if AWS answered with one.
    pub(crate) document: Option<String>,
    /// Whether AWS said that the target is there and has no policy; of functions it never does.
    pub(crate) no_policy: bool,
    /// Whether AWS said that the target is not there; of functions only its lists do.
    pub(crate) missing: bool,
}

/// Reads a target's policy.
pub(crate) async fn read(client: &Client, given: &Given, budget: Budget) -> Seen {
    let mut written = Written::new();
    for attempt in 1..=MOST_ATTEMPTS {
        let Some(time) = budget.of_call() else { break };
        let answer = call::read(client, given, time).await;
        written.note_read(&answer);
        let (code, after) = match answer.result {
            // A success without the policy says nothing about it, and neither does a 404 without AWS's name and text: on
            // their strength nothing is passed over.
            Ok(policy) if policy.document.is_empty() => (Code::Unavailable, None),
            Err(Failure::Final(Code::TargetNotFound)) if answer.cut_short => (Code::Unavailable, None),
            Ok(policy) => {
                written.ending = Ending::Done(Outcome::Read);
                written.revision_id = policy.revision_id;
                written.policy = Some(Fill::of(Some(&policy.document)));
                return Seen { written, document: Some(policy.document), no_policy: false, missing: false };
            }
            Err(Failure::Final(code)) => {
                written.ending = Ending::Not(code);
                let says = |hint| answer.hint == Some(hint);
                let (no_policy, missing) = (says(Hint::NoPolicy), says(Hint::NoLayerVersion));
                return Seen { written, document: None, no_policy, missing };
            }
            Err(Failure::Throttled(after)) => (Code::Throttled, after),
            Err(_) => (Code::Unavailable, None),
        };
        written.ending = Ending::Not(code);
        let pause = budget.pause(attempt + 1).max(after.unwrap_or_default());
        if attempt == MOST_ATTEMPTS || !budget.wait(pause).await {
            break;
        }
    }
    Seen { written, document: None, no_policy: false, missing: false }
}
