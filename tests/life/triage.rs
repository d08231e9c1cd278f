//! "The provided principal was invalid": an older statement names somebody who is gone, or the principal
//! is too new, or wrong.

use permission_broker::local::control_plane::{ErrorName, Fault, Operation};
use serde_json::{Value, json};

use super::{ORDERS, holding, revoke, stored};
use crate::support::door::DOORS;
use crate::support::{Door, Scene, grant, layer_grant};

const INVALID: &str = "The provided principal was invalid. Please check the principal and try again.";
const ROLE: &str = "arn:aws:iam::210987654321:role/new";

fn by_arn(sid: &str, arn: &str) -> Value {
    grant(json!({ "StatementId": sid, "Principal": arn }))
}

fn refused(times: usize) -> Fault {
    Fault::error(ErrorName::InvalidParameterValue, INVALID).times(times)
}

/// The whole way: granted, deleted, blamed, revoked, and free again.
#[tokio::test]
async fn a_principal_that_is_no_more_is_blamed_and_can_be_revoked() {
    for door in DOORS {
        let scene = Scene::new().await;
        let gone = ["arn:aws:iam::210987654321:role/old", "arn:aws:iam::210987654321:user/old"];
        for (sid, arn) in [("first", gone[0]), ("second", gone[1]), ("third", ROLE)] {
            assert_eq!(scene.ask(Door::Direct, &by_arn(sid, arn)).await.outcome(), "granted");
        }
        for arn in gone {
            scene.plane.delete_principal(arn);
        }
        scene.plane.clear_calls();
        scene.records();
        let reply = scene.ask(door, &grant(json!({}))).await;
        assert_eq!(scene.calls(), ["add", "read"]);
        assert!(!reply.comes_again(), "asking again changes nothing");
        let outcome = scene.records().pop().unwrap();
        assert_eq!((&outcome["code"], &outcome["blamed"]), (&json!("dead_principal"), &json!(["first", "second"])));
        if door != Door::Sqs {
            assert_eq!((reply.code(), &reply.document["blamed"]), ("dead_principal", &json!(["first", "second"])));
        }
        for sid in ["first", "second"] {
            assert_eq!(scene.ask(Door::Direct, &revoke(json!({ "StatementId": sid }))).await.outcome(), "revoked");
        }
        scene.records();
        scene.ask(door, &grant(json!({}))).await;
        assert_eq!(scene.records().pop().unwrap()["outcome"], "granted");
    }
}

/// Only what can be revoked is blamed, and only the ids by which IAM shows the dead.
#[tokio::test]
async fn only_the_dead_are_blamed() {
    let aws = |sid: &str, principal: &str| stored(sid, json!({ "Principal": { "AWS": principal } }));
    let statements = [
        aws("user", "AIDACKCEVSQ6C2EXAMPLE"),
        aws("role", "AROADBQP57FF2AEXAMPLE"),
        aws("access-key", "AKIAIOSFODNN7EXAMPLE"),
        aws("short", "AIDA"),
        aws("account", "arn:aws:iam::210987654321:root"),
        aws("live", "arn:aws:iam::210987654321:role/AROADBQP57FF2AEXAMPLE"),
        stored("service", json!({ "Principal": { "Service": "AROADBQP57FF2AEXAMPLE" } })),
        aws("of.old", "AROADBQP57FF2AEXAMPLE"),
        // In a shape that no grant makes, as `PutResourcePolicy` may.
        stored("among", json!({ "Principal": { "AWS": ["AROADBQP57FF2AEXAMPLE", "arn:aws:iam::210987654321:root"] } })),
        stored(
            "several",
            json!({ "Principal": { "AWS": "AIDACKCEVSQ6C2EXAMPLE" }, "Action": ["lambda:InvokeFunction"] }),
        ),
        stored("alive", json!({ "Principal": { "AWS": ["arn:aws:iam::210987654321:root"] } })),
        aws("not an id", "AROADBQP57FF2AEXAMPLE"),
    ];
    let scene = holding(&[(ORDERS, &statements)]).await;
    scene.plane.inject(refused(1).on(Operation::AddPermission));
    let reply = scene.ask(Door::ApiGateway, &grant(json!({}))).await;
    assert_eq!((reply.code(), reply.http.as_ref().unwrap().0), ("dead_principal", 409));
    assert_eq!(reply.document["blamed"], json!(["user", "role", "of.old", "among", "several"]));
    assert_eq!(reply.document["retryable"], false);
}

/// Where nobody can name the statement, it is to blame all the same, and not the requester's own principal.
#[tokio::test]
async fn the_dead_may_have_no_id() {
    for sid in [json!(null), json!("not an id")] {
        let statement = stored("x", json!({ "Sid": sid, "Principal": { "AWS": "AROADBQP57FF2AEXAMPLE" } }));
        let scene = holding(&[(ORDERS, std::slice::from_ref(&statement))]).await;
        let dry = scene.ask(Door::Direct, &super::with(grant(json!({})), json!({ "dryRun": true }))).await;
        scene.plane.inject(refused(1).on(Operation::AddPermission));
        let real = scene.ask(Door::Direct, &grant(json!({}))).await;
        assert_eq!([dry.code(), real.code()], ["dead_principal"; 2], "{statement}");
        assert!(real.document.get("blamed").is_none(), "{statement}");
    }
}

