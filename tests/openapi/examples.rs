//! The examples in the document are the files of `events/`, and the replies shown are what they come to.

use permission_broker::local::stage::Stage;
use serde_json::Value;

use super::{DOCUMENT, FILE, errors, members, resolved, validator};
use crate::events::before;
use crate::support::{event_files, json, string, text};

/// The request ids in the shown replies.
const REQUEST_ID: &str = "0b9d7c52-6f0e-4c1b-8a43-2d1f3e4a5b66";

#[test]
fn the_requests_are_those_of_the_events() {
    let content = &DOCUMENT["paths"]["/grants"]["post"]["requestBody"]["content"]["application/json"];
    let mut operations = Vec::new();
    for (name, example) in members(&content["examples"]) {
        let event = json(&text(&format!("events/{name}.json")));
        let body = event["body"].as_str().or_else(|| event["Records"][0]["body"].as_str());
        let request = body.map_or_else(|| event.clone(), json);
        assert_eq!(example["value"], request, "{name}: the example in {FILE} and the file differ");
        operations.push(string(&request, "operation").to_owned());
    }
    operations.sort();
    operations.dedup();
    assert!(operations.len() >= 4, "{operations:?}");
}

#[test]
fn the_queries_are_those_of_the_events() {
    let parameter = &DOCUMENT["paths"]["/grants"]["get"]["parameters"][0];
    let schema = validator("/paths/~1grants/get/parameters/0/schema");
    assert!(!parameter["examples"].as_object().unwrap().is_empty());
    for (name, example) in members(&parameter["examples"]) {
        let query = json(&text(&format!("events/{name}.json")))["queryStringParameters"].clone();
        // In a query everything is text.
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let shown = members(&example["value"]).map(|(name, value)| (name.clone(), Value::from(plain(value))));
        assert_eq!(Value::Object(shown.collect()), query, "{name}");
        assert!(schema.is_valid(&example["value"]), "{name}");
    }
    for wrong in
        [r#"{}"#, r#"{"FunctionName":"f","LayerName":"l","VersionNumber":1}"#, r#"{"FunctionName":"f","x":"y"}"#]
    {
        assert!(!schema.is_valid(&json(wrong)), "{wrong}");
    }
}

/// Plays the examples: every reply is one that its method, path, status and media type describe.
#[tokio::test]
async fn every_reply_to_the_examples_is_described() {
    let stage = Stage::examples().await.unwrap();
    let mut seen = 0;
    for file in event_files() {
        let event = text(&format!("events/{file}"));
        let reply = json(stage.invoke(REQUEST_ID, event.as_bytes()).await.expect("a reply").get());
        let Some(status) = reply["statusCode"].as_u64() else { continue };
        let (event, media) = (json(&event), string(&reply["headers"], "content-type"));
        let path = event["path"].as_str().unwrap_or_else(|| string(&event, "rawPath"));
        let path = if path.ends_with("/openapi.json") { "/openapi.json" } else { "/grants" };
        let method = event["httpMethod"].as_str().unwrap_or_else(|| string(&event["requestContext"]["http"], "method"));
        let response = &DOCUMENT["paths"][path][method.to_lowercase()]["responses"][status.to_string()];
        assert!(response.is_object(), "{file}: {FILE} has no {status} for {method} {path}");
        assert!(resolved(response)["content"].get(media).is_some(), "{file}: {status} has no {media}");
        let response = match response["$ref"].as_str() {
            Some(reference) => reference[1..].to_owned(),
            None => format!("/paths/{}/{}/responses/{status}", path.replace('/', "~1"), method.to_lowercase()),
        };
        let schema = validator(&format!("{response}/content/{}/schema", media.replace('/', "~1")));
        let errors = errors(&schema, &json(string(&reply, "body")));
        assert!(errors.is_empty(), "{file}: {errors:#?}");
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}

#[tokio::test]
async fn the_replies_are_those_of_the_events() {
    let mut shown = 0;
    for (_, response) in members(&DOCUMENT["components"]["responses"]) {
        for (name, example) in members(&response["content"]).flat_map(|(_, content)| members(&content["examples"])) {
            let stage = Stage::examples().await.unwrap();
            if let Some(before) = before(&format!("{name}.json")) {
                let _ = stage.invoke("before", text(&format!("events/{before}")).as_bytes()).await;
            }
            let reply =
                stage.invoke(REQUEST_ID, text(&format!("events/{name}.json")).as_bytes()).await.expect("a reply");
            assert_eq!(json(string(&json(reply.get()), "body")), example["value"], "{name}");
            shown += 1;
        }
    }
    assert!(shown > 0);
}
