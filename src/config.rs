//! Configuration from the environment. Every problem is reported at once, nothing has a silent
//! default, and a misspelt `BROKER_` variable stops the start like a wrong value does.

use std::ops::RangeInclusive;
use std::time::Duration;
use std::{fmt, fs, io};

use tracing_subscriber::filter::LevelFilter;

use crate::allowlist::{Allowlist, Problem};
use crate::connection::Authorities;
use crate::event::{Door, Doors};
use crate::extension::{self, Extension};
use crate::results::Bus;
use crate::schedule;
use crate::source::Source;

/// What the environment says.
#[derive(Debug)]
pub struct Config {
    /// From `BROKER_ALLOWLIST` (JSON), `BROKER_ALLOWLIST_FILE` (a path) or `BROKER_ALLOWLIST_APPCONFIG` (a name).
    pub allowlist: Source,
    /// From `BROKER_SOURCES`; left out, all but `direct`.
    pub doors: Doors,
    /// From `BROKER_POLICY_BUDGET`: `on` to read each policy before it is written; left out, `off`.
    pub policy_budget: bool,
    /// From `BROKER_METRICS`: `on` to write metrics into the audit's outcomes; left out, `off`.
    pub metrics: bool,
    /// From `BROKER_RESULT_BUS`: the event bus that outcomes are published to; left out, none.
    pub result_bus: Option<Bus>,
    /// From `BROKER_SCHEDULE_GROUP`, `BROKER_SCHEDULE_ROLE` and `BROKER_SCHEDULE_DEAD_LETTERS`; left out, no grant
    /// can have an end.
    pub schedule: Option<schedule::Place>,
    /// From `AWS_LAMBDA_LOG_LEVEL`. Concerns diagnostics only; audit lines have no level to fall below.
    pub level: LevelFilter,
    /// Where AWS is.
    pub aws: Aws,
}

/// Where AWS is, and whom it is known by: all that a connection needs.
#[derive(Debug)]
pub struct Aws {
    /// From `AWS_REGION`.
    pub region: String,
    /// From `AWS_ENDPOINT_URL_LAMBDA` or `AWS_ENDPOINT_URL`, for VPC endpoints and emulators.
    pub endpoint: Option<String>,
    /// From `AWS_ENDPOINT_URL_EVENTBRIDGE` or `AWS_ENDPOINT_URL`, the same for EventBridge's API.
    pub events_endpoint: Option<String>,
    /// From `AWS_ENDPOINT_URL_SCHEDULER` or `AWS_ENDPOINT_URL`, the same for EventBridge Scheduler's API.
    pub schedules_endpoint: Option<String>,
    /// Those of `SSL_CERT_FILE`: certificate authorities beside the built-in ones.
    pub authorities: Option<Authorities>,
}

/// A set of variables.
pub struct Environment(Vec<(String, String)>);

impl Environment {
    /// Takes the variables as they are.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A variable that is set to something, with its name.
    fn given(&self, name: &'static str) -> Option<(&'static str, &str)> {
        Some((name, self.get(name).filter(|value| !value.is_empty())?))
    }
}

/// Everything that is wrong with the environment.
#[derive(Debug, PartialEq, Eq)]
pub struct Problems(Vec<String>);

impl Problems {
    /// One sentence for each, which names the variable.
    pub fn sentences(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("; "))
    }
}

impl std::error::Error for Problems {}

const KNOWN: [&str; 11] = [
    "BROKER_ALLOWLIST",
    "BROKER_ALLOWLIST_FILE",
    "BROKER_ALLOWLIST_APPCONFIG",
    "BROKER_ALLOWLIST_MAX_AGE",
    "BROKER_SOURCES",
    "BROKER_POLICY_BUDGET",
    "BROKER_METRICS",
    "BROKER_RESULT_BUS",
    "BROKER_SCHEDULE_GROUP",
    "BROKER_SCHEDULE_ROLE",
    "BROKER_SCHEDULE_DEAD_LETTERS",
];

impl Aws {
    /// Reads what a connection needs, so that it can be opened while [`Config::with`] reads the rest.
    pub fn read(environment: &Environment) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        let region = environment.given("AWS_REGION").map(|(_, region)| region.to_owned());
        let region = keep(&mut problems, region.ok_or(vec!["AWS_REGION: missing; Lambda sets it".to_owned()]));
        let mut endpoint = |service| {
            let url = environment.given(service).or(environment.given("AWS_ENDPOINT_URL"));
            keep(&mut problems, url.map(|(name, url)| endpoint(name, url)).transpose())
        };
        let endpoints = (
            endpoint("AWS_ENDPOINT_URL_LAMBDA"),
            endpoint("AWS_ENDPOINT_URL_EVENTBRIDGE"),
            endpoint("AWS_ENDPOINT_URL_SCHEDULER"),
        );
        // The general URL is read once for each service, and is one problem.
        problems.dedup();
        let authorities = authorities(environment);
        match (region, endpoints) {
            (Some(region), (Some(endpoint), Some(events_endpoint), Some(schedules_endpoint))) => {
                Ok(Self { region, endpoint, events_endpoint, schedules_endpoint, authorities })
            }
            _ => Err(Problems(problems)),
        }
    }
}

