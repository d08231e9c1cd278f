//! 409: AWS says it of a taken statement id and of an update under way. What stands in the policy
//! decides, compared by what it means.

use permission_broker::local::control_plane::{ControlPlane, Fault, FaultKind, Operation};
use permission_broker::local::stage::WORLD;
use serde_json::{Value, json};

use crate::support::{Door, Scene, grant, layer_grant, with};

const ORDERS: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";
const LAYER: &str = "arn:aws:lambda:us-east-1:123456789012:layer:common:1";

/// A scene in which the policy of a target already holds a statement.
async fn holding(arn: &str, statement: &str) -> Scene {
    let statement: Value = serde_json::from_str(statement).unwrap();
    let world: Value = serde_json::from_str(WORLD).unwrap();
    let world = with(world, json!({ "policies": { arn: { "statements": [statement] } } }));
    Scene::of(ControlPlane::from_world(&world.to_string()).unwrap()).await
}

/// A stored statement: what is given goes over what AWS makes of the plain grant.
fn stored(changes: Value) -> String {
    let statement = json!({
        "Sid": "partner",
        "Effect": "Allow",
        "Principal": { "AWS": "arn:aws:iam::210987654321:root" },
        "Action": "lambda:InvokeFunction",
        "Resource": ORDERS,
    });
    with(statement, changes).to_string()
}

#[tokio::test]
async fn the_same_meaning_is_already_granted_however_it_is_written() {
    let s3 = json!({
        "Principal": "s3.amazonaws.com",
        "SourceArn": "arn:aws:s3:::bucket",
        "SourceAccount": "210987654321",
    });
    let service = json!({ "Service": "s3.amazonaws.com" });
    let both = json!({
        "StringEquals": { "AWS:SourceAccount": "210987654321" },
        "ArnLike": { "AWS:SourceArn": "arn:aws:s3:::bucket" },
    });
    let old = json!({
        "arnequals": { "aws:sourcearn": ["arn:aws:s3:::bucket"] },
        "stringEquals": { "aws:sourceaccount": ["210987654321"] },
    });
    let token = json!({
        "Principal": "alexa-appkit.amazon.com",
        "SourceAccount": "210987654321",
        "EventSourceToken": "secret",
    });
    let with_token =
        json!({ "StringEquals": { "lambda:eventsourcetoken": "secret", "aws:SourceAccount": "210987654321" } });
    let url = json!({ "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "AWS_IAM" });
    let url_condition = json!({ "StringEquals": { "lambda:FunctionUrlAuthType": "AWS_IAM" } });
    let cases = [
        (json!({}), stored(json!({}))),
        (json!({ "Principal": "arn:aws:iam::210987654321:root" }), stored(json!({}))),
        (json!({}), stored(json!({ "Principal": { "AWS": "210987654321" } }))),
        (json!({}), stored(json!({ "Principal": { "AWS": ["210987654321"] }, "Action": ["lambda:InvokeFunction"] }))),
        (s3.clone(), stored(json!({ "Principal": service, "Condition": both }))),
        (s3, stored(json!({ "Principal": service, "Condition": old }))),
        (token, stored(json!({ "Principal": { "Service": "alexa-appkit.amazon.com" }, "Condition": with_token }))),
        (url.clone(), stored(with(url, json!({ "FunctionUrlAuthType": null, "Condition": url_condition })))),
        (
            json!({ "InvokedViaFunctionUrl": true }),
            stored(json!({ "Condition": { "Bool": { "lambda:InvokedViaFunctionUrl": "true" } } })),
        ),
        (
            json!({ "Principal": "*", "PrincipalOrgID": "o-a1b2c3d4e5" }),
            stored(json!({
                "Principal": "*",
                "Condition": { "StringEquals": { "aws:PrincipalOrgID": "o-a1b2c3d4e5" } },
            })),
        ),
        // The order of 2016, which serde_json would sort away.
        (
            json!({}),
            format!(
                r#"{{ "Condition": {{}}, "Action": "lambda:InvokeFunction", "Resource": "{ORDERS}", "Effect": "Allow",
                     "Principal": {{ "AWS": "arn:aws:iam::210987654321:root" }}, "Sid": "partner" }}"#
            ),
        ),
    ];
    for (changes, statement) in cases {
        let scene = holding(ORDERS, &statement).await;
        let reply = scene.ask(Door::Direct, &grant(changes)).await;
        assert_eq!(reply.outcome(), "already_granted", "{statement}");
        assert_eq!(scene.calls(), ["add", "read"]);
        assert_eq!(scene.statements(ORDERS).len(), 1);
    }
}

