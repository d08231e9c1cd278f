//! AWS's documented constraints of every member, as data, and the one message that lists all that are broken.
//! Guarantees whole-value ASCII matching as AWS does it, and quotes values and patterns unchanged.
//! It reads no request and knows no function: a value that passes here may still be refused later.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex_lite::Regex;

use super::answer::{AwsError, ErrorName};
use super::route::Operation;

/// Where a member travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Uri,
    Query,
    Body,
}

/// The JSON type of a member, or for a label what its text must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Flag,
    Long,
    Structure,
}

/// One member of an operation with everything the service model says about it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rule {
    pub(super) member: &'static str,
    pub(super) place: Place,
    pub(super) kind: Kind,
    required: bool,
    pattern: Option<&'static str>,
    min: usize,
    max: usize,
    values: &'static [&'static str],
}

/// A function name in all its forms: bare, with a qualifier, partial or full ARN.
pub(super) const FUNCTION_NAME: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";
const STATEMENT_ID: &str = r"([a-zA-Z0-9-_]+)";
const REMOVED_STATEMENT_ID: &str = r"([a-zA-Z0-9-_.]+)";
const ACTION: &str = r"(lambda:[*]|lambda:[a-zA-Z]+|[*])";
const PRINCIPAL: &str = r"[^\s]+";
const SOURCE_ARN: &str =
    r"arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\-])+:((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1})?:(\d{12})?:(.*)";
const SOURCE_ACCOUNT: &str = r"\d{12}";
const EVENT_SOURCE_TOKEN: &str = r"[a-zA-Z0-9._\-]+";
const QUALIFIER: &str = r"\$(LATEST(\.PUBLISHED)?)|[a-zA-Z0-9-_$]+";
const ORGANIZATION_ID: &str = r"o-[a-z0-9]{10,32}";
const LAYER_NAME: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]{1,140}|[a-zA-Z0-9-_]{1,140})";
const LAYER_ACTION: &str = r"lambda:GetLayerVersion";
const LAYER_PRINCIPAL: &str = r"\d{12}|\*|arn:(aws[a-zA-Z-]*):iam::\d{12}:root";

const SCHEDULE_NAME: &str = r"[0-9a-zA-Z-_.]+";
const CLIENT_TOKEN: &str = r"[a-zA-Z0-9-_]+";

const PATTERNS: [&str; 15] = [
    SCHEDULE_NAME,
    CLIENT_TOKEN,
    FUNCTION_NAME,
    STATEMENT_ID,
    REMOVED_STATEMENT_ID,
    ACTION,
    PRINCIPAL,
    SOURCE_ARN,
    SOURCE_ACCOUNT,
    EVENT_SOURCE_TOKEN,
    QUALIFIER,
    ORGANIZATION_ID,
    LAYER_NAME,
    LAYER_ACTION,
    LAYER_PRINCIPAL,
];

const fn text(member: &'static str, place: Place, pattern: &'static str, min: usize, max: usize) -> Rule {
    Rule { member, place, kind: Kind::Text, required: false, pattern: Some(pattern), min, max, values: &[] }
}

const fn free(member: &'static str, place: Place, kind: Kind) -> Rule {
    Rule { kind, pattern: None, ..text(member, place, "", 0, usize::MAX) }
}

const fn required(rule: Rule) -> Rule {
    Rule { required: true, ..rule }
}

const FUNCTION_LABEL: Rule = required(text("FunctionName", Place::Uri, FUNCTION_NAME, 1, 256));
const LAYER_LABEL: Rule = required(text("LayerName", Place::Uri, LAYER_NAME, 1, 2048));
const VERSION_LABEL: Rule = required(free("VersionNumber", Place::Uri, Kind::Long));
const QUALIFIER_QUERY: Rule = text("Qualifier", Place::Query, QUALIFIER, 1, 128);
const REVISION_QUERY: Rule = free("RevisionId", Place::Query, Kind::Text);
const STATEMENT_ID_BODY: Rule = required(text("StatementId", Place::Body, STATEMENT_ID, 1, 100));

