//! The careful write: a grant is added once, or its ending is known, or it is said to be unknown.
//!
//! Rules, each with its reason:
//! * The SDK's retries are off. A write that is sent again in silence could hide what happened.
//! * 409 is never believed by its text: AWS uses it for a taken statement id and for a concurrent
//!   update. The policy is read and the statement compared by meaning.
//! * A write whose answer was lost, or cannot be read, is looked up before anything is sent again.
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
//! promised is that AWS keeps a write which it has confirmed.

mod budget;
mod call;

use std::time::Duration;

use aws_sdk_lambda::Client;

use crate::audit::Intent;
use crate::error::Code;
use crate::event::Door;
use crate::outcome::Outcome;
use crate::secret::Secrets;
use crate::statement::{Found, Statement, find};
pub use budget::{Budget, Timing};
use call::{Answer, Failure};

/// Tries of one grant, the first included.
pub const MOST_ATTEMPTS: u32 = 3;

/// Reads after one write, if the policy cannot be read at first.
const MOST_READS: u32 = 2;

/// What the policy is known to hold now.
pub(crate) enum Ending {
    /// `granted` or `already_granted`.
    Done(Outcome),
    /// Anything else.
    Not(Code),
}

/// How a grant went, for the audit and the reply.
pub(crate) struct Written {
    pub(crate) ending: Ending,
    /// Writes that were sent.
    pub(crate) attempts: u32,
    /// Each call in order: `add` or `read`, and how it was answered.
    pub(crate) calls: Vec<String>,
    /// AWS's request id of the last write, or of a read where that write was not answered.
    pub(crate) aws_request_id: Option<String>,
    /// AWS's own error code, where it refused the last write or a read after it.
    pub(crate) aws_code: Option<String>,
    /// The revision of the policy, where AWS told it.
    pub(crate) revision_id: Option<String>,
    /// The statement that stands under the id, if known.
    pub(crate) statement: Option<Statement>,
    /// Whether the grant was confirmed by reading the policy, not by AWS's answer to the write alone.
    pub(crate) confirmed_by_read: bool,
    /// Whether AWS's rendering of the statement means something else than was asked.
    pub(crate) differs: bool,
}

/// Adds the statement that an intent stands for.
pub(crate) async fn write(client: &Client, intent: &Intent<'_>, budget: Budget) -> Written {
    let expected = Statement::expected(intent.approved());
    let company = intent.door() == Some(Door::Sqs);
    let mut attempt =
        Attempt { client, intent, budget, expected, company, unconfirmed: false, written: Written::new() };
    let ending = match attempt.run().await {
        // A write that may have arrived is never called failed for another reason.
        Ending::Not(code) if attempt.unconfirmed && !tells_what_stands(code) => Ending::Not(Code::OutcomeUnknown),
        ending => ending,
    };
    Written { ending, ..attempt.written }
}

/// Whether an ending says what stands under the statement id, so that nothing is open.
fn tells_what_stands(code: Code) -> bool {
    matches!(code, Code::StatementConflict | Code::StatementDiffers)
}

struct Attempt<'a> {
    client: &'a Client,
    intent: &'a Intent<'a>,
    budget: Budget,
    /// What the statement looks like in the policy.
    expected: Statement,
    /// Whether others write to the policy at the same time, as far as is known.
    company: bool,
    /// Whether a write was sent of which it is not known that it stands: the statement may be ours.
    unconfirmed: bool,
    written: Written,
}

/// What the next step is.
enum Step {
    End(Ending),
    /// Try again after a pause; the code is the ending if there is no other try.
    Again(Code, Duration),
}

