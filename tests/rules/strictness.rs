//! Where the broker is stricter than AWS's model on purpose: the whole list. Whatever else it refuses, the model refuses.

use std::sync::LazyLock;

use regex_lite::Regex;
use serde_json::{Map, Value, json};

use crate::support::document::{add_layer_version_permission, add_permission, broken_rules};

/// One thing that AWS's model lets through and the broker does not.
pub(super) struct Strictness {
    pub(super) operation: &'static str,
    /// The parameter to blame.
    pub(super) parameter: &'static str,
    pub(super) applies: fn(&Map<String, Value>) -> bool,
    /// Parameters to which it applies, and no other rule does.
    example: fn() -> Value,
}

const FUNCTION: &str = "AddPermission";
const LAYER: &str = "AddLayerVersionPermission";

pub(super) const LIST: [Strictness; 13] = [
    Strictness {
        operation: FUNCTION,
        parameter: "FunctionName",
        applies: has_two_readings,
        example: || json!({ "FunctionName": "arn:aws:lambda:us-east-1:123456789012:layer:foo" }),
    },
    Strictness {
        operation: FUNCTION,
        parameter: "FunctionName",
        applies: ends_with_latest,
        example: || json!({ "FunctionName": "f:$LATEST" }),
    },
    Strictness {
        operation: FUNCTION,
        parameter: "Qualifier",
        applies: is_latest,
        example: || json!({ "Qualifier": "$LATEST.PUBLISHED" }),
    },
    Strictness {
        operation: FUNCTION,
        parameter: "Principal",
        applies: is_of_unknown_form,
        example: || json!({ "Principal": "arn:aws:sts::210987654321:assumed-role/a/b" }),
    },
    Strictness {
        operation: FUNCTION,
        parameter: "SourceArn",
        applies: has_policy_variable,
        example: || json!({ "SourceArn": "arn:aws:s3:::${aws:username}" }),
    },
    Strictness {
        operation: FUNCTION,
        parameter: "SourceArn",
        applies: has_unprintable_source,
        example: || json!({ "SourceArn": "arn:aws:s3:::b\u{202e}" }),
    },
    Strictness {
        operation: FUNCTION,
        parameter: "SourceArn",
        applies: has_wildcard_source_of_no_account,
        example: || json!({ "SourceArn": "arn:aws:s3:::*" }),
    },
    Strictness {
        operation: FUNCTION,
        parameter: "InvokedViaFunctionUrl",
        applies: is_via_url_for_another_action,
        example: || json!({ "InvokedViaFunctionUrl": true, "Action": "lambda:*" }),
    },
    Strictness {
        operation: FUNCTION,
        parameter: "InvokedViaFunctionUrl",
        applies: is_not_via_url,
        example: || json!({ "InvokedViaFunctionUrl": false }),
    },
    Strictness {
        operation: FUNCTION,
        parameter: "RevisionId",
        applies: has_odd_revision_id,
        example: || json!({ "RevisionId": "" }),
    },
    Strictness {
        operation: LAYER,
        parameter: "VersionNumber",
        applies: has_version_below_1,
        example: || json!({ "VersionNumber": 0 }),
    },
    Strictness {
        operation: LAYER,
        parameter: "RevisionId",
        applies: has_odd_revision_id,
        example: || json!({ "RevisionId": "r".repeat(257) }),
    },
    Strictness {
        operation: LAYER,
        parameter: "RevisionId",
        applies: has_odd_revision_id,
        example: || json!({ "RevisionId": "a\u{a0}b" }),
    },
];

fn text<'a>(parameters: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    parameters.get(name).and_then(Value::as_str)
}

macro_rules! regex {
    ($pattern:expr) => {{
        static WHOLE: LazyLock<Regex> = LazyLock::new(|| Regex::new(concat!("^(?:", $pattern, ")$")).unwrap());
        &*WHOLE
    }};
}

