//! The deployed binary as Lambda runs it: started as a process, fed over the Runtime API, its answers
//! and its two streams looked at as a whole.

use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use permission_broker::local::control_plane::{ControlPlane, ErrorName, Fault};
use permission_broker::local::stage::WORLD;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpSocket};

use crate::support::sandbox::{Answer, Sandbox, Streams};

/// A request that the allowlist of the examples allows.
const GRANT: &str = r#"{"operation":"AddPermission","parameters":{"FunctionName":"orders","Qualifier":"live",
    "StatementId":"partner-invoke","Action":"lambda:InvokeFunction","Principal":"210987654321"}}"#;

fn control_plane() -> ControlPlane {
    ControlPlane::from_world(WORLD).expect("the world of the examples")
}

/// The binary beside a control plane of its own.
async fn on_stage(variables: &[(&str, &str)]) -> (ControlPlane, Sandbox) {
    let control_plane = control_plane();
    let url = control_plane.start().await.expect("a free port");
    let sandbox = Sandbox::ready(&url, variables).await;
    (control_plane, sandbox)
}

/// A request for a grant to an account, under a statement id.
fn grant(statement_id: &str, principal: &str) -> String {
    let parameters = json!({"FunctionName": "orders", "StatementId": statement_id, "Action": "lambda:InvokeFunction",
        "Principal": principal});
    json!({"operation": "AddPermission", "parameters": parameters}).to_string()
}

fn words(lines: &[Value], member: &str) -> Vec<String> {
    lines.iter().map(|line| line[member].as_str().unwrap_or_default().to_owned()).collect()
}

/// Nothing on standard error, and these diagnostics beside the audit.
fn assert_said(streams: &Streams, messages: &[&str]) {
    assert_eq!(String::from_utf8_lossy(&streams.stderr), "");
    assert_eq!(words(&streams.diagnostics(), "message"), messages);
}

fn assert_quiet(streams: &Streams) {
    assert_said(streams, &["ready"]);
}

#[tokio::test]
async fn a_grant_is_answered_recorded_and_made() {
    let (control_plane, sandbox) = on_stage(&[]).await;
    let reply = sandbox.invoke("id-1", GRANT).await.response();
    assert_eq!((&reply["outcome"], &reply["requestId"]), (&json!("granted"), &json!("id-1")));
    let calls = control_plane.calls();
    let [call] = calls.as_slice() else { panic!("one call: {calls:?}") };
    assert_eq!((call.method.as_str(), call.path.as_str()), ("POST", "/2015-03-31/functions/orders/policy"));
    assert_eq!(call.query, "Qualifier=live");
    assert_eq!(call.header("x-amz-security-token"), Some("FwoGZXIvYXdzEXAMPLESESSION"));
    let policy = control_plane.policy("arn:aws:lambda:us-east-1:123456789012:function:orders:live");
    assert!(policy.is_some_and(|policy| policy.contains("partner-invoke")));

    let streams = sandbox.end();
    let audit = streams.audit();
    assert_eq!(words(&audit, "record"), ["intent", "outcome"]);
    assert_eq!(words(&audit, "requestId"), ["id-1", "id-1"]);
    assert_eq!(audit[1]["outcome"], "granted");
    assert_quiet(&streams);
    assert_eq!(streams.diagnostics()[0]["doors"], "direct,api-gateway,eventbridge,sqs", "what is open is told");
}

