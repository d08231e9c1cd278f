//! Finding what a sweep has to look at: functions, their aliases and versions, layers and their versions. Of what AWS
//! lists only that is kept which a rule of the allowlist reaches; a rule that names all it reaches needs no list of all.

use std::collections::BTreeSet;
use std::error::Error as StdError;

use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_lambda::operation::RequestId;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;

use super::places::{Place, Unit, Wanted};
use super::{Sweep, TimeIsUp, Units};
use crate::boxed::boxed;
use crate::error::Code;
use crate::policy::{Failure, MOST_ATTEMPTS, answer};

const NO_FUNCTIONS: &str =
    "functions could not be listed: those that the allowlist reaches without naming them were not looked at";
const NO_ALIASES: &str = "the aliases of a function could not be listed, and were not looked at";
const NO_VERSIONS: &str = "the versions of a function could not be listed, and were not looked at";
const NO_LAYERS: &str =
    "layers could not be listed: those that the allowlist reaches without naming them were not looked at";
const NO_LAYER_VERSIONS: &str = "the versions of a layer could not be listed, and were not looked at";

/// Why a list has an end before its own.
enum Stop {
    TimeIsUp,
    For(Code),
}

/// One answer of a list.
struct Page {
    /// None if it has no list, or an entry of it no name.
    names: Option<Vec<String>>,
    next: Option<String>,
}

