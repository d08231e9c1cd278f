//! AddPermission, RemovePermission and GetPolicy: which function, version or alias is meant, and what AWS says.
//! Guarantees AWS's order of checks: qualifier, place, principal, existence, statement id, revision, size.
//! It computes what would change and changes nothing.

use serde_json::json;

use super::answer::{Answer, AwsError};
use super::constraint;
use super::policy::{Addition, Policy};
use super::principal;
use super::request::Request;
use super::state::Outcome;
use super::statement::{ArnLike, Bool, Condition, Statement, StringEquals};
use super::world::{Function, World};

/// Where AWS sends a caller whose revision id is out of date. Recorded for AddPermission in 2025; for removals
/// only an older text was recorded, and the current reference names the same place for both.
const REVISION_API: &str = "GetPolicy";

/// What a function name says, before anything is looked up.
pub(super) struct Named {
    /// The partition, where the name begins as an ARN.
    partition: Option<String>,
    region: Option<String>,
    account: Option<String>,
    pub(super) name: String,
    qualifier: Option<String>,
}

/// Why a target cannot have a policy.
enum Missing {
    Function,
    Version,
    Alias,
}

impl Named {
    /// The parts in the way AWS's own pattern divides them: an unversioned layer ARN is a function called `layer`.
    pub(super) fn of(request: &Request) -> Result<Self, AwsError> {
        let text = request.required("FunctionName")?;
        let unreadable = || AwsError::serialization("FunctionName cannot be read");
        let pattern = constraint::compiled(constraint::FUNCTION_NAME);
        let parts = pattern.and_then(|pattern| pattern.captures(text));
        let parts = parts.ok_or_else(unreadable)?;
        let part = |group: usize| {
            let text = parts.get(group).map(|part| part.as_str());
            text.map(|text| text.trim_end_matches(':').to_owned())
        };
        let suffix = part(13);
        let given = request.get("Qualifier").map(str::to_owned);
        if suffix.is_some() && given.is_some() && suffix != given {
            return Err(AwsError::invalid(
                "The derived qualifier from the function name does not match the specified qualifier.",
            ));
        }
        Ok(Self {
            partition: part(1).map(|_| part(2).unwrap_or_default()),
            region: part(3),
            account: part(9),
            name: part(11).ok_or_else(unreadable)?,
            qualifier: suffix.or(given),
        })
    }

    /// Another region is answered with its own sentence. Another partition is not recorded: nothing exists there.
    fn in_reach(&self, world: &World) -> Result<(), AwsError> {
        if let Some(region) = self.region.as_ref().filter(|region| **region != world.region) {
            return Err(AwsError::not_found(format!(
                "Functions from '{region}' are not reachable in this region ('{}')",
                world.region
            )));
        }
        let foreign = self.partition.as_ref().filter(|part| **part != world.partition);
        foreign.map_or(Ok(()), |_| Err(self.missing(world, &Missing::Function)))
    }

    /// Adding and removing do not reach into other accounts; recorded as a 403 without a message.
    fn in_account(&self, world: &World) -> bool {
        self.account.as_ref().is_none_or(|account| *account == world.account)
    }

    fn is_latest(&self) -> bool {
        // `$LATEST.PUBLISHED` is not recorded; it is read as strictly as `$LATEST`.
        matches!(self.qualifier.as_deref(), Some("$LATEST" | "$LATEST.PUBLISHED"))
    }

    fn arn(&self, world: &World) -> String {
        world.function_arn(&self.name, self.qualifier.as_deref())
    }

    fn find<'w>(&self, world: &'w World) -> Result<&'w Function, Missing> {
        let function = world.functions.get(&self.name).ok_or(Missing::Function)?;
        let Some(qualifier) = self.qualifier.as_deref() else {
            return Ok(function);
        };
        // A `$` makes AWS look for a version, never for an alias.
        let numeric = qualifier.bytes().all(|byte| byte.is_ascii_digit());
        let (exists, missing) = if numeric || qualifier.contains('$') {
            let exists = function.has_version(qualifier) || self.is_latest();
            (exists, Missing::Version)
        } else {
            (function.aliases.contains_key(qualifier), Missing::Alias)
        };
        exists.then_some(function).ok_or(missing)
    }

    /// For a missing function the unqualified ARN is recorded; with a qualifier it is not, and stays unqualified.
    fn missing(&self, world: &World, what: &Missing) -> AwsError {
        AwsError::not_found(match what {
            Missing::Function => {
                format!("Function not found: {}", world.function_arn(&self.name, None))
            }
            Missing::Version => format!("Function not found: {}", self.arn(world)),
            Missing::Alias => format!("Cannot find alias arn: {}", self.arn(world)),
        })
    }
}

