//! Every limit at both edges, and the size of a policy.

use super::*;

/// Sends the value where the member travels and gives back the answer.
async fn send_member(lambda: &Lambda, operation: Operation, member: &str, value: &str) -> Reply {
    let name = if member == "FunctionName" { value } else { "my-function" };
    let layer_name = if member == "LayerName" { value } else { "my-layer" };
    let sid = if member == "StatementId" { value } else { "s3" };
    let target = match operation {
        Operation::AddPermission | Operation::GetPolicy => function(name),
        Operation::RemovePermission => without(&function(name), sid),
        Operation::AddLayerVersionPermission | Operation::GetLayerVersionPolicy => layer(layer_name, "1"),
        Operation::RemoveLayerVersionPermission => without(&layer(layer_name, "1"), sid),
        Operation::CreateSchedule | Operation::GetSchedule | Operation::DeleteSchedule => "/schedules/one".to_owned(),
        other => panic!("the members of {other} are looked at elsewhere"),
    };
    let target = match member {
        "Qualifier" => with(&target, member, value),
        _ => target,
    };
    let mut changes = json!({});
    if !["FunctionName", "LayerName", "Qualifier"].contains(&member) {
        changes[member] = json!(value);
    }
    if member == "FunctionUrlAuthType" {
        changes["Action"] = json!("lambda:InvokeFunctionUrl");
    }
    match operation {
        Operation::AddPermission => lambda.post(&target, &grant(changes)).await,
        Operation::AddLayerVersionPermission => lambda.post(&target, &layer_grant(changes)).await,
        Operation::GetPolicy | Operation::GetLayerVersionPolicy => lambda.send("GET", &target, "").await,
        _ => lambda.send("DELETE", &target, "").await,
    }
}

