//! What stood there before is looked at first, told beside what fails, and never taken back.

use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation};
use serde_json::{Value, json};

use super::super::{ORDERS, holding, stored};
use super::{both, called, failures, first_goes_well, goes_well, look_misses_everything, parts, story, unread, url};
use crate::support::door::DOORS;
use crate::support::{Door, Scene, all};

/// Somebody else's statement under the second id: a conflict, and both of them are as before.
#[tokio::test]
async fn a_conflict_of_the_second_leaves_everything_as_it_was() {
    let scene = holding(&[(ORDERS, &[stored("url-invoke", json!({}))])]).await;
    let before = scene.statements(ORDERS);
    for door in DOORS {
        scene.plane.clear_calls();
        scene.ask(door, &url(json!({}))).await;
        assert_eq!((scene.calls(), scene.statements(ORDERS)), (vec!["read"], before.clone()));
        let records = scene.records();
        assert_eq!(story(&records), ["statement_conflict url-invoke"]);
        assert_eq!((&records[0]["calls"], &records[0]["attempts"]), (&json!(["read:200"]), &json!(0)));
    }
    let reply = scene.ask(Door::ApiGateway, &url(json!({}))).await;
    assert_eq!((reply.code(), reply.http.as_ref().unwrap().0), ("statement_conflict", 409));
    assert_eq!(reply.document["policy"]["bytes"], scene.plane.policy(ORDERS).unwrap().len());
    // A conflict of the first is the end of it.
    let scene = holding(&[(ORDERS, &[stored("url", json!({}))])]).await;
    assert_eq!(scene.ask(Door::Direct, &url(json!({}))).await.code(), "statement_conflict");
    assert_eq!(story(&scene.records()), ["statement_conflict url"]);
    assert_eq!(scene.calls(), ["read"]);
    // One that the look missed is found by the write, and the first is taken back.
    let scene = holding(&[(ORDERS, &[stored("url-invoke", json!({}))])]).await;
    look_misses_everything(&scene);
    assert_eq!(scene.ask(Door::Direct, &url(json!({}))).await.code(), "statement_conflict");
    assert_eq!(story(&scene.records())[4..], ["intent url back", "revoked url back"]);
    assert_eq!(scene.statements(ORDERS), before);
}

/// Whatever the budget says: without knowing what stands, nobody could say later what is to be taken back.
#[tokio::test]
async fn without_a_look_nothing_is_written() {
    let error = |name| Fault::error(name, "no").on(Operation::GetPolicy).times(9);
    let mut cases = Vec::new();
    for (fault, code) in [
        (unread(9), "unavailable"),
        (error(ErrorName::InvalidParameterValue), "unavailable"),
        (error(ErrorName::PolicyLengthExceeded), "unavailable"),
        (Fault::throttled(None).on(Operation::GetPolicy).times(9), "throttled"),
        (Fault::access_denied().on(Operation::GetPolicy).times(9), "access_denied"),
    ] {
        for (door, reads_first) in DOORS.into_iter().flat_map(|door| [(door, false), (door, true)]) {
            cases.push(nothing_is_written(fault.clone(), code, door, reads_first));
        }
    }
    all(8, cases).await;
}

async fn nothing_is_written(fault: Fault, code: &str, door: Door, reads_first: bool) {
    let mut scene = Scene::new().await;
    scene.broker.reads_first = reads_first;
    scene.plane.inject(fault.clone());
    let reply = scene.ask(door, &url(json!({}))).await;
    assert!(scene.calls().iter().all(|call| *call == "read"), "{fault:?}");
    assert_eq!(story(&scene.records()), [format!("{code} url")], "{fault:?}");
    let waits = matches!(door, Door::Direct | Door::ApiGateway);
    assert_eq!(reply.comes_again(), code != "access_denied" || !waits, "{fault:?}");
    scene.plane.clear_faults();
    scene.ask(door, &url(json!({}))).await;
    assert_eq!(scene.statements(ORDERS), both());
}

