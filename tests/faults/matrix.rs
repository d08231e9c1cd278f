//! Every fault of AWS and of the network at every write, read, list and schedule, and of the audit at every record,
//! through every door, for grants and revokes on functions and layers, for function URLs, for grants that end and what
//! ends them, and for what carries a layer's grants on, whether a policy is read first or not; then redelivery without the
//! fault, and then the end of what is to end. `BROKER_TEST_CASES=1` tries every fault at every door.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation};
use permission_broker::policy::Timing;

use super::delivery::{Ending, Event, is_success};
use super::kind::{KINDS, Kind};
use crate::support::{Door, Fate, QUICK, Scene, all, cases};

/// For faults that leave a call without an end: each costs one of these.
const HANGING: Timing = Timing { call: Duration::from_millis(50), ..QUICK };

/// What a fault that strikes a write comes to.
#[derive(Clone, Copy)]
pub(crate) enum Ends {
    /// As it was asked for, at the latest after redelivery.
    Made,
    /// The same for a revoke; a grant ends for good, with a code and without a statement.
    OfGrantsFinal(&'static str),
    /// For good, with a code and without a change.
    Final(&'static str),
    /// The same for a caller; an event is kept, and done once the fault is gone.
    Kept(&'static str),
}

impl Ends {
    /// What is final has to be seen; what hangs has to be given up soon.
    pub(crate) fn timing(self, name: &str) -> Timing {
        if hangs(name) { HANGING } else { QUICK }
    }

    /// What the same comes to where a schedule is made: an answer of AWS to that says nothing about the grant, and without
    /// the schedule there is none.
    fn of_schedule(self) -> Self {
        match self {
            Self::Made | Self::Kept("access_denied") => self,
            Self::OfGrantsFinal(_) | Self::Final(_) | Self::Kept(_) => Self::Kept("schedule_refused"),
        }
    }
}

fn hangs(name: &str) -> bool {
    ["hang", "slow", "late"].iter().any(|word| name.contains(word))
}

pub(crate) fn faults() -> Vec<(&'static str, Fault, Ends)> {
    faults_for(HANGING.call)
}

/// The rows: reliability fault, what AWS or the network does, what becomes of the request. What is late takes longer than a
/// call may.
fn faults_for(call: Duration) -> Vec<(&'static str, Fault, Ends)> {
    use Ends::{Final, Kept, Made, OfGrantsFinal};
    let answer = |status, error_type: Option<&str>, body: &str| {
        Fault::new(FaultKind::Answer {
            status,
            error_type: error_type.map(str::to_owned),
            headers: Vec::new(),
            body: body.to_owned(),
        })
    };
    vec![
        ("F7 reset after the commit", Fault::new(FaultKind::ResetAfterCommit), Made),
        ("F7 hang after the commit", Fault::new(FaultKind::HangAfterCommit), Made),
        ("F7 slow body", Fault::new(FaultKind::SlowBody { every: call * 7 / 5 }), Made),
        ("F7 late commit", Fault::new(FaultKind::Delay(call * 7 / 5)), Made),
        ("F8 reset before the commit", Fault::new(FaultKind::ResetBeforeCommit), Made),
        ("F8 hang before the commit", Fault::new(FaultKind::HangBeforeCommit), Made),
        ("F10 throttled", Fault::throttled(None), Made),
        ("F10 throttled for long", Fault::throttled(Some(60)), Made),
        ("F11 500", Fault::error(ErrorName::Service, "no"), Made),
        ("F11 502 in HTML", answer(502, None, "<html>"), Made),
        ("F11 503", answer(503, Some("ServiceUnavailableException"), "{}"), Made),
        ("F11 truncated body", Fault::new(FaultKind::TruncatedBody), Made),
        ("F11 half a body", Fault::new(FaultKind::HalfJson), Made),
        ("F11 empty body", Fault::new(FaultKind::EmptyBody), Made),
        ("F11 no JSON", Fault::new(FaultKind::NotJson), Made),
        ("F11 wrong content type", Fault::new(FaultKind::WrongContentType), Made),
        ("F11 another 2xx, not done", answer(202, None, "{}"), Made),
        ("F11 another 2xx, and done", Fault::new(FaultKind::Status(202)), Made),
        ("F12 409 after our own commit", Fault::new(FaultKind::Duplicate { commit: true }), Made),
        ("F14 409 without a statement", Fault::new(FaultKind::Duplicate { commit: false }), Made),
        ("F14 concurrent update", Fault::concurrent_update(), Made),
        ("F15 412", Fault::revision_mismatch(), OfGrantsFinal("revision_changed")),
        ("F16 policy full", Fault::error(ErrorName::PolicyLengthExceeded, "no"), Final("policy_full")),
        ("F17 public policy", Fault::error(ErrorName::PublicPolicy, "no"), Kept("public_access_blocked")),
        ("F17 access denied", Fault::access_denied(), Kept("access_denied")),
        ("F17 expired", answer(403, Some("ExpiredTokenException"), "{}"), Kept("access_denied")),
        ("F18 404", Fault::error(ErrorName::ResourceNotFound, "no"), OfGrantsFinal("target_not_found")),
        ("F19 ValidationException", Fault::error(ErrorName::Validation, "no"), Final("rejected_by_aws")),
        ("F19 a new 4xx", answer(422, Some("NewException"), "{}"), Final("rejected_by_aws")),
        ("F19 a new 5xx", answer(555, Some("NewException"), "{}"), Made),
    ]
}

/// Where a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// One of the policies that are read before the first write, where one looks before it writes.
    Look(usize),
    FirstWrite,
    /// After a first one that was throttled.
    SecondWrite,
    EveryWrite,
    /// After a write whose answer was lost.
    FirstRead,
    EveryRead,
    /// After a 409 to the first write, when it has taken effect.
    ReadAfterConflict,
    /// Nothing works at all.
    EveryCall,
    /// The second of several statements.
    SecondStatement,
    /// The first is taken back, as the second was refused.
    TakingBack,
    EveryTakingBack,
    /// The schedule that is to end a grant.
    Schedule,
    EverySchedule,
    /// That of the second of several statements.
    SecondSchedule,
    /// The look for a schedule that AWS has not said to be made.
    LookForSchedule,
    EveryLookForSchedule,
    /// What there is to sweep.
    List,
    EveryList,
}

const POINTS: [Point; 21] = [
    Point::Look(0),
    Point::Look(1),
    Point::Look(2),
    Point::Look(3),
    Point::FirstWrite,
    Point::SecondWrite,
    Point::EveryWrite,
    Point::FirstRead,
    Point::EveryRead,
    Point::ReadAfterConflict,
    Point::EveryCall,
    Point::SecondStatement,
    Point::TakingBack,
    Point::EveryTakingBack,
    Point::Schedule,
    Point::EverySchedule,
    Point::SecondSchedule,
    Point::LookForSchedule,
    Point::EveryLookForSchedule,
    Point::List,
    Point::EveryList,
];

impl Point {
    fn is_write(self) -> bool {
        matches!(
            self,
            Self::FirstWrite | Self::SecondWrite | Self::EveryWrite | Self::EveryCall | Self::SecondStatement
        )
    }

    fn is_schedule(self) -> bool {
        matches!(self, Self::Schedule | Self::EverySchedule | Self::SecondSchedule)
    }

    /// Whether a request passes there.
    fn is_of(self, kind: &Kind, looks: usize) -> bool {
        match self {
            Self::Look(place) => place < looks,
            Self::SecondStatement => kind.takes_back.is_some() || kind.has_parts,
            Self::TakingBack | Self::EveryTakingBack => kind.takes_back.is_some(),
            Self::Schedule | Self::EverySchedule | Self::LookForSchedule | Self::EveryLookForSchedule => kind.schedules,
            Self::SecondSchedule => kind.schedules && kind.records() > 2,
            Self::List | Self::EveryList => kind.lists(),
            _ => true,
        }
    }

    pub(crate) fn inject(self, fault: &Fault, kind: &Kind, looks: usize, scene: &Scene) {
        let fault = fault.clone();
        let plane = &scene.plane;
        // What strikes a later call lets the ones before it pass.
        let pass = |operation| Fault::new(FaultKind::Delay(Duration::ZERO)).on(operation);
        match self {
            Self::Look(place) => _ = plane.inject(pass(kind.read).times(place)),
            Self::FirstRead | Self::EveryRead | Self::ReadAfterConflict => {
                plane.inject(pass(kind.read).times(looks));
            }
            Self::SecondStatement | Self::TakingBack | Self::EveryTakingBack => _ = plane.inject(pass(kind.write)),
            Self::SecondSchedule => _ = plane.inject(pass(Operation::CreateSchedule)),
            _ => {}
        }
        if matches!(self, Self::TakingBack | Self::EveryTakingBack) {
            plane.inject(Fault::error(ErrorName::Validation, "no").on(kind.write));
        }
        let silent = || Fault::new(FaultKind::EmptyBody).on(Operation::CreateSchedule);
        let taken_back = kind.takes_back.unwrap_or(kind.write);
        match self {
            Self::FirstWrite | Self::SecondStatement => plane.inject(fault.on(kind.write)),
            Self::SecondWrite => plane.inject(Fault::throttled(None).on(kind.write)).inject(fault.on(kind.write)),
            Self::EveryWrite => plane.inject(fault.on(kind.write).times(99)),
            Self::Look(_) => plane.inject(fault.on(kind.read)),
            Self::FirstRead => plane.inject(lost(kind)).inject(fault.on(kind.read)),
            Self::EveryRead => plane.inject(lost(kind)).inject(fault.on(kind.read).times(99)),
            Self::ReadAfterConflict => {
                let conflict = Fault::new(FaultKind::Duplicate { commit: true }).on(kind.write);
                plane.inject(conflict).inject(fault.on(kind.read))
            }
            Self::EveryCall => plane.inject(fault.times(99)),
            Self::TakingBack => plane.inject(fault.on(taken_back)),
            Self::EveryTakingBack => plane.inject(fault.on(taken_back).times(99)),
            Self::Schedule | Self::SecondSchedule => plane.inject(fault.on(Operation::CreateSchedule)),
            Self::EverySchedule => plane.inject(fault.on(Operation::CreateSchedule).times(99)),
            Self::LookForSchedule => plane.inject(silent()).inject(fault.on(Operation::GetSchedule)),
            Self::EveryLookForSchedule => plane.inject(silent()).inject(fault.on(Operation::GetSchedule).times(99)),
            Self::List => plane.inject(fault.on(Operation::ListAliases)),
            Self::EveryList => {
                let both = [Operation::ListAliases, Operation::ListVersionsByFunction];
                both.iter().for_each(|list| _ = plane.inject(fault.clone().on(*list).times(99)));
                plane
            }
        };
    }
}

fn lost(kind: &Kind) -> Fault {
    Fault::new(FaultKind::ResetAfterCommit).on(kind.write)
}

/// One fault at one point through one door: the first delivery with it, the others without.
async fn strike(name: &str, fault: &Fault, ends: Ends, point: Point, kind: &Kind, reads_first: bool, door: Door) {
    let mut scene = kind.scene().await;
    let asked = kind.asked(&scene).await;
    scene.broker.timing = ends.timing(name);
    scene.broker.reads_first = reads_first;
    let looks = kind.looks(reads_first);
    point.inject(fault, kind, looks, &scene);
    let gives = asked.gives();
    let mut event = Event::new(scene, door, asked);
    event.lies = name.contains("404");
    let first = event.deliver(None).await;
    let last = if let Ending::Done(word) = first { word } else { event.settle().await };
    if kind.has_parts {
        parts_end(&last, ends, point, gives);
    } else {
        one_ends(&last, ends, point, kind, gives, door);
    }
    event.end().await;
}

/// What a request for one change, or for two that belong together, comes to.
fn one_ends(last: &str, ends: Ends, point: Point, kind: &Kind, gives: bool, door: Door) {
    let waits = matches!(door, Door::Direct | Door::ApiGateway);
    // Where nothing works at all, what looks before it writes does not get as far as that, unless it gives and AWS shows no
    // policy, as of a function that has none; the schedule of what does not look, or sees none, comes before its write.
    let sees_none = kind.takes_back.is_some() && matches!(ends, Ends::OfGrantsFinal("target_not_found"));
    let stops = point == Point::EveryCall && !sees_none && (kind.is_named || kind.takes_back.is_some());
    let at_schedule = point.is_schedule() || (point == Point::EveryCall && kind.schedules && !stops);
    let is_write = (point.is_write() || at_schedule) && !stops;
    let ends = if at_schedule { ends.of_schedule() } else { ends };
    match ends {
        // The second statement was refused for good, and the first is gone again; or it was not, and both stand.
        _ if matches!(point, Point::TakingBack | Point::EveryTakingBack) => {
            assert!(is_success(last) || last == "rejected_by_aws", "{last}");
        }
        Ends::Final(code) if is_write => assert_eq!(last, code),
        Ends::OfGrantsFinal(code) if is_write && gives => assert_eq!(last, code),
        // Where no removal finds the statement and no read the policy, the target is not there.
        Ends::OfGrantsFinal("target_not_found") if point == Point::EveryCall => {
            assert_eq!(last, "target_not_found");
        }
        Ends::Kept(code) if is_write && waits => assert_eq!(last, code),
        // A read that is denied before a write, after a clear 409, or of a schedule, says so; the event is kept, a caller
        // is told for good.
        Ends::Kept("access_denied")
            if matches!(
                point,
                Point::Look(_)
                    | Point::ReadAfterConflict
                    | Point::EveryCall
                    | Point::LookForSchedule
                    | Point::EveryLookForSchedule
            ) && waits =>
        {
            assert_eq!(last, "access_denied");
        }
        _ => assert!(is_success(last), "{last}"),
    }
}

/// What a request of many parts comes to: what may succeed later has succeeded, and what never will is told. A carry goes
/// on without what AWS refuses for good, which its parts tell, and ends with that if nothing was given; a sweep is not called done.
fn parts_end(last: &str, ends: Ends, point: Point, gives: bool) {
    let ends = if point.is_schedule() { ends.of_schedule() } else { ends };
    match ends {
        // On a machine that stands still meanwhile, the rest of a sweep that has met a fault is for its next invocation:
        // `swept` says what has to be so then.
        _ if !gives && last == "sweep_incomplete" => {}
        Ends::Made => assert!(is_success(last), "{last}"),
        Ends::Final(code) if !gives && (point.is_write() || matches!(point, Point::Look(0) | Point::List)) => {
            assert_eq!(last, code);
        }
        // Where every grant was refused, so was the whole.
        Ends::Final(code) if gives && point == Point::EveryWrite => assert_eq!(last, code),
        Ends::Final(_) if gives && point.is_write() && point != Point::EveryCall => {
            assert!(is_success(last), "{last}");
        }
        // Of a version of which AWS does not say in known words that it is not there, nothing is carried.
        Ends::Final(code) | Ends::OfGrantsFinal(code) | Ends::Kept(code) => {
            assert!(is_success(last) || [code, "previous_not_found"].contains(&last), "{last}");
        }
    }
}

/// By default each fault meets each change at each point, on functions and layers, at the doors, and with and without
/// a read before a function URL, in turns; a long run tries all.
fn turns(place: usize, k: usize) -> Vec<(&'static Kind, bool, Door)> {
    let all = cases(0) > 0;
    let kind = &KINDS[k];
    let every = kind.turns();
    if !all && !(place + k).is_multiple_of(every) {
        return Vec::new();
    }
    let place = place / every;
    let mut turns = Vec::new();
    for (w, &reads_first) in kind.ways().iter().enumerate() {
        if !all && kind.takes_back.is_some() && (place + w) % 2 == 1 {
            continue;
        }
        let doors = kind.doors.iter().enumerate();
        let doors = doors.filter(|(i, _)| all || (place + k + w) % kind.doors.len() == *i);
        turns.extend(doors.map(|(_, door)| (kind, reads_first, *door)));
    }
    turns
}

#[test]
fn every_fault_of_aws_at_every_call_converges_or_is_final() {
    let (mut faults_struck, mut points_struck) = (0, std::collections::BTreeSet::new());
    for (i, (name, fault, ends)) in faults().into_iter().enumerate() {
        let mut under_way = Vec::new();
        for (j, point) in POINTS.into_iter().enumerate() {
            for (kind, reads_first, door) in (0..KINDS.len()).flat_map(|k| turns(i + j, k)) {
                if point.is_of(kind, kind.looks(reads_first)) {
                    points_struck.insert((format!("{point:?}"), kind.name));
                    let fault = fault.clone();
                    under_way.push(async move {
                        let struck = strike(name, &fault, ends, point, kind, reads_first, door);
                        let full = format!("{name}, {point:?}, {}, {door:?}, reads first: {reads_first}", kind.name);
                        AssertUnwindSafe(struck).catch_unwind().await.unwrap_or_else(|_| panic!("{full}"));
                    });
                }
            }
        }
        faults_struck += under_way.len();
        // What listens ends with its runtime: a long run would have too many files open.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(all(24, under_way));
    }
    println!("{} faults at {} points, struck {faults_struck} times", faults().len(), points_struck.len());
    let passes = |point: &Point, kind: &Kind| kind.ways().iter().any(|way| point.is_of(kind, kind.looks(*way)));
    let of = |kind: &Kind| POINTS.iter().filter(|point| passes(point, kind)).count();
    assert_eq!(points_struck.len(), KINDS.iter().map(of).sum::<usize>(), "every point of every change");
}

/// F1, F2: the audit fails at each record of a request, once and more often, in every way it can.
#[tokio::test]
async fn every_fault_of_the_audit_at_every_record_converges() {
    for fate in [Fate::Failed, Fate::Torn, Fate::NotFlushed, Fate::Panics] {
        for kind in &KINDS {
            let mut under_way = Vec::new();
            for written in 0..kind.records() {
                for times in 1..=if fate == Fate::Panics { 1 } else { 3 } {
                    for door in kind.doors_at(written + times) {
                        under_way.push(audit_fails(fate, kind, written, times, door));
                    }
                }
            }
            all(24, under_way).await;
        }
    }
}

async fn audit_fails(fate: Fate, kind: &Kind, written: usize, times: usize, door: Door) {
    let mut scene = kind.scene().await;
    let asked = kind.asked(&scene).await;
    scene.broker.reads_first = times == 2;
    scene.sink.next(std::iter::repeat_n(Fate::Written, written).chain(std::iter::repeat_n(fate, times)));
    let mut event = Event::new(scene, door, asked);
    let first = event.deliver(None).await;
    let name = kind.name;
    assert!(!matches!(first, Ending::Done(word) if is_success(&word)), "{name}, {fate:?} after {written}");
    // A caller who is told of a defect is not told to ask again, but may.
    let last = event.settle().await;
    assert!(is_success(&last), "{name}, {fate:?} after {written}: {last:?}");
    event.end().await;
}

/// F9: the reply is lost, and every read fails, in each way a read can. Nothing else may, so what hangs is waited for long
/// enough that a busy machine answers the rest in time.
#[tokio::test]
async fn what_nobody_can_say_is_said_to_be_unknown() {
    let waiting = Timing { call: Duration::from_secs(1), ..QUICK };
    let mut under_way = Vec::new();
    for (name, fault, _) in faults_for(waiting.call) {
        let timing = if hangs(name) { waiting } else { QUICK };
        for kind in KINDS.iter().filter(|kind| !kind.has_parts) {
            for &reads_first in kind.ways() {
                under_way.push(nobody_can_say(name, fault.clone(), timing, kind, reads_first));
            }
        }
    }
    all(24, under_way).await;
}

async fn nobody_can_say(name: &str, fault: Fault, timing: Timing, kind: &Kind, reads_first: bool) {
    let mut scene = kind.scene().await;
    let asked = kind.asked(&scene).await;
    scene.broker.timing = timing;
    scene.broker.reads_first = reads_first;
    Point::EveryRead.inject(&fault, kind, kind.looks(reads_first), &scene);
    let success = if asked.gives() { "granted" } else { "revoked" };
    let door = if kind.doors.contains(&Door::EventBridge) { Door::EventBridge } else { kind.doors[0] };
    let mut event = Event::new(scene, door, asked);
    let first = event.deliver(None).await;
    let expected = match name {
        // The one of them that leaves the answer whole.
        "F11 wrong content type" => Ending::Done(success.to_owned()),
        // The first of two may stand, and could not be taken back.
        _ if kind.takes_back.is_some() => Ending::Again("half_granted".to_owned()),
        _ => Ending::Again("outcome_unknown".to_owned()),
    };
    // A layer's or function's last statement takes its policy with it, of which a removal tells.
    let told = kind.is_last && first == Ending::Done(success.to_owned());
    assert!(first == expected || told, "{name}, {}: {first:?}", kind.name);
}
