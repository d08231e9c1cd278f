//! Faults that are ordered.

use super::*;

#[tokio::test]
async fn answers_can_be_ordered() {
    let lambda = Lambda::new().await;
    lambda.plane.inject(Fault::throttled(Some(7)));
    let reply = lambda.add(FUNCTION, "s3").await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("7")));
    assert_eq!(reply.header("x-amzn-errortype"), Some("TooManyRequestsException"));
    let body = json!({ "Type": "User", "message": "Rate exceeded", "Reason": "CallerRateLimitExceeded" });
    assert_eq!(reply.json(), body);

    lambda.plane.inject(Fault::throttled(None));
    assert_eq!(lambda.add(FUNCTION, "s3").await.header("retry-after"), None);

    let concurrent = "The function could not be updated due to a concurrent update operation.";
    lambda.plane.inject(Fault::concurrent_update());
    assert_error(&lambda.add(FUNCTION, "s3").await, CONFLICT, concurrent);
    lambda.plane.inject(Fault::revision_mismatch());
    assert_error(&lambda.add(FUNCTION, "s3").await, STALE, REVISION);
    lambda.plane.inject(Fault::access_denied());
    assert_error(&lambda.add(FUNCTION, "s3").await, "AccessDeniedException", "");

    let cases = [
        (ErrorName::Service, 500, "ServiceException", json!({ "Type": "Service", "Message": "text" })),
        (ErrorName::PublicPolicy, 400, "PublicPolicyException", json!({ "Type": "User", "Message": "text" })),
        (ErrorName::ResourceNotFound, 404, NOT_FOUND, json!({ "Type": "User", "Message": "text" })),
        (ErrorName::Validation, 400, VALIDATION, json!({ "message": "text" })),
    ];
    for (name, status, error, body) in cases {
        lambda.plane.inject(Fault::error(name, "text"));
        let reply = lambda.add(FUNCTION, "s3").await;
        assert_eq!((reply.status, reply.header("x-amzn-errortype")), (status, Some(error)));
        assert_eq!(reply.json(), body);
    }
    lambda.plane.inject(Fault::new(FaultKind::Answer {
        status: 503,
        error_type: None,
        headers: vec![("x-test".into(), "yes".into())],
        body: "busy".into(),
    }));
    let reply = lambda.add(FUNCTION, "s3").await;
    assert_eq!((reply.status, reply.body.as_str()), (503, "busy"));
    assert_eq!((reply.header("x-test"), reply.header("x-amzn-errortype")), (Some("yes"), None));
    assert!(lambda.plane.policies().is_empty());
    assert!(lambda.plane.calls().iter().all(|call| !call.committed));
}

#[tokio::test]
async fn a_connection_can_be_reset_before_and_after_the_commit() {
    for (kind, committed) in [(FaultKind::ResetBeforeCommit, false), (FaultKind::ResetAfterCommit, true)] {
        let lambda = Lambda::new().await;
        lambda.plane.inject(Fault::new(kind));
        let error = lambda.try_send("POST", FUNCTION, &grant(json!({})).to_string()).await.unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        assert_eq!(lambda.plane.policy(ARN).is_some(), committed);
        let calls = lambda.plane.calls();
        assert_eq!((calls[0].status, calls[0].committed), (None, committed));
    }
}

#[tokio::test]
async fn an_answer_can_stay_out_before_and_after_the_commit() {
    for (kind, committed) in [(FaultKind::HangBeforeCommit, false), (FaultKind::HangAfterCommit, true)] {
        let lambda = Lambda::new().await;
        lambda.plane.inject(Fault::new(kind));
        let body = grant(json!({})).to_string();
        let request = lambda.try_send("POST", FUNCTION, &body);
        assert!(timeout(Duration::from_millis(100), request).await.is_err());
        assert_eq!(lambda.plane.policy(ARN).is_some(), committed);
        assert_eq!(lambda.plane.calls()[0].status, None);
    }
}

