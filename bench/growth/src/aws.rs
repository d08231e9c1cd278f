//! AWS Lambda from memory, as the SDK's HTTP side: it keeps the statements of one function, refuses an id that is
//! taken, and gives the policy back.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::{HttpError, StatusCode};
use aws_smithy_types::body::SdkBody;
use serde_json::Value;

/// The function whose policy is kept.
pub(crate) const RESOURCE: &str = "arn:aws:lambda:us-east-1:123456789012:function:orders";

/// The answer to a read, before its statements and after them. The policy is a text in JSON, and so escaped.
const BEFORE: &str = r#"{"Policy":"{\"Version\":\"2012-10-17\",\"Id\":\"default\",\"Statement\":["#;
const AFTER: &str = r#"]}","RevisionId":"1"}"#;

/// A function with its policy. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lambda(Arc<Mutex<Policy>>);

/// The statements of a policy, kept as they are sent: answers are made while the clock runs, and the work on them
/// would be taken for the broker's.
#[derive(Debug, Default)]
struct Policy {
    ids: HashSet<String>,
    /// The statements, escaped, with commas between them.
    statements: String,
}

impl Lambda {
    /// A function that has so many statements, `s0`, `s1`, and so on.
    pub(crate) fn with(statements: usize) -> Self {
        let lambda = Self::default();
        for number in 0..statements {
            lambda.policy().add(&format!("s{number}"), "210987654321");
        }
        lambda
    }

    /// Forgets every statement.
    pub(crate) fn clear(&self) {
        *self.policy() = Policy::default();
    }

    /// How many statements there are.
    pub(crate) fn len(&self) -> usize {
        self.policy().ids.len()
    }

    fn policy(&self) -> MutexGuard<'_, Policy> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn respond(&self, request: &HttpRequest) -> Result<HttpResponse, HttpError> {
        let (status, body) = match request.method() {
            "GET" => (200, self.policy().read()),
            _ => self.write(request.body().bytes().unwrap_or_default()),
        };
        let mut response = HttpResponse::new(StatusCode::try_from(status)?, SdkBody::from(body));
        if status == 409 {
            response.headers_mut().insert("x-amzn-errortype", "ResourceConflictException");
        }
        Ok(response)
    }

    fn write(&self, body: &[u8]) -> (u16, String) {
        let given: Value = serde_json::from_slice(body).unwrap_or_default();
        let text = |name: &str| given[name].as_str().unwrap_or_default();
        match self.policy().add(text("StatementId"), text("Principal")) {
            Some(statement) => (201, format!(r#"{{"Statement":"{statement}"}}"#)),
            None => (409, r#"{"Type":"User","Message":"taken"}"#.to_owned()),
        }
    }
}

impl Policy {
    fn read(&self) -> String {
        [BEFORE, &self.statements, AFTER].concat()
    }

    /// Adds a statement and gives it, escaped, unless its id is taken.
    fn add(&mut self, id: &str, principal: &str) -> Option<String> {
        if !self.ids.insert(id.to_owned()) {
            return None;
        }
        let statement = escaped(id, principal);
        if !self.statements.is_empty() {
            self.statements.push(',');
        }
        self.statements.push_str(&statement);
        Some(statement)
    }
}

/// A statement as AWS renders it, escaped as a text in JSON. No id and no principal has a quote in it.
fn escaped(id: &str, principal: &str) -> String {
    let principal = format!(r#"{{\"AWS\":\"arn:aws:iam::{principal}:root\"}}"#);
    format!(
        r#"{{\"Sid\":\"{id}\",\"Effect\":\"Allow\",\"Principal\":{principal},\"Action\":\"lambda:InvokeFunction\",\"Resource\":\"{RESOURCE}\"}}"#
    )
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
