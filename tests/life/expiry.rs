//! Timed grants: the schedule comes before the grant, and what has ended is taken away whoever asks.

pub(crate) mod found;
mod half;
mod process;
mod sweep;
mod times;

use std::time::{Duration, SystemTime};

use permission_broker::allowlist::Allowlist;
use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation, Schedule};
use serde_json::{Value, json};

use super::{LAYER, ORDERS, beside, revoke, word};
use crate::support::door::DOORS;
use crate::support::{Door, Fate, HASTY, Reply, Scene, door, grant, layer_grant, string};

const SIX: &str = "2026-03-02T18:00:00Z";

/// The ending of every id of a grant until six.
const UNTIL_SIX: &str = "-until-20260302T180000Z-";

pub(super) fn at(time: &str) -> SystemTime {
    permission_broker::expiry::Moment::parse(time).unwrap().into()
}

/// A grant until six o'clock.
fn timed(changes: Value) -> Value {
    beside(grant(changes), json!({ "expiresAt": SIX }))
}

fn timed_layer(changes: Value) -> Value {
    beside(layer_grant(changes), json!({ "expiresAt": SIX }))
}

fn sids(scene: &Scene, arn: &str) -> Vec<String> {
    scene.statements(arn).iter().map(|it| string(it, "Sid").to_owned()).collect()
}

/// What the schedules send at a time, and what comes of it.
async fn send_due(scene: &mut Scene, time: &str) -> Vec<Reply> {
    scene.now = at(time);
    let mut replies = Vec::new();
    for event in scene.plane.take_due(scene.now) {
        replies.push(scene.invoke(event.as_bytes()).await);
    }
    replies
}

fn schedules(scene: &Scene) -> Vec<Schedule> {
    scene.plane.schedules().into_iter().map(|(_, schedule)| schedule).collect()
}

#[tokio::test]
async fn a_timed_grant_ends_when_it_should() {
    for (door, request, arn) in
        DOORS.into_iter().flat_map(|door| [(door, timed(json!({})), ORDERS), (door, timed_layer(json!({})), LAYER)])
    {
        let mut scene = Scene::new().await;
        let reply = scene.ask(door, &request).await;
        assert!(!reply.comes_again(), "{}", reply.document);
        assert_eq!(scene.calls().iter().filter(|call| **call == "schedule").count(), 1);
        assert_eq!(scene.calls()[0], "schedule", "before the grant");
        let records = scene.records();
        let [intent, outcome] = records.as_slice() else { panic!("{records:?}") };
        assert_eq!((&intent["expiresAt"], &outcome["expiresAt"]), (&json!(SIX), &json!(SIX)));
        assert_eq!((word(outcome), &outcome["calls"][0]), ("granted", &json!("schedule:200")));
        let sid = string(outcome, "statementId").to_owned();
        assert!(sid.starts_with(&format!("partner{UNTIL_SIX}")) && sid.len() == 39, "{sid}");
        assert_eq!(sids(&scene, arn), [sid.as_str()]);
        if door != Door::Sqs {
            assert_eq!(reply.document["expiresAt"], SIX);
        }
        let [schedule] = schedules(&scene).try_into().unwrap();
        assert_eq!((schedule.expression.as_str(), schedule.after.as_str()), ("at(2026-03-02T18:00:00)", "DELETE"));
        assert_eq!(schedule.target["Arn"], "arn:aws:lambda:us-east-1:123456789012:function:permission-broker");

        assert!(send_due(&mut scene, "2026-03-02T17:59:59Z").await.is_empty());
        let [reply] = send_due(&mut scene, SIX).await.try_into().unwrap();
        assert_eq!((reply.failed, reply.outcome()), (false, "revoked"), "{}", reply.document);
        assert!(scene.statements(arn).is_empty() && scene.plane.schedules().is_empty());
        let records = scene.records();
        let [intent, outcome] = records.as_slice() else { panic!("{records:?}") };
        for record in [intent, outcome] {
            assert_eq!(record["door"], "schedule");
            assert_eq!(record["requester"], "schedule");
            assert_eq!((string(record, "operation"), string(record, "rule")), ("Expire", "(expiry)"));
            assert_eq!(record["statementId"], sid.as_str());
            assert_eq!(string(record, "eventId").len(), 36, "the id of the execution");
        }
    }
}