/// What cannot be parsed has to reach the audit all the same, so it may not be the runtime that parses it.
#[tokio::test]
async fn every_malformed_payload_is_one_audit_line_and_an_answer() {
    let most: usize = 6 * 1024 * 1024;
    let string = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes();
    let within = |value: &str| format!(r#"{{"operation":{value},"parameters":{{}}}}"#).into_bytes();
    let (head, tail) = GRANT.split_once("orders").expect("the name is in it");
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("not JSON", b"grant me access".to_vec(), "not_json"),
        ("trailing data", format!("{GRANT} {GRANT}").into_bytes(), "not_json"),
        ("trailing comma", GRANT.replace("}}", ",}}").into_bytes(), "not_json"),
        ("byte order mark", format!("\u{feff}{GRANT}").into_bytes(), "not_json"),
        ("invalid UTF-8", [head.as_bytes(), b"\xff", tail.as_bytes()].concat(), "not_json"),
        ("empty body", Vec::new(), "not_json"),
        ("a NUL behind it", format!("{GRANT}\0").into_bytes(), "not_json"),
        ("6 MB of spaces", vec![b' '; most], "not_json"),
        ("6 MB of string", string(most), "not_an_object"),
        ("6 MB of string inside", within(&String::from_utf8_lossy(&string(most - 64))), "too_large"),
        ("100,000 open brackets", vec![b'['; 100_000], "not_json"),
        ("100,000 nested brackets", [vec![b'['; 100_000], vec![b']'; 100_000]].concat(), "not_an_object"),
        ("nested brackets inside", within(&format!("{}{}", "[".repeat(20_000), "]".repeat(20_000))), "wrong_type"),
        ("an array", format!("[{GRANT}]").into_bytes(), "not_an_object"),
        ("an empty array", b"[]".to_vec(), "not_an_object"),
        ("null", b"null".to_vec(), "not_an_object"),
        ("an empty object", b"{}".to_vec(), "unknown_event"),
        ("a lone surrogate", GRANT.replace("orders", r"\ud800").into_bytes(), "wrong_type"),
    ];
    let (control_plane, sandbox) = on_stage(&[]).await;
    for (name, event, code) in &cases {
        let answer = sandbox.invoke(&name.replace([' ', ','], "-"), event.clone()).await;
        assert_eq!(answer.response()["code"], *code, "{name}");
        assert!(answer.bytes().len() < 4096, "the reply to {name} is short");
    }
    assert_eq!(control_plane.calls().len(), 0);
    // The same process still works.
    assert_eq!(sandbox.invoke("after", GRANT).await.response()["outcome"], "granted");

    let streams = sandbox.end();
    for (name, _, code) in &cases {
        let lines = streams.audit_of(&name.replace([' ', ','], "-"));
        assert_eq!(words(&lines, "code"), [*code], "{name}");
        assert_eq!(words(&lines, "outcome"), ["rejected"], "{name}");
    }
    assert_quiet(&streams);
}

#[tokio::test]
async fn only_a_retryable_failure_is_a_function_error() {
    let (control_plane, sandbox) = on_stage(&[]).await;
    control_plane.inject(Fault::throttled(Some(60)));
    let throttled = sandbox.invoke("throttled", GRANT).await;
    let late = sandbox.invoke_within(Duration::from_millis(500), "late", GRANT).await;
    for (answer, code) in [(throttled, "throttled"), (late, "timed_out")] {
        let (error_type, document) = answer.error();
        assert_eq!(error_type, code);
        assert_eq!((&document["code"], &document["outcome"]), (&json!(code), &json!("failed")));
        assert!(matches!(answer, Answer::Error { header: Some(_), .. }), "Lambda reads the header");
    }
    let repeated = grant("mine", "210987654321");
    control_plane.inject(Fault::error(ErrorName::PolicyLengthExceeded, "full").times(1));
    let cases = [
        (grant("full", "210987654321"), "policy_full"),
        (repeated.clone(), "granted"),
        (repeated.clone(), "already_granted"),
        (repeated.replace("lambda:InvokeFunction", "lambda:InvokeFunctionUrl"), "statement_conflict"),
        (repeated.replace("\"parameters\"", "\"dryRun\":true,\"parameters\""), "already_granted"),
        (repeated.replace("\"parameters\"", "\"dryRun\":true,\"parameters\"").replace("mine", "new"), "would_grant"),
        (grant("mine", "999999999999"), "principal_not_allowed"),
        (grant("mine", "99"), "invalid_principal"),
        (repeated.replace("orders", "orders-gone"), "target_not_found"),
    ];
    for (event, word) in cases {
        let reply = sandbox.invoke(word, event).await.response();
        let said = reply.get("code").unwrap_or(&reply["outcome"]);
        assert_eq!(said, word);
    }
    let streams = sandbox.end();
    assert_eq!(String::from_utf8_lossy(&streams.stderr), "");
    assert_eq!(words(&streams.audit_of("throttled"), "record"), ["intent", "outcome"]);
    assert_eq!(words(&streams.audit_of("late"), "record"), ["outcome"]);
}

