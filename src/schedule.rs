//! The schedule that ends a timed grant, made with EventBridge Scheduler before the grant is.
//!
//! # The order
//!
//! First the schedule, then the grant. What breaks off in between leaves a schedule that will find nothing to take
//! away; the other way round it would leave a grant without an end. If the schedule cannot be made, nothing
//! is granted, so there is nothing to take back: `Bounded` is the proof, and no grant is sent without one.
//!
//! A schedule is never deleted, also not when its grant then fails or is revoked early: another delivery of the same
//! request may stand on the very schedule that this one made. One that is not needed finds nothing, and deletes
//! itself. So the role needs no right to delete or change schedules, and nobody who gets hold of the broker can
//! make a timed grant last by taking its schedule away.
//!
//! One statement has one schedule: its name says what it ends, so that a request delivered again finds it there.

use std::sync::LazyLock;

use aws_sdk_scheduler::Client;
use aws_sdk_scheduler::operation::get_schedule::GetScheduleOutput;
use aws_sdk_scheduler::types::{
    ActionAfterCompletion, DeadLetterConfig, FlexibleTimeWindow, FlexibleTimeWindowMode, ScheduleState, Target,
};
use serde_json::{Map, Value, json};

use crate::arn::{self, AccountId};
use crate::asked::{Asked, Given};
use crate::audit::{Intent, Recorded, Unrecorded};
use crate::boxed::boxed;
use crate::broker::Broker;
use crate::error::Code;
use crate::expiry::{Expiry, Moment};
use crate::grant::Fingerprint;
use crate::policy::{Answer, Before, Budget, Failure, MOST_ATTEMPTS, Written, answer};
use crate::reply::Answered;
use crate::resource::Own;
use crate::statement::Statement;

/// What Scheduler puts the id of the execution in the place of.
pub(crate) const EXECUTION_ID: &str = "<aws.scheduler.execution-id>";

/// Seconds until the next invocation goes on with what did not fit into one. Scheduler is punctual to the minute.
pub(crate) const SECONDS_BETWEEN: u64 = 60;

/// Where schedules are made, and as whom they invoke the broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The schedule group.
    pub group: String,
    /// The ARN of the role that EventBridge Scheduler takes on.
    pub role: String,
    /// The ARN of the queue for what could not be delivered.
    pub dead_letters: Option<String>,
}

/// The way to EventBridge Scheduler. Its client is built when the first timed grant is made.
pub struct Schedules {
    place: Place,
    client: LazyLock<Client, Box<dyn FnOnce() -> Client + Send>>,
}

/// Proof that a grant ends when it should: no end was asked for, or the schedule for it is made.
pub(crate) struct Bounded<'a> {
    intent: Intent<'a>,
    calls: Vec<String>,
}

/// One schedule, as it has to be.
struct Schedule {
    name: String,
    expression: String,
    target: Target,
}

impl Place {
    /// Reads the variables that say it; without the group and the role there is none.
    pub(crate) fn read<'v>(get: impl Fn(&str) -> Option<&'v str>) -> Result<Option<Self>, Vec<String>> {
        const GROUP: &str = "BROKER_SCHEDULE_GROUP";
        const ROLE: &str = "BROKER_SCHEDULE_ROLE";
        const DEAD_LETTERS: &str = "BROKER_SCHEDULE_DEAD_LETTERS";
        let mut problems = Vec::new();
        let mut parsed = |name: &str, fits: fn(&str) -> bool, rule: &str| {
            let value = get(name);
            if value.is_some_and(|value| !fits(value)) {
                problems.push(format!("{name}: {rule}"));
            }
            value.map(str::to_owned)
        };
        let group = parsed(GROUP, is_group, "not the name of a schedule group");
        let role = parsed(ROLE, is_role, "not the ARN of a role");
        let dead_letters = parsed(DEAD_LETTERS, is_queue, "not the ARN of a queue");
        let place = match (group, role) {
            (Some(group), Some(role)) => Some(Self { group, role, dead_letters }),
            (None, None) if dead_letters.is_none() => None,
            (group, role) => {
                for (name, _) in [(GROUP, group), (ROLE, role)].iter().filter(|(_, value)| value.is_none()) {
                    problems.push(format!("{name}: missing; timed grants need {GROUP} and {ROLE}"));
                }
                None
            }
        };
        if problems.is_empty() { Ok(place) } else { Err(problems) }
    }
}