/// Operation, member, and a value with what it breaks.
type Broken = (Operation, &'static str, (String, Vec<String>));

#[tokio::test]
async fn every_limit_holds_at_both_edges() {
    use Operation::{
        AddLayerVersionPermission as AddLayer, AddPermission as Add, GetLayerVersionPolicy as GetLayer,
        GetPolicy as Get, RemoveLayerVersionPermission as RemoveLayer, RemovePermission as Remove,
    };
    let a = |count: usize| "a".repeat(count);
    let mut good: Vec<(Operation, &str, String)> = vec![
        (Add, "StatementId", a(1)),
        (Add, "StatementId", a(100)),
        (Add, "StatementId", "aZ09-_".into()),
        (Add, "Action", "lambda:a".into()),
        (Add, "Action", format!("lambda:{}", a(9993))),
        (Add, "Principal", a(1)),
        (Add, "Principal", a(2048)),
        (Add, "Principal", "é".repeat(2048)),
        (Add, "SourceArn", "arn:aws:s3:::".into()),
        (Add, "SourceArn", format!("arn:aws:s3:::{}", a(9987))),
        (Add, "SourceArn", "arn:aws-us-gov:sqs:us-gov-west-1:123456789012:q".into()),
        (Add, "SourceArn", "arn:aws-iso-b:sqs:us-isob-east-1:123456789012:q".into()),
        (Add, "SourceArn", "arn:aws-eusc:sqs:eusc-de-east-1:123456789012:q".into()),
        (Add, "FunctionUrlAuthType", "NONE".into()),
        (Add, "FunctionUrlAuthType", "AWS_IAM".into()),
        (Add, "SourceAccount", "123456789012".into()),
        (Add, "EventSourceToken", a(1)),
        (Add, "EventSourceToken", a(256)),
        (Add, "EventSourceToken", "._-".into()),
        (Add, "RevisionId", String::new()),
        (Add, "PrincipalOrgID", format!("o-{}", a(10))),
        (Add, "PrincipalOrgID", format!("o-{}", a(32))),
        (AddLayer, "StatementId", a(1)),
        (AddLayer, "StatementId", a(100)),
        (AddLayer, "Action", "lambda:GetLayerVersion".into()),
        (AddLayer, "Principal", "123456789012".into()),
        (AddLayer, "Principal", format!("arn:aws{}:iam::123456789012:root", a(9970))),
        (AddLayer, "OrganizationId", format!("o-{}", a(10))),
        (AddLayer, "OrganizationId", format!("o-{}", a(32))),
        (Remove, "StatementId", a(1)),
        (Remove, "StatementId", a(100)),
        (Remove, "StatementId", "a.b".into()),
        (RemoveLayer, "StatementId", a(1)),
        (RemoveLayer, "StatementId", a(100)),
    ];
    for operation in [Add, Remove, Get] {
        good.extend([
            (operation, "FunctionName", a(1)),
            (operation, "FunctionName", a(256)),
            (operation, "FunctionName", "with.dots".into()),
            (operation, "FunctionName", "arn::lambda:f".into()),
            (operation, "FunctionName", "arn:aws-iso-b:lambda:us-isob-east-1:123456789012:function:f:live".into()),
            (operation, "FunctionName", "arn:aws-eusc:lambda:eusc-de-east-1:123456789012:function:f:$LATEST".into()),
            (operation, "FunctionName", "f:$LATEST.PUBLISHED".into()),
            (operation, "Qualifier", a(1)),
            (operation, "Qualifier", a(128)),
            (operation, "Qualifier", "$".into()),
            (operation, "Qualifier", "$LATEST".into()),
            (operation, "Qualifier", "$LATEST.PUBLISHED".into()),
        ]);
    }
    let long_arn = |length: usize| {
        let rest = ":lambda:us-west-2:123456789012:layer:l";
        format!("arn:aws{}{rest}", a(length - "arn:aws".len() - rest.len()))
    };
    for operation in [AddLayer, RemoveLayer, GetLayer] {
        good.extend([
            (operation, "LayerName", a(1)),
            (operation, "LayerName", a(140)),
            (operation, "LayerName", long_arn(2048)),
            (operation, "LayerName", "arn::lambda:us-west-2:123456789012:layer:l".into()),
            (operation, "LayerName", format!("arn:aws:lambda:us-west-2:123456789012:layer:{}", a(140))),
        ]);
    }
    for (operation, member, value) in &good {
        // A fresh one each time: what is refused later, or accepted, does not matter here.
        let lambda = Lambda::new().await;
        let reply = send_member(&lambda, *operation, member, value).await;
        assert_ne!(reply.header("x-amzn-errortype"), Some(VALIDATION), "{operation} {member} {value}");
        assert_ne!(reply.header("x-amzn-errortype"), Some(SERIALIZATION), "{operation} {member} {value}");
    }

    let match_and_max = |value: String, field: &str, rule: &str, max: usize| {
        let violations = vec![pattern(&value, field, rule), longer(&value, field, max)];
        (value, violations)
    };
    let only_max = |value: String, field: &str, max: usize| {
        let violations = vec![longer(&value, field, max)];
        (value, violations)
    };
    let only_pattern = |value: &str, field: &str, rule: &str| (value.to_owned(), vec![pattern(value, field, rule)]);
    let match_and_min = |value: &str, field: &str, rule: &str, min: usize| {
        (value.to_owned(), vec![pattern(value, field, rule), shorter(value, field, min)])
    };
    let enumerated = |value: &str| {
        (
            value.to_owned(),
            vec![format!(
                "Value '{value}' at 'functionUrlAuthType' failed to satisfy constraint: Member must satisfy enum value set: [NONE, AWS_IAM]"
            )],
        )
    };
    let mut bad: Vec<Broken> = vec![
        (Add, "Action", only_pattern("", "action", P_ACTION)),
        (Add, "Action", only_pattern("lambda:", "action", P_ACTION)),
        (Add, "Action", only_pattern("lambda:Invoke*", "action", P_ACTION)),
        (Add, "Action", only_pattern("s3:GetObject", "action", P_ACTION)),
        (Add, "Action", only_max(format!("lambda:{}", a(9994)), "action", 10_000)),
        (Add, "Principal", only_pattern("", "principal", P_PRINCIPAL)),
        (Add, "Principal", only_pattern("a b", "principal", P_PRINCIPAL)),
        (Add, "Principal", only_max(a(2049), "principal", 2048)),
        (Add, "SourceArn", only_pattern("", "sourceArn", P_SOURCE)),
        (Add, "SourceArn", only_pattern("arn:aws:s3:::a\nb", "sourceArn", P_SOURCE)),
        (Add, "SourceArn", only_pattern("arn:aws:s3:::a\rb", "sourceArn", P_SOURCE)),
        (Add, "SourceArn", only_pattern("arn:aws:s3:::a\u{2028}b", "sourceArn", P_SOURCE)),
        (Add, "SourceArn", only_pattern("arn:aws:s3:::a\u{85}", "sourceArn", P_SOURCE)),
        (Add, "SourceArn", only_pattern("arn:aws:lambda:us-west-2:account-id:f", "sourceArn", P_SOURCE)),
        (Add, "SourceArn", only_max(format!("arn:aws:s3:::{}", a(9988)), "sourceArn", 10_000)),
        (Add, "FunctionUrlAuthType", enumerated("none")),
        (Add, "FunctionUrlAuthType", enumerated("")),
        (Add, "SourceAccount", only_pattern("", "sourceAccount", P_ACCOUNT)),
        (Add, "SourceAccount", only_pattern("12345678901", "sourceAccount", P_ACCOUNT)),
        (Add, "SourceAccount", only_pattern("１２３４５６７８９０１２", "sourceAccount", P_ACCOUNT)),
        (Add, "SourceAccount", match_and_max("1234567890123".into(), "sourceAccount", P_ACCOUNT, 12)),
        (Add, "EventSourceToken", only_pattern("", "eventSourceToken", P_TOKEN)),
        (Add, "EventSourceToken", only_pattern("a:b", "eventSourceToken", P_TOKEN)),
        (Add, "EventSourceToken", only_max(a(257), "eventSourceToken", 256)),
        (Add, "PrincipalOrgID", match_and_min("o-123456789", "principalOrgID", P_ORGANIZATION, 12)),
        (Add, "PrincipalOrgID", match_and_max(format!("o-{}", a(33)), "principalOrgID", P_ORGANIZATION, 34)),
        (Add, "PrincipalOrgID", only_pattern("o-1234567890A", "principalOrgID", P_ORGANIZATION)),
        (AddLayer, "Action", only_pattern("", "action", P_LAYER_ACTION)),
        (AddLayer, "Action", match_and_max("lambda:GetLayerVersions".into(), "action", P_LAYER_ACTION, 22)),
        (AddLayer, "Principal", only_pattern("", "principal", P_LAYER_PRINCIPAL)),
        (AddLayer, "Principal", only_pattern("123456789012; DROP", "principal", P_LAYER_PRINCIPAL)),
        (AddLayer, "Principal", only_pattern("s3.amazonaws.com", "principal", P_LAYER_PRINCIPAL)),
        (AddLayer, "Principal", only_max(format!("arn:aws{}:iam::123456789012:root", a(9971)), "principal", 10_000)),
        (AddLayer, "OrganizationId", only_pattern("", "organizationId", P_ORGANIZATION)),
        (AddLayer, "OrganizationId", only_pattern("o-123456789", "organizationId", P_ORGANIZATION)),
        (AddLayer, "OrganizationId", match_and_max(format!("o-{}", a(33)), "organizationId", P_ORGANIZATION, 34)),
        (Remove, "StatementId", match_and_min("", "statementId", P_REMOVED, 1)),
        (Remove, "StatementId", only_max(a(101), "statementId", 100)),
        (Remove, "StatementId", only_pattern("a:b", "statementId", P_REMOVED)),
    ];
    for operation in [Add, AddLayer, RemoveLayer] {
        bad.extend([
            (operation, "StatementId", match_and_min("", "statementId", P_STATEMENT, 1)),
            (operation, "StatementId", only_max(a(101), "statementId", 100)),
            (operation, "StatementId", only_pattern("a.b", "statementId", P_STATEMENT)),
            (operation, "StatementId", only_pattern("a\n", "statementId", P_STATEMENT)),
        ]);
    }
    for operation in [Add, Remove, Get] {
        bad.extend([
            (operation, "FunctionName", match_and_min("", "functionName", P_FUNCTION, 1)),
            (operation, "FunctionName", only_max(a(257), "functionName", 256)),
            (operation, "FunctionName", only_pattern("a b", "functionName", P_FUNCTION)),
            (operation, "FunctionName", only_pattern("foo\n", "functionName", P_FUNCTION)),
            (operation, "FunctionName", only_pattern("a/b", "functionName", P_FUNCTION)),
            (
                operation,
                "FunctionName",
                only_pattern("arn:aws:lambda:anywhere:123456789012:function:f", "functionName", P_FUNCTION),
            ),
            (operation, "Qualifier", match_and_min("", "qualifier", P_QUALIFIER, 1)),
            (operation, "Qualifier", only_max(a(129), "qualifier", 128)),
            (operation, "Qualifier", only_pattern("$LATEST?x", "qualifier", P_QUALIFIER)),
            (operation, "Qualifier", only_pattern("$LATEST.", "qualifier", P_QUALIFIER)),
        ]);
    }
    for operation in [AddLayer, RemoveLayer, GetLayer] {
        bad.extend([
            (operation, "LayerName", match_and_min("", "layerName", P_LAYER, 1)),
            (operation, "LayerName", only_pattern(&a(141), "layerName", P_LAYER)),
            (operation, "LayerName", only_max(long_arn(2049), "layerName", 2048)),
            (
                operation,
                "LayerName",
                only_pattern("arn:foo:lambda:us-west-2:123456789012:layer:l", "layerName", P_LAYER),
            ),
            (
                operation,
                "LayerName",
                only_pattern("arn:aws:lambda:us-west-2:123456789012:layer:l:1", "layerName", P_LAYER),
            ),
            (
                operation,
                "LayerName",
                only_pattern("arn:aws:lambda:anywhere:123456789012:layer:l", "layerName", P_LAYER),
            ),
        ]);
    }
    let lambda = Lambda::new().await;
    for (operation, member, (value, violations)) in &bad {
        let reply = send_member(&lambda, *operation, member, value).await;
        assert_error(&reply, VALIDATION, &broken(violations));
    }
    assert!(lambda.plane.policies().is_empty());
}

#[tokio::test]
async fn all_violations_come_in_one_message() {
    let lambda = Lambda::new().await;
    let reply = lambda.post(FUNCTION, &json!({})).await;
    assert_error(&reply, VALIDATION, &broken(&[missing("statementId"), missing("action"), missing("principal")]));
    // A null is an absent member.
    let nulls = json!({ "StatementId": null, "Action": null, "Principal": null });
    assert_eq!(lambda.post(FUNCTION, &nulls).await.json(), reply.json());
    assert_eq!(lambda.send("POST", FUNCTION, "").await.json(), reply.json());
    let reply = lambda.post(LAYER, &json!({})).await;
    assert_error(&reply, VALIDATION, &broken(&[missing("statementId"), missing("action"), missing("principal")]));
    // Before anything else is looked at: neither the function nor the principal exists.
    let body = grant(json!({ "StatementId": "a.b", "SourceAccount": "1", "Principal": "nobody" }));
    let reply = lambda.post(&with(&function("doesnotexist"), "Qualifier", "?"), &body).await;
    let violations = [
        pattern("a.b", "statementId", P_STATEMENT),
        pattern("1", "sourceAccount", P_ACCOUNT),
        pattern("?", "qualifier", P_QUALIFIER),
    ];
    assert_error(&reply, VALIDATION, &broken(&violations));
}

#[tokio::test]
async fn a_policy_ends_at_20480_bytes() {
    for target in [FUNCTION.to_owned(), with(FUNCTION, "Qualifier", "live")] {
        let lambda = Lambda::new().await;
        let padded = |sid: &str, padding: usize| {
            grant(json!({ "StatementId": sid, "SourceArn": format!("arn:aws:s3:::{}", "a".repeat(padding)) }))
        };
        let size = |lambda: &Lambda| lambda.plane.policies()[0].1.len();
        lambda.post(&target, &padded("a", 9000)).await;
        let first = size(&lambda);
        lambda.post(&target, &padded("b", 9000)).await;
        let second = size(&lambda);
        let rest = 20_480 - second - (second - first - 9000);
        let reply = lambda.post(&target, &padded("c", rest + 1)).await;
        let message = "The final policy size (20481) is bigger than the limit (20480).";
        assert_error(&reply, "PolicyLengthExceededException", message);
        assert_eq!(size(&lambda), second);
        assert_eq!(lambda.post(&target, &padded("c", rest)).await.status, 201);
        assert_eq!(size(&lambda), 20_480);
        // The taken id comes before the size.
        assert_error(&lambda.add(&target, "c").await, CONFLICT, &taken("c"));
        // Another qualifier has a limit of its own.
        assert_eq!(lambda.add(&with(FUNCTION, "Qualifier", "1"), "c").await.status, 201);
    }
}

#[tokio::test]
async fn a_layer_policy_has_the_same_limit() {
    let lambda = Lambda::new().await;
    let mut added = 0;
    let refused = loop {
        let reply = lambda.add(LAYER, &format!("{added:0100}")).await;
        if reply.status != 201 {
            break reply;
        }
        added += 1;
    };
    let statement = lambda.plane.policy(LAYER_ARN).unwrap().len() - 58;
    let size = lambda.plane.policy(LAYER_ARN).unwrap().len() + 1 + statement / added;
    let message = format!("The final policy size ({size}) is bigger than the limit (20480).");
    assert_error(&refused, "PolicyLengthExceededException", &message);
}
