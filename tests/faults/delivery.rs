//! One event and its deliveries, with what has to hold after each of them:
//!
//! 1. AWS is not called before an intent stands in the audit.
//! 2. A grant that the allowlist denies is never in a policy.
//! 3. No statement stands twice.
//! 4. A reply says what a record of this delivery says; a success is in the policy.
//! 5. What ends without success is not in the policy, unless a record has said that it may be.

use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use crate::support::door::{self, Door};
use crate::support::{QUICK, Reply, Scene, writes};

/// An event that is delivered until it is done.
pub(crate) struct Event {
    pub(crate) scene: Scene,
    pub(crate) door: Door,
    pub(crate) request: Value,
    /// The ARN of the policy, and the statement id.
    pub(crate) place: (&'static str, &'static str),
    /// Whether the statement was there before.
    stood: bool,
    /// Whether a record, or the lack of one, said that the statement may be there.
    open: bool,
    /// Whether a delivery was cut off: what it had sent may arrive later.
    cut_off: bool,
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
    matches!(word, "granted" | "already_granted")
}

/// A 409 whose reason the broker may not read: it says that its role falls short, not what stands.
fn read_was_denied(outcome: &Value) -> bool {
    let last = outcome["calls"].as_array().and_then(|calls| calls.last()?.as_str());
    outcome["code"] == "access_denied" && last.is_some_and(|last| last.starts_with("read:403"))
}

impl Event {
    pub(crate) fn new(scene: Scene, door: Door, request: Value, place: (&'static str, &'static str)) -> Self {
        let mut event = Self { scene, door, request, place, stood: false, open: false, cut_off: false };
        event.stood = event.stands();
        event
    }

    /// Whether a statement of our id is in the policy; never two.
    fn stands(&self) -> bool {
        let (arn, sid) = self.place;
        let statements = self.scene.statements(arn);
        let ours = statements.iter().filter(|statement| statement["Sid"] == sid).count();
        assert!(ours <= 1, "the statement stands {ours} times");
        ours == 1
    }

    /// Delivers once, for so long at most, and checks everything that has to hold.
    pub(crate) async fn deliver(&mut self, at_most: Option<Duration>) -> Ending {
        let before = writes(&self.scene.plane);
        let bytes = door::event(self.door, &self.request);
        let invoked = self.scene.invoke(&bytes);
        let reply = match at_most {
            Some(time) => timeout(time, invoked).await.ok(),
            None => Some(invoked.await),
        };
        let written = self.scene.sink.take();
        let intent = written.iter().find(|one| one.line["record"] == "intent");
        let called = writes(&self.scene.plane) > before;
        assert!(
            !called || self.cut_off || intent.is_some_and(|intent| intent.writes_before <= before),
            "no intent first"
        );
        let outcome = written.iter().map(|one| &one.line).rfind(|line| line["record"] == "outcome");
        // A success whose record was not flushed stands in the audit, though nobody was told of it.
        let may_stand = |outcome: &Value| outcome["code"] == "outcome_unknown" || outcome["code"].is_null();
        self.open |= intent.is_some() && outcome.is_none_or(may_stand);
        self.open |= written.iter().any(|one| one.line["record"] == "abandoned");
        let Some(reply) = reply else {
            self.cut_off = true;
            return Ending::CutOff;
        };
        let ending = self.ending(&reply, outcome);
        self.check(&ending, outcome);
        ending
    }

    /// What a reply says, which has to be what the outcome's record says.
    fn ending(&self, reply: &Reply, outcome: Option<&Value>) -> Ending {
        let recorded = outcome.map(|outcome| outcome["code"].as_str().or(outcome["outcome"].as_str()).unwrap());
        let told = match reply.failed_messages() {
            // A queue is told that a message comes again, not why: a code, or that its record failed.
            Some(_) if reply.comes_again() => {
                outcome.and_then(|outcome| outcome["code"].as_str()).unwrap_or("audit_unavailable")
            }
            Some(_) => recorded.expect("a message is done without a record"),
            None if reply.code().is_empty() => reply.outcome(),
            None => reply.code(),
        };
        assert!(told == "audit_unavailable" || recorded == Some(told), "told {told}, recorded {recorded:?}");
        if reply.comes_again() { Ending::Again(told.to_owned()) } else { Ending::Done(told.to_owned()) }
    }

    fn check(&self, ending: &Ending, outcome: Option<&Value>) {
        let stands = self.stands();
        match ending {
            Ending::Done(word) if is_success(word) => assert!(stands, "{word}, but no statement"),
            Ending::Done(word) | Ending::Again(word) => {
                let says_so = matches!(word.as_str(), "audit_unavailable" | "outcome_unknown" | "internal");
                let known = self.stood || self.open || says_so || outcome.is_some_and(read_was_denied);
                assert!(!stands || known, "{word}, but the statement stands: {outcome:?}");
            }
            Ending::CutOff => {}
        }
        if let Some(outcome) = outcome.filter(|outcome| outcome["decision"] == "denied") {
            assert!(!stands && writes(&self.scene.plane) == 0, "denied, but called: {outcome}");
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