impl Sweep<'_> {
    /// Every function and layer to look at, in order, with the places that the event names; whether all else that
    /// belongs to it is to be looked at as well, the allowlist says.
    pub(super) async fn units(&mut self, wanted: &Wanted) -> Result<Units, TimeIsUp> {
        let mut units = Units::new();
        for place in &wanted.targets {
            units.entry(place.unit.clone()).or_default().insert(place.clone());
        }
        for layer in [false, true] {
            let word = if layer { "layer" } else { "function" };
            let mut names: BTreeSet<String> = self.case.allowlist.names(word).map(str::to_owned).collect();
            let within = wanted.within.iter().flatten().filter_map(|pattern| pattern.name_of(word));
            names.extend(within.filter(|name| !name.contains('*')).map(str::to_owned));
            // Where the role can reach nothing but what has a name, nothing has to be found.
            let open = |name: &str| name.contains('*');
            let role_reaches_more = wanted
                .within
                .as_ref()
                .is_none_or(|within| within.iter().filter_map(|pattern| pattern.name_of(word)).any(open));
            if self.case.allowlist.reaches_more(word) && role_reaches_more && (layer || !wanted.has_come_to_layers()) {
                names.extend(if layer { self.layers().await? } else { self.functions().await? });
            }
            let units_of = names.into_iter().map(|name| Unit { layer, name: name.into() });
            for unit in units_of.filter(|unit| self.is_reached(unit, wanted)) {
                units.entry(unit).or_default();
            }
        }
        units.retain(|unit, _| wanted.has_to_come(unit));
        Ok(units)
    }

    fn is_reached(&self, unit: &Unit, wanted: &Wanted) -> bool {
        let name = unit.to_string();
        let own = !unit.layer && unit.name.eq_ignore_ascii_case(self.own.function());
        !own && self.case.allowlist.reaches(&name) && wanted.reaches(&name)
    }

    /// The places of a function or a layer, in order.
    pub(super) async fn places(
        &mut self,
        unit: &Unit,
        mut places: BTreeSet<Place>,
        wanted: &Wanted,
    ) -> Result<BTreeSet<Place>, TimeIsUp> {
        // What the event names and the allowlist does not reach is not looked at beyond that.
        if !self.is_reached(unit, wanted) {
            return Ok(places);
        }
        let mut qualifiers = Vec::new();
        if unit.layer {
            self.layer_versions(&unit.name, &mut qualifiers).await?;
        } else {
            places.insert(Place { unit: unit.clone(), qualifier: None });
            self.aliases(&unit.name, &mut qualifiers).await?;
            self.versions(&unit.name, &mut qualifiers).await?;
        }
        let of = |qualifier: String| Place { unit: unit.clone(), qualifier: Some(qualifier.into()) };
        places.extend(qualifiers.into_iter().map(of));
        Ok(places)
    }

    async fn functions(&mut self) -> Result<Vec<String>, TimeIsUp> {
        let (list, mut names) = (self.broker.client.list_functions(), Vec::new());
        let send = |marker| list.clone().set_marker(marker).send();
        self.pages(&mut names, NO_FUNCTIONS, send, |page| Page {
            names: page.functions.and_then(|list| list.into_iter().map(|entry| entry.function_name).collect()),
            next: page.next_marker,
        })
        .await?;
        Ok(names)
    }

    async fn layers(&mut self) -> Result<Vec<String>, TimeIsUp> {
        let (list, mut names) = (self.broker.client.list_layers(), Vec::new());
        let send = |marker| list.clone().set_marker(marker).send();
        self.pages(&mut names, NO_LAYERS, send, |page| Page {
            names: page.layers.and_then(|list| list.into_iter().map(|entry| entry.layer_name).collect()),
            next: page.next_marker,
        })
        .await?;
        Ok(names)
    }

    async fn aliases(&mut self, name: &str, found: &mut Vec<String>) -> Result<(), TimeIsUp> {
        let list = self.broker.client.list_aliases().function_name(name);
        let send = |marker| list.clone().set_marker(marker).send();
        self.pages(found, NO_ALIASES, send, |page| Page {
            names: page.aliases.and_then(|list| list.into_iter().map(|alias| alias.name).collect()),
            next: page.next_marker,
        })
        .await
    }

    async fn versions(&mut self, name: &str, found: &mut Vec<String>) -> Result<(), TimeIsUp> {
        let list = self.broker.client.list_versions_by_function().function_name(name);
        let send = |marker| list.clone().set_marker(marker).send();
        self.pages(found, NO_VERSIONS, send, |page| Page {
            names: page.versions.and_then(|list| list.into_iter().map(|entry| entry.version).collect()),
            next: page.next_marker,
        })
        .await?;
        // It takes no policy.
        found.retain(|version| version != "$LATEST");
        Ok(())
    }

    async fn layer_versions(&mut self, name: &str, found: &mut Vec<String>) -> Result<(), TimeIsUp> {
        // The SDK has 0 for a number that is missing; AWS counts from 1.
        let number = |version: i64| (version > 0).then(|| version.to_string());
        let list = self.broker.client.list_layer_versions().layer_name(name);
        let send = |marker| list.clone().set_marker(marker).send();
        self.pages(found, NO_LAYER_VERSIONS, send, |page| Page {
            names: page.layer_versions.and_then(|list| list.into_iter().map(|entry| number(entry.version)).collect()),
            next: page.next_marker,
        })
        .await
    }

    /// All pages of a list, as far as they can be had.
    async fn pages<O, E, F>(
        &mut self,
        found: &mut Vec<String>,
        detail: &'static str,
        send: impl Fn(Option<String>) -> F,
        of: impl Fn(O) -> Page,
    ) -> Result<(), TimeIsUp>
    where
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        O: RequestId,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let mut marker = None;
        loop {
            let (names, next) = match self.page(|| send(marker.clone()), &of).await {
                Ok(page) => page,
                Err(stop) => return self.stopped(stop, detail),
            };
            found.extend(names);
            match next.filter(|next| !next.is_empty()) {
                None => return Ok(()),
                // A marker that stays the same would never end, and what is behind it is not seen.
                next if next == marker => return self.stopped(Stop::For(Code::Unavailable), detail),
                next => marker = next,
            }
        }
    }

    /// What is not there has nothing to list; what else could not be listed is told, and the rest goes on.
    fn stopped(&mut self, stop: Stop, detail: &'static str) -> Result<(), TimeIsUp> {
        match stop {
            Stop::TimeIsUp => Err(TimeIsUp),
            Stop::For(Code::TargetNotFound) => Ok(()),
            Stop::For(code) => {
                self.note_list(code, detail);
                Ok(())
            }
        }
    }

    /// One page of a list, its names and its marker. AWS sends the list also when it is empty, so an answer without one, or with
    /// an entry that has no name, is not taken for a list in which nothing is.
    async fn page<O, E, F>(
        &mut self,
        send: impl Fn() -> F,
        of: impl Fn(O) -> Page,
    ) -> Result<(Vec<String>, Option<String>), Stop>
    where
        F: Future<Output = Result<O, SdkError<E, HttpResponse>>>,
        O: RequestId,
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        let budget = self.budget().ok_or(Stop::TimeIsUp)?;
        let mut last = Stop::TimeIsUp;
        for attempt in 1..=MOST_ATTEMPTS {
            self.turn().await;
            let Some(time) = budget.of_call() else { break };
            let answer = boxed(|| answer(time, 200, send(), &of)).await;
            self.calls.note(&format!("list:{}", answer.seen));
            let (code, after) = match answer.result {
                Ok(Page { names: Some(names), next }) => return Ok((names, next)),
                Err(Failure::Final(code)) => return Err(Stop::For(code)),
                Err(Failure::Throttled(after)) => (Code::Throttled, after),
                Ok(Page { names: None, .. }) | Err(_) => (Code::Unavailable, None),
            };
            last = Stop::For(code);
            let pause = budget.pause(attempt + 1).max(after.unwrap_or_default());
            if attempt == MOST_ATTEMPTS || !budget.wait(pause).await {
                break;
            }
        }
        Err(last)
    }
}
