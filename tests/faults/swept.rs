//! What a sweep says that its time has ended for: that it was swept as far as it says, and that the rest is in the end.

use std::panic::AssertUnwindSafe;
use std::time::{Duration, SystemTime};

use futures_util::FutureExt;
use permission_broker::expiry::Moment;
use permission_broker::policy::Timing;
use serde_json::Value;

use super::delivery::{END, Ending, Event, Known, is_success, word};
use super::kind::{KINDS, Kind};
use super::matrix::{Ends, Point, faults};
use crate::support::sink::Written;
use crate::support::{Door, QUICK, all, cases, json, string};

/// A place as a sweep tells it, in the order in which it looks at places: functions before layers, each before what is
/// part of it.
fn order(place: &str) -> (bool, Vec<&str>) {
    let mut parts = place.split(':');
    (parts.next() == Some("layer"), parts.collect())
}

/// The last place that a sweep was at whose rest is sent on.
fn swept_to(written: &[Written]) -> Option<&str> {
    written.last()?.line["sweptTo"].as_str()
}

/// Whether a sweep that came so far has not come to this policy.
fn is_behind(arn: &str, place: &str) -> bool {
    let target = arn.splitn(6, ':').last().unwrap();
    order(target) > order(place)
}

/// Whether a sweep could not see everything that it looked at.
fn missed_something(sweep: &Value) -> bool {
    let is_bad = |call: &str| {
        let (call, _times) = call.split_once(" x").unwrap_or((call, ""));
        let looks = call.starts_with("read:") || call.starts_with("list:");
        looks && !call.ends_with(":200") && !call.contains(":404")
    };
    // A list without its names is a 200 as well, and told beside the calls.
    sweep["errors"].is_array() || sweep["calls"].as_array().into_iter().flatten().filter_map(Value::as_str).any(is_bad)
}

impl Event {
    /// Whether a sweep has not come to this policy, as its record says.
    pub(super) fn is_to_come(written: &[Written], arn: &str) -> bool {
        swept_to(written).is_some_and(|place| is_behind(arn, place))
    }

    /// A sweep that goes on says so by a schedule; and what it says was swept was, unless something was not seen or not taken
    /// away, and then it is not called done.
    pub(super) fn is_swept_so_far(&self, ended: &str, written: &[Written], stand: &[(&Known, bool)]) {
        if self.asked.operation() != "Sweep" {
            return;
        }
        let failed = |one: &Written| one.line["record"] == "outcome" && !is_success(word(&one.line));
        let Some(to) = swept_to(written) else {
            // Nothing goes on: what it left undone was refused for good. Of a sweep that could not be put on record nothing is said.
            let Some((sweep, parts)) = written.split_last() else { return };
            let excused = missed_something(&sweep.line) || parts.iter().any(failed);
            assert!(ended != "sweep_incomplete" || excused, "nothing has failed: {written:?}");
            return;
        };
        let rest = |(_, schedule): &(String, _)| after(&sent_by(schedule)).as_deref() == Some(to);
        let rests = self.scene.plane.schedules();
        assert_eq!(rests.iter().filter(|one| rest(one)).count(), 1, "{to}: {rests:?}");
        let (sweep, parts) = written.split_last().unwrap();
        // What the caller is told may be that not even this could be put on record.
        let ended = word(&sweep.line);
        let missed = missed_something(&sweep.line);
        let excused = missed || parts.iter().any(failed);
        assert!(ended != "sweep_incomplete" || excused, "nothing has failed: {written:?}");
        for (known, _) in stand.iter().filter(|(known, stands)| *stands && !is_behind(known.place.0, to)) {
            let told = ended == "sweep_incomplete" && (known.failed || missed);
            assert!(told || self.lies, "{ended} up to {to}, but {:?} stands: {written:?}", known.place);
        }
    }

