//! What CloudWatch makes of the audit: metrics out of its outcomes, a dashboard and alarms of them, and the queries that a
//! person asks of the lines.

mod dashboard;
mod format;
mod queries;

use permission_broker::local::stage::Stage;
use serde_json::Value;

use crate::support::{Scene, event_files, json, text};

/// The audit lines of all examples, with metrics.
async fn lines() -> Vec<Value> {
    let mut stage = Stage::examples().await.unwrap();
    stage.broker.audit = stage.broker.audit.measuring(true);
    stage.broker.reads_first = true;
    for file in event_files() {
        let _ = stage.invoke(&format!("id-{file}"), text(&format!("events/{file}")).as_bytes()).await;
    }
    stage.audit().iter().map(|line| json(line)).collect()
}

/// A scene with metrics.
async fn scene() -> Scene {
    let mut scene = Scene::new().await;
    scene.broker.audit = scene.broker.audit.measuring(true);
    scene
}
