//! What a sweep finds by itself: all that the allowlist reaches, in as many invocations as it takes.

use std::time::Duration;

use permission_broker::allowlist::Allowlist;
use permission_broker::local::control_plane::{ControlPlane, Fault, FaultKind, Operation};
use permission_broker::local::stage::WORLD;
use serde_json::{Value, json};
use tokio::sync::OnceCell;

use super::sweep::{sweep, timed_left, without_schedules};
use super::{SIX, at, timed, timed_layer};
use crate::life::LAYER;
use crate::support::{Door, Scene, all, grant, json as parsed, string};

const LISTS: [Operation; 5] = [
    Operation::ListFunctions,
    Operation::ListAliases,
    Operation::ListVersionsByFunction,
    Operation::ListLayers,
    Operation::ListLayerVersions,
];

fn asked(parameters: Value) -> Value {
    json!({ "operation": "Sweep", "parameters": parameters })
}

fn called(scene: &Scene, operation: Operation) -> usize {
    scene.plane.calls().iter().filter(|call| call.operation == Some(operation)).count()
}

fn listed(scene: &Scene) -> Vec<Operation> {
    LISTS.into_iter().filter(|operation| called(scene, *operation) > 0).collect()
}

fn allow(scene: &mut Scene, targets: &Value) {
    let mut rule = json!({ "accounts": ["210987654321"] });
    if !targets.is_null() {
        rule["targets"] = targets.clone();
    }
    scene.broker.allowlist = Allowlist::parse(&rule.to_string()).unwrap().into();
}

/// By a pattern and by name, on functions, aliases, versions and layer versions.
#[tokio::test]
async fn a_sweep_finds_what_the_allowlist_reaches() {
    let mut scene = without_schedules().await;
    let version = timed(json!({ "Qualifier": "1" }));
    assert_eq!(scene.ask(Door::Direct, &version).await.outcome(), "granted");
    for (key, _) in scene.plane.schedules() {
        scene.plane.put_schedule(&key, None);
    }
    scene.now = at(SIX);
    scene.records();
    let reply = scene.ask(Door::Schedule, &asked(json!({}))).await;
    assert_eq!((reply.failed, reply.outcome(), timed_left(&scene)), (false, "revoked", 0));
    let mut places: Vec<_> =
        reply.document["grants"].as_array().unwrap().iter().map(|it| string(it, "resource").to_owned()).collect();
    places.sort();
    let function = |rest: &str| format!("arn:aws:lambda:us-east-1:123456789012:function:{rest}");
    assert_eq!(
        places,
        [function("billing"), function("orders"), function("orders:1"), function("orders:live"), LAYER.to_owned()]
    );
    assert!(scene.statements(&function("orders")).len() == 1, "what has no end stays");
    let last = scene.records().pop().unwrap();
    assert!(last.get("sweptTo").is_none() && last["calls"].to_string().contains("list:200 x"), "{last}");
}

/// Only what a rule reaches, and the role, is looked at; what has a name in full needs no list of everything.
#[tokio::test]
async fn nothing_else_is_listed_or_read() {
    let [functions, aliases, versions, layers, layer_versions] = LISTS;
    let of_function = [aliases, versions];
    let cases: [(Value, Value, Vec<Operation>, usize); 8] = [
        (json!(["function:billing"]), json!({}), of_function.to_vec(), 1),
        (json!(["layer:common"]), json!({}), vec![layer_versions], 1),
        (json!(["function:bill*"]), json!({}), [&[functions][..], &of_function].concat(), 1),
        (json!(["layer:c*"]), json!({}), vec![layers, layer_versions], 1),
        (json!(["function:nothing"]), json!({}), of_function.to_vec(), 0),
        (Value::Null, json!({}), LISTS.to_vec(), 4),
        (Value::Null, json!({ "Within": ["function:billing"] }), of_function.to_vec(), 1),
        (Value::Null, json!({ "Within": [], "Targets": ["function:orders:live"] }), Vec::new(), 1),
    ];
    for (targets, parameters, lists, gone) in cases {
        let mut scene = without_schedules().await;
        scene.now = at(SIX);
        allow(&mut scene, &targets);
        let reply = scene.ask(Door::Schedule, &asked(parameters.clone())).await;
        assert!(!reply.failed, "{}", reply.document);
        assert_eq!((listed(&scene), 4 - timed_left(&scene)), (lists, gone), "{targets} {parameters}");
    }
    // An allowlist that reaches nothing leaves what the event names.
    let mut scene = without_schedules().await;
    scene.now = at(SIX);
    scene.broker.allowlist = Allowlist::parse("[]").unwrap().into();
    assert_eq!(scene.ask(Door::Schedule, &sweep(json!(["layer:common:1"]))).await.outcome(), "revoked");
    assert_eq!((listed(&scene), timed_left(&scene)), (vec![], 3));
}

