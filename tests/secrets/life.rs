//! The canary over the whole life of a grant: stored at AWS, and there for whoever reads, asks or takes away.

use permission_broker::local::control_plane::ControlPlane;
use permission_broker::local::stage::{ALLOWLIST, Stage, WORLD};
use serde_json::{Value, json};

use super::{CANARY, document, grants, invoke, telling};
use crate::support::{envelope, json as parsed, with};

const LIVE: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders:live";

fn of(operation: &str, more: Value) -> Value {
    let parameters = with(json!({ "FunctionName": "orders", "Qualifier": "live" }), more);
    json!({ "operation": operation, "parameters": parameters })
}

fn dry(request: Value) -> Value {
    with(request, json!({ "dryRun": true }))
}

#[tokio::test]
async fn a_stored_token_is_shown_to_nobody() {
    let revoke = of("RemovePermission", json!({ "StatementId": "skill" }));
    let wrong = with(revoke.clone(), json!({ "fingerprint": "0".repeat(32) }));
    let requests = [
        (of("GetPolicy", json!({})), "read"),
        (dry(document()), "already_granted"),
        (
            dry(with(
                document(),
                json!({ "parameters": with(document()["parameters"].clone(), json!({ "EventSourceToken": "another-token" })) }),
            )),
            "statement_conflict",
        ),
        (dry(revoke.clone()), "would_revoke"),
        (dry(wrong.clone()), "statement_conflict"),
        (wrong, "statement_conflict"),
        (revoke, "revoked"),
    ];
    for reads_first in [false, true] {
        for (request, word) in &requests {
            for (door, event) in envelope::all(request.to_string().as_bytes()) {
                let mut stage = telling().await;
                stage.broker.reads_first = reads_first;
                invoke(&stage, document().to_string().as_bytes(), "the grant").await;
                assert!(stage.control_plane.policies()[0].1.contains(CANARY), "it is there to be shown");
                let seen = invoke(&stage, &event, &format!("{request} through {door}")).await;
                assert!(door == "sqs" || seen.contains(word), "{word} through {door}: {seen}");
            }
        }
    }
}

/// An operation that takes no token keeps one all the same, in its own place and in every other.
#[tokio::test]
async fn a_token_that_does_not_belong_there_is_not_shown() {
    let stage = telling().await;
    let operations = [
        of("RemovePermission", json!({ "StatementId": "skill" })),
        of("GetPolicy", json!({})),
        of("GrantFunctionUrl", json!({ "Principal": "210987654321", "FunctionUrlAuthType": "AWS_IAM" })),
        json!({ "operation": "RemoveLayerVersionPermission", "parameters": { "LayerName": "common", "VersionNumber": 1, "StatementId": "a" } }),
        json!({ "operation": "GetLayerVersionPolicy", "parameters": { "LayerName": "common", "VersionNumber": 1 } }),
    ];
    for operation in operations {
        for name in ["EventSourceToken", "eventSourceToken", "EventSourceTokn"] {
            for (place, value) in [("reason", json!(CANARY)), ("fingerprint", json!(CANARY)), (CANARY, json!(1))] {
                let mut request = operation.clone();
                request["parameters"][name] = json!(CANARY);
                for request in [request.clone(), with(request.clone(), json!({ place: value }))] {
                    for (door, event) in envelope::all(request.to_string().as_bytes()) {
                        let seen = invoke(&stage, &event, &format!("{request} through {door}")).await;
                        assert!(door == "sqs" || seen.contains("rejected"), "{door}: {seen}");
                    }
                }
            }
        }
    }
    assert_eq!(grants(&stage), 0);
}

/// Somebody wrote it into ids and ARNs of a policy: nothing that is told of the policy repeats it.
#[tokio::test]
async fn advice_and_blame_do_not_repeat_a_token() {
    let statement = |sid: String, principal: Value, condition: Value| json!({ "Sid": sid, "Effect": "Allow", "Principal": principal, "Action": "lambda:InvokeFunction", "Resource": LIVE, "Condition": condition });
    let sns = |i: usize| {
        let arn = format!("arn:aws:sns:us-east-1:210987654321:{CANARY}-{i}");
        statement(
            format!("s{i}"),
            json!({ "Service": "sns.amazonaws.com" }),
            json!({ "ArnLike": { "AWS:SourceArn": arn } }),
        )
    };
    let same =
        |i: usize| statement(format!("{CANARY}-{i}"), json!({ "AWS": "arn:aws:iam::210987654321:root" }), json!({}));
    let statements: Vec<Value> = (0..3).flat_map(|i| [sns(i), same(i)]).collect();
    let dead = statement(format!("{CANARY}-dead"), json!({ "AWS": "AROADBQP57FF2AEXAMPLE" }), json!({}));
    for (statements, word) in [(statements.clone(), "granted"), ([statements, vec![dead]].concat(), "dead_principal")] {
        for reads_first in [false, true] {
            let world = with(
                parsed(WORLD),
                json!({ "policies": { LIVE: { "statements": statements } }, "deletedPrincipals": ["AROADBQP57FF2AEXAMPLE"] }),
            );
            let plane = ControlPlane::from_world(&world.to_string()).expect("a world");
            let mut stage = Stage::new(plane, ALLOWLIST).await.expect("a stage");
            stage.broker.reads_first = reads_first;
            let told = invoke(&stage, dry(document()).to_string().as_bytes(), "a dry run").await;
            assert!(told.contains(if word == "granted" { "would_grant" } else { word }), "{told}");
            let seen = invoke(&stage, document().to_string().as_bytes(), "a grant").await;
            assert!(seen.contains(word), "{seen}");
        }
    }
}