/// `[0-9a-zA-Z-_.]+`, 1 to 64 characters (Scheduler API model).
fn is_group(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
}

/// `arn:aws(-[a-z]+)?:iam::\d{12}:role/[\w+=,.@/-]+` (Scheduler API model).
fn is_role(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, role] = parts.as_slice() else { return false };
    let name = role.strip_prefix("role/").filter(|name| !name.is_empty());
    let word = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_+=,.@/-".contains(&b));
    arn::is_partition(partition) && AccountId::parse(account).is_some() && name.is_some_and(word)
}

/// `arn:aws(-[a-z]+)?:sqs:[a-z0-9-]+:\d{12}:[a-zA-Z0-9-_]+` (Scheduler API model).
fn is_queue(text: &str) -> bool {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "sqs", region, account, name] = parts.as_slice() else { return false };
    let word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b));
    arn::is_partition(partition) && arn::is_region(region) && AccountId::parse(account).is_some() && word
}

impl Schedules {
    /// Schedules of a group, made by a client that is built when it is needed.
    pub fn new(place: Place, client: impl FnOnce() -> Client + Send + 'static) -> Self {
        Self { place, client: LazyLock::new(Box::new(client)) }
    }

    /// Makes the schedule, or finds it made. A success that does not name this schedule says nothing about it.
    async fn make(&self, schedule: &Schedule, budget: Budget, calls: &mut Vec<String>) -> Result<(), Written> {
        let mut last = Written::none(Code::TimedOut);
        for attempt in 1..=MOST_ATTEMPTS {
            let Some(time) = budget.of_call() else { break };
            let answer = answer(time, 200, boxed(|| self.create(schedule).send()), |made| {
                self.is_arn_of(schedule, made.schedule_arn())
            })
            .await;
            calls.push(format!("schedule:{}", answer.seen));
            let mut pause = budget.pause(attempt + 1);
            let (result, aws_code) = (answer.result, answer.aws_code.clone());
            last = Written { aws_request_id: answer.request_id, aws_code, ..last };
            last = match result {
                Ok(true) => return Ok(()),
                Ok(false) | Err(Failure::Taken) => match self.look(schedule, budget, calls).await {
                    Ok(()) => return Ok(()),
                    Err(code) => last.but(code),
                },
                Err(Failure::Throttled(after)) => {
                    pause = pause.max(after.unwrap_or_default());
                    last.but(Code::Throttled)
                }
                Err(Failure::NotSent | Failure::Unclear) => last.but(Code::NotScheduled),
                Err(failure) => last.but(refused(failure)),
            };
            let again = last.ending().is_err_and(|code| code.kind().retryable());
            if !again || attempt == MOST_ATTEMPTS || !budget.wait(pause).await {
                break;
            }
        }
        Err(last)
    }

    /// Whether an ARN, `arn:aws:scheduler:REGION:ACCOUNT:schedule/GROUP/NAME`, is that of this schedule. Schedules are made
    /// where the broker is.
    fn is_arn_of(&self, schedule: &Schedule, made: &str) -> bool {
        let parts: Vec<&str> = schedule.target.arn().splitn(6, ':').collect();
        let ["arn", partition, _, region, account, _] = parts.as_slice() else { return false };
        let (group, name) = (&self.place.group, &schedule.name);
        made == format!("arn:{partition}:scheduler:{region}:{account}:schedule/{group}/{name}")
    }

