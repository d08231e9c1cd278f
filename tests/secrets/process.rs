//! The streams of the deployed binary, at the most talkative settings.

use std::process::Command;

use permission_broker::local::control_plane::{ControlPlane, Fault, FaultKind, Operation};
use permission_broker::local::stage::WORLD;
use serde_json::json;
use tracing_subscriber::filter::LevelFilter;

use super::{CANARY, carried, document};
use crate::support::envelope;
use crate::support::sandbox::Sandbox;

/// What else no stream and no answer may show.
const CREDENTIALS: [&str; 2] = ["wJalrXUtnFEMI-K7MDENG-bPxRfiCYEXAMPLEKEY", "FwoGZXIvYXdzEXAMPLESESSION"];

fn assert_hidden(bytes: &[u8], place: &str) {
    let text = String::from_utf8_lossy(bytes);
    for secret in [CANARY].iter().chain(&CREDENTIALS) {
        assert!(!text.contains(secret), "{place}: {text}");
    }
}

#[tokio::test]
async fn no_stream_and_no_answer_shows_a_token_at_any_level() {
    let control_plane = ControlPlane::from_world(WORLD).expect("the world of the examples");
    let url = control_plane.start().await.expect("a free port");
    let levels = [("RUST_LOG", "trace"), ("AWS_LAMBDA_LOG_LEVEL", "TRACE"), ("RUST_BACKTRACE", "full")];
    let sandbox = Sandbox::ready(&url, &levels).await;

    let document = document();
    let mut doubled = document.clone();
    doubled["parameters"]["StatementId"] = json!(CANARY);
    let mut mistyped = document.clone();
    mistyped["parameters"]["EventSourceToken"] = json!([CANARY]);
    let mut events = vec![
        doubled.to_string().into_bytes(),
        mistyped.to_string().into_bytes(),
        format!("{document}{document}").into_bytes(),
        format!("[{document}]").into_bytes(),
        CANARY.as_bytes().to_vec(),
    ];
    events.extend(envelope::all(document.to_string().as_bytes()).into_iter().map(|(_, event)| event));
    for event in &events {
        assert_hidden(sandbox.invoke("id-1", event.clone()).await.bytes(), "an answer");
    }
    let message = json!({"Type": "User", "message": format!("Value '{CANARY}' at 'eventSourceToken' failed")});
    for status in [400, 403, 404, 429, 500] {
        let headers = vec![("retry-after".to_owned(), "3600".to_owned())];
        let error_type = Some("ValidationException".to_owned());
        let echo = FaultKind::Answer { status, error_type, headers, body: message.to_string() };
        control_plane.inject(Fault::new(echo).on(Operation::AddPermission));
        control_plane.inject(Fault::access_denied().on(Operation::GetPolicy));
        let answer = sandbox.invoke(&format!("id-{status}"), document.to_string()).await;
        assert_hidden(answer.bytes(), "an answer to an error of AWS");
        control_plane.clear_faults();
    }
    assert!(carried(&control_plane) > 5, "the token was on its way to AWS");
    // The last one ends the process: the runtime cannot read such a client context.
    let context = format!(r#"{{"custom":{{"token":["{CANARY}"]}}}}"#);
    sandbox.post("id-2", ("lambda-runtime-client-context", &context), document.to_string());

    let (_, streams) = sandbox.ended().await;
    assert!(streams.audit().len() > events.len(), "the streams were read");
    assert_hidden(&streams.stdout, "standard output");
    assert_hidden(&streams.stderr, "standard error");
}

/// Set for the process that panics on purpose: the hook is the process's own.
const PANICS: &str = "PERMISSION_BROKER_TEST_PANICS";

#[test]
fn the_hook_shows_where_a_panic_was_and_not_what_it_said() {
    if std::env::var_os(PANICS).is_some() {
        permission_broker::log::start(LevelFilter::TRACE, std::io::stdout);
        panic!("cannot go on with {CANARY}");
    }
    let name = "secrets::process::the_hook_shows_where_a_panic_was_and_not_what_it_said";
    let mut again = Command::new(std::env::current_exe().expect("this binary"));
    let ended = again.args(["--exact", name, "--nocapture"]).env(PANICS, "1").output().expect("it starts");
    assert!(!ended.status.success(), "it has panicked");
    let stdout = String::from_utf8_lossy(&ended.stdout);
    assert!(stdout.contains(r#""message":"panic""#) && stdout.contains(file!()), "{stdout}");
    assert_hidden(&ended.stdout, "standard output");
    assert_hidden(&ended.stderr, "standard error");
}
