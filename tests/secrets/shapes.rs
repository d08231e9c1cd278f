//! The canary in requests that nobody can read as grants: lists and objects in its place, JSON within strings, texts that break
//! off. The envelope around each repeats it, where the audit shows ids.

use permission_broker::request::MOST_BYTES;
use serde_json::{Value, json};

use super::{CANARY, grants, invoke, telling};
use crate::support::envelope;

/// The document in each envelope whose ids the audit shows, with an id in every place for one.
fn around(document: &str, id: &str) -> Vec<(&'static str, Vec<u8>)> {
    let mut ways = Vec::new();
    for (door, event) in envelope::all(document.as_bytes()) {
        let ids: &[&str] = match door {
            "sqs" => &["m-1", "AIDACKCEVSQ6C2EXAMPLE"],
            "http" => &["JKJaXmPLvHcESHA="],
            "eventbridge" => &["6a7e8feb-b491", "com.example"],
            _ => continue,
        };
        // By its text: a document may be one that nobody can parse.
        let event = String::from_utf8(event).expect("a text");
        for own in ids {
            let own = format!("\"{own}\"");
            assert_eq!(event.matches(&own).count(), 1, "{door} has it once: {own}");
            ways.push((door, event.replace(&own, &format!("\"{id}\"")).into_bytes()));
        }
    }
    ways
}

async fn assert_hidden(documents: &[String], code: Option<&str>) {
    let stage = telling().await;
    for document in documents {
        for id in [CANARY.to_owned(), format!("m-{CANARY}-1")] {
            for (door, event) in around(document, &id) {
                let seen =
                    invoke(&stage, &event, &format!("{id} through {door}: {}", &document[..200.min(document.len())]))
                        .await;
                assert!(
                    door == "sqs" || code.is_none_or(|code| seen.contains(code)),
                    "{document} through {door}: {seen}"
                );
            }
        }
    }
    assert_eq!(grants(&stage), 0);
}

fn escaped(text: &str) -> String {
    text.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect()
}

