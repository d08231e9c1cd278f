//! Everything a request can end with that is not a success: one table of codes.
//!
//! A [`Code`] is stable and machine readable; its [`Kind`] decides the outcome word and what
//! happens to an event or a queue message; its row gives the HTTP status and the title.
//! The README prints the same table, and a test compares the two.

use std::borrow::Cow;

use crate::outcome::Outcome;

/// What sort of ending a code is. The outcome word and the delivery follow from it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The document or its envelope could not be read.
    Malformed,
    /// A value breaks one of AWS's documented rules.
    Invalid,
    /// The requester, the door or the allowlist does not permit it.
    Denied,
    /// The statement id is taken by other content.
    Conflict,
    /// AWS refused for a reason that asking again does not change.
    Refused,
    /// This deployment stands in the way: its role, or its account's settings.
    Blocked,
    /// Asking again later may succeed.
    Transient,
}

/// What an event or a queue message does once its outcome is recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It is done; AWS will not deliver it again.
    Complete,
    /// It fails, so AWS delivers it again and at last moves it to the dead-letter queue.
    Fail,
}

impl Kind {
    /// The word that stands in reply and audit.
    pub const fn outcome(self) -> Outcome {
        match self {
            Self::Malformed | Self::Invalid => Outcome::Rejected,
            Self::Denied => Outcome::Denied,
            Self::Conflict => Outcome::Conflict,
            Self::Refused | Self::Blocked | Self::Transient => Outcome::Failed,
        }
    }

    /// Whether the same request may succeed when it is sent again unchanged.
    pub const fn retryable(self) -> bool {
        matches!(self, Self::Transient)
    }

    /// A blocked grant is not retried by the broker, yet its event is kept: once the role is
    /// mended, the dead-letter queue can be redriven and nothing is lost.
    pub const fn delivery(self) -> Delivery {
        match self {
            Self::Blocked | Self::Transient => Delivery::Fail,
            _ => Delivery::Complete,
        }
    }
}

/// One row of the table.
struct Row {
    word: &'static str,
    kind: Kind,
    status: u16,
    title: &'static str,
}

macro_rules! codes {
    ($($variant:ident = $word:literal, $kind:ident, $status:literal, $title:literal;)*) => {
        /// A stable code, one for each way to end without success. The doc of each variant is its title.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Code { $(#[doc = $title] $variant,)* }

        impl Code {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            const fn row(self) -> Row {
                match self { $(Self::$variant => Row { word: $word, kind: Kind::$kind, status: $status, title: $title },)* }
            }
        }
    };
}

