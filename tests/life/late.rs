//! A revoke that comes again after its statement was granted anew: what it names decides what it may take away.

use serde_json::{Value, json};

use super::{LAYER, ORDERS, beside, holding, layer_revoke, layer_stored, revoke, stored};
use crate::support::door::{self, DOORS};
use crate::support::{Door, Scene, grant, layer_grant};

/// A target with the requests of the same grant, of another one under its id, and of the revoke.
struct Case {
    scene: Scene,
    arn: &'static str,
    grant: fn(Value) -> Value,
    revoke: fn(Value) -> Value,
}

/// Functions and layers, the statement alone in its policy and beside another one.
async fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for beside_another in [false, true] {
        let function = match beside_another {
            true => holding(&[(ORDERS, &[stored("another", json!({}))])]).await,
            false => Scene::new().await,
        };
        let layer = match beside_another {
            true => holding(&[(LAYER, &[layer_stored("another")])]).await,
            false => Scene::new().await,
        };
        cases.push(Case { scene: function, arn: ORDERS, grant, revoke });
        cases.push(Case { scene: layer, arn: LAYER, grant: layer_grant, revoke: layer_revoke });
    }
    cases
}

impl Case {
    async fn granted(&self, changes: Value) {
        let reply = self.scene.ask(Door::Direct, &(self.grant)(changes)).await;
        assert_eq!(reply.outcome(), "granted", "{}", reply.document);
    }

    /// The revoke of what stands, as its requester reads it now, with or without the policy's revision.
    async fn named(&self, with_revision: bool) -> Value {
        let dry = beside((self.revoke)(json!({})), json!({ "dryRun": true }));
        let reply = self.scene.ask(Door::Direct, &dry).await;
        assert_eq!(reply.outcome(), "would_revoke");
        let revision = Some(&reply.document["revisionId"]).filter(|_| with_revision);
        let named = (self.revoke)(json!({ "RevisionId": revision }));
        beside(named, json!({ "fingerprint": reply.document["fingerprint"] }))
    }

    /// Delivers an event, and says what is on record of it.
    async fn delivered(&self, event: &[u8]) -> String {
        self.scene.records();
        assert!(!self.scene.invoke(event).await.comes_again());
        let record = self.scene.records().pop().unwrap();
        record["code"].as_str().or(record["outcome"].as_str()).unwrap().to_owned()
    }

    fn stands(&self, sid: &str) -> bool {
        self.scene.statements(self.arn).iter().any(|it| it["Sid"] == sid)
    }
}

/// A policy has nothing by which the same grant, given again under the same id, could be told from the first.
#[tokio::test]
async fn the_same_grant_again_is_the_same_to_a_fingerprint() {
    for door in DOORS {
        for case in cases().await {
            case.granted(json!({})).await;
            let event = door::event(door, &case.named(false).await);
            assert_eq!(case.delivered(&event).await, "revoked");
            case.granted(json!({})).await;
            assert_eq!(case.delivered(&event).await, "revoked", "{door:?}");
            assert!(!case.stands("partner"));
        }
    }
}

/// The policy's revision is another after every change, so that a revoke that names it is done at most once.
#[tokio::test]
async fn with_the_revision_no_newer_grant_is_taken_away() {
    for door in DOORS {
        for case in cases().await {
            case.granted(json!({})).await;
            let event = door::event(door, &case.named(true).await);
            assert_eq!(case.delivered(&event).await, "revoked");
            // Come again at once, it finds nothing.
            assert_eq!(case.delivered(&event).await, "already_revoked");
            case.granted(json!({})).await;
            assert_eq!(case.delivered(&event).await, "revision_changed", "{door:?}");
            assert!(case.stands("partner"));
        }
    }
}

/// The fingerprint alone keeps safe what means something else, and an id of its own whatever has another id.
#[tokio::test]
async fn another_meaning_or_another_id_is_left_alone() {
    for door in DOORS {
        for case in cases().await {
            case.granted(json!({})).await;
            let event = door::event(door, &case.named(false).await);
            assert_eq!(case.delivered(&event).await, "revoked");
            case.granted(json!({ "StatementId": "partner-2" })).await;
            assert_eq!(case.delivered(&event).await, "already_revoked", "{door:?}");
            case.granted(json!({ "Principal": "123456789012" })).await;
            assert_eq!(case.delivered(&event).await, "statement_conflict", "{door:?}");
            assert!(case.stands("partner") && case.stands("partner-2"));
        }
    }
}
