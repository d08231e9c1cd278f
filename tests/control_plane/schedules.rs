//! What EventBridge Scheduler's API model says of schedules, and when they are sent.

use permission_broker::expiry::Moment;
use permission_broker::local::control_plane::{ControlPlane, Fault, FaultKind, Operation};
use serde_json::{Value, json};

use super::{AUTHORIZATION, Lambda, Reply, merge};

const ONE: &str = "/schedules/one";

async fn plane() -> Lambda {
    let plane = ControlPlane::new("aws", "us-west-2", "123456789012");
    plane.add_schedule_group("broker");
    Lambda::of(plane).await
}

async fn send(lambda: &Lambda, service: &str, method: &str, target: &str, body: &str) -> Reply {
    let authorization = AUTHORIZATION.replace("/lambda/", &format!("/{service}/"));
    let length = body.len();
    let text = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {authorization}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    lambda.raw(&text).await.unwrap()
}

fn schedule(changes: Value) -> Value {
    let target = json!({
        "Arn": "arn:aws:lambda:us-west-2:123456789012:function:broker", "RoleArn": "arn:aws:iam::123456789012:role/r",
        "Input": r#"{"id":"<aws.scheduler.execution-id>"}"#,
    });
    let schedule = json!({
        "GroupName": "broker", "ScheduleExpression": "at(2026-03-02T18:00:00)", "ScheduleExpressionTimezone": "UTC",
        "ClientToken": "token-1", "FlexibleTimeWindow": { "Mode": "OFF" }, "ActionAfterCompletion": "DELETE",
        "Target": target,
    });
    merge(schedule, changes)
}

async fn create(lambda: &Lambda, changes: Value) -> Reply {
    send(lambda, "scheduler", "POST", ONE, &schedule(changes).to_string()).await
}

fn due(lambda: &Lambda, time: &str) -> Vec<String> {
    lambda.plane.take_due(Moment::parse(time).unwrap().into())
}

#[tokio::test]
async fn a_schedule_is_made_shown_and_deleted() {
    let lambda = plane().await;
    let reply = create(&lambda, json!({})).await;
    let arn = "arn:aws:scheduler:us-west-2:123456789012:schedule/broker/one";
    assert_eq!((reply.status, reply.json()), (200, json!({ "ScheduleArn": arn })));
    let shown = send(&lambda, "scheduler", "GET", "/schedules/one?groupName=broker", "").await;
    assert_eq!((shown.status, &shown.json()["Target"]), (200, &schedule(json!({}))["Target"]));
    assert_eq!(shown.json()["State"], "ENABLED");
    assert_eq!(send(&lambda, "scheduler", "GET", ONE, "").await.status, 404, "of another group");
    let deleted = send(&lambda, "scheduler", "DELETE", "/schedules/one?groupName=broker", "").await;
    assert_eq!((deleted.status, deleted.body.as_str()), (200, "{}"));
    let gone = send(&lambda, "scheduler", "DELETE", "/schedules/one?groupName=broker", "").await;
    assert_eq!((gone.status, gone.header("x-amzn-errortype")), (404, Some("ResourceNotFoundException")));
}

#[tokio::test]
async fn a_name_is_taken_once_and_a_token_is_one_request() {
    let lambda = plane().await;
    for (changes, status) in [
        (json!({}), 200),
        (json!({}), 200),
        (json!({ "ClientToken": "token-2" }), 409),
        (json!({ "ScheduleExpression": "at(2027-03-02T18:00:00)" }), 409),
        (json!({ "GroupName": null }), 200),
        (json!({ "GroupName": "other" }), 404),
    ] {
        let reply = create(&lambda, changes.clone()).await;
        assert_eq!(reply.status, status, "{changes} {reply:?}");
        if status == 409 {
            assert_eq!(reply.header("x-amzn-errortype"), Some("ConflictException"));
            assert_eq!(reply.json(), json!({ "Message": "Schedule one already exists." }));
        }
    }
    assert_eq!(lambda.plane.schedules().len(), 2);
}

