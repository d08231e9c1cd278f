//! The status of an answer: the audit shows the one that was read, and only the documented one is a success. Another
//! 2xx leaves open what became of the call, so the policy is read, whatever the answer says.

use permission_broker::local::control_plane::{Fault, FaultKind, Operation};
use serde_json::{Value, json};

use crate::support::door::DOORS;
use crate::support::{Door, Scene, all, grant, layer_grant};

const ORDERS: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";
const LAYER: &str = "arn:aws:lambda:us-east-1:123456789012:layer:common:1";

/// Not the documented ones, 200, 201 and 204, but where another operation has them.
const OTHERS: [u16; 8] = [200, 201, 202, 203, 205, 206, 226, 299];

/// An operation, its own status, what has to be asked first, the request, its word, and where it shows.
type Row = (Operation, u16, Option<Value>, Value, &'static str, &'static str);

fn rows() -> Vec<Row> {
    let revoke = || json!({ "operation": "RemovePermission", "parameters": { "FunctionName": "orders", "StatementId": "partner" } });
    let layer_revoke = || {
        let parameters = json!({ "LayerName": "common", "VersionNumber": 1, "StatementId": "partner" });
        json!({ "operation": "RemoveLayerVersionPermission", "parameters": parameters })
    };
    let (function, layer) = (|| grant(json!({})), || layer_grant(json!({})));
    vec![
        (Operation::AddPermission, 201, None, function(), "granted", ORDERS),
        (Operation::AddLayerVersionPermission, 201, None, layer(), "granted", LAYER),
        (Operation::RemovePermission, 204, Some(function()), revoke(), "revoked", ORDERS),
        (Operation::RemoveLayerVersionPermission, 204, Some(layer()), layer_revoke(), "revoked", LAYER),
    ]
}

/// Asks with a fault on the operation; gives the record of the outcome.
async fn ask(row: &Row, fault: Option<Fault>, door: Door, reads_first: bool) -> (Scene, Value) {
    let (operation, _, before, request, ..) = row;
    let mut scene = Scene::new().await;
    if let Some(before) = before {
        assert_eq!(scene.ask(Door::Direct, before).await.outcome(), "granted");
    }
    scene.broker.reads_first = reads_first;
    scene.records();
    if let Some(fault) = fault {
        scene.plane.inject(fault.on(*operation));
    }
    scene.ask(door, request).await;
    let outcome = scene.records().pop().unwrap();
    (scene, outcome)
}

fn calls(outcome: &Value, verb: &str) -> Vec<String> {
    let calls = outcome["calls"].as_array().unwrap().iter().map(|call| call.as_str().unwrap().to_owned());
    calls.filter(|call| call.starts_with(verb)).collect()
}

/// Done by AWS or not, it is looked up, and what stands decides.
#[tokio::test]
async fn another_success_than_the_documented_one_is_looked_up() {
    let rows = rows();
    let mut cases = Vec::new();
    for row in &rows {
        for (i, other) in OTHERS.into_iter().filter(|other| *other != row.1).enumerate() {
            cases.extend(DOORS.into_iter().map(|door| is_looked_up(row, other, door, i % 2 == 1)));
        }
    }
    all(8, cases).await;
}

async fn is_looked_up(row: &Row, other: u16, door: Door, reads_first: bool) {
    let (operation, word, arn) = (row.0, row.4, row.5);
    let gives = word == "granted";
    let verb = if gives { "add" } else { "remove" };
    let done = Fault::new(FaultKind::Status(other));
    let headers = Vec::new();
    // With all that a success says.
    let statement = json!({
        "Sid": "partner", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::210987654321:root" },
        "Action": if arn == ORDERS { "lambda:InvokeFunction" } else { "lambda:GetLayerVersion" },
        "Resource": arn,
    });
    let body = json!({ "Statement": statement.to_string() }).to_string();
    let not_done = FaultKind::Answer { status: other, error_type: None, headers, body };
    for (fault, attempts) in [(done, None), (Fault::new(not_done), Some(2))] {
        let name = format!("{other} to {operation} through {}", door.as_str());
        let (scene, outcome) = ask(row, Some(fault), door, reads_first).await;
        assert_eq!(outcome["outcome"], word, "{name}: {outcome}");
        assert_eq!(!scene.statements(arn).is_empty(), gives, "{name}");
        assert_eq!(calls(&outcome, verb)[0], format!("{verb}:{other}"), "{name}");
        let after = scene.calls().into_iter().skip_while(|call| *call != verb).nth(1);
        assert_eq!(after, Some("read"), "{name}: {outcome}");
        if let Some(attempts) = attempts {
            assert_eq!(outcome["attempts"], attempts, "{name}: {outcome}");
        }
    }
}

/// Neither written as a constant nor taken from the request: what came over the wire.
#[tokio::test]
async fn the_record_shows_the_status_that_was_read() {
    for row in rows() {
        let (_, own, _, _, word, _) = row;
        let verb = if word == "granted" { "add" } else { "remove" };
        let (_, outcome) = ask(&row, None, Door::Direct, true).await;
        assert_eq!(calls(&outcome, verb), [format!("{verb}:{own}")]);
    }
    let scene = Scene::new().await;
    scene.ask(Door::Direct, &grant(json!({}))).await;
    let read = json!({ "operation": "GetPolicy", "parameters": { "FunctionName": "orders" } });
    for (status, calls) in [(200, vec!["read:200"]), (203, vec!["read:203", "read:200"])] {
        scene.records();
        scene.plane.inject(Fault::new(FaultKind::Status(status)).on(Operation::GetPolicy));
        assert_eq!(scene.ask(Door::Direct, &read).await.outcome(), "read");
        assert_eq!(scene.records()[0]["calls"], json!(calls));
    }
}
