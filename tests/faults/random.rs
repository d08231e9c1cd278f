//! Random schedules: any faults, in any order, at any door, over several deliveries, some of them cut
//! off. `BROKER_TEST_CASES` sets their number, `BROKER_TEST_SEED` plays one run again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;
use permission_broker::local::control_plane::{
    ConcurrentUpdates, ControlPlane, ErrorName, Fault, FaultKind, Operation,
};
use permission_broker::local::stage::WORLD;
use permission_broker::policy::Timing;
use serde_json::{Value, json};

use super::delivery::{Ending, Event};
use crate::support::door::DOORS;
use crate::support::{Fate, QUICK, Scene, cases, grant, layer_grant, seed, with};

/// Times that can be waited out ten thousand times.
const TIMING: Timing = Timing {
    call: Duration::from_millis(25),
    least_call: Duration::from_millis(2),
    grant: Duration::from_millis(400),
    least_grant: Duration::from_millis(4),
    pause: Duration::from_micros(200),
    propagation: Duration::from_millis(5),
    settle: Duration::from_millis(2),
    ..QUICK
};

const ORDERS: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";
const LIVE: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders:live";
const LAYER: &str = "arn:aws:lambda:us-east-1:123456789012:layer:common:1";

/// What is asked, where it would stand, and what it comes to without faults.
struct Case {
    request: Value,
    arn: &'static str,
    /// What stands under the id beforehand.
    before: Option<Value>,
    expected: &'static [&'static str],
}

fn case(random: &mut Rng) -> Case {
    const GRANTED: &[&str] = &["granted", "already_granted"];
    let stored = |account: &str, resource: &str, action: &str| {
        let principal = json!({ "AWS": format!("arn:aws:iam::{account}:root") });
        let (sid, effect) = ("partner", "Allow");
        json!({ "Sid": sid, "Effect": effect, "Principal": principal, "Action": action, "Resource": resource })
    };
    let invoke = "lambda:InvokeFunction";
    let of = |request, arn, before, expected| Case { request, arn, before, expected };
    match random.u8(0..10) {
        0 | 1 => of(grant(json!({})), ORDERS, None, GRANTED),
        2 => of(grant(json!({ "Qualifier": "live" })), LIVE, None, GRANTED),
        3 | 4 => of(layer_grant(json!({})), LAYER, None, GRANTED),
        5 => {
            of(grant(json!({})), ORDERS, Some(stored("210987654321", ORDERS, invoke)), &["already_granted", "granted"])
        }
        6 => of(grant(json!({})), ORDERS, Some(stored("123456789012", ORDERS, invoke)), &["statement_conflict"]),
        7 => of(grant(json!({ "Principal": "999999999999" })), ORDERS, None, &["principal_not_allowed"]),
        8 => of(grant(json!({ "RevisionId": "another" })), ORDERS, None, &["revision_changed"]),
        _ => of(grant(json!({ "Qualifier": "9" })), ORDERS, None, &["target_not_found"]),
    }
}

fn fault(random: &mut Rng) -> Fault {
    let short = Duration::from_millis(random.u64(0..40));
    let answer = |status: u16, error_type: Option<&str>| FaultKind::Answer {
        status,
        error_type: error_type.map(str::to_owned),
        headers: Vec::new(),
        body: if status.is_multiple_of(2) { "{}".to_owned() } else { "<html>".to_owned() },
    };
    let names = [
        ErrorName::InvalidParameterValue,
        ErrorName::PublicPolicy,
        ErrorName::PolicyLengthExceeded,
        ErrorName::ResourceNotFound,
        ErrorName::Validation,
    ];
    let fault = match random.u8(0..20) {
        0 | 1 => Fault::new(FaultKind::ResetBeforeCommit),
        2 | 3 => Fault::new(FaultKind::ResetAfterCommit),
        4 => Fault::new(FaultKind::HangBeforeCommit),
        5 => Fault::new(FaultKind::HangAfterCommit),
        6 => Fault::new(FaultKind::SlowBody { every: short / 20 }),
        7 => Fault::new(FaultKind::TruncatedBody),
        8 => Fault::new(FaultKind::HalfJson),
        9 => Fault::new(FaultKind::EmptyBody),
        10 => Fault::new(FaultKind::NotJson),
        11 => Fault::new(FaultKind::Duplicate { commit: random.bool() }),
        12 => Fault::new(FaultKind::Delay(short)),
        13 => Fault::throttled(random.bool().then_some(random.u32(0..2))),
        14 => Fault::concurrent_update(),
        15 => Fault::revision_mismatch(),
        16 => Fault::access_denied(),
        17 => Fault::error(names[random.usize(..names.len())], "no"),
        18 => Fault::error(ErrorName::Service, "no"),
        _ => Fault::new(answer(random.u16(400..600), random.bool().then_some("SomethingNewException"))),
    };
    let fault = fault.times(random.usize(1..4));
    match random.u8(0..5) {
        0 => fault,
        1 => fault.on(Operation::GetPolicy),
        2 => fault.on(Operation::GetLayerVersionPolicy),
        3 => fault.on(Operation::AddLayerVersionPermission),
        _ => fault.on(Operation::AddPermission),
    }
}

