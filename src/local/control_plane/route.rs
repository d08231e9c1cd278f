//! Which operation a method and path mean, and the labels and query members they carry.
//! Guarantees that an ARN stays one path segment: the path is split before it is percent-decoded.
//! It knows no constraint: an empty label is a value like any other here, and is refused later.

use std::fmt;

use super::answer::{AwsError, ErrorName};

/// The operations that the control plane knows: the six resource-policy operations, the five that list what can have
/// a policy, the two of layer versions, and what goes with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Adds a statement to a function's, version's or alias's policy.
    AddPermission,
    /// Removes such a statement.
    RemovePermission,
    /// Shows such a policy.
    GetPolicy,
    /// Adds a statement to a layer version's policy.
    AddLayerVersionPermission,
    /// Removes such a statement.
    RemoveLayerVersionPermission,
    /// Shows such a policy.
    GetLayerVersionPolicy,
    /// EventBridge's, for the results that the broker publishes.
    PutEvents,
    /// Lists functions, and on request their published versions.
    ListFunctions,
    /// Lists the aliases of a function.
    ListAliases,
    /// Lists the published versions of a function.
    ListVersionsByFunction,
    /// Lists layers.
    ListLayers,
    /// Lists the versions of a layer.
    ListLayerVersions,
    /// Publishes a version of a layer, whose content is thrown away.
    PublishLayerVersion,
    /// Shows a version of a layer.
    GetLayerVersion,
    /// Makes a schedule.
    CreateSchedule,
    /// Shows a schedule.
    GetSchedule,
    /// Deletes a schedule.
    DeleteSchedule,
}

impl Operation {
    /// The name that AWS gives the operation.
    pub fn name(self) -> &'static str {
        match self {
            Self::AddPermission => "AddPermission",
            Self::RemovePermission => "RemovePermission",
            Self::GetPolicy => "GetPolicy",
            Self::AddLayerVersionPermission => "AddLayerVersionPermission",
            Self::RemoveLayerVersionPermission => "RemoveLayerVersionPermission",
            Self::GetLayerVersionPolicy => "GetLayerVersionPolicy",
            Self::PutEvents => "PutEvents",
            Self::ListFunctions => "ListFunctions",
            Self::ListAliases => "ListAliases",
            Self::ListVersionsByFunction => "ListVersionsByFunction",
            Self::ListLayers => "ListLayers",
            Self::ListLayerVersions => "ListLayerVersions",
            Self::PublishLayerVersion => "PublishLayerVersion",
            Self::GetLayerVersion => "GetLayerVersion",
            Self::CreateSchedule => "CreateSchedule",
            Self::GetSchedule => "GetSchedule",
            Self::DeleteSchedule => "DeleteSchedule",
        }
    }

    /// Whether an accepted request changes a policy.
    pub fn is_change(self) -> bool {
        matches!(
            self,
            Self::AddPermission
                | Self::RemovePermission
                | Self::AddLayerVersionPermission
                | Self::RemoveLayerVersionPermission
        )
    }

    /// Whether it is EventBridge Scheduler's.
    pub fn is_of_schedules(self) -> bool {
        matches!(self, Self::CreateSchedule | Self::GetSchedule | Self::DeleteSchedule)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An operation with the labels of its path, still percent-encoded.
pub(super) struct Route<'a> {
    pub(super) operation: Operation,
    labels: Labels<'a>,
}

/// What is done to a policy, whoever's policy it is.
enum Verb {
    Add,
    Remove,
    Show,
}

