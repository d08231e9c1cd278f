//! Reading a policy: what is said of each statement, how it is asked over HTTP, and what is kept back.

use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation};
use serde_json::{Value, json};

use super::{LAYER, ORDERS, holding, layer_stored, stored, word};
use crate::support::door::DOORS;
use crate::support::{Door, Fate, Scene, grant, layer_grant, with};

const TOKEN: &str = "amzn1.ask.skill.CANARY-7f3a";

fn read(parameters: Value) -> Value {
    json!({ "operation": "GetPolicy", "parameters": parameters })
}

fn orders() -> Value {
    read(json!({ "FunctionName": "orders" }))
}

fn layer_read(changes: Value) -> Value {
    let parameters = with(json!({ "LayerName": "common", "VersionNumber": 1 }), changes);
    json!({ "operation": "GetLayerVersionPolicy", "parameters": parameters })
}

/// What stands, the parties it names, and the rule that would allow it or the codes why none would.
type Told<'a> = (Value, Value, Result<&'a str, &'a [&'a str]>);

#[tokio::test]
async fn each_statement_is_told_with_its_parties_and_its_rule() {
    let service =
        |name: &str, condition: Value| stored("s", json!({ "Principal": { "Service": name }, "Condition": condition }));
    let account = |id: &str| json!({ "accounts": [id] });
    let role = "arn:aws:iam::999999999999:role/r";
    let equals = |key: &str, value: &str| json!({ "StringEquals": { key: value } });
    let topic = "arn:aws:sns:us-east-1:123456789012:topic";
    let in_organization =
        |id: &str| stored("s", json!({ "Principal": "*", "Condition": equals("aws:PrincipalOrgID", id) }));
    let url = |auth: &str| {
        let condition = equals("lambda:FunctionUrlAuthType", auth);
        stored("s", json!({ "Action": "lambda:InvokeFunctionUrl", "Condition": condition }))
    };
    let foreign = &["foreign_statement"];
    let no_form: &[&str] = &["foreign_statement"];
    let cases: Vec<Told<'_>> = vec![
        (stored("s", json!({})), account("210987654321"), Ok("partner")),
        (stored("s", json!({ "Principal": { "AWS": "210987654321" } })), account("210987654321"), Ok("partner")),
        (
            stored("s", json!({ "Principal": { "AWS": role } })),
            account("999999999999"),
            Err(&["principal_not_allowed"]),
        ),
        (stored("s", json!({ "Action": "lambda:GetFunction" })), account("210987654321"), Err(&["action_not_allowed"])),
        (stored("s", json!({ "Principal": "*" })), json!({ "everyone": true }), Err(&["public_grant"])),
        (in_organization("o-a1b2c3d4e5"), json!({ "organizations": ["o-a1b2c3d4e5"] }), Ok("partner")),
        (
            in_organization("o-zzzzzzzzzz"),
            json!({ "organizations": ["o-zzzzzzzzzz"] }),
            Err(&["organization_not_allowed"]),
        ),
        (
            service("s3.amazonaws.com", equals("AWS:SourceAccount", "210987654321")),
            json!({ "accounts": ["210987654321"], "services": ["s3.amazonaws.com"] }),
            Ok("partner"),
        ),
        (
            service("sns.amazonaws.com", json!({ "ArnLike": { "AWS:SourceArn": topic } })),
            json!({ "accounts": ["123456789012"], "services": ["sns.amazonaws.com"] }),
            Ok("partner"),
        ),
        (
            service("s3.amazonaws.com", json!({ "ArnLike": { "AWS:SourceArn": "arn:aws:s3:::bucket" } })),
            json!({ "services": ["s3.amazonaws.com"] }),
            Err(&["unconfined_service"]),
        ),
        (
            service("alexa-appkit.amazon.com", equals("lambda:EventSourceToken", TOKEN)),
            json!({ "services": ["alexa-appkit.amazon.com"] }),
            Ok("partner"),
        ),
        (url("AWS_IAM"), account("210987654321"), Ok("partner")),
        (url("NONE"), account("210987654321"), Err(&["public_grant"])),
        (
            stored("s", json!({ "Condition": { "Bool": { "lambda:InvokedViaFunctionUrl": "true" } } })),
            account("210987654321"),
            Ok("partner"),
        ),
        // A principal that is no more, and forms that no grant makes.
        (stored("s", json!({ "Principal": { "AWS": "AROADBQP57FF2AEXAMPLE" } })), json!({}), Err(&["dead_principal"])),
        (
            stored("s", json!({ "Sid": null, "Principal": { "AWS": "AROADBQP57FF2AEXAMPLE" } })),
            json!({}),
            Err(&["dead_principal", "foreign_statement"]),
        ),
        // Nobody deleted it, and no grant can name it.
        (
            stored("s", json!({ "Principal": { "AWS": "AKIAIOSFODNN7EXAMPLE" } })),
            json!({}),
            Err(&["invalid_principal"]),
        ),
        (stored("s", json!({ "Effect": "Deny" })), json!({}), Err(no_form)),
        (
            stored("s", json!({ "Condition": { "Bool": { "lambda:InvokedViaFunctionUrl": "no" } } })),
            json!({}),
            Err(no_form),
        ),
        (stored("s", json!({ "Condition": { "Null": { "aws:SourceArn": "true" } } })), json!({}), Err(no_form)),
        (
            stored("s", json!({ "Condition": { "StringEquals": { "aws:SourceAccount": ["1", "2"] } } })),
            json!({}),
            Err(no_form),
        ),
        (stored("s", json!({ "Resource": format!("{ORDERS}:live") })), json!({}), Err(no_form)),
        (stored("s", json!({ "Action": ["lambda:InvokeFunction", "lambda:GetFunction"] })), json!({}), Err(foreign)),
        (stored("s", json!({ "NotAction": "lambda:GetFunction" })), json!({}), Err(foreign)),
        (stored("s", json!({ "Sid": null })), json!({}), Err(foreign)),
    ];
    for (statement, parties, judged) in cases {
        let scene = holding(&[(ORDERS, std::slice::from_ref(&statement))]).await;
        let reply = scene.ask(Door::Direct, &orders()).await;
        assert_eq!((reply.outcome(), scene.calls()), ("read", vec!["read"]));
        let [entry] = reply.document["statements"].as_array().unwrap().as_slice() else { panic!("{statement}") };
        assert_eq!(entry["parties"], parties, "{statement}");
        let codes: Vec<_> =
            entry["errors"].as_array().into_iter().flatten().map(|error| error["code"].as_str().unwrap()).collect();
        match judged {
            Ok(rule) => assert_eq!((&entry["rule"], codes), (&json!(rule), vec![]), "{statement}"),
            Err(wanted) => assert_eq!((entry.get("rule"), codes.as_slice()), (None, wanted), "{statement}"),
        }
        assert_eq!(entry["byBroker"], "unknown", "{statement}");
        // What the canonical form covers has one, also where no grant makes it.
        let covered =
            ["Sid", "Action"].iter().all(|name| statement[name].is_string()) && statement.get("NotAction").is_none();
        assert_eq!(entry["fingerprint"].is_string(), covered, "{statement}");
    }
}

