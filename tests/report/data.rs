//! What the page says of each statement: the parties, the rule or why none, and what is worth a look.

use serde_json::{Value, json};

use super::{LAYER, ORDERS, data, page, statement, world};
use crate::support::with;

/// What AWS stores of a grant to an account; null takes a member away.
fn stored(changes: Value) -> Value {
    let statement = json!({
        "Sid": "s", "Effect": "Allow", "Principal": { "AWS": "arn:aws:iam::210987654321:root" },
        "Action": "lambda:InvokeFunction", "Resource": ORDERS,
    });
    with(statement, changes)
}

fn service(name: &str, condition: Value) -> Value {
    stored(json!({ "Principal": { "Service": name }, "Condition": condition }))
}

fn equals(key: &str, value: &str) -> Value {
    json!({ "StringEquals": { key: value } })
}

/// A statement, its parties, the rule or the codes why none, and the findings.
type Case<'a> = (Value, &'a [&'a str], Result<&'a str, &'a [&'a str]>, &'a [&'a str]);

#[tokio::test]
async fn each_statement_is_told_with_its_parties_its_rule_and_its_findings() {
    const PARTNER: &str = "account:210987654321";
    let arn = |arn: &str| json!({ "ArnLike": { "AWS:SourceArn": arn } });
    let two = json!({ "AWS": ["arn:aws:iam::210987654321:root", "arn:aws:iam::999999999999:root"] });
    let cases: Vec<Case<'_>> = vec![
        (stored(json!({})), &[PARTNER], Ok("partner"), &[]),
        (
            stored(json!({ "Principal": { "AWS": "arn:aws:iam::999999999999:role/r" } })),
            &["account:999999999999"],
            Err(&["principal_not_allowed"]),
            &["noRule"],
        ),
        (stored(json!({ "Principal": "*" })), &["everyone"], Err(&["public_grant"]), &["noRule", "public"]),
        (
            stored(json!({ "Principal": "*", "Condition": equals("aws:PrincipalOrgID", "o-a1b2c3d4e5") })),
            &["organization:o-a1b2c3d4e5"],
            Ok("partner"),
            &[],
        ),
        (
            stored(json!({
                "Action": "lambda:InvokeFunctionUrl", "Condition": equals("lambda:FunctionUrlAuthType", "NONE"),
            })),
            &[PARTNER],
            Err(&["public_grant"]),
            &["noRule", "public"],
        ),
        (
            service("s3.amazonaws.com", arn("arn:aws:s3:::bucket")),
            &["service:s3.amazonaws.com"],
            Err(&["unconfined_service"]),
            &["noRule", "unconfined"],
        ),
        (
            service("s3.amazonaws.com", equals("AWS:SourceAccount", "210987654321")),
            &[PARTNER, "service:s3.amazonaws.com"],
            Ok("partner"),
            &[],
        ),
        // The wildcard has no account beside it: no grant has this form, and it confines nothing.
        (
            service("sns.amazonaws.com", arn("arn:aws:sns:us-east-1::*")),
            &["service:sns.amazonaws.com"],
            Err(&["invalid_source_arn"]),
            &["noRule", "unconfined", "form"],
        ),
        (
            stored(json!({ "Principal": { "AWS": "AROADBQP57FF2AEXAMPLE" } })),
            &["deleted:AROADBQP57FF2AEXAMPLE"],
            Err(&["dead_principal"]),
            &["noRule", "dead", "form"],
        ),
        (
            stored(json!({ "Principal": two })),
            &[PARTNER, "account:999999999999"],
            Err(&["foreign_statement"]),
            &["noRule", "form"],
        ),
        // No rule lets anybody grant this, but the source narrows it: it is open to nobody else.
        (
            stored(json!({ "Principal": "*", "Condition": equals("AWS:SourceAccount", "210987654321") })),
            &[PARTNER],
            Err(&["public_grant"]),
            &["noRule"],
        ),
        (
            stored(json!({ "NotAction": "lambda:GetFunction", "Action": null, "Principal": "*" })),
            &["everyone"],
            Err(&["foreign_statement"]),
            &["noRule", "public", "form"],
        ),
        // What takes access away opens nothing.
        (
            stored(json!({ "Effect": "Deny", "Principal": "*" })),
            &["everyone"],
            Err(&["foreign_statement"]),
            &["form", "deny"],
        ),
    ];
    for (stored, parties, judged, findings) in cases {
        let data = data(&page(world(&[(ORDERS, std::slice::from_ref(&stored))])).await);
        let told = statement(&data, 0);
        let but = stored.get("NotAction").map(|but| json!({ "NotAction": but }));
        let (action, condition) = (stored.get("Action").or(but.as_ref()), stored.get("Condition"));
        assert_eq!(told["principal"], stored["Principal"], "{stored}");
        assert_eq!((&told["action"], &told["condition"]), (action.unwrap(), condition.unwrap_or(&Value::Null)));
        assert_eq!(told["parties"], json!(parties), "{stored}");
        assert_eq!(told["findings"], json!(findings), "{stored}");
        match judged {
            Ok(rule) => assert_eq!(told["verdict"], rule, "{stored}"),
            Err(codes) => {
                let errors = told["verdict"].as_array().unwrap();
                let found: Vec<&Value> = errors.iter().map(|error| &error["code"]).collect();
                assert_eq!(json!(found), json!(codes), "{stored}");
                assert!(errors.iter().all(|error| error["detail"].as_str().is_some_and(|detail| detail.len() > 10)));
            }
        }
        // What the columns cannot say is there as a whole.
        let columns_are_all = !findings.contains(&"deny") && !told["fingerprint"].as_str().unwrap().is_empty();
        assert_eq!(told["whole"], if columns_are_all { Value::Null } else { stored.clone() }, "{stored}");
    }
}

