//! A revoke that names what it means, by a fingerprint or by the revision: that is taken away, or nothing.

use std::time::Duration;

use permission_broker::local::control_plane::{Fault, FaultKind, Operation};
use serde_json::json;

use super::super::{LAYER, ORDERS, beside, holding, layer_revoke, layer_stored, revoke, stored, word};
use super::{fingerprint, scenes, sids};
use crate::support::{Door, grant, writes};

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
