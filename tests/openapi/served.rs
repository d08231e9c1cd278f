//! `GET /openapi.json` at the door: to whoever is verified, with its line in the audit, and to nobody else.

use permission_broker::event::{Door, Doors};
use permission_broker::openapi::OPENAPI;
use serde_json::{Value, json};

use super::DOCUMENT;
use crate::support::process::{Served, http, scratch};
use crate::support::{Fate, Scene, json, string, text};

const CI: &str = "arn:aws:iam::123456789012:user/ci";

/// An event of each payload version.
fn event(version: u8, method: &str, path: &str, requester: Option<&str>) -> Value {
    match version {
        1 => json!({
            "httpMethod": method, "path": path, "body": null,
            "requestContext": { "requestId": "api-1", "identity": { "userArn": requester } },
        }),
        _ => json!({
            "version": "2.0", "rawPath": path,
            "requestContext": {
                "http": { "method": method, "path": path }, "requestId": "api-1",
                "authorizer": { "iam": { "userArn": requester } },
            },
        }),
    }
}

/// A stage or a mapped domain may stand before the path.
#[tokio::test]
async fn whoever_is_verified_reads_it_on_record() {
    let scene = Scene::new().await;
    for version in [1, 2] {
        for path in ["/openapi.json", "/prod/openapi.json", "/team/broker/openapi.json"] {
            let reply = scene.invoke(event(version, "GET", path, Some(CI)).to_string().as_bytes()).await;
            let (status, headers) = reply.http.clone().unwrap();
            assert_eq!((status, string(&headers, "content-type")), (200, "application/json"), "{path}");
            assert_eq!(string(&headers, "cache-control"), "no-store");
            assert_eq!(reply.document, *DOCUMENT);
            let records = scene.records();
            let [record] = records.as_slice() else { panic!("{records:?}") };
            assert_eq!((string(record, "record"), string(record, "outcome")), ("outcome", "described"));
            assert_eq!((string(record, "requester"), string(record, "door")), (CI, "api-gateway"));
            assert!(record.get("operation").is_none() && record.get("target").is_none(), "{record}");
        }
    }
    assert_eq!(scene.calls(), [""; 0]);
}

#[tokio::test]
async fn nobody_else_reads_it() {
    let mut scene = Scene::new().await;
    for (method, requester, code, status, allow) in [
        ("GET", None, "unauthenticated", 401, None),
        ("POST", Some(CI), "method_not_allowed", 405, Some("GET")),
        ("DELETE", Some(CI), "method_not_allowed", 405, Some("GET")),
    ] {
        for version in [1, 2] {
            let reply = scene.invoke(event(version, method, "/openapi.json", requester).to_string().as_bytes()).await;
            let (found, headers) = reply.http.clone().unwrap();
            assert_eq!((reply.code(), found, headers["allow"].as_str()), (code, status, allow), "{method}");
            if code == "method_not_allowed" {
                assert_eq!(reply.document["detail"], "the description is read with GET", "{method}");
            }
            assert_eq!(scene.records().len(), 1, "{method}");
        }
    }
    scene.broker.doors = Doors::new([Door::Sqs]);
    let closed = scene.invoke(event(2, "GET", "/openapi.json", Some(CI)).to_string().as_bytes()).await;
    assert_eq!(closed.code(), "source_not_enabled");
}

/// What cannot be recorded is not told, here as anywhere.
#[tokio::test]
async fn without_a_record_it_is_not_handed_out() {
    let scene = Scene::new().await;
    scene.sink.next([Fate::Failed]);
    let reply = scene.invoke(event(2, "GET", "/openapi.json", Some(CI)).to_string().as_bytes()).await;
    assert_eq!((reply.code(), reply.http.as_ref().unwrap().0), ("audit_unavailable", 503));
}

/// The path only tells the description from everything else: no request comes in by it, none is kept out.
#[tokio::test]
async fn a_grant_sent_to_it_is_refused() {
    let scene = Scene::new().await;
    let mut request = event(2, "POST", "/openapi.json", Some(CI));
    request["body"] = text("events/direct-grant-account.json").into();
    assert_eq!(scene.invoke(request.to_string().as_bytes()).await.code(), "method_not_allowed");
    request["rawPath"] = "/openapi.json/grants".into();
    assert_eq!(scene.invoke(request.to_string().as_bytes()).await.outcome(), "granted");
    for path in ["", "/", "/grants", "/openapi.yaml"] {
        let reply = scene.invoke(event(2, "GET", path, Some(CI)).to_string().as_bytes()).await;
        assert_eq!(reply.code(), "missing_field", "{path}");
    }
}

#[tokio::test]
async fn another_method_is_told_which_would_do() {
    let scene = Scene::new().await;
    for method in ["PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "get", ""] {
        for version in [1, 2] {
            let reply = scene.invoke(event(version, method, "/grants", Some(CI)).to_string().as_bytes()).await;
            let (status, headers) = reply.http.clone().unwrap();
            assert_eq!((status, headers["allow"].as_str()), (405, Some("GET, POST")), "{method}");
            assert_eq!(reply.document["detail"], "a change is asked for with POST, a policy with GET", "{method}");
        }
    }
}

/// `serve` checks no signature, and says so; everything else is what the broker answers.
#[test]
fn serve_answers_it_and_hands_every_header_on() {
    let served = Served::start(&scratch("openapi-state.json"));
    let (status, body) = http(&served.api, "GET", "/openapi.json", "", "");
    assert_eq!(status, 200);
    let mut wanted = DOCUMENT.clone();
    assert_ne!(wanted["security"], json!([]));
    wanted["security"] = json!([]);
    assert_eq!(json(&body), wanted);
    assert_eq!(http(&served.api, "POST", "/openapi.json", "", "{}").0, 405);
    let whole = crate::support::process::exchange(&served.api, "PUT", "/grants", "", b"{}");
    assert!(whole.contains("\r\nallow: GET, POST\r\n") && whole.contains("\r\ncache-control: no-store\r\n"), "{whole}");
    let whole = crate::support::process::exchange(&served.api, "POST", "/grants", "", b"{\"operation\":\"\xff\"}");
    assert!(whole.starts_with("HTTP/1.1 400") && whole.contains("invalid_body"), "{whole}");
    assert!(OPENAPI.contains(r#""security":[{"signature":[]}]"#));
}
