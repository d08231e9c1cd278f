//! AWS Lambda from memory, as the SDK's HTTP side: it keeps the statements of one function, refuses an id that is
//! taken, and gives the policy back.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::{HttpError, StatusCode};
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};

/// The function whose policy is kept.
pub(crate) const RESOURCE: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";

/// The statements, by id. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lambda(Arc<Mutex<BTreeMap<String, Value>>>);

impl Lambda {
    /// A function that has so many statements, `s0`, `s1`, and so on.
    pub(crate) fn with(statements: usize) -> Self {
        let lambda = Self::default();
        for number in 0..statements {
            lambda.answer("POST", json!({ "StatementId": format!("s{number}"), "Principal": "210987654321" }));
        }
        lambda
    }

    /// Forgets every statement.
    pub(crate) fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn respond(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let given = request.body().bytes().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
        let (status, body) = self.answer(request.method(), given);
        let mut response = HttpResponse::new(StatusCode::try_from(status)?, SdkBody::from(body.to_string()));
        if status == 409 {
            response.headers_mut().insert("x-amzn-errortype", "ResourceConflictException");
        }
        Ok(response)
    }

    fn answer(&self, method: &str, given: Value) -> (u16, Value) {
        let mut statements = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if method == "GET" {
            let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements.values().collect::<Vec<_>>() });
            return (200, json!({ "Policy": policy.to_string(), "RevisionId": "1" }));
        }
        let id = given["StatementId"].as_str().unwrap_or_default().to_owned();
        if statements.contains_key(&id) {
            return (409, json!({ "Type": "User", "Message": "taken" }));
        }
        let principal = given["Principal"].as_str().unwrap_or_default();
        let statement = json!({
            "Sid": id, "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{principal}:root") },
            "Action": "lambda:InvokeFunction", "Resource": RESOURCE,
        });
        statements.insert(id, statement.clone());
        (201, json!({ "Statement": statement.to_string() }))
    }
}

impl HttpConnector for Lambda {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(self.respond(&request).map_err(|error| ConnectorError::other(error.into(), None)))
    }
}

impl HttpClient for Lambda {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}
