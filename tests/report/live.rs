//! The page that `serve` shows: what is there now, a request explained before it is sent, and nobody else's requests.

use serde_json::json;

use super::{data, statement};
use crate::support::process::{Served, http, scratch};
use crate::support::{json, string, text};

const JSON: &str = "Content-Type: application/json\r\n";

#[test]
fn the_page_shows_what_is_there_now() {
    let served = Served::start(&scratch("report-live.json"));
    let (status, page) = http(&served.api, "GET", "/", "", "");
    assert_eq!((status, data(&page)["targets"]["name"].clone()), (200, json!([])));
    assert!(page.contains("<h2 id=\"ask-title\">Ask the broker</h2>"));
    assert!(served.greeting.contains(&format!("http://{}/   (in a browser", served.api)), "{}", served.greeting);

    let request = text("events/direct-grant-account.json");
    let (status, reply) = http(&served.api, "POST", "/explain", JSON, &request);
    assert_eq!((status, string(&json(&reply), "outcome")), (200, "would_grant"));
    let (_, now) = http(&served.api, "GET", "/report.json", "", "");
    assert_eq!(json(&now)["targets"]["name"], json!([]), "explaining changes nothing");

    assert_eq!(http(&served.api, "POST", "/grants", JSON, &request).0, 201);
    let (_, now) = http(&served.api, "GET", "/report.json", "", "");
    let now = json(&now);
    assert_eq!(now["targets"]["name"], json!(["function:orders:live"]));
    assert_eq!(statement(&now, 0)["verdict"], "partner");
    let (status, reply) = http(&served.api, "POST", "/explain", JSON, &request);
    assert_eq!((status, string(&json(&reply), "outcome")), (200, "already_granted"));
}

/// Whatever the request says of itself, explaining it makes nothing.
#[test]
fn explaining_is_always_a_dry_run() {
    let state = scratch("report-explain.json");
    let served = Served::start(&state);
    let grant = text("events/direct-grant-account.json");
    let insisting = grant.replacen('{', "{\"dryRun\": false,", 1);
    for (body, status) in
        [(grant.as_str(), 200), (&insisting, 200), ("{\"dryRun\":false}", 400), ("[]", 400), ("", 400)]
    {
        assert_eq!(http(&served.api, "POST", "/explain", JSON, body).0, status, "{body}");
    }
    assert_eq!(http(&served.api, "GET", "/explain", "", "").0, 404);
    assert!(!state.exists(), "nothing was ever written");
}

/// A browser's page of another site, a name of another site, a frame: none of them gets through.
#[test]
fn only_its_own_page_may_ask() {
    let state = scratch("report-others.json");
    let served = Served::start(&state);
    let request = text("events/direct-grant-account.json");
    let own = format!("Origin: http://{}\r\n", served.api);
    let foreign = "Origin: http://example.com\r\n";
    for (path, headers, status) in [
        ("/grants", format!("{foreign}{JSON}"), 403),
        ("/explain", format!("{foreign}{JSON}"), 403),
        ("/grants", format!("{own}Content-Type: text/plain\r\n"), 403),
        ("/grants", own.clone(), 403),
        ("/grants", "Sec-Fetch-Site: cross-site\r\n".to_owned(), 403),
        ("/grants", "Host: example.com\r\n".to_owned(), 403),
        ("/explain", format!("{own}{JSON}"), 200),
    ] {
        assert_eq!(http(&served.api, "POST", path, &headers, &request).0, status, "{path} {headers}");
    }
    assert!(!state.exists(), "nothing was ever written");
    assert_eq!(http(&served.api, "POST", "/grants", &format!("{own}{JSON}"), &request).0, 201);
}