/// The head of the page: where, when, by which allowlist, how much; and each policy with its size.
#[tokio::test]
async fn the_page_says_what_it_was_read_from() {
    let live = format!("{ORDERS}:live");
    let here = |resource: &str| stored(json!({ "Resource": resource }));
    let layer = with(here(LAYER), json!({ "Action": "lambda:GetLayerVersion" }));
    let broker = ORDERS.replace("orders", "permission-broker");
    let plane = world(&[
        (ORDERS, &[here(ORDERS), with(here(ORDERS), json!({ "Sid": "t" }))]),
        (&live, &[here(&live)]),
        (&broker, &[here(&broker)]),
        (LAYER, &[layer]),
    ]);
    let sizes: Vec<usize> =
        [ORDERS, &live, &broker, LAYER].iter().map(|arn| plane.policy(arn).unwrap().len()).collect();
    let data = data(&page(plane).await);
    assert_eq!(
        (&data["partition"], &data["region"], &data["account"]),
        (&json!("aws"), &json!("us-east-1"), &json!("123456789012"))
    );
    assert_eq!((&data["allowlist"], &data["rules"]), (&json!("the test's"), &json!(2)));
    assert_eq!((&data["limit"], &data["nearlyFull"]), (&json!(20_480), &json!(16_384)));
    assert_eq!(data["counts"], json!({ "functions": 3, "aliases": 1, "versions": 0, "layers": 1, "layerVersions": 2 }));
    assert_eq!((&data["unread"], &data["withVersions"], &data["prefix"]), (&json!([]), &json!(false), &json!("")));
    assert!(data["made"].as_str().unwrap().ends_with('Z'));
    assert_eq!(
        data["targets"],
        json!({
            "name": ["function:orders", "function:orders:live", "function:permission-broker", "layer:common:1"],
            "bytes": sizes, "statements": [2, 1, 1, 1],
        })
    );
    assert_eq!(data["statements"]["sid"], json!(["s", "t", "s", "s", "s"]));
    // The broker leaves its own policy alone, so no rule gives anything there.
    assert_eq!(statement(&data, 3)["verdict"][0]["code"], "target_not_allowed");
    assert_eq!(statement(&data, 4)["verdict"], "partner");
}

/// Fifty thousand statements are read as quickly as they are few: what comes again is kept once.
#[tokio::test]
async fn what_comes_again_is_kept_once() {
    let one = |n: usize| stored(json!({ "Sid": format!("s{n}") }));
    let statements: Vec<Value> = (0..40).map(one).collect();
    let few = page(world(&[(ORDERS, &statements[..1])])).await.len();
    let many = page(world(&[(ORDERS, &statements)])).await.len();
    assert!(many - few < 39 * 80, "{} bytes for a statement more", (many - few) / 39);
}

/// A statement that the broker made is known by its id.
#[tokio::test]
async fn what_the_broker_made_is_known() {
    let stage = permission_broker::local::stage::Stage::examples().await.unwrap();
    let event = crate::support::text("events/direct-grant-derived-id.json");
    stage.invoke("one", event.as_bytes()).await.unwrap();
    let world = stage.control_plane.to_world().unwrap();
    let data = data(&page(permission_broker::local::control_plane::ControlPlane::from_world(&world).unwrap()).await);
    assert_eq!(statement(&data, 0)["findings"], json!(["byBroker"]));
}