    /// 409 says that the name is taken, or that the group is being changed, and a success without the ARN nothing at all.
    /// Only the schedule itself tells.
    async fn look(&self, schedule: &Schedule, budget: Budget, calls: &mut Vec<String>) -> Result<(), Code> {
        let time = budget.of_call().ok_or(Code::NotScheduled)?;
        let call = self.client.get_schedule().name(&schedule.name).group_name(&self.place.group);
        let Answer { result, seen, .. } = answer(time, 200, boxed(|| call.send()), |found| {
            let named = found.arn().is_some_and(|arn| self.is_arn_of(schedule, arn));
            named.then(|| schedule.is(&found))
        })
        .await;
        calls.push(format!("schedule-read:{seen}"));
        match result {
            Ok(Some(true)) => Ok(()),
            // Somebody else made it, or changed it: it may never come.
            Ok(Some(false)) => Err(Code::ScheduleRefused),
            Err(Failure::Final(Code::AccessDenied)) => Err(Code::AccessDenied),
            // An answer that does not name the schedule says nothing about it either.
            Ok(None) | Err(_) => Err(Code::NotScheduled),
        }
    }

    fn create(
        &self,
        schedule: &Schedule,
    ) -> aws_sdk_scheduler::operation::create_schedule::builders::CreateScheduleFluentBuilder {
        let off = FlexibleTimeWindow::builder().mode(FlexibleTimeWindowMode::Off).build().ok();
        let call = self.client.create_schedule().name(&schedule.name).group_name(&self.place.group);
        // The name says that it is the same request, not the client token, which stays the SDK's: of a token that it knows AWS
        // might say that all is done when the schedule has been deleted since.
        let call = call.schedule_expression(&schedule.expression);
        let call = call.schedule_expression_timezone("UTC").set_flexible_time_window(off);
        call.action_after_completion(ActionAfterCompletion::Delete).target(schedule.target.clone())
    }

    /// The schedule that ends a grant: it sends the broker an `Expire` of that statement, and of no other.
    fn of(&self, intent: &Intent<'_>, expiry: &Expiry, own: &Own) -> Option<Schedule> {
        let approved = intent.approved();
        let fingerprint = Statement::expected(approved).fingerprint();
        let statement_id = approved.statement_id().as_str();
        let input = input(approved.grant().given(), statement_id, &fingerprint);
        let target = self.target(&input, own)?;
        let told_apart = Fingerprint::of(&format!("{}\n{}\n{input}", own.arn(), approved.resource()));
        let (name, expression) = named("until", expiry.at(), &told_apart);
        Some(Schedule { name, expression, target })
    }

    /// Has an event sent to the broker at a time, so that it goes on with what did not fit into one invocation. Two deliveries
    /// that stop at the same place at the same time make one.
    pub(crate) async fn send_on(
        &self,
        what: &str,
        event: &Value,
        at: Moment,
        own: &Own,
        budget: Budget,
        calls: &mut Vec<String>,
    ) -> Result<(), Code> {
        let input = event.to_string();
        let target = self.target(&input, own).ok_or(Code::Internal)?;
        let (name, expression) = named(what, at, &Fingerprint::of(&format!("{}\n{input}", own.arn())));
        let made = self.make(&Schedule { name, expression, target }, budget, calls).await;
        made.map_err(|written| written.ending().err().unwrap_or(Code::NotScheduled))
    }

    fn target(&self, input: &str, own: &Own) -> Option<Target> {
        let dead_letters = self.place.dead_letters.as_deref().map(|arn| DeadLetterConfig::builder().arn(arn).build());
        let target = Target::builder().arn(own.arn()).role_arn(&self.place.role).input(input);
        target.set_dead_letter_config(dead_letters).build().ok()
    }
}

/// Name and expression.
fn named(what: &str, at: Moment, told_apart: &Fingerprint) -> (String, String) {
    let time = at.to_rfc_3339();
    let time = time.trim_end_matches('Z');
    (format!("{what}-{}-{}", time.replace([':', 'T'], "-"), told_apart.as_str()), format!("at({time})"))
}

