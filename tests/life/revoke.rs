//! A revoke: every way in which it ends, what is sent for it, and what the audit says.

mod taken;

use std::time::Duration;

use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::{LAYER, ORDERS, beside, holding, layer_revoke, layer_stored, revoke, stored, word};
use crate::support::door::{self, DOORS};
use crate::support::{Door, Fate, HASTY, Scene, grant, writes};

const OTHER: &str = "another";

/// The statement alone in its policy, and beside another one, on both kinds of target.
async fn scenes() -> Vec<(Scene, Value, &'static str)> {
    let other = || stored(OTHER, json!({}));
    vec![
        (holding(&[(ORDERS, &[stored("partner", json!({}))])]).await, revoke(json!({})), ORDERS),
        (holding(&[(ORDERS, &[other(), stored("partner", json!({}))])]).await, revoke(json!({})), ORDERS),
        (holding(&[(LAYER, &[layer_stored("partner")])]).await, layer_revoke(json!({})), LAYER),
        (holding(&[(LAYER, &[layer_stored(OTHER), layer_stored("partner")])]).await, layer_revoke(json!({})), LAYER),
    ]
}

/// The fingerprint that a reply shows of the statement `partner`.
async fn fingerprint(scene: &Scene, request: &Value) -> String {
    let reply = scene.ask(Door::Direct, &beside(request.clone(), json!({ "dryRun": true }))).await;
    assert_eq!(reply.outcome(), "would_revoke");
    scene.records();
    scene.plane.clear_calls();
    reply.document["fingerprint"].as_str().unwrap().to_owned()
}

