//! Reading every policy of an account and region: what there is, then the policy of each.
//!
//! Nothing that cannot be read ends it: it is told beside what could be. A function, each of its aliases and
//! versions, and each version of a layer has a policy of its own.

use std::error::Error as StdError;
use std::time::Duration;

use aws_sdk_lambda::Client;
use aws_sdk_lambda::error::SdkError;
use aws_sdk_lambda::types::FunctionVersion;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use serde::Serialize;
use tokio::time::{Instant, sleep, sleep_until};

use super::why::Why;

/// How often a call is sent when AWS is too busy for it, and how often when it gives no clear answer.
const MOST_BUSY: u32 = 7;
const MOST_UNCLEAR: u32 = 3;

/// What to read, and how fast.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Only functions and layers whose name begins so.
    pub prefix: String,
    /// The published versions of functions as well. Accounts have many, and each costs a call.
    pub versions: bool,
    /// Calls a second, of `GetPolicy` and of everything else; none is as fast as it goes.
    pub rate: Option<u32>,
    /// The pause before the second try of a call; each is twice the one before it.
    pub pause: Duration,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { prefix: String::new(), versions: false, rate: None, pause: Duration::from_millis(500) }
    }
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// So many functions and layers are known.
    Listing(usize),
    /// So many functions and layers of all are read.
    Reading(usize, usize),
}

/// What was read.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    /// An ARN of something there: the place of all of it.
    pub(super) somewhere: Option<String>,
    pub(super) policies: Vec<Policy>,
    pub(super) counts: Counts,
    pub(super) unread: Vec<Unread>,
    pub(super) wanted: Wanted,
}

/// How much there is.
#[derive(Clone, Copy, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Counts {
    pub(super) functions: usize,
    pub(super) aliases: usize,
    pub(super) versions: usize,
    pub(super) layers: usize,
    pub(super) layer_versions: usize,
}

/// One policy, and what it belongs to.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) place: Place,
    pub(super) document: String,
}

/// What a policy belongs to.
#[derive(Clone, Debug)]
pub(super) enum Place {
    Function { name: String, qualifier: Option<String> },
    Layer { name: String, version: i64 },
}

/// What could not be read, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unread {
    /// What the call was about, e.g. `function:orders:live`.
    pub target: String,
    /// The call.
    pub operation: &'static str,
    /// AWS's code, or what stood in its place.
    pub code: String,
}

/// `GetPolicy` has a quota of its own, 15 calls a second; all other calls that are not invokes and not `GetFunction`
/// share another one of 15 (Lambda quotas, API requests).
#[derive(Clone, Copy)]
enum Quota {
    OfGetPolicy,
    OfTheRest,
}

impl Place {
    /// The target as people and rules name it, e.g. `function:orders:live`.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Function { name, qualifier: None } => format!("function:{name}"),
            Self::Function { name, qualifier: Some(qualifier) } => format!("function:{name}:{qualifier}"),
            Self::Layer { name, version } => format!("layer:{name}:{version}"),
        }
    }
}

impl Collected {
    /// If nothing at all could be read there is nothing to show, and the reason is the answer.
    pub(super) fn worth_telling(&self) -> Result<(), String> {
        let listed = |operation: &str| !self.unread.iter().any(|unread| unread.operation == operation);
        if self.somewhere.is_some() || listed("ListFunctions") || listed("ListLayers") {
            return Ok(());
        }
        let why: Vec<String> =
            self.unread.iter().map(|unread| format!("{}: {}", unread.operation, unread.code)).collect();
        Err(format!("nothing could be read ({})", why.join(", ")))
    }
}

/// Reads everything.
pub async fn collect(client: &Client, wanted: &Wanted, told: impl FnMut(Step)) -> Collected {
    let pace = Pace::new(wanted.rate);
    let found = Collected { wanted: wanted.clone(), ..Collected::default() };
    let mut reader = Reader { client, pace, found, told, over: None };
    let functions = reader.functions().await;
    let layers = reader.layers().await;
    let all = functions.len() + layers.len();
    for (i, function) in functions.into_iter().enumerate() {
        (reader.told)(Step::Reading(i, all));
        reader.function(function).await;
    }
    let before = all - layers.len();
    for (i, layer) in layers.into_iter().enumerate() {
        (reader.told)(Step::Reading(before + i, all));
        reader.layer(&layer).await;
    }
    reader.found
}

