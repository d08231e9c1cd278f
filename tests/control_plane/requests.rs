//! How requests are read.

use super::*;

#[tokio::test]
async fn what_cannot_be_read_is_a_serialization_error() {
    let lambda = Lambda::new().await;
    let not_json = "The request body is not a JSON object";
    let cases = [
        ("{", not_json),
        ("nonsense", not_json),
        ("[]", not_json),
        ("\"text\"", not_json),
        ("null", not_json),
        ("{} {}", not_json),
        ("\u{feff}{}", not_json),
        (r#"{"StatementId":"\ud800"}"#, not_json),
        (r#"{"StatementId":1}"#, "NUMBER_VALUE can not be converted to a String"),
        (r#"{"StatementId":true}"#, "TRUE_VALUE can not be converted to a String"),
        (r#"{"Action":["lambda:*"]}"#, "START_ARRAY can not be converted to a String"),
        (r#"{"Principal":{"AWS":"*"}}"#, "START_OBJECT can not be converted to a String"),
        (r#"{"InvokedViaFunctionUrl":"true"}"#, "STRING_VALUE can not be converted to a Boolean"),
        (r#"{"InvokedViaFunctionUrl":1}"#, "NUMBER_VALUE can not be converted to a Boolean"),
        (r#"{"StatementId":"a","StatementId":"b"}"#, "A member is given twice"),
        (r#"{"StatementId":"a","\u0053tatementId":"b"}"#, "A member is given twice"),
    ];
    for (body, message) in cases {
        assert_error(&lambda.send("POST", FUNCTION, body).await, SERIALIZATION, message);
    }
    let uri = "The URI is not correctly percent-encoded";
    for target in
        ["/2015-03-31/functions/a%2/policy", "/2015-03-31/functions/a%zz/policy", "/2015-03-31/functions/%FF/policy"]
    {
        assert_error(&lambda.send("GET", target, "").await, SERIALIZATION, uri);
    }
    let twice = format!("{FUNCTION}?Qualifier=1&Qualifier=2");
    assert_error(&lambda.send("GET", &twice, "").await, SERIALIZATION, "A query parameter is given twice");
}

#[tokio::test]
async fn what_does_not_belong_to_the_operation_is_ignored() {
    let lambda = Lambda::new().await;
    // Qualifier belongs into the query, RevisionId of AddPermission into the body, OrganizationId to layers.
    let body = grant(json!({ "Qualifier": "nope", "OrganizationId": 5, "Unknown": {}, "statementId": "x" }));
    let target = format!("{FUNCTION}?RevisionId=stale&qualifier=42&Unknown");
    let reply = lambda.post(&target, &body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    assert!(reply.text("Statement").contains(&format!(r#""Resource":"{ARN}"}}"#)));
    // RevisionId of AddLayerVersionPermission belongs into the query.
    let body = layer_grant(json!({ "RevisionId": "stale", "PrincipalOrgID": 5 }));
    assert_eq!(lambda.post(LAYER, &body).await.status, 201);
    // A body of a removal is not read.
    assert_eq!(lambda.send("DELETE", &without(FUNCTION, "s3"), "nonsense").await.status, 204);
}

#[tokio::test]
async fn only_the_known_operations_exist() {
    let lambda = Lambda::new().await;
    let cases = [
        ("PUT", FUNCTION),
        ("PATCH", LAYER),
        ("DELETE", FUNCTION),
        ("GET", "/"),
        ("POST", "/2015-03-31/functions"),
        ("GET", "/2015-03-31/layers"),
        ("GET", "/2018-10-31/layers/"),
        ("PUT", "/2018-10-31/layers/my-layer/versions"),
        ("DELETE", "/2018-10-31/layers/my-layer/versions/1"),
        ("GET", "/2015-03-31/functions/my-function"),
        ("POST", "/2018-10-31/functions/my-function/policy"),
        ("GET", "/2015-03-31/layers/my-layer/versions/1/policy"),
        ("GET", "/2015-03-31/functions/my-function/policy/s3"),
        ("GET", "/2015-03-31/functions/a/b/policy"),
        ("GET", "//2015-03-31/functions/my-function/policy"),
    ];
    for (method, target) in cases {
        let reply = lambda.send(method, target, "").await;
        assert_error(&reply, "UnknownOperationException", "Unknown operation");
    }
    assert!(lambda.plane.calls().iter().all(|call| call.operation.is_none()));
}

#[tokio::test]
async fn an_unsigned_request_is_refused_first() {
    let lambda = Lambda::new().await;
    let scope = |service: &str| AUTHORIZATION.replace("/lambda/", service);
    let cases = [
        None,
        Some(String::new()),
        Some("Bearer token".into()),
        Some("AWS4-HMAC-SHA256".into()),
        Some(AUTHORIZATION.replace("AWS4-HMAC-SHA256", "AWS4-ECDSA-P256-SHA256")),
        Some(scope("/s3/")),
        Some(scope("/")),
        Some(AUTHORIZATION.replace("aws4_request", "aws4")),
        Some(AUTHORIZATION.replace("Signature=0123abcd", "Signature=")),
        Some(AUTHORIZATION.replace("SignedHeaders=host;x-amz-date, ", "")),
    ];
    for header in cases {
        let line = header.map_or_else(String::new, |value| format!("Authorization: {value}\r\n"));
        let target = FUNCTION;
        let text =
            format!("POST {target} HTTP/1.1\r\nHost: l\r\n{line}Content-Length: 1\r\nConnection: close\r\n\r\n{{");
        let reply = lambda.raw(&text).await.unwrap();
        assert_error(&reply, "MissingAuthenticationTokenException", "Missing Authentication Token");
    }
}
