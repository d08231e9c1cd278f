//! What is taken back: the first statement, where the second cannot be given, and what nobody saw.

use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation};
use serde_json::{Value, json};

use super::super::{ORDERS, holding, stored};
use super::{both, failures, first_goes_well, goes_well, look_misses_everything, story, unread, url};
use crate::support::door::DOORS;
use crate::support::{Door, Fate, Scene, all, with};

#[tokio::test]
async fn the_first_is_taken_back_if_the_second_fails() {
    let mut cases = Vec::new();
    for (faults, code) in failures() {
        let doors = [Door::Direct, Door::ApiGateway, Door::EventBridge];
        cases.extend(doors.map(|door| first_is_taken_back(faults.clone(), code, door)));
    }
    all(8, cases).await;
}

async fn first_is_taken_back(faults: Vec<Fault>, code: &str, door: Door) {
    let scene = holding(&[(ORDERS, &[stored("other", json!({}))])]).await;
    first_goes_well(&scene);
    for fault in &faults {
        scene.plane.inject(fault.clone());
    }
    let reply = scene.ask(door, &url(json!({}))).await;
    assert_eq!(reply.code(), code, "{faults:?}");
    assert_eq!(scene.statements(ORDERS).len(), 1, "{faults:?}");
    let records = scene.records();
    let told = story(&records);
    let start = ["intent url", "granted url", "intent url-invoke"];
    assert_eq!(told[..3], start, "{faults:?}");
    assert_eq!(told[3], format!("{code} url-invoke"));
    assert_eq!(told[told.len() - 2..], ["intent url back", "revoked url back"], "{faults:?}");
    // Of what may stand, and of what stands otherwise than asked, nothing is left either.
    let open = ["outcome_unknown", "statement_differs"].contains(&code);
    assert_eq!(told.len(), if open { 8 } else { 6 }, "{told:?}");
    assert!(!open || told[4] == "intent url-invoke back", "{told:?}");
    // The same again, undisturbed, is granted.
    scene.plane.clear_faults();
    assert_eq!(scene.ask(door, &url(json!({}))).await.outcome(), "granted");
}

/// The answer to the first write is lost, and nobody can look: what may stand is taken back.
#[tokio::test]
async fn a_first_that_nobody_saw_is_taken_back() {
    let cases = [
        (true, 2, "outcome_unknown", "revoked url back"),
        (false, 2, "outcome_unknown", "already_revoked url back"),
        (true, 99, "half_granted", "unavailable url back"),
        (false, 99, "half_granted", "unavailable url back"),
    ];
    for (made, reads, code, back) in cases {
        for door in DOORS {
            let scene = holding(&[(ORDERS, &[stored("other", json!({}))])]).await;
            goes_well(&scene, Operation::GetPolicy);
            let lost = if made { FaultKind::ResetAfterCommit } else { FaultKind::ResetBeforeCommit };
            scene.plane.inject(Fault::new(lost).on(Operation::AddPermission)).inject(unread(reads));
            let reply = scene.ask(door, &url(json!({}))).await;
            assert!(reply.comes_again(), "{made} {reads}");
            let records = scene.records();
            let mut told = vec!["intent url", "outcome_unknown url", "intent url back", back];
            told.extend((code == "half_granted").then_some("half_granted -"));
            assert_eq!(story(&records), told, "{made} {reads}");
            if door != Door::Sqs {
                assert_eq!((reply.code(), &reply.document["retryable"]), (code, &json!(true)));
            }
            // Only where it is said that a half may stand does one.
            let half = code == "half_granted" && made;
            assert_eq!(scene.statements(ORDERS).len(), if half { 2 } else { 1 }, "{made} {reads}");
            scene.plane.clear_faults();
            assert!(!scene.ask(door, &url(json!({}))).await.comes_again());
            assert_eq!(scene.statements(ORDERS).len(), 3);
        }
    }
}

