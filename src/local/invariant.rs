//! What has to hold for any bytes whatever: the fuzz targets call these, and so does `cargo test`
//! with everything the fuzzers have found worth keeping. A broken invariant panics.
#![expect(clippy::panic, reason = "a broken invariant has to stop the fuzzer")]

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use serde_json::value::RawValue;

use super::stage::{ALLOWLIST, FUNCTION_ARN};
use crate::allowlist::{Allowlist, Approved};
use crate::arn::{AccountId, OrganizationId, SourceArn};
use crate::asked::Asked;
use crate::event::{self, Door, Doors, Wants};
use crate::expiry::{Clock, Moment};
use crate::grant::{Action, EventSourceToken, Grant, RevisionId, StatementId};
use crate::principal::{Form, Principal};
use crate::read::Read;
use crate::request::{Operation, Request};
use crate::requester::Requester;
use crate::resource::{Function, LayerVersion, Own, Qualifier, Target};
use crate::revoke::Revoke;
use crate::statement::{Found, Statement, find};

static EXAMPLES: LazyLock<Option<Allowlist>> = LazyLock::new(|| Allowlist::parse(ALLOWLIST).ok());
static OWN: LazyLock<Option<Own>> = LazyLock::new(|| Own::parse(FUNCTION_ARN));

/// Any event: each request in it is refused with a code, or has a requester that AWS stamped.
pub fn event(bytes: &[u8]) {
    let doors = Doors::new(Door::ALL);
    let opened = event::open(bytes, &doors);
    hold(!opened.items.is_empty(), "an event without a request is still answered");
    for item in &opened.items {
        if let Ok(received) = &item.received {
            let id = received.requester().id();
            hold(id.is_none_or(|id| id.is_ascii()), "a requester is printable");
            if let Wants::Request(text) = received.wants() {
                request(text.as_bytes());
            }
        }
    }
    let closed = event::open(bytes, &Doors::new([]));
    let in_by = |item: &event::Item<'_>| item.received.is_ok() && item.origin.door != Some(Door::Schedule);
    hold(!closed.items.iter().any(in_by), "a closed door lets nothing in");
}

/// Any request document: what passes validation and the allowlist names only what the allowlist names.
pub fn request(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let Ok(request) = Request::read(text) else { return };
    let now = Moment::of(SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000));
    let request = request.at(Clock { now, asked: Some(now) });
    let refused = |faults: Vec<crate::error::Fault>| hold(!faults.is_empty(), "what is refused has a reason");
    let grants = match request.operation {
        Some(Operation::RemovePermission | Operation::RemoveLayerVersionPermission) => {
            return Revoke::new(request).map_or_else(refused, |_| ());
        }
        Some(Operation::GetPolicy | Operation::GetLayerVersionPolicy | Operation::CarryLayerForward) => {
            return Read::new(request).map_or_else(refused, |_| ());
        }
        Some(Operation::GrantFunctionUrl) => Grant::of_function_url(request).map(Vec::from),
        _ => Grant::new(request).map(|grant| vec![grant]),
    };
    let (Some(allowlist), Some(own)) = (&*EXAMPLES, &*OWN) else { panic!("the examples are readable") };
    match grants {
        Ok(grants) => grants.into_iter().for_each(|grant| {
            if let Ok(approved) = allowlist.decide(grant, &Requester::Direct, own) {
                narrow(&approved, own);
                confined(&approved, ALLOWLIST);
                stored(&approved, own);
            }
        }),
        Err(faults) => refused(faults),
    }
}

/// Any text as each of the ids: what is accepted is ASCII, bounded, and reads the same again.
pub fn ids(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let same = |shown: &str| hold(shown == text, "an id is kept as it was given");
    if let Some(account) = AccountId::parse(text) {
        same(&account.to_string());
    }
    if let Ok(principal) = Principal::of_function(text) {
        same(principal.as_str());
        let hidden = principal.account().is_none() && text.bytes().filter(u8::is_ascii_digit).count() >= 12;
        hold(!hidden || *principal.form() == Form::Service, "no principal hides an account");
    }
    if let Ok(principal) = Principal::of_layer(text) {
        hold(Principal::of_function(text).as_ref() == Ok(&principal), "a layer's principal is one of a function's");
    }
    if let Ok(arn) = SourceArn::parse(text) {
        same(arn.as_str());
        hold(!text.contains("${"), "no source ARN has a variable");
    }
    if let Ok(function) = Function::parse(text) {
        hold(text.contains(function.name()), "a function name is part of what was given");
        hold(function.qualifier().is_none_or(|it| !it.as_str().contains('$')), "a suffix is no $LATEST");
    }
    let accepted = [
        OrganizationId::parse(text).is_ok(),
        Qualifier::parse(text).is_ok(),
        LayerVersion::parse(text, 1).is_ok(),
        StatementId::parse(text).is_ok(),
        Action::of_function(text).is_ok(),
        Action::of_layer(text).is_ok(),
        RevisionId::parse(text).is_ok(),
        EventSourceToken::parse(text).is_ok(),
        Function::parse(text).is_ok(),
        Principal::of_function(text).is_ok(),
        SourceArn::parse(text).is_ok(),
    ];
    hold(!accepted.contains(&true) || text.bytes().all(|b| matches!(b, b' '..=b'~')), "an id is printable ASCII");
}

