//! What is refused.

use super::*;

#[tokio::test]
async fn add_permission_refuses_as_recorded() {
    let not_found = |rest: &str| format!("Function not found: arn:aws:lambda:us-west-2:123456789012:function:{rest}");
    let qualified = |qualifier: &str| with(FUNCTION, "Qualifier", qualifier);
    let url = json!({ "FunctionUrlAuthType": "NONE" });
    let url_only = "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action";
    let via = json!({ "InvokedViaFunctionUrl": true, "Action": "lambda:InvokeFunctionUrl" });
    let via_only = "InvokedViaFunctionUrl is only supported for lambda:InvokeFunction action";
    let region = "Functions from 'ap-southeast-1' are not reachable in this region ('us-west-2')";
    let other_account = ARN.replace("123456789012", "999999999999");
    let cases: Vec<(String, Value, &str, String)> = vec![
        (
            FUNCTION.into(),
            json!({ "StatementId": "example.com" }),
            VALIDATION,
            broken(&[pattern("example.com", "statementId", P_STATEMENT)]),
        ),
        (
            qualified("invalid-qualifier-with-?"),
            json!({}),
            VALIDATION,
            broken(&[pattern("invalid-qualifier-with-?", "qualifier", P_QUALIFIER)]),
        ),
        (with(&function("my-function:alias-not-42"), "Qualifier", "42"), json!({}), INVALID, DERIVED.into()),
        (qualified("$LATEST"), json!({}), INVALID, LATEST.into()),
        (function("my-function:$LATEST"), json!({}), INVALID, LATEST.into()),
        (qualified("$LATEST.PUBLISHED"), json!({}), INVALID, LATEST.into()),
        (FUNCTION.into(), json!({ "Principal": "invalid.nonaws.com" }), INVALID, PRINCIPAL.into()),
        (FUNCTION.into(), url, INVALID, url_only.into()),
        (FUNCTION.into(), via, INVALID, via_only.into()),
        (function("doesnotexist"), json!({}), NOT_FOUND, not_found("doesnotexist")),
        (
            function("arn:aws-cn:lambda:us-west-2:123456789012:function:my-function"),
            json!({}),
            NOT_FOUND,
            not_found("my-function"),
        ),
        (function(&"a".repeat(65)), json!({}), NOT_FOUND, not_found(&"a".repeat(65))),
        (qualified("42"), json!({}), NOT_FOUND, not_found("my-function:42")),
        (qualified("01"), json!({}), NOT_FOUND, not_found("my-function:01")),
        (
            qualified("alias-doesnotexist"),
            json!({}),
            NOT_FOUND,
            format!("Cannot find alias arn: {ARN}:alias-doesnotexist"),
        ),
        (
            qualified("valid-with-$-but-doesnotexist"),
            json!({}),
            NOT_FOUND,
            not_found("my-function:valid-with-$-but-doesnotexist"),
        ),
        (qualified("$latest"), json!({}), NOT_FOUND, not_found("my-function:$latest")),
        (
            function("my-function:$latest"),
            json!({}),
            VALIDATION,
            broken(&[pattern("my-function:$latest", "functionName", P_FUNCTION)]),
        ),
        (
            function("my-function:$LATES"),
            json!({}),
            VALIDATION,
            broken(&[pattern("my-function:$LATES", "functionName", P_FUNCTION)]),
        ),
        (function(&ARN.replace("us-west-2", "ap-southeast-1")), json!({}), NOT_FOUND, region.into()),
        (function(&other_account), json!({}), "AccessDeniedException", String::new()),
        (FUNCTION.into(), json!({ "StatementId": "taken" }), CONFLICT, taken("taken")),
        (FUNCTION.into(), json!({ "StatementId": "taken", "RevisionId": "stale" }), CONFLICT, taken("taken")),
        (FUNCTION.into(), json!({ "RevisionId": "stale" }), STALE, REVISION.into()),
        (qualified("1"), json!({ "RevisionId": "stale" }), STALE, REVISION.into()),
    ];
    let lambda = Lambda::new().await;
    lambda.add(FUNCTION, "taken").await;
    let before = lambda.plane.policies();
    for (target, changes, error, message) in cases {
        let reply = lambda.post(&target, &grant(changes)).await;
        assert_error(&reply, error, &message);
    }
    assert_eq!(lambda.plane.policies(), before);
}

