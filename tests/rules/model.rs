//! AWS's service model of the two operations (2015-03-31), as data: the patterns word for word, the lengths, the types.
//! It is an oracle: it shares nothing with the broker's parsers, which use no patterns.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex_lite::Regex;
use serde_json::{Map, Value};

const FUNCTION_NAME: &str = r"(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:)?(\d{12}:)?(function:)?([a-zA-Z0-9-_\.]+)(:(\$LATEST(\.PUBLISHED)?|[a-zA-Z0-9-_]+))?";
const STATEMENT_ID: &str = r"([a-zA-Z0-9-_]+)";
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

/// What the model says about one parameter.
pub(super) struct Constraint {
    pub(super) parameter: &'static str,
    pub(super) required: bool,
    pub(super) kind: Kind,
}

/// The type of a parameter.
pub(super) enum Kind {
    /// A pattern for the whole value, the least and the most characters.
    Text(&'static str, usize, usize),
    /// Any text.
    Free,
    /// One of these.
    Word(&'static [&'static str]),
    Boolean,
    Long,
}

use Kind::{Boolean, Free, Long, Text, Word};

const fn required(parameter: &'static str, kind: Kind) -> Constraint {
    Constraint { parameter, required: true, kind }
}

const fn optional(parameter: &'static str, kind: Kind) -> Constraint {
    Constraint { parameter, required: false, kind }
}

/// `StatementId` is required by AWS; the broker derives the one that is left out before it asks AWS.
pub(super) const ADD_PERMISSION: [Constraint; 12] = [
    required("FunctionName", Text(FUNCTION_NAME, 1, 256)),
    optional("StatementId", Text(STATEMENT_ID, 1, 100)),
    required("Action", Text(ACTION, 0, 10_000)),
    required("Principal", Text(PRINCIPAL, 0, 2_048)),
    optional("SourceArn", Text(SOURCE_ARN, 0, 10_000)),
    optional("FunctionUrlAuthType", Word(&["NONE", "AWS_IAM"])),
    optional("InvokedViaFunctionUrl", Boolean),
    optional("SourceAccount", Text(SOURCE_ACCOUNT, 0, 12)),
    optional("EventSourceToken", Text(EVENT_SOURCE_TOKEN, 0, 256)),
    optional("Qualifier", Text(QUALIFIER, 1, 128)),
    optional("RevisionId", Free),
    optional("PrincipalOrgID", Text(ORGANIZATION_ID, 12, 34)),
];

pub(super) const ADD_LAYER_VERSION_PERMISSION: [Constraint; 7] = [
    required("LayerName", Text(LAYER_NAME, 1, 2_048)),
    required("VersionNumber", Long),
    optional("StatementId", Text(STATEMENT_ID, 1, 100)),
    required("Action", Text(LAYER_ACTION, 0, 22)),
    required("Principal", Text(LAYER_PRINCIPAL, 0, 10_000)),
    optional("OrganizationId", Text(ORGANIZATION_ID, 0, 34)),
    optional("RevisionId", Free),
];

static WHOLE: LazyLock<HashMap<&str, Regex>> = LazyLock::new(|| {
    let texts =
        ADD_PERMISSION.iter().chain(&ADD_LAYER_VERSION_PERMISSION).filter_map(|constraint| match constraint.kind {
            Text(pattern, ..) => Some(pattern),
            _ => None,
        });
    texts.map(|pattern| (pattern, Regex::new(&format!("^(?:{pattern})$")).unwrap())).collect()
});

impl Constraint {
    /// Whether the parameter may be what it is, looked at alone.
    pub(super) fn accepts(&self, parameters: &Map<String, Value>) -> bool {
        let Some(value) = parameters.get(self.parameter) else { return !self.required };
        match &self.kind {
            Text(pattern, least, most) => value.as_str().is_some_and(|text| {
                (*least..=*most).contains(&text.chars().count())
                    && WHOLE[pattern].is_match(text)
                    && !breaks_line(pattern, text)
            }),
            Free => value.is_string(),
            Word(words) => value.as_str().is_some_and(|text| words.contains(&text)),
            Boolean => value.is_boolean(),
            Long => value.is_i64(),
        }
    }

    /// The most characters, if the model bounds them.
    pub(super) fn most_chars(&self) -> Option<usize> {
        match self.kind {
            Text(_, _, most) => Some(most),
            _ => None,
        }
    }
}

/// The patterns are Java's: there `.` matches none of its line terminators, here it matches all but `\n`.
fn breaks_line(pattern: &str, text: &str) -> bool {
    pattern.contains(".*") && text.contains(['\n', '\r', '\u{85}', '\u{2028}', '\u{2029}'])
}

/// What AWS refuses between parameters that are right by themselves, as recorded from it: the parameter to blame.
pub(super) fn refused_between(parameters: &Map<String, Value>) -> Vec<&'static str> {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    let mut refused = Vec::new();
    // "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action"
    let other = |action: &str| action != "lambda:InvokeFunctionUrl";
    if parameters.contains_key("FunctionUrlAuthType") && text("Action").is_some_and(other) {
        refused.push("FunctionUrlAuthType");
    }
    if parameters.contains_key("InvokedViaFunctionUrl") && text("Action").is_some_and(|action| !other(action)) {
        refused.push("InvokedViaFunctionUrl");
    }
    refused
}

/// "The derived qualifier from the function name does not match the specified qualifier."
pub(super) fn names_two_qualifiers(parameters: &Map<String, Value>) -> bool {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    let name = text("FunctionName").map(|name| name.split_once(":function:").map_or(name, |(_, name)| name));
    let derived = name.and_then(|name| name.split_once(':')).map(|(_, derived)| derived);
    derived.zip(text("Qualifier")).is_some_and(|(derived, specified)| derived != specified)
}
