//! What is known of Lambda's actions: which mean something in the policy of a function, and what a name that is none
//! of them was probably meant to be. Source: Service Authorization Reference, AWS Lambda.

use crate::allowlist::DEFAULT_ACTIONS;

/// The only action of a layer (Lambda API model).
pub(super) const OF_LAYER: &str = "lambda:GetLayerVersion";

/// What may be done to a function, an alias or a version.
const OF_FUNCTION: &str = "\
    AddPermission CreateAlias CreateFunction CreateFunctionUrlConfig DeleteAlias DeleteFunction \
    DeleteFunctionCodeSigningConfig DeleteFunctionConcurrency DeleteFunctionEventInvokeConfig DeleteFunctionUrlConfig \
    DeleteProvisionedConcurrencyConfig DisableReplication EnableReplication GetAlias GetDurableExecution \
    GetDurableExecutionHistory GetDurableExecutionState GetFunction GetFunctionCodeSigningConfig GetFunctionConcurrency \
    GetFunctionConfiguration GetFunctionEventInvokeConfig GetFunctionRecursionConfig GetFunctionScalingConfig \
    GetFunctionUrlConfig GetPolicy GetProvisionedConcurrencyConfig GetRuntimeManagementConfig InvokeAsync \
    InvokeFunction InvokeFunctionUrl ListAliases ListDurableExecutionsByFunction ListFunctionEventInvokeConfigs \
    ListFunctionUrlConfigs ListProvisionedConcurrencyConfigs ListTags ListVersionsByFunction PublishVersion \
    PutFunctionCodeSigningConfig PutFunctionConcurrency PutFunctionEventInvokeConfig PutFunctionRecursionConfig \
    PutFunctionScalingConfig PutProvisionedConcurrencyConfig PutRuntimeManagementConfig RemovePermission \
    StopDurableExecution TagResource UntagResource UpdateAlias UpdateFunctionCode UpdateFunctionCodeSigningConfig \
    UpdateFunctionConfiguration UpdateFunctionEventInvokeConfig UpdateFunctionUrlConfig";

/// What is done to layers, to event source mappings, to code signing or to an account: a function's policy cannot
/// give it.
const OF_OTHERS: &str = "\
    AddLayerVersionPermission CreateCodeSigningConfig CreateEventSourceMapping DeleteCodeSigningConfig \
    DeleteEventSourceMapping DeleteLayerVersion GetAccountSettings GetCodeSigningConfig GetEventSourceMapping \
    GetLayerVersion GetLayerVersionPolicy ListCodeSigningConfigs ListEventSourceMappings ListFunctions \
    ListFunctionsByCodeSigningConfig ListLayerVersions ListLayers PublishLayerVersion RemoveLayerVersionPermission \
    UpdateCodeSigningConfig UpdateEventSourceMapping";

/// Names of the API whose action is called otherwise.
const OTHERWISE: [(&str, &str); 2] = [("Invoke", "InvokeFunction"), ("InvokeWithResponseStream", "InvokeFunction")];

/// What is known of an action.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Known {
    /// It means something in the policy of a function.
    OfFunction,
    /// It means nothing there.
    OfOthers,
    /// It is none of Lambda's, but much like one.
    Misspelt(String),
    /// It is none that is known here; it may be newer.
    Unknown,
}

pub(super) fn known(action: &str) -> Known {
    let name = action.strip_prefix("lambda:").unwrap_or(action);
    let is_in = |names: &str| names.split_whitespace().any(|it| it == name);
    if is_in(OF_FUNCTION) {
        return Known::OfFunction;
    }
    if is_in(OF_OTHERS) {
        return Known::OfOthers;
    }
    let otherwise = OTHERWISE.into_iter().find(|(api, _)| api.eq_ignore_ascii_case(name)).map(|(_, action)| action);
    let meant = otherwise.or_else(|| nearest(name));
    meant.map_or(Known::Unknown, |meant| Known::Misspelt(format!("lambda:{meant}")))
}

/// The action that differs least, if it differs in a few letters only. Of two the one that is granted most counts.
fn nearest(name: &str) -> Option<&'static str> {
    const MOST_APART: usize = 2;
    let defaults = DEFAULT_ACTIONS.into_iter().filter_map(|action| action.strip_prefix("lambda:"));
    let all = defaults.chain(OF_FUNCTION.split_whitespace()).chain(OF_OTHERS.split_whitespace());
    let apart = |it: &str| distance(it.to_ascii_lowercase().as_bytes(), name.to_ascii_lowercase().as_bytes());
    all.map(|it| (apart(it), it))
        .filter(|(apart, _)| *apart <= MOST_APART)
        .min_by_key(|(apart, _)| *apart)
        .map(|it| it.1)
}

/// How many letters have to be added, taken away or changed to make one of the other.
fn distance(one: &[u8], other: &[u8]) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let (mut left, mut above_left) = (i + 1, i);
        for (place, b) in row.iter_mut().skip(1).zip(other) {
            let here = (above_left + usize::from(a != b)).min(left + 1).min(*place + 1);
            (above_left, left) = (*place, here);
            *place = here;
        }
        row.first_mut().into_iter().for_each(|first| *first = i + 1);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Known, distance, known};

    #[test]
    fn an_action_is_known_or_like_one_or_neither() {
        let meant = |name: &str| Known::Misspelt(format!("lambda:{name}"));
        for (action, known_as) in [
            ("lambda:InvokeFunction", Known::OfFunction),
            ("lambda:UpdateFunctionUrlConfig", Known::OfFunction),
            ("lambda:GetLayerVersion", Known::OfOthers),
            ("lambda:ListFunctions", Known::OfOthers),
            ("lambda:InvokeFuncton", meant("InvokeFunction")),
            ("lambda:invokefunction", meant("InvokeFunction")),
            ("lambda:InvokeFunctions", meant("InvokeFunction")),
            ("lambda:InvokeFunctionURL", meant("InvokeFunctionUrl")),
            ("lambda:Invoke", meant("InvokeFunction")),
            ("lambda:InvokeWithResponseStream", meant("InvokeFunction")),
            ("lambda:GetLayerVersions", meant("GetLayerVersion")),
            ("lambda:Everything", Known::Unknown),
            ("lambda:InvokeFunctionInSpace", Known::Unknown),
        ] {
            assert_eq!(known(action), known_as, "{action}");
        }
    }

    #[test]
    fn words_are_as_far_apart_as_letters_have_to_change() {
        for (one, other, apart) in
            [("", "", 0), ("", "abc", 3), ("abc", "", 3), ("kitten", "sitting", 3), ("ab", "ba", 2)]
        {
            assert_eq!(distance(one.as_bytes(), other.as_bytes()), apart, "{one} {other}");
        }
    }
}
