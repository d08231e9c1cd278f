//! Adding a statement.

use std::time::Duration;

use aws_sdk_lambda::Client;

use super::call::{self, Answer, Failure, Hint};
use super::{Budget, Ending, Fill, MOST_ATTEMPTS, MOST_READS, Met, Other, Step, Written};
use crate::audit::Intent;
use crate::error::Code;
use crate::event::Door;
use crate::outcome::Outcome;
use crate::principal::Form;
use crate::schedule::Bounded;
use crate::statement::{Found, Statement, dead_principals, find};

/// Adds the statement that an intent stands for.
///
/// Where the policy is looked at before anything is sent, a grant that is there already, that
/// stands in the way or that does not fit is told without a write. Behind the queue that is a second read, and
/// halves what AWS's limit of reads lets through; what was seen there without settling proves no grant.
pub(crate) async fn add(client: &Client, bounded: &Bounded<'_>, budget: Budget, before: Before) -> Written {
    let intent = bounded.intent();
    let expected = Statement::expected(intent.approved());
    let company = intent.door() == Some(Door::Sqs);
    let mut attempt = Attempt {
        client,
        intent,
        budget,
        expected,
        company,
        unconfirmed: false,
        other: None,
        beside: None,
        written: Written::new(),
    };
    let first = match before {
        Before::Nothing => None,
        Before::Policy => attempt.read_first().await,
        Before::Seen(met) => attempt.met(*met).await,
        Before::Beside(met, other) => {
            attempt.beside = other.was_seen().then_some(true);
            attempt.other = Some(other);
            match met {
                Some(met) => attempt.met(*met).await,
                None => None,
            }
        }
    };
    let ending = match first {
        Some(ending) => ending,
        None => attempt.run().await,
    };
    let ending = attempt.with_the_other(ending).await;
    let ending = match ending {
        // A write that may have arrived is never called failed for another reason.
        Ending::Not(code) if attempt.unconfirmed && !tells_what_stands(code) => Ending::Not(Code::OutcomeUnknown),
        ending => ending,
    };
    let mut written = attempt.written;
    if let Ending::Not(_) = ending {
        // What was to come has not, as far as is known.
        written.policy = written.policy.map(Fill::before);
    }
    Written { ending, unclear: attempt.unconfirmed, ..written }
}

/// What is looked at before the first write.
pub(crate) enum Before {
    /// Nothing: AWS's answer tells.
    Nothing,
    /// The policy.
    Policy,
    /// The policy was seen already.
    Seen(Box<Met>),
    /// The policy was seen, or not, and the statement has to stand beside another one.
    Beside(Option<Box<Met>>, Other),
}

/// What a policy shows of two statements of one request.
enum Together {
    Both,
    /// The other one, not ours.
    OtherOnly,
    /// Not the other one, or nobody could see.
    NotTheOther,
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
    /// The statement that this one has to stand beside.
    other: Option<Other>,
    /// Whether that one stood in the policy when this one was seen there, after the last write.
    beside: Option<bool>,
    written: Written,
}