fn sids(scene: &Scene, arn: &str) -> Vec<String> {
    scene.statements(arn).iter().map(|it| it["Sid"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn through_every_door_a_statement_is_taken_away_and_the_others_stay() {
    for door in DOORS {
        for named in [false, true] {
            for (scene, request, arn) in scenes().await {
                let before = sids(&scene, arn);
                let request = match named {
                    true => beside(request.clone(), json!({ "fingerprint": fingerprint(&scene, &request).await })),
                    false => request,
                };
                let request = beside(request, json!({ "reason": "CHG-7" }));
                let reply = scene.ask(door, &request).await;
                assert!(!reply.comes_again());
                if let Some((status, _)) = reply.http {
                    assert_eq!(status, 200);
                }
                let left: Vec<_> = before.into_iter().filter(|sid| sid != "partner").collect();
                assert_eq!(sids(&scene, arn), left);
                let mut calls = vec!["remove"];
                if named {
                    calls.insert(0, "read");
                }
                // Behind the queue a removal counts once it is seen to have stayed.
                if door == Door::Sqs {
                    calls.push("read");
                }
                assert_eq!(scene.calls(), calls, "{request} through {door:?}");
                let records = scene.records();
                let [intent, outcome] = records.as_slice() else { panic!("{records:?}") };
                assert_eq!((&intent["record"], &outcome["record"]), (&json!("intent"), &json!("outcome")));
                for record in [intent, outcome] {
                    assert_eq!((&record["statementId"], &record["target"]), (&json!("partner"), &json!(arn)));
                    assert_eq!((&record["decision"], &record["rule"]), (&json!("allowed"), &json!("partner")));
                    assert_eq!(record["operation"], request["operation"]);
                    assert_eq!(record["fingerprint"], request["fingerprint"]);
                    assert_eq!(record["reason"], "CHG-7");
                    assert!(record.get("takesBack").is_none());
                }
                // What was seen on the way is told of what was taken away.
                assert!(intent.get("principal").is_none());
                assert_eq!(outcome["principal"].as_str(), named.then_some("210987654321"));
                assert_eq!((&outcome["outcome"], &outcome["attempts"]), (&json!("revoked"), &json!(1)));
            }
        }
    }
}

/// What stands, what is asked, what is called, how it ends.
type Case = (&'static str, Vec<Value>, Value, &'static [&'static str], &'static str);

/// AWS answers 404 to all of these; which of them it is decides.
#[tokio::test]
async fn what_is_not_there_is_told_apart() {
    let another = || vec![stored(OTHER, json!({}))];
    let fingerprint = json!({ "fingerprint": "0".repeat(32) });
    let named = |changes: Value| beside(revoke(changes), fingerprint.clone());
    let cases: Vec<Case> = vec![
        ("another statement", another(), revoke(json!({})), &["remove", "read"], "already_revoked"),
        ("no policy", vec![], revoke(json!({})), &["remove"], "already_revoked"),
        ("no policy of a version", vec![], revoke(json!({ "Qualifier": "1" })), &["remove"], "already_revoked"),
        ("no function", vec![], revoke(json!({ "FunctionName": "orders-x" })), &["remove", "read"], "target_not_found"),
        ("no alias", another(), revoke(json!({ "Qualifier": "x" })), &["remove", "read"], "target_not_found"),
        ("no version", another(), revoke(json!({ "Qualifier": "9" })), &["remove", "read"], "target_not_found"),
        ("a layer's", vec![], layer_revoke(json!({})), &["remove"], "already_revoked"),
        (
            "no layer version",
            vec![],
            layer_revoke(json!({ "VersionNumber": 9 })),
            &["remove", "read"],
            "target_not_found",
        ),
        ("named, another statement", another(), named(json!({})), &["read"], "already_revoked"),
        // A policy that is not there has no revision to bind a write to; this one is bound to none that can be.
        ("named, no policy", vec![], named(json!({})), &["read", "remove"], "already_revoked"),
        (
            "named, no function",
            vec![],
            named(json!({ "FunctionName": "orders-x" })),
            &["read", "remove", "read"],
            "target_not_found",
        ),
        (
            "named, no alias",
            another(),
            named(json!({ "Qualifier": "x" })),
            &["read", "remove", "read"],
            "target_not_found",
        ),
        (
            "named, no layer version",
            vec![],
            beside(layer_revoke(json!({ "VersionNumber": 9 })), fingerprint.clone()),
            &["read", "remove", "read"],
            "target_not_found",
        ),
    ];
    for (name, statements, request, calls, ending) in cases {
        let scene = match statements.as_slice() {
            [] => Scene::new().await,
            statements => holding(&[(ORDERS, statements)]).await,
        };
        let before = scene.plane.policies();
        let reply = scene.ask(Door::Direct, &request).await;
        assert_eq!((word(&reply.document), scene.calls().as_slice()), (ending, calls), "{name}");
        assert_eq!(scene.plane.policies(), before, "{name}");
        assert_eq!(reply.document.get("statement"), None, "{name}");
    }
}

/// A fingerprint names what a statement means: another one under the same id is left alone.
#[tokio::test]
async fn a_named_statement_is_taken_away_or_none() {
    let other_account = json!({ "Principal": { "AWS": "arn:aws:iam::123456789012:root" } });
    let cases = [
        (stored("partner", json!({})), "revoked"),
        // However it is written.
        (
            stored("partner", json!({ "Principal": { "AWS": ["210987654321"] }, "Action": ["lambda:InvokeFunction"] })),
            "revoked",
        ),
        (stored("partner", other_account), "statement_conflict"),
        (stored("partner", json!({ "Effect": "Deny" })), "statement_conflict"),
        (stored("partner", json!({ "Action": "lambda:GetFunction" })), "statement_conflict"),
        (
            stored("partner", json!({ "Condition": { "Bool": { "aws:SecureTransport": "true" } } })),
            "statement_conflict",
        ),
        // A form that no grant makes has no fingerprint.
        (stored("partner", json!({ "NotAction": "lambda:GetFunction" })), "statement_conflict"),
    ];
    let scene = holding(&[(ORDERS, &[stored("partner", json!({}))])]).await;
    let named = beside(revoke(json!({})), json!({ "fingerprint": fingerprint(&scene, &revoke(json!({}))).await }));
    for (statement, ending) in cases {
        let scene = holding(&[(ORDERS, std::slice::from_ref(&statement))]).await;
        let reply = scene.ask(Door::ApiGateway, &named).await;
        assert_eq!(word(&reply.document), ending, "{statement}");
        assert_eq!(scene.statements(ORDERS).is_empty(), ending == "revoked", "{statement}");
        assert_eq!(reply.http.unwrap().0, if ending == "revoked" { 200 } else { 409 });
        let expected: &[&str] = if ending == "revoked" { &["read", "remove"] } else { &["read"] };
        assert_eq!(scene.calls(), expected);
        // Without one, the id alone is meant.
        assert_eq!(scene.ask(Door::Direct, &revoke(json!({}))).await.code(), "", "{statement}");
        assert!(scene.statements(ORDERS).is_empty());
    }
}

/// Every value is part of the meaning but a token's: nobody can try tokens against a fingerprint.
#[tokio::test]
async fn a_fingerprint_tells_every_value_apart_but_tokens() {
    for (key, values, same) in [
        ("AWS:SourceAccount", ["210987654321", "123456789012"], false),
        ("lambda:EventSourceToken", ["amzn1.ask.skill.0", "amzn1.ask.skill.1"], true),
    ] {
        let mut seen = Vec::new();
        for value in values {
            let statement = stored("partner", json!({ "Condition": { "StringEquals": { key: value } } }));
            let scene = holding(&[(ORDERS, &[statement])]).await;
            seen.push(fingerprint(&scene, &revoke(json!({}))).await);
        }
        assert_eq!(seen[0] == seen[1], same, "{key}");
    }
}

/// The statement is replaced while the removal is on its way: the revision that was read no longer holds.
#[tokio::test]
async fn a_newer_grant_under_the_same_id_survives_a_late_revoke() {
    for layer in [false, true] {
        let (scene, request, other, newer, arn) = if layer {
            let newer = crate::support::layer_grant(json!({ "Principal": "123456789012" }));
            (
                holding(&[(LAYER, &[layer_stored("partner")])]).await,
                layer_revoke(json!({})),
                layer_revoke(json!({})),
                newer,
                LAYER,
            )
        } else {
            let newer = grant(json!({ "Principal": "123456789012" }));
            (
                holding(&[(ORDERS, &[stored("partner", json!({}))])]).await,
                revoke(json!({})),
                revoke(json!({})),
                newer,
                ORDERS,
            )
        };
        let named = beside(request.clone(), json!({ "fingerprint": fingerprint(&scene, &request).await }));
        let operation = if layer { Operation::RemoveLayerVersionPermission } else { Operation::RemovePermission };
        scene.plane.inject(Fault::new(FaultKind::Delay(Duration::from_millis(200))).on(operation));
        let late = scene.ask(Door::Direct, &named);
        let replaced = async {
            while writes(&scene.plane) == 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(scene.ask(Door::Direct, &other).await.outcome(), "revoked");
            assert_eq!(scene.ask(Door::Direct, &newer).await.outcome(), "granted");
        };
        let (reply, ()) = tokio::join!(late, replaced);
        assert_eq!(reply.code(), "statement_conflict");
        assert_eq!(sids(&scene, arn), ["partner"]);
        assert_eq!(scene.calls(), ["read", "remove", "remove", "add", "read"]);
    }
}

#[tokio::test]
async fn a_revision_of_the_requester_is_final() {
    for door in [Door::Direct, Door::ApiGateway] {
        for named in [false, true] {
            for (scene, request, arn) in scenes().await {
                let mut request = request;
                let mut calls = vec!["remove"];
                if named {
                    request = beside(request.clone(), json!({ "fingerprint": fingerprint(&scene, &request).await }));
                    calls.insert(0, "read");
                }
                request["parameters"]["RevisionId"] = json!("another");
                let before = scene.plane.policies();
                let reply = scene.ask(door, &request).await;
                assert_eq!((reply.code(), &reply.document["retryable"]), ("revision_changed", &json!(false)));
                assert_eq!((scene.plane.policies(), scene.calls()), (before.clone(), calls));
                let revision = before.iter().find(|(policy, ..)| policy == arn).unwrap().2.clone();
                request["parameters"]["RevisionId"] = json!(revision);
                assert_eq!(scene.ask(door, &request).await.outcome(), "revoked");
            }
        }
    }
}

#[tokio::test]
async fn who_may_not_ask_gets_nothing_taken_away() {
    let other_place = |arn: &str| revoke(json!({ "FunctionName": arn }));
    let cases = [
        (revoke(json!({ "FunctionName": "reports" })), "requester_not_allowed"),
        (revoke(json!({ "FunctionName": "payments" })), "target_not_allowed"),
        (revoke(json!({ "FunctionName": "permission-broker" })), "target_not_allowed"),
        (revoke(json!({ "FunctionName": "Permission-Broker", "Qualifier": "live" })), "target_not_allowed"),
        (other_place("arn:aws:lambda:us-east-1:999999999999:function:orders"), "target_not_allowed"),
        (other_place("arn:aws:lambda:eu-west-1:123456789012:function:orders"), "target_not_allowed"),
        (other_place("arn:aws-cn:lambda:us-east-1:123456789012:function:orders"), "target_not_allowed"),
        (layer_revoke(json!({ "LayerName": "secrets" })), "target_not_allowed"),
        (
            layer_revoke(json!({ "LayerName": "arn:aws:lambda:us-east-1:999999999999:layer:common" })),
            "target_not_allowed",
        ),
    ];
    for (request, code) in cases {
        for door in [Door::Direct, Door::EventBridge, Door::Sqs] {
            for dry_run in [false, true] {
                let scene = Scene::new().await;
                let reply = scene.ask(door, &beside(request.clone(), json!({ "dryRun": dry_run }))).await;
                assert!(!reply.comes_again(), "{request}");
                let records = scene.records();
                assert_eq!(records.len(), 1, "{request}");
                assert_eq!(
                    (&records[0]["outcome"], &records[0]["code"]),
                    (&json!("denied"), &json!(code)),
                    "{request}"
                );
                assert_eq!(records[0]["decision"], "denied");
                let pointer = match request["parameters"]["LayerName"].is_string() {
                    _ if code == "requester_not_allowed" => "",
                    true => "/parameters/LayerName",
                    false => "/parameters/FunctionName",
                };
                assert_eq!(records[0]["errors"][0]["pointer"], pointer, "{request}");
                assert_eq!(records[0]["statementId"], "partner", "{request}");
                assert!(scene.calls().is_empty(), "{request}");
            }
        }
    }
    // Whom the rule names may, though the party left the allowlist long ago.
    let reports = ORDERS.replace("orders", "reports");
    let statement =
        stored("partner", json!({ "Resource": reports, "Principal": { "AWS": "arn:aws:iam::999999999999:root" } }));
    let scene = holding(&[(&reports, &[statement])]).await;
    let reply = scene.ask(Door::ApiGateway, &revoke(json!({ "FunctionName": "reports" }))).await;
    assert_eq!((reply.outcome(), &reply.document["rule"]), ("revoked", &json!("reports-for-ci")));
}

/// Functions once took dots in their statement ids, and such a statement can still be taken away.
#[tokio::test]
async fn an_id_of_old_with_dots_can_be_revoked_of_a_function() {
    let scene = holding(&[(ORDERS, &[stored("a.b", json!({}))])]).await;
    assert_eq!(scene.ask(Door::Direct, &revoke(json!({ "StatementId": "a.b" }))).await.outcome(), "revoked");
    for request in [layer_revoke(json!({ "StatementId": "a.b" })), grant(json!({ "StatementId": "a.b" }))] {
        assert_eq!(scene.ask(Door::Direct, &request).await.code(), "invalid_statement_id");
    }
}

fn removal(kind: FaultKind) -> Fault {
    Fault::new(kind).on(Operation::RemovePermission)
}

fn answer(status: u16) -> FaultKind {
    FaultKind::Answer { status, error_type: None, headers: Vec::new(), body: String::new() }
}

/// A name, whether a fingerprint is named, the faults, the calls and the ending.
type Faulty = (&'static str, bool, Vec<Fault>, Vec<&'static str>, &'static str);

#[tokio::test]
async fn every_fault_ends_in_what_is_so() {
    let busy = || Fault::concurrent_update().on(Operation::RemovePermission);
    let slow = |times| Fault::throttled(None).on(Operation::RemovePermission).times(times);
    let broken = |times| Fault::error(ErrorName::Service, "no").on(Operation::RemovePermission).times(times);
    let done_and_busy = |times| removal(FaultKind::Duplicate { commit: true }).times(times);
    let unread = |name: ErrorName| Fault::error(name, "no").on(Operation::GetPolicy).times(9);
    let not_found = || Fault::error(ErrorName::ResourceNotFound, "gone").on(Operation::RemovePermission);
    let changed = |times| Fault::revision_mismatch().on(Operation::RemovePermission).times(times);
    let lost = || removal(FaultKind::ResetAfterCommit);
    let (r, g) = ("remove", "read");
    let cases: Vec<Faulty> = vec![
        ("429", false, vec![slow(1)], vec![r, r], "revoked"),
        ("429", true, vec![slow(2)], vec![g, r, g, r, g, r], "revoked"),
        ("429 for good", false, vec![slow(9)], vec![r, r, r], "throttled"),
        ("500", false, vec![broken(1)], vec![r, g, r], "revoked"),
        ("500", true, vec![broken(1)], vec![g, r, g, g, r], "revoked"),
        ("500 for good", false, vec![broken(9)], vec![r, g, r, g, r, g], "outcome_unknown"),
        ("reset before", false, vec![removal(FaultKind::ResetBeforeCommit)], vec![r, g, r], "revoked"),
        ("reset after", false, vec![lost()], vec![r, g], "revoked"),
        ("reset after", true, vec![lost()], vec![g, r, g], "revoked"),
        ("reset after, read fails", false, vec![lost(), unread(ErrorName::Service)], vec![r, g, g], "outcome_unknown"),
        (
            "reset after, read denied",
            false,
            vec![lost(), unread(ErrorName::AccessDenied)],
            vec![r, g],
            "outcome_unknown",
        ),
        ("read denied first", true, vec![unread(ErrorName::AccessDenied)], vec![g], "access_denied"),
        ("read fails first", true, vec![unread(ErrorName::Service)], vec![g, g], "unavailable"),
        ("hang before", false, vec![removal(FaultKind::HangBeforeCommit)], vec![r, g, r], "revoked"),
        ("hang after", false, vec![removal(FaultKind::HangAfterCommit)], vec![r, g], "revoked"),
        ("busy", false, vec![busy()], vec![r, g, r, g], "revoked"),
        ("busy", true, vec![busy()], vec![g, r, g, g, r, g], "revoked"),
        ("busy for good", false, vec![busy().times(9)], vec![r, g, r, g, r, g], "unavailable"),
        ("busy, read fails", false, vec![busy(), unread(ErrorName::Service)], vec![r, g, g], "outcome_unknown"),
        ("busy, read denied", false, vec![busy(), unread(ErrorName::AccessDenied)], vec![r, g], "access_denied"),
        // Busy with our own removal, of which nobody has told us.
        ("409 after our own", false, vec![done_and_busy(1)], vec![r, g], "already_revoked"),
        ("409 after our own", true, vec![done_and_busy(1)], vec![g, r, g], "already_revoked"),
        (
            "lost, then 409",
            false,
            vec![removal(FaultKind::ResetBeforeCommit), done_and_busy(9)],
            vec![r, g, r, g],
            "revoked",
        ),
        ("412 in between", true, vec![changed(1)], vec![g, r, g, r], "revoked"),
        ("412 in between, for good", true, vec![changed(9)], vec![g, r, g, r, g, r], "unavailable"),
        ("412 unasked", false, vec![changed(1)], vec![r, r], "revoked"),
        ("403", false, vec![Fault::access_denied().on(Operation::RemovePermission)], vec![r], "access_denied"),
        ("400", false, vec![removal(answer(400))], vec![r], "rejected_by_aws"),
        ("302", false, vec![removal(answer(302))], vec![r, g, r], "revoked"),
        ("404 though it is there", false, vec![not_found()], vec![r, g, r], "revoked"),
        ("404, read denied", false, vec![not_found(), unread(ErrorName::AccessDenied)], vec![r, g], "access_denied"),
        ("404, read fails", false, vec![not_found(), unread(ErrorName::Service)], vec![r, g, g], "outcome_unknown"),
        ("404 for all", false, vec![not_found(), unread(ErrorName::ResourceNotFound)], vec![r, g], "target_not_found"),
    ];
    for (name, named, faults, calls, ending) in cases {
        let mut scene = holding(&[(ORDERS, &[stored(OTHER, json!({})), stored("partner", json!({}))])]).await;
        scene.broker.timing = HASTY;
        let mut request = revoke(json!({}));
        if named {
            request = beside(request.clone(), json!({ "fingerprint": fingerprint(&scene, &request).await }));
        }
        for fault in faults {
            scene.plane.inject(fault);
        }
        let reply = scene.ask(Door::Direct, &request).await;
        assert_eq!((word(&reply.document), scene.calls()), (ending, calls), "{name} {named}");
        let gone = !sids(&scene, ORDERS).contains(&"partner".to_owned());
        assert!(ending != "revoked" || gone, "{name}: called revoked, and stands");
        let outcome = scene.records().pop().unwrap();
        let seen = ending == "revoked" && scene.calls().last() == Some(&"read");
        assert_eq!(outcome["confirmedByRead"], if seen { json!(true) } else { json!(null) }, "{name}");
        assert_eq!(outcome["attempts"], writes(&scene.plane), "{name}");
        // Whatever it was, asking again settles it.
        scene.plane.clear_faults();
        let again = scene.ask(Door::Direct, &request).await;
        assert!(["revoked", "already_revoked"].contains(&again.outcome()), "{name}: {}", again.document);
        assert_eq!(sids(&scene, ORDERS), [OTHER], "{name}");
    }
}

/// The last statement takes its policy with it, and AWS then shows none.
#[tokio::test]
async fn the_last_statement_is_revoked_for_sure_too() {
    for (kind, calls) in
        [(None, vec!["remove", "read"]), (Some(FaultKind::ResetAfterCommit), vec!["remove", "read", "remove"])]
    {
        let scene = holding(&[(ORDERS, &[stored("partner", json!({}))])]).await;
        let door = if kind.is_some() { Door::Direct } else { Door::Sqs };
        scene.plane.inject(removal(kind.unwrap_or(FaultKind::Delay(Duration::ZERO))));
        scene.ask(door, &revoke(json!({}))).await;
        let outcome = scene.records().pop().unwrap();
        assert_eq!((&outcome["outcome"], scene.calls()), (&json!("revoked"), calls));
        assert_eq!(outcome["confirmedByRead"], true);
    }
}

/// The same where AWS answers 409 over and over: of a function's policy that is not there nobody can say whether it is
/// gone or the target is, so the revoke is never called failed. Of a layer version AWS says so.
#[tokio::test]
async fn a_409_after_our_own_removal_of_the_last_statement_is_not_called_failed() {
    for (arn, request, statement, operation) in [
        (ORDERS, revoke(json!({})), stored("partner", json!({})), Operation::RemovePermission),
        (LAYER, layer_revoke(json!({})), layer_stored("partner"), Operation::RemoveLayerVersionPermission),
    ] {
        for door in DOORS {
            let scene = holding(&[(arn, std::slice::from_ref(&statement))]).await;
            scene.plane.inject(Fault::new(FaultKind::Duplicate { commit: true }).on(operation).times(3));
            let known = arn == LAYER;
            assert_eq!(scene.ask(door, &request).await.comes_again(), !known);
            let outcome = scene.records().pop().unwrap();
            let ending = if known { ("already_revoked", 1) } else { ("outcome_unknown", 3) };
            assert_eq!((word(&outcome), &outcome["attempts"]), (ending.0, &json!(ending.1)), "{outcome}");
            assert!(scene.statements(arn).is_empty());
            assert!(!scene.ask(door, &request).await.comes_again());
            assert_eq!(scene.records().pop().unwrap()["outcome"], "already_revoked");
        }
    }
}

/// And where AWS refuses for good the try that is to tell the two apart: who is told of that alone takes the statement for
/// one that stands.
#[tokio::test]
async fn a_refusal_after_our_own_removal_of_the_last_statement_is_not_called_failed() {
    let not_there = [Fault::error(ErrorName::ResourceNotFound, "Function not found"), Fault::new(answer(404))];
    let refused = [Fault::access_denied(), Fault::error(ErrorName::Validation, "no"), Fault::revision_mismatch()];
    let refused = [&refused[..], &not_there].concat();
    for (fault, door) in refused.iter().flat_map(|fault| DOORS.map(|door| (fault, door))) {
        let scene = holding(&[(ORDERS, &[stored("partner", json!({}))])]).await;
        scene.plane.inject(removal(FaultKind::Duplicate { commit: true }));
        scene.plane.inject(fault.clone().on(Operation::RemovePermission).times(3));
        assert!(scene.ask(door, &revoke(json!({}))).await.comes_again());
        let outcome = scene.records().pop().unwrap();
        assert_eq!(word(&outcome), "outcome_unknown", "{outcome}");
        assert!(scene.statements(ORDERS).is_empty());
        scene.plane.clear_faults();
        assert!(!scene.ask(door, &revoke(json!({}))).await.comes_again());
        assert_eq!(scene.records().pop().unwrap()["outcome"], "already_revoked");
    }
}

/// A write that began before ours brings the statement back: it is not called revoked until it stays away.
#[tokio::test]
async fn in_company_a_statement_that_comes_back_is_taken_away_again() {
    let statements = [stored(OTHER, json!({})), stored("partner", json!({}))];
    for times in [1, 2, 3] {
        let scene = holding(&[(ORDERS, &statements)]).await;
        // Answered, and not done: to whoever looks the same as done and undone.
        scene.plane.inject(removal(answer(204)).times(times));
        let reply = scene.ask(Door::Sqs, &revoke(json!({}))).await;
        let outcome = scene.records().pop().unwrap();
        let comes_again = times == 3;
        assert_eq!(word(&outcome), if comes_again { "outcome_unknown" } else { "revoked" });
        assert_eq!(reply.comes_again(), comes_again);
        assert_eq!(scene.calls(), ["remove", "read"].repeat((times + 1).min(3)));
        assert_eq!(sids(&scene, ORDERS).len(), if comes_again { 2 } else { 1 });
    }
}

#[tokio::test]
async fn without_an_intent_nobody_is_called_and_without_an_outcome_nobody_is_told() {
    for fate in [Fate::Failed, Fate::Torn, Fate::NotFlushed] {
        for door in DOORS {
            for (scene, request, arn) in scenes().await {
                scene.sink.next([fate]);
                assert!(scene.ask(door, &request).await.comes_again());
                assert!(scene.calls().is_empty() && sids(&scene, arn).contains(&"partner".to_owned()));

                scene.sink.next([Fate::Written, fate]);
                let reply = scene.ask(door, &request).await;
                assert!(reply.comes_again());
                if door != Door::Sqs {
                    assert_eq!(reply.code(), "audit_unavailable");
                }
                assert!(!sids(&scene, arn).contains(&"partner".to_owned()));
                scene.records();
                scene.ask(door, &request).await;
                assert_eq!(scene.records().pop().unwrap()["outcome"], "already_revoked");
            }
        }
    }
}

#[tokio::test]
async fn a_revoke_that_is_cut_off_leaves_a_trace() {
    let scene = holding(&[(ORDERS, &[stored("partner", json!({}))])]).await;
    scene.plane.inject(removal(FaultKind::HangAfterCommit));
    let event = door::event(Door::EventBridge, &revoke(json!({})));
    assert!(timeout(Duration::from_millis(100), scene.invoke(&event)).await.is_err());
    let records = scene.records();
    let words: Vec<_> = records.iter().map(|record| record["record"].as_str().unwrap()).collect();
    assert_eq!(words, ["intent", "abandoned"]);
    assert_eq!((&records[1]["code"], &records[1]["statementId"]), (&json!("outcome_unknown"), &json!("partner")));
    scene.invoke(&event).await;
    assert_eq!(scene.records().pop().unwrap()["outcome"], "already_revoked");
}

#[tokio::test]
async fn a_revoke_that_comes_too_late_calls_nobody() {
    for door in DOORS {
        let scene = holding(&[(ORDERS, &[stored("partner", json!({}))])]).await;
        let reply = scene.invoke_within(&door::event(door, &revoke(json!({}))), Duration::from_millis(39)).await;
        assert!(reply.comes_again() && scene.calls().is_empty());
        let records = scene.records();
        assert_eq!((records.len(), &records[0]["code"]), (1, &json!("timed_out")));
    }
}

/// Every parameter goes out as it was given.
#[tokio::test]
async fn what_is_sent_is_what_was_asked() {
    let live = format!("{ORDERS}:live");
    let scene = holding(&[(&live, &[stored("partner", json!({ "Resource": live }))])]).await;
    let revision = scene.plane.policies()[0].2.clone();
    let request =
        revoke(json!({ "FunctionName": "123456789012:function:orders", "Qualifier": "live", "RevisionId": revision }));
    assert_eq!(scene.ask(Door::Direct, &request).await.outcome(), "revoked");
    let call = &scene.plane.calls()[0];
    assert_eq!(call.method, "DELETE");
    assert_eq!(call.path, "/2015-03-31/functions/123456789012%3Afunction%3Aorders/policy/partner");
    assert!(call.query.contains("Qualifier=live") && call.query.contains(&format!("RevisionId={revision}")));
}
