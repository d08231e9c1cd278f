//! The allowlist followed in AppConfig: the extension on loopback, played with every answer it may give.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use permission_broker::extension::Extension;
use permission_broker::source::Source;
use serde_json::{Value, json};

use crate::support::{Door, Scene, grant, string};

const PARTNER: &str = "210987654321";
const OTHER: &str = "111122223333";

/// What the extension says: the whole answer, as it goes over the wire.
#[derive(Clone)]
pub(crate) struct Said(Arc<Mutex<Vec<u8>>>);

impl Said {
    fn says(&self, bytes: impl Into<Vec<u8>>) {
        *self.0.lock().unwrap() = bytes.into();
    }

    pub(crate) fn has(&self, version: &str, allowlist: &str) {
        self.says(format!(
            "HTTP/1.1 200 OK\r\nConfiguration-Version: {version}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{allowlist}",
            allowlist.len()
        ));
    }
}

fn account(id: &str) -> String {
    json!({ "id": "followed", "accounts": [id] }).to_string()
}

/// An extension that answers as it is told; every request has to be for the one configuration. With nothing to
/// say, it closes the connection.
pub(crate) fn extension() -> (u16, Said) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let said = Said(Arc::default());
    let answers = said.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if stream.read(&mut byte).unwrap_or(0) == 0 {
                    break;
                }
                request.extend_from_slice(&byte);
            }
            let request = String::from_utf8(request).unwrap();
            assert!(
                request.starts_with("GET /applications/broker/environments/live/configurations/allowlist HTTP/1.1\r\n"),
                "{request}"
            );
            let answer = answers.0.lock().unwrap().clone();
            // One that breaks off in the middle may find the broker gone.
            let _ = stream.write_all(&answer);
        }
    });
    (port, said)
}

/// A broker that follows that extension, asks it at every request, and waits until it has answered.
async fn scene(port: u16, most_age: Option<Duration>) -> Scene {
    let mut scene = Scene::new().await;
    let extension = Extension::new("broker/live/allowlist", port).unwrap();
    scene.broker.allowlist = Source::follow(extension, most_age).restless().patient();
    scene
}

async fn ask(scene: &Scene, principal: &str) -> (String, Value) {
    let reply = scene
        .ask(Door::Direct, &grant(json!({ "Principal": principal, "StatementId": format!("for-{principal}") })))
        .await;
    let records = scene.records();
    (reply.outcome().to_owned(), records.last().unwrap().clone())
}

#[tokio::test]
async fn what_appconfig_has_decides_and_its_version_and_age_are_on_record() {
    let (port, extension) = extension();
    extension.has("7", &account(PARTNER));
    let scene = scene(port, None).await;
    let (outcome, record) = ask(&scene, PARTNER).await;
    assert_eq!((outcome.as_str(), string(&record, "rule")), ("granted", "followed"));
    assert_eq!((&record["allowlistVersion"], &record["allowlistAgeSeconds"]), (&json!("7"), &json!(0)));
    let (outcome, record) = ask(&scene, OTHER).await;
    assert_eq!((outcome.as_str(), &record["allowlistVersion"]), ("denied", &json!("7")));
}

#[tokio::test]
async fn a_new_version_decides_from_the_next_request_on() {
    let (port, extension) = extension();
    extension.has("1", &account(PARTNER));
    let scene = scene(port, None).await;
    assert_eq!(ask(&scene, OTHER).await.0, "denied");
    extension.has("2", &account(OTHER));
    let (outcome, record) = ask(&scene, OTHER).await;
    assert_eq!((outcome.as_str(), &record["allowlistVersion"]), ("denied", &json!("1")), "it came with this request");
    let (outcome, record) = ask(&scene, OTHER).await;
    assert_eq!((outcome.as_str(), &record["allowlistVersion"]), ("granted", &json!("2")));
    assert_eq!(ask(&scene, PARTNER).await.0, "denied", "what the new one does not allow is no longer allowed");
}