#[tokio::test]
async fn a_token_that_is_no_string_is_not_shown() {
    let many: Vec<String> = (0..100).map(|i| format!("another-token-{i}")).collect();
    let tokens = [
        json!([CANARY]).to_string(),
        json!({ "a": CANARY }).to_string(),
        json!({ CANARY: 1 }).to_string(),
        json!([[{ "x": ["another", CANARY] }]]).to_string(),
        json!([json!([CANARY]).to_string()]).to_string(),
        json!(json!({ "a": CANARY }).to_string()).to_string(),
        format!(r#"["{}"]"#, escaped(CANARY)),
        format!(r#"["\ud800","{CANARY}"]"#),
        format!(r#"["\ud800{}\n"]"#, escaped(CANARY)),
        format!(r#"["\ud800{CANARY}"]"#),
        format!("{}[\"{CANARY}\"]{}", "[".repeat(100), "]".repeat(100)),
        json!([many, CANARY]).to_string(),
    ];
    let target = r#""FunctionName":"orders","Action":"lambda:InvokeFunction","Principal":"alexa-appkit.amazon.com""#;
    let documents = tokens.map(|token| {
        format!(r#"{{"operation":"AddPermission","parameters":{{{target},"EventSourceToken":{token}}}}}"#)
    });
    assert_hidden(&documents, Some("invalid_event_source_token")).await;
}

#[tokio::test]
async fn a_token_in_another_place_of_the_request_is_not_shown() {
    let token = json!({ "EventSourceToken": CANARY });
    let within = |parameters: Value| json!({ "operation": "AddPermission", "parameters": parameters }).to_string();
    let unknown: String = (0..70).map(|i| format!(r#""x{i}":1,"#)).collect();
    let documents = [
        within(json!([token])),
        within(json!(token.to_string())),
        within(json!(json!(token.to_string()).to_string())),
        within(json!(format!("  {}", json!([token])))),
        within(json!(format!("\u{a0}{token}"))),
        within(json!({ "FunctionName": "orders", "more": { "eventSourceToken": [CANARY] } })),
        json!({ "operation": "AddPermission", "parameters": {}, "request": token }).to_string(),
        json!({ "operation": "AddPermission", "parameters": {}, "reason": token.to_string() }).to_string(),
        format!(r#"{{"operation":"AddPermission","parameters":{{}},"parameters":{token}}}"#),
        format!(r#"{{"operation":"AddPermission","parameters":{{{unknown}"EventSourceToken":"{CANARY}"}}}}"#),
        format!(r#"{{{unknown}"parameters":{token}}}"#),
        json!({ "operation": "AddPermission", "parameters": { "Event": { "a": [[[{ "EventSourceTokn": [CANARY] }]]] } } }).to_string(),
    ];
    assert_hidden(&documents, Some("rejected")).await;
}

/// Not parsed, a text is searched for the field's name.
#[tokio::test]
async fn a_token_in_what_cannot_be_read_is_not_shown() {
    let list = format!("[{}]", json!({ "operation": "AddPermission", "parameters": { "EventSourceToken": [CANARY] } }));
    assert_hidden(&[list], None).await;
    let not_json = [
        format!(r#"{{"parameters":{{"EventSourceToken":"{CANARY}","#),
        format!(r#"{{"parameters":{{"EventSourceToken":"{CANARY}"#),
        format!(r#"{{"parameters":{{"Event\u0053ourceToken":"\n{}"#, escaped(CANARY)),
        format!(r#"{{"parameters":{{"EventSourceToken": ["another-token", "{CANARY}""#),
        format!(r#"{{"parameters":{{"EventSourceToken": {{"a": "{CANARY}"}},}}}}"#),
        format!(r#"{{"parameters": "{{\"EventSourceToken\": \"{CANARY}\"}}"#),
        format!("{{'parameters': {{'EventSourceToken': '{CANARY}'}}}}"),
        format!("operation: AddPermission\nparameters:\n  EventSourceToken: {CANARY}\n"),
        format!("operation=AddPermission&eventSourceToken={CANARY}&FunctionName=orders"),
        format!("{}EventSourceToken={CANARY}", "EventSourceToken".repeat(3_000)),
    ];
    assert_hidden(&not_json, Some("not_json")).await;
    // The longest text that is parsed, and so the longest in which an escape is understood.
    let token = format!(r#"{{"Event\u0053ourceToken":"{}""#, escaped(CANARY));
    let longest = token.clone() + &" ".repeat(MOST_BYTES - token.len());
    assert_hidden(&[longest], Some("not_json")).await;
    let large = |token: Value| {
        let parameters =
            json!({ "FunctionName": "orders", "EventSourceToken": token, "StatementId": "x".repeat(70_000) });
        json!({ "operation": "AddPermission", "parameters": parameters }).to_string()
    };
    assert_hidden(&[large(json!(CANARY)), large(json!([CANARY])), large(json!({ "a": CANARY }))], Some("too_large"))
        .await;
}

/// What repeats no secret is on record as it came, also of a request that cannot be read.
#[tokio::test]
async fn other_ids_stay_on_record() {
    const ID: &str = "6a7e8feb-b491-4cf7-a9f1-bf3703467718";
    let token = json!({ "operation": "AddPermission", "parameters": [{ "EventSourceToken": [CANARY] }] });
    let broken = [format!(r#"{{"EventSourceToken":"{CANARY}"#), format!(r#"{{"reason":"{ID}""#)];
    for document in [token.to_string()].into_iter().chain(broken) {
        for (door, event) in around(&document, ID) {
            let stage = telling().await;
            let _ = stage.invoke("id-1", &event).await;
            let audit = stage.audit();
            assert!(audit.iter().any(|line| line.contains(ID)), "{door}: {audit:?}");
        }
    }
}
