//! Why a call that only reads did not answer, as far as it matters for trying again.

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

/// What became of a call, with AWS's code or what stands in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// There is none: no policy, or what it belonged to was deleted meanwhile.
    Absent,
    /// AWS was too busy.
    Busy(String),
    /// Nobody knows, or AWS failed: the same call may succeed.
    Unclear(String),
    /// The credentials are wrong or have expired: no call will succeed.
    Credentials(String),
    /// Asking again changes nothing.
    Refused(String),
}

impl Why {
    pub(super) fn of<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Self {
        let status = error.raw_response().map_or(0, |raw| raw.status().as_u16());
        let aws_code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
        Self::from(status, aws_code, matches!(error, SdkError::ConstructionFailure(_)))
    }

    fn from(status: u16, aws_code: &str, not_built: bool) -> Self {
        // Only a plain word of AWS's answer is shown.
        let plain = aws_code.len() <= 64 && aws_code.bytes().all(|b| b.is_ascii_alphanumeric());
        let code = match (aws_code, status) {
            ("", 0) if not_built => "the call could not be built".to_owned(),
            ("", 0) => "no answer".to_owned(),
            ("", status) => format!("HTTP {status}"),
            (code, _) if plain => code.to_owned(),
            (_, status) => format!("HTTP {status}"),
        };
        match (aws_code, status) {
            ("ResourceNotFoundException", _) | ("", 404) => Self::Absent,
            (name, _) if name.contains("Throttl") => Self::Busy(code),
            ("TooManyRequestsException" | "RequestLimitExceeded", _) | (_, 429) => Self::Busy(code),
            (
                "ExpiredToken"
                | "ExpiredTokenException"
                | "UnrecognizedClientException"
                | "InvalidClientTokenId"
                | "InvalidSignatureException"
                | "MissingAuthenticationTokenException",
                _,
            )
            | ("", 401) => Self::Credentials(code),
            _ if not_built => Self::Credentials(code),
            (_, 0 | 408 | 500..) => Self::Unclear(code),
            _ => Self::Refused(code),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Why;

    #[test]
    fn what_a_failure_means_follows_from_its_code_and_its_status() {
        let text = str::to_owned;
        let cases = [
            (404, "ResourceNotFoundException", Why::Absent),
            (404, "", Why::Absent),
            (404, "UnknownOperationException", Why::Refused(text("UnknownOperationException"))),
            (429, "TooManyRequestsException", Why::Busy(text("TooManyRequestsException"))),
            (429, "", Why::Busy(text("HTTP 429"))),
            (400, "ThrottlingException", Why::Busy(text("ThrottlingException"))),
            (500, "ServiceException", Why::Unclear(text("ServiceException"))),
            (502, "<b>", Why::Unclear(text("HTTP 502"))),
            (0, "", Why::Unclear(text("no answer"))),
            (403, "ExpiredTokenException", Why::Credentials(text("ExpiredTokenException"))),
            (403, "AccessDeniedException", Why::Refused(text("AccessDeniedException"))),
            (403, "", Why::Refused(text("HTTP 403"))),
        ];
        for (status, code, why) in cases {
            assert_eq!(Why::from(status, code, false), why, "{status} {code}");
        }
        assert_eq!(Why::from(0, "", true), Why::Credentials(text("the call could not be built")));
    }
}
