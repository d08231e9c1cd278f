//! `Retry-After`: honoured where there is time for it, and otherwise the end of the grant.

use std::time::{Duration, Instant};

use permission_broker::local::control_plane::{Fault, FaultKind};
use serde_json::json;

use crate::support::{Door, Scene, grant};

/// 429 with any text as `Retry-After`.
fn throttled(after: &str) -> Fault {
    Fault::new(FaultKind::Answer {
        status: 429,
        error_type: Some("TooManyRequestsException".to_owned()),
        headers: vec![("Retry-After".to_owned(), after.to_owned())],
        body: "{}".to_owned(),
    })
}

#[tokio::test]
async fn a_time_that_fits_is_waited_for() {
    let scene = Scene::new().await;
    scene.plane.inject(throttled("1"));
    let start = Instant::now();
    assert_eq!(scene.ask(Door::Direct, &grant(json!({}))).await.outcome(), "granted");
    assert!(start.elapsed() >= Duration::from_secs(1));
    assert_eq!(scene.records()[1]["attempts"], 2);
}

#[tokio::test]
async fn a_time_that_does_not_fit_ends_the_grant_at_once() {
    // A grant has ten seconds here. The last number is the largest that fits its type.
    for after in ["10", "60", "18446744073709551615"] {
        let mut scene = Scene::new().await;
        // With a whole second behind it, the largest time has no room.
        scene.broker.timing.least_call = Duration::from_secs(1);
        scene.plane.inject(throttled(after));
        let start = Instant::now();
        let reply = scene.ask(Door::EventBridge, &grant(json!({}))).await;
        assert_eq!((reply.code(), reply.failed), ("throttled", true), "{after}");
        assert!(start.elapsed() < Duration::from_secs(1), "{after}");
        assert_eq!(scene.calls(), ["add"], "{after}");
    }
}

/// The header may also hold a date, or nonsense; then our own pause holds.
#[tokio::test]
async fn what_is_no_number_of_seconds_is_left_aside() {
    for after in ["0", "", "soon", "-1", "1.5", "18446744073709551616", "Wed, 21 Oct 2026 07:28:00 GMT"] {
        let scene = Scene::new().await;
        scene.plane.inject(throttled(after).times(2));
        let start = Instant::now();
        assert_eq!(scene.ask(Door::Direct, &grant(json!({}))).await.outcome(), "granted", "{after}");
        assert!(start.elapsed() < Duration::from_secs(1), "{after}");
        assert_eq!(scene.calls(), ["add"; 3], "{after}");
    }
}