/// Lambda freezes a sandbox between invocations, and AWS ends what idles: the next grant finds the
/// connection closed.
#[tokio::test]
async fn a_connection_closed_between_two_invocations_costs_one_reconnect_and_nothing_else() {
    let control_plane = control_plane();
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.set_nonblocking(true).expect("a listener like any other");
    let url = format!("http://{}", listener.local_addr().expect("a local address"));
    let serve = || {
        let listener = TcpListener::from_std(listener.try_clone().expect("a second handle")).expect("a runtime");
        tokio::spawn(control_plane.clone().serve(listener))
    };
    let first = serve();
    let sandbox = Sandbox::ready(&url, &[]).await;
    assert_eq!(sandbox.invoke("one", grant("one", "210987654321")).await.response()["outcome"], "granted");
    // Its connections end with it.
    first.abort();
    assert!(first.await.is_err_and(|error| error.is_cancelled()));
    let second = serve();
    control_plane.clear_calls();
    assert_eq!(sandbox.invoke("two", grant("two", "210987654321")).await.response()["outcome"], "granted");
    assert_eq!(control_plane.calls().len(), 1, "one add, and no read");

    let streams = sandbox.end();
    assert_eq!(streams.audit_of("two")[1]["attempts"], 1);
    assert_eq!(streams.audit_of("two")[1]["calls"], json!(["add:201"]));
    assert_quiet(&streams);
    second.abort();
}

#[tokio::test]
async fn init_opens_the_connection_and_sends_nothing() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a local address"));
    let sandbox = Sandbox::ready(&url, &[]).await;
    let (stream, _) = listener.accept().await.expect("the connection is open");
    let mut byte = [0];
    let read = stream.try_read(&mut byte);
    assert!(read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock), "no byte was sent");
    assert_quiet(&sandbox.end());
}

#[tokio::test]
async fn a_control_plane_that_is_away_at_the_start_does_not_stop_it() {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind("127.0.0.1:0".parse().expect("an address")).expect("a free port");
    // Bound, but not listening: whoever connects is refused.
    let url = format!("http://{}", socket.local_addr().expect("a local address"));
    let sandbox = Sandbox::ready(&url, &[]).await;
    // Away: three tries that AWS cannot have seen, and a failure that may be repeated.
    assert_eq!(sandbox.invoke("away", GRANT).await.error().0, "unavailable");
    let control_plane = control_plane();
    tokio::spawn(control_plane.clone().serve(socket.listen(16).expect("the port is ours")));
    assert_eq!(sandbox.invoke("back", GRANT).await.response()["outcome"], "granted");
    assert_eq!(control_plane.calls().len(), 1);
    let streams = sandbox.end();
    assert_eq!(streams.audit_of("away")[1]["calls"], json!(["add:no answer", "add:no answer", "add:no answer"]));
    // The runtime says that the invocation failed, and with what.
    assert_said(&streams, &["ready", "unavailable: AWS Lambda's API is unavailable"]);
}

/// What a process says that does not start: one line, and no value of a variable in it.
async fn refusal(variables: &[(&str, &str)]) -> String {
    let sandbox = Sandbox::start("http://127.0.0.1:9", |command| {
        command.envs(variables.iter().copied());
    });
    let (status, streams) = sandbox.await.ended().await;
    assert_eq!(status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&streams.stderr), "");
    let lines = streams.lines();
    let [line] = lines.as_slice() else { panic!("one line: {lines:?}") };
    assert_eq!((&line["level"], &line["message"]), (&json!("ERROR"), &json!("the broker did not start")));
    assert!(line["timestamp"].as_str().is_some_and(|time| time.ends_with('Z')));
    line["error"].as_str().expect("the problems").to_owned()
}

