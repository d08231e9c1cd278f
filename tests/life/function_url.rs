//! A function URL needs two statements: both are granted or neither, and the audit tells the whole story.

use std::time::Duration;

use permission_broker::allowlist::Allowlist;
use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation};
use serde_json::{Value, json};

use super::{ORDERS, beside, holding, stored, word};
use crate::support::door::DOORS;
use crate::support::{Door, Fate, Scene, all, grant, with};

fn url(changes: Value) -> Value {
    let parameters = json!({
        "FunctionName": "orders", "StatementId": "url", "Principal": "210987654321", "FunctionUrlAuthType": "AWS_IAM",
    });
    json!({ "operation": "GrantFunctionUrl", "parameters": with(parameters, changes) })
}

/// The two statements as AWS stores them.
fn both() -> [Value; 2] {
    let auth_type = json!({ "StringEquals": { "lambda:FunctionUrlAuthType": "AWS_IAM" } });
    let via_url = json!({ "Bool": { "lambda:InvokedViaFunctionUrl": "true" } });
    [
        stored("url", json!({ "Action": "lambda:InvokeFunctionUrl", "Condition": auth_type })),
        stored("url-invoke", json!({ "Condition": via_url })),
    ]
}

/// The next such call goes well, whatever comes after it.
fn goes_well(scene: &Scene, operation: Operation) {
    scene.plane.inject(Fault::new(FaultKind::Delay(Duration::ZERO)).on(operation));
}

/// The look at the policy and the first statement go well.
fn first_goes_well(scene: &Scene) {
    goes_well(scene, Operation::GetPolicy);
    goes_well(scene, Operation::AddPermission);
}

/// The look at the policy shows nothing of what stands there, as AWS's reads may for a while.
fn look_misses_everything(scene: &Scene) {
    scene.plane.inject(Fault::error(ErrorName::ResourceNotFound, "no").on(Operation::GetPolicy));
}

/// Nobody can look, so many times.
fn unread(times: usize) -> Fault {
    Fault::error(ErrorName::Service, "no").on(Operation::GetPolicy).times(times)
}

/// Each of a reply's grants: its id, and its outcome or code.
fn parts(document: &Value) -> Vec<[&str; 2]> {
    let parts = document["grants"].as_array().map(Vec::as_slice).unwrap_or_default();
    parts.iter().map(|part| [part["statementId"].as_str().unwrap(), word(part)]).collect()
}

/// Waits until so many such calls have arrived.
async fn called(scene: &Scene, name: &str, times: usize) {
    while scene.calls().iter().filter(|call| **call == name).count() < times {
        tokio::task::yield_now().await;
    }
}

/// What each record says: `intent`, or its outcome or code; behind it what it is about.
fn story(records: &[Value]) -> Vec<String> {
    let of = |record: &Value| {
        let what = if record["record"] == "intent" { "intent" } else { word(record) };
        let back = if record["takesBack"] == true { " back" } else { "" };
        format!("{what} {}{back}", record["statementId"].as_str().unwrap_or("-"))
    };
    records.iter().map(of).collect()
}

