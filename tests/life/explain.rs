//! A dry run answers what the real request comes to, byte for byte, and changes nothing.

use permission_broker::local::stage::Stage;
use serde_json::{Value, json};

use super::{ORDERS, beside, holding, revoke, stored, word};
use crate::support::{Door, Scene, event_files, grant, text, with};

/// Every request in the example events, however it is wrapped.
fn examples() -> Vec<Value> {
    fn find(value: &Value, found: &mut Vec<Value>) {
        match value {
            Value::String(text) => {
                if let Ok(inner @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
                    find(&inner, found);
                }
            }
            Value::Array(values) => values.iter().for_each(|value| find(value, found)),
            Value::Object(members) if value["operation"].is_string() => {
                found.extend(members.contains_key("parameters").then(|| value.clone()));
            }
            Value::Object(members) => members.values().for_each(|value| find(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for file in event_files() {
        find(&serde_json::from_str(&text(&format!("events/{file}"))).unwrap(), &mut found);
    }
    found
}

/// The reply to a direct invoke, a function error's document included.
async fn ask(stage: &Stage, request: &Value) -> Value {
    crate::support::Reply::of(stage.invoke("one", request.to_string().as_bytes()).await).document
}

/// All that two replies have in common if they say the same of one grant.
fn gist(reply: &Value) -> Value {
    let keep = ["code", "errors", "rules", "rule", "resource", "statementId", "statement", "fingerprint", "operation"];
    keep.iter().map(|name| (name.to_string(), reply[name].clone())).collect::<serde_json::Map<_, _>>().into()
}

#[tokio::test]
async fn every_example_comes_to_what_its_dry_run_said() {
    let (mut granted, mut refused) = (0, 0);
    for request in
        examples().iter().filter(|it| it["operation"] != "GetPolicy" && it["operation"] != "GetLayerVersionPolicy")
    {
        for crowded in [false, true] {
            let stage = Stage::examples().await.unwrap();
            let real = with(request.clone(), json!({ "dryRun": null }));
            if crowded {
                // What stands there already makes another size, and the repeat another outcome.
                ask(&stage, &with(real.clone(), json!({}))).await;
                let other = with(real["parameters"].clone(), json!({ "StatementId": "another" }));
                ask(&stage, &with(real.clone(), json!({ "parameters": other }))).await;
            }
            let before = stage.control_plane.policies();
            stage.control_plane.clear_calls();
            let told = ask(&stage, &beside(real.clone(), json!({ "dryRun": true }))).await;
            assert_eq!(stage.control_plane.policies(), before, "{request}");
            assert!(stage.control_plane.calls().iter().all(|call| call.method == "GET"), "{request}");
            let came = ask(&stage, &real).await;
            // AWS shows neither whether a target without a policy is there, nor the revision of none.
            let unseen =
                ["target_not_found", "revision_changed"].contains(&word(&came)) || word(&told) == "target_not_found";
            if unseen {
                continue;
            }
            let expected = match word(&told) {
                "would_grant" => "granted",
                "would_revoke" => "revoked",
                word => word,
            };
            assert_eq!(word(&came), expected, "{request}");
            if word(&told) == "would_grant" {
                granted += 1;
                assert_eq!(gist(&told), gist(&came), "{request}");
                let arn = came["resource"].as_str().unwrap();
                let size = stage.control_plane.policy(arn).unwrap().len();
                let size_before =
                    before.iter().find(|(known, ..)| known == arn).map_or(0, |(_, policy, _)| policy.len());
                assert_eq!(
                    (&told["policy"]["bytesBefore"], &told["policy"]["bytes"]),
                    (&json!(size_before), &json!(size)),
                    "{request}"
                );
                let policy: Value = serde_json::from_str(&stage.control_plane.policy(arn).unwrap()).unwrap();
                let mut stored = policy["Statement"].as_array().unwrap().last().unwrap().clone();
                if let Some(token) = stored.pointer_mut("/Condition/StringEquals/lambda:EventSourceToken") {
                    *token = json!("present");
                }
                let last = told["grants"].as_array().and_then(|grants| grants.last()).unwrap_or(&told);
                assert_eq!(last["statement"], stored, "{request}");
            } else {
                refused += 1;
                let of = |reply: &Value| (reply["code"].clone(), reply["errors"].clone(), reply["rules"].clone());
                assert_eq!(of(&told), of(&came), "{request}");
            }
        }
    }
    assert!(granted >= 25 && refused >= 25, "{granted} {refused}");
}

#[tokio::test]
async fn a_grant_is_told_what_stands_in_its_way() {
    let dry = |changes: Value| beside(grant(changes), json!({ "dryRun": true }));
    let there = stored("partner", json!({}));
    let cases = [
        (dry(json!({})), "already_granted"),
        (dry(json!({ "Principal": "arn:aws:iam::210987654321:root" })), "already_granted"),
        (dry(json!({ "Principal": "123456789012" })), "statement_conflict"),
        (dry(json!({ "StatementId": "next" })), "would_grant"),
        (dry(json!({ "StatementId": "next", "RevisionId": "another" })), "revision_changed"),
        (dry(json!({ "RevisionId": "another" })), "already_granted"),
        (dry(json!({ "Principal": "999999999999" })), "principal_not_allowed"),
    ];
    for (request, ending) in cases {
        let scene = holding(&[(ORDERS, std::slice::from_ref(&there))]).await;
        let reply = scene.ask(Door::ApiGateway, &request).await;
        assert_eq!(word(&reply.document), ending, "{request}");
        let looked: &[&str] = if ending == "principal_not_allowed" { &[] } else { &["read"] };
        assert_eq!(scene.calls(), looked);
        let records = scene.records();
        assert_eq!((records.len(), &records[0]["record"], &records[0]["dryRun"]), (1, &json!("outcome"), &json!(true)));
        let real = scene.ask(Door::ApiGateway, &with(request, json!({ "dryRun": null }))).await;
        assert_eq!(word(&real.document), ending.replace("would_grant", "granted"));
        assert_eq!(reply.http.unwrap().0, if ending == "would_grant" { 200 } else { real.http.unwrap().0 });
    }
    // The revision that the policy has.
    let scene = holding(&[(ORDERS, &[there])]).await;
    let revision = scene.plane.policies()[0].2.clone();
    let reply = scene.ask(Door::Direct, &dry(json!({ "StatementId": "next", "RevisionId": revision }))).await;
    assert_eq!(reply.outcome(), "would_grant");
}

#[tokio::test]
async fn a_revoke_is_told_what_it_would_take_away() {
    let dry = |changes: Value, more: Value| beside(beside(revoke(changes), more), json!({ "dryRun": true }));
    let fingerprint = |digits: &str| json!({ "fingerprint": digits });
    let there = stored("partner", json!({}));
    let scene = holding(&[(ORDERS, std::slice::from_ref(&there))]).await;
    let reply = scene.ask(Door::Direct, &dry(json!({}), json!({}))).await;
    let own = reply.document["fingerprint"].as_str().unwrap().to_owned();
    let none = "0".repeat(32);
    let cases = [
        (dry(json!({}), json!({})), "would_revoke"),
        (dry(json!({}), fingerprint(&own)), "would_revoke"),
        (dry(json!({}), fingerprint(&none)), "statement_conflict"),
        (dry(json!({ "StatementId": "x" }), json!({})), "already_revoked"),
        (dry(json!({ "StatementId": "x" }), fingerprint(&own)), "already_revoked"),
        (dry(json!({ "RevisionId": "another" }), json!({})), "revision_changed"),
        (dry(json!({ "StatementId": "x", "RevisionId": "another" }), json!({})), "already_revoked"),
        (dry(json!({ "FunctionName": "payments" }), json!({})), "target_not_allowed"),
    ];
    for (request, ending) in cases {
        let scene = holding(&[(ORDERS, std::slice::from_ref(&there))]).await;
        let reply = scene.ask(Door::Direct, &request).await;
        assert_eq!(word(&reply.document), ending, "{request}");
        assert!(scene.calls().iter().all(|call| *call == "read") && scene.statements(ORDERS).len() == 1);
        if ending == "would_revoke" {
            assert_eq!(reply.document["statement"], there);
            assert_eq!(reply.document["policy"]["bytes"], scene.plane.policy(ORDERS).unwrap().len());
        }
        let real = scene.ask(Door::Direct, &with(request, json!({ "dryRun": null }))).await;
        assert_eq!(word(&real.document), ending.replace("would_revoke", "revoked"));
    }
    let foreign = stored("partner", json!({ "NotAction": "lambda:GetFunction" }));
    for (more, ending) in [(json!({}), "would_revoke"), (fingerprint(&own), "statement_conflict")] {
        let scene = holding(&[(ORDERS, std::slice::from_ref(&foreign))]).await;
        assert_eq!(word(&scene.ask(Door::Direct, &dry(json!({}), more)).await.document), ending);
    }
    // Without a policy nobody can tell whether the target is there.
    assert_eq!(Scene::new().await.ask(Door::Direct, &dry(json!({}), json!({}))).await.code(), "target_not_found");
}
