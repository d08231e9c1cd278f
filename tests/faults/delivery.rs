//! One event and its deliveries, with what has to hold after each of them:
//!
//! 1. AWS is not asked to change a statement before an intent about it stands in the audit, nor after its outcome.
//! 2. What the allowlist denies changes nothing.
//! 3. No statement stands twice, and no other statement is touched.
//! 4. A reply says what a record of this delivery says; after a success every statement is as it was asked for.
//! 5. What the records say of a statement is so, unless one of them, or the lack of one, says that it is not known.
//! 6. What ends without success leaves what it found, or says that it may not have.

use std::time::Duration;

use permission_broker::local::control_plane::{Call, Operation};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::support::door::{self, Door};
use crate::support::sink::Written;
use crate::support::{QUICK, Reply, Scene, writes};

/// How long a write may still be on its way once its sandbox is gone. Events come again after seconds at the earliest.
const LATE: Duration = Duration::from_millis(50);

/// A request, and the statements that it is about.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) request: Value,
    /// The ARN of the policy.
    pub(crate) arn: &'static str,
    pub(crate) ids: &'static [&'static str],
}

impl Asked {
    /// Whether the statements are to stand, not to go.
    pub(crate) fn gives(&self) -> bool {
        !self.request["operation"].as_str().unwrap().starts_with("Remove")
    }
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
    delivered: bool,
}

/// What the records say of one statement.
struct Known {
    id: &'static str,
    stands: bool,
    /// Whether a record, or the lack of one, said that it is not known.
    open: bool,
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
fn word(outcome: &Value) -> &str {
    outcome["code"].as_str().or(outcome["outcome"].as_str()).unwrap()
}

/// The statement that a write is about, and whether the write gives it.
fn subject(call: &Call) -> Option<(String, bool)> {
    match call.operation? {
        Operation::AddPermission | Operation::AddLayerVersionPermission => {
            let body: Value = serde_json::from_slice(&call.body).unwrap();
            Some((body["StatementId"].as_str().unwrap().to_owned(), true))
        }
        Operation::RemovePermission | Operation::RemoveLayerVersionPermission => {
            Some((call.path.rsplit('/').next().unwrap().to_owned(), false))
        }
        _ => None,
    }
}

impl Event {
    pub(crate) fn new(scene: Scene, door: Door, asked: Asked) -> Self {
        let known = |id| Known { id, stands: false, open: false };
        let statements = asked.ids.iter().copied().map(known).collect();
        let mut event =
            Self { scene, door, asked, statements, others: Vec::new(), cut_off: false, loses: false, delivered: false };
        let (stand, others) = event.now();
        event.others = others;
        for (known, stands) in event.statements.iter_mut().zip(stand) {
            known.stands = stands;
        }
        event
    }

    /// Which of our statements stand, never twice, and all other statements.
    fn now(&self) -> (Vec<bool>, Vec<Value>) {
        let (ours, others): (Vec<_>, Vec<_>) = self
            .scene
            .statements(self.asked.arn)
            .into_iter()
            .partition(|statement| self.asked.ids.contains(&statement["Sid"].as_str().unwrap()));
        let times = |id: &str| ours.iter().filter(|statement| statement["Sid"] == id).count();
        let stands = self.asked.ids.iter().map(|id| {
            assert!(times(id) <= 1, "the statement {id} stands {} times", times(id));
            times(id) == 1
        });
        (stands.collect(), others)
    }