/// A schedule that is delivered again, late or at the wrong time never does more than it was made for.
#[tokio::test]
async fn an_expiry_that_comes_again_finds_nothing() {
    let mut scene = Scene::new().await;
    scene.ask(Door::Direct, &timed(json!({}))).await;
    scene.ask(Door::Direct, &grant(json!({ "StatementId": "other" }))).await;
    scene.now = at(SIX);
    let [event] = scene.plane.take_due(scene.now).try_into().unwrap();
    for outcome in ["revoked", "already_revoked", "already_revoked"] {
        let reply = scene.invoke(event.as_bytes()).await;
        assert_eq!((reply.failed, reply.outcome()), (false, outcome));
        assert_eq!(sids(&scene, ORDERS), ["other"]);
    }
    // A newer grant, until later, is another statement.
    let later = beside(grant(json!({})), json!({ "expiresAt": "2026-03-03T18:00:00Z" }));
    assert_eq!(scene.ask(Door::Direct, &later).await.outcome(), "granted");
    assert_eq!(scene.invoke(event.as_bytes()).await.outcome(), "already_revoked");
    assert_eq!(scene.statements(ORDERS).len(), 2);
}

/// What was granted later under the very same id, to somebody else, has a schedule of its own.
#[tokio::test]
async fn an_expiry_leaves_a_newer_grant_under_its_id_alone() {
    let mut scene = Scene::new().await;
    let first = scene.ask(Door::Direct, &timed(json!({}))).await;
    let sid = string(&first.document, "statementId").to_owned();
    assert_eq!(scene.ask(Door::Direct, &revoke(json!({ "StatementId": sid }))).await.outcome(), "revoked");
    let second = scene.ask(Door::Direct, &timed(json!({ "Principal": "123456789012" }))).await;
    assert_eq!((second.outcome(), &second.document["statementId"]), ("granted", &json!(sid)));
    assert_eq!(scene.plane.schedules().len(), 2);
    scene.now = at(SIX);
    let mut events = scene.plane.take_due(scene.now);
    let of_first = string(&first.document, "fingerprint");
    events.sort_by_key(|event| !event.contains(of_first));
    scene.records();
    let reply = scene.invoke(events[0].as_bytes()).await;
    assert_eq!((reply.failed, reply.code()), (false, "statement_conflict"));
    assert_eq!(sids(&scene, ORDERS), [sid], "another grant than it was made for");
    assert_eq!(scene.invoke(events[1].as_bytes()).await.outcome(), "revoked");
    assert!(scene.statements(ORDERS).is_empty());
}

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

/// Both statements of a function URL end, each by its own schedule; given is both or neither.
#[tokio::test]
async fn a_function_url_ends_as_a_whole() {
    let parameters = json!({
        "FunctionName": "orders", "StatementId": "page", "Principal": "210987654321", "FunctionUrlAuthType": "AWS_IAM",
    });
    let request = json!({ "operation": "GrantFunctionUrl", "parameters": parameters, "expiresAt": SIX });
    let mut scene = Scene::new().await;
    let reply = scene.ask(Door::Direct, &request).await;
    assert_eq!((reply.outcome(), string(&reply.document, "expiresAt")), ("granted", SIX));
    assert_eq!((scene.statements(ORDERS).len(), scene.plane.schedules().len()), (2, 2));
    let replies = send_due(&mut scene, SIX).await;
    assert!(replies.len() == 2 && replies.iter().all(|reply| reply.outcome() == "revoked"));
    assert!(scene.statements(ORDERS).is_empty());

    let scene = Scene::new().await;
    scene.plane.inject(Fault::new(FaultKind::Delay(Duration::ZERO)).on(Operation::CreateSchedule));
    scene.plane.inject(Fault::access_denied().on(Operation::CreateSchedule));
    let reply = scene.ask(Door::Direct, &request).await;
    assert_eq!(reply.code(), "access_denied");
    assert!(scene.statements(ORDERS).is_empty(), "the first is taken back");
}

