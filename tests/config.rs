//! The environment as configuration: every variable at its edges, every problem at once, and no value
//! of a variable in what is said about it.

use std::path::{Path, PathBuf};

use permission_broker::allowlist::Allowlist;
use permission_broker::config::Config;
use permission_broker::event::{Door, Doors};

const ALLOWLIST: (&str, &str) = ("BROKER_ALLOWLIST", r#"{"accounts":["210987654321"]}"#);
const REGION: (&str, &str) = ("AWS_REGION", "us-east-1");

/// A certificate authority of nobody, for `SSL_CERT_FILE`.
const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/config/root.pem");

fn owned(variables: &[(&str, &str)]) -> Vec<(String, String)> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// What a working environment becomes with these variables in it, or put in the place of its own.
fn with(variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let mut all = owned(&[ALLOWLIST, REGION]);
    all.retain(|(name, _)| variables.iter().all(|(given, _)| given != name));
    all.extend(owned(variables));
    Config::read(all).map_err(|problems| problems.sentences().to_vec())
}

fn without(name: &str) -> Vec<String> {
    let variables = owned(&[ALLOWLIST, REGION]).into_iter().filter(|(known, _)| known != name);
    Config::read(variables).expect_err("a variable is missing").sentences().to_vec()
}

/// The problems with these variables.
fn problems(variables: &[(&str, &str)]) -> Vec<String> {
    with(variables).err().unwrap_or_default()
}

/// A file of this content, under a name that no other test uses.
fn file(name: &str, content: &[u8]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, content).expect("the folder of the build can be written");
    path
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path in UTF-8")
}

#[test]
fn two_variables_are_enough() {
    let config = with(&[]).expect("a working environment");
    assert_eq!(config.allowlist.len(), 1);
    assert_eq!(config.doors, Doors::new([Door::ApiGateway, Door::EventBridge, Door::Sqs]), "all doors but direct");
    assert_eq!(config.aws.region, "us-east-1");
    assert!(config.aws.endpoint.is_none() && config.aws.authorities.is_none());
}

#[test]
fn each_of_the_two_is_missed() {
    assert_eq!(
        without("BROKER_ALLOWLIST"),
        ["BROKER_ALLOWLIST: missing; give it, BROKER_ALLOWLIST_FILE or BROKER_ALLOWLIST_APPCONFIG"]
    );
    assert_eq!(without("AWS_REGION"), ["AWS_REGION: missing; Lambda sets it"]);
    assert_eq!(problems(&[("AWS_REGION", "")]), ["AWS_REGION: missing; Lambda sets it"]);
}

