//! Which principals AWS takes, for functions and for layers, and what it stores for each.
//! Guarantees that anything not understood is refused with AWS's own sentence.
//! Whether a service, user or role really exists is not modelled, but for a list of deleted ones.

use super::answer::AwsError;
use super::statement::Principal;
use super::world::World;

/// AWS's sentence for a principal it cannot resolve, also one that an older statement names.
pub(super) fn invalid() -> AwsError {
    AwsError::invalid("The provided principal was invalid. Please check the principal and try again.")
}

/// `*`, an account, the ARN of a root, user or role, or a service name.
pub(super) fn for_function(world: &World, text: &str) -> Result<Principal, AwsError> {
    if let Some(principal) = everyone_or_account(world, text) {
        return Ok(principal);
    }
    let understood = match text.strip_prefix("arn:") {
        Some(rest) => is_entity(world, rest).then(|| Principal::Aws(text.to_owned())),
        None => is_service(world, text).then(|| Principal::Service(text.to_owned())),
    };
    let known = understood.filter(|_| !world.deleted_principals.contains(text));
    known.ok_or_else(invalid)
}

/// `*`, an account, or the root ARN of an account; the constraints let nothing else come here. A root ARN of
/// another partition is not recorded and read strictly: refused.
pub(super) fn for_layer(world: &World, text: &str) -> Result<Principal, AwsError> {
    if let Some(principal) = everyone_or_account(world, text) {
        return Ok(principal);
    }
    let own = format!("arn:{}:iam::", world.partition);
    let root = text.starts_with(&own).then(|| Principal::Aws(text.to_owned()));
    root.ok_or_else(invalid)
}

/// An account is stored as its root, in the partition of the endpoint.
fn everyone_or_account(world: &World, text: &str) -> Option<Principal> {
    if text == "*" {
        return Some(Principal::Everyone("*"));
    }
    let root = || format!("arn:{}:iam::{text}:root", world.partition);
    is_account(text).then(|| Principal::Aws(root()))
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Users and roles were seen to be accepted as ARNs, and a root is what AWS itself stores for an account. Groups,
/// sessions and foreign partitions are not recorded for functions and read strictly: refused.
fn is_entity(world: &World, rest: &str) -> bool {
    let parts: Vec<&str> = rest.splitn(5, ':').collect();
    let [partition, "iam", "", account, entity] = parts.as_slice() else {
        return false;
    };
    let name = entity.strip_prefix("user/").or_else(|| entity.strip_prefix("role/"));
    let is_name = |name: &str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-/".contains(&byte);
        !name.is_empty() && !name.ends_with('/') && name.bytes().all(fits)
    };
    *partition == world.partition && is_account(account) && (*entity == "root" || name.is_some_and(is_name))
}

/// A service ends in `.amazonaws.com` or, as Alexa does, in `.amazon.com`. The Chinese suffix is not recorded
/// and taken only where it can belong.
fn is_service(world: &World, text: &str) -> bool {
    let chinese = (world.partition == "aws-cn").then_some(".amazonaws.com.cn");
    let suffixes = [Some(".amazonaws.com"), Some(".amazon.com"), chinese];
    let mut names = suffixes.iter().flatten().filter_map(|suffix| text.strip_suffix(suffix));
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        !label.is_empty() && label.bytes().all(fits)
    };
    names.any(|name| name.split('.').all(is_label))
}