#[tokio::test]
async fn a_bad_configuration_stops_the_start_with_every_problem_and_no_value() {
    let variables = [
        ("BROKER_ALLOWLIST", r#"{"accounts":["Canary-1"],"Canary-2":[]}"#),
        ("BROKER_SOURCES", "sqs,Canary-3"),
        ("BROKER_ALOWLIST", "Canary-4"),
        ("AWS_LAMBDA_LOG_LEVEL", "Canary-5"),
        ("AWS_REGION", ""),
        ("AWS_ENDPOINT_URL_LAMBDA", "Canary-6"),
        ("SSL_CERT_FILE", "/Canary-7"),
    ];
    let error = refusal(&variables).await;
    for name in [
        "BROKER_ALLOWLIST: /: a rule has only the fields",
        "BROKER_ALLOWLIST: /accounts/0:",
        "BROKER_SOURCES: entry 2",
        "BROKER_ALOWLIST: unknown variable",
        "AWS_LAMBDA_LOG_LEVEL:",
        "AWS_REGION:",
        "AWS_ENDPOINT_URL_LAMBDA:",
        "SSL_CERT_FILE:",
    ] {
        assert!(error.contains(name), "{name} in {error}");
    }
    assert!(!error.contains("Canary"), "{error}");
}

#[tokio::test]
async fn a_log_level_that_would_drop_the_audit_stops_the_start() {
    for level in ["WARN", "ERROR", "FATAL"] {
        let error = refusal(&[("AWS_LAMBDA_LOG_LEVEL", level)]).await;
        assert!(error.starts_with("AWS_LAMBDA_LOG_LEVEL: above INFO"), "{error}");
    }
}

/// A variable that is not text is a wrong value, not a missing one: the doors would otherwise fall
/// back to their default in silence.
#[tokio::test]
async fn a_variable_that_is_not_text_stops_the_start() {
    for name in ["BROKER_ALLOWLIST", "BROKER_SOURCES", "AWS_LAMBDA_LOG_LEVEL", "AWS_ENDPOINT_URL_LAMBDA"] {
        let sandbox = Sandbox::start("http://127.0.0.1:9", |command| {
            command.env(name, std::ffi::OsStr::from_bytes(b"sqs\xff"));
        });
        let (status, streams) = sandbox.await.ended().await;
        assert_eq!(status.code(), Some(1), "{name}");
        let error = streams.lines()[0]["error"].as_str().expect("the problems").to_owned();
        assert!(error.starts_with(name), "{error}");
    }
}

/// What differs from run to run: the time, and the id that AWS gave the call.
fn without_time(lines: Vec<Value>) -> Vec<Value> {
    let strip = |mut line: Value| {
        for member in ["timestamp", "durationMs", "awsRequestId"] {
            line.as_object_mut().expect("an object").remove(member);
        }
        line
    };
    lines.into_iter().map(strip).collect()
}

#[tokio::test]
async fn no_log_setting_changes_the_audit() {
    let mut first: Option<Vec<Value>> = None;
    let settings: [&[(&str, &str)]; 7] = [
        &[],
        &[("RUST_LOG", "trace")],
        &[("RUST_LOG", "off")],
        &[("RUST_LOG", "error,permission_broker=off")],
        &[("RUST_LOG", "]]not a filter[[")],
        &[("AWS_LAMBDA_LOG_LEVEL", "TRACE"), ("RUST_LOG", "trace")],
        &[("AWS_LAMBDA_LOG_LEVEL", ""), ("AWS_LAMBDA_LOG_FORMAT", "Text")],
    ];
    for setting in settings {
        let (_, sandbox) = on_stage(setting).await;
        for (id, event) in [("one", GRANT), ("two", GRANT), ("three", "{"), ("four", "{}")] {
            sandbox.invoke(id, event).await.response();
        }
        let streams = sandbox.end();
        let audit = without_time(streams.audit());
        assert_eq!(audit.len(), 6, "{setting:?}");
        assert_eq!(first.get_or_insert(audit.clone()), &audit, "{setting:?}");
        assert_quiet(&streams);
    }
}

/// Lambda hands on whatever client context a caller sends. What the runtime cannot read ends the
/// sandbox; the caller's own words do not get into the log that way.
#[tokio::test]
async fn an_unreadable_client_context_is_not_repeated() {
    let control_plane = control_plane();
    let url = control_plane.start().await.expect("a free port");
    let sandbox = Sandbox::ready(&url, &[]).await;
    sandbox.post("id-1", ("lambda-runtime-client-context", r#"{"custom":"Canary-1"}"#), GRANT);
    let (status, streams) = sandbox.ended().await;
    assert_eq!(status.code(), Some(1));
    assert_eq!(control_plane.calls().len(), 0);
    assert!(!String::from_utf8_lossy(&[streams.stdout.clone(), streams.stderr.clone()].concat()).contains("Canary"));
    assert_said(&streams, &["ready", "the broker has ended"]);
}

/// Texts that stand in the control plane and the command line, and nowhere else.
const LOCAL_TEXTS: [&str; 6] = [
    "We currently do not support adding policies for $LATEST.",
    "The final policy size (",
    "The function could not be updated due to a concurrent update operation.",
    "Member must satisfy regular expression pattern",
    "Policies now",
    "reports-for-ci",
];

#[test]
fn the_deployed_binary_holds_nothing_of_the_local_mode() {
    let read = |path| String::from_utf8_lossy(&std::fs::read(path).expect("the binary is built")).into_owned();
    let (deployed, local) = (read(env!("CARGO_BIN_EXE_permission-broker")), read(env!("CARGO_BIN_EXE_broker")));
    for text in LOCAL_TEXTS {
        assert!(local.contains(text), "the search finds it where it is: {text}");
        assert!(!deployed.contains(text), "{text}");
    }
}
