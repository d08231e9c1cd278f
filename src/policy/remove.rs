//! Taking a statement away.
//!
//! A revoke that names a fingerprint looks before it acts, and binds its write to the revision that it
//! saw: what was granted in between makes AWS refuse the write, and the policy is read again. That keeps a statement of
//! another meaning safe, not the same one granted again before the look: a policy has nothing that tells the two
//! apart but its revision, so a revoke that names one binds its write to that and to no other.

use std::time::Duration;

use aws_sdk_lambda::Client;

use super::call::{self, Answer, Failure, Hint};
use super::{Budget, Ending, MOST_ATTEMPTS, MOST_READS, Named, Step, Written};
use crate::asked::Asked;
use crate::audit::Intent;
use crate::error::Code;
use crate::event::Door;
use crate::grant::RevisionId;
use crate::outcome::Outcome;
use crate::revoke::Revoke;
use crate::statement::{Found, find};

/// A revision that no policy has: a write bound to it removes nothing.
const NO_REVISION: &str = "00000000-0000-0000-0000-000000000000";

/// Removes the statement that an intent stands for.
///
/// Where the policy is looked at first, what is taken away can be told though nobody named it: the write is then bound to the
/// revision that was seen. Nothing else depends on that look, which may be late: whatever it shows, the removal is sent, and once
/// the policy has changed meanwhile it is sent unbound, and what it took away is not told.
pub(crate) async fn remove(client: &Client, intent: &Intent<'_, Revoke>, budget: Budget, reads_first: bool) -> Written {
    removed(client, intent, budget, reads_first, None).await
}

/// Takes back one of the two statements of a request, unless both stand: then what was asked for is there, and somebody
/// else may have been told so. Every write is bound to the revision at which the two were not seen together, so if they have
/// come together since, AWS refuses it.
pub(crate) async fn take_back(
    client: &Client,
    intent: &Intent<'_, Revoke>,
    budget: Budget,
    unless: Option<Unless<'_>>,
) -> Written {
    removed(client, intent, budget, false, unless).await
}

async fn removed(
    client: &Client,
    intent: &Intent<'_, Revoke>,
    budget: Budget,
    reads_first: bool,
    unless: Option<Unless<'_>>,
) -> Written {
    let revoke = intent.approved().asked();
    let mut removal = Removal {
        client,
        intent,
        budget,
        unless,
        reads_first,
        has_settled: false,
        revision: revoke.revision_id().map(|id| RevisionId::as_str(id).to_owned()),
        company: intent.door() == Some(Door::Sqs),
        unconfirmed: false,
        unseen: false,
        target_is_there: false,
        written: Written::new(),
    };
    let ending = match removal.run().await {
        // A write that may have arrived is never called failed for another reason.
        Ending::Not(code) if removal.unconfirmed && code != Code::StatementConflict => {
            Ending::Not(Code::OutcomeUnknown)
        }
        // Nor is one that AWS has refused for good only after another try may have taken the policy with it. What is then said
        // not to be there was a moment ago, or nobody would have been writing to it: the next delivery is told which it is.
        Ending::Not(code) if removal.unseen && code != Code::StatementConflict => Ending::Not(Code::OutcomeUnknown),
        ending => ending,
    };
    Written { ending, ..removal.written }
}

/// The statements of a request that are left alone if both of them stand.
#[derive(Clone, Copy)]
pub(crate) struct Unless<'a> {
    pub(crate) both: &'a [Named; 2],
    /// Whether nobody has seen yet that the one to be taken back was written.
    pub(crate) unseen: bool,
}

struct Removal<'a> {
    client: &'a Client,
    intent: &'a Intent<'a, Revoke>,
    budget: Budget,
    /// The statements that are left alone if all of them stand.
    unless: Option<Unless<'a>>,
    /// Whether the policy is looked at before the first write, also if that has no need of it.
    reads_first: bool,
    /// Whether it has been waited for what is seen to stay.
    has_settled: bool,
    /// The revision that the policy must have when the write reaches it.
    revision: Option<String>,
    /// Whether others write to the policy at the same time, as far as is known.
    company: bool,
    /// Whether a write was sent of which it is not known that it took effect for good.
    unconfirmed: bool,
    /// Whether no policy was to be seen after AWS had said that somebody else is writing: that may have been ourselves.
    unseen: bool,
    /// Whether AWS has answered as it does only for a target that is there.
    target_is_there: bool,
    written: Written,
}

