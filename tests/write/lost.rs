//! A write whose answer is lost, or cannot be read, is looked up before anything is sent again; the
//! ending is what the policy shows, or said to be unknown.

use std::time::Duration;

use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation};
use permission_broker::policy::Timing;
use serde_json::{Value, json};

use crate::support::{Door, HASTY, QUICK, Scene, grant, layer_grant};

const ORDERS: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";

fn add(kind: FaultKind) -> Fault {
    Fault::new(kind).on(Operation::AddPermission)
}

fn read(kind: FaultKind) -> Fault {
    Fault::new(kind).on(Operation::GetPolicy)
}

const TAKEN: FaultKind = FaultKind::Duplicate { commit: true };

/// Injects the faults, asks once, and compares calls and ending.
async fn check_with(timing: Timing, name: &str, faults: Vec<Fault>, calls: &[&str], ending: &str) {
    let mut scene = Scene::new().await;
    scene.broker.timing = timing;
    for fault in faults {
        scene.plane.inject(fault);
    }
    let reply = scene.ask(Door::Direct, &grant(json!({}))).await;
    assert_eq!(scene.calls(), calls, "{name}");
    assert_eq!(reply.ending(), ending, "{name}");
    assert!(scene.statements(ORDERS).len() <= 1, "{name}");
    let outcome = scene.records().pop().unwrap();
    let confirmed = ending == "granted" && calls.last() == Some(&"read");
    assert_eq!(outcome["confirmedByRead"], if confirmed { json!(true) } else { json!(null) }, "{name}");
}

async fn check(name: &str, faults: Vec<Fault>, calls: &[&str], ending: &str) {
    check_with(QUICK, name, faults, calls, ending).await;
}

#[tokio::test]
async fn a_write_that_was_made_is_found_by_one_read() {
    let lost = [
        FaultKind::ResetAfterCommit,
        FaultKind::TruncatedBody,
        FaultKind::HalfJson,
        FaultKind::EmptyBody,
        FaultKind::NotJson,
    ];
    for kind in lost {
        let name = format!("{kind:?}");
        check(&name, vec![add(kind)], &["add", "read"], "granted").await;
    }
    for kind in [FaultKind::HangAfterCommit, FaultKind::SlowBody { every: Duration::from_millis(200) }] {
        let name = format!("{kind:?}");
        check_with(HASTY, &name, vec![add(kind)], &["add", "read"], "granted").await;
    }
}

#[tokio::test]
async fn a_write_that_was_not_made_is_sent_again_after_the_read() {
    for (kind, timing) in [(FaultKind::ResetBeforeCommit, QUICK), (FaultKind::HangBeforeCommit, HASTY)] {
        let name = format!("{kind:?}");
        let once = add(kind);
        let twice = ["add", "read", "add", "read", "add"];
        let thrice = ["add", "read"].repeat(3);
        tokio::join!(
            check_with(timing, &name, vec![once.clone()], &["add", "read", "add"], "granted"),
            check_with(timing, &name, vec![once.clone().times(2)], &twice, "granted"),
            check_with(timing, &name, vec![once.times(3)], &thrice, "outcome_unknown"),
        );
    }
}

/// An answer that says nothing against the write is believed for what it holds, not for its label.
#[tokio::test]
async fn a_wrong_content_type_alone_does_no_harm() {
    check("content type", vec![add(FaultKind::WrongContentType)], &["add"], "granted").await;
}

