//! The report: the policies of an account as one page, for people who look rather than read.
//!
//! Policies are read through the SDK, judged by the functions that the broker itself uses, and written as one
//! self-contained HTML file. In the deployed binary there is none of this.

mod collect;
mod environment;
mod facts;
mod judge;
pub(crate) mod live;
mod page;
mod table;
mod why;

use std::time::SystemTime;

use crate::allowlist::Allowlist;
use crate::aws;
use crate::connection::Connection;

use super::control_plane::ControlPlane;
use super::stage::{self, Stage};

pub use collect::{Collected, Step, Unread, Wanted, collect};
pub use environment::{Chosen, NAME_OF_EXAMPLES, read};
pub use page::{Use, html};
pub use table::Report;

/// The functions, layers and policies of `report --demo`.
pub const DEMO: &str = include_str!("report/demo.json");

/// The allowlist that `report --demo` judges by.
pub const DEMO_ALLOWLIST: &str = include_str!("report/demo-allowlist.json");

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What policies are judged by.
pub struct Judge<'a> {
    /// The allowlist of today.
    pub allowlist: &'a Allowlist,
    /// Where it comes from, for the reader.
    pub name: &'a str,
    /// The name of the broker's function, whose own policy no rule opens.
    pub broker: &'a str,
}

impl Judge<'_> {
    /// Judges what was collected.
    pub fn report(&self, collected: Collected, now: SystemTime) -> Report {
        judge::judge(self, collected, now)
    }
}

const NO_ALLOWLIST: &str = "there is no allowlist to judge by";

/// The report on the account that the environment names.
pub async fn of_account(
    chosen: &Chosen,
    wanted: &Wanted,
    broker: &str,
    told: impl FnMut(Step),
) -> Result<Report, Failure> {
    let place = &chosen.config.aws;
    let client = aws::client(place, Connection::new(place.authorities.clone())?);
    let collected = collect(&client, wanted, told).await;
    collected.worth_telling()?;
    let held = chosen.config.allowlist.current().await.ok_or(NO_ALLOWLIST)?;
    let judge = Judge { allowlist: held.allowlist(), name: &chosen.allowlist_name, broker };
    Ok(judge.report(collected, SystemTime::now()))
}

/// The report on a control plane of this machine.
pub async fn of_world(
    control_plane: ControlPlane,
    allowlist: (&str, &str),
    wanted: &Wanted,
    told: impl FnMut(Step),
) -> Result<Report, Failure> {
    let (name, allowlist) = allowlist;
    of_stage(&Stage::new(control_plane, allowlist).await?, name, wanted, told).await
}

/// The report on what a stage has now.
pub(crate) async fn of_stage(
    stage: &Stage,
    name: &str,
    wanted: &Wanted,
    told: impl FnMut(Step),
) -> Result<Report, Failure> {
    let collected = collect(&stage.broker.client, wanted, told).await;
    collected.worth_telling()?;
    let broker = stage::FUNCTION_ARN.rsplit(':').next().unwrap_or_default();
    let held = stage.broker.allowlist.current().await.ok_or(NO_ALLOWLIST)?;
    Ok(Judge { allowlist: held.allowlist(), name, broker }.report(collected, SystemTime::now()))
}
