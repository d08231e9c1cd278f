//! The embedded control plane against what was recorded from AWS: every answer with status, error name and body,
//! both edges of every limit, every fault. Requests are plain HTTP over a socket, so that nothing in between helps.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::string_slice,
    reason = "a test fails by panicking"
)]

mod layer_versions;
mod schedules;

use std::time::{Duration, Instant};

use permission_broker::local::control_plane::{
    ConcurrentUpdates, ControlPlane, ErrorName, Fault, FaultKind, Operation,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const AUTHORIZATION: &str = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20251124/us-west-2/lambda/aws4_request, \
     SignedHeaders=host;x-amz-date, Signature=0123abcd";
const ARN: &str = "arn:aws:lambda:us-west-2:123456789012:function:my-function";
const LAYER_ARN: &str = "arn:aws:lambda:us-west-2:123456789012:layer:my-layer:1";
const FUNCTION: &str = "/2015-03-31/functions/my-function/policy";
const LAYER: &str = "/2018-10-31/layers/my-layer/versions/1/policy";

const DERIVED: &str = "The derived qualifier from the function name does not match the specified qualifier.";
const LATEST: &str = "We currently do not support adding policies for $LATEST.";
const PRINCIPAL: &str = "The provided principal was invalid. Please check the principal and try again.";
const GONE: &str = "The resource you requested does not exist.";
const NO_POLICY: &str = "No policy is associated with the given resource.";
const REVISION: &str = "The Revision Id provided does not match the latest Revision Id. Call the GetPolicy API to \
     retrieve the latest Revision Id";
const LAYER_REVISION: &str = "The Revision Id provided does not match the latest Revision Id. Call the \
     GetLayerPolicy API to retrieve the latest Revision Id";

const P_FUNCTION: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";
const P_STATEMENT: &str = r"([a-zA-Z0-9-_]+)";
const P_REMOVED: &str = r"([a-zA-Z0-9-_.]+)";
const P_ACTION: &str = r"(lambda:[*]|lambda:[a-zA-Z]+|[*])";
const P_PRINCIPAL: &str = r"[^\s]+";
const P_SOURCE: &str =
    r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)";
const P_ACCOUNT: &str = r"\d{12}";
const P_TOKEN: &str = r"[a-zA-Z0-9._\-]+";
const P_QUALIFIER: &str = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";
const P_ORGANIZATION: &str = r"o-[a-z0-9]{10,32}";
const P_LAYER: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]{1,140}|[a-zA-Z0-9-_]{1,140})";
const P_LAYER_ACTION: &str = "lambda:GetLayerVersion";
const P_LAYER_PRINCIPAL: &str = r"\d{12}|\*|arn:(aws[a-zA-Z-]*):iam::\d{12}:root";

/// A served control plane.
struct Lambda {
    plane: ControlPlane,
    url: String,
}

/// An answer as it came over the wire.
#[derive(Debug)]
struct Reply {
    status: u16,
    head: String,
    body: String,
}

impl Reply {
    fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("not JSON: {self:?}"))
    }

    fn text(&self, member: &str) -> String {
        self.json()[member].as_str().unwrap().to_owned()
    }
}

impl Lambda {
    async fn of(plane: ControlPlane) -> Self {
        let url = plane.start().await.unwrap();
        Self { plane, url }
    }

    /// A function with two versions and two aliases, a layer with one version.
    async fn new() -> Self {
        let plane = ControlPlane::new("aws", "us-west-2", "123456789012");
        let aliases = [("live", "1"), ("edge", "$LATEST")];
        plane.add_function("my-function", &[1, 2], &aliases);
        plane.add_layer("my-layer", &[1]);
        Self::of(plane).await
    }

    async fn raw(&self, text: &str) -> std::io::Result<Reply> {
        let mut stream = TcpStream::connect(self.url.trim_start_matches("http://")).await?;
        stream.write_all(text.as_bytes()).await?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await?;
        Ok(parse(&bytes))
    }