#[tokio::test]
async fn both_are_granted_and_the_repeat_changes_nothing() {
    for door in DOORS {
        let scene = Scene::new().await;
        let reply = scene.ask(door, &beside(url(json!({})), json!({ "reason": "CHG-7" }))).await;
        assert!(!reply.comes_again());
        assert_eq!(scene.statements(ORDERS), both());
        let records = scene.records();
        assert_eq!(story(&records), ["intent url", "granted url", "intent url-invoke", "granted url-invoke"]);
        assert!(records.iter().all(|record| record["operation"] == "GrantFunctionUrl" && record["reason"] == "CHG-7"));
        if let Some((status, _)) = &reply.http {
            assert_eq!(*status, 201);
        }
        if door != Door::Sqs {
            assert_eq!(scene.calls(), ["read", "add", "add"]);
            let told = &reply.document;
            assert_eq!(
                (reply.outcome(), &told["resource"], told.get("statementId")),
                ("granted", &json!(ORDERS), None)
            );
            for (part, statement) in told["grants"].as_array().unwrap().iter().zip(both()) {
                assert_eq!((&part["outcome"], &part["statementId"]), (&json!("granted"), &statement["Sid"]));
                assert_eq!(part["statement"], statement);
                assert!(part["fingerprint"].is_string());
            }
        }
        let before = scene.plane.policies();
        scene.plane.clear_calls();
        let reply = scene.ask(door, &url(json!({}))).await;
        assert!(!reply.comes_again());
        // Behind the queue only a settled read says what stands.
        let calls: &[&str] = if door == Door::Sqs { &["read", "read", "read"] } else { &["read"] };
        assert_eq!(scene.calls(), calls);
        assert_eq!(story(&scene.records())[3], "already_granted url-invoke");
        assert_eq!(scene.plane.policies(), before);
        if let Some((status, _)) = reply.http {
            assert_eq!(status, 200);
        }
    }
}

/// With one of them there already, the other is what was missing.
#[tokio::test]
async fn what_is_missing_is_added() {
    for there in both() {
        let scene = holding(&[(ORDERS, &[there])]).await;
        let reply = scene.ask(Door::ApiGateway, &url(json!({}))).await;
        assert_eq!((reply.outcome(), reply.http.as_ref().unwrap().0), ("granted", 201));
        assert_eq!(scene.statements(ORDERS).len(), 2);
    }
}

/// Every way in which the second may fail, and the code it ends with.
fn failures() -> Vec<(Vec<Fault>, &'static str)> {
    let add = |fault: Fault| fault.on(Operation::AddPermission);
    let error = |name| add(Fault::error(name, "no"));
    let answer =
        |status, body: &str| FaultKind::Answer { status, error_type: None, headers: Vec::new(), body: body.into() };
    let wider = json!({ "Statement": with(both()[1].clone(), json!({ "Condition": null })).to_string() }).to_string();
    vec![
        (vec![error(ErrorName::InvalidParameterValue)], "rejected_by_aws"),
        (vec![error(ErrorName::PolicyLengthExceeded)], "policy_full"),
        (vec![error(ErrorName::PublicPolicy)], "public_access_blocked"),
        (vec![error(ErrorName::ResourceNotFound)], "target_not_found"),
        (vec![add(Fault::access_denied())], "access_denied"),
        (vec![add(Fault::throttled(None)).times(3)], "throttled"),
        (vec![add(Fault::concurrent_update()).times(3)], "unavailable"),
        (vec![error(ErrorName::Service).times(3)], "outcome_unknown"),
        (vec![add(Fault::new(FaultKind::ResetBeforeCommit)).times(3)], "outcome_unknown"),
        (vec![add(Fault::new(answer(201, &wider)))], "statement_differs"),
    ]
}

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

