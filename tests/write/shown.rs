//! The statement in a reply is the one that AWS stores, written as AWS writes it. A token is only said to be there.

use permission_broker::local::control_plane::ControlPlane;
use permission_broker::local::stage::WORLD;
use serde_json::{Value, json};

use crate::support::{Door, Scene, grant, with};

const ORDERS: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";

#[tokio::test]
async fn a_dry_run_and_a_grant_show_what_is_stored() {
    let cases = [
        json!({}),
        json!({ "Principal": "*", "PrincipalOrgID": "o-a1b2c3d4e5" }),
        json!({ "Principal": "s3.amazonaws.com", "SourceArn": "arn:aws:s3:::b", "SourceAccount": "210987654321" }),
        json!({ "Principal": "alexa-appkit.amazon.com", "EventSourceToken": "amzn1.ask.skill.1" }),
        json!({ "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "AWS_IAM" }),
        json!({ "InvokedViaFunctionUrl": true }),
    ];
    for changes in cases {
        let scene = Scene::new().await;
        let request = grant(changes);
        let tried = scene.ask(Door::Direct, &with(request.clone(), json!({ "dryRun": true }))).await;
        let granted = scene.ask(Door::Direct, &request).await;
        assert_eq!((tried.outcome(), granted.outcome()), ("would_grant", "granted"), "{request}");
        let mut stored = scene.statements(ORDERS).remove(0);
        if let Some(token) = stored.pointer_mut("/Condition/StringEquals/lambda:EventSourceToken") {
            *token = json!("present");
        }
        assert_eq!(tried.document["statement"], stored, "{request}");
        assert_eq!(granted.document["statement"], stored, "{request}");
    }
}

/// What stands in the way of a grant is shown with all of its values, and the spelling of others in lower case.
#[tokio::test]
async fn a_conflict_shows_what_stands() {
    let statement = json!({
        "Sid": "partner", "Effect": "Deny", "Principal": { "AWS": "arn:aws:iam::210987654321:user/ci" },
        "Action": "lambda:InvokeFunction", "Resource": ORDERS,
        "Condition": { "ArnLike": { "AWS:SourceArn": ["a", "b"] }, "stringlike": { "aws:username": "c" } },
    });
    let world: Value = serde_json::from_str(WORLD).unwrap();
    let world = with(world, json!({ "policies": { ORDERS: { "statements": [statement] } } }));
    let scene = Scene::of(ControlPlane::from_world(&world.to_string()).unwrap()).await;
    let reply = scene.ask(Door::Direct, &grant(json!({}))).await;
    assert_eq!((reply.code(), &reply.document["statement"]), ("statement_conflict", &statement));
}