    async fn try_send(&self, method: &str, target: &str, body: &str) -> std::io::Result<Reply> {
        let length = body.len();
        self.raw(&format!(
            "{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {AUTHORIZATION}\r\n\
             Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        ))
        .await
    }

    async fn send(&self, method: &str, target: &str, body: &str) -> Reply {
        self.try_send(method, target, body).await.unwrap()
    }

    async fn post(&self, target: &str, body: &Value) -> Reply {
        self.send("POST", target, &body.to_string()).await
    }

    /// Adds a statement that has nothing special.
    async fn add(&self, target: &str, sid: &str) -> Reply {
        let body = match target.contains("/layers/") {
            true => layer_grant(json!({ "StatementId": sid })),
            false => grant(json!({ "StatementId": sid })),
        };
        self.post(target, &body).await
    }
}

fn parse(bytes: &[u8]) -> Reply {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let status = head.split(' ').nth(1).unwrap_or_default();
    Reply { status: status.parse().unwrap_or(0), head: head.to_owned(), body: body.to_owned() }
}

/// A complete AddPermission body with some members replaced; null takes one away.
fn grant(changes: Value) -> Value {
    let grant = json!({ "StatementId": "s3", "Action": "lambda:InvokeFunction", "Principal": "s3.amazonaws.com" });
    merge(grant, changes)
}

fn layer_grant(changes: Value) -> Value {
    let grant = json!({ "StatementId": "s3", "Action": "lambda:GetLayerVersion", "Principal": "*" });
    merge(grant, changes)
}

fn merge(mut into: Value, changes: Value) -> Value {
    let members = into.as_object_mut().unwrap();
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => members.remove(name),
            value => members.insert(name.clone(), value.clone()),
        };
    }
    into
}