/// What cannot be listed is told; what has a name is looked at all the same.
#[tokio::test]
async fn what_may_not_be_listed_is_told_and_the_rest_is_swept() {
    // Under a rule that names nothing, and under the examples', which name `billing` and the layers.
    let unnamed = LISTS.into_iter().zip([3, 1, 0, 1, 1]).map(|(operation, left)| (operation, left, true));
    for (operation, left, unnamed) in unnamed.chain([(Operation::ListFunctions, 2, false)]) {
        let mut scene = without_schedules().await;
        scene.now = at(SIX);
        if unnamed {
            allow(&mut scene, &Value::Null);
        }
        scene.plane.inject(Fault::access_denied().on(operation).times(100));
        let reply = scene.ask(Door::Schedule, &asked(json!({}))).await;
        assert_eq!((reply.failed, reply.code(), timed_left(&scene)), (true, "access_denied", left), "{operation}");
        let record = scene.records().pop().unwrap();
        assert!(record["calls"].to_string().contains("list:403 AccessDeniedException"), "{record}");
        assert_eq!(record["errors"][0]["code"], "access_denied");
        let detail = string(&reply.document["errors"][0], "detail");
        assert!(detail.contains("could not be listed") && detail.contains("not looked at"), "{detail}");
        scene.plane.clear_faults();
        assert!(!scene.ask(Door::Schedule, &asked(json!({}))).await.failed);
        assert_eq!(timed_left(&scene), 0);
    }
    // What passes is tried again.
    let mut scene = without_schedules().await;
    scene.now = at(SIX);
    scene.plane.inject(Fault::throttled(None).on(Operation::ListFunctions).times(2));
    assert_eq!(scene.ask(Door::Schedule, &asked(json!({}))).await.outcome(), "revoked");
}