#[tokio::test]
async fn what_stood_there_before_is_never_taken_back() {
    for (faults, code) in failures() {
        let scene = holding(&[(ORDERS, &[both()[0].clone()])]).await;
        goes_well(&scene, Operation::GetPolicy);
        for fault in &faults {
            scene.plane.inject(fault.clone());
        }
        let reply = scene.ask(Door::Direct, &url(json!({}))).await;
        assert_eq!(reply.code(), code);
        assert_eq!(parts(&reply.document), [["url", "already_granted"], ["url-invoke", code]], "{faults:?}");
        assert_eq!(scene.statements(ORDERS), [both()[0].clone()], "{faults:?}");
        let told = story(&scene.records());
        assert!(told[1] == "already_granted url" && !told.contains(&"intent url back".to_owned()), "{told:?}");
    }
    // The same where the look missed it: its own try ends with 409.
    for door in [Door::Direct, Door::Sqs] {
        let scene = holding(&[(ORDERS, &[both()[0].clone()])]).await;
        look_misses_everything(&scene);
        goes_well(&scene, Operation::AddPermission);
        scene.plane.inject(Fault::error(ErrorName::InvalidParameterValue, "no").on(Operation::AddPermission));
        scene.ask(door, &url(json!({}))).await;
        let told = ["intent url", "already_granted url", "intent url-invoke", "rejected_by_aws url-invoke"];
        assert_eq!(story(&scene.records()), told);
        assert_eq!(scene.statements(ORDERS), [both()[0].clone()]);
    }
}

/// An answer that is lost leaves open whose a statement is that is seen then; of one that stood there it is known.
#[tokio::test]
async fn after_a_lost_answer_nothing_is_taken_back_that_stood_there() {
    for there in both() {
        for (door, reads_first) in DOORS.into_iter().flat_map(|door| [(door, false), (door, true)]) {
            let mut scene = holding(&[(ORDERS, std::slice::from_ref(&there))]).await;
            scene.broker.reads_first = reads_first;
            let add = |fault: Fault| fault.on(Operation::AddPermission);
            scene.plane.inject(add(Fault::new(FaultKind::ResetBeforeCommit)));
            scene.plane.inject(add(Fault::error(ErrorName::InvalidParameterValue, "no")).times(9));
            let reply = scene.ask(door, &url(json!({}))).await;
            assert!(door == Door::Sqs || reply.comes_again());
            assert_eq!(scene.statements(ORDERS), std::slice::from_ref(&there), "{:?}", story(&scene.records()));
        }
    }
}

/// 409 for what stood there, and nobody may look: the ending is unknown, and it is not ours to take away.
#[tokio::test]
async fn a_second_that_stood_there_unseen_is_not_taken_back() {
    let [_, second] = both();
    let scene = holding(&[(ORDERS, std::slice::from_ref(&second))]).await;
    look_misses_everything(&scene);
    scene.plane.inject(unread(2));
    let reply = scene.ask(Door::Direct, &url(json!({}))).await;
    assert_eq!(parts(&reply.document), [["url", "granted"], ["url-invoke", "already_granted"]]);
    assert_eq!((reply.outcome(), scene.statements(ORDERS).len()), ("granted", 2));
    let told = story(&scene.records());
    assert_eq!(told[..4], ["intent url", "granted url", "intent url-invoke", "outcome_unknown url-invoke"]);
    assert_eq!(told[4..], ["intent url back", "already_granted url back", "already_granted url-invoke"]);
}

/// Made, and nobody could see it until it was to be taken back: then both stand, and that is what was asked for.
#[tokio::test]
async fn what_stands_after_all_is_not_taken_back() {
    for (there, first) in [(None, "granted"), (Some(both()[0].clone()), "already_granted")] {
        for door in DOORS {
            let there: Vec<Value> = there.iter().cloned().collect();
            let scene = if there.is_empty() { Scene::new().await } else { holding(&[(ORDERS, &there)]).await };
            goes_well(&scene, Operation::GetPolicy);
            if there.is_empty() {
                goes_well(&scene, Operation::AddPermission);
            }
            if door == Door::Sqs {
                goes_well(&scene, Operation::GetPolicy);
            }
            scene.plane.inject(Fault::new(FaultKind::ResetAfterCommit).on(Operation::AddPermission));
            scene.plane.inject(unread(2));
            let reply = scene.ask(door, &url(json!({}))).await;
            assert!(!reply.comes_again());
            assert_eq!(scene.statements(ORDERS), both());
            let records = scene.records();
            let told = story(&records);
            let told: Vec<&str> = told.iter().map(String::as_str).collect();
            assert_eq!(told[1], format!("{first} url"));
            assert_eq!(told[3..], ["outcome_unknown url-invoke", "intent url-invoke back", "granted url-invoke back"]);
            assert_eq!(records[5]["confirmedByRead"], true);
            if door != Door::Sqs {
                assert_eq!(parts(&reply.document), [["url", first], ["url-invoke", "granted"]]);
                assert_eq!(scene.calls().iter().filter(|call| **call == "remove").count(), 0);
            }
        }
    }
}