fn encode(label: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    label
        .bytes()
        .map(|byte| match plain(byte) {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

fn function(name: &str) -> String {
    format!("/2015-03-31/functions/{}/policy", encode(name))
}

fn layer(name: &str, version: &str) -> String {
    format!("/2018-10-31/layers/{}/versions/{version}/policy", encode(name))
}

fn with(target: &str, query: &str, value: &str) -> String {
    format!("{target}?{query}={}", encode(value))
}

fn without(target: &str, sid: &str) -> String {
    format!("{target}/{}", encode(sid))
}

/// The body that AWS sends with an error: the spelling of its keys depends on the error.
fn error_body(error: &str, message: &str) -> Value {
    match error {
        "ResourceNotFoundException" => json!({ "Type": "User", "Message": message }),
        "ValidationException"
        | "SerializationException"
        | "MissingAuthenticationTokenException"
        | "UnknownOperationException" => json!({ "message": message }),
        "AccessDeniedException" => json!({ "Message": null }),
        _ => json!({ "Type": "User", "message": message }),
    }
}

fn status_of(error: &str) -> u16 {
    match error {
        "ResourceNotFoundException" | "UnknownOperationException" => 404,
        "ResourceConflictException" => 409,
        "PreconditionFailedException" => 412,
        "AccessDeniedException" | "MissingAuthenticationTokenException" => 403,
        _ => 400,
    }
}

#[track_caller]
fn assert_error(reply: &Reply, error: &str, message: &str) {
    assert_eq!(reply.header("x-amzn-errortype"), Some(error), "{reply:?}");
    assert_eq!(reply.status, status_of(error), "{reply:?}");
    assert_eq!(reply.json(), error_body(error, message));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("x-amzn-requestid").map(str::len), Some(36));
}

fn pattern(value: &str, field: &str, pattern: &str) -> String {
    format!(
        "Value '{value}' at '{field}' failed to satisfy constraint: Member must satisfy regular expression pattern: {pattern}"
    )
}

fn longer(value: &str, field: &str, limit: usize) -> String {
    format!(
        "Value '{value}' at '{field}' failed to satisfy constraint: Member must have length less than or equal to {limit}"
    )
}

fn shorter(value: &str, field: &str, limit: usize) -> String {
    format!(
        "Value '{value}' at '{field}' failed to satisfy constraint: Member must have length greater than or equal to {limit}"
    )
}

fn missing(field: &str) -> String {
    format!("Value null at '{field}' failed to satisfy constraint: Member must not be null")
}

fn broken(violations: &[String]) -> String {
    let noun = if violations.len() == 1 { "error" } else { "errors" };
    format!("{} validation {noun} detected: {}", violations.len(), violations.join("; "))
}

const INVALID: &str = "InvalidParameterValueException";
const NOT_FOUND: &str = "ResourceNotFoundException";
const VALIDATION: &str = "ValidationException";
const CONFLICT: &str = "ResourceConflictException";
const STALE: &str = "PreconditionFailedException";
const SERIALIZATION: &str = "SerializationException";

// What is stored.

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

fn taken(sid: &str) -> String {
    format!(
        "The statement id ({sid}) provided already exists. Please provide a new statement id, or remove the existing statement."
    )
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

fn sids(policy: &Reply) -> Vec<String> {
    let document: Value = serde_json::from_str(&policy.text("Policy")).unwrap();
    let statements = document["Statement"].as_array().unwrap();
    statements.iter().map(|statement| statement["Sid"].as_str().unwrap().to_owned()).collect()
}

// What is refused.

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

// Limits.

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

// How requests are read.

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

// Revision ids.

#[tokio::test]
async fn every_accepted_change_has_a_new_revision_id() {
    let lambda = Lambda::new().await;
    let mut seen = Vec::new();
    for target in [FUNCTION, LAYER] {
        for sid in ["a", "b"] {
            let reply = lambda.add(target, sid).await;
            let revision = lambda.send("GET", target, "").await.text("RevisionId");
            let shown = reply.json().get("RevisionId").cloned();
            assert_eq!(shown, (target == LAYER).then(|| json!(revision)));
            seen.push(revision);
        }
        lambda.add(target, "a").await;
        assert_eq!(lambda.send("GET", target, "").await.text("RevisionId"), seen[seen.len() - 1]);
        lambda.send("DELETE", &without(target, "a"), "").await;
        seen.push(lambda.send("GET", target, "").await.text("RevisionId"));
    }
    let dashes = |text: &String| text.match_indices('-').map(|(at, _)| at).collect::<Vec<_>>();
    assert!(seen.iter().all(|text| text.len() == 36 && dashes(text) == [8, 13, 18, 23]), "{seen:?}");
    seen.sort();
    seen.dedup();
    assert_eq!(seen.len(), 6);
}

#[tokio::test]
async fn the_current_revision_id_lets_a_change_through_once() {
    let lambda = Lambda::new().await;
    lambda.add(FUNCTION, "a").await;
    let revision = lambda.send("GET", FUNCTION, "").await.text("RevisionId");
    let body = |sid: &str| grant(json!({ "StatementId": sid, "RevisionId": revision }));
    assert_eq!(lambda.post(FUNCTION, &body("b")).await.status, 201);
    assert_error(&lambda.post(FUNCTION, &body("c")).await, STALE, REVISION);
    let revision = lambda.send("GET", FUNCTION, "").await.text("RevisionId");
    let remove = with(&without(FUNCTION, "a"), "RevisionId", &revision);
    assert_eq!(lambda.send("DELETE", &remove, "").await.status, 204);

    let revision = lambda.add(LAYER, "a").await.text("RevisionId");
    let target = with(LAYER, "RevisionId", &revision);
    let revision = lambda.add(&target, "b").await.text("RevisionId");
    assert_error(&lambda.add(&target, "c").await, STALE, LAYER_REVISION);
    let remove = with(&without(LAYER, "a"), "RevisionId", &revision);
    assert_eq!(lambda.send("DELETE", &remove, "").await.status, 204);
}

#[tokio::test]
async fn an_alias_without_policy_has_a_revision_id_of_its_own() {
    let world = json!({
        "partition": "aws", "region": "us-west-2", "account": "123456789012",
        "functions": { "f": { "aliases": { "live": { "version": "$LATEST", "revisionId": "of-the-alias" } } } },
    });
    let lambda = Lambda::of(ControlPlane::from_world(&world.to_string()).unwrap()).await;
    let body = |sid: &str| grant(json!({ "StatementId": sid, "RevisionId": "of-the-alias" }));
    assert_error(&lambda.post(&function("f"), &body("a")).await, STALE, REVISION);
    assert_eq!(lambda.post(&function("f:live"), &body("a")).await.status, 201);
    assert_error(&lambda.post(&function("f:live"), &body("b")).await, STALE, REVISION);
}

#[tokio::test]
async fn a_deleted_principal_is_refused_and_spoils_its_policy() {
    let role = "arn:aws:iam::123456789012:role/gone";
    let body = grant(json!({ "StatementId": "role", "Principal": role }));
    let lambda = Lambda::new().await;
    assert_eq!(lambda.post(FUNCTION, &body).await.status, 201);
    lambda.plane.delete_principal(role);
    assert_error(&lambda.add(FUNCTION, "other").await, INVALID, PRINCIPAL);
    let elsewhere = with(FUNCTION, "Qualifier", "1");
    assert_error(&lambda.post(&elsewhere, &body).await, INVALID, PRINCIPAL);
    assert_eq!(lambda.send("DELETE", &without(FUNCTION, "role"), "").await.status, 204);
    assert_eq!(lambda.add(FUNCTION, "other").await.status, 201);
}

// Faults.

#[tokio::test]
async fn answers_can_be_ordered() {
    let lambda = Lambda::new().await;
    lambda.plane.inject(Fault::throttled(Some(7)));
    let reply = lambda.add(FUNCTION, "s3").await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("7")));
    assert_eq!(reply.header("x-amzn-errortype"), Some("TooManyRequestsException"));
    let body = json!({ "Type": "User", "message": "Rate exceeded", "Reason": "CallerRateLimitExceeded" });
    assert_eq!(reply.json(), body);

    lambda.plane.inject(Fault::throttled(None));
    assert_eq!(lambda.add(FUNCTION, "s3").await.header("retry-after"), None);

    let concurrent = "The function could not be updated due to a concurrent update operation.";
    lambda.plane.inject(Fault::concurrent_update());
    assert_error(&lambda.add(FUNCTION, "s3").await, CONFLICT, concurrent);
    lambda.plane.inject(Fault::revision_mismatch());
    assert_error(&lambda.add(FUNCTION, "s3").await, STALE, REVISION);
    lambda.plane.inject(Fault::access_denied());
    assert_error(&lambda.add(FUNCTION, "s3").await, "AccessDeniedException", "");

    let cases = [
        (ErrorName::Service, 500, "ServiceException", json!({ "Type": "Service", "Message": "text" })),
        (ErrorName::PublicPolicy, 400, "PublicPolicyException", json!({ "Type": "User", "Message": "text" })),
        (ErrorName::ResourceNotFound, 404, NOT_FOUND, json!({ "Type": "User", "Message": "text" })),
        (ErrorName::Validation, 400, VALIDATION, json!({ "message": "text" })),
    ];
    for (name, status, error, body) in cases {
        lambda.plane.inject(Fault::error(name, "text"));
        let reply = lambda.add(FUNCTION, "s3").await;
        assert_eq!((reply.status, reply.header("x-amzn-errortype")), (status, Some(error)));
        assert_eq!(reply.json(), body);
    }
    lambda.plane.inject(Fault::new(FaultKind::Answer {
        status: 503,
        error_type: None,
        headers: vec![("x-test".into(), "yes".into())],
        body: "busy".into(),
    }));
    let reply = lambda.add(FUNCTION, "s3").await;
    assert_eq!((reply.status, reply.body.as_str()), (503, "busy"));
    assert_eq!((reply.header("x-test"), reply.header("x-amzn-errortype")), (Some("yes"), None));
    assert!(lambda.plane.policies().is_empty());
    assert!(lambda.plane.calls().iter().all(|call| !call.committed));
}

#[tokio::test]
async fn a_connection_can_be_reset_before_and_after_the_commit() {
    for (kind, committed) in [(FaultKind::ResetBeforeCommit, false), (FaultKind::ResetAfterCommit, true)] {
        let lambda = Lambda::new().await;
        lambda.plane.inject(Fault::new(kind));
        let error = lambda.try_send("POST", FUNCTION, &grant(json!({})).to_string()).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        assert_eq!(lambda.plane.policy(ARN).is_some(), committed);
        let calls = lambda.plane.calls();
        assert_eq!((calls[0].status, calls[0].committed), (None, committed));
    }
}

#[tokio::test]
async fn an_answer_can_stay_out_before_and_after_the_commit() {
    for (kind, committed) in [(FaultKind::HangBeforeCommit, false), (FaultKind::HangAfterCommit, true)] {
        let lambda = Lambda::new().await;
        lambda.plane.inject(Fault::new(kind));
        let body = grant(json!({})).to_string();
        let request = lambda.try_send("POST", FUNCTION, &body);
        assert!(timeout(Duration::from_millis(100), request).await.is_err());
        assert_eq!(lambda.plane.policy(ARN).is_some(), committed);
        assert_eq!(lambda.plane.calls()[0].status, None);
    }
}

#[tokio::test]
async fn a_delayed_change_is_made_even_if_the_caller_has_gone() {
    let delay = Duration::from_millis(80);
    let lambda = Lambda::new().await;
    lambda.plane.inject(Fault::new(FaultKind::Delay(delay)).times(2));
    let started = Instant::now();
    assert_eq!(lambda.add(FUNCTION, "patient").await.status, 201);
    assert!(started.elapsed() >= delay);
    let impatient = timeout(delay / 4, lambda.add(FUNCTION, "impatient"));
    assert!(impatient.await.is_err());
    assert!(!lambda.plane.policy(ARN).unwrap().contains("impatient"));
    tokio::time::sleep(delay * 2).await;
    assert!(lambda.plane.policy(ARN).unwrap().contains("impatient"));
}

#[tokio::test]
async fn a_true_answer_can_be_spoilt() {
    let whole = Lambda::new().await.add(FUNCTION, "s3").await.body;
    let html = "text/html";
    let json = "application/json";
    let cases = [
        (FaultKind::EmptyBody, json, String::new()),
        (FaultKind::NotJson, json, "upstream connect error".to_owned()),
        (FaultKind::HalfJson, json, whole[..whole.len() / 2].to_owned()),
        (FaultKind::WrongContentType, html, whole.clone()),
        (FaultKind::SlowBody { every: Duration::from_micros(200) }, json, whole.clone()),
    ];
    for (kind, content_type, body) in cases {
        let lambda = Lambda::new().await;
        lambda.plane.inject(Fault::new(kind));
        let reply = lambda.add(FUNCTION, "s3").await;
        assert_eq!((reply.status, reply.body.as_str()), (201, body.as_str()));
        assert_eq!(reply.header("content-type"), Some(content_type));
        assert_eq!(reply.header("content-length"), Some(body.len().to_string().as_str()));
        assert!(lambda.plane.policy(ARN).is_some());
    }
    let lambda = Lambda::new().await;
    lambda.plane.inject(Fault::new(FaultKind::TruncatedBody));
    let reply = lambda.add(FUNCTION, "s3").await;
    assert_eq!((reply.status, reply.body.as_str()), (201, &whole[..whole.len() / 2]));
    assert_eq!(reply.header("content-length"), Some(whole.len().to_string().as_str()));
    assert!(lambda.plane.policy(ARN).is_some());
}

#[tokio::test]
async fn a_slow_body_takes_its_time() {
    let lambda = Lambda::new().await;
    let every = Duration::from_millis(2);
    lambda.plane.inject(Fault::new(FaultKind::SlowBody { every }));
    let started = Instant::now();
    let reply = lambda.add(FUNCTION, "s3").await;
    let bytes = u32::try_from(reply.body.len()).unwrap();
    assert!(started.elapsed() >= every * (bytes - 1));
}

#[tokio::test]
async fn a_duplicate_can_be_true_or_false() {
    for commit in [false, true] {
        let lambda = Lambda::new().await;
        lambda.plane.inject(Fault::new(FaultKind::Duplicate { commit }));
        assert_error(&lambda.add(FUNCTION, "mine").await, CONFLICT, &taken("mine"));
        assert_eq!(lambda.plane.policy(ARN).is_some(), commit);
    }
}

#[tokio::test]
async fn a_fault_waits_for_its_operation_and_counts() {
    let lambda = Lambda::new().await;
    lambda.plane.inject(Fault::error(ErrorName::Service, "read").on(Operation::GetPolicy).times(2));
    lambda.plane.inject(Fault::error(ErrorName::Service, "any"));
    lambda.plane.inject(Fault::error(ErrorName::Service, "never").times(0));
    assert_eq!(lambda.plane.faults_left(), 3);
    assert_eq!(lambda.add(FUNCTION, "s3").await.text("Message"), "any");
    assert_eq!(lambda.add(FUNCTION, "s3").await.status, 201);
    for status in [500, 500, 200] {
        assert_eq!(lambda.send("GET", FUNCTION, "").await.status, status);
    }
    assert_eq!(lambda.plane.faults_left(), 0);
    lambda.plane.inject(Fault::throttled(None).times(9));
    lambda.plane.clear_faults();
    assert_eq!(lambda.send("GET", FUNCTION, "").await.status, 200);
}

// Changes that overlap.

async fn at_once(lambda: &Lambda, targets: [&str; 4]) -> Vec<Reply> {
    let (a, b, c, d) = tokio::join!(
        lambda.add(targets[0], "a"),
        lambda.add(targets[1], "b"),
        lambda.add(targets[2], "c"),
        lambda.add(targets[3], "d"),
    );
    vec![a, b, c, d]
}

#[tokio::test]
async fn overlapping_changes_are_serialised_by_default() {
    let lambda = Lambda::new().await;
    let replies = at_once(&lambda, [FUNCTION; 4]).await;
    assert!(replies.iter().all(|reply| reply.status == 201));
    assert_eq!(sids(&lambda.send("GET", FUNCTION, "").await).len(), 4);
}

#[tokio::test]
async fn overlapping_changes_can_be_refused() {
    let lambda = Lambda::new().await;
    let window = Duration::from_millis(100);
    lambda.plane.concurrent_updates(ConcurrentUpdates::Refuse { window });
    // Whatever the qualifier; a layer is something else.
    let alias = with(FUNCTION, "Qualifier", "live");
    let replies = at_once(&lambda, [FUNCTION, FUNCTION, &alias, LAYER]).await;
    assert_eq!(replies[3].status, 201);
    let (accepted, refused): (Vec<_>, Vec<_>) = replies[..3].iter().partition(|reply| reply.status == 201);
    assert_eq!((accepted.len(), refused.len()), (1, 2));
    for reply in refused {
        let message = "The function could not be updated due to a concurrent update operation.";
        assert_error(reply, CONFLICT, message);
    }
    assert_eq!(lambda.plane.policies().len(), 2);
    // Afterwards the way is free again, and reading never waits.
    assert_eq!(lambda.add(FUNCTION, "later").await.status, 201);
}

#[tokio::test]
async fn overlapping_changes_can_be_lost_silently() {
    let lambda = Lambda::new().await;
    let window = Duration::from_millis(100);
    lambda.plane.concurrent_updates(ConcurrentUpdates::LoseSilently { window });
    let replies = at_once(&lambda, [FUNCTION; 4]).await;
    assert!(replies.iter().all(|reply| reply.status == 201));
    assert_eq!(sids(&lambda.send("GET", FUNCTION, "").await).len(), 1);
    assert_eq!(lambda.add(FUNCTION, "later").await.status, 201);
    assert_eq!(sids(&lambda.send("GET", FUNCTION, "").await).len(), 2);
}

// The handle.

#[tokio::test]
async fn every_request_is_recorded() {
    let lambda = Lambda::new().await;
    let target = with(&function("my-function:live"), "Qualifier", "live");
    let body = grant(json!({})).to_string();
    lambda.send("POST", &target, &body).await;
    lambda.send("POST", &target, &body).await;
    lambda.send("GET", "/elsewhere", "").await;
    let calls = lambda.plane.calls();
    assert_eq!(calls.len(), 3);
    let first = &calls[0];
    assert_eq!(
        (first.method.as_str(), first.path.as_str()),
        ("POST", "/2015-03-31/functions/my-function%3Alive/policy")
    );
    assert_eq!((first.query.as_str(), first.body.as_slice()), ("Qualifier=live", body.as_bytes()));
    assert_eq!(first.header("authorization"), Some(AUTHORIZATION));
    assert_eq!(first.operation, Some(Operation::AddPermission));
    assert_eq!(first.operation.unwrap().name(), "AddPermission");
    assert_eq!((first.status, first.committed), (Some(201), true));
    assert_eq!((calls[1].status, calls[1].committed), (Some(409), false));
    assert_eq!((calls[2].status, calls[2].operation), (Some(404), None));
    lambda.plane.clear_calls();
    assert!(lambda.plane.calls().is_empty());
}

#[tokio::test]
async fn a_connection_carries_several_requests() {
    let lambda = Lambda::new().await;
    let mut stream = TcpStream::connect(lambda.url.trim_start_matches("http://")).await.unwrap();
    let request = format!("GET {FUNCTION} HTTP/1.1\r\nHost: l\r\nAuthorization: {AUTHORIZATION}\r\n\r\n");
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.contains(GONE) {
            let mut part = [0; 1024];
            let read = stream.read(&mut part).await.unwrap();
            assert!(read > 0);
            answer.push_str(&String::from_utf8_lossy(&part[..read]));
        }
    }
    assert_eq!(lambda.plane.calls().len(), 3);
}