/// What IAM does not know yet is asked for again; what cannot be new is not.
#[tokio::test]
async fn a_principal_may_be_new_or_wrong() {
    let (a, r) = ("add", "read");
    let account = grant(json!({}));
    let service = grant(json!({ "Principal": "sns.amazonaws.com", "SourceAccount": "210987654321" }));
    let cases = [
        (by_arn("partner", ROLE), 1, vec![a, r, a], "granted"),
        (by_arn("partner", ROLE), 2, vec![a, r, a, r, a], "granted"),
        (by_arn("partner", "arn:aws:iam::210987654321:user/x"), 2, vec![a, r, a, r, a], "granted"),
        (by_arn("partner", ROLE), 9, vec![a, r, a, r, a, r], "principal_not_yet_known"),
        (account, 9, vec![a, r], "principal_not_found"),
        (service, 9, vec![a, r], "principal_not_found"),
        (layer_grant(json!({})), 9, vec![a, r], "principal_not_found"),
    ];
    for (request, times, calls, ending) in cases {
        let scene = Scene::new().await;
        let layer = request["operation"] == "AddLayerVersionPermission";
        let add = if layer { Operation::AddLayerVersionPermission } else { Operation::AddPermission };
        scene.plane.inject(refused(times).on(add));
        let reply = scene.ask(Door::ApiGateway, &request).await;
        assert_eq!((super::word(&reply.document), scene.calls()), (ending, calls), "{request}");
        let status = [("granted", 201), ("principal_not_yet_known", 409), ("principal_not_found", 400)];
        assert_eq!(Some(reply.http.unwrap().0), status.into_iter().find(|one| one.0 == ending).map(|one| one.1));
        assert_eq!(scene.plane.policies().is_empty(), ending != "granted");
        assert_eq!(scene.records()[1]["awsCode"].is_string(), ending != "granted");
    }
}

/// A role may be new for longer than an invocation lasts: every door has it asked for again, and then it is granted.
#[tokio::test]
async fn a_role_that_stays_new_comes_again() {
    for door in DOORS {
        let scene = Scene::new().await;
        let request = by_arn("partner", ROLE);
        scene.plane.inject(refused(3).on(Operation::AddPermission));
        let reply = scene.ask(door, &request).await;
        assert_eq!(scene.calls().iter().filter(|call| **call == "add").count(), 3);
        assert!(door == Door::ApiGateway || reply.comes_again(), "{}", door.as_str());
        if let Some((status, headers)) = &reply.http {
            assert_eq!((*status, headers["retry-after"].as_str()), (409, Some("5")));
            assert_eq!(reply.document["retryable"], true);
        }
        assert_eq!(scene.records().pop().unwrap()["code"], "principal_not_yet_known");
        scene.ask(door, &request).await;
        assert_eq!(scene.records().pop().unwrap()["outcome"], "granted", "{}", door.as_str());
    }
    // A principal that is never new ends for good.
    for door in DOORS {
        let scene = Scene::new().await;
        scene.plane.inject(refused(1).on(Operation::AddPermission));
        assert!(!scene.ask(door, &grant(json!({}))).await.comes_again());
        assert_eq!(scene.records().pop().unwrap()["code"], "principal_not_found");
    }
}

/// The text is a hint and no more: without it, or where the policy cannot be read, the code is the more general one.
#[tokio::test]
async fn a_text_that_has_changed_gives_no_hint() {
    for text in ["The principal is not valid.", "the provided principal was invalid", ""] {
        let scene = Scene::new().await;
        scene.plane.delete_principal(ROLE);
        scene.plane.inject(Fault::error(ErrorName::InvalidParameterValue, text).on(Operation::AddPermission));
        assert_eq!(scene.ask(Door::Direct, &by_arn("partner", ROLE)).await.code(), "rejected_by_aws");
        assert_eq!(scene.calls(), ["add"]);
    }
    // Another error with that text is that error.
    let scene = Scene::new().await;
    scene.plane.inject(Fault::error(ErrorName::Validation, INVALID).on(Operation::AddPermission));
    assert_eq!(scene.ask(Door::Direct, &by_arn("partner", ROLE)).await.code(), "rejected_by_aws");
    let scene =
        holding(&[(ORDERS, &[stored("dead", json!({ "Principal": { "AWS": "AROADBQP57FF2AEXAMPLE" } }))])]).await;
    scene
        .plane
        .inject(refused(9).on(Operation::AddPermission))
        .inject(Fault::access_denied().on(Operation::GetPolicy).times(9));
    let reply = scene.ask(Door::Direct, &grant(json!({}))).await;
    assert_eq!((reply.code(), reply.document.get("blamed")), ("principal_not_found", None));
}
