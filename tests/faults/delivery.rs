//! One event and its deliveries, with what has to hold after each of them:
//!
//! 1. AWS is not asked to change a statement before an intent about it stands in the audit, nor after its outcome.
//! 2. What the allowlist denies changes nothing.
//! 3. No statement stands twice, and no other statement is touched.
//! 4. A reply says what a record of this delivery says; after a success every statement is as it was asked for.
//! 5. What the records say of a statement is so, unless one of them, or the lack of one, says that it is not known.
//! 6. What ends without success leaves what it found, or says that it may not have.
//! 7. A statement that is to end never stands without the one schedule that ends it.
//!
//! A request of many parts (`CarryLayerForward`, `Sweep`) goes on where one of them fails: its own last record says how it
//! ended, and of each part 5 holds, whatever that was. A sweep that goes on has swept what it says: see `swept`.

use std::time::Duration;

use permission_broker::expiry::Moment;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::kind;
use super::subject::{self, Subject};
use crate::support::door::{self, Door};
use crate::support::sink::Written;
use crate::support::{QUICK, Reply, Scene, string, writes};

/// How long a write may still be on its way once its sandbox is gone. Events come again after seconds at the earliest.
const LATE: Duration = Duration::from_millis(50);

/// When every grant of these tests ends that does.
pub(crate) const END: &str = "2026-03-02T18:00:00Z";

/// A statement: the ARN of its policy, and its id.
pub(crate) type Place = (&'static str, &'static str);

/// A request, and the statements that it is about.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) request: Value,
    pub(crate) statements: &'static [Place],
}

impl Asked {
    pub(crate) fn operation(&self) -> &str {
        self.request["operation"].as_str().unwrap()
    }

    /// Whether the statements are to stand, not to go.
    pub(crate) fn gives(&self) -> bool {
        gives(self.operation())
    }

    /// Whether it goes on where a part of it fails.
    pub(crate) fn has_parts(&self) -> bool {
        matches!(self.operation(), "CarryLayerForward" | "Sweep")
    }
}

fn gives(operation: &str) -> bool {
    !operation.starts_with("Remove") && !matches!(operation, "Expire" | "Sweep")
}

/// An event that is delivered until it is done.
pub(crate) struct Event {
    pub(crate) scene: Scene,
    pub(crate) door: Door,
    pub(crate) asked: Asked,
    statements: Vec<Known>,
    /// The statements that it is not about.
    others: Vec<Value>,
    /// Whether a delivery was cut off: what it had sent may arrive later.
    cut_off: bool,
    /// Whether AWS has been losing parallel writes in silence.
    pub(crate) loses: bool,
    /// Whether AWS has said of something that it is not there, whether it was or not.
    pub(crate) lies: bool,
    delivered: bool,
}

/// What the records say of one statement.
pub(crate) struct Known {
    pub(crate) place: Place,
    /// Whether it stood before the first delivery.
    stood: bool,
    stands: bool,
    /// Whether a record, or the lack of one, said that it is not known.
    open: bool,
    /// Whether its last record tells of a failure.
    pub(crate) failed: bool,
}

/// How one delivery ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// The word of a success, or the code of anything else.
    Done(String),
    /// The event comes again, because of this code.
    Again(String),
    /// The delivery was cut off.
    CutOff,
}

/// Whether the last word of an event is that of a success.
pub(crate) fn is_success(word: &str) -> bool {
    matches!(word, "granted" | "already_granted" | "revoked" | "already_revoked")
}

/// Whether a record says that something stands under its id, as it was asked for or as another statement.
fn tells_what_stands(line: &Value) -> bool {
    line["record"] == "outcome" && matches!(word(line), "granted" | "already_granted" | "statement_conflict")
}

/// Whether a code says that something may have changed.
fn leaves_it_open(code: &str) -> bool {
    matches!(code, "audit_unavailable" | "outcome_unknown" | "internal" | "half_granted")
}

/// A 409 whose reason the broker may not read: it says that its role falls short, not what stands.
fn read_was_denied(outcome: &Value) -> bool {
    let last = outcome["calls"].as_array().and_then(|calls| calls.last()?.as_str());
    outcome["code"] == "access_denied" && last.is_some_and(|last| last.starts_with("read:403"))
}

/// The word of a record: a code, or the outcome of a success.
pub(crate) fn word(outcome: &Value) -> &str {
    outcome["code"].as_str().or(outcome["outcome"].as_str()).unwrap()
}

