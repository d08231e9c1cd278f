//! Results: what became of each request, told on an event bus. What is told, what is not, and that nothing of it
//! ever changes a grant, a reply or what comes again.

mod failures;
mod own;
mod told;

use permission_broker::local::stage;
use serde_json::{Value, json};

use crate::support::{Scene, json as parsed};

/// The scene of the examples, with a bus.
async fn scene() -> Scene {
    let mut scene = Scene::new().await;
    scene.broker.results = Some(stage::results(&scene.plane, "outcomes").await.unwrap());
    scene
}

/// The events on the bus since the last time: detail type, and detail.
fn events(scene: &Scene) -> Vec<(String, Value)> {
    let events = scene.plane.take_events();
    let of = |event: &Value| {
        assert_eq!((&event["Source"], &event["EventBusName"]), (&json!("permission-broker"), &json!("outcomes")));
        (event["DetailType"].as_str().unwrap().to_owned(), parsed(event["Detail"].as_str().unwrap()))
    };
    events.iter().map(of).collect()
}

/// Their detail types alone.
fn types(scene: &Scene) -> Vec<String> {
    events(scene).into_iter().map(|(detail_type, _)| detail_type).collect()
}

/// The `publish` records among some records.
fn publish_records(records: &[Value]) -> Vec<&Value> {
    records.iter().filter(|record| record["record"] == "publish").collect()
}