#[tokio::test]
async fn a_body_beyond_all_need_is_not_read_to_the_end() {
    let lambda = Lambda::new().await;
    let reply = lambda.send("POST", FUNCTION, &" ".repeat((1 << 20) + 1)).await;
    assert_eq!(reply.status, 413);
}

#[tokio::test]
async fn a_world_comes_back_as_it_went() {
    let pretty = format!(
        r#"{{
          "partition": "aws", "region": "us-west-2", "account": "123456789012",
          "functions": {{ "my-function": {{ "versions": [1], "aliases": {{ "live": "1" }} }} }},
          "layers": {{ "my-layer": [1, 2] }},
          "policies": {{ "{ARN}": {{ "revisionId": "r-1", "statements": [
              {{ "Resource": "{ARN}", "Sid": "old \" one", "Effect": "Allow", "Principal": {{ "AWS": ["a", "b"] }} }} ] }} }},
          "deletedPrincipals": ["arn:aws:iam::123456789012:role/gone"]
        }}"#
    );
    let plane = ControlPlane::from_world(&pretty).unwrap();
    // Kept in the order it was given, without the white space between.
    let statement =
        format!(r#"{{"Resource":"{ARN}","Sid":"old \" one","Effect":"Allow","Principal":{{"AWS":["a","b"]}}}}"#);
    let document = format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{statement}]}}"#);
    assert_eq!(plane.policies(), [(ARN.to_owned(), document, "r-1".to_owned())]);
    let world = plane.to_world().unwrap();
    let again = ControlPlane::from_world(&world).unwrap();
    assert_eq!(again.to_world().unwrap(), world);
    assert_eq!(again.policies(), plane.policies());
}