#[tokio::test]
async fn a_dry_run_tells_of_both_and_changes_nothing() {
    let dry = || beside(url(json!({})), json!({ "dryRun": true }));
    let [first, second] = both();
    let cases = [
        (vec![], "would_grant", ["would_grant", "would_grant"]),
        (vec![first.clone()], "would_grant", ["already_granted", "would_grant"]),
        (vec![second.clone()], "would_grant", ["would_grant", "already_granted"]),
        (vec![first.clone(), second], "already_granted", ["already_granted", "already_granted"]),
        (vec![first, stored("url-invoke", json!({}))], "statement_conflict", ["already_granted", "conflict"]),
        (vec![stored("url-invoke", json!({}))], "statement_conflict", ["would_grant", "conflict"]),
        (vec![stored("url", json!({}))], "statement_conflict", ["conflict", "would_grant"]),
    ];
    for (there, ending, parts) in cases {
        let mut scene = match there.as_slice() {
            [] => Scene::new().await,
            there => holding(&[(ORDERS, there)]).await,
        };
        scene.broker.reads_first = true;
        let reply = scene.ask(Door::Direct, &dry()).await;
        assert_eq!(word(&reply.document), ending);
        let looks: &[&str] = if there.is_empty() { &["read", "list"] } else { &["read"] };
        assert_eq!(scene.calls(), looks);
        assert!(scene.records().iter().all(|record| record["record"] == "outcome" && record["dryRun"] == true));
        for ((part, outcome), whole) in reply.document["grants"].as_array().unwrap().iter().zip(parts).zip(both()) {
            assert_eq!(part["outcome"], outcome);
            // What AWS would be asked to store, and what stands in its way.
            let (statement, would_store) = match outcome {
                "conflict" => (stored(whole["Sid"].as_str().unwrap(), json!({})), whole),
                _ => (whole, Value::Null),
            };
            assert_eq!((&part["statement"], &part["wouldStore"]), (&statement, &would_store));
        }
        if ending == "statement_conflict" {
            let policy = &reply.document["policy"];
            let bytes = scene.plane.policy(ORDERS).unwrap().len();
            let missing = both().into_iter().filter(|it| !there.contains(it)).map(|it| it.to_string().len() + 1);
            assert_eq!(
                (&policy["bytes"], &policy["bytesWith"]),
                (&json!(bytes), &json!(bytes + missing.sum::<usize>()))
            );
        }
        let real = scene.ask(Door::Direct, &url(json!({}))).await;
        assert_eq!(
            word(&real.document).replace("granted", "grant"),
            ending.replace("would_", "").replace("granted", "grant")
        );
        if ending == "would_grant" {
            let bytes = scene.plane.policy(ORDERS).unwrap().len();
            let before: usize = there.iter().map(|it| it.to_string().len()).sum();
            assert_eq!(reply.document["policy"]["bytes"], bytes);
            assert_eq!(reply.document["policy"], real.document["policy"]);
            assert_eq!(reply.document["policy"]["bytesBefore"], if before == 0 { 0 } else { before + 54 });
        }
    }
}

/// Whether there is room is asked for both, in a dry run and before the first write.
#[tokio::test]
async fn a_policy_with_room_for_one_has_none_for_two() {
    let [first, _] = both();
    let room = 20_480 - first.to_string().len() - 10;
    let mut scene = holding(&[(ORDERS, &super::budget::filled(room))]).await;
    let before = scene.statements(ORDERS);
    let dry = scene.ask(Door::Direct, &beside(url(json!({})), json!({ "dryRun": true }))).await;
    assert_eq!(dry.code(), "policy_full");
    for reads_first in [false, true] {
        scene.broker.reads_first = reads_first;
        scene.plane.clear_calls();
        scene.records();
        let reply = scene.ask(Door::Direct, &url(json!({}))).await;
        assert_eq!((reply.code(), scene.calls()), ("policy_full", vec!["read"]));
        assert_eq!(story(&scene.records()), ["policy_full url-invoke"]);
        assert_eq!(scene.statements(ORDERS), before);
    }
}

