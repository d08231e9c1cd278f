//! What goes over the wire: method, raw path, query and body as Lambda's model has them, every
//! parameter verbatim, signed.

use permission_broker::local::control_plane::Call;
use serde_json::{Value, json};

use crate::support::{Door, Scene, grant, layer_grant, writes};

const ORDERS: &str = "/2015-03-31/functions/orders/policy";
const COMMON: &str = "/2018-10-31/layers/common/versions/1/policy";

/// The write that a request makes.
async fn write_of(request: &Value) -> Call {
    let scene = Scene::new().await;
    scene.ask(Door::Direct, request).await;
    assert_eq!(writes(&scene.plane), 1, "{request}");
    scene.plane.calls().remove(0)
}

/// Parameters that travel in the body, beside the three that every grant has.
#[tokio::test]
async fn every_parameter_of_a_function_travels_in_the_body_as_it_was_given() {
    let s3 = "arn:aws:s3:::a-bucket/with spaces \"and\" \\ quotes?*";
    let cases = [
        json!({}),
        json!({ "StatementId": "A-z_9" }),
        json!({ "Action": "lambda:InvokeFunctionUrl", "FunctionUrlAuthType": "AWS_IAM" }),
        json!({ "Principal": "arn:aws:iam::210987654321:root" }),
        json!({ "Principal": "arn:aws:iam::210987654321:role/a/path/Reader+=,.@-_" }),
        json!({ "Principal": "arn:aws:iam::210987654321:user/ci" }),
        json!({ "Principal": "*", "PrincipalOrgID": "o-a1b2c3d4e5" }),
        json!({ "Principal": "s3.amazonaws.com", "SourceArn": s3, "SourceAccount": "210987654321" }),
        json!({
            "Principal": "sns.amazonaws.com",
            "SourceArn": "arn:aws:sns:eu-west-1:210987654321:topic",
        }),
        json!({
            "Principal": "alexa-appkit.amazon.com",
            "SourceAccount": "210987654321",
            "EventSourceToken": "amzn1.ask.skill.0f-_",
        }),
        json!({ "InvokedViaFunctionUrl": true }),
        json!({ "RevisionId": "a1b2c3d4-5678-90ab-cdef-EXAMPLE11111" }),
    ];
    for changes in cases {
        let request = grant(changes);
        let call = write_of(&request).await;
        assert_eq!((call.method.as_str(), call.path.as_str(), call.query.as_str()), ("POST", ORDERS, ""), "{request}");
        let mut expected = request["parameters"].clone();
        expected.as_object_mut().unwrap().remove("FunctionName");
        assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), expected);
    }
}

#[tokio::test]
async fn the_function_travels_in_the_path_and_the_qualifier_in_the_query() {
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:orders";
    let encoded = "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Aorders";
    let cases = [
        ("orders", None, ORDERS.to_owned(), ""),
        ("orders", Some("live"), ORDERS.to_owned(), "Qualifier=live"),
        ("orders", Some("2"), ORDERS.to_owned(), "Qualifier=2"),
        ("orders", Some("a$b"), ORDERS.to_owned(), "Qualifier=a%24b"),
        ("orders:live", None, "/2015-03-31/functions/orders%3Alive/policy".to_owned(), ""),
        ("orders:live", Some("live"), "/2015-03-31/functions/orders%3Alive/policy".to_owned(), "Qualifier=live"),
        (
            "123456789012:function:orders",
            None,
            "/2015-03-31/functions/123456789012%3Afunction%3Aorders/policy".to_owned(),
            "",
        ),
        (arn, Some("live"), format!("{encoded}/policy"), "Qualifier=live"),
        (&format!("{arn}:live"), None, format!("{encoded}%3Alive/policy"), ""),
    ];
    for (name, qualifier, path, query) in cases {
        let request = grant(json!({ "FunctionName": name, "Qualifier": qualifier }));
        let call = write_of(&request).await;
        assert_eq!((call.path, call.query.as_str()), (path, query), "{request}");
        let body: Value = serde_json::from_slice(&call.body).unwrap();
        let sent = json!({ "StatementId": "partner", "Action": "lambda:InvokeFunction", "Principal": "210987654321" });
        assert_eq!(body, sent);
    }
}

