//! Revision ids, and principals that are deleted.

use super::*;

#[tokio::test]
async fn every_accepted_change_has_a_new_revision_id() {
    let lambda = Lambda::new().await;
    let mut seen = Vec::new();
    for target in [FUNCTION, LAYER] {
        for sid in ["a", "b"] {
            let reply = lambda.add(target, sid).await;
            let revision = lambda.send("GET", target, "").await.text("RevisionId");
            let shown = reply.json().get("RevisionId").cloned();
            assert_eq!(shown, (target == LAYER).then(|| json!(revision)));
            seen.push(revision);
        }
        lambda.add(target, "a").await;
        assert_eq!(lambda.send("GET", target, "").await.text("RevisionId"), seen[seen.len() - 1]);
        lambda.send("DELETE", &without(target, "a"), "").await;
        seen.push(lambda.send("GET", target, "").await.text("RevisionId"));
    }
    let dashes = |text: &String| text.match_indices('-').map(|(at, _)| at).collect::<Vec<_>>();
    assert!(seen.iter().all(|text| text.len() == 36 && dashes(text) == [8, 13, 18, 23]), "{seen:?}");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6);
}

#[tokio::test]
async fn the_current_revision_id_lets_a_change_through_once() {
    let lambda = Lambda::new().await;
    lambda.add(FUNCTION, "a").await;
    let revision = lambda.send("GET", FUNCTION, "").await.text("RevisionId");
    let body = |sid: &str| grant(json!({ "StatementId": sid, "RevisionId": revision }));
    assert_eq!(lambda.post(FUNCTION, &body("b")).await.status, 201);
    assert_error(&lambda.post(FUNCTION, &body("c")).await, STALE, REVISION);
    let revision = lambda.send("GET", FUNCTION, "").await.text("RevisionId");
    let remove = with(&without(FUNCTION, "a"), "RevisionId", &revision);
    assert_eq!(lambda.send("DELETE", &remove, "").await.status, 204);

    let revision = lambda.add(LAYER, "a").await.text("RevisionId");
    let target = with(LAYER, "RevisionId", &revision);
    let revision = lambda.add(&target, "b").await.text("RevisionId");
    assert_error(&lambda.add(&target, "c").await, STALE, LAYER_REVISION);
    let remove = with(&without(LAYER, "a"), "RevisionId", &revision);
    assert_eq!(lambda.send("DELETE", &remove, "").await.status, 204);
}

#[tokio::test]
async fn an_alias_without_policy_has_a_revision_id_of_its_own() {
    let world = json!({
        "partition": "aws", "region": "us-west-2", "account": "123456789012",
        "functions": { "f": { "aliases": { "live": { "version": "$LATEST", "revisionId": "of-the-alias" } } } },
    });
    let lambda = Lambda::of(ControlPlane::from_world(&world.to_string()).unwrap()).await;
    let body = |sid: &str| grant(json!({ "StatementId": sid, "RevisionId": "of-the-alias" }));
    assert_error(&lambda.post(&function("f"), &body("a")).await, STALE, REVISION);
    assert_eq!(lambda.post(&function("f:live"), &body("a")).await.status, 201);
    assert_error(&lambda.post(&function("f:live"), &body("b")).await, STALE, REVISION);
}

#[tokio::test]
async fn a_deleted_principal_is_refused_and_spoils_its_policy() {
    let role = "arn:aws:iam::123456789012:role/gone";
    let body = grant(json!({ "StatementId": "role", "Principal": role }));
    let lambda = Lambda::new().await;
    assert_eq!(lambda.post(FUNCTION, &body).await.status, 201);
    lambda.plane.delete_principal(role);
    assert_error(&lambda.add(FUNCTION, "other").await, INVALID, PRINCIPAL);
    let elsewhere = with(FUNCTION, "Qualifier", "1");
    assert_error(&lambda.post(&elsewhere, &body).await, INVALID, PRINCIPAL);
    assert_eq!(lambda.send("DELETE", &without(FUNCTION, "role"), "").await.status, 204);
    assert_eq!(lambda.add(FUNCTION, "other").await.status, 201);
}