#[tokio::test]
async fn both_actions_have_to_be_allowed_before_the_first_is_made() {
    let actions = ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"];
    for (action, other) in [(actions[0], actions[1]), (actions[1], actions[0])] {
        let mut scene = Scene::new().await;
        let rule = json!({ "accounts": ["210987654321"], "actions": [action] });
        scene.broker.allowlist = Allowlist::parse(&rule.to_string()).unwrap().into();
        let reply = scene.ask(Door::Direct, &url(json!({}))).await;
        assert_eq!(reply.code(), "action_not_allowed");
        let records = scene.records();
        assert_eq!((records.len(), scene.calls().len()), (1, 0));
        assert_eq!(records[0]["action"], other, "the record names what is not allowed");
    }
    for (changes, code) in [
        (json!({ "FunctionUrlAuthType": "NONE" }), "public_grant"),
        (json!({ "Principal": "*" }), "public_grant"),
        (json!({ "Principal": "999999999999" }), "principal_not_allowed"),
        (json!({ "FunctionName": "permission-broker" }), "target_not_allowed"),
        (json!({ "Principal": "sns.amazonaws.com" }), "unconfined_service"),
    ] {
        let scene = Scene::new().await;
        assert_eq!(scene.ask(Door::Direct, &url(changes)).await.code(), code);
        assert!(scene.calls().is_empty());
    }
    let scene = Scene::new().await;
    let organization = json!({ "Principal": "*", "PrincipalOrgID": "o-a1b2c3d4e5" });
    assert_eq!(scene.ask(Door::Direct, &url(organization)).await.outcome(), "granted");
    let in_it = |statement: &Value| statement["Condition"]["StringEquals"]["aws:PrincipalOrgID"] == "o-a1b2c3d4e5";
    assert!(scene.statements(ORDERS).iter().all(in_it));
}

/// Derived ids are those of the two grants; a given one has room for what the second puts behind it.
#[tokio::test]
async fn the_ids_are_derived_or_given() {
    let scene = Scene::new().await;
    assert_eq!(scene.ask(Door::Direct, &url(json!({ "StatementId": null }))).await.outcome(), "granted");
    let alone = [
        json!({ "StatementId": null, "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "AWS_IAM" }),
        json!({ "StatementId": null, "InvokedViaFunctionUrl": true }),
    ];
    for changes in alone {
        assert_eq!(scene.ask(Door::Direct, &grant(changes)).await.outcome(), "already_granted");
    }
    for (characters, ending) in
        [(1, "granted"), (93, "granted"), (94, "invalid_statement_id"), (0, "invalid_statement_id")]
    {
        let scene = Scene::new().await;
        let reply = scene.ask(Door::Direct, &url(json!({ "StatementId": "x".repeat(characters) }))).await;
        assert_eq!(word(&reply.document), ending, "{characters}");
    }
}

/// Each statement that no rule allows is told, and what is said of both is said once.
#[tokio::test]
async fn a_denial_tells_what_is_against_either_statement() {
    let rule = |id: &str, action: &str, party: Value| {
        with(json!({ "id": id, "actions": [action], "targets": ["function:orders"] }), party)
    };
    let (url_only, invoke_only) = ("lambda:InvokeFunctionUrl", "lambda:InvokeFunction");
    let ours = || json!({ "accounts": ["210987654321"] });
    let ending = || with(ours(), json!({ "maxDuration": "P1D" }));
    let theirs = || json!({ "accounts": ["999999999999"] });
    let cases = [
        (vec![rule("one", url_only, ours())], vec![["", "action_not_allowed"]]),
        (vec![rule("one", invoke_only, ours())], vec![["", "action_not_allowed"]]),
        (
            vec![rule("one", url_only, theirs()), rule("two", invoke_only, ending())],
            vec![["/parameters/Principal", "principal_not_allowed"], ["", "duration_not_allowed"]],
        ),
    ];
    for (rules, expected) in cases {
        let mut scene = Scene::new().await;
        scene.broker.allowlist = Allowlist::parse(&json!(rules).to_string()).unwrap().into();
        for dry in [false, true] {
            let reply = scene.ask(Door::Direct, &with(url(json!({})), json!({ "dryRun": dry }))).await;
            assert_eq!(reply.outcome(), "denied");
            let errors = reply.document["errors"].as_array().unwrap();
            let told: Vec<_> =
                errors.iter().map(|it| [&it["pointer"], &it["code"]].map(|it| it.as_str().unwrap())).collect();
            assert_eq!(told, expected, "{rules:?}");
        }
        assert!(scene.calls().is_empty());
    }
}