impl Event {
    pub(crate) fn new(scene: Scene, door: Door, asked: Asked) -> Self {
        let known = |place| Known { place, stood: false, stands: false, open: false, failed: false };
        let statements = asked.statements.iter().copied().map(known).collect();
        let (cut_off, loses, lies, delivered, others) = (false, false, false, false, Vec::new());
        let mut event = Self { scene, door, asked, statements, others, cut_off, loses, lies, delivered };
        let (stand, others) = event.now();
        event.others = others;
        for (known, stands) in event.statements.iter_mut().zip(stand) {
            (known.stood, known.stands) = (stands, stands);
        }
        event
    }

    /// Which of our statements stand, never twice, and all other statements of all policies.
    fn now(&self) -> (Vec<bool>, Vec<Value>) {
        let (mut ours, mut others) = (Vec::new(), Vec::new());
        for (arn, policy, _) in self.scene.plane.policies() {
            let policy: Value = serde_json::from_str(&policy).unwrap();
            for statement in policy["Statement"].as_array().unwrap() {
                let place = (arn.as_str(), statement["Sid"].as_str().unwrap());
                match self.asked.statements.iter().find(|ours| **ours == place) {
                    Some(place) => ours.push(*place),
                    None => others.push(statement.clone()),
                }
            }
        }
        let stands = self.asked.statements.iter().map(|place| {
            let times = ours.iter().filter(|stands| *stands == place).count();
            assert!(times <= 1, "{place:?} stands {times} times");
            times == 1
        });
        (stands.collect(), others)
    }

    /// Which of our statements stand.
    pub(crate) fn stand(&self) -> Vec<bool> {
        self.now().0
    }

    /// Delivers once, for so long at most, and checks everything that has to hold.
    pub(crate) async fn deliver(&mut self, at_most: Option<Duration>) -> Ending {
        // What gives and takes back in one request is undone by what an earlier delivery left on its way.
        if self.delivered && self.asked.statements.len() > 1 {
            sleep(LATE).await;
        }
        self.delivered = true;
        self.scene.sink.take_failed();
        let (found, _) = self.now();
        let before = writes(&self.scene.plane);
        let bytes = door::event(self.door, &self.asked.request);
        let invoked = self.scene.invoke(&bytes);
        let reply = match at_most {
            Some(time) => timeout(time, invoked).await.ok(),
            None => Some(invoked.await),
        };
        let written = self.scene.sink.take();
        self.every_write_has_its_intent(before, &written);
        self.every_end_is_scheduled();
        for known in &mut self.statements {
            known.learn(&written);
            known.open |= self.cut_off || reply.is_none();
        }
        let Some(reply) = reply else {
            self.cut_off = true;
            return Ending::CutOff;
        };
        let ending = self.ending(&reply, &written);
        self.check(&ending, &found, &written);
        ending
    }

    /// Each write that has arrived since stands between an intent about its statement and the outcome of that, if that
    /// outcome knows what became of its calls.
    fn every_write_has_its_intent(&self, before: usize, written: &[Written]) {
        if self.cut_off {
            return;
        }
        let subjects = self.scene.plane.calls().iter().filter_map(subject::of_call).collect::<Vec<_>>();
        for (place, (of_call, is_given)) in subjects.iter().enumerate().skip(before) {
            let about = |one: &&Written, record: &str| {
                let takes = one.line["takesBack"] == true || !gives(string(&one.line, "operation"));
                let same = subject::of_record(&one.line).as_ref() == Some(of_call);
                one.line["record"] == record && same && takes != *is_given
            };
            let intents = written.iter().filter(|one| about(one, "intent") && one.writes_before <= place).count();
            // A call that was given up may arrive late, after its outcome: that it is unknown is what the outcome says.
            let given_up = |one: &&Written| one.line["calls"].to_string().contains(":timeout");
            let outcomes = written
                .iter()
                .filter(|one| about(one, "outcome") && !given_up(one) && one.writes_before <= place)
                .count();
            assert!(intents > outcomes, "write {place} of {of_call:?} has no intent: {written:?}");
        }
    }