/// Through every door, on every kind of target: the bytes are AWS's own, and one record says who looked.
#[tokio::test]
async fn a_policy_is_read_through_every_door() {
    for door in DOORS {
        let live = format!("{ORDERS}:live");
        let statements = [stored("a", json!({})), stored("b", json!({}))];
        let policies = [
            (ORDERS, &statements[..]),
            (&live, &[stored("c", json!({ "Resource": live }))]),
            (LAYER, &[layer_stored("d")]),
        ];
        let scene = holding(&policies).await;
        let requests = [orders(), read(json!({ "FunctionName": "orders:live" })), layer_read(json!({}))];
        for ((arn, statements), request) in policies.iter().zip(requests) {
            let reply = scene.ask(door, &request).await;
            assert!(!reply.comes_again());
            let records = scene.records();
            let [record] = records.as_slice() else { panic!("{records:?}") };
            let bytes = scene.plane.policy(arn).unwrap().len();
            assert_eq!((&record["outcome"], &record["target"]), (&json!("read"), &json!(arn)));
            assert_eq!((&record["rule"], &record["policyBytes"]), (&json!("partner"), &json!(bytes)));
            assert_eq!((&record["attempts"], &record["calls"]), (&json!(0), &json!(["read:200"])));
            assert_eq!(record["operation"], request["operation"]);
            if door != Door::Sqs {
                let told = reply.document["statements"].as_array().unwrap();
                let shown: Vec<_> = told.iter().map(|entry| entry["statement"].clone()).collect();
                assert_eq!(&shown, statements);
                assert_eq!(reply.document["policy"]["bytes"], bytes);
                assert_eq!(reply.document["policy"]["left"], 20_480 - bytes);
                assert!(reply.document["revisionId"].is_string());
            }
        }
    }
}