    /// Delivers once, for so long at most, and checks everything that has to hold.
    pub(crate) async fn deliver(&mut self, at_most: Option<Duration>) -> Ending {
        // What gives and takes back in one request is undone by what an earlier delivery left on its way.
        if self.delivered && self.asked.ids.len() > 1 {
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
        let subjects = self.scene.plane.calls().iter().filter_map(subject).collect::<Vec<_>>();
        for (place, (id, gives)) in subjects.iter().enumerate().skip(before) {
            let about = |one: &&Written, record: &str| {
                let operation = one.line["operation"].as_str().unwrap_or_default();
                let takes = one.line["takesBack"] == true || operation.starts_with("Remove");
                one.line["record"] == record && one.line["statementId"] == **id && takes != *gives
            };
            let intents = written.iter().filter(|one| about(one, "intent") && one.writes_before <= place).count();
            // A call that was given up may arrive late, after its outcome: that it is unknown is what the outcome says.
            let given_up = |one: &&Written| one.line["calls"].to_string().contains(":timeout");
            let outcomes = written
                .iter()
                .filter(|one| about(one, "outcome") && !given_up(one) && one.writes_before <= place)
                .count();
            assert!(intents > outcomes, "write {place} of {id} has no intent: {written:?}");
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
            outcomes.iter().skip(*i).any(|later| granted(later) && later["statementId"] == line["statementId"])
        };
        let failures = outcomes.iter().enumerate().filter(|(_, line)| !is_success(word(line)));
        let failure = failures.filter(|one| !healed(one)).map(|(_, line)| word(line)).next_back();
        let told = match reply.failed_messages() {
            // A queue is told that a message comes again, not why: a code, or that a record failed.
            Some(_) if reply.comes_again() && failed => "audit_unavailable",
            Some(_) if reply.comes_again() => failure.expect("a message comes again without a reason"),
            Some(_) => failure.or(words.last().copied()).expect("a message is done without a record"),
            None if reply.code().is_empty() => reply.outcome(),
            None => reply.code(),
        };
        let recorded = match self.asked.ids.len() {
            1 => words.last() == Some(&told),
            _ => words.contains(&told) && (is_success(told) == failure.is_none()),
        };
        assert!(told == "audit_unavailable" || recorded, "told {told}, recorded {words:?}");
        if reply.comes_again() { Ending::Again(told.to_owned()) } else { Ending::Done(told.to_owned()) }
    }

    fn check(&self, ending: &Ending, found: &[bool], written: &[Written]) {
        let (Ending::Done(word) | Ending::Again(word)) = ending else { return };
        let (stands, others) = self.now();
        assert_eq!(others, self.others, "{word}, and another statement is touched");
        for ((known, stands), found) in self.statements.iter().zip(stands).zip(found) {
            let Known { id, stands: recorded, open } = known;
            let records: Vec<_> = written.iter().map(|one| &one.line).collect();
            // A write of ours that was given up may undo, where AWS loses parallel writes, one that AWS has confirmed:
            // elsewhere than behind the queue nothing is promised of that.
            let given_up = *open || records.iter().any(|line| line["calls"].to_string().contains(":timeout"));
            if given_up && self.loses && self.door != Door::Sqs {
                continue;
            }
            if is_success(word) {
                assert_eq!(stands, self.asked.gives(), "{word}, but {id} does not show it: {records:?}");
            }
            if !open {
                assert_eq!(stands, *recorded, "{word}, and the records of {id} are wrong: {records:?}");
                if !is_success(word) && !leaves_it_open(word) && !given_up {
                    assert_eq!(stands, *found, "{word}, but {id} is not as it was: {records:?}");
                }
            }
        }
        let (stands, _) = self.now();
        if let Ending::Done(word) = ending
            && self.asked.gives()
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
    /// by whatever ends the event for good.
    fn half_is_told(&self, word: &str, stands: &[bool], written: &[Written]) {
        let ids = || self.statements.iter().zip(stands).filter(|(_, stands)| **stands).map(|(known, _)| known.id);
        if ids().count() == stands.len() || stands.len() == 1 {
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
}

impl Known {
    /// What the records of one delivery add.
    fn learn(&mut self, written: &[Written]) {
        let mut under_way = false;
        for Written { line, .. } in written.iter().filter(|one| one.line["statementId"] == self.id) {
            match line["record"].as_str().unwrap() {
                "intent" => {
                    self.open |= under_way;
                    under_way = true;
                }
                "outcome" => {
                    under_way = false;
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
