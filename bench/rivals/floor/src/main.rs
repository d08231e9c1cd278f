//! The floor: a Lambda function that parses its event, writes one line and answers. It has AWS's own runtime,
//! one thread and no call to AWS, so what it costs every Lambda function in Rust costs.

use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::{Value, json};

fn main() -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(Runtime::new(service_fn(answer)).run())
}

async fn answer(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let asked = event.payload.get("body").is_some_and(Value::is_string);
    println!(r#"{{"level":"INFO","message":"answered","requestId":"{}"}}"#, event.context.request_id);
    Ok(json!({ "statusCode": if asked { 200 } else { 400 }, "body": "{}" }))
}
