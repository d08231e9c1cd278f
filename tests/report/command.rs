//! `broker report` as a person runs it.

use permission_broker::local::control_plane::ControlPlane;
use permission_broker::local::report::{NAME_OF_EXAMPLES, read};

use super::data;
use crate::support::process::{broker, scratch, written};
use crate::support::{path, text};

const ENVIRONMENT: [(&str, &str); 3] =
    [("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE"), ("AWS_SECRET_ACCESS_KEY", "example"), ("AWS_REGION", "us-east-1")];

#[test]
fn the_demo_shows_a_bit_of_everything() {
    let output = scratch("report-demo.html");
    let arguments = ["report", "--demo", "--output", output.to_str().unwrap()];
    let (shown, errors) = written(&broker(&arguments).output().unwrap());
    assert_eq!(errors, "", "no progress where no terminal is");
    let data = data(&std::fs::read_to_string(&output).unwrap());
    let bits = data["statements"]["findings"].as_array().unwrap();
    let of = |name: &str| {
        let bit = data["findings"].as_array().unwrap().iter().position(|known| known == name).unwrap();
        bits.iter().filter(|bits| bits.as_u64().unwrap() & 1 << bit != 0).count()
    };
    let nearly = data["targets"]["bytes"].as_array().unwrap().iter().filter(|bytes| bytes.as_u64() >= Some(16_384));
    let figures = [of("public"), of("unconfined"), of("dead"), of("noRule"), nearly.count()];
    assert!(figures.iter().all(|figure| *figure > 0), "{figures:?}");
    let [public, unconfined, dead, no_rule, nearly] = figures;
    let (statements, targets) = (bits.len(), data["targets"]["name"].as_array().unwrap().len());
    assert_eq!(
        shown,
        format!(
            "{}: {statements} statements on {targets} targets, {public} open to everyone, {unconfined} without a \
             confined source, {dead} with a dead principal, {no_rule} that no rule gives today, {nearly} policies \
             nearly full\n",
            output.display()
        )
    );
    assert_eq!(data["allowlist"], "the allowlist of the demo");
}

/// Through the SDK, with the credentials of the environment, from whatever answers at an endpoint.
#[tokio::test]
async fn an_account_is_read_at_an_endpoint() {
    let world = text("src/local/report/demo.json");
    let endpoint = ControlPlane::from_world(&world).unwrap().start().await.unwrap();
    let run = |arguments: Vec<String>, variables: Vec<(&'static str, String)>| async move {
        let output = scratch("report-account.html");
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut command =
            broker(&[&["report", "--rate", "1000", "--output", output.to_str().unwrap()], &*arguments].concat());
        command.envs(ENVIRONMENT).envs(variables);
        let done = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let (_, errors) = written(&done);
        assert_eq!((done.status.success(), errors.as_str()), (true, ""));
        data(&std::fs::read_to_string(&output).unwrap())
    };
    let by_variable = run(vec![], vec![("AWS_ENDPOINT_URL_LAMBDA", endpoint.clone())]).await;
    assert_eq!(
        (&by_variable["account"], &by_variable["allowlist"]),
        (&"123456789012".into(), &NAME_OF_EXAMPLES.into())
    );
    let allowlist = path("src/local/report/demo-allowlist.json").to_str().unwrap().to_owned();
    let options = vec!["--endpoint".to_owned(), endpoint.clone(), "--allowlist".to_owned(), allowlist.clone()];
    let by_option = run(options, vec![("AWS_ENDPOINT_URL_LAMBDA", "http://127.0.0.1:9".to_owned())]).await;
    assert_eq!((&by_option["allowlist"], &by_option["rules"]), (&allowlist.into(), &5.into()));
    let prefix = vec!["--prefix".to_owned(), "orders".to_owned(), "--endpoint".to_owned(), endpoint];
    let prefixed = run(prefix, vec![("BROKER_ALLOWLIST", "[]".to_owned())]).await;
    let names = prefixed["targets"]["name"].as_array().unwrap();
    assert!(!names.is_empty() && names.iter().all(|name| name.as_str().unwrap().starts_with("function:orders")));
    assert_eq!((&prefixed["allowlist"], &prefixed["rules"]), (&"BROKER_ALLOWLIST".into(), &0.into()));
}