#[tokio::test]
async fn what_breaks_the_model_is_refused() {
    let lambda = plane().await;
    for (changes, status) in [
        (json!({ "ScheduleExpression": null }), 400),
        (json!({ "ScheduleExpression": "rate(1 day)" }), 400),
        (json!({ "ScheduleExpression": "at(2026-02-30T00:00:00)" }), 400),
        (json!({ "ScheduleExpression": "at(2026-03-02T18:00:00Z)" }), 400),
        (json!({ "ScheduleExpressionTimezone": "Europe/Berlin" }), 400),
        (json!({ "FlexibleTimeWindow": null }), 400),
        (json!({ "FlexibleTimeWindow": { "Mode": "FLEXIBLE" } }), 400),
        (json!({ "Target": null }), 400),
        (json!({ "Target": "arn" }), 400),
        (json!({ "Target": { "Arn": "arn" } }), 400),
        (json!({ "State": "ON" }), 400),
        (json!({ "ActionAfterCompletion": "KEEP" }), 400),
        (json!({ "ClientToken": "a b" }), 400),
        (json!({ "ClientToken": "a".repeat(65) }), 400),
        (json!({ "ClientToken": "a".repeat(64), "State": "ENABLED" }), 200),
    ] {
        assert_eq!(create(&lambda, changes.clone()).await.status, status, "{changes}");
    }
    for (name, status) in
        [("a".repeat(64), 200), ("a".repeat(65), 400), ("a%20b".to_owned(), 400), ("a.b-c_D".to_owned(), 200)]
    {
        let reply =
            send(&lambda, "scheduler", "POST", &format!("/schedules/{name}"), &schedule(json!({})).to_string()).await;
        assert_eq!(reply.status, status, "{name}");
    }
    // The signature of one service is none of another.
    let body = schedule(json!({})).to_string();
    assert_eq!(send(&lambda, "lambda", "POST", "/schedules/two", &body).await.status, 403);
    assert_eq!(send(&lambda, "scheduler", "GET", "/2015-03-31/functions/f/policy", "").await.status, 403);
}

#[tokio::test]
async fn a_schedule_is_sent_once_when_its_time_has_come() {
    let lambda = plane().await;
    create(&lambda, json!({})).await;
    create(&lambda, json!({ "GroupName": "default", "State": "DISABLED" })).await;
    assert!(due(&lambda, "2026-03-02T17:59:59Z").is_empty());
    let sent = due(&lambda, "2026-03-02T18:00:00Z");
    let [one] = sent.as_slice() else { panic!("{sent:?}") };
    let id = serde_json::from_str::<Value>(one).unwrap()["id"].as_str().unwrap().len();
    assert_eq!(id, 36, "the id of an execution: {one}");
    assert!(due(&lambda, "2027-03-02T18:00:00Z").is_empty(), "gone, and what is disabled waits");
    assert_eq!(lambda.plane.schedules().len(), 1);
}

#[tokio::test]
async fn schedules_are_kept_with_the_policies_and_fail_on_demand() {
    let lambda = plane().await;
    create(&lambda, json!({})).await;
    let again = ControlPlane::from_world(&lambda.plane.to_world().unwrap()).unwrap();
    assert_eq!(again.schedules(), lambda.plane.schedules());
    lambda.plane.inject(Fault::new(FaultKind::EmptyBody).on(Operation::GetSchedule));
    assert_eq!(lambda.plane.faults_left(), 1);
    let made = send(&lambda, "scheduler", "POST", "/schedules/two", &schedule(json!({})).to_string()).await;
    assert_eq!((made.status, lambda.plane.faults_left()), (200, 1), "for another operation");
    let shown = send(&lambda, "scheduler", "GET", "/schedules/two?groupName=broker", "").await;
    assert_eq!((shown.status, shown.body.as_str(), lambda.plane.faults_left()), (200, "", 0));
    let operations: Vec<_> = lambda.plane.calls().iter().map(|call| call.operation.unwrap().name()).collect();
    assert_eq!(operations, ["CreateSchedule", "CreateSchedule", "GetSchedule"]);
}
