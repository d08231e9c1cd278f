//! Which ends can be asked for, at both edges, and what the rules of the allowlist say to them.

use permission_broker::allowlist::Allowlist;
use serde_json::{Value, json};

use super::{ORDERS, beside};
use crate::support::{Door, Scene, grant};

/// A minute after the time of the scenes, to the second.
const NEXT_MINUTE: &str = "2026-03-02T09:16:22Z";

async fn word(scene: &Scene, door: Door, request: Value) -> String {
    super::word(&scene.ask(door, &request).await.document).to_owned()
}

#[tokio::test]
async fn an_end_is_a_minute_away_at_least_and_four_digits_of_a_year_at_most() {
    let scene = Scene::new().await;
    for (i, (door, end, wanted)) in [
        (Door::Direct, json!({ "expiresAt": NEXT_MINUTE }), "granted"),
        (Door::Direct, json!({ "expiresAt": "2026-03-02T09:16:21Z" }), "invalid_expiry"),
        (Door::Direct, json!({ "expiresAt": "2026-03-02T09:16:21.999Z" }), "invalid_expiry"),
        (Door::Direct, json!({ "expiresAt": "2020-01-01T00:00:00Z" }), "invalid_expiry"),
        (Door::Direct, json!({ "expiresAt": "9999-12-31T23:59:59Z" }), "granted"),
        (Door::Direct, json!({ "expiresAt": "10000-01-01T00:00:00Z" }), "invalid_expiry"),
        (Door::Direct, json!({ "expiresAt": "2026-12-31T18:00:00+01:00" }), "invalid_expiry"),
        (Door::Direct, json!({ "expiresAt": "tomorrow" }), "invalid_expiry"),
        (Door::Direct, json!({ "expiresAt": null }), "wrong_type"),
        (Door::Direct, json!({ "expiresAt": 1_772_442_922 }), "wrong_type"),
        (Door::ApiGateway, json!({ "duration": "PT1M" }), "granted"),
        (Door::ApiGateway, json!({ "duration": "PT59S" }), "invalid_expiry"),
        (Door::ApiGateway, json!({ "duration": "P999999999D" }), "invalid_expiry"),
        (Door::ApiGateway, json!({ "duration": "P1Y" }), "invalid_expiry"),
        (Door::ApiGateway, json!({ "duration": 3600 }), "wrong_type"),
        (Door::ApiGateway, json!({ "duration": "PT8H", "expiresAt": "2026-12-31T18:00:00Z" }), "invalid_expiry"),
        (Door::ApiGateway, json!({ "expires": "2026-12-31T18:00:00Z" }), "unknown_field"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut request = grant(json!({ "StatementId": format!("s{i}") }));
        for (name, value) in end.as_object().unwrap() {
            request[name] = value.clone();
        }
        assert_eq!(word(&scene, door, request).await, wanted, "{end}");
    }
}

/// An end says something of grants alone.
#[tokio::test]
async fn nothing_else_has_an_end() {
    let scene = Scene::new().await;
    for operation in ["RemovePermission", "GetPolicy", "CarryLayerForward"] {
        for (name, value) in [("expiresAt", "2026-12-31T18:00:00Z"), ("duration", "PT8H")] {
            let mut request = json!({ "operation": operation, "parameters": {} });
            request[name] = value.into();
            let reply = scene.ask(Door::Direct, &request).await;
            let errors = reply.document["errors"].to_string();
            assert!(errors.contains(&format!(r#""pointer":"/{name}""#)) || errors.contains(name), "{errors}");
        }
    }
    assert!(scene.calls().is_empty());
}

#[tokio::test]
async fn an_id_has_room_for_its_end_and_does_not_look_like_one() {
    let scene = Scene::new().await;
    let end = json!({ "expiresAt": NEXT_MINUTE });
    let id = |length: usize| json!({ "StatementId": "a".repeat(length) });
    for (request, wanted) in [
        (beside(grant(id(68)), end.clone()), "granted"),
        (beside(grant(id(69)), end.clone()), "invalid_statement_id"),
        (grant(id(100)), "granted"),
        (grant(json!({ "StatementId": "x-until-20260302T180000Z-0123abcd" })), "invalid_statement_id"),
        (beside(grant(json!({ "StatementId": "x-until-20260302T180000Z-0123abcd" })), end), "invalid_statement_id"),
        (grant(json!({ "StatementId": "x-until-20260302T180000Z" })), "granted"),
        (grant(json!({ "StatementId": "x-until-20260332T180000Z-0123abcd" })), "granted"),
        (grant(json!({ "StatementId": "-until-20260302T180000Z-0123abcd" })), "granted"),
    ] {
        assert_eq!(word(&scene, Door::Direct, request.clone()).await, wanted, "{request}");
    }
    let most = scene.statements(ORDERS).iter().map(|it| it["Sid"].as_str().unwrap().len()).max();
    assert_eq!(most, Some(100));
    let url = |length: usize| {
        let parameters = json!({
            "FunctionName": "orders", "StatementId": "u".repeat(length), "Principal": "210987654321",
            "FunctionUrlAuthType": "AWS_IAM",
        });
        json!({ "operation": "GrantFunctionUrl", "parameters": parameters, "expiresAt": NEXT_MINUTE })
    };
    assert_eq!(word(&scene, Door::Direct, url(61)).await, "granted");
    assert_eq!(word(&scene, Door::Direct, url(62)).await, "invalid_statement_id");
}

/// A rule with a `maxDuration` gives nothing without an end, and nothing for longer.
#[tokio::test]
async fn a_rule_may_want_an_end() {
    let mut scene = Scene::new().await;
    let rule = json!({ "id": "short", "accounts": ["210987654321"], "maxDuration": "PT8H" });
    scene.broker.allowlist = Allowlist::parse(&rule.to_string()).unwrap().into();
    for (door, end, wanted, pointer) in [
        (Door::Direct, json!({}), "duration_not_allowed", ""),
        (Door::Direct, json!({ "expiresAt": "2026-03-02T17:15:22Z" }), "granted", ""),
        // The clock that stamped an event may be a minute ahead of ours.
        (Door::Direct, json!({ "expiresAt": "2026-03-02T17:16:22Z" }), "granted", ""),
        (Door::Direct, json!({ "expiresAt": "2026-03-02T17:16:23Z" }), "duration_not_allowed", "/expiresAt"),
        (Door::ApiGateway, json!({ "duration": "PT8H" }), "already_granted", ""),
        (Door::ApiGateway, json!({ "duration": "PT8H1M1S" }), "duration_not_allowed", "/duration"),
    ] {
        let reply = scene.ask(door, &beside(grant(json!({})), end.clone())).await;
        assert_eq!(super::word(&reply.document), wanted, "{end}");
        if wanted == "duration_not_allowed" {
            assert_eq!(reply.document["errors"][0]["pointer"], pointer, "{end}");
            assert_eq!(reply.document["rules"], json!([{ "rule": "short", "code": wanted }]));
        }
    }
    // The time of an event that EventBridge carries is the sender's to choose; the rule goes by the clock.
    let mut event: Value = serde_json::from_slice(&crate::support::door::event(
        Door::EventBridge,
        &beside(grant(json!({})), json!({ "duration": "PT8H" })),
    ))
    .unwrap();
    event["time"] = "2036-03-02T09:15:22Z".into();
    assert_eq!(scene.invoke(event.to_string().as_bytes()).await.code(), "duration_not_allowed");
    // Without a rule that wants an end, none is needed.
    let rules = json!([rule, { "id": "long", "accounts": ["123456789012"] }]);
    scene.broker.allowlist = Allowlist::parse(&rules.to_string()).unwrap().into();
    let reply = scene.ask(Door::Direct, &grant(json!({ "StatementId": "b", "Principal": "123456789012" }))).await;
    assert_eq!((reply.outcome(), &reply.document["rule"]), ("granted", &json!("long")));
}

#[test]
fn a_longest_duration_is_a_duration() {
    for (text, fits) in [
        (json!("PT1M"), true),
        (json!("P30D"), true),
        (json!("PT59S"), false),
        (json!("PT060S"), true),
        (json!("PT0M60S"), true),
        (json!("PT100S"), true),
        (json!("P0DT1H"), true),
        (json!("P0W"), false),
        (json!("P00DT0H0M59S"), false),
        (json!("PT009S"), false),
        (json!("P1Y"), false),
        (json!(""), false),
        (json!(3600), false),
        (json!(["PT8H"]), false),
        (Value::Null, false),
    ] {
        let rule = json!({ "accounts": ["210987654321"], "maxDuration": text });
        crate::allowlist::schema::assert_agreed(&rule.to_string());
        let parsed = Allowlist::parse(&rule.to_string());
        assert_eq!(parsed.is_ok(), fits, "{text}");
        if let Err(problems) = parsed {
            assert_eq!((problems.len(), problems[0].pointer.as_str()), (1, "/maxDuration"));
        }
    }
}
