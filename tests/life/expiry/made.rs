//! The schedule is made before the grant: once, whatever is lost, and without it there is no grant.

use std::time::Duration;

use permission_broker::local::control_plane::{Fault, FaultKind, Operation, Schedule};
use serde_json::json;

use super::super::{ORDERS, beside, revoke, word};
use super::{SIX, send_due, timed, timed_layer};
use crate::support::door::DOORS;
use crate::support::{Door, Fate, HASTY, Scene, door, grant, string};

/// Without a schedule there is no grant, whatever goes wrong; what may succeed later comes again, and does.
#[tokio::test]
async fn a_grant_whose_schedule_fails_is_never_given() {
    let (again, kept) = (true, false);
    let answer = |status, name: &str| {
        Fault::new(FaultKind::Answer {
            status,
            error_type: Some(name.to_owned()),
            headers: Vec::new(),
            body: r#"{"Message":"no"}"#.to_owned(),
        })
    };
    let cases = [
        ("denied", Fault::access_denied(), "access_denied", kept, 1),
        ("group", answer(404, "ResourceNotFoundException"), "schedule_refused", kept, 1),
        ("invalid", answer(400, "ValidationException"), "schedule_refused", kept, 1),
        ("quota", answer(402, "ServiceQuotaExceededException"), "schedule_refused", kept, 1),
        ("throttled", answer(429, "ThrottlingException"), "throttled", again, 3),
        ("conflict", answer(409, "ConflictException"), "not_scheduled", again, 3),
        ("server", answer(500, "InternalServerException"), "not_scheduled", again, 3),
        ("reset", Fault::new(FaultKind::ResetBeforeCommit), "not_scheduled", again, 3),
    ];
    for (name, fault, code, retryable, tries) in cases {
        let scene = Scene::new().await;
        scene.plane.inject(fault.clone().on(Operation::CreateSchedule).times(9));
        let reply = scene.ask(Door::EventBridge, &timed(json!({}))).await;
        assert_eq!((reply.failed, reply.code()), (true, code), "{name}");
        assert_eq!(reply.document["retryable"], retryable, "{name}");
        let calls = scene.calls();
        assert_eq!(calls.iter().filter(|call| **call == "schedule").count(), tries, "{name}: {calls:?}");
        assert!(calls.iter().all(|call| call.starts_with("schedule")), "{name}: {calls:?}");
        assert!(scene.statements(ORDERS).is_empty(), "{name}");
        let records = scene.records();
        let [intent, outcome] = records.as_slice() else { panic!("{name}: {records:?}") };
        assert_eq!((&intent["record"], word(outcome)), (&json!("intent"), code), "{name}");
        assert_eq!(outcome["calls"].as_array().unwrap().len(), calls.len(), "{name}");
        scene.plane.clear_faults();
        assert_eq!(scene.ask(Door::EventBridge, &timed(json!({}))).await.outcome(), "granted", "{name}");
        assert_eq!((scene.plane.schedules().len(), scene.statements(ORDERS).len()), (1, 1), "{name}");
    }
}

/// An answer that was lost, or that cannot be read, is asked for again under the same name.
#[tokio::test]
async fn a_schedule_whose_answer_is_lost_is_made_once() {
    for kind in [FaultKind::ResetAfterCommit, FaultKind::HangAfterCommit, FaultKind::TruncatedBody, FaultKind::NotJson]
    {
        let mut scene = Scene::new().await;
        scene.broker.timing = HASTY;
        scene.plane.inject(Fault::new(kind.clone()).on(Operation::CreateSchedule));
        assert_eq!(scene.ask(Door::Direct, &timed(json!({}))).await.outcome(), "granted", "{kind:?}");
        assert_eq!((scene.plane.schedules().len(), scene.statements(ORDERS).len()), (1, 1), "{kind:?}");
    }
}