#[tokio::test]
async fn a_delayed_change_is_made_even_if_the_caller_has_gone() {
    let delay = Duration::from_millis(80);
    let lambda = Lambda::new().await;
    lambda.plane.inject(Fault::new(FaultKind::Delay(delay)).times(2));
    let started = Instant::now();
    assert_eq!(lambda.add(FUNCTION, "patient").await.status, 201);
    assert!(started.elapsed() >= delay);
    let impatient = timeout(delay / 4, lambda.add(FUNCTION, "impatient"));
    assert!(impatient.await.is_err());
    assert!(!lambda.plane.policy(ARN).unwrap().contains("impatient"));
    tokio::time::sleep(delay * 2).await;
    assert!(lambda.plane.policy(ARN).unwrap().contains("impatient"));
}

#[tokio::test]
async fn a_true_answer_can_be_spoilt() {
    let whole = Lambda::new().await.add(FUNCTION, "s3").await.body;
    let html = "text/html";
    let json = "application/json";
    let cases = [
        (FaultKind::EmptyBody, json, String::new()),
        (FaultKind::NotJson, json, "upstream connect error".to_owned()),
        (FaultKind::HalfJson, json, whole[..whole.len() / 2].to_owned()),
        (FaultKind::WrongContentType, html, whole.clone()),
        (FaultKind::SlowBody { every: Duration::from_micros(200) }, json, whole.clone()),
    ];
    for (kind, content_type, body) in cases {
        let lambda = Lambda::new().await;
        lambda.plane.inject(Fault::new(kind));
        let reply = lambda.add(FUNCTION, "s3").await;
        assert_eq!((reply.status, reply.body.as_str()), (201, body.as_str()));
        assert_eq!(reply.header("content-type"), Some(content_type));
        assert_eq!(reply.header("content-length"), Some(body.len().to_string().as_str()));
        assert!(lambda.plane.policy(ARN).is_some());
    }
    let lambda = Lambda::new().await;
    lambda.plane.inject(Fault::new(FaultKind::TruncatedBody));
    let reply = lambda.add(FUNCTION, "s3").await;
    assert_eq!((reply.status, reply.body.as_str()), (201, &whole[..whole.len() / 2]));
    assert_eq!(reply.header("content-length"), Some(whole.len().to_string().as_str()));
    assert!(lambda.plane.policy(ARN).is_some());
}

#[tokio::test]
async fn a_slow_body_takes_its_time() {
    let lambda = Lambda::new().await;
    let every = Duration::from_millis(2);
    lambda.plane.inject(Fault::new(FaultKind::SlowBody { every }));
    let started = Instant::now();
    let reply = lambda.add(FUNCTION, "s3").await;
    let bytes = u32::try_from(reply.body.len()).unwrap();
    assert!(started.elapsed() >= every * (bytes - 1));
}

#[tokio::test]
async fn a_duplicate_can_be_true_or_false() {
    for commit in [false, true] {
        let lambda = Lambda::new().await;
        lambda.plane.inject(Fault::new(FaultKind::Duplicate { commit }));
        assert_error(&lambda.add(FUNCTION, "mine").await, CONFLICT, &taken("mine"));
        assert_eq!(lambda.plane.policy(ARN).is_some(), commit);
    }
}

#[tokio::test]
async fn a_fault_waits_for_its_operation_and_counts() {
    let lambda = Lambda::new().await;
    lambda.plane.inject(Fault::error(ErrorName::Service, "read").on(Operation::GetPolicy).times(2));
    lambda.plane.inject(Fault::error(ErrorName::Service, "any"));
    lambda.plane.inject(Fault::error(ErrorName::Service, "never").times(0));
    assert_eq!(lambda.plane.faults_left(), 3);
    assert_eq!(lambda.add(FUNCTION, "s3").await.text("Message"), "any");
    assert_eq!(lambda.add(FUNCTION, "s3").await.status, 201);
    for status in [500, 500, 200] {
        assert_eq!(lambda.send("GET", FUNCTION, "").await.status, status);
    }
    assert_eq!(lambda.plane.faults_left(), 0);
    lambda.plane.inject(Fault::throttled(None).times(9));
    lambda.plane.clear_faults();
    assert_eq!(lambda.send("GET", FUNCTION, "").await.status, 200);
}
