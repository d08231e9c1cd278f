//! The JSON and text blocks. A JSON block is told by what is in it; one that is nothing known fails.

use permission_broker::allowlist::Allowlist;
use permission_broker::local::stage::Stage;
use serde_json::{Value, json};

use super::markdown::{all_blocks, blocks, section, titles};
use crate::support::process::{broker, written};
use crate::support::{json, string, text};

/// What a JSON block is.
#[derive(Debug, PartialEq)]
enum Kind {
    Request,
    Revoke,
    Allowlist,
    Reply,
    Audit,
    IamPolicy,
    Entries,
    Settings,
}

fn kind(block: &str) -> Kind {
    let first = json(block.lines().next().filter(|line| line.ends_with('}')).unwrap_or(block));
    let has = |member: &str| first.get(member).is_some() || first.get(0).is_some_and(|it| it.get(member).is_some());
    let marks = [
        (Kind::Audit, "record"),
        (Kind::Reply, "outcome"),
        (Kind::Revoke, "fingerprint"),
        (Kind::Request, "parameters"),
        (Kind::Allowlist, "accounts"),
        (Kind::IamPolicy, "Statement"),
        (Kind::Entries, "DetailType"),
        (Kind::Settings, "json.schemas"),
    ];
    let mut kinds = marks.into_iter().filter(|(_, mark)| has(mark)).map(|(kind, _)| kind);
    kinds.next().unwrap_or_else(|| panic!("nothing known: {block}"))
}

fn of_kind(wanted: Kind) -> Vec<String> {
    blocks("json").into_iter().map(|block| block.text).filter(|text| kind(text) == wanted).collect()
}

#[test]
fn every_block_is_of_a_kind_that_is_tested() {
    let count = |wanted| all_blocks().iter().filter(|block| block.language == wanted).count();
    assert_eq!(count("json") + count("sh") + count("text") + count("insights"), all_blocks().len());
    let kinds = [Kind::Request, Kind::Revoke, Kind::Allowlist, Kind::Reply, Kind::Audit, Kind::IamPolicy];
    let counts = kinds.into_iter().chain([Kind::Entries, Kind::Settings]).map(|kind| of_kind(kind).len());
    assert_eq!(counts.collect::<Vec<_>>(), [4, 1, 2, 2, 1, 1, 1, 1]);
    assert_eq!(count("text"), 2);
}

#[test]
fn the_contents_list_every_section() {
    let readme = text("README.md");
    let listed: Vec<&str> = readme.lines().filter(|line| line.starts_with("- [")).collect();
    let anchor = |title: &String| title.to_lowercase().replace(',', "").replace(' ', "-");
    let wanted: Vec<String> = titles().iter().map(|title| format!("- [{title}](#{})", anchor(title))).collect();
    assert_eq!(listed, wanted);
    for target in readme.split("](#").skip(1).map(|rest| rest.split(')').next().unwrap()) {
        assert!(titles().iter().any(|title| anchor(title) == target), "no section {target}");
    }
}

#[tokio::test]
async fn every_request_is_granted() {
    for request in of_kind(Kind::Request) {
        let (reply, _) = ask(&request).await;
        assert_eq!(reply["outcome"], "granted", "{request}");
    }
}

/// The revoke is of the first request's grant, by the fingerprint that its reply shows.
#[tokio::test]
async fn the_revoke_takes_the_first_grant_away() {
    let stage = Stage::examples().await.unwrap();
    let mut outcomes = Vec::new();
    for request in [of_kind(Kind::Request).remove(0), of_kind(Kind::Revoke).remove(0)] {
        let reply = stage.invoke("one", request.as_bytes()).await.expect("a reply");
        outcomes.push(string(&json(reply.get()), "outcome").to_owned());
    }
    assert_eq!(outcomes, ["granted", "revoked"]);
}

#[test]
fn every_allowlist_is_one() {
    for allowlist in of_kind(Kind::Allowlist) {
        let rules = Allowlist::parse(&allowlist).unwrap_or_else(|problems| panic!("{problems:?}"));
        assert_eq!(rules.len(), json(&allowlist).as_array().map_or(1, Vec::len));
    }
}

/// The replies and the audit lines are the real ones, but for ids and times.
#[tokio::test]
async fn what_is_shown_as_answered_is_what_is_answered() {
    let request = of_kind(Kind::Request).remove(0);
    let refused = request.replace("210987654321", "999999999999");
    for (request, shown) in [request.as_str(), refused.as_str()].into_iter().zip(of_kind(Kind::Reply)) {
        let (reply, _) = ask(request).await;
        assert_eq!(members(&json(&shown)), members(&reply));
        assert_eq!(fixed(json(&shown)), fixed(reply));
    }
    let (_, audit) = ask(&request).await;
    let shown = of_kind(Kind::Audit).remove(0);
    assert_eq!(shown.lines().count(), audit.len());
    for (shown, line) in shown.lines().map(json).zip(audit) {
        assert_eq!(members(&shown), members(&line));
        assert_eq!(string(&shown, "timestamp").len(), string(&line, "timestamp").len());
        assert_eq!(fixed(shown), fixed(line));
    }
}

