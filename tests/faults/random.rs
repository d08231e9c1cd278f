//! Random schedules: any faults, in any order, at any door, over several deliveries, some of them cut
//! off. `BROKER_TEST_CASES` sets their number, `BROKER_TEST_SEED` plays one run again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fastrand::Rng;
use permission_broker::local::control_plane::{ConcurrentUpdates, ErrorName, Fault, FaultKind, Operation};
use permission_broker::policy::Timing;
use serde_json::{Value, json};

use super::delivery::{Asked, Ending, Event, is_success};
use super::kind::{LAYER, ORDERS, function_url, holding, layer_revoke, named, revoke, stored};
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

const LIVE: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders:live";

const GRANTED: &[&str] = &["granted", "already_granted"];
const REVOKED: &[&str] = &["revoked", "already_revoked"];
const PARTNER: &str = "210987654321";
const SOMEBODY: &str = "123456789012";
const ONE: &[&str] = &["partner"];
const BOTH: &[&str] = &["partner", "partner-invoke"];

/// What is asked, where it would stand, and what it comes to without faults.
struct Case {
    request: Value,
    arn: &'static str,
    ids: &'static [&'static str],
    /// What stands beforehand.
    before: Vec<Value>,
    /// Whether a revoke names the fingerprint.
    named: bool,
    expected: &'static [&'static str],
}

/// A grant on a function or a layer, a revoke there, or a function URL: each as often as the others.
fn case(random: &mut Rng) -> Case {
    match random.u8(0..5) {
        0 => function_grant(random),
        1 => layer(random, layer_grant(json!({})), GRANTED),
        2 => function_revoke(random),
        3 => layer(random, layer_revoke(), REVOKED),
        _ => url_grant(random),
    }
}

fn of(request: Value, before: Vec<Value>, expected: &'static [&'static str]) -> Case {
    Case { request, arn: ORDERS, ids: ONE, before, named: false, expected }
}

fn function_grant(random: &mut Rng) -> Case {
    let before = |account| vec![stored("other", PARTNER, ORDERS), stored("partner", account, ORDERS)];
    match random.u8(0..9) {
        0..=2 => of(grant(json!({})), Vec::new(), GRANTED),
        3 => Case { arn: LIVE, ..of(grant(json!({ "Qualifier": "live" })), Vec::new(), GRANTED) },
        4 => of(grant(json!({})), before(PARTNER), GRANTED),
        5 => of(grant(json!({})), before(SOMEBODY), &["statement_conflict"]),
        6 => of(grant(json!({ "Principal": "999999999999" })), Vec::new(), &["principal_not_allowed"]),
        7 => of(grant(json!({ "RevisionId": "another" })), Vec::new(), &["revision_changed"]),
        _ => of(grant(json!({ "Qualifier": "9" })), Vec::new(), &["target_not_found"]),
    }
}

fn layer(random: &mut Rng, request: Value, expected: &'static [&'static str]) -> Case {
    let gives = expected == GRANTED;
    let other = random.bool().then(|| stored("other", PARTNER, LAYER));
    let ours = (!gives).then(|| stored("partner", PARTNER, LAYER));
    let before = other.into_iter().chain(ours).collect();
    Case { arn: LAYER, named: !gives && random.bool(), ..of(request, before, expected) }
}

fn function_revoke(random: &mut Rng) -> Case {
    let before = || vec![stored("other", PARTNER, ORDERS), stored("partner", PARTNER, ORDERS)];
    let last = vec![stored("partner", PARTNER, ORDERS)];
    match random.u8(0..9) {
        0 | 1 => of(revoke(), before(), REVOKED),
        2 => of(revoke(), last, REVOKED),
        3 => Case { named: true, ..of(revoke(), before(), REVOKED) },
        4 => Case { named: true, ..of(revoke(), last, REVOKED) },
        5 => of(revoke(), before()[..1].to_vec(), &["already_revoked"]),
        6 => of(with(revoke(), json!({ "fingerprint": "0".repeat(32) })), before(), &["statement_conflict"]),
        7 => {
            let mut request = revoke();
            request["parameters"]["RevisionId"] = json!("another");
            of(request, before(), &["revision_changed"])
        }
        _ => {
            let mut request = revoke();
            request["parameters"]["FunctionName"] = json!("payments");
            of(request, before(), &["target_not_allowed"])
        }
    }
}