#[tokio::test]
async fn every_parameter_of_a_layer_version_travels_where_the_model_has_it() {
    let arn = "arn:aws:lambda:us-east-1:123456789012:layer:common";
    let by_arn = "/2018-10-31/layers/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Alayer%3Acommon/versions/3/policy";
    let cases = [
        (json!({}), COMMON, ""),
        (json!({ "Principal": "arn:aws:iam::210987654321:root" }), COMMON, ""),
        (json!({ "Principal": "*", "OrganizationId": "o-a1b2c3d4e5" }), COMMON, ""),
        (json!({ "RevisionId": "a1b2-EXAMPLE" }), COMMON, "RevisionId=a1b2-EXAMPLE"),
        (json!({ "RevisionId": "a&b=c" }), COMMON, "RevisionId=a%26b%3Dc"),
        (json!({ "LayerName": arn, "VersionNumber": 3 }), by_arn, ""),
    ];
    for (changes, path, query) in cases {
        let request = layer_grant(changes);
        let call = write_of(&request).await;
        assert_eq!((call.method.as_str(), call.path.as_str(), call.query.as_str()), ("POST", path, query));
        let mut expected = request["parameters"].clone();
        for name in ["LayerName", "VersionNumber", "RevisionId"] {
            expected.as_object_mut().unwrap().remove(name);
        }
        assert_eq!(serde_json::from_slice::<Value>(&call.body).unwrap(), expected);
    }
}

#[tokio::test]
async fn a_derived_statement_id_is_sent_like_a_given_one() {
    let call = write_of(&grant(json!({ "StatementId": null }))).await;
    let body: Value = serde_json::from_slice(&call.body).unwrap();
    let id = body["StatementId"].as_str().unwrap();
    assert_eq!((id.len(), &id[..7]), (39, "broker-"));
}

#[tokio::test]
async fn every_call_is_signed_for_lambda_and_says_its_type() {
    for request in [grant(json!({})), layer_grant(json!({}))] {
        let call = write_of(&request).await;
        let date = call.header("x-amz-date").unwrap();
        assert_eq!((date.len(), date.ends_with('Z')), (16, true));
        let scope = format!("Credential=AKIAIOSFODNN7EXAMPLE/{}/us-east-1/lambda/aws4_request", &date[..8]);
        let authorization = call.header("authorization").unwrap();
        assert!(authorization.starts_with(&format!("AWS4-HMAC-SHA256 {scope}")), "{authorization}");
        assert_eq!(call.header("content-type"), Some("application/json"));
        assert_eq!(call.header("content-length"), Some(call.body.len().to_string().as_str()));
    }
}

/// The read after a 409 has to look at the very policy that was written to.
#[tokio::test]
async fn a_read_names_the_target_as_the_write_did() {
    let function = "/2015-03-31/functions/orders%3Alive/policy";
    let cases = [
        (grant(json!({ "FunctionName": "orders:live", "Qualifier": "live" })), function, "Qualifier=live"),
        (grant(json!({ "Qualifier": "2" })), ORDERS, "Qualifier=2"),
        (layer_grant(json!({})), COMMON, ""),
    ];
    for (request, path, query) in cases {
        let scene = Scene::new().await;
        scene.ask(Door::Direct, &request).await;
        let again = scene.ask(Door::Direct, &request).await;
        assert_eq!(again.outcome(), "already_granted");
        let read = scene.plane.calls().pop().unwrap();
        assert_eq!((read.method.as_str(), read.path.as_str(), read.query.as_str()), ("GET", path, query));
        assert!(read.body.is_empty());
    }
}