#[tokio::test]
async fn only_principals_that_aws_takes_are_taken() {
    let lambda = Lambda::new().await;
    let refused = [
        "invalid.nonaws.com",
        "amazonaws.com",
        ".amazonaws.com",
        "S3.amazonaws.com",
        "s3..amazonaws.com",
        "s3.amazonaws.com.evil.com",
        "s3.amazonaws.com.cn",
        "12345678901",
        "1234567890123",
        "１２３４５６７８９０１２",
        "arn:aws-cn:iam::123456789012:root",
        "arn:aws:iam::123456789012:group/g",
        "arn:aws:iam::123456789012:user/",
        "arn:aws:iam::123456789012:role/a/",
        "arn:aws:iam::12345678901:role/a",
        "arn:aws:iam::*:role/a",
        "arn:aws:iam::123456789012:role/*",
        "arn:aws-cn:iam::123456789012:role/a",
        "arn:aws:sts::123456789012:role/a",
        "arn:aws:iam:us-west-2:123456789012:role/a",
        "**",
        "s3",
        "arn:",
    ];
    for principal in refused {
        let reply = lambda.post(FUNCTION, &grant(json!({ "Principal": principal }))).await;
        assert_error(&reply, INVALID, PRINCIPAL);
    }
}

#[tokio::test]
async fn removal_and_reading_refuse_as_recorded() {
    let lambda = Lambda::new().await;
    lambda.add(FUNCTION, "s3").await;
    let version_2 = with(FUNCTION, "Qualifier", "2");
    let gone = "arn:aws:lambda:us-west-2:123456789012:function:doesnotexist";
    let remove = |name: &str, qualifier: &str| match qualifier {
        "" => without(&function(name), "s3"),
        qualifier => with(&without(&function(name), "s3"), "Qualifier", qualifier),
    };
    let other_account = ARN.replace("123456789012", "999999999999");
    let other_region = ARN.replace("us-west-2", "ap-southeast-1");
    let region = "Functions from 'ap-southeast-1' are not reachable in this region ('us-west-2')";
    let no_alias = format!("Cannot find alias arn: {ARN}:alias-doesnotexist");
    let cases: Vec<(&str, String, &str, String)> = vec![
        ("DELETE", remove("doesnotexist", ""), NOT_FOUND, format!("No policy found for: {gone}")),
        ("DELETE", remove("my-function", "1"), NOT_FOUND, NO_POLICY.into()),
        ("DELETE", remove("my-function", "$LATEST"), NOT_FOUND, NO_POLICY.into()),
        ("DELETE", remove("my-function", "alias-doesnotexist"), NOT_FOUND, no_alias),
        ("DELETE", remove("my-function", "42"), NOT_FOUND, format!("Function not found: {ARN}:42")),
        ("DELETE", remove("my-function:live", "1"), INVALID, DERIVED.into()),
        ("DELETE", remove(&other_account, ""), "AccessDeniedException", String::new()),
        ("DELETE", remove(&other_region, ""), NOT_FOUND, region.into()),
        (
            "DELETE",
            without(FUNCTION, "non-existent"),
            NOT_FOUND,
            "Statement non-existent is not found in resource policy.".into(),
        ),
        (
            "DELETE",
            without(FUNCTION, "with.dots"),
            NOT_FOUND,
            "Statement with.dots is not found in resource policy.".into(),
        ),
        ("DELETE", with(&without(FUNCTION, "s3"), "RevisionId", "stale"), STALE, REVISION.into()),
        ("DELETE", without(FUNCTION, "a b"), VALIDATION, broken(&[pattern("a b", "statementId", P_REMOVED)])),
        ("GET", function("doesnotexist"), NOT_FOUND, GONE.into()),
        ("GET", version_2, NOT_FOUND, GONE.into()),
        ("GET", with(FUNCTION, "Qualifier", "42"), NOT_FOUND, GONE.into()),
        ("GET", with(FUNCTION, "Qualifier", "alias-doesnotexist"), NOT_FOUND, GONE.into()),
        ("GET", with(FUNCTION, "Qualifier", "$LATEST"), NOT_FOUND, GONE.into()),
        ("GET", with(&function("my-function:live"), "Qualifier", "1"), INVALID, DERIVED.into()),
        ("GET", function(&other_account), NOT_FOUND, GONE.into()),
        ("GET", function(&other_region), NOT_FOUND, region.into()),
        ("GET", with(FUNCTION, "Qualifier", "?"), VALIDATION, broken(&[pattern("?", "qualifier", P_QUALIFIER)])),
    ];
    for (method, target, error, message) in cases {
        assert_error(&lambda.send(method, &target, "").await, error, &message);
    }
    assert_eq!(lambda.plane.policies().len(), 1);
}