codes! {
    NotJson = "not_json", Malformed, 400, "not a JSON document";
    NotAnObject = "not_an_object", Malformed, 400, "not a JSON object";
    TooLarge = "too_large", Malformed, 413, "too large";
    UnknownEvent = "unknown_event", Malformed, 400, "an event that fits no door";
    AmbiguousEvent = "ambiguous_event", Malformed, 400, "an event that fits more than one door or identity";
    OwnResult = "own_result", Malformed, 400, "a result of the broker's own, not a request";
    MethodNotAllowed = "method_not_allowed", Malformed, 405, "neither a POST nor a GET";
    InvalidBody = "invalid_body", Malformed, 400, "an unreadable body";
    UnknownField = "unknown_field", Malformed, 400, "an unknown field";
    DuplicateField = "duplicate_field", Malformed, 400, "a field given twice";
    MissingField = "missing_field", Malformed, 400, "a required field is missing";
    WrongType = "wrong_type", Malformed, 400, "a value of the wrong JSON type";

    InvalidOperation = "invalid_operation", Invalid, 400, "an operation the broker does not offer";
    InvalidReason = "invalid_reason", Invalid, 400, "an invalid reason";
    InvalidFunction = "invalid_function", Invalid, 400, "an invalid function name";
    InvalidQualifier = "invalid_qualifier", Invalid, 400, "an invalid qualifier";
    InvalidLayer = "invalid_layer", Invalid, 400, "an invalid layer name";
    InvalidVersionNumber = "invalid_version_number", Invalid, 400, "an invalid layer version number";
    InvalidStatementId = "invalid_statement_id", Invalid, 400, "an invalid statement id";
    InvalidAction = "invalid_action", Invalid, 400, "an invalid action";
    InvalidPrincipal = "invalid_principal", Invalid, 400, "an invalid principal";
    InvalidSourceArn = "invalid_source_arn", Invalid, 400, "an invalid source ARN";
    InvalidSourceAccount = "invalid_source_account", Invalid, 400, "an invalid source account";
    InvalidEventSourceToken = "invalid_event_source_token", Invalid, 400, "an invalid event source token";
    InvalidOrganization = "invalid_organization", Invalid, 400, "an invalid organization id";
    InvalidFunctionUrlAuthType = "invalid_function_url_auth_type", Invalid, 400, "an invalid function URL auth type";
    InvalidInvokedViaFunctionUrl = "invalid_invoked_via_function_url", Invalid, 400, "an invalid use of InvokedViaFunctionUrl";
    InvalidRevisionId = "invalid_revision_id", Invalid, 400, "an invalid revision id";
    InvalidFingerprint = "invalid_fingerprint", Invalid, 400, "an invalid fingerprint";
    InvalidExpiry = "invalid_expiry", Invalid, 400, "an invalid end of a grant";

    SourceNotEnabled = "source_not_enabled", Denied, 403, "a door that is closed on this deployment";
    Unauthenticated = "unauthenticated", Denied, 401, "no verified identity";
    RequesterNotAllowed = "requester_not_allowed", Denied, 403, "the requester may not ask for this";
    TargetNotAllowed = "target_not_allowed", Denied, 403, "the target is not on the allowlist";
    ActionNotAllowed = "action_not_allowed", Denied, 403, "the action is not on the allowlist";
    PrincipalNotAllowed = "principal_not_allowed", Denied, 403, "the principal is not on the allowlist";
    OrganizationNotAllowed = "organization_not_allowed", Denied, 403, "the organization is not on the allowlist";
    SourceNotAllowed = "source_not_allowed", Denied, 403, "the source account is not on the allowlist";
    SourceMismatch = "source_mismatch", Denied, 403, "source account and source ARN disagree";
    UnconfinedService = "unconfined_service", Denied, 403, "a service principal without a confined source";
    DurationNotAllowed = "duration_not_allowed", Denied, 403, "the grant may not last that long";
    ExpiryNotEnabled = "expiry_not_enabled", Denied, 403, "this deployment gives no timed grants";
    PublicGrant = "public_grant", Denied, 403, "a grant to everyone";
    ForeignStatement = "foreign_statement", Denied, 403, "a standing statement in a form that no grant makes";

    StatementConflict = "statement_conflict", Conflict, 409, "another statement stands under this id";

    TargetNotFound = "target_not_found", Refused, 404, "the target does not exist";
    PreviousNotFound = "previous_not_found", Refused, 404, "none of the ten versions before is known to be there";
    RevisionChanged = "revision_changed", Refused, 412, "the policy has another revision";
    PolicyFull = "policy_full", Refused, 409, "the policy is full";
    SweepIncomplete = "sweep_incomplete", Refused, 502, "some of a sweep could not be seen or taken away, and no repeat of it would";
    RejectedByAws = "rejected_by_aws", Refused, 400, "refused by AWS";
    PrincipalNotFound = "principal_not_found", Refused, 400, "AWS knows no such principal";
    DeadPrincipal = "dead_principal", Refused, 409, "a standing statement names a principal that is no more";
    StatementDiffers = "statement_differs", Refused, 502, "AWS stored something else than was asked";
    PublicAccessBlocked = "public_access_blocked", Blocked, 403, "blocked by the account's public access settings";
    AccessDenied = "access_denied", Blocked, 500, "the broker's role may not do this";
    ScheduleRefused = "schedule_refused", Blocked, 500, "AWS refused the schedule that would end the grant";
    Internal = "internal", Blocked, 500, "an error inside the broker";

    Throttled = "throttled", Transient, 429, "throttled by AWS";
    Unavailable = "unavailable", Transient, 503, "AWS Lambda's API is unavailable";
    TimedOut = "timed_out", Transient, 503, "not enough time left";
    OutcomeUnknown = "outcome_unknown", Transient, 503, "the outcome could not be confirmed";
    HalfGranted = "half_granted", Transient, 503, "one of two statements may stand, and could not be taken back";
    PrincipalNotYetKnown = "principal_not_yet_known", Transient, 409, "AWS does not know this user or role, or not yet";
    AllowlistUnavailable = "allowlist_unavailable", Transient, 503, "no allowlist to decide by";
    NotScheduled = "not_scheduled", Transient, 503, "the end of the grant could not be scheduled";
    NotDue = "not_due", Transient, 425, "the end of the grant has not come";
    AuditUnavailable = "audit_unavailable", Transient, 503, "the audit log cannot be written";
}

impl Code {
    /// The stable word, e.g. `invalid_principal`.
    pub const fn as_str(self) -> &'static str {
        self.row().word
    }

    /// The kind, which decides outcome and delivery.
    pub const fn kind(self) -> Kind {
        self.row().kind
    }

    /// The HTTP status that API Gateway and function URL callers see.
    pub const fn status(self) -> u16 {
        self.row().status
    }

    /// A short title for a person, without the particulars.
    pub const fn title(self) -> &'static str {
        self.row().title
    }
}

/// A rule that a value breaks, before it is known where in the document the value stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The stable code.
    pub code: Code,
    /// A sentence for the person who sent it.
    pub detail: &'static str,
}

impl Broken {
    pub(crate) const fn new(code: Code, detail: &'static str) -> Self {
        Self { code, detail }
    }
}

/// One broken rule: where it is, which one, and what would be right.
///
/// The detail never repeats a value that came from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// A JSON pointer into the request document, e.g. `/parameters/Principal`; empty for the whole.
    pub pointer: Cow<'static, str>,
    /// The stable code.
    pub code: Code,
    /// A sentence for the person who sent it.
    pub detail: Cow<'static, str>,
}

impl Fault {
    /// The detail of the one fault that stands for all fields beyond those that are looked at.
    pub(crate) const MORE_FIELDS: &'static str = "there are more fields here than are known";

    /// Whether it stands for more than one broken rule.
    pub(crate) fn is_of_many(&self) -> bool {
        self.detail == Self::MORE_FIELDS
    }

    /// A broken rule at a place known beforehand.
    pub fn new(pointer: &'static str, code: Code, detail: &'static str) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}
