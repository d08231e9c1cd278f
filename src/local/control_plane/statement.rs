//! One statement as AWS stores it: member order, key case and condition operators as recorded.
//! Guarantees that equal input renders to equal text, so that sizes can be computed.
//! Principals arrive here already understood; nothing is refused in this file.

use serde::Serialize;
use serde_json::value::RawValue;

use super::answer::{AwsError, ErrorName};

/// Who a statement names, in the three spellings that AWS stores.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Principal {
    /// `{"AWS": "arn"}`: an account root, a user or a role.
    #[serde(rename = "AWS")]
    Aws(String),
    /// `{"Service": "name"}`.
    Service(String),
    /// The bare string `"*"`, not `{"AWS": "*"}`.
    #[serde(untagged)]
    Everyone(&'static str),
}

/// What a statement says, before rendering.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Statement<'a> {
    pub(super) sid: &'a str,
    pub(super) effect: &'static str,
    pub(super) principal: Principal,
    pub(super) action: &'a str,
    pub(super) resource: &'a str,
    /// Absent without any condition, never an empty object.
    #[serde(skip_serializing_if = "Condition::is_empty")]
    pub(super) condition: Condition<'a>,
}

/// The condition operators. Recorded: `StringEquals` before `ArnLike`. The place of `Bool` is not recorded.
#[derive(Default, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Condition<'a> {
    #[serde(skip_serializing_if = "StringEquals::is_empty")]
    pub(super) string_equals: StringEquals<'a>,
    /// AWS's reference says `StringLike`; what it stores is `ArnLike`.
    #[serde(skip_serializing_if = "ArnLike::is_empty")]
    pub(super) arn_like: ArnLike<'a>,
    #[serde(skip_serializing_if = "Bool::is_empty")]
    pub(super) bool: Bool<'a>,
}

/// Keys in the recorded order; the place of the token among them is not recorded.
#[derive(Default, Serialize)]
pub(super) struct StringEquals<'a> {
    #[serde(rename = "AWS:SourceAccount", skip_serializing_if = "Option::is_none")]
    pub(super) source_account: Option<&'a str>,
    #[serde(rename = "lambda:EventSourceToken", skip_serializing_if = "Option::is_none")]
    pub(super) event_source_token: Option<&'a str>,
    #[serde(rename = "lambda:FunctionUrlAuthType", skip_serializing_if = "Option::is_none")]
    pub(super) function_url_auth_type: Option<&'a str>,
    #[serde(rename = "aws:PrincipalOrgID", skip_serializing_if = "Option::is_none")]
    pub(super) principal_org_id: Option<&'a str>,
}

#[derive(Default, Serialize)]
pub(super) struct ArnLike<'a> {
    #[serde(rename = "AWS:SourceArn", skip_serializing_if = "Option::is_none")]
    pub(super) source_arn: Option<&'a str>,
}

#[derive(Default, Serialize)]
pub(super) struct Bool<'a> {
    /// The text `"true"`, not a JSON boolean.
    #[serde(rename = "lambda:InvokedViaFunctionUrl", skip_serializing_if = "Option::is_none")]
    pub(super) invoked_via_function_url: Option<&'a str>,
}

impl Condition<'_> {
    fn is_empty(&self) -> bool {
        self.string_equals.is_empty() && self.arn_like.is_empty() && self.bool.is_empty()
    }
}

impl StringEquals<'_> {
    fn is_empty(&self) -> bool {
        self.source_account.is_none()
            && self.event_source_token.is_none()
            && self.function_url_auth_type.is_none()
            && self.principal_org_id.is_none()
    }
}

impl ArnLike<'_> {
    fn is_empty(&self) -> bool {
        self.source_arn.is_none()
    }
}

impl Bool<'_> {
    fn is_empty(&self) -> bool {
        self.invoked_via_function_url.is_none()
    }
}

impl Statement<'_> {
    pub(super) fn render(&self) -> Result<Box<RawValue>, AwsError> {
        serde_json::value::to_raw_value(self).map_err(|error| AwsError::new(ErrorName::Service, error.to_string()))
    }
}
