//! The canary in every place of a document and of an envelope that is not its own.

use serde_json::{Value, json};

use super::{CANARY, carried, document, grants, invoke, telling};
use crate::support::envelope;

/// One change to a JSON value for each place in it: a text replaced or put around, a key renamed, a
/// member added.
fn places(value: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    visit(value, String::new(), &mut |pointer, changed| found.push((pointer, changed)));
    let put = |(pointer, changed): (String, Value)| {
        let mut whole = value.clone();
        *whole.pointer_mut(&pointer).expect("a place in the value") = changed;
        (pointer, whole)
    };
    found.into_iter().map(put).collect()
}

fn visit(value: &Value, pointer: String, found: &mut impl FnMut(String, Value)) {
    if value == CANARY {
        return;
    }
    let texts = [CANARY.to_owned(), format!("x-{CANARY}-x"), format!("arn:aws:sns:us-east-1:210987654321:{CANARY}")];
    for text in texts {
        found(pointer.clone(), json!(text));
    }
    found(pointer.clone(), json!([CANARY]));
    found(pointer.clone(), json!({CANARY: CANARY}));
    let Value::Object(members) = value else { return };
    let mut added = value.clone();
    added[CANARY] = json!(CANARY);
    found(pointer.clone(), added);
    for (name, member) in members {
        let mut renamed = members.clone();
        let member_value = renamed.remove(name).expect("a member");
        renamed.insert(CANARY.to_owned(), member_value);
        found(pointer.clone(), Value::Object(renamed));
        visit(member, format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1")), found);
    }
}

/// The base document with every parameter in it, so that each can be the place.
fn full() -> Value {
    let mut full = document();
    let more = json!({"SourceArn": "arn:aws:sns:us-east-1:210987654321:topic", "SourceAccount": "210987654321",
        "PrincipalOrgID": "o-a1b2c3d4e5", "FunctionUrlAuthType": "AWS_IAM", "InvokedViaFunctionUrl": true,
        "RevisionId": "5c1f2a90"});
    for (name, value) in more.as_object().expect("members") {
        full["parameters"][name] = value.clone();
    }
    full
}

/// Where the document is a valid grant but for the canary in another field, that alone refuses it.
#[tokio::test]
async fn a_token_in_another_field_is_refused_and_not_shown() {
    let stage = telling().await;
    let mut refused = 0;
    let carries =
        |(_, changed): &(String, Value)| changed.pointer("/parameters/EventSourceToken") == Some(&json!(CANARY));
    for (place, changed) in places(&document()).into_iter().chain(places(&full())).filter(carries) {
        for (door, event) in envelope::all(changed.to_string().as_bytes()) {
            let seen = invoke(&stage, &event, &format!("{place} through {door}: {changed}")).await;
            refused += usize::from(seen.contains("invalid_event_source_token"));
        }
    }
    assert_eq!(carried(&stage.control_plane), 0, "nothing that shows a token is granted");
    assert!(refused > 100, "the rule was met: {refused}");
}

/// Wrong in itself, spelt with escapes, doubled, misspelt or misplaced: a secret all the same.
#[tokio::test]
async fn a_token_in_its_own_field_is_not_shown_whatever_is_wrong_with_it() {
    let escaped: String = CANARY.chars().map(|c| format!("\\u{:04x}", u32::from(c))).collect();
    let parameters = [
        format!(r#""EventSourceToken":"{CANARY} {CANARY}""#),
        format!(r#""EventSourceToken":"{CANARY}\u0000""#),
        format!(r#""EventSourceToken":["{CANARY}"],"{CANARY}":1"#),
        format!(r#""EventSourceToken":{{"{CANARY}":"{CANARY}"}},"{CANARY}":1"#),
        format!(r#""EventSourceToken":"{escaped}","{CANARY}":1"#),
        format!(r#""EventSourceToken":"{CANARY}","{escaped}":1"#),
        format!(r#""EventSourceToken":"{CANARY}","My{CANARY}":1"#),
        format!(r#""EventSourceToken":"{escaped}","SourceArn":"arn:aws:s3:::{CANARY}""#),
        format!(r#""EventSourceToken":"{CANARY}","EventSourceToken":"another","{CANARY}":1"#),
        format!(r#""EventSourceToken":"another-one","EventSourceToken":"{CANARY}","{CANARY}":1"#),
        format!(r#""eventSourceToken":"{CANARY}","{CANARY}":1"#),
        format!(r#""EventSourceTokn":"{CANARY}","{CANARY}":1"#),
        format!(r#""Event\u0053ourceToken":"{CANARY}","{CANARY}":1"#),
        format!(r#""EventSourceToken":"{}""#, CANARY.repeat(100)),
    ];
    let target = r#""Action":"lambda:InvokeFunction","Principal":"alexa-appkit.amazon.com""#;
    let of_function = |token: &String| {
        format!(r#"{{"operation":"AddPermission","parameters":{{"FunctionName":"orders",{target},{token}}}}}"#)
    };
    let of_layer = |token: &String| {
        let layer = r#""LayerName":"common","VersionNumber":1"#;
        format!(r#"{{"operation":"AddLayerVersionPermission","parameters":{{{layer},{target},{token}}}}}"#)
    };
    let of_nothing = |token: &String| format!(r#"{{"operation":"{CANARY}","parameters":{{{token}}}}}"#);
    let beside = |token: &String| {
        format!(r#"{{"operation":"AddPermission","parameters":{{"FunctionName":"orders",{target}}},{token}}}"#)
    };
    let stage = telling().await;
    for token in &parameters {
        for document in [of_function(token), of_layer(token), of_nothing(token), beside(token)] {
            for (door, event) in envelope::all(document.as_bytes()) {
                let seen = invoke(&stage, &event, &format!("{document} through {door}")).await;
                assert!(door == "sqs" || seen.contains("rejected"), "{document} through {door}: {seen}");
            }
        }
    }
    assert_eq!(grants(&stage), 0);
}

/// The example events, one for each kind of envelope and of identity.
const ENVELOPES: [&str; 8] = [
    include_str!("../../events/rest-grant-account.json"),
    include_str!("../../events/http-api-iam-grant-base64.json"),
    include_str!("../../events/http-api-jwt-dry-run.json"),
    include_str!("../../events/http-api-lambda-repeat-derived-id.json"),
    include_str!("../../events/http-api-v1-grant-layer.json"),
    include_str!("../../events/function-url-grant-sns.json"),
    include_str!("../../events/eventbridge-grant-rule.json"),
    include_str!("../../events/sqs-fifo-repeat.json"),
];

/// Puts the document with the token into an envelope.
fn filled(envelope: &str) -> Value {
    let mut event: Value = serde_json::from_str(envelope).expect("an event");
    let mut document = document();
    document["dryRun"] = json!(true);
    if event.get("detail").is_some() {
        event["detail"] = document;
    } else if event.get("Records").is_some() {
        event["Records"].as_array_mut().expect("records").truncate(1);
        event["Records"][0]["body"] = json!(document.to_string());
    } else {
        event["isBase64Encoded"] = json!(false);
        event["body"] = json!(document.to_string());
    }
    event
}

#[tokio::test]
async fn a_token_anywhere_in_an_envelope_is_not_shown() {
    let stage = telling().await;
    let mut seen = Vec::new();
    for envelope in ENVELOPES {
        let event = filled(envelope);
        // What stands in the request itself is the subject of the tests above.
        let around = |(place, _): &(String, Value)| !place.starts_with("/detail") && !place.ends_with("/body");
        for (place, changed) in places(&event).into_iter().filter(around) {
            seen.push(invoke(&stage, changed.to_string().as_bytes(), &place).await);
        }
    }
    let times = |word: &str| seen.iter().filter(|seen| seen.contains(word)).count();
    assert!(times("would_grant") > 1000, "most places are not looked at");
    assert!(times("invalid_event_source_token") > 10, "those that the audit shows are");
}

/// A text of a few characters is no secret: AWS takes a token of one, and most texts contain that.
#[tokio::test]
async fn a_short_token_may_stand_in_other_texts() {
    for (token, outcome) in [("a", "granted"), ("invoke-", "granted"), ("invoke-s", "invalid_event_source_token")] {
        let stage = telling().await;
        let mut document = document();
        document["parameters"]["EventSourceToken"] = json!(token);
        document["reason"] = json!("CHG-1 invoke-skill");
        let reply = stage.invoke("id-1", document.to_string().as_bytes()).await.expect("a reply");
        assert!(reply.get().contains(outcome), "{token}: {}", reply.get());
    }
}

/// A text of no characters is a part of every name, and hides none.
#[tokio::test]
async fn an_empty_token_hides_no_name() {
    let stage = telling().await;
    let mut document = document();
    document["parameters"]["EventSourceToken"] = json!("");
    document["parameters"]["Unknown"] = json!(1);
    let reply = stage.invoke("id-1", document.to_string().as_bytes()).await.expect("a reply");
    assert!(reply.get().contains("/parameters/Unknown"), "{}", reply.get());
}