/// AWS sends a list also when nothing is in it: an answer without one is not taken for a list of nothing.
#[tokio::test]
async fn an_answer_without_its_list_is_not_an_empty_list() {
    let answers = |body: String| FaultKind::Answer { status: 200, error_type: None, headers: Vec::new(), body };
    let members = ["Functions", "Aliases", "Versions", "Layers", "LayerVersions"];
    let mut cases = Vec::new();
    for (operation, member) in LISTS.into_iter().zip(members) {
        let kinds = [
            FaultKind::EmptyBody,
            answers("{}".to_owned()),
            answers(format!(r#"{{"{member}":null}}"#)),
            answers(format!(r#"{{"{member}":[{{}}]}}"#)),
        ];
        cases.extend(kinds.into_iter().map(|kind| an_answer_without_its_list(operation, kind)));
    }
    all(8, cases).await;
}

async fn an_answer_without_its_list(operation: Operation, kind: FaultKind) {
    let mut scene = without_schedules().await;
    scene.now = at(SIX);
    allow(&mut scene, &Value::Null);
    let fault = Fault::new(kind.clone()).on(operation);
    scene.plane.inject(fault.clone().times(900));
    let reply = scene.ask(Door::Schedule, &asked(json!({}))).await;
    assert_eq!((reply.failed, reply.code()), (true, "unavailable"), "{operation} {kind:?}");
    let detail = string(&reply.document["errors"][0], "detail");
    assert!(detail.contains("could not be listed"), "{operation} {kind:?}: {detail}");
    scene.plane.clear_faults();
    assert!(!scene.ask(Door::Schedule, &asked(json!({}))).await.failed);
    assert_eq!(timed_left(&scene), 0, "{operation} {kind:?}");

    // Once, and it is asked again.
    let mut scene = without_schedules().await;
    scene.now = at(SIX);
    allow(&mut scene, &Value::Null);
    scene.plane.inject(fault);
    let reply = scene.ask(Door::Schedule, &asked(json!({}))).await;
    assert_eq!((reply.failed, reply.outcome(), timed_left(&scene)), (false, "revoked", 0), "{operation} {kind:?}");
}

/// A list that goes on where it is already has more than was seen.
#[tokio::test]
async fn a_list_that_does_not_go_on_is_told() {
    let mut scene = without_schedules().await;
    scene.now = at(SIX);
    let body = json!({ "Functions": [], "NextMarker": "again" }).to_string();
    let kind = FaultKind::Answer { status: 200, error_type: None, headers: Vec::new(), body };
    scene.plane.inject(Fault::new(kind).on(Operation::ListFunctions).times(2));
    let reply = scene.ask(Door::Schedule, &asked(json!({}))).await;
    assert_eq!((reply.failed, reply.code()), (true, "unavailable"));
}

/// A dry run lists what would be taken away; so does the dry run of an `Expire`.
#[tokio::test]
async fn a_dry_run_takes_nothing_away() {
    let mut scene = without_schedules().await;
    scene.now = at(SIX);
    let dry = |request: &Value| {
        let mut request = request.clone();
        request["dryRun"] = true.into();
        request
    };
    let reply = scene.ask(Door::Schedule, &dry(&asked(json!({})))).await;
    assert_eq!((reply.failed, reply.outcome(), timed_left(&scene)), (false, "would_revoke", 4));
    let parts = reply.document["grants"].as_array().unwrap();
    assert!(parts.len() == 4 && parts.iter().all(|it| it["outcome"] == "would_revoke" && it["statement"].is_object()));
    let records = scene.records();
    assert!(records.len() == 5 && records.iter().all(|it| it["record"] == "outcome" && it["dryRun"] == true));
    assert!(!scene.calls().contains(&"remove"));
    // Its policy has another statement too, so that it can still be read afterwards.
    let of_orders = parts.iter().find(|it| string(it, "resource").ends_with(":orders")).unwrap();
    let parameters = json!({ "FunctionName": "orders", "StatementId": of_orders["statementId"] });
    let expire = json!({ "operation": "Expire", "parameters": parameters });
    for (request, outcome, left) in
        [(dry(&expire), "would_revoke", 4), (expire.clone(), "revoked", 3), (dry(&expire), "already_revoked", 3)]
    {
        assert_eq!((scene.ask(Door::Schedule, &request).await.outcome(), timed_left(&scene)), (outcome, left));
    }
    assert_eq!(scene.ask(Door::Schedule, &asked(json!({}))).await.outcome(), "revoked");
    assert_eq!(scene.ask(Door::Schedule, &dry(&asked(json!({})))).await.outcome(), "already_revoked");
}

/// So many functions are too many for one invocation.
const CROWD: usize = 60;

/// An account with many functions that are reached, each with one timed grant, and without schedules.
async fn crowd() -> Scene {
    static CROWDED: OnceCell<String> = OnceCell::const_new();
    let mut scene = Scene::of(ControlPlane::from_world(CROWDED.get_or_init(crowded).await).unwrap()).await;
    scene.now = at(SIX);
    scene
}

async fn crowded() -> String {
    let mut world = parsed(WORLD);
    for i in 0..CROWD {
        world["functions"][format!("orders-{i:03}")] = json!({});
    }
    let scene = Scene::of(ControlPlane::from_world(&world.to_string()).unwrap()).await;
    for i in 0..CROWD {
        let request = timed(json!({ "FunctionName": format!("orders-{i:03}") }));
        assert_eq!(scene.ask(Door::Direct, &request).await.outcome(), "granted");
    }
    assert_eq!(scene.ask(Door::Direct, &timed_layer(json!({}))).await.outcome(), "granted");
    assert_eq!(scene.ask(Door::Direct, &grant(json!({}))).await.outcome(), "granted");
    for (key, _) in scene.plane.schedules() {
        scene.plane.put_schedule(&key, None);
    }
    scene.plane.to_world().unwrap()
}

/// Makes calls that many milliseconds apart, for a second of an invocation; even a busy machine ends a place within the rest.
fn roomy(scene: &mut Scene, pace: u64) -> Duration {
    scene.broker.timing.pace = Duration::from_millis(pace);
    scene.broker.timing.call = Duration::from_millis(500);
    scene.broker.timing.least_grant = Duration::from_millis(500);
    Duration::from_secs(2)
}

/// Where the time ends another invocation goes on, and all of them together miss nothing and do nothing twice.
#[tokio::test]
async fn a_sweep_goes_on_where_its_time_has_ended() {
    let mut scene = crowd().await;
    let left = roomy(&mut scene, 8);
    let mut event = crate::support::door::event(Door::Schedule, &sweep(json!(["layer:common:2"])));
    let mut minute = 0;
    let mut places = Vec::new();
    loop {
        let reply = scene.invoke_within(&event, left).await;
        assert!(!reply.failed, "{}", reply.document);
        let last = scene.records().pop().unwrap();
        let due = scene.plane.take_due(at(&format!("2026-03-02T18:{:02}:59Z", minute)));
        assert!(due.is_empty(), "a minute later, and not before");
        minute += 1;
        assert!(minute < 50, "it goes forward");
        scene.now = at(&format!("2026-03-02T18:{minute:02}:00Z"));
        let due = scene.plane.take_due(scene.now);
        let Some(to) = last["sweptTo"].as_str() else {
            assert!(due.is_empty() && scene.plane.schedules().is_empty());
            break;
        };
        assert!(last["calls"].to_string().contains("schedule:200"), "{last}");
        places.push(to.to_owned());
        let [next] = due.try_into().unwrap();
        let scheduled = &parsed(&next)["scheduled"]["parameters"];
        assert_eq!((&scheduled["After"], &scheduled["Targets"]), (&json!(to), &json!(["layer:common:2"])));
        event = next.into_bytes();
    }
    let once: std::collections::BTreeSet<_> = places.iter().collect();
    assert!(places.len() >= 2 && once.len() == places.len(), "{places:?}");
    assert_eq!(timed_left(&scene), 0);
    let reads = called(&scene, Operation::GetPolicy);
    let removed = called(&scene, Operation::RemovePermission);
    // After a removal it is read that the policy is gone.
    assert!(removed == CROWD && reads - removed < 80, "each once: {removed} {reads}");
}

/// The records of a sweep that goes on, though AWS has refused to take something away.
pub(crate) async fn incomplete() -> Vec<Value> {
    let mut scene = crowd().await;
    let left = roomy(&mut scene, 10);
    scene.plane.inject(Fault::access_denied().on(Operation::RemovePermission));
    scene.invoke_within(&crate::support::door::event(Door::Schedule, &sweep(json!([]))), left).await;
    scene.records()
}

/// What cannot go on has failed, and comes again: no sweep is called complete that is not.
#[tokio::test]
async fn a_sweep_that_cannot_go_on_comes_again() {
    let begun = async |refused: Option<Fault>, schedules: bool| {
        let mut scene = crowd().await;
        let left = roomy(&mut scene, 10);
        if !schedules {
            scene.broker.schedules = None;
        }
        if let Some(fault) = refused {
            scene.plane.inject(fault);
        }
        let event = crate::support::door::event(Door::Schedule, &sweep(json!([])));
        let reply = scene.invoke_within(&event, left).await;
        assert!(timed_left(&scene) > 0, "it has not ended");
        assert!(reply.failed || scene.records().pop().unwrap()["sweptTo"].is_string());
        (reply.failed, reply.document["code"].as_str().unwrap_or_default().to_owned())
    };
    let denied = Fault::access_denied().on(Operation::CreateSchedule);
    // A success that names no schedule is none.
    let silent = FaultKind::Answer { status: 200, error_type: None, headers: Vec::new(), body: "{}".to_owned() };
    let silent = Fault::new(silent).on(Operation::CreateSchedule).times(9);
    // What fails in a sweep that goes on is told, and not delivered again: each delivery would make another chain.
    let failed = Fault::access_denied().on(Operation::RemovePermission);
    let ended = tokio::join!(
        begun(None, false),
        begun(Some(denied), true),
        begun(Some(silent), true),
        begun(Some(failed), true),
        begun(None, true)
    );
    let of = |failed, code: &str| (failed, code.to_owned());
    let (no_schedules, denied) = (of(true, "timed_out"), of(true, "access_denied"));
    let (silent, incomplete) = (of(true, "not_scheduled"), of(false, "sweep_incomplete"));
    assert_eq!(ended, (no_schedules, denied, silent, incomplete, of(false, "")));
}

/// Calls are kept apart, so that a sweep leaves other people's deployments their share of AWS's quota.
#[tokio::test]
async fn calls_are_paced() {
    let mut scene = without_schedules().await;
    scene.now = at(SIX);
    scene.broker.timing.pace = Duration::from_millis(5);
    let begun = tokio::time::Instant::now();
    assert_eq!(scene.ask(Door::Schedule, &asked(json!({}))).await.outcome(), "revoked");
    let calls = u32::try_from(scene.plane.calls().len()).unwrap();
    assert!(
        calls > 20 && begun.elapsed() >= scene.broker.timing.pace * (calls - 4 - 1),
        "four reads of removals apart"
    );
}

#[tokio::test]
async fn where_to_look_and_where_to_go_on_are_read_strictly() {
    let scene = without_schedules().await;
    for (parameters, code) in [
        (json!({ "Within": "function:*" }), "wrong_type"),
        (json!({ "Within": ["orders*"] }), "invalid_function"),
        (json!({ "Within": ["function:*x"] }), "invalid_function"),
        (json!({ "After": "orders" }), "invalid_function"),
        (json!({ "After": ["function:orders"] }), "wrong_type"),
        (json!({ "After": "function:permission-broker" }), "invalid_function"),
        (json!({ "Before": "function:orders" }), "unknown_field"),
    ] {
        let reply = scene.ask(Door::Schedule, &asked(parameters.clone())).await;
        assert_eq!((reply.failed, reply.code()), (false, code), "{parameters}");
    }
    assert!(scene.calls().is_empty());
}