const ADD_PERMISSION: &[Rule] = &[
    FUNCTION_LABEL,
    STATEMENT_ID_BODY,
    required(text("Action", Place::Body, ACTION, 0, 10_000)),
    required(text("Principal", Place::Body, PRINCIPAL, 0, 2048)),
    text("SourceArn", Place::Body, SOURCE_ARN, 0, 10_000),
    Rule { values: &["NONE", "AWS_IAM"], ..free("FunctionUrlAuthType", Place::Body, Kind::Text) },
    free("InvokedViaFunctionUrl", Place::Body, Kind::Flag),
    text("SourceAccount", Place::Body, SOURCE_ACCOUNT, 0, 12),
    text("EventSourceToken", Place::Body, EVENT_SOURCE_TOKEN, 0, 256),
    QUALIFIER_QUERY,
    free("RevisionId", Place::Body, Kind::Text),
    text("PrincipalOrgID", Place::Body, ORGANIZATION_ID, 12, 34),
];

const REMOVE_PERMISSION: &[Rule] = &[
    FUNCTION_LABEL,
    // Dots are allowed for removal only, and only for functions.
    required(text("StatementId", Place::Uri, REMOVED_STATEMENT_ID, 1, 100)),
    QUALIFIER_QUERY,
    REVISION_QUERY,
];

const GET_POLICY: &[Rule] = &[FUNCTION_LABEL, QUALIFIER_QUERY];

const ADD_LAYER_VERSION_PERMISSION: &[Rule] = &[
    LAYER_LABEL,
    VERSION_LABEL,
    STATEMENT_ID_BODY,
    required(text("Action", Place::Body, LAYER_ACTION, 0, 22)),
    required(text("Principal", Place::Body, LAYER_PRINCIPAL, 0, 10_000)),
    text("OrganizationId", Place::Body, ORGANIZATION_ID, 0, 34),
    REVISION_QUERY,
];

const REMOVE_LAYER_VERSION_PERMISSION: &[Rule] =
    &[LAYER_LABEL, VERSION_LABEL, required(text("StatementId", Place::Uri, STATEMENT_ID, 1, 100)), REVISION_QUERY];

const GET_LAYER_VERSION_POLICY: &[Rule] = &[LAYER_LABEL, VERSION_LABEL];

const MARKER: Rule = free("Marker", Place::Query, Kind::Text);
const MAX_ITEMS: Rule = free("MaxItems", Place::Query, Kind::Long);

const LIST_FUNCTIONS: &[Rule] =
    &[MARKER, MAX_ITEMS, Rule { values: &["ALL"], ..free("FunctionVersion", Place::Query, Kind::Text) }];
const LIST_OF_FUNCTION: &[Rule] = &[FUNCTION_LABEL, MARKER, MAX_ITEMS];
const LIST_LAYERS: &[Rule] = &[MARKER, MAX_ITEMS];
const LIST_LAYER_VERSIONS: &[Rule] = &[LAYER_LABEL, MARKER, MAX_ITEMS];

const PUBLISH_LAYER_VERSION: &[Rule] = &[
    LAYER_LABEL,
    Rule { max: 256, ..free("Description", Place::Body, Kind::Text) },
    required(free("Content", Place::Body, Kind::Structure)),
    Rule { max: 512, ..free("LicenseInfo", Place::Body, Kind::Text) },
];

const GET_LAYER_VERSION: &[Rule] = &[LAYER_LABEL, VERSION_LABEL];

const SCHEDULE_LABEL: Rule = required(text("Name", Place::Uri, SCHEDULE_NAME, 1, 64));
const GROUP_QUERY: Rule = text("groupName", Place::Query, SCHEDULE_NAME, 1, 64);

const CREATE_SCHEDULE: &[Rule] = &[
    SCHEDULE_LABEL,
    text("GroupName", Place::Body, SCHEDULE_NAME, 1, 64),
    required(Rule { min: 1, max: 256, ..free("ScheduleExpression", Place::Body, Kind::Text) }),
    Rule { min: 1, max: 50, ..free("ScheduleExpressionTimezone", Place::Body, Kind::Text) },
    text("ClientToken", Place::Body, CLIENT_TOKEN, 1, 64),
    Rule { values: &["ENABLED", "DISABLED"], ..free("State", Place::Body, Kind::Text) },
    Rule { values: &["NONE", "DELETE"], ..free("ActionAfterCompletion", Place::Body, Kind::Text) },
    required(free("FlexibleTimeWindow", Place::Body, Kind::Structure)),
    required(free("Target", Place::Body, Kind::Structure)),
];

const GET_SCHEDULE: &[Rule] = &[SCHEDULE_LABEL, GROUP_QUERY];

const DELETE_SCHEDULE: &[Rule] = &[SCHEDULE_LABEL, GROUP_QUERY, text("clientToken", Place::Query, CLIENT_TOKEN, 1, 64)];