/// What the broker is sent; Scheduler puts in the id of the execution.
fn input(given: &Given, statement_id: &str, fingerprint: &Fingerprint) -> String {
    let mut parameters = Map::new();
    match given {
        Given::Function { name, qualifier } => {
            parameters.insert("FunctionName".to_owned(), json!(name));
            parameters.extend(qualifier.as_ref().map(|it| ("Qualifier".to_owned(), json!(it.as_str()))));
        }
        Given::Layer { name, version } => {
            parameters.insert("LayerName".to_owned(), json!(name));
            parameters.insert("VersionNumber".to_owned(), json!(version));
        }
    }
    parameters.insert("StatementId".to_owned(), json!(statement_id));
    let request = json!({ "operation": "Expire", "parameters": parameters, "fingerprint": fingerprint.as_str() });
    json!({ "executionId": EXECUTION_ID, "scheduled": request }).to_string()
}

/// What a refusal for good means.
fn refused(failure: Failure) -> Code {
    match failure {
        Failure::Final(code @ (Code::AccessDenied | Code::Internal)) => code,
        _ => Code::ScheduleRefused,
    }
}

impl Schedule {
    /// Whether what was found will do what this one has to.
    fn is(&self, found: &GetScheduleOutput) -> bool {
        found.schedule_expression() == Some(&self.expression)
            && matches!(found.schedule_expression_timezone(), None | Some("UTC"))
            && found.state() == Some(&ScheduleState::Enabled)
            && (found.start_date(), found.end_date()) == (None, None)
            && found.target().is_some_and(|target| {
                (target.arn(), target.role_arn(), target.input())
                    == (self.target.arn(), self.target.role_arn(), self.target.input())
            })
    }
}

impl<'a> Bounded<'a> {
    /// The intent of the grant.
    pub(crate) fn intent(&self) -> &Intent<'a> {
        &self.intent
    }

    /// Records how the grant went, with what was called for its end.
    fn outcome(self, mut written: Written) -> Result<Recorded, Unrecorded> {
        written.calls.splice(..0, self.calls);
        self.intent.outcome(written)
    }
}

impl Broker {
    /// Makes one grant, its end first.
    pub(crate) fn make(&self, intent: Intent<'_>, budget: Budget, reads_first: bool) -> impl Future<Output = Answered> {
        self.make_after(intent, budget, if reads_first { Before::Policy } else { Before::Nothing })
    }

    /// The same, with what is looked at before it, or was.
    pub(crate) async fn make_after(&self, intent: Intent<'_>, budget: Budget, before: Before) -> Answered {
        let bounded = match intent.approved().asked().expiry().copied() {
            None => Bounded { intent, calls: Vec::new() },
            Some(expiry) => match boxed(|| self.bound(intent, expiry, budget)).await {
                Ok(bounded) => bounded,
                Err(answered) => return answered,
            },
        };
        let written = boxed(|| crate::policy::add(&self.client, &bounded, budget, before)).await;
        bounded.outcome(written)
    }

    async fn bound<'a>(&self, intent: Intent<'a>, expiry: Expiry, budget: Budget) -> Result<Bounded<'a>, Answered> {
        let Some(schedules) = &self.schedules else {
            return Err(intent.outcome(Written::none(Code::ExpiryNotEnabled)));
        };
        let Some(schedule) = intent.own().and_then(|own| schedules.of(&intent, &expiry, own)) else {
            return Err(intent.outcome(Written::none(Code::Internal)));
        };
        let mut calls = Vec::new();
        match schedules.make(&schedule, budget, &mut calls).await {
            Ok(()) => Ok(Bounded { intent, calls }),
            Err(written) => Err(intent.outcome(Written { calls, unbounded: true, ..written })),
        }
    }
}
