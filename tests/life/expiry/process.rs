//! The deployed binary and the local mode make schedules, and end what they gave.

use permission_broker::local::control_plane::ControlPlane;
use permission_broker::local::serve;
use permission_broker::local::stage::{Stage, WORLD};
use serde_json::{Value, json};

use super::{ORDERS, at, beside, string};
use crate::support::grant;
use crate::support::sandbox::Sandbox;

const GROUP: (&str, &str) = ("BROKER_SCHEDULE_GROUP", "grants");
const ROLE: (&str, &str) = ("BROKER_SCHEDULE_ROLE", "arn:aws:iam::123456789012:role/schedules");

fn until_2099() -> Vec<u8> {
    beside(grant(json!({})), json!({ "expiresAt": "2099-12-31T18:00:00Z" })).to_string().into_bytes()
}

async fn plane() -> (ControlPlane, String) {
    let plane = ControlPlane::from_world(WORLD).unwrap();
    let url = plane.add_schedule_group("grants").start().await.unwrap();
    (plane, url)
}

#[tokio::test]
async fn the_deployed_binary_makes_a_schedule_and_ends_what_is_over() {
    let (plane, url) = plane().await;
    let sandbox = Sandbox::start(&url, |command| {
        command.envs([GROUP, ROLE, ("AWS_ENDPOINT_URL_SCHEDULER", &url), ("BROKER_SOURCES", "direct")]);
    })
    .await;
    let reply = sandbox.invoke("one", until_2099()).await.response();
    assert_eq!((string(&reply, "outcome"), string(&reply, "expiresAt")), ("granted", "2099-12-31T18:00:00Z"));
    let [call, _] = plane.calls().try_into().unwrap();
    assert_eq!((call.method.as_str(), call.status), ("POST", Some(200)));
    let header = |name| call.header(name).unwrap_or_default();
    assert!(header("authorization").contains("/us-east-1/scheduler/aws4_request"), "{:?}", call.headers);
    assert!(header("user-agent").starts_with("permission-broker/"), "{:?}", call.headers);
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!((&body["GroupName"], &body["Target"]["RoleArn"]), (&json!(GROUP.1), &json!(ROLE.1)));
    assert_eq!(body["FlexibleTimeWindow"], json!({ "Mode": "OFF" }));
    // What is sent too early is not done, also by the clock of the process.
    let [early] = plane.take_due(at("2099-12-31T18:00:00Z")).try_into().unwrap();
    assert_eq!(sandbox.invoke("two", early).await.error().0, "not_due");
    assert!(plane.policy(ORDERS).is_some());
}

/// Without schedules set up, or out of their reach, the broker starts and grants as ever; only an end is refused.
#[tokio::test]
async fn a_scheduler_that_is_not_there_costs_only_what_needs_it() {
    let (plane, url) = plane().await;
    let closed = "http://127.0.0.1:9";
    let set_up = [GROUP, ROLE, ("AWS_ENDPOINT_URL_SCHEDULER", closed)];
    for (variables, code) in [(&set_up[..0], "expiry_not_enabled"), (&set_up[..], "not_scheduled")] {
        let sandbox = Sandbox::start(&url, |command| {
            command.envs(variables.iter().copied()).env("BROKER_SOURCES", "direct");
        })
        .await;
        let request = grant(json!({ "StatementId": code })).to_string().into_bytes();
        assert_eq!(string(&sandbox.invoke("one", request).await.response(), "outcome"), "granted");
        let answer = sandbox.invoke("two", until_2099()).await;
        let said = match code {
            "not_scheduled" => answer.error().0,
            _ => string(&answer.response(), "code").to_owned(),
        };
        assert_eq!(said, code);
    }
    assert!(plane.schedules().is_empty() && !plane.policy(ORDERS).unwrap().contains("-until-"));
}

#[tokio::test]
async fn the_local_mode_ends_what_is_due() {
    let stage = Stage::examples().await.unwrap();
    let reply = stage.invoke("one", &until_2099()).await.unwrap();
    assert_eq!(string(&serde_json::from_str(reply.get()).unwrap(), "outcome"), "granted");
    stage.audit();
    serve::send_due(&stage, at("2099-12-31T17:59:59Z")).await;
    assert!(stage.audit().is_empty() && stage.control_plane.policy(ORDERS).is_some());
    serve::send_due(&stage, at("2099-12-31T18:00:00Z")).await;
    let last: Value = serde_json::from_str(stage.audit().last().unwrap()).unwrap();
    assert_eq!((string(&last, "operation"), string(&last, "outcome")), ("Expire", "revoked"));
    assert_eq!(stage.control_plane.policy(ORDERS), None);
}
