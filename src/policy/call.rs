//! One call to AWS: what is sent, and what its answer means. AWS's error texts are not read: they
//! repeat values, change over the years, and say the same with different codes. The two exceptions
//! only tell apart what ends without a grant anyway: see [`Hint`].

use std::cell::Cell;
use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt::Write as _;
use std::pin::{Pin, pin};
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::RequestId;
use aws_sdk_lambda::types::FunctionUrlAuthType as SdkAuthType;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::allowlist::Approved;
use crate::arn::{OrganizationId, SourceArn};
use crate::asked::{Asked, Given};
use crate::boxed::boxed;
use crate::connection::NotSent;
use crate::error::Code;
use crate::grant::{EventSourceToken, RevisionId};
use crate::resource::Qualifier;
use crate::revoke::Revoke;

/// An answer, and what of it the audit shows.
pub(crate) struct Answer<T> {
    pub(crate) result: Result<T, Failure>,
    /// `201`, `409 ResourceConflictException`, `timeout`, ...
    pub(crate) seen: String,
    pub(crate) request_id: Option<String>,
    pub(crate) aws_code: Option<String>,
    /// What AWS's text says beyond its code, where that is known.
    pub(super) hint: Option<Hint>,
    /// Whether it is an error that came without its name or its text: cut short, or not from AWS.
    pub(super) cut_short: bool,
}

/// One of AWS's texts, as recorded in November 2025. A text that has changed gives no hint, and the request ends
/// with the stricter or the more general code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hint {
    /// The target of a removal, or the layer version of a read, is there and has no policy; one that is not there has
    /// another text and the same code.
    NoPolicy,
    /// The layer version is not there.
    NoLayerVersion,
    /// A principal cannot be resolved: the one given, or one that an older statement names.
    InvalidPrincipal,
}

impl Hint {
    fn of(aws_code: &str, message: &str) -> Option<Self> {
        match (aws_code, message) {
            ("ResourceNotFoundException", "No policy is associated with the given resource.") => Some(Self::NoPolicy),
            ("ResourceNotFoundException", text)
                if text.starts_with("Layer version arn:") && text.ends_with(" does not exist.") =>
            {
                Some(Self::NoLayerVersion)
            }
            (
                "InvalidParameterValueException",
                "The provided principal was invalid. Please check the principal and try again.",
            ) => Some(Self::InvalidPrincipal),
            _ => None,
        }
    }
}

/// What a refusal or a silence means for the grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// AWS has not seen the request.
    NotSent,
    /// AWS may have carried it out.
    Unclear,
    /// AWS was too busy, and may have said for how long.
    Throttled(Option<Duration>),
    /// 409: the statement id is taken, or another update is under way.
    Taken,
    /// 412: the policy has another revision.
    Revision,
    /// Asking again changes nothing.
    Final(Code),
}

/// What `AddPermission` and `AddLayerVersionPermission` answer.
pub(super) struct Added {
    pub(super) statement: Option<String>,
    pub(super) revision_id: Option<String>,
}

/// What `GetPolicy` and `GetLayerVersionPolicy` answer.
pub(super) struct Policy {
    pub(super) document: String,
    pub(super) revision_id: Option<String>,
}

/// Adds the statement. Every parameter goes out as it was given.
pub(super) async fn add(client: &Client, approved: &Approved, time: Duration) -> Answer<Added> {
    let grant = approved.grant();
    let sid = approved.statement_id().as_str();
    let (action, principal) = (grant.action().as_str(), grant.principal().as_str());
    let organization = grant.conditions().organization.as_ref().map(|id| OrganizationId::as_str(id).to_owned());
    let revision = grant.revision_id().map(|id| RevisionId::as_str(id).to_owned());
    match grant.given() {
        Given::Layer { name, version } => {
            let call = client.add_layer_version_permission().layer_name(&**name).version_number(*version);
            let call = call.statement_id(sid).action(action).principal(principal);
            let call = call.set_organization_id(organization).set_revision_id(revision);
            answer(time, 201, boxed(|| call.send()), |out| Added {
                statement: out.statement,
                revision_id: out.revision_id,
            })
            .await
        }
        Given::Function { name, qualifier } => {
            let given = grant.conditions();
            let call = client.add_permission().function_name(&**name).set_qualifier(text(qualifier));
            let call = call.statement_id(sid).action(action).principal(principal);
            let call = call
                .set_source_arn(given.source_arn.as_ref().map(SourceArn::as_str).map(str::to_owned))
                .set_source_account(given.source_account.map(|account| account.to_string()))
                .set_event_source_token(
                    given.event_source_token.as_ref().map(EventSourceToken::expose).map(str::to_owned),
                )
                .set_function_url_auth_type(given.function_url_auth_type.map(|auth| SdkAuthType::from(auth.as_str())))
                .set_invoked_via_function_url(given.invoked_via_function_url)
                .set_principal_org_id(organization)
                .set_revision_id(revision);
            answer(time, 201, boxed(|| call.send()), |out| Added { statement: out.statement, revision_id: None }).await
        }
    }
}

