//! The file itself: it asks nothing of any network, runs nothing but its own script, and shows no secret.

use aws_smithy_types::base64;
use permission_broker::local::report::{self, Use, Wanted};
use permission_broker::local::stage::ALLOWLIST;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{ORDERS, data, page, statement, world};

const TOKEN: &str = "amzn1.ask.skill.CANARY-7f3a";

async fn live(plane: permission_broker::local::control_plane::ControlPlane) -> String {
    let report = report::of_world(plane, ("the test's", ALLOWLIST), &Wanted::default(), |_| {}).await.unwrap();
    report::html(&report, Use::Live).unwrap()
}

fn between<'a>(page: &'a str, before: &str, after: &str) -> &'a str {
    page.split_once(before).unwrap().1.split_once(after).unwrap().0
}

#[tokio::test]
async fn the_file_needs_nothing_but_itself() {
    for page in [page(world(&[])).await, live(world(&[])).await] {
        for foreign in
            ["http:", "https:", "//cdn", "url(", "@import", " src=", "<link", "<iframe", "<object", "import("]
        {
            assert!(!page.contains(foreign), "{foreign}");
        }
        // Links stay on the page.
        assert!(page.split("href=\"").skip(1).all(|rest| rest.starts_with('#')));
        // Nothing makes markup or code of text.
        for way in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "Function("] {
            let script = between(&page, "</script>\n<script>", "</script>");
            let made = script.lines().find(|line| line.contains(way) && !line.trim_start().starts_with("//"));
            assert_eq!(made, None, "{way}");
        }
        assert!(!page.contains("{{"), "every part is in its place");
    }
}

/// The policy in the file names its style and its script by their hashes, and lets in nothing else.
#[tokio::test]
async fn the_policy_of_the_page_is_strict_and_true() {
    let hash = |text: &str| format!("'sha256-{}'", base64::encode(Sha256::digest(text.as_bytes())));
    for (page, connect) in [(page(world(&[])).await, ""), (live(world(&[])).await, "; connect-src 'self'")] {
        let policy = between(&page, "Content-Security-Policy\" content=\"", "\"");
        let (style, script) =
            (between(&page, "<style>", "</style>"), between(&page, "</script>\n<script>", "</script>"));
        let wanted = format!(
            "default-src 'none'; style-src {}; script-src {}{connect}; base-uri 'none'; form-action 'none'",
            hash(style),
            hash(script)
        );
        assert_eq!(policy, wanted);
        assert!(page.find("Content-Security-Policy") < page.find("<style>"), "it holds from the start");
    }
}

/// Only the page that is served can ask.
#[tokio::test]
async fn a_file_has_no_form() {
    for word in ["ask-form", "fetch(", "grants", "Send"] {
        assert!(!page(world(&[])).await.contains(word), "{word}");
        assert!(live(world(&[])).await.contains(word), "{word}");
    }
}

/// Whatever a policy says, the file has the same elements, and the data reads back as it was.
#[tokio::test]
async fn what_policies_say_stays_data() {
    let hostile = [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "\"'`&quot;&lt;",
        "\u{2028}\u{2029}\u{85}\u{0}\u{1f}",
        "]]>{{script}}{{data}}",
        "\u{202e}\u{1f600}\\u003c\\",
    ];
    let harmless = page(world(&[])).await;
    for text in hostile {
        let stored = json!({
            "Sid": text, "Effect": "Allow", "Principal": { "AWS": text }, "Action": text, "Resource": ORDERS,
            "Condition": { text: { text: text } },
        });
        let page = page(world(&[(ORDERS, &[stored])])).await;
        for mark in ["<script", "</script", "<!--", "<"] {
            assert_eq!(page.matches(mark).count(), harmless.matches(mark).count(), "{mark} in {text:?}");
        }
        assert!(!page.contains(['\u{2028}', '\u{2029}', '\u{85}', '\u{0}']), "{text:?}");
        let told = statement(&data(&page), 0);
        assert_eq!((&told["sid"], &told["action"]), (&json!(text), &json!(text)));
        assert_eq!(told["principal"], json!({ "AWS": text }));
    }
}

#[tokio::test]
async fn a_token_is_only_said_to_be_there() {
    let alexa = |condition: Value| {
        json!({
            "Sid": "s", "Effect": "Allow", "Principal": { "Service": "alexa-appkit.amazon.com" },
            "Action": "lambda:InvokeFunction", "Resource": ORDERS, "Condition": condition,
        })
    };
    let foreign = json!({ "NotPrincipal": { "AWS": "210987654321" } });
    for (condition, more) in [
        (json!({ "StringEquals": { "lambda:EventSourceToken": TOKEN } }), json!({})),
        (json!({ "StringLike": { "LAMBDA:EVENTSOURCETOKEN": [TOKEN, TOKEN] } }), json!({})),
        (json!({ "StringEquals": { "lambda:EventSourceToken": TOKEN } }), foreign),
    ] {
        let stored = crate::support::with(alexa(condition), more);
        let page = page(world(&[(ORDERS, &[stored])])).await;
        assert!(!page.contains("CANARY"), "{page}");
        assert!(page.contains("present"), "{page}");
    }
}