impl<'a> Route<'a> {
    pub(super) fn of(method: &str, path: &'a str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').collect();
        match segments.as_slice() {
            ["", "2015-03-31", "functions", name, "policy", rest @ ..] => {
                let labels = vec![("FunctionName", *name)];
                let (verb, labels) = verb(method, rest, labels)?;
                let operation = match verb {
                    Verb::Add => Operation::AddPermission,
                    Verb::Remove => Operation::RemovePermission,
                    Verb::Show => Operation::GetPolicy,
                };
                Some(Self { operation, labels })
            }
            ["", "2018-10-31", "layers", name, "versions", version, "policy", rest @ ..] => {
                let labels = vec![("LayerName", *name), ("VersionNumber", *version)];
                let (verb, labels) = verb(method, rest, labels)?;
                let operation = match verb {
                    Verb::Add => Operation::AddLayerVersionPermission,
                    Verb::Remove => Operation::RemoveLayerVersionPermission,
                    Verb::Show => Operation::GetLayerVersionPolicy,
                };
                Some(Self { operation, labels })
            }
            // SDKs differ in the slash at the end of a collection.
            ["", "2015-03-31", "functions"] | ["", "2015-03-31", "functions", ""] => {
                Self::list(method, Operation::ListFunctions, Vec::new())
            }
            ["", "2015-03-31", "functions", name, "aliases"] => {
                Self::list(method, Operation::ListAliases, vec![("FunctionName", *name)])
            }
            ["", "2015-03-31", "functions", name, "versions"] => {
                Self::list(method, Operation::ListVersionsByFunction, vec![("FunctionName", *name)])
            }
            ["", "2018-10-31", "layers"] => Self::list(method, Operation::ListLayers, Vec::new()),
            ["", "2018-10-31", "layers", name, "versions"] => {
                let operation = match method {
                    "GET" => Operation::ListLayerVersions,
                    "POST" => Operation::PublishLayerVersion,
                    _ => return None,
                };
                Some(Self { operation, labels: vec![("LayerName", *name)] })
            }
            ["", "2018-10-31", "layers", name, "versions", version] => {
                let labels = vec![("LayerName", *name), ("VersionNumber", *version)];
                (method == "GET").then_some(Self { operation: Operation::GetLayerVersion, labels })
            }
            ["", "schedules", name] => {
                let operation = match method {
                    "POST" => Operation::CreateSchedule,
                    "GET" => Operation::GetSchedule,
                    "DELETE" => Operation::DeleteSchedule,
                    _ => return None,
                };
                Some(Self { operation, labels: vec![("Name", *name)] })
            }
            _ => None,
        }
    }

    fn list(method: &str, operation: Operation, labels: Labels<'a>) -> Option<Self> {
        (method == "GET").then_some(Self { operation, labels })
    }

    /// The labels, decoded.
    pub(super) fn labels(&self) -> Result<Vec<(&'static str, String)>, AwsError> {
        let decode = |(name, raw): &(&'static str, &str)| Ok((*name, percent_decode(raw)?));
        self.labels.iter().map(decode).collect()
    }
}

type Labels<'a> = Vec<(&'static str, &'a str)>;

fn verb<'a>(method: &str, rest: &[&'a str], mut labels: Labels<'a>) -> Option<(Verb, Labels<'a>)> {
    let verb = match (method, rest) {
        ("POST", []) => Verb::Add,
        ("GET", []) => Verb::Show,
        ("DELETE", [statement_id]) => {
            labels.push(("StatementId", *statement_id));
            Verb::Remove
        }
        _ => return None,
    };
    Some((verb, labels))
}

/// The query members. Which of two equal keys AWS takes is not recorded; read strictly, two are refused.
pub(super) fn query(raw: &str) -> Result<Vec<(String, String)>, AwsError> {
    let mut members: Vec<(String, String)> = Vec::new();
    for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = percent_decode(name)?;
        if members.iter().any(|(known, _)| *known == name) {
            return Err(AwsError::serialization("A query parameter is given twice"));
        }
        members.push((name, percent_decode(value)?));
    }
    Ok(members)
}

pub(super) fn unknown_operation() -> AwsError {
    AwsError::new(ErrorName::UnknownOperation, "Unknown operation")
}

/// `+` stays itself: SDKs write a space as `%20`. What AWS does with a broken escape is not recorded; it is
/// refused here.
fn percent_decode(raw: &str) -> Result<String, AwsError> {
    let broken = || AwsError::serialization("The URI is not correctly percent-encoded");
    let mut decoded = Vec::with_capacity(raw.len());
    let mut bytes = raw.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let high = bytes.next().and_then(hex).ok_or_else(broken)?;
            let low = bytes.next().and_then(hex).ok_or_else(broken)?;
            decoded.push(high << 4 | low);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).map_err(|_| broken())
}

fn hex(digit: u8) -> Option<u8> {
    let value = char::from(digit).to_digit(16)?;
    u8::try_from(value).ok()
}