pub(super) fn add(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let target = Named::of(request)?;
    target.in_reach(world)?;
    if !target.in_account(world) {
        return Err(AwsError::access_denied());
    }
    if target.is_latest() {
        return Err(AwsError::invalid("We currently do not support adding policies for $LATEST."));
    }
    let principal = principal::for_function(world, request.required("Principal")?)?;
    check_members(request)?;
    let function = target.find(world).map_err(|what| target.missing(world, &what))?;
    let arn = target.arn(world);
    let statement_id = request.required("StatementId")?;
    let statement = Statement {
        sid: statement_id,
        effect: "Allow",
        principal,
        action: request.required("Action")?,
        resource: &arn,
        condition: condition(request),
    };
    let statement = statement.render()?;
    let answer = Answer::json(201, &json!({ "Statement": statement.get() }));
    let alias = target.qualifier.as_ref().and_then(|name| function.aliases.get(name));
    let addition = Addition {
        statement_id,
        statement,
        expected: request.get("RevisionId"),
        without_policy: alias.map(|alias| alias.revision_id.as_str()),
        api: REVISION_API,
    };
    let policy = Policy::with(world.policies.get(&arn), addition, &world.deleted_principals)?;
    Ok(Outcome::change(arn, Some(policy), answer))
}

/// Rules between members. The text about InvokedViaFunctionUrl is ours: the refusal is reported, its words are not.
/// A token beside a source is taken: whether AWS refuses it is disputed, but a stored policy of AWS has both.
fn check_members(request: &Request) -> Result<(), AwsError> {
    let action = request.required("Action")?;
    let refuse = |message: &str| Err(AwsError::invalid(message));
    if request.get("FunctionUrlAuthType").is_some() && action != "lambda:InvokeFunctionUrl" {
        return refuse("FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action");
    }
    // Only the refusal with lambda:InvokeFunctionUrl is known; read strictly, any other action is refused as well,
    // and `false` no less than `true`.
    if request.get("InvokedViaFunctionUrl").is_some() && action != "lambda:InvokeFunction" {
        return refuse("InvokedViaFunctionUrl is only supported for lambda:InvokeFunction action");
    }
    Ok(())
}

/// How `InvokedViaFunctionUrl: false` is stored is not known; the narrower reading is a condition, not none.
fn condition(request: &Request) -> Condition<'_> {
    Condition {
        string_equals: StringEquals {
            source_account: request.get("SourceAccount"),
            event_source_token: request.get("EventSourceToken"),
            function_url_auth_type: request.get("FunctionUrlAuthType"),
            principal_org_id: request.get("PrincipalOrgID"),
        },
        arn_like: ArnLike { source_arn: request.get("SourceArn") },
        bool: Bool { invoked_via_function_url: request.get("InvokedViaFunctionUrl") },
    }
}

pub(super) fn remove(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let target = Named::of(request)?;
    target.in_reach(world)?;
    if !target.in_account(world) {
        return Err(AwsError::access_denied());
    }
    target.find(world).map_err(|what| match what {
        Missing::Function => {
            AwsError::not_found(format!("No policy found for: {}", world.function_arn(&target.name, None)))
        }
        // A missing version is not recorded here; it is answered as for adding.
        what => target.missing(world, &what),
    })?;
    let arn = target.arn(world);
    let policy = world.policies.get(&arn).ok_or_else(no_policy)?;
    let statement_id = request.required("StatementId")?;
    let left = policy.without(statement_id, request.get("RevisionId"), REVISION_API)?;
    Ok(Outcome::change(arn, left, Answer::no_content()))
}

/// Also the answer of the layer operations to a version without a policy.
pub(super) fn no_policy() -> AwsError {
    AwsError::not_found("No policy is associated with the given resource.")
}

/// A missing function, a missing qualifier and a missing policy look the same. Another account may be asked, but
/// nothing is known of it.
pub(super) fn show(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let target = Named::of(request)?;
    target.in_reach(world)?;
    let policy = world.policies.get(&target.arn(world));
    let policy = policy.filter(|_| target.in_account(world) && target.find(world).is_ok());
    let missing = || AwsError::not_found("The resource you requested does not exist.");
    Ok(Outcome::read(shown(policy.ok_or_else(missing)?)))
}

pub(super) fn shown(policy: &Policy) -> Answer {
    let body = json!({ "Policy": policy.document(), "RevisionId": policy.revision_id });
    Answer::json(200, &body)
}