/// Behind the door of schedules there is nothing else, and their operations are behind no other door.
#[tokio::test]
async fn nobody_asks_for_anything_else_through_the_door_of_schedules() {
    let scene = Scene::new().await;
    for request in [grant(json!({})), layer_grant(json!({})), revoke(json!({})), timed(json!({}))] {
        let reply = scene.ask(Door::Schedule, &request).await;
        assert_eq!(reply.code(), "invalid_operation", "{request}");
    }
    let parameters = json!({ "FunctionName": "orders", "StatementId": "partner" });
    for request in
        [json!({ "operation": "Expire", "parameters": parameters }), json!({ "operation": "Sweep", "parameters": {} })]
    {
        for door in [Door::Direct, Door::ApiGateway] {
            let reply = scene.ask(door, &request).await;
            assert_eq!(reply.code(), "invalid_operation", "{request}");
        }
        for door in [Door::EventBridge, Door::Sqs] {
            scene.ask(door, &request).await;
        }
    }
    let text = json!({ "scheduled": { "operation": "Sweep", "parameters": {} } });
    for door in [Door::Sqs, Door::EventBridge] {
        scene.ask(door, &text).await;
    }
    for event in [
        json!({ "scheduled": null }),
        json!({ "scheduled": [] }),
        json!({ "scheduled": {}, "detail": {} }),
        json!({ "scheduled": {}, "operation": "Sweep" }),
    ] {
        assert_eq!(scene.invoke(event.to_string().as_bytes()).await.outcome(), "rejected", "{event}");
    }
    assert!(scene.calls().is_empty());
    assert!(scene.records().iter().all(|record| record["outcome"] == "rejected"));
}

/// A forged expiry takes away nothing that is not over by its own id, and needs no trust for it.
#[tokio::test]
async fn a_forged_expiry_takes_nothing_that_has_not_ended() {
    let mut scene = Scene::new().await;
    let until_six = scene.ask(Door::Direct, &timed(json!({}))).await;
    let until_six = string(&until_six.document, "statementId").to_owned();
    scene.ask(Door::Direct, &grant(json!({ "StatementId": "for-ever" }))).await;
    scene.now = at("2026-03-02T17:59:59Z");
    let of = |function: &str, sid: &str| {
        let parameters = json!({ "FunctionName": function, "StatementId": sid });
        json!({ "operation": "Expire", "parameters": parameters })
    };
    let backdated = until_six.replace("20260302", "20260301");
    let mark = &until_six[until_six.len() - 8..];
    let of_other = format!("for-ever-until-20260301T000000Z-{mark}");
    for (function, sid, code) in [
        ("orders", until_six.as_str(), "not_due"),
        ("orders", "for-ever", "invalid_statement_id"),
        ("orders", &backdated, "invalid_statement_id"),
        ("orders", &of_other, "invalid_statement_id"),
        ("orders:live", &until_six, "invalid_statement_id"),
        ("billing", &until_six, "invalid_statement_id"),
        ("permission-broker", &until_six, "target_not_allowed"),
        ("999999999999:function:orders", &until_six, "target_not_allowed"),
    ] {
        let reply = scene.ask(Door::Schedule, &of(function, sid)).await;
        assert_eq!((reply.code(), reply.failed), (code, code == "not_due"), "{function} {sid}");
    }
    assert_eq!(sids(&scene, ORDERS).len(), 2);
    assert!(!scene.calls().contains(&"remove"));
    // What is asked a little early comes again, and in time.
    scene.now = at(SIX);
    assert_eq!(scene.ask(Door::Schedule, &of("orders", &until_six)).await.outcome(), "revoked");
    assert_eq!(sids(&scene, ORDERS), ["for-ever"]);
}

/// The allowlist of today has no say in the end of what it allowed then.
#[tokio::test]
async fn a_party_that_has_left_the_allowlist_loses_its_access_too() {
    let mut scene = Scene::new().await;
    scene.ask(Door::Direct, &timed(json!({}))).await;
    scene.broker.allowlist = Allowlist::default().into();
    assert_eq!(send_due(&mut scene, SIX).await[0].outcome(), "revoked");
}

