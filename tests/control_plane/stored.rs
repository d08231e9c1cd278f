//! What is stored.

use super::*;

#[tokio::test]
async fn statements_are_stored_as_recorded() {
    let user = "arn:aws:iam::123456789012:user/team/x";
    let role = "arn:aws:iam::123456789012:role/x";
    let root = r#"{"AWS":"arn:aws:iam::123456789012:root"}"#;
    let invoke = "lambda:InvokeFunction";
    let url = "lambda:InvokeFunctionUrl";
    // Changes to the plain grant, then how Principal, Action and Condition are stored.
    let cases = [
        (json!({}), r#"{"Service":"s3.amazonaws.com"}"#, invoke, ""),
        (json!({ "Principal": "alexa-appkit.amazon.com" }), r#"{"Service":"alexa-appkit.amazon.com"}"#, invoke, ""),
        (
            json!({ "Principal": "alexa-connectedhome.amazon.com", "EventSourceToken": "amzn1.ask-skill" }),
            r#"{"Service":"alexa-connectedhome.amazon.com"}"#,
            invoke,
            r#"{"StringEquals":{"lambda:EventSourceToken":"amzn1.ask-skill"}}"#,
        ),
        (json!({ "Principal": "123456789012" }), root, invoke, ""),
        (json!({ "Principal": "arn:aws:iam::123456789012:root" }), root, invoke, ""),
        (json!({ "Principal": user }), &format!(r#"{{"AWS":"{user}"}}"#), invoke, ""),
        (json!({ "Principal": role }), &format!(r#"{{"AWS":"{role}"}}"#), invoke, ""),
        (json!({ "Principal": "*", "Action": "*" }), r#""*""#, "*", ""),
        (json!({ "Principal": "123456789012", "Action": "lambda:*" }), root, "lambda:*", ""),
        (
            json!({ "SourceArn": "arn:aws:s3:::test-bucket" }),
            r#"{"Service":"s3.amazonaws.com"}"#,
            invoke,
            r#"{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::test-bucket"}}"#,
        ),
        (
            // AWS does not ask whether the source belongs to the service, nor whose it is.
            json!({ "Principal": "sqs.amazonaws.com", "SourceArn": "arn:aws:s3:eu-west-1:999999999999:b", "SourceAccount": "999999999999" }),
            r#"{"Service":"sqs.amazonaws.com"}"#,
            invoke,
            r#"{"StringEquals":{"AWS:SourceAccount":"999999999999"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:eu-west-1:999999999999:b"}}"#,
        ),
        (
            json!({ "Principal": "*", "PrincipalOrgID": "o-1234567890" }),
            r#""*""#,
            invoke,
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-1234567890"}}"#,
        ),
        (
            json!({ "Principal": "*", "PrincipalOrgID": "o-1234567890", "EventSourceToken": "token" }),
            r#""*""#,
            invoke,
            r#"{"StringEquals":{"lambda:EventSourceToken":"token","aws:PrincipalOrgID":"o-1234567890"}}"#,
        ),
        (
            json!({ "Principal": role, "Action": url, "FunctionUrlAuthType": "NONE" }),
            &format!(r#"{{"AWS":"{role}"}}"#),
            url,
            r#"{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}"#,
        ),
        (
            json!({ "Principal": "*", "InvokedViaFunctionUrl": true }),
            r#""*""#,
            invoke,
            r#"{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}"#,
        ),
        (
            json!({ "Principal": "*", "InvokedViaFunctionUrl": false }),
            r#""*""#,
            invoke,
            r#"{"Bool":{"lambda:InvokedViaFunctionUrl":"false"}}"#,
        ),
        (
            json!({
                "Principal": "*", "Action": url, "FunctionUrlAuthType": "NONE", "SourceAccount": "123456789012",
                "SourceArn": "arn:aws:s3:::test-bucket", "PrincipalOrgID": "o-1234567890",
            }),
            r#""*""#,
            url,
            r#"{"StringEquals":{"AWS:SourceAccount":"123456789012","lambda:FunctionUrlAuthType":"NONE","aws:PrincipalOrgID":"o-1234567890"},"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::test-bucket"}}"#,
        ),
    ];
    for (changes, principal, action, condition) in cases {
        let lambda = Lambda::new().await;
        let reply = lambda.post(FUNCTION, &grant(changes)).await;
        let condition = match condition {
            "" => String::new(),
            condition => format!(r#","Condition":{condition}"#),
        };
        let statement = format!(
            r#"{{"Sid":"s3","Effect":"Allow","Principal":{principal},"Action":"{action}","Resource":"{ARN}"{condition}}}"#
        );
        assert_eq!(reply.status, 201, "{reply:?}");
        assert_eq!(reply.json(), json!({ "Statement": statement }));
        let document = format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{statement}]}}"#);
        assert_eq!(lambda.plane.policy(ARN), Some(document.clone()));
        let shown = lambda.send("GET", FUNCTION, "").await;
        assert_eq!((shown.status, shown.text("Policy")), (200, document));
    }
}

#[tokio::test]
async fn layer_statements_are_stored_as_documented() {
    let root = "arn:aws:iam::123456789012:root";
    let cases = [
        (json!({}), r#""*""#.to_owned(), ""),
        (json!({ "Principal": "123456789012" }), format!(r#"{{"AWS":"{root}"}}"#), ""),
        (json!({ "Principal": root }), format!(r#"{{"AWS":"{root}"}}"#), ""),
        (
            json!({ "OrganizationId": "o-1234567890" }),
            r#""*""#.to_owned(),
            r#","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1234567890"}}"#,
        ),
    ];
    for (changes, principal, condition) in cases {
        let lambda = Lambda::new().await;
        let reply = lambda.post(LAYER, &layer_grant(changes)).await;
        let statement = format!(
            r#"{{"Sid":"s3","Effect":"Allow","Principal":{principal},"Action":"lambda:GetLayerVersion","Resource":"{LAYER_ARN}"{condition}}}"#
        );
        assert_eq!((reply.status, reply.text("Statement")), (201, statement.clone()));
        let shown = lambda.send("GET", LAYER, "").await;
        let document = format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{statement}]}}"#);
        assert_eq!((shown.status, shown.text("Policy")), (200, document));
        assert_eq!(shown.text("RevisionId"), reply.text("RevisionId"));
    }
}

#[tokio::test]
async fn a_root_is_in_the_partition_of_the_endpoint() {
    let plane = ControlPlane::new("aws-cn", "cn-north-1", "123456789012");
    plane.add_function("f", &[], &[]);
    let lambda = Lambda::of(plane).await;
    for (sid, principal, stored) in [
        ("a", "210987654321", "arn:aws-cn:iam::210987654321:root"),
        ("b", "ec2.amazonaws.com.cn", "ec2.amazonaws.com.cn"),
        ("c", "arn:aws-cn:iam::210987654321:role/r", "arn:aws-cn:iam::210987654321:role/r"),
    ] {
        let body = grant(json!({ "StatementId": sid, "Principal": principal }));
        let reply = lambda.post(&function("f"), &body).await;
        assert_eq!(reply.status, 201, "{reply:?}");
        assert!(reply.text("Statement").contains(&format!(r#":"{stored}"}}"#)), "{reply:?}");
    }
}

#[tokio::test]
async fn the_qualifier_is_part_of_the_resource_wherever_it_stands() {
    let cases = [
        (function("my-function"), ARN.to_owned()),
        (function("function:my-function"), ARN.to_owned()),
        (function("123456789012:my-function"), ARN.to_owned()),
        (function("123456789012:function:my-function"), ARN.to_owned()),
        (function("us-west-2:123456789012:function:my-function"), ARN.to_owned()),
        (function(ARN), ARN.to_owned()),
        (with(FUNCTION, "Qualifier", "1"), format!("{ARN}:1")),
        (function("my-function:1"), format!("{ARN}:1")),
        (function(&format!("{ARN}:2")), format!("{ARN}:2")),
        (with(FUNCTION, "Qualifier", "live"), format!("{ARN}:live")),
        (function("my-function:live"), format!("{ARN}:live")),
        (with(&function("my-function:live"), "Qualifier", "live"), format!("{ARN}:live")),
        // $LATEST takes no policy, but an alias that points to it does.
        (with(FUNCTION, "Qualifier", "edge"), format!("{ARN}:edge")),
    ];
    for (target, resource) in cases {
        let lambda = Lambda::new().await;
        let reply = lambda.add(&target, "s3").await;
        assert_eq!(reply.status, 201, "{target} {reply:?}");
        assert!(reply.text("Statement").contains(&format!(r#""Resource":"{resource}""#)));
        let policies = lambda.plane.policies();
        assert_eq!(policies.len(), 1);
        assert_eq!(policies[0].0, resource);
    }
    // Without a name after it, and as a layer without a version, an ARN is still a function name to AWS.
    let plane = ControlPlane::new("aws", "us-west-2", "123456789012");
    plane.add_function("function", &[], &[]).add_function("layer", &[], &[("my-layer", "$LATEST")]);
    let lambda = Lambda::of(plane).await;
    for name in
        ["arn:aws:lambda:us-west-2:123456789012:function", "arn:aws:lambda:us-west-2:123456789012:layer:my-layer"]
    {
        assert_eq!(lambda.add(&function(name), "s3").await.status, 201, "{name}");
    }
}

#[tokio::test]
async fn function_version_and_alias_have_policies_of_their_own() {
    let lambda = Lambda::new().await;
    assert_eq!(lambda.add(FUNCTION, "s3").await.status, 201);
    let revision = lambda.send("GET", FUNCTION, "").await.text("RevisionId");
    for qualifier in ["1", "2", "live"] {
        let target = with(FUNCTION, "Qualifier", qualifier);
        assert_eq!(lambda.add(&target, "s3").await.status, 201);
        assert_error(&lambda.add(&target, "s3").await, CONFLICT, &taken("s3"));
    }
    assert_eq!(lambda.send("GET", FUNCTION, "").await.text("RevisionId"), revision);
    assert_eq!(lambda.plane.policies().len(), 4);
    // A version published later starts without a policy.
    lambda.plane.add_function("my-function", &[3], &[]);
    let version = with(FUNCTION, "Qualifier", "3");
    assert_error(&lambda.send("GET", &version, "").await, NOT_FOUND, GONE);
}

#[tokio::test]
async fn statements_keep_their_order_and_the_last_one_takes_the_policy_with_it() {
    for (target, gone) in [(FUNCTION, GONE), (LAYER, NO_POLICY)] {
        let lambda = Lambda::new().await;
        for sid in ["b", "a", "c"] {
            assert_eq!(lambda.add(target, sid).await.status, 201);
        }
        assert_eq!(sids(&lambda.send("GET", target, "").await), ["b", "a", "c"]);
        for sid in ["a", "b", "c"] {
            let reply = lambda.send("DELETE", &without(target, sid), "").await;
            assert_eq!((reply.status, reply.body.as_str()), (204, ""));
        }
        assert_error(&lambda.send("GET", target, "").await, NOT_FOUND, gone);
        assert_error(&lambda.send("DELETE", &without(target, "c"), "").await, NOT_FOUND, NO_POLICY);
    }
}
