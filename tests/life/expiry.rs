//! Timed grants: the schedule comes before the grant, and what has ended is taken away whoever asks.

pub(crate) mod found;
mod half;
mod made;
mod process;
mod sent;
mod sweep;
mod times;

use std::time::{Duration, SystemTime};

use permission_broker::local::control_plane::{Fault, FaultKind, Operation, Schedule};
use serde_json::{Value, json};

use super::{LAYER, ORDERS, beside, word};
use crate::support::door::DOORS;
use crate::support::{Door, Reply, Scene, grant, layer_grant, string};

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
