//! A dry run answers what the real request comes to, byte for byte, and changes nothing.

use std::collections::BTreeSet;

use permission_broker::local::control_plane::{ControlPlane, Fault, FaultKind, Operation};
use permission_broker::local::stage::{Stage, WORLD};
use serde_json::{Value, json};

use super::{LAYER, ORDERS, beside, holding, layer_revoke, layer_stored, revoke, stored, word};
use crate::support::{Door, Scene, event_files, grant, layer_grant, text, with};

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
    let keep = ["code", "errors", "rule", "resource", "statementId", "statement", "fingerprint", "operation"];
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
                let of = |reply: &Value| (reply["code"].clone(), reply["errors"].clone());
                assert_eq!(of(&told), of(&came), "{request}");
                // What is allowed is told in a dry run alone which rules did not allow it.
                assert!(came["rules"].is_null() || told["rules"] == came["rules"], "{request}");
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
            let policy = &reply.document["policy"];
            let before = scene.plane.policy(ORDERS).unwrap().len();
            assert_eq!((&policy["bytesBefore"], &policy["bytes"]), (&json!(before), &json!(0)), "its last statement");
        }
        let real = scene.ask(Door::Direct, &with(request, json!({ "dryRun": null }))).await;
        assert_eq!(word(&real.document), ending.replace("would_revoke", "revoked"));
    }
    // To the byte, whichever of several it is.
    for sid in ["first", "partner", "last"] {
        let three = ["first", "partner", "last"].map(|sid| stored(sid, json!({})));
        let scene = holding(&[(ORDERS, &three)]).await;
        let told = scene.ask(Door::Direct, &dry(json!({ "StatementId": sid }), json!({}))).await;
        scene.ask(Door::Direct, &revoke(json!({ "StatementId": sid }))).await;
        assert_eq!(told.document["policy"]["bytes"], scene.plane.policy(ORDERS).unwrap().len(), "{sid}");
    }
    let foreign = stored("partner", json!({ "NotAction": "lambda:GetFunction" }));
    for (more, ending) in [(json!({}), "would_revoke"), (fingerprint(&own), "statement_conflict")] {
        let scene = holding(&[(ORDERS, std::slice::from_ref(&foreign))]).await;
        assert_eq!(word(&scene.ask(Door::Direct, &dry(json!({}), more)).await.document), ending);
    }
    // Without a policy nothing stands.
    let scene = Scene::new().await;
    assert_eq!(scene.ask(Door::Direct, &dry(json!({}), json!({}))).await.outcome(), "already_revoked");
}

/// What stands before each of the requests: the name, the world, and who is deleted in it.
fn worlds() -> Vec<(&'static str, Value, Option<&'static str>)> {
    const GONE: &str = "arn:aws:iam::210987654321:role/gone";
    let of = |name, orders: &[Value], layer: &[Value], gone| {
        let all = [(ORDERS, orders), (LAYER, layer)].into_iter().filter(|(_, them)| !them.is_empty());
        let policies = all.map(|(arn, them)| (arn.to_owned(), json!({ "statements": them })));
        (name, json!({ "policies": policies.collect::<serde_json::Map<_, _>>() }), gone)
    };
    let gone = |sid: &str| stored(sid, json!({ "Principal": { "AWS": GONE } }));
    let another = json!({ "Principal": { "AWS": "arn:aws:iam::123456789012:root" } });
    let url = |sid| {
        let auth_type = json!({ "StringEquals": { "lambda:FunctionUrlAuthType": "AWS_IAM" } });
        stored(sid, json!({ "Action": "lambda:InvokeFunctionUrl", "Condition": auth_type }))
    };
    let full = super::budget::filled(20_400);
    let dead_and_full = super::budget::filled(20_400 - gone("old").to_string().len() - 1);
    let dead_and_full: Vec<Value> = dead_and_full.into_iter().chain([gone("old")]).collect();
    vec![
        of("nothing", &[], &[], None),
        of("others", &[stored("other", json!({}))], &[layer_stored("other")], None),
        of("the same", &[stored("partner", json!({}))], &[layer_stored("partner")], None),
        of("another", &[stored("partner", another.clone())], &[with(layer_stored("partner"), another)], None),
        of("foreign", &[stored("partner", json!({ "NotAction": "lambda:GetFunction" }))], &[], None),
        of("half a URL", &[url("partner")], &[], None),
        of("no half of it", &[stored("partner-invoke", json!({}))], &[], None),
        of("dead", &[gone("old")], &[], Some(GONE)),
        of("dead, and the same", &[gone("old"), stored("partner", json!({}))], &[], Some(GONE)),
        of("dead itself", &[gone("partner")], &[], Some(GONE)),
        of("full", &full, &[], None),
        of("dead and full", &dead_and_full, &[], Some(GONE)),
    ]
}

