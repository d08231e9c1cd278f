//! Every fault of AWS and of the network at every write and read, and of the audit at every record,
//! through every door, for functions and for layers; then redelivery without the fault.

use std::time::Duration;

use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation};
use permission_broker::policy::Timing;
use serde_json::{Value, json};

use super::delivery::{Ending, Event, is_success};
use crate::support::door::DOORS;
use crate::support::{Door, Fate, QUICK, Scene, cases, grant, layer_grant};

/// For faults that leave a call without an end: each costs one of these.
const HANGING: Timing = Timing { call: Duration::from_millis(50), ..QUICK };

/// What a fault that strikes a write comes to.
#[derive(Clone, Copy)]
enum Ends {
    /// With the statement, at the latest after redelivery.
    Granted,
    /// For good, with a code and without a statement.
    Final(&'static str),
    /// The same for a caller; an event is kept, and granted once the fault is gone.
    Kept(&'static str),
}

impl Ends {
    /// What is final has to be seen; what hangs has to be given up soon.
    fn timing(self, name: &str) -> Timing {
        let hangs = ["hang", "slow", "late"].iter().any(|word| name.contains(word));
        if hangs { HANGING } else { QUICK }
    }
}

/// The rows: reliability fault, what AWS or the network does, what becomes of the grant.
fn faults() -> Vec<(&'static str, Fault, Ends)> {
    use Ends::{Final, Granted, Kept};
    let answer = |status, error_type: Option<&str>, body: &str| {
        Fault::new(FaultKind::Answer {
            status,
            error_type: error_type.map(str::to_owned),
            headers: Vec::new(),
            body: body.to_owned(),
        })
    };
    vec![
        ("F7 reset after the commit", Fault::new(FaultKind::ResetAfterCommit), Granted),
        ("F7 hang after the commit", Fault::new(FaultKind::HangAfterCommit), Granted),
        ("F7 slow body", Fault::new(FaultKind::SlowBody { every: Duration::from_millis(70) }), Granted),
        ("F7 late commit", Fault::new(FaultKind::Delay(Duration::from_millis(70))), Granted),
        ("F8 reset before the commit", Fault::new(FaultKind::ResetBeforeCommit), Granted),
        ("F8 hang before the commit", Fault::new(FaultKind::HangBeforeCommit), Granted),
        ("F10 throttled", Fault::throttled(None), Granted),
        ("F10 throttled for long", Fault::throttled(Some(60)), Granted),
        ("F11 500", Fault::error(ErrorName::Service, "no"), Granted),
        ("F11 502 in HTML", answer(502, None, "<html>"), Granted),
        ("F11 503", answer(503, Some("ServiceUnavailableException"), "{}"), Granted),
        ("F11 truncated body", Fault::new(FaultKind::TruncatedBody), Granted),
        ("F11 half a body", Fault::new(FaultKind::HalfJson), Granted),
        ("F11 empty body", Fault::new(FaultKind::EmptyBody), Granted),
        ("F11 no JSON", Fault::new(FaultKind::NotJson), Granted),
        ("F11 wrong content type", Fault::new(FaultKind::WrongContentType), Granted),
        ("F12 409 after our own commit", Fault::new(FaultKind::Duplicate { commit: true }), Granted),
        ("F14 409 without a statement", Fault::new(FaultKind::Duplicate { commit: false }), Granted),
        ("F14 concurrent update", Fault::concurrent_update(), Granted),
        ("F15 412", Fault::revision_mismatch(), Final("revision_changed")),
        ("F16 policy full", Fault::error(ErrorName::PolicyLengthExceeded, "no"), Final("policy_full")),
        ("F17 public policy", Fault::error(ErrorName::PublicPolicy, "no"), Kept("public_access_blocked")),
        ("F17 access denied", Fault::access_denied(), Kept("access_denied")),
        ("F17 expired", answer(403, Some("ExpiredTokenException"), "{}"), Kept("access_denied")),
        ("F18 404", Fault::error(ErrorName::ResourceNotFound, "no"), Final("target_not_found")),
        ("F19 ValidationException", Fault::error(ErrorName::Validation, "no"), Final("rejected_by_aws")),
        ("F19 a new 4xx", answer(422, Some("NewException"), "{}"), Final("rejected_by_aws")),
        ("F19 a new 5xx", answer(555, Some("NewException"), "{}"), Granted),
    ]
}

/// Where a fault strikes.
#[derive(Clone, Copy, Debug)]
enum Point {
    FirstWrite,
    /// After a first one that was throttled.
    SecondWrite,
    EveryWrite,
    /// After a write whose answer was lost.
    FirstRead,
    EveryRead,
    /// After a 409 to the first write, when the statement stands.
    ReadAfterConflict,
    /// Nothing works at all.
    EveryCall,
}

const POINTS: [Point; 7] = [
    Point::FirstWrite,
    Point::SecondWrite,
    Point::EveryWrite,
    Point::FirstRead,
    Point::EveryRead,
    Point::ReadAfterConflict,
    Point::EveryCall,
];

/// A grant, its place, and the operations that it takes.
#[derive(Clone)]
struct Kind {
    request: Value,
    place: (&'static str, &'static str),
    add: Operation,
    read: Operation,
}

fn kinds() -> [Kind; 2] {
    [
        Kind {
            request: grant(json!({})),
            place: ("arn:aws:lambda:us-east-1:123456789012:function:orders", "partner"),
            add: Operation::AddPermission,
            read: Operation::GetPolicy,
        },
        Kind {
            request: layer_grant(json!({})),
            place: ("arn:aws:lambda:us-east-1:123456789012:layer:common:1", "partner"),
            add: Operation::AddLayerVersionPermission,
            read: Operation::GetLayerVersionPolicy,
        },
    ]
}

impl Point {
    fn is_write(self) -> bool {
        !matches!(self, Self::FirstRead | Self::EveryRead | Self::ReadAfterConflict)
    }

    fn inject(self, fault: &Fault, kind: &Kind, scene: &Scene) {
        let fault = fault.clone();
        let lost = Fault::new(FaultKind::ResetAfterCommit).on(kind.add);
        let conflict = Fault::new(FaultKind::Duplicate { commit: true }).on(kind.add);
        let plane = &scene.plane;
        match self {
            Self::FirstWrite => plane.inject(fault.on(kind.add)),
            Self::SecondWrite => plane.inject(Fault::throttled(None).on(kind.add)).inject(fault.on(kind.add)),
            Self::EveryWrite => plane.inject(fault.on(kind.add).times(99)),
            Self::FirstRead => plane.inject(lost).inject(fault.on(kind.read)),
            Self::EveryRead => plane.inject(lost).inject(fault.on(kind.read).times(99)),
            Self::ReadAfterConflict => plane.inject(conflict).inject(fault.on(kind.read)),
            Self::EveryCall => plane.inject(fault.times(99)),
        };
    }
}

/// One fault at one point through one door: the first delivery with it, the others without.
async fn strike(name: &str, fault: &Fault, ends: Ends, point: Point, kind: &Kind, door: Door) {
    let full = format!("{name}, {point:?}, {}, {}", kind.add.name(), door.as_str());
    let mut scene = Scene::new().await;
    scene.broker.timing = ends.timing(name);
    point.inject(fault, kind, &scene);
    let mut event = Event::new(scene, door, kind.request.clone(), kind.place);
    let first = event.deliver(None).await;
    let last = if let Ending::Done(word) = first { word } else { event.settle().await };
    let waits = matches!(door, Door::Direct | Door::ApiGateway);
    match ends {
        Ends::Final(code) if point.is_write() => assert_eq!(last, code, "{full}"),
        Ends::Kept(code) if point.is_write() && waits => assert_eq!(last, code, "{full}"),
        // A read that is denied after a clear 409 says so; the event is kept, a caller is told for good.
        Ends::Kept("access_denied") if matches!(point, Point::ReadAfterConflict) && waits => {
            assert_eq!(last, "access_denied", "{full}");
        }
        _ => assert!(is_success(&last), "{full}: {last:?}"),
    }
}

/// By default each fault meets each door at some points; a long run tries all.
fn doors(place: usize) -> Vec<Door> {
    let all = cases(0) > 0;
    DOORS.into_iter().enumerate().filter(|(i, _)| all || place % DOORS.len() == *i).map(|(_, door)| door).collect()
}

#[tokio::test]
async fn every_fault_of_aws_at_every_call_converges_or_is_final() {
    let mut strikes = 0;
    for (i, (name, fault, ends)) in faults().into_iter().enumerate() {
        let mut under_way = Vec::new();
        for (j, point) in POINTS.into_iter().enumerate() {
            for (k, kind) in kinds().into_iter().enumerate() {
                for door in doors(i + j + k) {
                    let (fault, kind) = (fault.clone(), kind.clone());
                    under_way.push(async move { strike(name, &fault, ends, point, &kind, door).await });
                }
            }
        }
        strikes += under_way.len();
        futures_util::future::join_all(under_way).await;
    }
    println!("{strikes} faults struck");
}

/// F1, F2: the audit fails at each record of a grant, once and twice, in every way it can.
#[tokio::test]
async fn every_fault_of_the_audit_at_every_record_converges() {
    for fate in [Fate::Failed, Fate::Torn, Fate::NotFlushed, Fate::Panics] {
        for written in 0..=1 {
            for times in 1..=3 {
                for kind in kinds() {
                    for door in DOORS {
                        let scene = Scene::new().await;
                        let failing = std::iter::repeat_n(fate, if fate == Fate::Panics { 1 } else { times });
                        scene.sink.next(std::iter::repeat_n(Fate::Written, written).chain(failing));
                        let mut event = Event::new(scene, door, kind.request.clone(), kind.place);
                        let first = event.deliver(None).await;
                        assert!(!matches!(first, Ending::Done(word) if is_success(&word)), "{fate:?} after {written}");
                        // A caller who is told of a defect is not told to ask again, but may.
                        let last = event.settle().await;
                        assert!(is_success(&last), "{fate:?} after {written}: {last:?}");
                    }
                }
            }
        }
    }
}

/// F9: the reply is lost, and every read fails, in each way a read can.
#[tokio::test]
async fn what_nobody_can_say_is_said_to_be_unknown() {
    for (name, fault, ends) in faults() {
        let [kind, _] = kinds();
        let mut scene = Scene::new().await;
        scene.broker.timing = ends.timing(name);
        Point::EveryRead.inject(&fault, &kind, &scene);
        let mut event = Event::new(scene, Door::EventBridge, kind.request, kind.place);
        let first = event.deliver(None).await;
        // The one of them that leaves the answer whole.
        let expected = match name {
            "F11 wrong content type" => Ending::Done("granted".to_owned()),
            _ => Ending::Again("outcome_unknown".to_owned()),
        };
        assert_eq!(first, expected, "{name}");
    }
}