/// A success that does not name the schedule says nothing: it is looked for, and without it there is no grant.
#[tokio::test]
async fn a_success_without_the_schedule_is_not_believed() {
    let answers =
        |body: &str| FaultKind::Answer { status: 200, error_type: None, headers: Vec::new(), body: body.to_owned() };
    let other = r#"{"ScheduleArn":"arn:aws:scheduler:us-east-1:123456789012:schedule/broker/another"}"#;
    for body in ["", "{}", r#"{"ScheduleArn":null}"#, r#"{"ScheduleArn":""}"#, other, "[]"] {
        let fault = Fault::new(answers(body)).on(Operation::CreateSchedule);
        for door in DOORS {
            let scene = Scene::new().await;
            scene.plane.inject(fault.clone().times(9));
            let reply = scene.ask(door, &timed(json!({}))).await;
            assert!(reply.comes_again(), "{body:?} through {door:?}: {}", reply.document);
            assert_eq!(word(scene.records().last().unwrap()), "not_scheduled", "{body:?}");
            assert!(scene.statements(ORDERS).is_empty() && scene.plane.schedules().is_empty(), "{body:?}");
        }
        let scene = Scene::new().await;
        scene.plane.inject(fault);
        assert_eq!(scene.ask(Door::EventBridge, &timed(json!({}))).await.outcome(), "granted", "{body:?}");
        assert_eq!((scene.plane.schedules().len(), scene.statements(ORDERS).len()), (1, 1), "{body:?}");
    }
    // Made, though the answer does not say so: it is found, and not made again.
    for request in [timed(json!({})), timed_layer(json!({}))] {
        let scene = Scene::new().await;
        scene.plane.inject(Fault::new(FaultKind::EmptyBody).on(Operation::CreateSchedule));
        assert_eq!(scene.ask(Door::EventBridge, &request).await.outcome(), "granted");
        let record = scene.records().pop().unwrap();
        assert_eq!(record["calls"].as_array().unwrap()[..2], [json!("schedule:200"), json!("schedule-read:200")]);
        assert_eq!(scene.plane.schedules().len(), 1);
    }
}

/// 409 is not believed: a schedule of that name counts only if it does what has to be done.
#[tokio::test]
async fn a_schedule_that_somebody_changed_is_not_relied_on() {
    type Change = fn(&mut Schedule);
    let changes: [(&str, Change); 4] = [
        ("switched off", |it| it.state = "DISABLED".to_owned()),
        ("another time", |it| it.expression = "at(2036-03-02T18:00:00)".to_owned()),
        ("another target", |it| it.target["Arn"] = "arn:aws:lambda:us-east-1:123456789012:function:mine".into()),
        ("another input", |it| it.target["Input"] = "{}".into()),
    ];
    for (name, change) in changes {
        let scene = Scene::new().await;
        let granted = scene.ask(Door::Direct, &timed(json!({}))).await;
        let (key, mut schedule) = scene.plane.schedules().remove(0);
        change(&mut schedule);
        scene.plane.put_schedule(&key, Some(schedule));
        let sid = string(&granted.document, "statementId");
        scene.ask(Door::Direct, &revoke(json!({ "StatementId": sid }))).await;
        let reply = scene.ask(Door::Direct, &timed(json!({}))).await;
        assert_eq!(reply.code(), "schedule_refused", "{name}");
        assert!(scene.statements(ORDERS).is_empty(), "{name}");
    }
}

#[tokio::test]
async fn the_same_timed_grant_again_is_the_same_statement_and_the_same_schedule() {
    for request in
        [timed(json!({})), timed(json!({ "StatementId": null })), timed_layer(json!({ "StatementId": null }))]
    {
        for door in DOORS {
            let scene = Scene::new().await;
            for (i, outcome) in ["granted", "already_granted", "already_granted"].into_iter().enumerate() {
                scene.ask(door, &request).await;
                assert_eq!(word(scene.records().last().unwrap()), outcome, "{i}");
                assert_eq!(scene.plane.schedules().len(), 1);
                assert_eq!(
                    scene.plane.policies().iter().map(|(_, policy, _)| policy.matches("Sid").count()).sum::<usize>(),
                    1
                );
            }
        }
    }
}

/// A duration counts from what AWS stamped on the event, so a second delivery asks for the same.
#[tokio::test]
async fn a_duration_ends_at_the_same_time_however_often_it_is_delivered() {
    let request = beside(grant(json!({ "StatementId": null })), json!({ "duration": "PT8H44M38S" }));
    for door in [Door::ApiGateway, Door::EventBridge, Door::Sqs] {
        let mut scene = Scene::new().await;
        for outcome in ["granted", "already_granted"] {
            scene.ask(door, &request).await;
            let record = scene.records().pop().unwrap();
            assert_eq!((word(&record), string(&record, "expiresAt")), (outcome, SIX), "{door:?}");
            scene.now += Duration::from_secs(3600);
        }
        assert_eq!(scene.statements(ORDERS).len(), 1);
    }
    // A direct invoke carries no time, and is delivered again under the same id.
    let reply = Scene::new().await.ask(Door::Direct, &request).await;
    assert_eq!((reply.code(), &reply.document["errors"][0]["pointer"]), ("invalid_expiry", &json!("/duration")));
}