#[tokio::test]
async fn other_content_is_a_conflict_and_stays_untouched() {
    let organization = json!({ "StringEquals": { "aws:PrincipalOrgID": "o-a1b2c3d4e5" } });
    let both_arns = json!({
        "ArnLike": { "AWS:SourceArn": "arn:aws:s3:::bucket" },
        "ArnEquals": { "AWS:SourceArn": "arn:aws:s3:::other" },
    });
    let two_spellings = json!({ "StringEquals": { "AWS:SourceAccount": "1", "aws:SourceAccount": "210987654321" } });
    let s3 = json!({ "Principal": "s3.amazonaws.com", "SourceAccount": "210987654321" });
    let s3_arn = with(s3.clone(), json!({ "SourceArn": "arn:aws:s3:::bucket" }));
    let cases = [
        (json!({}), json!({ "Effect": "Deny" })),
        (json!({}), json!({ "Principal": { "AWS": "arn:aws:iam::123456789012:root" } })),
        (json!({}), json!({ "Principal": { "AWS": "arn:aws:iam::210987654321:role/r" } })),
        (json!({}), json!({ "Principal": { "AWS": ["210987654321", "123456789012"] } })),
        (json!({}), json!({ "Principal": { "Federated": "210987654321" } })),
        (json!({}), json!({ "Principal": "*" })),
        (json!({}), json!({ "Action": "lambda:*" })),
        (json!({}), json!({ "Action": ["lambda:InvokeFunction", "lambda:GetFunction"] })),
        (json!({}), json!({ "Resource": format!("{ORDERS}:live") })),
        (json!({}), json!({ "Condition": organization })),
        (json!({}), json!({ "NotAction": "lambda:GetFunction" })),
        (json!({ "Principal": "*", "PrincipalOrgID": "o-a1b2c3d4e5" }), json!({ "Principal": "*" })),
        (
            json!({ "Principal": "*", "PrincipalOrgID": "o-a1b2c3d4e5" }),
            json!({ "Principal": "*", "Condition": { "StringNotEquals": { "aws:PrincipalOrgID": "o-a1b2c3d4e5" } } }),
        ),
        (
            s3.clone(),
            json!({
                "Principal": { "Service": "s3.amazonaws.com" },
                "Condition": { "StringLike": { "AWS:SourceAccount": "210987654321" } },
            }),
        ),
        // Two spellings of one key hold together: what stands there grants less than was asked.
        (s3, json!({ "Principal": { "Service": "s3.amazonaws.com" }, "Condition": two_spellings })),
        (s3_arn, json!({ "Principal": { "Service": "s3.amazonaws.com" }, "Condition": both_arns })),
    ];
    for (changes, content) in cases {
        let scene = holding(ORDERS, &stored(content.clone())).await;
        let before = scene.plane.policies();
        let reply = scene.ask(Door::ApiGateway, &grant(changes)).await;
        assert_eq!((reply.outcome(), reply.code()), ("conflict", "statement_conflict"), "{content}");
        assert_eq!(reply.http.unwrap().0, 409);
        assert_eq!(reply.document["retryable"], false);
        assert_eq!(scene.calls(), ["add", "read"]);
        assert_eq!(scene.plane.policies(), before);
    }
}

/// Also after a write that was lost: what stands there is not ours, and nothing is open.
#[tokio::test]
async fn other_content_found_after_a_lost_write_is_a_conflict() {
    let scene = holding(ORDERS, &stored(json!({ "Effect": "Deny" }))).await;
    scene.plane.inject(Fault::new(FaultKind::ResetBeforeCommit).on(Operation::AddPermission));
    assert_eq!(scene.ask(Door::Direct, &grant(json!({}))).await.code(), "statement_conflict");
    assert_eq!(scene.calls(), ["add", "read"]);
}

#[tokio::test]
async fn a_layer_statement_is_compared_like_a_function_statement() {
    let of = |principal: &str, condition: Value| {
        let changes = json!({
            "Principal": principal, "Action": "lambda:GetLayerVersion", "Resource": LAYER, "Condition": condition,
        });
        stored(changes)
    };
    let organization = |id: &str| json!({ "StringEquals": { "aws:PrincipalOrgID": id } });
    let asked = layer_grant(json!({ "Principal": "*", "OrganizationId": "o-a1b2c3d4e5" }));
    let cases = [
        (organization("o-a1b2c3d4e5"), "already_granted"),
        (organization("o-zzzzzzzzzz"), "conflict"),
        (json!({}), "conflict"),
    ];
    for (condition, outcome) in cases {
        let scene = holding(LAYER, &of("*", condition)).await;
        assert_eq!(scene.ask(Door::Direct, &asked).await.outcome(), outcome);
        assert_eq!(scene.calls(), ["add", "read"]);
    }
}

