//! CreateSchedule, GetSchedule and DeleteSchedule of EventBridge Scheduler, as its API model says; of its answers
//! none was recorded.
//! Guarantees that a name is taken once in its group, that the same client token is the same request, and that a
//! schedule is sent when its time has come and not before. It knows one-time schedules only.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::answer::{Answer, AwsError, ErrorName, fresh_uuid};
use super::request::Request;
use super::state::Outcome;
use super::world::World;
use crate::expiry::Moment;

/// The group of a schedule that names none.
const DEFAULT: &str = "default";

/// A schedule as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schedule {
    /// `at(2026-12-31T18:00:00)`.
    pub expression: String,
    /// `ENABLED` or `DISABLED`.
    pub state: String,
    /// `DELETE` for one that goes when it is done.
    pub after: String,
    /// Whom it sends what, as JSON.
    pub target: Value,
    client_token: Option<String>,
}

impl Schedule {
    /// The time, if the expression is one of a one-time schedule.
    fn at(&self) -> Option<Moment> {
        let text = self.expression.strip_prefix("at(")?.strip_suffix(')')?;
        Moment::parse(&format!("{text}Z"))
    }

    /// What it sends, with the id of an execution put in.
    fn event(&self) -> String {
        let input = self.target.get("Input").and_then(Value::as_str).unwrap_or("{}");
        input.replace("<aws.scheduler.execution-id>", &fresh_uuid())
    }
}

/// The group and the key of the schedule that a request is about.
fn key(world: &World, request: &Request, group: &str) -> Result<String, AwsError> {
    let group = request.get(group).unwrap_or(DEFAULT);
    if group != DEFAULT && !world.schedule_groups.contains(group) {
        return Err(AwsError::not_found(format!("Schedule group {group} does not exist.")));
    }
    Ok(format!("{group}/{}", request.required("Name")?))
}

fn arn(world: &World, key: &str) -> String {
    format!("arn:{}:scheduler:{}:{}:schedule/{key}", world.partition, world.region, world.account)
}

pub(super) fn create(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let key = key(world, request, "GroupName")?;
    let text = |member: &str| request.get(member).map(str::to_owned);
    let target = structure(request, "Target")?;
    let schedule = Schedule {
        expression: text("ScheduleExpression").unwrap_or_default(),
        state: text("State").unwrap_or("ENABLED".to_owned()),
        after: text("ActionAfterCompletion").unwrap_or("NONE".to_owned()),
        client_token: text("ClientToken"),
        target,
    };
    let invalid = |message: &str| Err(AwsError::new(ErrorName::Validation, message));
    if schedule.at().is_none() || !matches!(request.get("ScheduleExpressionTimezone"), None | Some("UTC")) {
        return invalid("Invalid Schedule Expression");
    }
    if structure(request, "FlexibleTimeWindow")?.get("Mode") != Some(&json!("OFF")) {
        return invalid("Invalid FlexibleTimeWindow");
    }
    if ["Arn", "RoleArn"].iter().any(|member| !schedule.target.get(member).is_some_and(Value::is_string)) {
        return invalid("Invalid Target");
    }
    let answer = Answer::json(200, &json!({ "ScheduleArn": arn(world, &key) }));
    match world.schedules.get(&key) {
        Some(known) if *known == schedule && known.client_token.is_some() => Ok(Outcome::read(answer)),
        Some(_) => {
            let message = format!("Schedule {} already exists.", request.required("Name")?);
            Err(AwsError::new(ErrorName::ScheduleConflict, message))
        }
        None => Ok(Outcome::schedule(key, Some(schedule), answer)),
    }
}

pub(super) fn show(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let key = key(world, request, "groupName")?;
    let schedule = world.schedules.get(&key).ok_or_else(|| missing(&key))?;
    let (group, name) = key.split_once('/').unwrap_or_default();
    Ok(Outcome::read(Answer::json(
        200,
        &json!({
            "Arn": arn(world, &key),
            "GroupName": group,
            "Name": name,
            "ScheduleExpression": schedule.expression,
            "ScheduleExpressionTimezone": "UTC",
            "State": schedule.state,
            "ActionAfterCompletion": schedule.after,
            "FlexibleTimeWindow": { "Mode": "OFF" },
            "Target": schedule.target,
        }),
    )))
}

pub(super) fn delete(world: &World, request: &Request) -> Result<Outcome, AwsError> {
    let key = key(world, request, "groupName")?;
    world.schedules.get(&key).ok_or_else(|| missing(&key))?;
    Ok(Outcome::schedule(key, None, Answer::json(200, &json!({}))))
}

fn missing(key: &str) -> AwsError {
    let name = key.split_once('/').unwrap_or_default().1;
    AwsError::not_found(format!("Schedule {name} does not exist."))
}

fn structure(request: &Request, member: &str) -> Result<Value, AwsError> {
    serde_json::from_str(request.required(member)?).map_err(|_| AwsError::serialization("A structure cannot be read"))
}

/// What is due, in order of its time. A schedule that is disabled waits.
pub(super) fn take_due(schedules: &mut BTreeMap<String, Schedule>, now: SystemTime) -> Vec<String> {
    let now = Moment::of(now);
    let is_due = |schedule: &Schedule| schedule.state == "ENABLED" && schedule.at().is_some_and(|at| at <= now);
    let mut due: Vec<Schedule> = schedules.values().filter(|schedule| is_due(schedule)).cloned().collect();
    schedules.retain(|_, schedule| !is_due(schedule));
    due.sort_by_key(Schedule::at);
    due.iter().map(Schedule::event).collect()
}