/// Requests of every kind, with a revision that no policy has and without.
fn requests() -> Vec<Value> {
    let url = json!({ "operation": "GrantFunctionUrl", "parameters": {
        "FunctionName": "orders", "StatementId": "partner", "Principal": "210987654321", "FunctionUrlAuthType": "AWS_IAM",
    } });
    let of_missing =
        with(url.clone(), json!({ "parameters": with(url["parameters"].clone(), json!({ "FunctionName": "gone" })) }));
    let mut requests = vec![url, of_missing];
    for stale in [json!({}), json!({ "RevisionId": "00000000-0000-0000-0000-000000000001" })] {
        let stale = |changes: Value| with(changes, stale.clone());
        requests.extend([
            grant(stale(json!({}))),
            grant(stale(json!({ "Qualifier": "1" }))),
            grant(stale(json!({ "FunctionName": "reports" }))),
            grant(stale(json!({ "FunctionName": "gone" }))),
            grant(stale(json!({ "Qualifier": "99" }))),
            grant(stale(json!({ "Qualifier": "gone" }))),
            revoke(stale(json!({ "FunctionName": "gone" }))),
            revoke(stale(json!({ "Qualifier": "99" }))),
            revoke(stale(json!({}))),
            revoke(stale(json!({ "StatementId": "old" }))),
            revoke(stale(json!({ "FunctionName": "reports" }))),
            layer_grant(stale(json!({}))),
            layer_grant(stale(json!({ "VersionNumber": 99 }))),
            layer_grant(stale(json!({ "LayerName": "common-not-there" }))),
            layer_revoke(stale(json!({}))),
            layer_revoke(stale(json!({ "VersionNumber": 99 }))),
        ]);
        requests.push(beside(revoke(stale(json!({}))), json!({ "fingerprint": "0".repeat(32) })));
        requests.push(beside(layer_revoke(stale(json!({}))), json!({ "fingerprint": "0".repeat(32) })));
    }
    requests
}

/// In every one of these worlds, whether the policy is read before a grant or not.
#[tokio::test]
async fn a_dry_run_says_what_the_real_run_comes_to() {
    let mut endings = BTreeSet::new();
    for (name, world, gone) in worlds() {
        for request in requests() {
            for reads_first in [false, true] {
                let whole = with(serde_json::from_str(WORLD).unwrap(), world.clone());
                let mut scene = Scene::of(ControlPlane::from_world(&whole.to_string()).unwrap()).await;
                scene.broker.reads_first = reads_first;
                scene.broker.allowlist = permission_broker::allowlist::Allowlist::parse(ANYTHING).unwrap().into();
                if let Some(arn) = gone {
                    scene.plane.delete_principal(arn);
                }
                let told = scene.ask(Door::Direct, &beside(request.clone(), json!({ "dryRun": true }))).await.document;
                let calls = scene.calls();
                assert!(calls == ["read"] || calls == ["read", "list"], "{name}: {request}: {calls:?}");
                let came = scene.ask(Door::Direct, &request).await.document;
                let expected = word(&told).replace("would_grant", "granted").replace("would_revoke", "revoked");
                assert_eq!(word(&came), expected, "{name}, reads first: {reads_first}: {request}");
                assert_eq!(told["blamed"], came["blamed"], "{name}: {request}");
                if told["statement"].is_object() && came["statement"].is_object() {
                    assert_eq!(told["statement"], came["statement"], "{name}: {request}");
                }
                // What stands in the way of a grant hides neither what it is about nor its size.
                let refused = told["code"].is_string() && request["operation"] != "GrantFunctionUrl";
                if refused
                    && request["operation"].as_str().unwrap().starts_with("Add")
                    && word(&told) != "target_not_found"
                {
                    assert_eq!(told["wouldStore"]["Sid"], "partner", "{name}: {request}");
                    let with = told["policy"]["bytesWith"].as_u64().unwrap();
                    assert!(with > told["policy"]["bytes"].as_u64().unwrap(), "{name}: {request}");
                }
                endings.insert(word(&told).to_owned());
            }
        }
    }
    let all = [
        "already_granted",
        "already_revoked",
        "dead_principal",
        "policy_full",
        "revision_changed",
        "statement_conflict",
        "target_not_found",
        "would_grant",
        "would_revoke",
    ];
    assert_eq!(endings.iter().map(String::as_str).collect::<Vec<_>>(), all);
}

const ANYTHING: &str = r#"{"accounts": ["210987654321", "123456789012"]}"#;

