//! Every error of AWS, the documented ones and those it answers all the same: one code, status and
//! delivery each. What AWS says in words reaches nobody.

use permission_broker::local::control_plane::{ErrorName, Fault, FaultKind, Operation};
use serde_json::{Value, json};

use crate::support::door::DOORS;
use crate::support::{Door, Scene, all, grant, layer_grant};

/// A word that AWS puts into every message here.
const CANARY: &str = "AWS-SAYS-7f3a";

/// What AWS answers to every call, and what a grant comes to.
struct Case {
    status: u16,
    error_type: Option<&'static str>,
    code: &'static str,
    http: u64,
    delivery: Delivery,
    /// The calls on a door where no company is expected.
    calls: &'static [&'static str],
}

/// What becomes of an event, and whether a caller is told to ask again.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Delivery {
    /// It is done with.
    Final,
    /// It is kept for the dead-letter queue, though asking again changes nothing by itself.
    Kept,
    /// It comes again, and so may a caller.
    Again,
}

const fn case(
    (status, error_type): (u16, Option<&'static str>),
    (code, http): (&'static str, u64),
    delivery: Delivery,
    calls: &'static [&'static str],
) -> Case {
    Case { status, error_type, code, http, delivery, calls }
}

const ONCE: &[&str] = &["add"];
const THRICE: &[&str] = &["add", "add", "add"];
/// The write may have arrived, and the read fails as well, twice.
const LOOKED: &[&str] = &["add", "read", "read"];

fn cases() -> Vec<Case> {
    use Delivery::{Again, Final, Kept};
    let named = |name: ErrorName| (name.status(), Some(name.as_str()));
    vec![
        case(named(ErrorName::InvalidParameterValue), ("rejected_by_aws", 400), Final, ONCE),
        case(named(ErrorName::Validation), ("rejected_by_aws", 400), Final, ONCE),
        case(named(ErrorName::Serialization), ("rejected_by_aws", 400), Final, ONCE),
        // What is in the policy tells how to make room in it.
        case(named(ErrorName::PolicyLengthExceeded), ("policy_full", 409), Final, &["add", "read"]),
        case(named(ErrorName::ResourceNotFound), ("target_not_found", 404), Final, ONCE),
        case(named(ErrorName::PreconditionFailed), ("revision_changed", 412), Final, &["add", "read", "read"]),
        case(named(ErrorName::PublicPolicy), ("public_access_blocked", 403), Kept, ONCE),
        case(named(ErrorName::AccessDenied), ("access_denied", 500), Kept, ONCE),
        case(named(ErrorName::MissingAuthenticationToken), ("access_denied", 500), Kept, ONCE),
        case((403, Some("ExpiredTokenException")), ("access_denied", 500), Kept, ONCE),
        case((400, Some("ExpiredTokenException")), ("access_denied", 500), Kept, ONCE),
        case((403, Some("InvalidSignatureException")), ("access_denied", 500), Kept, ONCE),
        case((400, Some("UnrecognizedClientException")), ("access_denied", 500), Kept, ONCE),
        case((401, None), ("access_denied", 500), Kept, ONCE),
        case((403, None), ("access_denied", 500), Kept, ONCE),
        case(named(ErrorName::TooManyRequests), ("throttled", 429), Again, THRICE),
        case((400, Some("ThrottlingException")), ("throttled", 429), Again, THRICE),
        case((400, Some("RequestLimitExceeded")), ("throttled", 429), Again, THRICE),
        case((429, None), ("throttled", 429), Again, THRICE),
        case(named(ErrorName::ResourceConflict), ("outcome_unknown", 503), Again, LOOKED),
        case((409, Some("OperationInProgressException")), ("outcome_unknown", 503), Again, LOOKED),
        case((409, None), ("outcome_unknown", 503), Again, LOOKED),
        case((412, None), ("revision_changed", 412), Final, LOOKED),
        case(named(ErrorName::Service), ("outcome_unknown", 503), Again, LOOKED),
        case((500, Some("InternalFailure")), ("outcome_unknown", 503), Again, LOOKED),
        case((500, None), ("outcome_unknown", 503), Again, LOOKED),
        case((502, None), ("outcome_unknown", 503), Again, LOOKED),
        case((503, Some("ServiceUnavailableException")), ("outcome_unknown", 503), Again, LOOKED),
        case((504, None), ("outcome_unknown", 503), Again, LOOKED),
        case((599, Some("Whatever")), ("outcome_unknown", 503), Again, LOOKED),
        case((408, None), ("outcome_unknown", 503), Again, LOOKED),
        case((400, Some("RequestTimeout")), ("outcome_unknown", 503), Again, LOOKED),
        case((400, None), ("rejected_by_aws", 400), Final, ONCE),
        case((400, Some("NewIn2031Exception")), ("rejected_by_aws", 400), Final, ONCE),
        case((404, None), ("target_not_found", 404), Final, ONCE),
        case(named(ErrorName::UnknownOperation), ("rejected_by_aws", 400), Final, ONCE),
        case(named(ErrorName::RequestTooLarge), ("rejected_by_aws", 400), Final, ONCE),
        case((418, Some("TeapotException")), ("rejected_by_aws", 400), Final, ONCE),
        case((499, None), ("rejected_by_aws", 400), Final, ONCE),
        case((200, None), ("outcome_unknown", 503), Again, LOOKED),
        case((204, None), ("outcome_unknown", 503), Again, LOOKED),
        case((302, None), ("outcome_unknown", 503), Again, LOOKED),
    ]
}

impl Case {
    fn name(&self) -> String {
        format!("{} {}", self.status, self.error_type.unwrap_or("without a code"))
    }

    /// The answer to every call from now on.
    fn fault(&self) -> Fault {
        let message = format!("{CANARY}: Value 'token' at 'eventSourceToken' failed to satisfy constraint");
        Fault::new(FaultKind::Answer {
            status: self.status,
            error_type: self.error_type.map(str::to_owned),
            headers: Vec::new(),
            body: json!({ "Type": "User", "message": message, "Message": message }).to_string(),
        })
        .times(99)
    }

    /// A request through one door, with everything that tells how it ended.
    async fn check(&self, door: Door, request: &Value) {
        let name = format!("{} through {}", self.name(), door.as_str());
        let scene = Scene::new().await;
        scene.plane.inject(self.fault());
        let reply = scene.ask(door, request).await;
        let records = scene.records();
        let [intent, outcome] = records.as_slice() else { panic!("{name}: {records:?}") };
        assert_eq!((&intent["record"], &outcome["record"]), (&json!("intent"), &json!("outcome")), "{name}");
        assert_eq!((&outcome["outcome"], &outcome["code"]), (&json!("failed"), &json!(self.code)), "{name}");
        assert_eq!(outcome["retryable"], self.delivery == Delivery::Again, "{name}");
        let fails = match door {
            Door::Direct => self.delivery == Delivery::Again,
            Door::ApiGateway => false,
            Door::EventBridge | Door::Schedule => self.delivery != Delivery::Final,
            Door::Sqs => {
                let failed: &[&str] = if self.delivery == Delivery::Final { &[] } else { &["message-0"] };
                assert_eq!(reply.failed_messages().unwrap(), failed, "{name}");
                false
            }
        };
        assert_eq!(reply.failed, fails, "{name}");
        if door != Door::Sqs {
            assert_eq!((reply.outcome(), reply.code()), ("failed", self.code), "{name}");
            assert_eq!(reply.document["status"], self.http, "{name}");
            assert_eq!(reply.document["retryable"], self.delivery == Delivery::Again, "{name}");
            assert_eq!(scene.calls(), self.calls, "{name}");
            assert_eq!(outcome["attempts"], self.calls.iter().filter(|call| **call == "add").count(), "{name}");
        }
        if let Some((status, headers)) = &reply.http {
            assert_eq!(*status, self.http, "{name}");
            assert_eq!(headers["retry-after"].is_string(), self.delivery == Delivery::Again, "{name}");
        }
        assert_eq!(outcome["awsCode"].as_str(), self.error_type, "{name}");
        assert_eq!(outcome["awsRequestId"].as_str().map(str::len), Some(36), "{name}");
        let texts = format!("{}{}", scene.sink.text(), reply.document);
        assert!(!texts.contains(CANARY), "{name}: {texts}");
        assert!(scene.plane.policies().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn every_error_has_its_code_status_and_delivery_at_every_door() {
    let (cases, function, layer) = (cases(), grant(json!({})), layer_grant(json!({})));
    let mut checks = Vec::new();
    for case in &cases {
        checks.extend(DOORS.into_iter().map(|door| case.check(door, &function)));
        checks.push(case.check(Door::EventBridge, &layer));
    }
    all(8, checks).await;
}

#[tokio::test]
async fn every_call_stands_in_the_audit_with_its_answer() {
    let scene = Scene::new().await;
    scene.plane.inject(Fault::throttled(None)).inject(Fault::error(ErrorName::Service, CANARY));
    let reply = scene.ask(Door::ApiGateway, &grant(json!({}))).await;
    assert_eq!((reply.outcome(), reply.http.as_ref().unwrap().0), ("granted", 201));
    let outcome = &scene.records()[1];
    let calls = json!([
        "add:429 TooManyRequestsException",
        "add:500 ServiceException",
        "read:404 ResourceNotFoundException",
        "add:201"
    ]);
    assert_eq!((&outcome["calls"], &outcome["attempts"]), (&calls, &json!(3)));
    assert_eq!(outcome["awsCode"], Value::Null);
}

/// The write is what CloudTrail has of a grant; where it was not answered, a read's id has to do.
#[tokio::test]
async fn the_request_id_is_that_of_the_last_write_that_was_answered() {
    let lost = Fault::new(FaultKind::ResetAfterCommit).on(Operation::AddPermission);
    let cases = [(None, 0), (Some(Fault::throttled(None)), 1), (Some(Fault::concurrent_update()), 2), (Some(lost), 1)];
    for (fault, of_call) in cases {
        let scene = Scene::new().await;
        if let Some(fault) = fault {
            scene.plane.inject(fault);
        }
        assert_eq!(scene.ask(Door::Direct, &grant(json!({}))).await.outcome(), "granted");
        let ids: Vec<String> = scene.plane.calls().into_iter().map(|call| call.request_id).collect();
        assert_eq!(scene.records()[1]["awsRequestId"], ids[of_call], "{:?}", scene.calls());
    }
}

/// Only a plain word is taken over from an answer, whatever stands where a code or an id belongs.
#[tokio::test]
async fn a_code_or_an_id_that_is_no_plain_word_is_left_out() {
    let long = "x".repeat(65);
    for hostile in ["two words", "quote\"", "semi;colon", "<script>", &long] {
        let scene = Scene::new().await;
        scene.plane.inject(Fault::new(FaultKind::Answer {
            status: 400,
            error_type: Some(hostile.to_owned()),
            headers: Vec::new(),
            body: "{}".to_owned(),
        }));
        let reply = scene.ask(Door::Direct, &grant(json!({}))).await;
        assert_eq!(reply.code(), "rejected_by_aws");
        assert!(!scene.sink.text().contains(&hostile.replace('"', "\\\"")), "{hostile}");
        assert_eq!(scene.records()[1]["calls"], json!(["add:400"]));
    }
}