/// The members of an operation. Anything else in a request is ignored, as AWS does.
pub(super) fn rules(operation: Operation) -> &'static [Rule] {
    match operation {
        Operation::AddPermission => ADD_PERMISSION,
        Operation::RemovePermission => REMOVE_PERMISSION,
        Operation::GetPolicy => GET_POLICY,
        Operation::AddLayerVersionPermission => ADD_LAYER_VERSION_PERMISSION,
        Operation::RemoveLayerVersionPermission => REMOVE_LAYER_VERSION_PERMISSION,
        Operation::GetLayerVersionPolicy => GET_LAYER_VERSION_POLICY,
        // Its members are no texts, and are looked at where events are put.
        Operation::PutEvents => &[],
        Operation::ListFunctions => LIST_FUNCTIONS,
        Operation::ListAliases | Operation::ListVersionsByFunction => LIST_OF_FUNCTION,
        Operation::ListLayers => LIST_LAYERS,
        Operation::ListLayerVersions => LIST_LAYER_VERSIONS,
        Operation::PublishLayerVersion => PUBLISH_LAYER_VERSION,
        Operation::GetLayerVersion => GET_LAYER_VERSION,
        Operation::CreateSchedule => CREATE_SCHEDULE,
        Operation::GetSchedule => GET_SCHEDULE,
        Operation::DeleteSchedule => DELETE_SCHEDULE,
    }
}

impl Rule {
    /// Adds what the value breaks. Pattern before length: AWS was seen with either order, never with one left out.
    fn check(&self, value: Option<&str>, broken: &mut Vec<String>) {
        let field = self.field();
        let Some(value) = value else {
            if self.required {
                broken.push(format!("Value null at '{field}' failed to satisfy constraint: Member must not be null"));
            }
            return;
        };
        let mut add = |constraint: String| {
            broken.push(format!("Value '{value}' at '{field}' failed to satisfy constraint: {constraint}"));
        };
        if let Some(pattern) = self.pattern.filter(|pattern| !matches(pattern, value)) {
            add(format!("Member must satisfy regular expression pattern: {pattern}"));
        }
        let length = value.chars().count();
        if length > self.max {
            add(format!("Member must have length less than or equal to {}", self.max));
        }
        if length < self.min {
            add(format!("Member must have length greater than or equal to {}", self.min));
        }
        if !self.values.is_empty() && !self.values.contains(&value) {
            add(format!("Member must satisfy enum value set: [{}]", self.values.join(", ")));
        }
    }

    /// The member's name as AWS spells it in messages: the first letter in lower case.
    fn field(&self) -> String {
        let mut letters = self.member.chars();
        let first = letters.next().map(|first| first.to_ascii_lowercase());
        first.into_iter().chain(letters).collect()
    }
}

/// All constraints of all members at once, as AWS reports them.
pub(super) fn validate<'v>(rules: &[Rule], value: impl Fn(&Rule) -> Option<&'v str>) -> Result<(), AwsError> {
    let mut broken = Vec::new();
    for rule in rules {
        rule.check(value(rule), &mut broken);
    }
    let noun = match broken.len() {
        0 => return Ok(()),
        1 => "error",
        _ => "errors",
    };
    let message = format!("{} validation {noun} detected: {}", broken.len(), broken.join("; "));
    Err(AwsError::new(ErrorName::Validation, message))
}

static COMPILED: LazyLock<BTreeMap<&'static str, Regex>> = LazyLock::new(|| {
    let compile = |pattern: &&'static str| Some((*pattern, whole_value(pattern)?));
    PATTERNS.iter().filter_map(compile).collect()
});

/// A pattern that did not compile matches nothing, so that it cannot let anything through.
fn matches(pattern: &'static str, value: &str) -> bool {
    compiled(pattern).is_some_and(|regex| regex.is_match(value))
}

/// The compiled whole-value form of one of the patterns.
pub(super) fn compiled(pattern: &'static str) -> Option<&'static Regex> {
    COMPILED.get(pattern)
}

/// AWS matches whole values, and its `.` stands for no line terminator at all, not just for no `\n`.
fn whole_value(pattern: &str) -> Option<Regex> {
    let mut translated = String::from("^(?:");
    let (mut escaped, mut in_class) = (false, false);
    for letter in pattern.chars() {
        match letter {
            '.' if !escaped && !in_class => {
                translated.push_str("[^\n\r\u{85}\u{2028}\u{2029}]");
                continue;
            }
            '[' if !escaped => in_class = true,
            ']' if !escaped => in_class = false,
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
        translated.push(letter);
    }
    translated.push_str(")$");
    Regex::new(&translated).ok()
}