/// A partial ARN, where a word could be a prefix or a name. What is left is a name, with a suffix only if it could be
/// no prefix, or a name behind the word `function` and an account.
fn has_two_readings(parameters: &Map<String, Value>) -> bool {
    let bare = regex!(r"[a-zA-Z0-9_.-]+(:.*)?");
    let prefix = regex!(r"(function|[0-9]{12}|(eusc-)?[a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-[0-9]):[^:]*");
    let anchored = regex!(
        r"((arn:aws[a-zA-Z-]*:lambda:)?(eusc-)?[a-z]{2}(-gov|-iso[a-z]?)?-[a-z]+-[0-9]:)?[0-9]{12}:function:[a-zA-Z0-9_.-]+(:[^:]*)?"
    );
    text(parameters, "FunctionName").is_some_and(|name| {
        let one_colon = name.bytes().filter(|byte| *byte == b':').count() <= 1;
        let is_bare = one_colon && bare.is_match(name) && !prefix.is_match(name);
        !is_bare && !anchored.is_match(name)
    })
}

fn ends_with_latest(parameters: &Map<String, Value>) -> bool {
    text(parameters, "FunctionName")
        .is_some_and(|name| name.ends_with(":$LATEST") || name.ends_with(":$LATEST.PUBLISHED"))
}

fn is_latest(parameters: &Map<String, Value>) -> bool {
    matches!(text(parameters, "Qualifier"), Some("$LATEST" | "$LATEST.PUBLISHED"))
}

fn is_of_unknown_form(parameters: &Map<String, Value>) -> bool {
    let account = regex!(r"[0-9]{12}|\*|arn:aws[a-zA-Z-]*:iam::[0-9]{12}:(root|(user|role)(/[a-zA-Z0-9+=,.@_-]+)+)");
    let service = regex!(
        r"([a-z0-9-]+\.)+(amazonaws\.com|amazon\.com|amazonaws\.com\.cn|amazonaws\.eu|c2s\.ic\.gov|sc2s\.sgov\.gov)"
    );
    text(parameters, "Principal").is_some_and(|text| !account.is_match(text) && !service.is_match(text))
}

fn has_policy_variable(parameters: &Map<String, Value>) -> bool {
    text(parameters, "SourceArn").is_some_and(|arn| arn.contains("${"))
}

fn has_unprintable_source(parameters: &Map<String, Value>) -> bool {
    text(parameters, "SourceArn").is_some_and(|arn| arn.bytes().any(|byte| !matches!(byte, b' '..=b'~')))
}

fn has_wildcard_source_of_no_account(parameters: &Map<String, Value>) -> bool {
    let of_no_account = regex!(r"arn:[^:]*:[^:]*:[^:]*::.*[*?].*");
    text(parameters, "SourceArn").is_some_and(|arn| of_no_account.is_match(arn))
        && !parameters.contains_key("SourceAccount")
}

fn is_via_url_for_another_action(parameters: &Map<String, Value>) -> bool {
    parameters.contains_key("InvokedViaFunctionUrl")
        && text(parameters, "Action").is_some_and(|action| action != "lambda:InvokeFunction")
}

fn is_not_via_url(parameters: &Map<String, Value>) -> bool {
    parameters.get("InvokedViaFunctionUrl") == Some(&Value::Bool(false))
}

fn has_odd_revision_id(parameters: &Map<String, Value>) -> bool {
    let fits = regex!(r"[!-~]{1,256}");
    text(parameters, "RevisionId").is_some_and(|id| !fits.is_match(id))
}

fn has_version_below_1(parameters: &Map<String, Value>) -> bool {
    parameters.get("VersionNumber").and_then(Value::as_i64).is_some_and(|number| number < 1)
}

#[test]
fn each_has_an_example_that_nothing_else_refuses() {
    for (i, strictness) in LIST.iter().enumerate() {
        let valid = if strictness.operation == FUNCTION { add_permission } else { add_layer_version_permission };
        let document = valid(&(strictness.example)());
        let parameters = document["parameters"].as_object().unwrap();
        let applying = LIST
            .iter()
            .enumerate()
            .filter(|(_, other)| other.operation == strictness.operation && (other.applies)(parameters));
        assert!(applying.map(|(at, _)| at).any(|at| at == i), "{document}");
        assert_eq!(super::property::refused_by_model(&document), Vec::<&str>::new(), "{document}");
        let broken: Vec<String> = broken_rules(&document.to_string()).into_iter().map(|(pointer, _)| pointer).collect();
        assert_eq!(broken, [format!("/parameters/{}", strictness.parameter)], "{document}");
    }
}