#[test]
fn every_problem_is_reported_at_once() {
    let found = Config::read(owned(&[
        ("BROKER_ALLOWLIST", r#"[{"accounts":["1"],"organizations":["o-1"]},{"id":""}]"#),
        ("BROKER_SOURCES", "direct,direct,mail,"),
        ("BROKER_SOURCE", "direct"),
        ("BROKER_", ""),
        ("AWS_LAMBDA_LOG_LEVEL", "WARN"),
        ("AWS_ENDPOINT_URL_LAMBDA", "ftp://example.com"),
        ("BROKER_SCHEDULE_GROUP", "a group"),
        ("SSL_CERT_FILE", "/nonexistent"),
    ]));
    let found = found.expect_err("nothing of it is right");
    let of = |sentence: &String| sentence.split(": ").take(2).collect::<Vec<_>>().join(": ");
    let places: Vec<String> = found.sentences().iter().map(of).collect();
    let wanted = [
        "BROKER_SOURCE: unknown variable; known are BROKER_ALLOWLIST, BROKER_ALLOWLIST_FILE, BROKER_ALLOWLIST_APPCONFIG, BROKER_ALLOWLIST_MAX_AGE, BROKER_SOURCES, BROKER_POLICY_BUDGET, BROKER_METRICS, BROKER_RESULT_BUS, BROKER_SCHEDULE_GROUP, BROKER_SCHEDULE_ROLE, BROKER_SCHEDULE_DEAD_LETTERS",
        "BROKER_: unknown variable; known are BROKER_ALLOWLIST, BROKER_ALLOWLIST_FILE, BROKER_ALLOWLIST_APPCONFIG, BROKER_ALLOWLIST_MAX_AGE, BROKER_SOURCES, BROKER_POLICY_BUDGET, BROKER_METRICS, BROKER_RESULT_BUS, BROKER_SCHEDULE_GROUP, BROKER_SCHEDULE_ROLE, BROKER_SCHEDULE_DEAD_LETTERS",
        "BROKER_ALLOWLIST: /0/accounts/0",
        "BROKER_ALLOWLIST: /0/organizations/0",
        "BROKER_ALLOWLIST: /1/id",
        "BROKER_SOURCES: direct stands there twice",
        "BROKER_SOURCES: entry 3 is no source; the sources are direct, api-gateway, eventbridge, sqs",
        "BROKER_SOURCES: entry 4 is no source; the sources are direct, api-gateway, eventbridge, sqs",
        "AWS_LAMBDA_LOG_LEVEL: above INFO Lambda would drop audit lines; set it to INFO",
        "BROKER_SCHEDULE_GROUP: not the name of a schedule group",
        "BROKER_SCHEDULE_ROLE: missing; timed grants need BROKER_SCHEDULE_GROUP and BROKER_SCHEDULE_ROLE",
        "AWS_REGION: missing; Lambda sets it",
        "AWS_ENDPOINT_URL_LAMBDA: not an http or https URL",
        "SSL_CERT_FILE: cannot be read",
    ];
    assert_eq!(places, wanted);
    assert_eq!(found.to_string(), found.sentences().join("; "));
}

#[test]
fn the_allowlist_comes_from_one_place() {
    let one = file("config-one-rule.json", br#" [{"accounts":["210987654321"]}] "#);
    assert_eq!(
        Config::read(owned(&[REGION, ("BROKER_ALLOWLIST_FILE", text(&one))])).expect("one rule").allowlist.len(),
        1
    );
    let both = problems(&[ALLOWLIST, ("BROKER_ALLOWLIST_FILE", text(&one))]);
    assert_eq!(
        both,
        ["BROKER_ALLOWLIST: give it, BROKER_ALLOWLIST_FILE or BROKER_ALLOWLIST_APPCONFIG, and only one of them"]
    );
    // Set to nothing is set: a deployment whose parameter came out empty should be looked at.
    let both = problems(&[("BROKER_ALLOWLIST", ""), ("BROKER_ALLOWLIST_FILE", text(&one))]);
    assert_eq!(
        both,
        ["BROKER_ALLOWLIST: give it, BROKER_ALLOWLIST_FILE or BROKER_ALLOWLIST_APPCONFIG, and only one of them"]
    );
}

#[test]
fn an_empty_allowlist_denies_and_a_broken_one_stops_the_start() {
    for empty in ["", "  \n", "[]", " [ ] "] {
        assert!(with(&[("BROKER_ALLOWLIST", empty)]).expect("it denies everything").allowlist.is_empty(), "{empty:?}");
    }
    assert!(Allowlist::parse("{}").is_ok_and(|allowlist| allowlist.len() == 1), "a rule that allows nothing");
    for broken in ["null", "[", "{} {}", "*", "\"*\"", "\u{feff}[]", "[null]", r#"{"accounts":"*"}"#] {
        let found = problems(&[("BROKER_ALLOWLIST", broken)]);
        assert!(!found.is_empty() && found.iter().all(|found| found.starts_with("BROKER_ALLOWLIST: /")), "{broken:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_a_problem() {
    let latin = file("config-latin.json", b"{\"id\":\"\xe9\"}");
    let folder = env!("CARGO_TARGET_TMPDIR");
    for path in ["", "/nonexistent/allowlist.json", folder, text(&latin)] {
        let found = Config::read(owned(&[REGION, ("BROKER_ALLOWLIST_FILE", path)])).expect_err("no allowlist in it");
        let [sentence] = found.sentences() else { panic!("one problem: {found}") };
        assert!(sentence.starts_with("BROKER_ALLOWLIST_FILE: cannot be read: "), "{sentence}");
        assert!(path.is_empty() || !sentence.contains(path), "{sentence}");
    }
    let broken = file("config-broken.json", b"[{]");
    let found = Config::read(owned(&[REGION, ("BROKER_ALLOWLIST_FILE", text(&broken))])).expect_err("not JSON");
    assert!(found.sentences()[0].starts_with("BROKER_ALLOWLIST_FILE: /: "), "{found}");
}

#[test]
fn doors_are_a_list_of_known_names() {
    let open: [(&str, &[Door]); 4] = [
        ("direct", &[Door::Direct]),
        ("sqs,direct", &[Door::Sqs, Door::Direct]),
        (" eventbridge , api-gateway ", &[Door::EventBridge, Door::ApiGateway]),
        ("direct,api-gateway,eventbridge,sqs", &Door::ALL),
    ];
    for (value, doors) in open {
        let config = with(&[("BROKER_SOURCES", value)]).expect("known doors");
        assert_eq!(config.doors, Doors::new(doors.iter().copied()), "{value}");
    }
    for value in ["", " ", ",", "direct,", "Direct", "sqs;direct", "*", "all", "sqs sqs", "sqs,sqs", "s\u{fffd}s"] {
        assert!(!problems(&[("BROKER_SOURCES", value)]).is_empty(), "{value:?}");
    }
}

#[test]
fn an_unknown_variable_is_named_but_not_at_length_and_not_raw() {
    for name in ["BROKER_ALLOWLISTS", "BROKER_allowlist", "BROKER_SOURCES ", "BROKER_", "BROKER_LOG"] {
        let found = problems(&[(name, "Canary")]);
        assert_eq!(found.len(), 1, "{name}");
        assert!(found[0].contains("unknown variable") && !found[0].contains("Canary"), "{}", found[0]);
    }
    let found = problems(&[(&format!("BROKER_{}", "\u{1b}[2J\u{202e}".repeat(100)), "")]);
    assert!(found[0].is_ascii() && !found[0].contains('\u{1b}') && found[0].len() < 400, "{}", found[0]);
    // Of other programs' variables nothing is known, and nothing is asked.
    assert!(with(&[("BROKERS", "x"), ("MY_BROKER_LEVEL", "x"), ("broker_sources", "x")]).is_ok());
}

#[test]
fn a_level_that_would_drop_the_audit_is_refused() {
    for level in ["", "INFO", "info", "DEBUG", "debug", "TRACE", "Trace"] {
        let config = with(&[("AWS_LAMBDA_LOG_LEVEL", level)]).expect("audit lines pass");
        assert_eq!(config.level.to_string(), "info", "{level}: dependencies are not let below it");
    }
    for level in ["WARN", "warn", "ERROR", "FATAL", "OFF", "WARNING", "0", " INFO"] {
        let found = problems(&[("AWS_LAMBDA_LOG_LEVEL", level)]);
        assert!(found.len() == 1 && found[0].starts_with("AWS_LAMBDA_LOG_LEVEL: "), "{level}: {found:?}");
    }
}

#[test]
fn an_endpoint_is_a_url_of_http() {
    let endpoint = |variables: &[(&str, &str)]| with(variables).map(|config| config.aws.endpoint);
    for url in ["http://127.0.0.1:8081", "https://lambda.example.com", "https://[::1]:8443/prefix", "HTTP://localhost"]
    {
        assert_eq!(endpoint(&[("AWS_ENDPOINT_URL_LAMBDA", url)]), Ok(Some(url.to_owned())));
        assert_eq!(endpoint(&[("AWS_ENDPOINT_URL", url)]), Ok(Some(url.to_owned())));
    }
    let bad = [
        "localhost:8081",
        "ftp://localhost",
        "http://",
        "http:///path",
        "//localhost",
        "http://local host",
        "http://:80",
        "http://localhost:99999",
        "http://localhost:",
        "http://localhost:x",
        "http://name:word@localhost",
        "\u{fffd}",
    ];
    for url in bad {
        for name in ["AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL"] {
            assert_eq!(endpoint(&[(name, url)]), Err(vec![format!("{name}: not an http or https URL")]), "{url}");
        }
    }
    let (own, general) = ("http://own.example.com", "http://general.example.com");
    let both = |own| endpoint(&[("AWS_ENDPOINT_URL_LAMBDA", own), ("AWS_ENDPOINT_URL", general)]);
    assert_eq!(both(own), Ok(Some(own.to_owned())), "the service's own variable goes before the general one");
    assert_eq!(both(""), Ok(Some(general.to_owned())), "an empty variable is none");
    assert_eq!(endpoint(&[("AWS_ENDPOINT_URL_LAMBDA", ""), ("AWS_ENDPOINT_URL", "")]), Ok(None));
}

#[test]
fn the_bus_is_a_name_or_an_arn_of_this_region() {
    let bus = |value: &str| with(&[("BROKER_RESULT_BUS", value)]).map(|config| config.result_bus);
    assert_eq!(with(&[]).expect("it is optional").result_bus, None);
    let arn = |name: &str| format!("arn:aws:events:us-east-1:123456789012:event-bus/{name}");
    let longest = "x".repeat(256);
    let good = ["default", "team/outcomes", "a.b_c-D", "aws", &longest, &arn("default"), &arn(&longest)];
    for value in good {
        assert_eq!(bus(value).expect(value).expect("a bus").as_str(), value);
    }
    let bad = [
        "",
        " ",
        "out comes",
        "outcomes,",
        "outcomes\n",
        "caf\u{e9}",
        "aws.partner/example.com/1",
        &"x".repeat(257),
        &arn(""),
        &arn(&"x".repeat(257)),
        &arn("x:y"),
        &arn("aws.partner/x"),
        "arn:aws:events:eu-west-1:123456789012:event-bus/x",
        "arn:aws:events::123456789012:event-bus/x",
        "arn:aws:events:us-east-1:12345678901:event-bus/x",
        "arn:aws:events:us-east-1::event-bus/x",
        "arn:aws:sqs:us-east-1:123456789012:event-bus/x",
        "arn:aws:events:us-east-1:123456789012:rule/x",
        "arn:AWS:events:us-east-1:123456789012:event-bus/x",
        "arn::events:us-east-1:123456789012:event-bus/x",
        "arn:aws:events:us-east-1:123456789012",
        "arn:",
    ];
    for value in bad {
        let found = bus(value).expect_err(value);
        assert!(found.len() == 1 && found[0].starts_with("BROKER_RESULT_BUS: give "), "{value}: {found:?}");
    }
    // Without a region, that is what is wrong.
    let none = Config::read(owned(&[ALLOWLIST, ("BROKER_RESULT_BUS", &arn("x"))])).expect_err("no region");
    assert_eq!(none.sentences(), ["AWS_REGION: missing; Lambda sets it"]);
}

#[test]
fn each_service_has_its_own_endpoint() {
    let (lambda, events, both) = ("http://lambda.example.com", "http://events.example.com", "http://both.example.com");
    let of =
        |variables: &[(&str, &str)]| with(variables).map(|config| (config.aws.endpoint, config.aws.events_endpoint));
    let some = |url: &str| Some(url.to_owned());
    assert_eq!(of(&[]), Ok((None, None)));
    assert_eq!(of(&[("AWS_ENDPOINT_URL", both)]), Ok((some(both), some(both))));
    assert_eq!(of(&[("AWS_ENDPOINT_URL_LAMBDA", lambda)]), Ok((some(lambda), None)));
    let all =
        [("AWS_ENDPOINT_URL_EVENTBRIDGE", events), ("AWS_ENDPOINT_URL_LAMBDA", lambda), ("AWS_ENDPOINT_URL", both)];
    assert_eq!(of(&all), Ok((some(lambda), some(events))));
    let bad = [("AWS_ENDPOINT_URL_EVENTBRIDGE", "ftp://x")];
    assert_eq!(of(&bad), Err(vec!["AWS_ENDPOINT_URL_EVENTBRIDGE: not an http or https URL".to_owned()]));
}

#[test]
fn further_roots_are_certificates() {
    let config = with(&[("SSL_CERT_FILE", ROOT)]).expect("a certificate");
    assert!(config.aws.authorities.is_some_and(|authorities| authorities.any().is_ok_and(|any| any)));
    let root = std::fs::read(ROOT).expect("the certificate is beside the test");
    // Bundles of whole systems hold some that nobody can read; the others count.
    let mixed =
        [b"# A bundle\n-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".as_slice(), &root].concat();
    let mixed = file("config-mixed.pem", &mixed);
    assert!(with(&[("SSL_CERT_FILE", text(&mixed))]).is_ok());
    assert!(with(&[("SSL_CERT_FILE", "")]).expect("an empty variable is none").aws.authorities.is_none());

    let cases: [(&str, &[u8]); 4] = [
        ("config-empty.pem", b""),
        ("config-text.pem", b"no certificate"),
        ("config-garbage.pem", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
        ("config-key.pem", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"),
    ];
    for (name, content) in cases {
        let found = problems(&[("SSL_CERT_FILE", text(&file(name, content)))]);
        assert_eq!(found, ["SSL_CERT_FILE: holds no certificate in PEM form"], "{name}");
    }
    let found = problems(&[("SSL_CERT_FILE", "/nonexistent.pem")]);
    assert!(found.len() == 1 && found[0].starts_with("SSL_CERT_FILE: cannot be read: "), "{found:?}");
}

#[test]
fn appconfig_is_named_by_three_parts_and_has_an_age() {
    let followed = |variables: &[(&str, &str)]| {
        let all = owned(&[REGION]).into_iter().chain(owned(variables));
        Config::read(all).map(|config| config.allowlist.len()).map_err(|problems| problems.sentences().to_vec())
    };
    const NAME: (&str, &str) = ("BROKER_ALLOWLIST_APPCONFIG", "broker/live/allowlist");
    assert_eq!(followed(&[NAME]), Ok(0), "nothing is allowed before it was read");
    for age in ["60", "31536000"] {
        assert_eq!(followed(&[NAME, ("BROKER_ALLOWLIST_MAX_AGE", age)]), Ok(0), "{age}");
    }
    for age in ["", "59", "31536001", "-60", "1h", "60.0"] {
        let found = followed(&[NAME, ("BROKER_ALLOWLIST_MAX_AGE", age)]).unwrap_err();
        assert_eq!(found, ["BROKER_ALLOWLIST_MAX_AGE: give a number of seconds from 60 to 31536000"], "{age:?}");
    }
    for port in ["1", "65535", ""] {
        assert_eq!(followed(&[NAME, ("AWS_APPCONFIG_EXTENSION_HTTP_PORT", port)]), Ok(0), "{port}");
    }
    for port in ["0", "65536", "x"] {
        let found = followed(&[NAME, ("AWS_APPCONFIG_EXTENSION_HTTP_PORT", port)]).unwrap_err();
        assert_eq!(found, ["AWS_APPCONFIG_EXTENSION_HTTP_PORT: not a port"], "{port:?}");
    }
    for name in ["", "allowlist", "a/b/c/d", "a/b/../c"] {
        let found = followed(&[("BROKER_ALLOWLIST_APPCONFIG", name)]).unwrap_err();
        assert_eq!(found, ["BROKER_ALLOWLIST_APPCONFIG: give APPLICATION/ENVIRONMENT/PROFILE, each a name or an id"]);
    }
    assert!(followed(&[NAME, ALLOWLIST]).unwrap_err()[0].ends_with("and only one of them"));
    let found = followed(&[ALLOWLIST, ("BROKER_ALLOWLIST_MAX_AGE", "60")]).unwrap_err();
    assert_eq!(found, ["BROKER_ALLOWLIST_MAX_AGE: only what comes from AppConfig has an age"]);
}

const GROUP: (&str, &str) = ("BROKER_SCHEDULE_GROUP", "permission-broker");
const ROLE: (&str, &str) = ("BROKER_SCHEDULE_ROLE", "arn:aws:iam::123456789012:role/team/broker-schedules");
const LETTERS: (&str, &str) = ("BROKER_SCHEDULE_DEAD_LETTERS", "arn:aws:sqs:us-east-1:123456789012:letters");

#[test]
fn schedules_need_a_group_and_a_role() {
    assert_eq!(with(&[]).expect("without schedules").schedule, None);
    let place = with(&[GROUP, ROLE]).expect("with schedules").schedule.expect("a place");
    assert_eq!((place.group.as_str(), place.role.as_str(), place.dead_letters), (GROUP.1, ROLE.1, None));
    let place = with(&[GROUP, ROLE, LETTERS]).expect("with schedules").schedule.expect("a place");
    assert_eq!(place.dead_letters.as_deref(), Some(LETTERS.1));
    let missing =
        |name: &str| format!("{name}: missing; timed grants need BROKER_SCHEDULE_GROUP and BROKER_SCHEDULE_ROLE");
    assert_eq!(problems(&[GROUP]), [missing(ROLE.0)]);
    assert_eq!(problems(&[ROLE, LETTERS]), [missing(GROUP.0)]);
    assert_eq!(problems(&[LETTERS]), [missing(GROUP.0), missing(ROLE.0)]);
}

#[test]
fn the_places_of_schedules_have_the_forms_that_aws_gives_them() {
    for (group, fits) in [("a", true), (&*"a".repeat(64), true), ("a.b-c_D9", true), ("", false), ("a/b", false)] {
        assert_eq!(with(&[("BROKER_SCHEDULE_GROUP", group), ROLE]).is_ok(), fits, "{group}");
    }
    assert!(with(&[("BROKER_SCHEDULE_GROUP", &"a".repeat(65)), ROLE]).is_err());
    for role in [
        "",
        "role/x",
        "arn:aws:iam::123456789012:role/",
        "arn:aws:iam::1234:role/x",
        "arn:aws:iam::123456789012:user/x",
        "arn:aws:sts::123456789012:role/x",
        "arn:gcp:iam::123456789012:role/x",
        "arn:aws:iam::123456789012:role/a b",
        "arn:aws:iam::123456789012:role/*",
        "arn:aws:iam:us-east-1:123456789012:role/x",
    ] {
        assert_eq!(
            problems(&[GROUP, ("BROKER_SCHEDULE_ROLE", role)])[0],
            "BROKER_SCHEDULE_ROLE: not the ARN of a role"
        );
    }
    for queue in [
        "",
        "letters",
        "arn:aws:sqs:us-east-1:123456789012:",
        "arn:aws:sqs::123456789012:q",
        "arn:aws:sns:us-east-1:123456789012:q",
    ] {
        let found = problems(&[GROUP, ROLE, ("BROKER_SCHEDULE_DEAD_LETTERS", queue)]);
        assert_eq!(found, ["BROKER_SCHEDULE_DEAD_LETTERS: not the ARN of a queue"], "{queue}");
    }
}

#[test]
fn schedules_have_an_endpoint_of_their_own() {
    let (own, general) = ("http://127.0.0.1:1", "http://127.0.0.1:2");
    let read = |variables: &[(&str, &str)]| with(variables).map(|config| config.aws.schedules_endpoint);
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[("AWS_ENDPOINT_URL", general)]), Ok(Some(general.to_owned())));
    assert_eq!(read(&[("AWS_ENDPOINT_URL", general), ("AWS_ENDPOINT_URL_SCHEDULER", own)]), Ok(Some(own.to_owned())));
    assert_eq!(read(&[("AWS_ENDPOINT_URL_LAMBDA", own)]), Ok(None));
    assert_eq!(
        problems(&[("AWS_ENDPOINT_URL_SCHEDULER", "x")]),
        ["AWS_ENDPOINT_URL_SCHEDULER: not an http or https URL"]
    );
}
