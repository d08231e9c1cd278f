//! Many writers, one sink: every record is a line of its own.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use permission_broker::audit::Audit;
use permission_broker::broker::Invocation;
use permission_broker::local::control_plane::ControlPlane;
use permission_broker::local::stage::{self, ALLOWLIST, FUNCTION_ARN, WORLD};
use serde_json::{Value, json};

use crate::support::{grant, with};

const WRITERS: usize = 8;

/// A sink that takes a few bytes at a time, and gives the others a chance in between.
#[derive(Clone, Default)]
struct Dribble(Arc<Mutex<Vec<u8>>>);

impl Write for Dribble {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let some = &bytes[..bytes.len().min(97)];
        self.0.lock().unwrap().extend_from_slice(some);
        std::thread::yield_now();
        Ok(some.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn the_lines_of_eight_writers_never_mix() {
    let each = crate::support::cases(500);
    let sink = Dribble::default();
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let plane = ControlPlane::from_world(WORLD).unwrap();
    let main = runtime();
    let broker = main.block_on(stage::broker(&plane, ALLOWLIST, Audit::new(sink.clone()))).unwrap();
    let write = |writer: usize| {
        runtime().block_on(async {
            for i in 0..each {
                let reason = format!("{writer}-{i} {}", "x".repeat(i % 400));
                let event = with(grant(json!({ "Principal": "*" })), json!({ "reason": reason })).to_string();
                let deadline = tokio::time::Instant::now() + Duration::from_secs(15);
                let invocation = Invocation {
                    request_id: "r",
                    function_arn: FUNCTION_ARN,
                    deadline,
                    now: std::time::SystemTime::now(),
                };
                broker.handle(event.as_bytes(), &invocation).await.unwrap();
            }
        });
    };
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            scope.spawn(move || write(writer));
        }
    });
    let bytes = sink.0.lock().unwrap().clone();
    let mut seen: Vec<String> = String::from_utf8(bytes)
        .unwrap()
        .lines()
        .map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            line["reason"].as_str().unwrap().split(' ').next().unwrap().to_owned()
        })
        .collect();
    assert_eq!(seen.len(), WRITERS * each);
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), WRITERS * each);
}
