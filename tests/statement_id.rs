//! The statement id that is derived where none is given: one meaning, one id.

use std::collections::BTreeMap;

use permission_broker::asked::Asked;
use permission_broker::resource::Own;
use serde_json::{Value, json};

use crate::support::document::{add_layer_version_permission, add_permission, grant, without};

/// The id in the policy of a broker's account.
fn id_at(broker: &str, document: &Value) -> String {
    grant(&document.to_string()).unwrap().statement_id(&Own::parse(broker).unwrap()).as_str().to_owned()
}

fn id(document: &Value) -> String {
    id_at("arn:aws:lambda:us-east-1:123456789012:function:permission-broker", document)
}

fn function(changes: &Value) -> Value {
    without(add_permission(changes), "StatementId")
}

fn layer(changes: &Value) -> Value {
    without(add_layer_version_permission(changes), "StatementId")
}

#[test]
fn an_id_that_is_given_stays() {
    assert_eq!(id(&add_permission(&json!({ "StatementId": "Mine_1" }))), "Mine_1");
    assert_eq!(id(&add_layer_version_permission(&json!({ "StatementId": "Mine_1" }))), "Mine_1");
}

/// Policies outlive the broker that wrote them: another derivation would double every statement in them.
#[test]
fn a_derived_id_never_changes_and_is_one_that_aws_takes() {
    assert_eq!(id(&function(&json!({}))), "broker-9c495069d329ac9b8830e9345f29ff63");
    assert_eq!(id(&layer(&json!({}))), "broker-c6ee933072fccefad6741f3e697213a8");
    for document in [function(&json!({})), layer(&json!({}))] {
        let derived = id(&document);
        assert_eq!(id(&add_permission(&json!({ "StatementId": derived.clone() }))), derived);
    }
}

#[test]
fn the_same_meaning_has_the_same_id() {
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:orders";
    let layer_arn = "arn:aws:lambda:us-east-1:123456789012:layer:tools";
    for same in [
        vec![
            function(&json!({})),
            function(&json!({ "FunctionName": arn })),
            function(&json!({ "FunctionName": "123456789012:function:orders" })),
            function(&json!({ "FunctionName": "us-east-1:123456789012:function:orders" })),
            function(&json!({ "Principal": "arn:aws:iam::210987654321:root" })),
            function(&json!({ "RevisionId": "r" })),
        ],
        vec![
            function(&json!({ "Qualifier": "live" })),
            function(&json!({ "FunctionName": "orders:live" })),
            function(&json!({ "FunctionName": "orders:live", "Qualifier": "live" })),
            function(&json!({ "FunctionName": format!("{arn}:live") })),
            function(&json!({ "FunctionName": "123456789012:function:orders:live" })),
        ],
        vec![
            layer(&json!({})),
            layer(&json!({ "LayerName": layer_arn })),
            layer(&json!({ "Principal": "arn:aws:iam::210987654321:root" })),
            layer(&json!({ "RevisionId": "r" })),
        ],
    ] {
        for document in &same {
            assert_eq!(id(document), id(&same[0]), "{document}");
            let (mut dry, mut explained) = (document.clone(), document.clone());
            dry["dryRun"] = true.into();
            explained["reason"] = "CHG-1042".into();
            assert_eq!((id(&dry), id(&explained)), (id(document), id(document)), "{document}");
        }
    }
}

#[test]
fn any_changed_part_changes_the_id() {
    let url = "lambda:InvokeFunctionUrl";
    let account = json!({ "SourceAccount": "210987654321" });
    let functions = [
        json!({}),
        json!({ "FunctionName": "order" }),
        json!({ "FunctionName": "Orders" }),
        json!({ "Qualifier": "live" }),
        json!({ "Qualifier": "Live" }),
        json!({ "Qualifier": "1" }),
        json!({ "Action": "lambda:GetFunction" }),
        json!({ "Action": url }),
        json!({ "Action": url, "FunctionUrlAuthType": "AWS_IAM" }),
        json!({ "Action": url, "FunctionUrlAuthType": "NONE" }),
        json!({ "InvokedViaFunctionUrl": true }),
        json!({ "Principal": "210987654322" }),
        json!({ "Principal": "arn:aws:iam::210987654321:user/x" }),
        json!({ "Principal": "arn:aws:iam::210987654321:role/x" }),
        json!({ "Principal": "sns.amazonaws.com" }),
        json!({ "Principal": "*" }),
        json!({ "Principal": "*", "PrincipalOrgID": "o-a1b2c3d4e5" }),
        json!({ "PrincipalOrgID": "o-a1b2c3d4e5" }),
        json!({ "PrincipalOrgID": "o-a1b2c3d4e6" }),
        account.clone(),
        json!({ "SourceAccount": "210987654322" }),
        json!({ "SourceArn": "arn:aws:s3:::bucket" }),
        json!({ "SourceArn": "arn:aws:s3:::Bucket" }),
        json!({ "SourceArn": "arn:aws:s3:::bucket", "SourceAccount": "210987654321" }),
        json!({ "EventSourceToken": "token" }),
        json!({ "EventSourceToken": "345678901234" }),
        json!({ "EventSourceToken": "o-b1b2c3d4e5" }),
    ];
    let layers = [
        json!({}),
        json!({ "LayerName": "tool" }),
        json!({ "VersionNumber": 1 }),
        json!({ "VersionNumber": 33 }),
        json!({ "Principal": "210987654322" }),
        json!({ "Principal": "*" }),
        json!({ "Principal": "*", "OrganizationId": "o-a1b2c3d4e5" }),
        json!({ "Principal": "*", "OrganizationId": "o-a1b2c3d4e6" }),
    ];
    let mut seen: BTreeMap<String, Value> = BTreeMap::new();
    for document in functions.iter().map(function).chain(layers.iter().map(layer)) {
        if let Some(other) = seen.insert(id(&document), document.clone()) {
            panic!("the same id for {other} and {document}");
        }
    }
    assert_eq!(seen.len(), functions.len() + layers.len());
}

#[test]
fn where_the_broker_is_belongs_to_the_meaning_of_a_name() {
    let brokers = [
        "arn:aws:lambda:us-east-1:123456789012",
        "arn:aws:lambda:eu-west-1:123456789012",
        "arn:aws:lambda:us-east-1:210987654321",
    ];
    let ids = brokers.map(|broker| id_at(&format!("{broker}:function:permission-broker"), &function(&json!({}))));
    assert!(ids[0] != ids[1] && ids[0] != ids[2] && ids[1] != ids[2], "{ids:?}");
    // What the broker itself is called says nothing about the target.
    let renamed = id_at("arn:aws:lambda:us-east-1:123456789012:function:other:live", &function(&json!({})));
    assert_eq!(renamed, ids[0]);
}