/// What an editor is told to check an allowlist with is there.
#[test]
fn the_settings_name_the_schema() {
    let settings = json(&of_kind(Kind::Settings).remove(0));
    let [one] = settings["json.schemas"].as_array().unwrap().as_slice() else { panic!("{settings}") };
    let schema = json(&text(string(one, "url").trim_start_matches("./")));
    assert!(schema["$schema"].is_string());
    assert_eq!(one["fileMatch"], json!(["allowlist.json"]));
}

/// What people are given is the right to ask, and nothing more.
#[test]
fn the_iam_policy_allows_asking() {
    let policy = json(&of_kind(Kind::IamPolicy).remove(0));
    let [statement] = policy["Statement"].as_array().unwrap().as_slice() else { panic!("{policy}") };
    assert_eq!((&statement["Effect"], &statement["Action"]), (&json!("Allow"), &json!("execute-api:Invoke")));
    let end = string(statement, "Resource").split_once('/').unwrap().1;
    assert_eq!(end, "*/*/grants");
    let output = text("template.yaml");
    assert!(
        output.contains(
            "Value: !Sub arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*/*/grants"
        )
    );
}

/// The entries for the bus match the template's pattern, and what EventBridge makes of them is granted.
#[tokio::test]
async fn the_entries_reach_the_broker() {
    let entries = json(&of_kind(Kind::Entries).remove(0));
    let template = text("template.yaml");
    let stage = Stage::examples().await.unwrap();
    for entry in entries.as_array().unwrap() {
        let (source, kind, bus) = (string(entry, "Source"), string(entry, "DetailType"), string(entry, "EventBusName"));
        assert!(template.contains(&format!("Default: {source}\n")), "{source}");
        assert!(template.contains(&format!("detail-type: [{kind}]")), "{kind}");
        assert!(template.contains(&format!("Default: {bus}\n")), "{bus}");
        let mut event = json(&text("events/eventbridge-grant-rule.json"));
        event["source"] = source.into();
        event["detail"] = json(string(entry, "Detail"));
        let reply = stage.invoke("one", event.to_string().as_bytes()).await.expect("a reply");
        assert_eq!(json(reply.get())["outcome"], "granted");
    }
}

/// The excerpt of a play is what the command line shows, but for the times.
#[test]
fn the_excerpt_is_real() {
    let excerpt = blocks("text").remove(0).text;
    let output = broker(&[]).output().unwrap();
    let (shown, _) = written(&output);
    let first = excerpt.lines().next().unwrap();
    let shown = shown.lines().skip_while(|line| *line != first);
    let shown: Vec<String> = shown.take(excerpt.lines().count()).map(without_times).collect();
    assert_eq!(shown, excerpt.lines().map(without_times).collect::<Vec<_>>());
}

/// The drawing is the one in the source, so that there is one order only.
#[test]
fn the_line_is_the_line_of_the_source() {
    let drawing = blocks("text").remove(1).text;
    let source = text("src/lib.rs");
    let in_source: String =
        source.lines().filter_map(|line| line.strip_prefix("//! ")).map(|line| format!("{line}\n")).collect();
    assert!(in_source.contains(&drawing), "{drawing}");
    for word in section("The line").join(" ").split('`').filter(|word| word.starts_with("src/")) {
        assert!(crate::support::path(word).exists(), "{word}");
    }
}

async fn ask(request: &str) -> (Value, Vec<Value>) {
    let stage = Stage::examples().await.unwrap();
    let reply = stage.invoke("8f5a2c1e-0c56-4f7c-9f1a-5e0b6f6d2c11", request.as_bytes()).await.expect("a reply");
    (json(reply.get()), stage.audit().iter().map(|line| json(line)).collect())
}

/// The member names of a value, in order.
fn members(value: &Value) -> Vec<String> {
    value.as_object().expect("an object").keys().cloned().collect()
}

/// A value without what differs from one run to the next.
fn fixed(mut value: Value) -> Value {
    for name in ["requestId", "awsRequestId", "timestamp", "durationMs"] {
        value.as_object_mut().expect("an object").remove(name);
    }
    value
}

fn without_times(line: &str) -> String {
    let word = |word: &str| match word.split_once('=') {
        Some(("durationMs", _)) => "durationMs=?".to_owned(),
        _ if word.starts_with("20") && word.ends_with('Z') => "TIME".to_owned(),
        _ => word.to_owned(),
    };
    line.split(' ').map(word).collect::<Vec<_>>().join(" ")
}