/// 201 for a statement that nobody asked for, or none: what stands in the policy counts.
#[tokio::test]
async fn a_success_without_our_statement_is_no_success() {
    let other = json!({ "Sid": "other", "Effect": "Allow", "Principal": "*", "Action": "a", "Resource": "r" });
    for body in
        ["{}".to_owned(), r#"{"Statement":null}"#.to_owned(), json!({ "Statement": other.to_string() }).to_string()]
    {
        let answer = FaultKind::Answer { status: 201, error_type: None, headers: Vec::new(), body };
        check("201", vec![add(answer)], &["add", "read", "add"], "granted").await;
    }
}

/// A success with a statement in it.
fn added(statement: &Value) -> Fault {
    let body = json!({ "Statement": statement.to_string() }).to_string();
    add(FaultKind::Answer { status: 201, error_type: None, headers: Vec::new(), body })
}

/// A statement that lets in more than was asked is never called granted.
#[tokio::test]
async fn a_success_that_made_it_wider_is_told() {
    let of = |changes: Value| {
        let mut statement = json!({
            "Sid": "partner", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::210987654321:root" },
            "Action": "lambda:InvokeFunction", "Resource": ORDERS,
        });
        changes.as_object().unwrap().iter().for_each(|(name, value)| statement[name] = value.clone());
        added(&statement)
    };
    let wider = [
        json!({ "Principal": "*" }),
        json!({ "Principal": "*", "Condition": { "StringNotEquals": { "aws:PrincipalOrgID": "o-a1b2c3d4e5" } } }),
        json!({ "Principal": { "AWS": "arn:aws:iam::999999999999:root" } }),
        json!({ "Action": "lambda:*" }),
        json!({ "Effect": "Deny" }),
        json!({ "Resource": "*" }),
        json!({ "Resource": "arn:aws:lambda:us-east-1:123456789012:function" }),
        json!({ "Resource": "arn:aws:lambda:us-east-1:123456789012:function:*" }),
        json!({ "Resource": "arn:aws:lambda:us-east-1:123456789012:function:billing" }),
        json!({ "Resource": "arn:aws:lambda:us-east-1:999999999999:function:orders" }),
        json!({ "Resource": format!("{ORDERS}:*") }),
    ];
    for changes in wider {
        check(&changes.to_string(), vec![of(changes.clone())], &["add"], "statement_differs").await;
    }
    let narrower = json!({ "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-a1b2c3d4e5" } } });
    check("narrower", vec![of(narrower)], &["add"], "granted").await;
}

/// The policy of an alias holds for that alias, also where a statement names the function alone; what names another is not ours.
#[tokio::test]
async fn a_success_that_leaves_out_the_qualifier_is_one() {
    let other = format!("{ORDERS}:other");
    for (resource, ending) in [(ORDERS, "granted"), (&other, "statement_differs"), ("*", "statement_differs")] {
        let scene = Scene::new().await;
        scene.plane.inject(added(&json!({
            "Sid": "partner", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::210987654321:root" },
            "Action": "lambda:InvokeFunction", "Resource": resource,
        })));
        let reply = scene.ask(Door::Direct, &grant(json!({ "Qualifier": "live" }))).await;
        assert_eq!(reply.ending(), ending, "{resource}");
    }
}

/// A condition that is gone lets in more, but for a source account beside one source ARN that names it.
#[tokio::test]
async fn a_success_without_its_conditions_is_told() {
    const RULE: &str = "arn:aws:events:us-east-1:210987654321:rule/nightly";
    const OTHER: &str = "arn:aws:events:us-east-1:999999999999:rule/nightly";
    const BUCKET: &str = "arn:aws:s3:::bucket";
    let events = json!({ "Service": "events.amazonaws.com" });
    let s3 = json!({ "Service": "s3.amazonaws.com" });
    let both = json!({ "Principal": "events.amazonaws.com", "SourceArn": RULE, "SourceAccount": "210987654321" });
    let account = json!({ "Principal": "events.amazonaws.com", "SourceAccount": "210987654321" });
    let bucket = json!({ "Principal": "s3.amazonaws.com", "SourceArn": BUCKET, "SourceAccount": "210987654321" });
    let organization = json!({ "Principal": "*", "PrincipalOrgID": "o-a1b2c3d4e5" });
    let of_account = |account: &str| json!({ "StringEquals": { "AWS:SourceAccount": account } });
    let of_arn = |arn: Value| json!({ "ArnLike": { "AWS:SourceArn": arn } });
    let cases = [
        (&both, &events, of_arn(json!(RULE)), "granted"),
        (&both, &events, of_arn(json!(OTHER)), "statement_differs"),
        (&both, &events, of_account("210987654321"), "statement_differs"),
        (&both, &events, json!({}), "statement_differs"),
        (&account, &events, of_account("210987654321"), "granted"),
        (&account, &events, of_account("999999999999"), "statement_differs"),
        (&account, &events, of_arn(json!(RULE)), "granted"),
        (&account, &events, of_arn(json!([RULE, OTHER])), "statement_differs"),
        (&bucket, &s3, of_arn(json!(BUCKET)), "statement_differs"),
        (&organization, &json!("*"), json!({}), "statement_differs"),
    ];
    for (asked, principal, condition, ending) in cases {
        let scene = Scene::new().await;
        scene.plane.inject(added(&json!({
            "Sid": "partner", "Effect": "Allow", "Principal": principal,
            "Action": "lambda:InvokeFunction", "Resource": ORDERS, "Condition": condition,
        })));
        let reply = scene.ask(Door::Direct, &grant(asked.clone())).await;
        assert_eq!(reply.ending(), ending, "{asked} stored under {condition}");
    }
}