/// What `byBroker` says of each statement of a target.
async fn by_broker(scene: &Scene, request: &Value) -> Vec<(String, String)> {
    let reply = scene.ask(Door::Direct, request).await;
    let of =
        |it: &Value| (it["statement"]["Sid"].as_str().unwrap().to_owned(), it["byBroker"].as_str().unwrap().to_owned());
    reply.document["statements"].as_array().unwrap().iter().map(of).collect()
}

/// An id that the broker derives, or marks as the end of a grant, makes it likely; of any other nobody can tell, and none
/// is proof: who writes the same statement under the same id without the broker cannot be told from it.
#[tokio::test]
async fn what_the_broker_named_is_known_again() {
    let scene = Scene::new().await;
    let of_layer = layer_grant(json!({ "StatementId": null }));
    let timed = super::beside(grant(json!({ "StatementId": "given" })), json!({ "expiresAt": "2099-12-31T18:00:00Z" }));
    let derived_timed =
        super::beside(grant(json!({ "StatementId": null })), json!({ "expiresAt": "2099-12-31T18:00:00Z" }));
    let requests = [grant(json!({ "StatementId": null })), grant(json!({})), timed, derived_timed, of_layer];
    for request in &requests {
        assert_eq!(scene.ask(Door::Direct, request).await.outcome(), "granted");
    }
    let told = by_broker(&scene, &orders()).await;
    let words: Vec<&str> = told.iter().map(|(_, word)| word.as_str()).collect();
    assert_eq!(words, ["likely", "unknown", "likely", "likely"]);
    assert_eq!(by_broker(&scene, &layer_read(json!({}))).await[0].1, "likely");
    // The same under the same ids, written by another tool: here, on another target, and with another meaning.
    let (derived, marked) = (&told[0].0, &told[2].0);
    let billing = ORDERS.replace("orders", "billing");
    let elsewhere = |sid: &str| stored(sid, json!({ "Resource": billing }));
    let account = json!({ "Principal": { "AWS": "arn:aws:iam::123456789012:root" } });
    let copied = holding(&[
        (ORDERS, &[stored(derived, json!({})), stored(marked, account.clone())]),
        (&billing, &[elsewhere(derived), elsewhere(marked)]),
    ])
    .await;
    let words = |told: Vec<(String, String)>| told.into_iter().map(|(_, word)| word).collect::<Vec<_>>();
    assert_eq!(words(by_broker(&copied, &orders()).await), ["likely", "likely"]);
    assert_eq!(words(by_broker(&copied, &read(json!({ "FunctionName": "billing" }))).await), ["unknown", "unknown"]);
    let changed = holding(&[(ORDERS, &[stored(derived, account)])]).await;
    assert_eq!(words(by_broker(&changed, &orders()).await), ["unknown"]);
}