#[tokio::test]
async fn nothing_bad_replaces_a_good_one() {
    let long = format!(r#"{{"accounts":["{PARTNER}"],"id":"{}"}}"#, "x".repeat(4 << 20));
    let bad = [
        ("not JSON", "HTTP/1.1 200 OK\r\nConfiguration-Version: 2\r\nContent-Length: 1\r\n\r\n{".to_owned()),
        (
            "an account too short",
            "HTTP/1.1 200 OK\r\nConfiguration-Version: 2\r\nContent-Length: 20\r\n\r\n{\"accounts\":[\"1234\"]}"
                .to_owned(),
        ),
        ("gone", "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("failing", "HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n".to_owned()),
        ("broken off", "HTTP/1.1 200 OK\r\nConfiguration-Version: 2\r\nContent-Length: 100\r\n\r\n{".to_owned()),
        ("not HTTP", "hello\r\n\r\n".to_owned()),
        ("silent", String::new()),
        ("too large", format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{long}", long.len())),
    ];
    let (port, extension) = extension();
    for (what, answer) in bad {
        extension.has("1", &account(PARTNER));
        let scene = scene(port, None).await;
        assert_eq!(ask(&scene, PARTNER).await.0, "granted");
        extension.says(answer);
        for _ in 0..2 {
            let (outcome, record) = ask(&scene, PARTNER).await;
            assert_eq!((outcome.as_str(), &record["allowlistVersion"]), ("already_granted", &json!("1")), "{what}");
        }
        extension.has("3", &account(OTHER));
        ask(&scene, OTHER).await;
        assert_eq!(ask(&scene, OTHER).await.0, "granted", "{what}: the next good one is used");
    }
}

#[tokio::test]
async fn without_a_first_one_every_request_is_refused_and_comes_again() {
    let (port, extension) = extension();
    let scene = scene(port, None).await;
    let reply = scene.ask(Door::Direct, &grant(json!({}))).await;
    assert!(reply.failed, "AWS has to deliver it again");
    let records = scene.records();
    let [record] = records.as_slice() else { panic!("{records:?}") };
    assert_eq!((string(record, "outcome"), string(record, "code")), ("failed", "allowlist_unavailable"));
    assert_eq!((&record["allowlistVersion"], scene.calls().len()), (&Value::Null, 0), "and AWS is not called");
    extension.says("HTTP/1.1 200 OK\r\nConfiguration-Version: 1\r\nContent-Length: 2\r\n\r\n[x");
    assert!(scene.ask(Door::Direct, &grant(json!({}))).await.failed, "a bad one is none");
    extension.has("1", &account(PARTNER));
    assert_eq!(ask(&scene, PARTNER).await.0, "granted", "it is asked for with the request that needs it");
}

#[tokio::test]
async fn one_that_is_too_old_decides_nothing() {
    let (port, extension) = extension();
    extension.has("1", &account(PARTNER));
    // Nothing is younger than no time at all.
    let scene = scene(port, Some(Duration::ZERO)).await;
    let reply = scene.ask(Door::Direct, &grant(json!({}))).await;
    assert!(reply.failed);
    assert_eq!(string(scene.records().last().unwrap(), "code"), "allowlist_unavailable");
    let hour = self::scene(port, Some(Duration::from_secs(3600))).await;
    assert_eq!(ask(&hour, PARTNER).await.0, "granted");
}

/// The clock stands still but for waiting, so a request that waited longer than it may would show.
#[tokio::test(start_paused = true)]
async fn an_extension_that_never_answers_holds_nothing_up_for_long() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let source = Source::follow(Extension::new("broker/live/allowlist", port).unwrap(), None).restless();
    let begun = tokio::time::Instant::now();
    assert!(source.current().await.is_none());
    assert_eq!(begun.elapsed(), Duration::from_secs(1));
    let begun = tokio::time::Instant::now();
    assert_eq!(source.meanwhile(async { 7 }).await, 7);
    assert!(begun.elapsed() <= Duration::from_millis(51), "{:?}", begun.elapsed());
    drop(listener);
}

/// What takes the extension longer than a reply waits is not lost: the look goes on while other requests are answered.
#[tokio::test(start_paused = true)]
async fn an_extension_that_is_slow_is_heard_in_the_end() {
    let (asked, asks) = std::sync::mpsc::channel();
    let (tell, told) = std::sync::mpsc::channel::<String>();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            assert!(stream.read(&mut [0; 1024]).unwrap() > 0);
            asked.send(()).unwrap();
            // As long as it takes.
            let Ok(answer) = told.recv() else { return };
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let answer = |version: &str| {
        let text = account(PARTNER);
        let length = text.len();
        format!("HTTP/1.1 200 OK\r\nConfiguration-Version: {version}\r\nContent-Length: {length}\r\n\r\n{text}")
    };
    let source = Source::follow(Extension::new("broker/live/allowlist", port).unwrap(), None).restless();
    let version = async || source.current().await.and_then(|held| held.version().map(str::to_owned));
    source.meanwhile(async {}).await;
    asks.recv_timeout(Duration::from_secs(30)).unwrap();
    for (next, before) in [("1", None), ("2", Some("1"))] {
        // More requests than one come while the answer is on its way.
        for _ in 0..4 {
            let begun = tokio::time::Instant::now();
            assert_eq!(source.meanwhile(async { 7 }).await, 7);
            assert!(begun.elapsed() <= Duration::from_millis(51), "{:?}", begun.elapsed());
        }
        assert_eq!(version().await.as_deref(), before);
        assert!(asks.try_recv().is_err(), "no second look is begun beside the first");
        tell.send(answer(next)).unwrap();
        // This thread's clock jumps; the other's answer takes its time all the same.
        let until = std::time::Instant::now() + Duration::from_secs(30);
        while asks.try_recv().is_err() {
            assert!(std::time::Instant::now() < until, "the answer is heard, and only then the next look begun");
            source.meanwhile(async {}).await;
        }
        assert_eq!(version().await.as_deref(), Some(next));
    }
}

#[test]
fn a_configuration_has_three_parts_that_fit_a_path() {
    let longest = "x".repeat(128);
    for good in ["a/b/c", "broker/live/allow-list_1.0", &format!("{longest}/{longest}/{longest}")] {
        assert!(Extension::new(good, 2772).is_some(), "{good}");
    }
    let long = format!("a/b/{longest}x");
    for bad in
        ["", "a", "a/b", "a/b/c/d", "a//c", "/b/c", "a/b/", "a/../c", "a/b/c?x", "a b/c/d", "a/b/c\r\n", "ä/b/c", &long]
    {
        assert!(Extension::new(bad, 2772).is_none(), "{bad}");
    }
}