/// A function and its published versions, if they are wanted.
struct Listed {
    name: String,
    versions: Vec<String>,
}

struct Reader<'a, T> {
    client: &'a Client,
    pace: Pace,
    found: Collected,
    told: T,
    /// The credentials have failed: further calls would only fail the same way.
    over: Option<String>,
}

impl<T: FnMut(Step)> Reader<'_, T> {
    async fn functions(&mut self) -> Vec<Listed> {
        let client = self.client;
        let mut functions: Vec<Listed> = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let all = self.found.wanted.versions.then_some(FunctionVersion::All);
            let list = client.list_functions().set_marker(marker.clone()).set_function_version(all);
            let page = self.call(Quota::OfTheRest, "functions", "ListFunctions", || list.clone().send()).await;
            let Some(page) = page else { break };
            for entry in page.functions.unwrap_or_default() {
                let (name, version) = (entry.function_name.unwrap_or_default(), entry.version.unwrap_or_default());
                if self.found.somewhere.is_none() {
                    self.found.somewhere = entry.function_arn;
                }
                if !name.starts_with(&self.found.wanted.prefix) {
                    continue;
                }
                // With the versions, the function itself comes as `$LATEST`, before them or after them.
                let known = functions.iter_mut().rev().find(|function| function.name == name);
                let published = (version != "$LATEST").then_some(version).filter(|_| self.found.wanted.versions);
                match known {
                    Some(function) => function.versions.extend(published),
                    None => functions.push(Listed { name, versions: published.into_iter().collect() }),
                }
            }
            (self.told)(Step::Listing(functions.len()));
            if page.next_marker.is_none() || page.next_marker == marker {
                break;
            }
            marker = page.next_marker;
        }
        self.found.counts.functions = functions.len();
        functions
    }

    async fn layers(&mut self) -> Vec<String> {
        let client = self.client;
        let mut layers = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let list = client.list_layers().set_marker(marker.clone());
            let page = self.call(Quota::OfTheRest, "layers", "ListLayers", || list.clone().send()).await;
            let Some(page) = page else { break };
            for entry in page.layers.unwrap_or_default() {
                if self.found.somewhere.is_none() {
                    self.found.somewhere = entry.layer_arn;
                }
                layers.extend(entry.layer_name.filter(|name| name.starts_with(&self.found.wanted.prefix)));
            }
            (self.told)(Step::Listing(self.found.counts.functions + layers.len()));
            if page.next_marker.is_none() || page.next_marker == marker {
                break;
            }
            marker = page.next_marker;
        }
        self.found.counts.layers = layers.len();
        layers
    }

    async fn function(&mut self, Listed { name, versions }: Listed) {
        self.function_policy(&name, None).await;
        let aliases = self.aliases(&name).await;
        self.found.counts.aliases += aliases.len();
        self.found.counts.versions += versions.len();
        for qualifier in aliases.into_iter().chain(versions) {
            self.function_policy(&name, Some(qualifier)).await;
        }
    }

    async fn aliases(&mut self, name: &str) -> Vec<String> {
        let client = self.client;
        let mut aliases = Vec::new();
        let mut marker: Option<String> = None;
        loop {
            let list = client.list_aliases().function_name(name).set_marker(marker.clone());
            let target = format!("function:{name}");
            let page = self.call(Quota::OfTheRest, &target, "ListAliases", || list.clone().send()).await;
            let Some(page) = page else { break };
            aliases.extend(page.aliases.unwrap_or_default().into_iter().filter_map(|alias| alias.name));
            if page.next_marker.is_none() || page.next_marker == marker {
                break;
            }
            marker = page.next_marker;
        }
        aliases
    }

    async fn function_policy(&mut self, name: &str, qualifier: Option<String>) {
        let get = self.client.get_policy().function_name(name).set_qualifier(qualifier.clone());
        let place = Place::Function { name: name.to_owned(), qualifier };
        let answer = self.call(Quota::OfGetPolicy, &place.name(), "GetPolicy", || get.clone().send()).await;
        self.keep(place, answer.and_then(|answer| answer.policy));
    }

    async fn layer(&mut self, name: &str) {
        let client = self.client;
        let mut marker: Option<String> = None;
        loop {
            let list = client.list_layer_versions().layer_name(name).set_marker(marker.clone());
            let target = format!("layer:{name}");
            let page = self.call(Quota::OfTheRest, &target, "ListLayerVersions", || list.clone().send()).await;
            let Some(page) = page else { break };
            for entry in page.layer_versions.unwrap_or_default() {
                self.found.counts.layer_versions += 1;
                let get = client.get_layer_version_policy().layer_name(name).version_number(entry.version);
                let place = Place::Layer { name: name.to_owned(), version: entry.version };
                let target = place.name();
                let answer = self.call(Quota::OfTheRest, &target, "GetLayerVersionPolicy", || get.clone().send()).await;
                self.keep(place, answer.and_then(|answer| answer.policy));
            }
            if page.next_marker.is_none() || page.next_marker == marker {
                break;
            }
            marker = page.next_marker;
        }
    }

    /// AWS answers 404 where there is no policy; emulators may answer an empty one.
    fn keep(&mut self, place: Place, document: Option<String>) {
        if let Some(document) = document.filter(|document| !document.is_empty()) {
            self.found.policies.push(Policy { place, document });
        }
    }

    /// Calls until there is an answer. `None` is told apart by the list of what could not be read.
    async fn call<O, E, F>(
        &mut self,
        quota: Quota,
        target: &str,
        operation: &'static str,
        send: impl Fn() -> F,
    ) -> Option<O>
    where
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        E: aws_sdk_lambda::error::ProvideErrorMetadata + StdError + 'static,
    {
        let mut pause = self.found.wanted.pause;
        let mut tries = 0;
        let code = loop {
            if let Some(code) = &self.over {
                break code.clone();
            }
            self.pace.turn(quota).await;
            tries += 1;
            let why = match send().await {
                Ok(answer) => return Some(answer),
                Err(error) => Why::of(&error),
            };
            match why {
                Why::Absent => return None,
                Why::Busy(_) if tries < MOST_BUSY => {}
                Why::Unclear(_) if tries < MOST_UNCLEAR => {}
                Why::Credentials(code) => {
                    self.over = Some(code.clone());
                    break code;
                }
                Why::Busy(code) | Why::Unclear(code) | Why::Refused(code) => break code,
            }
            // Spread, so that two reports do not meet again.
            sleep(pause + pause.mul_f64(fastrand::f64())).await;
            pause *= 2;
        };
        self.found.unread.push(Unread { target: target.to_owned(), operation, code });
        None
    }
}