impl Attempt<'_> {
    async fn run(&mut self) -> Ending {
        let mut last = Code::TimedOut;
        while self.written.attempts < MOST_ATTEMPTS {
            let Some(time) = self.budget.of_call() else { break };
            self.written.attempts += 1;
            let answer = call::add(self.client, self.intent.approved(), time).await;
            match self.judge(answer).await {
                Step::End(ending) => return ending,
                Step::Again(code, pause) => {
                    last = code;
                    if self.written.attempts == MOST_ATTEMPTS || !self.budget.wait(pause).await {
                        break;
                    }
                }
            }
        }
        Ending::Not(last)
    }

    async fn judge(&mut self, answer: Answer<call::Added>) -> Step {
        self.note_add(&answer);
        match answer.result {
            Ok(added) => self.added(added).await,
            Err(Failure::NotSent) => Step::Again(Code::Unavailable, self.pause(None)),
            Err(Failure::Throttled(after)) => Step::Again(Code::Throttled, self.pause(after)),
            Err(Failure::Unclear) => {
                self.unconfirmed = true;
                self.look(Code::OutcomeUnknown, Code::OutcomeUnknown).await
            }
            Err(Failure::Taken) => {
                let step = self.look(Code::OutcomeUnknown, Code::Unavailable).await;
                // Our id is not there, so 409 meant that somebody else is writing.
                self.company |= matches!(step, Step::Again(..));
                step
            }
            Err(Failure::Revision) => match self.look(Code::RevisionChanged, Code::RevisionChanged).await {
                Step::Again(code, _) => Step::End(Ending::Not(code)),
                end => end,
            },
            Err(Failure::Final(code)) => Step::End(Ending::Not(code)),
        }
    }

    /// AWS answered 201. Its rendering is believed if it is our statement; an answer that cannot be
    /// read is no answer, and in company none is enough.
    async fn added(&mut self, added: call::Added) -> Step {
        self.written.revision_id = added.revision_id;
        let ours = added.statement.as_deref().and_then(Statement::parse).filter(|it| it.sid() == self.expected.sid());
        let Some(stored) = ours else {
            self.unconfirmed = true;
            return self.look(Code::OutcomeUnknown, Code::OutcomeUnknown).await;
        };
        if stored.is_wider_than(&self.expected) {
            self.written.statement = Some(stored);
            return Step::End(Ending::Not(Code::StatementDiffers));
        }
        self.written.differs |= stored != self.expected;
        if self.company {
            self.unconfirmed = true;
            self.expected = stored;
            return self.look(Code::OutcomeUnknown, Code::OutcomeUnknown).await;
        }
        self.written.statement = Some(stored);
        Step::End(Ending::Done(Outcome::Granted))
    }

    /// Reads the policy to learn what an answer left open; in company, once it has settled.
    ///
    /// `unread` is the ending if the policy cannot be read, `absent` if our id is not in it.
    async fn look(&mut self, unread: Code, absent: Code) -> Step {
        if self.company && !self.budget.settle().await {
            return Step::End(Ending::Not(unread));
        }
        for read in 1..=MOST_READS {
            let Some(time) = self.budget.of_call() else { break };
            let answer = call::read(self.client, self.intent.approved(), time).await;
            self.note_read(&answer);
            let pause = match answer.result {
                Ok(policy) => {
                    if let Some(found) = find(&policy.document, self.expected.sid()) {
                        self.written.revision_id = policy.revision_id;
                        return self.compare(found, absent);
                    }
                    self.pause(None)
                }
                // AWS answers 404 for "no policy" and "no such function" alike.
                Err(Failure::Final(Code::TargetNotFound)) => return self.compare(Found::Absent, absent),
                Err(Failure::Final(Code::AccessDenied)) => return Step::End(Ending::Not(Code::AccessDenied)),
                Err(Failure::Final(_)) => break,
                Err(Failure::Throttled(after)) => self.pause(after),
                Err(_) => self.pause(None),
            };
            if read == MOST_READS || !self.budget.wait(pause).await {
                break;
            }
        }
        Step::End(Ending::Not(unread))
    }

    fn compare(&mut self, found: Found, absent: Code) -> Step {
        match found {
            Found::Absent => Step::Again(absent, self.pause(None)),
            Found::Foreign => Step::End(Ending::Not(Code::StatementConflict)),
            Found::Statement(stored) if *stored == self.expected => {
                self.written.statement = Some(*stored);
                self.written.confirmed_by_read = self.unconfirmed;
                let outcome = if self.unconfirmed { Outcome::Granted } else { Outcome::AlreadyGranted };
                Step::End(Ending::Done(outcome))
            }
            Found::Statement(stored) => {
                self.written.statement = Some(*stored);
                Step::End(Ending::Not(Code::StatementConflict))
            }
        }
    }

    /// The pause before the next try; where AWS named a time, at least that.
    fn pause(&self, after: Option<Duration>) -> Duration {
        self.budget.pause(self.written.attempts + 1).max(after.unwrap_or_default())
    }

    /// The write is what the audit and CloudTrail have in common, so its id and code are kept.
    fn note_add(&mut self, answer: &Answer<call::Added>) {
        self.written.calls.push(format!("add:{}", answer.seen));
        self.written.aws_request_id.clone_from(&answer.request_id);
        self.written.aws_code.clone_from(&answer.aws_code);
    }

    /// A read's id stands in for that of a write which was never answered.
    fn note_read(&mut self, answer: &Answer<call::Policy>) {
        self.written.calls.push(format!("read:{}", answer.seen));
        if self.written.aws_request_id.is_none() {
            self.written.aws_request_id.clone_from(&answer.request_id);
        }
        if answer.aws_code.is_some() {
            self.written.aws_code.clone_from(&answer.aws_code);
        }
    }
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
    }

    fn new() -> Self {
        Self {
            ending: Ending::Not(Code::TimedOut),
            attempts: 0,
            calls: Vec::new(),
            aws_request_id: None,
            aws_code: None,
            revision_id: None,
            statement: None,
            confirmed_by_read: false,
            differs: false,
        }
    }
}