impl Config {
    /// Reads a set of variables and the files that they name.
    pub fn read(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, Problems> {
        let environment = Environment::new(variables);
        Self::with(&environment, Aws::read(&environment))
    }

    /// Reads what is not yet read, and reports what is wrong with either.
    pub fn with(environment: &Environment, aws: Result<Aws, Problems>) -> Result<Self, Problems> {
        let mut problems = Vec::new();
        for (name, _) in &environment.0 {
            if name.starts_with("BROKER_") && !KNOWN.contains(&name.as_str()) {
                problems.push(format!("{}: unknown variable; known are {}", printable(name), KNOWN.join(", ")));
            }
        }
        let get = |name| environment.get(name);
        let allowlist = keep(&mut problems, source(environment));
        let doors = keep(&mut problems, doors(get("BROKER_SOURCES")));
        let switch = |name| switch(name, get(name));
        let policy_budget = keep(&mut problems, switch("BROKER_POLICY_BUDGET"));
        let metrics = keep(&mut problems, switch("BROKER_METRICS"));
        let region = aws.as_ref().ok().map(|aws| aws.region.as_str());
        let result_bus = keep(&mut problems, result_bus(get("BROKER_RESULT_BUS"), region));
        let level = keep(&mut problems, level(get("AWS_LAMBDA_LOG_LEVEL")));
        let schedule = keep(&mut problems, schedule::Place::read(|name| environment.get(name)));
        let aws = keep(&mut problems, aws.map_err(|Problems(found)| found));
        let authorities = aws.as_ref().map_or_else(|| authorities(environment), |aws| aws.authorities.clone());
        problems.extend(authorities.and_then(|authorities| unusable(&authorities)));
        let switches = policy_budget.zip(metrics);
        let read = (allowlist, doors, switches, result_bus, schedule, level, aws);
        let (Some(allowlist), Some(doors), Some(switches), Some(result_bus), Some(schedule), Some(level), Some(aws)) =
            read
        else {
            return Err(Problems(problems));
        };
        let (policy_budget, metrics) = switches;
        if problems.is_empty() {
            Ok(Self { allowlist, doors, policy_budget, metrics, result_bus, schedule, level, aws })
        } else {
            Err(Problems(problems))
        }
    }
}

fn keep<T>(problems: &mut Vec<String>, result: Result<T, Vec<String>>) -> Option<T> {
    result.map_err(|mut found| problems.append(&mut found)).ok()
}

/// The allowlist, which one of three variables gives.
fn source(environment: &Environment) -> Result<Source, Vec<String>> {
    let get = |name| environment.get(name);
    let most_age = get("BROKER_ALLOWLIST_MAX_AGE");
    match (get("BROKER_ALLOWLIST"), get("BROKER_ALLOWLIST_FILE"), get("BROKER_ALLOWLIST_APPCONFIG")) {
        (Some(_), None, None) | (None, Some(_), None) if most_age.is_some() => {
            Err(vec!["BROKER_ALLOWLIST_MAX_AGE: only what comes from AppConfig has an age".to_owned()])
        }
        (Some(text), None, None) => allowlist("BROKER_ALLOWLIST", text),
        (None, Some(path), None) => {
            let unreadable =
                |error: io::Error| vec![format!("BROKER_ALLOWLIST_FILE: cannot be read: {}", error.kind())];
            allowlist("BROKER_ALLOWLIST_FILE", &fs::read_to_string(path).map_err(unreadable)?)
        }
        (None, None, Some(name)) => followed(name, most_age, get("AWS_APPCONFIG_EXTENSION_HTTP_PORT")),
        (None, None, None) => Err(vec![format!("BROKER_ALLOWLIST: missing; give it{OR}")]),
        _ => Err(vec![format!("BROKER_ALLOWLIST: give it{OR}, and only one of them")]),
    }
}

const OR: &str = ", BROKER_ALLOWLIST_FILE or BROKER_ALLOWLIST_APPCONFIG";

fn allowlist(name: &str, text: &str) -> Result<Source, Vec<String>> {
    let named = |problems: Vec<Problem>| problems.iter().map(|problem| format!("{name}: {problem}")).collect();
    Allowlist::parse(text).map(Source::from).map_err(named)
}

/// What is followed in AppConfig: what it holds is not yet known.
fn followed(name: &str, most_age: Option<&str>, port: Option<&str>) -> Result<Source, Vec<String>> {
    const NAME: &str = "BROKER_ALLOWLIST_APPCONFIG: give APPLICATION/ENVIRONMENT/PROFILE, each a name or an id";
    const AGE: &str = "BROKER_ALLOWLIST_MAX_AGE: give a number of seconds from 60 to 31536000";
    const PORT: &str = "AWS_APPCONFIG_EXTENSION_HTTP_PORT: not a port";
    let mut problems = Vec::new();
    let port = port
        .filter(|port| !port.is_empty())
        .map_or(Ok(extension::PORT), |port| port.parse().ok().filter(|port| *port != 0).ok_or(vec![PORT.to_owned()]));
    let port = keep(&mut problems, port);
    let seconds = |text: &str| text.parse().ok().filter(|seconds| AGES.contains(seconds)).map(Duration::from_secs);
    let most_age = keep(&mut problems, most_age.map(|text| seconds(text).ok_or(vec![AGE.to_owned()])).transpose());
    let extension = Extension::new(name, port.unwrap_or(extension::PORT)).ok_or(vec![NAME.to_owned()]);
    match (keep(&mut problems, extension), most_age) {
        (Some(extension), Some(most_age)) if problems.is_empty() => Ok(Source::follow(extension, most_age)),
        _ => Err(problems),
    }
}

/// From what a refresh needs to a year, in seconds.
const AGES: RangeInclusive<u64> = 60..=31_536_000;

fn doors(text: Option<&str>) -> Result<Doors, Vec<String>> {
    let Some(text) = text else { return Ok(Doors::default()) };
    let known = Door::ALL.map(Door::as_str).join(", ");
    let mut open = Vec::new();
    let mut problems = Vec::new();
    for (i, name) in text.split(',').map(str::trim).enumerate() {
        match Door::ALL.into_iter().find(|door| door.as_str() == name) {
            Some(door) if open.contains(&door) => {
                problems.push(format!("BROKER_SOURCES: {} stands there twice", door.as_str()))
            }
            Some(door) => open.push(door),
            None => problems.push(format!("BROKER_SOURCES: entry {} is no source; the sources are {known}", i + 1)),
        }
    }
    if problems.is_empty() { Ok(Doors::new(open)) } else { Err(problems) }
}

fn switch(name: &str, text: Option<&str>) -> Result<bool, Vec<String>> {
    match text {
        None | Some("off") => Ok(false),
        Some("on") => Ok(true),
        Some(_) => Err(vec![format!("{name}: give `on` or `off`")]),
    }
}

/// In AWS's environment there is always a region; without one, that is the problem to report.
fn result_bus(text: Option<&str>, region: Option<&str>) -> Result<Option<Bus>, Vec<String>> {
    const RULE: &str = "BROKER_RESULT_BUS: give the name of an event bus, or the ARN of one in the broker's own region";
    let Some(text) = text else { return Ok(None) };
    match Bus::parse(text, region.unwrap_or_default()) {
        Some(bus) => Ok(Some(bus)),
        None if region.is_none() => Ok(None),
        None => Err(vec![RULE.to_owned()]),
    }
}

/// Lambda drops lines below the function's log level before they are stored, and audit lines are INFO.
fn level(text: Option<&str>) -> Result<LevelFilter, Vec<String>> {
    match text.map(str::to_ascii_uppercase).as_deref() {
        // Below INFO only dependencies speak, and they would print requests: they are not let.
        None | Some("" | "INFO" | "DEBUG" | "TRACE") => Ok(LevelFilter::INFO),
        Some("WARN" | "ERROR" | "FATAL" | "OFF") => {
            Err(vec!["AWS_LAMBDA_LOG_LEVEL: above INFO Lambda would drop audit lines; set it to INFO".to_owned()])
        }
        Some(_) => Err(vec!["AWS_LAMBDA_LOG_LEVEL: not a level; set it to INFO".to_owned()]),
    }
}

fn endpoint(name: &str, url: &str) -> Result<String, Vec<String>> {
    let problem = || vec![format!("{name}: not an http or https URL")];
    let uri: hyper::Uri = url.parse().map_err(|_| problem())?;
    // A port that is no number would be taken for none, and so for the scheme's own.
    let named = match (uri.authority(), uri.host().filter(|host| !host.is_empty()), uri.port()) {
        (Some(authority), Some(host), None) => authority == host,
        (Some(authority), Some(host), Some(port)) => *authority == *format!("{host}:{port}"),
        _ => false,
    };
    let usable = named && matches!(uri.scheme_str(), Some("http" | "https"));
    if usable { Ok(url.to_owned()) } else { Err(problem()) }
}

fn authorities(environment: &Environment) -> Option<Authorities> {
    environment.given("SSL_CERT_FILE").map(|(_, path)| Authorities::of(path))
}

/// What is wrong with the file of authorities.
fn unusable(authorities: &Authorities) -> Option<String> {
    match authorities.any() {
        Ok(true) => None,
        Ok(false) => Some("SSL_CERT_FILE: holds no certificate in PEM form".to_owned()),
        Err(error) => Some(format!("SSL_CERT_FILE: cannot be read: {}", error.kind())),
    }
}

/// A variable's name comes from outside too.
fn printable(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_ascii_graphic() { c } else { '?' }).collect()
}