/// An expiry that AWS does not let through comes again, and a lost answer is read back.
#[tokio::test]
async fn an_expiry_that_fails_comes_again() {
    let faults = [
        (Fault::throttled(Some(60)), true),
        (Fault::access_denied(), true),
        (Fault::error(ErrorName::Service, "no"), false),
        (Fault::new(FaultKind::ResetAfterCommit), false),
    ];
    for (fault, fails) in faults {
        let mut scene = Scene::new().await;
        scene.ask(Door::Direct, &timed(json!({}))).await;
        scene.now = at(SIX);
        let [event] = scene.plane.take_due(scene.now).try_into().unwrap();
        scene.plane.inject(fault.on(Operation::RemovePermission));
        assert_eq!(scene.invoke(event.as_bytes()).await.failed, fails);
        assert!(!scene.invoke(event.as_bytes()).await.failed);
        assert!(scene.statements(ORDERS).is_empty());
    }
}

/// On a layer's next version a timed grant is timed too, and ends at the same time.
#[tokio::test]
async fn a_timed_grant_is_carried_on_until_the_same_time() {
    for id in [json!("partner"), Value::Null] {
        let mut scene = Scene::new().await;
        scene.ask(Door::Direct, &timed_layer(json!({ "StatementId": id }))).await;
        let carry = json!({
            "operation": "CarryLayerForward", "parameters": { "LayerName": "common", "VersionNumber": 2 },
        });
        let next = LAYER.replace(":1", ":2").replace("us-east-:2", "us-east-1");
        let next = next.replace(":223456789012", ":123456789012");
        for outcome in ["granted", "already_granted"] {
            assert_eq!(scene.ask(Door::Direct, &carry).await.outcome(), outcome);
        }
        let (before, after) = (sids(&scene, LAYER).remove(0), sids(&scene, &next).remove(0));
        assert!(after.contains(UNTIL_SIX) && before != after, "{before} {after}: the mark is of the version");
        // One each for versions 1 and 2, and for 3, which gets it as well.
        assert_eq!(scene.plane.schedules().len(), 3);
        assert_eq!(send_due(&mut scene, SIX).await.len(), 3);
        assert!(scene.statements(LAYER).is_empty() && scene.statements(&next).is_empty());
        assert_eq!(scene.ask(Door::Direct, &carry).await.outcome(), "already_granted");
        assert!(scene.statements(&next).is_empty());
    }
}

#[tokio::test]
async fn a_policy_that_is_read_tells_what_ends_when() {
    let scene = Scene::new().await;
    for request in
        [timed(json!({})), timed(json!({ "StatementId": null })), grant(json!({ "StatementId": "for-ever" }))]
    {
        assert_eq!(scene.ask(Door::Direct, &request).await.outcome(), "granted");
    }
    let read = json!({ "operation": "GetPolicy", "parameters": { "FunctionName": "orders" } });
    let reply = scene.ask(Door::Direct, &read).await;
    let told = reply.document["statements"].as_array().unwrap().iter();
    let told: Vec<_> = told.map(|it| (it["expiresAt"].as_str(), it["byBroker"] == "likely")).collect();
    assert_eq!(told, [(Some(SIX), true), (Some(SIX), true), (None, false)]);
}

/// What should have ended says so itself, from the very second on, through every door that answers.
#[tokio::test]
async fn a_policy_that_is_read_tells_what_should_have_ended() {
    let mut scene = Scene::new().await;
    for request in [timed(json!({})), grant(json!({ "StatementId": "for-ever" }))] {
        assert_eq!(scene.ask(Door::Direct, &request).await.outcome(), "granted");
    }
    let read = json!({ "operation": "GetPolicy", "parameters": { "FunctionName": "orders" } });
    let second = Duration::from_secs(1);
    for (now, overdue) in [(at(SIX) - second, json!(null)), (at(SIX), json!(true)), (at(SIX) + second, json!(true))] {
        scene.now = now;
        for door in [Door::Direct, Door::ApiGateway, Door::EventBridge] {
            let reply = scene.ask(door, &read).await;
            let told = reply.document["statements"].as_array().unwrap().iter();
            let told: Vec<_> = told.map(|it| (it["expiresAt"].as_str(), &it["overdue"])).collect();
            assert_eq!(told, [(Some(SIX), &overdue), (None, &json!(null))], "{now:?} {door:?}");
        }
    }
}