#[tokio::test]
async fn layer_operations_refuse_as_recorded() {
    let lambda = Lambda::new().await;
    let does_not_exist =
        |rest: &str| format!("Layer version arn:aws:lambda:us-west-2:123456789012:layer:{rest} does not exist.");
    let foreign = "arn:aws:lambda:us-west-2:999999999999:layer:my-layer";
    let elsewhere = "arn:aws:lambda:eu-west-1:123456789012:layer:my-layer";
    let everywhere: Vec<(String, &str, String)> = vec![
        (layer("my-layer", "2"), NOT_FOUND, does_not_exist("my-layer:2")),
        (layer("doesnotexist", "1"), NOT_FOUND, does_not_exist("doesnotexist:1")),
        (layer("my-layer", "0"), INVALID, "Layer Version Cannot be less than 1".into()),
        (layer("my-layer", "-1"), INVALID, "Layer Version Cannot be less than 1".into()),
        (layer("my-layer", "one"), SERIALIZATION, "STRING_VALUE can not be converted to a Long".into()),
        (layer("my-layer", "9223372036854775808"), SERIALIZATION, "STRING_VALUE can not be converted to a Long".into()),
        (layer("my-layer", "9223372036854775807"), NOT_FOUND, does_not_exist("my-layer:9223372036854775807")),
        (layer(foreign, "1"), "AccessDeniedException", String::new()),
        (layer(elsewhere, "1"), NOT_FOUND, format!("Layer version {elsewhere}:1 does not exist.")),
    ];
    for (target, error, message) in everywhere {
        assert_error(&lambda.add(&target, "s3").await, error, &message);
        assert_error(&lambda.send("GET", &target, "").await, error, &message);
        assert_error(&lambda.send("DELETE", &without(&target, "s3"), "").await, error, &message);
    }
    assert_error(&lambda.send("GET", LAYER, "").await, NOT_FOUND, NO_POLICY);
    assert_error(&lambda.send("DELETE", &without(LAYER, "s3"), "").await, NOT_FOUND, NO_POLICY);
    let stale = with(LAYER, "RevisionId", "stale");
    assert_error(&lambda.add(&stale, "s3").await, STALE, LAYER_REVISION);

    assert_eq!(lambda.add(&layer("arn:aws:lambda:us-west-2:123456789012:layer:my-layer", "1"), "s3").await.status, 201);
    assert_error(&lambda.add(LAYER, "s3").await, CONFLICT, &taken("s3"));
    assert_error(&lambda.add(&stale, "other").await, STALE, LAYER_REVISION);
    let remove = without(LAYER, "s3");
    assert_error(&lambda.send("DELETE", &with(&remove, "RevisionId", "stale"), "").await, STALE, LAYER_REVISION);
    let unknown = "Statement non-existent is not found in resource policy.";
    assert_error(&lambda.send("DELETE", &without(LAYER, "non-existent"), "").await, NOT_FOUND, unknown);
    let dots = broken(&[pattern("a.b", "statementId", P_STATEMENT)]);
    assert_error(&lambda.send("DELETE", &without(LAYER, "a.b"), "").await, VALIDATION, &dots);
    for (changes, error, message) in [
        (json!({ "Action": "*" }), VALIDATION, broken(&[pattern("*", "action", P_LAYER_ACTION)])),
        (json!({ "Principal": "arn:aws-cn:iam::123456789012:root" }), INVALID, PRINCIPAL.into()),
        (
            json!({ "Principal": "123456789012", "OrganizationId": "o-1234567890" }),
            INVALID,
            "OrganizationId is only supported with the principal *".into(),
        ),
    ] {
        assert_error(&lambda.post(LAYER, &layer_grant(changes)).await, error, &message);
    }
}