/// What the policy has under the statement id.
enum Look {
    /// Nothing.
    Absent,
    /// AWS knows no policy: the target has none, or is not there itself.
    NoPolicy,
    /// The statement that is to be removed.
    Present,
    /// Another statement than the fingerprint names.
    Other,
    /// Both statements of the request whose one is to be taken back.
    Both,
    /// The policy could not be read; the code is a better ending than the caller's, if there is one.
    Unread(Option<Code>),
}

impl Removal<'_> {
    async fn run(&mut self) -> Ending {
        let mut last = Code::TimedOut;
        while self.written.attempts < MOST_ATTEMPTS {
            match self.step().await {
                None => break,
                Some(Step::End(ending)) => return ending,
                Some(Step::Again(code, pause)) => {
                    last = code;
                    if self.written.attempts == MOST_ATTEMPTS || !self.budget.wait(pause).await {
                        break;
                    }
                }
            }
        }
        Ending::Not(last)
    }

    /// One write, after a look where one is needed; `None` if there is no time for it.
    async fn step(&mut self) -> Option<Step> {
        if self.revoke().fingerprint().is_some() {
            match self.look().await {
                Look::Present => {}
                Look::Absent => return Some(self.gone()),
                Look::NoPolicy if self.target_is_there => return Some(self.gone()),
                // Whether it is the policy or the target that is not there, only a removal tells.
                Look::NoPolicy => self.revision = self.revision.take().or(Some(NO_REVISION.to_owned())),
                Look::Other => return Some(Step::End(Ending::Not(Code::StatementConflict))),
                Look::Both => return Some(self.stays()),
                Look::Unread(code) => return Some(Step::End(Ending::Not(code.unwrap_or(Code::Unavailable)))),
            }
        }
        if std::mem::take(&mut self.reads_first) && self.revoke().fingerprint().is_none() {
            self.see().await;
        }
        let time = self.budget.of_call()?;
        self.written.attempts += 1;
        let answer = call::remove(self.client, self.intent.approved(), self.revision.clone(), time).await;
        Some(self.judge(answer).await)
    }

    /// Looks at what is about to be taken away, where that is a statement that can be told.
    async fn see(&mut self) {
        if let Look::Present = self.look().await
            && self.written.statement.is_some()
        {
            self.revision = self.revision.take().or_else(|| self.written.revision_id.clone());
        }
    }

    async fn judge(&mut self, answer: Answer<()>) -> Step {
        self.written.note_write("remove", &answer);
        match answer.result {
            Ok(()) => {
                self.target_is_there = true;
                // In company a write that began before this one may bring the statement back.
                if !self.company {
                    return Step::End(Ending::Done(Outcome::Revoked));
                }
                self.unconfirmed = true;
                self.confirm(Code::OutcomeUnknown).await
            }
            Err(Failure::NotSent) => Step::Again(Code::Unavailable, self.pause(None)),
            Err(Failure::Throttled(after)) => Step::Again(Code::Throttled, self.pause(after)),
            Err(Failure::Unclear) => {
                self.unconfirmed = true;
                self.confirm(Code::OutcomeUnknown).await
            }
            // Somebody else is writing, or an attempt of our own of which we have not heard has taken effect.
            Err(Failure::Taken) => {
                self.company = true;
                self.confirm(Code::Unavailable).await
            }
            // The revision was the requester's own condition, or the one that the last look saw.
            Err(Failure::Revision) if self.revoke().revision_id().is_some() => {
                Step::End(Ending::Not(Code::RevisionChanged))
            }
            Err(Failure::Revision) if self.revoke().fingerprint().is_none() => {
                // What was seen is no longer what is taken away, and whoever names no fingerprint wants it gone all the same.
                (self.revision, self.written.statement, self.written.revision_id) = (None, None, None);
                Step::Again(Code::Unavailable, self.pause(None))
            }
            Err(Failure::Revision) => {
                // Of a policy that no read shows, a write bound to no revision proves nothing either way.
                self.target_is_there |= self.revision.as_deref() != Some(NO_REVISION);
                Step::Again(Code::Unavailable, self.pause(None))
            }
            Err(Failure::Final(Code::TargetNotFound)) if answer.hint == Some(Hint::NoPolicy) => self.gone(),
            Err(Failure::Final(Code::TargetNotFound)) => self.not_found().await,
            Err(Failure::Final(code)) => Step::End(Ending::Not(code)),
        }
    }

    /// AWS answers 404 for a statement, a policy, an alias and a function that are not there. Of a target
    /// that is not there, perhaps misspelt, nothing is called revoked.
    async fn not_found(&mut self) -> Step {
        match self.look().await {
            Look::Absent => self.gone(),
            Look::NoPolicy if self.target_is_there => self.gone(),
            Look::NoPolicy => Step::End(Ending::Not(Code::TargetNotFound)),
            Look::Present => Step::Again(Code::OutcomeUnknown, self.pause(None)),
            Look::Other => Step::End(Ending::Not(Code::StatementConflict)),
            Look::Both => self.stays(),
            Look::Unread(code) => Step::End(Ending::Not(code.unwrap_or(Code::OutcomeUnknown))),
        }
    }

    /// What a write did whose answer does not say so for good; `present` is the ending if the statement still
    /// stands and there is no other try.
    async fn confirm(&mut self, present: Code) -> Step {
        if self.company && !self.budget.settle().await {
            return Step::End(Ending::Not(Code::OutcomeUnknown));
        }
        match self.look().await {
            Look::Absent => self.gone(),
            Look::NoPolicy if self.target_is_there => self.gone(),
            Look::NoPolicy => {
                self.unseen = true;
                Step::Again(Code::OutcomeUnknown, self.pause(None))
            }
            Look::Present => Step::Again(present, self.pause(None)),
            Look::Other => Step::End(Ending::Not(Code::StatementConflict)),
            Look::Both => self.stays(),
            Look::Unread(code) => Step::End(Ending::Not(code.unwrap_or(Code::OutcomeUnknown))),
        }
    }

    /// The statement is not there: by our doing, or from the start.
    fn gone(&mut self) -> Step {
        self.written.confirmed_by_read = self.unconfirmed;
        let outcome = if self.unconfirmed { Outcome::Revoked } else { Outcome::AlreadyRevoked };
        Step::End(Ending::Done(outcome))
    }

    /// Nothing is taken back: what stands is what was asked for.
    fn stays(&mut self) -> Step {
        let unseen = self.unless.is_some_and(|unless| unless.unseen);
        self.written.confirmed_by_read = unseen;
        Step::End(Ending::Done(if unseen { Outcome::Granted } else { Outcome::AlreadyGranted }))
    }

    async fn look(&mut self) -> Look {
        for read in 1..=MOST_READS {
            let Some(time) = self.budget.of_call() else { break };
            let answer = call::read(self.client, self.revoke().given(), time).await;
            self.written.note_read(&answer);
            let pause = match answer.result {
                Ok(policy) => {
                    let is_there = |named: &Named| named.stands_in(&policy.document);
                    if self.unless.is_some_and(|unless| unless.both.iter().all(is_there)) {
                        if self.has_settled || !self.company {
                            return self.both(&policy.document, policy.revision_id);
                        }
                        self.has_settled = true;
                        if read == MOST_READS || !self.budget.settle().await {
                            break;
                        }
                        continue;
                    }
                    if let Some(found) = find(&policy.document, self.intent.approved().statement_id().as_str()) {
                        return self.compare(found, policy.revision_id);
                    }
                    self.pause(None)
                }
                Err(Failure::Final(Code::TargetNotFound)) => {
                    // Of a layer version AWS says which of the two it is, of a function never.
                    self.target_is_there |= answer.hint == Some(Hint::NoPolicy);
                    return Look::NoPolicy;
                }
                Err(Failure::Final(Code::AccessDenied)) => return Look::Unread(Some(Code::AccessDenied)),
                Err(Failure::Final(_)) => break,
                Err(Failure::Throttled(after)) => self.pause(after),
                Err(_) => self.pause(None),
            };
            if read == MOST_READS || !self.budget.wait(pause).await {
                break;
            }
        }
        Look::Unread(None)
    }

    fn both(&mut self, document: &str, revision: Option<String>) -> Look {
        self.written.revision_id = revision;
        if let Some(Found::Statement(stored)) = find(document, self.intent.approved().statement_id().as_str()) {
            self.written.statement = Some(*stored);
        }
        Look::Both
    }

    fn compare(&mut self, found: Found, revision: Option<String>) -> Look {
        self.written.revision_id.clone_from(&revision);
        let named = self.revoke().fingerprint();
        let same = match &found {
            Found::Absent => return Look::Absent,
            Found::Foreign => named.is_none(),
            Found::Statement(stored) => named.is_none_or(|named| stored.fingerprint() == *named),
        };
        if named.is_some() && self.revoke().revision_id().is_none() {
            self.revision = revision;
        }
        if let Found::Statement(stored) = found {
            self.written.statement = Some(*stored);
        }
        if same { Look::Present } else { Look::Other }
    }

    fn revoke(&self) -> &Revoke {
        self.intent.approved().asked()
    }

    /// The pause before the next try; where AWS named a time, at least that.
    fn pause(&self, after: Option<Duration>) -> Duration {
        self.budget.pause(self.written.attempts + 1).max(after.unwrap_or_default())
    }
}
