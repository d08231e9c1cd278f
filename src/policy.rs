//! The careful write: a change is made once, or its ending is known, or it is said to be unknown.
//!
//! Rules, each with its reason:
//! * The SDK's retries are off. A write that is sent again in silence could hide what happened.
//! * 409 is never believed by its text: AWS uses it for a taken statement id and for a concurrent
//!   update. The policy is read and the statement compared by meaning.
//! * A write whose answer was lost, cannot be read, or is another success than the documented one, is
//!   looked up before anything is sent again.
//!   Until it is seen, or another statement in its place, the ending is called unknown.
//! * No call starts that cannot end, and be recorded, before the invocation's deadline.
//!
//! # In company
//!
//! Parallel writes to one policy have overwritten each other at AWS, all of them answered 201. Against
//! that no answer helps, and neither does a read at once: a write that began before ours may still be
//! on its way and undo it. What helps is to wait until such a write has ended ([`Timing::settle`]), and
//! then to see the statement in the policy; a lost one is added again, or fails so that its event
//! comes again.
//!
//! One sandbox cannot know what others do, so it goes by what it sees. It takes itself to be in company
//! behind the queue, the door for many grants at once, and on any door after a 409 that turned out to
//! be a concurrent update. There, `granted` and `already_granted` are said of a settled read alone; it
//! costs a pause and one read for each new grant. Elsewhere a grant is one call, and what is not
//! promised is that AWS keeps a write which it has confirmed. A revoke goes by the same rules.

mod add;
mod both;
mod budget;
mod call;
mod fill;
mod list;
mod preview;
mod read;
mod remove;

use std::time::Duration;

use crate::error::Code;
use crate::outcome::Outcome;
use crate::secret::Secrets;
use crate::statement::Statement;
pub(crate) use add::{Before, add};
pub(crate) use both::{Met, Named, Other, Refused, meet_both, preview_both};
pub use budget::{Budget, Timing};
pub(crate) use call::{Answer, Failure, StatusKept, answer, shown, word};
pub(crate) use fill::Fill;
pub use fill::MOST_BYTES;
#[cfg(feature = "local")]
pub(crate) use fill::NEARLY_FULL;
pub(crate) use list::{List, Page};
pub(crate) use preview::{foreseen, met, preview, preview_revoke};
pub(crate) use read::{Seen, read};
pub(crate) use remove::{Unless, remove, take_back};

/// Tries of one change, the first included.
pub const MOST_ATTEMPTS: u32 = 3;

/// Reads after one write, if the policy cannot be read at first.
const MOST_READS: u32 = 2;

/// What the policy is known to hold now.
pub(crate) enum Ending {
    /// `granted`, `already_granted`, `revoked` or `already_revoked`.
    Done(Outcome),
    /// Anything else.
    Not(Code),
}

/// What the next step is.
enum Step {
    End(Ending),
    /// Try again after a pause; the code is the ending if there is no other try.
    Again(Code, Duration),
}

/// How a change went, for the audit and the reply.
pub(crate) struct Written {
    pub(crate) ending: Ending,
    /// Writes that were sent.
    pub(crate) attempts: u32,
    /// Each call in order: `add`, `remove` or `read`, and how it was answered.
    pub(crate) calls: Vec<String>,
    /// AWS's request id of the last write, or of a read where that write was not answered.
    pub(crate) aws_request_id: Option<String>,
    /// AWS's own error code, where it refused the last write or a read after it.
    pub(crate) aws_code: Option<String>,
    /// The revision of the policy, where AWS told it.
    pub(crate) revision_id: Option<String>,
    /// The statement that stands under the id, or that was taken away, if known.
    pub(crate) statement: Option<Statement>,
    /// What AWS would be asked to store, if nothing stood in the way; of a dry run.
    pub(crate) would_store: Option<Statement>,
    /// Whether the ending was confirmed by reading the policy, not by AWS's answer to the write alone.
    pub(crate) confirmed_by_read: bool,
    /// Whether a write of ours may have been carried out without anybody having seen it.
    pub(crate) unclear: bool,
    /// Whether it is done, but was not seen to stand beside the other statement of its request.
    pub(crate) alone: bool,
    /// Whether it was not come to, as the schedule that would end it could not be made.
    pub(crate) unbounded: bool,
    /// Whether AWS's rendering of the statement means something else than was asked.
    pub(crate) differs: bool,
    /// The statements that name a principal which is no more, where that stands in the way.
    pub(crate) blamed: Vec<String>,
    /// How full the policy is, where it was read.
    pub(crate) policy: Option<Fill>,
}

impl Written {
    /// Drops those words of AWS that repeat a secret.
    pub(crate) fn withhold(&mut self, secrets: &Secrets) {
        for call in &mut self.calls {
            *call = secrets.hide(call.as_str().into()).into_owned();
        }
        for word in [&mut self.aws_request_id, &mut self.aws_code, &mut self.revision_id] {
            word.take_if(|word| secrets.are_in(word));
        }
        self.blamed.retain(|sid| !secrets.are_in(sid));
        if let Some(policy) = &mut self.policy {
            policy.withhold(secrets);
        }
    }

    /// The outcome, or the code that stands in its place.
    pub(crate) fn ending(&self) -> Result<Outcome, Code> {
        match self.ending {
            Ending::Done(outcome) => Ok(outcome),
            Ending::Not(code) => Err(code),
        }
    }

    fn new() -> Self {
        Self::none(Code::TimedOut)
    }

    /// Nothing was sent.
    pub(crate) fn none(code: Code) -> Self {
        Self::ended(Ending::Not(code))
    }

    /// An ending without calls of its own.
    pub(crate) fn ended(ending: Ending) -> Self {
        Self {
            ending,
            attempts: 0,
            calls: Vec::new(),
            aws_request_id: None,
            aws_code: None,
            revision_id: None,
            statement: None,
            would_store: None,
            confirmed_by_read: false,
            unclear: false,
            alone: false,
            unbounded: false,
            differs: false,
            blamed: Vec::new(),
            policy: None,
        }
    }

    /// The same with another ending.
    pub(crate) fn but(self, code: Code) -> Self {
        Self { ending: Ending::Not(code), ..self }
    }

    /// The write is what the audit and CloudTrail have in common, so its id and code are kept.
    fn note_write<T>(&mut self, verb: &str, answer: &Answer<T>) {
        self.calls.push(format!("{verb}:{}", answer.seen));
        self.aws_request_id.clone_from(&answer.request_id);
        self.aws_code.clone_from(&answer.aws_code);
    }

    /// A read's id stands in for that of a write which was never answered.
    fn note_read(&mut self, answer: &Answer<call::Policy>) {
        self.calls.push(format!("read:{}", answer.seen));
        if self.aws_request_id.is_none() {
            self.aws_request_id.clone_from(&answer.request_id);
        }
        if answer.aws_code.is_some() {
            self.aws_code.clone_from(&answer.aws_code);
        }
    }
}
