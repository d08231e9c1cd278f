//! A layer gets its next version, as the service model says it; the answers are those of AWS without the content.

use permission_broker::local::control_plane::ControlPlane;
use serde_json::{Value, json};

use super::{
    INVALID, LAYER, Lambda, NOT_FOUND, Reply, SERIALIZATION, VALIDATION, assert_error, encode, longer, missing,
};

/// The smallest zip: no file in it.
const ZIP: &str = "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA==";
const LAYER_ARN: &str = "arn:aws:lambda:us-west-2:123456789012:layer";
const GONE: &str = "The resource you requested does not exist.";

fn versions(name: &str) -> String {
    format!("/2018-10-31/layers/{}/versions", encode(name))
}

async fn publish(lambda: &Lambda, name: &str, body: &Value) -> Reply {
    lambda.post(&versions(name), body).await
}

fn zip() -> Value {
    json!({ "Content": { "ZipFile": ZIP } })
}

#[tokio::test]
async fn versions_count_up_and_have_no_policy_of_the_one_before() {
    let lambda = Lambda::new().await;
    assert_eq!(lambda.add(LAYER, "s3").await.status, 201);
    let object = json!({ "S3Bucket": "b", "S3Key": "k", "S3ObjectVersion": "1" });
    let by_arn = format!("{LAYER_ARN}:my-layer");
    let cases = [
        ("my-layer", zip(), "my-layer", 2),
        ("my-layer", json!({ "Content": object }), "my-layer", 3),
        (&by_arn, zip(), "my-layer", 4),
        ("new", zip(), "new", 1),
    ];
    for (asked, body, name, version) in cases {
        let reply = publish(&lambda, asked, &body).await;
        let known = json!({
            "LayerArn": format!("{LAYER_ARN}:{name}"),
            "LayerVersionArn": format!("{LAYER_ARN}:{name}:{version}"),
            "Version": version,
        });
        let mut told = known.clone();
        told["Description"] = json!("");
        assert_eq!((reply.status, reply.json()), (201, told), "{asked}");
        let one = format!("{}/{version}", versions(asked));
        let shown = lambda.send("GET", &one, "").await;
        assert_eq!((shown.status, shown.json()), (200, known));
        let policy = lambda.send("GET", &format!("{one}/policy"), "").await;
        assert_error(&policy, NOT_FOUND, super::NO_POLICY);
    }
    let listed = lambda.send("GET", &versions("my-layer"), "").await.json();
    let listed: Vec<_> = listed["LayerVersions"].as_array().unwrap().iter().map(|it| it["Version"].clone()).collect();
    assert_eq!(json!(listed), json!([4, 3, 2, 1]));
    assert_eq!(lambda.plane.policies().len(), 1);
    // Beside the content, AWS's other members are taken.
    let more = json!({ "Content": { "ZipFile": ZIP }, "Description": "d", "LicenseInfo": "MIT",
        "CompatibleRuntimes": ["python3.13"], "CompatibleArchitectures": ["arm64"] });
    let told = publish(&lambda, "new", &more).await.json();
    assert_eq!((&told["Version"], &told["Description"], &told["LicenseInfo"]), (&json!(2), &json!("d"), &json!("MIT")));
    // What was published is part of the world.
    let again = ControlPlane::from_world(&lambda.plane.to_world().unwrap()).unwrap();
    assert_eq!(again.to_world().unwrap(), lambda.plane.to_world().unwrap());
}

#[tokio::test]
async fn what_is_no_version_is_refused() {
    let lambda = Lambda::new().await;
    let either = "Please provide either ZipFile, or S3Bucket and S3Key";
    let unzip = "Could not unzip uploaded file. Please check your file, then try to upload again.";
    let content = |content: Value| json!({ "Content": content });
    let broken = |violation: String| super::broken(&[violation]);
    let cases = [
        (content(json!({})), INVALID, either.to_owned()),
        (content(json!({ "S3Bucket": "b" })), INVALID, either.to_owned()),
        (content(json!({ "S3Key": "k" })), INVALID, either.to_owned()),
        (content(json!({ "ZipFile": ZIP, "S3Bucket": "b", "S3Key": "k" })), INVALID, either.to_owned()),
        (content(json!({ "ZipFile": "aGVsbG8=" })), INVALID, unzip.to_owned()),
        (content(json!({ "ZipFile": "" })), INVALID, unzip.to_owned()),
        (content(json!({ "ZipFile": "*" })), SERIALIZATION, "Content cannot be read".to_owned()),
        (content(json!({ "ZipFile": 1 })), SERIALIZATION, "Content cannot be read".to_owned()),
        (json!({ "Content": "x" }), SERIALIZATION, "STRING_VALUE can not be converted to a Structure".to_owned()),
        (json!({}), VALIDATION, broken(missing("content"))),
        (
            json!({ "Content": { "ZipFile": ZIP }, "Description": "d".repeat(257) }),
            VALIDATION,
            broken(longer(&"d".repeat(257), "description", 256)),
        ),
    ];
    for (body, error, message) in cases {
        assert_error(&publish(&lambda, "my-layer", &body).await, error, &message);
    }
    let elsewhere = LAYER_ARN.replace("us-west-2", "eu-west-1") + ":my-layer";
    assert_error(&publish(&lambda, &elsewhere, &zip()).await, NOT_FOUND, GONE);
    let foreign = LAYER_ARN.replace("123456789012", "999999999999") + ":my-layer";
    assert_eq!(publish(&lambda, &foreign, &zip()).await.status, 403);
    for (name, version) in [("my-layer", "2"), ("no-layer", "1")] {
        let reply = lambda.send("GET", &format!("{}/{version}", versions(name)), "").await;
        assert_error(&reply, NOT_FOUND, GONE);
    }
    let zero = lambda.send("GET", &format!("{}/0", versions("my-layer")), "").await;
    assert_error(&zero, INVALID, "Layer Version Cannot be less than 1");
    let world: Value = serde_json::from_str(&lambda.plane.to_world().unwrap()).unwrap();
    assert_eq!(world["layers"], json!({ "my-layer": [1] }), "nothing was published");
}

/// A version that cannot be kept on disk was not published.
#[tokio::test]
async fn what_cannot_be_kept_is_not_published() {
    let lambda = Lambda::new().await;
    lambda.plane.keep_at(Some("no-such-folder/state.json".into()));
    for name in ["my-layer", "new"] {
        assert_eq!(publish(&lambda, name, &zip()).await.status, 500);
    }
    let world: Value = serde_json::from_str(&lambda.plane.to_world().unwrap()).unwrap();
    assert_eq!(world["layers"], json!({ "my-layer": [1] }));
}
