//! Values near AWS's patterns: good ones of every form, changed a little.

use proptest::prelude::*;

/// Good values of a parameter, one for each form that it may have.
pub(super) fn good(parameter: &str) -> &'static [&'static str] {
    match parameter {
        "FunctionName" => &[
            "orders",
            "my-function_1.v2:live",
            "123456789012:function:orders",
            "us-gov-west-1:123456789012:function:orders:1",
            "arn:aws:lambda:us-east-1:123456789012:function:orders",
            "arn:aws-iso-b:lambda:us-isob-east-1:123456789012:function:orders:live",
            "arn:aws-eusc:lambda:eusc-de-east-1:123456789012:function:orders:$LATEST",
            "function:orders",
            "arn::lambda:us-iso-east-1:orders:$LATEST.PUBLISHED",
        ],
        "Qualifier" => &["live", "1", "$LATEST", "$LATEST.PUBLISHED", "a$b"],
        "StatementId" => &["partner-invoke_1", "S"],
        "Action" => &["lambda:InvokeFunction", "lambda:InvokeFunctionUrl", "lambda:GetLayerVersion", "lambda:*", "*"],
        "Principal" => &[
            "210987654321",
            "*",
            "arn:aws:iam::210987654321:root",
            "arn:aws-cn:iam::210987654321:role/team/builder",
            "arn:aws:iam::210987654321:user/a+=,.@_-b",
            "s3.amazonaws.com",
            "logs.us-east-1.amazonaws.com.cn",
            "alexa-appkit.amazon.com",
            "arn:aws:sts::210987654321:assumed-role/a/b",
        ],
        "SourceArn" => &[
            "arn:aws:s3:::bucket",
            "arn:aws:s3:::bucket/*",
            "arn:aws:sns:us-east-1:210987654321:topic",
            "arn:aws-us-gov:events:us-gov-west-1:210987654321:rule/?*",
            "arn:aws:execute-api:eusc-de-east-1:210987654321:api/$default/*",
            "arn:aws:s3:::${aws:username}",
        ],
        "SourceAccount" => &["210987654321", "000000000000"],
        "EventSourceToken" => &["amzn1.ask.skill.0123", "a-b_c"],
        "PrincipalOrgID" | "OrganizationId" => &["o-a1b2c3d4e5", "o-0123456789abcdefghijklmnopqrstuv"],
        "FunctionUrlAuthType" => &["AWS_IAM", "NONE"],
        "LayerName" => &[
            "tools",
            "arn:aws:lambda:us-east-1:123456789012:layer:tools",
            "arn:aws-iso:lambda:us-iso-east-1:123456789012:layer:my-layer_1",
            "arn::lambda:eusc-de-east-1:123456789012:layer:tools",
        ],
        "RevisionId" => &["b8b5d8a0-2f1c-4a8e-9d7f-0123456789ab"],
        other => panic!("{other} is no text"),
    }
}

/// The characters that mean something in one of the patterns, and their neighbours and look-alikes in Unicode.
const CHARS: &[char] = &[
    'a',
    'Z',
    '0',
    '9',
    'g',
    '-',
    '_',
    '.',
    ':',
    ':',
    '/',
    '$',
    '*',
    '?',
    '{',
    '}',
    '+',
    '=',
    ',',
    '@',
    ' ',
    '\t',
    '\n',
    '\r',
    '\0',
    '\u{7f}',
    '\u{85}',
    '\u{a0}',
    '\u{200b}',
    '\u{2028}',
    '１',
    '٣',
    'а',
    'é',
    '\u{1f600}',
];

/// One small change.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Insert(char),
    Replace(char),
    Delete,
    /// Another case.
    Case,
    /// Takes away what stands between two colons, or doubles it.
    DropPart,
    DoublePart,
    /// Everything from here on comes from another good value.
    Splice(usize),
    /// Repeats the character until the whole is so much longer or shorter than its longest.
    Stretch(isize),
    Truncate,
}

pub(super) fn change() -> impl Strategy<Value = (Change, prop::sample::Index)> {
    let char = || prop::sample::select(CHARS);
    let change = prop_oneof![
        4 => char().prop_map(Change::Insert),
        4 => char().prop_map(Change::Replace),
        4 => Just(Change::Delete),
        2 => Just(Change::Case),
        2 => Just(Change::DropPart),
        2 => Just(Change::DoublePart),
        2 => (0_usize..9).prop_map(Change::Splice),
        2 => (-1_isize..=1).prop_map(Change::Stretch),
        1 => Just(Change::Truncate),
    ];
    (change, any::<prop::sample::Index>())
}

impl Change {
    /// The text with this change at a place.
    pub(super) fn apply(&self, text: &str, place: prop::sample::Index, parameter: &str, most: Option<usize>) -> String {
        let mut chars: Vec<char> = text.chars().collect();
        let at = place.index(chars.len() + 1);
        match self {
            Self::Insert(char) => chars.insert(at, *char),
            Self::Replace(char) => chars.iter_mut().skip(at).take(1).for_each(|old| *old = *char),
            Self::Delete => drop(chars.drain(at..(at + 1).min(text.chars().count()))),
            Self::Case => chars.iter_mut().skip(at).take(1).for_each(|old| {
                *old = if old.is_lowercase() { old.to_ascii_uppercase() } else { old.to_ascii_lowercase() };
            }),
            Self::DropPart | Self::DoublePart => {
                let mut parts: Vec<&str> = text.split(':').collect();
                let at = place.index(parts.len());
                match self {
                    Self::DropPart => drop(parts.remove(at)),
                    _ => parts.insert(at, parts[at]),
                }
                return parts.join(":");
            }
            Self::Splice(other) => {
                let other = good(parameter)[other % good(parameter).len()];
                chars.truncate(at);
                chars.extend(other.chars().skip(at));
            }
            Self::Stretch(over) => {
                let length = most.unwrap_or(256).saturating_add_signed(*over);
                let (at, last) = (at.min(chars.len().saturating_sub(1)), chars.last().copied().unwrap_or('a'));
                let char = chars.get(at).copied().unwrap_or(last);
                let more = length.saturating_sub(chars.len());
                chars.splice(at..at, std::iter::repeat_n(char, more));
            }
            Self::Truncate => chars.truncate(at),
        }
        chars.into_iter().collect()
    }
}
