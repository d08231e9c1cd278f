//! A function URL needs two statements: both are granted or neither, and the audit tells the whole story.

mod back;
mod stood;

use std::time::Duration;

use permission_broker::allowlist::Allowlist;
use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation};
use serde_json::{Value, json};

use super::{ORDERS, beside, holding, stored, word};
use crate::support::door::DOORS;
use crate::support::{Door, Scene, grant, with};

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