/// Brings one delivery's worth of trouble; says after what time it is cut off, if it is.
fn trouble(random: &mut Rng, scene: &Scene) -> Option<Duration> {
    scene.plane.clear_faults();
    for _ in 0..random.u8(0..5) {
        scene.plane.inject(fault(random));
    }
    let window = Duration::from_millis(random.u64(0..3));
    scene.plane.concurrent_updates(match random.u8(0..3) {
        0 => ConcurrentUpdates::Serialise,
        1 => ConcurrentUpdates::Refuse { window },
        _ => ConcurrentUpdates::LoseSilently { window },
    });
    let fate = |random: &mut Rng| match random.u8(0..12) {
        0 => Fate::Failed,
        1 => Fate::Torn,
        2 => Fate::NotFlushed,
        _ => Fate::Written,
    };
    scene.sink.next([fate(random), fate(random), fate(random)]);
    (random.u8(0..6) == 0).then(|| Duration::from_millis(random.u64(0..30)))
}

/// One schedule; gives how it ended.
async fn play(seed: u64) -> String {
    let random = &mut Rng::with_seed(seed);
    let Case { request, arn, before, expected } = case(random);
    let mut world: Value = serde_json::from_str(WORLD).unwrap();
    if let Some(statement) = before {
        world = with(world, json!({ "policies": { arn: { "statements": [statement] } } }));
    }
    let mut scene = Scene::of(ControlPlane::from_world(&world.to_string()).unwrap()).await;
    scene.broker.timing = TIMING;
    let door = DOORS[random.usize(..DOORS.len())];
    let mut event = Event::new(scene, door, request, (arn, "partner"));
    for _ in 0..random.u8(1..4) {
        let cut_off = trouble(random, &event.scene);
        if let Ending::Done(word) = event.deliver(cut_off).await {
            // What AWS itself made final, or the fault that looked like it.
            return word;
        }
    }
    let word = event.settle().await;
    assert!(expected.contains(&word.as_str()), "{word} instead of {expected:?}");
    word
}

#[tokio::test]
async fn every_random_schedule_keeps_the_invariants_and_converges() {
    let (first, count) = (seed(), cases(200));
    println!("BROKER_TEST_SEED={first}");
    let start = Instant::now();
    let mut seeds = (0..count as u64).map(|i| first.wrapping_add(i));
    let mut under_way = tokio::task::JoinSet::new();
    let mut endings: BTreeMap<String, usize> = BTreeMap::new();
    loop {
        while under_way.len() < 8
            && let Some(seed) = seeds.next()
        {
            under_way.spawn(async move {
                let played = tokio::spawn(play(seed)).await;
                played.unwrap_or_else(|error| panic!("play it again with BROKER_TEST_SEED={seed}: {error}"))
            });
        }
        let Some(ended) = under_way.join_next().await else { break };
        *endings.entry(ended.unwrap()).or_default() += 1;
    }
    println!("{count} schedules in {:.1} s: {endings:?}", start.elapsed().as_secs_f64());
    assert!(endings.contains_key("granted") && endings.contains_key("already_granted"));
}