/// Of a layer version AWS says whether it is there and has no policy, or is not there; of a function it does not.
#[tokio::test]
async fn a_layer_version_without_a_policy_is_read_as_empty() {
    for door in DOORS {
        let scene = Scene::new().await;
        let reply = scene.ask(door, &layer_read(json!({}))).await;
        let records = scene.records();
        assert_eq!((&records[0]["outcome"], &records[0]["level"]), (&json!("read"), &json!("INFO")));
        assert_eq!((&records[0]["policyBytes"], &records[0]["policyBytesLeft"]), (&json!(0), &json!(20_480)));
        assert_eq!(records[0].get("awsCode"), None);
        if door != Door::Sqs {
            assert_eq!((reply.outcome(), &reply.document["statements"]), ("read", &json!([])));
            assert_eq!(reply.document["policy"]["left"], 20_480);
        }
        for missing in [json!({ "VersionNumber": 9 }), json!({ "LayerName": "tracing", "VersionNumber": 9 })] {
            scene.ask(door, &layer_read(missing)).await;
            let records = scene.records();
            assert_eq!(records[0]["code"], "target_not_found", "{}", records[0]);
        }
    }
    // A text that has changed gives no hint, and the reply is the more general one.
    let scene = Scene::new().await;
    let fault = Fault::error(ErrorName::ResourceNotFound, "There is no policy.").on(Operation::GetLayerVersionPolicy);
    scene.plane.inject(fault);
    assert_eq!(scene.ask(Door::Direct, &layer_read(json!({}))).await.code(), "target_not_found");
}