#[test]
fn a_world_that_cannot_be_is_refused() {
    let world = |changes: Value| {
        let place = json!({ "partition": "aws", "region": "us-west-2", "account": "123456789012" });
        let world = merge(place, changes).to_string();
        ControlPlane::from_world(&world).map(|_| ()).unwrap_err().to_string()
    };
    let policy = |statements: Value| json!({ "functions": { "my-function": {} }, "policies": { ARN: { "statements": statements } } });
    let cases = [
        (json!({ "account": "1" }), "`1` is not an account id"),
        (json!({ "unknown": 1 }), "unknown field `unknown`"),
        (json!({ "region": null }), "missing field `region`"),
        (json!({ "functions": { "f": { "aliases": { "live": "7" } } } }), "alias live of f points to no version"),
        (json!({ "policies": { ARN: { "statements": [] } } }), "has a policy but does not exist"),
        (policy(json!([])), "a policy needs a statement"),
        (policy(json!([["a"]])), "a statement is an object"),
        (policy(json!([{ "Sid": "a" }, { "Sid": "a" }])), "two statements have the same Sid"),
        (policy(json!([{ "Sid": "a".repeat(20_480) }])), "the policy is too large"),
    ];
    for (changes, problem) in cases {
        let error = world(changes);
        assert!(error.contains(problem), "{error}");
    }
}