    /// Whatever has happened to whichever delivery: what was given until a time has one schedule that ends it.
    fn every_end_is_scheduled(&self) {
        if !self.asked.gives() {
            return;
        }
        let schedules = self.scene.plane.schedules();
        let ends: Vec<Subject> = schedules.iter().filter_map(|(_, one)| subject::of_schedule(one)).collect();
        let (stand, _) = self.now();
        for (Known { place: (arn, id), stood, .. }, stands) in self.statements.iter().zip(stand) {
            let times = ends.iter().filter(|end| (end.0.as_str(), end.1.as_str()) == (*arn, *id)).count();
            assert!(times <= 1, "{times} schedules end {id} on {arn}");
            assert!(times == 1 || !stands || *stood || !id.contains("-until-"), "nothing ends {id} on {arn}");
        }
    }

    /// What a reply says, which has to be what a record says.
    fn ending(&self, reply: &Reply, written: &[Written]) -> Ending {
        let failed = self.scene.sink.take_failed();
        let outcomes = written.iter().map(|one| &one.line).filter(|line| line["record"] == "outcome");
        // What undoes a change is no ending of the request, unless it leaves what stands.
        let granted = |line: &Value| matches!(word(line), "granted" | "already_granted");
        let outcomes: Vec<&Value> = outcomes.filter(|line| line["takesBack"] != true || granted(line)).collect();
        let words: Vec<&str> = outcomes.iter().copied().map(word).collect();
        // What failed, and was not seen to stand after all.
        let healed = |(i, line): &(usize, &&Value)| {
            let same = |later: &Value| subject::of_record(later) == subject::of_record(line);
            outcomes.iter().skip(*i).any(|later| granted(later) && same(later))
        };
        let failures = outcomes.iter().enumerate().filter(|(_, line)| !is_success(word(line)));
        let failure = failures.filter(|one| !healed(one)).map(|(_, line)| word(line)).next_back();
        let told = match reply.failed_messages() {
            // A queue is told that a message comes again, not why: a code, or that a record failed.
            Some(_) if reply.comes_again() && failed => "audit_unavailable",
            Some(_) if self.asked.has_parts() => words.last().copied().expect("a message is done without a record"),
            // Of a function URL that fails, what stood there before is told after its failure.
            Some(_) if reply.comes_again() => {
                let any = words.iter().copied().rfind(|word| !is_success(word));
                failure.or(any).expect("a message comes again without a reason")
            }
            Some(_) => failure.or(words.last().copied()).expect("a message is done without a record"),
            None => reply.ending(),
        };
        let recorded = match self.asked.statements.len() {
            _ if self.asked.has_parts() => words.last() == Some(&told),
            1 => words.last() == Some(&told),
            _ => words.contains(&told) && (!is_success(told) || failure.is_none()),
        };
        assert!(told == "audit_unavailable" || recorded, "told {told}, recorded {words:?}: {outcomes:?}");
        if reply.comes_again() { Ending::Again(told.to_owned()) } else { Ending::Done(told.to_owned()) }
    }

    fn check(&self, ending: &Ending, found: &[bool], written: &[Written]) {
        let (Ending::Done(word) | Ending::Again(word)) = ending else { return };
        let (stands, others) = self.now();
        assert_eq!(others, self.others, "{word}, and another statement is touched");
        let stand: Vec<(&Known, bool)> = self.statements.iter().zip(stands).collect();
        self.is_swept_so_far(word, written, &stand);
        for ((known, stands), found) in stand.into_iter().zip(found) {
            let Known { place: (arn, id), stands: recorded, open, failed, .. } = known;
            let records: Vec<_> = written.iter().map(|one| &one.line).collect();
            // A write of ours that was given up may undo, where AWS loses parallel writes, one that AWS has confirmed:
            // elsewhere than behind the queue nothing is promised of that.
            let given_up = *open || records.iter().any(|line| line["calls"].to_string().contains(":timeout"));
            if given_up && self.loses && self.door != Door::Sqs {
                continue;
            }
            // A part that has failed for good is told of, and one that AWS says is not there is passed over.
            let left_out = self.asked.has_parts() && (*failed || self.lies || Self::is_to_come(written, arn));
            if is_success(word) && !left_out {
                assert_eq!(stands, self.asked.gives(), "{word}, but {id} on {arn} does not show it: {records:?}");
            }
            if !open {
                assert_eq!(stands, *recorded, "{word}, and the records of {id} on {arn} are wrong: {records:?}");
                if !self.asked.has_parts() && !is_success(word) && !leaves_it_open(word) && !given_up {
                    assert_eq!(stands, *found, "{word}, but {id} is not as it was: {records:?}");
                }
            }
        }
        let (stands, _) = self.now();
        if let Ending::Done(word) = ending
            && self.asked.gives()
            && !self.asked.has_parts()
            && !is_success(word)
            && !matches!(word.as_str(), "access_denied" | "internal")
            && stands == found
        {
            self.half_is_told(word, &stands, written);
        }
        if let Some(denied) = written.iter().find(|one| one.line["decision"] == "denied") {
            assert_eq!(writes(&self.scene.plane), 0, "denied, but called: {}", denied.line);
        }
    }