/// Removes the statement, if the policy has the revision given.
pub(super) async fn remove(
    client: &Client,
    approved: &Approved<Revoke>,
    revision: Option<String>,
    time: Duration,
) -> Answer<()> {
    let sid = approved.statement_id().as_str();
    match approved.asked().given() {
        Given::Layer { name, version } => {
            let call = client.remove_layer_version_permission().layer_name(&**name).version_number(*version);
            answer(time, 204, boxed(|| call.statement_id(sid).set_revision_id(revision).send()), |_| ()).await
        }
        Given::Function { name, qualifier } => {
            let call = client.remove_permission().function_name(&**name).set_qualifier(text(qualifier));
            answer(time, 204, boxed(|| call.statement_id(sid).set_revision_id(revision).send()), |_| ()).await
        }
    }
}

/// Reads the policy of a target.
pub(super) async fn read(client: &Client, given: &Given, time: Duration) -> Answer<Policy> {
    match given {
        Given::Layer { name, version } => {
            let call = client.get_layer_version_policy().layer_name(&**name).version_number(*version);
            answer(time, 200, boxed(|| call.send()), |out| policy(out.policy, out.revision_id)).await
        }
        Given::Function { name, qualifier } => {
            let call = client.get_policy().function_name(&**name).set_qualifier(text(qualifier));
            answer(time, 200, boxed(|| call.send()), |out| policy(out.policy, out.revision_id)).await
        }
    }
}

fn text(qualifier: &Option<Qualifier>) -> Option<String> {
    qualifier.as_ref().map(|qualifier| qualifier.as_str().to_owned())
}

fn policy(document: Option<String>, revision_id: Option<String>) -> Policy {
    Policy { document: document.unwrap_or_default(), revision_id }
}

tokio::task_local! {
    /// The status of the answer to the call that is under way; 0 before there is one.
    static STATUS: Cell<u16>;
}

/// Keeps the status of each answer: the SDK takes every 2xx for a success and does not say which it was.
#[derive(Debug)]
pub(crate) struct StatusKept;

#[dyn_dispatch_hint]
impl Intercept for StatusKept {
    fn name(&self) -> &'static str {
        "StatusKept"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Outside of a call of this file nobody asks for it.
        let _ = STATUS.try_with(|status| status.set(context.response().status().as_u16()));
        Ok(())
    }
}

/// Waits for an answer, at most for the time given.
///
/// Only the documented status is a success. Another 2xx may be that of a request which AWS has only taken in, or of a
/// proxy, so it leaves open what became of the call.
pub(crate) async fn answer<T, O: RequestId + Send, E: ProvideErrorMetadata + Send>(
    time: Duration,
    success: u16,
    send: impl Future<Output = Result<O, SdkError<E, HttpResponse>>> + Send,
    of: impl FnOnce(O) -> T,
) -> Answer<T> {
    let mut sent = None;
    let status = within(time, pin!(async { sent = Some(send.await) })).await;
    match sent {
        Some(Ok(output)) => Answer {
            request_id: output.request_id().and_then(word),
            seen: status.to_string(),
            result: if status == success { Ok(of(output)) } else { Err(Failure::Unclear) },
            aws_code: None,
            hint: None,
            cut_short: false,
        },
        Some(Err(error)) => failed(&Refusal::of(&error)).of(),
        None => late().of(),
    }
}

/// Waits for a call, and returns the status of its answer. This and all that follows is the same for each operation:
/// generic, it would be in the binary a dozen times.
async fn within(time: Duration, sent: Pin<&mut (dyn Future<Output = ()> + Send)>) -> u16 {
    let sent = async {
        // Whether it ended in time, what it has left behind tells.
        let _ = tokio::time::timeout(time, sent).await;
        STATUS.with(Cell::get)
    };
    STATUS.scope(Cell::new(0), sent).await
}

fn late() -> Answer<Infallible> {
    Answer {
        result: Err(Failure::Unclear),
        seen: "timeout".into(),
        request_id: None,
        aws_code: None,
        hint: None,
        cut_short: false,
    }
}

impl Answer<Infallible> {
    /// The same, as the answer of any operation.
    fn of<T>(self) -> Answer<T> {
        let Self { result, seen, request_id, aws_code, hint, cut_short } = self;
        Answer { result: result.map(|never| match never {}), seen, request_id, aws_code, hint, cut_short }
    }
}