/// A wider rendering of the first is no grant, and if it stands it is not left behind.
#[tokio::test]
async fn a_first_that_aws_made_wider_is_taken_back() {
    let wider = with(both()[0].clone(), json!({ "Condition": null }));
    let body = json!({ "Statement": wider.to_string() }).to_string();
    let kind = FaultKind::Answer { status: 201, error_type: None, headers: Vec::new(), body };
    for (there, ending) in [(None, "already_revoked"), (Some(wider), "revoked")] {
        let there: Vec<Value> = there.into_iter().chain([stored("other", json!({}))]).collect();
        let scene = holding(&[(ORDERS, &there)]).await;
        look_misses_everything(&scene);
        scene.plane.inject(Fault::new(kind.clone()).on(Operation::AddPermission));
        assert_eq!(scene.ask(Door::Direct, &url(json!({}))).await.code(), "statement_differs");
        let ending = format!("{ending} url back");
        assert_eq!(story(&scene.records()), ["intent url", "statement_differs url", "intent url back", &ending]);
        assert_eq!(scene.statements(ORDERS), [stored("other", json!({}))]);
    }
}

#[tokio::test]
async fn what_could_not_be_taken_back_is_told_and_the_repeat_converges() {
    let removal = |fault: Fault| fault.on(Operation::RemovePermission).times(3);
    let cases = [
        removal(Fault::error(ErrorName::Service, "no")),
        removal(Fault::throttled(None)),
        removal(Fault::access_denied()),
        removal(Fault::concurrent_update()),
        removal(Fault::new(FaultKind::ResetBeforeCommit)),
    ];
    let told = |fault: &Fault| DOORS.map(|door| what_could_not_be_taken_back_is_told(fault.clone(), door));
    all(8, cases.iter().flat_map(told).collect()).await;
}

async fn what_could_not_be_taken_back_is_told(fault: Fault, door: Door) {
    let scene = Scene::new().await;
    first_goes_well(&scene);
    scene.plane.inject(Fault::error(ErrorName::InvalidParameterValue, "no").on(Operation::AddPermission));
    scene.plane.inject(fault.clone());
    let reply = scene.ask(door, &url(json!({}))).await;
    assert!(reply.comes_again(), "{fault:?}");
    let outcome = scene.records().pop().unwrap();
    assert_eq!((&outcome["code"], &outcome["retryable"]), (&json!("half_granted"), &json!(true)), "{fault:?}");
    if let Some((status, _)) = reply.http {
        assert_eq!((status, reply.document["code"].as_str()), (503, Some("half_granted")));
    }
    assert_eq!(scene.statements(ORDERS), [both()[0].clone()]);
    scene.plane.clear_faults();
    assert!(!scene.ask(door, &url(json!({}))).await.comes_again());
    assert_eq!(scene.statements(ORDERS), both());
}

/// The sink fails at each of the lines: nothing is done that no intent was written for.
#[tokio::test]
async fn a_failing_audit_leaves_no_half_without_a_word() {
    let mut cases = Vec::new();
    for second_fails in [false, true] {
        for at in 0..6 {
            for fate in [Fate::Failed, Fate::Torn, Fate::NotFlushed] {
                cases.extend(DOORS.map(|door| no_half_is_left_without_a_word(second_fails, at, fate, door)));
            }
        }
    }
    all(8, cases).await;
}

async fn no_half_is_left_without_a_word(second_fails: bool, at: usize, fate: Fate, door: Door) {
    let scene = Scene::new().await;
    first_goes_well(&scene);
    if second_fails {
        scene.plane.inject(Fault::error(ErrorName::InvalidParameterValue, "no").on(Operation::AddPermission));
    }
    scene.sink.next([Fate::Written; 6].into_iter().take(at).chain([fate]));
    let reply = scene.ask(door, &url(json!({}))).await;
    let failed = at < if second_fails { 6 } else { 4 };
    assert_eq!(reply.comes_again(), failed, "{second_fails} {at} {fate:?}");
    let written = scene.sink.take();
    let intents = written.iter().filter(|one| one.line["record"] == "intent");
    // Each write comes after the intent for it.
    assert!(intents.enumerate().all(|(i, intent)| intent.writes_before <= i), "{second_fails} {at}");
    let sids: Vec<_> = scene.statements(ORDERS).iter().map(|it| it["Sid"].as_str().unwrap().to_owned()).collect();
    let left: &[&str] = match (second_fails, at) {
        (_, 0) | (true, 5..) => &[],
        // The second has no intent, so it is not made; the first is taken back.
        (_, 2) => &[],
        (_, 1) | (true, 3 | 4) => &["url"],
        _ => &["url", "url-invoke"],
    };
    assert_eq!(sids, left, "{second_fails} {at} {fate:?} {:?}", story(&scene.records()));
    scene.plane.clear_faults();
    scene.ask(door, &url(json!({}))).await;
    assert_eq!(scene.statements(ORDERS).len(), 2);
}
