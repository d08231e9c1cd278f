//! The command line as a person meets it: from the checkout and from elsewhere, into a terminal, a pipe or nothing.

use std::ffi::OsStr;
use std::net::TcpListener;
use std::process::Stdio;

use permission_broker::local::control_plane::Fault;
use permission_broker::local::play::{self, Options};
use permission_broker::local::show::{Show, wants_colour};
use permission_broker::local::stage::Stage;

use crate::support::process::{SIGNED, Served, broker, http, scratch, written};
use crate::support::{event_files, json, path, string, text};

const SUMMARY: &str = "61 events, 68 requests\n  \
     27 granted, 3 already_granted, 1 would_grant, 2 revoked, 3 already_revoked, 2 read, 1 described,\n    \
     14 denied, 9 rejected, 2 conflict, 4 failed\n";

#[test]
fn without_a_command_every_example_is_played() {
    let output = broker(&[]).output().unwrap();
    let (shown, errors) = written(&output);
    assert!(output.status.success(), "{errors}");
    assert_eq!(errors, "");
    let titles: Vec<&str> = shown.lines().filter(|line| line.ends_with(".json")).collect();
    assert_eq!(titles, event_files());
    assert!(shown.contains("\nPolicies now\n"), "{shown}");
    assert!(shown.ends_with(SUMMARY), "{shown}");
}

/// Only a single word may pass the edge: an ARN cut in two cannot be copied.
#[test]
fn what_is_shown_fits_a_hundred_columns() {
    let (shown, _) = written(&broker(&[]).output().unwrap());
    let long: Vec<&str> = shown.lines().filter(|line| line.chars().count() > 100).collect();
    assert!(long.iter().all(|line| !line.trim().contains(' ')), "{long:#?}");
    let longest = shown.lines().filter(|line| line.trim().contains(' ')).map(|line| line.chars().count()).max();
    assert!(longest > Some(90), "the width is used: {longest:?}");
}

#[test]
fn outside_the_checkout_it_says_what_to_do() {
    let elsewhere = env!("CARGO_TARGET_TMPDIR");
    let output = broker(&[]).current_dir(elsewhere).output().unwrap();
    let (shown, errors) = written(&output);
    assert_eq!((output.status.code(), shown.as_str()), (Some(1), ""));
    assert!(errors.starts_with("broker: events: "), "{errors}");
    assert!(errors.contains("broker play FOLDER"), "{errors}");

    let events = path("events");
    let output = broker(&["play", events.to_str().unwrap()]).current_dir(elsewhere).output().unwrap();
    assert!(written(&output).0.ends_with(SUMMARY));
}

