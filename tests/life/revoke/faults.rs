//! What a revoke comes to where AWS or the network fails, or somebody else writes: what is so.

use std::time::Duration;

use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation};
use serde_json::json;

use super::super::{LAYER, ORDERS, beside, holding, layer_revoke, layer_stored, revoke, stored, word};
use super::{OTHER, fingerprint, removal, sids};
use crate::support::door::DOORS;
use crate::support::{Door, HASTY, writes};

fn answer(status: u16) -> FaultKind {
    FaultKind::Answer { status, error_type: None, headers: Vec::new(), body: String::new() }
}

/// A name, whether a fingerprint is named, the faults, the calls and the ending.
type Faulty = (&'static str, bool, Vec<Fault>, Vec<&'static str>, &'static str);

#[tokio::test]
async fn every_fault_ends_in_what_is_so() {
    let busy = || Fault::concurrent_update().on(Operation::RemovePermission);
    let slow = |times| Fault::throttled(None).on(Operation::RemovePermission).times(times);
    let broken = |times| Fault::error(ErrorName::Service, "no").on(Operation::RemovePermission).times(times);
    let done_and_busy = |times| removal(FaultKind::Duplicate { commit: true }).times(times);
    let unread = |name: ErrorName| Fault::error(name, "no").on(Operation::GetPolicy).times(9);
    let not_found = || Fault::error(ErrorName::ResourceNotFound, "gone").on(Operation::RemovePermission);
    let changed = |times| Fault::revision_mismatch().on(Operation::RemovePermission).times(times);
    let lost = || removal(FaultKind::ResetAfterCommit);
    let (r, g) = ("remove", "read");
    let cases: Vec<Faulty> = vec![
        ("429", false, vec![slow(1)], vec![r, r], "revoked"),
        ("429", true, vec![slow(2)], vec![g, r, g, r, g, r], "revoked"),
        ("429 for good", false, vec![slow(9)], vec![r, r, r], "throttled"),
        ("500", false, vec![broken(1)], vec![r, g, r], "revoked"),
        ("500", true, vec![broken(1)], vec![g, r, g, g, r], "revoked"),
        ("500 for good", false, vec![broken(9)], vec![r, g, r, g, r, g], "outcome_unknown"),
        ("reset before", false, vec![removal(FaultKind::ResetBeforeCommit)], vec![r, g, r], "revoked"),
        ("reset after", false, vec![lost()], vec![r, g], "revoked"),
        ("reset after", true, vec![lost()], vec![g, r, g], "revoked"),
        ("reset after, read fails", false, vec![lost(), unread(ErrorName::Service)], vec![r, g, g], "outcome_unknown"),
        (
            "reset after, read denied",
            false,
            vec![lost(), unread(ErrorName::AccessDenied)],
            vec![r, g],
            "outcome_unknown",
        ),
        ("read denied first", true, vec![unread(ErrorName::AccessDenied)], vec![g], "access_denied"),
        ("read fails first", true, vec![unread(ErrorName::Service)], vec![g, g], "unavailable"),
        ("hang before", false, vec![removal(FaultKind::HangBeforeCommit)], vec![r, g, r], "revoked"),
        ("hang after", false, vec![removal(FaultKind::HangAfterCommit)], vec![r, g], "revoked"),
        ("busy", false, vec![busy()], vec![r, g, r, g], "revoked"),
        ("busy", true, vec![busy()], vec![g, r, g, g, r, g], "revoked"),
        ("busy for good", false, vec![busy().times(9)], vec![r, g, r, g, r, g], "unavailable"),
        ("busy, read fails", false, vec![busy(), unread(ErrorName::Service)], vec![r, g, g], "outcome_unknown"),
        ("busy, read denied", false, vec![busy(), unread(ErrorName::AccessDenied)], vec![r, g], "access_denied"),
        // Busy with our own removal, of which nobody has told us.
        ("409 after our own", false, vec![done_and_busy(1)], vec![r, g], "already_revoked"),
        ("409 after our own", true, vec![done_and_busy(1)], vec![g, r, g], "already_revoked"),
        (
            "lost, then 409",
            false,
            vec![removal(FaultKind::ResetBeforeCommit), done_and_busy(9)],
            vec![r, g, r, g],
            "revoked",
        ),
        ("412 in between", true, vec![changed(1)], vec![g, r, g, r], "revoked"),
        ("412 in between, for good", true, vec![changed(9)], vec![g, r, g, r, g, r], "unavailable"),
        ("412 unasked", false, vec![changed(1)], vec![r, r], "revoked"),
        ("403", false, vec![Fault::access_denied().on(Operation::RemovePermission)], vec![r], "access_denied"),
        ("400", false, vec![removal(answer(400))], vec![r], "rejected_by_aws"),
        ("302", false, vec![removal(answer(302))], vec![r, g, r], "revoked"),
        ("404 though it is there", false, vec![not_found()], vec![r, g, r], "revoked"),
        ("404, read denied", false, vec![not_found(), unread(ErrorName::AccessDenied)], vec![r, g], "access_denied"),
        ("404, read fails", false, vec![not_found(), unread(ErrorName::Service)], vec![r, g, g], "outcome_unknown"),
        ("404 for all", false, vec![not_found(), unread(ErrorName::ResourceNotFound)], vec![r, g], "target_not_found"),
    ];
    for (name, named, faults, calls, ending) in cases {
        let mut scene = holding(&[(ORDERS, &[stored(OTHER, json!({})), stored("partner", json!({}))])]).await;
        scene.broker.timing = HASTY;
        let mut request = revoke(json!({}));
        if named {
            request = beside(request.clone(), json!({ "fingerprint": fingerprint(&scene, &request).await }));
        }
        for fault in faults {
            scene.plane.inject(fault);
        }
        let reply = scene.ask(Door::Direct, &request).await;
        assert_eq!((word(&reply.document), scene.calls()), (ending, calls), "{name} {named}");
        let gone = !sids(&scene, ORDERS).contains(&"partner".to_owned());
        assert!(ending != "revoked" || gone, "{name}: called revoked, and stands");
        let outcome = scene.records().pop().unwrap();
        let seen = ending == "revoked" && scene.calls().last() == Some(&"read");
        assert_eq!(outcome["confirmedByRead"], if seen { json!(true) } else { json!(null) }, "{name}");
        assert_eq!(outcome["attempts"], writes(&scene.plane), "{name}");
        // Whatever it was, asking again settles it.
        scene.plane.clear_faults();
        let again = scene.ask(Door::Direct, &request).await;
        assert!(["revoked", "already_revoked"].contains(&again.outcome()), "{name}: {}", again.document);
        assert_eq!(sids(&scene, ORDERS), [OTHER], "{name}");
    }
}

/// The last statement takes its policy with it, and AWS then shows none.
#[tokio::test]
async fn the_last_statement_is_revoked_for_sure_too() {
    for (kind, calls) in
        [(None, vec!["remove", "read"]), (Some(FaultKind::ResetAfterCommit), vec!["remove", "read", "remove"])]
    {
        let scene = holding(&[(ORDERS, &[stored("partner", json!({}))])]).await;
        let door = if kind.is_some() { Door::Direct } else { Door::Sqs };
        scene.plane.inject(removal(kind.unwrap_or(FaultKind::Delay(Duration::ZERO))));
        scene.ask(door, &revoke(json!({}))).await;
        let outcome = scene.records().pop().unwrap();
        assert_eq!((&outcome["outcome"], scene.calls()), (&json!("revoked"), calls));
        assert_eq!(outcome["confirmedByRead"], true);
    }
}

/// The same where AWS answers 409 over and over: of a function's policy that is not there nobody can say whether it is
/// gone or the target is, so the revoke is never called failed. Of a layer version AWS says so.
#[tokio::test]
async fn a_409_after_our_own_removal_of_the_last_statement_is_not_called_failed() {
    for (arn, request, statement, operation) in [
        (ORDERS, revoke(json!({})), stored("partner", json!({})), Operation::RemovePermission),
        (LAYER, layer_revoke(json!({})), layer_stored("partner"), Operation::RemoveLayerVersionPermission),
    ] {
        for door in DOORS {
            let scene = holding(&[(arn, std::slice::from_ref(&statement))]).await;
            scene.plane.inject(Fault::new(FaultKind::Duplicate { commit: true }).on(operation).times(3));
            let known = arn == LAYER;
            assert_eq!(scene.ask(door, &request).await.comes_again(), !known);
            let outcome = scene.records().pop().unwrap();
            let ending = if known { ("already_revoked", 1) } else { ("outcome_unknown", 3) };
            assert_eq!((word(&outcome), &outcome["attempts"]), (ending.0, &json!(ending.1)), "{outcome}");
            assert!(scene.statements(arn).is_empty());
            assert!(!scene.ask(door, &request).await.comes_again());
            assert_eq!(scene.records().pop().unwrap()["outcome"], "already_revoked");
        }
    }
}

/// And where AWS refuses for good the try that is to tell the two apart: who is told of that alone takes the statement for
/// one that stands.
#[tokio::test]
async fn a_refusal_after_our_own_removal_of_the_last_statement_is_not_called_failed() {
    let not_there = [Fault::error(ErrorName::ResourceNotFound, "Function not found"), Fault::new(answer(404))];
    let refused = [Fault::access_denied(), Fault::error(ErrorName::Validation, "no"), Fault::revision_mismatch()];
    let refused = [&refused[..], &not_there].concat();
    for (fault, door) in refused.iter().flat_map(|fault| DOORS.map(|door| (fault, door))) {
        let scene = holding(&[(ORDERS, &[stored("partner", json!({}))])]).await;
        scene.plane.inject(removal(FaultKind::Duplicate { commit: true }));
        scene.plane.inject(fault.clone().on(Operation::RemovePermission).times(3));
        assert!(scene.ask(door, &revoke(json!({}))).await.comes_again());
        let outcome = scene.records().pop().unwrap();
        assert_eq!(word(&outcome), "outcome_unknown", "{outcome}");
        assert!(scene.statements(ORDERS).is_empty());
        scene.plane.clear_faults();
        assert!(!scene.ask(door, &revoke(json!({}))).await.comes_again());
        assert_eq!(scene.records().pop().unwrap()["outcome"], "already_revoked");
    }
}

/// A write that began before ours brings the statement back: it is not called revoked until it stays away.
#[tokio::test]
async fn in_company_a_statement_that_comes_back_is_taken_away_again() {
    let statements = [stored(OTHER, json!({})), stored("partner", json!({}))];
    for times in [1, 2, 3] {
        let scene = holding(&[(ORDERS, &statements)]).await;
        // Answered, and not done: to whoever looks the same as done and undone.
        scene.plane.inject(removal(answer(204)).times(times));
        let reply = scene.ask(Door::Sqs, &revoke(json!({}))).await;
        let outcome = scene.records().pop().unwrap();
        let comes_again = times == 3;
        assert_eq!(word(&outcome), if comes_again { "outcome_unknown" } else { "revoked" });
        assert_eq!(reply.comes_again(), comes_again);
        assert_eq!(scene.calls(), ["remove", "read"].repeat((times + 1).min(3)));
        assert_eq!(sids(&scene, ORDERS).len(), if comes_again { 2 } else { 1 });
    }
}