/// A token is stored where AWS puts it, where another tool put it, and where nobody should have.
#[tokio::test]
async fn no_token_is_told() {
    let keys = ["lambda:EventSourceToken", "LAMBDA:EVENTSOURCETOKEN", "lambda:eventSourceToken"];
    let operators =
        ["StringEquals", "stringequals", "StringLike", "ForAnyValue:StringEquals", "StringNotEqualsIfExists"];
    for key in keys {
        for operator in operators {
            for value in [json!(TOKEN), json!([TOKEN, "x"]), json!({ "deep": [TOKEN] })] {
                let condition = json!({ operator: { key: value } });
                for (condition, more) in [
                    (condition.clone(), json!({})),
                    (condition.clone(), json!({ "NotAction": "lambda:GetFunction" })),
                    (json!([[condition]]), json!({})),
                ] {
                    let statement = with(stored("s", json!({ "Condition": condition })), more);
                    let scene = holding(&[(ORDERS, &[statement])]).await;
                    let revoke = super::revoke(json!({ "StatementId": "s" }));
                    for request in [orders(), super::beside(revoke.clone(), json!({ "dryRun": true })), revoke] {
                        let reply = scene.ask(Door::Direct, &request).await;
                        assert_eq!(reply.code(), "", "{}", reply.document);
                        let told = format!("{}{}", reply.document, scene.sink.text());
                        assert!(!told.contains("CANARY"), "{told}");
                        assert!(request["operation"] != "GetPolicy" || told.contains("present"), "{told}");
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_policy_that_cannot_be_read_is_not_told() {
    let answered = |policy: &str| {
        let body = json!({ "Policy": policy, "RevisionId": "r" }).to_string();
        Fault::new(FaultKind::Answer { status: 200, error_type: None, headers: Vec::new(), body }).times(9)
    };
    let error = |name| Fault::error(name, "no");
    let cases = [
        (answered(""), "unavailable", vec!["read"; 3]),
        (answered("{}"), "unavailable", vec!["read"]),
        (answered(r#"{"Statement":[7]}"#), "read", vec!["read"]),
        (answered(r#"{"Statement":[]}"#), "read", vec!["read"]),
        (Fault::new(FaultKind::HalfJson).times(9), "unavailable", vec!["read"; 3]),
        (Fault::new(FaultKind::ResetBeforeCommit).times(2), "read", vec!["read"; 3]),
        (error(ErrorName::Service).times(9), "unavailable", vec!["read"; 3]),
        (Fault::throttled(Some(0)).times(9), "throttled", vec!["read"; 3]),
        (Fault::throttled(Some(60)), "throttled", vec!["read"]),
        (Fault::access_denied(), "access_denied", vec!["read"]),
        (error(ErrorName::InvalidParameterValue), "rejected_by_aws", vec!["read"]),
    ];
    for (fault, ending, calls) in cases {
        let scene = holding(&[(ORDERS, &[stored("s", json!({}))])]).await;
        scene.plane.inject(fault.clone().on(Operation::GetPolicy));
        let reply = scene.ask(Door::ApiGateway, &orders()).await;
        assert_eq!((word(&reply.document), scene.calls()), (ending, calls.clone()), "{fault:?}");
        assert_eq!(reply.document.get("statements").is_some(), ending == "read", "{fault:?}");
        let records = scene.records();
        assert_eq!((records.len(), records[0]["calls"].as_array().map(Vec::len)), (1, Some(calls.len())), "{fault:?}");
    }
    let missing = [orders(), read(json!({ "FunctionName": "orders-x" })), layer_read(json!({ "VersionNumber": 9 }))];
    for request in missing {
        assert_eq!(Scene::new().await.ask(Door::Direct, &request).await.code(), "target_not_found", "{request}");
    }
}

#[tokio::test]
async fn who_may_not_ask_is_told_nothing() {
    for (request, code) in [
        (read(json!({ "FunctionName": "reports" })), "requester_not_allowed"),
        (read(json!({ "FunctionName": "payments" })), "target_not_allowed"),
        (read(json!({ "FunctionName": "permission-broker" })), "target_not_allowed"),
        (read(json!({ "FunctionName": "999999999999:function:orders" })), "target_not_allowed"),
        (layer_read(json!({ "LayerName": "secrets" })), "target_not_allowed"),
    ] {
        let scene = Scene::new().await;
        let reply = scene.ask(Door::Direct, &request).await;
        let records = scene.records();
        assert_eq!((reply.code(), &records[0]["code"], records.len()), (code, &json!(code), 1));
        assert!(scene.calls().is_empty() && records[0]["rules"].is_array());
    }
    let scene = holding(&[(ORDERS, &[stored("s", json!({}))])]).await;
    scene.sink.next([Fate::Failed]);
    let reply = scene.ask(Door::ApiGateway, &orders()).await;
    assert_eq!((reply.code(), reply.document.get("statements")), ("audit_unavailable", None));
}

/// `GET /grants?...` in the payload of a REST API or of version 1.0, and in that of version 2.0.
fn get(version: u8, query: &[(&str, &str)], body: Option<&str>) -> Vec<u8> {
    let object: serde_json::Map<String, Value> =
        query.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let arn = "arn:aws:iam::123456789012:user/ci";
    let event = if version == 1 {
        let mut lists = serde_json::Map::new();
        for (name, value) in query {
            lists.entry(*name).or_insert(json!([])).as_array_mut().unwrap().push(json!(value));
        }
        let (object, lists) = if query.is_empty() { (Value::Null, Value::Null) } else { (object.into(), lists.into()) };
        json!({
            "httpMethod": "GET", "queryStringParameters": object, "multiValueQueryStringParameters": lists,
            "requestContext": { "requestId": "r", "identity": { "userArn": arn } }, "body": body,
        })
    } else {
        let mut event = json!({
            "version": "2.0", "requestContext": {
                "requestId": "r", "http": { "method": "GET" }, "authorizer": { "iam": { "userArn": arn } },
            },
        });
        if !query.is_empty() {
            event["queryStringParameters"] = object.into();
        }
        if let Some(body) = body {
            event["body"] = json!(body);
        }
        event
    };
    event.to_string().into_bytes()
}

/// A query, the code or the outcome, and the status.
type Query<'a> = (&'a [(&'a str, &'a str)], &'a str, u64);

#[tokio::test]
async fn a_query_asks_for_a_read_and_for_nothing_else() {
    let function: &[_] = &[("FunctionName", "orders")];
    let layer: &[_] = &[("LayerName", "common"), ("VersionNumber", "1"), ("reason", "CHG-1 audit")];
    let cases: Vec<Query<'_>> = vec![
        (function, "read", 200),
        (layer, "read", 200),
        (&[("FunctionName", "orders:live")], "target_not_found", 404),
        (&[], "missing_field", 400),
        (&[("LayerName", "common")], "missing_field", 400),
        (&[("VersionNumber", "1")], "missing_field", 400),
        (&[("LayerName", "common"), ("VersionNumber", "one")], "wrong_type", 400),
        (&[("LayerName", "common"), ("VersionNumber", "1.0")], "wrong_type", 400),
        (&[("LayerName", "common"), ("VersionNumber", "1.5")], "wrong_type", 400),
        (&[("LayerName", "common"), ("VersionNumber", "1e0")], "wrong_type", 400),
        (&[("LayerName", "common"), ("VersionNumber", "+1")], "wrong_type", 400),
        (&[("LayerName", "common"), ("VersionNumber", "01")], "wrong_type", 400),
        (&[("LayerName", "common"), ("VersionNumber", " 1")], "wrong_type", 400),
        (&[("LayerName", "common"), ("VersionNumber", "-0")], "wrong_type", 400),
        (&[("LayerName", "common"), ("VersionNumber", "-1")], "invalid_version_number", 400),
        (&[("LayerName", "common"), ("VersionNumber", "0")], "invalid_version_number", 400),
        (&[("LayerName", "common"), ("VersionNumber", "")], "wrong_type", 400),
        (&[("FunctionName", "orders"), ("LayerName", "common"), ("VersionNumber", "1")], "unknown_field", 400),
        (&[("FunctionName", "")], "invalid_function", 400),
        (&[("FunctionName", "orders,billing")], "invalid_function", 400),
        (&[("FunctionName", "orders"), ("Qualifier", "$LATEST")], "invalid_qualifier", 400),
        (&[("FunctionName", "orders"), ("Qualifier", "")], "invalid_qualifier", 400),
        (&[("functionname", "orders")], "missing_field", 400),
        (&[("FunctionName", "orders"), ("operation", "RemovePermission")], "unknown_field", 400),
        (&[("FunctionName", "orders"), ("dryRun", "true")], "unknown_field", 400),
        (&[("FunctionName", "orders"), ("StatementId", "partner")], "unknown_field", 400),
        (&[("FunctionName", "orders"), ("reason", "a\nb")], "invalid_reason", 400),
        (&[("FunctionName", "payments")], "target_not_allowed", 403),
    ];
    for version in [1, 2] {
        for (query, ending, status) in &cases {
            let scene = holding(&[(ORDERS, &[stored("s", json!({}))]), (LAYER, &[layer_stored("s")])]).await;
            let reply = scene.invoke(&get(version, query, None)).await;
            assert_eq!((word(&reply.document), reply.http.unwrap().0), (*ending, *status), "{version} {query:?}");
            let record = scene.records().pop().unwrap();
            assert_eq!(record["requester"], "arn:aws:iam::123456789012:user/ci");
            let reason = if query.contains(&("reason", "CHG-1 audit")) { json!("CHG-1 audit") } else { json!(null) };
            assert_eq!(record["reason"], reason, "{query:?}");
            assert!(scene.calls().iter().all(|call| *call == "read"));
        }
        let scene = Scene::new().await;
        for (body, ending) in
            [(Some(""), "target_not_found"), (Some("{}"), "method_not_allowed"), (Some("e30="), "method_not_allowed")]
        {
            let reply = scene.invoke(&get(version, function, body)).await;
            assert_eq!(reply.code(), ending, "{body:?}");
        }
    }
}

/// REST APIs hand over the last of two equal names, and all of them only in a second list.
#[tokio::test]
async fn a_query_with_two_equal_names_is_refused() {
    let scene = Scene::new().await;
    let twice = [("FunctionName", "orders"), ("FunctionName", "billing")];
    assert_eq!(scene.invoke(&get(1, &twice, None)).await.code(), "duplicate_field");
    // More names than are kept might hide one.
    let names: Vec<String> = (0..80).map(|i| format!("x{i}")).collect();
    for version in [1, 2] {
        let mut query: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
        query.push(("FunctionName", "orders"));
        query.rotate_right(1);
        assert_eq!(scene.invoke(&get(version, &query, None)).await.code(), "unknown_field");
        let zeroes: Vec<_> = names.iter().map(|name| format!("0{name}")).collect();
        let query: Vec<_> =
            [("FunctionName", "orders")].into_iter().chain(zeroes.iter().map(|name| (name.as_str(), ""))).collect();
        assert_eq!(scene.invoke(&get(version, &query, None)).await.code(), "unknown_field");
    }
    assert!(scene.calls().is_empty());
}