/// The first of two deliveries ended with its sandbox, after the first statement. What the second one cannot give, it
/// tells beside what stands.
#[tokio::test]
async fn what_a_dead_sandbox_left_is_told_beside_a_final_failure() {
    let causes = [
        (ErrorName::PolicyLengthExceeded, "policy_full"),
        (ErrorName::Validation, "rejected_by_aws"),
        (ErrorName::ResourceNotFound, "target_not_found"),
    ];
    for (name, code) in causes {
        for door in DOORS {
            let mut scene = Scene::new().await;
            first_goes_well(&scene);
            scene.plane.inject(Fault::new(FaultKind::HangBeforeCommit).on(Operation::AddPermission));
            let request = url(json!({}));
            let event = crate::support::door::event(door, &request);
            let invoked = async {
                tokio::select! {
                    _ = scene.invoke(&event) => panic!("the second write hangs"),
                    () = called(&scene, "add", 2) => {}
                }
            };
            invoked.await;
            assert_eq!(scene.statements(ORDERS), [both()[0].clone()]);
            scene.records();
            scene.plane.clear_faults();
            scene.broker.reads_first = door == Door::EventBridge;
            goes_well(&scene, Operation::GetPolicy);
            // The first write that is sent is that of the second statement: what stands there is read, not asked for again.
            scene.plane.inject(Fault::error(name, "no").on(Operation::AddPermission));
            let reply = scene.invoke(&event).await;
            assert!(!reply.comes_again(), "{code}");
            assert_eq!(scene.statements(ORDERS), [both()[0].clone()], "{code}");
            let told = ["intent url", "already_granted url", "intent url-invoke", &format!("{code} url-invoke")];
            assert_eq!(story(&scene.records()), told);
            if door != Door::Sqs {
                assert_eq!((reply.outcome(), reply.code()), ("failed", code));
                assert_eq!(parts(&reply.document), [["url", "already_granted"], ["url-invoke", code]]);
                assert_eq!(reply.document["grants"][0]["statement"], both()[0]);
            }
        }
    }
}

/// So is what stands where the policy that was read has no place for the other, and where the first is the one that fails.
#[tokio::test]
async fn what_stands_is_told_beside_what_has_no_place() {
    let [first, second] = both();
    let foreign = |sid: &str| stored(sid, json!({}));
    let cases = [
        (vec![first.clone(), foreign("url-invoke")], ["already_granted", "statement_conflict"], "url"),
        (vec![foreign("url"), second.clone()], ["statement_conflict", "already_granted"], "url-invoke"),
    ];
    for (there, words, stands) in cases {
        for door in DOORS {
            let scene = holding(&[(ORDERS, &there)]).await;
            let reply = scene.ask(door, &url(json!({}))).await;
            let failed = if stands == "url" { "url-invoke" } else { "url" };
            let told = [format!("already_granted {stands}"), format!("statement_conflict {failed}")];
            assert_eq!((story(&scene.records()), scene.calls()), (told.to_vec(), vec!["read"]));
            if door != Door::Sqs {
                assert_eq!(parts(&reply.document), [["url", words[0]], ["url-invoke", words[1]]]);
            }
        }
    }
    let scene = holding(&[(ORDERS, std::slice::from_ref(&second))]).await;
    scene.plane.inject(Fault::error(ErrorName::InvalidParameterValue, "no").on(Operation::AddPermission));
    let reply = scene.ask(Door::Direct, &url(json!({}))).await;
    assert_eq!(parts(&reply.document), [["url", "rejected_by_aws"], ["url-invoke", "already_granted"]]);
    assert_eq!(story(&scene.records()), ["intent url", "rejected_by_aws url", "already_granted url-invoke"]);
    assert_eq!(scene.statements(ORDERS), [second]);
}