impl Attempt<'_> {
    /// What was seen of the policy before.
    async fn met(&mut self, met: Met) -> Option<Ending> {
        self.written = met.written;
        self.unless_undone(met.ending).await
    }

    /// What was seen to stand there, as long as no write of somebody else that began before can still undo it: in company
    /// it is looked at again once that has settled. Nothing is sent for it, as what AWS refuses then for good would hide
    /// that the statement stands.
    async fn unless_undone(&mut self, seen: Option<Ending>) -> Option<Ending> {
        match seen {
            Some(Ending::Done(_) | Ending::Not(Code::StatementConflict)) if self.company => {
                match self.look(Code::Unavailable, Code::Unavailable).await {
                    Step::End(ending) => Some(ending),
                    Step::Again(..) => None,
                }
            }
            seen => seen,
        }
    }

    /// Sees that both statements stand at once, before this one is called done. Whoever wrote the other one may be
    /// taking it back just now: such a removal is bound to a revision at which the two were not seen together, so
    /// once they were, it comes too late.
    async fn with_the_other(&mut self, mut ending: Ending) -> Ending {
        for _ in 0..2 {
            let Ending::Done(outcome) = ending else { return ending };
            match self.see_both(outcome).await {
                Together::Both => return ending,
                Together::NotTheOther => break,
                // What was found has gone, or what was written is not shown yet.
                Together::OtherOnly => {
                    self.unconfirmed |= outcome == Outcome::Granted;
                    ending = self.run().await;
                }
            }
        }
        self.written.alone = matches!(ending, Ending::Done(_));
        ending
    }

    async fn see_both(&mut self, outcome: Outcome) -> Together {
        let Some(other) = &self.other else { return Together::Both };
        let ours = outcome == Outcome::Granted && !self.written.confirmed_by_read;
        match self.beside {
            Some(true) => return Together::Both,
            Some(false) => return Together::NotTheOther,
            None if ours && other.is_ours() => return Together::Both,
            None => {}
        }
        let Some(Ok(policy)) = self.see().await.map(|answer| answer.result) else { return Together::NotTheOther };
        if !self.other.as_ref().is_some_and(|other| other.stands_in(&policy.document)) {
            return Together::NotTheOther;
        }
        let mine = self.written.statement.as_ref().unwrap_or(&self.expected);
        match find(&policy.document, mine.sid()) {
            Some(Found::Statement(stored)) if *stored == *mine => Together::Both,
            _ => Together::OtherOnly,
        }
    }

    /// What the policy says before the first write, if it says that none is needed or possible.
    async fn read_first(&mut self) -> Option<Ending> {
        let answer = self.see().await?;
        match answer.result {
            Ok(policy) => {
                let ending =
                    self.written.meets(&self.expected, Fill::of(Some(&policy.document)), Some(&policy.document));
                self.written.revision_id = policy.revision_id.filter(|_| ending.is_some());
                self.unless_undone(ending).await
            }
            Err(Failure::Final(Code::TargetNotFound)) => self.written.meets(&self.expected, Fill::of(None), None),
            Err(Failure::Final(Code::AccessDenied)) => Some(Ending::Not(Code::AccessDenied)),
            // AWS keeps the limit too; a policy that cannot be read just now is no reason to refuse.
            Err(_) => None,
        }
    }

    /// The policy, asked for again where AWS was too busy.
    async fn see(&mut self) -> Option<Answer<call::Policy>> {
        let mut read = 1;
        loop {
            let time = self.budget.of_call()?;
            let answer = call::read(self.client, self.intent.approved().grant().given(), time).await;
            self.written.note_read(&answer);
            let Err(Failure::Throttled(after)) = answer.result else { return Some(answer) };
            let pause = self.budget.pause(read + 1).max(after.unwrap_or_default());
            if read == MOST_READS || !self.budget.wait(pause).await {
                return None;
            }
            read += 1;
        }
    }

    async fn run(&mut self) -> Ending {
        let mut last = Code::TimedOut;
        while self.written.attempts < MOST_ATTEMPTS {
            let Some(time) = self.budget.of_call() else { break };
            self.written.attempts += 1;
            self.beside = None;
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
        self.written.note_write("add", &answer);
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
            Err(Failure::Final(Code::RejectedByAws)) if answer.hint == Some(Hint::InvalidPrincipal) => {
                self.triage().await
            }
            Err(Failure::Final(Code::PolicyFull)) => {
                self.note_fill().await;
                Step::End(Ending::Not(Code::PolicyFull))
            }
            Err(Failure::Final(code)) => Step::End(Ending::Not(code)),
        }
    }

    /// AWS cannot resolve a principal: one that an older statement names and that was deleted since, which the
    /// policy tells; or ours, which may be so new that IAM does not know it everywhere yet, or wrong.
    async fn triage(&mut self) -> Step {
        if let Some(time) = self.budget.of_call() {
            let answer = call::read(self.client, self.intent.approved().grant().given(), time).await;
            self.written.calls.push(format!("read:{}", answer.seen));
            if let Ok(policy) = answer.result {
                self.written.policy = Some(Fill::of(Some(&policy.document)));
                if let Some(blamed) = dead_principals(&policy.document) {
                    self.written.blamed = blamed;
                    return Step::End(Ending::Not(Code::DeadPrincipal));
                }
            }
        }
        match self.intent.approved().grant().principal().form() {
            // No invocation is long enough for every new role, so what knows it by then is its next delivery.
            Form::Identity(_) => Step::Again(Code::PrincipalNotYetKnown, self.budget.propagation()),
            _ => Step::End(Ending::Not(Code::PrincipalNotFound)),
        }
    }

    /// AWS says that the policy is full; what is in it tells how to make room.
    async fn note_fill(&mut self) {
        let Some(time) = self.budget.of_call() else { return };
        let answer = call::read(self.client, self.intent.approved().grant().given(), time).await;
        self.written.calls.push(format!("read:{}", answer.seen));
        if let Ok(policy) = answer.result {
            self.written.policy = Some(Fill::of(Some(&policy.document)));
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
            let answer = call::read(self.client, self.intent.approved().grant().given(), time).await;
            self.written.note_read(&answer);
            let pause = match answer.result {
                Ok(policy) => {
                    if let Some(found) = find(&policy.document, self.expected.sid()) {
                        self.written.revision_id = policy.revision_id;
                        self.beside = self.other.as_ref().map(|other| other.stands_in(&policy.document));
                        let before = self.written.policy.take().and_then(|fill| fill.bytes_before());
                        self.written.policy = Some(Fill::seen_after(before, &policy.document));
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
}
