//! AddLayerVersionPermission, RemoveLayerVersionPermission and GetLayerVersionPolicy.
//! Guarantees that a policy belongs to one layer version, and that its ARN is the statement's resource.
//! It computes what would change and changes nothing.

use serde_json::json;

use super::answer::{Answer, AwsError};
use super::function::{no_policy, shown};
use super::policy::{Addition, Policy};
use super::principal;
use super::request::Request;
use super::state::Outcome;
use super::statement::{Condition, Statement, StringEquals};
use super::world::World;

/// AWS names this operation to callers whose revision id is out of date, though it does not exist.
const REVISION_API: &str = "GetLayerPolicy";

/// The name in a bare layer name or a layer ARN.
pub(super) fn name_of(text: &str) -> &str {
    text.rsplit(':').next().unwrap_or(text)
}

/// Refuses what no lookup is needed for. That version numbers below 1 are refused so is recorded for other layer
/// operations and taken over here.
pub(super) fn version_of(request: &Request) -> Result<i64, AwsError> {
    let version = request.required("VersionNumber")?.parse::<i64>();
    let version = version.map_err(|_| AwsError::serialization("VersionNumber cannot be read"))?;
    if version < 1 {
        return Err(AwsError::invalid("Layer Version Cannot be less than 1"));
    }
    Ok(version)
}

/// The name of a layer of this place. A foreign account is not recorded for layers and read as strictly as for
/// functions; in a foreign region or partition nothing exists, which `missing` says.
pub(super) fn name_here<'t>(
    world: &World,
    text: &'t str,
    missing: impl FnOnce() -> AwsError,
) -> Result<&'t str, AwsError> {
    let parts: Vec<&str> = text.split(':').collect();
    if let ["arn", partition, "lambda", region, account, "layer", _] = parts.as_slice() {
        if *partition != world.partition || *region != world.region {
            return Err(missing());
        }
        if *account != world.account {
            return Err(AwsError::access_denied());
        }
    }
    Ok(name_of(text))
}

/// The ARN of an existing layer version.
fn find(world: &World, text: &str, version: i64) -> Result<String, AwsError> {
    let missing = |arn: &str| AwsError::not_found(format!("Layer version {arn} does not exist."));
    let name = name_here(world, text, || missing(&format!("{text}:{version}")))?;
    let arn = world.layer_arn(name, version);
    match world.has_layer_version(name, version) {
        true => Ok(arn),
        false => Err(missing(&arn)),
    }
}

pub(super) fn add(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let version = version_of(request)?;
    let principal_text = request.required("Principal")?;
    let principal = principal::for_layer(world, principal_text)?;
    let organization = request.get("OrganizationId");
    // An organization beside an account is undefined by the reference; read strictly, it is refused.
    if organization.is_some() && principal_text != "*" {
        return Err(AwsError::invalid("OrganizationId is only supported with the principal *"));
    }
    let arn = find(world, request.required("LayerName")?, version)?;
    let statement_id = request.required("StatementId")?;
    let statement = Statement {
        sid: statement_id,
        effect: "Allow",
        principal,
        action: request.required("Action")?,
        resource: &arn,
        condition: Condition {
            string_equals: StringEquals { principal_org_id: organization, ..StringEquals::default() },
            ..Condition::default()
        },
    };
    let statement = statement.render()?;
    let text = statement.get().to_owned();
    let addition = Addition {
        statement_id,
        statement,
        expected: request.get("RevisionId"),
        without_policy: None,
        api: REVISION_API,
    };
    let policy = Policy::with(world.policies.get(&arn), addition, &world.deleted_principals)?;
    let body = json!({ "Statement": text, "RevisionId": policy.revision_id });
    Ok(Outcome::change(arn, Some(policy), Answer::json(201, &body)))
}

/// What AWS answers without a policy, and after the last removal, is not recorded; it is taken to be as for
/// functions: the policy is gone.
pub(super) fn remove(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let version = version_of(request)?;
    let arn = find(world, request.required("LayerName")?, version)?;
    let policy = world.policies.get(&arn).ok_or_else(no_policy)?;
    let statement_id = request.required("StatementId")?;
    let left = policy.without(statement_id, request.get("RevisionId"), REVISION_API)?;
    Ok(Outcome::change(arn, left, Answer::no_content()))
}

pub(super) fn show(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let version = version_of(request)?;
    let arn = find(world, request.required("LayerName")?, version)?;
    let policy = world.policies.get(&arn).ok_or_else(no_policy)?;
    Ok(Outcome::read(shown(policy)))
}
