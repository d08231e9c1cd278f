//! What a test sees of the control plane: its record, its connections, its world.

use super::*;

#[tokio::test]
async fn every_request_is_recorded() {
    let lambda = Lambda::new().await;
    let target = with(&function("my-function:live"), "Qualifier", "live");
    let body = grant(json!({})).to_string();
    lambda.send("POST", &target, &body).await;
    lambda.send("POST", &target, &body).await;
    lambda.send("GET", "/elsewhere", "").await;
    let calls = lambda.plane.calls();
    assert_eq!(calls.len(), 3);
    let first = &calls[0];
    assert_eq!(
        (first.method.as_str(), first.path.as_str()),
        ("POST", "/2015-03-31/functions/my-function%3Alive/policy")
    );
    assert_eq!((first.query.as_str(), first.body.as_slice()), ("Qualifier=live", body.as_bytes()));
    assert_eq!(first.header("authorization"), Some(AUTHORIZATION));
    assert_eq!(first.operation, Some(Operation::AddPermission));
    assert_eq!(first.operation.unwrap().name(), "AddPermission");
    assert_eq!((first.status, first.committed), (Some(201), true));
    assert_eq!((calls[1].status, calls[1].committed), (Some(409), false));
    assert_eq!((calls[2].status, calls[2].operation), (Some(404), None));
    lambda.plane.clear_calls();
    assert!(lambda.plane.calls().is_empty());
}

#[tokio::test]
async fn a_connection_carries_several_requests() {
    let lambda = Lambda::new().await;
    let mut stream = TcpStream::connect(lambda.url.trim_start_matches("http://")).await.unwrap();
    let request = format!("GET {FUNCTION} HTTP/1.1\r\nHost: l\r\nAuthorization: {AUTHORIZATION}\r\n\r\n");
    for _ in 0..3 {
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        while !answer.contains(GONE) {
            let mut part = [0; 1024];
            let read = stream.read(&mut part).await.unwrap();
            assert!(read > 0);
            answer.push_str(&String::from_utf8_lossy(&part[..read]));
        }
    }
    assert_eq!(lambda.plane.calls().len(), 3);
}

#[tokio::test]
async fn a_body_beyond_all_need_is_not_read_to_the_end() {
    let lambda = Lambda::new().await;
    let reply = lambda.send("POST", FUNCTION, &" ".repeat((1 << 20) + 1)).await;
    assert_eq!(reply.status, 413);
}

#[tokio::test]
async fn a_world_comes_back_as_it_went() {
    let pretty = format!(
        r#"{{
          "partition": "aws", "region": "us-west-2", "account": "123456789012",
          "functions": {{ "my-function": {{ "versions": [1], "aliases": {{ "live": "1" }} }} }},
          "layers": {{ "my-layer": [1, 2] }},
          "policies": {{ "{ARN}": {{ "revisionId": "r-1", "statements": [
              {{ "Resource": "{ARN}", "Sid": "old \" one", "Effect": "Allow", "Principal": {{ "AWS": ["a", "b"] }} }} ] }} }},
          "deletedPrincipals": ["arn:aws:iam::123456789012:role/gone"]
        }}"#
    );
    let plane = ControlPlane::from_world(&pretty).unwrap();
    // Kept in the order it was given, without the white space between.
    let statement =
        format!(r#"{{"Resource":"{ARN}","Sid":"old \" one","Effect":"Allow","Principal":{{"AWS":["a","b"]}}}}"#);
    let document = format!(r#"{{"Version":"2012-10-17","Id":"default","Statement":[{statement}]}}"#);
    assert_eq!(plane.policies(), [(ARN.to_owned(), document, "r-1".to_owned())]);
    let world = plane.to_world().unwrap();
    let again = ControlPlane::from_world(&world).unwrap();
    assert_eq!(again.to_world().unwrap(), world);
    assert_eq!(again.policies(), plane.policies());
}

#[test]
fn a_world_that_cannot_be_is_refused() {
    let world = |changes: Value| {
        let place = json!({ "partition": "aws", "region": "us-west-2", "account": "123456789012" });
        let world = merge(place, changes).to_string();
        ControlPlane::from_world(&world).map(|_| ()).unwrap_err().to_string()
    };
    let policy = |statements: Value| json!({ "functions": { "my-function": {} }, "policies": { ARN: { "statements": statements } } });
    let cases = [
        (json!({ "account": "1" }), "`1` is not an account id"),
        (json!({ "unknown": 1 }), "unknown field `unknown`"),
        (json!({ "region": null }), "missing field `region`"),
        (json!({ "functions": { "f": { "aliases": { "live": "7" } } } }), "alias live of f points to no version"),
        (json!({ "policies": { ARN: { "statements": [] } } }), "has a policy but does not exist"),
        (policy(json!([])), "a policy needs a statement"),
        (policy(json!([["a"]])), "a statement is an object"),
        (policy(json!([{ "Sid": "a" }, { "Sid": "a" }])), "two statements have the same Sid"),
        (policy(json!([{ "Sid": "a".repeat(20_480) }])), "the policy is too large"),
    ];
    for (changes, problem) in cases {
        let error = world(changes);
        assert!(error.contains(problem), "{error}");
    }
}

#[tokio::test]
async fn every_change_is_on_disk_before_it_is_answered() {
    let folder = std::env::temp_dir().join(format!("control-plane-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("world.json");
    let lambda = Lambda::new().await;
    lambda.plane.save(&path).unwrap();
    assert!(ControlPlane::load(&path).unwrap().policies().is_empty());
    lambda.plane.keep_at(Some(path.clone()));
    lambda.add(FUNCTION, "s3").await;
    assert_eq!(ControlPlane::load(&path).unwrap().policies(), lambda.plane.policies());
    // Also when the answer is lost.
    lambda.plane.inject(Fault::new(FaultKind::ResetAfterCommit));
    let body = grant(json!({ "StatementId": "lost" })).to_string();
    lambda.try_send("POST", FUNCTION, &body).await.unwrap_err();
    assert_eq!(ControlPlane::load(&path).unwrap().policies(), lambda.plane.policies());
    // What cannot be kept has not happened.
    let before = lambda.plane.policies();
    lambda.plane.keep_at(Some(folder.join("missing").join("world.json")));
    for (method, target) in [("POST", FUNCTION.to_owned()), ("DELETE", without(FUNCTION, "s3"))] {
        let reply = lambda.send(method, &target, &grant(json!({ "StatementId": "x" })).to_string()).await;
        assert_eq!((reply.status, reply.header("x-amzn-errortype")), (500, Some("ServiceException")));
        assert_eq!(lambda.plane.policies(), before);
    }
    lambda.plane.keep_at(None);
    assert_eq!(lambda.add(FUNCTION, "x").await.status, 201);
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(ControlPlane::load(&path).is_err());
}
