//! What a revoke took away is told, where the policy was looked at first; and that look decides nothing.

use permission_broker::local::control_plane::{ErrorName, Fault, Operation};
use serde_json::{Value, json};

use super::super::{LAYER, ORDERS, beside, holding, layer_revoke, layer_stored, revoke, stored};
use crate::support::door::DOORS;
use crate::support::{Door, PARTIES, Scene, with};

const TOKEN: &str = "amzn1.ask.skill.CANARY-5d2e";

async fn looking(arn: &str, statement: &Value) -> Scene {
    let mut scene = holding(&[(arn, std::slice::from_ref(statement))]).await;
    scene.broker.reads_first = true;
    scene
}

/// A statement of each kind, the revoke of it, and what its record says of it.
fn statements() -> Vec<(&'static str, Value, Value, Value)> {
    let topic = "arn:aws:sns:us-east-1:210987654321:topic";
    let of_topic = json!({
        "Principal": { "Service": "sns.amazonaws.com" },
        "Condition": { "StringEquals": { "AWS:SourceAccount": "210987654321" }, "ArnLike": { "AWS:SourceArn": topic } },
    });
    let of_skill = json!({
        "Principal": { "Service": "alexa-appkit.amazon.com" },
        "Condition": { "StringEquals": { "lambda:EventSourceToken": TOKEN } },
    });
    let of_url = json!({
        "Action": "lambda:InvokeFunctionUrl", "Principal": "*",
        "Condition": { "StringEquals": { "lambda:FunctionUrlAuthType": "AWS_IAM", "aws:PrincipalOrgID": "o-a1b2c3d4e5" } },
    });
    let invoke = "lambda:InvokeFunction";
    vec![
        (
            ORDERS,
            stored("partner", json!({})),
            revoke(json!({})),
            json!({ "action": invoke, "principal": "210987654321" }),
        ),
        (
            ORDERS,
            stored("partner", of_topic),
            revoke(json!({})),
            json!({
                "action": invoke, "principal": "sns.amazonaws.com", "sourceAccount": "210987654321", "sourceArn": topic,
            }),
        ),
        (
            ORDERS,
            stored("partner", of_skill),
            revoke(json!({})),
            json!({ "action": invoke, "principal": "alexa-appkit.amazon.com", "eventSourceToken": "present" }),
        ),
        (
            ORDERS,
            stored("partner", of_url),
            revoke(json!({})),
            json!({
                "action": "lambda:InvokeFunctionUrl", "principal": "*", "organizationId": "o-a1b2c3d4e5",
                "functionUrlAuthType": "AWS_IAM",
            }),
        ),
        (
            LAYER,
            layer_stored("partner"),
            layer_revoke(json!({})),
            json!({ "action": "lambda:GetLayerVersion", "principal": "210987654321" }),
        ),
    ]
}

fn parties(record: &Value) -> Value {
    PARTIES.iter().filter_map(|name| Some(((*name).to_owned(), record.get(name)?.clone()))).collect()
}

#[tokio::test]
async fn what_was_taken_away_is_told_through_every_door() {
    for (arn, statement, request, told) in statements() {
        for door in DOORS {
            let scene = looking(arn, &statement).await;
            let dry = scene.ask(Door::Direct, &beside(request.clone(), json!({ "dryRun": true }))).await;
            assert_eq!(dry.outcome(), "would_revoke");
            let record = scene.records().pop().unwrap();
            assert_eq!((parties(&record), &record["fingerprint"]), (told.clone(), &dry.document["fingerprint"]));
            scene.plane.clear_calls();

            let reply = scene.ask(door, &request).await;
            assert!(!reply.comes_again() && scene.statements(arn).is_empty());
            let calls: &[&str] = if door == Door::Sqs { &["read", "remove", "read"] } else { &["read", "remove"] };
            assert_eq!(scene.calls(), calls);
            assert!(scene.plane.calls()[1].query.contains("RevisionId="), "what is told is what is taken");
            let records = scene.records();
            let [intent, outcome] = records.as_slice() else { panic!("{records:?}") };
            assert_eq!((parties(intent), intent.get("fingerprint")), (json!({}), None), "nothing was seen yet");
            assert_eq!((&outcome["outcome"], parties(outcome)), (&json!("revoked"), told.clone()));
            assert_eq!(outcome["fingerprint"], dry.document["fingerprint"]);
            assert!(!records.iter().any(|record| record.to_string().contains(TOKEN)));
            if door != Door::Sqs {
                let hidden = statement.to_string().replace(TOKEN, "present");
                assert_eq!(reply.document["statement"].to_string(), hidden);
                assert_eq!(reply.document["fingerprint"], dry.document["fingerprint"]);
            }
        }
    }
}

