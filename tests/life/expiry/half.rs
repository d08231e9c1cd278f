//! A function URL until a time, of which an earlier delivery has left something, and whose schedules are then refused: what
//! stands is told beside what failed.

use std::time::Duration;

use permission_broker::local::control_plane::{Fault, FaultKind, Operation};
use serde_json::{Value, json};

use super::{ORDERS, SIX, UNTIL_SIX, sids};
use crate::support::{Door, Scene, string};

fn url() -> Value {
    let parameters = json!({
        "FunctionName": "orders", "StatementId": "page", "Principal": "210987654321", "FunctionUrlAuthType": "AWS_IAM",
    });
    json!({ "operation": "GrantFunctionUrl", "parameters": parameters, "expiresAt": SIX })
}

/// A scene in which an earlier delivery has left these of the two statements.
async fn left(url_stands: bool, invoke_stands: bool) -> Scene {
    let scene = Scene::new().await;
    assert_eq!(scene.ask(Door::Direct, &url()).await.outcome(), "granted");
    for (sid, stands) in sids(&scene, ORDERS).into_iter().zip([url_stands, invoke_stands]) {
        let parameters = json!({ "FunctionName": "orders", "StatementId": sid });
        let revoke = json!({ "operation": "RemovePermission", "parameters": parameters });
        if !stands {
            assert_eq!(scene.ask(Door::Direct, &revoke).await.outcome(), "revoked");
        }
    }
    scene.records();
    scene.plane.clear_calls();
    scene
}

/// The ids without their ends, and what became of each.
fn parts(document: &Value) -> Vec<(String, String)> {
    let of = |part: &Value| {
        let sid = string(part, "statementId");
        let word = part["code"].as_str().unwrap_or_else(|| string(part, "outcome"));
        (sid.split(UNTIL_SIX).next().unwrap().to_owned(), word.to_owned())
    };
    document["grants"].as_array().into_iter().flatten().map(of).collect()
}

#[tokio::test]
async fn what_stood_there_is_told_whichever_schedule_is_refused() {
    let pair =
        |url: &str, invoke: &str| vec![("page".to_owned(), url.to_owned()), ("page-invoke".into(), invoke.into())];
    // What stands of the two, how many schedules go well, and what is told.
    let cases = [
        ([true, false], 0, pair("already_granted", "access_denied")),
        ([true, false], 1, pair("already_granted", "access_denied")),
        ([false, true], 0, pair("access_denied", "already_granted")),
        ([true, true], 0, pair("already_granted", "already_granted")),
        // The first is made anew, and does not stay beside one that may never end.
        ([false, true], 1, pair("access_denied", "already_granted")),
        ([true, true], 1, pair("already_granted", "already_granted")),
        ([false, false], 0, vec![]),
    ];
    for ([url_stands, invoke_stands], well, told) in cases {
        for reads_first in [false, true] {
            let mut scene = left(url_stands, invoke_stands).await;
            scene.broker.reads_first = reads_first;
            let before = sids(&scene, ORDERS);
            let good = Fault::new(FaultKind::Delay(Duration::ZERO)).on(Operation::CreateSchedule);
            scene.plane.inject(good.times(well));
            scene.plane.inject(Fault::access_denied().on(Operation::CreateSchedule));
            let reply = scene.ask(Door::Direct, &url()).await;
            assert_eq!((reply.code(), parts(&reply.document)), ("access_denied", told.clone()), "{before:?} {well}");
            assert_eq!(sids(&scene, ORDERS), before, "what stood there stays, and nothing is added");
            let stood: Vec<String> = scene
                .records()
                .iter()
                .filter(|record| record["outcome"] == "already_granted")
                .map(|record| string(record, "statementId").to_owned())
                .collect();
            let alone: Vec<&String> = before.iter().filter(|sid| !stood.contains(sid)).collect();
            assert!(alone.is_empty(), "each has a record of its own: {stood:?}");
            scene.plane.clear_faults();
            assert_eq!(scene.ask(Door::Direct, &url()).await.code(), "", "the same again, undisturbed");
            assert_eq!(sids(&scene, ORDERS).len(), 2);
        }
    }
}