    /// What goes on behind the last place of a sweep ends, and then nothing is left behind that place; gives how many
    /// sweeps that took.
    pub(super) async fn rest_is_swept(&mut self) -> usize {
        let end = SystemTime::from(Moment::parse(END).unwrap());
        let mut places: Vec<String> = Vec::new();
        for minute in 1..=20 {
            self.scene.now = end + Duration::from_secs(60 * minute);
            for event in self.scene.plane.take_due(self.scene.now) {
                places.push(after(&json(&event)).expect("a sweep makes no other schedule"));
                let mut tries = 0;
                while self.scene.invoke(event.as_bytes()).await.failed {
                    tries += 1;
                    assert!(tries < 8, "the rest is never swept");
                }
                let last = self.scene.records().pop().unwrap();
                assert!(is_success(word(&last)), "{last}");
            }
        }
        let left = self.scene.plane.schedules();
        assert!(left.is_empty(), "it never ends: {left:?}");
        let stand = self.stand();
        for (place, _) in self.asked.statements.iter().zip(stand).filter(|(_, stands)| *stands) {
            let behind = places.iter().find(|after| is_behind(place.0, after));
            assert_eq!(behind, None, "the sweep has gone on, but {place:?} stands");
        }
        places.len()
    }
}

/// What a schedule sends.
fn sent_by(schedule: &permission_broker::local::control_plane::Schedule) -> Value {
    json(string(&schedule.target, "Input"))
}

/// Behind what a sweep goes on, if an event is such a sweep.
fn after(event: &Value) -> Option<String> {
    let scheduled = &event["scheduled"];
    let after = scheduled["parameters"]["After"].as_str().filter(|_| scheduled["operation"] == "Sweep");
    after.map(str::to_owned)
}

/// Between the calls of a sweep whose time ends.
const PACE: Duration = Duration::from_millis(10);

/// After how many calls the time ends: when it has looked at the function, at its first version, and at its alias.
const ENOUGH_FOR: [f64; 3] = [3.5, 5.5, 8.5];

/// A sweep that is struck by a fault, and whose time ends; gives how many more it took.
async fn strike(name: &str, fault: &super::Fault, ends: Ends, point: Point, calls: f64) -> usize {
    let kind = sweep();
    let mut scene = kind.scene().await;
    let asked = kind.asked(&scene).await;
    let timing = ends.timing(name);
    let (call, left, grant) =
        (timing.call.min(Duration::from_secs(1)), Duration::from_secs(15), Duration::from_secs(60));
    // What stops is the looking: what was begun has its time, and so has the schedule of the rest.
    let least_grant = left - call - timing.reserve - PACE.mul_f64(calls);
    scene.broker.timing = Timing { call, grant, least_grant, pace: PACE, ..timing };
    point.inject(fault, kind, kind.looks(false), &scene);
    let mut event = Event::new(scene, Door::Schedule, asked);
    event.lies = name.contains("404");
    if !matches!(event.deliver(None).await, Ending::Done(_)) {
        event.settle().await;
    }
    event.scene.plane.clear_faults();
    event.scene.broker.timing = QUICK;
    let more = event.rest_is_swept().await;
    event.end().await;
    more
}

fn sweep() -> &'static Kind {
    KINDS.iter().find(|kind| kind.name == "Sweep").unwrap()
}

/// Every fault, wherever the time ends meanwhile; at its points in turns, unless all are tried.
#[tokio::test]
async fn what_a_sweep_says_it_has_swept_it_has_and_the_rest_follows() {
    let points =
        [Point::List, Point::EveryList, Point::Look(0), Point::FirstWrite, Point::EveryWrite, Point::EveryRead];
    let mut under_way = Vec::new();
    for (i, (name, fault, ends)) in faults().into_iter().enumerate() {
        for (j, calls) in ENOUGH_FOR.into_iter().enumerate() {
            let of = points.iter().enumerate().filter(|(k, _)| cases(0) > 0 || (i + j) % points.len() == *k);
            for (_, point) in of {
                let fault = fault.clone();
                under_way.push(async move {
                    let struck = strike(name, &fault, ends, *point, calls);
                    let full = format!("{name}, {point:?}, time for {calls} calls");
                    AssertUnwindSafe(struck).catch_unwind().await.unwrap_or_else(|_| panic!("{full}"))
                });
            }
        }
    }
    let struck = under_way.len();
    // Few at once: where they keep each other waiting, their time ends before they have begun.
    let more = all(6, under_way).await;
    let went_on = more.iter().filter(|more| **more > 0).count();
    println!("{struck} sweeps struck, {went_on} went on");
    assert!(went_on > 0);
}