/// Without the look a revoke is one call, and says what it was asked for.
#[tokio::test]
async fn without_a_look_a_revoke_is_one_call() {
    for (arn, statement, request, _) in statements() {
        let scene = holding(&[(arn, &[statement])]).await;
        let reply = scene.ask(Door::Direct, &request).await;
        assert_eq!((reply.outcome(), scene.calls()), ("revoked", vec!["remove"]));
        let outcome = scene.records().pop().unwrap();
        assert_eq!((parties(&outcome), outcome.get("fingerprint")), (json!({}), None));
        assert!(reply.document.get("statement").is_none() && reply.document.get("fingerprint").is_none());
    }
}

/// What the look shows, or that it shows nothing, keeps nothing from being taken away.
#[tokio::test]
async fn a_look_that_shows_nothing_stands_in_the_way_of_nothing() {
    let looks = [
        Fault::error(ErrorName::ResourceNotFound, "no"),
        Fault::error(ErrorName::Service, "no").times(2),
        Fault::throttled(None).times(2),
        Fault::access_denied(),
    ];
    for look in looks {
        for (scene, request, arn) in [
            (looking(ORDERS, &stored("partner", json!({}))).await, revoke(json!({})), ORDERS),
            (looking(LAYER, &layer_stored("partner")).await, layer_revoke(json!({})), LAYER),
        ] {
            scene.plane.inject(look.clone().on(Operation::GetPolicy));
            scene.plane.inject(look.clone().on(Operation::GetLayerVersionPolicy));
            let reply = scene.ask(Door::Direct, &request).await;
            assert_eq!((reply.outcome(), scene.statements(arn).len()), ("revoked", 0), "{look:?}");
            let outcome = scene.records().pop().unwrap();
            assert_eq!((parties(&outcome), outcome.get("fingerprint")), (json!({}), None), "{look:?}");
        }
    }
    // Another statement alone in the policy: AWS says that this one is not there.
    let scene = looking(ORDERS, &stored("other", json!({}))).await;
    assert_eq!(scene.ask(Door::Direct, &revoke(json!({}))).await.outcome(), "already_revoked");
    assert_eq!(scene.calls()[..2], ["read", "remove"]);
    assert!(scene.records().pop().unwrap().get("fingerprint").is_none());
}

/// What changes between the look and the removal is taken away all the same, and not told as what was seen.
#[tokio::test]
async fn a_policy_that_changed_meanwhile_hides_what_was_taken_away() {
    let scene = looking(ORDERS, &stored("partner", json!({}))).await;
    let changed = Fault::error(ErrorName::PreconditionFailed, "no").on(Operation::RemovePermission);
    scene.plane.inject(changed.clone());
    let reply = scene.ask(Door::Direct, &revoke(json!({}))).await;
    assert_eq!((reply.outcome(), scene.calls()), ("revoked", vec!["read", "remove", "remove"]));
    assert!(!scene.plane.calls()[2].query.contains("RevisionId="));
    let outcome = scene.records().pop().unwrap();
    assert_eq!((parties(&outcome), outcome.get("fingerprint")), (json!({}), None));
    assert!(reply.document.get("statement").is_none() && reply.document.get("revisionId").is_none());
    // The requester's own revision is another thing.
    let scene = looking(ORDERS, &stored("partner", json!({}))).await;
    scene.plane.inject(changed);
    let named = revoke(json!({ "RevisionId": "11111111-2222-3333-4444-555555555555" }));
    assert_eq!(scene.ask(Door::Direct, &named).await.code(), "revision_changed");
    assert_eq!(scene.statements(ORDERS).len(), 1);
}

/// Of a statement that no grant makes there is the fingerprint, of one in a foreign form not even that.
#[tokio::test]
async fn what_no_grant_makes_is_told_as_far_as_it_can_be() {
    let deny = stored("partner", json!({ "Effect": "Deny" }));
    let foreign = with(stored("partner", json!({})), json!({ "NotAction": "lambda:GetFunction", "Action": null }));
    for (statement, told) in [(deny, true), (foreign, false)] {
        let scene = looking(ORDERS, &statement).await;
        let reply = scene.ask(Door::Direct, &revoke(json!({}))).await;
        assert_eq!((reply.outcome(), scene.statements(ORDERS).len()), ("revoked", 0));
        let outcome = scene.records().pop().unwrap();
        assert_eq!((parties(&outcome), outcome["fingerprint"].is_string()), (json!({}), told));
        assert_eq!(reply.document["statement"].is_object(), told);
    }
}
