//! The decision: how an allowlist is read, what each of its fields allows, what no allowlist can allow, and the whole
//! of it against a second, much smaller model of the same rules. Also what stands beside it: its schema and its check.

mod agreement;
mod check;
mod decision;
mod parsing;
mod reference;
mod refusals;
mod requesters;
pub(crate) mod schema;

use permission_broker::allowlist::{Allowlist, Approved, Denied};
use permission_broker::requester::{Requester, Text};
use permission_broker::resource::Own;
use serde_json::Value;

use crate::support::document::grant;

/// The broker that decides.
const OWN: &str = "arn:aws:lambda:us-east-1:123456789012:function:permission-broker";

/// A requester whom no rule of these tests treats specially.
const SOMEBODY: &str = "arn:aws:iam::123456789012:user/somebody";

fn iam(arn: &str) -> Requester {
    Requester::Iam(Text::parse(arn).unwrap())
}

/// Decides a document that is valid.
fn decide(allowlist: &Allowlist, document: &Value, requester: &Requester) -> Result<Approved, Box<Denied>> {
    let grant = grant(&document.to_string()).unwrap_or_else(|faults| panic!("{document}: {faults:?}"));
    allowlist.decide(grant, requester, &Own::parse(OWN).unwrap())
}

/// The reasons against a grant, as pointer and code, without the common start of the pointers; none if it is allowed.
fn reasons(allowlist: &Value, document: &Value, requester: &Requester) -> Vec<(String, &'static str)> {
    let allowlist = Allowlist::parse(&allowlist.to_string()).unwrap();
    let Err(denied) = decide(&allowlist, document, requester) else { return Vec::new() };
    let reason = |pointer: &str| pointer.trim_start_matches("/parameters/").to_owned();
    denied.refusal.faults.iter().map(|fault| (reason(&fault.pointer), fault.code.as_str())).collect()
}