fn url_grant(random: &mut Rng) -> Case {
    let request = || function_url(json!({}));
    let other = stored("other", PARTNER, ORDERS);
    let case = match random.u8(0..8) {
        0..=3 => of(request(), Vec::new(), GRANTED),
        4 => of(request(), vec![other], GRANTED),
        5 => of(request(), vec![other, stored("partner", PARTNER, ORDERS)], &["statement_conflict"]),
        6 => of(request(), vec![stored("partner-invoke", PARTNER, ORDERS)], &["statement_conflict"]),
        _ => of(function_url(json!({ "Principal": "999999999999" })), vec![other], &["principal_not_allowed"]),
    };
    Case { ids: BOTH, ..case }
}

fn fault(random: &mut Rng, operations: &[Operation]) -> Fault {
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
    let fault = match random.u8(0..22) {
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
        // Not 204, which would be a lie about a removal that AWS has refused.
        19 => Fault::new(FaultKind::Status([202, 203, 205, 206, 207][random.usize(..5)])),
        20 => Fault::new(answer(random.u16(205..208), None)),
        _ => Fault::new(answer(random.u16(400..600), random.bool().then_some("SomethingNewException"))),
    };
    let fault = fault.times(random.usize(1..4));
    match random.usize(0..=operations.len()) {
        0 => fault,
        place => fault.on(operations[place - 1]),
    }
}

/// The operations that a request takes; what changes more often than it is read.
fn operations(asked: &Asked) -> &'static [Operation] {
    use Operation::{
        AddLayerVersionPermission, AddPermission, GetLayerVersionPolicy, GetPolicy, RemoveLayerVersionPermission,
        RemovePermission,
    };
    match (asked.arn == LAYER, asked.gives(), asked.ids.len()) {
        (true, true, _) => &[GetLayerVersionPolicy, AddLayerVersionPermission, AddLayerVersionPermission],
        (true, false, _) => &[GetLayerVersionPolicy, RemoveLayerVersionPermission, RemoveLayerVersionPermission],
        (false, true, 1) => &[GetPolicy, AddPermission, AddPermission],
        (false, true, _) => &[GetPolicy, AddPermission, AddPermission, RemovePermission],
        (false, false, _) => &[GetPolicy, RemovePermission, RemovePermission],
    }
}

/// Brings one delivery's worth of trouble; says whether parallel writes are lost, and after what time it is cut
/// off, if it is.
fn trouble(random: &mut Rng, scene: &Scene, operations: &[Operation]) -> (bool, Option<Duration>) {
    scene.plane.clear_faults();
    for _ in 0..random.u8(0..5) {
        scene.plane.inject(fault(random, operations));
    }
    let window = Duration::from_millis(random.u64(0..3));
    let parallel = random.u8(0..3);
    scene.plane.concurrent_updates(match parallel {
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
    scene.sink.next((0..6).map(|_| fate(random)).collect::<Vec<_>>());
    (parallel == 2, (random.u8(0..6) == 0).then(|| Duration::from_millis(random.u64(0..30))))
}

/// One schedule; gives what was asked for and how it ended.
async fn play(seed: u64) -> (String, String) {
    let random = &mut Rng::with_seed(seed);
    let case = case(random);
    let mut scene = holding(case.arn, &case.before).await;
    let request = if case.named { named(&scene, case.request).await } else { case.request };
    scene.broker.timing = TIMING;
    scene.broker.reads_first = random.bool();
    let operation = request["operation"].as_str().unwrap().to_owned();
    let asked = Asked { request, arn: case.arn, ids: case.ids };
    let operations = operations(&asked);
    let mut event = Event::new(scene, DOORS[random.usize(..DOORS.len())], asked);
    for _ in 0..random.u8(1..4) {
        let (loses, cut_off) = trouble(random, &event.scene, operations);
        event.loses |= loses;
        if let Ending::Done(word) = event.deliver(cut_off).await {
            // What AWS itself made final, or the fault that looked like it.
            return (operation, word);
        }
    }
    let word = event.settle().await;
    assert!(case.expected.contains(&word.as_str()), "{word} instead of {:?}", case.expected);
    (operation, word)
}

#[tokio::test]
async fn every_random_schedule_keeps_the_invariants_and_converges() {
    let (first, count) = (seed(), cases(300));
    println!("BROKER_TEST_SEED={first}");
    let start = Instant::now();
    let mut seeds = (0..count as u64).map(|i| first.wrapping_add(i));
    let mut under_way = tokio::task::JoinSet::new();
    let mut endings: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
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
        let (operation, word) = ended.unwrap();
        *endings.entry(operation).or_default().entry(word).or_default() += 1;
    }
    println!("{count} schedules in {:.1} s", start.elapsed().as_secs_f64());
    for (operation, words) in &endings {
        println!("  {operation}: {words:?}");
        assert!(words.keys().any(|word| is_success(word)), "no schedule of {operation} ends well");
    }
    assert_eq!(endings.len(), 5);
}
