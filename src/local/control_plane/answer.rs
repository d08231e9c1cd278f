//! What goes back on the wire: AWS's errors with their exact header and body spelling, and the accepted answers.
//! Guarantees that an error name, its status and its body keys always agree, because one table holds all three.
//! It decides nothing: which error a request earns is settled elsewhere.

use std::fmt;
use std::hash::{BuildHasher, RandomState};

use hyper::body::Bytes;
use serde_json::{Value, json};

/// The errors that Lambda answers to the six operations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorName {
    /// 400: a value that only the service itself can refuse.
    InvalidParameterValue,
    /// 409: the statement id is taken, or another update is running.
    ResourceConflict,
    /// 400: the account blocks public grants.
    PublicPolicy,
    /// 500: the service failed.
    Service,
    /// 429: too many requests.
    TooManyRequests,
    /// 400: the policy would pass its size limit.
    PolicyLengthExceeded,
    /// 404: no such function, version, alias, layer version, policy or statement.
    ResourceNotFound,
    /// 412: the revision id is not the current one.
    PreconditionFailed,
    /// 400: a documented constraint is broken.
    Validation,
    /// 400: the request cannot be read.
    Serialization,
    /// 403: the caller may not touch the resource.
    AccessDenied,
    /// 403: the request is not signed.
    MissingAuthenticationToken,
    /// 404: no operation has this method and path.
    UnknownOperation,
    /// 409: a schedule of that name is there, as EventBridge Scheduler says it.
    ScheduleConflict,
    /// 402: the account has as many schedules as it may.
    ScheduleQuotaExceeded,
    /// 413: the body is larger than any request may be.
    RequestTooLarge,
}

/// Status, header value, key of the message, and the `Type` member where AWS sends one.
type Shape = (u16, &'static str, &'static str, Option<&'static str>);

impl ErrorName {
    /// The spelling of the message key differs by error, as recorded from AWS in 2025-11. Errors raised before
    /// the service itself (validation, authentication, access) carry no `Type`. Not recorded, and read strictly:
    /// serialization errors are shaped like validation errors, and a service failure says `Type: Service`.
    fn shape(self) -> Shape {
        const USER: Option<&str> = Some("User");
        match self {
            Self::InvalidParameterValue => (400, "InvalidParameterValueException", "message", USER),
            Self::ResourceConflict => (409, "ResourceConflictException", "message", USER),
            Self::PublicPolicy => (400, "PublicPolicyException", "Message", USER),
            Self::Service => (500, "ServiceException", "Message", Some("Service")),
            Self::TooManyRequests => (429, "TooManyRequestsException", "message", USER),
            Self::PolicyLengthExceeded => (400, "PolicyLengthExceededException", "message", USER),
            Self::ResourceNotFound => (404, "ResourceNotFoundException", "Message", USER),
            Self::PreconditionFailed => (412, "PreconditionFailedException", "message", USER),
            Self::Validation => (400, "ValidationException", "message", None),
            Self::Serialization => (400, "SerializationException", "message", None),
            Self::AccessDenied => (403, "AccessDeniedException", "Message", None),
            Self::MissingAuthenticationToken => (403, "MissingAuthenticationTokenException", "message", None),
            Self::UnknownOperation => (404, "UnknownOperationException", "message", None),
            Self::ScheduleConflict => (409, "ConflictException", "Message", None),
            Self::ScheduleQuotaExceeded => (402, "ServiceQuotaExceededException", "Message", None),
            Self::RequestTooLarge => (413, "RequestEntityTooLargeException", "message", None),
        }
    }

    /// The HTTP status that goes with the name.
    pub fn status(self) -> u16 {
        self.shape().0
    }

    /// The name as the header `x-amzn-errortype` carries it.
    pub fn as_str(self) -> &'static str {
        self.shape().1
    }
}

impl fmt::Display for ErrorName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One error of AWS. The message is absent where AWS answers a null.
#[derive(Clone, Debug)]
pub(super) struct AwsError {
    name: ErrorName,
    message: Option<String>,
}

impl AwsError {
    pub(super) fn new(name: ErrorName, message: impl Into<String>) -> Self {
        Self { name, message: Some(message.into()) }
    }

    /// Access denied carries a null message, as recorded for an ARN of another account.
    pub(super) fn access_denied() -> Self {
        Self { name: ErrorName::AccessDenied, message: None }
    }

    pub(super) fn invalid(message: &str) -> Self {
        Self::new(ErrorName::InvalidParameterValue, message)
    }

    pub(super) fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorName::ResourceNotFound, message)
    }

    pub(super) fn serialization(message: impl Into<String>) -> Self {
        Self::new(ErrorName::Serialization, message)
    }

    pub(super) fn duplicate(statement_id: &str) -> Self {
        let message = format!(
            "The statement id ({statement_id}) provided already exists. Please provide a new statement id, \
             or remove the existing statement."
        );
        Self::new(ErrorName::ResourceConflict, message)
    }

    /// The transient meaning of 409: only the message tells it from a taken statement id.
    pub(super) fn concurrent_update() -> Self {
        Self::new(
            ErrorName::ResourceConflict,
            "The function could not be updated due to a concurrent update operation.",
        )
    }

    /// `api` is where AWS sends the caller for the current value: `GetPolicy` for functions since 2025,
    /// and for layers `GetLayerPolicy`, an operation that does not exist.
    pub(super) fn revision_mismatch(api: &str) -> Self {
        let message = format!(
            "The Revision Id provided does not match the latest Revision Id. \
             Call the {api} API to retrieve the latest Revision Id"
        );
        Self::new(ErrorName::PreconditionFailed, message)
    }
}

/// One complete answer, before it becomes HTTP.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) error_type: Option<String>,
    pub(super) content_type: &'static str,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self {
            status,
            error_type: None,
            content_type: "application/json",
            headers: Vec::new(),
            body: Bytes::from(body.to_string()),
        }
    }

    pub(super) fn no_content() -> Self {
        Self { body: Bytes::new(), ..Self::json(204, &Value::Null) }
    }
}

impl From<AwsError> for Answer {
    fn from(error: AwsError) -> Self {
        let (status, name, key, kind) = error.name.shape();
        let body = match kind {
            Some(kind) => json!({ "Type": kind, key: error.message }),
            None => json!({ key: error.message }),
        };
        Self { error_type: Some(name.to_owned()), ..Self::json(status, &body) }
    }
}

/// A fresh identifier in the shape of a random UUID, for revision ids and request ids.
pub(super) fn fresh_uuid() -> String {
    // Two differently keyed hashers are random enough for identifiers that only have to differ.
    let high = RandomState::new().hash_one("high");
    let low = RandomState::new().hash_one("low");
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0x0fff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff
    )
}
