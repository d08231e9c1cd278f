//! A reply, whatever the door it went back through.

use lambda_runtime::Diagnostic;
use permission_broker::error::Code;
use permission_broker::reply::Failure;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::openapi;

/// Every code that a reply shows, wherever in it, is one of the table that README and description print.
fn assert_codes(shown: &Value) {
    let is_code = |word: &str| Code::ALL.iter().any(|code| code.as_str() == word);
    match shown {
        Value::Object(members) => {
            let code = members.get("code").and_then(Value::as_str);
            assert!(code.is_none_or(is_code), "no such code: {shown}");
            members.values().for_each(assert_codes);
        }
        Value::Array(values) => values.iter().for_each(assert_codes),
        _ => {}
    }
}

/// What a caller learns.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    /// Whether the invocation failed, so that an event comes again.
    pub(crate) failed: bool,
    /// The document; for a queue, the ids of the failed messages.
    pub(crate) document: Value,
    /// The HTTP status and headers, where there are any.
    pub(crate) http: Option<(u64, Value)>,
}

impl Reply {
    pub(crate) fn of(result: Result<Box<RawValue>, Failure>) -> Self {
        let (failed, text) = match result {
            Ok(raw) => (false, raw.get().to_owned()),
            Err(failure) => (true, Diagnostic::from(failure).error_message),
        };
        let value: Value = serde_json::from_str(&text).unwrap();
        match (&value["statusCode"], &value["body"]) {
            (Value::Number(status), Value::String(body)) => Self {
                failed,
                document: serde_json::from_str(body).unwrap(),
                http: Some((status.as_u64().unwrap(), value["headers"].clone())),
            },
            _ => Self { failed, document: value, http: None },
        }
        .described()
    }

    /// Whatever a test brings about is what the description says.
    fn described(self) -> Self {
        let documents = self.document.as_array().map_or(std::slice::from_ref(&self.document), Vec::as_slice);
        for document in documents.iter().filter(|document| document.get("outcome").is_some()) {
            openapi::assert_described(document, self.http.as_ref().map(|(status, _)| *status));
            assert_codes(document);
        }
        self
    }

    pub(crate) fn outcome(&self) -> &str {
        self.document["outcome"].as_str().unwrap_or_default()
    }

    /// The code; empty for a success.
    pub(crate) fn code(&self) -> &str {
        self.document["code"].as_str().unwrap_or_default()
    }

    /// What it ended with: the code, or the outcome of a success.
    pub(crate) fn ending(&self) -> &str {
        if self.code().is_empty() { self.outcome() } else { self.code() }
    }

    /// The ids of the messages that come again; none if this is no answer to a queue.
    pub(crate) fn failed_messages(&self) -> Option<Vec<&str>> {
        let failures = self.document["batchItemFailures"].as_array()?;
        Some(failures.iter().map(|failure| failure["itemIdentifier"].as_str().unwrap()).collect())
    }

    /// Whether AWS delivers the event again, or a caller is told to ask again.
    pub(crate) fn comes_again(&self) -> bool {
        match (self.failed_messages(), &self.document["retryable"]) {
            (Some(ids), _) => !ids.is_empty(),
            (None, retryable) => self.failed || retryable == true,
        }
    }
}