/// Any allowlist: what it approves, it names.
pub fn allowlist(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let allowlist = match Allowlist::parse(text) {
        Ok(allowlist) => allowlist,
        Err(problems) => return hold(!problems.is_empty(), "what stops the start has a reason"),
    };
    let Some(own) = &*OWN else { panic!("the example is readable") };
    for document in GRANTS {
        let grant = Request::read(document).map(Grant::new);
        let Ok(Ok(grant)) = grant else { panic!("the example is a grant") };
        if let Ok(approved) = allowlist.decide(grant, &Requester::Direct, own) {
            narrow(&approved, own);
            confined(&approved, text);
        }
    }
}

const GRANTS: [&str; 4] = [
    r#"{"operation":"AddPermission","parameters":{"FunctionName":"f","Action":"lambda:InvokeFunction","Principal":"210987654321"}}"#,
    r#"{"operation":"AddPermission","parameters":{"FunctionName":"f","Action":"lambda:InvokeFunction","Principal":"s3.amazonaws.com","SourceAccount":"210987654321"}}"#,
    r#"{"operation":"AddPermission","parameters":{"FunctionName":"f","Action":"lambda:InvokeFunctionUrl","Principal":"*","PrincipalOrgID":"o-a1b2c3d4e5"}}"#,
    r#"{"operation":"AddLayerVersionPermission","parameters":{"LayerName":"l","VersionNumber":1,"Action":"lambda:GetLayerVersion","Principal":"210987654321"}}"#,
];

/// What no allowlist may approve.
fn narrow(approved: &Approved, own: &Own) {
    let grant = approved.grant();
    let everyone = *grant.principal().form() == Form::Everyone;
    hold(!everyone || grant.conditions().organization.is_some(), "everyone is granted nothing");
    hold(!grant.action().as_str().contains('*'), "no action is a wildcard");
    hold(
        !matches!(grant.target(), Target::Function(function) if function.name() == "permission-broker"),
        "never itself",
    );
    hold(approved.resource().starts_with("arn:aws:lambda:us-east-1:123456789012:"), "only beside the broker");
    hold(grant.target().is_beside(own), "only beside the broker");
}

/// Every account, organization and service of a grant stands in the allowlist's own text; escapes in
/// it would hide them, so such a text proves nothing here.
fn confined(approved: &Approved, allowlist: &str) {
    if allowlist.contains('\\') {
        return;
    }
    let grant = approved.grant();
    let conditions = grant.conditions();
    let in_arn = conditions.source_arn.as_ref().and_then(SourceArn::account);
    let accounts = [grant.principal().account(), conditions.source_account, in_arn];
    let named = |text: &str| allowlist.contains(&format!("\"{text}\""));
    hold(accounts.into_iter().flatten().all(|account| named(&account.to_string())), "an account is named");
    hold(conditions.organization.as_ref().is_none_or(|id| named(id.as_str())), "an organization is named");
    hold(*grant.principal().form() != Form::Service || named(grant.principal().as_str()), "a service is named");
}

/// A statement, written as AWS writes it and read again, means the same.
fn stored(approved: &Approved, own: &Own) {
    let expected = Statement::expected(approved);
    let shown: Box<RawValue> = expected.shown(own);
    let policy = format!(r#"{{"Statement":[{}]}}"#, shown.get());
    let Some(Found::Statement(read)) = find(&policy, expected.sid()) else { panic!("a statement is found again") };
    // A token is shown as the word `present`, so a statement with any other reads differently, and must.
    let token = approved.grant().conditions().event_source_token.as_ref().map(EventSourceToken::expose);
    hold((*read == expected) == token.is_none_or(|token| token == "present"), "a statement reads the same");
}

fn hold(holds: bool, what: &str) {
    if !holds {
        panic!("broken: {what}");
    }
}