#[tokio::test]
async fn every_change_is_on_disk_before_it_is_answered() {
    let folder = std::env::temp_dir().join(format!("control-plane-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("world.json");
    let lambda = Lambda::new().await;
    lambda.plane.save(&path).unwrap();
    assert!(ControlPlane::load(&path).unwrap().policies().is_empty());
    lambda.plane.keep_at(Some(path.clone()));
    lambda.add(FUNCTION, "s3").await;
    assert_eq!(ControlPlane::load(&path).unwrap().policies(), lambda.plane.policies());
    // Also when the answer is lost.
    lambda.plane.inject(Fault::new(FaultKind::ResetAfterCommit));
    let body = grant(json!({ "StatementId": "lost" })).to_string();
    lambda.try_send("POST", FUNCTION, &body).await.unwrap_err();
    assert_eq!(ControlPlane::load(&path).unwrap().policies(), lambda.plane.policies());
    // What cannot be kept has not happened.
    let before = lambda.plane.policies();
    lambda.plane.keep_at(Some(folder.join("missing").join("world.json")));
    for (method, target) in [("POST", FUNCTION.to_owned()), ("DELETE", without(FUNCTION, "s3"))] {
        let reply = lambda.send(method, &target, &grant(json!({ "StatementId": "x" })).to_string()).await;
        assert_eq!((reply.status, reply.header("x-amzn-errortype")), (500, Some("ServiceException")));
        assert_eq!(lambda.plane.policies(), before);
    }
    lambda.plane.keep_at(None);
    assert_eq!(lambda.add(FUNCTION, "x").await.status, 201);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(ControlPlane::load(&path).is_err());
}