/// What any operation's error tells of its answer.
struct Refusal<'a> {
    raw: Option<&'a HttpResponse>,
    /// AWS's name for it and AWS's text.
    named: Option<&'a ErrorMetadata>,
    /// The meaning where it ended before there was an answer, if that is known.
    before: Option<Failure>,
}

impl<'a> Refusal<'a> {
    fn of<E: ProvideErrorMetadata>(error: &'a SdkError<E, HttpResponse>) -> Self {
        let before = match error {
            SdkError::ConstructionFailure(_) => Some(Failure::Final(Code::Internal)),
            SdkError::DispatchFailure(failure) => {
                failure.as_connector_error().filter(|error| was_not_sent(*error)).map(|_| Failure::NotSent)
            }
            _ => None,
        };
        let named = error.as_service_error().map(ProvideErrorMetadata::meta);
        Self { raw: error.raw_response(), named, before }
    }

    /// As the audit shows it, status and AWS's code, and that code alone.
    fn shown(&self) -> (String, Option<String>) {
        let aws_code = self.named.and_then(ErrorMetadata::code).and_then(word);
        let status = self.raw.map(|raw| raw.status().as_u16().to_string());
        let mut seen = status.unwrap_or_else(|| "no answer".to_owned());
        if let Some(code) = &aws_code {
            let _ = write!(seen, " {code}");
        }
        (seen, aws_code)
    }
}

fn failed(refusal: &Refusal<'_>) -> Answer<Infallible> {
    let header = |name| refusal.raw.and_then(|raw| raw.headers().get(name));
    let (seen, aws_code) = refusal.shown();
    let status = refusal.raw.map_or(0, |raw| raw.status().as_u16());
    let failure = refusal.before.unwrap_or_else(|| meaning(aws_code.as_deref(), status, header("retry-after")));
    let message = refusal.named.and_then(ErrorMetadata::message).unwrap_or_default();
    let hint = Hint::of(aws_code.as_deref().unwrap_or_default(), message);
    let cut_short = aws_code.is_none() || message.is_empty();
    let request_id = header("x-amzn-requestid").and_then(word);
    Answer { result: Err(failure), seen, request_id, aws_code, hint, cut_short }
}

/// An error as the audit shows it, status and AWS's code, and that code alone.
pub(crate) fn shown<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> (String, Option<String>) {
    Refusal::of(error).shown()
}

/// The table of AWS's errors, by code and, where a proxy or a spoilt answer has none, by status.
fn meaning(aws_code: Option<&str>, status: u16, retry_after: Option<&str>) -> Failure {
    match (aws_code.unwrap_or_default(), status) {
        (
            "TooManyRequestsException"
            | "ThrottlingException"
            | "ThrottledException"
            | "Throttling"
            | "RequestThrottledException"
            | "RequestThrottled"
            | "RequestLimitExceeded",
            _,
        )
        | (_, 429) => {
            let seconds = retry_after.and_then(|text| text.trim().parse().ok());
            Failure::Throttled(seconds.map(Duration::from_secs))
        }
        // A name beside a 5xx says what AWS was about when it failed, not what it decided.
        (_, 500..) => Failure::Unclear,
        ("ResourceConflictException", _) | (_, 409) => Failure::Taken,
        ("PreconditionFailedException", _) | (_, 412) => Failure::Revision,
        ("ResourceNotFoundException", _) | ("", 404) => Failure::Final(Code::TargetNotFound),
        ("PolicyLengthExceededException", _) => Failure::Final(Code::PolicyFull),
        ("PublicPolicyException", _) => Failure::Final(Code::PublicAccessBlocked),
        ("ServiceException", _) | ("RequestTimeout" | "RequestTimeoutException", _) | (_, 408) => Failure::Unclear,
        // Credentials that have expired or that AWS does not know; other services answer them with 400.
        ("ExpiredToken" | "ExpiredTokenException" | "UnrecognizedClientException" | "InvalidClientTokenId", _)
        | (_, 401 | 403) => Failure::Final(Code::AccessDenied),
        // InvalidParameterValueException, ValidationException, SerializationException, and what AWS adds next.
        (_, 400..=499) => Failure::Final(Code::RejectedByAws),
        // 5xx, an answer cut short, a success that cannot be read, or none at all.
        _ => Failure::Unclear,
    }
}

fn was_not_sent(error: &(dyn StdError + 'static)) -> bool {
    let mut source = Some(error);
    while let Some(error) = source {
        if error.is::<NotSent>() {
            return true;
        }
        source = error.source();
    }
    false
}

/// A code or an id of AWS, if it is a plain word: only such text of an answer reaches a log.
pub(crate) fn word(text: &str) -> Option<String> {
    let plain =
        !text.is_empty() && text.len() <= 64 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    plain.then(|| text.to_owned())
}