#[tokio::test]
async fn a_read_that_fails_is_tried_once_more_and_then_the_outcome_is_unknown() {
    let lost = || add(FaultKind::ResetAfterCommit);
    let gone = |times| read(FaultKind::ResetBeforeCommit).times(times);
    check("one read fails", vec![lost(), gone(1)], &["add", "read", "read"], "granted").await;
    check("both reads fail", vec![lost(), gone(2)], &["add", "read", "read"], "outcome_unknown").await;
    let spoilt = read(FaultKind::HalfJson).times(2);
    check("both reads spoilt", vec![lost(), spoilt], &["add", "read", "read"], "outcome_unknown").await;
    let denied = Fault::access_denied().on(Operation::GetPolicy);
    check("may not read", vec![lost(), denied], &["add", "read"], "outcome_unknown").await;
    let rejected = Fault::error(ErrorName::Validation, "no").on(Operation::GetPolicy);
    check("read rejected", vec![lost(), rejected], &["add", "read"], "outcome_unknown").await;
}

/// A first write that may still arrive makes every later refusal of the second one inconclusive.
#[tokio::test]
async fn a_write_that_may_have_arrived_is_never_called_failed() {
    let refusals = [
        Fault::error(ErrorName::InvalidParameterValue, "no"),
        Fault::error(ErrorName::PolicyLengthExceeded, "no"),
        Fault::error(ErrorName::ResourceNotFound, "no"),
        Fault::error(ErrorName::PublicPolicy, "no"),
        Fault::access_denied(),
    ];
    for refusal in refusals {
        let name = format!("{refusal:?}");
        // What is in a full policy tells how to make room in it.
        let calls = ["add", "read", "add", "read"];
        let calls = calls.get(..if name.contains("PolicyLength") { 4 } else { 3 }).unwrap();
        let faults = vec![add(FaultKind::ResetBeforeCommit), refusal.on(Operation::AddPermission)];
        check(&name, faults, calls, "outcome_unknown").await;
    }
    let faults = vec![add(FaultKind::ResetBeforeCommit), Fault::throttled(None).on(Operation::AddPermission).times(2)];
    check("throttled", faults, &["add", "read", "add", "add"], "outcome_unknown").await;
    let faults = vec![add(FaultKind::ResetBeforeCommit), Fault::revision_mismatch().on(Operation::AddPermission)];
    check("revision", faults, &["add", "read", "add", "read"], "outcome_unknown").await;
}

/// The first try had succeeded unseen, as the 409 to the second shows.
#[tokio::test]
async fn a_409_to_the_second_try_is_our_own_grant() {
    check(
        "reset, taken",
        vec![add(FaultKind::ResetBeforeCommit), add(TAKEN)],
        &["add", "read", "add", "read"],
        "granted",
    )
    .await;
}

/// The first write arrives after it was given up and looked for, while the second is on its way.
#[tokio::test]
async fn a_write_that_arrives_late_makes_no_second_statement() {
    let late = |milliseconds| add(FaultKind::Delay(Duration::from_millis(milliseconds)));
    check_with(HASTY, "late", vec![late(350), late(200)], &["add", "read", "add", "read"], "granted").await;
}

#[tokio::test]
async fn a_layer_is_looked_up_like_a_function() {
    let scene = Scene::new().await;
    scene.plane.inject(Fault::new(FaultKind::ResetAfterCommit));
    let reply = scene.ask(Door::Direct, &layer_grant(json!({}))).await;
    assert_eq!((reply.outcome(), scene.calls()), ("granted", vec!["add", "read"]));
    assert!(reply.document["revisionId"].is_string());
}

/// Nothing was sent, so nothing has to be looked up.
#[tokio::test]
async fn a_connection_that_is_refused_is_tried_again_without_a_read() {
    let scene = Scene::new().await;
    // A port that was free a moment ago, with nobody behind it.
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let config = scene.broker.client.config().to_builder().endpoint_url(url).build();
    let broker =
        permission_broker::broker::Broker { client: aws_sdk_lambda::Client::from_conf(config), ..scene.broker };
    let scene = Scene { broker, ..scene };
    let reply = scene.ask(Door::Direct, &grant(json!({}))).await;
    assert_eq!((reply.code(), reply.failed), ("unavailable", true));
    assert!(scene.calls().is_empty());
    let outcome = &scene.records()[1];
    assert_eq!((&outcome["attempts"], &outcome["calls"]), (&json!(3), &json!(vec!["add:no answer"; 3])));
}