/// The text of the 409 says "already exists"; the policy says that it does not.
#[tokio::test]
async fn an_update_under_way_is_retried_whatever_the_text_says() {
    for fault in [Fault::concurrent_update(), Fault::new(FaultKind::Duplicate { commit: false })] {
        for busy in [1, 2] {
            let scene = Scene::new().await;
            scene.plane.inject(fault.clone().on(Operation::AddPermission).times(busy));
            let reply = scene.ask(Door::Direct, &grant(json!({}))).await;
            assert_eq!(reply.outcome(), "granted");
            // What met somebody else writing is seen in the policy before it is called granted.
            let expected: Vec<&str> = ["add", "read"].repeat(busy + 1);
            assert_eq!(scene.calls(), expected);
            assert_eq!(scene.records()[1]["attempts"], busy + 1);
        }
        let scene = Scene::new().await;
        scene.plane.inject(fault.on(Operation::AddPermission).times(3));
        let reply = scene.ask(Door::Direct, &grant(json!({}))).await;
        assert_eq!((reply.code(), reply.failed), ("unavailable", true));
        assert_eq!(scene.calls(), ["add", "read"].repeat(3));
        assert!(scene.plane.policies().is_empty());
    }
}

#[tokio::test]
async fn a_conflict_that_cannot_be_read_is_not_guessed_at() {
    let unreadable = |kind: FaultKind| Fault::new(kind).on(Operation::GetPolicy).times(9);
    let denied = Fault::access_denied().on(Operation::GetPolicy).times(9);
    let policy = |text: &str| FaultKind::Answer {
        status: 200,
        error_type: None,
        headers: Vec::new(),
        body: json!({ "Policy": text, "RevisionId": "r" }).to_string(),
    };
    let cases = [
        (unreadable(FaultKind::ResetBeforeCommit), "outcome_unknown", 2),
        (unreadable(FaultKind::NotJson), "outcome_unknown", 2),
        (unreadable(FaultKind::EmptyBody), "outcome_unknown", 2),
        (unreadable(FaultKind::HalfJson), "outcome_unknown", 2),
        (unreadable(FaultKind::TruncatedBody), "outcome_unknown", 2),
        (unreadable(policy("{}")), "outcome_unknown", 2),
        (unreadable(policy("not a policy")), "outcome_unknown", 2),
        (Fault::throttled(Some(0)).on(Operation::GetPolicy).times(9), "outcome_unknown", 2),
        (denied, "access_denied", 1),
    ];
    for (fault, code, reads) in cases {
        let scene = holding(ORDERS, &stored(json!({}))).await;
        scene.plane.inject(fault.clone());
        let reply = scene.ask(Door::EventBridge, &grant(json!({}))).await;
        assert_eq!((reply.code(), reply.failed), (code, true), "{fault:?}");
        let expected: Vec<&str> = ["add"].into_iter().chain(["read"].repeat(reads)).collect();
        assert_eq!(scene.calls(), expected, "{fault:?}");
    }
}

/// Another tool may have written the policy as the grammar allows: one statement, no list.
#[tokio::test]
async fn a_policy_with_a_lone_statement_is_read() {
    let scene = holding(ORDERS, &stored(json!({}))).await;
    let statement: Value = serde_json::from_str(&stored(json!({}))).unwrap();
    let policy = json!({ "Version": "2012-10-17", "Statement": statement }).to_string();
    scene.plane.inject(
        Fault::new(FaultKind::Answer {
            status: 200,
            error_type: None,
            headers: Vec::new(),
            body: json!({ "Policy": policy, "RevisionId": "r" }).to_string(),
        })
        .on(Operation::GetPolicy),
    );
    assert_eq!(scene.ask(Door::Direct, &grant(json!({}))).await.outcome(), "already_granted");
}

/// The same id on the function, a version and an alias are three statements.
#[tokio::test]
async fn each_qualifier_has_ids_of_its_own() {
    let scene = Scene::new().await;
    for qualifier in [json!(null), json!("1"), json!("live")] {
        let reply = scene.ask(Door::Direct, &grant(json!({ "Qualifier": qualifier }))).await;
        assert_eq!(reply.outcome(), "granted");
    }
    assert_eq!(scene.plane.policies().len(), 3);
}

/// A revision id is the requester's own condition: it is never replaced by a newer one.
#[tokio::test]
async fn another_revision_is_final_unless_the_grant_stands() {
    let with_revision = grant(json!({ "RevisionId": "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111" }));
    let layer = layer_grant(json!({ "RevisionId": "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111" }));
    for request in [with_revision.clone(), layer] {
        let scene = Scene::new().await;
        let reply = scene.ask(Door::ApiGateway, &request).await;
        assert_eq!((reply.code(), reply.http.as_ref().unwrap().0), ("revision_changed", 412));
        assert_eq!(reply.document["retryable"], false);
        assert_eq!(scene.calls(), ["add", "read"]);
        assert!(scene.plane.policies().is_empty());
    }
    // Whether AWS looks at the revision or at the id first is not recorded; both come to the same.
    let scene = holding(ORDERS, &stored(json!({}))).await;
    scene.plane.inject(Fault::revision_mismatch().on(Operation::AddPermission));
    assert_eq!(scene.ask(Door::Direct, &with_revision).await.outcome(), "already_granted");
}