/// Every rule that does not allow it is told beside the one that does.
#[tokio::test]
async fn what_is_allowed_is_told_why_other_rules_do_not_allow_it() {
    let rules = json!([
        { "id": "layers", "accounts": ["210987654321"], "targets": ["layer:*"] },
        { "id": "partner", "accounts": ["210987654321"] },
        { "id": "others", "accounts": ["123456789012"] },
        { "id": "again", "accounts": ["210987654321"], "actions": ["lambda:InvokeFunction"] },
    ]);
    let mut scene = Scene::new().await;
    scene.broker.allowlist = permission_broker::allowlist::Allowlist::parse(&rules.to_string()).unwrap().into();
    let refusal = |rule: &str, code: &str| json!({ "rule": rule, "code": code });
    let target = refusal("layers", "target_not_allowed");
    let principal = refusal("others", "principal_not_allowed");
    let url = json!({ "operation": "GrantFunctionUrl", "parameters": {
        "FunctionName": "orders", "StatementId": "url", "Principal": "210987654321", "FunctionUrlAuthType": "AWS_IAM",
    } });
    for (request, rule, expected) in [
        (grant(json!({})), "partner", vec![&target, &principal]),
        (url, "partner", vec![&target, &principal, &refusal("again", "action_not_allowed")]),
        (revoke(json!({})), "partner", vec![&target]),
    ] {
        let told = scene.ask(Door::Direct, &beside(request.clone(), json!({ "dryRun": true }))).await.document;
        let listed = |reply: &Value| reply["rules"].as_array().cloned().unwrap_or_default();
        assert_eq!(told["rule"], rule);
        assert_eq!(listed(&told).len(), expected.len(), "{told}");
        assert!(expected.iter().all(|one| listed(&told).contains(one)), "{told}");
        let came = scene.ask(Door::Direct, &request).await.document;
        assert_eq!((&came["rule"], listed(&came)), (&json!(rule), vec![]));
        let records = scene.records();
        assert!(records.iter().all(|record| record.get("rules").is_none()), "{records:?}");
    }
}

/// Where the role may not list, or a list says nothing for sure, a function that shows no policy is taken to be there.
#[tokio::test]
async fn what_no_list_tells_is_taken_to_be_there() {
    let dry = |request: Value| beside(request, json!({ "dryRun": true }));
    let gone = json!({ "FunctionName": "gone" });
    let stale = with(gone.clone(), json!({ "RevisionId": "another" }));
    let cases = [
        (grant(gone.clone()), "would_grant"),
        (grant(stale), "revision_changed"),
        (grant(json!({ "Qualifier": "gone" })), "would_grant"),
        (revoke(gone), "already_revoked"),
    ];
    for (request, taken) in cases {
        let mut scene = Scene::new().await;
        scene.broker.allowlist = permission_broker::allowlist::Allowlist::parse(ANYTHING).unwrap().into();
        assert_eq!(word(&scene.ask(Door::Direct, &dry(request.clone())).await.document), "target_not_found");
        scene.plane.inject(Fault::access_denied().on(Operation::ListAliases));
        assert_eq!(word(&scene.ask(Door::Direct, &dry(request.clone())).await.document), taken, "{request}");
        let answer = FaultKind::Answer { status: 404, error_type: None, headers: vec![], body: "not here".into() };
        let cut_short = Fault::new(answer);
        scene.plane.inject(cut_short.on(Operation::ListAliases));
        assert_eq!(word(&scene.ask(Door::Direct, &dry(request.clone())).await.document), taken, "{request}");
        scene.broker.schedules = None;
        scene.plane.clear_calls();
        assert_eq!(word(&scene.ask(Door::Direct, &dry(request.clone())).await.document), taken, "{request}");
        assert_eq!(scene.calls(), ["read"]);
    }
    // An alias that is not among the first fifty may be among the rest.
    let aliases: serde_json::Map<String, Value> = (0..51).map(|n| (format!("a{n:02}"), json!("1"))).collect();
    for (most, told) in [(50, "target_not_found"), (51, "would_grant")] {
        let aliases: serde_json::Map<_, _> = aliases.clone().into_iter().take(most).collect();
        let world = json!({ "functions": { "orders": { "versions": [1], "aliases": aliases } } });
        let scene = Scene::of(
            ControlPlane::from_world(&with(serde_json::from_str(WORLD).unwrap(), world).to_string()).unwrap(),
        )
        .await;
        let reply = scene.ask(Door::Direct, &dry(grant(json!({ "Qualifier": "gone" })))).await;
        assert_eq!(word(&reply.document), told, "{most}");
    }
}