#[test]
fn what_is_missing_is_named() {
    type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], &'a str);
    let cases: [Case<'_>; 5] = [
        (&[], &[], "broker: AWS_ACCESS_KEY_ID is not set: the report reads with the credentials of the environment"),
        (&[], &ENVIRONMENT[..2], "broker: AWS_REGION is not set"),
        (&["--endpoint", "nonsense"], &ENVIRONMENT, "broker: AWS_ENDPOINT_URL_LAMBDA: not an http or https URL"),
        (&["--allowlist", "no-such.json"], &ENVIRONMENT, "broker: BROKER_ALLOWLIST_FILE: cannot be read"),
        (&["--demo", "--output", "no-such-folder/report.html"], &[], "broker: no-such-folder/report.html: "),
    ];
    for (arguments, variables, said) in cases {
        let mut command = broker(&[&["report"], arguments].concat());
        let output = command.envs(variables.iter().copied()).output().unwrap();
        let (shown, errors) = written(&output);
        assert_eq!((output.status.code(), shown.as_str()), (Some(1), ""), "{arguments:?}");
        assert!(errors.starts_with(said), "{arguments:?}: {errors}");
    }
    for (option, value) in [("--rate", "0"), ("--rate", "1001"), ("--rate", "fast")] {
        assert_eq!(broker(&["report", option, value]).output().unwrap().status.code(), Some(2), "{option} {value}");
    }
    let both = broker(&["report", "--demo", "--endpoint", "http://127.0.0.1:9"]).output().unwrap();
    assert_eq!(both.status.code(), Some(2));
}

/// An account that does not answer is an error, not an empty page.
#[test]
fn an_endpoint_where_nobody_answers_makes_no_page() {
    let output = scratch("report-nobody.html");
    let mut command = broker(&["report", "--endpoint", "http://127.0.0.1:9", "--output", output.to_str().unwrap()]);
    let done = command.envs(ENVIRONMENT).output().unwrap();
    assert_eq!(done.status.code(), Some(1));
    assert!(written(&done).1.starts_with("broker: nothing could be read (ListFunctions: no answer"), "{done:?}");
    assert!(!output.exists());
}

/// The environment as the deployed broker reads it, with the options over it.
#[test]
fn options_go_before_the_environment() {
    let set = |more: &[(&str, &str)]| -> Vec<(String, String)> {
        ENVIRONMENT.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    };
    let file = path("src/local/report/demo-allowlist.json");
    let chosen = read(set(&[("BROKER_ALLOWLIST", "[]")]), Some(file.clone()), None).unwrap();
    assert_eq!((chosen.allowlist_name, chosen.config.allowlist.len()), (file.display().to_string(), 5));
    let chosen = read(set(&[("BROKER_ALLOWLIST_FILE", file.to_str().unwrap())]), None, None).unwrap();
    assert_eq!((chosen.allowlist_name.as_str(), chosen.config.allowlist.len()), ("BROKER_ALLOWLIST_FILE", 5));
    let chosen =
        read(set(&[("AWS_ENDPOINT_URL", "http://127.0.0.1:1")]), None, Some("http://127.0.0.1:2".to_owned())).unwrap();
    assert_eq!(chosen.config.aws.endpoint.as_deref(), Some("http://127.0.0.1:2"));
    let mut variables = set(&[("AWS_DEFAULT_REGION", "eu-central-1")]);
    variables.retain(|(name, _)| name != "AWS_REGION");
    assert_eq!(read(variables, None, None).unwrap().config.aws.region, "eu-central-1");
    let misspelt = read(set(&[("BROKER_ALLOWLST", "[]")]), None, None).err().unwrap();
    assert!(misspelt.starts_with("BROKER_ALLOWLST: unknown variable"), "{misspelt}");
}