/// The first delivery scheduled and broke off, before the grant, after it, or before it could tell.
#[tokio::test]
async fn what_breaks_off_on_the_way_is_whole_after_the_next_delivery() {
    for operation in [Operation::CreateSchedule, Operation::AddPermission] {
        for kind in [FaultKind::HangBeforeCommit, FaultKind::HangAfterCommit] {
            let mut scene = Scene::new().await;
            scene.plane.inject(Fault::new(kind.clone()).on(operation));
            let event = door::event(Door::EventBridge, &timed(json!({})));
            let broken_off = tokio::time::timeout(Duration::from_millis(300), scene.invoke(&event)).await;
            assert!(broken_off.is_err(), "{operation} {kind:?}");
            assert!(scene.plane.schedules().len() >= scene.statements(ORDERS).len(), "never a grant without its end");
            assert_eq!(scene.records().last().unwrap()["record"], "abandoned");
            assert!(!scene.invoke(&event).await.failed);
            assert_eq!((scene.plane.schedules().len(), scene.statements(ORDERS).len()), (1, 1), "{operation} {kind:?}");
            assert_eq!(send_due(&mut scene, SIX).await.len(), 1);
            assert!(scene.statements(ORDERS).is_empty());
        }
    }
}

#[tokio::test]
async fn a_grant_that_fails_leaves_a_schedule_that_finds_nothing() {
    let mut scene = Scene::new().await;
    let reply = scene.ask(Door::Direct, &timed(json!({ "FunctionName": "orders", "Qualifier": "9" }))).await;
    assert_eq!(reply.code(), "target_not_found");
    assert_eq!(scene.plane.schedules().len(), 1);
    let [reply] = send_due(&mut scene, SIX).await.try_into().unwrap();
    assert_eq!((reply.failed, reply.code()), (false, "target_not_found"));
    assert!(scene.plane.schedules().is_empty());
}

#[tokio::test]
async fn no_schedule_is_made_without_a_record_or_for_what_is_refused() {
    let scene = Scene::new().await;
    scene.sink.next([Fate::Failed]);
    assert_eq!(scene.ask(Door::Direct, &timed(json!({}))).await.code(), "audit_unavailable");
    for (changes, code) in [
        (json!({ "Principal": "999999999999" }), "principal_not_allowed"),
        (json!({ "FunctionName": "permission-broker" }), "target_not_allowed"),
        (json!({ "Action": "x" }), "invalid_action"),
    ] {
        assert_eq!(scene.ask(Door::Direct, &timed(changes)).await.code(), code);
    }
    let dry = beside(timed(json!({})), json!({ "dryRun": true }));
    let reply = scene.ask(Door::Direct, &dry).await;
    assert_eq!((reply.outcome(), string(&reply.document, "expiresAt")), ("would_grant", SIX));
    assert!(scene.plane.schedules().is_empty() && !scene.calls().contains(&"schedule"));
}

/// Where no schedules are set up a timed grant is refused, never given for ever.
#[tokio::test]
async fn without_schedules_no_grant_can_end() {
    let mut scene = Scene::new().await;
    scene.broker.schedules = None;
    let url = json!({ "FunctionName": "orders", "Principal": "210987654321", "FunctionUrlAuthType": "AWS_IAM" });
    let url = json!({ "operation": "GrantFunctionUrl", "parameters": url, "expiresAt": SIX });
    for request in [timed(json!({})), timed_layer(json!({})), beside(timed(json!({})), json!({ "dryRun": true })), url]
    {
        let reply = scene.ask(Door::Direct, &request).await;
        assert_eq!(
            (reply.code(), &reply.document["errors"][0]["pointer"]),
            ("expiry_not_enabled", &json!("/expiresAt"))
        );
    }
    assert!(scene.calls().is_empty());
    assert_eq!(scene.ask(Door::Direct, &grant(json!({}))).await.outcome(), "granted");
    // What was given before can still end.
    let mut scene = Scene::new().await;
    scene.ask(Door::Direct, &timed(json!({}))).await;
    scene.broker.schedules = None;
    assert_eq!(send_due(&mut scene, SIX).await[0].outcome(), "revoked");
}