/// Keeps calls apart.
struct Pace {
    gap: Duration,
    next: [Instant; 2],
}

impl Pace {
    fn new(rate: Option<u32>) -> Self {
        let gap = rate.map_or(Duration::ZERO, |rate| Duration::from_secs(1) / rate.max(1));
        Self { gap, next: [Instant::now(); 2] }
    }

    async fn turn(&mut self, quota: Quota) {
        let [of_get_policy, of_the_rest] = &mut self.next;
        let next = match quota {
            Quota::OfGetPolicy => of_get_policy,
            Quota::OfTheRest => of_the_rest,
        };
        let at = (*next).max(Instant::now());
        *next = at + self.gap;
        sleep_until(at).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each quota is kept by itself, and what was not used is not made up for.
    #[tokio::test(start_paused = true)]
    async fn calls_are_kept_apart() {
        let started = Instant::now();
        let mut pace = Pace::new(Some(10));
        for _ in 0..11 {
            pace.turn(Quota::OfGetPolicy).await;
            pace.turn(Quota::OfTheRest).await;
        }
        assert_eq!(started.elapsed().as_millis(), 1000);
        tokio::time::advance(Duration::from_secs(5)).await;
        let later = Instant::now();
        for _ in 0..3 {
            pace.turn(Quota::OfGetPolicy).await;
        }
        assert_eq!(later.elapsed().as_millis(), 200);
        let mut unpaced = Pace::new(None);
        for _ in 0..1000 {
            unpaced.turn(Quota::OfTheRest).await;
        }
        assert_eq!(later.elapsed().as_millis(), 200);
    }
}