    /// One of two statements that stands without the other, whoever put it there and before whichever delivery, is told
    /// by whatever ends the event for good; but for one that no read has shown, as AWS has said that there is no policy.
    fn half_is_told(&self, word: &str, stands: &[bool], written: &[Written]) {
        let ids = || self.statements.iter().zip(stands).filter(|(_, stands)| **stands).map(|(known, _)| known.place.1);
        if ids().count() == stands.len() || stands.len() == 1 {
            return;
        }
        if self.lies && !written.iter().any(|one| one.line["calls"].to_string().contains("read:200")) {
            return;
        }
        for id in ids() {
            let told = |one: &Written| one.line["statementId"] == *id && tells_what_stands(&one.line);
            assert!(written.iter().any(told), "{word}, and nobody says that {id} stands: {written:?}");
        }
    }

    /// Delivers until the event is done. Faults are over by now, and there is time, so this has to end: with
    /// the word of a success, or the code of anything else.
    pub(crate) async fn settle(&mut self) -> String {
        self.scene.broker.timing = QUICK;
        self.scene.plane.clear_faults();
        self.scene.sink.next([]);
        for _ in 0..8 {
            if let Ending::Done(word) = self.deliver(None).await {
                return word;
            }
        }
        panic!("the event is never done");
    }

    /// The time comes at which everything ends that does: the schedules alone see to what was given. What stood before and
    /// was left, as AWS refused it for good, the next day's sweep takes.
    pub(crate) async fn end(mut self) {
        let timed = |place: &Place| place.1.contains("-until-");
        if !self.asked.statements.iter().any(timed) {
            return;
        }
        self.scene.plane.clear_faults();
        self.scene.sink.next([]);
        self.scene.broker.timing = QUICK;
        sleep(if self.cut_off || self.loses { LATE } else { Duration::ZERO }).await;
        if self.asked.operation() == "Sweep" {
            self.rest_is_swept().await;
        }
        let sweeps = self.statements.iter().any(|known| known.stood);
        self.scene.now = Moment::parse(if sweeps { "2026-03-03T18:00:00Z" } else { END }).unwrap().into();
        let sweep = sweeps.then(|| door::event(Door::Schedule, &kind::sweep()));
        let due = self.scene.plane.take_due(self.scene.now).into_iter().map(String::into_bytes);
        for event in due.chain(sweep) {
            let mut reply = self.scene.invoke(&event).await;
            for _ in 0..8 {
                // What a schedule sends comes again like any event.
                if reply.failed {
                    reply = self.scene.invoke(&event).await;
                }
            }
            assert!(!reply.failed, "{}", reply.document);
        }
        let (stand, _) = self.now();
        for (place, stands) in self.asked.statements.iter().zip(stand).filter(|(place, _)| timed(place)) {
            assert!(!stands, "{place:?} stands for ever");
        }
    }
}

impl Known {
    /// What the records of one delivery add.
    fn learn(&mut self, written: &[Written]) {
        let mut under_way = false;
        let (arn, id) = self.place;
        for Written { line, .. } in
            written.iter().filter(|one| one.line["statementId"] == id && one.line["target"] == arn)
        {
            match line["record"].as_str().unwrap() {
                "intent" => {
                    self.open |= under_way;
                    under_way = true;
                }
                "outcome" => {
                    under_way = false;
                    self.failed = !is_success(word(line));
                    match word(line) {
                        "granted" | "already_granted" => self.stands = true,
                        "revoked" | "already_revoked" => self.stands = false,
                        "outcome_unknown" => self.open = true,
                        _ => self.open |= read_was_denied(line),
                    }
                }
                _ => self.open = true,
            }
        }
        // An intent without an outcome.
        self.open |= under_way;
    }
}