#[test]
fn a_folder_without_events_is_an_error() {
    let output = broker(&["play", "src"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(written(&output).1.starts_with("broker: src: no event files"));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = broker(&["invoke", "events/no-such.json"]).output().unwrap();
    let (shown, errors) = written(&output);
    assert_eq!((output.status.code(), shown.as_str()), (Some(1), ""));
    assert!(errors.starts_with("broker: events/no-such.json: "), "{errors}");
}

/// What is in the file is for the broker to judge, not for the command line.
#[test]
fn a_file_that_is_no_event_is_refused_by_the_broker() {
    let output = broker(&["invoke", "Cargo.toml"]).output().unwrap();
    let (shown, _) = written(&output);
    assert!(output.status.success());
    assert!(shown.contains("outcome  rejected: not_json\n"), "{shown}");
}

/// A code is for programs; a person gets the sentence.
#[test]
fn a_refusal_is_shown_with_its_sentence() {
    for (file, sentence) in [
        (
            "events/http-api-iam-denied-account.json",
            "HTTP 403: no rule for this target and action names this principal",
        ),
        ("events/eventbridge-denied-organization.json", "no rule for this grant names this organization"),
        ("events/rest-grant-account.json", "HTTP 201"),
    ] {
        let (shown, _) = written(&broker(&["invoke", file]).output().unwrap());
        assert!(shown.contains(&format!("\n  reply    {sentence}\n")), "{shown}");
    }
}

/// Everything that a dry run tells stands there: who asks, what speaks against it, what stands and what would.
#[test]
fn a_request_is_explained_to_a_person() {
    let account = "events/direct-grant-account.json";
    let crowded = scratch("cli-crowded.json");
    let arn = "arn:aws:lambda:us-east-1:123456789012:function:orders:live";
    let filler = format!(
        r#"{{"Sid":"filler","Effect":"Deny","Principal":"*","Action":"{}","Resource":"{arn}"}}"#,
        "x".repeat(20_200)
    );
    let mut world = json(&text("src/local/world.json"));
    world["policies"] = json(&format!(r#"{{"{arn}":{{"statements":[{filler}]}}}}"#));
    std::fs::write(&crowded, world.to_string()).unwrap();
    let crowded = crowded.to_str().unwrap();
    let cases: [(&[&str], &[&str]); 12] = [
        (&["events/eventbridge-carry-layer-forward.json"], &["wants    CarryLayerForward of layer:tracing:2\n"]),
        (&["events/schedule-sweep.json"], &["outcome  already_revoked"]),
        (
            &[account],
            &[
                "from     direct\n  wants    lambda:InvokeFunction on function:orders:live for 210987654321\n",
                "because  CHG-1042 partner onboarding\n  outcome  would_grant by rule partner\n",
                "stores   {\"Action\":\"lambda:InvokeFunction\"",
                "policy   0 -> 253 of 20480 bytes\n",
            ],
        ),
        (
            &[account, "--after", account],
            &["outcome  already_granted by rule partner", "stands   {", "policy   253 of 20480"],
        ),
        (
            &["events/http-api-iam-dry-run-conflict.json", "--after", account],
            &[
                "from     api-gateway  arn:aws:iam::123456789012:user/ci\n",
                "outcome  conflict by rule partner: another statement stands under this id\n",
                "  stands   {\"Action\":\"lambda:InvokeFunction\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::210987654321:root\"}",
                "  to store {\"Action\":\"lambda:InvokeFunction\",\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"arn:aws:iam::123456789012:root\"}",
                "policy   253 of 20480 bytes, 453 with it\n",
            ],
        ),
        (
            &["events/http-api-iam-denied-account.json"],
            &[
                "outcome  denied: no rule for this target and action names this principal\n",
                "broken   /parameters/Principal principal_not_allowed: no rule for this target and action names\n           this principal\n",
                "rules    partner does not allow it: principal_not_allowed\n           reports-for-ci does not allow it: target_not_allowed\n",
            ],
        ),
        (
            &["events/direct-rejected-several.json"],
            &["outcome  rejected: 7 rules are broken", "/parameters/SourceArn invalid_source_arn: "],
        ),
        (
            &["events/http-api-iam-grant-function-url.json"],
            &["outcome  would_grant by", "partner-page\"}\n  stores   ", "partner-page-invoke\"}\n  policy   0 -> "],
        ),
        (&["events/direct-revoke-role-arn.json"], &["outcome  already_revoked by rule partner\n"]),
        (
            &[account, "--world", crowded],
            &["outcome  failed by rule partner: the policy is full\n", "to store {", " of 20480 bytes, nearly full, "],
        ),
        (&["events/sqs-batch-mixed.json"], &["outcome  would_grant", "outcome  rejected: ", "outcome  denied: "]),
        (&["Cargo.toml"], &["outcome  rejected: the event is one JSON value"]),
    ];
    for (arguments, shows) in cases {
        let output = broker(&[&["explain"], arguments].concat()).output().unwrap();
        let (shown, errors) = written(&output);
        assert!(output.status.success(), "{errors}");
        for text in shows {
            assert!(shown.contains(text), "{arguments:?}: {text} in {shown}");
        }
    }
    // Nothing is made, whatever the file asks for.
    for file in event_files() {
        let (shown, errors) = written(&broker(&["explain", &format!("events/{file}")]).output().unwrap());
        assert!(!shown.is_empty() && errors.is_empty(), "{file}: {errors}");
        for word in ["granted", "revoked"] {
            assert!(!shown.contains(&format!("outcome  {word}")), "{file}: {shown}");
        }
    }
}

/// In plain words, with what is wrong, and an exit code for whoever only wants to know whether.
#[test]
fn an_allowlist_is_checked() {
    let file = scratch("cli-check.json");
    let check = |text: &str| {
        std::fs::write(&file, text).unwrap();
        let output = broker(&["check", file.to_str().unwrap()]).output().unwrap();
        let (shown, errors) = written(&output);
        assert_eq!(errors, "");
        assert!(shown.lines().all(|line| line.chars().count() <= 100), "{shown}");
        (output.status.code(), shown)
    };
    let many: Vec<String> = (0..100_000).map(|number| format!("\"{number:012}\"")).collect();
    let many = format!("{{\"accounts\": [{}]}}", many.join(","));
    let shadowed = r#"[{"id": "all", "accounts": ["210987654321"]},
        {"accounts": ["210987654321"], "targets": ["function:orders*", "layer:common", "layer:*"], "requesters": ["sqs:*"]}]"#;
    for (text, code, shows) in [
        (
            r#"{"accounts": ["210987654321"]}"#,
            0,
            &[
                "rule 0\n  asks     whoever may reach an open door; of events, those of the broker's own account\n",
                "  on       every function and layer of the broker's account and region, but the broker itself\n",
                "  grants   lambda:InvokeFunction, lambda:InvokeFunctionUrl, lambda:GetLayerVersion (the default)\n",
                "  to       account 210987654321, with the users and roles in it\n",
                "\n1 rule: 0 mistakes, 0 hints\n",
            ][..],
        ),
        (&many, 0, &["000000000007, and 99992 more,"]),
        (
            shadowed,
            1,
            &[
                "rule 1\n  asks     sqs:*\n  on       every function whose name begins with orders, layer common, every layer\n",
                "\nshadowed: /1: all that it allows is allowed by rule `all` already; it can go\n",
                "\nuseless entry: /1/targets/1: `layer:*` covers it already\n2 rules: 2 mistakes, 0 hints\n",
            ],
        ),
        (
            r#"{"accounts": ["210987654321"], "organizations": ["o-a1b2c3d4e5"]}"#,
            0,
            &["everyone in organization o-a1b2c3d4e5\n", "\nhint: /accounts: if these", "1 rule: 0 mistakes, 1 hint\n"],
        ),
        ("{}", 1, &["to       nobody\n", "grants nothing: /: it names no account"]),
        ("", 0, &["no rules, so everything is denied: 0 mistakes, 0 hints\n"]),
        ("{\n \"a", 1, &["malformed: /: ", "at line 2, column", "the broker would not start: 1 mistake, 0 hints\n"]),
        (
            r#"{"accounts": ["1"], "b": 7}"#,
            1,
            &["malformed: /: ", "malformed: /accounts/0: an account is twelve digits\n"],
        ),
    ] {
        let (found, shown) = check(text);
        assert_eq!(found, Some(code), "{shown}");
        for part in shows {
            assert!(shown.contains(part), "{part} in {shown}");
        }
    }
    let output = broker(&["check", "no-such.json"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(written(&output).1.starts_with("broker: no-such.json: "));
    std::fs::write(&file, [0xff]).unwrap();
    assert_eq!(broker(&["check", file.to_str().unwrap()]).output().unwrap().status.code(), Some(2));
    // The examples' own has nothing to mend.
    assert!(broker(&["check", "src/local/allowlist.json"]).output().unwrap().status.success());
}

#[test]
fn help_names_every_command() {
    let output = broker(&["--help"]).output().unwrap();
    let (shown, _) = written(&output);
    assert!(output.status.success());
    for word in ["play", "invoke", "explain", "check", "report", "serve", "--allowlist", "--world", "--audit"] {
        assert!(shown.contains(word), "{word} in {shown}");
    }
    assert_eq!(broker(&["--no-such-option"]).output().unwrap().status.code(), Some(2));
}

#[test]
fn a_reader_that_leaves_is_no_error() {
    let mut process = broker(&[]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(process.stdout.take());
    let output = process.wait_with_output().unwrap();
    assert!(output.status.success());
    assert_eq!(written(&output).1, "");
}

#[test]
fn audit_lines_can_be_seen_whole() {
    let (shown, _) = written(&broker(&["--audit", "invoke", "events/sqs-batch-mixed.json"]).output().unwrap());
    let lines: Vec<_> = shown.lines().filter(|line| line.starts_with('{')).map(json).collect();
    let records: Vec<&str> = lines.iter().map(|line| string(line, "record")).collect();
    assert_eq!(records, ["intent", "outcome", "outcome", "intent", "outcome", "outcome"]);
}

/// Only where they are asked for.
#[test]
fn results_are_shown_beside_the_audit() {
    let shown = |arguments: &[&str]| written(&broker(arguments).output().unwrap()).0;
    let (granted, denied) = ("events/direct-grant-account.json", "events/direct-denied-action.json");
    assert!(
        shown(&["--results", "invoke", granted]).contains("  told     grant.created  statementId=partner-invoke\n")
    );
    assert!(shown(&["--results", "invoke", denied]).contains("  told     grant.denied  code=action_not_allowed\n"));
    assert!(!shown(&["invoke", granted]).contains("told"));
    let all = shown(&["--results"]);
    assert!(all.ends_with(SUMMARY) && all.matches("\n  told ").count() > 40);
}

/// The budget of the deployed broker, where it is asked for: the size, and a read before the write.
#[test]
fn the_policy_budget_can_be_switched_on() {
    let granted = "events/direct-grant-account.json";
    for (arguments, calls, left) in [
        (&["--audit", "invoke", granted][..], json(r#"["add:201"]"#), serde_json::Value::Null),
        (
            &["--policy-budget", "--audit", "invoke", granted],
            json(r#"["read:404 ResourceNotFoundException", "add:201"]"#),
            (20_480 - 253).into(),
        ),
    ] {
        let (shown, _) = written(&broker(arguments).output().unwrap());
        let lines: Vec<_> = shown.lines().filter(|line| line.starts_with('{')).map(json).collect();
        let outcome = lines.last().unwrap();
        assert_eq!((&outcome["calls"], &outcome["policyBytesLeft"]), (&calls, &left), "{arguments:?}");
    }
    let all = written(&broker(&["--policy-budget"]).output().unwrap()).0;
    assert!(all.ends_with(SUMMARY), "it changes no outcome of the examples: {all}");
    let state = scratch("cli-budget-state.json");
    let served = Served::start_with(&["--policy-budget"], &state);
    let (status, reply) = http(&served.api, "POST", "/grants", "", &text(granted));
    assert_eq!((status, &json(&reply)["policy"]["left"]), (201, &(20_480 - 253).into()), "{reply}");
}

/// What an AWS client publishes at the control plane is there for the broker, and gets what the last version granted.
#[test]
fn a_published_layer_version_is_carried_forward() {
    let served = Served::start(&scratch("cli-layer-state.json"));
    let (status, _) = http(&served.api, "POST", "/grants", "", &text("events/direct-grant-layer-account.json"));
    assert_eq!(status, 201);
    let layer = "/2018-10-31/layers/common/versions";
    let content = r#"{"Content": {"S3Bucket": "layers", "S3Key": "common.zip"}}"#;
    let (status, published) = http(&served.control_plane, "POST", layer, SIGNED, content);
    assert_eq!((status, &json(&published)["Version"]), (201, &4.into()));
    let carry = r#"{"operation": "CarryLayerForward", "parameters": {"LayerName": "common", "VersionNumber": 4}}"#;
    let (status, reply) = http(&served.api, "POST", "/grants", "", carry);
    assert_eq!((status, string(&json(&reply), "outcome")), (201, "granted"), "{reply}");
    let (status, policy) = http(&served.control_plane, "GET", &format!("{layer}/4/policy"), SIGNED, "");
    assert!(status == 200 && policy.contains("partner-read"), "{policy}");
}

#[test]
fn a_token_is_never_shown() {
    let event = json(&text("events/direct-grant-alexa.json"));
    let token = event["parameters"]["EventSourceToken"].as_str().unwrap();
    for arguments in [&[][..], &["--audit"], &["--audit", "invoke", "events/direct-grant-alexa.json"]] {
        let (shown, errors) = written(&broker(arguments).output().unwrap());
        assert!(shown.contains("alexa"), "{shown}");
        assert!(!shown.contains(token) && !errors.contains(token), "{arguments:?}");
    }
}

#[test]
fn another_allowlist_and_another_world_can_be_given() {
    let (allowlist, world) = (scratch("cli-allowlist.json"), scratch("cli-world.json"));
    let files = [allowlist.to_str().unwrap(), world.to_str().unwrap()];
    let run = |option, file| {
        written(&broker(&[option, file, "invoke", "events/direct-grant-account.json"]).output().unwrap())
    };

    std::fs::write(&allowlist, "{}").unwrap();
    let (shown, _) = run("--allowlist", files[0]);
    assert!(shown.contains("outcome  denied: ") && shown.ends_with("Policies now\n  none\n"), "{shown}");
    std::fs::write(&allowlist, r#"{"acounts": [], "organizations": ["*"]}"#).unwrap();
    let (shown, errors) = run("--allowlist", files[0]);
    assert_eq!(shown, "");
    assert!(errors.starts_with("broker: allowlist: /: a rule has only the fields"), "{errors}");
    assert!(errors.contains("allowlist: /organizations/0: "), "every problem is listed: {errors}");

    std::fs::write(&world, r#"{"partition": "aws", "region": "us-east-1", "account": "123456789012"}"#).unwrap();
    assert!(run("--world", files[1]).0.contains("outcome  failed: target_not_found"));
    std::fs::write(&world, "{").unwrap();
    assert!(run("--world", files[1]).1.starts_with("broker: "));
}

#[test]
fn what_is_served_answers_and_is_kept() {
    let state = scratch("cli-state.json");
    let request = text("events/direct-grant-account.json");
    let served = Served::start(&state);
    assert!(served.greeting.contains(&format!("curl -s http://{}/grants", served.api)), "{}", served.greeting);
    let (status, reply) = http(&served.api, "POST", "/grants", "", &request);
    assert_eq!((status, string(&json(&reply), "outcome")), (201, "granted"));
    assert_eq!(http(&served.api, "PUT", "/grants", "", &request).0, 405);
    let (status, reply) = http(&served.api, "GET", "/grants?FunctionName=orders&Qualifier=live", "", "");
    assert_eq!((status, string(&json(&reply), "outcome")), (200, "read"));
    assert_eq!(json(&reply)["statements"][0]["rule"], "partner");
    assert_eq!(http(&served.api, "POST", "/", "", &request).0, 404);
    let policy = "/2015-03-31/functions/orders/policy?Qualifier=live";
    let (status, reply) = http(&served.control_plane, "GET", policy, SIGNED, "");
    assert_eq!(status, 200);
    assert_eq!(json(string(&json(&reply), "Policy"))["Statement"][0]["Sid"], "partner-invoke");
    drop(served);

    let served = Served::start(&state);
    let (status, reply) = http(&served.api, "POST", "/grants", "", &request);
    assert_eq!((status, string(&json(&reply), "outcome")), (200, "already_granted"));
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let state = scratch("cli-taken.json");
    for option in ["--port", "--control-plane-port"] {
        let other = if option == "--port" { "--control-plane-port" } else { "--port" };
        let arguments = ["serve", option, &port, other, "0", "--state", state.to_str().unwrap()];
        let output = broker(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(written(&output).1.starts_with(&format!("broker: port {port}: ")), "{:?}", written(&output));
    }
}

#[test]
fn colour_is_for_a_terminal_that_wants_it() {
    for (terminal, no_color, colour) in [
        (true, None, true),
        (true, Some(""), true),
        (true, Some("1"), false),
        (false, None, false),
        (false, Some("1"), false),
    ] {
        assert_eq!(wants_colour(terminal, no_color.map(OsStr::new)), colour, "{terminal} {no_color:?}");
    }
    let (shown, _) = written(&broker(&[]).output().unwrap());
    assert!(!shown.contains('\u{1b}'), "a pipe gets none");
}

#[tokio::test]
async fn colour_adds_nothing_but_itself() {
    let plain = play_one("events/sqs-batch-mixed.json", false).await;
    let mut coloured = play_one("events/sqs-batch-mixed.json", true).await;
    for (code, outcome) in [("32", "granted by"), ("33", "denied: "), ("33", "rejected: ")] {
        assert!(coloured.contains(&format!("\u{1b}[{code}m{outcome}")), "{coloured}");
    }
    for code in ["0", "1", "2", "31", "32", "33"] {
        coloured = coloured.replace(&format!("\u{1b}[{code}m"), "");
    }
    assert_eq!(without_times(&coloured), without_times(&plain));
}

/// An invocation that fails is shown as what it means: somebody tries again.
#[tokio::test]
async fn a_failed_invocation_is_counted() {
    let stage = Stage::examples().await.unwrap();
    stage.control_plane.inject(Fault::throttled(Some(0)).times(3));
    let files = ["events/eventbridge-grant-rule.json", "events/eventbridge-grant-rule.json"].map(path);
    let mut shown = Vec::new();
    play::play(&stage, &files, Options::default(), &mut Show::new(&mut shown, false)).await.unwrap();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("reply    the invocation fails with throttled, to be tried again\n"), "{shown}");
    let end = "2 events, 2 requests\n  1 granted, 1 failed\n  1 invocation failed, to be tried again\n";
    assert!(shown.ends_with(end), "{shown}");
}

/// A reason is the requester's text: it must not steer the terminal of whoever reads it.
#[tokio::test]
async fn what_a_requester_writes_does_not_steer_the_terminal() {
    let stage = Stage::examples().await.unwrap();
    let event = text("events/direct-grant-account.json").replace("CHG-1042 partner", "CHG\u{202e}1042 für");
    let reply = stage.invoke("one", event.as_bytes()).await;
    let mut shown = Vec::new();
    Show::new(&mut shown, false).event("reversed", &reply, &stage.audit(), false).unwrap();
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains("because  CHG\\u{202e}1042 für onboarding\n"), "{shown}");
}

async fn play_one(event: &str, colour: bool) -> String {
    let stage = Stage::examples().await.unwrap();
    let mut shown = Vec::new();
    play::play(&stage, &[path(event)], Options::default(), &mut Show::new(&mut shown, colour)).await.unwrap();
    String::from_utf8(shown).unwrap()
}

/// The lines that do not hold a time.
fn without_times(shown: &str) -> Vec<&str> {
    let is_time = |word: &&str| word.ends_with('Z') && word.contains('T') || word.starts_with("durationMs=");
    shown.split_whitespace().filter(|word| !is_time(word)).collect()
}
