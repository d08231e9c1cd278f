//! The naive broker: what somebody writes in an afternoon from the examples of the SDK and the runtime. A few
//! checks, one call, one log line, and the default of everything. It decides far less than the broker does.

use aws_config::BehaviorVersion;
use aws_sdk_lambda::Client;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Request {
    parameters: Parameters,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Parameters {
    function_name: String,
    qualifier: Option<String>,
    statement_id: String,
    action: String,
    principal: String,
    source_arn: Option<String>,
    source_account: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    tracing_subscriber::fmt().json().init();
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let client = Client::new(&config);
    run(service_fn(|event| answer(&client, event))).await
}

async fn answer(client: &Client, event: LambdaEvent<Value>) -> Result<Value, Error> {
    let request: Request = match event.payload["body"].as_str() {
        Some(body) => serde_json::from_str(body)?,
        None => serde_json::from_value(event.payload)?,
    };
    let wanted = request.parameters;
    if !is_allowed(&wanted) {
        tracing::warn!(statement_id = wanted.statement_id, "denied");
        return Ok(json!({ "statusCode": 403, "body": json!({ "outcome": "denied" }).to_string() }));
    }
    let added = client
        .add_permission()
        .function_name(&wanted.function_name)
        .set_qualifier(wanted.qualifier)
        .statement_id(&wanted.statement_id)
        .action(&wanted.action)
        .principal(&wanted.principal)
        .set_source_arn(wanted.source_arn)
        .set_source_account(wanted.source_account)
        .send()
        .await?;
    tracing::info!(statement_id = wanted.statement_id, function_name = wanted.function_name, "granted");
    let body = json!({ "outcome": "granted", "statement": added.statement() }).to_string();
    Ok(json!({ "statusCode": 201, "body": body }))
}

fn is_allowed(wanted: &Parameters) -> bool {
    let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    wanted.action == "lambda:InvokeFunction"
        && ["events.amazonaws.com", "s3.amazonaws.com"].contains(&wanted.principal.as_str())
        && wanted.source_account.as_deref() == Some("123456789012")
        && plain(&wanted.function_name)
        && plain(&wanted.statement_id)
}
