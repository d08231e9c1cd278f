//! The careful write: a grant is added once, or its ending is known, or it is said to be unknown.
//!
//! Rules, each with its reason:
//! * The SDK's retries are off. A write that is sent again in silence could hide what happened.
//! * 409 is never believed by its text: AWS uses it for a taken statement id and for a concurrent
//!   update. The policy is read and the statement compared by meaning.
//! * A write whose answer was lost, or cannot be read, is looked up before anything is sent again.
//! * No call starts that cannot end, and be recorded, before the invocation's deadline.

mod call;

use std::time::Duration;

use aws_sdk_lambda::Client;
use tokio::time::Instant;

use crate::audit::Intent;
use crate::error::Code;
use crate::outcome::Outcome;
use crate::secret::Secrets;
use crate::statement::{Found, Statement, find};
use call::{Answer, Failure};

/// Tries of one grant, the first included.
pub const MOST_ATTEMPTS: u32 = 3;

/// The longest that one call to AWS may take.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(2);

/// The longest that one grant may take, all tries and reads included.
pub const GRANT_TIMEOUT: Duration = Duration::from_secs(8);

/// What is kept back before the invocation's deadline for recording the outcome and replying.
pub const RESERVE: Duration = Duration::from_secs(1);

/// A call that has less time than this is not started.
const LEAST_CALL: Duration = Duration::from_millis(250);

/// A grant is not started with less time than this, on top of the reserve.
const LEAST_GRANT: Duration = Duration::from_secs(1);

/// How much time a grant has.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    end: Instant,
}

impl Budget {
    /// The budget of a grant that starts now, in an invocation that Lambda ends after `left`.
    pub fn new(left: Duration) -> Self {
        Self { end: Instant::now() + left.saturating_sub(RESERVE).min(GRANT_TIMEOUT) }
    }

    /// Whether there is time to begin at all; asked before the intent is written.
    pub fn allows_grant(self) -> bool {
        self.left() >= LEAST_GRANT
    }

    fn left(self) -> Duration {
        self.end.saturating_duration_since(Instant::now())
    }

    fn of_call(self) -> Option<Duration> {
        Some(self.left().min(CALL_TIMEOUT)).filter(|time| *time >= LEAST_CALL)
    }

    /// Waits, unless the wait would leave no time for a call.
    async fn wait(self, time: Duration) -> bool {
        if time + LEAST_CALL > self.left() {
            return false;
        }
        tokio::time::sleep(time).await;
        true
    }
}

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
    /// AWS's request id of the last call that was answered.
    pub(crate) aws_request_id: Option<String>,
    /// AWS's own error code, where it refused.
    pub(crate) aws_code: Option<String>,
    /// The revision of the policy, where AWS told it.
    pub(crate) revision_id: Option<String>,
    /// The statement that stands under the id, if known.
    pub(crate) statement: Option<Statement>,
    /// Whether the grant was confirmed by reading the policy instead of by AWS's answer to the write.
    pub(crate) confirmed_by_read: bool,
    /// Whether AWS's rendering of the statement means something else than was asked.
    pub(crate) differs: bool,
}

/// Adds the statement that an intent stands for.
pub(crate) async fn write(client: &Client, intent: &Intent<'_>, budget: Budget) -> Written {
    let expected = Statement::expected(intent.approved());
    let mut attempt = Attempt { client, intent, budget, expected, unconfirmed: false, written: Written::new() };
    let ending = attempt.run().await;
    Written { ending, ..attempt.written }
}

struct Attempt<'a> {
    client: &'a Client,
    intent: &'a Intent<'a>,
    budget: Budget,
    expected: Statement,
    /// Whether a write was sent whose answer never came: the statement may be ours.
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
        // A write that may have arrived is never called failed for another reason.
        Ending::Not(if self.unconfirmed { Code::OutcomeUnknown } else { last })
    }

    async fn judge(&mut self, answer: Answer<call::Added>) -> Step {
        self.note("add", &answer);
        match answer.result {
            Ok(added) => self.added(added).await,
            Err(Failure::NotSent) => Step::Again(Code::Unavailable, self.pause()),
            Err(Failure::Throttled(after)) => Step::Again(Code::Throttled, after.unwrap_or_else(|| self.pause())),
            Err(Failure::Unclear) => {
                self.unconfirmed = true;
                self.look(Code::OutcomeUnknown, Code::Unavailable).await
            }
            Err(Failure::Taken) => self.look(Code::Unavailable, Code::Unavailable).await,
            Err(Failure::Revision) => match self.look(Code::RevisionChanged, Code::RevisionChanged).await {
                Step::Again(code, _) => Step::End(Ending::Not(code)),
                end => end,
            },
            Err(Failure::Final(code)) => Step::End(Ending::Not(code)),
        }
    }

    /// AWS answered 201. Its rendering is believed if it is our statement; an answer that cannot be
    /// read is no answer.
    async fn added(&mut self, added: call::Added) -> Step {
        self.written.revision_id = added.revision_id;
        let ours = added.statement.as_deref().and_then(Statement::parse).filter(|it| it.sid() == self.expected.sid());
        let Some(stored) = ours else {
            self.unconfirmed = true;
            return self.look(Code::OutcomeUnknown, Code::OutcomeUnknown).await;
        };
        if stored.is_public() {
            self.written.statement = Some(stored);
            return Step::End(Ending::Not(Code::StatementDiffers));
        }
        self.written.differs = stored != self.expected;
        self.written.statement = Some(stored);
        Step::End(Ending::Done(Outcome::Granted))
    }

    /// Reads the policy to learn what an answer left open.
    ///
    /// `unread` is the ending if the policy cannot be read, `absent` if our id is not in it.
    async fn look(&mut self, unread: Code, absent: Code) -> Step {
        for _ in 0..2 {
            let Some(time) = self.budget.of_call() else { return Step::End(Ending::Not(unread)) };
            let answer = call::read(self.client, self.intent.approved(), time).await;
            self.note("read", &answer);
            match answer.result {
                Ok(policy) => {
                    let Some(found) = find(&policy.document, self.expected.sid()) else { continue };
                    self.written.revision_id = policy.revision_id;
                    return self.compare(found, absent);
                }
                // AWS answers 404 for "no policy" and "no such function" alike.
                Err(Failure::Final(Code::TargetNotFound)) => return self.compare(Found::Absent, absent),
                Err(Failure::Final(Code::AccessDenied)) => break,
                Err(_) => {
                    if !self.budget.wait(self.pause()).await {
                        break;
                    }
                }
            }
        }
        Step::End(Ending::Not(unread))
    }

    fn compare(&mut self, found: Found, absent: Code) -> Step {
        match found {
            Found::Absent => Step::Again(absent, self.pause()),
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

    /// 100 to 200 ms before the second try, twice that before the third: spread, so that parallel
    /// sandboxes do not meet again.
    fn pause(&self) -> Duration {
        Duration::from_millis((100 << self.written.attempts.saturating_sub(1).min(4)) + fastrand::u64(..100))
    }

    fn note<T>(&mut self, name: &str, answer: &Answer<T>) {
        self.written.calls.push(format!("{name}:{}", answer.seen));
        if answer.request_id.is_some() {
            self.written.aws_request_id.clone_from(&answer.request_id);
        }
        self.written.aws_code.clone_from(&answer.aws_code);
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
